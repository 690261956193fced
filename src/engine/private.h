/* What the files of this folder share: the door to oneDNN (onednn.c) and the compiled form (lower.c makes it, pack.c
 * fills in the weights, run.c runs it). */
#ifndef INC_ENGINE_PRIVATE_H
#define INC_ENGINE_PRIVATE_H

#include "engine.h"
#include "kernels/kernels.h"

#include <oneapi/dnnl/dnnl.h>

/* ---- onednn.c: the differences between the C interfaces of oneDNN 2 and 3 end here ---- */

/* A memory descriptor. In oneDNN 3 that is a handle; in 2 a struct, held by pointer to be the same to us. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t inc_layout;
#else
typedef dnnl_memory_desc_t *inc_layout;
#endif

/* NULL: failed. */
inc_layout inc_layout_new(const int64_t *dims, int rank, dnnl_data_type_t type, dnnl_format_tag_t tag);
void inc_layout_free(inc_layout *layout);
size_t inc_layout_size(inc_layout layout);

/* Descriptions of primitives; *description is released with dnnl_primitive_desc_destroy(). False: refused. */
bool inc_describe_conv(dnnl_engine_t engine, inc_layout src, inc_layout weights, inc_layout bias, inc_layout dst,
                       const inc_window *window, bool add_to_dst, bool relu, dnnl_primitive_desc_t *description);
bool inc_describe_pool(dnnl_engine_t engine, inc_layout src, inc_layout dst, const inc_window *window, bool max,
                       bool relu, dnnl_primitive_desc_t *description);
bool inc_describe_lrn(dnnl_engine_t engine, inc_layout src, int size, float alpha, float beta, float k,
                      dnnl_primitive_desc_t *description);
bool inc_describe_norm(dnnl_engine_t engine, inc_layout src, float epsilon, bool scaled,
                       dnnl_primitive_desc_t *description);
bool inc_describe_relu(dnnl_engine_t engine, inc_layout src, dnnl_primitive_desc_t *description);
bool inc_describe_copy(dnnl_engine_t engine, inc_layout src, dnnl_primitive_desc_t *description);
bool inc_describe_concat(dnnl_engine_t engine, inc_layout dst, const inc_layout *srcs, int count,
                         dnnl_primitive_desc_t *description);
bool inc_describe_add(dnnl_engine_t engine, inc_layout dst, inc_layout src, float scale,
                      dnnl_primitive_desc_t *description);
bool inc_describe_reorder(dnnl_engine_t engine, inc_layout src, inc_layout dst, dnnl_primitive_desc_t *description);

/* A copy of the layout that the primitive wants for one of its arguments; NULL: failed. */
inc_layout inc_wanted(const_dnnl_primitive_desc_t description, dnnl_query_t what, int index);

/* ---- the compiled form ---- */

/* A tensor that belongs to the network: packed once, read by every run. */
typedef struct inc_constant {
    inc_layout layout;   /* as the primitive wants it */
    inc_layout plain;    /* as `data` lies */
    const inc_fewer *fewer; /* in place of both: the kernel that wants these weights, as TensorFlow has them */
    const float *data;   /* in the graph; valid while compiling */
    const float *scale;  /* [fastest dimension of plain], multiplied in; or NULL */
    int64_t scale_count; /* its length */
    size_t offset;       /* in the block of packed weights */
    dnnl_memory_t memory;
} inc_constant;

typedef enum inc_source { INC_FROM_VALUE, INC_FROM_CONSTANT, INC_FROM_SCRATCHPAD } inc_source;

#define INC_MAX_ARGUMENTS (INC_MAX_INPUTS + 4)

typedef struct inc_argument {
    int name; /* DNNL_ARG_... */
    inc_source source;
    uint32_t index; /* of the value or the constant */
} inc_argument;

/* A primitive of oneDNN, or a kernel of ours, whose arguments are weights, bias (there may be none), source and
 * destination. */
typedef struct inc_step {
    const char *name, *kind; /* of the layer; of what computes it */
    uint64_t multiply_adds;
    dnnl_primitive_t primitive;
    inc_fewer *fewer;
    inc_layout scratchpad; /* NULL: needs none */
    inc_argument arguments[INC_MAX_ARGUMENTS];
    int argument_count;
} inc_step;

/* Where a value lies in the block of one photo's activations. */
typedef struct inc_place {
    inc_layout layout; /* NULL: the value is not used */
    dnnl_data_type_t type;
    size_t offset;
    int64_t height, width, channels;
} inc_place;

struct inc_engine {
    dnnl_engine_t engine;
    inception_precision precision;
    int threads, block;
    bool kernels; /* ours can run here */
    inc_step *steps;
    size_t step_count;
    inc_constant *constants;
    size_t constant_count, constant_capacity;
    inc_place *places; /* one a value of the graph */
    size_t place_count;
    uint32_t input;
    size_t activation_bytes, scratchpad_bytes;
    uint8_t *packed;
    inc_arena names;
};

inception_status inc_lower(inc_engine *engine, const inc_graph *graph, inception_error *error);
inception_status inc_pack(inc_engine *engine, inception_error *error);

/* OpenMP's thread count belongs to the calling thread: set ours, give back what was there. */
int inc_threads_enter(int threads);
void inc_threads_leave(int before);

inception_status inc_fail_onednn(inception_error *error, const char *name, const char *what);

#endif
