/* A concatenation costs nothing when its inputs are computed where the joined value lies: each becomes a part of it and
 * the node goes. A concatenation of which one input cannot move stays whole. */
#include "graph.h"

#include <stdlib.h>

static bool movable(const inc_graph *graph, uint32_t value)
{
    return value != graph->input && graph->values[value].parent == INC_NONE && inc_graph_uses(graph, value) == 1
        && inc_graph_producer(graph, value) != INC_NONE;
}

static bool elidable(const inc_graph *graph, const inc_node *node, int granularity)
{
    if (node->op != INC_OP_CONCAT) return false;
    int64_t channel = 0;
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (channel % granularity != 0 || !movable(graph, node->inputs[i])) return false;
        channel += graph->values[node->inputs[i]].dims[3];
    }
    return true;
}

inception_status inc_elide_concats(inc_graph *graph, int granularity, inception_error *error)
{
    bool *dead = inc_calloc(graph->node_count, sizeof *dead, error);
    if (!dead) return INCEPTION_MEMORY;
    for (size_t n = 0; n < graph->node_count; n++) {
        const inc_node *node = &graph->nodes[n];
        if (!elidable(graph, node, granularity)) continue;
        int64_t channel = 0;
        for (uint32_t i = 0; i < node->input_count; i++) {
            inc_value *part = &graph->values[node->inputs[i]];
            part->parent = node->output;
            part->channel = channel;
            channel += part->dims[3];
        }
        dead[n] = true;
    }
    inc_graph_compact(graph, dead);
    free(dead);
    return INCEPTION_OK;
}
