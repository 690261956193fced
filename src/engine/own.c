/* Steps that kernels of our own compute: which nodes they take, and how their weights are packed. */
#include "private.h"

#include <stdio.h>
#include <stdlib.h>

static void add_argument(inc_part *part, inc_source source, uint32_t index)
{
    part->arguments[part->argument_count++] = (inc_argument){0, source, index, NULL, 0};
}

static void add_constant(inc_part *part, inc_constant constant)
{
    add_argument(part, INC_FROM_CONSTANT, (uint32_t)part->constant_count);
    part->constants[part->constant_count++] = constant;
}

/* ---- convolutions with fewer multiplications ---- */

static bool plan_fewer(const inc_engine *e, const inc_node *node, inc_fewer *plan)
{
    const inc_place *src = &e->places[node->inputs[0]], *dst = &e->places[node->output];
    *plan = (inc_fewer){.lanes = e->block, .in = (int)src->channels, .out = (int)dst->channels,
                        .src_height = (int)src->height, .src_width = (int)src->width, .height = (int)dst->height,
                        .width = (int)dst->width, .top = node->window.top, .left = node->window.left,
                        .relu = node->relu, .half = src->type == dnnl_bf16};
    return e->kernels && node->op == INC_OP_CONV && node->window.stride == 1 && node->conv.residual == INC_NONE
        && src->type == dst->type && inc_fewer_plan(plan, node->window.kernel_h, node->window.kernel_w);
}

static inception_status take_fewer(const inc_graph *graph, const inc_node *node, const inc_fewer *plan, inc_step *step,
                                   inception_error *error)
{
    inc_part *part = step->parts;
    step->fewer = inc_calloc(1, sizeof *plan, error);
    if (!step->fewer) return INCEPTION_MEMORY;
    *step->fewer = *plan;
    snprintf(step->kind, sizeof step->kind, "fewer multiplications");
    uint32_t scale = node->conv.scale;
    add_constant(part, (inc_constant){.fewer = step->fewer, .scale = scale == INC_NONE ? NULL : graph->values[scale].data,
                                      .data = graph->values[node->conv.weights].data,
                                      .bytes = inc_fewer_packed_bytes(plan)});
    add_argument(part, INC_FROM_VALUE, node->inputs[0]);
    add_argument(part, INC_FROM_VALUE, node->output);
    if (node->conv.bias == INC_NONE) return INCEPTION_OK;
    const inc_value *bias = &graph->values[node->conv.bias];
    add_constant(part, (inc_constant){.data = bias->data, .rows = 1, .total = bias->dims[0], .count = bias->dims[0],
                                      .bytes = (size_t)bias->dims[0] * sizeof(float)});
    return INCEPTION_OK;
}

/* ---- steps on bytes ---- */

_Static_assert(INC_QUANTIZED_TAPS <= INC_INT8_TAPS_MOST && INC_QUANTIZED_BLOCK == INC_INT8_LANES, "graph/quantize.c");

