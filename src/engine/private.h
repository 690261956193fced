/* What the files of this folder share: the door to oneDNN (onednn.c) and the compiled form (lower.c makes it, pack.c
 * fills in the weights, run.c runs it). */
#ifndef INC_ENGINE_PRIVATE_H
#define INC_ENGINE_PRIVATE_H

#include "engine.h"
#include "kernels/kernels.h"

#include <oneapi/dnnl/dnnl.h>
#include <string.h>

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
uint64_t inc_layout_hash(inc_layout layout); /* of its strides and blocks */

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

/* A tensor that belongs to the network: packed once, read by every run. In the graph it lies as [rows][total], channels of
 * the output fastest; a part of a step wants `count` of them from `first` on. */
typedef struct inc_constant {
    inc_layout layout;      /* as the primitive wants it; NULL: a vector, as it is */
    inc_layout plain;       /* [rows][count] as oneDNN sees it */
    const inc_fewer *fewer; /* in place of both: the kernel that wants these weights, all of them; ... */
    const inc_int8 *int8;   /* ... or the step on bytes ... */
    const inc_node *node;   /* ... of this node, valid while compiling */
    const float *data;      /* valid while compiling */
    const float *scale;     /* [total], multiplied in; or NULL */
    int64_t rows, total, first, count;
    size_t bytes, offset; /* in the block of packed weights */
} inc_constant;

typedef enum inc_source { INC_FROM_VALUE, INC_FROM_CONSTANT, INC_FROM_SCRATCHPAD } inc_source;

#define INC_MAX_ARGUMENTS (INC_MAX_INPUTS + 4)
#define INC_MAX_CONSTANTS 4

typedef struct inc_argument {
    int name; /* DNNL_ARG_... */
    inc_source source;
    uint32_t index;    /* of the value, or of the part's constant */
    inc_layout layout; /* of the part of the value; those of constants and scratchpads are with them */
    size_t offset;     /* where that part begins, in bytes */
} inc_argument;

/* What one thread does of a step: a range of channels of the output. */
typedef struct inc_part {
    dnnl_primitive_t primitive;
    inc_layout scratchpad; /* NULL: needs none */
    inc_argument arguments[INC_MAX_ARGUMENTS];
    inc_constant constants[INC_MAX_CONSTANTS];
    int argument_count, constant_count;
} inc_part;

/* Primitives of oneDNN, or one of two kernels of ours, whose only part has no primitive, and as arguments weights, source,
 * destination and perhaps a bias. */
typedef struct inc_step {
    const char *name; /* of the layer */
    char kind[40];    /* of what computes it */
    uint64_t multiply_adds;
    inc_fewer *fewer;
    inc_int8 *int8;
    inc_part *parts; /* at most one a thread */
    int part_count;
} inc_step;

/* Where a value lies in the block of one photo's activations. */
typedef struct inc_place {
    bool used;
    dnnl_data_type_t type;
    size_t offset;
    int64_t height, width, channels;
    int64_t pitch; /* of bytes: from a pixel to the next */
} inc_place;

/* A value that is read after a run: [height][width][channels] from `offset` on among a photo's answers. */
typedef struct inc_answer {
    uint32_t value;
    size_t offset;
} inc_answer;

struct inc_engine {
    dnnl_engine_t engine;
    inception_precision precision;
    int threads, block;
    bool kernels; /* ours can run here */
    inc_step *steps;
    size_t step_count;
    inc_place *places; /* one a value of the graph */
    size_t place_count;
    inc_answer *answers;
    size_t answer_count, answer_floats; /* of a photo */
    uint32_t input;
    size_t activation_bytes;
    size_t scratchpad_bytes;           /* of oneDNN, the most that a part needs */
    size_t scratch_alone, scratch_all; /* of our kernels: with one thread, with all */
    const uint8_t *weights; /* packed */
    size_t weight_bytes;
    uint64_t form; /* hash of where and how each constant lies */
    uint8_t *packed; /* the same, where they are ours */
    inc_arena names;
};

/* ---- elements of values ---- */

static inline size_t inc_type_bytes(dnnl_data_type_t type)
{
    return type == dnnl_u8 ? 1 : type == dnnl_bf16 ? 2 : sizeof(float);
}

/* Of float32 or bfloat16, which is the upper half of one: rounded to the nearest, ties to even; no number stays none. */
static inline float inc_load_element(const void *from, int64_t at, dnnl_data_type_t type)
{
    if (type == dnnl_f32) return ((const float *)from)[at];
    uint32_t bits = (uint32_t)((const uint16_t *)from)[at] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void inc_store_element(void *to, int64_t at, float value, dnnl_data_type_t type)
{
    uint32_t bits;
    if (type == dnnl_f32) {
        ((float *)to)[at] = value;
        return;
    }
    memcpy(&bits, &value, sizeof bits);
    ((uint16_t *)to)[at] = value != value ? 0x7fc0 : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* ---- place.c ---- */

/* Is the value what a convolution alone writes and the caller alone reads? It is float32 where others are bfloat16. */
bool inc_is_answer(const inc_graph *graph, uint32_t value);

inception_status inc_place_values(inc_engine *engine, const inc_graph *graph, inception_error *error);

/* Layout of `count` channels of a value, and where the channels from `first` on begin within it. */
inc_layout inc_place_layout(const inc_engine *engine, uint32_t value, int64_t count);
size_t inc_place_offset(const inc_engine *engine, uint32_t value, int64_t first);

/* Bytes from a pixel of the value to the next, and from 16 channels to the next. */
void inc_place_steps(const inc_engine *engine, uint32_t value, size_t *pixel, size_t *block);

/* ---- own.c: kernels of ours ---- */

/* *taken: the step's only part is made. */
inception_status inc_take_kernel(inc_engine *engine, const inc_graph *graph, const inc_node *node, inc_step *step,
                                 bool *taken, inception_error *error);
void inc_pack_int8(const inc_graph *graph, const inc_constant *constant, void *packed, inception_error *error);

/* ---- lower.c, pack.c ---- */

inception_status inc_lower(inc_engine *engine, const inc_graph *graph, inc_pool *pool, inception_error *error);
inception_status inc_pack(inc_engine *engine, const inc_graph *graph, inc_pool *pool, inception_error *error);
inception_status inc_take_packed(inc_engine *engine, const inc_packed *packed, inc_pool *pool, inception_error *error);

/* From inside a piece of work: oneDNN is to use this thread only. Returns what inc_alone_leave() wants. */
int inc_alone_enter(void);
void inc_alone_leave(int before);

/* Do our kernels run here? */
bool inc_engine_vectors(void);

inception_status inc_fail_onednn(inception_error *error, const char *name, const char *what);

#endif
