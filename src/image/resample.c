/* TensorFlow's four ways to another size, legacy coordinates: output pixel i samples at i * scale. Bilinear has a faster
 * file of its own, resize.c. In the others a value is a sum over taps, a few pixels of each axis: 1 for nearest, 4 for
 * bicubic, for area as many as it covers. The order of the sums is TensorFlow's, for the bits depend on it. */
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

/* The part of each pixel that lies within [begin, end). Where both ends lie inside one pixel their distance is known without
 * their rounding errors; TensorFlow makes that difference, too. */
static void set_area(int i, float scale, int count, int *pixels, float *weights)
{
    float begin = (float)i * scale, end = (float)(i + 1) * scale;
    for (int k = 0; k < count; k++) {
        pixels[k] = (int)floorf(begin) + k;
        float left = (float)pixels[k], right = (float)(pixels[k] + 1);
        float part = left < begin && right > end ? scale : fminf(right, end) - fmaxf(left, begin);
        weights[k] = part > 0 ? part : 0;
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

typedef struct resampling {
    const inception_image *image;
    inc_rect from;
    int width, height;
    axis across, down;
    float *row;  /* [from.width][3] and a value more */
    float *sums; /* [width][3] */
} resampling;

static void resampling_free(resampling *r)
{
    axis_free(&r->across);
    axis_free(&r->down);
    free(r->row);
    free(r->sums);
}

static inception_status resampling_make(resampling *r, inc_method method, inception_error *error)
{
    r->row = inc_calloc(3 * (size_t)r->from.width + 1, sizeof *r->row, error);
    r->sums = inc_calloc(3 * (size_t)r->width, sizeof *r->sums, error);
    inception_status status = r->row && r->sums ? INCEPTION_OK : INCEPTION_MEMORY;
    if (!status) status = axis_make(&r->across, method, r->from.width, r->width, error);
    return status ? status : axis_make(&r->down, method, r->from.height, r->height, error);
}

/* The source row of a tap, times `weight`, is added to `row`. */
static void add_source(resampling *r, int tap, float weight)
{
    const float unit = 1.0f / 255.0f;
    size_t pixel = (size_t)(r->from.y + r->down.pixels[tap]) * (size_t)r->image->width + (size_t)r->from.x;
    const uint8_t *bytes = r->image->pixels + 3 * pixel;
    for (size_t i = 0; i < 3 * (size_t)r->from.width; i++) r->row[i] += (float)bytes[i] * unit * weight;
}

static void clear_row(resampling *r)
{
    memset(r->row, 0, 3 * (size_t)r->from.width * sizeof *r->row);
}

typedef float vec4 __attribute__((vector_size(16)));

/* A pixel's three values are summed as four, the last of them for nothing. */
static void sum_across(const resampling *r, float *out)
{
    const axis *a = &r->across;
    for (int x = 0; x < r->width; x++, out += 3) {
        vec4 sums = {0};
        for (int k = x * a->taps; k < (x + 1) * a->taps; k++) {
            vec4 values;
            memcpy(&values, r->row + 3 * (size_t)a->pixels[k], sizeof values);
            sums += values * a->weights[k];
        }
        memcpy(out, &sums, 3 * sizeof *out);
    }
}

/* Nearest and bicubic: down, then across. */
static void make_row(resampling *r, int y, float *out)
{
    clear_row(r);
    for (int k = y * r->down.taps; k < (y + 1) * r->down.taps; k++) add_source(r, k, r->down.weights[k]);
    sum_across(r, out);
}

/* Area: across, then down, then the mean. */
static void make_area_row(resampling *r, int y, float *out)
{
    float scale_x = (float)r->from.width / (float)r->width, scale_y = (float)r->from.height / (float)r->height;
    float part = (float)(1.0 / (scale_y * scale_x));
    memset(out, 0, 3 * (size_t)r->width * sizeof *out);
    for (int k = y * r->down.taps; k < (y + 1) * r->down.taps; k++) {
        float weight = r->down.weights[k];
        if (weight == 0) continue;
        clear_row(r);
        add_source(r, k, 1);
        sum_across(r, r->sums);
        for (int i = 0; i < 3 * r->width; i++) out[i] += r->sums[i] * weight;
    }
    for (int i = 0; i < 3 * r->width; i++) out[i] *= part;
}

inception_status inc_resample(const inception_image *image, inc_rect from, inc_method method, float *out, int width,
                              int height, inception_error *error)
{
    if (method == INC_BILINEAR)
        return inc_resize_legacy(image, from, (inc_levels){0, 1}, out, width, (inc_rect){0, 0, width, height}, error);
    resampling r = {.image = image, .from = from, .width = width, .height = height};
    inception_status status = resampling_make(&r, method, error);
    for (int y = 0; !status && y < height; y++, out += 3 * width) {
        if (method == INC_AREA) make_area_row(&r, y, out);
        else make_row(&r, y, out);
    }
    resampling_free(&r);
    return status;
}
