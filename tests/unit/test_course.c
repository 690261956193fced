/* Training through the library's door: first values, rates, steps, moving averages, checkpoints. A small Inception V2. */
#include "../../src/model/model.h"
#include "../../src/train/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define SIDE 32
#define PHOTOS 8
#define CLASSES 3
#define INPUTS (PHOTOS * SIDE * SIDE * 3)

static const char *const labels[CLASSES] = {"rose", "lily", "tulip"};
static float inputs[INPUTS], targets[PHOTOS * CLASSES];
static char folder[] = "/tmp/test_course.XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[4][96];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inception_training_options small(void)
{
    inception_training_options o;
    inception_training_options_default(&o);
    o.model.network = "v2", o.model.depth_multiplier = 0.1, o.model.min_depth = 8, o.model.threads = 2;
    o.model.width = o.model.height = SIDE, o.labels = labels, o.class_count = CLASSES;
    o.batch = PHOTOS, o.batch_statistics = true, o.norm_decay = 0.9, o.keep = 1, o.seed = 7;
    o.optimiser = INCEPTION_MOMENTUM;
    return o;
}

static inception_training *open_small(const inception_training_options *o)
{
    inception_error error = {0};
    inception_training *t = inception_training_open(NULL, o, &error);
    if (!t) fail_msg("%s", error.message);
    return t;
}

static inception_losses step(inception_training *t, double rate)
{
    inception_error error = {0};
    inception_losses losses;
    inception_training_step(t, inputs, targets, NULL, rate, &losses, &error);
    assert_string_equal(error.message, "");
    return losses;
}

static void save(inception_training *t, const char *name)
{
    assert_int_equal(inception_training_write(t, path_of(name), NULL, 0, NULL), INCEPTION_OK);
    inception_weights *weights = inception_weights_open(path_of(name), NULL);
    assert_non_null(weights);
    assert_null(inc_weights_metadata(weights, "unknown_threshold")); /* nothing is known of that yet */
    inception_weights_close(&weights);
}

