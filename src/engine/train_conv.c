/* Convolution: y = W * x + b.
 *
 *     forward    photo by photo
 *     backward   dx = W' * dy, photo by photo; dW and db are sums over photos and pixels. The batch is cut into shares, each
 *                of which one thread sums up; then all threads add the shares, in their order.
 *
 * oneDNN wants the weights in one form for the forward and in another for the backward run, and leaves their gradient in a
 * third. What an optimiser and a checkpoint see is TensorFlow's.
 *
 * TF-Slim's separable convolution (a depthwise one and then a pointwise one) is computed as the one convolution that it
 * is, W[t][i][o] = sum over m of D[t][i][m] * P[i*M + m][o] (merge_separable.c says why), with the gradients
 * dD[t][i][m] = sum over o of P[i*M + m][o] * dW[t][i][o] and dP[i*M + m][o] = sum over t of D[t][i][m] * dW[t][i][o]. */
#include "training.h"

#include <string.h>

enum { FORWARD, DATA, WEIGHTS, PACK_FORWARD, PACK_DATA, UNPACK };
enum { PACKED, PACKED_DATA, SHARES, BIAS_SHARES, TEMPORARY };

#define MOST_SHARES 8 /* a share costs memory for all the weights, and adding it; threads cannot be more */

/* ---- preparing ---- */

/* What describes the convolution. Layouts of weights are in oneDNN's order of dimensions: out, in, height, width. */
typedef struct conv {
    inc_trainer *t;
    inc_layer *l;
    const inc_window *window;
    int64_t dims[4], out;
    float *weights, *gradient; /* [height][width][in][out], the gradient NULL where nothing wants it */
    dnnl_primitive_desc_t forward;
    inception_error *error;
} conv;

static size_t round_up(size_t bytes)
{
    return (bytes + INC_ALIGNMENT - 1) & ~(size_t)(INC_ALIGNMENT - 1);
}

static inc_layout weights_layout(const conv *c, dnnl_format_tag_t tag)
{
    return inc_layout_new(c->dims, 4, dnnl_f32, tag);
}

static inc_layout bias_layout(const conv *c)
{
    return inc_layout_new(&c->out, 1, dnnl_f32, dnnl_a);
}

/* A call that brings weights from one form into another, at once. */
static inception_status prepare_reorder(const conv *c, inc_call *call, uint32_t from, inc_layout from_layout, uint32_t to,
                                        inc_layout to_layout)
{
    dnnl_primitive_desc_t description = NULL;
    bool described = from_layout && to_layout
                  && inc_describe_reorder(c->t->engine, from_layout, to_layout, &description);
    inception_status status = inc_bind(call, (inc_bound){.name = DNNL_ARG_FROM, .layout = from_layout, .slot = from}, c->error);
    if (!status) status = inc_bind(call, (inc_bound){.name = DNNL_ARG_TO, .layout = to_layout, .slot = to}, c->error);
    if (!status && !described) status = inc_fail_onednn(c->error, c->l->node->name, "form of the weights");
    if (!status) status = inc_call_make(c->t, call, description, 1, c->l->node->name, c->error);
    if (description) dnnl_primitive_desc_destroy(description);
    return status;
}

/* A slot for the weights as the described primitive wants them, filled in step `packed`, read in step `used`; *slot. */
static inception_status prepare_packed(const conv *c, const_dnnl_primitive_desc_t description, inc_call *pack,
                                       inc_call *user, uint32_t *slot, uint32_t packed, uint32_t used)
{
    inc_layout wanted = inc_wanted(description, dnnl_query_weights_md, 0), same = inc_wanted(description, dnnl_query_weights_md, 0);
    uint32_t plain = inc_slot_fixed(c->t, c->weights, c->error);
    *slot = wanted ? inc_slot_new(c->t, inc_layout_size(wanted), c->error) : INC_NONE;
    if (plain == INC_NONE || *slot == INC_NONE) {
        inc_layout_free(&wanted);
        inc_layout_free(&same);
        return inc_fail_memory(c->error, 0);
    }
    inc_slot_touch(c->t, *slot, packed);
    inc_slot_touch(c->t, *slot, used);
    inception_status status = inc_bind(user, (inc_bound){.name = DNNL_ARG_WEIGHTS, .layout = same, .slot = *slot}, c->error);
    if (!status) return prepare_reorder(c, pack, plain, weights_layout(c, dnnl_hwio), *slot, wanted);
    inc_layout_free(&wanted);
    return status;
}

