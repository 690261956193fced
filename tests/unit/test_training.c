/* Training against its definitions: gradients of single operators and small patterns against finite differences of plain
 * loops in double (reference.c), on random and odd shapes; moving statistics; dropout; which gradients are computed; the
 * same bits whatever the number of threads.
 *
 * Tolerance of gradients: 1e-5 of the variable's largest one, but at least of what sums of as many terms as there are
 * pixels, of the order of 1 and either sign, come to: the square root of their number. Batch statistics make sums cancel on
 * purpose (a bias before them has no gradient at all): there it is the largest of all variables. */
#include "../reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "../trained_net.h"

#define TOLERANCE 1e-5
#define LOOKS 4 /* elements of each variable whose gradient is measured */

/* ---- finite differences ---- */

/* The loss where element i of the variable is moved by `by`. */
static double loss_at(const net *n, const training *t, double **values, bool own, uint32_t variable, uint64_t i, double by)
{
    double loss = 0, before = values[variable][i];
    values[variable][i] = before + by;
    reference_run(&n->graph, BATCH, own, values);
    values[variable][i] = before;
    for (size_t k = 0; k < t->outputs; k++) loss += t->pull[k] * values[n->at][k];
    return loss;
}

/* Of fourth order. */
static double slope(const net *n, const training *t, double **values, bool own, uint32_t v, uint64_t i, double h)
{
    return (8 * (loss_at(n, t, values, own, v, i, h) - loss_at(n, t, values, own, v, i, -h))
            - (loss_at(n, t, values, own, v, i, 2 * h) - loss_at(n, t, values, own, v, i, -2 * h))) / (12 * h);
}

/* What was measured and what of it lay at a kink of a ReLU or a maximum, where there is no slope. */
static int measured, at_kinks;

static double largest_of(const net *plain, const training *t, uint32_t v)
{
    const float *gradient = inc_trainer_gradient(t->trainer, v);
    const int64_t *photo = plain->graph.values[plain->graph.input].dims;
    double largest = sqrt((double)(BATCH * photo[1] * photo[2]));
    for (uint64_t i = 0; gradient && i < inc_value_count(&plain->graph.values[v]); i++)
        largest = fmax(largest, fabs(gradient[i]));
    return largest;
}

static void check_variable(const net *plain, const training *t, double **values, bool own, uint32_t v, const char *what)
{
    const float *gradient = inc_trainer_gradient(t->trainer, v);
    uint64_t count = inc_value_count(&plain->graph.values[v]);
    double largest = largest_of(plain, t, v);
    for (uint32_t other = 0; own && other < plain->graph.value_count; other++)
        largest = fmax(largest, largest_of(plain, t, other));
    for (int look = 0; look < LOOKS; look++) {
        uint64_t i = (uint64_t)random_to((int)count);
        double wanted = slope(plain, t, values, own, v, i, 1e-4), finer = slope(plain, t, values, own, v, i, 3e-5);
        measured++;
        if (fabs(wanted - finer) > 1e-6 * largest) {
            at_kinks++;
            continue;
        }
        if (fabs(gradient[i] - wanted) > TOLERANCE * largest)
            print_message("%s, %s statistics, %s[%d]: %.9g and not %.9g, of %g\n", what, own ? "batch" : "moving",
                          plain->graph.values[v].name, (int)i, (double)gradient[i], wanted, largest);
        assert_true(fabs(gradient[i] - wanted) <= TOLERANCE * largest);
    }
}

