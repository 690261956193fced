/* How large a network is: counted on its graph, so that no weights are needed. */
#include "private.h"

#include <stdlib.h>

static bool has_weights(const inc_node *node)
{
    return node->op == INC_OP_CONV || node->op == INC_OP_DEPTHWISE;
}

inception_status inc_measure(const inc_graph *graph, inception_network_size *size, inception_error *error)
{
    *size = (inception_network_size){0};
    int *depths = inc_calloc(graph->value_count, sizeof *depths, error); /* of the layers before each value */
    if (!depths) return INCEPTION_MEMORY;
    for (size_t i = 0; i < graph->value_count; i++)
        if (graph->values[i].variable) size->parameters += inc_value_count(&graph->values[i]);
    for (size_t n = 0; n < graph->node_count; n++) {
        const inc_node *node = &graph->nodes[n];
        int depth = 0;
        for (uint32_t i = 0; i < node->input_count; i++)
            if (depths[node->inputs[i]] > depth) depth = depths[node->inputs[i]];
        depths[node->output] = depth + has_weights(node);
        if (depths[node->output] > size->depth) size->depth = depths[node->output];
        if (!has_weights(node)) continue;
        size->layers++;
        size->multiply_adds += inc_graph_multiply_adds(graph, node);
    }
    free(depths);
    return INCEPTION_OK;
}
