/* The graph as ONNX's messages, operator set 13 of 2020, which every runtime since then reads.
 *
 * - The input is NHWC, as inception_prepare() and TF-Slim make it, so that what prepares photos for us does for others.
 *   ONNX's operators are NCHW: a Transpose comes first. Runtimes that compute in NHWC cancel it, to others it is 0.1 ms.
 * - Pools have their padding spelt out. The other ways, auto_pad and ceil_mode, were read differently at the edge.
 * - The last value of a name has that name, so layers are found as `inception features` calls them; the others of that
 *   name have their operator's behind it.
 * - Tensors are the bulk of the file. They come last and are converted as they are written, one at a time; the messages
 *   around them begin with their lengths, which are known before. */
#include "onnx.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#define NAME_SIZE 512
#define OPERATOR_SET 13
#define IR_VERSION 7           /* of the format itself, as it was when that set came */
#define LARGEST_FILE INT32_MAX /* bytes: no reader of protocol buffers takes more */

/* Numbers of the fields of ONNX's messages, and of types. */
enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER = 2, MODEL_PRODUCER_VERSION = 3, MODEL_GRAPH = 7, MODEL_OPERATORS = 8,
       MODEL_METADATA = 14 };
enum { OPERATORS_VERSION = 2 };
enum { METADATA_KEY = 1, METADATA_VALUE = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_TENSOR = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OPERATOR = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 }; /* of attributes */
enum { TENSOR_DIM = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_BYTES = 9 };
enum { INFO_NAME = 1, INFO_TYPE = 2, INFO_TEXT = 3 };
enum { TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2, SHAPE_DIM = 1, DIM_SIZE = 1, DIM_NAME = 2 };
enum { FLOAT32 = 1 };

typedef struct tensor {
    inc_message head;      /* all of it but the values */
    uint32_t value, scale; /* scale: multiplies the weights, or INC_NONE */
} tensor;

typedef struct exporter {
    const inc_graph *graph;
    inception_error *error;
    inc_message body; /* the GraphProto but for the tensors */
    tensor *tensors;
    size_t count, capacity;
} exporter;

/* ONNX's names of the operators. */
static const char *const operators[] = {
    [INC_OP_CONV] = "Conv",            [INC_OP_RELU] = "Relu",     [INC_OP_MAX_POOL] = "MaxPool",
    [INC_OP_AVG_POOL] = "AveragePool", [INC_OP_CONCAT] = "Concat", [INC_OP_LRN] = "LRN",
    [INC_OP_DROPOUT] = "Identity",
};

static const char *name_of(const exporter *x, uint32_t id, char text[NAME_SIZE])
{
    const char *name = x->graph->values[id].name;
    if (id == x->graph->input) return "input/Transpose";
    if (inc_graph_find(x->graph, name) == id) return name;
    snprintf(text, NAME_SIZE, "%s/%s", name, operators[x->graph->nodes[inc_graph_producer(x->graph, id)].op]);
    return text;
}

/* ---- tensors ---- */

/* ONNX's dimensions: weights [out][in][h][w], those of fully connected layers too; vectors as they are. */
static int turned(const inc_value *value, int64_t dims[4])
{
    const int64_t *d = value->dims;
    bool full = value->rank == 2;
    dims[0] = value->rank == 1 ? d[0] : full ? d[1] : d[3];
    dims[1] = full ? d[0] : d[2];
    dims[2] = full ? 1 : d[0];
    dims[3] = full ? 1 : d[1];
    return value->rank == 1 ? 1 : 4;
}

/* Lists the variable as a tensor called "layer/name", which becomes the node's next input. */
static void put_tensor(exporter *x, inc_message *node, const char *layer, const char *name, uint32_t value, uint32_t scale)
{
    char text[NAME_SIZE];
    int64_t dims[4];
    int rank = turned(&x->graph->values[value], dims);
    uint64_t bytes = inc_value_count(&x->graph->values[value]) * sizeof(float);
    snprintf(text, sizeof text, "%s/%s", layer, name);
    inc_put_text(node, NODE_INPUT, text);
    if (!node->status) node->status = inc_grow(&x->tensors, &x->capacity, x->count + 1, sizeof *x->tensors, x->error);
    if (node->status) return;
    inc_message inside = {.error = x->error};
    for (int i = 0; i < rank; i++) inc_put_number(&inside, TENSOR_DIM, dims[i]);
    inc_put_number(&inside, TENSOR_TYPE, FLOAT32);
    inc_put_text(&inside, TENSOR_NAME, text);
    inc_put_head(&inside, TENSOR_BYTES, bytes);
    tensor *added = &x->tensors[x->count++];
    *added = (tensor){{.error = x->error}, value, scale};
    inc_put_head(&added->head, GRAPH_TENSOR, inside.bytes.size + bytes);
    inc_put_fields(&added->head, &inside);
}

