/* Which network a file holds, told from the names and shapes of its variables. */
#include "private.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *inc_shape_text(char *text, int rank, const int64_t *dims)
{
    size_t used = 0;
    text[0] = 0;
    if (rank == 0) return strcpy(text, "scalar");
    for (int i = 0; i < rank && used < 90; i++)
        used += (size_t)snprintf(text + used, 96 - used, "%s%lld", i ? "x" : "", (long long)dims[i]);
    return text;
}

const inception_tensor *inc_variable_tensor(const inception_weights *weights, const char *name, bool averages)
{
    char shadow[512];
    snprintf(shadow, sizeof shadow, "%s/ExponentialMovingAverage", name);
    const inception_tensor *tensor = averages ? inc_weights_find(weights, shadow) : NULL;
    return tensor ? tensor : inc_weights_find(weights, name);
}

bool inc_same_shape(const inception_weights *weights, const inception_tensor *tensor, const inc_value *variable)
{
    const int64_t *t = tensor->dims, *v = variable->dims;
    if (weights->format != INCEPTION_FORMAT_CAFFE || variable->rank == 1)
        return tensor->rank == variable->rank && memcmp(t, v, (size_t)tensor->rank * sizeof *t) == 0;
    if (variable->rank == 2) return tensor->rank == 2 && t[0] == v[1] && t[1] == v[0];
    if (tensor->rank == 2) return t[0] == v[3] && t[1] == v[0] * v[1] * v[2]; /* fully connected over a map */
    return tensor->rank == 4 && t[0] == v[3] && t[1] == v[2] && t[2] == v[0] && t[3] == v[1];
}

/* How well the file fits a network: variables with the right names and, if they are known, shapes. */
typedef struct fit {
    size_t wanted, fitting;
    int mentioned;
    const char *last;     /* layer up to which nothing is missing, the graph's; or NULL */
    char complaints[256]; /* the first variables that disagree */
} fit;

static void complain(fit *f, const char *name, const char *what)
{
    size_t used = strlen(f->complaints);
    if (f->mentioned++ < 3)
        snprintf(f->complaints + used, sizeof f->complaints - used, "%s%s %s", used ? ", " : "", name, what);
}

/* Of the graph's first values, so many. */
static fit fit_of(const inception_weights *weights, const inc_graph *graph, size_t values, bool averages, bool shapes)
{
    fit f = {0};
    bool gap = false;
    for (size_t i = 0; i < values; i++) {
        const inc_value *value = &graph->values[i];
        char text[160], has[96], wants[96];
        if (value->endpoint && !gap) f.last = value->name;
        if (!value->variable) continue;
        f.wanted++;
        const inception_tensor *tensor = inc_variable_tensor(weights, value->name, averages);
        if (!tensor) {
            complain(&f, value->name, "is missing");
        } else if (shapes && !inc_same_shape(weights, tensor, value)) {
            snprintf(text, sizeof text, "is %.60s and not %.60s", inc_shape_text(has, tensor->rank, tensor->dims),
                     inc_shape_text(wants, value->rank, value->dims));
            complain(&f, value->name, text);
        } else if (tensor->type == INCEPTION_OTHER) {
            complain(&f, value->name, "is not numeric");
        } else {
            f.fitting++;
        }
        gap = f.fitting < f.wanted;
    }
    return f;
}

/* How many of the graph's values, from the first, are made with variables that the file must have. */
static size_t needed(const inc_graph *graph, const inception_network *network, const inception_model_options *options)
{
    const char *last = options->final_layer ? INCEPTION_FEATURES : NULL; /* the file's classifier belongs elsewhere */
    if (options->layer && options->layer_only) last = options->layer;
    uint32_t id = last ? inc_layer_find(graph, network, last) : INC_NONE;
    return id == INC_NONE ? graph->value_count : id;
}

/* The network most of whose variables the file has by name; NULL: it has none of any. */
static inception_status nearest(const inception_weights *weights, bool averages, const inception_network **best,
                                inception_error *error)
{
    size_t count;
    const inception_network *networks = inception_networks(&count);
    double best_share = 0;
    *best = NULL;
    for (size_t i = 0; i < count; i++) {
        inc_graph graph = {0};
        inc_shape shape = inc_shape_default(&networks[i]);
        inception_status status = inc_build(&shape, &graph, error);
        fit f = status ? (fit){0} : fit_of(weights, &graph, graph.value_count, averages, false);
        inc_graph_free(&graph);
        if (status) return status;
        double share = (double)f.fitting / (double)f.wanted;
        if (share > best_share) *best = &networks[i], best_share = share;
    }
    return INCEPTION_OK;
}

