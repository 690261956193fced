/* Two ways to another size: TensorFlow's legacy bilinear, bit for bit, and the antialiased one that Caffe's users have.
 *
 * Legacy: output pixel i samples at i * scale (no half-pixel shift), 4 source pixels, no antialiasing. The whole picture
 * is never kept as floats: the conversion of a byte does not depend on its place, so it is done for the four alone.
 * Exactness depends on every product and sum being rounded by itself: no -ffp-contract, no reordering.
 *
 * Smooth: a triangle filter, as wide as the reduction, weights in double, sums in float, x first; pixels outside do not
 * count. Source rows are read once, top down, each added to the output rows it belongs to: memory does not grow with
 * the height. */
#include "private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- legacy ---- */

/* An output pixel lies between source pixel `lower` and the next one. */
typedef struct tap {
    size_t lower;
    float part; /* of the next one; 0 at the end, where there is none */
} tap;

static tap tap_of(int i, float scale, int size)
{
    float in = (float)i * scale;
    float floor_in = floorf(in);
    int64_t lower = (int64_t)floor_in, last = size - 1;
    return lower < last ? (tap){(size_t)lower, in - floor_in} : (tap){(size_t)last, 0};
}

/* Source rows interpolated across, to [width][3] values. An output row needs two that follow each other, which the next one
 * often needs again: the even and the odd one met last are kept. */
typedef struct legacy_rows {
    size_t width;
    size_t *starts;          /* [width], bytes from the start of a source row */
    float *parts;            /* [width][3], those of the taps */
    uint8_t *left, *right;   /* [width][3] and a byte more, of one source row */
    float *values[2];
    size_t held[2];          /* numbers of the source rows, from 1 */
} legacy_rows;

static void legacy_free(legacy_rows *rows)
{
    free(rows->starts);
    free(rows->parts);
    free(rows->left);
    free(rows->right);
    free(rows->values[0]);
    free(rows->values[1]);
}

static inception_status legacy_make(legacy_rows *rows, inc_rect from, int width, inception_error *error)
{
    float scale = (float)from.width / (float)width;
    size_t values = 3 * (size_t)width;
    *rows = (legacy_rows){.width = (size_t)width};
    rows->starts = inc_calloc((size_t)width, sizeof *rows->starts, error);
    rows->parts = inc_calloc(values, sizeof *rows->parts, error);
    rows->left = inc_calloc(values + 1, 1, error);
    rows->right = inc_calloc(values + 1, 1, error);
    for (int i = 0; i < 2; i++) rows->values[i] = inc_calloc(values, sizeof *rows->values[i], error);
    if (!rows->starts || !rows->parts || !rows->left || !rows->right || !rows->values[0] || !rows->values[1])
        return INCEPTION_MEMORY;
    for (int x = 0; x < width; x++) {
        tap t = tap_of(x, scale, from.width);
        rows->starts[x] = 3 * (t.lower + (size_t)from.x);
        for (int c = 0; c < 3; c++) rows->parts[3 * x + c] = t.part;
    }
    return INCEPTION_OK;
}

/* The neighbours of the pixels come to lie side by side, so that the arithmetic is a loop over arrays, which compilers make
 * vectors of. Both are read as eight bytes, of which an image has enough; what is written too much the next pixel
 * overwrites. */
static void gather(const legacy_rows *rows, const uint8_t *source)
{
    for (size_t x = 0; x < rows->width; x++) {
        uint8_t pair[INC_IMAGE_SLACK];
        memcpy(pair, source + rows->starts[x], sizeof pair);
        memcpy(rows->left + 3 * x, pair, 4);
        memcpy(rows->right + 3 * x, pair + 3, 4);
    }
}

/* Here and in blend_down() each product and sum is rounded by itself, in TensorFlow's order. */
INLINE void blend_across(size_t count, const uint8_t *left, const uint8_t *right, const float *parts, float *restrict out)
{
    const float unit = 1.0f / 255.0f;
    for (size_t i = 0; i < count; i++) {
        float from = (float)left[i] * unit, to = (float)right[i] * unit;
        out[i] = from + (to - from) * parts[i];
    }
}

