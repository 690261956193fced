/* Pixels -> what a network sees, and back for people to look at.
 *
 * SLIM is TF-Slim's evaluation path: bytes times float32(1/255), central 7/8 of each side, legacy bilinear, (x-0.5)*2.
 * CAFFE is what GoogLeNet was evaluated with: the photo squeezed to 8/7 of the input's sides, the centre of that, minus
 * the mean colour, blue first. The intermediate picture stays in floats; rounding it to bytes, as a tool that stores it
 * would, moves values by up to a half.
 *
 * The other crops are deviations that a user asked for. FULL squeezes the whole photo into the input. LETTERBOX keeps
 * its shape and leaves borders of 0, which is mid-grey for SLIM and the mean colour for CAFFE. */
#include "private.h"

#include <math.h>

#define MAX_SIDE 4096

static const float mean[3] = {104, 117, 123}; /* blue, green, red */

inception_status inc_input_check(const inception_input *input, inception_error *error)
{
    if (input->width < 1 || input->height < 1 || input->width > MAX_SIDE || input->height > MAX_SIDE)
        return inc_fail(error, INCEPTION_INVALID, "an input of %d x %d pixels; each side must be 1...%d", input->width,
                        input->height, MAX_SIDE);
    if (input->preprocessing != INCEPTION_PREPROCESS_SLIM && input->preprocessing != INCEPTION_PREPROCESS_CAFFE)
        return inc_fail(error, INCEPTION_INVALID, "there is no preprocessing %d", (int)input->preprocessing);
    if (input->crop < INCEPTION_CROP_CENTRE || input->crop > INCEPTION_CROP_LETTERBOX)
        return inc_fail(error, INCEPTION_INVALID, "there is no crop %d", (int)input->crop);
    return INCEPTION_OK;
}

/* The largest window of the photo's shape inside the input, in its middle. */
static inc_rect letterbox(const inception_input *input, const inception_image *image)
{
    double x = (double)input->width / image->width, y = (double)input->height / image->height;
    double scale = x < y ? x : y;
    int width = (int)(image->width * scale + 0.5), height = (int)(image->height * scale + 0.5);
    if (width < 1) width = 1;
    if (height < 1) height = 1;
    return (inc_rect){(input->width - width) / 2, (input->height - height) / 2, width, height};
}

/* Where in the input the picture goes: all of it, but for letterbox. The borders are set here. */
static inc_rect target(const inception_input *input, const inception_image *image, float *out)
{
    if (input->crop != INCEPTION_CROP_LETTERBOX) return (inc_rect){0, 0, input->width, input->height};
    for (size_t i = 0; i < (size_t)input->width * (size_t)input->height * 3; i++) out[i] = 0;
    return letterbox(input, image);
}

static float *pixel_of(const inception_input *input, inc_rect to, int y, float *out)
{
    return out + ((size_t)(to.y + y) * (size_t)input->width + (size_t)to.x) * 3;
}

/* The side of which CAFFE takes the centre: 256 for 224. */
static int caffe_full(int side)
{
    return (side * 8 + 3) / 7;
}

inception_status inc_part_seen(const inception_input *input, int width, int height, inc_part *part,
                               inception_error *error)
{
    inception_status status = inc_input_check(input, error);
    if (status) return status;
    *part = (inc_part){0, 0, 1, 1};
    if (input->crop != INCEPTION_CROP_CENTRE) return INCEPTION_OK;
    if (input->preprocessing == INCEPTION_PREPROCESS_SLIM) {
        part->x = (double)(width / 16) / width;
        part->y = (double)(height / 16) / height;
    } else {
        part->x = (1 - (double)input->width / caffe_full(input->width)) / 2;
        part->y = (1 - (double)input->height / caffe_full(input->height)) / 2;
    }
    part->width = 1 - 2 * part->x;
    part->height = 1 - 2 * part->y;
    return INCEPTION_OK;
}

bool inc_input_filled(const inception_input *input, int width, int height)
{
    inc_part part;
    if (inc_part_seen(input, width, height, &part, NULL)) return false;
    bool across = lround(part.width * width) >= input->width, down = lround(part.height * height) >= input->height;
    return input->crop == INCEPTION_CROP_LETTERBOX ? across || down : across && down;
}

static inception_status prepare_slim(const inception_input *input, const inception_image *image, float *out,
                                     inception_error *error)
{
    inc_rect from = {0, 0, image->width, image->height}, to = target(input, image, out);
    if (input->crop == INCEPTION_CROP_CENTRE) {
        from.x = image->width / 16;
        from.y = image->height / 16;
        from.width -= 2 * from.x;
        from.height -= 2 * from.y;
    }
    return inc_resize_legacy(image, from, (inc_levels){0.5f, 2}, out, input->width, to, error);
}

void inc_caffe_levels(float *pixels, size_t count, float gain)
{
    for (float *p = pixels; p < pixels + 3 * count; p += 3) {
        float red = p[0];
        p[0] = p[2] * gain - mean[0];
        p[1] = p[1] * gain - mean[1];
        p[2] = red * gain - mean[2];
    }
}

static inception_status prepare_caffe(const inception_input *input, const inception_image *image, float *out,
                                      inception_error *error)
{
    inc_rect to = target(input, image, out);
    inc_scale scale = {to.width, to.height, 0, 0};
    if (input->crop == INCEPTION_CROP_CENTRE) {
        scale.full_width = caffe_full(input->width);
        scale.full_height = caffe_full(input->height);
        scale.skip_x = (scale.full_width - input->width) / 2;
        scale.skip_y = (scale.full_height - input->height) / 2;
    }
    inception_status status = inc_resize_smooth(image, scale, out, input->width, to, error);
    if (status) return status;
    for (int y = 0; y < to.height; y++) inc_caffe_levels(pixel_of(input, to, y, out), (size_t)to.width, 1);
    return INCEPTION_OK;
}

inception_status inc_prepare(const inception_input *input, const inception_image *image, float *out,
                             inception_error *error)
{
    inception_status status = inc_input_check(input, error);
    if (status) return status;
    bool slim = input->preprocessing == INCEPTION_PREPROCESS_SLIM;
    return slim ? prepare_slim(input, image, out, error) : prepare_caffe(input, image, out, error);
}

/* To nearest, inside the range; what is not a number is black. */
static uint8_t byte_of(float value)
{
    if (!(value > 0)) return 0;
    return value < 255 ? (uint8_t)lrintf(value) : 255;
}

inception_image *inc_prepared_picture(const inception_input *input, const float *prepared, inception_error *error)
{
    if (inc_input_check(input, error)) return NULL;
    inception_image *image = inc_image_new(input->width, input->height, error);
    if (!image) return NULL;
    bool slim = input->preprocessing == INCEPTION_PREPROCESS_SLIM;
    size_t pixels = (size_t)input->width * (size_t)input->height;
    for (size_t i = 0; i < pixels; i++) {
        const float *in = prepared + 3 * i;
        for (int c = 0; c < 3; c++)
            image->pixels[3 * i + (size_t)c] = byte_of(slim ? (in[c] * 0.5f + 0.5f) * 255.0f : in[2 - c] + mean[2 - c]);
    }
    return image;
}
