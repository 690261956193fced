/* A graph -> an ONNX model, for other runtimes. The only folder that knows this format; nothing reads it. */
#ifndef INC_ONNX_H
#define INC_ONNX_H

#include "../graph/graph.h"

/* What these rewrites leave can be written: convolutions have taken up the norms and scales that belong to them. ReLUs
 * and joins stay nodes, which every runtime fuses in its own way. */
#define INC_ONNX_REWRITES (INC_DROP_IDENTITIES | INC_MERGE_SEPARABLE | INC_FOLD_NORMS | INC_FUSE_RESIDUALS)

/* Texts for the file, UTF-8. */
typedef struct inc_onnx_about {
    const char *network; /* becomes the name of the graph */
    const char *input;   /* says what the input wants to hold */
    const inc_metadata *metadata;
    size_t metadata_count;
    inception_activation activation;
    double temperature; /* probabilities are activation(logits / temperature) */
    uint32_t features;  /* the value whose likeness to means of the classes is told, or INC_NONE */
    uint32_t means;     /* the variable they are in, [height][width][channels][classes] */
    bool cosine;        /* their products are divided by the length of the features */
} inc_onnx_about;

/* Input "input", float32 [batch][height][width][3]; outputs "logits" and "probabilities", float32 [batch][classes], and,
 * where there are features, "likeness", float32 [batch]. The graph has been through INC_ONNX_REWRITES, its variables are
 * bound, and it keeps the 1 x 1 map of the classes, its last value, and the features. The file appears whole or not at
 * all. */
inception_status inc_onnx_write(const char *path, const inc_graph *graph, const inc_onnx_about *about,
                                inception_error *error);

#endif
