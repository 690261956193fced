/* The memory of pictures, which those who draw need without the decoders. */
#include "image.h"

#include <stdlib.h>

inception_image *inc_image_new(int width, int height, inception_error *error)
{
    if (width < 1 || height < 1)
        return inc_fail(error, INCEPTION_INVALID, "a picture of %d x %d pixels cannot be", width, height), NULL;
    size_t pixels, bytes;
    if (!inc_mul((size_t)width, (size_t)height, &pixels) || !inc_mul(pixels, 3, &bytes) || bytes > PTRDIFF_MAX)
        return inc_fail_memory(error, 0), NULL;
    inception_image *image = inc_calloc(1, sizeof *image, error);
    if (!image) return NULL;
    image->width = width;
    image->height = height;
    image->pixels = inc_calloc(bytes, 1, error);
    if (image->pixels) return image;
    free(image);
    return NULL;
}

void inc_image_free(inception_image *image)
{
    if (image) free(image->pixels);
    free(image);
}
