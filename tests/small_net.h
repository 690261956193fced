/* Small graphs for tests, layer by layer: the value at the end is `at`. False: the layer does not fit. */
#ifndef TEST_SMALL_NET_H
#define TEST_SMALL_NET_H

#include "formula.h"

#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1 /* every access is looked at: minutes for each network */
#elif defined(__has_feature)
#define WATCHED __has_feature(address_sanitizer)
#else
#define WATCHED 0
#endif

static uint64_t seed = 42;

static inline int random_to(int limit) /* 0 ... limit - 1 */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (uint64_t)limit);
}

static inline int pick(const int *from, size_t count)
{
    return from[random_to((int)count)];
}

/* A graph under construction. */
typedef struct net {
    inc_graph graph;
    uint32_t at;
    int variables;
} net;

static inline net begin(int height, int width, int channels)
{
    net n = {0};
    n.at = n.graph.input = inc_graph_activation(&n.graph, "input", height, width, channels, NULL);
    return n;
}

static inline uint32_t variable(net *n, const char *kind, int rank, const int64_t *dims)
{
    char name[64];
    snprintf(name, sizeof name, "%d/%s", n->variables++, kind);
    return inc_graph_variable(&n->graph, name, rank, dims, NULL);
}

static inline bool push(net *n, inc_node node, inc_padding padding, int64_t channels)
{
    const int64_t *d = n->graph.values[n->at].dims;
    int64_t h = d[1], w = d[2];
    if (node.window.stride && !inc_window_set(&node.window, padding, d[1], d[2], &h, &w)) return false;
    if (!node.input_count) node.inputs[node.input_count++] = n->at;
    n->at = node.output = inc_graph_activation(&n->graph, "", h, w, channels, NULL);
    return inc_graph_add(&n->graph, &node, NULL) == INCEPTION_OK;
}

static inline bool conv(net *n, int kh, int kw, int stride, inc_padding padding, int64_t out, bool bias)
{
    int64_t in = n->graph.values[n->at].dims[3];
    inc_node node = {.op = INC_OP_CONV, .window = {.kernel_h = kh, .kernel_w = kw, .stride = stride}};
    node.conv.scale = node.conv.residual = INC_NONE;
    node.conv.weights = variable(n, "weights", 4, (int64_t[]){kh, kw, in, out});
    node.conv.bias = bias ? variable(n, "biases", 1, &out) : INC_NONE;
    return push(n, node, padding, out);
}

/* Without bias; 8 outputs for each input channel at most, as TF-Slim has it. */
static inline bool depthwise(net *n, int k, int stride, inc_padding padding, int64_t multiplier)
{
    int64_t in = n->graph.values[n->at].dims[3];
    inc_node node = {.op = INC_OP_DEPTHWISE, .window = {.kernel_h = k, .kernel_w = k, .stride = stride}};
    node.conv.bias = node.conv.scale = node.conv.residual = INC_NONE;
    node.conv.weights = variable(n, "depthwise_weights", 4, (int64_t[]){k, k, in, multiplier});
    return push(n, node, padding, in * multiplier);
}

static inline bool norm(net *n, bool gamma)
{
    int64_t c = n->graph.values[n->at].dims[3];
    inc_node node = {.op = INC_OP_NORM};
    node.norm.gamma = gamma ? variable(n, "gamma", 1, &c) : INC_NONE;
    node.norm.beta = variable(n, "beta", 1, &c);
    node.norm.mean = variable(n, "moving_mean", 1, &c);
    node.norm.variance = variable(n, "moving_variance", 1, &c);
    node.norm.epsilon = 0.001f;
    return push(n, node, INC_VALID, c);
}

/* ReLU, dropout. */
static inline bool simple(net *n, inc_op op)
{
    return push(n, (inc_node){.op = op}, INC_VALID, n->graph.values[n->at].dims[3]);
}

static inline bool norm_relu(net *n, bool gamma)
{
    return norm(n, gamma) && simple(n, INC_OP_RELU);
}

static inline bool pool(net *n, inc_op op, int k, int stride, inc_padding padding)
{
    inc_node node = {.op = op, .window = {.kernel_h = k, .kernel_w = k, .stride = stride}};
    return push(n, node, padding, n->graph.values[n->at].dims[3]);
}

static inline bool lrn(net *n, float alpha)
{
    inc_node node = {.op = INC_OP_LRN};
    node.lrn.size = 5, node.lrn.alpha = alpha, node.lrn.beta = 0.75f, node.lrn.k = 1;
    return push(n, node, INC_VALID, n->graph.values[n->at].dims[3]);
}

static inline bool join(net *n, const uint32_t *ends, uint32_t count)
{
    inc_node node = {.op = INC_OP_CONCAT, .input_count = count};
    int64_t total = 0;
    for (uint32_t b = 0; b < count; b++) node.inputs[b] = ends[b], total += n->graph.values[ends[b]].dims[3];
    n->at = ends[0];
    return push(n, node, INC_VALID, total);
}

/* with + scale * the value at the end */
static inline bool residual(net *n, uint32_t with, float scale)
{
    inc_node node = {.op = INC_OP_ADD, .inputs = {with, n->at}, .input_count = 2, .add = {scale}};
    return push(n, node, INC_VALID, n->graph.values[n->at].dims[3]);
}

/* The value at the end is what the graph is for; the formula fills the variables. False: out of memory. */
static inline bool finish(net *n)
{
    n->graph.values[n->at].kept = true;
    return formula_bind(&n->graph);
}

/* Numbers for inputs, of the order of 1. */
static inline float wave(size_t i)
{
    return sinf((float)i * 0.37f) + (i % 7 == 0 ? 1.5f : 0.0f);
}

#endif
