/* x + s * conv(y), and the ReLU behind it if there is one, become one convolution that adds to what is already in its
 * output's memory: its output takes the place of x. The scale goes into the weights and the bias.
 * Only where that was the last reader of x. */
#include "graph.h"

#include <stdlib.h>

/* Is x wanted by anybody but the addition once the convolution has written over it? */
static bool read_later(const inc_graph *graph, uint32_t x, size_t conv, size_t add)
{
    for (size_t n = conv; n < graph->node_count; n++)
        for (uint32_t i = 0; n != add && i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] == x) return true;
    return graph->values[x].kept;
}

static bool fusable(const inc_graph *graph, size_t n, uint32_t *conv)
{
    const inc_node *add = &graph->nodes[n];
    if (add->op != INC_OP_ADD || add->inputs[0] == graph->input) return false;
    *conv = inc_graph_producer(graph, add->inputs[1]);
    if (*conv == INC_NONE || graph->nodes[*conv].op != INC_OP_CONV) return false;
    if (graph->nodes[*conv].conv.relu || graph->nodes[*conv].conv.residual != INC_NONE) return false;
    return inc_graph_uses(graph, add->inputs[1]) == 1 && !read_later(graph, add->inputs[0], *conv, n);
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

inception_status inc_fuse_residuals(inc_graph *graph, int granularity, inception_error *error)
{
    (void)granularity;
    bool *dead = inc_calloc(graph->node_count, sizeof *dead, error);
    if (!dead) return INCEPTION_MEMORY;
    inception_status status = INCEPTION_OK;
    for (size_t n = 0; n < graph->node_count && !status; n++) {
        uint32_t conv;
        if (!fusable(graph, n, &conv)) continue;
        status = fuse(graph, &graph->nodes[conv], &graph->nodes[n], error);
        dead[n] = true;
    }
    if (!status) inc_graph_compact(graph, dead);
    free(dead);
    return status;
}
