/* A new output layer: the minimum of the loss, the temperature, what is none of the classes, the file. */
#include "../formula.h"

#include "../../src/head/head.h"

#include <stdio.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static double random_number(void) /* -1 ... 1 */
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 40) / 8388608.0 - 1;
}

/* ---- The arithmetic ---- */

static void products(void **state)
{
    (void)state;
    enum { M = 37, N = 5, K = 70 };
    float a[M * K], b[K * N], c[M * N];
    for (int i = 0; i < M * K; i++) a[i] = (float)random_number();
    for (int i = 0; i < K * N; i++) b[i] = (float)random_number();
    for (int way = 0; way < 4; way++) {
        inc_product p = {M, N, K, a, b, way & 1, way & 2, c};
        assert_int_equal(inc_multiply(&p, NULL), INCEPTION_OK);
        for (int m = 0; m < M; m++)
            for (int n = 0; n < N; n++) {
                double sum = 0;
                for (int k = 0; k < K; k++)
                    sum += (double)a[way & 1 ? k * M + m : m * K + k] * b[way & 2 ? n * K + k : k * N + n];
                assert_true(fabs(c[m * N + n] - sum) < 1e-5); /* 70 products of at most 1, in single precision */
            }
    }
}

/* Rosenbrock's valley in several pairs; its lowest place is (1, 1), at 0. */
static inception_status valley(void *context, const double *x, double *value, double *gradient, inception_error *error)
{
    (void)context, (void)error;
    *value = 0;
    for (int i = 0; i < 6; i += 2) {
        double down = x[i + 1] - x[i] * x[i], along = 1 - x[i];
        *value += 100 * down * down + along * along;
        gradient[i] = -400 * down * x[i] - 2 * along;
        gradient[i + 1] = 200 * down;
    }
    return INCEPTION_OK;
}

static void lowest_place(void **state)
{
    (void)state;
    double x[6] = {-1.2, 1, 0, 0, 3, -2};
    assert_int_equal(inc_minimise(valley, NULL, 6, x, 1e-9, 1000, NULL), INCEPTION_OK);
    for (int i = 0; i < 6; i++) assert_true(fabs(x[i] - 1) < 1e-7);
}

enum { PHOTOS = 240, VALUES = 19, CLASSES = 4 };

static float features[PHOTOS * VALUES];
static int classes[PHOTOS];
static inception_part parts[PHOTOS];
static bool labels_of[PHOTOS * CLASSES];
static const double class_weights[CLASSES] = {1, 3, 0.5, 2};
static const inception_examples examples = {.count = PHOTOS, .values = VALUES, .class_count = CLASSES, .features = features,
                                            .classes = classes, .parts = parts};
static const inception_examples several = {.count = PHOTOS, .values = VALUES, .class_count = CLASSES, .features = features,
                                           .labels = labels_of, .parts = parts};

/* Overlapping clouds, the classes of unlike sizes; values far from 0 and of unlike sizes. Labels: that of the class and, of
 * some photos, the next one or none. */
static void make_clouds(void)
{
    for (int i = 0; i < PHOTOS; i++) {
        classes[i] = i % 10 < 4 ? 0 : i % 10 < 7 ? 1 : i % 10 < 9 ? 2 : 3;
        parts[i] = i / 10 % 4 == 3 ? INCEPTION_VALIDATION : i / 10 % 4 == 2 ? INCEPTION_TEST : INCEPTION_TRAIN;
        for (int v = 0; v < VALUES; v++)
            features[i * VALUES + v] = (float)(5 + (1 + v % 3) * (random_number() + (v % CLASSES == classes[i] ? 0.5 : 0)));
        for (int c = 0; c < CLASSES; c++)
            labels_of[i * CLASSES + c] = i % 7 && (c == classes[i] || (i % 3 == 0 && c == (classes[i] + 1) % CLASSES));
    }
}

/* The gradient of the loss by its definition, in double, is 0 at the weights that were found. Nearly: a step down wins about
 * the square of the gradient, and logits in single precision tell the loss to 1e-8 only. */
#define NEARLY_0 1e-4

