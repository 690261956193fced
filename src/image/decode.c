/* Which format a photo has, and what is common to all: limits, orientation.
 *
 * The content decides, never the name. Adding a format is adding a row. */
#include "private.h"

#include <string.h>

#define MAX_SIDE 65535 /* that of JPEG: a longer side is no photo, and costs time and memory out of all proportion */

static bool is_jpeg(const uint8_t *data, size_t size)
{
    return size >= 3 && !memcmp(data, "\xFF\xD8\xFF", 3);
}

static bool is_png(const uint8_t *data, size_t size)
{
    return size >= 8 && !memcmp(data, "\x89PNG\r\n\x1A\n", 8);
}

static bool is_gif(const uint8_t *data, size_t size)
{
    return size >= 6 && (!memcmp(data, "GIF87a", 6) || !memcmp(data, "GIF89a", 6));
}

/* Two letters are little to go by: the size of the second header must be one of those there are, too. */
static bool is_bmp(const uint8_t *data, size_t size)
{
    static const uint8_t headers[] = {12, 16, 40, 52, 56, 64, 108, 124};
    return size >= 16 && !memcmp(data, "BM", 2) && memchr(headers, data[14], sizeof headers) && data[15] == 0;
}

static bool is_webp(const uint8_t *data, size_t size)
{
    return size >= 12 && !memcmp(data, "RIFF", 4) && !memcmp(data + 8, "WEBP", 4);
}

static const struct format {
    bool (*is)(const uint8_t *data, size_t size);
    inception_image *(*decode)(inc_photo *photo);
} formats[] = {
    {is_jpeg, inc_decode_jpeg},
    {is_png, inc_decode_png},
    {is_gif, inc_decode_gif},
    {is_bmp, inc_decode_bmp},
    {is_webp, inc_decode_webp},
};

static const struct format *format_of(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < INC_COUNT(formats); i++)
        if (formats[i].is(data, size)) return &formats[i];
    return NULL;
}

bool inc_image_recognised(const uint8_t *data, size_t size)
{
    return format_of(data, size) != NULL;
}

inception_image *inc_image_decode(const char *name, const uint8_t *data, size_t size,
                                  const inception_image_options *options, inception_error *error)
{
    inc_photo photo = {name, data, size, options, error, 1};
    if (options->fast_for && inc_input_check(options->fast_for, error)) return NULL;
    if (size == 0) return inc_fail(error, INCEPTION_DATA, "%s: the file is empty", name), NULL;
    if (size > options->max_bytes) {
        inc_fail(error, INCEPTION_LIMIT, "%s: %llu bytes, more than the limit of %llu (max_bytes)", name,
                 (unsigned long long)size, (unsigned long long)options->max_bytes);
        return NULL;
    }
    const struct format *format = format_of(data, size);
    if (!format) {
        inc_fail(error, INCEPTION_UNSUPPORTED, "%s: not a photo (JPEG, PNG, GIF, BMP or WebP)", name);
        return NULL;
    }
    inception_image *image = format->decode(&photo);
    if (image && !options->ignore_orientation) image = inc_turn_upright(image, photo.orientation, error);
    return image;
}

bool inc_photo_fits(inc_photo *photo, uint64_t width, uint64_t height)
{
    if (width == 0 || height == 0) {
        inc_fail(photo->error, INCEPTION_DATA, "%s: a picture of %llu x %llu pixels", photo->name,
                 (unsigned long long)width, (unsigned long long)height);
        return false;
    }
    if (width > MAX_SIDE || height > MAX_SIDE) {
        inc_fail(photo->error, INCEPTION_LIMIT, "%s: %llu x %llu pixels; no side may have more than %d", photo->name,
                 (unsigned long long)width, (unsigned long long)height, MAX_SIDE);
        return false;
    }
    if (width * height > photo->options->max_pixels) {
        inc_fail(photo->error, INCEPTION_LIMIT, "%s: %llu x %llu pixels, more than the limit of %llu (max_pixels)",
                 photo->name, (unsigned long long)width, (unsigned long long)height,
                 (unsigned long long)photo->options->max_pixels);
        return false;
    }
    return true;
}

inception_image *inc_photo_image(inc_photo *photo, uint64_t width, uint64_t height)
{
    return inc_photo_fits(photo, width, height) ? inc_image_new((int)width, (int)height, photo->error) : NULL;
}

void inc_photo_ends_early(inc_photo *photo)
{
    inc_fail(photo->error, INCEPTION_DATA, "%s: the file ends early, after %llu bytes", photo->name,
             (unsigned long long)photo->size);
}
