/* Convolutions with fewer multiplications, and their gradients, against their definition, summed in double. */
#include "../../src/engine/kernels/kernels.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Norm of the difference over the norm of the result. The transforms lose up to 2.5e-6 in one layer (the errors of the
 * points, measured on normal inputs, are in kernels/fewer.c); twice that is a wrong coefficient. */
#define TOLERANCE 5e-6

/* The same of the gradient of weights, where a sum over all pixels cancels more: up to 1.3e-5, of 5 and 7 taps. */
#define SLOPES_TOLERANCE 2.6e-5

static uint64_t seed = 1;

static float noise(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(seed >> 40) / (1 << 23) - 1);
}

static float *filled(size_t count)
{
    float *values = aligned_alloc(64, (count * sizeof *values + 63) / 64 * 64);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++) values[i] = noise();
    return values;
}

/* One output of the convolution. */
static double direct(const inc_fewer *p, int kh, int kw, const float *src, const float *weights, int o, int y, int x)
{
    double sum = 0;
    for (int ky = 0; ky < kh; ky++)
        for (int kx = 0; kx < kw; kx++) {
            int sy = y + ky - p->top, sx = x + kx - p->left;
            if (sy < 0 || sx < 0 || sy >= p->src_height || sx >= p->src_width) continue;
            for (int i = 0; i < p->in; i++) {
                size_t pixel = (size_t)(i / p->lanes * p->src_height + sy) * (size_t)p->src_width + (size_t)sx;
                size_t at = pixel * (size_t)p->lanes;
                sum += (double)src[at + (size_t)(i % p->lanes)]
                     * (double)weights[((size_t)(ky * kw + kx) * (size_t)p->in + (size_t)i) * (size_t)p->out + (size_t)o];
            }
        }
    return sum;
}

static void compare(inc_fewer p, int kh, int kw, int threads)
{
    assert_true(inc_fewer_plan(&p, kh, kw));
    size_t outputs = (size_t)(p.out * p.height * p.width);
    float *src = filled((size_t)(p.in * p.src_height * p.src_width)), *weights = filled((size_t)(p.in * p.out * kh * kw));
    float *scale = filled((size_t)p.out), *bias = filled((size_t)p.out), *dst = filled(outputs + 16);
    float *packed = filled(inc_fewer_packed_bytes(&p) / sizeof(float));
    float *scratch = filled(inc_fewer_scratch_bytes(&p, threads) / sizeof(float)), behind[16];
    memcpy(behind, dst + outputs, sizeof behind);
    inc_fewer_pack(&p, weights, scale, packed);
    inc_fewer_data data = {src, packed, bias, dst, scratch};
    for (int phase = 0; phase < inc_fewer_phases(&p, threads); phase++) /* threads one after the other: shares only */
        for (int thread = threads; thread-- > 0;) inc_fewer_run(&p, phase, &data, thread, threads);
    double errors = 0, norm = 0;
    for (int o = 0; o < p.out; o++)
        for (int y = 0; y < p.height; y++)
            for (int x = 0; x < p.width; x++) {
                double wanted = direct(&p, kh, kw, src, weights, o, y, x) * (double)scale[o] + (double)bias[o];
                if (p.relu) wanted = fmax(wanted, 0);
                size_t at = ((size_t)(o / p.lanes * p.height + y) * (size_t)p.width + (size_t)x) * (size_t)p.lanes;
                double got = (double)dst[at + (size_t)(o % p.lanes)];
                errors += (got - wanted) * (got - wanted), norm += wanted * wanted;
            }
    if (!(sqrt(errors / norm) <= TOLERANCE))
        print_message("%dx%d of %dx%d, %d -> %d, %d lanes, %d threads: %g\n", kh, kw, p.src_height, p.src_width, p.in, p.out,
                      p.lanes, threads, sqrt(errors / norm));
    assert_true(sqrt(errors / norm) <= TOLERANCE);
    assert_memory_equal(behind, dst + outputs, sizeof behind); /* nothing is written behind the output */
    free(src), free(weights), free(scale), free(bias), free(dst), free(packed), free(scratch);
}

