/* BMP: OS/2 and Windows headers of every age, 1 to 32 bits, channel masks, run lengths, both directions.
 *
 * Read here and not through a library, for want of one that fits. libnsbmp, the first choice, is not in Debian 12. Of
 * those that are: gdk-pixbuf ends the process when memory is short (glib), leptonica prints and knows no run lengths,
 * SDL2 brings a window system along, libjpeg-turbo's loader reads files by name and headers of 40 bytes only, and
 * stb_image knows no run lengths, refuses a gap before the pixels and reads zeros past the end.
 *
 * Rules: a file whose rows are not all there ends early (with options.recover what is missing is black). The padding of
 * the last row may be missing. Colour numbers beyond the palette are black. A 32-bit file has alpha only if its header
 * has a mask for it and some pixel uses it. Pixels that run lengths skip have colour 0. */
#include "private.h"

#include <string.h>

enum { RGB = 0, RLE8 = 1, RLE4 = 2, MASKS = 3, ALPHA_MASKS = 6 }; /* compression */

#define FILE_HEADER 14

typedef struct channel {
    uint32_t mask, max;
    int shift;
} channel;

typedef struct bitmap {
    inc_photo *photo;
    inception_image *image;
    uint32_t header, bits, compression;
    uint64_t width, height, offset; /* offset of the pixels in the file */
    bool top_down;
    channel channels[4]; /* red, green, blue, alpha */
    uint8_t palette[256][3];
} bitmap;

/* A little-endian number of `size` bytes at `at`; 0 where the file has ended. */
static uint32_t number(const inc_photo *photo, uint64_t at, int size)
{
    uint32_t value = 0;
    for (int i = 0; i < size; i++)
        if (at + (uint64_t)i < photo->size) value |= (uint32_t)photo->data[at + (uint64_t)i] << (8 * i);
    return value;
}

/* A field of the second header; 0 where a short header has none. */
static uint32_t field(const bitmap *b, uint32_t at, int size)
{
    return at + (uint32_t)size <= FILE_HEADER + b->header ? number(b->photo, at, size) : 0;
}

static bool damaged(const bitmap *b, const char *what)
{
    return inc_fail(b->photo->error, INCEPTION_DATA, "%s: a damaged BMP: %s", b->photo->name, what), false;
}

static bool unsupported(const bitmap *b, const char *what, unsigned value)
{
    inc_fail(b->photo->error, INCEPTION_UNSUPPORTED, "%s: a BMP with %s %u", b->photo->name, what, value);
    return false;
}

static bool read_header(bitmap *b)
{
    b->header = number(b->photo, 14, 4);
    b->offset = number(b->photo, 10, 4);
    if (FILE_HEADER + (uint64_t)b->header > b->photo->size) return inc_photo_ends_early(b->photo), false;
    int32_t height;
    if (b->header == 12) {
        b->width = field(b, 18, 2);
        height = (int32_t)field(b, 20, 2);
        b->bits = field(b, 24, 2);
    } else {
        int32_t width = (int32_t)field(b, 18, 4);
        if (width < 0) return damaged(b, "its width is negative");
        b->width = (uint64_t)width;
        height = (int32_t)field(b, 22, 4);
        b->bits = field(b, 28, 2);
        b->compression = field(b, 30, 4);
    }
    b->top_down = height < 0;
    b->height = (uint64_t)(height < 0 ? -(int64_t)height : height);
    if (b->offset < FILE_HEADER + b->header) return damaged(b, "its pixels begin inside its header");
    return true;
}

/* Which combinations there are. */
static bool check_kind(const bitmap *b)
{
    bool deep = b->bits == 16 || b->bits == 32, rle = b->compression == RLE8 || b->compression == RLE4;
    bool known = deep || b->bits == 24 || b->bits == 8 || b->bits == 4 || b->bits == 2 || b->bits == 1;
    if (!known) return unsupported(b, "bits per pixel:", b->bits);
    if (b->compression == RGB) return true;
    if (rle && b->bits != (b->compression == RLE8 ? 8u : 4u)) return damaged(b, "run lengths at another depth");
    if (rle && b->top_down) return damaged(b, "run lengths from the top down");
    if (rle) return true;
    bool masks = b->compression == MASKS || b->compression == ALPHA_MASKS;
    if (!masks || b->header == 64) return unsupported(b, "compression", b->compression);
    return deep || damaged(b, "masks at another depth");
}

static channel channel_of(uint32_t mask)
{
    if (mask == 0) return (channel){0};
    int shift = __builtin_ctz(mask);
    return (channel){mask, mask >> shift, shift};
}

static void read_masks(bitmap *b)
{
    static const uint32_t defaults[][3] = {{0x7C00, 0x03E0, 0x001F}, {0xFF0000, 0xFF00, 0xFF}};
    bool given = b->compression == MASKS || b->compression == ALPHA_MASKS;
    bool alpha = b->compression == ALPHA_MASKS || (b->compression == MASKS && b->header >= 56);
    for (unsigned i = 0; i < 3; i++)
        b->channels[i] = channel_of(given ? number(b->photo, 54 + 4 * i, 4) : defaults[b->bits == 32][i]);
    if (alpha) b->channels[3] = channel_of(number(b->photo, 66, 4));
}

static void read_palette(bitmap *b)
{
    uint64_t at = FILE_HEADER + b->header, entry = b->header == 12 ? 3 : 4;
    uint64_t count = field(b, 46, 4), most = (uint64_t)1 << b->bits;
    if (count == 0 || count > most) count = most;
    if (count > (b->offset - at) / entry) count = (b->offset - at) / entry;
    for (uint64_t i = 0; i < count; i++)
        for (unsigned c = 0; c < 3; c++) b->palette[i][c] = (uint8_t)number(b->photo, at + i * entry + 2 - c, 1);
}