/* False: the node has nothing to do with bytes. */
static bool plan_int8(const inc_engine *e, const inc_graph *graph, const inc_node *node, inc_int8 *plan)
{
    const inc_place *src = &e->places[node->inputs[0]], *dst = &e->places[node->output];
    if (src->type != dnnl_u8 && dst->type != dnnl_u8) return false;
    const inc_window *w = &node->window;
    *plan = (inc_int8){.in = (int)(src->channels + 3) / 4 * 4, .out = (int)dst->channels, .src_height = (int)src->height,
                       .src_width = (int)src->width, .height = (int)dst->height, .width = (int)dst->width,
                       .kernel_h = w->kernel_h, .kernel_w = w->kernel_w, .stride = w->stride, .top = w->top,
                       .left = w->left, .across = 1, .relu = node->relu, .wide = dst->type != dnnl_u8};
    inc_place_steps(e, node->inputs[0], &plan->src_pixel, &plan->src_block);
    inc_place_steps(e, node->output, &plan->dst_pixel, &plan->dst_block);
    switch (node->op) {
    case INC_OP_CONV:
        plan->kind = INC_INT8_CONV;
        plan->add = node->conv.residual != INC_NONE;
        if (src->pitch != plan->in || w->left || w->right) break; /* else a row of taps is in one piece */
        plan->across = plan->kernel_w;
        plan->in *= plan->kernel_w;
        plan->kernel_w = 1;
        break;
    case INC_OP_MAX_POOL: plan->kind = INC_INT8_MAX_POOL; break;
    case INC_OP_AVG_POOL: plan->kind = INC_INT8_AVG_POOL; break;
    case INC_OP_QUANTIZE:
        plan->kind = node->inputs[0] == graph->input ? INC_INT8_PHOTO : INC_INT8_QUANTIZE;
        plan->in = (int)src->channels;
        break;
    default: plan->kind = INC_INT8_DEQUANTIZE; break;
    }
    return true;
}

static inception_status take_int8(const inc_node *node, const inc_int8 *plan, inc_step *step, inception_error *error)
{
    step->int8 = inc_calloc(1, sizeof *plan, error);
    if (!step->int8) return INCEPTION_MEMORY;
    *step->int8 = *plan;
    bool turns = node->op == INC_OP_QUANTIZE || node->op == INC_OP_DEQUANTIZE;
    snprintf(step->kind, sizeof step->kind, "%s", !turns ? "int8" : plan->wide ? "dequantize" : "quantize");
    add_constant(step->parts, (inc_constant){.int8 = step->int8, .node = node, .bytes = inc_int8_packed_bytes(plan)});
    add_argument(step->parts, INC_FROM_VALUE, node->inputs[0]);
    add_argument(step->parts, INC_FROM_VALUE, node->output);
    return INCEPTION_OK;
}

static inc_quant quant_of(const inc_value *value)
{
    return value->quantized ? inc_quant_of_range(value->low, value->high) : (inc_quant){1, 0};
}

void inc_pack_int8(const inc_graph *graph, const inc_constant *constant, void *packed, inception_error *error)
{
    const inc_node *node = constant->node;
    inc_quant src = quant_of(&graph->values[node->inputs[0]]), dst = quant_of(&graph->values[node->output]);
    if (node->op != INC_OP_CONV) {
        inc_int8_pack(constant->int8, src, dst, packed);
        return;
    }
    int64_t out = graph->values[node->output].dims[3], in = graph->values[node->inputs[0]].dims[3];
    inc_quant *each = inc_calloc((size_t)out, sizeof *each, error);
    if (!each) return;
    for (int64_t o = 0; o < out; o++) each[o] = dst;
    for (uint32_t v = 0; v < graph->value_count; v++) { /* siblings, each with a range of its own */
        const inc_value *part = &graph->values[v];
        for (int64_t o = 0; part->parent == node->output && part->quantized && o < part->dims[3]; o++)
            each[part->channel + o] = quant_of(part);
    }
    const float *scale = node->conv.scale == INC_NONE ? NULL : graph->values[node->conv.scale].data;
    const float *bias = node->conv.bias == INC_NONE ? NULL : graph->values[node->conv.bias].data;
    inc_int8_pack_conv(constant->int8, graph->values[node->conv.weights].data, (int)in, scale, bias, src, each, packed);
    free(each);
}

/* ---- either ---- */

inception_status inc_take_kernel(inc_engine *e, const inc_graph *graph, const inc_node *node, inc_step *step, bool *taken,
                                 inception_error *error)
{
    inc_fewer fewer;
    inc_int8 int8;
    if ((*taken = plan_int8(e, graph, node, &int8))) return take_int8(node, &int8, step, error);
    if ((*taken = plan_fewer(e, node, &fewer))) return take_fewer(graph, node, &fewer, step, error);
    return INCEPTION_OK;
}
