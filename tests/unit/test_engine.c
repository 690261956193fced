/* The engine against plain loops (reference.c), with and without the rewrites: single operators of random and extreme
 * shapes, the small patterns that rewrites look for, and all six networks against themselves.
 *
 * Tolerance: float32 sums of K products in another order differ by at most about K * 2^-24 of the sum of magnitudes,
 * K < 2000 here; 2e-5 of the largest output leaves a factor of ten where magnitudes cancel. A ReLU may leave nothing of
 * a small output: what goes in is of the order of 1, so below 0.01 the differences are measured against that. */
#include "../../src/engine/engine.h"
#include "../formula.h"
#include "../reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TOLERANCE 2e-5

static uint64_t seed = 42;

static int random_to(int limit) /* 0 ... limit - 1 */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (uint64_t)limit);
}

static int pick(const int *from, size_t count)
{
    return from[random_to((int)count)];
}

/* A graph under construction. */
typedef struct net {
    inc_graph graph;
    uint32_t at;
    int variables;
} net;

static net begin(int height, int width, int channels)
{
    net n = {0};
    n.at = n.graph.input = inc_graph_activation(&n.graph, "input", height, width, channels, NULL);
    return n;
}

static uint32_t variable(net *n, const char *kind, int rank, const int64_t *dims)
{
    char name[64];
    snprintf(name, sizeof name, "%d/%s", n->variables++, kind);
    return inc_graph_variable(&n->graph, name, rank, dims, NULL);
}

static bool push(net *n, inc_node node, inc_padding padding, int64_t channels)
{
    const int64_t *d = n->graph.values[n->at].dims;
    int64_t h = d[1], w = d[2];
    if (node.window.stride && !inc_window_set(&node.window, padding, d[1], d[2], &h, &w)) return false;
    if (!node.input_count) node.inputs[node.input_count++] = n->at;
    n->at = node.output = inc_graph_activation(&n->graph, "", h, w, channels, NULL);
    return inc_graph_add(&n->graph, &node, NULL) == INCEPTION_OK;
}

static bool conv(net *n, int kh, int kw, int stride, inc_padding padding, int64_t out, bool bias)
{
    int64_t in = n->graph.values[n->at].dims[3];
    inc_node node = {.op = INC_OP_CONV, .window = {.kernel_h = kh, .kernel_w = kw, .stride = stride}};
    node.conv.scale = node.conv.residual = INC_NONE;
    node.conv.weights = variable(n, "weights", 4, (int64_t[]){kh, kw, in, out});
    node.conv.bias = bias ? variable(n, "biases", 1, &out) : INC_NONE;
    return push(n, node, padding, out);
}

static void norm_relu(net *n, bool gamma)
{
    int64_t c = n->graph.values[n->at].dims[3];
    inc_node node = {.op = INC_OP_NORM};
    node.norm.gamma = gamma ? variable(n, "gamma", 1, &c) : INC_NONE;
    node.norm.beta = variable(n, "beta", 1, &c);
    node.norm.mean = variable(n, "moving_mean", 1, &c);
    node.norm.variance = variable(n, "moving_variance", 1, &c);
    node.norm.epsilon = 0.001f;
    assert_true(push(n, node, INC_VALID, c));
    assert_true(push(n, (inc_node){.op = INC_OP_RELU}, INC_VALID, c));
}

/* Largest difference between engine and reference, relative to the largest output. */
static double compare(net *n, unsigned rewrites, const float *input, const float *wanted)
{
    size_t count = 1;
    double worst = 0, largest = 0.01;
    for (int d = 1; d < 4; d++) count *= (size_t)n->graph.values[n->at].dims[d];
    inception_error error = {0};
    assert_int_equal(inc_graph_rewrite(&n->graph, rewrites, inc_engine_granularity(), &error), INCEPTION_OK);
    uint32_t out = inc_graph_find(&n->graph, "out");
    inc_engine *engine = inc_engine_compile(&n->graph, INCEPTION_PRECISION_F32, 2, &error);
    if (!engine) print_message("%s\n", error.message);
    assert_non_null(engine);
    inc_run *run = inc_run_new(engine, 2, &error);
    assert_non_null(run);
    float *got = malloc(count * sizeof *got);
    for (int again = 0; again < 2; again++) { /* the second run meets memory that the first has left behind */
        assert_int_equal(inc_run_execute(run, input, 2, &error), INCEPTION_OK);
        for (int photo = 0; photo < 2; photo++) {
            inc_run_read(run, photo, out, got);
            for (size_t i = 0; i < count; i++) {
                assert_false(isnan(got[i]));
                worst = fmax(worst, fabs((double)got[i] - wanted[(size_t)photo * count + i]));
                largest = fmax(largest, fabs((double)wanted[i]));
            }
        }
    }
    free(got);
    inc_run_free(run);
    inc_engine_free(engine);
    return worst / largest;
}

