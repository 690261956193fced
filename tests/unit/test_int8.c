/* The steps on bytes against sums of integers, to the bit; which values of the networks are bytes, counted by hand; the
 * ranges in a model file. How near int8 comes to float32 is checked in test_engine.c and golden/check_int8.py. */
#include "../../src/engine/engine.h"
#include "../../src/engine/kernels/kernels.h"
#include "../formula.h"

#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static uint64_t seed = 7;

static int random_to(int limit) /* 0 ... limit - 1 */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (uint64_t)limit);
}

static float noise(void)
{
    return (float)random_to(2001) / 1000 - 1;
}

static void *room(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    assert_non_null(memory);
    memset(memory, 0xa5, (bytes + 63) / 64 * 64);
    return memory;
}

static bool can_run(void)
{
    return inc_engine_supports(INCEPTION_PRECISION_INT8);
}

/* Threads one after the other: shares only. */
static void run(const inc_int8 *plan, const void *src, const void *packed, void *dst, int threads)
{
    for (int thread = threads; thread-- > 0;) inc_int8_run(plan, &(inc_int8_data){src, packed, dst}, thread, threads);
}

static uint8_t to_byte(float value, float least)
{
    value = nearbyintf(fmaxf(value, least));
    return (uint8_t)(value > UINT8_MAX ? UINT8_MAX : value);
}

/* ---- convolution ---- */

typedef struct layer {
    inc_int8 plan;
    int channels; /* in the weights: the rest of plan.in is not there */
    inc_quant in, out;
    float *weights, *scale, *bias;
    uint8_t *src;
} layer;

/* The sum over bytes, of weights rounded as said in kernels.h: each channel's largest is 127. */
static float direct(const layer *l, int o, int y, int x)
{
    const inc_int8 *p = &l->plan;
    int products = p->kernel_h * p->kernel_w * p->across * l->channels;
    double largest = 0;
    for (int i = 0; i < products; i++)
        largest = fmax(largest, fabs((double)l->weights[i * p->out + o] * (double)l->scale[o]));
    double step = largest > 0 ? largest / 127 : 1;
    int64_t sum = 0, weight_sum = 0;
    for (int i = 0; i < products; i++) {
        int64_t weight = lrint((double)l->weights[i * p->out + o] * (double)l->scale[o] / step);
        int tap = i / l->channels, kernel_w = p->kernel_w * p->across;
        int sy = y * p->stride - p->top + tap / kernel_w, sx = x * p->stride - p->left + tap % kernel_w;
        bool inside = sy >= 0 && sx >= 0 && sy < p->src_height && sx < p->src_width;
        ptrdiff_t pixel = (ptrdiff_t)(sy * p->src_width + sx) * (ptrdiff_t)p->src_pixel;
        sum += weight * (inside ? l->src[pixel + i % l->channels] : l->in.zero);
        weight_sum += weight;
    }
    double factor = step * (double)l->in.scale / (double)l->out.scale;
    double shift = (double)l->bias[o] / (double)l->out.scale - factor * (double)weight_sum * l->in.zero + l->out.zero;
    return fmaf((float)sum, (float)factor, (float)shift);
}

