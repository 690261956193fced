/* Convolution: y = W * x + b.
 *
 *     forward    photo by photo
 *     backward   dx = W' * dy, photo by photo; dW and db are sums over photos and pixels. The batch is cut into shares, each
 *                of which one thread sums up; then all threads add the shares, in their order.
 *
 * Where our kernels are faster (train_fewer.c), each of the three is theirs, and the rest of this is about the others.
 * oneDNN wants the weights in one form for the forward and in another for the backward run, and leaves their gradient in a
 * third. What an optimiser and a checkpoint see is TensorFlow's. Strided, over a single column and in bfloat16, its gradient
 * of the weights takes for the border what the scratchpad held (2.6.3): there the scratchpad is cleared before.
 *
 * TF-Slim's separable convolution (a depthwise one and then a pointwise one) is computed as the one convolution that it
 * is, W[t][i][o] = sum over m of D[t][i][m] * P[i*M + m][o] (merge_separable.c says why), with the gradients
 * dD[t][i][m] = sum over o of P[i*M + m][o] * dW[t][i][o] and dP[i*M + m][o] = sum over t of D[t][i][m] * dW[t][i][o]. */
#include "training.h"

#include <string.h>

enum { FORWARD, DATA, WEIGHTS, PACK_FORWARD, PACK_DATA, UNPACK };
enum { SHARES, BIAS_SHARES };

#define MOST_SHARES 8 /* a share costs memory for all the weights, and adding it; threads cannot be more */

/* ---- preparing ---- */

/* What describes the convolution. Layouts of weights are in oneDNN's order of dimensions: out, in, height, width. */
typedef struct conv {
    inc_trainer *t;
    inc_layer *l;
    const char *name;
    const inc_window *window;
    int64_t dims[4], out;
    float *weights, *gradient; /* [height][width][in][out], the gradient NULL where nothing wants it */
    dnnl_primitive_desc_t forward;
    inception_error *error;
} conv;

static inc_layout weights_layout(const conv *c, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return inc_layout_new(c->dims, 4, type, tag);
}

static inc_layout bias_layout(const conv *c)
{
    return inc_layout_new(&c->out, 1, dnnl_f32, dnnl_a);
}

/* Makes the primitive and lets the description go. */
static inception_status make(const conv *c, inc_call *call, dnnl_primitive_desc_t description, int items)
{
    inception_status status = inc_call_make(c->t, call, description, items, c->name, c->error);
    dnnl_primitive_desc_destroy(description);
    return status;
}

/* A call that brings weights from one form into another, at once. */
static inception_status prepare_reorder(const conv *c, inc_call *call, uint32_t from, inc_layout from_layout, uint32_t to,
                                        inc_layout to_layout)
{
    dnnl_primitive_desc_t description = NULL;
    const inc_bound bound[2] = {{.name = DNNL_ARG_FROM, .layout = from_layout, .slot = from},
                                {.name = DNNL_ARG_TO, .layout = to_layout, .slot = to}};
    inception_status first = inc_bind(call, bound[0], c->error), second = inc_bind(call, bound[1], c->error);
    if (first || second) return INCEPTION_MEMORY;
    if (!inc_describe_reorder(c->t->engine, from_layout, to_layout, &description))
        return inc_fail_onednn(c->error, c->name, "form of the weights");
    return make(c, call, description, 1);
}

/* A slot for the weights as the described primitive wants them, filled by `pack` in step `packed`, read in step `used`. */
static inception_status prepare_packed(const conv *c, const_dnnl_primitive_desc_t description, inc_call *pack,
                                       inc_call *user, uint32_t packed, uint32_t used)
{
    inc_layout wanted = inc_wanted(description, dnnl_query_weights_md, 0);
    size_t bytes = wanted ? inc_layout_size(wanted) : 0;
    uint32_t slot = inc_slot_new(c->t, bytes, packed, used, c->error);
    const inc_bound bound = {.name = DNNL_ARG_WEIGHTS, .layout = wanted, .slot = slot};
    if (inc_bind(user, bound, c->error)) return INCEPTION_MEMORY;
    return prepare_reorder(c, pack, inc_slot_fixed(c->t, c->weights, c->error), weights_layout(c, dnnl_f32, dnnl_hwio), slot,
                           inc_wanted(description, dnnl_query_weights_md, 0));
}