static inception_status prepare_forward(conv *c)
{
    inc_trainer *t = c->t;
    inc_layer *l = c->l;
    inc_call *call = &l->calls[FORWARD];
    bool biased = l->node->conv.bias != INC_NONE;
    inc_view src = inc_view_value(t, l->in), dst = inc_view_value(t, l->out);
    inc_layout any = weights_layout(c, dnnl_format_tag_any), from = inc_view_layout(t, l->in, 1), to = inc_view_layout(t, l->out, 1);
    inc_layout bias = biased ? bias_layout(c) : NULL;
    bool good = any && from && to && (bias || !biased)
             && inc_describe_conv(t->engine, from, any, bias, to, c->window, false, false, &c->forward);
    inc_layout_free(&any);
    inception_status status = inc_bind_view(call, DNNL_ARG_SRC, from, &src, 1, c->error);
    if (!status) status = inc_bind_view(call, DNNL_ARG_DST, to, &dst, 1, c->error);
    if (!status && biased) {
        uint32_t slot = inc_slot_fixed(t, t->variables[l->node->conv.bias], c->error);
        status = slot == INC_NONE ? INCEPTION_MEMORY
               : inc_bind(call, (inc_bound){.name = DNNL_ARG_BIAS, .layout = bias, .slot = slot}, c->error);
    }
    if (status) return status;
    if (!good) return inc_fail_onednn(c->error, l->node->name, "operation");
    status = prepare_packed(c, c->forward, &l->calls[PACK_FORWARD], call, &l->slots[PACKED], 0, l->forward_step);
    return status ? status : inc_call_make(t, call, c->forward, t->how.batch, l->node->name, c->error);
}

