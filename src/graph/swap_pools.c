/* An average pool and the 1x1 convolution behind it change places where the convolution has fewer outputs than inputs: both
 * are linear, the mean of what lies inside the image adds up to one and so leaves a bias as it is, and the pool has less
 * to do. What follows the convolution then follows the pool. */
#include "graph.h"

#include <stdio.h>
#include <string.h>

static bool swappable(const inc_graph *graph, const inc_node *conv, uint32_t *before)
{
    if (conv->op != INC_OP_CONV || conv->window.kernel_h != 1 || conv->window.kernel_w != 1 || conv->window.stride != 1)
        return false;
    if (conv->relu || conv->conv.residual != INC_NONE || inc_graph_uses(graph, conv->inputs[0]) != 1) return false;
    *before = inc_graph_producer(graph, conv->inputs[0]);
    if (*before == INC_NONE || graph->nodes[*before].op != INC_OP_AVG_POOL) return false;
    const inc_node *pool = &graph->nodes[*before];
    const int64_t *in = graph->values[pool->inputs[0]].dims, *out = graph->values[conv->output].dims;
    bool single = pool->window.kernel_h == 1 && pool->window.kernel_w == 1; /* a classifier's, on a map of one pixel */
    return in[1] == out[1] && in[2] == out[2] && out[3] < in[3] && !single;
}

inception_status inc_swap_pools(inc_graph *graph, size_t n, int granularity, bool *dead, inception_error *error)
{
    uint32_t before;
    char text[128];
    (void)granularity, (void)dead;
    if (!swappable(graph, &graph->nodes[n], &before)) return INCEPTION_OK;
    inc_node conv = graph->nodes[n], pool = graph->nodes[before];
    inc_value *between = &graph->values[pool.output]; /* it is another one now, and has another name */
    snprintf(text, sizeof text, "%s/before_pool", conv.name);
    between->name = inc_arena_string(&graph->arena, text, strlen(text), error);
    if (!between->name) return INCEPTION_MEMORY;
    between->dims[3] = graph->values[conv.output].dims[3];
    conv.inputs[0] = pool.inputs[0];
    conv.output = pool.inputs[0] = pool.output;
    pool.output = graph->nodes[n].output;
    graph->nodes[before] = conv;
    graph->nodes[n] = pool;
    return INCEPTION_OK;
}
