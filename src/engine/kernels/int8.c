/* Steps on 8-bit activations, for AVX-512 with VNNI, whose one instruction multiplies 64 pairs of bytes and adds each four
 * products to a sum of 32 bits.
 *
 * A convolution is a product of matrices whose rows are pixels: PIXELS outputs by BLOCKS blocks of 16 channels are summed in
 * registers, over taps and channels of the input. Where each tap of each pixel begins is looked up in a small table made for
 * the tile, so that stride, padding (it points at a pixel of zeros) and the ends of rows cost nothing inside. */
#include "private.h"

#include <immintrin.h>
#include <string.h>

#define PIXELS 8
#define BLOCKS 3 /* 24 sums, three vectors of weights, an input: 28 of 32 registers */
#define GROUP 4 /* tiles */
#define LANES INC_INT8_LANES

#define INLINE static inline __attribute__((always_inline))

typedef int64_t places __attribute__((vector_size(PIXELS * sizeof(int64_t))));

/* 16 channels of a pixel, none less than `least`, which is at least 0 for bytes. */
INLINE void write(const inc_int8 *plan, uint8_t *to, __m512 values, __m512 least)
{
    if (plan->add) values = _mm512_add_ps(values, _mm512_loadu_ps(to));
    values = _mm512_max_ps(least, values); /* in this order what is not a number stays so */
    if (plan->wide) _mm512_storeu_ps(to, values);
    else _mm_storeu_si128((__m128i *)to, _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(values)));
}

/* ---- Convolution ---- */

/* Where each tap of PIXELS outputs from `first` on reads. */
static void find_taps(const inc_int8 *plan, const uint8_t *src, const uint8_t *outside, int first, const uint8_t **at)
{
    places y, x;
    int down = first / plan->width, across = first % plan->width;
    for (int p = 0; p < PIXELS; p++) {
        y[p] = down * plan->stride - plan->top;
        x[p] = across * plan->stride - plan->left;
        if (++across == plan->width) across = 0, down++;
    }
    int64_t pixel = (int64_t)plan->src_pixel, row = pixel * plan->src_width;
    places start = y * row + x * pixel + (int64_t)(uintptr_t)src;
    for (int ky = 0; ky < plan->kernel_h; ky++) {
        places high = (y + ky >= 0) & (y + ky < plan->src_height);
        for (int kx = 0; kx < plan->kernel_w; kx++, at += PIXELS) {
            places inside = high & (x + kx >= 0) & (x + kx < plan->src_width);
            places where = (inside & (start + (ky * row + kx * pixel))) | (~inside & (int64_t)(uintptr_t)outside);
            memcpy(at, &where, sizeof where);
        }
    }
}

/* GCC 12 copies the sums around the intrinsic of this name. */
INLINE __m512i multiply_add(__m512i sum, __m512i bytes, __m512i weights)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(bytes), "v"(weights));
    return sum;
}

/* The first `pixels` of a tile, `blocks` blocks of channels; both are constants wherever this is used. As many weights as a
 * block has are asked for from `ahead` on, for later: what comes from memory comes late. */
INLINE void tile(const inc_int8 *plan, const uint8_t *const *at, const uint8_t *weights, const uint8_t *ahead,
                 const float *ends, uint8_t *dst, int pixels, int blocks)
{
    int taps = plan->kernel_h * plan->kernel_w;
    size_t step = (size_t)(taps * plan->in) * LANES; /* between blocks */
    __m512i sums[PIXELS][BLOCKS];
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++)
#pragma GCC unroll 3
        for (int b = 0; b < blocks; b++) sums[p][b] = _mm512_setzero_si512();
    for (int tap = 0; tap < taps; tap++, at += PIXELS) {
        const uint8_t *from[PIXELS];
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++) from[p] = at[p];
        for (int i = 0; i < plan->in; i += 4, weights += 4 * LANES, ahead += 4 * LANES) {
            __m512i w[BLOCKS];
            __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 3
            for (int b = 0; b < blocks; b++) w[b] = _mm512_load_si512(weights + (size_t)b * step);
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++) {
                int32_t four;
                memcpy(&four, from[p] + i, sizeof four);
                __m512i input = _mm512_set1_epi32(four);
#pragma GCC unroll 3
                for (int b = 0; b < blocks; b++) sums[p][b] = multiply_add(sums[p][b], input, w[b]);
            }
        }
    }
