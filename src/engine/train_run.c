/* Running a trainer: primitives bound to their memory, the threads' walk through the steps, what goes in and out. */
#include "training.h"

#include <stdlib.h>
#include <string.h>

void *inc_slot_at(const inc_trainer *t, uint32_t slot)
{
    return t->slots[slot].fixed ? t->slots[slot].fixed : t->memory + t->slots[slot].life.offset;
}

void *inc_view_at(const inc_trainer *t, const inc_view *view, int64_t photo, int64_t block)
{
    uint8_t *base = (uint8_t *)inc_slot_at(t, view->slot) + view->offset + (size_t)photo * view->stride;
    return base + (size_t)(block * view->pixels * t->block) * inc_type_bytes(view->type);
}

void inc_share(const inc_trainer *t, int thread, int64_t count, int64_t *first, int64_t *end)
{
    *first = count * thread / t->how.threads;
    *end = count * (thread + 1) / t->how.threads;
}

/* ---- primitives ---- */

inception_status inc_bind(inc_call *call, inc_bound bound, inception_error *error)
{
    if (!bound.layout || bound.slot == INC_NONE) {
        inc_layout_free(&bound.layout);
        return inc_fail_memory(error, 0);
    }
    call->bound[call->bound_count++] = bound;
    return INCEPTION_OK;
}

inception_status inc_bind_view(inc_trainer *t, inc_call *call, int name, const inc_view *view, int64_t photos,
                               inception_error *error)
{
    return inc_bind(call, (inc_bound){.name = name, .layout = inc_view_layout(t, view, photos), .slot = view->slot,
                                      .offset = view->offset, .stride = view->stride * (size_t)photos}, error);
}

static size_t temporary_bytes(const inc_trainer *t, const inc_view *dx)
{
    return inc_round_up((size_t)inc_view_count(t, dx) * inc_type_bytes(dx->type));
}

inception_status inc_bind_gradient(inc_trainer *t, const inc_layer *l, inc_call *call, inception_error *error)
{
    inc_view dx = inc_view_gradient(t, l->in);
    if (!l->adds[0]) return inc_bind_view(t, call, DNNL_ARG_DIFF_SRC, &dx, 1, error);
    size_t bytes = temporary_bytes(t, &dx);
    call->temporary = inc_slot_new(t, bytes * (size_t)t->how.threads, l->backward_step, l->backward_step, error);
    return inc_bind(call, (inc_bound){.name = DNNL_ARG_DIFF_SRC, .layout = inc_view_layout(t, &dx, 1),
                                      .slot = call->temporary, .stride = bytes, .by_thread = true}, error);
}

inception_status inc_bind_scratchpad(inc_trainer *t, inc_call *call, inc_layout layout, inception_error *error)
{
    size_t bytes = layout ? inc_layout_size(layout) : 0;
    if (bytes > t->scratchpad_bytes) t->scratchpad_bytes = bytes;
    if (layout && bytes == 0) {
        inc_layout_free(&layout);
        return INCEPTION_OK;
    }
    return inc_bind(call, (inc_bound){.name = DNNL_ARG_SCRATCHPAD, .layout = layout, .slot = t->scratchpad,
                                      .by_thread = true}, error);
}

inception_status inc_call_make(inc_trainer *t, inc_call *call, const_dnnl_primitive_desc_t description, int items,
                               const char *name, inception_error *error)
{
    call->items = items;
    if (dnnl_primitive_create(&call->primitive, description) != dnnl_success)
        return inc_fail_onednn(error, name, "operation");
    return inc_bind_scratchpad(t, call, inc_wanted(description, dnnl_query_scratchpad_md, 0), error);
}

/* When all memory has its place: the arguments of every item. */
inception_status inc_call_ready(inc_trainer *t, inc_call *call, inception_error *error)
{
    if (!call->primitive && !call->fewer) return INCEPTION_OK;
    call->arguments = inc_calloc((size_t)(call->items * call->bound_count), sizeof *call->arguments, error);
    if (!call->arguments) return INCEPTION_MEMORY;
    for (int thread = 0; thread < t->how.threads; thread++) {
        int64_t first, end;
        inc_share(t, thread, call->items, &first, &end);
        for (int64_t item = first; item < end; item++)
            for (int b = 0; b < call->bound_count; b++) {
                const inc_bound *bound = &call->bound[b];
                dnnl_exec_arg_t *argument = &call->arguments[item * call->bound_count + b];
                size_t stride = bound->slot == t->scratchpad ? t->scratchpad_bytes : bound->stride;
                uint8_t *at = (uint8_t *)inc_slot_at(t, bound->slot) + bound->offset
                            + stride * (size_t)(bound->by_thread ? thread : item);
                argument->arg = bound->name;
                if (dnnl_memory_create(&argument->memory, bound->layout, t->engine, at) != dnnl_success)
                    return inc_fail_memory(error, 0);
            }
    }
    return INCEPTION_OK;
}

void inc_call_free(inc_call *call)
{
    for (int i = 0; call->arguments && i < call->items * call->bound_count; i++)
        if (call->arguments[i].memory) dnnl_memory_destroy(call->arguments[i].memory);
    for (int b = 0; b < call->bound_count; b++) inc_layout_free(&call->bound[b].layout);
    if (call->primitive) dnnl_primitive_destroy(call->primitive);
    free(call->fewer);
    free(call->arguments);
}

