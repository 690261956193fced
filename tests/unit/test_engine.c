/* The engine against plain loops (reference.c), with and without the rewrites: single operators of random and extreme
 * shapes, the small patterns that rewrites look for, and all six networks against themselves.
 *
 * Tolerance: float32 sums of K products in another order differ by at most about K * 2^-24 of the sum of magnitudes,
 * K < 2000 here; 2e-5 of the largest output leaves a factor of ten where magnitudes cancel. A ReLU may leave nothing of
 * a small output: what goes in is of the order of 1, so below 0.01 the differences are measured against that. */
#include "../../src/engine/engine.h"
#include "../reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "../small_net.h"

#define TOLERANCE 2e-5

/* Largest difference between engine and reference, relative to the largest output. */
static double compare(net *n, unsigned rewrites, const float *input, const double *wanted)
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
                worst = fmax(worst, fabs(got[i] - wanted[(size_t)photo * count + i]));
                largest = fmax(largest, fabs(wanted[i]));
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
        n.graph.values[n.at].name = "out";
        assert_true(finish(&n));
        const int64_t *in = n.graph.values[n.graph.input].dims, *o = n.graph.values[n.at].dims;
        size_t in_count = (size_t)(in[1] * in[2] * in[3]);
        float *input = malloc(2 * in_count * sizeof *input);
        double **values = reference_values(&n.graph, 2);
        assert_true(input && values);
        for (size_t i = 0; i < 2 * in_count; i++)
            values[n.graph.input][i] = input[i] = sinf((float)i * 0.37f) + (i % 7 == 0 ? 2.0f : 0.0f);
        reference_run(&n.graph, 2, false, values);
        double difference = compare(&n, sets[s], input, values[n.at]);
        if (difference > TOLERANCE)
            print_message("%s, rewrites %u, input %dx%dx%d, output %dx%dx%d: %g\n", what, sets[s], (int)in[1], (int)in[2],
                          (int)in[3], (int)o[1], (int)o[2], (int)o[3], difference);
        assert_true(difference <= TOLERANCE);
        free(input);
        inc_graph_free(&n.graph);
    }
}

/* How much larger than what bytes make different the output is, in decibels: of a graph whose nodes were not rewritten. */
static double decibels(const inc_graph *graph, const float *input, const double *wanted, uint32_t out)
{
    inc_graph copy;
    inception_error error = {0};
    inc_calibrator *calibrator = inc_calibrator_new(graph, 2, &error);
    assert_non_null(calibrator);
    assert_int_equal(inc_calibrator_add(calibrator, input, &error), INCEPTION_OK);
    assert_int_equal(inc_graph_copy(graph, &copy, &error), INCEPTION_OK);
    inc_calibrator_ranges(calibrator, &copy);
    assert_int_equal(inc_graph_rewrite(&copy, INC_ALL_REWRITES, inc_engine_granularity(), &error), INCEPTION_OK);
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
        signal += wanted[i] * wanted[i];
        noise += ((double)got[i] - wanted[i]) * ((double)got[i] - wanted[i]);
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
    float *input = malloc(count * sizeof *input);
    double **values = reference_values(&n.graph, 1);
    for (uint64_t i = 0; i < count; i++) values[n.graph.input][i] = (double)(input[i] = sinf((float)i * 0.37f));
    reference_run(&n.graph, 1, false, values);
    double lost = decibels(&n.graph, input, values[n.at], n.at);
    if (!(lost >= LEAST_DECIBELS)) print_message("%s in int8: %g dB\n", what, lost);
    assert_true(lost >= LEAST_DECIBELS);
    free(input);
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
    assert_true(norm_relu(n, random_to(2)));
}

static void one_pool(net *n)
{
    static const inc_padding paddings[] = {INC_SAME, INC_CEIL};
    *n = random_input();
    int k = 2 + random_to(2), stride = 1 + random_to(2);
    inc_op op = random_to(2) ? INC_OP_MAX_POOL : INC_OP_AVG_POOL;
    if (!pool(n, op, k, stride, paddings[random_to(2)])) assert_true(pool(n, op, k, stride, INC_SAME));
}