static void compare(layer l, int threads)
{
    inc_int8 *p = &l.plan;
    int pixels = p->height * p->width, blocks = (p->out + 15) / 16, taps = p->kernel_h * p->kernel_w * p->across;
    size_t weights = (size_t)(taps * l.channels * p->out), src_bytes = (size_t)(p->src_height * p->src_width) * p->src_pixel;
    size_t value = p->wide ? sizeof(float) : 1, dst_bytes = (size_t)(pixels * blocks * 16) * value;
    p->dst_pixel = p->wide ? 64 : (size_t)blocks * 16;
    p->dst_block = p->wide ? (size_t)pixels * 64 : 16;
    l.weights = room(weights * sizeof(float)), l.scale = room((size_t)p->out * sizeof(float));
    l.bias = room((size_t)p->out * sizeof(float)), l.src = room(src_bytes);
    uint8_t *dst = room(dst_bytes + 64), *before = room(dst_bytes), *packed = room(inc_int8_packed_bytes(p));
    inc_quant *quants = room((size_t)p->out * sizeof *quants);
    for (size_t i = 0; i < weights; i++) l.weights[i] = noise();
    for (int o = 0; o < p->out; o++) l.scale[o] = noise(), l.bias[o] = noise(), quants[o] = l.out;
    for (size_t i = 0; i < src_bytes; i++) l.src[i] = (uint8_t)random_to(256);
    for (size_t i = 0; p->wide && i < dst_bytes / sizeof(float); i++) ((float *)dst)[i] = noise();
    memcpy(before, dst, dst_bytes);
    inc_int8_pack_conv(p, l.weights, l.channels, l.scale, l.bias, l.in, quants, packed);
    run(p, l.src, packed, dst, threads);
    for (int o = 0; o < p->out; o++)
        for (int i = 0; i < pixels; i++) {
            float wanted = direct(&l, o, i / p->width, i % p->width);
            size_t at = (size_t)i * p->dst_pixel + (size_t)(o / 16) * p->dst_block + (size_t)(o % 16) * value;
            float got, old;
            memcpy(&got, dst + at, p->wide ? sizeof got : 1), memcpy(&old, before + at, p->wide ? sizeof old : 1);
            if (!p->wide) {
                assert_int_equal(dst[at], to_byte(wanted, p->relu ? (float)l.out.zero : 0));
                continue;
            }
            if (p->add) wanted += old;
            assert_true(got == (p->relu ? fmaxf(wanted, 0) : wanted));
        }
    for (size_t i = 0; i < 64; i++) assert_int_equal(dst[dst_bytes + i], 0xa5); /* nothing is written behind the output */
    free(l.weights), free(l.scale), free(l.bias), free(l.src), free(dst), free(before), free(packed), free(quants);
}

static void convolutions(void **state)
{
    (void)state;
    static const int kernels[][2] = {{1, 1}, {3, 3}, {5, 5}, {1, 7}, {7, 1}, {7, 7}, {9, 9}};
    if (!can_run()) skip();
    for (int i = 0; i < 100; i++) {
        const int *k = kernels[random_to(7)];
        int some = i % 3 ? 1 + random_to(70) : 32; /* or as many as fill a pixel */
        layer l = {.channels = i % 5 ? some : 3, .in = {0.02f, random_to(2) ? 0 : 128}, .out = {0.3f, 0}};
        int stride = 1 + random_to(2), height = k[0] + random_to(9), width = k[1] + random_to(9);
        l.plan = (inc_int8){.kind = INC_INT8_CONV, .in = (l.channels + 3) / 4 * 4, .out = 1 + random_to(130),
                            .src_height = height, .src_width = width, .height = (height - 1) / stride + 1,
                            .width = (width - 1) / stride + 1, .kernel_h = k[0], .kernel_w = k[1], .stride = stride,
                            .top = k[0] / 2, .left = k[1] / 2, .across = 1, .relu = random_to(2),
                            .wide = random_to(2)};
        l.plan.add = l.plan.wide && random_to(2);
        l.plan.src_pixel = (size_t)(l.plan.in == 4 ? 4 : (l.plan.in + 15) / 16 * 16);
        if (l.plan.src_pixel == (size_t)l.plan.in && random_to(2)) { /* rows of taps in one piece, no padding across */
            l.plan.width = (width - k[1]) / stride + 1;
            l.plan.left = 0, l.plan.kernel_w = 1, l.plan.across = k[1];
            l.plan.in *= k[1];
        }
        if (l.plan.wide) l.out = (inc_quant){1, 0};
        else if (random_to(2)) l.out.zero = 90;
        compare(l, 1 + random_to(3));
    }
}

/* ---- the others ---- */