static inception_status prepare_forward(conv *c)
{
    inc_trainer *t = c->t;
    inc_layer *l = c->l;
    inc_call *call = &l->calls[FORWARD];
    uint32_t bias = l->node->conv.bias;
    inc_view src = inc_view_value(t, l->in), dst = inc_view_value(t, l->out);
    inception_status status = inc_bind_view(t, call, DNNL_ARG_SRC, &src, 1, c->error);
    if (!status) status = inc_bind_view(t, call, DNNL_ARG_DST, &dst, 1, c->error);
    if (!status && bias != INC_NONE)
        status = inc_bind(call, (inc_bound){.name = DNNL_ARG_BIAS, .layout = bias_layout(c),
                                            .slot = inc_slot_fixed(t, t->variables[bias], c->error)}, c->error);
    if (status) return status;
    inc_layout any = weights_layout(c, t->type, dnnl_format_tag_any);
    if (!any) return inc_fail_memory(c->error, 0);
    bool good = inc_describe_conv(t->engine, call->bound[0].layout, any, bias == INC_NONE ? NULL : call->bound[2].layout,
                                  call->bound[1].layout, c->window, false, false, &c->forward);
    inc_layout_free(&any);
    if (!good) return inc_fail_onednn(c->error, c->name, "operation");
    status = inc_call_take_fewer(t, call, &src, &dst, c->window, false, 0, l->forward_step, c->error);
    if (status || call->fewer) return status;
    status = prepare_packed(c, c->forward, &l->calls[PACK_FORWARD], call, 0, l->forward_step);
    return status ? status : inc_call_make(t, call, c->forward, t->how.batch, c->name, c->error);
}

static inception_status prepare_data(const conv *c)
{
    inc_trainer *t = c->t;
    inc_layer *l = c->l;
    inc_call *call = &l->calls[DATA];
    inc_view dy = inc_view_gradient(t, l->out), dx = inc_view_gradient(t, l->in);
    const uint32_t packed = inc_packing_step(t, l);
    dnnl_primitive_desc_t description = NULL;
    inception_status status = inc_bind_view(t, call, DNNL_ARG_DIFF_DST, &dy, 1, c->error);
    if (!status) status = inc_bind_gradient(t, l, call, c->error);
    if (!status) status = inc_call_take_fewer(t, call, &dy, &dx, c->window, true, packed, l->backward_step, c->error);
    if (status || call->fewer) return status;
    inc_layout any = weights_layout(c, t->type, dnnl_format_tag_any);
    if (!any) return inc_fail_memory(c->error, 0);
    bool good = inc_describe_conv_data(t->engine, call->bound[1].layout, any, call->bound[0].layout, c->window,
                                       c->forward, &description);
    inc_layout_free(&any);
    if (!good) return inc_fail_onednn(c->error, c->name, "operation backward");
    status = prepare_packed(c, description, &l->calls[PACK_DATA], call, packed, l->backward_step);
    if (!status) return make(c, call, description, t->how.batch);
    dnnl_primitive_desc_destroy(description);
    return status;
}

/* Parts of the batch: as many as there may be, all of the same size. A photo of a joined value does not lie beside the
 * next one, so there each is a share. */
static int count_shares(const conv *c)
{
    const inc_value *in = &c->t->graph->values[c->l->in], *out = &c->t->graph->values[c->l->out];
    int shares = c->t->how.batch;
    if (in->parent != INC_NONE || out->parent != INC_NONE) return shares;
    for (shares = MOST_SHARES; c->t->how.batch % shares != 0;) shares--;
    return shares;
}