/* [h][w][in][out] -> [out][in][h][w], scaled. */
static void turn(const float *from, const int64_t dims[4], const float *scale, float *to)
{
    int64_t taps = dims[2] * dims[3], in = dims[1], out = dims[0];
    for (int64_t t = 0; t < taps; t++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t o = 0; o < out; o++, from++) to[(o * in + i) * taps + t] = scale ? *from * scale[o] : *from;
}

static inception_status write_tensor(const inc_graph *graph, const tensor *t, inc_output *output, inception_error *error)
{
    const inc_value *value = &graph->values[t->value];
    size_t count = inc_value_count(value);
    int64_t dims[4];
    float *copy = NULL;
    inception_status status = inc_output_write(output, t->head.bytes.data, t->head.bytes.size, error);
    if (!status && turned(value, dims) == 4) {
        copy = inc_calloc(count, sizeof *copy, error);
        if (!copy) return INCEPTION_MEMORY;
        turn(value->data, dims, t->scale == INC_NONE ? NULL : graph->values[t->scale].data, copy);
    }
    if (!status) status = inc_output_write(output, copy ? copy : value->data, count * sizeof(float), error);
    free(copy);
    return status;
}

/* ---- nodes ---- */

static inc_message begin_attribute(const inc_message *node, const char *name, int64_t type)
{
    inc_message attribute = {.error = node->error};
    inc_put_text(&attribute, ATTRIBUTE_NAME, name);
    inc_put_number(&attribute, ATTRIBUTE_TYPE, type);
    return attribute;
}

static void put_int(inc_message *node, const char *name, int64_t value)
{
    inc_message attribute = begin_attribute(node, name, TYPE_INT);
    inc_put_number(&attribute, ATTRIBUTE_INT, value);
    inc_put_message(node, NODE_ATTRIBUTE, &attribute);
}

static void put_float(inc_message *node, const char *name, float value)
{
    inc_message attribute = begin_attribute(node, name, TYPE_FLOAT);
    inc_put_float(&attribute, ATTRIBUTE_FLOAT, value);
    inc_put_message(node, NODE_ATTRIBUTE, &attribute);
}

static void put_ints(inc_message *node, const char *name, int count, const int *values)
{
    inc_message attribute = begin_attribute(node, name, TYPE_INTS);
    for (int i = 0; i < count; i++) inc_put_number(&attribute, ATTRIBUTE_INTS, values[i]);
    inc_put_message(node, NODE_ATTRIBUTE, &attribute);
}

static void put_window(inc_message *node, const inc_window *w)
{
    put_ints(node, "kernel_shape", 2, (int[]){w->kernel_h, w->kernel_w});
    put_ints(node, "strides", 2, (int[]){w->stride, w->stride});
    put_ints(node, "pads", 4, (int[]){w->top, w->left, w->bottom, w->right});
}

static void end_node(exporter *x, inc_message *node, const char *operator, const char *output)
{
    inc_put_text(node, NODE_OUTPUT, output);
    inc_put_text(node, NODE_NAME, output);
    inc_put_text(node, NODE_OPERATOR, operator);
    inc_put_message(&x->body, GRAPH_NODE, node);
}

/* A convolution, and the addition where it has a residual: that is a node of its own here. */
static void put_convolution(exporter *x, const inc_node *from, inc_message *node)
{
    char text[NAME_SIZE];
    put_tensor(x, node, from->name, "weights", from->conv.weights, from->conv.scale);
    if (from->conv.bias != INC_NONE) put_tensor(x, node, from->name, "biases", from->conv.bias, INC_NONE);
    put_window(node, &from->window);
    if (from->conv.residual == INC_NONE) return;
    snprintf(text, sizeof text, "%s/Conv", from->name);
    end_node(x, node, "Conv", text);
    *node = (inc_message){.error = x->error};
    inc_put_text(node, NODE_INPUT, text);
    inc_put_text(node, NODE_INPUT, name_of(x, from->conv.residual, text));
}