static void optimum(const inception_examples *e)
{
    /* Scaled as the training photos are; learnt from those of validation, too. */
    double mean[VALUES] = {0}, squares = 0, gradient[VALUES + 1][CLASSES] = {{0}}, totals[CLASSES] = {0};
    int trained = 0;
    inception_error error = {0};
    inception_head *head = inception_head_train(e, &error);
    assert_non_null(head);
    for (int i = 0; i < PHOTOS; i++) trained += !parts[i];
    for (int i = 0; i < PHOTOS; i++)
        for (int v = 0; v < VALUES && !parts[i]; v++) mean[v] += (double)features[i * VALUES + v] / trained;
    for (int i = 0; i < PHOTOS; i++)
        for (int v = 0; v < VALUES && !parts[i]; v++)
            squares += pow((double)features[i * VALUES + v] - mean[v], 2) / trained;
    for (int i = 0; i < PHOTOS; i++) {
        double z[CLASSES], sum = 0;
        if (parts[i] == INCEPTION_TEST) continue;
        for (int c = 0; c < CLASSES; c++) {
            z[c] = head->biases[c];
            for (int v = 0; v < VALUES; v++) z[c] += (double)features[i * VALUES + v] * head->weights[v * CLASSES + c];
            sum += exp(z[c]);
        }
        for (int c = 0; c < CLASSES; c++) {
            bool shown = e->labels ? e->labels[i * CLASSES + c] : c == classes[i];
            int whose = e->labels ? c : classes[i];
            double weight = e->class_weights && (shown || !e->labels) ? e->class_weights[whose] : 1;
            double off = weight * ((e->labels ? 1 / (1 + exp(-z[c])) : exp(z[c]) / sum) - shown);
            totals[c] += weight;
            for (int v = 0; v < VALUES; v++)
                gradient[v][c] += off * ((double)features[i * VALUES + v] - mean[v]) / sqrt(squares);
            gradient[VALUES][c] += off;
        }
    }
    for (int c = 0; c < CLASSES; c++)
        for (int v = 0; v <= VALUES; v++) {
            double scaled = v < VALUES ? head->weights[v * CLASSES + c] * sqrt(squares) : 0;
            assert_true(fabs(gradient[v][c] / totals[c] + head->info.penalty * scaled) < NEARLY_0);
        }
    inception_head_close(&head);
}

static void lowest_loss(void **state)
{
    (void)state;
    inception_examples weighted = examples, weighted_labels = several;
    make_clouds();
    optimum(&examples);
    optimum(&several);
    weighted.class_weights = weighted_labels.class_weights = class_weights;
    optimum(&weighted);
    optimum(&weighted_labels);
}

/* Where photos are all alike, the best answer is how frequent each class is, as often as its photos count; of a label the
 * odds, which 4 photos in 10 have, or 3, 2, 1. */
static void nothing_to_see(void **state)
{
    (void)state;
    float logits[CLASSES];
    make_clouds();
    for (int i = 0; i < PHOTOS * VALUES; i++) features[i] = 2.5f;
    for (int i = 0; i < PHOTOS * CLASSES; i++) labels_of[i] = i % CLASSES == classes[i / CLASSES];
    const double wanted[CLASSES] = {.4, .3, .2, .1};
    for (int way = 0; way < 4; way++) {
        inception_examples e = way & 2 ? several : examples;
        e.class_weights = way & 1 ? class_weights : NULL;
        inception_head *head = inception_head_train(&e, NULL);
        assert_int_equal(inception_head_logits(head, features, 1, logits, NULL), INCEPTION_OK);
        for (int c = 0; c < CLASSES; c++) {
            double own = log(wanted[c] * (way & 1 ? class_weights[c] : 1)), first = log(wanted[0]);
            double off = way & 2 ? logits[c] - (own - log(1 - wanted[c])) : logits[c] - logits[0] - (own - first);
            assert_true(fabs(off) < 1e-4);
        }
        inception_head_close(&head);
    }
}

static void same_bits(void **state)
{
    (void)state;
    make_clouds();
    inception_head *a = inception_head_train(&examples, NULL), *b = inception_head_train(&examples, NULL);
    assert_memory_equal(a->weights, b->weights, VALUES * CLASSES * sizeof(float));
    assert_memory_equal(&a->info, &b->info, sizeof a->info);
    assert_int_equal(a->info.photos[INCEPTION_TRAIN], 120);
    assert_int_equal(a->info.photos[INCEPTION_VALIDATION], 60);
    assert_int_equal(a->info.photos[INCEPTION_TEST], 60);
    inception_head_close(&a);
    inception_head_close(&b);
}

