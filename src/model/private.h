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
    const inc_row *trunk, *classifier;
    bool scales; /* takes depth_multiplier and min_depth */
} inc_architecture;

const inc_architecture *inc_architecture_of(const inception_network *network);

/* The network must answer once, not with a map of answers. */
inception_status inc_check_logits(const inc_graph *graph, const inc_model *model, const char *path,
                                  inception_error *error);

/* The tensor for a variable; with averages its moving average if there is one. */
const inception_tensor *inc_variable_tensor(const inception_weights *weights, const char *name, bool averages);

/* True if the tensor has the variable's shape, in TensorFlow's order of dimensions or, from Caffe, in Caffe's. */
bool inc_same_shape(const inception_weights *weights, const inception_tensor *tensor, const inc_value *variable);

/* "3x3x32x64", into text of at least 96 bytes; returns text. */
char *inc_shape_text(char *text, int rank, const int64_t *dims);

/* Classes called so, without WordNet ids. */
inception_status inc_name_classes(inc_model *model, const char *const *labels, inception_error *error);

/* The tensor's values in float32, in the model's memory; NULL: there is none left. */
float *inc_tensor_floats(inc_model *model, const inception_tensor *tensor, inception_error *error);

/* Class names from the label file `file`, or (NULL) from the file's metadata, or ImageNet's, or numbers. */
inception_status inc_label_classes(inc_model *model, const char *path, const char *file, inception_error *error);

/* The names in a label file of `size` bytes, for `classes` classes: see inception_model_options. `background`: class 0
 * may be missing, and keeps the name it has. Fills labels[classes], and wnids[classes] if the file has ids; strings are
 * put into the arena. */
inception_status inc_label_file_read(const char *path, const void *data, size_t size, int classes, bool background,
                                     inc_arena *arena, const char **labels, const char **wnids, inception_error *error);

#define INC_FINAL_LAYER "final_layer" /* the text of a model file */

/* Where the network is to be cut: what the options say, or the file; fills model->shape. */
inception_status inc_find_cut(inc_model *model, const inception_model_options *options, inception_error *error);

/* Gives every variable a value to begin with, the same each time. */
inception_status inc_fill_untrained(inc_model *model, inception_error *error);

/* The same as training begins with. */
inception_status inc_fill_initial(inc_model *model, uint64_t seed, inception_error *error);

/* What the ranges are called in a model file. */
const char *inc_ranges_key(void);

/* ---- layers.c ---- */

/* The value of the layer called so, or INCEPTION_FEATURES; INC_NONE: the graph has none. */
uint32_t inc_layer_find(const inc_graph *graph, const inception_network *network, const char *name);

/* True for the names of the layer before the classifier, wherever the network is cut. */
bool inc_is_features(const inception_network *network, const char *name);

/* Fills model->layers. */
inception_status inc_list_layers(inc_model *model, inception_error *error);

/* Keeps the layer that the options ask for, and drops what nobody wants. */
inception_status inc_keep_layer(inc_model *model, const char *path, const inception_model_options *options,
                                inception_error *error);

#endif