static uint8_t *row_of(const bitmap *b, uint64_t y)
{
    uint64_t from_top = b->top_down ? y : b->height - 1 - y;
    return b->image->pixels + (size_t)(from_top * b->width * 3);
}

static uint8_t sample(channel of, uint32_t pixel)
{
    uint32_t value = (pixel & of.mask) >> of.shift;
    if (of.max == 255 || of.max == 0) return (uint8_t)value;
    return (uint8_t)(((uint64_t)value * 255 + of.max / 2) / of.max);
}

/* `row` lies inside the file: its last bit does. */
static void unpack_row(const bitmap *b, const uint8_t *row, bool alpha, uint8_t *rgb)
{
    for (uint64_t x = 0; x < b->width; x++, rgb += 3) {
        if (b->bits <= 8) {
            uint64_t bit = x * b->bits;
            unsigned colour = row[bit / 8] >> (8 - b->bits - bit % 8) & ((1u << b->bits) - 1);
            memcpy(rgb, b->palette[colour], 3);
        } else if (b->bits == 24) {
            for (int c = 0; c < 3; c++) rgb[c] = row[3 * x + 2 - (uint64_t)c];
        } else {
            const uint8_t *at = row + x * (b->bits / 8);
            uint32_t pixel = (uint32_t)at[0] | (uint32_t)at[1] << 8;
            if (b->bits == 32) pixel |= (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
            uint8_t rgba[4] = {0, 0, 0, alpha ? sample(b->channels[3], pixel) : 255};
            for (int c = 0; c < 3; c++) rgba[c] = sample(b->channels[c], pixel);
            inc_over_white(rgba, rgb, 1);
        }
    }
}

/* Many writers leave the alpha channel that they announce at zero throughout; that means opaque. */
static bool uses_alpha(const bitmap *b, uint64_t stride, uint64_t rows)
{
    if (b->photo->options->strip_alpha || b->channels[3].mask == 0 || b->bits < 16) return false;
    uint32_t bytes = b->bits / 8;
    for (uint64_t y = 0; y < rows; y++)
        for (uint64_t x = 0; x < b->width; x++)
            if (number(b->photo, b->offset + y * stride + x * bytes, (int)bytes) & b->channels[3].mask) return true;
    return false;
}

static bool read_rows(bitmap *b)
{
    uint64_t used = (b->width * b->bits + 7) / 8, stride = (b->width * b->bits + 31) / 32 * 4;
    uint64_t left = b->offset < b->photo->size ? b->photo->size - b->offset : 0;
    uint64_t rows = left < used ? 0 : (left - used) / stride + 1;
    if (rows > b->height) rows = b->height;
    bool alpha = uses_alpha(b, stride, rows);
    for (uint64_t y = 0; y < rows; y++) unpack_row(b, b->photo->data + b->offset + y * stride, alpha, row_of(b, y));
    return rows == b->height;
}

static void put(const bitmap *b, uint64_t x, uint64_t y, unsigned colour)
{
    if (x < b->width && y < b->height) memcpy(row_of(b, y) + 3 * x, b->palette[colour], 3);
}

/* The i-th colour of a run; of 4 bits, two stand in a byte. */
static unsigned colour_at(const bitmap *b, const uint8_t *bytes, unsigned i)
{
    if (b->compression == RLE8) return bytes[i];
    return i % 2 ? bytes[i / 2] & 15u : bytes[i / 2] >> 4;
}

/* Pairs of bytes: a count and a colour; or 0 and: 0 end of row, 1 end of picture, 2 a jump, else that many colours as
 * they are. True at the end of the picture, false where the bytes end before. */
static bool read_runs(bitmap *b)
{
    inc_reader reader = inc_reader_of(b->photo->name, b->photo->data, b->photo->size);
    const uint8_t *pair, *bytes;
    uint64_t x = 0, y = 0;
    if (!inc_read_skip(&reader, b->offset, &bytes)) return false;
    while (inc_read_skip(&reader, 2, &pair)) {
        unsigned count = pair[0] ? pair[0] : pair[1];
        if (pair[0] > 0) {
            const uint8_t same[1] = {pair[1]};
            for (unsigned i = 0; i < count; i++, x++)
                put(b, x, y, b->compression == RLE8 ? same[0] : colour_at(b, same, i % 2));
        } else if (count == 0) {
            x = 0;
            y++;
        } else if (count == 1) {
            return true;
        } else if (count == 2) {
            if (!inc_read_skip(&reader, 2, &bytes)) return false;
            x += bytes[0];
            y += bytes[1];
        } else {
            uint64_t used = b->compression == RLE8 ? count : (count + 1) / 2;
            if (!inc_read_skip(&reader, used + used % 2, &bytes)) return false;
            for (unsigned i = 0; i < count; i++, x++) put(b, x, y, colour_at(b, bytes, i));
        }
    }
    return y >= b->height;
}

inception_image *inc_decode_bmp(inc_photo *photo)
{
    bitmap b = {.photo = photo};
    if (!read_header(&b) || !check_kind(&b)) return NULL;
    if (b.bits <= 8) read_palette(&b);
    else read_masks(&b);
    b.image = inc_photo_image(photo, b.width, b.height);
    if (!b.image) return NULL;
    bool rle = b.compression == RLE8 || b.compression == RLE4, whole;
    if (rle)
        for (size_t i = 0; i < (size_t)(b.width * b.height); i++) memcpy(b.image->pixels + 3 * i, b.palette[0], 3);
    whole = rle ? read_runs(&b) : read_rows(&b);
    if (whole || photo->options->recover) return b.image;
    inc_photo_ends_early(photo);
    inc_image_free(b.image);
    return NULL;
}
