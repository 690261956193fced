/* Graph -> steps: a primitive for each node, and a place in memory for each value. Weights are only noted here; pack.c
 * brings them into the form the primitives asked for. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

typedef struct lowering {
    inc_engine *e;
    const inc_graph *graph;
    inception_error *error;
} lowering;

/* ---- places ---- */

static size_t type_bytes(dnnl_data_type_t type)
{
    return type == dnnl_bf16 ? 2 : sizeof(float);
}

/* Answers stay float32 where nothing but a convolution writes them. */
static dnnl_data_type_t activation_type(const inc_engine *e, const inc_graph *graph, uint32_t value)
{
    if (e->precision == INCEPTION_PRECISION_F32) return dnnl_f32;
    uint32_t from = inc_graph_producer(graph, value);
    bool answer = graph->values[value].kept && graph->values[value].parent == INC_NONE && inc_graph_uses(graph, value) == 1
               && from != INC_NONE && graph->nodes[from].op == INC_OP_CONV && graph->nodes[from].conv.residual == INC_NONE;
    return answer ? dnnl_f32 : dnnl_bf16;
}

static inc_layout activation_layout(const inc_engine *e, const inc_graph *graph, uint32_t value)
{
    const int64_t *d = graph->values[value].dims;
    dnnl_format_tag_t tag = e->block == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    if (value == graph->input) tag = dnnl_nchw; /* 3 channels do not fill a block; kernels for such take planes */
    return inc_layout_new((int64_t[]){1, d[3], d[1], d[2]}, 4, e->places[value].type, tag);
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

static inception_status place_values(lowering *l)
{
    const inc_graph *graph = l->graph;
    inc_lifetime *lifetimes = inc_calloc(graph->value_count, sizeof *lifetimes, l->error);
    if (!lifetimes) return INCEPTION_MEMORY;
    inception_status status = INCEPTION_OK;
    for (uint32_t v = 0; v < graph->value_count; v++) lifetimes[v].first = UINT32_MAX;
    touch_all(graph, lifetimes);
    for (uint32_t v = 0; v < graph->value_count && !status; v++) {
        inc_place *place = &l->e->places[v];
        const int64_t *d = graph->values[v].dims;
        if (lifetimes[v].first == UINT32_MAX && !mentioned(graph, v)) {
            lifetimes[v] = (inc_lifetime){0};
            continue;
        }
        *place = (inc_place){.height = d[1], .width = d[2], .channels = d[3], .type = activation_type(l->e, graph, v)};
        place->layout = activation_layout(l->e, graph, v);
        if (!place->layout) status = inc_fail_memory(l->error, 0);
        else if (graph->values[v].parent != INC_NONE) lifetimes[v] = (inc_lifetime){0};
        else lifetimes[v].bytes = inc_layout_size(place->layout);
    }
    if (!status) status = inc_plan_memory(lifetimes, graph->value_count, &l->e->activation_bytes, l->error);
    for (uint32_t v = 0; v < graph->value_count && !status; v++) {
        int64_t channel;
        uint32_t root = inc_graph_root(graph, v, &channel);
        const int64_t *d = graph->values[v].dims;
        l->e->places[v].offset = lifetimes[root].offset + (size_t)(channel * d[1] * d[2]) * type_bytes(l->e->places[v].type);
    }
    free(lifetimes);
    return status;
}

/* ---- steps ---- */

static inception_status add_constant(lowering *l, inc_constant constant, uint32_t *index)
{
    inc_engine *e = l->e;
    inception_status status =
        inc_grow(&e->constants, &e->constant_capacity, e->constant_count + 1, sizeof constant, l->error);
    if (!status && !constant.fewer && (!constant.layout || !constant.plain)) status = inc_fail_memory(l->error, 0);
    if (status) {
        inc_layout_free(&constant.layout);
        inc_layout_free(&constant.plain);
        return status;
    }
    *index = (uint32_t)e->constant_count;
    e->constants[e->constant_count++] = constant;
    return INCEPTION_OK;
}

/* A [channels] variable as an argument. */
static inception_status add_vector(lowering *l, inc_step *step, int name, const float *data, int64_t channels)
{
    inc_constant constant = {.layout = inc_layout_new(&channels, 1, dnnl_f32, dnnl_a),
                             .plain = inc_layout_new(&channels, 1, dnnl_f32, dnnl_a), .data = data};
    uint32_t index = 0;
    inception_status status = add_constant(l, constant, &index);
    step->arguments[step->argument_count++] = (inc_argument){name, INC_FROM_CONSTANT, index};
    return status;
}

static void add_value(inc_step *step, int name, uint32_t value)
{
    step->arguments[step->argument_count++] = (inc_argument){name, INC_FROM_VALUE, value};
}

/* TensorFlow's weights as oneDNN sees them: logical order (groups,) out, in, height, width. */
static inc_layout weights_layout(const inc_value *w, bool depthwise, dnnl_data_type_t type, bool any)
{
    const int64_t *d = w->dims;
    if (depthwise)
        return inc_layout_new((int64_t[]){d[2], d[3], 1, d[0], d[1]}, 5, type, any ? dnnl_format_tag_any : dnnl_hwigo);
    bool full = w->rank == 2;
    int64_t dims[] = {d[full ? 1 : 3], d[full ? 0 : 2], full ? 1 : d[0], full ? 1 : d[1]};
    return inc_layout_new(dims, 4, type, any ? dnnl_format_tag_any : dnnl_hwio);
}

static inception_status add_weights(lowering *l, const inc_node *node, inc_step *step, inc_constant constant)
{
    uint32_t index = 0;
    constant.data = l->graph->values[node->conv.weights].data;
    if (node->conv.scale != INC_NONE) {
        constant.scale = l->graph->values[node->conv.scale].data;
        constant.scale_count = l->e->places[node->output].channels;
    }
    inception_status status = add_constant(l, constant, &index);
    step->arguments[step->argument_count++] = (inc_argument){DNNL_ARG_WEIGHTS, INC_FROM_CONSTANT, index};
    return status;
}

static inception_status add_bias(lowering *l, const inc_node *node, inc_step *step)
{
    if (node->conv.bias == INC_NONE) return INCEPTION_OK;
    const inc_value *bias = &l->graph->values[node->conv.bias];
    return add_vector(l, step, DNNL_ARG_BIAS, bias->data, bias->dims[0]);
}

/* Our own kernel, where it is faster: *taken. */
static inception_status lower_fewer(lowering *l, const inc_node *node, inc_step *step, bool *taken)
{
    inc_engine *e = l->e;
    const inc_place *src = &e->places[node->inputs[0]], *dst = &e->places[node->output];
    inc_fewer plan = {.lanes = e->block, .in = (int)src->channels, .out = (int)dst->channels,
                      .src_height = (int)src->height, .src_width = (int)src->width, .height = (int)dst->height,
                      .width = (int)dst->width, .top = node->window.top, .left = node->window.left,
                      .relu = node->relu, .half = src->type == dnnl_bf16};
    *taken = e->kernels && node->op == INC_OP_CONV && node->window.stride == 1 && node->conv.residual == INC_NONE
          && src->type == dst->type && inc_fewer_plan(&plan, node->window.kernel_h, node->window.kernel_w);
    if (!*taken) return INCEPTION_OK;
    step->fewer = inc_calloc(1, sizeof plan, l->error);
    if (!step->fewer) return INCEPTION_MEMORY;
    *step->fewer = plan;
    size_t bytes = inc_fewer_scratch_bytes(&plan, e->threads);
    if (bytes > e->scratchpad_bytes) e->scratchpad_bytes = bytes;
    inception_status status = add_weights(l, node, step, (inc_constant){.fewer = step->fewer});
    if (!status) status = add_bias(l, node, step);
    add_value(step, DNNL_ARG_SRC, node->inputs[0]);
    return status;
}

static inception_status lower_conv(lowering *l, const inc_node *node, inc_step *step, dnnl_primitive_desc_t *description)
{
    inc_engine *e = l->e;
    const inc_value *weights = &l->graph->values[node->conv.weights];
    bool depthwise = node->op == INC_OP_DEPTHWISE, biased = node->conv.bias != INC_NONE;
    const inc_place *src = &e->places[node->inputs[0]], *dst = &e->places[node->output];
    inc_layout any = weights_layout(weights, depthwise, src->type, true);
    inc_layout bias = biased ? inc_layout_new(&dst->channels, 1, dnnl_f32, dnnl_a) : NULL;
    inception_status status = any && (bias || !biased) ? INCEPTION_OK : inc_fail_memory(l->error, 0);
    if (!status && !inc_describe_conv(e->engine, src->layout, any, bias, dst->layout, &node->window,
                                      node->conv.residual != INC_NONE, node->relu, description))
        status = inc_fail_onednn(l->error, node->name, "convolution");
    inc_layout_free(&any);
    inc_layout_free(&bias);
    if (status) return status;

    status = add_weights(l, node, step, (inc_constant){.layout = inc_wanted(*description, dnnl_query_weights_md, 0),
                                                       .plain = weights_layout(weights, depthwise, dnnl_f32, false)});
    if (!status) status = add_bias(l, node, step);
    add_value(step, DNNL_ARG_SRC, node->inputs[0]);
    return status;
}

static inception_status lower_norm(lowering *l, const inc_node *node, inc_step *step, dnnl_primitive_desc_t *description)
{
    const inc_place *src = &l->e->places[node->inputs[0]];
    const inc_value *values = l->graph->values;
    bool scaled = node->norm.gamma != INC_NONE;
    if (!inc_describe_norm(l->e->engine, src->layout, node->norm.epsilon, scaled, description))
        return inc_fail_onednn(l->error, node->name, "batch norm");
    inception_status status = add_vector(l, step, DNNL_ARG_MEAN, values[node->norm.mean].data, src->channels);
    if (!status) status = add_vector(l, step, DNNL_ARG_VARIANCE, values[node->norm.variance].data, src->channels);
    if (!status) status = add_vector(l, step, DNNL_ARG_SHIFT, values[node->norm.beta].data, src->channels);
    if (!status && scaled) status = add_vector(l, step, DNNL_ARG_SCALE, values[node->norm.gamma].data, src->channels);
    add_value(step, DNNL_ARG_SRC, node->inputs[0]);
    return status;
}

/* Nodes with several inputs: concatenation and addition. */
static inception_status lower_many(lowering *l, const inc_node *node, inc_step *step, dnnl_primitive_desc_t *description)
{
    inc_layout sources[INC_MAX_INPUTS];
    inc_layout dst = l->e->places[node->output].layout;
    for (uint32_t i = 0; i < node->input_count; i++) {
        sources[i] = l->e->places[node->inputs[i]].layout;
        add_value(step, DNNL_ARG_MULTIPLE_SRC + (int)i, node->inputs[i]);
    }
    bool good = node->op == INC_OP_CONCAT
                  ? inc_describe_concat(l->e->engine, dst, sources, (int)node->input_count, description)
                  : inc_describe_add(l->e->engine, dst, sources[0], node->add.scale, description);
    return good ? INCEPTION_OK : inc_fail_onednn(l->error, node->name, node->op == INC_OP_CONCAT ? "concat" : "sum");
}

/* Nodes with one input and no weights. Those that work in place of their input's layout cannot read the photo itself,
 * which alone lies in planes; no network asks for it. */
static inception_status lower_plain(lowering *l, const inc_node *node, inc_step *step, dnnl_primitive_desc_t *description)
{
    dnnl_engine_t engine = l->e->engine;
    inc_layout src = l->e->places[node->inputs[0]].layout, dst = l->e->places[node->output].layout;
    bool pools = node->op == INC_OP_MAX_POOL || node->op == INC_OP_AVG_POOL, good = false;
    if (!pools && node->inputs[0] == l->graph->input) return inc_fail_onednn(l->error, node->name, "layout of the input");
    add_value(step, DNNL_ARG_SRC, node->inputs[0]);
    switch (node->op) {
    case INC_OP_MAX_POOL: case INC_OP_AVG_POOL:
        good = inc_describe_pool(engine, src, dst, &node->window, node->op == INC_OP_MAX_POOL, node->relu,
                                 description);
        break;
    case INC_OP_LRN:
        good = inc_describe_lrn(engine, src, node->lrn.size, node->lrn.alpha, node->lrn.beta, node->lrn.k, description);
        break;
    case INC_OP_RELU: good = inc_describe_relu(engine, src, description); break;
    default: good = inc_describe_copy(engine, src, description); break; /* dropout outside training */
    }
    return good ? INCEPTION_OK : inc_fail_onednn(l->error, node->name, "operation");
}

/* What `bench` tells of the step; the graph and the description do not outlive compiling. */
static inception_status describe_step(lowering *l, const inc_node *node, inc_step *step, const_dnnl_primitive_desc_t description)
{
    const char *kind = "fewer multiplications";
    if (description) dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, (void *)&kind);
    step->name = inc_arena_string(&l->e->names, node->name, strlen(node->name), l->error);
    step->kind = inc_arena_string(&l->e->names, kind, strlen(kind), l->error);
    step->multiply_adds = inc_graph_multiply_adds(l->graph, node);
    return step->name && step->kind ? INCEPTION_OK : INCEPTION_MEMORY;
}

