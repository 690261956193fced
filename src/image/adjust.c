/* Brightness, saturation, hue and contrast of pixels in floats, as TensorFlow defines them.
 *
 * TensorFlow goes by way of hue, saturation and value (HSV). Here that way is multiplied out, so that one line holds for
 * every pixel and compilers make vectors of the loops. In exact numbers it is the same; in floats the last bits differ. */
#include "private.h"

#include <math.h>

static inline float largest(const float *p)
{
    float two = p[0] > p[1] ? p[0] : p[1];
    return two > p[2] ? two : p[2];
}

static inline float smallest(const float *p)
{
    float two = p[0] < p[1] ? p[0] : p[1];
    return two < p[2] ? two : p[2];
}

void inc_adjust_brightness(float *pixels, size_t count, float delta)
{
    for (size_t i = 0; i < 3 * count; i++) pixels[i] += delta;
}

/* s = range / max becomes s * factor, 1 at most; max and hue stay: the other values move towards max or away from it. */
void inc_adjust_saturation(float *pixels, size_t count, float factor)
{
    for (size_t i = 0; i < count; i++) {
        float *p = pixels + 3 * i, max = largest(p), min = smallest(p), range = max - min;
        float saturation = range * factor / (max > 0 ? max : 1);
        saturation = max > 0 ? saturation : 0;
        saturation = saturation < 1 ? saturation : 1;
        float wanted = saturation * max, low = max - wanted, ratio = wanted / (range > 0 ? range : 1);
        for (int c = 0; c < 3; c++) p[c] = low + (p[c] - min) * ratio;
    }
}

/* The value that a pixel of this hue (0...6) has of a primary colour `away` from it on the circle of hues: max within one
 * sixth of the circle, min beyond two. */
static inline float primary(float away, float max, float range)
{
    away = fabsf(away);
    away = away > 3 ? 6 - away : away;
    float lack = away - 1;
    lack = lack > 0 ? lack : 0;
    lack = lack < 1 ? lack : 1;
    return max - range * lack;
}

void inc_adjust_hue(float *pixels, size_t count, float delta)
{
    for (size_t i = 0; i < count; i++) {
        float *p = pixels + 3 * i, max = largest(p), min = smallest(p), range = max - min;
        float r = p[0], g = p[1], b = p[2], unit = range > 0 ? range : 1;
        float from_red = (g - b) / unit, from_green = 2 + (b - r) / unit, from_blue = 4 + (r - g) / unit;
        float hue = g == max ? from_green : from_blue;
        hue = (r == max ? from_red : hue) + delta * 6;
        hue = hue < 0 ? hue + 6 : hue;
        hue = hue < 6 ? hue : hue - 6;
        p[0] = primary(hue, max, range);
        p[1] = primary(hue - 2, max, range);
        p[2] = primary(hue - 4, max, range);
    }
}

void inc_adjust_contrast(float *pixels, size_t count, float factor)
{
    double sums[3] = {0};
    for (size_t i = 0; i < 3 * count; i++) sums[i % 3] += pixels[i];
    const float means[3] = {(float)(sums[0] / (double)count), (float)(sums[1] / (double)count), (float)(sums[2] / (double)count)};
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < 3; c++) pixels[3 * i + (size_t)c] = (pixels[3 * i + (size_t)c] - means[c]) * factor + means[c];
}