static void pools(void **state)
{
    (void)state;
    enum { SIDE = 9, CHANNELS = 112 }; /* whole vectors and a part of one */
    if (!can_run()) skip();
    uint8_t src[SIDE * SIDE * CHANNELS], dst[SIDE * SIDE * CHANNELS];
    float packed[16];
    for (size_t i = 0; i < sizeof src; i++) src[i] = (uint8_t)random_to(256);
    for (int i = 0; i < 60; i++) {
        int kernel = 2 + random_to(8), stride = 1 + random_to(2), side = (SIDE - 1) / stride + 1;
        inc_quant in = {0.5f, random_to(2) * 100}, out = {0.25f + (float)random_to(4) / 8, random_to(2) * 50};
        inc_int8 p = {.kind = random_to(2) ? INC_INT8_MAX_POOL : INC_INT8_AVG_POOL, .in = CHANNELS, .out = CHANNELS,
                      .src_height = SIDE, .src_width = SIDE, .height = side, .width = side, .kernel_h = kernel,
                      .kernel_w = kernel, .stride = stride, .top = kernel / 2, .left = kernel / 2, .src_pixel = CHANNELS,
                      .dst_pixel = CHANNELS, .src_block = 16, .dst_block = 16, .relu = random_to(2)};
        inc_int8_pack(&p, in, out, packed);
        run(&p, src, packed, dst, 1 + random_to(3));
        for (int at = 0; at < side * side * CHANNELS; at++) {
            int c = at % CHANNELS, pixel = at / CHANNELS;
            int y = pixel / side * stride - kernel / 2, x = pixel % side * stride - kernel / 2;
            int largest = 0, sum = 0, count = 0;
            for (int sy = y < 0 ? 0 : y; sy < SIDE && sy < y + kernel; sy++)
                for (int sx = x < 0 ? 0 : x; sx < SIDE && sx < x + kernel; sx++, count++) {
                    int value = src[(sy * SIDE + sx) * CHANNELS + c];
                    largest = value > largest ? value : largest, sum += value;
                }
            double factor = (double)in.scale / (double)out.scale;
            float shift = (float)(out.zero - factor * in.zero), each = (float)factor / (float)count;
            bool max = p.kind == INC_INT8_MAX_POOL;
            float pooled = max ? fmaf((float)largest, (float)factor, shift) : fmaf((float)sum, each, shift);
            assert_int_equal(dst[at], to_byte(pooled, p.relu ? (float)out.zero : 0));
        }
    }
}

/* Floats in blocks of channels -> bytes -> floats: back within half a step, and what is outside at the end of the range. */
static void there_and_back(void **state)
{
    (void)state;
    enum { PIXELS = 21, CHANNELS = 32 };
    if (!can_run()) skip();
    float *floats = room(PIXELS * CHANNELS * sizeof(float)), *back = room(PIXELS * CHANNELS * sizeof(float)), packed[16];
    uint8_t *bytes = room(PIXELS * CHANNELS);
    for (int i = 0; i < PIXELS * CHANNELS; i++) floats[i] = 1.2f * noise();
    inc_quant quant = inc_quant_of_range(-0.5f, 1);
    inc_int8 p = {.kind = INC_INT8_QUANTIZE, .in = CHANNELS, .out = CHANNELS, .src_height = 3, .src_width = 7, .height = 3,
                  .width = 7, .src_pixel = 64, .src_block = PIXELS * 64, .dst_pixel = CHANNELS, .dst_block = 16};
    inc_int8_pack(&p, (inc_quant){1, 0}, quant, packed);
    run(&p, floats, packed, bytes, 2);
    inc_int8 q = {.kind = INC_INT8_DEQUANTIZE, .in = CHANNELS, .out = CHANNELS, .src_height = 3, .src_width = 7,
                  .height = 3, .width = 7, .wide = true, .src_pixel = CHANNELS, .src_block = 16, .dst_pixel = 64,
                  .dst_block = PIXELS * 64};
    inc_int8_pack(&q, quant, (inc_quant){1, 0}, packed);
    run(&q, bytes, packed, back, 2);
    float low = -(float)quant.zero * quant.scale, high = (float)(UINT8_MAX - quant.zero) * quant.scale;
    for (int i = 0; i < PIXELS * CHANNELS; i++) {
        float wanted = fminf(fmaxf(floats[i], low), high);
        assert_true(fabsf(back[i] - wanted) <= quant.scale * 0.5001f);
    }
    free(floats), free(back), free(bytes);
}

