/* Losses and optimisers against finite differences and arithmetic by hand; whole steps of training. */
#include "../../src/train/train.h"

#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "../small_net.h"

#define BATCH 4

/* Gradients of both losses, with weights and smoothing, by finite differences. */
static void losses(void **state)
{
    (void)state;
    enum { PHOTOS = 3, CLASSES = 5 };
    float values[PHOTOS * CLASSES] = {[2] = 1, [5] = 0.25f, [7] = 0.75f, [14] = 1}, weights[PHOTOS] = {1, 0, 2.5f};
    float logits[PHOTOS * CLASSES], gradient[PHOTOS * CLASSES], ignored[PHOTOS * CLASSES];
    double (*const kinds[])(const inc_targets *, const float *, double, float *) = {inc_softmax_cross_entropy,
                                                                                     inc_sigmoid_cross_entropy};
    for (int i = 0; i < PHOTOS * CLASSES; i++) logits[i] = wave((size_t)i) * 3;
    for (int kind = 0; kind < 4; kind++) {
        inc_targets targets = {PHOTOS, CLASSES, values, kind % 2 ? weights : NULL, kind % 2 ? 0.1 : 0};
        kinds[kind / 2](&targets, logits, 0.4, gradient);
        for (int i = 0; i < PHOTOS * CLASSES; i++) {
            float before = logits[i], more = before + 0.01f, less = before - 0.01f;
            logits[i] = more;
            double up = kinds[kind / 2](&targets, logits, 0.4, ignored);
            logits[i] = less;
            double down = kinds[kind / 2](&targets, logits, 0.4, ignored);
            logits[i] = before;
            assert_true(fabs((up - down) / (more - less) - gradient[i]) < 1e-5);
        }
    }
}

/* Extreme logits leave finite losses. By hand: the sure answer that is wrong costs the distance of the two logits. */
static void extreme_losses(void **state)
{
    (void)state;
    const float logits[2] = {1e4f, -1e4f}, values[2] = {0, 1};
    float gradient[2];
    inc_targets targets = {1, 2, values, NULL, 0};
    assert_true(inc_softmax_cross_entropy(&targets, logits, 1, gradient) == 2e4);
    assert_true(gradient[0] == 1 && gradient[1] == -1);
    assert_true(inc_sigmoid_cross_entropy(&targets, logits, 1, gradient) == 1e4); /* the mean of two */
    assert_true(gradient[0] == 0.5f && gradient[1] == -0.5f);
}

/* One step of each rule, by hand. */
static void first_steps(void **state)
{
    (void)state;
    const struct {
        inception_optimiser rule;
        double wanted;
    } rows[] = {
        {INCEPTION_RMSPROP, 1 - 0.1 * 3 / 1.6733200530681511}, /* ms = 1 + (9 - 1) / 10; sqrt(1.8 + 1) */
        {INCEPTION_MOMENTUM, 1 - 0.1 * 3},
        {INCEPTION_ADAM, 1 - 0.1 * sqrt(0.001) / 0.1 * 0.3 / (sqrt(0.009) + 1)},
    };
    inc_pool *pool = inc_pool_new(2, NULL);
    for (size_t i = 0; i < INC_COUNT(rows); i++) {
        inc_optimiser o;
        inc_optimiser_options options = inc_optimiser_default(rows[i].rule);
        float values[3] = {1, 1, 1};
        const float gradients[3] = {3, 0, 3};
        assert_int_equal(inc_optimiser_begin(&o, &options, 3, NULL), INCEPTION_OK);
        inc_optimiser_step(&o, 0.1, values, gradients, pool, 2);
        assert_true(fabs(values[0] - rows[i].wanted) < 1e-6 && values[2] == values[0] && values[1] == 1);
        inc_optimiser_end(&o);
    }
    inc_pool_free(pool);
}

