/* conv -> ReLU becomes one node, where nobody else wants the value in between. */
#include "graph.h"

#include <stdlib.h>

inception_status inc_fuse_relus(inc_graph *graph, int granularity, inception_error *error)
{
    (void)granularity;
    bool *dead = inc_calloc(graph->node_count, sizeof *dead, error);
    if (!dead) return INCEPTION_MEMORY;
    for (size_t n = 0; n < graph->node_count; n++) {
        const inc_node *relu = &graph->nodes[n];
        if (relu->op != INC_OP_RELU) continue;
        uint32_t before = inc_graph_producer(graph, relu->inputs[0]);
        if (before == INC_NONE || graph->nodes[before].op != INC_OP_CONV) continue;
        if (graph->nodes[before].conv.relu || inc_graph_uses(graph, relu->inputs[0]) != 1) continue;
        graph->nodes[before].conv.relu = true;
        graph->nodes[before].output = relu->output;
        graph->values[relu->output].parent = graph->values[relu->inputs[0]].parent; /* a residual's place */
        dead[n] = true;
    }
    inc_graph_compact(graph, dead);
    free(dead);
    return INCEPTION_OK;
}
