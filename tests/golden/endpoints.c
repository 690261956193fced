/* Runs a checkpoint on a photo and prints every endpoint the way ../shared/golden/<net>_endpoints.tsv does:
 *
 *     endpoints CHECKPOINT PHOTO NAME ...
 *
 * prints, for each value called NAME: name, shape, mean, root mean square, first four values; with a name NAME=FILE it
 * also writes the float32 values to FILE. Uses the library's inside, because endpoints are not public yet. */
#include "../../src/engine/engine.h"
#include "../../src/image/image.h"
#include "../../src/model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_value(const char *name, const inc_value *value, const float *data, const char *file)
{
    size_t count = (size_t)(value->dims[1] * value->dims[2] * value->dims[3]);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) sum += data[i], squares += (double)data[i] * data[i];
    printf("%s\t1,%d,%d,%d\t%.9e\t%.9e\t", name, (int)value->dims[1], (int)value->dims[2], (int)value->dims[3],
           sum / (double)count, sqrt(squares / (double)count));
    for (size_t i = 0; i < 4; i++) printf("%s%.7g", i ? " " : "", data[i]);
    printf("\n");
    FILE *out = file ? fopen(file, "wb") : NULL;
    if (out) fwrite(data, sizeof *data, count, out), fclose(out);
}

int main(int argc, char **argv)
{
    inception_error error = {0};
    inception_model_options options;
    inception_image_options photo_options;
    inception_model_options_default(&options);
    inception_image_options_default(&photo_options);
    photo_options.ignore_orientation = photo_options.strip_alpha = true;
    inc_model model;
    if (argc < 4) return fprintf(stderr, "usage: endpoints CHECKPOINT PHOTO NAME[=FILE] ...\n"), 64;
    if (inc_model_open(&model, argv[1], &options, true, &error)) return fprintf(stderr, "%s\n", error.message), 1;
    inc_graph *graph = &model.graph;
    uint32_t ids[64];
    for (int i = 3; i < argc && i < 67; i++) {
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(argv[i], "="), argv[i]);
        ids[i - 3] = inc_graph_find(graph, name);
        if (ids[i - 3] == INC_NONE) return fprintf(stderr, "no endpoint %s\n", name), 1;
        graph->values[ids[i - 3]].kept = true;
    }
    inception_image *photo = inception_image_read(argv[2], &photo_options, &error);
    size_t pixels = (size_t)model.shape.input.width * (size_t)model.shape.input.height;
    float *input = malloc(pixels * 3 * sizeof *input), *data = malloc((size_t)1 << 26);
    inc_engine *engine = NULL;
    inc_run *run = NULL;
    /* Dropout is kept as a node so that a value before and after it may both be asked for. */
    unsigned rewrites = INC_ALL_REWRITES & ~INC_DROP_IDENTITIES;
    if (photo && !inc_prepare(&model.shape.input, photo, input, &error)
        && !inc_graph_rewrite(graph, rewrites, inc_engine_granularity(), &error))
        engine = inc_engine_compile(graph, inception_cpu_count(), &error);
    if (engine) run = inc_run_new(engine, 1, &error);
    if (!run || inc_run_execute(run, input, 1, &error)) return fprintf(stderr, "%s\n", error.message), 1;
    for (int i = 3; i < argc && i < 67; i++) {
        const char *file = strchr(argv[i], '=');
        inc_run_read(run, 0, ids[i - 3], data);
        print_value(graph->values[ids[i - 3]].name, &graph->values[ids[i - 3]], data, file ? file + 1 : NULL);
    }
    inc_run_free(run);
    inc_engine_free(engine);
    inception_image_free(&photo);
    inc_model_close(&model);
    free(input);
    free(data);
    return 0;
}