static void photos(void **state)
{
    (void)state;
    enum { HEIGHT = 5, MOST = 40 };
    if (!can_run()) skip();
    for (int width = 1; width < MOST; width++) {
        float planes[3 * HEIGHT * MOST], packed[16];
        uint8_t bytes[4 * (HEIGHT + 8) * (MOST + 40)];
        memset(bytes, 0xa5, sizeof bytes);
        for (int i = 0; i < 3 * HEIGHT * width; i++) planes[i] = noise();
        inc_quant quant = inc_quant_of_range(-1, 1);
        inc_int8 p = {.kind = INC_INT8_PHOTO, .in = 3, .out = 3, .src_height = HEIGHT, .src_width = width,
                      .top = random_to(4), .left = random_to(2) * random_to(20)};
        p.height = HEIGHT + p.top + random_to(4), p.width = width + p.left + random_to(2) * random_to(20);
        inc_int8_pack(&p, (inc_quant){1, 0}, quant, packed);
        run(&p, planes, packed, bytes, 1 + random_to(3));
        for (int i = 0; i < p.height * p.width * 4; i++) {
            int c = i % 4, y = i / 4 / p.width - p.top, x = i / 4 % p.width - p.left;
            bool inside = y >= 0 && y < HEIGHT && x >= 0 && x < width;
            if (inside && c == 3) continue; /* of no weight */
            float value = inside ? planes[(c * HEIGHT + y) * width + x] : 0;
            assert_int_equal(bytes[i], to_byte(fmaf(value, (float)(1 / (double)quant.scale), (float)quant.zero), 0));
        }
        assert_int_equal(bytes[p.height * p.width * 4], 0xa5);
    }
}

/* ---- networks ---- */

static inc_graph quantized(const char *name)
{
    inc_graph graph = {0};
    inc_shape shape = inc_shape_default(inception_network_find(name));
    assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
    assert_int_equal(inc_graph_rewrite(&graph, INC_ALL_REWRITES, 16, NULL), INCEPTION_OK);
    return graph;
}

static int count_ops(const inc_graph *graph, inc_op op)
{
    int count = 0;
    for (size_t n = 0; n < graph->node_count; n++) count += graph->nodes[n].op == op;
    return count;
}

/* Every convolution takes bytes. What has to become bytes: the photo; GoogLeNet's two normalized values; of
 * Inception-ResNet-v2 the sums that its 40 blocks read, and those that the three layers behind them do. */
static void networks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int quantize, dequantize;
    } wanted[] = {{"v1", 1, 0}, {"v2", 1, 0}, {"v3", 1, 0}, {"v4", 1, 0}, {"googlenet", 3, 0}, {"irv2", 1 + 40 + 3, 0}};
    for (size_t i = 0; i < INC_COUNT(wanted); i++) {
        inc_graph graph = quantized(wanted[i].name);
        assert_int_equal(inc_graph_quantize(&graph, NULL), INCEPTION_OK);
        assert_int_equal(count_ops(&graph, INC_OP_QUANTIZE), wanted[i].quantize);
        assert_int_equal(count_ops(&graph, INC_OP_DEQUANTIZE), wanted[i].dequantize);
        for (size_t n = 0; n < graph.node_count; n++)
            if (graph.nodes[n].op == INC_OP_CONV) assert_true(graph.values[graph.nodes[n].inputs[0]].quantized);
        assert_false(graph.values[inc_graph_find(&graph, "Logits")].quantized);
        inc_graph_free(&graph);
    }
}

/* ---- ranges ---- */

/* A name stands for one value. */
static void names_differ(void **state)
{
    (void)state;
    size_t count;
    const inception_network *all = inception_networks(&count);
    for (size_t i = 0; i < count; i++) {
        inc_graph graph = quantized(all[i].name);
        const char *names[1000];
        size_t read = 0;
        for (uint32_t v = 0; v < graph.value_count; v++)
            if (!graph.values[v].variable && inc_graph_uses(&graph, v)) names[read++] = graph.values[v].name;
        assert_true(read < INC_COUNT(names));
        for (size_t v = 0; v < read; v++)
            for (size_t w = 0; w < v; w++) assert_string_not_equal(names[v], names[w]);
        inc_graph_free(&graph);
    }
}

static void ranges_return(void **state)
{
    (void)state;
    inc_graph graph = quantized("v1"), other = quantized("v1");
    inc_model model = {0};
    for (uint32_t v = 0; v < graph.value_count; v++)
        graph.values[v].low = -0.1f * (float)(v % 3), graph.values[v].high = noise() + 2;
    assert_int_equal(inc_ranges_print(&model, &graph, NULL), INCEPTION_OK);
    assert_int_equal(inc_ranges_apply(model.ranges, &other, "file", NULL), INCEPTION_OK);
    for (uint32_t v = 0; v < graph.value_count; v++) {
        if (graph.values[v].variable || graph.values[v].kept || !inc_graph_uses(&graph, v)) continue;
        assert_true(graph.values[v].low == other.values[v].low && graph.values[v].high == other.values[v].high);
    }
    inc_arena_free(&model.arena);
    inc_graph_free(&graph);
    inc_graph_free(&other);
}