/* The gradients of all variables of what `build` builds, with and without the rewrites that training allows. */
static void check(net (*build)(void), const char *what)
{
    for (int variant = 0; variant < 4; variant++) {
        uint64_t start = seed;
        net plain = finished(build), n;
        seed = start;
        n = finished(build);
        bool own = variant & 1;
        unsigned rewrites = variant & 2 ? INC_TRAINING_REWRITES | INC_DROP_IDENTITIES : 0;
        assert_int_equal(inc_graph_rewrite(&n.graph, rewrites, inc_engine_granularity(), NULL), INCEPTION_OK);
        training t = train(&n, own, "", 1, 2);
        double **values = reference_values(&plain.graph, BATCH);
        assert_non_null(values);
        size_t inputs = BATCH * (size_t)inc_value_count(&plain.graph.values[plain.graph.input]);
        for (size_t i = 0; i < inputs; i++) values[plain.graph.input][i] = t.input[i];
        for (int again = 0; again < 2; again++) run(&t, &n); /* the second run meets what the first has left */
        for (uint32_t v = 0; v < n.graph.value_count; v++)
            if (t.trained[v]) check_variable(&plain, &t, values, own, v, what);
        end(&t);
        inc_graph_free(&n.graph);
        inc_graph_free(&plain.graph);
    }
}

static void repeat(net (*build)(void), const char *what, int times)
{
    measured = at_kinks = 0;
    for (int i = 0; i < (WATCHED ? (times + 9) / 10 : times); i++) check(build, what);
    assert_true(at_kinks <= measured / 10);
}

static void convolutions(void **state) { (void)state; repeat(one_conv, "convolution", 30); }
static void wide_convolutions(void **state) { (void)state; repeat(wide_conv, "wide convolution", 3); }
static void first_convolutions(void **state) { (void)state; repeat(first_conv, "first convolution", 10); }
static void separables(void **state) { (void)state; repeat(separable, "separable convolution", 6); }
static void norms(void **state) { (void)state; repeat(one_norm, "batch norm", 20); }
static void pools(void **state) { (void)state; repeat(one_pool, "pool", 20); }
static void lrns(void **state) { (void)state; repeat(one_lrn, "lrn", 10); }
static void blocks(void **state) { (void)state; repeat(block, "block", 10); }
static void residual_chains(void **state) { (void)state; repeat(residuals, "residuals", 6); }

/* ---- statistics, dropout, which gradients, threads ---- */

/* As TensorFlow's fused kernel: towards the batch's mean and its variance times n / (n - 1), a tenth of the way. */
static void moving_statistics(void **state)
{
    (void)state;
    net n = begin(3, 5, 3);
    assert_true(conv(&n, 1, 1, 1, INC_SAME, 17, true));
    uint32_t x = n.at;
    assert_true(norm(&n, false));
    assert_true(finish(&n));
    const inc_node *node = &n.graph.nodes[1];
    training t = train(&n, true, "", 1, 2);
    double **values = reference_values(&n.graph, BATCH), count = BATCH * 15;
    for (size_t i = 0; i < BATCH * 45; i++) values[n.graph.input][i] = t.input[i];
    reference_run(&n.graph, BATCH, true, values);
    run(&t, &n);
    for (int c = 0; c < 17; c++) {
        double mean = 0, squares = 0, old_mean = values[node->norm.mean][c], old = values[node->norm.variance][c];
        for (int i = 0; i < count; i++) mean += values[x][i * 17 + c] / count;
        for (int i = 0; i < count; i++) squares += pow(values[x][i * 17 + c] - mean, 2);
        double got_mean = inc_trainer_variable(t.trainer, node->norm.mean)[c];
        double got = inc_trainer_variable(t.trainer, node->norm.variance)[c];
        assert_true(fabs(got_mean - (old_mean + 0.1 * (mean - old_mean))) < 1e-6);
        assert_true(fabs(got - (old + 0.1 * (squares / (count - 1) - old))) < 1e-6);
        assert_true(n.graph.values[node->norm.mean].data[c] == (float)old_mean); /* the caller's stay */
    }
    end(&t);
    inc_graph_free(&n.graph);
}

