/* Training of small things, for golden/check_operators.py, which does the same in TensorFlow:
 *
 *     operators net BATCH moving|batch LAYER ...           gradients and moving statistics of a small network
 *     operators loss softmax|sigmoid SMOOTHING even|odd    a loss and its gradient; odd: photos have weights
 *     operators optimise RULE RATE EPSILON STEPS           a small problem, its variables after each step
 *
 * Layers are words: input:H:W:C conv:KH:KW:STRIDE:PADDING:OUT:BIAS depthwise:K:STRIDE:PADDING:MULTIPLIER norm:GAMMA relu
 * max:K:STRIDE:PADDING avg:K:STRIDE:PADDING lrn:ALPHA; fork ... next ... join runs branches from one value, fork ... add:S
 * adds S times the current value to it. PADDING is a number of inc_padding. All numbers that go in are the formula's, of
 * these names. Prints rows `NAME VALUE ...`. */
#include "../../src/train/train.h"
#include "../small_net.h"

#include <stdio.h>

#define DECAY 0.9 /* of moving statistics */

static void print(const char *name, const float *values, uint64_t count)
{
    printf("%s", name);
    for (uint64_t i = 0; i < count; i++) printf(" %.9g", (double)values[i]);
    printf("\n");
}

/* In [-1, 1). NULL: out of memory. */
static float *numbers(const char *name, int64_t count)
{
    float *out = malloc((size_t)count * sizeof *out);
    if (out) formula_fill(name, 2, (int64_t[]){count, 1}, out);
    for (int64_t i = 0; out && i < count; i++) out[i] *= 10;
    return out;
}

/* ---- nets ---- */

typedef struct branches {
    uint32_t from, ends[INC_MAX_INPUTS], count;
} branches;

static bool add_layer(net *n, branches *b, const char *word)
{
    double a[6] = {0};
    sscanf(strchr(word, ':') ? strchr(word, ':') : "", ":%lf:%lf:%lf:%lf:%lf:%lf", a, a + 1, a + 2, a + 3, a + 4, a + 5);
    const int i[] = {(int)a[0], (int)a[1], (int)a[2], (int)a[3], (int)a[4], (int)a[5]};
    size_t length = strcspn(word, ":");
#define IS(name) (length == sizeof name - 1 && strncmp(word, name, length) == 0)
    if (IS("input")) return *n = begin(i[0], i[1], i[2]), true;
    if (IS("conv")) return conv(n, i[0], i[1], i[2], (inc_padding)i[3], i[4], i[5]);
    if (IS("depthwise")) return depthwise(n, i[0], i[1], (inc_padding)i[2], i[3]);
    if (IS("norm")) return norm(n, i[0]);
    if (IS("relu")) return simple(n, INC_OP_RELU);
    if (IS("max")) return pool(n, INC_OP_MAX_POOL, i[0], i[1], (inc_padding)i[2]);
    if (IS("avg")) return pool(n, INC_OP_AVG_POOL, i[0], i[1], (inc_padding)i[2]);
    if (IS("lrn")) return lrn(n, (float)a[0]);
    if (IS("add")) return residual(n, b->from, (float)a[0]);
    if (IS("fork")) return *b = (branches){.from = n->at}, true;
    b->ends[b->count++] = n->at;
    if (IS("next")) return n->at = b->from, true;
    return IS("join") && join(n, b->ends, b->count);
#undef IS
}

static int train_net(int batch, bool own, char **words, int count)
{
    net n = {0};
    branches b = {0};
    for (int w = 0; w < count; w++)
        if (!add_layer(&n, &b, words[w])) return fprintf(stderr, "%s: does not fit\n", words[w]), 1;
    inception_error error = {0};
    bool *trained = calloc(n.graph.value_count, sizeof *trained);
    float *input = numbers("input", batch * (int64_t)inc_value_count(&n.graph.values[n.graph.input]));
    float *pull = numbers("pull", batch * (int64_t)inc_value_count(&n.graph.values[n.at]));
    inc_pool *team = inc_pool_new(2, &error);
    if (!trained || !input || !pull || !team || !finish(&n)) return 1;
    for (uint32_t v = 0; v < n.graph.value_count; v++)
        trained[v] = n.graph.values[v].variable && !strstr(n.graph.values[v].name, "moving");
    inc_training how = {batch, 2, team, trained, own, DECAY, 1, INCEPTION_PRECISION_F32};
    inc_graph_rewrite(&n.graph, INC_TRAINING_REWRITES, inc_engine_granularity(), &error);
    inc_trainer *t = inc_trainer_new(&n.graph, &how, &error);
    if (t) inc_trainer_forward(t, input, 0, &error);
    if (t) inc_trainer_push(t, n.at, pull);
    if (t) inc_trainer_backward(t, &error);
    for (uint32_t v = 0; t && v < n.graph.value_count; v++) {
        const inc_value *value = &n.graph.values[v];
        const float *values = trained[v] ? inc_trainer_gradient(t, v) : inc_trainer_variable(t, v);
        if (value->variable) print(value->name, values, inc_value_count(value));
    }
    if (error.status) fprintf(stderr, "%s\n", error.message);
    inc_trainer_free(t);
    inc_pool_free(team);
    free(trained);
    free(input);
    free(pull);
    inc_graph_free(&n.graph);
    return error.status;
}

