/* Copies a weights file, value for value, into both formats that we write; run by golden/check_checkpoints.py:
 *
 *     copy FROM TO
 *
 * writes TO.safetensors and the TensorFlow V2 checkpoint TO. */
#include "../../src/checkpoint/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    char path[4096];
    size_t count = 0;
    inception_error error = {0};
    if (argc != 3) return fprintf(stderr, "usage: copy FROM TO\n"), 64;
    inception_weights *weights = inc_weights_open(argv[1], &error);
    if (!weights) return fprintf(stderr, "%s\n", error.message), 1;
    inception_tensor *tensors = calloc(weights->count + 1, sizeof *tensors);
    for (size_t i = 0; tensors && i < weights->count; i++)
        if (weights->tensors[i].type != INCEPTION_OTHER) tensors[count++] = weights->tensors[i];
    snprintf(path, sizeof path, "%s.safetensors", argv[2]);
    if (tensors && !inc_bundle_write(argv[2], tensors, count, &error))
        inc_safetensors_write(path, tensors, count, NULL, 0, &error);
    if (error.status) fprintf(stderr, "%s\n", error.message);
    free(tensors);
    inc_weights_close(weights);
    return !tensors || error.status;
}