static inception_status add_node(exporter *x, const inc_node *from)
{
    char text[NAME_SIZE];
    const char *operator = from->op < INC_COUNT(operators) ? operators[from->op] : NULL;
    if (!operator || from->relu)
        return inc_fail(x->error, INCEPTION_INTERNAL, "%s: a node that has no counterpart in ONNX", from->name);
    inc_message node = {.error = x->error};
    for (uint32_t i = 0; i < from->input_count; i++) inc_put_text(&node, NODE_INPUT, name_of(x, from->inputs[i], text));
    if (from->op == INC_OP_CONV) put_convolution(x, from, &node);
    if (from->op == INC_OP_CONV && from->conv.residual != INC_NONE) operator = "Add";
    if (from->op == INC_OP_MAX_POOL || from->op == INC_OP_AVG_POOL) put_window(&node, &from->window);
    if (from->op == INC_OP_CONCAT) put_int(&node, "axis", 1);
    if (from->op == INC_OP_LRN) {
        put_int(&node, "size", from->lrn.size);
        put_float(&node, "alpha", from->lrn.alpha);
        put_float(&node, "beta", from->lrn.beta);
        put_float(&node, "bias", from->lrn.k);
    }
    end_node(x, &node, operator, name_of(x, from->output, text));
    return x->body.status;
}

/* ---- what is around them ---- */

/* The input or an output: float32 of these dimensions, the first of which is any. */
static void put_info(exporter *x, uint32_t field, const char *name, const char *about, int rank, const int64_t *dims)
{
    inc_message shape = {.error = x->error}, tensor_type = shape, type = shape, info = shape;
    for (int i = 0; i < rank; i++) {
        inc_message dim = {.error = x->error};
        if (i == 0) inc_put_text(&dim, DIM_NAME, "batch");
        else inc_put_number(&dim, DIM_SIZE, dims[i]);
        inc_put_message(&shape, SHAPE_DIM, &dim);
    }
    inc_put_number(&tensor_type, TENSOR_ELEMENT, FLOAT32);
    inc_put_message(&tensor_type, TENSOR_SHAPE, &shape);
    inc_put_message(&type, TYPE_TENSOR, &tensor_type);
    inc_put_text(&info, INFO_NAME, name);
    inc_put_message(&info, INFO_TYPE, &type);
    inc_put_text(&info, INFO_TEXT, about);
    inc_put_message(&x->body, field, &info);
}

/* A node with nothing but an input; the attribute "perm" where it has `order`. */
static void add_simple(exporter *x, const char *operator, const char *input, const char *output, const int *order)
{
    inc_message node = {.error = x->error};
    inc_put_text(&node, NODE_INPUT, input);
    if (order) put_ints(&node, "perm", 4, order);
    end_node(x, &node, operator, output);
}

static void add_constant(exporter *x, float value, const char *output)
{
    inc_message node = {.error = x->error};
    put_float(&node, "value_float", value);
    end_node(x, &node, "Constant", output);
}

static void add_pair(exporter *x, const char *operator, const char *a, const char *b, const char *output)
{
    inc_message node = {.error = x->error};
    inc_put_text(&node, NODE_INPUT, a);
    inc_put_text(&node, NODE_INPUT, b);
    end_node(x, &node, operator, output);
}

/* Logits / temperature. */
static void add_temperature(exporter *x, double temperature)
{
    add_constant(x, (float)temperature, "temperature");
    add_pair(x, "Div", "logits", "temperature", "logits/Div");
}

static void add_reduction(exporter *x, const char *operator, const char *input, const char *output)
{
    inc_message node = {.error = x->error};
    inc_put_text(&node, NODE_INPUT, input);
    put_ints(&node, "axes", 3, (int[]){1, 2, 3});
    put_int(&node, "keepdims", 0);
    end_node(x, &node, operator, output);
}

/* Largest product of features and means, which have a length of 1, by the length of the features where cosines are meant. */
static void add_likeness(exporter *x, const inc_onnx_about *about)
{
    char text[NAME_SIZE];
    const char *features = name_of(x, about->features, text);
    inc_message node = {.error = x->error};
    inc_put_text(&node, NODE_INPUT, features);
    put_tensor(x, &node, "likeness", "class_means", about->means, INC_NONE);
    end_node(x, &node, "Conv", "likeness/Conv");
    add_reduction(x, "ReduceMax", "likeness/Conv", about->cosine ? "likeness/ReduceMax" : "likeness");
    if (about->cosine) {
        add_reduction(x, "ReduceL2", features, "likeness/ReduceL2");
        add_constant(x, FLT_MIN, "likeness/Constant"); /* features that are all 0 are like nothing */
        add_pair(x, "Max", "likeness/ReduceL2", "likeness/Constant", "likeness/Max");
        add_pair(x, "Div", "likeness/ReduceMax", "likeness/Max", "likeness");
    }
    put_info(x, GRAPH_OUTPUT, "likeness", "Of none of the classes, where it is below the metadata's unknown_threshold.", 1,
             (int64_t[]){1});
}