static double at(const inc_fewer *p, const float *values, int height, int width, int channel, int y, int x)
{
    if (y < 0 || x < 0 || y >= height || x >= width) return 0;
    size_t pixel = (size_t)(channel / p->lanes * height + y) * (size_t)width + (size_t)x;
    return (double)values[pixel * (size_t)p->lanes + (size_t)(channel % p->lanes)];
}

static int random_to(int limit)
{
    return (int)((noise() + 1) / 2 * (float)limit * 0.999f);
}

#define LOOKS 60
#define PHOTOS 2

/* The gradient of the weights, of two photos, some elements of it. */
static void compare_slopes(inc_fewer p, int kh, int kw)
{
    assert_true(inc_fewer_plan(&p, kh, kw));
    const size_t ins = (size_t)(p.in * p.src_height * p.src_width), outs = (size_t)(p.out * p.height * p.width);
    const size_t count = (size_t)(p.in * p.out * kh * kw);
    float *src = filled(PHOTOS * ins), *dy = filled(PHOTOS * outs), *gradient = filled(count + 16), behind[16];
    float *sums = filled(inc_fewer_sums_bytes(&p) / sizeof(float));
    float *scratch = filled(inc_fewer_slopes_scratch_bytes(&p) / sizeof(float));
    memcpy(behind, gradient + count, sizeof behind);
    inc_fewer_slopes data = {src, dy, ins * sizeof *src, outs * sizeof *dy, PHOTOS, sums, scratch};
    inc_fewer_sum(&p, &data);
    inc_fewer_unpack(&p, sums, 3, p.in, gradient); /* by two threads, say */
    inc_fewer_unpack(&p, sums, 0, 3, gradient);
    double errors = 0, norm = 0;
    for (int look = 0; look < LOOKS; look++) {
        int ky = random_to(kh), kx = random_to(kw), i = random_to(p.in), o = random_to(p.out);
        double wanted = 0;
        for (int photo = 0; photo < PHOTOS; photo++)
            for (int y = 0; y < p.height; y++)
                for (int x = 0; x < p.width; x++)
                    wanted += at(&p, dy + (size_t)photo * outs, p.height, p.width, o, y, x)
                            * at(&p, src + (size_t)photo * ins, p.src_height, p.src_width, i, y + ky - p.top,
                                 x + kx - p.left);
        double got = (double)gradient[((size_t)(ky * kw + kx) * (size_t)p.in + (size_t)i) * (size_t)p.out + (size_t)o];
        errors += (got - wanted) * (got - wanted), norm += wanted * wanted;
    }
    if (!(sqrt(errors / norm) <= SLOPES_TOLERANCE))
        print_message("gradient of %dx%d weights, %d -> %d, %d lanes: %g\n", kh, kw, p.in, p.out, p.lanes,
                      sqrt(errors / norm));
    assert_true(sqrt(errors / norm) <= SLOPES_TOLERANCE);
    assert_memory_equal(behind, gradient + count, sizeof behind);
    free(src), free(dy), free(gradient), free(sums), free(scratch);
}

