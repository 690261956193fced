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
    bool heads; /* auxiliary classifiers too */
} inc_shape;

inc_shape inc_shape_default(const inception_network *network);

/* Nodes and variables without data. The values "Logits" and, with heads, the auxiliary ones are kept. */
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
    bool softmax;                 /* ... of which the softmax is meant */
    inception_weights *weights; /* views point into it */
    inc_arena arena;
} inc_model;

/* Finds which network the file holds, its classes and depth multiplier; fills model->shape. */
inception_status inc_recognise(inc_model *model, const char *path, const inception_model_options *options,
                               inception_error *error);

/* Opens, recognises, checks and binds. With heads, the variables of heads that the file lacks stay without data. Heads
 * are built too where the options ask for a layer of theirs. */
inception_status inc_model_open(inc_model *model, const char *path, const inception_model_options *options, bool heads,
                                inception_error *error);
void inc_model_close(inc_model *model); /* accepts a zeroed struct */

/* Forgets the file and the graph: what is left are shape and names. */
void inc_model_release_weights(inc_model *model);

/* See inception_convert(). ONNX wants a model opened without heads, whose graph it rewrites. */
inception_status inc_model_write(inc_model *model, const char *out, inception_format format,
                                 inception_error *error);

#endif
