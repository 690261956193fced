/* The architectures as tables; table + tensors -> graph; class names. */
#ifndef INC_MODEL_H
#define INC_MODEL_H

#include "../checkpoint/checkpoint.h"
#include "../graph/graph.h"

/* What a graph is built for. */
typedef struct inc_shape {
    const inception_network *network;
    inception_input input;
    int classes;
    double depth_multiplier;
    int min_depth;
    bool heads;              /* auxiliary classifiers too */
    const char *final_layer; /* the network is cut behind this one; NULL: it is whole */
} inc_shape;

inc_shape inc_shape_default(const inception_network *network);
void inc_shape_set(inc_shape *shape, const inception_model_options *options); /* what the options say of it, if they do */

/* The scope of all its variables, with the slash; "" for none. */
const char *inc_scope_of(const inception_network *network);

/* Nodes and variables without data. The values "Logits" and, with heads, the auxiliary ones are kept. NOT_FOUND: the trunk
 * has no such final layer. */
inception_status inc_build(const inc_shape *shape, inc_graph *graph, inception_error *error);

/* Counts the graph's layers, variables and work. */
inception_status inc_measure(const inc_graph *graph, inception_network_size *size, inception_error *error);

/* ---- A file's weights, recognised ---- */

typedef struct inc_model {
    inc_shape shape;
    inc_graph graph; /* variables bound; optional ones (heads) may be without data */
    inception_format format;
    const char **labels, **wnids; /* [classes] */
    inception_network_size size;
    inception_layer *layers;      /* that may be asked for */
    size_t layer_count;
    const inception_layer *kept;  /* the one that was asked for, or NULL ... */
    uint32_t layer;               /* ... its value in the graph ... */
    bool predictions;             /* ... of which the probabilities are meant */
    bool scaled;                  /* there are gammas, which not every file of this network has */
    inception_activation activation;
    double temperature;           /* probabilities are activation(logits / temperature) */
    double unknown_threshold;     /* least likeness of what is of one of the classes; -INFINITY: not known */
    inception_unknown_score unknown_score;
    const float *class_means;     /* [classes][mean_values] that it is likeness to */
    size_t mean_values;
    uint32_t features;            /* the value in the graph whose likeness it is; INC_NONE: without class_means */
    const char *ranges;           /* of the values, for int8: see ranges.c; or NULL */
    bool packed;                  /* variables have no data: the weights come from a pack */
    inception_type written;       /* type of what is written, F32 or BF16: see inception_model_options */
    const inc_metadata *texts;    /* to be written with it, before those of `weights` */
    size_t text_count;
    const inception_tensor *slots; /* to be written with it: what goes with variables while they are trained */
    size_t slot_count;
    inception_weights *weights; /* views point into it */
    inc_arena arena;
} inc_model;

/* Finds which network the file holds, where it is cut, its classes and depth multiplier; fills model->shape. What the
 * options do not want to run may be missing: all behind the layer of layer_only, or, with a final layer, the classifier. */
inception_status inc_recognise(inc_model *model, const char *path, const inception_model_options *options,
                               inception_error *error);

/* Opens, recognises, checks and binds; `path` NULL: the network that the options name, untrained. With heads, the
 * variables of heads that the file lacks stay without data. Heads are built too where the options ask for a layer of
 * theirs. */
inception_status inc_model_open(inc_model *model, const char *path, const inception_model_options *options, bool heads,
                                inception_error *error);
void inc_model_close(inc_model *model); /* accepts a zeroed struct */

/* A network of that shape with the values that training begins with, random ones from the seed. labels[classes] must
 * outlive it. */
inception_status inc_model_begin(inc_model *model, const inc_shape *shape, const char *const *labels, uint64_t seed,
                                 inception_error *error);

/* ---- pack_file.c: weights as the engine wants them, kept in a folder ---- */

typedef struct inc_pack {
    char *path; /* NULL: these weights are not packed */
    char key[600];
    inc_map map;
    const uint8_t *block; /* NULL: not opened */
    size_t block_bytes;
    uint64_t form;         /* what inc_engine_weights() told of the block */
    const uint8_t *hashes; /* u64 each, of INC_PACK_CHUNK bytes of the block; perhaps unaligned */
} inc_pack;

#define INC_PACK_CHUNK ((size_t)1 << 20)

/* Names the pack of the weights at `path` for these options; `engine` tells what the block depends on besides. */
inception_status inc_pack_key(inc_pack *pack, const char *path, const inception_model_options *options,
                              const char *engine, inception_error *error);
void inc_pack_close(inc_pack *pack);

/* Opens the pack, if there is one and the key fits; the model gets its shape and names. The hashes of the block are not
 * checked here. */
bool inc_pack_open(inc_pack *pack, inc_model *model);
bool inc_pack_parse(inc_pack *pack, const void *data, size_t size, inc_model *model); /* the model may be left half filled */

inception_status inc_pack_write(const inc_pack *pack, const inc_model *model, const uint8_t *block, size_t bytes,
                                uint64_t form, inception_error *error);

/* The graph of a model whose shape and names are known from a pack, its variables without data. */
inception_status inc_model_open_packed(inc_model *model, const char *path, const inception_model_options *options,
                                       inception_error *error);

/* Forgets the file and the graph: what is left are shape and names. */
void inc_model_release_weights(inc_model *model);

/* ---- ranges.c ---- */

/* Readies a graph with heads for finding ranges: heads whose variables the file lacks go, and the photo's range is that of
 * what inception_prepare() gives. */
inception_status inc_ranges_begin(const inception_input *input, inc_graph *graph, inception_error *error);

/* Makes model->ranges, to be written with the model, of those in a graph that is about to be quantized. */
inception_status inc_ranges_print(inc_model *model, const inc_graph *graph, inception_error *error);

/* Do the weights at `path` come with ranges? Only model files do. */
bool inc_has_ranges(const char *path);

/* Gives every value of the graph that is read its range; `text` NULL: there are none. */
inception_status inc_ranges_apply(const char *text, inc_graph *graph, const char *path, inception_error *error);

/* ---- known.c ---- */

/* What a model file tells of photos of none of its classes: fills unknown_threshold, unknown_score and class_means, or says
 * that there is nothing. Classes must be known. */
inception_status inc_known_read(inc_model *model, const char *path, inception_error *error);

/* Finds model->features, of which class_means must be. */
inception_status inc_known_check(inc_model *model, const char *path, inception_error *error);

#define INC_CLASS_MEANS "class_means" /* the tensor in a model file, */
extern const char *const inc_unknown_scores[]; /* what the text unknown_score says, by inception_unknown_score */

/* ---- classifier.c ---- */

/* Puts a classifier of so many classes in place of the model's: weights [inputs][classes], biases [classes], labels; all
 * must outlive the model. MISMATCH: its input has another number of values. */
inception_status inc_classifier_replace(inc_model *model, size_t inputs, int classes, const float *weights,
                                        const float *biases, const char *const *labels, inception_error *error);

/* See inception_convert(). ONNX wants a model opened without heads, whose graph it rewrites. */
inception_status inc_model_write(inc_model *model, const char *out, inception_format format,
                                 inception_error *error);

#endif
