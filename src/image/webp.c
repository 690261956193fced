/* WebP through libwebp: lossy, lossless, alpha, the first frame of an animation, EXIF.
 *
 * libwebp decodes one frame. The container is walked here (a list of chunks: four letters, a size, the bytes, padded to
 * an even number), because its own demuxer does not tell damage from lack of memory. With options.recover the rows that
 * a cut frame still has are kept, the rest is black. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>

typedef struct decoder {
    inc_photo *photo;
    inception_image *image;
    inc_reader frame; /* what libwebp gets */
    int left, top;    /* of the frame on the canvas */
    bool animated;
} decoder;

typedef struct chunk {
    const uint8_t *tag;
    inc_reader bytes;
    bool cut; /* the file ends inside */
} chunk;

static bool read_chunk(inc_reader *reader, chunk *out)
{
    uint32_t size;
    const uint8_t *padding;
    if (!inc_read_skip(reader, 4, &out->tag) || !inc_read_u32(reader, &size)) return false;
    out->cut = size > inc_left(reader);
    if (!inc_read_sub(reader, out->cut ? inc_left(reader) : size, &out->bytes)) return false;
    if (size % 2) inc_read_skip(reader, 1, &padding);
    return true;
}

static bool find_chunk(inc_reader reader, const char *tag, chunk *out)
{
    while (read_chunk(&reader, out))
        if (!memcmp(out->tag, tag, 4)) return true;
    return false;
}

static uint32_t number24(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

static bool damaged(decoder *d, const char *what)
{
    return inc_fail(d->photo->error, INCEPTION_DATA, "%s: a damaged WebP: %s", d->photo->name, what), false;
}

static bool failed(decoder *d, VP8StatusCode code)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY: return inc_fail_memory(d->photo->error, 0), false;
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: return inc_photo_ends_early(d->photo), false;
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return inc_fail(d->photo->error, INCEPTION_UNSUPPORTED, "%s: an unsupported kind of WebP", d->photo->name), false;
    default: return damaged(d, "its frame cannot be decoded");
    }
}

/* An animation: canvas and place are in the container, the first frame is a file of its own without the outer header. */
static bool find_first_frame(decoder *d, inc_reader chunks, uint64_t *width, uint64_t *height)
{
    chunk canvas, frame;
    const uint8_t *head;
    if (!find_chunk(chunks, "VP8X", &canvas) || !inc_read_skip(&canvas.bytes, 10, &head))
        return damaged(d, "an animation without a canvas");
    *width = number24(head + 4) + (uint64_t)1;
    *height = number24(head + 7) + (uint64_t)1;
    if (!find_chunk(chunks, "ANMF", &frame)) return inc_photo_ends_early(d->photo), false;
    if (!inc_read_skip(&frame.bytes, 16, &head)) return inc_photo_ends_early(d->photo), false;
    d->left = 2 * (int)number24(head);
    d->top = 2 * (int)number24(head + 3);
    d->frame = frame.bytes;
    return true;
}

static bool begin(decoder *d, WebPBitstreamFeatures *features)
{
    inc_photo *photo = d->photo;
    uint64_t width, height;
    const uint8_t *skipped;
    inc_reader chunks = inc_reader_of(photo->name, photo->data, photo->size);
    d->frame = chunks;
    inc_read_skip(&chunks, 12, &skipped);
    VP8StatusCode code = WebPGetFeatures(photo->data, photo->size, features);
    if (code != VP8_STATUS_OK) return failed(d, code);
    width = (uint64_t)features->width;
    height = (uint64_t)features->height;
    d->animated = features->has_animation;
    if (d->animated) {
        if (!find_first_frame(d, chunks, &width, &height)) return false;
        code = WebPGetFeatures(d->frame.at, inc_left(&d->frame), features);
        if (code != VP8_STATUS_OK) return failed(d, code);
        if ((uint64_t)features->width + (uint64_t)d->left > width ||
            (uint64_t)features->height + (uint64_t)d->top > height)
            return damaged(d, "its first frame is not on its canvas");
    }
    d->image = inc_photo_image(photo, width, height);
    if (!d->image) return false;
    if (d->animated) memset(d->image->pixels, 255, (size_t)(width * height * 3));
    chunk exif;
    if (find_chunk(chunks, "EXIF", &exif) && !exif.cut)
        return inc_photo_read_exif(photo, exif.bytes.at, inc_left(&exif.bytes));
    return true;
}

/* Into `out`, rows `stride` bytes apart; what a cut frame has where that is wanted. */
static VP8StatusCode decode_frame(decoder *d, WebPDecoderConfig *config)
{
    const uint8_t *data = d->frame.at;
    size_t size = inc_left(&d->frame);
    if (!d->photo->options->recover) return WebPDecode(data, size, config);
    WebPIDecoder *steps = WebPIDecode(NULL, 0, config);
    if (!steps) return VP8_STATUS_OUT_OF_MEMORY;
    VP8StatusCode code = WebPIUpdate(steps, data, size);
    WebPIDelete(steps);
    return code == VP8_STATUS_OUT_OF_MEMORY ? code : VP8_STATUS_OK;
}

static bool decode(decoder *d)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) return damaged(d, "another version of libwebp");
    if (!begin(d, &config.input)) return false;
    size_t width = (size_t)config.input.width, height = (size_t)config.input.height;
    size_t stride = (size_t)d->image->width * 3;
    uint8_t *rgb = d->image->pixels + (size_t)d->top * stride + 3 * (size_t)d->left, *rgba = NULL;
    bool alpha = config.input.has_alpha && !d->photo->options->strip_alpha;
    if (alpha && !(rgba = inc_calloc(width * height, 4, d->photo->error))) return false;
    for (size_t i = 0; alpha && i < width * height; i++) rgba[4 * i + 3] = 255; /* what is missing in the end is black */
    WebPRGBABuffer *buffer = &config.output.u.RGBA;
    config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    buffer->rgba = alpha ? rgba : rgb;
    buffer->stride = (int)(alpha ? width * 4 : stride);
    buffer->size = alpha ? width * height * 4 : (height - 1) * stride + width * 3;
    VP8StatusCode code = decode_frame(d, &config);
    WebPFreeDecBuffer(&config.output);
    if (alpha)
        for (size_t y = 0; y < height; y++) inc_over_white(rgba + y * width * 4, rgb + y * stride, width);
    free(rgba);
    return code == VP8_STATUS_OK || failed(d, code);
}

inception_image *inc_decode_webp(inc_photo *photo)
{
    decoder d = {.photo = photo};
    if (decode(&d)) return d.image;
    inc_image_free(d.image);
    return NULL;
}
