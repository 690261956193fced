/* A picture as PNG: 8-bit RGB, nothing else in it. */
#include "private.h"

#include <setjmp.h>
#include <stdlib.h>

#include <png.h>

typedef struct encoder {
    png_structp png;
    png_infop info;
    inc_buffer *bytes;
    inception_error *error;
} encoder;

static void fail(png_structp png, png_const_charp reason)
{
    encoder *e = png_get_error_ptr(png);
    inc_fail(e->error, INCEPTION_MEMORY, "PNG: %s", reason); /* one of ours is set already */
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp reason)
{
    (void)png;
    (void)reason;
}

static void write_bytes(png_structp png, png_bytep data, size_t size)
{
    encoder *e = png_get_io_ptr(png);
    if (inc_buffer_add(e->bytes, data, size, e->error)) png_error(png, "out of memory");
}

static void nothing_to_flush(png_structp png)
{
    (void)png;
}

static void encode(encoder *e, const inception_image *image)
{
    if (setjmp(png_jmpbuf(e->png))) return;
    png_set_user_limits(e->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(e->png, e, write_bytes, nothing_to_flush);
    png_set_IHDR(e->png, e->info, (png_uint_32)image->width, (png_uint_32)image->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(e->png, e->info);
    for (size_t y = 0; y < (size_t)image->height; y++)
        png_write_row(e->png, image->pixels + y * (size_t)image->width * 3);
    png_write_end(e->png, NULL);
}

inception_status inc_image_encode_png(const inception_image *image, inc_buffer *png, inception_error *error)
{
    inception_error first = {0}; /* the status is needed even where the caller does not want to know */
    encoder e = {.bytes = png, .error = &first};
    e.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &e, fail, ignore_warning);
    if (e.png) e.info = png_create_info_struct(e.png);
    if (!e.info) inc_fail_memory(&first, 0);
    else encode(&e, image);
    png_destroy_write_struct(&e.png, &e.info);
    return first.status ? inc_pass(error, &first) : INCEPTION_OK;
}

inception_status inc_image_write_png(const inception_image *image, const char *path, inception_error *error)
{
    inc_output output;
    inc_buffer png = {0};
    inception_status status = inc_output_open(&output, path, error);
    if (!status) status = inc_image_encode_png(image, &png, error);
    if (!status) status = inc_output_write(&output, png.data, png.size, error);
    if (!status) status = inc_output_commit(&output, true, error);
    inc_output_discard(&output);
    free(png.data);
    return status;
}