static bool same_files(const char *a, const char *b)
{
    inception_error error = {0};
    uint8_t *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    inc_file_read(path_of(a), 1 << 28, &x, &n, &error);
    inc_file_read(path_of(b), 1 << 28, &y, &m, &error);
    bool same = !error.status && n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

/* ---- first values ---- */

typedef struct moments {
    double mean, deviation, largest;
} moments;

static moments moments_of(const inc_graph *graph, const char *name, double *count)
{
    moments m = {0};
    const inc_value *value = NULL;
    for (size_t v = 0; v < graph->value_count; v++)
        if (graph->values[v].variable && strcmp(graph->values[v].name, name) == 0) value = &graph->values[v];
    assert_non_null(value);
    *count = (double)inc_value_count(value);
    for (uint64_t i = 0; i < inc_value_count(value); i++) m.mean += value->data[i] / *count;
    for (uint64_t i = 0; i < inc_value_count(value); i++) {
        m.deviation += pow(value->data[i] - m.mean, 2) / *count;
        m.largest = fmax(m.largest, fabsf(value->data[i]));
    }
    m.deviation = sqrt(m.deviation);
    return m;
}

/* A normal distribution cut at two deviations has 0.8796 of its deviation, a uniform one its reach over the root of 3. The
 * deviation of n values strays from that by less than 5 / sqrt(2 n) of it, the mean by 5 / sqrt(n) deviations, but once in
 * a million times; seed and values are always the same. */
static void first_values(void **state)
{
    (void)state;
    static const struct { const char *network, *name; double deviation; bool uniform; } all[] = {
        {"inception_v1", "InceptionV1/Conv2d_2c_3x3/weights", 0.01, false},
        {"inception_v2", "InceptionV2/Conv2d_1a_7x7/depthwise_weights", 1, false},
        {"inception_v2", "InceptionV2/Mixed_4b/Branch_1/Conv2d_0a_1x1/weights", 0.09, false},
        {"inception_v2", "InceptionV2/Mixed_3c/Branch_3/Conv2d_0b_1x1/weights", 0.1, false},
        {"inception_v2", "InceptionV2/Mixed_3c/Branch_1/Conv2d_0b_3x3/weights", 0.06718548, false}, /* sqrt(2.6 / 576) */
        {"inception_v3", "InceptionV3/Conv2d_2b_3x3/weights", 0.09501462, false},                   /* sqrt(2.6 / 288) */
        {"inception_v3", "InceptionV3/AuxLogits/Conv2d_2b_1x1/weights", 0.001, false},
        {"inception_v4", "InceptionV4/Logits/Logits/weights", 0.06246338, true}, /* its reach: sqrt(6 / (1536 + 1)) */
        {"inception_resnet_v2", "InceptionResnetV2/Conv2d_2b_3x3/weights", 0.08333333, true}, /* sqrt(6 / (9 * 96)) */
    };
    for (size_t i = 0; i < INC_COUNT(all); i++) {
        inc_shape shape = inc_shape_default(inception_network_find(all[i].network));
        inc_model model;
        double count;
        shape.classes = 1, shape.heads = true;
        assert_int_equal(inc_model_begin(&model, &shape, labels, 3, NULL), INCEPTION_OK);
        const double wanted = all[i].deviation * (all[i].uniform ? 1 / sqrt(3) : 0.87962566);
        moments m = moments_of(&model.graph, all[i].name, &count);
        assert_true(fabs(m.deviation / wanted - 1) < 5 / sqrt(2 * count));
        assert_true(fabs(m.mean) < 5 / sqrt(count) * wanted);
        assert_true(m.largest <= all[i].deviation * (all[i].uniform ? 1 : 2) * (1 + 1e-6));
        inc_model_close(&model);
    }
}

/* ---- the rate ---- */

static void rates(void **state)
{
    (void)state;
    inception_rate r = {.schedule = INCEPTION_SCHEDULE_FIXED, .rate = 0.5, .warm_up = 4, .steps = 24};
    assert_true(fabs(inception_rate_at(&r, 0) - 0.1) < 1e-12 && fabs(inception_rate_at(&r, 3) - 0.4) < 1e-12);
    assert_true(inception_rate_at(&r, 4) == 0.5 && inception_rate_at(&r, 100) == 0.5);
    r.schedule = INCEPTION_SCHEDULE_COSINE;
    assert_true(inception_rate_at(&r, 4) == 0.5 && fabs(inception_rate_at(&r, 14) - 0.25) < 1e-12);
    assert_true(fabs(inception_rate_at(&r, 9) - 0.5 * (1 + sqrt(0.5)) / 2) < 1e-12 && inception_rate_at(&r, 24) < 1e-12);
    r = (inception_rate){.schedule = INCEPTION_SCHEDULE_EXPONENTIAL, .rate = 0.01, .factor = 0.94, .interval = 10};
    assert_true(inception_rate_at(&r, 9) == 0.01 && fabs(inception_rate_at(&r, 10) - 0.0094) < 1e-12);
    assert_true(fabs(inception_rate_at(&r, 35) - 0.01 * 0.94 * 0.94 * 0.94) < 1e-12);
}

/* ---- steps ---- */

/* Eight steps learn eight photos by heart. */
static void learns(void **state)
{
    (void)state;
    inception_training_options o = small();
    inception_training *t = open_small(&o);
    inception_losses first = step(t, 0.05), last = first;
    for (int i = 1; i < 30; i++) last = step(t, 0.05);
    assert_true(last.classes < 0.3 * first.classes && last.right == PHOTOS && last.decay > 0 && last.heads == 0);
    assert_int_equal(inception_training_steps(t), 30);
    inception_training_close(&t);
}

/* A photo of none of the classes has the same target for each, and is neither right nor wrong. */
static void nothing_to_answer(void **state)
{
    (void)state;
    inception_training_options o = small();
    inception_training *t = open_small(&o);
    float same[PHOTOS * CLASSES];
    inception_losses losses;
    for (int i = 0; i < PHOTOS * CLASSES; i++) same[i] = i / CLASSES < 3 ? targets[i] : 1.f / CLASSES;
    for (int i = 0; i < 30; i++)
        assert_int_equal(inception_training_step(t, inputs, same, NULL, 0.05, &losses, NULL), INCEPTION_OK);
    assert_int_equal(losses.answered, 3);
    assert_int_equal(losses.right, 3);
    inception_training_close(&t);
}

static void read_some(inception_training *t, float values[64])
{
    save(t, "a");
    inception_weights *w = inception_weights_open(path_of("a"), NULL);
    memcpy(values, inception_weights_find(w, "InceptionV2/Conv2d_2b_1x1/weights")->data, 64 * sizeof *values);
    inception_weights_close(&w);
}

/* Without batch statistics and dropout photos do not see each other: two batches of four are a batch of eight, up to the
 * order of sums. */
static void accumulation(void **state)
{
    (void)state;
    float values[3][64], moved = 0; /* after, after, before */
    for (int round = 0; round < 2; round++) {
        inception_training_options o = small();
        o.batch_statistics = false;
        o.batch = round ? PHOTOS / 2 : PHOTOS, o.accumulate = round ? 2 : 1;
        inception_training *t = open_small(&o);
        read_some(t, values[2]);
        inception_losses losses = step(t, 0.01);
        assert_true(losses.right >= 0 && losses.right <= PHOTOS && losses.answered == PHOTOS);
        read_some(t, values[round]);
        inception_training_close(&t);
    }
    for (int i = 0; i < 64; i++) moved = fmaxf(moved, fabsf(values[0][i] - values[2][i]));
    for (int i = 0; i < 64; i++) assert_true(fabsf(values[0][i] - values[1][i]) <= 1e-3f * moved);
}

static double value_in(const char *file, const char *name)
{
    inception_weights *w = inception_weights_open(path_of(file), NULL);
    const inception_tensor *tensor = inception_weights_find(w, name);
    double value = 0;
    assert_non_null(tensor);
    assert_true(inception_tensor_read(tensor, 1, 1, &value));
    inception_weights_close(&w);
    return value;
}

/* s += (v - s) (1 - min(d, (1 + t) / (10 + t))), from the first value: of what is trained and of what moves. */
static void averages(void **state)
{
    (void)state;
    static const char *const names[] = {"InceptionV2/Conv2d_2b_1x1/weights",
                                        "InceptionV2/Conv2d_2c_3x3/BatchNorm/moving_mean"};
    inception_training_options o = small();
    o.average_decay = 0.15;
    inception_training *t = open_small(&o);
    double expected[2];
    save(t, "0");
    for (int n = 0; n < 2; n++) expected[n] = value_in("0", names[n]);
    for (int i = 0; i < 4; i++) {
        step(t, 0.05);
        save(t, "1");
        double decay = fmin(0.15, (1.0 + i) / (10.0 + i)); /* 0.1, then 0.15 */
        for (int n = 0; n < 2; n++) {
            char shadow[128];
            expected[n] += (value_in("1", names[n]) - expected[n]) * (1 - decay);
            snprintf(shadow, sizeof shadow, "%s/ExponentialMovingAverage", names[n]);
            assert_true(fabs(value_in("1", shadow) - expected[n]) <= 1e-6 * fabs(expected[n]) + 1e-9);
        }
    }
    inception_training_close(&t);
    inception_model_options with;
    inception_model_options_default(&with);
    with.moving_averages = true;
    inception_status status = inception_convert(path_of("1"), path_of("done"), INCEPTION_FORMAT_MODEL_FILE, &with, NULL);
    assert_int_equal(status, INCEPTION_OK);
    assert_true(fabs(value_in("done", names[0]) - expected[0]) <= 1e-6 * fabs(expected[0]));
    inception_weights *w = inception_weights_open(path_of("done"), NULL);
    for (size_t i = 0; i < inception_weights_count(w); i++)
        assert_null(strstr(inception_weights_tensor(w, i)->name, "Momentum"));
    inception_weights_close(&w);
    inception_model *model = inception_model_open(path_of("done"), NULL, NULL);
    assert_int_equal(inception_model_get_info(model)->input.width, SIDE);
    assert_string_equal(inception_model_label(model, 1), "lily");
    inception_model_close(&model);
}

/* The layer that a training ended with, measured: its logits are the network's, what is right is counted by hand. */
static void told_of_the_layer(void **state)
{
    (void)state;
    static const inception_part parts[PHOTOS] = {0, 0, 0, 1, 1, 2, 2, 2};
    inception_training_options o = small();
    inception_training *t = open_small(&o);
    for (int i = 0; i < 20; i++) step(t, 0.05);
    save(t, "end");
    inception_training_close(&t);
    inception_model_options with;
    inception_model_options_default(&with);
    with.layer = INCEPTION_FEATURES;
    inception_model *model = inception_model_open(path_of("end"), &with, NULL);
    inception_session *session = inception_session_open(model, PHOTOS, NULL);
    float logits[PHOTOS * CLASSES], again[PHOTOS * CLASSES];
    assert_int_equal(inception_session_run(session, inputs, PHOTOS, logits, NULL, NULL), INCEPTION_OK);
    const size_t values = (size_t)inception_model_get_info(model)->layer->channels;
    float *features = calloc(PHOTOS * values, sizeof *features);
    int classes[PHOTOS];
    size_t right[INCEPTION_PARTS] = {0};
    for (int n = 0; n < PHOTOS; n++) {
        inception_session_layer(session, n, features + (size_t)n * values, NULL);
        classes[n] = n % CLASSES;
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (logits[n * CLASSES + c] > logits[n * CLASSES + best]) best = c;
        right[parts[n]] += best == classes[n];
    }
    inception_examples e = {.count = PHOTOS, .values = values, .class_count = CLASSES, .features = features,
                            .classes = classes, .parts = parts};
    inception_head *head = inception_head_open(path_of("end"), NULL, &e, NULL);
    assert_non_null(head);
    const inception_head_info *info = inception_head_get_info(head);
    assert_memory_equal(info->right, right, sizeof right);
    assert_true(info->photos[0] == 3 && info->photos[2] == 3 && info->penalty == 0 && info->temperature > 0);
    inception_head_logits(head, features, PHOTOS, again, NULL);
    for (int i = 0; i < PHOTOS * CLASSES; i++) assert_true(fabsf(logits[i] - again[i]) <= 1e-5f * (1 + fabsf(logits[i])));
    e.class_count = CLASSES - 1, classes[2] = classes[5] = 0;
    assert_null(inception_head_open(path_of("end"), NULL, &e, NULL));
    inception_head_close(&head);
    inception_session_close(&session);
    inception_model_close(&model);
    free(features);
}

/* ---- going on ---- */

/* Three steps at once, or one, and two in another process: the same file, with every optimiser. */
static void resuming(void **state)
{
    (void)state;
    for (int rule = INCEPTION_RMSPROP; rule <= INCEPTION_ADAM; rule++) {
        inception_training_options o = small();
        o.optimiser = (inception_optimiser)rule, o.average_decay = 0.9, o.keep = 0.8;
        inception_training *t = open_small(&o);
        for (int i = 0; i < 3; i++) step(t, 0.01);
        save(t, "whole");
        inception_training_close(&t);
        t = open_small(&o);
        step(t, 0.01);
        save(t, "part");
        inception_training_close(&t);
        o.seed = 7, o.model.threads = 1;
        t = open_small(&o);
        assert_int_equal(inception_training_resume(t, path_of("part"), NULL), INCEPTION_OK);
        assert_int_equal(inception_training_steps(t), 1);
        for (int i = 0; i < 2; i++) step(t, 0.01);
        save(t, "again");
        inception_training_close(&t);
        assert_true(same_files("whole", "again"));
    }
}

/* From weights, a scope only: the layers before it stay as they are, batch norm's statistics too. */
static void scopes(void **state)
{
    (void)state;
    static const char *const last[] = {"Mixed_5c/"};
    inception_training_options o = small();
    inception_training *t = open_small(&o);
    step(t, 0.05);
    save(t, "start");
    inception_training_close(&t);
    o.scopes = last, o.scope_count = 1, o.batch_statistics = false;
    t = inception_training_open(path_of("start"), &o, NULL);
    assert_non_null(t);
    for (int i = 0; i < 3; i++) step(t, 0.05);
    save(t, "end");
    inception_training_close(&t);
    inception_weights *a = inception_weights_open(path_of("start"), NULL), *b = inception_weights_open(path_of("end"), NULL);
    size_t changed = 0;
    for (size_t i = 0; i < inception_weights_count(b); i++) {
        const inception_tensor *after = inception_weights_tensor(b, i), *before = inception_weights_find(a, after->name);
        if (strstr(after->name, "/Momentum")) continue;
        bool moved = memcmp(before->data, after->data, after->count * sizeof(float)) != 0;
        bool may = strstr(after->name, "/Mixed_5c/") || strstr(after->name, "/Logits/");
        assert_true(!moved || (may && !strstr(after->name, "moving_")));
        changed += moved;
    }
    assert_true(changed >= 14); /* seven convolutions and their betas but those a ReLU holds, and the classifier */
    inception_weights_close(&a);
    inception_weights_close(&b);
}

/* ---- what is refused ---- */

static void refuses(const inception_training_options *o, const char *path, const char *what)
{
    inception_error error = {0};
    inception_training *t = inception_training_open(path, o, &error);
    assert_null(t);
    if (!strstr(error.message, what)) fail_msg("'%s' is not in: %s", what, error.message);
}

static void refused(void **state)
{
    (void)state;
    static const char *const nowhere[] = {"Mixed_9z"};
    inception_training_options o = small();
    o.batch = 0, refuses(&o, NULL, "batch: 0 is not 1 to 65536");
    o = small(), o.keep = 0, refuses(&o, NULL, "keep: 0");
    o = small(), o.epsilon = NAN, refuses(&o, NULL, "epsilon");
    o = small(), o.class_count = 1, refuses(&o, NULL, "labels");
    o = small(), o.model.network = "v9", refuses(&o, NULL, "no network is called 'v9'");
    o = small(), o.model.network = NULL, refuses(&o, NULL, "no network is called ''");
    o = small(), o.model.network = "v1", refuses(&o, NULL, "inception_v1 has no depth multiplier");
    o = small(), o.model.width = o.model.height = 4096, refuses(&o, NULL, "a map of");
    o = small(), o.optimiser = INCEPTION_ADAM, o.beta1 = 1, refuses(&o, NULL, "beta1: 1 is not 0 to");
    o = small(), o.model.final_layer = "Mixed_5b", refuses(&o, NULL, "final_layer");
    static const char *const nothing[] = {NULL};
    o = small(), o.scopes = nothing, o.scope_count = 1, refuses(&o, NULL, "scopes: number 0 is NULL");
    o = small(), o.scopes = nowhere, o.scope_count = 1;
    refuses(&o, NULL, "no variable of inception_v2 begins with 'Mixed_9z'");
    refuses(&o, path_of("absent"), "absent");

    inception_error error = {0};
    o = small();
    inception_training *t = open_small(&o);
    targets[0] = INFINITY;
    assert_int_equal(inception_training_step(t, inputs, targets, NULL, 0.1, NULL, &error), INCEPTION_DATA);
    targets[0] = 1;
    assert_non_null(strstr(error.message, "step 1: the loss is not finite"));
    assert_int_equal(inception_training_step(t, inputs, targets, NULL, NAN, NULL, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_training_step(NULL, inputs, targets, NULL, 0.1, NULL, NULL), INCEPTION_INVALID);
    save(t, "momentum");
    inception_training_close(&t);
    o.optimiser = INCEPTION_ADAM;
    t = open_small(&o);
    save(t, "start");
    assert_int_equal(inception_training_resume(t, path_of("momentum"), NULL), INCEPTION_MISMATCH);
    save(t, "end"); /* which changed nothing */
    assert_true(same_files("start", "end"));
    error = (inception_error){0};
    assert_int_equal(inception_training_resume(t, path_of("absent"), &error), INCEPTION_NOT_FOUND);
    assert_true(error.status != INCEPTION_OK);
    inception_training_close(&t);
    inception_training_close(&t);
}

static int begin(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int i = 0; i < INPUTS; i++) inputs[i] = (float)(2 * inc_random_uniform(&random) - 1);
    for (int n = 0; n < PHOTOS; n++) targets[n * CLASSES + n % CLASSES] = 1;
    return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    static const char *const names[] = {"0", "1", "a", "done", "whole", "part", "again", "start", "end", "momentum"};
    for (size_t i = 0; i < INC_COUNT(names); i++) unlink(path_of(names[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_values), cmocka_unit_test(rates),    cmocka_unit_test(learns), cmocka_unit_test(accumulation),
        cmocka_unit_test(nothing_to_answer),
        cmocka_unit_test(averages),     cmocka_unit_test(told_of_the_layer),
        cmocka_unit_test(resuming),     cmocka_unit_test(scopes),   cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
