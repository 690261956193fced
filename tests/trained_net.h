/* A small net under training, and nets of random shapes; for tests of the trainer. */
#ifndef TEST_TRAINED_NET_H
#define TEST_TRAINED_NET_H

#include "../src/engine/engine.h"
#include "small_net.h"

#define BATCH 4

typedef struct training {
    inc_trainer *trainer;
    inc_pool *pool;
    bool *trained;
    float *input, *pull; /* pull: the gradient of the loss for the value at the end; the loss is the sum of pull * value */
    size_t outputs;
} training;

/* Trains all variables whose names contain `only`, but moving statistics. */
static inline training train_in(inception_precision precision, net *n, bool batch_statistics, const char *only, double keep,
                         int threads)
{
    training t = {.pool = inc_pool_new(threads, NULL), .trained = calloc(n->graph.value_count, sizeof(bool))};
    inception_error error = {0};
    size_t inputs = BATCH * (size_t)inc_value_count(&n->graph.values[n->graph.input]);
    t.outputs = BATCH * (size_t)inc_value_count(&n->graph.values[n->at]);
    t.input = malloc(inputs * sizeof *t.input);
    t.pull = malloc(t.outputs * sizeof *t.pull);
    assert_true(t.pool && t.trained && t.input && t.pull);
    for (size_t i = 0; i < inputs; i++) t.input[i] = wave(i);
    for (size_t i = 0; i < t.outputs; i++) t.pull[i] = (float)cos((double)i * 0.71);
    for (size_t v = 0; v < n->graph.value_count; v++)
        t.trained[v] = n->graph.values[v].variable && !strstr(n->graph.values[v].name, "moving")
                    && strstr(n->graph.values[v].name, only);
    inc_training how = {BATCH, threads, t.pool, t.trained, batch_statistics, 0.9, keep, precision};
    t.trainer = inc_trainer_new(&n->graph, &how, &error);
    if (!t.trainer) print_message("%s\n", error.message);
    assert_non_null(t.trainer);
    return t;
}

static inline training train(net *n, bool batch_statistics, const char *only, double keep, int threads)
{
    return train_in(INCEPTION_PRECISION_F32, n, batch_statistics, only, keep, threads);
}

static inline void run(training *t, const net *n)
{
    assert_int_equal(inc_trainer_forward(t->trainer, t->input, 5, NULL), INCEPTION_OK);
    inc_trainer_push(t->trainer, n->at, t->pull);
    assert_int_equal(inc_trainer_backward(t->trainer, NULL), INCEPTION_OK);
}

static inline void end(training *t)
{
    inc_trainer_free(t->trainer);
    inc_pool_free(t->pool);
    free(t->trained);
    free(t->input);
    free(t->pull);
}

static inline net finished(net (*build)(void))
{
    net n = build();
    assert_true(finish(&n));
    return n;
}

/* ---- nets ---- */

static const int sides[] = {1, 2, 3, 5, 7, 9}, channels[] = {1, 3, 8, 15, 16, 17, 24, 32};
static const int kernels[][2] = {{1, 1}, {3, 3}, {5, 5}, {7, 7}, {1, 7}, {7, 1}, {1, 3}, {3, 1}};

static inline int some_channels(void)
{
    return pick(channels, INC_COUNT(channels));
}

/* A photo behind a first convolution, so that gradients of inputs are measured by its weights. */
static inline net begin_behind(void)
{
    net n = begin(pick(sides, INC_COUNT(sides)), pick(sides, INC_COUNT(sides)), 3);
    assert_true(conv(&n, 1, 1, 1, INC_SAME, some_channels(), true));
    return n;
}

static inline bool any_conv(net *n, bool bias)
{
    const int *k = kernels[random_to(INC_COUNT(kernels))];
    int out = some_channels(), stride = 1 + random_to(2);
    return conv(n, k[0], k[1], stride, (inc_padding)random_to(3), out, bias)
        || conv(n, k[0], k[1], stride, INC_SAME, out, bias);
}

static inline net one_conv(void)
{
    net n = begin_behind();
    assert_true(any_conv(&n, random_to(2)));
    return n;
}

static inline net first_conv(void)
{
    net n = begin(pick(sides, INC_COUNT(sides)), pick(sides, INC_COUNT(sides)), pick((int[]){1, 3, 4}, 3));
    assert_true(any_conv(&n, true));
    return n;
}

static inline net separable(void)
{
    net n = begin(9, 7, 3);
    assert_true(depthwise(&n, 3 + 2 * random_to(3), 1 + random_to(2), INC_SAME, 1 + random_to(8)));
    assert_true(conv(&n, 1, 1, 1, INC_SAME, some_channels(), true));
    assert_true(simple(&n, INC_OP_RELU));
    return n;
}

static inline net one_norm(void)
{
    net n = begin_behind();
    bool gamma = random_to(2);
    assert_true(random_to(2) ? norm_relu(&n, gamma) : norm(&n, gamma));
    assert_true(conv(&n, 1, 1, 1, INC_SAME, some_channels(), false));
    return n;
}

