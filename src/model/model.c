/* A file's weights bound to the graph of the network it holds. */
#include "private.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Caffe's order -> TensorFlow's: [out][in][h][w] -> [h][w][in][out]. Fully connected is the same with h = w = 1. */
static void transpose(const float *from, const inc_value *value, float *to)
{
    bool full = value->rank == 2;
    int64_t taps = full ? 1 : value->dims[0] * value->dims[1], in = value->dims[full ? 0 : 2];
    int64_t out = value->dims[full ? 1 : 3];
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t t = 0; t < taps; t++) to[(t * in + i) * out + o] = from[(o * in + i) * taps + t];
}

/* Tensor of any numeric type -> float32, row by row so that no second copy of it is made. */
static void convert(const inception_tensor *tensor, float *to)
{
    double piece[256];
    for (uint64_t at = 0; at < tensor->count; at += INC_COUNT(piece)) {
        uint64_t count = tensor->count - at < INC_COUNT(piece) ? tensor->count - at : INC_COUNT(piece);
        inc_tensor_read(tensor, at, count, piece);
        for (uint64_t i = 0; i < count; i++) to[at + i] = (float)piece[i];
    }
}

/* Points the variable at the tensor, or at a copy where the bytes cannot be used as they lie. */
static inception_status bind(inc_model *model, inc_value *value, const inception_tensor *tensor, inception_error *error)
{
    bool turn = model->weights->format == INCEPTION_FORMAT_CAFFE && value->rank > 1;
    bool usable = tensor->type == INCEPTION_F32 && (uintptr_t)tensor->data % sizeof(float) == 0;
    if (usable && !turn) {
        value->data = tensor->data;
        return INCEPTION_OK;
    }
    float *copy = inc_arena_alloc(&model->graph.arena, tensor->count, sizeof *copy, error);
    float *straight = copy && turn ? inc_calloc(tensor->count, sizeof *copy, error) : copy;
    if (!straight) return INCEPTION_MEMORY;
    convert(tensor, straight);
    if (turn) {
        transpose(straight, value, copy);
        free(straight);
    }
    value->data = copy;
    return INCEPTION_OK;
}

/* A ReLU turns what is not a number into 0, so the answer would not show it. */
static inception_status check_finite(const inc_value *value, const char *path, inception_error *error)
{
    uint64_t bad = inc_count_not_finite(value->data, inc_value_count(value));
    if (!bad) return INCEPTION_OK;
    return inc_fail(error, INCEPTION_DATA, "%s: %llu values are not finite: %s", path, (unsigned long long)bad,
                    value->name);
}

static inception_status check_variances(const inc_model *model, const char *path, inception_error *error)
{
    for (size_t n = 0; n < model->graph.node_count; n++) {
        if (model->graph.nodes[n].op != INC_OP_NORM) continue;
        const inc_value *variance = &model->graph.values[model->graph.nodes[n].norm.variance];
        uint64_t count = variance->data ? inc_value_count(variance) : 0;
        for (uint64_t i = 0; i < count; i++)
            if (variance->data[i] < 0)
                return inc_fail(error, INCEPTION_DATA, "%s: a negative variance: %s", path, variance->name);
    }
    return INCEPTION_OK;
}

static inception_status bind_all(inc_model *model, const char *path, bool averages, inception_error *error)
{
    inception_status status = INCEPTION_OK;
    for (size_t i = 0; i < model->graph.value_count && !status; i++) {
        inc_value *value = &model->graph.values[i];
        if (!value->variable) continue;
        const inception_tensor *tensor = inc_variable_tensor(model->weights, value->name, averages);
        if (tensor && tensor->type != INCEPTION_OTHER && inc_same_shape(model->weights, tensor, value))
            status = bind(model, value, tensor, error);
        if (!status && value->data) status = check_finite(value, path, error);
    }
    return status ? status : check_variances(model, path, error);
}