#pragma GCC unroll 3
    for (int b = 0; b < blocks; b++) {
        const float *end = ends + b * INC_INT8_ENDS * LANES;
        __m512 factor = _mm512_load_ps(end), shift = _mm512_load_ps(end + LANES), least = _mm512_load_ps(end + 2 * LANES);
#pragma GCC unroll 8
        for (int p = 0; p < pixels; p++)
            write(plan, dst + (size_t)p * plan->dst_pixel + (size_t)b * plan->dst_block,
                  _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[p][b]), factor, shift), least);
    }
}

typedef void tile_function(const inc_int8 *, const uint8_t *const *, const uint8_t *, const uint8_t *, const float *,
                           uint8_t *);

#define TILE(p, b) \
    static void tile_##p##_##b(const inc_int8 *plan, const uint8_t *const *at, const uint8_t *weights, \
                               const uint8_t *ahead, const float *ends, uint8_t *dst) \
    { \
        tile(plan, at, weights, ahead, ends, dst, p, b); \
    }
TILE(1, 1) TILE(1, 2) TILE(1, 3) TILE(8, 1) TILE(8, 2) TILE(8, 3)

/* What convolve() goes through: pixels first ... end - 1, blocks of channels from ... to - 1. */
typedef struct share {
    int first, end, from, to;
} share;

/* A panel of up to BLOCKS blocks, pixels first ... end - 1, whose taps are in `at`, a table for each tile. */
static void convolve_panel(const inc_int8 *plan, const inc_int8_data *data, const share *s, const uint8_t *const *at)
{
    static tile_function *const whole[] = {tile_8_1, tile_8_2, tile_8_3}, *const single[] = {tile_1_1, tile_1_2, tile_1_3};
    int taps = plan->kernel_h * plan->kernel_w, channels = inc_int8_blocks(plan) * LANES, kind = s->to - s->from - 1;
    size_t products = (size_t)(taps * plan->in);
    const uint8_t *weights = data->packed;
    const float *ends = (const float *)(weights + (size_t)channels * products) + s->from * INC_INT8_ENDS * LANES;
    weights += (size_t)(s->from * LANES) * products;
    const uint8_t *ahead = weights + (size_t)((s->to - s->from) * LANES) * products; /* each tile asks for a block */
    for (int pixel = s->first; pixel < s->end; pixel += PIXELS, at += taps * PIXELS, ahead += LANES * products) {
        bool full = s->end - pixel >= PIXELS;
        uint8_t *dst = (uint8_t *)data->dst + (size_t)pixel * plan->dst_pixel + (size_t)s->from * plan->dst_block;
        for (int p = 0; p < (full ? 1 : s->end - pixel); p++)
            (full ? whole : single)[kind](plan, at + p, weights, ahead, ends, dst + (size_t)p * plan->dst_pixel);
    }
}

/* Weights of a panel are read for a group of tiles, whose taps are looked up once for all panels. */
static void convolve(const inc_int8 *plan, const inc_int8_data *data, const share *s)
{
    const uint8_t *at[INC_INT8_TAPS_MOST * PIXELS * GROUP];
    int taps = plan->kernel_h * plan->kernel_w, channels = inc_int8_blocks(plan) * LANES;
    size_t channel_bytes = (size_t)(taps * plan->in) + INC_INT8_ENDS * sizeof(float);
    const uint8_t *outside = (const uint8_t *)data->packed + (size_t)channels * channel_bytes;
    int panels = (s->to - s->from + BLOCKS - 1) / BLOCKS; /* of like width: a narrow one waits for its loads */
    for (int first = s->first; first < s->end; first += GROUP * PIXELS) {
        int end = s->end - first < GROUP * PIXELS ? s->end : first + GROUP * PIXELS;
        for (int pixel = first; pixel < end; pixel += PIXELS)
            find_taps(plan, data->src, outside, pixel, at + (pixel - first) * taps);
        for (int i = 0; i < panels; i++) {
            int from = s->from + (s->to - s->from) * i / panels, to = s->from + (s->to - s->from) * (i + 1) / panels;
            convolve_panel(plan, data, &(share){first, end, from, to}, at);
        }
    }
}

