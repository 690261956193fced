/* Brings weights from the checkpoint's order into the order each primitive asked for, all into one block of memory. */
#include "private.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The constant's channels, multiplied by its scale, one row behind the other. */
static void gather(const inc_constant *constant, float *out)
{
    const float *from = constant->data + constant->first;
    const float *scale = constant->scale ? constant->scale + constant->first : NULL;
    for (int64_t row = 0; row < constant->rows; row++, from += constant->total, out += constant->count)
        for (int64_t c = 0; c < constant->count; c++) out[c] = scale ? from[c] * scale[c] : from[c];
}

static bool reorder(inc_engine *engine, dnnl_stream_t stream, const inc_constant *constant, void *from)
{
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t source = NULL, target = NULL;
    void *to = engine->packed + constant->offset;
    bool good = dnnl_memory_create(&source, constant->plain, engine->engine, from) == dnnl_success
             && dnnl_memory_create(&target, constant->layout, engine->engine, to) == dnnl_success
             && inc_describe_reorder(engine->engine, constant->plain, constant->layout, &description)
             && dnnl_primitive_create(&primitive, description) == dnnl_success;
    if (good) {
        dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
        good = dnnl_primitive_execute(primitive, stream, 2, arguments) == dnnl_success
            && dnnl_stream_wait(stream) == dnnl_success;
    }
    if (primitive) dnnl_primitive_destroy(primitive);
    if (description) dnnl_primitive_desc_destroy(description);
    if (source) dnnl_memory_destroy(source);
    if (target) dnnl_memory_destroy(target);
    return good;
}

/* What the threads share while they pack. */
typedef struct packing {
    inc_engine *e;
    const inc_graph *graph;
    atomic_size_t next; /* step */
    size_t scratch_floats;
    inception_error *errors; /* [threads] */
} packing;

static void pack_one(const packing *p, dnnl_stream_t stream, inc_constant *constant, float *scratch,
                     inception_error *error)
{
    inc_engine *e = p->e;
    if (constant->int8) {
        inc_pack_int8(p->graph, constant, e->packed + constant->offset, error);
    } else if (constant->fewer) {
        inc_fewer_pack(constant->fewer, constant->data, constant->scale, (float *)(e->packed + constant->offset));
    } else if (!constant->layout) {
        gather(constant, (float *)(e->packed + constant->offset));
    } else {
        gather(constant, scratch);
        if (!reorder(e, stream, constant, scratch)) inc_fail_onednn(error, "weights", "reorder");
    }
    memset(e->packed + constant->offset + constant->bytes, 0, -constant->bytes & (INC_ALIGNMENT - 1)); /* goes to a file */
    constant->data = constant->scale = NULL; /* the graph may go */
    constant->node = NULL;
}

static void pack_steps(void *context, int thread)
{
    packing *p = context;
    inc_engine *e = p->e;
    inception_error *error = &p->errors[thread];
    int before = inc_alone_enter();
    dnnl_stream_t stream = NULL;
    float *scratch = inc_alloc_aligned(p->scratch_floats * sizeof *scratch, error);
    if (dnnl_stream_create(&stream, e->engine, dnnl_stream_default_flags) != dnnl_success)
        inc_fail_onednn(error, "weights", "stream");
    size_t s;
    while ((s = atomic_fetch_add(&p->next, 1)) < e->step_count && !error->status)
        for (int i = 0; i < e->steps[s].part_count; i++) {
            inc_part *part = &e->steps[s].parts[i];
            for (int c = 0; c < part->constant_count && !error->status; c++)
                pack_one(p, stream, &part->constants[c], scratch, error);
        }
    if (stream) dnnl_stream_destroy(stream);
    free(scratch);
    inc_alone_leave(before);
}

/* Gives every constant its place; returns the bytes of all. The form tells this packing from every other one. */
static size_t place_constants(inc_engine *e, size_t *largest)
{
    size_t total = 0;
    *largest = 0;
    e->form = 0;
    for (size_t s = 0; s < e->step_count; s++)
        for (int i = 0; i < e->steps[s].part_count; i++)
            for (int c = 0; c < e->steps[s].parts[i].constant_count; c++) {
                inc_constant *constant = &e->steps[s].parts[i].constants[c];
                if (constant->layout) constant->bytes = inc_layout_size(constant->layout);
                constant->offset = total;
                total += (constant->bytes + INC_ALIGNMENT - 1) & ~(size_t)(INC_ALIGNMENT - 1);
                uint64_t here[] = {e->form, constant->bytes, (uint64_t)constant->rows, (uint64_t)constant->first,
                                   (uint64_t)constant->count, constant->layout ? inc_layout_hash(constant->layout) : 0};
                e->form = inc_hash(here, sizeof here);
                size_t floats = (size_t)(constant->rows * constant->count);
                if (floats > *largest) *largest = floats;
            }
    return total;
}

inception_status inc_pack(inc_engine *e, const inc_graph *graph, inc_pool *pool, inception_error *error)
{
    packing p = {.e = e, .graph = graph};
    e->weight_bytes = place_constants(e, &p.scratch_floats);
    p.errors = inc_calloc((size_t)e->threads, sizeof *p.errors, error);
    e->weights = e->packed = inc_alloc_aligned(e->weight_bytes, error);
    inception_status status = p.errors && e->packed ? INCEPTION_OK : INCEPTION_MEMORY;
    if (!status) inc_pool_run(pool, pack_steps, &p);
    for (int t = 0; t < e->threads && !status; t++)
        if (p.errors[t].status) status = inc_pass(error, &p.errors[t]);
    free(p.errors);
    return status;
}

/* ---- weights that were packed before ---- */

typedef struct checking {
    const inc_packed *packed;
    atomic_size_t next; /* chunk */
    atomic_bool damaged;
} checking;

/* Reading them through also brings them into memory, where the first run wants them. */
static void check_chunks(void *context, int thread)
{
    checking *c = context;
    const inc_packed *packed = c->packed;
    size_t i;
    (void)thread;
    while ((i = atomic_fetch_add(&c->next, 1)) < (packed->bytes + packed->chunk - 1) / packed->chunk) {
        size_t at = i * packed->chunk, size = packed->bytes - at < packed->chunk ? packed->bytes - at : packed->chunk;
        uint64_t wanted;
        memcpy(&wanted, packed->hashes + i * sizeof wanted, sizeof wanted);
        if (inc_hash(packed->data + at, size) != wanted) atomic_store(&c->damaged, true);
    }
}

inception_status inc_take_packed(inc_engine *e, const inc_packed *packed, inc_pool *pool, inception_error *error)
{
    size_t largest;
    checking c = {.packed = packed};
    e->weight_bytes = place_constants(e, &largest);
    e->weights = packed->data;
    if (e->weight_bytes != packed->bytes || e->form != packed->form)
        return inc_fail(error, INCEPTION_MISMATCH, "packed weights: %zu bytes and not %zu, or others", packed->bytes,
                        e->weight_bytes);
    inc_pool_run(pool, check_chunks, &c);
    return c.damaged ? inc_fail(error, INCEPTION_DATA, "packed weights: a checksum does not match") : INCEPTION_OK;
}
