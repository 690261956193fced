/* Shared by the decoders: a photo on its way from bytes to pixels. */
#ifndef INC_IMAGE_PRIVATE_H
#define INC_IMAGE_PRIVATE_H

#include "image.h"

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

/* Bytes times float32(1/255), TensorFlow's legacy bilinear, (x-0.5)*2, into `to` of `out`, rows out_width*3 apart. */
inception_status inc_resize_legacy(const inception_image *image, inc_rect from, float *out, int out_width, inc_rect to,
                                   inception_error *error);

/* The whole picture scaled to full_width x full_height with a triangle filter as wide as the reduction; the part of it
 * that begins at (skip_x, skip_y) goes into `to` of `out`. */
typedef struct inc_scale {
    int full_width, full_height, skip_x, skip_y;
} inc_scale;

inception_status inc_resize_smooth(const inception_image *image, inc_scale scale, float *out, int out_width,
                                   inc_rect to, inception_error *error);

#endif
