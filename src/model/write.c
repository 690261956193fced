/* A network's weights written again: as a model file, a checkpoint, or an ONNX model. */
#include "private.h"
#include "../onnx/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a file says of itself. */
typedef struct description {
    char classes[16], depth[32], smallest[16], width[16], height[16], temperature[32], threshold[32];
    inc_metadata *texts;
    size_t count;
    inc_arena arena; /* of what is made for this file alone */
} description;

/* The strings, one a line. */
static char *join_lines(description *about, const char *const *lines, int count, inception_error *error)
{
    size_t size = 1;
    for (int i = 0; i < count; i++) size += strlen(lines[i]) + 1;
    char *text = inc_arena_alloc(&about->arena, size, 1, error), *at = text;
    for (int i = 0; text && i < count; i++) at += sprintf(at, "%s%s", i ? "\n" : "", lines[i]);
    return text;
}

/* Those whose keys are not there yet; one without a value keeps an older one out. */
static void add_texts(description *about, const inc_metadata *texts, size_t count)
{
    const size_t before = about->count;
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < before; k++) known |= strcmp(about->texts[k].key, texts[i].key) == 0;
        if (!known) about->texts[about->count++] = texts[i];
    }
}

static inception_status describe(inc_model *model, description *about, inception_error *error)
{
    static const char *const ways[] = {"slim", "caffe"};
    const inc_shape *shape = &model->shape;
    snprintf(about->classes, sizeof about->classes, "%d", shape->classes);
    inc_print_number(about->depth, sizeof about->depth, shape->depth_multiplier);
    snprintf(about->smallest, sizeof about->smallest, "%d", shape->min_depth);
    snprintf(about->width, sizeof about->width, "%d", shape->input.width);
    snprintf(about->height, sizeof about->height, "%d", shape->input.height);
    inc_print_number(about->temperature, sizeof about->temperature, model->temperature);
    inc_print_number(about->threshold, sizeof about->threshold, model->unknown_threshold);
    const bool decides = isfinite(model->unknown_threshold);
    const char *score = inc_unknown_scores[model->unknown_score];
    const char *labels = join_lines(about, model->labels, shape->classes, error);
    const char *wnids = join_lines(about, model->wnids, shape->classes, error);
    if (!labels || !wnids) return INCEPTION_MEMORY;
    const inc_metadata own[] = {
        {"network", shape->network->name},  {"classes", about->classes},   {"depth_multiplier", about->depth},
        {"min_depth", about->smallest},     {"input_width", about->width}, {"input_height", about->height},
        {"preprocessing", ways[shape->input.preprocessing]},               {"labels", labels},
        {"wnids", wnids}, {"activation", model->activation == INCEPTION_SIGMOID ? "sigmoid" : NULL},
        {"temperature", model->temperature != 1 ? about->temperature : NULL},
        {inc_ranges_key(), model->ranges},                           {INC_FINAL_LAYER, shape->final_layer},
        {"unknown_threshold", decides ? about->threshold : NULL}, {"unknown_score", decides ? score : NULL},
    };
    about->texts = inc_arena_alloc(&about->arena, INC_COUNT(own) + model->text_count + model->weights->metadata_count,
                                   sizeof *about->texts, error);
    if (!about->texts) return INCEPTION_MEMORY;
    add_texts(about, own, INC_COUNT(own));
    add_texts(about, model->texts, model->text_count);
    add_texts(about, model->weights->metadata, model->weights->metadata_count); /* what a model file tells goes on with it */
    size_t kept = 0;
    for (size_t i = 0; i < about->count; i++)
        if (about->texts[i].value) about->texts[kept++] = about->texts[i];
    about->count = kept;
    return INCEPTION_OK;
}

/* Makes the tensor one of bfloat16, half as large. */
static inception_status round_tensor(inc_arena *arena, inception_tensor *tensor, const char *out, inception_error *error)
{
    const float *values = tensor->data;
    uint16_t *rounded = inc_arena_alloc(arena, tensor->count, sizeof *rounded, error);
    if (!rounded) return INCEPTION_MEMORY;
    for (uint64_t i = 0; i < tensor->count; i++) {
        rounded[i] = inc_to_bf16(values[i]);
        if (!isfinite(inc_from_bf16(rounded[i])))
            return inc_fail(error, INCEPTION_DATA, "%s: a value too large for bfloat16: %s", out, tensor->name);
    }
    tensor->type = INCEPTION_BF16;
    tensor->data = rounded;
    return INCEPTION_OK;
}

