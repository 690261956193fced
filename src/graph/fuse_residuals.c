/* x + s * conv(y), and the ReLU behind it if there is one, become one convolution that adds to what is already in its
 * output's memory: its output takes the place of x. The scale goes into the weights and the bias.
 * Only where that was the last reader of x. */
#include "graph.h"

/* Is x wanted by anybody but the addition once the convolution has written over it? */
static bool read_later(const inc_graph *graph, uint32_t x, size_t conv, size_t add)
{
    for (size_t n = conv; n < graph->node_count; n++)
        for (uint32_t i = 0; n != add && i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] == x) return true;
    return graph->values[x].kept;
}

/* Is x there before the convolution runs? */
static bool computed_before(const inc_graph *graph, uint32_t x, size_t conv)
{
    uint32_t producer = inc_graph_producer(graph, x);
    return producer != INC_NONE && producer < conv;
}

static bool fusable(const inc_graph *graph, size_t n, uint32_t *conv)
{
    const inc_node *add = &graph->nodes[n];
    if (add->op != INC_OP_ADD) return false;
    *conv = inc_graph_producer(graph, add->inputs[1]);
    if (*conv == INC_NONE || graph->nodes[*conv].op != INC_OP_CONV) return false;
    if (graph->nodes[*conv].relu || graph->nodes[*conv].conv.residual != INC_NONE) return false;
    return inc_graph_uses(graph, add->inputs[1]) == 1 && computed_before(graph, add->inputs[0], *conv)
        && !read_later(graph, add->inputs[0], *conv, n);
}

/* A new vector: `factor` times the old one, or times 1 where there was none. */
static uint32_t scaled(inc_graph *graph, uint32_t vector, int64_t channels, float factor, inception_error *error)
{
    float *data;
    const float *old = vector == INC_NONE ? NULL : graph->values[vector].data;
    uint32_t id = inc_graph_floats(graph, channels, &data, error);
    for (int64_t c = 0; id != INC_NONE && c < channels; c++) data[c] = factor * (old ? old[c] : 1.0f);
    return id;
}

static inception_status fuse(inc_graph *graph, inc_node *conv, const inc_node *add, inception_error *error)
{
    int64_t channels = graph->values[add->output].dims[3];
    uint32_t scale = scaled(graph, conv->conv.scale, channels, add->add.scale, error), bias = conv->conv.bias;
    if (scale == INC_NONE) return INCEPTION_MEMORY;
    if (bias != INC_NONE) {
        bias = scaled(graph, bias, channels, add->add.scale, error);
        if (bias == INC_NONE) return INCEPTION_MEMORY;
    }
    conv->conv.scale = scale;
    conv->conv.bias = bias;
    conv->conv.residual = add->inputs[0];
    conv->output = add->output;
    graph->values[add->output].parent = add->inputs[0];
    return INCEPTION_OK;
}

inception_status inc_fuse_residuals(inc_graph *graph, size_t n, int granularity, bool *dead, inception_error *error)
{
    uint32_t conv;
    (void)granularity;
    dead[n] = fusable(graph, n, &conv);
    return dead[n] ? fuse(graph, &graph->nodes[conv], &graph->nodes[n], error) : INCEPTION_OK;
}