/* A mean of a thousand standard deviations leaves a variance. float32 holds such values to 6e-5, and so the answers. */
static void far_mean(void **state)
{
    (void)state;
    net n = begin(5, 5, 3);
    assert_true(conv(&n, 1, 1, 1, INC_SAME, 17, true) && norm(&n, false) && finish(&n));
    training t = train(&n, true, "", 1, 2);
    double **values = reference_values(&n.graph, BATCH);
    const uint32_t bias = n.graph.nodes[0].conv.bias;
    float out[BATCH * 25 * 17];
    for (int c = 0; c < 17; c++) ((float *)inc_trainer_variable(t.trainer, bias))[c] = 1000, values[bias][c] = 1000;
    for (size_t i = 0; i < BATCH * 75; i++) values[n.graph.input][i] = t.input[i];
    reference_run(&n.graph, BATCH, true, values);
    assert_int_equal(inc_trainer_forward(t.trainer, t.input, 0, NULL), INCEPTION_OK);
    inc_trainer_read(t.trainer, n.at, out);
    for (int i = 0; i < BATCH * 25 * 17; i++) assert_true(fabs(out[i] - values[n.at][i]) < 1e-3);
    end(&t);
    inc_graph_free(&n.graph);
}

/* The batch's statistics where there is one element only: its variance is 0, and n / (n - 1) is left out. */
static void one_element(void **state)
{
    (void)state;
    inc_pool *pool = inc_pool_new(1, NULL);
    net n = begin(1, 1, 1);
    assert_true(conv(&n, 1, 1, 1, INC_SAME, 1, true) && norm(&n, false));
    assert_true(finish(&n));
    bool trained[16] = {false};
    inc_training how = {1, 1, pool, trained, true, 0.9, 1, INCEPTION_PRECISION_F32};
    inc_trainer *trainer = inc_trainer_new(&n.graph, &how, NULL);
    float input = 2, out;
    assert_int_equal(inc_trainer_forward(trainer, &input, 0, NULL), INCEPTION_OK);
    inc_trainer_read(trainer, n.at, &out);
    assert_true(out == n.graph.values[n.graph.nodes[1].norm.beta].data[0]);
    assert_true(isfinite(inc_trainer_variable(trainer, n.graph.nodes[1].norm.variance)[0]));
    inc_trainer_free(trainer);
    inc_pool_free(pool);
    inc_graph_free(&n.graph);
}

/* Of 1 everywhere, dropout leaves 1 / keep of as many as it should; backward lets the same through; another run drops
 * others, the same run the same. */
static void dropout(void **state)
{
    (void)state;
    enum { PIXELS = 64, CHANNELS = 17, COUNT = BATCH * PIXELS * CHANNELS };
    net n = begin(8, 8, 1);
    assert_true(conv(&n, 1, 1, 1, INC_SAME, CHANNELS, true) && simple(&n, INC_OP_DROPOUT));
    assert_true(finish(&n));
    const inc_node *first = &n.graph.nodes[0];
    training t = train(&n, false, "", 0.8, 2);
    for (int c = 0; c < CHANNELS; c++) { /* 1, whatever the photo */
        ((float *)inc_trainer_variable(t.trainer, first->conv.weights))[c] = 0;
        ((float *)inc_trainer_variable(t.trainer, first->conv.bias))[c] = 1;
    }
    static float once[COUNT], again[COUNT];
    assert_int_equal(inc_trainer_forward(t.trainer, t.input, 5, NULL), INCEPTION_OK);
    inc_trainer_read(t.trainer, n.at, once);
    assert_int_equal(inc_trainer_forward(t.trainer, t.input, 6, NULL), INCEPTION_OK);
    inc_trainer_read(t.trainer, n.at, again);
    assert_memory_not_equal(once, again, sizeof once);
    assert_int_equal(inc_trainer_forward(t.trainer, t.input, 5, NULL), INCEPTION_OK);
    inc_trainer_read(t.trainer, n.at, again);
    assert_memory_equal(once, again, sizeof once);
    run(&t, &n);
    int kept = 0;
    double pulled[CHANNELS] = {0};
    for (int i = 0; i < COUNT; i++) {
        assert_true(once[i] == 0 || once[i] == 1.25f);
        kept += once[i] != 0;
        pulled[i % CHANNELS] += once[i] * t.pull[i];
    }
    assert_true(abs(kept - (int)(0.8 * COUNT)) < 4 * sqrt(0.16 * COUNT)); /* four standard deviations */
    const float *bias = inc_trainer_gradient(t.trainer, first->conv.bias);
    for (int c = 0; c < CHANNELS; c++) assert_true(fabs(bias[c] - pulled[c]) < 1e-4);
    end(&t);
    inc_graph_free(&n.graph);
}

