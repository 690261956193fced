/* Weights from a formula of the variable's name, as ../shared/golden/README.md defines it: whole networks can be compared
 * with TensorFlow without a file of weights. */
#ifndef TEST_FORMULA_H
#define TEST_FORMULA_H

#include "../src/model/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline void formula_fill(const char *name, int rank, const int64_t *dims, float *out)
{
    uint64_t hash = 0xCBF29CE484222325u, count = 1;
    for (const char *c = name; *c; c++) hash = (hash ^ (uint8_t)*c) * 0x100000001B3u;
    int64_t fan_in = 1;
    for (int i = 0; i < rank; i++) count *= (uint64_t)dims[i];
    for (int i = 0; i + 1 < rank; i++) fan_in *= dims[i];
    size_t length = strlen(name);
    bool weights = length >= 7 && strcmp(name + length - 7, "weights") == 0;
    if (strstr(name, "depthwise_weights")) fan_in = dims[0] * dims[1];
    double scale = weights ? sqrt((strstr(name, "ogits") ? 24.0 : 6.0) / (double)fan_in) : 0.1;
    bool variance = strstr(name, "moving_variance") != NULL;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t z = hash + i;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        double u = (double)(z >> 40) / 8388608.0 - 1;
        out[i] = (float)(variance ? 1 + 0.5 * u : scale * u);
    }
}

/* Fills every variable of the graph. */
static inline bool formula_bind(inc_graph *graph)
{
    for (size_t i = 0; i < graph->value_count; i++) {
        inc_value *value = &graph->values[i];
        if (!value->variable) continue;
        float *data = inc_arena_alloc(&graph->arena, inc_value_count(value), sizeof *data, NULL);
        if (!data) return false;
        formula_fill(value->name, value->rank, value->dims, data);
        value->data = data;
    }
    return true;
}

/* The variables as tensors for a writer; released with free(). */
static inline inception_tensor *formula_tensors(const inc_graph *graph, size_t *count)
{
    inception_tensor *tensors = calloc(graph->value_count, sizeof *tensors);
    *count = 0;
    for (size_t i = 0; tensors && i < graph->value_count; i++) {
        const inc_value *v = &graph->values[i];
        if (!v->variable) continue;
        inception_tensor *t = &tensors[(*count)++];
        *t = (inception_tensor){.name = v->name, .type = INCEPTION_F32, .rank = v->rank, .count = inc_value_count(v),
                                .data = v->data};
        for (int d = 0; d < v->rank; d++) t->dims[d] = v->dims[d];
    }
    return tensors;
}

/* Writes a network filled by the formula as safetensors, and as a TensorFlow V2 checkpoint; either path may be NULL. */
static inline bool formula_write(inc_shape shape, const char *model_file, const char *bundle)
{
    inc_graph graph = {0};
    size_t count = 0;
    bool good = inc_build(&shape, &graph, NULL) == INCEPTION_OK && formula_bind(&graph);
    inception_tensor *tensors = good ? formula_tensors(&graph, &count) : NULL;
    if (good && model_file) good = inc_safetensors_write(model_file, tensors, count, NULL, 0, NULL) == INCEPTION_OK;
    if (good && bundle) good = inc_bundle_write(bundle, tensors, count, NULL) == INCEPTION_OK;
    free(tensors);
    inc_graph_free(&graph);
    return good;
}

/* A small picture, another for each number. */
static inline inception_image *formula_photo(int number)
{
    enum { WIDTH = 30, HEIGHT = 20 };
    uint8_t pixels[HEIGHT * WIDTH * 3];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)((i * (size_t)(7 + number * 13)) >> (number % 3));
    return inception_image_from_pixels(pixels, WIDTH, HEIGHT, WIDTH * 3, NULL);
}

#endif