/* The gradient of the input: the plan turns the convolution `p` around. */
static void compare_turned(const inc_fewer *p, int kh, int kw)
{
    inc_fewer back = {.lanes = p->lanes, .in = p->out, .out = p->in, .src_height = p->height, .src_width = p->width,
                      .height = p->src_height, .width = p->src_width, .top = kh - 1 - p->top, .left = kw - 1 - p->left,
                      .turned = true};
    assert_true(inc_fewer_plan(&back, kh, kw));
    float *dy = filled((size_t)(p->out * p->height * p->width)), *weights = filled((size_t)(p->in * p->out * kh * kw));
    float *dx = filled((size_t)(p->in * p->src_height * p->src_width));
    float *packed = filled(inc_fewer_packed_bytes(&back) / sizeof(float));
    float *scratch = filled(inc_fewer_scratch_bytes(&back, 1) / sizeof(float));
    inc_fewer_pack(&back, weights, NULL, packed);
    inc_fewer_data data = {dy, packed, NULL, dx, scratch};
    for (int phase = 0; phase < inc_fewer_phases(&back, 1); phase++) inc_fewer_run(&back, phase, &data, 0, 1);
    double errors = 0, norm = 0;
    for (int look = 0; look < LOOKS; look++) {
        int i = random_to(p->in), y = random_to(p->src_height), x = random_to(p->src_width);
        double wanted = 0, got = at(p, dx, p->src_height, p->src_width, i, y, x);
        for (int tap = 0; tap < kh * kw; tap++)
            for (int o = 0; o < p->out; o++)
                wanted += at(p, dy, p->height, p->width, o, y - tap / kw + p->top, x - tap % kw + p->left)
                        * (double)weights[((size_t)tap * (size_t)p->in + (size_t)i) * (size_t)p->out + (size_t)o];
        errors += (got - wanted) * (got - wanted), norm += wanted * wanted;
    }
    assert_true(sqrt(errors / norm) <= TOLERANCE);
    free(dy), free(weights), free(dx), free(packed), free(scratch);
}

static const int kernels[][2] = {{3, 3}, {5, 5}, {1, 7}, {7, 1}, {1, 3}, {3, 1}};

/* All kernels, padded and not, on sides that leave every remainder, on one panel of channels, part of one, and several;
 * small layers are split by channels, large ones by tiles. */
static void any_size(int lanes)
{
    static const int sides[][2] = {{21, 27}, {38, 17}, {35, 36}, {73, 70}};
    static const int blocks[][2] = {{1, 1}, {2, 3}, {3, 4}};
    int layers = 0;
    for (size_t k = 0; k < INC_COUNT(kernels); k++)
        for (size_t s = 0; s < INC_COUNT(sides); s++)
            for (size_t b = 0; b < INC_COUNT(blocks); b++) {
                int kh = kernels[k][0], kw = kernels[k][1], padded = layers % 3 != 0;
                inc_fewer p = {.lanes = lanes, .in = blocks[b][0] * lanes, .out = blocks[b][1] * lanes,
                               .src_height = sides[s][0], .src_width = sides[s][1], .relu = layers % 2};
                p.top = padded ? kh / 2 : 0, p.left = padded ? kw / 2 : 0;
                p.height = p.src_height + 2 * p.top - kh + 1, p.width = p.src_width + 2 * p.left - kw + 1;
                compare(p, kh, kw, 1 + layers++ % 3);
                compare_slopes(p, kh, kw);
                compare_turned(&p, kh, kw);
            }
}

static void sixteen_lanes(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("avx512f")) skip();
    any_size(16);
}

static void eight_lanes(void **state)
{
    (void)state;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) skip();
    any_size(8);
}

/* What the kernels cannot do is left to oneDNN. */
static void refused(void **state)
{
    (void)state;
    inc_fewer fine = {.lanes = 16, .in = 32, .out = 32, .src_height = 35, .src_width = 35, .height = 33, .width = 33};
    inc_fewer odd = fine, small = fine;
    odd.in = 24;
    small.src_height = small.src_width = 8, small.height = small.width = 6;
    assert_true(inc_fewer_plan(&fine, 3, 3));
    assert_false(inc_fewer_plan(&odd, 3, 3));
    assert_false(inc_fewer_plan(&small, 3, 3));
    assert_false(inc_fewer_plan(&fine, 1, 1));
    assert_false(inc_fewer_plan(&fine, 2, 2));
    assert_false(inc_fewer_plan(&fine, 7, 7)); /* 100 points */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_lanes),
        cmocka_unit_test(eight_lanes),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