/* The variable of the classifier's biases: their number is the number of classes. */
static const char *classifier_biases(const inc_graph *graph)
{
    const inc_node *last = &graph->nodes[graph->node_count - 1];
    return graph->values[last->conv.bias].name;
}

/* A layer of D channels has d = floor(D * m) at depth multiplier m, so every layer that is not at min_depth narrows m
 * to [d/D, (d+1)/D). Of what is left, the number with the fewest decimals is the one a person chose. */
static double find_multiplier(const inception_weights *weights, const inc_graph *graph, const inc_shape *shape,
                              bool averages)
{
    const int classes = shape->network->classes, min_depth = shape->min_depth;
    double low = 0, high = INFINITY;
    for (size_t i = 0; i < graph->value_count; i++) {
        const inc_value *value = &graph->values[i];
        const inception_tensor *tensor = value->variable ? inc_variable_tensor(weights, value->name, averages) : NULL;
        if (!tensor || value->rank != 4 || tensor->rank != 4 || value->dims[3] == classes) continue;
        if (strstr(value->name, "depthwise") || tensor->dims[3] <= min_depth) continue;
        double d = (double)tensor->dims[3], full = (double)value->dims[3];
        if (d / full > low) low = d / full;
        if ((d + 1) / full < high) high = (d + 1) / full;
    }
    if (low == 0 || low >= high) return 1.0;
    for (double step = 1; step < 1e9; step *= 10) {
        double candidate = ceil(low * step - 1e-9) / step;
        if (candidate < high) return candidate;
    }
    return low;
}

/* A whole number the model file states (-1: it is none), or `otherwise`. */
static int stated(const inception_weights *weights, const char *key, int otherwise)
{
    const char *text = inc_weights_metadata(weights, key);
    char *end;
    if (!text) return otherwise;
    long number = strtol(text, &end, 10);
    return *end || number < INT_MIN || number > INT_MAX ? -1 : (int)number;
}

/* How the options or the model file want photos prepared, where it differs from the published network. */
static inception_status find_input(inc_model *model, const char *path, const inception_model_options *options,
                                   inception_error *error)
{
    inception_input *input = &model->shape.input;
    const char *way = inc_weights_metadata(model->weights, "preprocessing");
    input->width = stated(model->weights, "input_width", input->width);
    input->height = stated(model->weights, "input_height", input->height);
    const int stated_width = input->width, stated_height = input->height;
    if (options->width) input->width = options->width;
    if (options->height) input->height = options->height;
    if (input->width != stated_width || input->height != stated_height) model->ranges = NULL; /* of other values */
    if (input->width < 1 || input->width > 4096 || input->height < 1 || input->height > 4096)
        return inc_fail(error, INCEPTION_DATA, "%s: an input of %d x %d pixels is not 1 to 4096", path, input->width,
                        input->height);
    if (way && strcmp(way, "slim") == 0) input->preprocessing = INCEPTION_PREPROCESS_SLIM;
    else if (way && strcmp(way, "caffe") == 0) input->preprocessing = INCEPTION_PREPROCESS_CAFFE;
    else if (way) return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: preprocessing '%.40s' is not known", path, way);
    return INCEPTION_OK;
}

/* The classes and the multiplier, from the shapes and what the caller and the file say of them. */
static inception_status find_sizes(inc_model *model, const char *path, const inception_model_options *options,
                                   inception_error *error)
{
    inc_shape *shape = &model->shape;
    const char *depth = inc_weights_metadata(model->weights, "depth_multiplier");
    inc_graph graph = {0};
    inception_error why = {0};
    inception_status status = inc_build(shape, &graph, &why);
    bool own = status == INCEPTION_NOT_FOUND && !options->final_layer;
    if (status == INCEPTION_INVALID || own) status = INCEPTION_DATA; /* too small an input, a cut nowhere */
    if (status) inc_fail(error, status, "%s: %s", path, why.message);
    const inception_tensor *biases =
        status ? NULL : inc_variable_tensor(model->weights, classifier_biases(&graph), options->moving_averages);
    if (biases && biases->rank == 1) {
        if (biases->dims[0] < 1 || biases->dims[0] > 1000000)
            status = inc_fail(error, INCEPTION_LIMIT, "%s: %s has %lld classes, which is not 1 to 1000000", path,
                              biases->name, (long long)biases->dims[0]);
        else shape->classes = (int)biases->dims[0];
    }
    shape->min_depth = options->min_depth ? options->min_depth : stated(model->weights, "min_depth", 16);
    if (options->depth_multiplier > 0) shape->depth_multiplier = options->depth_multiplier;
    else if (depth && !inc_read_number(depth, &shape->depth_multiplier)) shape->depth_multiplier = 0;
    else if (!depth && !status && inc_architecture_of(shape->network)->scales)
        shape->depth_multiplier = find_multiplier(model->weights, &graph, shape, options->moving_averages);
    inc_graph_free(&graph);
    if (!status && !(shape->depth_multiplier > 0 && shape->depth_multiplier <= 16))
        status = inc_fail(error, INCEPTION_DATA, "%s: a depth multiplier of %g is not above 0 and at most 16", path,
                          shape->depth_multiplier);
    if (!status && (shape->min_depth < 1 || shape->min_depth > 4096))
        status = inc_fail(error, INCEPTION_DATA, "%s: a min_depth of %d is not 1 to 4096", path, shape->min_depth);
    return status;
}