/* Room for what every share leaves in the backward step. */
static inception_status bind_shares(const conv *c, int name, inc_layout layout, uint32_t *slot)
{
    inc_layer *l = c->l;
    size_t bytes = layout ? inc_round_up(inc_layout_size(layout)) : 0;
    *slot = inc_slot_new(c->t, bytes * (size_t)l->shares, l->backward_step, l->backward_step, c->error);
    const inc_bound bound = {.name = name, .layout = layout, .slot = *slot, .stride = bytes};
    return inc_bind(&l->calls[WEIGHTS], bound, c->error);
}

static inception_status bind_weights(const conv *c)
{
    inc_trainer *t = c->t;
    int photos = t->how.batch / c->l->shares;
    inc_view x = inc_view_value(t, c->l->in), dy = inc_view_gradient(t, c->l->out);
    inception_status status = inc_bind_view(t, &c->l->calls[WEIGHTS], DNNL_ARG_SRC, &x, photos, c->error);
    return status ? status : inc_bind_view(t, &c->l->calls[WEIGHTS], DNNL_ARG_DIFF_DST, &dy, photos, c->error);
}

/* The gradient of the weights by a kernel of ours, if that is faster; those have no bias. */
static inception_status prepare_slopes(const conv *c)
{
    inc_trainer *t = c->t;
    inc_layer *l = c->l;
    size_t bytes;
    inc_view x = inc_view_value(t, l->in), dy = inc_view_gradient(t, l->out);
    inception_status status = inc_call_take_slopes(t, &l->calls[WEIGHTS], &x, &dy, c->window, t->how.batch / l->shares,
                                                   &bytes, c->error);
    if (status || !l->calls[WEIGHTS].fewer) return status;
    return bind_shares(c, DNNL_ARG_DIFF_WEIGHTS, inc_floats_layout(bytes), &l->slots[SHARES]);
}

/* Describes the gradients of weights and bias. */
static inception_status describe_weights(const conv *c, bool biased, dnnl_primitive_desc_t *description)
{
    inc_trainer *t = c->t;
    inc_layer *l = c->l;
    inc_call *call = &l->calls[WEIGHTS];
    if (biased && bind_shares(c, DNNL_ARG_DIFF_BIAS, bias_layout(c), &l->slots[BIAS_SHARES])) return INCEPTION_MEMORY;
    inc_layout any = weights_layout(c, dnnl_f32, dnnl_format_tag_any);
    if (!any) return inc_fail_memory(c->error, 0);
    bool good = inc_describe_conv_weights(t->engine, call->bound[0].layout, any, biased ? call->bound[2].layout : NULL,
                                          call->bound[1].layout, c->window, c->forward, description);
    inc_layout_free(&any);
    return good ? INCEPTION_OK : inc_fail_onednn(c->error, c->name, "operation backward");
}

static inception_status prepare_weights(const conv *c)
{
    inc_trainer *t = c->t;
    inc_layer *l = c->l;
    uint32_t bias = l->node->conv.bias;
    dnnl_primitive_desc_t description = NULL;
    l->shares = count_shares(c);
    inc_touch_value(t, l->in, l->backward_step);
    inception_status status = bind_weights(c);
    if (!status && bias == INC_NONE && !l->deep) status = prepare_slopes(c);
    if (status || l->calls[WEIGHTS].fewer) return status;
    status = describe_weights(c, bias != INC_NONE && t->gradients[bias], &description);
    if (status) return status;
    l->calls[WEIGHTS].clears = t->type == dnnl_bf16 && c->window->stride > 1 && t->graph->values[l->in].dims[2] == 1;
    const dnnl_query_t what = dnnl_query_diff_weights_md;
    status = bind_shares(c, DNNL_ARG_DIFF_WEIGHTS, inc_wanted(description, what, 0), &l->slots[SHARES]);
    if (!status && c->gradient)
        status = prepare_reorder(c, &l->calls[UNPACK], l->slots[SHARES], inc_wanted(description, what, 0),
                                 inc_slot_fixed(t, c->gradient, c->error), weights_layout(c, dnnl_f32, dnnl_hwio));
    if (!status) return make(c, &l->calls[WEIGHTS], description, l->shares);
    dnnl_primitive_desc_destroy(description);
    return status;
}