static inception_status write_tensors(inc_model *model, const char *out, description *about, inception_error *error)
{
    size_t count = 0;
    inception_tensor *tensors = inc_calloc(model->graph.value_count + model->slot_count + 1, sizeof *tensors, error);
    if (!tensors) return INCEPTION_MEMORY;
    inception_status status = INCEPTION_OK;
    for (size_t i = 0; i < model->graph.value_count; i++) {
        const inc_value *value = &model->graph.values[i];
        if (!value->variable || !value->data) continue;
        inception_tensor *tensor = &tensors[count++];
        *tensor = (inception_tensor){.name = value->name, .type = INCEPTION_F32, .rank = value->rank,
                                     .count = inc_value_count(value), .data = value->data};
        for (int d = 0; d < value->rank; d++) tensor->dims[d] = value->dims[d];
    }
    for (size_t i = 0; i < model->slot_count; i++) tensors[count++] = model->slots[i];
    if (about && model->class_means)
        tensors[count++] = (inception_tensor){INC_CLASS_MEANS, INCEPTION_F32, 2,
                                              {model->shape.classes, (int64_t)model->mean_values},
                                              (uint64_t)model->shape.classes * model->mean_values, model->class_means};
    for (size_t i = 0; i < count && model->written == INCEPTION_BF16 && !status; i++)
        if (tensors[i].rank > 1) status = round_tensor(&about->arena, &tensors[i], out, error);
    if (!status)
        status = about ? inc_safetensors_write(out, tensors, count, about->texts, about->count, error)
                       : inc_bundle_write(out, tensors, count, error);
    free(tensors);
    return status;
}

/* What inc_onnx_about wants of class_means. */
static inception_status bind_means(inc_model *model, uint32_t *variable, inception_error *error)
{
    inc_graph *graph = &model->graph;
    *variable = INC_NONE;
    if (model->features == INC_NONE) return INCEPTION_OK;
    const size_t values = model->mean_values, classes = (size_t)model->shape.classes;
    const int64_t *map = graph->values[model->features].dims, dims[4] = {map[1], map[2], map[3], model->shape.classes};
    float *turned = inc_arena_alloc(&model->arena, values * classes, sizeof *turned, error);
    if (turned) *variable = inc_graph_variable(graph, INC_CLASS_MEANS, 4, dims, error);
    if (!turned || *variable == INC_NONE) return INCEPTION_MEMORY;
    for (size_t c = 0; c < classes; c++)
        for (size_t v = 0; v < values; v++) turned[v * classes + c] = model->class_means[c * values + v];
    graph->values[*variable].data = turned;
    graph->values[model->features].kept = true;
    return INCEPTION_OK;
}

static inception_status write_onnx(inc_model *model, const char *out, const description *about, inception_error *error)
{
    static const char *const inputs[] = {
        "Photos as `inception prepare` writes them: RGB, 0...255 mapped to -1...1.",
        "Photos as `inception prepare` writes them: BGR, 0...255 minus 104, 117, 123.",
    };
    inc_onnx_about texts = {model->shape.network->name, inputs[model->shape.input.preprocessing], about->texts, about->count,
                            model->activation, model->temperature, model->features, INC_NONE,
                            model->unknown_score == INCEPTION_UNKNOWN_COSINE};
    inception_status status = bind_means(model, &texts.means, error);
    if (!status) status = inc_graph_rewrite(&model->graph, INC_ONNX_REWRITES, 1, error);
    return status ? status : inc_onnx_write(out, &model->graph, &texts, error);
}

inception_status inc_model_write(inc_model *model, const char *out, inception_format format, inception_error *error)
{
    description about = {0};
    if (model->written != INCEPTION_F32 && model->written != INCEPTION_BF16)
        return inc_fail(error, INCEPTION_INVALID, "%s: weights are written as f32 or bf16, not as %s", out,
                        inc_type_name(model->written));
    if (model->written == INCEPTION_BF16 && format != INCEPTION_FORMAT_MODEL_FILE)
        return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: only model files hold weights as bfloat16", out);
    if (format == INCEPTION_FORMAT_TF_V2) return write_tensors(model, out, NULL, error);
    if (format != INCEPTION_FORMAT_MODEL_FILE && format != INCEPTION_FORMAT_ONNX)
        return inc_fail(error, INCEPTION_INVALID,
                        "%s: only model files, TensorFlow V2 checkpoints and ONNX models are written", out);
    inception_status status = describe(model, &about, error);
    if (!status)
        status = format == INCEPTION_FORMAT_ONNX ? write_onnx(model, out, &about, error)
                                                 : write_tensors(model, out, &about, error);
    inc_arena_free(&about.arena);
    return status;
}
