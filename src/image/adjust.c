/* Brightness, saturation, hue and contrast of pixels in floats, as TensorFlow defines them.
 *
 * TensorFlow goes by way of hue, saturation and value (HSV). Here that way is multiplied out, so that the same lines hold
 * for every pixel; in exact numbers it is the same, in floats the last bits differ. A choice is always one between values
 * that are there already: only such loops become vectors. */
#include "private.h"

#include <math.h>

INLINE float largest(const float *p)
{
    float two = p[0] > p[1] ? p[0] : p[1];
    return two > p[2] ? two : p[2];
}

INLINE float smallest(const float *p)
{
    float two = p[0] < p[1] ? p[0] : p[1];
    return two < p[2] ? two : p[2];
}

void inc_adjust_brightness(float *pixels, size_t count, float delta)
{
    for (size_t i = 0; i < 3 * count; i++) pixels[i] += delta;
}

/* s = range / max becomes s * factor, 1 at most; max and hue stay: the other values move towards max or away from it. */
INLINE void saturate(float *pixels, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++) {
        float *p = pixels + 3 * i, max = largest(p), min = smallest(p), range = max - min;
        float saturation = range * factor / (max > 0 ? max : 1), most = max > 0 ? 1 : 0;
        saturation = saturation < most ? saturation : most;
        float wanted = saturation * max, low = max - wanted, ratio = wanted / (range > 0 ? range : 1);
        for (int c = 0; c < 3; c++) p[c] = low + (p[c] - min) * ratio;
    }
}

/* The value that a pixel of this hue (0...6) has of a primary colour `away` from it on the circle of hues: max within one
 * sixth of the circle, min beyond two. */
INLINE float primary(float away, float max, float range)
{
    float one_way = fabsf(away), other_way = 6 - one_way;
    float lack = (one_way < other_way ? one_way : other_way) - 1;
    lack = lack > 0 ? lack : 0;
    lack = lack < 1 ? lack : 1;
    return max - range * lack;
}

INLINE void turn_hue(float *pixels, size_t count, float delta)
{
    for (size_t i = 0; i < count; i++) {
        float *p = pixels + 3 * i, max = largest(p), min = smallest(p), range = max - min;
        float r = p[0], g = p[1], b = p[2];
        float nearest = g == max ? 2 : 4, ahead = g == max ? b : r, behind = g == max ? r : g;
        nearest = r == max ? 0 : nearest;
        ahead = r == max ? g : ahead;
        behind = r == max ? b : behind;
        float hue = nearest + (ahead - behind) / (range > 0 ? range : 1) + delta * 6;
        hue += hue < 0 ? 6 : 0;
        hue -= hue < 6 ? 0 : 6;
        p[0] = primary(hue, max, range);
        p[1] = primary(hue - 2, max, range);
        p[2] = primary(hue - 4, max, range);
    }
}

/* Again in vectors of eight. The bits are the same, for nothing is reordered or fused. */
AVX2 static void saturate_wide(float *pixels, size_t count, float factor)
{
    saturate(pixels, count, factor);
}

AVX2 static void turn_hue_wide(float *pixels, size_t count, float delta)
{
    turn_hue(pixels, count, delta);
}

void inc_adjust_saturation(float *pixels, size_t count, float factor)
{
    if (__builtin_cpu_supports("avx2")) saturate_wide(pixels, count, factor);
    else saturate(pixels, count, factor);
}

void inc_adjust_hue(float *pixels, size_t count, float delta)
{
    if (__builtin_cpu_supports("avx2")) turn_hue_wide(pixels, count, delta);
    else turn_hue(pixels, count, delta);
}

void inc_adjust_contrast(float *pixels, size_t count, float factor)
{
    double r = 0, g = 0, b = 0;
    for (const float *p = pixels; p < pixels + 3 * count; p += 3) r += p[0], g += p[1], b += p[2];
    const float means[3] = {(float)(r / (double)count), (float)(g / (double)count), (float)(b / (double)count)};
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++) pixels[3 * i + c] = (pixels[3 * i + c] - means[c]) * factor + means[c];
}