/* Fills in what the convolution is, of its own or, multiplied out, of a separable one. */
static inception_status describe(conv *c)
{
    inc_trainer *t = c->t;
    inc_layer *l = c->l;
    const inc_node *node = l->node, *outer = l->deep ? l->deep : node;
    const inc_value *w = &t->graph->values[outer->conv.weights];
    int64_t in = t->graph->values[l->in].dims[3];
    bool full = w->rank == 2;
    c->name = node->name;
    c->out = t->graph->values[l->out].dims[3];
    c->window = &outer->window;
    memcpy(c->dims, (int64_t[]){c->out, in, full ? 1 : w->dims[0], full ? 1 : w->dims[1]}, sizeof c->dims);
    c->weights = t->variables[node->conv.weights];
    c->gradient = t->gradients[node->conv.weights];
    if (!l->deep) return INCEPTION_OK;
    size_t count = (size_t)(c->dims[1] * c->dims[2] * c->dims[3] * c->out);
    l->product = inc_arena_alloc(&t->arena, 2 * count, sizeof(float), c->error);
    if (!l->product) return INCEPTION_MEMORY;
    bool wanted = c->gradient || t->gradients[l->deep->conv.weights];
    c->weights = l->product;
    c->gradient = wanted ? l->product + count : NULL;
    return INCEPTION_OK;
}

static inception_status prepare(inc_trainer *t, inc_layer *l, inception_error *error)
{
    conv c = {.t = t, .l = l, .error = error};
    uint32_t bias = l->node->conv.bias;
    inception_status status = describe(&c);
    if (!status) status = prepare_forward(&c);
    if (!status && l->back[0]) status = prepare_data(&c);
    if (!status && (c.gradient || (bias != INC_NONE && t->gradients[bias]))) status = prepare_weights(&c);
    if (c.forward) dnnl_primitive_desc_destroy(c.forward);
    return status;
}

/* ---- separable convolutions ---- */

/* The variables of one: D [taps][in][multiplier], P [in * multiplier][out], W [taps][in][out]. */
typedef struct separable {
    int64_t taps, in, multiplier, out;
    const float *deep, *point;
    float *product, *product_back;
} separable;

static separable separable_of(const inc_trainer *t, const inc_layer *l)
{
    const int64_t *d = t->graph->values[l->deep->conv.weights].dims;
    separable s = {d[0] * d[1], d[2], d[3], t->graph->values[l->out].dims[3], t->variables[l->deep->conv.weights],
                   t->variables[l->node->conv.weights], l->product, NULL};
    s.product_back = l->product + s.taps * s.in * s.out;
    return s;
}

static void multiply_out(const inc_trainer *t, const inc_layer *l)
{
    separable s = separable_of(t, l);
    for (int64_t ti = 0; ti < s.taps * s.in; ti++)
        for (int64_t o = 0; o < s.out; o++) {
            double sum = 0;
            for (int64_t m = 0; m < s.multiplier; m++)
                sum += (double)s.deep[ti * s.multiplier + m] * s.point[(ti % s.in * s.multiplier + m) * s.out + o];
            s.product[ti * s.out + o] = (float)sum;
        }
}

