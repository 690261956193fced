/* What the files of training share. A layer is a node of the graph, or a few that are computed together; its forward and
 * its backward step stand side by side in one file, train_*.c. trainer.c plans these steps and train_run.c runs them:
 *
 *     step 0             weights are brought into the form that the forward primitives want
 *     1 ... L            the layers forward
 *     L + 1              losses, which are the caller's
 *     L + 2 ... 2L + 1   the layers backward, the last one first; before each INC_PACKED_LAYERS of them their weights into
 *                        the form that they want
 *
 * Every piece of memory is a slot. It is planned by the steps that touch it, so that nothing stays longer than the last
 * step that reads it: what a backward step does not need is gone as soon as the forward steps have read it. */
#ifndef INC_TRAINING_H
#define INC_TRAINING_H

#include "private.h"
#include "kernels/passes.h"

#include <stdatomic.h>

/* ---- onednn_backward.c: as the functions of onednn.c ---- */

bool inc_describe_conv_data(dnnl_engine_t engine, inc_layout diff_src, inc_layout weights, inc_layout diff_dst,
                            const inc_window *window, const_dnnl_primitive_desc_t forward,
                            dnnl_primitive_desc_t *description);
bool inc_describe_conv_weights(dnnl_engine_t engine, inc_layout src, inc_layout diff_weights, inc_layout diff_bias,
                               inc_layout diff_dst, const inc_window *window, const_dnnl_primitive_desc_t forward,
                               dnnl_primitive_desc_t *description);
bool inc_describe_pool_training(dnnl_engine_t engine, inc_layout src, inc_layout dst, const inc_window *window, bool max,
                                dnnl_primitive_desc_t *forward, dnnl_primitive_desc_t *backward);
bool inc_describe_lrn_training(dnnl_engine_t engine, inc_layout src, const inc_node *node, dnnl_primitive_desc_t *forward,
                               dnnl_primitive_desc_t *backward);

/* ---- memory ---- */

typedef struct inc_slot {
    inc_lifetime life; /* in the block of planned memory ... */
    void *fixed;       /* ... unless it is here */
} inc_slot;

/* A value, or the gradient of one, in a slot that it may share with other parts of a joined value. */
typedef struct inc_view {
    uint32_t slot, value;
    dnnl_data_type_t type;
    size_t offset, stride;   /* bytes: where photo 0 begins, from photo to photo */
    int64_t pixels, channels, blocks;
} inc_view;

/* ---- primitives ---- */

#define INC_MOST_BOUND 6

/* An argument of a primitive. */
typedef struct inc_bound {
    int name; /* DNNL_ARG_... */
    inc_layout layout;
    uint32_t slot;
    size_t offset, stride; /* bytes: of the first item, from item to item ... */
    bool by_thread;        /* ... or from thread to thread */
} inc_bound;

/* A primitive, or a kernel of ours, that a step runs once for each item: a photo, a share of the batch, or just once. */
typedef struct inc_call {
    dnnl_primitive_t primitive;
    inc_fewer *fewer; /* neither: there is no call */
    int photos;       /* of a kernel of ours for the gradient of weights: in an item */
    bool clears;      /* the scratchpad has to be zeros, see train_conv.c */
    int items;
    inc_bound bound[INC_MOST_BOUND];
    int bound_count;
    dnnl_exec_arg_t *arguments; /* [items][bound_count] */
    uint32_t temporary; /* slot, see inc_bind_gradient() */
} inc_call;

/* ---- layers ---- */

typedef struct inc_layer inc_layer;

/* What a kind of layer is: it prepares itself once, then does its steps. `thread` does its share; after a step all meet. */
typedef struct inc_operation {
    inception_status (*prepare)(inc_trainer *t, inc_layer *l, inception_error *error);
    void (*forward)(inc_trainer *t, const inc_layer *l, int thread);
    void (*backward)(inc_trainer *t, const inc_layer *l, int thread);
} inc_operation;

extern const inc_operation inc_train_conv, inc_train_norm, inc_train_window, inc_train_relu, inc_train_add,
    inc_train_concat, inc_train_dropout;

#define INC_MOST_CALLS 6
#define INC_MOST_SLOTS 2

struct inc_layer {
    const inc_operation *operation;
    const inc_node *node;
    const inc_node *deep; /* the depthwise convolution before a pointwise one, computed together with it; or NULL */
    bool relu;            /* of a norm: the ReLU behind it belongs to it */
    uint32_t in, out;     /* the first input; what comes out */
    uint32_t forward_step, backward_step;
    bool back[INC_MAX_INPUTS]; /* is the gradient of this input wanted? ... */
    bool adds[INC_MAX_INPUTS]; /* ... and is it added to what other readers of the input have left? */
    inc_call calls[INC_MOST_CALLS]; /* the kind of layer numbers them, and the slots */
    uint32_t slots[INC_MOST_SLOTS];
    int shares;      /* of a convolution: parts of the batch whose weights' gradients are summed up */
    float *product;  /* of a separable convolution: its weights multiplied out, and their gradient */
    float *vectors;  /* of a norm */
};

