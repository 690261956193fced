/* The layers that may be asked for, by the names TF-Slim gives its endpoints, and a graph that computes one of them. */
#include "private.h"

#include <string.h>

#define CLASSIFIER "Logits"
#define PREDICTIONS "Predictions" /* probabilities of the classifier's values, taken outside the graph */

static inception_layer layer_of(const inc_value *value, const char *name)
{
    return (inception_layer){name, (int)value->dims[1], (int)value->dims[2], (int)value->dims[3]};
}

bool inc_is_features(const inception_network *network, const char *name)
{
    return strcmp(name, INCEPTION_FEATURES) == 0 || strcmp(name, network->features) == 0;
}

static const char *full_name(const inception_network *network, const char *name)
{
    return inc_is_features(network, name) ? network->features : name;
}

uint32_t inc_layer_find(const inc_graph *graph, const inception_network *network, const char *name)
{
    name = strcmp(name, PREDICTIONS) == 0 ? CLASSIFIER : full_name(network, name);
    uint32_t id = inc_graph_find(graph, name);
    return id != INC_NONE && graph->values[id].endpoint ? id : INC_NONE;
}

inception_status inc_list_layers(inc_model *model, inception_error *error)
{
    const inc_graph *graph = &model->graph;
    model->layers = inc_arena_alloc(&model->arena, graph->value_count + 1, sizeof *model->layers, error);
    if (!model->layers) return INCEPTION_MEMORY;
    for (size_t v = 0; v < graph->value_count; v++) {
        const inc_value *value = &graph->values[v];
        if (!value->endpoint) continue;
        const char *name = inc_arena_string(&model->arena, value->name, strlen(value->name), error);
        if (!name) return INCEPTION_MEMORY;
        model->layers[model->layer_count++] = layer_of(value, name);
    }
    inception_layer last = model->layers[model->layer_count - 1];
    last.name = PREDICTIONS;
    model->layers[model->layer_count++] = last;
    return INCEPTION_OK;
}

/* An auxiliary classifier can be asked for only where the file has one. */
static inception_status check_variables(const inc_model *model, const char *path, const char *layer,
                                        inception_error *error)
{
    for (uint32_t v = 0; v < model->layer; v++) { /* what comes behind it in the table it does not need */
        const inc_value *value = &model->graph.values[v];
        if (value->variable && !value->data)
            return inc_fail(error, INCEPTION_NOT_FOUND, "%s: has no layer '%s': %s is missing or does not fit", path,
                            layer, value->name);
    }
    return INCEPTION_OK;
}

inception_status inc_keep_layer(inc_model *model, const char *path, const inception_model_options *options,
                                inception_error *error)
{
    if (!options->layer) return INCEPTION_OK;
    const inception_network *network = model->shape.network;
    model->layer = inc_layer_find(&model->graph, network, options->layer);
    if (model->layer == INC_NONE)
        return inc_fail(error, INCEPTION_NOT_FOUND, "%s: %s has no layer '%s'", path, network->name, options->layer);
    inception_status status = model->packed ? INCEPTION_OK : check_variables(model, path, options->layer, error);
    if (status) return status;
    uint32_t classifier = inc_graph_find(&model->graph, CLASSIFIER);
    for (uint32_t v = 0; v < model->graph.value_count; v++)
        model->graph.values[v].kept = v == model->layer || (v == classifier && !options->layer_only);
    model->predictions = strcmp(options->layer, PREDICTIONS) == 0;
    for (size_t i = 0; i < model->layer_count; i++)
        if (strcmp(model->layers[i].name, full_name(network, options->layer)) == 0) model->kept = &model->layers[i];
    return inc_graph_drop_unused(&model->graph, error);
}