static void multiply_back(const inc_trainer *t, const inc_layer *l)
{
    separable s = separable_of(t, l);
    float *deep = t->gradients[l->deep->conv.weights], *point = t->gradients[l->node->conv.weights];
    for (int64_t tim = 0; deep && tim < s.taps * s.in * s.multiplier; tim++) {
        const float *back = s.product_back + tim / s.multiplier * s.out;
        double sum = 0;
        for (int64_t o = 0; o < s.out; o++) sum += (double)s.point[tim % (s.in * s.multiplier) * s.out + o] * back[o];
        deep[tim] = (float)sum;
    }
    for (int64_t imo = 0; point && imo < s.in * s.multiplier * s.out; imo++) {
        int64_t im = imo / s.out, o = imo % s.out;
        double sum = 0;
        for (int64_t tap = 0; tap < s.taps; tap++)
            sum += (double)s.deep[tap * s.in * s.multiplier + im]
                 * s.product_back[(tap * s.in + im / s.multiplier) * s.out + o];
        point[imo] = (float)sum;
    }
}

/* ---- running ---- */

/* Brings the weights into the form that the call `user` wants. */
static void pack(inc_trainer *t, const inc_layer *l, int user, int reorder, int thread)
{
    const inc_call *call = &l->calls[user];
    if (call->fewer) inc_call_pack_fewer(t, call, l->deep ? l->product : t->variables[l->node->conv.weights]);
    else if (call->primitive) inc_call_item(t, &l->calls[reorder], 0, thread);
}

void inc_pack_forward(inc_trainer *t, const inc_layer *l, int thread)
{
    if (l->deep) multiply_out(t, l);
    pack(t, l, FORWARD, PACK_FORWARD, thread);
}

void inc_pack_backward(inc_trainer *t, const inc_layer *l, int thread)
{
    pack(t, l, DATA, PACK_DATA, thread);
}

static void forward(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_call_run(t, &l->calls[FORWARD], thread);
}

/* Adds all shares to the first one; each thread a range. */
static void add_shares(const inc_trainer *t, const inc_layer *l, uint32_t slot, int thread)
{
    const inc_call *call = &l->calls[WEIGHTS];
    const int64_t line = INC_ALIGNMENT / sizeof(float);
    for (int b = 0; b < call->bound_count; b++) {
        if (call->bound[b].slot != slot) continue;
        int64_t count = (int64_t)(call->bound[b].stride / sizeof(float)), first, end;
        inc_share(t, thread, count / line, &first, &end);
        float *sum = (float *)inc_slot_at(t, slot) + first * line;
        for (int share = 1; share < l->shares; share++)
            t->passes_f32->add(sum, sum + share * count, 1, (end - first) * line, sum);
    }
}

static void backward_weights(inc_trainer *t, const inc_layer *l, int thread)
{
    float *bias = l->node->conv.bias == INC_NONE ? NULL : t->gradients[l->node->conv.bias];
    const inc_fewer *fewer = l->calls[WEIGHTS].fewer;
    bool unpacked = l->calls[UNPACK].primitive;
    inc_call_run(t, &l->calls[WEIGHTS], thread);
    inc_pool_meet(t->how.pool);
    if (unpacked || fewer) add_shares(t, l, l->slots[SHARES], thread);
    if (bias) add_shares(t, l, l->slots[BIAS_SHARES], thread);
    inc_pool_meet(t->how.pool);
    if (fewer) {
        int64_t first, end;
        inc_share(t, thread, fewer->in, &first, &end);
        inc_fewer_unpack(fewer, inc_slot_at(t, l->slots[SHARES]), (int)first, (int)end,
                         t->gradients[l->node->conv.weights]);
    }
    if (thread != 0) return;
    size_t bias_bytes = (size_t)inc_view_value(t, l->out).channels * sizeof *bias;
    if (bias) memcpy(bias, inc_slot_at(t, l->slots[BIAS_SHARES]), bias_bytes);
    if (unpacked) inc_call_item(t, &l->calls[UNPACK], 0, thread);
    if (l->deep) multiply_back(t, l);
}

static void backward(inc_trainer *t, const inc_layer *l, int thread)
{
    if (l->back[0]) inc_call_gradient(t, l, &l->calls[DATA], thread);
    if (l->calls[WEIGHTS].items) backward_weights(t, l, thread);
}

const inc_operation inc_train_conv = {prepare, forward, backward};