/* Variables that are not trained have no gradient; those that are have the same as when all are. */
static void only_some(void **state)
{
    (void)state;
    static const char *const parts[] = {"biases", "beta", "weights", "4/", "0/"};
    for (size_t p = 0; p < INC_COUNT(parts); p++) {
        uint64_t start = seed;
        net all = finished(residuals), n;
        seed = start;
        n = finished(residuals);
        training a = train(&all, true, "", 1, 2), some = train(&n, true, parts[p], 1, 2);
        run(&a, &all);
        run(&some, &n);
        for (uint32_t v = 0; v < n.graph.value_count; v++) {
            const float *gradient = inc_trainer_gradient(some.trainer, v);
            assert_true((gradient != NULL) == some.trained[v]);
            if (gradient)
                assert_memory_equal(gradient, inc_trainer_gradient(a.trainer, v),
                                    inc_value_count(&n.graph.values[v]) * sizeof(float));
        }
        end(&a);
        end(&some);
        inc_graph_free(&all.graph);
        inc_graph_free(&n.graph);
    }
}

static void threads(void **state)
{
    (void)state;
    check_threads(INCEPTION_PRECISION_F32);
}

static void astray(void **state)
{
    (void)state;
    for (int own = 0; own < 2; own++) check_astray(INCEPTION_PRECISION_F32, own);
}

/* What cannot be trained is refused with its name. */
static void refused(void **state)
{
    (void)state;
    bool trained[16] = {false};
    inc_pool *team = inc_pool_new(1, NULL);
    for (int i = 0; i < 2; i++) {
        net n = begin(4, 4, 8);
        inception_error error = {0};
        assert_true(i ? depthwise(&n, 3, 1, INC_SAME, 1) : pool(&n, INC_OP_MAX_POOL, 2, 1, INC_SAME));
        assert_true(finish(&n));
        inc_training how = {2, 1, team, trained, false, 0.9, 1, INCEPTION_PRECISION_F32};
        assert_null(inc_trainer_new(&n.graph, &how, &error));
        assert_int_equal(error.status, INCEPTION_UNSUPPORTED);
        inc_graph_free(&n.graph);
    }
    inc_pool_free(team);
}

/* A precision that there is none of, or that the machine lacks (ONEDNN_MAX_CPU_ISA takes it away). */
static void refused_precisions(void **state)
{
    (void)state;
    bool trained[16] = {false};
    inc_pool *team = inc_pool_new(1, NULL);
    for (inception_precision p = INCEPTION_PRECISION_BF16; p <= INCEPTION_PRECISION_AUTO; p++) {
        net n = begin(4, 4, 3);
        inception_error error = {0};
        assert_true(conv(&n, 1, 1, 1, INC_SAME, 8, true) && finish(&n));
        inc_training how = {2, 1, team, trained, false, 0.9, 1, p};
        inc_trainer *trainer = inc_trainer_new(&n.graph, &how, &error);
        bool good = p == INCEPTION_PRECISION_BF16 && inc_engine_supports(p);
        assert_true(good ? trainer != NULL : !trainer && error.status == INCEPTION_UNSUPPORTED);
        inc_trainer_free(trainer);
        inc_graph_free(&n.graph);
    }
    inc_pool_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions),      cmocka_unit_test(first_convolutions), cmocka_unit_test(wide_convolutions),
        cmocka_unit_test(separables),        cmocka_unit_test(norms),              cmocka_unit_test(pools),
        cmocka_unit_test(lrns),              cmocka_unit_test(blocks),             cmocka_unit_test(residual_chains),
        cmocka_unit_test(moving_statistics), cmocka_unit_test(far_mean),           cmocka_unit_test(one_element),
        cmocka_unit_test(dropout),           cmocka_unit_test(only_some),          cmocka_unit_test(threads),
        cmocka_unit_test(astray),            cmocka_unit_test(refused),            cmocka_unit_test(refused_precisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
