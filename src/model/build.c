/* Table -> graph: an interpreter of the rows (rows.h). */
#include "private.h"

#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 4
#define MAX_NAME 256

/* A scope that is open. */
typedef struct level {
    size_t prefix;       /* length of the name outside */
    uint32_t input;      /* the value it began with */
    uint32_t ends[INC_MAX_INPUTS];
    uint32_t end_count;
    bool in_branch, head;
} level;

typedef struct builder {
    const inc_shape *shape;
    const inc_architecture *architecture;
    inc_graph *graph;
    inception_error *error;
    char name[MAX_NAME]; /* of the open scopes, with a slash behind each */
    level levels[MAX_DEPTH];
    int depth;
    uint32_t current;
    const char *final; /* the trunk ends at the endpoint called so ... */
    bool ended;        /* ... which has been reached */
    bool global;       /* average pools are over the whole map */
} builder;

static inception_status run_rows(builder *b, const inc_row *rows);

/* Scope + row, relative to the network's root. */
static const char *row_name(const builder *b, const char *row, char text[MAX_NAME])
{
    snprintf(text, MAX_NAME, "%s%s", b->name, row);
    return text;
}

static uint32_t variable(builder *b, const char *row, const char *suffix, int rank, const int64_t *dims)
{
    char text[2 * MAX_NAME];
    snprintf(text, sizeof text, "%s%s%s/%s", b->architecture->root, b->name, row, suffix);
    return inc_graph_variable(b->graph, text, rank, dims, b->error);
}

/* Adds a node that reads the current value and becomes it. */
static inception_status push(builder *b, const char *row, inc_node node, int64_t height, int64_t width, int64_t channels)
{
    char text[MAX_NAME];
    node.output = inc_graph_activation(b->graph, row_name(b, row, text), height, width, channels, b->error);
    if (node.output == INC_NONE) return INCEPTION_MEMORY;
    if (node.input_count == 0) node.inputs[node.input_count++] = b->current;
    b->current = node.output;
    return inc_graph_add(b->graph, &node, b->error);
}

static int64_t depth_of(const builder *b, int64_t channels)
{
    if (channels == CLASSES) return b->shape->classes;
    if (!b->architecture->scales) return channels;
    int64_t scaled = (int64_t)((double)channels * b->shape->depth_multiplier);
    return scaled > b->shape->min_depth ? scaled : b->shape->min_depth;
}

/* The window of a row over the current value; *h and *w: what comes out. */
static inception_status window_of(builder *b, const inc_row *row, inc_window *window, int64_t *h, int64_t *w)
{
    const int64_t *in = b->graph->values[b->current].dims;
    *window = (inc_window){.kernel_h = row->kernel_h, .kernel_w = row->kernel_w, .stride = row->stride};
    bool shrinks = row->kind == INC_ROW_AVG && row->padding == INC_VALID; /* as TF-Slim's heads do on small maps */
    bool whole = b->global && row->kind == INC_ROW_AVG;
    if (whole || row->kernel_h == 0 || (shrinks && window->kernel_h > in[1])) window->kernel_h = (int)in[1];
    if (whole || row->kernel_w == 0 || (shrinks && window->kernel_w > in[2])) window->kernel_w = (int)in[2];
    if (inc_window_set(window, row->padding, in[1], in[2], h, w)) return INCEPTION_OK;
    return inc_fail(b->error, INCEPTION_INVALID, "%s%s: an input of %d x %d pixels is too small for this network",
                    b->name, row->name, b->shape->input.width, b->shape->input.height);
}

static inception_status norm(builder *b, const char *row)
{
    const int64_t *dims = b->graph->values[b->current].dims, channels = dims[3], h = dims[1], w = dims[2];
    inc_node node = {.op = INC_OP_NORM};
    node.norm.gamma = INC_NONE; /* TF-Slim: scale=False */
    node.norm.beta = variable(b, row, "BatchNorm/beta", 1, &channels);
    node.norm.mean = variable(b, row, "BatchNorm/moving_mean", 1, &channels);
    node.norm.variance = variable(b, row, "BatchNorm/moving_variance", 1, &channels);
    node.norm.epsilon = 0.001f;
    if (node.norm.beta == INC_NONE || node.norm.mean == INC_NONE || node.norm.variance == INC_NONE)
        return INCEPTION_MEMORY;
    return push(b, row, node, h, w, channels);
}

static inception_status relu(builder *b, const char *row)
{
    const int64_t *dims = b->graph->values[b->current].dims;
    return push(b, row, (inc_node){.op = INC_OP_RELU}, dims[1], dims[2], dims[3]);
}

