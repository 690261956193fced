/* The life of a trainer: which layers there are and what of them is wanted backward, the plan of memory, the two runs.
 *
 * All threads walk through the steps together and meet after each. Convolutions and pools give each thread photos, batch
 * norm blocks of channels, gradients of weights shares of the batch (train_conv.c): nothing that is summed up depends on how
 * many threads there are. Every primitive works on one photo, as in inference, so that joined values cost nothing here
 * either, and is one thread's, so that oneDNN's fastest kernels run without its threads. */
#include "training.h"

#include <stdlib.h>
#include <string.h>

/* ---- which layers ---- */

static const inc_operation *const operations[] = {
    [INC_OP_CONV] = &inc_train_conv,       [INC_OP_DEPTHWISE] = NULL,           [INC_OP_NORM] = &inc_train_norm,
    [INC_OP_RELU] = &inc_train_relu,       [INC_OP_MAX_POOL] = &inc_train_window, [INC_OP_AVG_POOL] = &inc_train_window,
    [INC_OP_CONCAT] = &inc_train_concat,   [INC_OP_ADD] = &inc_train_add,       [INC_OP_LRN] = &inc_train_window,
    [INC_OP_DROPOUT] = &inc_train_dropout,
};

/* The node that alone reads the value; NULL: none, or several. */
static const inc_node *only_reader(const inc_graph *graph, uint32_t value)
{
    if (inc_graph_uses(graph, value) != 1 || graph->values[value].kept) return NULL;
    for (size_t n = 0; n < graph->node_count; n++)
        for (uint32_t i = 0; i < graph->nodes[n].input_count; i++)
            if (graph->nodes[n].inputs[i] == value) return &graph->nodes[n];
    return NULL;
}

static bool is_pointwise(const inc_node *node)
{
    return node && node->op == INC_OP_CONV && node->window.kernel_h == 1 && node->window.kernel_w == 1
        && node->window.stride == 1;
}

/* What lies before the node and is computed together with it, or is computed with what lies behind. */
static bool belongs_elsewhere(const inc_graph *graph, const inc_node *node)
{
    if (node->op == INC_OP_DEPTHWISE) return is_pointwise(only_reader(graph, node->output));
    uint32_t before = node->op == INC_OP_RELU ? inc_graph_producer(graph, node->inputs[0]) : INC_NONE;
    return before != INC_NONE && graph->nodes[before].op == INC_OP_NORM && only_reader(graph, node->inputs[0]) == node;
}

static inception_status add_layer(inc_trainer *t, const inc_node *node, inception_error *error)
{
    const inc_graph *graph = t->graph;
    inc_layer *l = &t->layers[t->layer_count++];
    *l = (inc_layer){.operation = operations[node->op], .node = node, .in = node->inputs[0], .out = node->output};
    bool conv = node->op == INC_OP_CONV;
    if (!l->operation || node->relu || (conv && (node->conv.scale != INC_NONE || node->conv.residual != INC_NONE)))
        return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: this operation cannot be trained", node->name);
    const inc_node *behind = only_reader(graph, node->output);
    if (node->op == INC_OP_NORM && behind && behind->op == INC_OP_RELU) {
        l->relu = true;
        l->out = behind->output;
    }
    uint32_t before = is_pointwise(node) ? inc_graph_producer(graph, l->in) : INC_NONE;
    if (before != INC_NONE && graph->nodes[before].op == INC_OP_DEPTHWISE && only_reader(graph, l->in) == node) {
        l->deep = &graph->nodes[before];
        l->in = l->deep->inputs[0];
    }
    if (node->op != INC_OP_CONV && l->in == graph->input) /* which lies in planes, for the first convolution */
        return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: training wants a convolution first", node->name);
    return INCEPTION_OK;
}

static bool trains(const inc_trainer *t, uint32_t variable)
{
    return variable != INC_NONE && t->how.trained[variable];
}

static bool layer_trains(const inc_trainer *t, const inc_layer *l)
{
    const inc_node *node = l->node;
    if (l->deep && trains(t, l->deep->conv.weights)) return true;
    if (node->op == INC_OP_CONV) return trains(t, node->conv.weights) || trains(t, node->conv.bias);
    return node->op == INC_OP_NORM && (trains(t, node->norm.gamma) || trains(t, node->norm.beta));
}

static uint32_t input_of(const inc_layer *l, uint32_t i)
{
    return i ? l->node->inputs[i] : l->in;
}

static uint32_t root_of(const inc_trainer *t, uint32_t value)
{
    int64_t channel;
    return inc_graph_root(t->graph, value, &channel);
}

