/* Inception V2 begins with a depthwise and a pointwise convolution and nothing between them, so their product is one
 * convolution: W[y][x][i][o] = sum over m of D[y][x][i][m] * P[i*M + m][o]. It multiplies more, but 3 input channels are
 * too few for a fast depthwise kernel. */
#include "graph.h"

static inception_status merge(inc_graph *graph, const inc_node *depthwise, inc_node *pointwise, inception_error *error)
{
    const inc_value *d = &graph->values[depthwise->conv.weights], *p = &graph->values[pointwise->conv.weights];
    int64_t taps = d->dims[0] * d->dims[1], in = d->dims[2], multiplier = d->dims[3], out = p->dims[3];
    const float *from_d = d->data, *from_p = p->data;
    int64_t dims[4] = {d->dims[0], d->dims[1], in, out};
    float *weights = from_d ? inc_arena_alloc(&graph->arena, (size_t)(taps * in * out), sizeof *weights, error) : NULL;
    uint32_t id = weights || !from_d ? inc_graph_variable(graph, d->name, 4, dims, error) : INC_NONE;
    if (id == INC_NONE) return INCEPTION_MEMORY;
    for (int64_t ti = 0; ti < taps * in && from_d; ti++)
        for (int64_t o = 0; o < out; o++) {
            double sum = 0;
            for (int64_t m = 0; m < multiplier; m++)
                sum += (double)from_d[ti * multiplier + m] * from_p[(ti % in * multiplier + m) * out + o];
            weights[ti * out + o] = (float)sum;
        }
    graph->values[id].data = weights;
    pointwise->conv.weights = id;
    pointwise->window = depthwise->window;
    pointwise->inputs[0] = depthwise->inputs[0];
    return INCEPTION_OK;
}

static bool is_pointwise(const inc_node *node)
{
    return node->op == INC_OP_CONV && node->window.kernel_h == 1 && node->window.kernel_w == 1
        && node->window.stride == 1;
}

inception_status inc_merge_separable(inc_graph *graph, size_t n, int granularity, bool *dead, inception_error *error)
{
    (void)granularity;
    if (!is_pointwise(&graph->nodes[n])) return INCEPTION_OK;
    uint32_t middle = graph->nodes[n].inputs[0], before = inc_graph_producer(graph, middle);
    if (before == INC_NONE || graph->nodes[before].op != INC_OP_DEPTHWISE) return INCEPTION_OK;
    if (inc_graph_uses(graph, middle) != 1) return INCEPTION_OK;
    dead[before] = true;
    return merge(graph, &graph->nodes[before], &graph->nodes[n], error);
}