void inc_call_item(inc_trainer *t, const inc_call *call, int64_t item, int thread)
{
    const dnnl_exec_arg_t *arguments = call->arguments + item * call->bound_count;
    if (call->clears)
        memset((uint8_t *)inc_slot_at(t, t->scratchpad) + (size_t)thread * t->scratchpad_bytes, 0, t->scratchpad_bytes);
    if (call->fewer) inc_call_run_fewer(call, arguments);
    else if (dnnl_primitive_execute(call->primitive, t->streams[thread], call->bound_count, arguments) != dnnl_success)
        atomic_store(&t->failed, true);
}

void inc_call_run(inc_trainer *t, const inc_call *call, int thread)
{
    int64_t first, end;
    inc_share(t, thread, call->items, &first, &end);
    for (int64_t item = first; item < end; item++) inc_call_item(t, call, item, thread);
}

void inc_call_gradient(inc_trainer *t, const inc_layer *l, const inc_call *call, int thread)
{
    inc_view dx = inc_view_gradient(t, l->in);
    int64_t first, end;
    inc_share(t, thread, call->items, &first, &end);
    for (int64_t photo = first; photo < end; photo++) {
        inc_call_item(t, call, photo, thread);
        if (!l->adds[0]) continue;
        uint8_t *into = inc_view_at(t, &dx, photo, 0), *left = inc_slot_at(t, call->temporary);
        t->passes->add(into, left + (size_t)thread * temporary_bytes(t, &dx), 1, inc_view_count(t, &dx), into);
    }
}

/* ---- the walk ---- */

/* Photos come with their channels interleaved; the first convolution takes planes. */
static void load(const inc_trainer *t, int thread)
{
    inc_view view = inc_view_value(t, t->graph->input);
    int64_t first, end, size = view.pixels * view.channels;
    inc_share(t, thread, t->how.batch, &first, &end);
    for (int64_t photo = first; photo < end; photo++) {
        void *to = inc_view_at(t, &view, photo, 0);
        const float *from = t->inputs + photo * size;
        for (int64_t c = 0; c < view.channels; c++)
            for (int64_t p = 0; p < view.pixels; p++)
                inc_store_element(to, c * view.pixels + p, from[p * view.channels + c], view.type);
    }
}

/* Of the layers until the `end`-th in the order of the steps. Each layer's weights are one thread's; which, does not
 * matter. */
static void pack(inc_trainer *t, size_t end, bool backward, int thread)
{
    if (end > t->layer_count) end = t->layer_count;
    for (size_t i = atomic_load(&t->next); i < end;) {
        if (!atomic_compare_exchange_weak(&t->next, &i, i + 1)) continue; /* i is what another thread left */
        const inc_layer *l = &t->layers[backward ? t->layer_count - 1 - i : i];
        if (l->operation == &inc_train_conv) (backward ? inc_pack_backward : inc_pack_forward)(t, l, thread);
        i = atomic_load(&t->next);
    }
    inc_pool_meet(t->how.pool);
}

static void walk_forward(void *context, int thread)
{
    inc_trainer *t = context;
    int before = inc_alone_enter();
    load(t, thread);
    pack(t, t->layer_count, false, thread);
    for (size_t i = 0; i < t->layer_count; i++) {
        t->layers[i].operation->forward(t, &t->layers[i], thread);
        inc_pool_meet(t->how.pool);
    }
    inc_alone_leave(before);
}

static void walk_backward(void *context, int thread)
{
    inc_trainer *t = context;
    int before = inc_alone_enter();
    for (size_t i = 0; i < t->layer_count; i++) {
        const inc_layer *l = &t->layers[t->layer_count - 1 - i];
        if (i % INC_PACKED_LAYERS == 0) pack(t, i + INC_PACKED_LAYERS, true, thread);
        if (!t->wanted[l->out]) continue;
        l->operation->backward(t, l, thread);
        inc_pool_meet(t->how.pool);
    }
    inc_alone_leave(before);
}

static inception_status walk(inc_trainer *t, inc_work *work, inception_error *error)
{
    atomic_store(&t->next, 0);
    atomic_store(&t->failed, false);
    inc_pool_run(t->how.pool, work, t);
    return t->failed ? inc_fail_onednn(error, "training", "step") : INCEPTION_OK;
}

inception_status inc_trainer_forward(inc_trainer *t, const float *inputs, uint64_t noise, inception_error *error)
{
    t->inputs = inputs;
    t->noise = noise;
    return walk(t, walk_forward, error);
}

inception_status inc_trainer_backward(inc_trainer *t, inception_error *error)
{
    return walk(t, walk_backward, error);
}

/* ---- what goes in and out ---- */

void inc_trainer_read(const inc_trainer *t, uint32_t value, float *out)
{
    inc_view view = inc_view_value(t, value);
    for (int64_t photo = 0; photo < t->how.batch; photo++)
        for (int64_t p = 0; p < view.pixels; p++)
            for (int64_t c = 0; c < view.channels; c++)
                *out++ = inc_load_element(inc_view_at(t, &view, photo, c / t->block), p * t->block + c % t->block,
                                          view.type);
}

void inc_trainer_push(inc_trainer *t, uint32_t value, const float *gradient)
{
    inc_view view = inc_view_gradient(t, value);
    if (!t->wanted[value]) return;
    for (int64_t photo = 0; photo < t->how.batch; photo++) {
        memset(inc_view_at(t, &view, photo, 0), 0, (size_t)inc_view_count(t, &view) * inc_type_bytes(view.type));
        for (int64_t p = 0; p < view.pixels; p++)
            for (int64_t c = 0; c < view.channels; c++)
                inc_store_element(inc_view_at(t, &view, photo, c / t->block), p * t->block + c % t->block, *gradient++,
                                  view.type);
    }
}
