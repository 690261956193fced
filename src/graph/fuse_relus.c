/* conv -> ReLU and average pool -> ReLU become one node, where nobody else wants the value in between. */
#include "graph.h"

inception_status inc_fuse_relus(inc_graph *graph, size_t n, int granularity, bool *dead, inception_error *error)
{
    (void)granularity, (void)error;
    const inc_node *relu = &graph->nodes[n];
    if (relu->op != INC_OP_RELU) return INCEPTION_OK;
    uint32_t before = inc_graph_producer(graph, relu->inputs[0]);
    if (before == INC_NONE) return INCEPTION_OK;
    if (graph->nodes[before].op != INC_OP_CONV && graph->nodes[before].op != INC_OP_AVG_POOL) return INCEPTION_OK;
    if (graph->nodes[before].relu || inc_graph_uses(graph, relu->inputs[0]) != 1) return INCEPTION_OK;
    graph->nodes[before].relu = true;
    graph->nodes[before].output = relu->output;
    graph->values[relu->output].parent = graph->values[relu->inputs[0]].parent; /* a residual's place */
    dead[n] = true;
    return INCEPTION_OK;
}
