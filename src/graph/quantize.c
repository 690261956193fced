/* The graph on 8-bit activations: which values are bytes, and the nodes that turn floats into them and back.
 *
 * Convolutions and pools work on bytes. A value is bytes where nobody needs it as floats: it is not kept, is not a sum of
 * residuals, which would be rounded once for each of them, and comes from a convolution or a pool. All values that share
 * memory are of one kind. A convolution may also write floats, so one that only floats are wanted of does. GoogLeNet's first
 * layer is such a one: what it makes is normalized before it is multiplied again, and would lose by being rounded twice. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

typedef struct quantizing {
    inc_graph *graph;
    bool *wide;      /* of a value that has memory of its own: what lies there are floats */
    uint32_t *copy;  /* of a value: the same of the other kind, or INC_NONE */
    inc_node *nodes; /* the new list */
    size_t count;
} quantizing;

static uint32_t root_of(const inc_graph *graph, uint32_t value)
{
    int64_t channel;
    return inc_graph_root(graph, value, &channel);
}

/* Is there a step on bytes for the node? */
static bool able(const inc_graph *graph, const inc_node *node)
{
    bool photo = node->inputs[0] == graph->input, narrow = graph->values[graph->input].dims[3] <= INC_QUANTIZED_PHOTO;
    int taps = node->window.kernel_h * node->window.kernel_w;
    if (node->op == INC_OP_CONV)
        return taps <= INC_QUANTIZED_TAPS && (!photo || narrow)
            && taps * graph->values[node->inputs[0]].dims[3] <= INC_QUANTIZED_PRODUCTS;
    if (node->op == INC_OP_AVG_POOL && taps > INC_QUANTIZED_MEAN) return false;
    return inc_reads_bytes(node->op) && !photo;
}

/* A convolution takes bytes whatever it writes; a pool writes what it takes. */
static bool takes_bytes(const quantizing *q, const inc_node *node)
{
    return able(q->graph, node) && (node->op == INC_OP_CONV || !q->wide[root_of(q->graph, node->output)]);
}

/* Would somebody read the bytes as such? */
static bool is_wanted(const quantizing *q, uint32_t root)
{
    const inc_graph *graph = q->graph;
    for (size_t n = 0; n < graph->node_count; n++) {
        const inc_node *node = &graph->nodes[n];
        for (uint32_t i = 0; i < node->input_count; i++)
            if (root_of(graph, node->inputs[i]) == root && takes_bytes(q, node)) return true;
    }
    return false;
}

static void choose(quantizing *q)
{
    const inc_graph *graph = q->graph;
    q->wide[graph->input] = true;
    for (uint32_t v = 0; v < graph->value_count; v++)
        if (graph->values[v].kept) q->wide[root_of(graph, v)] = true;
    for (size_t n = 0; n < graph->node_count; n++) {
        const inc_node *node = &graph->nodes[n];
        bool sums = node->op == INC_OP_CONV && node->conv.residual != INC_NONE;
        if (sums || !able(graph, node)) q->wide[root_of(graph, node->output)] = true;
    }
    for (size_t n = graph->node_count; n-- > 0;) { /* readers first: a pool that floats are wanted of takes floats */
        uint32_t root = root_of(graph, graph->nodes[n].output);
        if (!is_wanted(q, root)) q->wide[root] = true;
    }
}

/* Bytes inside a value that is read as a whole are on its scale. */
static void mark(quantizing *q)
{
    inc_graph *graph = q->graph;
    for (uint32_t v = 0; v < graph->value_count; v++) {
        inc_value *value = &graph->values[v];
        if (value->variable || q->wide[root_of(graph, v)]) continue;
        value->quantized = true;
        for (uint32_t up = value->parent; up != INC_NONE; up = graph->values[up].parent)
            if (inc_graph_uses(graph, up)) value->low = graph->values[up].low, value->high = graph->values[up].high;
    }
}

/* A copy of the other kind, with a border around it; INC_NONE: no memory. */
static uint32_t make_copy(quantizing *q, uint32_t value, const inc_window *border, inception_error *error)
{
    inc_graph *graph = q->graph;
    const inc_value from = graph->values[value];
    uint32_t copy = inc_graph_activation(graph, "", from.dims[1] + border->top + border->bottom,
                                         from.dims[2] + border->left + border->right, from.dims[3], error);
    if (copy == INC_NONE) return INC_NONE;
    inc_value *to = &graph->values[copy];
    to->quantized = !from.quantized, to->low = from.low, to->high = from.high;
    q->nodes[q->count++] = (inc_node){.op = from.quantized ? INC_OP_DEQUANTIZE : INC_OP_QUANTIZE, .name = from.name,
                                      .inputs = {value}, .input_count = 1, .output = copy, .window = *border};
    return copy;
}

/* The input as the node wants it: itself, or a copy of the other kind, made where it is first wanted. The copy of a photo
 * has the padding of the convolution that wants it. */
static inception_status want(quantizing *q, inc_node *node, uint32_t *input, bool bytes, inception_error *error)
{
    static const inc_window none;
    bool photo = *input == q->graph->input;
    if (q->graph->values[*input].quantized == bytes) return INCEPTION_OK;
    if (photo || q->copy[*input] == INC_NONE) q->copy[*input] = make_copy(q, *input, photo ? &node->window : &none, error);
    if (q->copy[*input] == INC_NONE) return INCEPTION_MEMORY;
    if (photo) node->window.top = node->window.left = node->window.bottom = node->window.right = 0;
    *input = q->copy[*input];
    return INCEPTION_OK;
}

static inception_status insert_copies(quantizing *q, inception_error *error)
{
    inc_graph *graph = q->graph;
    inception_status status = INCEPTION_OK;
    for (size_t n = 0; n < graph->node_count && !status; n++) {
        inc_node node = graph->nodes[n];
        bool bytes = takes_bytes(q, &node);
        for (uint32_t i = 0; i < node.input_count && !status; i++) status = want(q, &node, &node.inputs[i], bytes, error);
        q->nodes[q->count++] = node;
    }
    return status;
}

inception_status inc_graph_quantize(inc_graph *graph, inception_error *error)
{
    size_t values = graph->value_count, most = graph->node_count * (INC_MAX_INPUTS + 1);
    quantizing q = {.graph = graph};
    q.wide = inc_calloc(values, sizeof *q.wide, error);
    q.copy = inc_calloc(values, sizeof *q.copy, error);
    q.nodes = inc_calloc(most, sizeof *q.nodes, error);
    inception_status status = q.wide && q.copy && q.nodes ? INCEPTION_OK : INCEPTION_MEMORY;
    if (!status) {
        memset(q.copy, 0xff, values * sizeof *q.copy); /* INC_NONE */
        choose(&q);
        mark(&q);
        status = insert_copies(&q, error);
    }
    if (!status) {
        free(graph->nodes);
        graph->nodes = q.nodes;
        graph->node_count = q.count;
        graph->node_capacity = most;
        q.nodes = NULL;
    }
    free(q.wide);
    free(q.copy);
    free(q.nodes);
    return status;
}
