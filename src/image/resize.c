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

/* ---- legacy ---- */

typedef struct tap {
    size_t lower, upper;
    float part; /* of the upper one */
} tap;

static tap tap_of(int i, float scale, int size)
{
    float in = (float)i * scale;
    float floor_in = floorf(in);
    int64_t lower = (int64_t)floor_in, last = size - 1;
    if (lower > last) lower = last;
    return (tap){(size_t)lower, (size_t)(lower < last ? lower + 1 : last), in - floor_in};
}

inception_status inc_resize_legacy(const inception_image *image, inc_rect from, const float *table, float *out,
                                   int out_width, inc_rect to, inception_error *error)
{
    tap *taps = inc_calloc((size_t)to.width, sizeof *taps, error);
    if (!taps) return INCEPTION_MEMORY;
    float scale_x = (float)from.width / (float)to.width, scale_y = (float)from.height / (float)to.height;
    for (int x = 0; x < to.width; x++) {
        taps[x] = tap_of(x, scale_x, from.width);
        taps[x].lower = 3 * (taps[x].lower + (size_t)from.x);
        taps[x].upper = 3 * (taps[x].upper + (size_t)from.x);
    }
    size_t stride = (size_t)image->width * 3;
    for (int y = 0; y < to.height; y++) {
        tap v = tap_of(y, scale_y, from.height);
        const uint8_t *top = image->pixels + (v.lower + (size_t)from.y) * stride;
        const uint8_t *bottom = image->pixels + (v.upper + (size_t)from.y) * stride;
        float *o = out + ((size_t)(to.y + y) * (size_t)out_width + (size_t)to.x) * 3;
        for (int x = 0; x < to.width; x++) {
            tap h = taps[x];
            for (size_t c = 0; c < 3; c++) {
                float top_left = table[top[h.lower + c]], top_right = table[top[h.upper + c]];
                float bottom_left = table[bottom[h.lower + c]], bottom_right = table[bottom[h.upper + c]];
                float above = top_left + (top_right - top_left) * h.part;
                float below = bottom_left + (bottom_right - bottom_left) * h.part;
                *o++ = above + (below - above) * v.part;
            }
        }
    }
    free(taps);
    return INCEPTION_OK;
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

static void filter_row(const axis *a, int count, const uint8_t *pixels, float *row)
{
    for (int x = 0; x < count; x++, row += 3) {
        filter f = a->filters[x];
        const uint8_t *pixel = pixels + 3 * (size_t)f.first;
        const float *weights = a->weights + f.weights;
        float sums[3] = {0};
        for (int k = 0; k < f.count; k++, pixel += 3)
            for (int c = 0; c < 3; c++) sums[c] += (float)pixel[c] * weights[k];
        for (int c = 0; c < 3; c++) row[c] = sums[c];
    }
}

static void filter_rows(const inception_image *image, const axis *across, const axis *down, float *row, float *out,
                        int out_width, inc_rect to)
{
    size_t values = (size_t)to.width * 3;
    int begin = 0, last = to.height - 1, end = down->filters[last].first + down->filters[last].count;
    for (int y = 0; y < to.height; y++) {
        float *o = out + ((size_t)(to.y + y) * (size_t)out_width + (size_t)to.x) * 3;
        for (size_t i = 0; i < values; i++) o[i] = 0;
    }
    for (int source = down->filters[0].first; source < end; source++) {
        filter_row(across, to.width, image->pixels + (size_t)source * (size_t)image->width * 3, row);
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
    inception_status status = row ? INCEPTION_OK : INCEPTION_MEMORY;
    if (!status) status = axis_make(&across, image->width, scale.full_width, scale.skip_x, to.width, error);
    if (!status) status = axis_make(&down, image->height, scale.full_height, scale.skip_y, to.height, error);
    if (!status) filter_rows(image, &across, &down, row, out, out_width, to);
    axis_free(&across);
    axis_free(&down);
    free(row);
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
