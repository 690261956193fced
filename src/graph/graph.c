/* The two arrays: growing them, asking them, editing them. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

void inc_graph_free(inc_graph *graph)
{
    free(graph->values);
    free(graph->nodes);
    inc_arena_free(&graph->arena);
    *graph = (inc_graph){0};
}

static uint32_t add_value(inc_graph *graph, inc_value value, inception_error *error)
{
    if (inc_grow(&graph->values, &graph->value_capacity, graph->value_count + 1, sizeof value, error)) return INC_NONE;
    value.name = inc_arena_string(&graph->arena, value.name, strlen(value.name), error);
    if (!value.name) return INC_NONE;
    value.parent = INC_NONE;
    graph->values[graph->value_count] = value;
    return (uint32_t)graph->value_count++;
}

inception_status inc_graph_copy(const inc_graph *from, inc_graph *to, inception_error *error)
{
    *to = *from;
    to->arena = (inc_arena){0};
    to->value_capacity = from->value_count, to->node_capacity = from->node_count;
    to->values = inc_calloc(from->value_count, sizeof *to->values, error);
    to->nodes = inc_calloc(from->node_count, sizeof *to->nodes, error);
    if (!to->values || !to->nodes) return INCEPTION_MEMORY;
    memcpy(to->values, from->values, from->value_count * sizeof *to->values);
    memcpy(to->nodes, from->nodes, from->node_count * sizeof *to->nodes);
    return INCEPTION_OK;
}

uint32_t inc_graph_variable(inc_graph *graph, const char *name, int rank, const int64_t *dims, inception_error *error)
{
    inc_value value = {.name = name, .rank = rank, .variable = true};
    for (int i = 0; i < rank; i++) value.dims[i] = dims[i];
    return add_value(graph, value, error);
}

uint32_t inc_graph_activation(inc_graph *graph, const char *name, int64_t height, int64_t width, int64_t channels,
                              inception_error *error)
{
    return add_value(graph, (inc_value){.name = name, .rank = 4, .dims = {1, height, width, channels}}, error);
}

uint32_t inc_graph_floats(inc_graph *graph, int64_t count, float **data, inception_error *error)
{
    *data = inc_arena_alloc(&graph->arena, (size_t)count, sizeof **data, error);
    if (!*data) return INC_NONE;
    uint32_t id = inc_graph_variable(graph, "", 1, &count, error);
    if (id != INC_NONE) graph->values[id].data = *data;
    return id;
}

inception_status inc_graph_add(inc_graph *graph, const inc_node *node, inception_error *error)
{
    if (inc_grow(&graph->nodes, &graph->node_capacity, graph->node_count + 1, sizeof *node, error))
        return INCEPTION_MEMORY;
    graph->nodes[graph->node_count] = *node;
    graph->nodes[graph->node_count++].name = graph->values[node->output].name;
    return INCEPTION_OK;
}

uint32_t inc_graph_find(const inc_graph *graph, const char *name)
{
    for (size_t i = graph->value_count; i-- > 0;)
        if (strcmp(graph->values[i].name, name) == 0) return (uint32_t)i;
    return INC_NONE;
}

uint64_t inc_value_count(const inc_value *value)
{
    uint64_t count = 1;
    for (int d = 0; d < value->rank; d++) count *= (uint64_t)value->dims[d];
    return count;
}

static bool has_residual(const inc_node *node, uint32_t value)
{
    return node->op == INC_OP_CONV && node->conv.residual == value;
}

int inc_graph_uses(const inc_graph *graph, uint32_t value)
{
    int uses = graph->values[value].kept;
    for (size_t n = 0; n < graph->node_count; n++) {
        for (uint32_t i = 0; i < graph->nodes[n].input_count; i++) uses += graph->nodes[n].inputs[i] == value;
        uses += has_residual(&graph->nodes[n], value);
    }
    return uses;
}

uint32_t inc_graph_producer(const inc_graph *graph, uint32_t value)
{
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].output == value) return (uint32_t)n;
    return INC_NONE;
}

void inc_graph_replace(inc_graph *graph, uint32_t old, uint32_t with)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        inc_node *node = &graph->nodes[n];
        for (uint32_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] == old) node->inputs[i] = with;
        if (has_residual(node, old)) node->conv.residual = with;
    }
}

void inc_graph_compact(inc_graph *graph, const bool *dead)
{
    size_t kept = 0;
    for (size_t n = 0; n < graph->node_count; n++)
        if (!dead[n]) graph->nodes[kept++] = graph->nodes[n];
    graph->node_count = kept;
}

uint32_t inc_graph_root(const inc_graph *graph, uint32_t value, int64_t *channel)
{
    *channel = 0;
    while (graph->values[value].parent != INC_NONE) {
        *channel += graph->values[value].channel;
        value = graph->values[value].parent;
    }
    return value;
}

uint64_t inc_graph_multiply_adds(const inc_graph *graph, const inc_node *node)
{
    if (node->op != INC_OP_CONV && node->op != INC_OP_DEPTHWISE) return 0;
    const int64_t *out = graph->values[node->output].dims;
    uint64_t each = (uint64_t)node->window.kernel_h * (uint64_t)node->window.kernel_w;
    if (node->op == INC_OP_CONV) each *= (uint64_t)graph->values[node->inputs[0]].dims[3];
    return each * (uint64_t)(out[1] * out[2] * out[3]);
}