/* Logits of 0 and 3, of which r in n are right. The loss of a photo with z = 3 / T is p ln(1 + e^-z) + (1 - p) ln(1 + e^z),
 * p the share of right ones after Platt; its slope in ln T, with that of 10 / 2n (ln T)^2, is 0 at the minimum. */
static void temperatures(void **state)
{
    (void)state;
    enum { N = 50 };
    float logits[N][2], single[N];
    bool shown[N][2], has[N];
    const inc_answers answers = {N, 2, logits[0], shown[0]}, labels = {N, 1, single, has};
    for (int r = 30; r <= N; r += 5) {
        for (int i = 0; i < N; i++) logits[i][0] = 0, logits[i][1] = 3, shown[i][0] = i >= r, shown[i][1] = i < r;
        for (int i = 0; i < N; i++) single[i] = i % 2 ? 3 : -3, has[i] = (i < r) == i % 2; /* a label: the same choice */
        assert_true(fabs(inc_temperature(&labels, INCEPTION_SIGMOID) - inc_temperature(&answers, INCEPTION_SOFTMAX)) < 1e-9);
        double t = inc_temperature(&answers, INCEPTION_SOFTMAX), part = ((double)r * (N + 1) + (N - r)) / (N * (N + 2.0));
        double slope = -3 / t * (1 / (1 + exp(-3 / t)) - part) + 10.0 / N * log(t);
        assert_true(fabs(slope) < 1e-6);
    }
    float few[2][2] = {{0, 5}, {5, 0}}; /* one right, one wrong */
    double t = inc_temperature(&(inc_answers){2, 2, few[0], (bool[]){0, 1, 0, 1}}, INCEPTION_SOFTMAX);
    assert_true(t > 1 && t < 3);
}

/* Where validation is to choose once more its photos are not learnt: what is told of them is what the layer says. */
static void training_only(void **state)
{
    (void)state;
    make_clouds();
    inception_examples e = examples;
    inception_head *both = inception_head_train(&e, NULL);
    e.training_only = true;
    inception_head *one = inception_head_train(&e, NULL);
    assert_true(both && one && one->info.penalty == both->info.penalty);
    assert_memory_not_equal(one->weights, both->weights, one->values * CLASSES * sizeof(float));
    float *logits = calloc(e.count * CLASSES, sizeof *logits);
    assert_int_equal(inception_head_logits(one, e.features, e.count, logits, NULL), INCEPTION_OK);
    size_t right = 0;
    for (size_t i = 0; i < e.count; i++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (logits[i * CLASSES + (size_t)c] > logits[i * CLASSES + (size_t)best]) best = c;
        right += e.parts[i] == INCEPTION_VALIDATION && best == e.classes[i];
    }
    assert_int_equal(right, one->info.right[INCEPTION_VALIDATION]);
    free(logits);
    inception_head_close(&one);
    inception_head_close(&both);
}

/* ---- What is none of the classes ---- */

/* Two classes along two axes, features 3 or 4 long, each photo turned by a number of degrees; means are 0 and 90 degrees,
 * for training photos come in pairs that are turned both ways. */
static void likeness(void **state)
{
    (void)state;
    enum { N = 60 };
    float x[N][2], means[4] = {0};
    int class[N];
    inception_part part[N];
    inception_head_info info = {0};
    for (int i = 0; i < N; i++) {
        int number = i / 2 % 20;
        part[i] = i < 20 ? INCEPTION_TRAIN : INCEPTION_VALIDATION, class[i] = i % 4 / 2;
        double turn = (i % 2 ? -1 : 1) * (i < 20 ? 10 : number + 1) + 90 * class[i], length = class[i] ? 3 : 4;
        x[i][0] = (float)(length * cos(turn * acos(-1) / 180)), x[i][1] = (float)(length * sin(turn * acos(-1) / 180));
    }
    const inception_examples e = {.count = N, .values = 2, .class_count = 2, .features = x[0], .classes = class,
                                  .parts = part};
    assert_int_equal(inc_learn_known(&e, means, &info, NULL), INCEPTION_OK);
    for (int i = 0; i < 4; i++) assert_true(fabsf(means[i] - (float)(i % 3 == 0)) < 1e-6f);
    assert_true(fabs(info.unknown_threshold - cos(19 * acos(-1) / 180)) < 1e-6); /* of 40 the third: 20, 20, 19 degrees */
    assert_true(info.known[INCEPTION_TRAIN] == 20 && info.known[INCEPTION_VALIDATION] == 38 && !info.known[INCEPTION_TEST]);
    static const struct { float x[2]; double cosine, product; } points[] = {
        {{-5, 0}, 0, 0}, {{-1, -1}, -0.70710678, -1}, {{3, 4}, 0.8, 4}, {{0, 0}, 0, 0},
    };
    for (size_t i = 0; i < INC_COUNT(points); i++) {
        assert_true(fabs(inc_likeness(INCEPTION_UNKNOWN_COSINE, points[i].x, means, 2, 2) - points[i].cosine) < 1e-6);
        assert_true(fabs(inc_likeness(INCEPTION_UNKNOWN_PRODUCT, points[i].x, means, 2, 2) - points[i].product) < 1e-6);
    }
}