/* ---- losses ---- */

#define PHOTOS 6
#define CLASSES 5

/* Labels 0 1 2 3 4 0; with several of them, each photo has the next one too. */
static void set_targets(float *targets, bool several)
{
    memset(targets, 0, PHOTOS * CLASSES * sizeof *targets);
    for (int n = 0; n < PHOTOS; n++) targets[n * CLASSES + n % CLASSES] = 1;
    for (int n = 0; several && n < PHOTOS; n++) targets[n * CLASSES + (n + 1) % CLASSES] = 1;
}

static int measure_loss(bool sigmoid, double smoothing, bool weighted)
{
    const float weights[PHOTOS] = {1, 0.5f, 0, 2, 1, 3};
    float targets[PHOTOS * CLASSES], gradient[PHOTOS * CLASSES], *logits = numbers("logits", PHOTOS * CLASSES);
    inc_targets all = {PHOTOS, CLASSES, targets, weighted ? weights : NULL, smoothing};
    if (!logits) return 1;
    set_targets(targets, sigmoid);
    float loss = (float)(sigmoid ? inc_sigmoid_cross_entropy : inc_softmax_cross_entropy)(&all, logits, 1, gradient);
    print("loss", &loss, 1);
    print("gradient", gradient, PHOTOS * CLASSES);
    free(logits);
    return 0;
}

/* ---- optimisers ---- */

static int optimise(const char *name, double rate, double epsilon, int steps)
{
    static const char *const names[] = {
        [INCEPTION_RMSPROP] = "rmsprop", [INCEPTION_MOMENTUM] = "momentum", [INCEPTION_ADAM] = "adam"};
    inc_optimiser_options rule = {0};
    for (size_t i = 0; i < INC_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) rule = inc_optimiser_default((inception_optimiser)i);
    rule.epsilon = epsilon;
    net n = begin(6, 6, 3);
    bool good = conv(&n, 3, 3, 2, INC_SAME, 8, true) && simple(&n, INC_OP_RELU)
             && conv(&n, 3, 3, 1, INC_VALID, CLASSES, true);
    inc_learning how = inc_learning_default();
    how.batch = PHOTOS;
    how.threads = 2;
    how.smoothing = 0.1;
    inception_error error = {0};
    float targets[PHOTOS * CLASSES], *input = numbers("input", PHOTOS * 6 * 6 * 3);
    inc_learner *l = good && input && finish(&n) ? inc_learner_new(&n.graph, &how, &rule, &error) : NULL;
    inception_losses losses;
    set_targets(targets, false);
    for (int step = 0; l && step < steps && !error.status; step++) {
        inc_learner_look(l, input, targets, NULL, 0, &losses, &error);
        inc_learner_change(l, rate);
        for (uint32_t v = 0; v < n.graph.value_count; v++) {
            const inc_value *value = &n.graph.values[v];
            if (value->variable) print(value->name, inc_trainer_variable(inc_learner_trainer(l), v), inc_value_count(value));
        }
    }
    if (error.status) fprintf(stderr, "%s\n", error.message);
    good = l && !error.status;
    inc_learner_free(l);
    inc_graph_free(&n.graph);
    free(input);
    return !good;
}

int main(int argc, char **argv)
{
    if (argc > 4 && strcmp(argv[1], "net") == 0)
        return train_net(atoi(argv[2]), strcmp(argv[3], "batch") == 0, argv + 4, argc - 4);
    if (argc == 5 && strcmp(argv[1], "loss") == 0)
        return measure_loss(strcmp(argv[2], "sigmoid") == 0, atof(argv[3]), strcmp(argv[4], "odd") == 0);
    if (argc == 6 && strcmp(argv[1], "optimise") == 0) return optimise(argv[2], atof(argv[3]), atof(argv[4]), atoi(argv[5]));
    return fprintf(stderr, "usage: see the top of the source\n"), 64;
}
