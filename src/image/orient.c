/* EXIF orientation: read through libexif, applied to pixels. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include <libexif/exif-data.h>

#define MAX_EXIF ((size_t)1 << 26) /* bytes */

static const uint8_t prefix[6] = "Exif\0"; /* libexif wants it, PNG and WebP leave it out */

static int orientation_in(ExifData *exif)
{
    ExifEntry *entry = exif_content_get_entry(exif->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (!entry || entry->components < 1) return 1;
    ExifByteOrder order = exif_data_get_byte_order(exif);
    unsigned value = 1;
    if (entry->format == EXIF_FORMAT_SHORT && entry->size >= 2) value = exif_get_short(entry->data, order);
    if (entry->format == EXIF_FORMAT_LONG && entry->size >= 4) value = exif_get_long(entry->data, order);
    return value >= 1 && value <= 8 ? (int)value : 1;
}

static bool load(inc_photo *photo, const uint8_t *block, size_t size)
{
    ExifData *exif = exif_data_new();
    if (!exif) return inc_fail_memory(photo->error, 0), false;
    exif_data_unset_option(exif, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION); /* what is there, not what should be */
    exif_data_load_data(exif, block, (unsigned)size);
    photo->orientation = orientation_in(exif);
    exif_data_unref(exif);
    return true;
}

bool inc_photo_read_exif(inc_photo *photo, const uint8_t *exif, size_t size)
{
    if (photo->options->ignore_orientation || size < 8 || size > MAX_EXIF) return true;
    if (!memcmp(exif, prefix, sizeof prefix)) return load(photo, exif, size);
    uint8_t *block = inc_calloc(sizeof prefix + size, 1, photo->error);
    if (!block) return false;
    memcpy(block, prefix, sizeof prefix);
    memcpy(block + sizeof prefix, exif, size);
    bool loaded = load(photo, block, sizeof prefix + size);
    free(block);
    return loaded;
}

/* Where the pixel at the top left of the upright picture is in the stored one, and whether going right there means
 * going down here. */
static const struct turn {
    bool swap, from_right, from_bottom;
} turns[9] = {
    [2] = {false, true, false}, [3] = {false, true, true},  [4] = {false, false, true}, [5] = {true, false, false},
    [6] = {true, false, true},  [7] = {true, true, true},   [8] = {true, true, false},
};

#define BLOCK 32 /* pixels a side: in a photo lying down, the source rows that a block needs stay in the nearest cache */

/* Pixels `step` bytes apart. All but the last are copied as four bytes, of which the next one overwrites the last. */
static void copy_run(uint8_t *to, const uint8_t *from, ptrdiff_t step, ptrdiff_t count)
{
    for (; count > 1; count--, to += 3, from += step) memcpy(to, from, 4);
    memcpy(to, from, 3);
}

/* `right` and `down`: bytes to go in the stored picture for a pixel to the right and down. */
static void copy_pixels(inception_image *upright, const uint8_t *first, ptrdiff_t right, ptrdiff_t down)
{
    ptrdiff_t width = upright->width, height = upright->height;
    for (ptrdiff_t top = 0; top < height; top += BLOCK)
        for (ptrdiff_t left = 0; left < width; left += BLOCK)
            for (ptrdiff_t y = top; y < height && y < top + BLOCK; y++)
                copy_run(upright->pixels + 3 * (y * width + left), first + y * down + left * right, right,
                         left + BLOCK < width ? BLOCK : width - left);
}

inception_image *inc_turn_upright(inception_image *image, int orientation, inception_error *error)
{
    if (orientation <= 1 || orientation > 8) return image;
    struct turn turn = turns[orientation];
    ptrdiff_t width = image->width, height = image->height;
    ptrdiff_t right = turn.from_right ? -3 : 3, down = (turn.from_bottom ? -3 : 3) * width;
    ptrdiff_t step_x = turn.swap ? down : right, step_y = turn.swap ? right : down;
    const uint8_t *first = image->pixels;
    if (turn.from_right) first += 3 * (width - 1);
    if (turn.from_bottom) first += 3 * width * (height - 1);
    inception_image *upright =
        turn.swap ? inc_image_new(image->height, image->width, error) : inc_image_new(image->width, image->height, error);
    if (upright) copy_pixels(upright, first, step_x, step_y);
    inc_image_free(image);
    return upright;
}
