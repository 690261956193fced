/* Convolutions with fewer multiplications than their definition has (Winograd, Toom and Cook), for the layers where that
 * is faster than oneDNN. Knows no graph and no oneDNN: sizes and pointers only.
 *
 * m outputs of a kernel of r taps in a row need m * r products; as the product of two polynomials, evaluated at n =
 * m + r - 1 points, multiplied there and interpolated, they need n:
 *
 *     y = A' [(G g) . (B' d)]     d: n inputs, g: r taps, y: m outputs
 *
 * A and G are Vandermonde matrices of the points (the last one is infinity) with m and r columns, B the inverse of the one
 * with n columns (Winograd 1980; Lavin and Gray, arXiv 1509.09308). In two dimensions rows and columns are treated one
 * after the other. The products at one point, over all tiles and channels, are a matrix product.
 *
 * The same backwards: the gradient of g is G' times the sum over all tiles of (B' d) . (A dy). */
#ifndef INC_KERNELS_H
#define INC_KERNELS_H

#include "../../base/base.h"

#define INC_TOOM_MOST 10 /* points */

/* One dimension of a tile. */
typedef struct inc_toom {
    int outputs, taps, points; /* m, r, n; of a kernel of one tap 1, 1, 1: nothing to transform */
    float input[INC_TOOM_MOST][INC_TOOM_MOST];  /* B': [point][input] */
    float output[INC_TOOM_MOST][INC_TOOM_MOST]; /* A': [output][point] */
    double taps_at[INC_TOOM_MOST][INC_TOOM_MOST]; /* G: [point][tap] */
} inc_toom;

/* A convolution of stride 1. Activations lie in blocks of `lanes` channels, [channels / lanes][height][width][lanes]. */
typedef struct inc_fewer {
    int lanes;
    int in, out;             /* channels, multiples of `lanes` */
    int src_height, src_width, height, width; /* of input and output */
    int top, left;           /* padding */
    bool relu;
    bool half;               /* input and output are bfloat16; the arithmetic is float32 all the same */
    bool turned;             /* the gradient of the input of a convolution with `out` inputs and `in` outputs */
    inc_toom down, across;
    int tiles_down, tiles_across;
} inc_fewer;

/* Fills in the plan whose sizes (all above `down`) are set; false: oneDNN does it better. */
bool inc_fewer_plan(inc_fewer *plan, int kernel_h, int kernel_w);

size_t inc_fewer_packed_bytes(const inc_fewer *plan);
size_t inc_fewer_scratch_bytes(const inc_fewer *plan, int threads);

/* Weights [kernel_h][kernel_w][in][out], of a turned one those of its convolution, times `scale` [out] unless NULL, to what
 * inc_fewer_run() wants. */
void inc_fewer_pack(const inc_fewer *plan, const float *weights, const float *scale, float *packed);

/* dst = convolution of src, plus bias [out] (NULL: none), with a ReLU if the plan says so. All aligned. */
typedef struct inc_fewer_data {
    const void *src;
    const float *packed, *bias;
    void *dst;
    float *scratch; /* the same for all threads */
} inc_fewer_data;

/* The share of `thread` of so many. Every thread must have done a phase before any begins the next. */
int inc_fewer_phases(const inc_fewer *plan, int threads);
void inc_fewer_run(const inc_fewer *plan, int phase, const inc_fewer_data *data, int thread, int threads);

/* The gradient of the weights: what some photos add to the sums at the points, [point][in][out], from 0 on, for one thread;
 * and, when the sums of all photos are added, the gradient [kernel_h][kernel_w][in][out] of the inputs first ... end - 1. */
typedef struct inc_fewer_slopes {
    const void *src, *diff_dst;
    size_t src_step, diff_step; /* bytes, from photo to photo */
    int photos;
    float *sums, *scratch;
} inc_fewer_slopes;

size_t inc_fewer_sums_bytes(const inc_fewer *plan);
size_t inc_fewer_slopes_scratch_bytes(const inc_fewer *plan);
void inc_fewer_sum(const inc_fewer *plan, const inc_fewer_slopes *data);
void inc_fewer_unpack(const inc_fewer *plan, const float *sums, int first, int end, float *gradient);

/* ---- int8.c, quantize.c: steps on 8-bit activations, where the CPU has AVX-512 with VNNI ----
 *
 * A byte q stands for scale * (q - zero). Bytes lie pixel by pixel, the channels of a pixel side by side, so that part of
 * a joined value is a run of them in each pixel; floats lie in blocks of 16 channels, or as the planes of a photo. */
#define INC_INT8_LANES 16
#define INC_INT8_TAPS_MOST 81

typedef enum inc_int8_kind {
    INC_INT8_CONV,
    INC_INT8_MAX_POOL,
    INC_INT8_AVG_POOL,   /* of what is inside the image */
    INC_INT8_QUANTIZE,   /* floats -> bytes */
    INC_INT8_DEQUANTIZE, /* bytes -> floats */
    INC_INT8_PHOTO,      /* the planes of a photo -> bytes, four a pixel, in a border of zeros */
} inc_int8_kind;

typedef struct inc_int8 {
    inc_int8_kind kind;
    int in, out; /* channels; of a convolution, `in` is a multiple of 4 */
    int src_height, src_width, height, width;
    int kernel_h, kernel_w, stride, top, left; /* of a window; of a photo: how wide a border it gets */
    int across; /* neighbours in a row that are taken as one pixel: channels in * across */
    bool wide;      /* the output is float32 ... */
    bool add, relu; /* ... to which is added, or which ends in a ReLU */
    size_t src_pixel, src_block, dst_pixel, dst_block; /* bytes from a pixel to the next, from 16 channels to the next */
} inc_int8;

/* A value of the graph as bytes; of floats {1, 0}. */
typedef struct inc_quant {
    float scale;
    int zero;
} inc_quant;

inc_quant inc_quant_of_range(float low, float high);

size_t inc_int8_packed_bytes(const inc_int8 *plan);

/* Of a convolution: weights [taps][channels][out] with channels <= plan->in, `scale` [out] multiplied in and `bias` [out],
 * both perhaps NULL; `dst` [out]. Each channel's weights get a scale of their own. */
void inc_int8_pack_conv(const inc_int8 *plan, const float *weights, int channels, const float *scale, const float *bias,
                        inc_quant src, const inc_quant *dst, void *packed);

/* Of the others: from the one to the other. */
void inc_int8_pack(const inc_int8 *plan, inc_quant src, inc_quant dst, void *packed);

/* All aligned, but for places inside joined values. The share of `thread` of so many. */
typedef struct inc_int8_data {
    const void *src, *packed;
    void *dst;
} inc_int8_data;
void inc_int8_run(const inc_int8 *plan, const inc_int8_data *data, int thread, int threads);

/* ---- */

/* What multiplies: float32 in vectors of 16 or 8, bfloat16, bytes. */
typedef enum inc_unit { INC_UNIT_16, INC_UNIT_8, INC_UNIT_BF16, INC_UNIT_INT8 } inc_unit;

/* Does multiply-adds in registers and returns how many. */
uint64_t inc_peak_work(inc_unit unit, uint64_t rounds, float *sink);

#endif
