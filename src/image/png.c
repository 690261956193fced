/* PNG through libpng: every depth, palettes, grey, alpha, interlaced.
 *
 * With options.strip_alpha the calls are those of TensorFlow, in its order: alpha and tRNS dropped, the high byte of 16
 * bits kept, no gamma. Otherwise transparent pixels are put over white, at 8 bits. libpng itself decides what damage
 * ends a file: wrong checksums of critical chunks do, of others do not. With options.recover an error after the header
 * leaves the rows read so far; of an interlaced picture, the coarse passes filled up.
 *
 * Texts and profiles are passed over, and other chunks limited, so that no small file unpacks into gigabytes. */
#include "private.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#define MAX_CHUNK ((png_alloc_size_t)8 << 20) /* bytes, unpacked */
#define MAX_CHUNKS 128                        /* kept in memory */
#define SMALL_READ 16                         /* bytes that a cut file may lose; by default 8192 */

/* Everything that lives across a longjmp is in here, none of it in locals. */
typedef struct decoder {
    png_structp png;
    png_infop info;
    inc_photo *photo;
    inception_image *image;
    size_t at; /* next byte of the file */
    size_t width, height;
    bool alpha;      /* rows come as RGBA, into rgba, to be put over white */
    bool interlaced; /* rgba then holds all rows, else one */
    uint8_t *rgba;
    bool ended, out_of_memory;
    bool rows; /* what libpng takes memory for now; else for chunks, and believes the sizes that they claim */
    char reason[128];
} decoder;

static void fail(png_structp png, png_const_charp reason)
{
    decoder *d = png_get_error_ptr(png);
    strncpy(d->reason, reason, sizeof d->reason - 1);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp reason)
{
    (void)png;
    (void)reason;
}

static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    decoder *d = png_get_mem_ptr(png);
    if (size > MAX_CHUNK && !d->rows) return NULL; /* that chunk is then passed over */
    void *memory = malloc(size);
    if (!memory) d->out_of_memory = true;
    return memory;
}

static void release(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

static void read_bytes(png_structp png, png_bytep out, size_t size)
{
    decoder *d = png_get_io_ptr(png);
    if (size > d->photo->size - d->at) {
        d->ended = true;
        png_error(png, "the file ends early");
    }
    memcpy(out, d->photo->data + d->at, size);
    d->at += size;
}

static void report(decoder *d)
{
    inc_photo *photo = d->photo;
    if (d->out_of_memory) inc_fail_memory(photo->error, 0);
    else if (d->ended) inc_photo_ends_early(photo);
    else inc_fail_at(photo->error, INCEPTION_DATA, photo->name, d->at, "a damaged PNG: %s", d->reason);
}

/* RGB or RGBA, 8 bits each, out of whatever is in the file. */
static void set_transformations(decoder *d)
{
    bool transparent = (png_get_color_type(d->png, d->info) & PNG_COLOR_MASK_ALPHA) != 0 ||
                       png_get_valid(d->png, d->info, PNG_INFO_tRNS) != 0;
    d->alpha = transparent && !d->photo->options->strip_alpha;
    png_byte type = png_get_color_type(d->png, d->info);
    if (transparent && !d->alpha) png_set_strip_alpha(d->png);
    png_set_strip_16(d->png);
    png_set_packing(d->png);
    d->interlaced = png_set_interlace_handling(d->png) > 1;
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(d->png);
    if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(d->png, d->info) < 8) png_set_expand_gray_1_2_4_to_8(d->png);
    if (d->alpha && png_get_valid(d->png, d->info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(d->png);
    if (!(type & PNG_COLOR_MASK_COLOR)) png_set_gray_to_rgb(d->png);
    png_read_update_info(d->png, d->info);
}

static bool begin(decoder *d)
{
    if (setjmp(png_jmpbuf(d->png))) return report(d), false;
    png_set_read_fn(d->png, d, read_bytes);
    png_set_user_limits(d->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* max_pixels decides, below */
    png_set_chunk_cache_max(d->png, MAX_CHUNKS);
    png_set_chunk_malloc_max(d->png, MAX_CHUNK);
    static const png_byte unread[] = "tEXt\0zTXt\0iTXt\0sPLT\0iCCP"; /* which may be a thousand times as large unpacked */
    png_set_keep_unknown_chunks(d->png, PNG_HANDLE_CHUNK_NEVER, unread, 5);
    if (d->photo->options->recover) png_set_compression_buffer_size(d->png, SMALL_READ);
    png_read_info(d->png, d->info);
    d->width = png_get_image_width(d->png, d->info);
    d->height = png_get_image_height(d->png, d->info);
    d->image = inc_photo_image(d->photo, d->width, d->height);
    if (!d->image) return false;
    d->rows = true;
    set_transformations(d);
    size_t channels = d->alpha ? 4 : 3;
    if (png_get_rowbytes(d->png, d->info) != d->width * channels) png_error(d->png, "an impossible kind of pixel");
    if (!d->alpha) return true;
    const size_t pixels = d->width * (d->interlaced ? d->height : 1);
    d->rgba = inc_calloc(pixels, channels, d->photo->error);
    for (size_t i = 0; d->rgba && i < pixels; i++) d->rgba[4 * i + 3] = 255; /* what is missing in the end is black */
    return d->rgba != NULL;
}

static uint8_t *row_of(decoder *d, size_t y)
{
    if (!d->alpha) return d->image->pixels + y * d->width * 3;
    return d->interlaced ? d->rgba + y * d->width * 4 : d->rgba;
}

/* False on damage; the rows before it are in place. */
static bool read_rows(decoder *d)
{
    if (setjmp(png_jmpbuf(d->png))) return false;
    int passes = d->interlaced ? 7 : 1;
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < d->height; y++) {
            png_bytep row = row_of(d, y);
            if (d->photo->options->recover) png_read_row(d->png, NULL, row); /* fills the gaps between pixels */
            else png_read_row(d->png, row, NULL);
            if (d->alpha && !d->interlaced) inc_over_white(row, d->image->pixels + y * d->width * 3, d->width);
        }
    }
    return true;
}

/* What stands behind the pixels: perhaps the EXIF block. */
static bool read_end(decoder *d)
{
    if (setjmp(png_jmpbuf(d->png))) return false;
    d->rows = false;
    png_read_end(d->png, d->info);
    return true;
}

static bool decode(decoder *d)
{
    if (!begin(d)) return false;
    bool whole = read_rows(d) && read_end(d);
    if (d->out_of_memory || (!whole && !d->photo->options->recover)) return report(d), false;
    if (d->alpha && d->interlaced) inc_over_white(d->rgba, d->image->pixels, d->width * d->height);
    png_uint_32 size = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(d->png, d->info, &size, &exif)) return inc_photo_read_exif(d->photo, exif, size);
    return true;
}

inception_image *inc_decode_png(inc_photo *photo)
{
    decoder d = {.photo = photo};
    d.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &d, fail, ignore_warning, &d, allocate, release);
    if (d.png) d.info = png_create_info_struct(d.png);
    bool decoded = false;
    if (!d.info) inc_fail_memory(photo->error, 0);
    else decoded = decode(&d);
    png_destroy_read_struct(&d.png, &d.info, NULL);
    free(d.rgba);
    if (decoded) return d.image;
    inc_image_free(d.image);
    return NULL;
}