INLINE void blend_down(size_t count, const float *above, const float *below, float part, inc_levels levels,
                       float *restrict out)
{
    for (size_t i = 0; i < count; i++) {
        float shifted = above[i] + (below[i] - above[i]) * part - levels.middle;
        out[i] = shifted * levels.gain;
    }
}

INLINE const float *legacy_row(legacy_rows *rows, const inception_image *image, size_t y)
{
    if (rows->held[y % 2] != y + 1) {
        gather(rows, image->pixels + y * (size_t)image->width * 3);
        blend_across(3 * rows->width, rows->left, rows->right, rows->parts, rows->values[y % 2]);
        rows->held[y % 2] = y + 1;
    }
    return rows->values[y % 2];
}

INLINE inception_status resize_legacy(const inception_image *image, inc_rect from, inc_levels levels, float *out,
                                      int out_width, inc_rect to, inception_error *error)
{
    legacy_rows rows;
    inception_status status = legacy_make(&rows, from, to.width, error);
    float scale = (float)from.height / (float)to.height;
    for (int y = 0; !status && y < to.height; y++) {
        tap t = tap_of(y, scale, from.height);
        size_t row = t.lower + (size_t)from.y;
        const float *above = legacy_row(&rows, image, row);
        const float *below = t.part > 0 ? legacy_row(&rows, image, row + 1) : above;
        blend_down(3 * rows.width, above, below, t.part, levels,
                   out + ((size_t)(to.y + y) * (size_t)out_width + (size_t)to.x) * 3);
    }
    legacy_free(&rows);
    return status;
}

/* The same code in vectors of eight. The bits are the same, for nothing is reordered or fused. */
AVX2 static inception_status resize_legacy_wide(const inception_image *image, inc_rect from, inc_levels levels, float *out,
                                                int out_width, inc_rect to, inception_error *error)
{
    return resize_legacy(image, from, levels, out, out_width, to, error);
}

inception_status inc_resize_legacy(const inception_image *image, inc_rect from, inc_levels levels, float *out, int out_width,
                                   inc_rect to, inception_error *error)
{
    return __builtin_cpu_supports("avx2") ? resize_legacy_wide(image, from, levels, out, out_width, to, error)
                                          : resize_legacy(image, from, levels, out, out_width, to, error);
}

/* ---- smooth ---- */

/* The weights of source pixels first ... first+count-1 in one output pixel. */
typedef struct filter {
    int first, count;
    size_t weights; /* index of the first one */
} filter;

typedef struct axis {
    filter *filters;
    float *weights;
} axis;

static void axis_free(axis *a)
{
    free(a->filters);
    free(a->weights);
}

/* Half the width of the filter, in source pixels, and the span that it covers around output pixel i. */
static filter span_of(int i, double scale, double support, int size)
{
    double centre = (i + 0.5) * scale;
    double first = trunc(centre - support + 0.5), end = trunc(centre + support + 0.5);
    if (first < 0) first = 0;
    if (end > size) end = size;
    return (filter){(int)first, (int)(end - first), 0};
}

static void weigh(filter f, int i, double scale, double support, float *weights)
{
    double centre = (i + 0.5) * scale, sum = 0;
    for (int pass = 0; pass < 2; pass++) { /* the sum first */
        for (int k = 0; k < f.count; k++) {
            double distance = fabs((f.first + k - centre + 0.5) / support);
            double weight = distance < 1 ? 1 - distance : 0;
            if (pass == 0) sum += weight;
            else weights[k] = (float)(weight / sum);
        }
    }
}

/* Filters for output pixels skip ... skip+count-1 of an axis that goes from `size` to `full`. */
static inception_status axis_make(axis *a, int size, int full, int skip, int count, inception_error *error)
{
    double scale = (double)size / full, support = scale > 1 ? scale : 1;
    size_t total = 0;
    a->filters = inc_calloc((size_t)count, sizeof *a->filters, error);
    if (!a->filters) return INCEPTION_MEMORY;
    for (int i = 0; i < count; i++) {
        a->filters[i] = span_of(i + skip, scale, support, size);
        a->filters[i].weights = total;
        total += (size_t)a->filters[i].count;
    }
    a->weights = inc_calloc(total, sizeof *a->weights, error);
    if (!a->weights) return INCEPTION_MEMORY;
    for (int i = 0; i < count; i++)
        weigh(a->filters[i], i + skip, scale, support, a->weights + a->filters[i].weights);
    return INCEPTION_OK;
}