/* Others that point as the classes do, but are short: cosines cannot tell them, products can. Others that point away
 * and are long: cosines tell them all, products not all. */
static void chosen_score(void **state)
{
    (void)state;
    enum { N = 80 };
    float x[N][2];
    int class[N];
    inception_part part[N];
    for (int i = 0; i < N; i++) { /* of each four: two classes, and two others */
        const double turn = (i % 2 * 90 + (i / 4 % 5 - 2) * 4) * acos(-1) / 180;
        part[i] = i < N / 2 ? INCEPTION_TRAIN : i < N * 3 / 4 ? INCEPTION_VALIDATION : INCEPTION_TEST;
        class[i] = i % 4 < 2 ? i % 2 : -1;
        const double length = class[i] < 0 ? 0.5 : 3 + i / 4 % 3;
        x[i][0] = (float)(length * cos(turn)), x[i][1] = (float)(length * sin(turn));
    }
    inception_examples e = {.count = N, .values = 2, .class_count = 2, .features = x[0], .classes = class, .parts = part};
    inception_head *head = inception_head_train(&e, NULL);
    assert_non_null(head);
    const inception_head_info *info = &head->info;
    assert_int_equal(info->unknown_score, INCEPTION_UNKNOWN_PRODUCT);
    assert_true(info->others[INCEPTION_TEST] == 10 && info->turned_away[INCEPTION_TEST] == 10);
    assert_true(info->photos[INCEPTION_TEST] == 10 && info->known[INCEPTION_TEST] == 6); /* 4 are shorter */

    inception_examples without = e; /* the layer is that of the classes' photos */
    float kept[N][2];
    int kept_class[N];
    inception_part kept_part[N];
    without.count = 0, without.features = kept[0], without.classes = kept_class, without.parts = kept_part;
    for (int i = 0; i < N; i++) {
        if (class[i] < 0) continue;
        memcpy(kept[without.count], x[i], sizeof x[i]);
        kept_class[without.count] = class[i], kept_part[without.count++] = part[i];
    }
    inception_head *plain = inception_head_train(&without, NULL);
    assert_non_null(plain);
    assert_memory_equal(head->weights, plain->weights, 4 * sizeof(float));
    assert_memory_equal(head->biases, plain->biases, 2 * sizeof(float));
    inception_head_close(&head);
    inception_head_close(&plain);

    for (int i = 0; i < N; i++) /* now they point away from both, far out */
        if (class[i] < 0) x[i][0] = i % 2 ? 40 : -4, x[i][1] = i % 2 ? -30 : 3;
    head = inception_head_train(&e, NULL);
    assert_non_null(head);
    assert_int_equal(head->info.unknown_score, INCEPTION_UNKNOWN_COSINE);
    assert_int_equal(head->info.turned_away[INCEPTION_TEST], 10);
    inception_head_close(&head);
}

/* ---- The file ---- */

static char folder[] = "/tmp/inception-head-XXXXXX", source[64], taught[64], again[64];
static const char *const labels[CLASSES] = {"rose", "tulip", "\xc3\xa4hre", "a, \"b\""};