/* TF-Slim's rule. */
static void decayed(void **state)
{
    (void)state;
    float gradient[2] = {1, 1};
    assert_true(inc_is_decayed("InceptionV3/Logits/Conv2d_1c_1x1/weights"));
    assert_false(inc_is_decayed("InceptionV3/Logits/Conv2d_1c_1x1/biases"));
    assert_true(inc_is_decayed("InceptionResnetV2/Logits/Logits/biases"));
    assert_false(inc_is_decayed("InceptionV2/Conv2d_1a_7x7/depthwise_weights"));
    assert_false(inc_is_decayed("InceptionV2/Conv2d_1a_7x7/pointwise_weights"));
    assert_false(inc_is_decayed("InceptionV1/Conv2d_1a_7x7/BatchNorm/beta"));
    assert_true(inc_weight_decay((const float[]){3, 4}, 2, 0.5, gradient) == 6.25);
    assert_true(gradient[0] == 2.5f && gradient[1] == 3);
}

/* Five steps of a small network learn by heart what they see, the same bits again; a scope leaves the others alone. */
static void learner(void **state)
{
    (void)state;
    static const char *const scopes[] = {"3/", "4/"};
    float results[2][3];
    for (int round = 0; round < 4; round++) {
        net n = begin(5, 5, 3);
        assert_true(conv(&n, 3, 3, 1, INC_VALID, 16, false) && norm_relu(&n, false));
        assert_true(simple(&n, INC_OP_DROPOUT) && conv(&n, 3, 3, 1, INC_VALID, 3, true));
        assert_true(finish(&n));
        inc_learning how = inc_learning_default();
        how.batch = BATCH;
        how.threads = 1 + round % 2;
        how.scopes = scopes;
        how.scope_count = round < 2 ? 0 : 2;
        inc_optimiser_options adam = inc_optimiser_default(INCEPTION_ADAM);
        adam.epsilon = 1e-8;
        inc_learner *l = inc_learner_new(&n.graph, &how, &adam, NULL);
        assert_non_null(l);
        float input[BATCH * 75], targets[BATCH * 3] = {[0] = 1, [4] = 1, [8] = 1, [9] = 1};
        for (size_t i = 0; i < INC_COUNT(input); i++) input[i] = wave(i);
        inception_losses first = {0}, last = {0};
        for (int step = 0; step < 5; step++) {
            assert_int_equal(inc_learner_look(l, input, targets, NULL, (uint64_t)step, &last, NULL), INCEPTION_OK);
            if (step == 0) first = last;
            inc_learner_change(l, 0.02);
        }
        assert_true(last.classes < 0.7 * first.classes && last.decay > 0 && last.heads == 0);
        const inc_trainer *trainer = inc_learner_trainer(l);
        const inc_node *last_node = &n.graph.nodes[n.graph.node_count - 1];
        memcpy(results[round % 2], inc_trainer_variable(trainer, last_node->conv.bias), sizeof results[0]);
        if (round % 2) assert_memory_equal(results[0], results[1], sizeof results[0]);
        uint32_t weights = n.graph.nodes[0].conv.weights;
        bool same = memcmp(inc_trainer_variable(trainer, weights), n.graph.values[weights].data, 64) == 0;
        assert_true(same == (round >= 2));
        inc_learner_free(l);
        inc_graph_free(&n.graph);
    }
}

/* A small network learns as well in bfloat16: twenty steps on photos that are told apart easily leave about the same loss.
 * The gradients differ by less than 2^-4 of themselves (test_bfloat16.c), and so does what they take off the loss, were it
 * all in one direction. */
