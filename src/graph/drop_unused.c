/* Nodes on which no kept value depends go: where only a layer in the middle is asked for, nothing behind it is run. */
#include "graph.h"

#include <stdlib.h>

inception_status inc_graph_drop_unused(inc_graph *graph, inception_error *error)
{
    bool *wanted = inc_calloc(graph->value_count, sizeof *wanted, error);
    bool *dead = wanted ? inc_calloc(graph->node_count, sizeof *dead, error) : NULL;
    for (size_t v = 0; dead && v < graph->value_count; v++) wanted[v] = graph->values[v].kept;
    for (size_t n = graph->node_count; dead && n-- > 0;) { /* readers come before what they read */
        const inc_node *node = &graph->nodes[n];
        dead[n] = !wanted[node->output];
        for (uint32_t i = 0; !dead[n] && i < node->input_count; i++) wanted[node->inputs[i]] = true;
        if (!dead[n] && node->op == INC_OP_CONV && node->conv.residual != INC_NONE) wanted[node->conv.residual] = true;
    }
    if (dead) inc_graph_compact(graph, dead);
    free(wanted);
    inception_status status = dead ? INCEPTION_OK : INCEPTION_MEMORY;
    free(dead);
    return status;
}