struct inc_trainer {
    inc_training how;
    const inc_graph *graph;
    dnnl_engine_t engine;
    dnnl_stream_t *streams; /* [threads] */
    dnnl_data_type_t type; /* of what lies between layers; logits, variables and their gradients are float32 */
    const inc_passes *passes, *passes_f32; /* of that type, and of float32 */
    bool fewer; /* are convolutions with fewer multiplications exact enough? see train_fewer.c */
    int block;
    inc_layer *layers;
    size_t layer_count;
    inc_slot *slots; /* the first: value v at v, its gradient at value_count + v */
    size_t slot_count, slot_capacity;
    bool *wanted;  /* [values]: is the gradient wanted? */
    bool *written; /* [values]: while preparing, has a step backward written the gradient? */
    float **variables, **gradients; /* [values]; NULL: no variable, or not trained */
    float *trained, *gradient; /* [trained_count]: all that is trained in one piece, and its gradients */
    size_t trained_count;
    uint8_t *memory; /* planned */
    size_t memory_bytes, scratchpad_bytes;
    uint32_t scratchpad; /* slot, [threads] */
    inc_arena arena;
    const float *inputs; /* of the run at hand */
    uint64_t noise;
    atomic_size_t next; /* of the layers whose weights are to be packed */
    atomic_bool failed;
};

/* ---- trainer.c: what layers prepare themselves with ---- */

/* Memory from step `first` to step `last`; memory that is elsewhere. INC_NONE: there is not enough. */
uint32_t inc_slot_new(inc_trainer *t, size_t bytes, uint32_t first, uint32_t last, inception_error *error);
uint32_t inc_slot_fixed(inc_trainer *t, void *at, inception_error *error);

/* All weights at once, in the form for backward steps, would be there when memory is scarcest. */
#define INC_PACKED_LAYERS 16

/* The step that begins with bringing the layer's weights into that form. */
static inline uint32_t inc_packing_step(const inc_trainer *t, const inc_layer *l)
{
    const uint32_t first = (uint32_t)t->layer_count + 2;
    return l->backward_step - (l->backward_step - first) % INC_PACKED_LAYERS;
}

static inline size_t inc_round_up(size_t bytes)
{
    return (bytes + INC_ALIGNMENT - 1) & ~(size_t)(INC_ALIGNMENT - 1);
}

inc_view inc_view_value(const inc_trainer *t, uint32_t value);
inc_view inc_view_gradient(const inc_trainer *t, uint32_t value);
inc_layout inc_view_layout(const inc_trainer *t, const inc_view *view, int64_t photos);
int64_t inc_view_count(const inc_trainer *t, const inc_view *view); /* elements of a photo, the last block whole */

/* Steps touch the inputs and outputs of layers, and their gradients, by themselves. What a backward step reads of the
 * values has to be said here. */
void inc_touch_value(inc_trainer *t, uint32_t value, uint32_t step);

/* ---- train_run.c: primitives ---- */

/* Takes the layout (NULL, or a slot INC_NONE: out of memory), which goes with the call. */
inception_status inc_bind(inc_call *call, inc_bound bound, inception_error *error);
inception_status inc_bind_view(inc_trainer *t, inc_call *call, int name, const inc_view *view, int64_t photos,
                               inception_error *error);

/* The gradient of the layer's first input, of a photo. oneDNN cannot add to it: where it has to be added, the primitive
 * leaves it in a temporary slot, one for each thread. inc_call_gradient() runs the thread's photos. */
inception_status inc_bind_gradient(inc_trainer *t, const inc_layer *l, inc_call *call, inception_error *error);
void inc_call_gradient(inc_trainer *t, const inc_layer *l, const inc_call *call, int thread);

/* Makes the primitive and binds its scratchpad; when memory is planned, its arguments. */
inception_status inc_call_make(inc_trainer *t, inc_call *call, const_dnnl_primitive_desc_t description, int items,
                               const char *name, inception_error *error);
inception_status inc_bind_scratchpad(inc_trainer *t, inc_call *call, inc_layout layout, inception_error *error);
inception_status inc_call_ready(inc_trainer *t, inc_call *call, inception_error *error);
void inc_call_free(inc_call *call); /* accepts a zeroed one */

/* The thread's items; or one, whose thread it is unless it has no scratchpad. */
void inc_call_run(inc_trainer *t, const inc_call *call, int thread);
void inc_call_item(inc_trainer *t, const inc_call *call, int64_t item, int thread);

/* ---- train_fewer.c ---- */

/* What our kernels are given is bound as the arguments of a primitive are; of memory without a form only the size counts. */
inc_layout inc_floats_layout(size_t bytes);

/* Has a kernel of ours do a convolution, or with `turned` the gradient of its input, if that is faster. Source, destination
 * and bias are bound by the caller; the weights are packed in step `packed` and read in step `used`. */
inception_status inc_call_take_fewer(inc_trainer *t, inc_call *call, const inc_view *src, const inc_view *dst,
                                     const inc_window *window, bool turned, uint32_t packed, uint32_t used,
                                     inception_error *error);

/* The same for the gradient of the weights, an item being so many photos. Each leaves sums that inc_fewer_unpack() takes, of
 * *bytes, which the caller binds. */
inception_status inc_call_take_slopes(inc_trainer *t, inc_call *call, const inc_view *src, const inc_view *dst,
                                      const inc_window *window, int photos, size_t *bytes, inception_error *error);
void inc_call_pack_fewer(const inc_trainer *t, const inc_call *call, const float *weights);
void inc_call_run_fewer(const inc_call *call, const dnnl_exec_arg_t *arguments);

/* ---- train_run.c: memory ---- */

void *inc_slot_at(const inc_trainer *t, uint32_t slot);
void *inc_view_at(const inc_trainer *t, const inc_view *view, int64_t photo, int64_t block);

/* The thread's share of `count` things. */
void inc_share(const inc_trainer *t, int thread, int64_t count, int64_t *first, int64_t *end);

/* ---- train_conv.c ---- */

void inc_pack_forward(inc_trainer *t, const inc_layer *l, int thread);
void inc_pack_backward(inc_trainer *t, const inc_layer *l, int thread);

#endif