static inline net one_pool(void)
{
    static const inc_padding paddings[] = {INC_SAME, INC_VALID, INC_CEIL};
    net n = begin_behind();
    int k = 2 + random_to(2), stride = 1 + random_to(2);
    inc_op op = random_to(2) ? INC_OP_MAX_POOL : INC_OP_AVG_POOL;
    assert_true(pool(&n, op, k, stride, paddings[random_to(3)]) || pool(&n, op, k, stride, INC_SAME));
    return n;
}

static inline net one_lrn(void)
{
    net n = begin_behind();
    assert_true(lrn(&n, 0.5f));
    return n;
}

/* Maps of tiles enough, and whole blocks of channels, for kernels with fewer multiplications, forward and backward. */
static inline net wide_conv(void)
{
    static const int shapes[][2] = {{3, 3}, {5, 5}, {1, 7}, {7, 1}, {1, 3}, {3, 1}};
    net n = begin(17 + random_to(5), 18 + random_to(5), 3);
    int k = random_to(INC_COUNT(shapes));
    assert_true(conv(&n, 1, 1, 1, INC_SAME, 16 * (1 + random_to(2)), true));
    assert_true(conv(&n, shapes[k][0], shapes[k][1], 1, (inc_padding)random_to(3), 16 * (1 + random_to(3)), random_to(2)));
    return n;
}

/* Branches that meet: convolutions that read the same value, a pool, widths that begin on a block of channels or not. */
static inline net block(void)
{
    net n = begin_behind();
    uint32_t in = n.at, ends[4];
    for (int b = 0; b < 3; b++) {
        n.at = in;
        assert_true(conv(&n, 1, 1, 1, INC_SAME, some_channels(), false) && norm_relu(&n, b == 0));
        if (b) assert_true(conv(&n, 3, 3, 1, INC_SAME, some_channels(), b == 1) && (b == 1 || norm_relu(&n, false)));
        ends[b] = n.at;
    }
    n.at = in;
    assert_true(pool(&n, random_to(2) ? INC_OP_AVG_POOL : INC_OP_MAX_POOL, 3, 1, INC_SAME));
    ends[3] = n.at;
    assert_true(join(&n, ends, 4) && conv(&n, 1, 1, 1, INC_SAME, 16, true));
    return n;
}

/* Two residual blocks behind each other, the second without ReLU; dropout that lets all through. */
static inline net residuals(void)
{
    net n = begin_behind();
    int64_t c = n.graph.values[n.at].dims[3];
    for (int i = 0; i < 2; i++) {
        uint32_t in = n.at;
        assert_true(conv(&n, 3, 3, 1, INC_SAME, 16, false) && norm_relu(&n, false));
        assert_true(conv(&n, 1, 1, 1, INC_SAME, c, true) && residual(&n, in, 0.17f));
        if (i == 0) assert_true(simple(&n, INC_OP_RELU));
    }
    assert_true(simple(&n, INC_OP_DROPOUT) && conv(&n, 1, 1, 1, INC_SAME, 8, true));
    return n;
}

/* ---- checks in either precision ---- */

/* The same bits whatever the number of threads. */
static inline void check_threads(inception_precision precision)
{
    for (int i = 0; i < 6; i++) {
        net (*const build)(void) = i % 3 == 2 ? wide_conv : i % 3 == 1 ? residuals : block;
        uint64_t start = seed;
        net n = finished(build);
        training one = train_in(precision, &n, true, "", 0.5, 1);
        run(&one, &n);
        for (int count = 2; count <= 5; count++) {
            seed = start;
            net same = finished(build);
            training several = train_in(precision, &same, true, "", 0.5, count);
            size_t floats;
            run(&several, &same);
            inc_trainer_trained(one.trainer, &floats);
            assert_memory_equal(inc_trainer_gradients(one.trainer), inc_trainer_gradients(several.trainer),
                                floats * sizeof(float));
            end(&several);
            inc_graph_free(&same.graph);
        }
        end(&one);
        inc_graph_free(&n.graph);
    }
}

/* A weight that is not a number makes the answer none, through batch norm and ReLU. */
static inline void check_astray(inception_precision precision, bool own)
{
    net n = begin(3, 3, 3);
    assert_true(conv(&n, 1, 1, 1, INC_SAME, 5, true) && norm_relu(&n, false) && simple(&n, INC_OP_RELU));
    assert_true(finish(&n));
    training t = train_in(precision, &n, own, "", 1, 1);
    float out[BATCH * 45];
    ((float *)inc_trainer_variable(t.trainer, n.graph.nodes[0].conv.bias))[1] = NAN;
    assert_int_equal(inc_trainer_forward(t.trainer, t.input, 0, NULL), INCEPTION_OK);
    inc_trainer_read(t.trainer, n.at, out);
    for (int i = 0; i < BATCH * 45; i++) assert_true(isnan(out[i]) == (i % 5 == 1));
    end(&t);
    inc_graph_free(&n.graph);
}

#endif
