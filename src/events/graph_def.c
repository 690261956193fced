/* A network as TensorFlow's GraphDef: nodes that name what they read. Slashes in names are scopes, which TensorBoard folds
 * up; a layer's variables and operations are in one, as in TF-Slim's graphs. It is a picture, not a program: of attributes
 * there are only the shapes, which TensorBoard writes on the edges. */
#include "private.h"

#include <stdio.h>

#define NAME_SIZE 512

enum { GRAPH_NODE = 1 };
enum { NODE_NAME = 1, NODE_OPERATOR = 2, NODE_INPUT = 3, NODE_ATTRIBUTE = 5 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2, VALUE_LIST = 1, LIST_SHAPE = 7 };
enum { SHAPE_DIM = 2, DIM_SIZE = 1 };

/* TensorFlow's names of the operators, and what they add to the name of their row. */
typedef struct kind {
    const char *operator, *suffix;
} kind;

static const kind kinds[] = {
    [INC_OP_CONV] = {"Conv2D", "/Conv2D"},       [INC_OP_DEPTHWISE] = {"DepthwiseConv2dNative", "/depthwise"},
    [INC_OP_RELU] = {"Relu", "/Relu"},           [INC_OP_NORM] = {"FusedBatchNormV3", "/BatchNorm/FusedBatchNormV3"},
    [INC_OP_MAX_POOL] = {"MaxPool", "/MaxPool"}, [INC_OP_AVG_POOL] = {"AvgPool", "/AvgPool"},
    [INC_OP_CONCAT] = {"ConcatV2", ""},          [INC_OP_ADD] = {"AddV2", ""},
    [INC_OP_LRN] = {"LRN", ""},                  [INC_OP_DROPOUT] = {"Dropout", ""},
};
static const kind full = {"MatMul", "/MatMul"}, biased = {"BiasAdd", "/BiasAdd"}; /* convolutions come as these, too */

typedef struct drawing {
    const inc_graph *graph;
    const char *scope;
    inc_message *message;
} drawing;

static bool has_weights(const inc_node *node)
{
    return node->op == INC_OP_CONV || node->op == INC_OP_DEPTHWISE;
}

static bool has_bias(const inc_node *node)
{
    return has_weights(node) && node->conv.bias != INC_NONE;
}

static const kind *kind_of(const drawing *d, const inc_node *node)
{
    return has_weights(node) && d->graph->values[node->conv.weights].rank == 2 ? &full : &kinds[node->op];
}

static void print_name(const drawing *d, const inc_node *node, const kind *as, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%s%s%s", d->scope, node->name, as->suffix);
}

static inc_message begin(const drawing *d, const char *name, const char *operator)
{
    inc_message node = {.error = d->message->error};
    inc_put_text(&node, NODE_NAME, name);
    inc_put_text(&node, NODE_OPERATOR, operator);
    return node;
}

/* Ends the node with the shape of what it makes. There may be any number of photos. */
static void end(drawing *d, inc_message *node, const inc_value *made)
{
    inc_message shape = {.error = node->error}, list = shape, value = shape, entry = shape;
    for (int i = 0; i < made->rank; i++) {
        inc_message dim = {.error = node->error};
        inc_put_number(&dim, DIM_SIZE, i == 0 && !made->variable ? -1 : made->dims[i]);
        inc_put_message(&shape, SHAPE_DIM, &dim);
    }
    inc_put_message(&list, LIST_SHAPE, &shape);
    inc_put_message(&value, VALUE_LIST, &list);
    inc_put_text(&entry, ENTRY_KEY, "_output_shapes");
    inc_put_message(&entry, ENTRY_VALUE, &value);
    inc_put_message(node, NODE_ATTRIBUTE, &entry);
    inc_put_message(d->message, GRAPH_NODE, node);
}

/* The value becomes an input: a variable by its own name, others by that of the node that makes them. */
static void put_input(const drawing *d, inc_message *node, uint32_t id)
{
    char name[NAME_SIZE];
    if (id == INC_NONE) return;
    const inc_value *value = &d->graph->values[id];
    uint32_t n = value->variable || id == d->graph->input ? INC_NONE : inc_graph_producer(d->graph, id);
    if (n == INC_NONE) {
        inc_put_text(node, NODE_INPUT, value->name);
        return;
    }
    const inc_node *maker = &d->graph->nodes[n];
    print_name(d, maker, has_bias(maker) ? &biased : kind_of(d, maker), name);
    inc_put_text(node, NODE_INPUT, name);
}

static void put_source(drawing *d, const inc_value *value, const char *operator)
{
    inc_message node = begin(d, value->name, operator);
    end(d, &node, value);
}

static void put_node(drawing *d, const inc_node *from)
{
    char name[NAME_SIZE];
    const inc_value *made = &d->graph->values[from->output];
    print_name(d, from, kind_of(d, from), name);
    inc_message node = begin(d, name, kind_of(d, from)->operator);
    for (uint32_t i = 0; i < from->input_count; i++) put_input(d, &node, from->inputs[i]);
    if (has_weights(from)) put_input(d, &node, from->conv.weights);
    if (from->op == INC_OP_NORM) {
        const uint32_t read[] = {from->norm.gamma, from->norm.beta, from->norm.mean, from->norm.variance};
        for (size_t i = 0; i < INC_COUNT(read); i++) put_input(d, &node, read[i]);
    }
    end(d, &node, made);
    if (!has_bias(from)) return;
    char sum[NAME_SIZE];
    print_name(d, from, &biased, sum);
    node = begin(d, sum, biased.operator);
    inc_put_text(&node, NODE_INPUT, name);
    put_input(d, &node, from->conv.bias);
    end(d, &node, made);
}

void inc_put_graph(inc_message *message, const inc_graph *graph, const char *scope)
{
    drawing d = {graph, scope, message};
    put_source(&d, &graph->values[graph->input], "Placeholder");
    for (size_t v = 0; v < graph->value_count; v++)
        if (graph->values[v].variable) put_source(&d, &graph->values[v], "VariableV2");
    for (size_t n = 0; n < graph->node_count; n++) put_node(&d, &graph->nodes[n]);
}