static inception_status lower_node(lowering *l, const inc_node *node, inc_step *step)
{
    dnnl_primitive_desc_t description = NULL;
    bool own;
    inception_status status = lower_fewer(l, node, step, &own);
    if (own) {
        add_value(step, DNNL_ARG_DST, node->output);
        return status ? status : describe_step(l, node, step, NULL);
    }
    switch (node->op) {
    case INC_OP_CONV:
    case INC_OP_DEPTHWISE: status = lower_conv(l, node, step, &description); break;
    case INC_OP_NORM: status = lower_norm(l, node, step, &description); break;
    case INC_OP_CONCAT:
    case INC_OP_ADD: status = lower_many(l, node, step, &description); break;
    default: status = lower_plain(l, node, step, &description); break;
    }
    add_value(step, DNNL_ARG_DST, node->output);
    if (!status) status = describe_step(l, node, step, description);
    if (!status && dnnl_primitive_create(&step->primitive, description) != dnnl_success)
        status = inc_fail_onednn(l->error, node->name, "operation");
    inc_layout scratchpad = status ? NULL : inc_wanted(description, dnnl_query_scratchpad_md, 0);
    if (!status && !scratchpad) status = inc_fail_memory(l->error, 0);
    size_t bytes = scratchpad ? inc_layout_size(scratchpad) : 0;
    if (bytes > 0) {
        step->scratchpad = scratchpad;
        step->arguments[step->argument_count++] = (inc_argument){DNNL_ARG_SCRATCHPAD, INC_FROM_SCRATCHPAD, 0};
        if (bytes > l->e->scratchpad_bytes) l->e->scratchpad_bytes = bytes;
    } else {
        inc_layout_free(&scratchpad);
    }
    if (description) dnnl_primitive_desc_destroy(description);
    return status;
}

inception_status inc_lower(inc_engine *engine, const inc_graph *graph, inception_error *error)
{
    lowering l = {engine, graph, error};
    engine->places = inc_calloc(graph->value_count, sizeof *engine->places, error);
    engine->steps = inc_calloc(graph->node_count, sizeof *engine->steps, error);
    if (!engine->places || !engine->steps) return INCEPTION_MEMORY;
    engine->place_count = graph->value_count;
    engine->input = graph->input;
    inception_status status = place_values(&l);
    for (size_t n = 0; n < graph->node_count && !status; n++)
        status = lower_node(&l, &graph->nodes[n], &engine->steps[engine->step_count++]);
    return status;
}