static inception_status add_graph(exporter *x, const inc_onnx_about *about)
{
    static const struct { const char *operator, *about; } ends[] = {
        [INCEPTION_SOFTMAX] = {"Softmax", "Softmax of the scores / temperature."},
        [INCEPTION_SIGMOID] = {"Sigmoid", "Sigmoid of each score / temperature."},
    };
    const bool divided = about->temperature != 1;
    char text[NAME_SIZE];
    const inc_graph *graph = x->graph;
    uint32_t kept = graph->nodes[graph->node_count - 1].output;
    const int64_t *input = graph->values[graph->input].dims;
    const int64_t classes[2] = {1, graph->values[kept].dims[3]};
    inception_status status = INCEPTION_OK;
    inc_put_text(&x->body, GRAPH_NAME, about->network);
    put_info(x, GRAPH_INPUT, "input", about->input, 4, input);
    put_info(x, GRAPH_OUTPUT, "logits", "Scores of the classes.", 2, classes);
    put_info(x, GRAPH_OUTPUT, "probabilities", ends[about->activation].about, 2, classes);
    add_simple(x, "Transpose", "input", "input/Transpose", (int[]){0, 3, 1, 2});
    for (size_t n = 0; n < graph->node_count && !status; n++) status = add_node(x, &graph->nodes[n]);
    add_simple(x, "Flatten", name_of(x, kept, text), "logits", NULL);
    if (divided) add_temperature(x, about->temperature);
    if (about->features != INC_NONE) add_likeness(x, about);
    add_simple(x, ends[about->activation].operator, divided ? "logits/Div" : "logits", "probabilities", NULL);
    return status ? status : x->body.status;
}

static void put_model(inc_message *model, const inc_onnx_about *about)
{
    inc_message set = {.error = model->error};
    inc_put_number(model, MODEL_IR_VERSION, IR_VERSION);
    inc_put_text(model, MODEL_PRODUCER, "inception");
    inc_put_text(model, MODEL_PRODUCER_VERSION, INCEPTION_VERSION);
    inc_put_number(&set, OPERATORS_VERSION, OPERATOR_SET);
    inc_put_message(model, MODEL_OPERATORS, &set);
    for (size_t i = 0; i < about->metadata_count; i++) {
        inc_message entry = {.error = model->error};
        inc_put_text(&entry, METADATA_KEY, about->metadata[i].key);
        inc_put_text(&entry, METADATA_VALUE, about->metadata[i].value);
        inc_put_message(model, MODEL_METADATA, &entry);
    }
}

/* Puts the graph's head behind the model's; the tensors are to follow. */
static inception_status close_model(const exporter *x, inc_message *model, inc_message *body, const char *path)
{
    uint64_t tensors = 0;
    for (size_t i = 0; i < x->count; i++) {
        if (!model->status) model->status = x->tensors[i].head.status;
        tensors += x->tensors[i].head.bytes.size;
        tensors += inc_value_count(&x->graph->values[x->tensors[i].value]) * sizeof(float);
    }
    inc_put_head(model, MODEL_GRAPH, body->bytes.size + tensors);
    inc_put_fields(model, body);
    uint64_t size = model->bytes.size + tensors;
    if (model->status || size <= LARGEST_FILE) return model->status;
    return inc_fail(x->error, INCEPTION_LIMIT, "%s: would have %llu bytes; an ONNX model has at most %d", path,
                    (unsigned long long)size, LARGEST_FILE);
}

inception_status inc_onnx_write(const char *path, const inc_graph *graph, const inc_onnx_about *about,
                                inception_error *error)
{
    exporter x = {.graph = graph, .error = error, .body.error = error};
    inc_message model = {.error = error};
    inc_output output = {.fd = -1};
    put_model(&model, about);
    inception_status status = add_graph(&x, about);
    if (!status) status = close_model(&x, &model, &x.body, path);
    if (!status) status = inc_output_open(&output, path, error);
    if (!status) status = inc_output_write(&output, model.bytes.data, model.bytes.size, error);
    for (size_t i = 0; i < x.count && !status; i++) status = write_tensor(graph, &x.tensors[i], &output, error);
    if (!status) status = inc_output_commit(&output, true, error);
    inc_output_discard(&output);
    for (size_t i = 0; i < x.count; i++) inc_message_free(&x.tensors[i].head);
    free(x.tensors);
    inc_message_free(&x.body);
    inc_message_free(&model);
    return status;
}
