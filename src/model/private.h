/* What the files of this folder share. */
#ifndef INC_MODEL_PRIVATE_H
#define INC_MODEL_PRIVATE_H

#include "model.h"
#include "rows.h"

typedef struct inc_class {
    const char *wnid, *name;
} inc_class;

extern const inc_class inc_imagenet[1000];

typedef struct inc_architecture {
    const char *root; /* scope of all its variables, with the slash; "" for none */
    const inc_row *rows;
    bool scales; /* takes depth_multiplier and min_depth */
} inc_architecture;

const inc_architecture *inc_architecture_of(const inception_network *network);

/* The tensor for a variable; with averages its moving average if there is one. */
const inception_tensor *inc_variable_tensor(const inception_weights *weights, const char *name, bool averages);

/* True if the tensor has the variable's shape, in TensorFlow's order of dimensions or, from Caffe, in Caffe's. */
bool inc_same_shape(const inception_weights *weights, const inception_tensor *tensor, const inc_value *variable);

/* "3x3x32x64", into text of at least 96 bytes; returns text. */
char *inc_shape_text(char *text, int rank, const int64_t *dims);

/* Class names from the file's metadata, or ImageNet's, or numbers. */
inception_status inc_label_classes(inc_model *model, const char *path, inception_error *error);

#endif