/* TF-Slim can be told to train batch norm with a scale; then the file has a gamma for each beta. */
static inception_status find_gammas(inc_model *model, const char *path, bool averages, inception_error *error)
{
    const char *without = NULL;
    for (size_t n = 0; n < model->graph.node_count; n++) {
        if (model->graph.nodes[n].op != INC_OP_NORM) continue;
        const inc_value *beta = &model->graph.values[model->graph.nodes[n].norm.beta];
        char name[512];
        snprintf(name, sizeof name, "%.*sgamma", (int)(strlen(beta->name) - strlen("beta")), beta->name);
        const inception_tensor *tensor = inc_variable_tensor(model->weights, name, averages);
        if (!tensor && inc_variable_tensor(model->weights, beta->name, averages)) without = beta->name;
        if (!tensor) continue;
        if (tensor->type == INCEPTION_OTHER || !inc_same_shape(model->weights, tensor, beta))
            return inc_fail(error, INCEPTION_MISMATCH, "%s: %s has not the shape or type of its beta", path, tensor->name);
        uint32_t gamma = inc_graph_variable(&model->graph, name, 1, beta->dims, error);
        if (gamma == INC_NONE) return INCEPTION_MEMORY;
        model->graph.nodes[n].norm.gamma = gamma;
        model->scaled = true;
    }
    if (!model->scaled || !without) return INCEPTION_OK;
    return inc_fail(error, INCEPTION_MISMATCH, "%s: has a gamma for some layers, and none beside %s", path, without);
}

/* The graph; with heads if only they have the layer that is asked for, and without if the input is too small for them. */
static inception_status build_graph(inc_model *model, const char *layer, inception_error *error)
{
    inception_error own = {0};
    inception_status status = inc_build(&model->shape, &model->graph, &own);
    if (status && status != INCEPTION_MEMORY && model->shape.heads) {
        inc_graph_free(&model->graph);
        own = (inception_error){0};
        model->shape.heads = false;
        status = inc_build(&model->shape, &model->graph, &own);
    }
    if (status) return inc_pass(error, &own);
    inc_shape whole = model->shape;
    if (!layer || whole.heads) return INCEPTION_OK;
    if (inc_layer_find(&model->graph, whole.network, layer) != INC_NONE) return INCEPTION_OK;
    inc_graph graph = {0};
    whole.heads = true;
    if (inc_build(&whole, &graph, NULL) || inc_layer_find(&graph, whole.network, layer) == INC_NONE) {
        inc_graph_free(&graph);
        return INCEPTION_OK;
    }
    inc_graph_free(&model->graph);
    model->graph = graph;
    return INCEPTION_OK;
}

/* How probabilities come from logits. */
static inception_status find_activation(inc_model *model, const char *path, inception_error *error)
{
    const char *name = inc_weights_metadata(model->weights, "activation");
    const char *text = inc_weights_metadata(model->weights, "temperature");
    model->activation = name && strcmp(name, "sigmoid") == 0 ? INCEPTION_SIGMOID : INCEPTION_SOFTMAX;
    if (name && !model->activation && strcmp(name, "softmax") != 0)
        return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: an activation of '%.40s' is neither softmax nor sigmoid", path,
                        name);
    model->temperature = 1;
    if (!text || (inc_read_number(text, &model->temperature) && (float)model->temperature > 0
                  && model->temperature <= (double)FLT_MAX)) /* so ONNX, which has it in float32, says the same */
        return INCEPTION_OK;
    return inc_fail(error, INCEPTION_DATA, "%s: a temperature of '%.40s' is no number above 0", path, text);
}

float *inc_tensor_floats(inc_model *model, const inception_tensor *tensor, inception_error *error)
{
    float *floats = inc_arena_alloc(&model->arena, tensor->count, sizeof *floats, error);
    if (floats) convert(tensor, floats);
    return floats;
}

static inception_status open_file(inc_model *model, const char *path, const inception_model_options *options,
                                  inception_error *error)
{
    inception_error own = {0};
    model->weights = inc_weights_open(path, &own);
    if (!model->weights) return inc_pass(error, &own);
    model->format = model->weights->format;
    model->ranges = inc_weights_metadata(model->weights, inc_ranges_key());
    inception_status status = find_activation(model, path, error);
    if (!status) status = inc_recognise(model, path, options, error);
    const char *cut = inc_weights_metadata(model->weights, INC_FINAL_LAYER);
    if (options->final_layer && (!cut || strcmp(cut, options->final_layer) != 0)) return status; /* of other features */
    return status ? status : inc_known_read(model, path, error);
}

void inc_shape_set(inc_shape *shape, const inception_model_options *options)
{
    if (options->depth_multiplier > 0) shape->depth_multiplier = options->depth_multiplier;
    if (options->min_depth > 0) shape->min_depth = options->min_depth;
    if (options->width > 0) shape->input.width = options->width;
    if (options->height > 0) shape->input.height = options->height;
}