static void one_lrn(net *n)
{
    *n = random_input();
    assert_true(conv(n, 1, 1, 1, INC_SAME, pick(channels, INC_COUNT(channels)), true));
    assert_true(lrn(n, 0.1f));
}

static void separable(net *n)
{
    *n = begin(17, 17, 3);
    assert_true(depthwise(n, 7, 2, INC_SAME, 8));
    assert_true(conv(n, 1, 1, 1, INC_SAME, 64, true));
    assert_true(simple(n, INC_OP_RELU));
}

/* Two 1x1 siblings, a third branch that goes straight into the join, a pool: the shape of an Inception block. Widths are
 * random, so that some joins fall on whole blocks of channels and others do not. */
static void block(net *n)
{
    *n = begin(9, 7, 16);
    assert_true(conv(n, 3, 3, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
    assert_true(norm_relu(n, false));
    uint32_t in = n->at, ends[4];
    assert_true(conv(n, 1, 1, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
    assert_true(norm_relu(n, false));
    ends[0] = n->at;
    for (int b = 1; b < 3; b++) {
        n->at = in;
        assert_true(conv(n, 1, 1, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
        assert_true(norm_relu(n, false));
        assert_true(conv(n, 3, 3, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
        assert_true(norm_relu(n, false));
        ends[b] = n->at;
    }
    n->at = in;
    assert_true(pool(n, INC_OP_AVG_POOL, 3, 1, INC_SAME));
    if (random_to(2)) {
        assert_true(conv(n, 1, 1, 1, INC_SAME, pick(channels, INC_COUNT(channels)), false));
        assert_true(norm_relu(n, false));
    }
    ends[3] = n->at;
    assert_true(join(n, ends, 4));
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
        assert_true(norm_relu(n, false));
        assert_true(conv(n, 1, 1, 1, INC_SAME, c, true));
        assert_true(residual(n, in, 0.17f));
        if (i == 0) assert_true(simple(n, INC_OP_RELU));
    }
    assert_true(conv(n, 1, 1, 1, INC_SAME, 8, true));
}

static void convolutions(void **state) { (void)state; for (int i = 0; i < 60; i++) check(one_conv, "convolution"); }
static void pools(void **state) { (void)state; for (int i = 0; i < 40; i++) check(one_pool, "pool"); }
static void lrns(void **state) { (void)state; for (int i = 0; i < 10; i++) check(one_lrn, "lrn"); }
static void separables(void **state) { (void)state; check(separable, "separable"); }
static void blocks(void **state) { (void)state; for (int i = 0; i < 30; i++) check(block, "block"); }
static void residual_chains(void **state) { (void)state; for (int i = 0; i < 10; i++) check(residuals, "residuals"); }

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
    for (size_t i = 0; i < networks; i += WATCHED ? 4 : 1) { /* V1 and Inception-ResNet-v2 */
        inc_graph graph = {0};
        inc_shape shape = inc_shape_default(&all[i]);
        assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
        assert_true(formula_bind(&graph));
        uint32_t logits = inc_graph_find(&graph, "Logits");
        uint64_t count = inc_value_count(&graph.values[graph.input]);
        float *input = malloc(count * sizeof *input), single[1001];
        double wanted[1001];
        for (uint64_t k = 0; k < count; k++) input[k] = sinf((float)k * 0.011f);
        inc_engine *engine = inc_engine_compile(&graph, INCEPTION_PRECISION_F32, 2, NULL);
        inc_run *run = inc_run_new(engine, 1, NULL);
        assert_int_equal(inc_run_execute(run, input, 1, NULL), INCEPTION_OK);
        inc_run_read(run, 0, logits, single);
        for (int k = 0; k < shape.classes; k++) wanted[k] = (double)single[k];
        double lost = decibels(&graph, input, wanted, logits);
        if (!(lost >= LEAST_DECIBELS - 10)) print_message("%s in int8: %g dB\n", all[i].name, lost);
        assert_true(lost >= LEAST_DECIBELS - 10);
        free(input);
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
