/* The network as data: two arrays, values and nodes, that refer to each other by id. Building checks shapes; rewrites
 * make it cheaper without changing what it computes; the planner gives every value its place in one block of memory.
 * Pure data: knows no file, no arithmetic library. */
#ifndef INC_GRAPH_H
#define INC_GRAPH_H

#include "../base/base.h"

#define INC_NONE UINT32_MAX
#define INC_MAX_INPUTS 8

typedef enum inc_op {
    INC_OP_CONV,      /* inputs: x */
    INC_OP_DEPTHWISE, /* inputs: x; weights [kh][kw][in][multiplier], output channel = in * multiplier + m */
    INC_OP_NORM,      /* batch norm with moving statistics */
    INC_OP_RELU,
    INC_OP_MAX_POOL,
    INC_OP_AVG_POOL, /* mean over the elements inside the image */
    INC_OP_CONCAT,   /* along channels */
    INC_OP_ADD,      /* inputs[0] + scale * inputs[1] */
    INC_OP_LRN,      /* across channels: x / (k + alpha/size * sum of squares)^beta */
    INC_OP_DROPOUT,  /* the identity, except in training */
    INC_OP_QUANTIZE, INC_OP_DEQUANTIZE, /* floats to bytes, and back */
} inc_op;

/* Activations are {1, height, width, channels}. Variables have the shape of the checkpoint: convolution
 * [kh][kw][in][out], fully connected [in][out], vectors [channels]. */
typedef struct inc_value {
    const char *name; /* scope of the row it comes from, without the root; of a variable the full name */
    int rank;
    int64_t dims[4];
    bool variable;
    bool kept;         /* must be there at the end of a run */
    bool endpoint;     /* may be asked for by its name */
    const float *data; /* of a variable, once bound; aligned */
    bool quantized;    /* bytes, that stand for ... */
    float low, high;   /* ... this range, where it is known */
    uint32_t parent;   /* lives inside this value, INC_NONE: in memory of its own ... */
    int64_t channel;   /* ... from this channel on */
} inc_value;

typedef struct inc_window {
    int kernel_h, kernel_w, stride;
    int top, left, bottom, right; /* padding */
} inc_window;

typedef struct inc_node {
    inc_op op;
    const char *name;
    uint32_t inputs[INC_MAX_INPUTS], input_count;
    uint32_t output;
    inc_window window; /* convolutions and pools ... */
    bool relu;         /* ... which may end in one */
    union {
        struct {
            uint32_t weights;
            uint32_t bias;     /* [out], or INC_NONE */
            uint32_t scale;    /* [out], multiplies the weights, or INC_NONE */
            uint32_t residual; /* added before the ReLU; the output lives in its place; or INC_NONE */
        } conv;
        struct {
            uint32_t gamma, beta, mean, variance; /* gamma may be INC_NONE: 1 */
            float epsilon;
        } norm;
        struct {
            float scale;
        } add;
        struct {
            int size;
            float alpha, beta, k;
        } lrn;
    };
} inc_node;

typedef struct inc_graph {
    inc_value *values;
    inc_node *nodes; /* in order of execution */
    size_t value_count, value_capacity, node_count, node_capacity;
    uint32_t input;
    inc_arena arena; /* names, data that rewrites made */
} inc_graph;

/* ---- graph.c: building ---- */

void inc_graph_free(inc_graph *graph);
inception_status inc_graph_copy(const inc_graph *from, inc_graph *to, inception_error *error); /* names, data: of `from` */
uint32_t inc_graph_variable(inc_graph *graph, const char *name, int rank, const int64_t *dims, inception_error *error);
uint32_t inc_graph_activation(inc_graph *graph, const char *name, int64_t height, int64_t width, int64_t channels,
                              inception_error *error);
inception_status inc_graph_add(inc_graph *graph, const inc_node *node, inception_error *error); /* its own copy */
uint32_t inc_graph_find(const inc_graph *graph, const char *name); /* the last value called so; INC_NONE */
uint32_t inc_graph_floats(inc_graph *graph, int64_t count, float **data, inception_error *error); /* new vector */

uint64_t inc_value_count(const inc_value *value); /* elements */

/* Of a convolution, for one photo, by its definition; 0 of others. */
uint64_t inc_graph_multiply_adds(const inc_graph *graph, const inc_node *node);

/* How often `value` is read by nodes (residuals count), plus one if it is kept. */
int inc_graph_uses(const inc_graph *graph, uint32_t value);
uint32_t inc_graph_producer(const inc_graph *graph, uint32_t value); /* node index or INC_NONE */
void inc_graph_replace(inc_graph *graph, uint32_t old, uint32_t with); /* in all inputs */
void inc_graph_compact(inc_graph *graph, const bool *dead); /* removes nodes */

