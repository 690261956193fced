/* Values -> places in the block of memory that a photo's activations share. */
#include "private.h"

#include <stdlib.h>

bool inc_is_answer(const inc_graph *graph, uint32_t value)
{
    uint32_t from = inc_graph_producer(graph, value);
    return graph->values[value].kept && graph->values[value].parent == INC_NONE && inc_graph_uses(graph, value) == 1
        && from != INC_NONE && graph->nodes[from].op == INC_OP_CONV && graph->nodes[from].conv.residual == INC_NONE;
}

static dnnl_data_type_t activation_type(const inc_engine *e, const inc_graph *graph, uint32_t value)
{
    if (graph->values[value].quantized) return dnnl_u8;
    if (e->precision != INCEPTION_PRECISION_BF16) return dnnl_f32;
    return inc_is_answer(graph, value) ? dnnl_f32 : dnnl_bf16;
}

inc_layout inc_place_layout(const inc_engine *e, uint32_t value, int64_t count)
{
    const inc_place *place = &e->places[value];
    dnnl_format_tag_t tag = e->block == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    if (value == e->input) tag = dnnl_nchw; /* 3 channels do not fill a block; kernels for such take planes */
    return inc_layout_new((int64_t[]){1, count, place->height, place->width}, 4, place->type, tag);
}

size_t inc_place_offset(const inc_engine *e, uint32_t value, int64_t first)
{
    const inc_place *place = &e->places[value];
    if (place->type == dnnl_u8) return (size_t)first;
    return (size_t)(first * place->height * place->width) * inc_type_bytes(place->type);
}

void inc_place_steps(const inc_engine *e, uint32_t value, size_t *pixel, size_t *block)
{
    const inc_place *place = &e->places[value];
    *pixel = place->type == dnnl_u8 ? (size_t)place->pitch : (size_t)e->block * sizeof(float);
    *block = place->type == dnnl_u8 ? INC_INT8_LANES : inc_place_offset(e, value, e->block);
}

/* Bytes of the value, its last block of channels whole. */
static size_t place_bytes(const inc_engine *e, uint32_t value)
{
    const inc_place *place = &e->places[value];
    int64_t channels = place->channels, block = value == e->input ? 1 : e->block;
    if (place->type == dnnl_u8) return (size_t)(place->height * place->width * place->pitch);
    return inc_place_offset(e, value, (channels + block - 1) / block * block);
}

/* Extends the lifetime of the memory under `value` to step n. */
static void touch(const inc_graph *graph, inc_lifetime *lifetimes, uint32_t value, uint32_t n)
{
    int64_t channel;
    inc_lifetime *life = &lifetimes[inc_graph_root(graph, value, &channel)];
    if (n < life->first) life->first = n;
    if (n > life->last) life->last = n;
}

static void touch_all(const inc_graph *graph, inc_lifetime *lifetimes)
{
    for (uint32_t n = 0; n < graph->node_count; n++) {
        const inc_node *node = &graph->nodes[n];
        for (uint32_t i = 0; i < node->input_count; i++) touch(graph, lifetimes, node->inputs[i], n);
        touch(graph, lifetimes, node->output, n);
    }
    for (uint32_t v = 0; v < graph->value_count; v++)
        if (graph->values[v].kept) touch(graph, lifetimes, v, (uint32_t)graph->node_count);
}

/* Is the value computed, read or kept? Rewrites leave values behind that nothing mentions. */
static bool mentioned(const inc_graph *graph, uint32_t v)
{
    return !graph->values[v].variable && (inc_graph_uses(graph, v) > 0 || inc_graph_producer(graph, v) != INC_NONE);
}

static inception_status list_answers(inc_engine *e, const inc_graph *graph, inception_error *error)
{
    e->answers = inc_calloc(graph->value_count, sizeof *e->answers, error);
    for (uint32_t v = 0; e->answers && v < graph->value_count; v++) {
        if (!graph->values[v].kept) continue;
        const inc_place *place = &e->places[v];
        e->answers[e->answer_count++] = (inc_answer){v, e->answer_floats};
        e->answer_floats += (size_t)(place->height * place->width * place->channels);
    }
    return e->answers ? INCEPTION_OK : INCEPTION_MEMORY;
}

/* A pixel of bytes is whole vectors, of those that share its memory all channels; that of a photo four bytes. */
static int64_t pitch_of(const inc_graph *graph, uint32_t value)
{
    int64_t channel;
    uint32_t root = inc_graph_root(graph, value, &channel), from = inc_graph_producer(graph, root);
    const inc_node *maker = from == INC_NONE ? NULL : &graph->nodes[from];
    bool photo = maker && maker->op == INC_OP_QUANTIZE && maker->inputs[0] == graph->input;
    if (photo) return INC_QUANTIZED_PHOTO;
    return (graph->values[root].dims[3] + INC_INT8_LANES - 1) / INC_INT8_LANES * INC_INT8_LANES;
}

static inception_status plan(inc_engine *e, const inc_graph *graph, inc_lifetime *lifetimes, inception_error *error)
{
    for (uint32_t v = 0; v < graph->value_count; v++) lifetimes[v].first = UINT32_MAX;
    touch_all(graph, lifetimes);
    for (uint32_t v = 0; v < graph->value_count; v++) {
        const int64_t *d = graph->values[v].dims;
        bool used = lifetimes[v].first != UINT32_MAX || mentioned(graph, v);
        if (used) e->places[v] = (inc_place){true, activation_type(e, graph, v), 0, d[1], d[2], d[3], pitch_of(graph, v)};
        if (!used || graph->values[v].parent != INC_NONE) lifetimes[v] = (inc_lifetime){0};
        else lifetimes[v].bytes = place_bytes(e, v);
    }
    inception_status status = inc_plan_memory(lifetimes, graph->value_count, &e->activation_bytes, error);
    for (uint32_t v = 0; v < graph->value_count && !status; v++) {
        int64_t channel;
        uint32_t root = inc_graph_root(graph, v, &channel);
        if (e->places[v].used) e->places[v].offset = lifetimes[root].offset + inc_place_offset(e, v, channel);
    }
    return status;
}

inception_status inc_place_values(inc_engine *e, const inc_graph *graph, inception_error *error)
{
    inc_lifetime *lifetimes = inc_calloc(graph->value_count, sizeof *lifetimes, error);
    e->places = inc_calloc(graph->value_count, sizeof *e->places, error);
    e->place_count = graph->value_count;
    e->input = graph->input;
    inception_status status = lifetimes && e->places ? plan(e, graph, lifetimes, error) : INCEPTION_MEMORY;
    if (!status) status = list_answers(e, graph, error);
    free(lifetimes);
    return status;
}
