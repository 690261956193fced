/* The first frame of a GIF through giflib, over white.
 *
 * The records are read one by one, because giflib's own DGifSlurp() takes memory for all frames before anybody can look
 * at their sizes. The picture is the screen, made larger where the first frame does not fit on it (as browsers do).
 * Pixels are white where the frame does not reach, where they are transparent and where their number is not in the colour
 * map; with options.strip_alpha black, as TensorFlow has them. With options.recover the rows before the damage are kept. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>

typedef struct decoder {
    GifFileType *gif;
    inc_photo *photo;
    inception_image *image;
    size_t at;
    bool ended;
    int transparent; /* colour number, or NO_TRANSPARENT_COLOR */
} decoder;

static int read_bytes(GifFileType *gif, GifByteType *out, int size)
{
    decoder *d = gif->UserData;
    size_t left = d->photo->size - d->at, count = (size_t)size;
    if (size < 0) return 0;
    if (count > left) {
        d->ended = true;
        count = left;
    }
    memcpy(out, d->photo->data + d->at, count);
    d->at += count;
    return (int)count;
}

static void report(decoder *d, int code)
{
    inc_photo *photo = d->photo;
    const char *reason = GifErrorString(code);
    /* DGifOpen() says "no screen descriptor" where it had no memory for the colour map */
    bool no_memory = code == D_GIF_ERR_NOT_ENOUGH_MEM || (code == D_GIF_ERR_NO_SCRN_DSCR && !d->ended);
    if (no_memory) inc_fail_memory(photo->error, 0);
    else if (d->ended) inc_photo_ends_early(photo);
    else inc_fail_at(photo->error, INCEPTION_DATA, photo->name, d->at, "a damaged GIF: %s",
                     reason ? reason : "no reason given");
}

/* Of the extensions before a frame only the one that names its transparent colour matters. */
static bool read_extension(decoder *d)
{
    int code;
    GifByteType *block;
    if (DGifGetExtension(d->gif, &code, &block) == GIF_ERROR) return false;
    while (block) {
        GraphicsControlBlock control;
        if (code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &control) == GIF_OK)
            d->transparent = control.TransparentColor;
        if (DGifGetExtensionNext(d->gif, &block) == GIF_ERROR) return false;
    }
    return true;
}

/* 1: at the first frame; 0: there is none; -1: damage. */
static int find_frame(decoder *d)
{
    for (;;) {
        GifRecordType record;
        if (DGifGetRecordType(d->gif, &record) == GIF_ERROR) return -1;
        if (record == TERMINATE_RECORD_TYPE) return 0;
        if (record == IMAGE_DESC_RECORD_TYPE) return DGifGetImageDesc(d->gif) == GIF_ERROR ? -1 : 1;
        if (record == EXTENSION_RECORD_TYPE && !read_extension(d)) return -1;
    }
}

/* The lines of a frame in the order of the file: all, or every 8th, every 8th, every 4th, every 2nd. */
static const struct pass {
    int first, step;
} interlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}}, straight[] = {{0, 1}};

static void paint(decoder *d, const GifPixelType *line, int y)
{
    const GifImageDesc *frame = &d->gif->Image;
    const ColorMapObject *map = frame->ColorMap ? frame->ColorMap : d->gif->SColorMap;
    size_t start = (size_t)(frame->Top + y) * (size_t)d->image->width + (size_t)frame->Left;
    uint8_t *rgb = d->image->pixels + start * 3;
    for (int x = 0; x < frame->Width; x++, rgb += 3) {
        if (line[x] >= map->ColorCount || line[x] == d->transparent) continue;
        const GifColorType *colour = &map->Colors[line[x]];
        rgb[0] = colour->Red;
        rgb[1] = colour->Green;
        rgb[2] = colour->Blue;
    }
}

static bool read_frame(decoder *d, GifPixelType *line)
{
    const GifImageDesc *frame = &d->gif->Image;
    const struct pass *passes = frame->Interlace ? interlaced : straight;
    size_t count = frame->Interlace ? INC_COUNT(interlaced) : INC_COUNT(straight);
    for (size_t i = 0; i < count; i++) {
        for (int y = passes[i].first; y < frame->Height; y += passes[i].step) {
            if (DGifGetLine(d->gif, line, frame->Width) == GIF_ERROR) return false;
            paint(d, line, y);
        }
    }
    return true;
}

static bool make_image(decoder *d)
{
    const GifImageDesc *frame = &d->gif->Image;
    inc_photo *photo = d->photo;
    if (frame->Width < 1 || frame->Height < 1 || frame->Left < 0 || frame->Top < 0)
        return inc_fail(photo->error, INCEPTION_DATA, "%s: a GIF with an empty frame", photo->name), false;
    if (!frame->ColorMap && !d->gif->SColorMap)
        return inc_fail(photo->error, INCEPTION_DATA, "%s: a GIF without colours", photo->name), false;
    int width = frame->Left + frame->Width, height = frame->Top + frame->Height;
    if (width < d->gif->SWidth) width = d->gif->SWidth;
    if (height < d->gif->SHeight) height = d->gif->SHeight;
    d->image = inc_photo_image(photo, (uint64_t)width, (uint64_t)height);
    if (d->image && !photo->options->strip_alpha) memset(d->image->pixels, 255, (size_t)width * (size_t)height * 3);
    return d->image != NULL;
}

static bool decode(decoder *d)
{
    int found = find_frame(d);
    if (found < 0) return report(d, d->gif->Error), false;
    if (found == 0) return inc_fail(d->photo->error, INCEPTION_DATA, "%s: a GIF without a frame", d->photo->name), false;
    if (!make_image(d)) return false;
    GifPixelType *line = inc_calloc((size_t)d->gif->Image.Width, sizeof *line, d->photo->error);
    if (!line) return false;
    bool whole = read_frame(d, line);
    free(line);
    if (!whole && !d->photo->options->recover) return report(d, d->gif->Error), false;
    return true;
}

inception_image *inc_decode_gif(inc_photo *photo)
{
    decoder d = {.photo = photo, .transparent = NO_TRANSPARENT_COLOR};
    int code = 0;
    d.gif = DGifOpen(&d, read_bytes, &code);
    if (!d.gif) return report(&d, code), NULL;
    bool decoded = decode(&d);
    DGifCloseFile(d.gif, NULL);
    if (decoded) return d.image;
    inc_image_free(d.image);
    return NULL;
}
