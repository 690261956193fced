/* The language in which the architectures are written. A table is read from top to bottom; each row takes the value of
 * the row before it.
 *
 *   SCOPE(name) ... END    prefixes the names of the rows between with "name/"; the value at END is called `name`
 *   BRANCH                 goes back to the value the scope began with
 *   JOIN                   concatenates the ends of the scope's branches
 *   ADD(s)                 the value the scope began with + s * the current value
 *   REPEAT(name, rows, n)  n scopes called name with %d = 1 ... n
 *   HEAD(name) ... END     a scope of its own (auxiliary classifier): the trunk goes on from before it
 *   ENDPOINT(name)         gives the current value the name TF-Slim knows it by
 *
 * A network is two tables: its trunk up to the last map, and the classifier on the mean of that. Cut behind an endpoint of the
 * trunk, it goes on with the classifier there, whose AVG is then over the whole map, whatever the row says.
 *
 * CONV is convolution without bias, batch norm, ReLU; BIASED convolution with bias, ReLU; LINEAR convolution with bias;
 * FULL fully connected with bias onto the classes; SEPARABLE TF-Slim's depthwise and pointwise convolution, bias, ReLU.
 * Arguments: scope name, kernel height and width (0: the whole map), stride, padding, output channels. */
#ifndef INC_ROWS_H
#define INC_ROWS_H

#include "../graph/graph.h"

typedef enum inc_row_kind {
    INC_ROW_STOP,
    INC_ROW_CONV, INC_ROW_BIASED, INC_ROW_LINEAR, INC_ROW_FULL, INC_ROW_SEPARABLE,
    INC_ROW_MAX, INC_ROW_AVG, INC_ROW_LRN, INC_ROW_DROPOUT, INC_ROW_RELU,
    INC_ROW_SCOPE, INC_ROW_HEAD, INC_ROW_REPEAT, INC_ROW_BRANCH, INC_ROW_JOIN, INC_ROW_ADD, INC_ROW_END,
    INC_ROW_ENDPOINT,
} inc_row_kind;

typedef struct inc_row {
    inc_row_kind kind;
    const char *name;
    int kernel_h, kernel_w, stride;
    inc_padding padding;
    int channels; /* CLASSES: as many as there are classes */
    float scale;
    const struct inc_row *rows;
    int count;
} inc_row;

#define CLASSES (-1)

#define CONV(name, kh, kw, stride, padding, channels) {INC_ROW_CONV, name, kh, kw, stride, INC_##padding, channels, 0, 0, 0}
#define BIASED(name, kh, kw, stride, padding, channels) {INC_ROW_BIASED, name, kh, kw, stride, INC_##padding, channels, 0, 0, 0}
#define LINEAR(name, kh, kw, stride, padding, channels) {INC_ROW_LINEAR, name, kh, kw, stride, INC_##padding, channels, 0, 0, 0}
#define SEPARABLE(name, kh, kw, stride, padding, channels) {INC_ROW_SEPARABLE, name, kh, kw, stride, INC_##padding, channels, 0, 0, 0}
#define FULL(name) {INC_ROW_FULL, name, 1, 1, 1, INC_VALID, CLASSES, 0, 0, 0}
#define MAX(name, k, stride, padding) {INC_ROW_MAX, name, k, k, stride, INC_##padding, 0, 0, 0, 0}
#define AVG(name, k, stride, padding) {INC_ROW_AVG, name, k, k, stride, INC_##padding, 0, 0, 0, 0}
#define LRN(name) {INC_ROW_LRN, name, 0, 0, 0, INC_VALID, 0, 0, 0, 0}
#define DROPOUT(name) {INC_ROW_DROPOUT, name, 0, 0, 0, INC_VALID, 0, 0, 0, 0}
#define RELU(name) {INC_ROW_RELU, name, 0, 0, 0, INC_VALID, 0, 0, 0, 0}
#define SCOPE(name) {INC_ROW_SCOPE, name, 0, 0, 0, INC_VALID, 0, 0, 0, 0}
#define HEAD(name) {INC_ROW_HEAD, name, 0, 0, 0, INC_VALID, 0, 0, 0, 0}
#define REPEAT(name, rows, count) {INC_ROW_REPEAT, name, 0, 0, 0, INC_VALID, 0, 0, rows, count}
#define BRANCH {INC_ROW_BRANCH, "", 0, 0, 0, INC_VALID, 0, 0, 0, 0}
#define JOIN {INC_ROW_JOIN, "concat", 0, 0, 0, INC_VALID, 0, 0, 0, 0}
#define ADD(scale) {INC_ROW_ADD, "add", 0, 0, 0, INC_VALID, 0, scale, 0, 0}
#define END {INC_ROW_END, "", 0, 0, 0, INC_VALID, 0, 0, 0, 0}
#define ENDPOINT(name) {INC_ROW_ENDPOINT, name, 0, 0, 0, INC_VALID, 0, 0, 0, 0}
#define STOP {INC_ROW_STOP, "", 0, 0, 0, INC_VALID, 0, 0, 0, 0}

extern const inc_row inc_inception_v1[], inc_inception_v2[], inc_inception_v3[], inc_inception_v4[],
    inc_inception_resnet_v2[], inc_googlenet[];
extern const inc_row inc_inception_v1_classifier[], inc_inception_v2_classifier[], inc_inception_v3_classifier[],
    inc_inception_v4_classifier[], inc_inception_resnet_v2_classifier[], inc_googlenet_classifier[];

#endif
