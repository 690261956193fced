/* What a network sees of a photo in training: TF-Slim's inception_preprocessing.py, train path, fast mode as it is since
 * 2018. First everything random is drawn, then it is done. Numbers that are drawn and not used cost nothing, and
 * so a seed means the same crop, flip and amounts in both modes. */
#include "private.h"

#include <math.h>

/* ---- Chance ---- */

/* In [low, high), in steps of 2^-23 of the range, as TensorFlow has it. */
static float uniform(uint64_t *state, float low, float high)
{
    return (float)(inc_random(state) >> 41) * 0x1p-23f * (high - low) + low;
}

/* 0 ... count-1 */
static int below(uint64_t *state, int count)
{
    return (int)((inc_random(state) >> 32) * (uint64_t)count >> 32);
}

/* ---- The crop ---- */

#define ATTEMPTS 100
#define MIN_AREA 0.05f /* of the photo's */
#define MIN_COVERED 0.1f /* of the object, which is the whole photo: this is what decides */
#define MIN_ASPECT 0.75f
#define MAX_ASPECT 1.33f

static int width_of(int height, float aspect)
{
    return (int)lrintf((float)height * aspect);
}

/* One attempt of tf.image.sample_distorted_bounding_box. Its heights are uniform between those of the least and the largest
 * area, an offset never the largest possible. */
static bool draw_crop(uint64_t *state, int width, int height, float covered, inc_rect *crop)
{
    float aspect = uniform(state, MIN_ASPECT, MAX_ASPECT);
    float max_area = (float)width * (float)height, min_area = MIN_AREA * (float)width * (float)height;
    int least = (int)lrintf(sqrtf(min_area / aspect)), most = (int)lrintf(sqrtf(max_area / aspect));
    if (width_of(most, aspect) > width) most = (int)((width + 0.5 - 1e-7) / aspect);
    if (most > height) most = height;
    int h = least < most ? least + below(state, most - least + 1) : most, w = width_of(h, aspect);
    if ((float)w * (float)h < min_area) h++, w = width_of(h, aspect);
    if ((float)w * (float)h > max_area) h--, w = width_of(h, aspect);
    float area = (float)w * (float)h;
    if (area < min_area || area > max_area || w > width || h > height || w < 1 || h < 1) return false;
    int y = h < height ? below(state, height - h) : 0, x = w < width ? below(state, width - w) : 0;
    *crop = (inc_rect){x, y, w, h};
    return area / max_area >= covered;
}

/* ---- All of it ---- */

typedef void adjust(float *pixels, size_t count, float amount);

static const struct {
    float low, high;
    adjust *adjust;
} adjustments[INC_ADJUSTMENTS] = {
    [INC_BRIGHTNESS] = {-32.0f / 255, 32.0f / 255, inc_adjust_brightness},
    [INC_SATURATION] = {0.5f, 1.5f, inc_adjust_saturation},
    [INC_HUE] = {-0.2f, 0.2f, inc_adjust_hue},
    [INC_CONTRAST] = {0.5f, 1.5f, inc_adjust_contrast},
};

static const uint8_t orderings[][INC_ADJUSTMENTS] = {
    {INC_BRIGHTNESS, INC_SATURATION, INC_HUE, INC_CONTRAST}, /* fast mode makes the first two of these */
    {INC_SATURATION, INC_BRIGHTNESS, INC_CONTRAST, INC_HUE},
    {INC_CONTRAST, INC_HUE, INC_BRIGHTNESS, INC_SATURATION},
    {INC_HUE, INC_SATURATION, INC_CONTRAST, INC_BRIGHTNESS},
};

inc_drawn inc_distortion_draw(int width, int height, const inception_distortion *how, uint64_t seed)
{
    const float covered = how->smallest_crop > 0 ? (float)how->smallest_crop : MIN_COVERED;
    inc_drawn d = {.method = INC_BILINEAR, .adjustments = how->slow ? INC_ADJUSTMENTS : 2};
    bool drawn = false;
    for (int i = 0; !drawn && i < ATTEMPTS; i++) drawn = draw_crop(&seed, width, height, covered, &d.crop);
    if (!drawn) d.crop = (inc_rect){0, 0, width, height};
    d.flip = uniform(&seed, 0, 1) < 0.5f;
    for (int a = 0; a < INC_ADJUSTMENTS; a++) d.amounts[a] = uniform(&seed, adjustments[a].low, adjustments[a].high);
    if (how->slow) {
        d.method = (inc_method)below(&seed, INC_AREA + 1);
        d.ordering = below(&seed, INC_COUNT(orderings));
    }
    return d;
}

void inc_flip(float *pixels, int width, int height)
{
    for (int y = 0; y < height; y++, pixels += 3 * width) {
        for (float *left = pixels, *right = pixels + 3 * (width - 1); left < right; left += 3, right -= 3) {
            for (int c = 0; c < 3; c++) {
                float value = left[c];
                left[c] = right[c];
                right[c] = value;
            }
        }
    }
}

/* Clips to 0...1, then the levels. */
static void finish(float *pixels, size_t count, inc_levels levels)
{
    for (size_t i = 0; i < 3 * count; i++) {
        float value = pixels[i] > 0 ? pixels[i] : 0;
        value = value < 1 ? value : 1;
        pixels[i] = (value - levels.middle) * levels.gain;
    }
}

inception_status inc_distort(const inception_input *input, const inception_image *image, const inception_distortion *how,
                             uint64_t seed, float *out, inception_error *error)
{
    inception_status status = inc_input_check(input, error);
    if (status) return status;
    inc_drawn d = inc_distortion_draw(image->width, image->height, how, seed);
    status = inc_resample(image, d.crop, d.method, out, input->width, input->height, error);
    if (status) return status;
    size_t count = (size_t)input->width * (size_t)input->height;
    if (d.flip) inc_flip(out, input->width, input->height);
    for (int i = 0; i < d.adjustments; i++) {
        inc_adjustment a = (inc_adjustment)orderings[d.ordering][i];
        adjustments[a].adjust(out, count, d.amounts[a]);
    }
    bool slim = input->preprocessing == INCEPTION_PREPROCESS_SLIM;
    finish(out, count, slim ? (inc_levels){0.5f, 2} : (inc_levels){0, 1});
    if (!slim) inc_caffe_levels(out, count, 255);
    return INCEPTION_OK;
}
