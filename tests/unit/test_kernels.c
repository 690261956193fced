/* Convolutions with fewer multiplications against their definition, summed in double. */
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