/* As if from a file without tensors. */
static inception_status open_untrained(inc_model *model, const inception_model_options *options, inception_error *error)
{
    const inception_network *network = inception_network_find(options->network);
    if (!network) return inc_fail(error, INCEPTION_NOT_FOUND, "no network is called '%s'", options->network);
    bool heads = model->shape.heads;
    model->format = INCEPTION_FORMAT_MODEL_FILE;
    model->temperature = 1;
    model->shape = inc_shape_default(network);
    model->shape.heads = heads;
    inc_shape_set(&model->shape, options);
    model->weights = inc_calloc(1, sizeof *model->weights, error);
    return model->weights ? inc_find_cut(model, options, error) : INCEPTION_MEMORY;
}

/* What needs the graph only. */
static inception_status finish(inc_model *model, const char *path, const inception_model_options *options,
                               inception_error *error)
{
    inception_status status = inc_label_classes(model, path, options->labels, error);
    if (!status) status = inc_measure(&model->graph, &model->size, error);
    if (!status) status = inc_list_layers(model, error);
    if (!status) status = inc_known_check(model, path, error);
    return status ? status : inc_keep_layer(model, path, options, error);
}

inception_status inc_model_open(inc_model *model, const char *path, const inception_model_options *options, bool heads,
                                inception_error *error)
{
    *model = (inc_model){.shape = {.heads = heads}, .written = options->written, .unknown_threshold = -INFINITY};
    inception_status status = path ? open_file(model, path, options, error) : open_untrained(model, options, error);
    if (status) goto failed;
    if ((status = build_graph(model, options->layer, error))) goto failed;
    if ((status = inc_check_logits(&model->graph, model, path ? path : model->shape.network->name, error))) goto failed;
    if ((status = find_gammas(model, path, options->moving_averages, error))) goto failed;
    if (path) status = bind_all(model, path, options->moving_averages, error);
    else status = inc_fill_untrained(model, error);
    if (!status) status = finish(model, path, options, error);
    if (!status) return INCEPTION_OK;

failed:
    inc_model_close(model);
    return status;
}

static inception_status begin(inc_model *model, const char *const *labels, uint64_t seed, inception_error *error)
{
    model->weights = inc_calloc(1, sizeof *model->weights, error); /* as if from a file without tensors */
    if (!model->weights) return INCEPTION_MEMORY;
    if (model->shape.depth_multiplier != 1 && !inc_architecture_of(model->shape.network)->scales)
        return inc_fail(error, INCEPTION_UNSUPPORTED, "%s has no depth multiplier; inception_v2 and inception_v3 have",
                        model->shape.network->name);
    inception_status status = build_graph(model, NULL, error);
    if (!status) status = inc_check_logits(&model->graph, model, model->shape.network->name, error);
    if (!status) status = inc_fill_initial(model, seed, error);
    if (!status) status = inc_name_classes(model, labels, error);
    return status;
}

inception_status inc_model_begin(inc_model *model, const inc_shape *shape, const char *const *labels, uint64_t seed,
                                 inception_error *error)
{
    *model = (inc_model){.shape = *shape, .format = INCEPTION_FORMAT_MODEL_FILE, .temperature = 1,
                         .unknown_threshold = -INFINITY};
    inception_status status = begin(model, labels, seed, error);
    if (status) inc_model_close(model);
    return status;
}

inception_status inc_model_open_packed(inc_model *model, const char *path, const inception_model_options *options,
                                       inception_error *error)
{
    model->packed = true;
    model->weights = inc_calloc(1, sizeof *model->weights, error); /* as if from a file without tensors */
    inception_status status = model->weights ? build_graph(model, options->layer, error) : INCEPTION_MEMORY;
    if (!status) status = inc_check_logits(&model->graph, model, path, error);
    if (!status) status = finish(model, path, options, error);
    if (status) inc_model_close(model);
    return status;
}

void inc_model_release_weights(inc_model *model)
{
    inc_graph_free(&model->graph);
    inc_weights_close(model->weights);
    model->weights = NULL;
}

void inc_model_close(inc_model *model)
{
    inc_model_release_weights(model);
    inc_arena_free(&model->arena);
    *model = (inc_model){0};
}
