/* Nodes -> steps. A step has a part for each thread, a range of blocks of the output's channels, with a primitive of its
 * own: each weight is read by one thread only. What cannot be split so, and what our own kernels do, is one part. Parts
 * are made by all threads at once, for making primitives takes longer than running them. Weights are only noted here;
 * pack.c brings them into the form that the primitives ask for. */
#include "private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part to be made: of step `n`, channels first ... first + count - 1 of the output. */
typedef struct job {
    inc_engine *e;
    const inc_graph *graph;
    const inc_node *node;
    inc_step *step;
    inc_part *part;
    int64_t first, count;
    dnnl_primitive_desc_t description;
    inception_error *error;
} job;

/* ---- arguments ---- */

/* A layout is there unless memory is short. */
static inc_layout got(const job *j, inc_layout layout)
{
    if (!layout) inc_fail_memory(j->error, 0);
    return layout;
}

/* Channels of a value; frees nothing: what a part holds goes with the engine. */
static inc_layout add_value(job *j, int name, uint32_t value, int64_t first, int64_t count)
{
    inc_layout layout = got(j, inc_place_layout(j->e, value, count));
    j->part->arguments[j->part->argument_count++] =
        (inc_argument){name, INC_FROM_VALUE, value, layout, inc_place_offset(j->e, value, first)};
    return layout;
}

static inc_layout add_whole(job *j, int name, uint32_t value)
{
    return add_value(j, name, value, 0, j->e->places[value].channels);
}

static inc_layout add_output(job *j)
{
    return add_value(j, DNNL_ARG_DST, j->node->output, j->first, j->count);
}

static void add_constant(job *j, int name, inc_constant constant)
{
    inc_part *part = j->part;
    part->arguments[part->argument_count++] =
        (inc_argument){name, INC_FROM_CONSTANT, (uint32_t)part->constant_count, NULL, 0};
    part->constants[part->constant_count++] = constant;
}

/* The channels of this part of a [channels] variable. */
static void add_vector(job *j, int name, uint32_t variable)
{
    const inc_value *value = &j->graph->values[variable];
    add_constant(j, name, (inc_constant){.data = value->data, .rows = 1, .total = value->dims[0], .first = j->first,
                                         .count = j->count, .bytes = (size_t)j->count * sizeof(float)});
}

/* ---- operations: each describes its primitive ---- */

/* TensorFlow's weights as oneDNN sees them: logical order (groups,) out, in, height, width; `out` of the outputs. */
static inc_layout weights_layout(const inc_value *w, bool depthwise, int64_t out, dnnl_data_type_t type, bool any)
{
    const int64_t *d = w->dims;
    if (depthwise)
        return inc_layout_new((int64_t[]){d[2], d[3], 1, d[0], d[1]}, 5, type, any ? dnnl_format_tag_any : dnnl_hwigo);
    bool full = w->rank == 2;
    int64_t dims[] = {out, d[full ? 0 : 2], full ? 1 : d[0], full ? 1 : d[1]};
    return inc_layout_new(dims, 4, type, any ? dnnl_format_tag_any : dnnl_hwio);
}

static const float *scale_of(const job *j)
{
    return j->node->conv.scale == INC_NONE ? NULL : j->graph->values[j->node->conv.scale].data;
}

static bool describe_conv(job *j)
{
    const inc_node *node = j->node;
    const inc_value *w = &j->graph->values[node->conv.weights];
    bool depthwise = node->op == INC_OP_DEPTHWISE, biased = node->conv.bias != INC_NONE;
    inc_layout src = add_whole(j, DNNL_ARG_SRC, node->inputs[0]), dst = add_output(j);
    inc_layout any = got(j, weights_layout(w, depthwise, j->count, j->e->places[node->inputs[0]].type, true));
    inc_layout bias = biased ? got(j, inc_layout_new(&j->count, 1, dnnl_f32, dnnl_a)) : NULL;
    bool good = src && dst && any && (bias || !biased)
             && inc_describe_conv(j->e->engine, src, any, bias, dst, &node->window, node->conv.residual != INC_NONE,
                                  node->relu, &j->description);
    inc_layout_free(&any);
    inc_layout_free(&bias);
    if (!good) return false;
    int64_t total = j->e->places[node->output].channels;
    inc_constant weights = {.layout = got(j, inc_wanted(j->description, dnnl_query_weights_md, 0)),
                            .plain = got(j, weights_layout(w, depthwise, j->count, dnnl_f32, false)),
                            .data = w->data, .scale = scale_of(j), .rows = (int64_t)inc_value_count(w) / total,
                            .total = total, .first = j->first, .count = j->count};
    add_constant(j, DNNL_ARG_WEIGHTS, weights);
    if (biased) add_vector(j, DNNL_ARG_BIAS, node->conv.bias);
    return weights.layout && weights.plain;
}

