/* Another classifier on a network: the last layer's variables, and what the model says of its classes. */
#include "private.h"

#include <string.h>

inception_status inc_name_classes(inc_model *model, const char *const *labels, inception_error *error)
{
    const size_t classes = (size_t)model->shape.classes;
    model->labels = inc_arena_alloc(&model->arena, classes, sizeof *model->labels, error);
    model->wnids = inc_arena_alloc(&model->arena, classes, sizeof *model->wnids, error);
    if (!model->labels || !model->wnids) return INCEPTION_MEMORY;
    for (size_t i = 0; i < classes; i++) {
        model->labels[i] = inc_arena_string(&model->arena, labels[i], strlen(labels[i]), error);
        model->wnids[i] = "";
        if (!model->labels[i]) return INCEPTION_MEMORY;
    }
    return INCEPTION_OK;
}

inception_status inc_classifier_replace(inc_model *model, size_t inputs, int classes, const float *weights,
                                        const float *biases, const char *const *labels, inception_error *error)
{
    inc_graph *graph = &model->graph;
    const inc_node *last = &graph->nodes[graph->node_count - 1];
    inc_value *kernel = &graph->values[last->conv.weights], *bias = &graph->values[last->conv.bias];
    uint64_t wanted = inc_value_count(kernel) / (uint64_t)kernel->dims[kernel->rank - 1];
    if (inputs != wanted)
        return inc_fail(error, INCEPTION_MISMATCH, "%s: the classifier reads %llu values, not %zu", kernel->name,
                        (unsigned long long)wanted, inputs);
    model->shape.classes = classes;
    kernel->dims[kernel->rank - 1] = bias->dims[0] = classes;
    kernel->data = weights, bias->data = biases;
    return inc_name_classes(model, labels, error);
}