/* Which gradients are wanted: of what comes behind something that is trained. */
static void find_wanted(inc_trainer *t)
{
    for (size_t i = 0; i < t->layer_count; i++) {
        const inc_layer *l = &t->layers[i];
        bool wanted = layer_trains(t, l);
        for (uint32_t k = 0; k < l->node->input_count; k++) wanted = wanted || t->wanted[root_of(t, input_of(l, k))];
        if (wanted) t->wanted[l->out] = t->wanted[root_of(t, l->out)] = true;
    }
}

/* In the order of the backward run the first reader of a value leaves its gradient, the others add to it. */
static void find_sums(inc_trainer *t)
{
    for (uint32_t v = 0; v < t->graph->value_count; v++) t->written[v] = t->graph->values[v].kept;
    for (size_t i = t->layer_count; i-- > 0;) {
        inc_layer *l = &t->layers[i];
        for (uint32_t k = 0; k < l->node->input_count && t->wanted[l->out]; k++) {
            uint32_t root = root_of(t, input_of(l, k));
            l->back[k] = t->wanted[root];
            l->adds[k] = t->written[root];
            t->written[root] = t->written[root] || l->back[k];
        }
    }
}

/* ---- variables ---- */

static bool moves(const inc_trainer *t, uint32_t variable)
{
    for (size_t n = 0; n < t->graph->node_count && t->how.batch_statistics; n++) {
        const inc_node *node = &t->graph->nodes[n];
        if (node->op == INC_OP_NORM && (node->norm.mean == variable || node->norm.variance == variable)) return true;
    }
    return false;
}

static size_t room_of(const inc_value *variable)
{
    const size_t line = INC_ALIGNMENT / sizeof(float);
    return ((size_t)inc_value_count(variable) + line - 1) / line * line;
}

static inception_status take_variables(inc_trainer *t, inception_error *error)
{
    const inc_graph *graph = t->graph;
    for (uint32_t v = 0; v < graph->value_count; v++)
        if (graph->values[v].variable && t->how.trained[v]) t->trained_count += room_of(&graph->values[v]);
    t->trained = inc_arena_alloc(&t->arena, t->trained_count, sizeof(float), error);
    t->gradient = inc_arena_alloc(&t->arena, t->trained_count, sizeof(float), error);
    if (!t->trained || !t->gradient) return INCEPTION_MEMORY;
    size_t at = 0;
    for (uint32_t v = 0; v < graph->value_count; v++) {
        const inc_value *value = &graph->values[v];
        if (!value->variable) continue;
        size_t count = (size_t)inc_value_count(value);
        t->variables[v] = (float *)value->data; /* only read */
        if (t->how.trained[v]) {
            t->variables[v] = t->trained + at;
            t->gradients[v] = t->gradient + at;
            at += room_of(value);
        } else if (moves(t, v)) {
            t->variables[v] = inc_arena_alloc(&t->arena, count, sizeof(float), error);
        }
        if (!t->variables[v]) return INCEPTION_MEMORY;
        if (t->variables[v] != value->data) memcpy(t->variables[v], value->data, count * sizeof(float));
    }
    return INCEPTION_OK;
}

/* ---- the plan of memory ---- */

static uint32_t middle(const inc_trainer *t)
{
    return (uint32_t)t->layer_count + 1;
}

static inc_view view_of(const inc_trainer *t, uint32_t value, uint32_t first_slot, dnnl_data_type_t type)
{
    int64_t channel;
    uint32_t root = inc_graph_root(t->graph, value, &channel);
    const int64_t *d = t->graph->values[value].dims, *whole = t->graph->values[root].dims;
    int64_t pixels = d[1] * d[2], block = value == t->graph->input ? 1 : t->block;
    return (inc_view){.slot = first_slot + root, .value = value, .type = type,
                      .offset = (size_t)(channel * pixels) * inc_type_bytes(type),
                      .stride = (size_t)((whole[3] + block - 1) / block * block * pixels) * inc_type_bytes(type),
                      .pixels = pixels, .channels = d[3], .blocks = (d[3] + block - 1) / block};
}

inc_view inc_view_value(const inc_trainer *t, uint32_t value)
{
    return view_of(t, value, 0, inc_is_answer(t->graph, value) ? dnnl_f32 : t->type);
}

inc_view inc_view_gradient(const inc_trainer *t, uint32_t value)
{
    return view_of(t, value, (uint32_t)t->graph->value_count, t->type);
}

inc_layout inc_view_layout(const inc_trainer *t, const inc_view *view, int64_t photos)
{
    const int64_t *d = t->graph->values[view->value].dims;
    dnnl_format_tag_t tag = view->value == t->graph->input ? dnnl_nchw : t->block == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    return inc_layout_new((int64_t[]){photos, d[3], d[1], d[2]}, 4, view->type, tag);
}

