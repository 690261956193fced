/* This project's part in train.py: fine-tuning steps of a whole network, its auxiliary classifier too.
 *
 *     train_step NETWORK CLASSES BATCH f32|bf16 THREADS
 *
 * Prints a line when the first step is done. Then reads numbers of seconds, does steps for so long, one at least, and prints
 * a line with a list of what each took, in milliseconds a photo. */
#include "../src/train/train.h"
#include "../tests/formula.h"

#include <stdio.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Noise in [-1, 1), a class for each photo. */
static bool make_up(const inc_shape *shape, int batch, float **inputs, float **targets)
{
    int64_t size = (int64_t)batch * shape->input.width * shape->input.height * 3;
    *inputs = malloc((size_t)size * sizeof **inputs);
    *targets = calloc((size_t)batch * (size_t)shape->classes, sizeof **targets);
    if (!*inputs || !*targets) return false;
    formula_fill("photos", 2, (int64_t[]){size, 1}, *inputs);
    for (int64_t i = 0; i < size; i++) (*inputs)[i] *= 10;
    for (int n = 0; n < batch; n++) (*targets)[n * shape->classes + n % shape->classes] = 1;
    return true;
}

static bool step(inc_learner *learner, const float *inputs, const float *targets, inception_error *error)
{
    static uint64_t noise;
    inception_losses losses;
    if (inc_learner_look(learner, inputs, targets, NULL, noise++, &losses, error)) return false;
    inc_learner_change(learner, 1e-4);
    return true;
}

static bool measure(inc_learner *learner, int batch, const float *inputs, const float *targets, inception_error *error)
{
    double seconds, began, before;
    printf("[]\n");
    for (fflush(stdout); scanf("%lf", &seconds) == 1; fflush(stdout)) {
        const char *between = "[";
        began = before = now();
        do {
            if (!step(learner, inputs, targets, error)) return false;
            double after = now();
            printf("%s%.3f", between, (after - before) * 1e3 / batch);
            before = after;
            between = ", ";
        } while (before < began + seconds);
        printf("]\n");
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 6) return fprintf(stderr, "usage: train_step NETWORK CLASSES BATCH f32|bf16 THREADS\n"), 64;
    inception_error error = {0};
    inc_graph graph = {0};
    inc_shape shape = inc_shape_default(inception_network_find(argv[1]));
    shape.classes = atoi(argv[2]);
    shape.heads = true;
    inc_learning how = inc_learning_default();
    how.batch = atoi(argv[3]);
    how.precision = strcmp(argv[4], "bf16") == 0 ? INCEPTION_PRECISION_BF16 : INCEPTION_PRECISION_F32;
    how.threads = atoi(argv[5]);
    inc_optimiser_options rmsprop = inc_optimiser_default(INCEPTION_RMSPROP);
    float *inputs = NULL, *targets = NULL;
    bool good = !inc_build(&shape, &graph, &error) && formula_bind(&graph) && make_up(&shape, how.batch, &inputs, &targets);
    inc_learner *learner = good ? inc_learner_new(&graph, &how, &rmsprop, &error) : NULL;
    good = learner && step(learner, inputs, targets, &error) && measure(learner, how.batch, inputs, targets, &error);
    if (!good) fprintf(stderr, "%s\n", error.message);
    inc_learner_free(learner);
    inc_graph_free(&graph);
    free(inputs);
    free(targets);
    return !good;
}
