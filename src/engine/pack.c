/* Brings weights from the checkpoint's order into the order each primitive asked for, all into one block of memory. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

/* Copies `bytes` of the constant's data with its scale multiplied in (along the fastest dimension). */
static void fill_scaled(const inc_constant *constant, float *out, size_t bytes)
{
    size_t count = bytes / sizeof *out;
    for (size_t i = 0; i < count;)
        for (int64_t c = 0; c < constant->scale_count; c++, i++) out[i] = constant->data[i] * constant->scale[c];
}

static bool reorder(inc_engine *engine, dnnl_stream_t stream, const inc_constant *constant, void *from)
{
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t source = NULL;
    bool good = dnnl_memory_create(&source, constant->plain, engine->engine, from) == dnnl_success
             && inc_describe_reorder(engine->engine, constant->plain, constant->layout, &description)
             && dnnl_primitive_create(&primitive, description) == dnnl_success;
    if (good) {
        dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, constant->memory}};
        good = dnnl_primitive_execute(primitive, stream, 2, arguments) == dnnl_success
            && dnnl_stream_wait(stream) == dnnl_success;
    }
    if (primitive) dnnl_primitive_destroy(primitive);
    if (description) dnnl_primitive_desc_destroy(description);
    if (source) dnnl_memory_destroy(source);
    return good;
}

static size_t packed_bytes(const inc_constant *constant)
{
    return constant->fewer ? inc_fewer_packed_bytes(constant->fewer) : inc_layout_size(constant->layout);
}

static inception_status pack_one(inc_engine *engine, dnnl_stream_t stream, inc_constant *constant, float *scratch,
                                 inception_error *error)
{
    void *place = engine->packed + constant->offset;
    if (constant->fewer) {
        inc_fewer_pack(constant->fewer, constant->data, constant->scale, place);
        return INCEPTION_OK;
    }
    void *from = (void *)constant->data; /* only read */
    if (constant->scale_count) {
        fill_scaled(constant, scratch, inc_layout_size(constant->plain));
        from = scratch;
    }
    if (dnnl_memory_create(&constant->memory, constant->layout, engine->engine, place) != dnnl_success)
        return inc_fail_memory(error, 0);
    if (!reorder(engine, stream, constant, from)) return inc_fail_onednn(error, "weights", "reorder");
    constant->data = constant->scale = NULL; /* the graph may go */
    return INCEPTION_OK;
}

inception_status inc_pack(inc_engine *engine, inception_error *error)
{
    size_t total = 0, largest = 0;
    for (size_t i = 0; i < engine->constant_count; i++) {
        inc_constant *constant = &engine->constants[i];
        size_t plain = constant->fewer ? 0 : inc_layout_size(constant->plain);
        constant->offset = total;
        total += (packed_bytes(constant) + INC_ALIGNMENT - 1) & ~(size_t)(INC_ALIGNMENT - 1);
        if (constant->scale_count && plain > largest) largest = plain;
    }
    engine->packed = inc_alloc_aligned(total, error);
    float *scratch = inc_alloc_aligned(largest, error);
    dnnl_stream_t stream = NULL;
    inception_status status = engine->packed && scratch ? INCEPTION_OK : INCEPTION_MEMORY;
    if (!status && dnnl_stream_create(&stream, engine->engine, dnnl_stream_default_flags) != dnnl_success)
        status = inc_fail_onednn(error, "weights", "stream");
    for (size_t i = 0; i < engine->constant_count && !status; i++)
        status = pack_one(engine, stream, &engine->constants[i], scratch, error);
    if (stream) dnnl_stream_destroy(stream);
    free(scratch);
    return status;
}
