/* The passes of training, compiled once with AVX-512, once with AVX2 and once for bfloat16 (meson.build). Places are
 * counted in elements, and `count` is a multiple of LANES.
 *
 * Sums are taken in float32 over CHUNK pixels, several at once because one addition waits for the one before it, and
 * then in double: no slower than memory, and as exact as the values themselves. */
#include "passes.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#define LANES 16
#define TABLE inc_passes_bf16
#elif defined __AVX512F__
#define LANES 16
#define TABLE inc_passes_16
#else
#define LANES 8
#define TABLE inc_passes_8
#endif
#define CHUNK 64
#define SUMS 4

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t))));

static inline vec load_vector(const float *from)
{
    return *(const vec *)from;
}

#ifdef __AVX512BF16__
typedef uint16_t half_vec __attribute__((vector_size(LANES * sizeof(uint16_t))));

static inline vec load(const void *from, int64_t at)
{
    return (vec)(__builtin_convertvector(*(const half_vec *)((const uint16_t *)from + at), mask) << 16);
}

/* To the nearest, ties to even; only an intrinsic names the instruction. */
static inline void store(void *to, int64_t at, vec v)
{
    *(__m256bh *)((uint16_t *)to + at) = _mm512_cvtneps_pbh((__m512)v);
}
#else
static inline vec load(const void *from, int64_t at)
{
    return load_vector((const float *)from + at);
}

static inline void store(void *to, int64_t at, vec v)
{
    *(vec *)((float *)to + at) = v;
}
#endif

/* v where the condition is true, else 0. */
static inline vec where(mask condition, vec v)
{
    return (vec)(condition & (mask)v);
}

/* max(v, 0), where what is not a number stays so: training that went astray is to be seen. */
static inline vec rectified(vec v)
{
    const vec none = {0};
    return where(~(v <= none), v);
}

static inline void fold(double *sum, const vec *parts)
{
    vec whole = (parts[0] + parts[1]) + (parts[2] + parts[3]);
    for (int c = 0; c < LANES; c++) sum[c] += (double)whole[c];
}

static void sums(const void *x, int64_t pixels, const float *mean, double *sum, double *squares)
{
    const vec m = load_vector(mean);
    for (int64_t from = 0; from < pixels; from += CHUNK) {
        int64_t end = from + CHUNK < pixels ? from + CHUNK : pixels;
        vec s[SUMS] = {{0}}, q[SUMS] = {{0}};
        for (int64_t p = from; p < end; p++) {
            vec d = load(x, p * LANES) - m;
            s[p % SUMS] += d;
            q[p % SUMS] += d * d;
        }
        fold(sum, s);
        fold(squares, q);
    }
}

static void norm(const void *x, int64_t pixels, const inc_normal *normal, void *y)
{
    const vec m = load_vector(normal->mean), scale = load_vector(normal->scale), beta = load_vector(normal->beta);
    for (int64_t i = 0; i < pixels * LANES; i += LANES) {
        vec v = (load(x, i) - m) * scale + beta;
        store(y, i, normal->relu ? rectified(v) : v);
    }
}

/* dy where the ReLU lets it through; d: x - mean. */
static inline vec through(vec d, vec dy, vec scale, vec beta, bool relu)
{
    const vec none = {0};
    return relu ? where(d * scale + beta > none, dy) : dy;
}

static void norm_sums(const void *x, const void *dy, int64_t pixels, const inc_normal *normal, double *sum,
                      double *product)
{
    const vec m = load_vector(normal->mean), scale = load_vector(normal->scale), beta = load_vector(normal->beta);
    for (int64_t from = 0; from < pixels; from += CHUNK) {
        int64_t end = from + CHUNK < pixels ? from + CHUNK : pixels;
        vec s[SUMS] = {{0}}, q[SUMS] = {{0}};
        for (int64_t p = from; p < end; p++) {
            vec d = load(x, p * LANES) - m, g = through(d, load(dy, p * LANES), scale, beta, normal->relu);
            s[p % SUMS] += g;
            q[p % SUMS] += g * d;
        }
        fold(sum, s);
        fold(product, q);
    }
}

static void norm_back(const void *x, const void *dy, int64_t pixels, const inc_normal *normal, const float *first,
                      const float *second, bool add, void *dx)
{
    const vec m = load_vector(normal->mean), scale = load_vector(normal->scale), beta = load_vector(normal->beta);
    const vec a = load_vector(first), b = load_vector(second), none = {0};
    for (int64_t i = 0; i < pixels * LANES; i += LANES) {
        vec d = load(x, i) - m, g = through(d, load(dy, i), scale, beta, normal->relu);
        store(dx, i, scale * (g - a - d * b) + (add ? load(dx, i) : none));
    }
}

static void relu(const void *x, int64_t count, void *y)
{
    for (int64_t i = 0; i < count; i += LANES) store(y, i, rectified(load(x, i)));
}

static void relu_back(const void *y, const void *dy, int64_t count, bool add, void *dx)
{
    const vec none = {0};
    for (int64_t i = 0; i < count; i += LANES)
        store(dx, i, where(load(y, i) > none, load(dy, i)) + (add ? load(dx, i) : none));
}

static void add(const void *a, const void *b, float scale, int64_t count, void *out)
{
    for (int64_t i = 0; i < count; i += LANES) store(out, i, load(a, i) + scale * load(b, i));
}

static void scale_all(const void *a, float scale, int64_t count, void *out)
{
    for (int64_t i = 0; i < count; i += LANES) store(out, i, scale * load(a, i));
}

const inc_passes TABLE = {sums, norm, norm_sums, norm_back, relu, relu_back, add, scale_all};
