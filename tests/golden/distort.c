/* The steps of a distortion, each by itself, for golden/check_distort.py, which does the same in TensorFlow:
 *
 *     distort draw WIDTH HEIGHT COUNT fast|slow          COUNT rows for the seeds 0 ...: x y width height method flip
 *                                                        ordering, and amounts: brightness saturation hue contrast
 *     distort resize METHOD WIDTH HEIGHT X Y W H OUT_W OUT_H      bytes of a photo -> its part X Y W H in another size
 *     distort flip WIDTH HEIGHT                          floats -> floats
 *     distort brightness|saturation|hue|contrast AMOUNT COUNT     COUNT pixels in floats -> floats
 *     distort whole slim|caffe fast|slow SEED WIDTH HEIGHT OUT_W OUT_H    bytes of a photo -> what the network sees
 *
 * Bytes and floats [height][width][3] come from standard input and go to standard output. */
#include "../../src/image/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `count` elements of `size` bytes from standard input. NULL: there are not so many. */
static void *read_all(size_t count, size_t size)
{
    void *data = calloc(count, size);
    return data && fread(data, size, count, stdin) == count ? data : NULL;
}

static int write_all(const float *pixels, size_t count)
{
    return fwrite(pixels, 3 * sizeof *pixels, count, stdout) != count;
}

static inception_image *read_photo(char **words)
{
    int width = atoi(words[0]), height = atoi(words[1]);
    uint8_t *pixels = read_all((size_t)width * (size_t)height, 3);
    return pixels ? inception_image_from_pixels(pixels, width, height, 3 * (size_t)width, NULL) : NULL;
}

static int draw(char **words)
{
    for (int seed = 0; seed < atoi(words[2]); seed++) {
        bool slow = strcmp(words[3], "slow") == 0;
        const inception_distortion how = {.slow = slow};
        inc_drawn d = inc_distortion_draw(atoi(words[0]), atoi(words[1]), &how, (uint64_t)seed);
        printf("%d %d %d %d %d %d %d", d.crop.x, d.crop.y, d.crop.width, d.crop.height, (int)d.method, d.flip, d.ordering);
        for (int i = 0; i < INC_ADJUSTMENTS; i++) printf(" %.9g", (double)d.amounts[i]);
        printf("\n");
    }
    return 0;
}

static int resize(char **words)
{
    inception_image *photo = read_photo(words + 1);
    inc_rect from = {atoi(words[3]), atoi(words[4]), atoi(words[5]), atoi(words[6])};
    int width = atoi(words[7]), height = atoi(words[8]);
    size_t count = (size_t)width * (size_t)height;
    float *out = calloc(3 * count, sizeof *out);
    if (!photo || !out || inc_resample(photo, from, (inc_method)atoi(words[0]), out, width, height, NULL)) return 1;
    return write_all(out, count);
}

static int flip(char **words)
{
    int width = atoi(words[0]), height = atoi(words[1]);
    size_t count = (size_t)width * (size_t)height;
    float *pixels = read_all(3 * count, sizeof *pixels);
    if (!pixels) return 1;
    inc_flip(pixels, width, height);
    return write_all(pixels, count);
}

static int adjust(void (*by)(float *, size_t, float), char **words)
{
    size_t count = (size_t)atoi(words[1]);
    float *pixels = read_all(3 * count, sizeof *pixels);
    if (!pixels) return 1;
    by(pixels, count, (float)atof(words[0]));
    return write_all(pixels, count);
}

static int whole(char **words)
{
    inception_image *photo = read_photo(words + 3);
    inception_input input = {atoi(words[5]), atoi(words[6]), strcmp(words[0], "caffe") == 0, 0};
    size_t count = (size_t)input.width * (size_t)input.height;
    float *out = calloc(3 * count, sizeof *out);
    uint64_t seed = strtoull(words[2], NULL, 10);
    const inception_distortion how = {.slow = strcmp(words[1], "slow") == 0};
    if (!out || inception_distort(&input, photo, &how, seed, out, NULL)) return 1;
    return write_all(out, count);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "draw") == 0 && argc == 6) return draw(argv + 2);
    if (strcmp(what, "resize") == 0 && argc == 11) return resize(argv + 2);
    if (strcmp(what, "flip") == 0 && argc == 4) return flip(argv + 2);
    if (strcmp(what, "brightness") == 0 && argc == 4) return adjust(inc_adjust_brightness, argv + 2);
    if (strcmp(what, "saturation") == 0 && argc == 4) return adjust(inc_adjust_saturation, argv + 2);
    if (strcmp(what, "hue") == 0 && argc == 4) return adjust(inc_adjust_hue, argv + 2);
    if (strcmp(what, "contrast") == 0 && argc == 4) return adjust(inc_adjust_contrast, argv + 2);
    if (strcmp(what, "whole") == 0 && argc == 9) return whole(argv + 2);
    return fprintf(stderr, "usage: see the top of the source\n"), 64;
}