typedef float vec4 __attribute__((vector_size(16)));

/* `pixels`: a source row. A pixel's three values are summed as four, the last of them for nothing. */
static void filter_row(const axis *a, int count, const float *pixels, float *row)
{
    for (int x = 0; x < count; x++, row += 3) {
        filter f = a->filters[x];
        const float *pixel = pixels + 3 * (size_t)f.first, *weights = a->weights + f.weights;
        vec4 sums = {0};
        for (int k = 0; k < f.count; k++, pixel += 3) {
            vec4 values;
            memcpy(&values, pixel, sizeof values);
            sums += values * weights[k];
        }
        memcpy(row, &sums, 3 * sizeof *row);
    }
}

/* `row` has place for an output row; `pixels` for a source row and a value more. */
static void filter_rows(const inception_image *image, const axis *across, const axis *down, float *row, float *pixels,
                        float *out, int out_width, inc_rect to)
{
    size_t values = (size_t)to.width * 3, stride = (size_t)image->width * 3;
    int begin = 0, last = to.height - 1, end = down->filters[last].first + down->filters[last].count;
    for (int y = 0; y < to.height; y++) {
        float *o = out + ((size_t)(to.y + y) * (size_t)out_width + (size_t)to.x) * 3;
        for (size_t i = 0; i < values; i++) o[i] = 0;
    }
    for (int source = down->filters[0].first; source < end; source++) {
        const uint8_t *bytes = image->pixels + (size_t)source * stride;
        for (size_t i = 0; i < stride; i++) pixels[i] = (float)bytes[i];
        filter_row(across, to.width, pixels, row);
        while (begin < last && down->filters[begin].first + down->filters[begin].count <= source) begin++;
        for (int y = begin; y < to.height && down->filters[y].first <= source; y++) {
            filter f = down->filters[y];
            if (source >= f.first + f.count) continue;
            float weight = down->weights[f.weights + (size_t)(source - f.first)];
            float *o = out + ((size_t)(to.y + y) * (size_t)out_width + (size_t)to.x) * 3;
            for (size_t i = 0; i < values; i++) o[i] += row[i] * weight;
        }
    }
}

inception_status inc_resize_smooth(const inception_image *image, inc_scale scale, float *out, int out_width,
                                   inc_rect to, inception_error *error)
{
    axis across = {0}, down = {0};
    float *row = inc_calloc((size_t)to.width * 3, sizeof *row, error);
    float *pixels = inc_calloc((size_t)image->width * 3 + 1, sizeof *pixels, error);
    inception_status status = row && pixels ? INCEPTION_OK : INCEPTION_MEMORY;
    if (!status) status = axis_make(&across, image->width, scale.full_width, scale.skip_x, to.width, error);
    if (!status) status = axis_make(&down, image->height, scale.full_height, scale.skip_y, to.height, error);
    if (!status) filter_rows(image, &across, &down, row, pixels, out, out_width, to);
    axis_free(&across);
    axis_free(&down);
    free(row);
    free(pixels);
    return status;
}

inception_image *inc_image_scaled(const inception_image *image, int width, int height, inception_error *error)
{
    inception_image *scaled = inc_image_new(width, height, error);
    size_t values = (size_t)width * (size_t)height * 3;
    float *smooth = scaled ? inc_calloc(values, sizeof *smooth, error) : NULL;
    if (smooth && !inc_resize_smooth(image, (inc_scale){width, height, 0, 0}, smooth, width,
                                     (inc_rect){0, 0, width, height}, error)) {
        for (size_t i = 0; i < values; i++) scaled->pixels[i] = (uint8_t)lrintf(fminf(smooth[i], 255));
        free(smooth);
        return scaled;
    }
    free(smooth);
    inc_image_free(scaled);
    return NULL;
}