/* ---- Pools ---- */

/* What ends the other steps is the same for all channels. */
INLINE void spread(const float *packed, __m512 *ends)
{
    for (int i = 0; i < INC_INT8_ENDS; i++) ends[i] = _mm512_set1_ps(packed[i]);
}

/* The largest of each of 64 channels over a window, or their sums: sums of at most 257 bytes fit into 16 bits. */
INLINE void pool_window(const inc_int8 *plan, const uint8_t *src, __mmask64 there, const int rows[2], const int columns[2],
                        __m512i sums[2])
{
    sums[0] = sums[1] = _mm512_setzero_si512();
    for (int y = rows[0]; y < rows[1]; y++)
        for (int x = columns[0]; x < columns[1]; x++) {
            __m512i value = _mm512_maskz_loadu_epi8(there, src + (size_t)(y * plan->src_width + x) * plan->src_pixel);
            if (plan->kind == INC_INT8_MAX_POOL) {
                sums[0] = _mm512_max_epu8(sums[0], value);
                continue;
            }
            sums[0] = _mm512_add_epi16(sums[0], _mm512_cvtepu8_epi16(_mm512_castsi512_si256(value)));
            sums[1] = _mm512_add_epi16(sums[1], _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(value, 1)));
        }
    if (plan->kind == INC_INT8_AVG_POOL) return;
    sums[1] = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(sums[0], 1));
    sums[0] = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(sums[0]));
}

/* From `at` on, as many as there are of `size`, inside 0 ... limit. */
static void clip(int at, int size, int limit, int ends[2])
{
    ends[0] = at < 0 ? 0 : at;
    ends[1] = at + size < limit ? at + size : limit;
}

static void pool(const inc_int8 *plan, const inc_int8_data *data, int first, int end)
{
    enum { WIDE = 64 };
    __m512 ends[INC_INT8_ENDS];
    spread(data->packed, ends);
    int channels = inc_int8_blocks(plan) * LANES, rows[2], columns[2];
    for (int pixel = first; pixel < end; pixel++) {
        clip(pixel / plan->width * plan->stride - plan->top, plan->kernel_h, plan->src_height, rows);
        clip(pixel % plan->width * plan->stride - plan->left, plan->kernel_w, plan->src_width, columns);
        float count = plan->kind == INC_INT8_MAX_POOL ? 1 : (float)((rows[1] - rows[0]) * (columns[1] - columns[0]));
        __m512 factor = _mm512_set1_ps(*(const float *)data->packed / count);
        uint8_t *to = (uint8_t *)data->dst + (size_t)pixel * plan->dst_pixel;
        for (int c = 0; c < channels; c += WIDE) {
            int wide = channels - c < WIDE ? channels - c : WIDE;
            uint16_t sums[WIDE];
            __m512i halves[2];
            pool_window(plan, (const uint8_t *)data->src + c, (__mmask64)-1 >> (WIDE - wide), rows, columns, halves);
            memcpy(sums, halves, sizeof sums);
            for (int at = 0; at < wide; at += LANES) {
                __m512i whole = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(sums + at)));
                write(plan, to + (size_t)((c + at) / LANES) * plan->dst_block,
                      _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), factor, ends[1]), ends[2]);
            }
        }
    }
}

/* ---- From floats to bytes and back ---- */

static void quantize(const inc_int8 *plan, const inc_int8_data *data, int first, int end)
{
    __m512 ends[INC_INT8_ENDS];
    spread(data->packed, ends);
    for (int b = 0; b < inc_int8_blocks(plan); b++)
        for (int pixel = first; pixel < end; pixel++) {
            const uint8_t *from = (const uint8_t *)data->src + (size_t)pixel * plan->src_pixel + (size_t)b * plan->src_block;
            uint8_t *to = (uint8_t *)data->dst + (size_t)pixel * plan->dst_pixel + (size_t)b * plan->dst_block;
            __m512 value = plan->kind == INC_INT8_QUANTIZE
                         ? _mm512_loadu_ps(from)
                         : _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from)));
            write(plan, to, _mm512_fmadd_ps(value, ends[0], ends[1]), ends[2]);
        }
}

