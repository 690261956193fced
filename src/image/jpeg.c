/* JPEG through libjpeg-turbo, with TensorFlow's settings and TensorFlow's source of bytes, so that the pixels are its.
 *
 * Settings: fast integer DCT, fancy upsampling, RGB out (grey is replicated by the library); CMYK and YCCK come out as
 * CMYK and are turned into RGB by TensorFlow's integer formula, which trusts the Adobe marker to mean "inverted".
 *
 * Damage: what libjpeg only warns of (a wrong code in the data, a missing restart marker) is tolerated, as TensorFlow
 * tolerates it. At the end of the bytes the source suspends or fails, which is the error "ends early". With
 * options.recover one end marker is made up in its place, and the library fills up what is missing.
 *
 * With options.fast_for the library computes fewer frequencies of each block, which gives a smaller picture.
 *
 * Not as TensorFlow: a file with more than MAX_SCANS scans is refused. Each scan of a progressive file may go over the
 * whole picture for a few bytes, so a small file could keep a machine busy for hours. */
#include "private.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#define MAX_SCANS 500
#define FEW_SCANS 32 /* more than any encoder makes */
#define MAX_WORK ((uint64_t)1 << 31) /* of more scans, each over all pixels: seconds */
#define MAX_REPEATS 65536
#define EXIF_MARKER (JPEG_APP0 + 1)

/* Everything that lives across a longjmp is in here, none of it in locals. */
typedef struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    inc_photo *photo;
    inception_image *image;
    uint8_t *cmyk; /* one row */
    bool end_made_up;
    unsigned repeats; /* of the last, cut unit */
} decoder;

static decoder *decoder_of(j_common_ptr jpeg)
{
    return jpeg->client_data;
}

static inception_status status_of(int code)
{
    switch (code) {
    case JERR_OUT_OF_MEMORY: return INCEPTION_MEMORY;
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_CCIR601_NOTIMPL: return INCEPTION_UNSUPPORTED;
    default: return INCEPTION_DATA;
    }
}

static void fail(j_common_ptr jpeg)
{
    decoder *d = decoder_of(jpeg);
    inception_status status = status_of(jpeg->err->msg_code);
    char reason[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, reason);
    if (status == INCEPTION_MEMORY) inc_fail_memory(d->photo->error, 0);
    else if (jpeg->err->msg_code == JERR_FILE_READ) inc_photo_ends_early(d->photo);
    else inc_fail(d->photo->error, status, "%s: %s JPEG: %s", d->photo->name,
                  status == INCEPTION_UNSUPPORTED ? "an unsupported" : "a damaged", reason);
    longjmp(d->failed, 1);
}

static void ignore_message(j_common_ptr jpeg, int level)
{
    if (level < 0) jpeg->err->num_warnings++;
}

static void print_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void watch_scans(j_common_ptr jpeg)
{
    decoder *d = decoder_of(jpeg);
    uint64_t scans = (uint64_t)d->jpeg.input_scan_number, pixels = (uint64_t)d->jpeg.image_width * d->jpeg.image_height;
    if (scans <= FEW_SCANS || (scans <= MAX_SCANS && scans * pixels <= MAX_WORK)) return;
    inc_fail(d->photo->error, INCEPTION_LIMIT, "%s: a JPEG of %llu scans and more", d->photo->name,
             (unsigned long long)scans);
    longjmp(d->failed, 1);
}