/* Runs what `build` builds through the reference and through the engine, under each set of rewrites. */
static void check(void (*build)(net *n), const char *what)
{
    static const unsigned sets[] = {0, INC_ALL_REWRITES, INC_FOLD_NORMS, INC_FUSE_RELUS, INC_FUSE_RESIDUALS,
                                    INC_FUSE_SIBLINGS, INC_ELIDE_CONCATS, INC_MERGE_SEPARABLE, INC_SWAP_POOLS,
                                    INC_ALL_REWRITES & ~INC_ELIDE_CONCATS, INC_ALL_REWRITES & ~INC_FUSE_SIBLINGS};
    uint64_t start = seed;
    for (size_t s = 0; s < INC_COUNT(sets); s++) {
        seed = start; /* the same network each time */
        net n = {0};
        build(&n);
        n.graph.values[n.at].kept = true;
        n.graph.values[n.at].name = "out";
        assert_true(formula_bind(&n.graph));
        const int64_t *in = n.graph.values[n.graph.input].dims, *o = n.graph.values[n.at].dims;
        size_t in_count = (size_t)(in[1] * in[2] * in[3]), out_count = (size_t)(o[1] * o[2] * o[3]);
        float *input = malloc(2 * in_count * sizeof *input), *wanted = malloc(2 * out_count * sizeof *wanted);
        float **values = calloc(n.graph.value_count, sizeof *values);
        for (size_t i = 0; i < 2 * in_count; i++) input[i] = sinf((float)i * 0.37f) + (i % 7 == 0 ? 2.0f : 0.0f);
        for (size_t photo = 0; photo < 2; photo++) {
            assert_true(reference_run(&n.graph, input + photo * in_count, values));
            memcpy(wanted + photo * out_count, values[n.at], out_count * sizeof *wanted);
        }
        double difference = compare(&n, sets[s], input, wanted);
        if (difference > TOLERANCE)
            print_message("%s, rewrites %u, input %dx%dx%d, output %dx%dx%d: %g\n", what, sets[s], (int)in[1], (int)in[2],
                          (int)in[3], (int)o[1], (int)o[2], (int)o[3], difference);
        assert_true(difference <= TOLERANCE);
        free(values);
        free(wanted);
        free(input);
        inc_graph_free(&n.graph);
    }
}

/* How much larger than what bytes make different the output is, in decibels: of a graph whose nodes were not rewritten. */
static double decibels(const inc_graph *graph, const float *input, const float *wanted, uint32_t out)
{
    inc_graph copy;
    inception_error error = {0};
    inc_calibrator *calibrator = inc_calibrator_new(graph, 2, &error);
    assert_non_null(calibrator);
    assert_int_equal(inc_calibrator_add(calibrator, input, &error), INCEPTION_OK);
    assert_int_equal(inc_graph_copy(graph, &copy, &error), INCEPTION_OK);
    inc_calibrator_ranges(calibrator, &copy);
    assert_int_equal(inc_graph_rewrite(&copy, INC_QUANTIZED_REWRITES, inc_engine_granularity(), &error), INCEPTION_OK);
    assert_int_equal(inc_graph_quantize(&copy, &error), INCEPTION_OK);
    inc_engine *engine = inc_engine_compile(&copy, INCEPTION_PRECISION_INT8, 2, &error);
    inc_run *run = engine ? inc_run_new(engine, 1, &error) : NULL;
    if (!run) print_message("%s\n", error.message);
    assert_non_null(run);
    uint64_t count = inc_value_count(&copy.values[out]);
    float *got = malloc(count * sizeof *got);
    assert_int_equal(inc_run_execute(run, input, 1, &error), INCEPTION_OK);
    inc_run_read(run, 0, out, got);
    double signal = 0, noise = 1e-30, least = 0.01 * (double)count; /* inputs are of the order of 1 */
    for (uint64_t i = 0; i < count; i++) {
        assert_true(isfinite(got[i]));
        signal += (double)wanted[i] * (double)wanted[i];
        noise += ((double)got[i] - (double)wanted[i]) * ((double)got[i] - (double)wanted[i]);
    }
    free(got);
    inc_run_free(run);
    inc_engine_free(engine);
    inc_calibrator_free(calibrator);
    inc_graph_free(&copy);
    return 10 * log10(fmax(signal, least) / noise);
}