/* A head for the features of a small network, a quarter as wide as the published one. */
static inception_head *make_head(size_t values, bool labelled)
{
    float *x = calloc(PHOTOS * values, sizeof *x);
    make_clouds();
    for (size_t i = 0; i < PHOTOS * values; i++) x[i] = (float)random_number() + (float)classes[i / values] * (i % 7 == 0);
    inception_examples e = labelled ? several : examples;
    e.values = values, e.features = x;
    inception_head *head = inception_head_train(&e, NULL);
    assert_non_null(head);
    free(x);
    return head;
}

/* Whether the features are unknown, by the definition. */
static bool unknown_by_hand(const inception_head *head, const float *x)
{
    double most = -INFINITY, length = 0;
    for (size_t v = 0; v < head->values; v++) length += (double)x[v] * (double)x[v];
    for (int c = 0; c < CLASSES; c++) {
        double product = 0;
        const float *mean = head->means + (size_t)c * head->values;
        for (size_t v = 0; v < head->values; v++) product += (double)x[v] * (double)mean[v];
        most = fmax(most, head->info.unknown_score == INCEPTION_UNKNOWN_PRODUCT ? product : product / sqrt(length));
    }
    return most < head->info.unknown_threshold;
}

static void check_answers(const inception_head *head, const char *cache)
{
    float x[256], wanted[CLASSES], logits[CLASSES], probabilities[CLASSES], *input = calloc(224 * 224 * 3, sizeof *input);
    double sum = 0;
    inception_error error = {0};
    inception_model_options options;
    inception_model_options_default(&options);
    options.layer = INCEPTION_FEATURES, options.cache = cache;
    for (size_t i = 0; i < 224 * 224 * 3; i++) input[i] = (float)random_number();
    inception_model *model = inception_model_open(taught, &options, &error);
    if (!model) print_message("%s\n", error.message);
    assert_non_null(model);
    const inception_model_info *info = inception_model_get_info(model);
    assert_int_equal(info->classes, CLASSES);
    assert_true(fabs(info->temperature / head->info.temperature - 1) < 1e-8);
    assert_true(info->unknown_threshold == head->info.unknown_threshold);
    assert_int_equal(info->unknown_score, head->info.unknown_score);
    assert_int_equal(info->activation, head->activation);
    for (int c = 0; c < CLASSES; c++) assert_string_equal(inception_model_label(model, c), labels[c]);
    inception_session *session = inception_session_open(model, 1, &error);
    assert_int_equal(inception_session_run(session, input, 1, logits, probabilities, &error), INCEPTION_OK);
    assert_int_equal(inception_session_layer(session, 0, x, &error), INCEPTION_OK);
    assert_int_equal(inception_head_logits(head, x, 1, wanted, NULL), INCEPTION_OK);
    assert_int_equal(inception_session_unknown(session, 0), unknown_by_hand(head, x));
    assert_false(inception_session_unknown(session, 1) || inception_session_unknown(session, -1));
    for (int c = 0; c < CLASSES; c++) sum += exp(logits[c] / head->info.temperature);
    for (int c = 0; c < CLASSES; c++) {
        assert_true(fabsf(logits[c] - wanted[c]) < 1e-4f * (1 + fabsf(wanted[c])));
        double power = exp(logits[c] / head->info.temperature);
        double own = head->activation == INCEPTION_SIGMOID ? power / (1 + power) : power / sum;
        assert_true(fabs(probabilities[c] - own) < 1e-6);
    }
    inception_session_close(&session);
    inception_model_close(&model);
    free(input);
}