int64_t inc_view_count(const inc_trainer *t, const inc_view *view)
{
    return view->blocks * view->pixels * t->block;
}

uint32_t inc_slot_new(inc_trainer *t, size_t bytes, uint32_t first, uint32_t last, inception_error *error)
{
    if (inc_grow(&t->slots, &t->slot_capacity, t->slot_count + 1, sizeof *t->slots, error)) return INC_NONE;
    t->slots[t->slot_count] = (inc_slot){.life = {.bytes = bytes, .first = first, .last = last}};
    return (uint32_t)t->slot_count++;
}

uint32_t inc_slot_fixed(inc_trainer *t, void *at, inception_error *error)
{
    uint32_t slot = inc_slot_new(t, 0, 0, 0, error);
    if (slot != INC_NONE) t->slots[slot].fixed = at;
    return slot;
}

static void touch(inc_trainer *t, uint32_t slot, uint32_t step)
{
    inc_lifetime *life = &t->slots[slot].life;
    if (step < life->first) life->first = step;
    if (step > life->last) life->last = step;
}

void inc_touch_value(inc_trainer *t, uint32_t value, uint32_t step)
{
    touch(t, inc_view_value(t, value).slot, step);
}

static void touch_gradient(inc_trainer *t, uint32_t value, uint32_t step)
{
    touch(t, inc_view_gradient(t, value).slot, step);
}

/* Slots of all values and gradients; those that nothing touches take no memory. */
static inception_status begin_slots(inc_trainer *t, inception_error *error)
{
    for (int gradient = 0; gradient < 2; gradient++)
        for (uint32_t v = 0; v < t->graph->value_count; v++) {
            const inc_value *value = &t->graph->values[v];
            inc_view view = value->variable ? (inc_view){0} : inc_view_value(t, v);
            size_t bytes;
            if (!inc_mul(view.stride, (size_t)t->how.batch, &bytes)) return inc_fail_memory(error, 0);
            if (inc_slot_new(t, bytes, UINT32_MAX, 0, error) == INC_NONE) return INCEPTION_MEMORY;
        }
    for (uint32_t v = 0; v < t->graph->value_count; v++) {
        if (!t->graph->values[v].kept) continue;
        inc_touch_value(t, v, middle(t));
        if (t->wanted[v]) touch_gradient(t, v, middle(t));
    }
    inc_touch_value(t, t->graph->input, 0);
    t->scratchpad = inc_slot_fixed(t, NULL, error); /* how large is known when all primitives are */
    return t->scratchpad == INC_NONE ? INCEPTION_MEMORY : INCEPTION_OK;
}

/* What each step reads and writes whatever the kind of layer is. */
static void touch_all(inc_trainer *t)
{
    for (size_t i = 0; i < t->layer_count; i++) {
        inc_layer *l = &t->layers[i];
        l->forward_step = 1 + (uint32_t)i;
        l->backward_step = middle(t) + (uint32_t)(t->layer_count - i);
        inc_touch_value(t, l->out, l->forward_step);
        if (t->wanted[l->out]) touch_gradient(t, l->out, l->backward_step);
        for (uint32_t k = 0; k < l->node->input_count; k++) {
            inc_touch_value(t, input_of(l, k), l->forward_step);
            if (l->back[k]) touch_gradient(t, input_of(l, k), l->backward_step);
        }
    }
}

static inception_status plan_memory(inc_trainer *t, inception_error *error)
{
    inc_lifetime *lives = inc_calloc(t->slot_count, sizeof *lives, error);
    if (!lives) return INCEPTION_MEMORY;
    for (size_t s = 0; s < t->slot_count; s++)
        if (t->slots[s].life.first != UINT32_MAX && !t->slots[s].fixed) lives[s] = t->slots[s].life;
    inception_status status = inc_plan_memory(lives, t->slot_count, &t->memory_bytes, error);
    for (size_t s = 0; s < t->slot_count && !status; s++) t->slots[s].life.offset = lives[s].offset;
    free(lives);
    if (status) return status;
    t->memory = inc_alloc_aligned(t->memory_bytes, error);
    t->scratchpad_bytes = inc_round_up(t->scratchpad_bytes);
    void *scratchpads = inc_arena_alloc(&t->arena, (size_t)t->how.threads, t->scratchpad_bytes, error);
    t->slots[t->scratchpad].fixed = scratchpads;
    return t->memory && scratchpads ? INCEPTION_OK : INCEPTION_MEMORY;
}

/* ---- making and freeing one ---- */

