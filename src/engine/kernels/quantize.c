/* Weights and ranges -> what the steps on bytes multiply by. */
#include "private.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define WEIGHT_MOST 127 /* -128 would have no negative */

static size_t products_of(const inc_int8 *plan)
{
    return (size_t)(plan->kernel_h * plan->kernel_w) * (size_t)plan->in;
}

/* 0 must be a byte of its own: padding is made of it. */
inc_quant inc_quant_of_range(float low, float high)
{
    low = fminf(low, 0), high = fmaxf(high, 0);
    float scale = (high - low) / UINT8_MAX;
    if (!(scale > 0)) return (inc_quant){1, 0};
    return (inc_quant){scale, (int)lroundf(-low / scale)};
}

/* How a step ends, y = max(factor * x + shift, least): of a convolution for each channel, [block][3][16], behind its weights
 * [block][product / 4][16][4] and in front of a pixel that is all zero. */
size_t inc_int8_packed_bytes(const inc_int8 *plan)
{
    if (plan->kind != INC_INT8_CONV) return INC_INT8_ENDS * sizeof(float);
    size_t channels = (size_t)inc_int8_blocks(plan) * INC_INT8_LANES;
    return channels * (products_of(plan) + INC_INT8_ENDS * sizeof(float)) + (size_t)plan->in;
}

static float least_of(const inc_int8 *plan, inc_quant dst)
{
    if (plan->wide) return plan->relu ? 0 : -FLT_MAX;
    return plan->relu ? (float)dst.zero : 0;
}

/* A channel's weights at `to`, as they lie in its block; returns their scale and, in *sum, what they add up to. */
static double pack_channel(const inc_int8 *plan, const float *weights, int channels, double scale, int8_t *to, int64_t *sum)
{
    int taps = plan->kernel_h * plan->kernel_w * plan->across, in = plan->in / plan->across;
    double largest = 0;
    *sum = 0;
    for (int64_t i = 0; i < (int64_t)taps * channels; i++)
        largest = fmax(largest, fabs((double)weights[i * plan->out] * scale));
    double step = largest > 0 ? largest / WEIGHT_MOST : 1;
    for (int tap = 0; tap < taps; tap++)
        for (int c = 0; c < channels; c++) {
            size_t product = (size_t)tap * (size_t)in + (size_t)c;
            int8_t q = (int8_t)lrint((double)weights[((int64_t)tap * channels + c) * plan->out] * scale / step);
            to[product / 4 * (4 * INC_INT8_LANES) + product % 4] = q;
            *sum += q;
        }
    return step;
}

/* sum of w (x - zero) = sum of w x - zero * sum of w, so that the zero of the input goes into the shift. */
void inc_int8_pack_conv(const inc_int8 *plan, const float *weights, int channels, const float *scale, const float *bias,
                        inc_quant src, const inc_quant *dst, void *packed)
{
    size_t all = (size_t)inc_int8_blocks(plan) * INC_INT8_LANES;
    memset(packed, 0, inc_int8_packed_bytes(plan));
    float *ends = (float *)((uint8_t *)packed + all * products_of(plan));
    for (int o = 0; o < plan->out; o++) {
        int64_t sum;
        int8_t *to = (int8_t *)packed + (size_t)(o / INC_INT8_LANES) * products_of(plan) * INC_INT8_LANES
                   + (size_t)(o % INC_INT8_LANES) * 4;
        double step = pack_channel(plan, weights + o, channels, scale ? (double)scale[o] : 1, to, &sum);
        double factor = step * (double)src.scale / (double)dst[o].scale;
        double own = bias ? (double)bias[o] / (double)dst[o].scale : 0;
        float *end = ends + o / INC_INT8_LANES * INC_INT8_ENDS * INC_INT8_LANES + o % INC_INT8_LANES;
        end[0] = (float)factor;
        end[INC_INT8_LANES] = (float)(own - factor * (double)sum * src.zero + dst[o].zero);
        end[2 * INC_INT8_LANES] = least_of(plan, dst[o]);
    }
    memset(ends + all * INC_INT8_ENDS, src.zero, (size_t)plan->in);
}

/* (x - zero) * scale is the same on both sides. */
void inc_int8_pack(const inc_int8 *plan, inc_quant src, inc_quant dst, void *packed)
{
    float *end = packed;
    double factor = (double)src.scale / (double)dst.scale;
    end[0] = (float)factor;
    end[1] = (float)(dst.zero - factor * src.zero);
    end[2] = least_of(plan, dst);
}
