/* Gradients, losses and steps of a whole network whose variables come from the formula, for golden/check_gradients.py:
 *
 *     gradients NETWORK CLASSES f32|bf16 moving|batch STEPS PHOTO LABEL ...
 *
 * prints, as rows of words apart by blanks, `loss total classes heads decay` before each step and after them; after the
 * first `gradient NAME norm first-four-values`; after the last step `variable NAME mean rms first-four-values`. */
#include "../../src/train/train.h"
#include "../formula.h"

#include <stdio.h>

static void print_first(const float *values, uint64_t count)
{
    for (uint64_t i = 0; i < count && i < 4; i++) printf(" %.9g", (double)values[i]);
    printf("\n");
}

static void print_gradients(const inc_graph *graph, const inc_trainer *trainer)
{
    for (uint32_t v = 0; v < graph->value_count; v++) {
        const float *gradient = graph->values[v].variable ? inc_trainer_gradient(trainer, v) : NULL;
        uint64_t count = inc_value_count(&graph->values[v]);
        double squares = 0;
        if (!gradient) continue;
        for (uint64_t i = 0; i < count; i++) squares += (double)gradient[i] * gradient[i];
        printf("gradient %s %.10g", graph->values[v].name, sqrt(squares));
        print_first(gradient, count);
    }
}

static void print_variables(const inc_graph *graph, const inc_trainer *trainer)
{
    for (uint32_t v = 0; v < graph->value_count; v++) {
        if (!graph->values[v].variable) continue;
        const float *values = inc_trainer_variable(trainer, v);
        uint64_t count = inc_value_count(&graph->values[v]);
        double sum = 0, squares = 0;
        for (uint64_t i = 0; i < count; i++) sum += values[i], squares += (double)values[i] * values[i];
        printf("variable %s %.10g %.10g", graph->values[v].name, sum / (double)count, sqrt(squares / (double)count));
        print_first(values, count);
    }
}

static bool prepare(const inc_shape *shape, int batch, char **words, float *inputs, float *targets, inception_error *error)
{
    inception_image_options options;
    inception_image_options_default(&options);
    options.ignore_orientation = options.strip_alpha = true;
    for (int n = 0; n < batch; n++) {
        size_t size = (size_t)shape->input.width * (size_t)shape->input.height * 3;
        inception_image *image = inception_image_read(words[2 * n], &options, error);
        if (!image || inception_prepare(&shape->input, image, inputs + (size_t)n * size, error)) return false;
        inception_image_free(&image);
        targets[n * shape->classes + atoi(words[2 * n + 1])] = 1;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 8) return fprintf(stderr, "usage: see the top of the source\n"), 64;
    inception_error error = {0};
    inc_graph graph = {0};
    inception_losses losses;
    int batch = (argc - 6) / 2, steps = atoi(argv[5]);
    inc_shape shape = inc_shape_default(inception_network_find(argv[1]));
    shape.classes = atoi(argv[2]);
    shape.heads = true;
    inc_learning how = inc_learning_default();
    how.batch = batch;
    how.threads = inception_cpu_count();
    how.keep = 1;
    how.precision = strcmp(argv[3], "bf16") == 0 ? INCEPTION_PRECISION_BF16 : INCEPTION_PRECISION_F32;
    how.batch_statistics = strcmp(argv[4], "batch") == 0;
    inc_optimiser_options rmsprop = inc_optimiser_default(INCEPTION_RMSPROP);
    float *inputs = calloc((size_t)batch * (size_t)shape.input.width * (size_t)shape.input.height * 3, sizeof *inputs);
    float *targets = calloc((size_t)batch * (size_t)shape.classes, sizeof *targets);
    bool good = inputs && targets && !inc_build(&shape, &graph, &error) && formula_bind(&graph)
             && prepare(&shape, batch, argv + 6, inputs, targets, &error);
    inc_learner *learner = good ? inc_learner_new(&graph, &how, &rmsprop, &error) : NULL;
    for (int step = 0; learner && step <= steps && !error.status; step++) {
        if (step > 0 && step == steps) print_variables(&graph, inc_learner_trainer(learner)); /* looking moves statistics */
        if (inc_learner_look(learner, inputs, targets, NULL, 0, &losses, &error)) break;
        printf("loss %.10g %.10g %.10g %.10g\n", losses.classes + losses.heads + losses.decay, losses.classes,
               losses.heads, losses.decay);
        if (step == 0) print_gradients(&graph, inc_learner_trainer(learner));
        if (step < steps) inc_learner_change(learner, 0.001);
    }
    if (error.status) fprintf(stderr, "%s\n", error.message);
    inc_learner_free(learner);
    inc_graph_free(&graph);
    free(inputs);
    free(targets);
    return !learner || error.status;
}