static inception_status refuse(const char *path, const inception_network *network, const fit *f, bool asked,
                               const inception_network *really, inception_error *error)
{
    char other[160] = "", part[96] = "";
    if (asked && really && really != network)
        snprintf(other, sizeof other, "the file holds %s, not %s: ", really->name, network->name);
    else if (!asked) snprintf(other, sizeof other, "nearest to %s, ", network->name);
    if (f->last) snprintf(part, sizeof part, "complete up to layer %s, ", f->last);
    return inc_fail(error, INCEPTION_MISMATCH, "%s: %s%s%s%zu of %zu variables do not fit %s: %s%s", path, other, part,
                    f->last || !asked ? "but " : "", f->wanted - f->fitting, f->wanted, asked ? network->name : "it",
                    f->complaints, f->mentioned > 3 ? ", ..." : "");
}

/* TF-Slim's heads pool windows of fixed size, and over a larger input they would give a map of answers. */
inception_status inc_check_logits(const inc_graph *graph, const inc_model *model, const char *path,
                                  inception_error *error)
{
    const inc_value *logits = &graph->values[inc_graph_find(graph, "Logits")];
    if (logits->dims[1] == 1 && logits->dims[2] == 1) return INCEPTION_OK;
    return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: an input of %d x %d pixels gives a map of %d x %d answers, not one",
                    path, model->shape.input.width, model->shape.input.height, (int)logits->dims[2],
                    (int)logits->dims[1]);
}

inception_status inc_find_cut(inc_model *model, const inception_model_options *options, inception_error *error)
{
    inc_shape *shape = &model->shape;
    const char *own = inc_weights_metadata(model->weights, INC_FINAL_LAYER), *asked = options->final_layer;
    if (asked && inc_is_features(shape->network, asked)) asked = own;
    const char *final = asked ? asked : own;
    if (!final) return INCEPTION_OK;
    if (!own || strcmp(final, own) != 0) model->ranges = NULL; /* the means of another layer have others */
    shape->final_layer = inc_arena_string(&model->arena, final, strlen(final), error);
    return shape->final_layer ? INCEPTION_OK : INCEPTION_MEMORY;
}

inception_status inc_recognise(inc_model *model, const char *path, const inception_model_options *options,
                               inception_error *error)
{
    const inception_network *really, *asked = inception_network_find(options->network);
    if (options->network && !asked)
        return inc_fail(error, INCEPTION_NOT_FOUND, "no network is called '%s'", options->network);
    inception_status status = nearest(model->weights, options->moving_averages, &really, error);
    if (status) return status;
    if (!really && !asked) {
        char names[160] = "it has none";
        for (size_t i = 0; i < model->weights->count && i < 3; i++)
            snprintf(names + (i ? strlen(names) : 0), sizeof names - (i ? strlen(names) : 0), "%s%.48s", i ? ", " : "",
                     model->weights->tensors[i].name);
        return inc_fail(error, INCEPTION_MISMATCH, "%s: none of its variables is one of a known network; the first ones: %s",
                        path, names);
    }
    bool heads = model->shape.heads;
    model->shape = inc_shape_default(asked ? asked : really);
    status = find_input(model, path, options, error);
    if (!status) status = inc_find_cut(model, options, error);
    if (!status) status = find_sizes(model, path, options, error);
    inc_graph graph = {0};
    if (!status) status = inc_build(&model->shape, &graph, error);
    if (!status) {
        size_t values = needed(&graph, model->shape.network, options);
        fit f = fit_of(model->weights, &graph, values, options->moving_averages, true);
        if (f.fitting != f.wanted) status = refuse(path, model->shape.network, &f, asked != NULL, really, error);
    }
    if (!status) status = inc_check_logits(&graph, model, path, error);
    inc_graph_free(&graph);
    model->shape.heads = heads;
    return status;
}