static void half(void **state)
{
    (void)state;
    enum { PHOTOS = 12, STEPS = 20 };
    inception_losses first[2], last[2];
    float input[PHOTOS * 75], targets[PHOTOS * 3] = {0};
    if (!inc_engine_supports(INCEPTION_PRECISION_BF16)) skip();
    for (size_t i = 0; i < INC_COUNT(input); i++) input[i] = wave(i) + 0.5f * (float)(i / 75 % 3);
    for (int n = 0; n < PHOTOS; n++) targets[n * 3 + n % 3] = 1;
    for (int i = 0; i < 2; i++) {
        seed = 1;
        net n = begin(5, 5, 3);
        assert_true(conv(&n, 3, 3, 1, INC_SAME, 16, false) && norm_relu(&n, false));
        assert_true(pool(&n, INC_OP_MAX_POOL, 3, 1, INC_SAME));
        assert_true(conv(&n, 3, 3, 1, INC_VALID, 32, false) && norm_relu(&n, false));
        assert_true(conv(&n, 3, 3, 1, INC_VALID, 3, true));
        assert_true(finish(&n));
        inc_learning how = inc_learning_default();
        how.batch = PHOTOS, how.threads = 2, how.precision = i ? INCEPTION_PRECISION_BF16 : INCEPTION_PRECISION_F32;
        inc_optimiser_options adam = inc_optimiser_default(INCEPTION_ADAM);
        adam.epsilon = 1e-8;
        inc_learner *l = inc_learner_new(&n.graph, &how, &adam, NULL);
        assert_non_null(l);
        for (int step = 0; step <= STEPS; step++) {
            assert_int_equal(inc_learner_look(l, input, targets, NULL, 0, &last[i], NULL), INCEPTION_OK);
            if (step == 0) first[i] = last[i];
            inc_learner_change(l, 0.005);
        }
        inc_learner_free(l);
        inc_graph_free(&n.graph);
    }
    assert_true(last[0].classes < 0.2 * first[0].classes);
    assert_true(fabs(first[1].classes - first[0].classes) < 0x1p-6 * first[0].classes);
    assert_true(fabs(last[1].classes - last[0].classes) < 0x1p-4 * (first[0].classes - last[0].classes));
}

/* The loss where all variables have gone `by` along the way; *moved: how far that is along it, after rounding. */
static double loss_along(inc_learner *l, const float *input, const float *targets, const float *from, const float *way,
                         double by, double *moved)
{
    size_t count;
    inception_losses losses;
    float *values = inc_trainer_trained(inc_learner_trainer(l), &count);
    *moved = 0;
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(from[i] + by * way[i]);
        *moved += ((double)values[i] - from[i]) * way[i];
    }
    assert_int_equal(inc_learner_look(l, input, targets, NULL, 0, &losses, NULL), INCEPTION_OK);
    return losses.classes + losses.heads + losses.decay;
}

/* The one network that there are no gradients of from TensorFlow: along all gradients together, the loss changes by them.
 * The loss, of about 70, comes from logits that are exact to 2e-6 of themselves (kernels/fewer.c); it changes by 0.2. */
static void googlenet(void **state)
{
    (void)state;
    inc_graph graph = {0};
    inc_shape shape = inc_shape_default(inception_network_find("googlenet"));
    shape.classes = 3, shape.heads = true;
    assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
    assert_true(formula_bind(&graph));
    inc_learning how = inc_learning_default();
    how.batch = how.threads = 2, how.keep = 1;
    inc_optimiser_options rule = inc_optimiser_default(INCEPTION_MOMENTUM);
    inc_learner *l = inc_learner_new(&graph, &how, &rule, NULL);
    assert_non_null(l);
    size_t count, inputs = 2 * 224 * 224 * 3;
    float *values = inc_trainer_trained(inc_learner_trainer(l), &count), targets[6] = {0, 1, 0, 0, 0, 1};
    float *input = malloc(inputs * sizeof *input), *from = malloc(count * sizeof *from), *way = malloc(count * sizeof *way);
    assert_true(input && from && way);
    for (size_t i = 0; i < inputs; i++) input[i] = (float)(60 * sin((double)i * 0.011));
    memcpy(from, values, count * sizeof *from);
    memset(way, 0, count * sizeof *way);
    double squares = 0, there, back;
    loss_along(l, input, targets, from, way, 0, &there);
    memcpy(way, inc_trainer_gradients(inc_learner_trainer(l)), count * sizeof *way);
    for (size_t i = 0; i < count; i++) squares += (double)way[i] * way[i];
    double up = loss_along(l, input, targets, from, way, 0.1 / squares, &there);
    double down = loss_along(l, input, targets, from, way, -0.1 / squares, &back);
    assert_true(fabs((up - down) / (there - back) - 1) < 3e-4);
    free(input);
    free(from);
    free(way);
    inc_learner_free(l);
    inc_graph_free(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses),  cmocka_unit_test(extreme_losses), cmocka_unit_test(first_steps),
        cmocka_unit_test(decayed), cmocka_unit_test(learner),        cmocka_unit_test(half),
        cmocka_unit_test(googlenet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