static bool describe_norm(job *j)
{
    const inc_node *node = j->node;
    bool scaled = node->norm.gamma != INC_NONE;
    inc_layout src = add_value(j, DNNL_ARG_SRC, node->inputs[0], j->first, j->count), dst = add_output(j);
    add_vector(j, DNNL_ARG_MEAN, node->norm.mean);
    add_vector(j, DNNL_ARG_VARIANCE, node->norm.variance);
    add_vector(j, DNNL_ARG_SHIFT, node->norm.beta);
    if (scaled) add_vector(j, DNNL_ARG_SCALE, node->norm.gamma);
    return src && dst && inc_describe_norm(j->e->engine, src, node->norm.epsilon, scaled, &j->description);
}

static bool describe_concat(job *j)
{
    inc_layout sources[INC_MAX_INPUTS], dst = add_output(j);
    bool good = dst != NULL;
    for (uint32_t i = 0; i < j->node->input_count; i++) {
        sources[i] = add_whole(j, DNNL_ARG_MULTIPLE_SRC + (int)i, j->node->inputs[i]);
        good = good && sources[i];
    }
    return good && inc_describe_concat(j->e->engine, dst, sources, (int)j->node->input_count, &j->description);
}

/* Whatever has outputs of a channel from inputs of the same one. Those that work in place of their input's layout cannot
 * read the photo itself, which alone lies in planes; no network asks for it. */
static bool describe_plain(job *j)
{
    const inc_node *node = j->node;
    dnnl_engine_t engine = j->e->engine;
    bool adds = node->op == INC_OP_ADD, pools = node->op == INC_OP_MAX_POOL || node->op == INC_OP_AVG_POOL;
    inc_layout src = add_value(j, adds ? DNNL_ARG_MULTIPLE_SRC : DNNL_ARG_SRC, node->inputs[0], j->first, j->count);
    inc_layout added = adds ? add_value(j, DNNL_ARG_MULTIPLE_SRC + 1, node->inputs[1], j->first, j->count) : src;
    inc_layout dst = add_output(j);
    if (!src || !added || !dst || (!pools && node->inputs[0] == j->graph->input)) return false;
    switch (node->op) {
    case INC_OP_MAX_POOL: case INC_OP_AVG_POOL:
        return inc_describe_pool(engine, src, dst, &node->window, node->op == INC_OP_MAX_POOL, node->relu,
                                 &j->description);
    case INC_OP_LRN:
        return inc_describe_lrn(engine, src, node->lrn.size, node->lrn.alpha, node->lrn.beta, node->lrn.k,
                                &j->description);
    case INC_OP_ADD: return inc_describe_add(engine, dst, src, node->add.scale, &j->description);
    case INC_OP_RELU: return inc_describe_relu(engine, src, &j->description);
    default: return inc_describe_copy(engine, src, &j->description); /* dropout outside training */
    }
}

static bool describe(job *j)
{
    switch (j->node->op) {
    case INC_OP_CONV: case INC_OP_DEPTHWISE: return describe_conv(j);
    case INC_OP_NORM: return describe_norm(j);
    case INC_OP_CONCAT: return describe_concat(j);
    default: return describe_plain(j);
    }
}

static void make_part(job *j)
{
    inc_part *part = j->part;
    bool good = describe(j) && dnnl_primitive_create(&part->primitive, j->description) == dnnl_success;
    part->scratchpad = good ? got(j, inc_wanted(j->description, dnnl_query_scratchpad_md, 0)) : NULL;
    good = good && part->scratchpad;
    if (good && inc_layout_size(part->scratchpad) == 0) inc_layout_free(&part->scratchpad);
    if (part->scratchpad)
        part->arguments[part->argument_count++] =
            (inc_argument){DNNL_ARG_SCRATCHPAD, INC_FROM_SCRATCHPAD, 0, NULL, 0};
    const char *kind = "";
    if (good) dnnl_primitive_desc_query(j->description, dnnl_query_impl_info_str, 0, (void *)&kind);
    if (part == j->step->parts) snprintf(j->step->kind, sizeof j->step->kind, "%s", kind);
    if (j->description) dnnl_primitive_desc_destroy(j->description);
    if (!good) inc_fail_onednn(j->error, j->node->name, "operation");
}

