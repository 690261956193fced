/* Convolutions with fewer multiplications (kernels/kernels.h) in training: forward, and for the gradient of the input, which
 * is the convolution of dy with the taps in reverse and the channels of input and output exchanged; and for the gradient of
 * the weights, whose shares of the batch are sums at the points until all are added.
 *
 * Their results are less exact than direct sums, by a few bits. Batch norm by the statistics of the batch makes ten times as
 * much of any difference of rounding, so there, and in bfloat16, that is lost in what two builds of TensorFlow differ by;
 * with moving statistics, or without batch norm, it would be several times that, and direct convolutions stay. */
#include "training.h"

#include <stdlib.h>

inc_layout inc_floats_layout(size_t bytes)
{
    return inc_layout_new((int64_t[]){(int64_t)(bytes / sizeof(float))}, 1, dnnl_f32, dnnl_a);
}

static bool plan(const inc_trainer *t, const inc_view *src, const inc_view *dst, const inc_window *window, bool turned,
                 inc_fewer *fewer)
{
    const int64_t *from = t->graph->values[src->value].dims, *to = t->graph->values[dst->value].dims;
    *fewer = (inc_fewer){.lanes = t->block, .in = (int)src->channels, .out = (int)dst->channels, .src_height = (int)from[1],
                         .src_width = (int)from[2], .height = (int)to[1], .width = (int)to[2],
                         .top = turned ? window->kernel_h - 1 - window->top : window->top,
                         .left = turned ? window->kernel_w - 1 - window->left : window->left,
                         .half = src->type == dnnl_bf16, .turned = turned};
    return t->fewer && src->value != t->graph->input && window->stride == 1 && src->type == dst->type
        && inc_fewer_plan(fewer, window->kernel_h, window->kernel_w);
}

inception_status inc_call_take_fewer(inc_trainer *t, inc_call *call, const inc_view *src, const inc_view *dst,
                                     const inc_window *window, bool turned, uint32_t packed, uint32_t used,
                                     inception_error *error)
{
    inc_fewer fewer;
    if (!plan(t, src, dst, window, turned, &fewer)) return INCEPTION_OK;
    call->fewer = inc_calloc(1, sizeof fewer, error);
    if (!call->fewer) return INCEPTION_MEMORY;
    *call->fewer = fewer;
    call->items = t->how.batch;
    size_t bytes = inc_fewer_packed_bytes(&fewer);
    inception_status status = inc_bind(call, (inc_bound){.name = DNNL_ARG_WEIGHTS, .layout = inc_floats_layout(bytes),
                                                         .slot = inc_slot_new(t, bytes, packed, used, error)}, error);
    return status ? status : inc_bind_scratchpad(t, call, inc_floats_layout(inc_fewer_scratch_bytes(&fewer, 1)), error);
}

inception_status inc_call_take_slopes(inc_trainer *t, inc_call *call, const inc_view *src, const inc_view *dst,
                                      const inc_window *window, int photos, size_t *bytes, inception_error *error)
{
    inc_fewer fewer;
    if (!plan(t, src, dst, window, false, &fewer)) return INCEPTION_OK;
    call->fewer = inc_calloc(1, sizeof fewer, error);
    if (!call->fewer) return INCEPTION_MEMORY;
    *call->fewer = fewer;
    call->photos = photos;
    call->items = t->how.batch / photos;
    *bytes = inc_fewer_sums_bytes(&fewer);
    return inc_bind_scratchpad(t, call, inc_floats_layout(inc_fewer_slopes_scratch_bytes(&fewer)), error);
}

void inc_call_pack_fewer(const inc_trainer *t, const inc_call *call, const float *weights)
{
    for (int b = 0; b < call->bound_count; b++)
        if (call->bound[b].name == DNNL_ARG_WEIGHTS)
            inc_fewer_pack(call->fewer, weights, NULL, inc_slot_at(t, call->bound[b].slot));
}

static void sum_slopes(const inc_call *call, const dnnl_exec_arg_t *arguments)
{
    inc_fewer_slopes data = {.photos = call->photos};
    for (int a = 0; a < call->bound_count; a++) {
        void *at = NULL;
        size_t step = call->bound[a].stride / (size_t)call->photos;
        dnnl_memory_get_data_handle(arguments[a].memory, &at);
        switch (arguments[a].arg) {
        case DNNL_ARG_SRC: data.src = at, data.src_step = step; break;
        case DNNL_ARG_DIFF_DST: data.diff_dst = at, data.diff_step = step; break;
        case DNNL_ARG_DIFF_WEIGHTS: data.sums = at; break;
        case DNNL_ARG_SCRATCHPAD: data.scratch = at; break;
        }
    }
    inc_fewer_sum(call->fewer, &data);
}

void inc_call_run_fewer(const inc_call *call, const dnnl_exec_arg_t *arguments)
{
    if (call->photos) {
        sum_slopes(call, arguments);
        return;
    }
    inc_fewer_data data = {0};
    for (int a = 0; a < call->bound_count; a++) {
        void *at = NULL;
        dnnl_memory_get_data_handle(arguments[a].memory, &at);
        switch (arguments[a].arg) {
        case DNNL_ARG_SRC: case DNNL_ARG_DIFF_DST: data.src = at; break;
        case DNNL_ARG_DST: case DNNL_ARG_DIFF_SRC: data.dst = at; break;
        case DNNL_ARG_WEIGHTS: data.packed = at; break;
        case DNNL_ARG_BIAS: data.bias = at; break;
        case DNNL_ARG_SCRATCHPAD: data.scratch = at; break;
        }
    }
    for (int phase = 0; phase < inc_fewer_phases(call->fewer, 1); phase++) inc_fewer_run(call->fewer, phase, &data, 0, 1);
}