/* A byte's rounding is 1/sqrt(12) of a step and values are some 60 steps on average: 46 decibels, once for each value on
 * the way and once for the weights. Ten times that is left to chance; a wrong zero or scale leaves 10 decibels at most. */
#define LEAST_DECIBELS 25

static void check_int8(void (*build)(net *n), const char *what)
{
    net n = {0};
    build(&n);
    n.graph.values[n.at].kept = true;
    assert_true(formula_bind(&n.graph));
    uint64_t count = inc_value_count(&n.graph.values[n.graph.input]);
    float *input = malloc(count * sizeof *input), **values = calloc(n.graph.value_count, sizeof *values);
    for (uint64_t i = 0; i < count; i++) input[i] = sinf((float)i * 0.37f);
    assert_true(reference_run(&n.graph, input, values));
    double lost = decibels(&n.graph, input, values[n.at], n.at);
    if (!(lost >= LEAST_DECIBELS)) print_message("%s in int8: %g dB\n", what, lost);
    assert_true(lost >= LEAST_DECIBELS);
    free(input);
    free(values);
    inc_graph_free(&n.graph);
}

static const int sides[] = {1, 2, 3, 5, 8, 17}, channels[] = {1, 3, 8, 15, 16, 17, 24, 32, 48};
static const int kernels[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {7, 1}, {1, 3}, {3, 1}};

static net random_input(void)
{
    return begin(pick(sides, INC_COUNT(sides)), pick(sides, INC_COUNT(sides)), pick(channels, INC_COUNT(channels)));
}

static void one_conv(net *n)
{
    *n = random_input();
    const int *k = kernels[random_to(INC_COUNT(kernels))];
    inc_padding padding = (inc_padding)random_to(3);
    int out = pick(channels, INC_COUNT(channels)), stride = 1 + random_to(2);
    if (!conv(n, k[0], k[1], stride, padding, out, random_to(2)))
        assert_true(conv(n, k[0], k[1], stride, INC_SAME, out, true));
    norm_relu(n, random_to(2));
}

static void one_pool(net *n)
{
    static const inc_padding paddings[] = {INC_SAME, INC_CEIL};
    *n = random_input();
    int k = 2 + random_to(2), stride = 1 + random_to(2);
    inc_node node = {.op = random_to(2) ? INC_OP_MAX_POOL : INC_OP_AVG_POOL,
                     .window = {.kernel_h = k, .kernel_w = k, .stride = stride}};
    int64_t c = n->graph.values[n->at].dims[3];
    if (!push(n, node, paddings[random_to(2)], c)) assert_true(push(n, node, INC_SAME, c));
}

static void one_lrn(net *n)
{
    *n = random_input();
    assert_true(conv(n, 1, 1, 1, INC_SAME, pick(channels, INC_COUNT(channels)), true));
    inc_node node = {.op = INC_OP_LRN};
    node.lrn.size = 5, node.lrn.alpha = 0.1f, node.lrn.beta = 0.75f, node.lrn.k = 1;
    assert_true(push(n, node, INC_VALID, n->graph.values[n->at].dims[3]));
}

