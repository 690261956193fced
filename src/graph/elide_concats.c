/* A concatenation costs nothing when its inputs are computed where the joined value lies: each becomes a part of it and
 * the node goes. A concatenation of which one input cannot move stays whole. */
#include "graph.h"

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

inception_status inc_elide_concats(inc_graph *graph, size_t n, int granularity, bool *dead, inception_error *error)
{
    (void)error;
    const inc_node *node = &graph->nodes[n];
    dead[n] = elidable(graph, node, granularity);
    int64_t channel = 0;
    for (uint32_t i = 0; dead[n] && i < node->input_count; i++) {
        inc_value *part = &graph->values[node->inputs[i]];
        part->parent = node->output;
        part->channel = channel;
        channel += part->dims[3];
    }
    return INCEPTION_OK;
}
