/* 1x1 convolutions that read the same value become one with the channels of all, and their outputs become parts of its
 * output: the input is read once, and one large product is cheaper than several small ones. Outputs that are joined by
 * a concatenation stay out: they have a place elsewhere. */
#include "graph.h"

#include <string.h>

static bool joined(const inc_graph *graph, uint32_t value)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        const inc_node *node = &graph->nodes[n];
        for (uint32_t i = 0; node->op == INC_OP_CONCAT && i < node->input_count; i++)
            if (node->inputs[i] == value) return true;
    }
    return false;
}

static bool eligible(const inc_graph *graph, const inc_node *node)
{
    return node->op == INC_OP_CONV && node->window.kernel_h == 1 && node->window.kernel_w == 1
        && node->window.stride == 1 && node->conv.residual == INC_NONE
        && graph->values[node->conv.weights].rank == 4 && !graph->values[node->output].kept
        && graph->values[node->output].parent == INC_NONE && !joined(graph, node->output);
}

/* The nodes that go together with node `first`; returns how many, itself included. */
static size_t gather(const inc_graph *graph, size_t first, int granularity, size_t group[INC_MAX_INPUTS])
{
    size_t count = 0;
    int64_t channels = 0;
    for (size_t n = first; n < graph->node_count && count < INC_MAX_INPUTS; n++) {
        const inc_node *node = &graph->nodes[n];
        if (channels % granularity != 0 || !eligible(graph, node)) continue;
        if (node->inputs[0] != graph->nodes[first].inputs[0] || node->relu != graph->nodes[first].relu)
            continue;
        group[count++] = n;
        channels += graph->values[node->output].dims[3];
    }
    return count;
}

/* Copies one convolution's weights, scaled, and bias to channels `at` and on of the joined ones. */
static void place(const inc_graph *graph, const inc_node *conv, int64_t at, int64_t total, float *weights, float *bias)
{
    const inc_value *w = &graph->values[conv->conv.weights];
    const float *scale = conv->conv.scale == INC_NONE ? NULL : graph->values[conv->conv.scale].data;
    int64_t in = w->dims[2], out = w->dims[3];
    for (int64_t i = 0; i < in && w->data; i++)
        for (int64_t o = 0; o < out; o++)
            weights[i * total + at + o] = w->data[i * out + o] * (scale ? scale[o] : 1.0f);
    const float *from = conv->conv.bias == INC_NONE ? NULL : graph->values[conv->conv.bias].data;
    if (from) memcpy(bias + at, from, (size_t)out * sizeof *bias);
}

static inception_status fuse(inc_graph *graph, const size_t *group, size_t count, inception_error *error)
{
    inc_node *first = &graph->nodes[group[0]];
    inc_value shape = graph->values[first->output];
    int64_t in = graph->values[first->conv.weights].dims[2], total = 0;
    for (size_t i = 0; i < count; i++) total += graph->values[graph->nodes[group[i]].output].dims[3];

    bool filled = graph->values[first->conv.weights].data != NULL;
    float *bias, *weights = filled ? inc_arena_alloc(&graph->arena, (size_t)(in * total), sizeof *weights, error) : NULL;
    uint32_t bias_id = weights || !filled ? inc_graph_floats(graph, total, &bias, error) : INC_NONE;
    if (bias_id == INC_NONE) return INCEPTION_MEMORY;
    uint32_t weights_id = inc_graph_variable(graph, "", 4, (int64_t[]){1, 1, in, total}, error);
    uint32_t output = inc_graph_activation(graph, shape.name, shape.dims[1], shape.dims[2], total, error);
    if (weights_id == INC_NONE || output == INC_NONE) return INCEPTION_MEMORY;
    graph->values[weights_id].data = weights;

    int64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const inc_node *conv = &graph->nodes[group[i]];
        place(graph, conv, at, total, weights, bias);
        graph->values[conv->output].parent = output;
        graph->values[conv->output].channel = at;
        at += graph->values[conv->output].dims[3];
    }
    first->conv.weights = weights_id;
    first->conv.bias = bias_id;
    first->conv.scale = INC_NONE;
    first->output = output;
    return INCEPTION_OK;
}

inception_status inc_fuse_siblings(inc_graph *graph, size_t n, int granularity, bool *dead, inception_error *error)
{
    size_t group[INC_MAX_INPUTS];
    if (!eligible(graph, &graph->nodes[n])) return INCEPTION_OK;
    size_t count = gather(graph, n, granularity, group);
    for (size_t i = 1; i < count; i++) dead[group[i]] = true;
    return count > 1 ? fuse(graph, group, count, error) : INCEPTION_OK;
}