/* The value whose memory holds `value`, and from which channel on. */
uint32_t inc_graph_root(const inc_graph *graph, uint32_t value, int64_t *channel);

/* ---- shapes.c ---- */

typedef enum inc_padding {
    INC_VALID, /* none */
    INC_SAME,  /* TensorFlow: out = ceil(in / stride), the odd one behind */
    INC_HALF,  /* Caffe convolutions: kernel / 2 on every side */
    INC_CEIL,  /* Caffe pools: none in front, the last window may hang over */
} inc_padding;

/* Fills the padding and *out_h, *out_w for an image of height x width; false: the window does not fit. */
bool inc_window_set(inc_window *window, inc_padding padding, int64_t height, int64_t width, int64_t *out_h,
                    int64_t *out_w);

/* ---- Rewrites: each keeps what every kept value holds (to rounding); rewrite.c runs them in this order. Variables may be
 * without data: the graph that comes out is the same, but for the data ---- */

typedef enum inc_rewrite {
    INC_DROP_IDENTITIES = 1 << 0, /* dropout outside training */
    INC_MERGE_SEPARABLE = 1 << 1, /* depthwise and then pointwise become one convolution */
    INC_FOLD_NORMS = 1 << 2,      /* batch norm becomes scale and bias of the convolution before it */
    INC_FUSE_RESIDUALS = 1 << 3,  /* x + s * conv(y) is computed by the convolution, in the place of x */
    INC_SWAP_POOLS = 1 << 4,      /* a narrowing 1x1 convolution goes before the average pool, not behind it */
    INC_FUSE_RELUS = 1 << 5,      /* ReLU becomes part of the convolution or pool before it */
    INC_FUSE_SIBLINGS = 1 << 6,   /* 1x1 convolutions that read the same value become one */
    INC_ELIDE_CONCATS = 1 << 7,   /* producers write into the joined value */
    INC_ALL_REWRITES = (1 << 8) - 1,
} inc_rewrite;

/* `granularity`: a value may begin inside another only at multiples of that many channels. */
inception_status inc_graph_rewrite(inc_graph *graph, unsigned rewrites, int granularity, inception_error *error);

/* One rewrite at node n; what it marks dead goes when all nodes were looked at. */
typedef inception_status inc_rewrite_at(inc_graph *graph, size_t n, int granularity, bool *dead, inception_error *error);
inc_rewrite_at inc_drop_identities, inc_merge_separable, inc_fold_norms, inc_fuse_residuals, inc_swap_pools,
    inc_fuse_relus, inc_fuse_siblings, inc_elide_concats;

/* ---- drop_unused.c ---- */

/* Removes the nodes that no kept value needs. */
inception_status inc_graph_drop_unused(inc_graph *graph, inception_error *error);

/* ---- quantize.c ---- */

#define INC_QUANTIZED_TAPS 81 /* at most, of a convolution on bytes */
#define INC_QUANTIZED_BLOCK 16 /* channels: the granularity of rewrites before */
#define INC_QUANTIZED_PRODUCTS 66311 /* at most, of two bytes each, in a sum of 32 bits */
#define INC_QUANTIZED_MEAN 257 /* pixels at most, of an average pool on bytes */
#define INC_QUANTIZED_PHOTO 4 /* channels at most, of a photo as bytes */

/* Could a step on bytes do it? Nothing else reads bytes. */
static inline bool inc_reads_bytes(inc_op op)
{
    return op == INC_OP_CONV || op == INC_OP_MAX_POOL || op == INC_OP_AVG_POOL;
}

/* For graphs that went through all rewrites, or these: the same with a place of its own for every value, so that all can be
 * looked at. */
#define INC_CALIBRATED_REWRITES \
    ((unsigned)INC_ALL_REWRITES & ~(unsigned)(INC_FUSE_RESIDUALS | INC_FUSE_SIBLINGS | INC_ELIDE_CONCATS))

/* Values become bytes where that costs little. Which do does not depend on their ranges, and those need not be known. */
inception_status inc_graph_quantize(inc_graph *graph, inception_error *error);

/* ---- plan_memory.c ---- */

/* One block of memory that must live from step `first` to step `last`, both included. */
typedef struct inc_lifetime {
    size_t bytes;       /* in */
    uint32_t first, last; /* in */
    size_t offset;      /* out */
} inc_lifetime;

/* Gives every record an offset such that no two that live at once overlap; *total: bytes needed in all. */
inception_status inc_plan_memory(inc_lifetime *lifetimes, size_t count, size_t *total, inception_error *error);

#endif