/* All convolutions but the separable one. */
static inception_status convolution(builder *b, const inc_row *row)
{
    inc_node node = {.op = INC_OP_CONV};
    node.conv.bias = node.conv.scale = node.conv.residual = INC_NONE;
    int64_t h, w, in = b->graph->values[b->current].dims[3], out = depth_of(b, row->channels);
    inception_status status = window_of(b, row, &node.window, &h, &w);
    if (status) return status;
    int64_t kernel[4] = {node.window.kernel_h, node.window.kernel_w, in, out}, full[2] = {in, out};
    bool is_full = row->kind == INC_ROW_FULL;
    node.conv.weights = variable(b, row->name, "weights", is_full ? 2 : 4, is_full ? full : kernel);
    if (node.conv.weights == INC_NONE) return INCEPTION_MEMORY;
    if (row->kind != INC_ROW_CONV) {
        node.conv.bias = variable(b, row->name, "biases", 1, &out);
        if (node.conv.bias == INC_NONE) return INCEPTION_MEMORY;
    }
    status = push(b, row->name, node, h, w, out);
    if (!status && row->kind == INC_ROW_CONV) status = norm(b, row->name);
    if (!status && (row->kind == INC_ROW_CONV || row->kind == INC_ROW_BIASED)) status = relu(b, row->name);
    return status;
}

/* TF-Slim's first layer of V2: at most 8 outputs for each input channel, then 1x1. */
static inception_status separable(builder *b, const inc_row *row)
{
    inc_node deep = {.op = INC_OP_DEPTHWISE}, point = {.op = INC_OP_CONV};
    int64_t h, w, in = b->graph->values[b->current].dims[3], out = depth_of(b, row->channels);
    int64_t multiplier = out / in < 8 ? out / in : 8;
    inception_status status = window_of(b, row, &deep.window, &h, &w);
    if (status) return status;
    deep.conv.bias = deep.conv.scale = deep.conv.residual = INC_NONE;
    point.conv = deep.conv;
    point.window = (inc_window){.kernel_h = 1, .kernel_w = 1, .stride = 1};
    deep.conv.weights = variable(b, row->name, "depthwise_weights", 4,
                                 (int64_t[]){deep.window.kernel_h, deep.window.kernel_w, in, multiplier});
    point.conv.weights = variable(b, row->name, "pointwise_weights", 4, (int64_t[]){1, 1, in * multiplier, out});
    point.conv.bias = variable(b, row->name, "biases", 1, &out);
    if (deep.conv.weights == INC_NONE || point.conv.weights == INC_NONE || point.conv.bias == INC_NONE)
        return INCEPTION_MEMORY;
    status = push(b, row->name, deep, h, w, in * multiplier);
    if (!status) status = push(b, row->name, point, h, w, out);
    return status ? status : relu(b, row->name);
}

static inception_status pool(builder *b, const inc_row *row)
{
    inc_node node = {.op = row->kind == INC_ROW_MAX ? INC_OP_MAX_POOL : INC_OP_AVG_POOL};
    int64_t h, w, channels = b->graph->values[b->current].dims[3];
    inception_status status = window_of(b, row, &node.window, &h, &w);
    return status ? status : push(b, row->name, node, h, w, channels);
}

static inception_status same_shape(builder *b, const inc_row *row)
{
    const int64_t *dims = b->graph->values[b->current].dims;
    inc_node node = {.op = INC_OP_DROPOUT};
    if (row->kind == INC_ROW_LRN) {
        node.op = INC_OP_LRN; /* the values of the published network */
        node.lrn.size = 5, node.lrn.alpha = 1e-4f, node.lrn.beta = 0.75f, node.lrn.k = 1.0f;
    }
    if (row->kind == INC_ROW_RELU) node.op = INC_OP_RELU;
    if (row->kind == INC_ROW_ADD) {
        node = (inc_node){.op = INC_OP_ADD, .input_count = 2};
        node.inputs[0] = b->levels[b->depth - 1].input;
        node.inputs[1] = b->current;
        node.add.scale = row->scale;
    }
    return push(b, row->name, node, dims[1], dims[2], dims[3]);
}

static void close_branch(builder *b)
{
    level *top = &b->levels[b->depth - 1];
    if (top->in_branch) top->ends[top->end_count++] = b->current;
    top->in_branch = false;
}

static inception_status join(builder *b, const inc_row *row)
{
    close_branch(b);
    level *top = &b->levels[b->depth - 1];
    inc_node node = {.op = INC_OP_CONCAT, .input_count = top->end_count};
    int64_t channels = 0;
    for (uint32_t i = 0; i < top->end_count; i++) {
        node.inputs[i] = top->ends[i];
        channels += b->graph->values[top->ends[i]].dims[3];
    }
    const int64_t *dims = b->graph->values[top->ends[0]].dims;
    top->end_count = 0;
    return push(b, row->name, node, dims[1], dims[2], channels);
}

