/* The memory of pictures, which those who draw need without the decoders. */
#include "image.h"

#include <stdlib.h>

inception_image *inc_image_new(int width, int height, inception_error *error)
{
    if (width < 1 || height < 1)
        return inc_fail(error, INCEPTION_INVALID, "a picture of %d x %d pixels cannot be", width, height), NULL;
    size_t pixels, bytes;
    bool counted = inc_mul((size_t)width, (size_t)height, &pixels) && inc_mul(pixels, 3, &bytes);
    if (!counted || bytes > PTRDIFF_MAX - INC_IMAGE_SLACK) return inc_fail_memory(error, 0), NULL;
    inception_image *image = inc_calloc(1, sizeof *image, error);
    if (!image) return NULL;
    image->width = width;
    image->height = height;
    image->pixels = inc_calloc(bytes + INC_IMAGE_SLACK, 1, error);
    if (!image->pixels) return free(image), NULL;
    inc_prefer_large_pages(image->pixels, bytes);
    return image;
}

void inc_image_free(inception_image *image)
{
    if (image) free(image->pixels);
    free(image);
}