static void nothing_to_do(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

/* While the library is inside a unit, source->bytes_in_buffer still counts from the start of that unit. TensorFlow's
 * recovery leaves it so, which makes the library read the cut unit again and again until it is complete; the pixels are
 * to be the same. For a lone 0xFF at the end that never ends, hence the count. */
static boolean more_bytes(j_decompress_ptr jpeg)
{
    static const JOCTET end[2] = {0xFF, JPEG_EOI};
    decoder *d = decoder_of((j_common_ptr)jpeg);
    bool recover = d->photo->options->recover;
    if (jpeg->src->bytes_in_buffer > 0 && (!recover || d->repeats++ < MAX_REPEATS)) return recover;
    if (!recover || d->end_made_up) ERREXIT(jpeg, JERR_FILE_READ);
    d->end_made_up = true;
    jpeg->src->next_input_byte = end;
    jpeg->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

/* A jump past the end leaves nothing to read; the next read then learns that there is no more. */
static void skip_bytes(j_decompress_ptr jpeg, long count)
{
    if (count <= 0) return;
    struct jpeg_source_mgr *source = jpeg->src;
    size_t step = (size_t)count < source->bytes_in_buffer ? (size_t)count : source->bytes_in_buffer;
    source->next_input_byte += step;
    source->bytes_in_buffer -= step;
}

static void set_up(decoder *d, inc_photo *photo)
{
    d->photo = photo;
    d->jpeg.err = jpeg_std_error(&d->errors);
    d->errors.error_exit = fail;
    d->errors.emit_message = ignore_message;
    d->errors.output_message = print_nothing;
    d->jpeg.client_data = d;
    d->source = (struct jpeg_source_mgr){
        .next_input_byte = photo->data,
        .bytes_in_buffer = photo->size,
        .init_source = nothing_to_do,
        .fill_input_buffer = more_bytes,
        .skip_input_data = skip_bytes,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = nothing_to_do,
    };
    d->progress.progress_monitor = watch_scans;
}

static bool find_exif(decoder *d)
{
    for (jpeg_saved_marker_ptr marker = d->jpeg.marker_list; marker; marker = marker->next) {
        if (marker->marker != EXIF_MARKER || marker->data_length < 6 || memcmp(marker->data, "Exif\0", 6)) continue;
        return inc_photo_read_exif(d->photo, marker->data, marker->data_length);
    }
    return true;
}

static bool is_cmyk(const struct jpeg_decompress_struct *jpeg)
{
    return jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
}

static void cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, size_t count, bool inverted)
{
    for (size_t i = 0; i < count; i++, cmyk += 4, rgb += 3) {
        int k = inverted ? cmyk[3] : 255 - cmyk[3];
        for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(k * (inverted ? cmyk[c] : 255 - cmyk[c]) / 255);
    }
}

/* For options.fast_for: the smallest of the sizes that the library decodes to directly. */
static void choose_size(decoder *d)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    const inception_input *input = d->photo->options->fast_for;
    jpeg->scale_num = 1;
    for (jpeg->scale_denom = input ? 8 : 1; jpeg->scale_denom > 1; jpeg->scale_denom /= 2) {
        jpeg_calc_output_dimensions(jpeg);
        int width = (int)jpeg->output_width, height = (int)jpeg->output_height;
        bool lying = d->photo->orientation >= 5;
        if (inc_input_filled(input, lying ? height : width, lying ? width : height)) return;
    }
    jpeg_calc_output_dimensions(jpeg);
}

/* Reads up to the first row; false without a longjmp where the bytes end before it. */
static bool begin(decoder *d)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    jpeg_create_decompress(jpeg);
    jpeg->src = &d->source;
    jpeg->progress = &d->progress;
    if (!d->photo->options->ignore_orientation) jpeg_save_markers(jpeg, EXIF_MARKER, 0xFFFF);
    if (jpeg_read_header(jpeg, TRUE) != JPEG_HEADER_OK) return false;
    if (!find_exif(d)) longjmp(d->failed, 1);
    jpeg->out_color_space = is_cmyk(jpeg) ? JCS_CMYK : JCS_RGB;
    jpeg->do_fancy_upsampling = TRUE;
    jpeg->dct_method = JDCT_IFAST;
    if (!inc_photo_fits(d->photo, jpeg->image_width, jpeg->image_height)) longjmp(d->failed, 1);
    choose_size(d);
    d->image = inc_image_new((int)jpeg->output_width, (int)jpeg->output_height, d->photo->error);
    if (!d->image) longjmp(d->failed, 1);
    if (is_cmyk(jpeg) && !(d->cmyk = inc_calloc(jpeg->output_width, 4, d->photo->error))) longjmp(d->failed, 1);
    return jpeg_start_decompress(jpeg);
}

/* Rows that the library cannot give repeat the last one there is, as TensorFlow's recovery has it. */
static void repeat_last_row(inception_image *image, size_t from)
{
    size_t stride = (size_t)image->width * 3;
    for (size_t y = from ? from : 1; y < (size_t)image->height; y++)
        memcpy(image->pixels + y * stride, image->pixels + (y - 1) * stride, stride);
}

static bool read_rows(decoder *d)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    size_t stride = (size_t)d->image->width * 3;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *rgb = d->image->pixels + jpeg->output_scanline * stride;
        JSAMPROW row = d->cmyk ? d->cmyk : rgb;
        if (jpeg_read_scanlines(jpeg, &row, 1) == 0) {
            if (!d->photo->options->recover) return false;
            repeat_last_row(d->image, jpeg->output_scanline);
            return true;
        }
        if (d->cmyk) cmyk_to_rgb(d->cmyk, rgb, (size_t)d->image->width, jpeg->saw_Adobe_marker);
    }
    jpeg_finish_decompress(jpeg); /* TensorFlow too wants an end marker, though all rows are there */
    return true;
}

/* The only function that a longjmp comes back to. */
static bool decode(decoder *d)
{
    if (setjmp(d->failed)) return false;
    if (begin(d) && read_rows(d)) return true;
    inc_photo_ends_early(d->photo);
    return false;
}

inception_image *inc_decode_jpeg(inc_photo *photo)
{
    decoder *d = inc_calloc(1, sizeof *d, photo->error);
    if (!d) return NULL;
    set_up(d, photo);
    if (!decode(d)) {
        inc_image_free(d->image);
        d->image = NULL;
    }
    inception_image *image = d->image;
    jpeg_destroy_decompress(&d->jpeg);
    free(d->cmyk);
    free(d);
    return image;
}
