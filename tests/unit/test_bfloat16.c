/* Training in bfloat16 against training in float32, whose gradients test_training.c knows to be right. */
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "../trained_net.h"

/* Skips the test on a machine that cannot compute so. */
static void want_bf16(void)
{
    if (!inc_engine_supports(INCEPTION_PRECISION_BF16)) skip();
}

/* Adds, over all gradients, the squares of the second's distance from the first, and of the first. */
static void compare(const net *n, const training *exact, const training *half, double *off, double *size)
{
    for (uint32_t v = 0; v < n->graph.value_count; v++) {
        const float *a = inc_trainer_gradient(exact->trainer, v), *b = inc_trainer_gradient(half->trainer, v);
        for (uint64_t i = 0; a && i < inc_value_count(&n->graph.values[v]); i++) {
            *off += pow((double)b[i] - a[i], 2);
            *size += pow(a[i], 2);
        }
    }
}

/* Rounding to 8 bits is off by 2^-9 at most. A smooth net rounds up to four times on the way to a gradient (photo, weight,
 * value, gradient), and its sums cancel a little: 2^-6 of the length of all gradients together. A ReLU or a maximum turns
 * over where its input is nearer to the kink than its rounding error, one in some 2^8 elements, which then is off by all of
 * itself: the square root, 2^-4 for a layer of them, and there are up to three behind each other. */
#define SMOOTH 0x1p-6
#define KINKS (3 * 0x1p-4)

static void check_bf16(net (*build)(void), const char *what, double limit)
{
    double off = 0, size = 0;
    for (int i = 0; i < (WATCHED ? 4 : 40); i++) {
        uint64_t start = seed;
        net n = finished(build), same;
        seed = start;
        same = finished(build);
        training exact = train(&n, i % 2, "", 1, 2);
        training half = train_in(INCEPTION_PRECISION_BF16, &same, i % 2, "", 1, 2);
        for (int again = 0; again < 2; again++) run(&exact, &n), run(&half, &same);
        compare(&n, &exact, &half, &off, &size);
        end(&exact);
        end(&half);
        inc_graph_free(&n.graph);
        inc_graph_free(&same.graph);
    }
    if (!(sqrt(off / size) <= limit)) print_message("%s: %g, at most %g\n", what, sqrt(off / size), limit);
    assert_true(sqrt(off / size) <= limit);
    assert_true(sqrt(off / size) >= 0x1p-12); /* it was bfloat16 */
}

static void smooth(void **state)
{
    (void)state;
    want_bf16();
    check_bf16(one_conv, "convolution", SMOOTH);
    check_bf16(wide_conv, "wide convolution", SMOOTH);
    check_bf16(first_conv, "first convolution", SMOOTH);
    check_bf16(one_lrn, "lrn", SMOOTH);
}

static void kinks(void **state)
{
    (void)state;
    want_bf16();
    check_bf16(separable, "separable convolution", KINKS);
    check_bf16(one_norm, "batch norm", KINKS);
    check_bf16(one_pool, "pool", KINKS);
    check_bf16(block, "block", KINKS);
    check_bf16(residuals, "residuals", KINKS);
}

/* What oneDNN's kernel leaves undone is not seen in a fresh scratchpad: the second run finds what the first one left. */
static net one_column(void)
{
    net n = begin(pick(sides, INC_COUNT(sides)), 1, 3);
    assert_true(conv(&n, 1, 1, 1, INC_SAME, some_channels(), true));
    assert_true(conv(&n, 3 + 2 * random_to(3), 3 + 2 * random_to(3), 2, INC_HALF, some_channels(), false));
    return n;
}

static void columns(void **state)
{
    (void)state;
    want_bf16();
    check_bf16(one_column, "one column", SMOOTH);
}

static void threads(void **state)
{
    (void)state;
    want_bf16();
    check_threads(INCEPTION_PRECISION_BF16);
}

static void astray(void **state)
{
    (void)state;
    want_bf16();
    for (int own = 0; own < 2; own++) check_astray(INCEPTION_PRECISION_BF16, own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smooth),  cmocka_unit_test(kinks),  cmocka_unit_test(columns),
        cmocka_unit_test(threads), cmocka_unit_test(astray),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