static inception_status prepare_data(conv *c)
{
    inc_trainer *t = c->t;
    inc_layer *l = c->l;
    inc_call *call = &l->calls[DATA];
    inc_view dx = inc_view_gradient(t, l->in), dy = inc_view_gradient(t, l->out);
    size_t photo = (size_t)(dx.blocks * dx.pixels * t->block) * sizeof(float);
    dnnl_primitive_desc_t description = NULL;
    inc_layout any = weights_layout(c, dnnl_format_tag_any), to = inc_view_layout(t, l->in, 1), from = inc_view_layout(t, l->out, 1);
    bool good = any && to && from && inc_describe_conv_data(t->engine, to, any, from, c->window, c->forward, &description);
    inc_layout_free(&any);
    inception_status status = inc_bind_view(call, DNNL_ARG_DIFF_DST, from, &dy, 1, c->error);
    if (l->adds[0] && !status) {
        l->slots[TEMPORARY] = inc_slot_new(t, photo * (size_t)t->how.threads, c->error);
        status = l->slots[TEMPORARY] == INC_NONE ? INCEPTION_MEMORY
               : inc_bind(call, (inc_bound){DNNL_ARG_DIFF_SRC, to, l->slots[TEMPORARY], 0, photo, true}, c->error);
        if (!status) inc_slot_touch(t, l->slots[TEMPORARY], l->backward_step);
    } else if (!status) {
        status = inc_bind_view(call, DNNL_ARG_DIFF_SRC, to, &dx, 1, c->error);
    }
    if (!status && !good) status = inc_fail_onednn(c->error, l->node->name, "operation backward");
    if (!status)
        status = prepare_packed(c, description, &l->calls[PACK_DATA], call, &l->slots[PACKED_DATA],
                                (uint32_t)t->layer_count + 1, l->backward_step);
    if (!status) status = inc_call_make(t, call, description, t->how.batch, l->node->name, c->error);
    if (description) dnnl_primitive_desc_destroy(description);
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

/* A slot with room for what every share leaves in the backward step. */
static inception_status prepare_shares(const conv *c, int name, inc_layout layout, uint32_t *slot)
{
    inc_layer *l = c->l;
    size_t bytes = layout ? round_up(inc_layout_size(layout)) : 0;
    *slot = layout ? inc_slot_new(c->t, bytes * (size_t)l->shares, c->error) : INC_NONE;
    if (*slot == INC_NONE) return inc_fail_memory(c->error, 0);
    inc_slot_touch(c->t, *slot, l->backward_step);
    return inc_bind(&l->calls[WEIGHTS], (inc_bound){.name = name, .layout = layout, .slot = *slot, .stride = bytes}, c->error);
}

static inception_status prepare_weights(conv *c)
{
    inc_trainer *t = c->t;
    inc_layer *l = c->l;
    inc_call *call = &l->calls[WEIGHTS];
    l->shares = count_shares(c);
    int photos = t->how.batch / l->shares;
    bool biased = l->node->conv.bias != INC_NONE && t->gradients[l->node->conv.bias];
    inc_view src = inc_view_value(t, l->in), dst = inc_view_gradient(t, l->out);
    dnnl_primitive_desc_t description = NULL;
    inc_layout any = weights_layout(c, dnnl_format_tag_any), bias = biased ? bias_layout(c) : NULL;
    inc_layout x = inc_view_layout(t, l->in, photos), dy = inc_view_layout(t, l->out, photos);
    bool good = any && x && dy && (bias || !biased)
             && inc_describe_conv_weights(t->engine, x, any, bias, dy, c->window, c->forward, &description);
    inc_layout_free(&any);
    inception_status status = inc_bind_view(call, DNNL_ARG_SRC, x, &src, photos, c->error);
    if (!status) status = inc_bind_view(call, DNNL_ARG_DIFF_DST, dy, &dst, photos, c->error);
    if (!status && biased) status = prepare_shares(c, DNNL_ARG_DIFF_BIAS, bias, &l->slots[BIAS_SHARES]);
    if (!status && !good) status = inc_fail_onednn(c->error, l->node->name, "operation backward");
    if (!status)
        status = prepare_shares(c, DNNL_ARG_DIFF_WEIGHTS, inc_wanted(description, dnnl_query_diff_weights_md, 0),
                                &l->slots[SHARES]);
    if (!status) status = inc_call_make(t, call, description, l->shares, l->node->name, c->error);
    if (!status && c->gradient) {
        uint32_t plain = inc_slot_fixed(t, c->gradient, c->error);
        inc_layout form = inc_wanted(description, dnnl_query_diff_weights_md, 0);
        status = plain == INC_NONE ? INCEPTION_MEMORY
               : prepare_reorder(c, &l->calls[UNPACK], l->slots[SHARES], form, plain, weights_layout(c, dnnl_hwio));
    }
    inc_touch_value(t, l->in, l->backward_step);
    if (description) dnnl_primitive_desc_destroy(description);
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
    c->out = t->graph->values[l->out].dims[3];
    c->window = &outer->window;
    bool full = w->rank == 2;
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
    inception_status status = describe(&c);
    bool biases = l->node->conv.bias != INC_NONE && t->gradients[l->node->conv.bias];
    if (!status) status = prepare_forward(&c);
    if (!status && l->back[0]) status = prepare_data(&c);
    if (!status && (c.gradient || biases)) status = prepare_weights(&c);
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

void inc_pack_forward(inc_trainer *t, const inc_layer *l, int thread)
{
    if (l->deep) multiply_out(t, l);
    inc_call_item(t, &l->calls[PACK_FORWARD], 0, thread);
}

void inc_pack_backward(inc_trainer *t, const inc_layer *l, int thread)
{
    if (l->calls[PACK_DATA].primitive) inc_call_item(t, &l->calls[PACK_DATA], 0, thread);
}

static void forward(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_call_run(t, &l->calls[FORWARD], thread);
}

/* Adds all shares to the first one; each thread a range. */
static void add_shares(const inc_trainer *t, const inc_layer *l, uint32_t slot, int name, int thread)
{
    const inc_call *call = &l->calls[WEIGHTS];
    const int64_t line = INC_ALIGNMENT / sizeof(float);
    for (int b = 0; b < call->bound_count; b++) {
        if (call->bound[b].name != name) continue;
        int64_t count = (int64_t)(call->bound[b].stride / sizeof(float)), first, end;
        float *sum = inc_slot_at(t, slot);
        inc_share(t, thread, count / line, &first, &end);
        for (int share = 1; share < l->shares; share++)
            t->passes->add(sum + first * line, sum + share * count + first * line, 1, (end - first) * line, sum + first * line);
    }
}

static void backward_weights(inc_trainer *t, const inc_layer *l, int thread)
{
    uint32_t bias = l->node->conv.bias;
    bool biased = bias != INC_NONE && t->gradients[bias], unpacked = l->calls[UNPACK].primitive;
    inc_call_run(t, &l->calls[WEIGHTS], thread);
    inc_pool_meet(t->how.pool);
    if (unpacked) add_shares(t, l, l->slots[SHARES], DNNL_ARG_DIFF_WEIGHTS, thread);
    if (biased) add_shares(t, l, l->slots[BIAS_SHARES], DNNL_ARG_DIFF_BIAS, thread);
    inc_pool_meet(t->how.pool);
    if (thread != 0) return;
    if (unpacked) inc_call_item(t, &l->calls[UNPACK], 0, thread);
    if (biased) memcpy(t->gradients[bias], inc_slot_at(t, l->slots[BIAS_SHARES]), (size_t)inc_value_count(&t->graph->values[bias]) * sizeof(float));
    if (l->deep) multiply_back(t, l);
}

static void backward(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_view dx = inc_view_gradient(t, l->in);
    if (l->back[0] && l->adds[0]) inc_call_add(t, &l->calls[DATA], l->slots[TEMPORARY], &dx, thread);
    else if (l->back[0]) inc_call_run(t, &l->calls[DATA], thread);
    if (l->calls[WEIGHTS].primitive) backward_weights(t, l, thread);
}

const inc_operation inc_train_conv = {prepare, forward, backward};
