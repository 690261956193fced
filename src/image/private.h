/* Shared by the decoders: a photo on its way from bytes to pixels. */
#ifndef INC_IMAGE_PRIVATE_H
#define INC_IMAGE_PRIVATE_H

#include "image.h"

#define INLINE static inline __attribute__((always_inline)) /* into code for one set of instructions */
#define AVX2 __attribute__((target("avx2")))

typedef struct inc_photo {
    const char *name; /* for messages */
    const uint8_t *data;
    size_t size;
    const inception_image_options *options;
    inception_error *error;
    int orientation; /* of EXIF, 1...8; a decoder that finds one sets it */
} inc_photo;

/* One per format. What it returns is not turned yet. */
inception_image *inc_decode_jpeg(inc_photo *photo);
inception_image *inc_decode_png(inc_photo *photo);
inception_image *inc_decode_gif(inc_photo *photo);
inception_image *inc_decode_bmp(inc_photo *photo);
inception_image *inc_decode_webp(inc_photo *photo);

/* ---- decode.c ---- */

/* False and an error if a photo cannot be, or may not be so large. */
bool inc_photo_fits(inc_photo *photo, uint64_t width, uint64_t height);

/* Black pixels, after that check. */
inception_image *inc_photo_image(inc_photo *photo, uint64_t width, uint64_t height);

/* "name: the file ends early ..." with the way out that the option offers. */
void inc_photo_ends_early(inc_photo *photo);

/* ---- orient.c ---- */

/* Notes the orientation in an EXIF block ("Exif\0\0" before the TIFF header or not), if there is one. False only where
 * memory is short: a damaged block means upright. */
bool inc_photo_read_exif(inc_photo *photo, const uint8_t *exif, size_t size);

/* The picture turned upright; frees `image`, on failure too. */
inception_image *inc_turn_upright(inception_image *image, int orientation, inception_error *error);

/* ---- alpha.c ---- */

/* `count` RGBA pixels over white: (c*a + 255*(255-a)) / 255, rounded to nearest. */
void inc_over_white(const uint8_t *rgba, uint8_t *rgb, size_t count);

/* ---- resize.c ---- */

/* The part of a picture that is used, and the part of the output that it fills. */
typedef struct inc_rect {
    int x, y, width, height;
} inc_rect;

/* What a value of the resized picture becomes: (value - middle) * gain. */
typedef struct inc_levels {
    float middle, gain;
} inc_levels;

/* Bytes times float32(1/255), TensorFlow's legacy bilinear, the levels, into `to` of `out`, rows out_width*3 apart. */
inception_status inc_resize_legacy(const inception_image *image, inc_rect from, inc_levels levels, float *out, int out_width,
                                   inc_rect to, inception_error *error);

/* The whole picture scaled to full_width x full_height with a triangle filter as wide as the reduction; the part of it
 * that begins at (skip_x, skip_y) goes into `to` of `out`. */
typedef struct inc_scale {
    int full_width, full_height, skip_x, skip_y;
} inc_scale;

inception_status inc_resize_smooth(const inception_image *image, inc_scale scale, float *out, int out_width,
                                   inc_rect to, inception_error *error);

/* ---- prepare.c ---- */

/* `count` pixels RGB, 0...255 where they are multiplied by `gain` -> BGR minus the mean colour. */
void inc_caffe_levels(float *pixels, size_t count, float gain);

/* ---- resample.c ---- */

/* TensorFlow's ways to another size, with its numbers. */
typedef enum inc_method { INC_BILINEAR, INC_NEAREST, INC_BICUBIC, INC_AREA } inc_method;

/* Bytes times float32(1/255), resized with legacy coordinates to out[height][width][3]. BICUBIC overshoots 0...1. */
inception_status inc_resample(const inception_image *image, inc_rect from, inc_method method, float *out, int width,
                              int height, inception_error *error);

/* ---- adjust.c ---- */

/* Of `count` pixels RGB, 0...1, and as far outside as earlier adjustments leave them; nothing is clipped. */
void inc_adjust_brightness(float *pixels, size_t count, float delta);
void inc_adjust_saturation(float *pixels, size_t count, float factor);
void inc_adjust_hue(float *pixels, size_t count, float delta); /* of a full turn; at most half of one */
void inc_adjust_contrast(float *pixels, size_t count, float factor);

/* ---- distort.c ---- */

#define INC_ADJUSTMENTS 4
typedef enum inc_adjustment { INC_BRIGHTNESS, INC_SATURATION, INC_HUE, INC_CONTRAST } inc_adjustment;

/* All that is random in a distortion. */
typedef struct inc_drawn {
    inc_rect crop;
    inc_method method;
    bool flip;
    int ordering, adjustments; /* of the adjustments, 0...3; how many of them are made */
    float amounts[INC_ADJUSTMENTS];
} inc_drawn;

inc_drawn inc_distortion_draw(int width, int height, const inception_distortion *how, uint64_t seed);
void inc_flip(float *pixels, int width, int height); /* [height][width][3], left and right change places */

#endif