static void separable(net *n)
{
    *n = begin(17, 17, 3);
    inc_node deep = {.op = INC_OP_DEPTHWISE, .window = {.kernel_h = 7, .kernel_w = 7, .stride = 2}};
    deep.conv.bias = deep.conv.scale = deep.conv.residual = INC_NONE;
    deep.conv.weights = variable(n, "depthwise_weights", 4, (int64_t[]){7, 7, 3, 8});
    assert_true(push(n, deep, INC_SAME, 24));
    assert_true(conv(n, 1, 1, 1, INC_SAME, 64, true));
    assert_true(push(n, (inc_node){.op = INC_OP_RELU}, INC_VALID, 64));
}

/* Two 1x1 siblings, a third branch that goes straight into the join, a pool: the shape of an Inception block. Widths are
 * random, so that some joins fall on whole blocks of channels and others do not. */
static void block(net *n)
{
    *n = begin(9, 7, 16);
    assert_true(conv(n, 3, 3, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
    norm_relu(n, false);
    uint32_t in = n->at, ends[4];
    assert_true(conv(n, 1, 1, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
    norm_relu(n, false);
    ends[0] = n->at;
    for (int b = 1; b < 3; b++) {
        n->at = in;
        assert_true(conv(n, 1, 1, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
        norm_relu(n, false);
        assert_true(conv(n, 3, 3, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
        norm_relu(n, false);
        ends[b] = n->at;
    }
    n->at = in;
    inc_node pool = {.op = INC_OP_AVG_POOL, .window = {.kernel_h = 3, .kernel_w = 3, .stride = 1}};
    assert_true(push(n, pool, INC_SAME, n->graph.values[in].dims[3]));
    if (random_to(2)) {
        assert_true(conv(n, 1, 1, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
        norm_relu(n, false);
    }
    ends[3] = n->at;
    inc_node join = {.op = INC_OP_CONCAT, .input_count = 4};
    int64_t total = 0;
    for (int b = 0; b < 4; b++) join.inputs[b] = ends[b], total += n->graph.values[ends[b]].dims[3];
    assert_true(push(n, join, INC_VALID, total));
    assert_true(conv(n, 1, 1, 1, INC_SAME, 16, true));
}

/* Two residual blocks behind each other; the second without ReLU. */
static void residuals(net *n)
{
    *n = begin(6, 5, 16);
    int c = pick(channels, INC_COUNT(channels));
    assert_true(conv(n, 3, 3, 1, INC_SAME, c, true));
    for (int i = 0; i < 2; i++) {
        uint32_t in = n->at;
        assert_true(conv(n, 1, 1, 1, INC_SAME, 16, false));
        norm_relu(n, false);
        assert_true(conv(n, 1, 1, 1, INC_SAME, c, true));
        inc_node add = {.op = INC_OP_ADD, .inputs = {in, n->at}, .input_count = 2, .add = {0.17f}};
        assert_true(push(n, add, INC_VALID, c));
        if (i == 0) assert_true(push(n, (inc_node){.op = INC_OP_RELU}, INC_VALID, c));
    }
    assert_true(conv(n, 1, 1, 1, INC_SAME, 8, true));
}

static void convolutions(void **state) { (void)state; for (int i = 0; i < 60; i++) check(one_conv, "convolution"); }
static void pools(void **state) { (void)state; for (int i = 0; i < 40; i++) check(one_pool, "pool"); }
static void lrns(void **state) { (void)state; for (int i = 0; i < 10; i++) check(one_lrn, "lrn"); }
static void separables(void **state) { (void)state; check(separable, "separable"); }
static void blocks(void **state) { (void)state; for (int i = 0; i < 30; i++) check(block, "block"); }
static void residual_chains(void **state) { (void)state; for (int i = 0; i < 10; i++) check(residuals, "residuals"); }

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1 /* every access is looked at: minutes for each network */
#elif defined(__has_feature)
#define WATCHED __has_feature(address_sanitizer)
#else
#define WATCHED 0
#endif

static void int8_patterns(void **state)
{
    (void)state;
    if (!inc_engine_supports(INCEPTION_PRECISION_INT8)) skip();
    for (int i = 0; i < 20; i++) check_int8(one_conv, "convolution");
    for (int i = 0; i < 10; i++) check_int8(one_lrn, "lrn");
    for (int i = 0; i < 30; i++) check_int8(block, "block");
    for (int i = 0; i < 10; i++) check_int8(residuals, "residuals");
    check_int8(separable, "separable");
}

/* Errors grow with the depth of a network: in ten layers behind each other to ten times those of one. */
static void int8_networks(void **state)
{
    (void)state;
    size_t networks;
    const inception_network *all = inception_networks(&networks);
    if (!inc_engine_supports(INCEPTION_PRECISION_INT8)) skip();
    for (size_t i = 0; i < networks; i++) {
        inc_graph graph = {0};
        inc_shape shape = inc_shape_default(&all[i]);
        assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
        assert_true(formula_bind(&graph));
        uint32_t logits = inc_graph_find(&graph, "Logits");
        uint64_t count = inc_value_count(&graph.values[graph.input]);
        float *input = malloc(count * sizeof *input), *wanted = malloc((size_t)shape.classes * sizeof *wanted);
        for (uint64_t k = 0; k < count; k++) input[k] = sinf((float)k * 0.011f);
        inc_engine *engine = inc_engine_compile(&graph, INCEPTION_PRECISION_F32, 2, NULL);
        inc_run *run = inc_run_new(engine, 1, NULL);
        assert_int_equal(inc_run_execute(run, input, 1, NULL), INCEPTION_OK);
        inc_run_read(run, 0, logits, wanted);
        double lost = decibels(&graph, input, wanted, logits);
        if (!(lost >= LEAST_DECIBELS - 10)) print_message("%s in int8: %g dB\n", all[i].name, lost);
        assert_true(lost >= LEAST_DECIBELS - 10);
        free(input), free(wanted);
        inc_run_free(run);
        inc_engine_free(engine);
        inc_graph_free(&graph);
    }
}

/* Each network, all rewrites against none, every rewrite on its own against none (unless it is watched). */
static void networks(void **state)
{
    (void)state;
    static const char *const names[] = {"v1", "v2", "v3", "v4", "irv2", "googlenet"};
    static const unsigned sets[] = {0, INC_ALL_REWRITES, INC_FOLD_NORMS, INC_FUSE_RESIDUALS, INC_FUSE_SIBLINGS,
                                    INC_ELIDE_CONCATS, INC_FUSE_RELUS, INC_MERGE_SEPARABLE, INC_SWAP_POOLS};
    for (size_t i = 0; i < INC_COUNT(names); i++) {
        float first[1001] = {0}, logits[1001];
        for (size_t s = 0; s < (WATCHED ? 2 : INC_COUNT(sets)); s++) {
            inc_graph graph = {0};
            inc_shape shape = inc_shape_default(inception_network_find(names[i]));
            assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
            assert_true(formula_bind(&graph));
            assert_int_equal(inc_graph_rewrite(&graph, sets[s], inc_engine_granularity(), NULL), INCEPTION_OK);
            inc_engine *engine = inc_engine_compile(&graph, INCEPTION_PRECISION_F32, 2, NULL);
            inc_run *run = inc_run_new(engine, 1, NULL);
            size_t count = (size_t)shape.input.width * (size_t)shape.input.height * 3;
            float *input = malloc(count * sizeof *input), largest = 0, worst = 0;
            for (size_t k = 0; k < count; k++) input[k] = sinf((float)k * 0.011f);
            assert_int_equal(inc_run_execute(run, input, 1, NULL), INCEPTION_OK);
            inc_run_read(run, 0, inc_graph_find(&graph, "Logits"), s ? logits : first);
            for (int k = 0; s && k < shape.classes; k++) {
                assert_true(isfinite(logits[k]));
                largest = fmaxf(largest, fabsf(first[k]));
                worst = fmaxf(worst, fabsf(first[k] - logits[k]));
            }
            assert_true(worst <= TOLERANCE * largest);
            free(input);
            inc_run_free(run);
            inc_engine_free(engine);
            inc_graph_free(&graph);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions), cmocka_unit_test(pools),           cmocka_unit_test(lrns),
        cmocka_unit_test(separables),   cmocka_unit_test(blocks),          cmocka_unit_test(residual_chains),
        cmocka_unit_test(networks),        cmocka_unit_test(int8_patterns),   cmocka_unit_test(int8_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