/* Rows of planes -> pixels of four bytes, what is missing 0; around the photo a border of the byte that stands for 0. */
static void quantize_photo(const inc_int8 *plan, const inc_int8_data *data, int first, int end)
{
    __m512 ends[INC_INT8_ENDS];
    spread(data->packed, ends);
    __m512i most = _mm512_set1_epi32(UINT8_MAX), zero = _mm512_cvtps_epi32(_mm512_max_ps(ends[1], ends[2]));
    zero = _mm512_mullo_epi32(_mm512_min_epu32(zero, most), _mm512_set1_epi32(0x01010101));
    size_t plane = (size_t)(plan->src_height * plan->src_width);
    for (int pixel = first; pixel < end;) {
        int y = pixel / plan->width - plan->top, x = pixel % plan->width - plan->left;
        int left = plan->width - pixel % plan->width;
        bool inside = y >= 0 && y < plan->src_height && x >= 0 && x < plan->src_width;
        if (left > end - pixel) left = end - pixel; /* of the row */
        int run = inside && plan->src_width - x < left ? plan->src_width - x : x < 0 && -x < left ? -x : left;
        if (run > LANES) run = LANES;
        __mmask16 there = (__mmask16)((1 << run) - 1);
        const float *from = (const float *)data->src + (ptrdiff_t)y * plan->src_width + x;
        __m512i four = inside ? _mm512_setzero_si512() : zero;
        for (int c = 0; inside && c < plan->in; c++) {
            __m512 value = _mm512_maskz_loadu_ps(there, from + (size_t)c * plane);
            value = _mm512_max_ps(_mm512_fmadd_ps(value, ends[0], ends[1]), ends[2]);
            __m512i bytes = _mm512_min_epu32(_mm512_cvtps_epi32(value), most);
            four = _mm512_or_si512(four, _mm512_slli_epi32(bytes, (unsigned)(8 * c)));
        }
        _mm512_mask_storeu_epi32((uint8_t *)data->dst + (size_t)pixel * 4, there, four);
        pixel += run;
    }
}

/* ---- A thread's share ---- */

/* A convolution is split by pixels, so that each thread reads its part of the input, or by channels, so that it reads its
 * part of the weights: whichever is more. */
static bool by_channels(const inc_int8 *plan, int threads)
{
    int pixels = plan->height * plan->width, blocks = inc_int8_blocks(plan);
    if (plan->kind != INC_INT8_CONV || blocks < threads) return false;
    if (pixels < threads * PIXELS) return true;
    return plan->kernel_h * plan->kernel_w * plan->across * plan->out > plan->src_height * plan->src_width
        && (blocks + threads - 1) / threads * threads * 8 <= blocks * 9; /* nearly even shares */
}

void inc_int8_run(const inc_int8 *plan, const inc_int8_data *data, int thread, int threads)
{
    int pixels = plan->height * plan->width, blocks = inc_int8_blocks(plan), tiles = (pixels + PIXELS - 1) / PIXELS;
    bool split = by_channels(plan, threads);
    int first = split ? 0 : (int)((int64_t)tiles * thread / threads) * PIXELS;
    int end = split || thread + 1 == threads ? pixels : (int)((int64_t)tiles * (thread + 1) / threads) * PIXELS;
    switch (plan->kind) {
    case INC_INT8_CONV:
        convolve(plan, data, &(share){first, end, split ? blocks * thread / threads : 0,
                                      split ? blocks * (thread + 1) / threads : blocks});
        break;
    case INC_INT8_MAX_POOL: case INC_INT8_AVG_POOL: pool(plan, data, first, end); break;
    case INC_INT8_QUANTIZE: case INC_INT8_DEQUANTIZE: quantize(plan, data, first, end); break;
    case INC_INT8_PHOTO: quantize_photo(plan, data, first, end); break;
    }
}

/* ---- How fast the units are ---- */

uint64_t inc_peak_work_int8(uint64_t rounds, float *sink)
{
    enum { CHAINS = 12 };
    __m512i sums[CHAINS], ones = _mm512_set1_epi8(1);
    for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_set1_epi32(i);
    for (uint64_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) sums[i] = multiply_add(sums[i], ones, ones);
    for (int i = 1; i < CHAINS; i++) sums[0] = _mm512_add_epi32(sums[0], sums[i]);
    *sink = (float)_mm512_reduce_add_epi32(sums[0]);
    return rounds * CHAINS * 64;
}