static inception_status prepare_all(inc_trainer *t, inception_error *error)
{
    inception_status status = begin_slots(t, error);
    if (!status) touch_all(t);
    for (size_t i = 0; i < t->layer_count && !status; i++)
        status = t->layers[i].operation->prepare(t, &t->layers[i], error);
    if (!status) status = plan_memory(t, error);
    for (size_t i = 0; i < t->layer_count && !status; i++)
        for (int c = 0; c < INC_MOST_CALLS && !status; c++) status = inc_call_ready(t, &t->layers[i].calls[c], error);
    return status;
}

static inception_status prepare(inc_trainer *t, inception_error *error)
{
    const inc_graph *graph = t->graph;
    size_t values = graph->value_count;
    t->block = inc_engine_granularity();
    t->passes_f32 = t->block == 16 ? &inc_passes_16 : &inc_passes_8;
    t->type = t->how.precision == INCEPTION_PRECISION_BF16 ? dnnl_bf16 : dnnl_f32;
    t->passes = t->type == dnnl_bf16 ? &inc_passes_bf16 : t->passes_f32;
    t->fewer = t->type == dnnl_bf16;
    for (size_t n = 0; n < graph->node_count && t->how.batch_statistics; n++)
        t->fewer = t->fewer || graph->nodes[n].op == INC_OP_NORM;
    t->layers = inc_calloc(graph->node_count, sizeof *t->layers, error);
    t->wanted = inc_calloc(2 * values, sizeof *t->wanted, error);
    t->variables = inc_calloc(2 * values, sizeof *t->variables, error);
    t->streams = inc_calloc((size_t)t->how.threads, sizeof *t->streams, error);
    if (!t->layers || !t->wanted || !t->variables || !t->streams) return INCEPTION_MEMORY;
    t->written = t->wanted + values;
    t->gradients = t->variables + values;
    if (dnnl_engine_create(&t->engine, dnnl_cpu, 0) != dnnl_success) return inc_fail_onednn(error, "CPU", "engine");
    for (int i = 0; i < t->how.threads; i++)
        if (dnnl_stream_create(&t->streams[i], t->engine, dnnl_stream_default_flags) != dnnl_success)
            return inc_fail_onednn(error, "CPU", "stream");
    inception_status status = take_variables(t, error);
    for (size_t n = 0; n < graph->node_count && !status; n++)
        if (!belongs_elsewhere(graph, &graph->nodes[n])) status = add_layer(t, &graph->nodes[n], error);
    if (status) return status;
    find_wanted(t);
    find_sums(t);
    int before = inc_alone_enter();
    status = prepare_all(t, error);
    inc_alone_leave(before);
    return status;
}

inc_trainer *inc_trainer_new(const inc_graph *graph, const inc_training *how, inception_error *error)
{
    const bool bf16 = how->precision == INCEPTION_PRECISION_BF16;
    if (!inc_engine_vectors()) return inc_fail(error, INCEPTION_UNSUPPORTED, "training wants a CPU with AVX2"), NULL;
    if (bf16 ? !inc_engine_supports(how->precision) : how->precision != INCEPTION_PRECISION_F32) {
        const char *why = bf16 ? "training in bf16 wants a CPU with AVX-512 BF16" : "training is in float32 or bf16 only";
        return inc_fail(error, INCEPTION_UNSUPPORTED, "%s", why), NULL;
    }
    inc_trainer *t = inc_calloc(1, sizeof *t, error);
    if (!t) return NULL;
    t->how = *how;
    t->graph = graph;
    if (!prepare(t, error)) return t;
    inc_trainer_free(t);
    return NULL;
}

void inc_trainer_free(inc_trainer *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->layer_count; i++)
        for (int c = 0; c < INC_MOST_CALLS; c++) inc_call_free(&t->layers[i].calls[c]);
    for (int i = 0; t->streams && i < t->how.threads; i++)
        if (t->streams[i]) dnnl_stream_destroy(t->streams[i]);
    if (t->engine) dnnl_engine_destroy(t->engine);
    free(t->streams);
    free(t->layers);
    free(t->wanted);
    free(t->variables);
    free(t->slots);
    free(t->memory);
    inc_arena_free(&t->arena);
    free(t);
}

/* ---- the door: variables ---- */

const float *inc_trainer_variable(const inc_trainer *t, uint32_t value)
{
    return t->variables[value];
}

float *inc_trainer_gradient(const inc_trainer *t, uint32_t value)
{
    return t->gradients[value];
}

float *inc_trainer_trained(inc_trainer *t, size_t *count)
{
    *count = t->trained_count;
    return t->trained;
}

float *inc_trainer_gradients(inc_trainer *t)
{
    return t->gradient;
}
