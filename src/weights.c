/* The public functions about files of weights: looking into them, writing them in another format, ranges for int8. As in
 * inception.c no algorithm lives here. */
#include "checkpoint/checkpoint.h"
#include "engine/engine.h"
#include "model/model.h"
#include "private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

inception_weights *inception_weights_open(const char *path, inception_error *error)
{
    if (path) return inc_weights_open(path, error);
    inc_fail(error, INCEPTION_INVALID, "inception_weights_open: no path given");
    return NULL;
}

void inception_weights_close(inception_weights **weights)
{
    if (weights) inc_weights_close(*weights), *weights = NULL;
}

inception_format inception_weights_format(const inception_weights *weights)
{
    return weights->format;
}

const char *inception_format_name(inception_format format)
{
    static const char *const names[] = {"TensorFlow checkpoint V1", "TensorFlow checkpoint V2", "Caffe model",
                                        "model file (safetensors)", "ONNX model"};
    return (unsigned)format < INC_COUNT(names) ? names[format] : "unknown";
}

const char *inception_type_name(inception_type type)
{
    return inc_type_name(type);
}

size_t inception_weights_count(const inception_weights *weights)
{
    return weights->count;
}

const inception_tensor *inception_weights_tensor(const inception_weights *weights, size_t i)
{
    return i < weights->count ? &weights->tensors[i] : NULL;
}

const inception_tensor *inception_weights_find(const inception_weights *weights, const char *name)
{
    return inc_weights_find(weights, name);
}

const inception_network *inception_weights_network(const inception_weights *weights, inception_error *error)
{
    inception_model_options defaults;
    inception_model_options_default(&defaults);
    if (!weights) return inc_fail(error, INCEPTION_INVALID, "inception_weights_network: no weights given"), NULL;
    inc_model model = {.weights = (inception_weights *)weights}; /* only read */
    inception_status status = inc_recognise(&model, "weights", &defaults, error);
    inc_arena_free(&model.arena);
    return status ? NULL : model.shape.network;
}

bool inception_weights_text(const inception_weights *weights, size_t i, const char **key, const char **value)
{
    if (i >= weights->metadata_count) return false;
    *key = weights->metadata[i].key;
    *value = weights->metadata[i].value;
    return true;
}

bool inception_tensor_read(const inception_tensor *tensor, uint64_t first, uint64_t count, double *out)
{
    return inc_tensor_read(tensor, first, count, out);
}

bool inception_tensor_statistics(const inception_tensor *tensor, inception_statistics *out)
{
    return inc_tensor_statistics(tensor, out);
}

/* ---- writing ---- */

/* Would a file be written over that is read? */
static inception_status check_out(const inc_model *model, const char *out, inception_format format, inception_error *error)
{
    static const char *const endings[] = {"", ".index", ".data-00000-of-00001"};
    bool held = false;
    for (size_t i = 0; i < (format == INCEPTION_FORMAT_TF_V2 ? INC_COUNT(endings) : 1); i++) {
        char path[PATH_MAX + 32]; /* of longer ones there are no files */
        snprintf(path, sizeof path, "%s%s", out, endings[i]);
        held |= inc_weights_hold(model->weights, path);
    }
    if (!held) return INCEPTION_OK;
    return inc_fail(error, INCEPTION_INVALID, "%s: is what is to be converted; name another file", out);
}

inception_status inception_convert(const char *path, const char *out, inception_format format,
                                   const inception_model_options *options, inception_error *error)
{
    inception_model_options whole;
    inception_model_options_default(&whole);
    if (options) whole = *options;
    whole.layer = whole.final_layer = NULL;
    inc_model model;
    if (!path || !out) return inc_fail(error, INCEPTION_INVALID, "inception_convert: no path given");
    inception_status status = inc_model_open(&model, path, &whole, format != INCEPTION_FORMAT_ONNX, error);
    if (!status) status = check_out(&model, out, format, error);
    if (!status) status = inc_model_write(&model, out, format, error);
    inc_model_close(&model);
    return status;
}

/* ---- calibration ---- */

struct inception_calibrator {
    inc_model model; /* as it is, to be written */
    inc_graph graph; /* the same without heads that the file lacks, to be run */
    inc_calibrator *inside;
    inception_layer_loss *losses; /* [nodes] */
    int added, compared;
};

