/* Files <-> named tensors: TensorFlow checkpoints V1 and V2, Caffe models, safetensors. The only folder that knows
 * these formats; it knows nothing of networks. */
#ifndef INC_CHECKPOINT_H
#define INC_CHECKPOINT_H

#include "../base/base.h"

struct inception_weights {
    inception_format format;
    inception_tensor *tensors; /* sorted by name, byte order */
    size_t count;
    inc_metadata *metadata; /* of a model file */
    size_t metadata_count;
    inc_arena arena; /* names, tensors put together from slices */
    inc_map *maps;   /* the files the views point into */
    size_t map_count;
};

/* See inception_weights_open(). In a Caffe model a layer's blobs are called LAYER/weights and LAYER/biases (further ones
 * LAYER/2, ...), with Caffe's order of dimensions ([out][in][height][width]; fully connected [out][in]) and leading
 * dimensions of 1 that old files pad biases and fully connected layers with removed. */
inception_weights *inc_weights_open(const char *path, inception_error *error);
void inc_weights_close(inception_weights *weights);
const inception_tensor *inc_weights_find(const inception_weights *weights, const char *name);
const char *inc_weights_metadata(const inception_weights *weights, const char *key); /* NULL: not there */
bool inc_weights_hold(const inception_weights *weights, const char *path); /* were they read from this file? */
bool inc_may_have_metadata(const char *path); /* by the format of what `path` names */

size_t inc_type_size(inception_type type); /* bytes an element; 0 for INCEPTION_OTHER */
const char *inc_type_name(inception_type type);
bool inc_tensor_read(const inception_tensor *tensor, uint64_t first, uint64_t count, double *out);
bool inc_tensor_statistics(const inception_tensor *tensor, inception_statistics *out);

/* Writers. Tensors in any order, of any type but INCEPTION_OTHER. The files appear whole or not at all. */
inception_status inc_safetensors_write(const char *path, const inception_tensor *tensors, size_t count,
                                       const inc_metadata *metadata, size_t metadata_count, inception_error *error);
inception_status inc_bundle_write(const char *prefix, const inception_tensor *tensors, size_t count,
                                  inception_error *error);

#endif