/* What somebody looks at and a layer reads has a range, also where it is a value only because somebody looks. */
static void ranges_of_kept(void **state)
{
    (void)state;
    inc_graph graph = quantized("v3"), other = {0};
    inc_model model = {0};
    inc_shape shape = inc_shape_default(inception_network_find("v3"));
    for (uint32_t v = 0; v < graph.value_count; v++) graph.values[v].high = 1 + (float)v;
    assert_int_equal(inc_ranges_print(&model, &graph, NULL), INCEPTION_OK);
    assert_int_equal(inc_build(&shape, &other, NULL), INCEPTION_OK);
    const uint32_t kept[] = {inc_graph_find(&other, "Mixed_6e"), inc_graph_find(&other, "PreLogits")};
    for (size_t i = 0; i < INC_COUNT(kept); i++) other.values[kept[i]].kept = true;
    assert_int_equal(inc_graph_rewrite(&other, INC_ALL_REWRITES, 16, NULL), INCEPTION_OK);
    assert_int_equal(inc_ranges_apply(model.ranges, &other, "file", NULL), INCEPTION_OK);
    assert_true(other.values[kept[0]].high == graph.values[inc_graph_find(&graph, "Mixed_6e")].high);
    assert_true(other.values[kept[1]].high == graph.values[inc_graph_find(&graph, "AvgPool_1a")].high);
    inc_graph_free(&graph);
    inc_graph_free(&other);
    graph = quantized("irv2"), shape = inc_shape_default(inception_network_find("irv2"));
    for (uint32_t v = 0; v < graph.value_count; v++) graph.values[v].high = 1;
    assert_int_equal(inc_ranges_print(&model, &graph, NULL), INCEPTION_OK);
    assert_int_equal(inc_build(&shape, &other, NULL), INCEPTION_OK); /* sums that are looked at are not taken in place */
    other.values[inc_graph_find(&other, "Mixed_5b")].kept = true;
    other.values[inc_graph_find(&other, "Repeat/block35_5")].kept = true;
    assert_int_equal(inc_graph_rewrite(&other, INC_ALL_REWRITES, 16, NULL), INCEPTION_OK);
    assert_int_equal(inc_ranges_apply(model.ranges, &other, "file", NULL), INCEPTION_OK);
    inc_arena_free(&model.arena);
    inc_graph_free(&graph);
    inc_graph_free(&other);
}

static void ranges_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {"", "0 1", "0 1 ", " 0 1 input", "0 input", "nan 1 input", "0 inf input",
                                        "2 1 input", "0 1 inputs", "input", "- e input", "-1e31 0 input",
                                        "0 1e-40 input", "0 1e99 input", "x y input", "0 1 xinput"};
    inc_graph graph = {0};
    inception_error error;
    graph.input = inc_graph_activation(&graph, "input", 1, 1, 1, NULL);
    uint32_t out = inc_graph_activation(&graph, "out", 1, 1, 1, NULL);
    inc_graph_add(&graph, &(inc_node){.op = INC_OP_MAX_POOL, .inputs = {graph.input}, .input_count = 1, .output = out},
                  NULL);
    assert_int_equal(inc_ranges_apply("-1 0.5 input\n", &graph, "file", NULL), INCEPTION_OK);
    assert_true(graph.values[graph.input].low == -1 && graph.values[graph.input].high == 0.5f);
    for (size_t i = 0; i < INC_COUNT(lines); i++) {
        error = (inception_error){0};
        assert_int_equal(inc_ranges_apply(lines[i], &graph, "file", &error), INCEPTION_DATA);
        assert_string_equal(error.message, "file: int8_ranges has no usable range of 'input'; 'inception convert --int8' "
                            "finds all anew");
    }
    error = (inception_error){0};
    assert_int_equal(inc_ranges_apply(NULL, &graph, "file", &error), INCEPTION_UNSUPPORTED);
    inc_graph_free(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions), cmocka_unit_test(pools),         cmocka_unit_test(there_and_back),
        cmocka_unit_test(photos),       cmocka_unit_test(networks),      cmocka_unit_test(names_differ),
        cmocka_unit_test(ranges_return), cmocka_unit_test(ranges_of_kept), cmocka_unit_test(ranges_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
