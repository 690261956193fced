/* Dropout does nothing outside training: who reads it reads what it reads. */
#include "graph.h"

inception_status inc_drop_identities(inc_graph *graph, size_t n, int granularity, bool *dead, inception_error *error)
{
    (void)granularity, (void)error;
    const inc_node *node = &graph->nodes[n];
    dead[n] = node->op == INC_OP_DROPOUT && !graph->values[node->output].kept;
    if (dead[n]) inc_graph_replace(graph, node->output, node->inputs[0]);
    return INCEPTION_OK;
}
