/* Bytes of a photo -> RGB pixels -> the network's input. The only folder that knows picture formats. */
#ifndef INC_IMAGE_H
#define INC_IMAGE_H

#include "../base/base.h"

#define INC_IMAGE_SLACK 8 /* bytes that may be read from the last pixel on */

struct inception_image {
    int width, height;
    uint8_t *pixels; /* [height][width][3], RGB, and INC_IMAGE_SLACK bytes more */
};

/* Zeroed pixels. Refuses sides below 1 and sizes that overflow. */
inception_image *inc_image_new(int width, int height, inception_error *error);
void inc_image_free(inception_image *image);

/* See inception_image_decode(); all arguments set. */
inception_image *inc_image_decode(const char *name, const uint8_t *data, size_t size,
                                  const inception_image_options *options, inception_error *error);
bool inc_image_recognised(const uint8_t *data, size_t size);
inception_status inc_image_encode_png(const inception_image *image, inc_buffer *png, inception_error *error);
inception_status inc_image_write_png(const inception_image *image, const char *path, inception_error *error);

/* Sides, preprocessing and crop are such as there are. */
inception_status inc_input_check(const inception_input *input, inception_error *error);

/* True if the input enlarges nothing of a photo of width x height. */
bool inc_input_filled(const inception_input *input, int width, int height);

/* See inception_prepare() and inception_image_from_prepared(). */
inception_status inc_prepare(const inception_input *input, const inception_image *image, float *out,
                             inception_error *error);
inception_image *inc_prepared_picture(const inception_input *input, const float *prepared, inception_error *error);

/* See inception_distort(). */
inception_status inc_distort(const inception_input *input, const inception_image *image, const inception_distortion *how,
                             uint64_t seed, float *out, inception_error *error);

/* A part of a picture, in fractions of its sides. */
typedef struct inc_part {
    double x, y, width, height;
} inc_part;

/* The part that inception_prepare() looks at in a photo of width x height. */
inception_status inc_part_seen(const inception_input *input, int width, int height, inc_part *part,
                               inception_error *error);

/* The picture reduced (or enlarged) to width x height, smoothly. */
inception_image *inc_image_scaled(const inception_image *image, int width, int height, inception_error *error);

#endif