inception_calibrator *inception_calibrator_open(const char *path, const inception_model_options *options,
                                                inception_error *error)
{
    inception_calibrator *c = inc_calloc(1, sizeof *c, error);
    inception_model_options whole;
    if (!c) return NULL;
    inception_model_options_default(&whole);
    if (options) whole = *options;
    whole.layer = whole.final_layer = NULL, whole.layer_only = false;
    whole.precision = INCEPTION_PRECISION_F32;
    inception_status status = path ? inc_check_options(&whole, error)
                                   : inc_fail(error, INCEPTION_INVALID, "inception_calibrator_open: no path given");
    if (!status) status = inc_model_open(&c->model, path, &whole, true, error);
    if (!status) status = inc_graph_copy(&c->model.graph, &c->graph, error);
    if (!status) status = inc_ranges_begin(&c->model.shape.input, &c->graph, error);
    if (!status) c->inside = inc_calibrator_new(&c->graph, inc_threads_of(&whole), error);
    if (!c->inside) inception_calibrator_close(&c);
    return c;
}

void inception_calibrator_close(inception_calibrator **calibrator)
{
    if (!calibrator || !*calibrator) return;
    inc_calibrator_free((*calibrator)->inside);
    inc_graph_free(&(*calibrator)->graph);
    inc_model_close(&(*calibrator)->model);
    free((*calibrator)->losses);
    free(*calibrator);
    *calibrator = NULL;
}

const inception_input *inception_calibrator_input(const inception_calibrator *calibrator)
{
    return &calibrator->model.shape.input;
}

inception_status inception_calibrator_add(inception_calibrator *c, const float *input, inception_error *error)
{
    if (!c || !input) return inc_fail(error, INCEPTION_INVALID, "inception_calibrator_add: no calibrator or photo given");
    if (c->compared) return inc_fail(error, INCEPTION_INVALID, "inception_calibrator_add: photos were compared already");
    inception_status status = inc_calibrator_add(c->inside, input, error);
    c->added += !status;
    return status;
}

static inception_status check_added(const inception_calibrator *c, const char *function, inception_error *error)
{
    return c && c->added ? INCEPTION_OK : inc_fail(error, INCEPTION_INVALID, "%s: no photo was added", function);
}

inception_status inception_calibrator_compare(inception_calibrator *c, const float *input, inception_error *error)
{
    inception_status status = check_added(c, "inception_calibrator_compare", error);
    if (!status && !input) status = inc_fail(error, INCEPTION_INVALID, "inception_calibrator_compare: no photo given");
    if (status) return status;
    if (!inc_engine_supports(INCEPTION_PRECISION_INT8))
        return inc_fail(error, INCEPTION_UNSUPPORTED, "int8: this CPU has no instructions for it");
    status = inc_calibrator_compare(c->inside, input, error);
    c->compared += !status;
    return status;
}

const inception_layer_loss *inception_calibrator_losses(inception_calibrator *c, size_t *count)
{
    *count = 0;
    if (!c->losses) c->losses = inc_calloc(c->graph.node_count, sizeof *c->losses, NULL);
    if (c->losses && c->compared) *count = inc_calibrator_losses(c->inside, c->losses);
    return c->losses;
}

inception_status inception_calibrator_write(inception_calibrator *c, const char *out, inception_error *error)
{
    inception_status status = check_added(c, "inception_calibrator_write", error);
    if (status) return status;
    if (!out) return inc_fail(error, INCEPTION_INVALID, "inception_calibrator_write: no path given");
    if ((status = check_out(&c->model, out, INCEPTION_FORMAT_MODEL_FILE, error))) return status;
    inc_graph graph; /* as it will be when int8 wants the ranges, on whatever machine */
    status = inc_graph_copy(&c->graph, &graph, error);
    if (!status) inc_calibrator_ranges(c->inside, &graph);
    if (!status) status = inc_graph_rewrite(&graph, INC_ALL_REWRITES, INC_QUANTIZED_BLOCK, error);
    if (!status) status = inc_ranges_print(&c->model, &graph, error);
    if (!status) status = inc_model_write(&c->model, out, INCEPTION_FORMAT_MODEL_FILE, error);
    inc_graph_free(&graph);
    return status;
}