static void written(void **state)
{
    (void)state;
    inc_shape shape = inc_shape_default(inception_network_find("v2"));
    shape.depth_multiplier = 0.25, shape.classes = 7;
    assert_true(formula_write(shape, source, NULL));
    inception_head *head = make_head(256, false), *wrong = make_head(255, false), *labelled = make_head(256, true);
    inception_error error = {0};
    const inception_text texts[] = {{"seed", "12"}, {"network", "not to be believed"}};
    assert_int_equal(inception_head_write(wrong, source, NULL, taught, labels, NULL, 0, &error), INCEPTION_MISMATCH);
    assert_non_null(strstr(error.message, "reads 256 values, not 255"));
    assert_int_equal(access(taught, F_OK), -1);
    error = (inception_error){0};
    assert_int_equal(inception_head_write(head, source, NULL, taught, labels, texts, 2, &error), INCEPTION_OK);
    inception_weights *before = inception_weights_open(source, NULL), *after = inception_weights_open(taught, NULL);
    assert_int_equal(inception_weights_count(before) + 1, inception_weights_count(after)); /* class_means */
    for (size_t i = 0; i < inception_weights_count(before); i++) {
        const inception_tensor *a = inception_weights_tensor(before, i), *b = inception_weights_find(after, a->name);
        assert_non_null(b);
        if (strstr(a->name, "/Logits/")) assert_int_equal(b->dims[b->rank - 1], CLASSES);
        else assert_memory_equal(a->data, b->data, a->count * sizeof(float));
    }
    assert_string_equal(inc_weights_metadata(after, "seed"), "12");
    assert_string_equal(inc_weights_metadata(after, "network"), "inception_v2");
    assert_null(inc_weights_metadata(after, "activation"));
    inception_weights_close(&before);
    inception_weights_close(&after);
    for (int i = 0; i < 3; i++) check_answers(head, i ? folder : NULL); /* the last time from a pack */
    for (double threshold = -1; threshold <= 1; threshold += 2) { /* all is known; nothing is */
        head->info.unknown_threshold = threshold;
        assert_int_equal(inception_head_write(head, source, NULL, taught, labels, texts, 2, &error), INCEPTION_OK);
        assert_int_equal(unknown_by_hand(head, (const float[256]){1}), threshold > 0);
        for (int i = 0; i < 2; i++) check_answers(head, folder);
    }
    head->info.unknown_score = INCEPTION_UNKNOWN_PRODUCT;
    static const double thresholds[] = {-1e5, 1.5, 1e5}; /* the second is above all cosines */
    for (size_t t = 0; t < INC_COUNT(thresholds); t++) {
        head->info.unknown_threshold = thresholds[t];
        assert_int_equal(inception_head_write(head, source, NULL, taught, labels, texts, 2, &error), INCEPTION_OK);
        assert_int_equal(unknown_by_hand(head, (const float[256]){1}), thresholds[t] > 0);
        for (int i = 0; i < 2; i++) check_answers(head, folder);
    }
    assert_int_equal(inception_head_write(labelled, source, NULL, taught, labels, NULL, 0, &error), INCEPTION_OK);
    for (int i = 0; i < 3; i++) check_answers(labelled, i ? folder : NULL);
    /* What is made of it says so, too, unless it is taught something else. */
    assert_int_equal(inception_convert(taught, again, INCEPTION_FORMAT_MODEL_FILE, NULL, &error), INCEPTION_OK);
    assert_int_equal(rename(again, taught), 0);
    check_answers(labelled, NULL);
    assert_int_equal(inception_head_write(head, taught, NULL, again, labels, NULL, 0, &error), INCEPTION_OK);
    assert_int_equal(rename(again, taught), 0);
    check_answers(head, NULL);
    inception_head_close(&labelled);
    inception_head_close(&wrong);
    inception_head_close(&head);
}

/* Model files that tell of a threshold what cannot be. */
static void bad_thresholds(void **state)
{
    (void)state;
    static const struct {
        const char *threshold, *score, *tensor, *said;
        int64_t rows, columns;
    } files[] = {
        {"nan", "cosine", INC_CLASS_MEANS, "an unknown_threshold of 'nan' is not -1 to 1", 7, 256},
        {"1.5", "cosine", INC_CLASS_MEANS, "an unknown_threshold of '1.5' is not -1 to 1", 7, 256},
        {"", "cosine", INC_CLASS_MEANS, "an unknown_threshold of '' is not -1 to 1", 7, 256},
        {"0.5", "logit", INC_CLASS_MEANS, "its unknown_threshold is of 'logit', not of 'cosine' or 'product'", 7, 256},
        {"1e999", "product", INC_CLASS_MEANS, "an unknown_threshold of '1e999' is not a finite number", 7, 256},
        {"0.5", "cosine", "other", "no tensor class_means of a row for each of 7 classes", 7, 256},
        {"0.5", "cosine", INC_CLASS_MEANS, "no tensor class_means of a row for each of 7 classes", 6, 256},
        {"0.5", "cosine", INC_CLASS_MEANS, "class_means of 255 values, not of the 256 before the classifier", 7, 255},
    };
    inception_weights *weights = inc_weights_open(source, NULL);
    static float means[7 * 256];
    assert_non_null(weights);
    inception_tensor *tensors = calloc(weights->count + 1, sizeof *tensors);
    memcpy(tensors, weights->tensors, weights->count * sizeof *tensors);
    for (size_t i = 0; i <= INC_COUNT(files); i++) {
        inception_error error = {0};
        const size_t f = i % INC_COUNT(files);
        tensors[weights->count] = (inception_tensor){files[f].tensor, INCEPTION_F32, 2, {files[f].rows, files[f].columns},
                                                     (uint64_t)(files[f].rows * files[f].columns), means};
        means[3] = i == INC_COUNT(files) ? NAN : 0;
        const inc_metadata texts[] = {{"unknown_threshold", i < INC_COUNT(files) ? files[f].threshold : "0.5"},
                                      {"unknown_score", files[f].score}};
        assert_int_equal(inc_safetensors_write(taught, tensors, weights->count + 1, texts, 2, NULL), INCEPTION_OK);
        assert_null(inception_model_open(taught, NULL, &error));
        const char *said = i < INC_COUNT(files) ? files[f].said : "values are not finite: class_means";
        if (!strstr(error.message, said)) fail_msg("%s", error.message);
    }
    free(tensors);
    inc_weights_close(weights);
}

