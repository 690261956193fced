/* Bytes -> picture -> input of a network, through the public header. The last byte chooses the options, the one before it
 * the input (so any photo is a seed); the rest is the file. Everything returned is read, so that the sanitizers see it. */
#include <inception.h>

#include <math.h>
#include <stdlib.h>

#define SIDE 31

static uint64_t sum_of(const inception_image *image)
{
    int width = inception_image_width(image), height = inception_image_height(image);
    const uint8_t *pixels = inception_image_pixels(image);
    uint64_t sum = 0;
    if (width < 1 || height < 1 || !pixels) abort();
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++) sum += pixels[i];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    uint8_t choice = data[size - 1], kind = data[size - 2];
    inception_image_options options;
    inception_image_options_default(&options);
    options.max_pixels = (uint64_t)1 << 18; /* more would only be slow */
    options.recover = choice & 1;
    options.strip_alpha = choice & 2;
    options.ignore_orientation = choice & 4;
    inception_input input = {SIDE, SIDE, kind & 1 ? INCEPTION_PREPROCESS_CAFFE : INCEPTION_PREPROCESS_SLIM,
                             (inception_crop)((kind >> 1) % 3)};
    if (choice & 8) options.fast_for = &input;
    inception_error error = {0};
    inception_image *image = inception_image_decode(data, size - 2, "fuzz", &options, &error);
    if ((image != NULL) != (error.status == INCEPTION_OK)) abort();
    if (!image) {
        if (error.message[0] == 0) abort();
        return 0;
    }
    volatile uint64_t sum = sum_of(image);
    (void)sum;
    float *prepared = calloc(SIDE * SIDE * 3, sizeof *prepared);
    if (!prepared || inception_prepare(&input, image, prepared, &error)) abort();
    for (size_t i = 0; i < SIDE * SIDE * 3; i++) {
        bool inside = kind & 1 ? prepared[i] > -123.1 && prepared[i] < 151.1 : fabsf(prepared[i]) < 1.00001f;
        if (!inside) abort(); /* NaN included */
    }
    inception_image *seen = inception_image_from_prepared(&input, prepared, &error);
    if (!seen) abort();
    sum = sum_of(seen);
    inception_image_free(&seen);
    inception_image_free(&image);
    free(prepared);
    return 0;
}
