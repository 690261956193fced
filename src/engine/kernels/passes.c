/* The passes of training, compiled once with AVX-512 and once with AVX2 (meson.build). `count` is a multiple of LANES.
 *
 * Sums are taken in float32 over CHUNK pixels, several at once because one addition waits for the one before it, and
 * then in double: no slower than memory, and as exact as the values themselves. */
#include "passes.h"

#ifdef __AVX512F__
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

static inline vec load(const float *from)
{
    return *(const vec *)from;
}

static inline void store(float *to, vec v)
{
    *(vec *)to = v;
}

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

static void sums(const float *x, int64_t pixels, const float *mean, double *sum, double *squares)
{
    const vec m = load(mean);
    for (int64_t from = 0; from < pixels; from += CHUNK) {
        int64_t end = from + CHUNK < pixels ? from + CHUNK : pixels;
        vec s[SUMS] = {{0}}, q[SUMS] = {{0}};
        for (int64_t p = from; p < end; p++) {
            vec d = load(x + p * LANES) - m;
            s[p % SUMS] += d;
            q[p % SUMS] += d * d;
        }
        fold(sum, s);
        fold(squares, q);
    }
}

static void norm(const float *x, int64_t pixels, const inc_normal *normal, float *y)
{
    const vec m = load(normal->mean), scale = load(normal->scale), beta = load(normal->beta);
    for (int64_t i = 0; i < pixels * LANES; i += LANES) {
        vec v = (load(x + i) - m) * scale + beta;
        store(y + i, normal->relu ? rectified(v) : v);
    }
}

/* dy where the ReLU lets it through; d: x - mean. */
static inline vec through(vec d, vec dy, vec scale, vec beta, bool relu)
{
    const vec none = {0};
    return relu ? where(d * scale + beta > none, dy) : dy;
}

static void norm_sums(const float *x, const float *dy, int64_t pixels, const inc_normal *normal, double *sum,
                      double *product)
{
    const vec m = load(normal->mean), scale = load(normal->scale), beta = load(normal->beta);
    for (int64_t from = 0; from < pixels; from += CHUNK) {
        int64_t end = from + CHUNK < pixels ? from + CHUNK : pixels;
        vec s[SUMS] = {{0}}, q[SUMS] = {{0}};
        for (int64_t p = from; p < end; p++) {
            vec d = load(x + p * LANES) - m, g = through(d, load(dy + p * LANES), scale, beta, normal->relu);
            s[p % SUMS] += g;
            q[p % SUMS] += g * d;
        }
        fold(sum, s);
        fold(product, q);
    }
}

static void norm_back(const float *x, const float *dy, int64_t pixels, const inc_normal *normal, const float *first,
                      const float *second, bool add, float *dx)
{
    const vec m = load(normal->mean), scale = load(normal->scale), beta = load(normal->beta);
    const vec a = load(first), b = load(second), none = {0};
    for (int64_t i = 0; i < pixels * LANES; i += LANES) {
        vec d = load(x + i) - m, g = through(d, load(dy + i), scale, beta, normal->relu);
        store(dx + i, scale * (g - a - d * b) + (add ? load(dx + i) : none));
    }
}

static void relu(const float *x, int64_t count, float *y)
{
    for (int64_t i = 0; i < count; i += LANES) store(y + i, rectified(load(x + i)));
}

static void relu_back(const float *y, const float *dy, int64_t count, bool add, float *dx)
{
    const vec none = {0};
    for (int64_t i = 0; i < count; i += LANES)
        store(dx + i, where(load(y + i) > none, load(dy + i)) + (add ? load(dx + i) : none));
}

static void add(const float *a, const float *b, float scale, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; i += LANES) store(out + i, load(a + i) + scale * load(b + i));
}

static void scale_all(const float *a, float scale, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; i += LANES) store(out + i, scale * load(a + i));
}

const inc_passes TABLE = {sums, norm, norm_sums, norm_back, relu, relu_back, add, scale_all};