static void misuse(void **state)
{
    (void)state;
    inception_error error = {0};
    inception_examples e = examples;
    make_clouds();
    e.class_count = CLASSES + 1;
    assert_null(inception_head_train(&e, &error));
    assert_string_equal(error.message, "class 4 has no example to learn from");
    e.class_count = CLASSES - 1, error = (inception_error){0};
    assert_null(inception_head_train(&e, &error));
    assert_non_null(strstr(error.message, "not one of the classes"));
    features[17] = NAN, error = (inception_error){0};
    assert_null(inception_head_train(&examples, &error));
    assert_string_equal(error.message, "example 0 has a feature that is not finite");
    assert_null(inception_head_train(NULL, NULL));
    assert_int_equal(inception_head_logits(NULL, features, 1, features, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_head_write(NULL, source, NULL, taught, labels, NULL, 0, NULL), INCEPTION_INVALID);
    make_clouds();
    const double bad_weights[CLASSES] = {1, 0, 1, 1};
    e = several, e.class_weights = bad_weights, error = (inception_error){0};
    assert_null(inception_head_train(&e, &error));
    assert_string_equal(error.message, "label 1 has a weight of 0, which is not 1e-9 to 1e9");
    e = several, e.classes = classes, error = (inception_error){0};
    assert_null(inception_head_train(&e, &error));
    assert_non_null(strstr(error.message, "classes and labels"));
    for (int i = 0; i < PHOTOS; i++) labels_of[i * CLASSES + 2] = parts[i] != INCEPTION_TRAIN;
    error = (inception_error){0};
    assert_null(inception_head_train(&several, &error));
    assert_string_equal(error.message, "label 2 has no example to learn from");
    for (int i = 0; i < PHOTOS; i++) labels_of[i * CLASSES + 2] = parts[i] == INCEPTION_TRAIN;
    error = (inception_error){0};
    assert_null(inception_head_train(&several, &error));
    assert_string_equal(error.message, "every example to learn from has label 2");
    assert_int_equal(inception_split_labels((const char *[]){"a"}, labels_of, 1, 0, 0, parts, NULL), INCEPTION_INVALID);
    int class = 3;
    assert_int_equal(inception_split((const char *[]){"a"}, &class, 1, 3, 0, parts, NULL), INCEPTION_INVALID);
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return 1;
    snprintf(source, sizeof source, "%s/source.safetensors", folder);
    snprintf(taught, sizeof taught, "%s/taught.safetensors", folder);
    snprintf(again, sizeof again, "%s/again.safetensors", folder);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products), cmocka_unit_test(lowest_place), cmocka_unit_test(lowest_loss),
        cmocka_unit_test(nothing_to_see), cmocka_unit_test(same_bits), cmocka_unit_test(temperatures),
        cmocka_unit_test(training_only),
        cmocka_unit_test(likeness), cmocka_unit_test(chosen_score), cmocka_unit_test(written),
        cmocka_unit_test(bad_thresholds), cmocka_unit_test(misuse),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
