/* Weights of a network that has learnt nothing: He's uniform distribution for what is multiplied, so that values keep their
 * size from layer to layer (He et al. 2015, arXiv 1502.01852), and batch norm that changes nothing. */
#include "private.h"

#include <math.h>

static inception_status fill(inc_model *model, inc_value *value, uint64_t *state, inception_error *error)
{
    uint64_t count = inc_value_count(value), outputs = (uint64_t)value->dims[value->rank - 1];
    float *data = inc_arena_alloc(&model->graph.arena, count, sizeof *data, error);
    double limit = value->rank > 1 ? sqrt(6.0 * (double)outputs / (double)count) : 0;
    for (uint64_t i = 0; data && i < count && limit > 0; i++) data[i] = (float)(limit * (2 * inc_random_uniform(state) - 1));
    value->data = data;
    return data ? INCEPTION_OK : INCEPTION_MEMORY;
}

inception_status inc_fill_untrained(inc_model *model, inception_error *error)
{
    const inc_graph *graph = &model->graph;
    uint64_t state = 0;
    inception_status status = INCEPTION_OK;
    for (size_t i = 0; i < graph->value_count && !status; i++)
        if (graph->values[i].variable) status = fill(model, &graph->values[i], &state, error);
    for (size_t n = 0; n < graph->node_count && !status; n++) {
        if (graph->nodes[n].op != INC_OP_NORM) continue;
        const inc_value *variance = &graph->values[graph->nodes[n].norm.variance];
        for (uint64_t i = 0; i < inc_value_count(variance); i++) ((float *)variance->data)[i] = 1;
    }
    return status;
}