static void open_scope(builder *b, const char *name, bool head)
{
    level *top = &b->levels[b->depth++];
    *top = (level){.prefix = strlen(b->name), .input = b->current, .head = head};
    snprintf(b->name + top->prefix, MAX_NAME - top->prefix, "%s/", name);
}

static inception_status call_value(builder *b, const char *name)
{
    inc_value *value = &b->graph->values[b->current];
    value->name = inc_arena_string(&b->graph->arena, name, strlen(name), b->error);
    return value->name ? INCEPTION_OK : INCEPTION_MEMORY;
}

/* The current value may be asked for by its name, and the network be cut behind it. */
static void mark_endpoint(builder *b)
{
    inc_value *value = &b->graph->values[b->current];
    value->endpoint = true;
    if (b->final && strcmp(value->name, b->final) == 0) b->ended = true;
}

static inception_status close_scope(builder *b)
{
    level *top = &b->levels[--b->depth];
    b->name[strlen(b->name) - 1] = 0; /* the slash */
    inception_status status = call_value(b, b->name);
    b->name[top->prefix] = 0;
    if (status) return status;
    if (top->head) {
        b->graph->values[b->current].kept = b->graph->values[b->current].endpoint = true;
        b->current = top->input;
    } else if (b->depth == 0) {
        mark_endpoint(b);
    }
    return INCEPTION_OK;
}

static inception_status repeat(builder *b, const inc_row *row)
{
    inception_status status = INCEPTION_OK;
    const char *number = strstr(row->name, "%d");
    for (int i = 1; i <= row->count && !status && !b->ended; i++) {
        char text[MAX_NAME];
        if (number) snprintf(text, sizeof text, "%.*s%d", (int)(number - row->name), row->name, i);
        open_scope(b, number ? text : row->name, false);
        status = run_rows(b, row->rows);
        if (!status) status = close_scope(b);
    }
    return status;
}

static const inc_row *skip_scope(const inc_row *row)
{
    for (int depth = 0;; row++) {
        depth += row->kind == INC_ROW_SCOPE || row->kind == INC_ROW_HEAD;
        depth -= row->kind == INC_ROW_END;
        if (depth == 0) return row;
    }
}

static inception_status run_row(builder *b, const inc_row *row)
{
    switch (row->kind) {
    case INC_ROW_CONV: case INC_ROW_BIASED: case INC_ROW_LINEAR: case INC_ROW_FULL: return convolution(b, row);
    case INC_ROW_SEPARABLE: return separable(b, row);
    case INC_ROW_MAX: case INC_ROW_AVG: return pool(b, row);
    case INC_ROW_LRN: case INC_ROW_DROPOUT: case INC_ROW_RELU: case INC_ROW_ADD: return same_shape(b, row);
    case INC_ROW_SCOPE: case INC_ROW_HEAD: open_scope(b, row->name, row->kind == INC_ROW_HEAD); return INCEPTION_OK;
    case INC_ROW_REPEAT: return repeat(b, row);
    case INC_ROW_JOIN: return join(b, row);
    case INC_ROW_END: return close_scope(b);
    case INC_ROW_ENDPOINT: return call_value(b, row->name);
    case INC_ROW_BRANCH:
        close_branch(b);
        b->levels[b->depth - 1].in_branch = true;
        b->current = b->levels[b->depth - 1].input;
        return INCEPTION_OK;
    case INC_ROW_STOP: break;
    }
    return INCEPTION_OK;
}

static inception_status run_rows(builder *b, const inc_row *rows)
{
    inception_status status = INCEPTION_OK;
    for (const inc_row *row = rows; row->kind != INC_ROW_STOP && !status && !b->ended; row++) {
        if (row->kind == INC_ROW_HEAD && !b->shape->heads) row = skip_scope(row);
        else status = run_row(b, row);
        if (!status && (b->depth == 0 || row->kind == INC_ROW_ENDPOINT)) mark_endpoint(b);
    }
    return status;
}

inception_status inc_build(const inc_shape *shape, inc_graph *graph, inception_error *error)
{
    builder b = {.shape = shape, .architecture = inc_architecture_of(shape->network), .graph = graph, .error = error,
                 .final = shape->final_layer};
    graph->input = b.current = inc_graph_activation(graph, "input", shape->input.height, shape->input.width, 3, error);
    if (b.current == INC_NONE) return INCEPTION_MEMORY;
    inception_status status = run_rows(&b, b.architecture->trunk);
    if (!status && b.final && !b.ended)
        status = inc_fail(error, INCEPTION_NOT_FOUND, "%s has no layer '%.64s' in front of its last pool",
                          shape->network->name, b.final);
    b.global = b.ended, b.ended = false, b.final = NULL;
    if (!status) status = run_rows(&b, b.architecture->classifier);
    if (!status) graph->values[b.current].kept = true;
    return status;
}
