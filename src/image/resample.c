/* TensorFlow's four ways to another size, legacy coordinates: output pixel i samples at i * scale. Bilinear has a faster file
 * of its own, resize.c. In the others a value is a sum over taps down, then across: 1 of nearest, 4 of bicubic, of area
 * as many as it covers. So TensorFlow does it, but for area, which sums across first: there the last bit may differ. */
#include "private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The source pixels, and their weights, of output pixel i of one axis. */
typedef void set_taps(int i, float scale, int count, int *pixels, float *weights);

static void set_nearest(int i, float scale, int count, int *pixels, float *weights)
{
    (void)count;
    pixels[0] = (int)floorf((float)i * scale);
    weights[0] = 1;
}

/* Keys' kernel with A = -0.75, 0...1 and 1...2 away from its centre, at one of 1024 steps of the first and second pixel. */
static float near_weight(long step)
{
    double x = (double)step / 1024;
    return (float)((1.25 * x - 2.25) * x * x + 1);
}

static float far_weight(long step)
{
    double x = (double)step / 1024 + 1;
    return (float)(((-0.75 * x + 3.75) * x - 6) * x + 3);
}

static void set_bicubic(int i, float scale, int count, int *pixels, float *weights)
{
    float in = (float)i * scale, floor_in = floorf(in);
    long step = lrintf((in - floor_in) * 1024);
    for (int k = 0; k < count; k++) pixels[k] = (int)floor_in - 1 + k;
    weights[0] = far_weight(step);
    weights[1] = near_weight(step);
    weights[2] = near_weight(1024 - step);
    weights[3] = far_weight(1024 - step);
}

/* The part of each pixel that lies within [begin, end), over the whole. Where both ends lie inside one pixel their distance
 * is known without their rounding errors; TensorFlow makes that difference, too. */
static void set_area(int i, float scale, int count, int *pixels, float *weights)
{
    float begin = (float)i * scale, end = (float)(i + 1) * scale;
    for (int k = 0; k < count; k++) {
        pixels[k] = (int)floorf(begin) + k;
        float left = (float)pixels[k], right = (float)(pixels[k] + 1);
        float part = left < begin && right > end ? scale : fminf(right, end) - fmaxf(left, begin);
        weights[k] = part > 0 ? part / scale : 0;
    }
}

typedef struct axis {
    int taps; /* of a pixel; some may weigh nothing */
    int *pixels;
    float *weights; /* [count][taps] both */
} axis;

static void axis_free(axis *a)
{
    free(a->pixels);
    free(a->weights);
}

static inception_status axis_make(axis *a, inc_method method, int size, int count, inception_error *error)
{
    static set_taps *const setters[] = {[INC_NEAREST] = set_nearest, [INC_BICUBIC] = set_bicubic, [INC_AREA] = set_area};
    float scale = (float)size / (float)count;
    a->taps = method == INC_NEAREST ? 1 : method == INC_BICUBIC ? 4 : (int)ceilf(scale) + 2;
    size_t all = (size_t)count * (size_t)a->taps;
    a->pixels = inc_calloc(all, sizeof *a->pixels, error);
    a->weights = inc_calloc(all, sizeof *a->weights, error);
    if (!a->pixels || !a->weights) return INCEPTION_MEMORY;
    for (int i = 0; i < count; i++)
        setters[method](i, scale, a->taps, a->pixels + i * a->taps, a->weights + i * a->taps);
    for (size_t i = 0; i < all; i++) { /* beyond the edge its pixel again */
        if (a->pixels[i] < 0) a->pixels[i] = 0;
        if (a->pixels[i] >= size) a->pixels[i] = size - 1;
    }
    return INCEPTION_OK;
}

static void add_row(size_t count, const uint8_t *bytes, float weight, float *restrict sums)
{
    const float unit = 1.0f / 255.0f;
    for (size_t i = 0; i < count; i++) sums[i] += (float)bytes[i] * unit * weight;
}

typedef float vec4 __attribute__((vector_size(16)));

/* A pixel's three values are summed as four, the last of them for nothing. */
static void sum_across(const axis *a, int count, const float *row, float *out)
{
    for (int x = 0; x < count; x++, out += 3) {
        vec4 sums = {0};
        for (int k = x * a->taps; k < (x + 1) * a->taps; k++) {
            vec4 values;
            memcpy(&values, row + 3 * (size_t)a->pixels[k], sizeof values);
            sums += values * a->weights[k];
        }
        memcpy(out, &sums, 3 * sizeof *out);
    }
}

inception_status inc_resample(const inception_image *image, inc_rect from, inc_method method, float *out, int width,
                              int height, inception_error *error)
{
    if (method == INC_BILINEAR)
        return inc_resize_legacy(image, from, (inc_levels){0, 1}, out, width, (inc_rect){0, 0, width, height}, error);
    axis across = {0}, down = {0};
    size_t values = 3 * (size_t)from.width;
    float *row = inc_calloc(values + 1, sizeof *row, error);
    inception_status status = row ? axis_make(&across, method, from.width, width, error) : INCEPTION_MEMORY;
    if (!status) status = axis_make(&down, method, from.height, height, error);
    for (int y = 0; !status && y < height; y++) {
        memset(row, 0, values * sizeof *row);
        for (int k = y * down.taps; k < (y + 1) * down.taps; k++) {
            size_t pixel = (size_t)(from.y + down.pixels[k]) * (size_t)image->width + (size_t)from.x;
            if (down.weights[k] != 0) add_row(values, image->pixels + 3 * pixel, down.weights[k], row);
        }
        sum_across(&across, width, row, out + 3 * (size_t)y * (size_t)width);
    }
    axis_free(&across);
    axis_free(&down);
    free(row);
    return status;
}