/* ---- all steps ---- */

/* How many parts the step is split into: one where a channel's output needs its neighbours. */
static int count_parts(const inc_engine *e, const inc_graph *graph, const inc_node *node)
{
    bool whole = node->op == INC_OP_LRN || node->op == INC_OP_CONCAT || node->op == INC_OP_DEPTHWISE
              || (node->op != INC_OP_CONV && node->inputs[0] == graph->input);
    int64_t blocks = (e->places[node->output].channels + e->block - 1) / e->block;
    return whole ? 1 : blocks < e->threads ? (int)blocks : e->threads;
}

static inception_status begin_step(inc_engine *e, const inc_graph *graph, size_t n, inception_error *error)
{
    const inc_node *node = &graph->nodes[n];
    inc_step *step = &e->steps[n];
    bool taken;
    step->name = inc_arena_string(&e->names, node->name, strlen(node->name), error);
    step->multiply_adds = inc_graph_multiply_adds(graph, node);
    step->part_count = count_parts(e, graph, node);
    step->parts = inc_calloc((size_t)step->part_count, sizeof *step->parts, error);
    if (!step->name || !step->parts) return INCEPTION_MEMORY;
    inception_status status = inc_take_kernel(e, graph, node, step, &taken, error);
    if (taken) step->part_count = 1;
    return status;
}

/* What the threads share while they make parts. */
typedef struct making {
    inc_engine *e;
    const inc_graph *graph;
    atomic_size_t next; /* steps * threads + part */
    inception_error *errors; /* [threads] */
} making;

static void make_parts(void *context, int thread)
{
    making *m = context;
    inc_engine *e = m->e;
    int before = inc_alone_enter();
    size_t item, threads = (size_t)e->threads;
    while ((item = atomic_fetch_add(&m->next, 1)) < e->step_count * threads && !m->errors[thread].status) {
        inc_step *step = &e->steps[item / threads];
        int part = (int)(item % threads);
        if (step->fewer || step->int8 || part >= step->part_count) continue;
        const inc_node *node = &m->graph->nodes[item / threads];
        int64_t channels = e->places[node->output].channels, blocks = (channels + e->block - 1) / e->block;
        int64_t first = blocks * part / step->part_count * e->block, end = blocks * (part + 1) / step->part_count * e->block;
        if (end > channels) end = channels;
        job j = {e, m->graph, node, step, &step->parts[part], first, end - first, NULL, &m->errors[thread]};
        make_part(&j);
    }
    inc_alone_leave(before);
}

static void measure_scratch(inc_engine *e)
{
    for (size_t s = 0; s < e->step_count; s++) {
        const inc_step *step = &e->steps[s];
        size_t alone = step->fewer ? inc_fewer_scratch_bytes(step->fewer, 1) : 0;
        size_t all = step->fewer ? inc_fewer_scratch_bytes(step->fewer, e->threads) : 0;
        if (alone > e->scratch_alone) e->scratch_alone = alone;
        if (all > e->scratch_all) e->scratch_all = all;
        for (int p = 0; p < step->part_count; p++) {
            size_t bytes = step->parts[p].scratchpad ? inc_layout_size(step->parts[p].scratchpad) : 0;
            if (bytes > e->scratchpad_bytes) e->scratchpad_bytes = bytes;
        }
    }
}

inception_status inc_lower(inc_engine *e, const inc_graph *graph, inc_pool *pool, inception_error *error)
{
    inception_status status = inc_place_values(e, graph, error);
    if (status) return status;
    e->steps = inc_calloc(graph->node_count, sizeof *e->steps, error);
    inception_error *errors = inc_calloc((size_t)e->threads, sizeof *errors, error);
    if (!e->steps || !errors) status = INCEPTION_MEMORY;
    for (size_t n = 0; n < graph->node_count && !status; n++) {
        e->step_count++;
        status = begin_step(e, graph, n, error);
    }
    making all = {.e = e, .graph = graph, .errors = errors};
    if (!status) inc_pool_run(pool, make_parts, &all);
    for (int t = 0; t < e->threads && !status; t++)
        if (errors[t].status) status = inc_pass(error, &errors[t]);
    free(errors);
    if (!status) measure_scratch(e);
    return status;
}
