/* Running a compiled network: all memory is taken when a run is made, none while it executes. */
#include "private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct inc_run {
    const inc_engine *engine;
    dnnl_stream_t stream;
    int max_batch;
    uint8_t *activations; /* [max_batch][activation_bytes] */
    uint8_t *scratchpad;
    dnnl_memory_t *values;     /* [max_batch][place_count]; NULL where a value is not used */
    dnnl_memory_t *scratchpads; /* [step_count] */
    dnnl_exec_arg_t *arguments; /* [max_batch][step_count][INC_MAX_ARGUMENTS] */
    inception_step *times; /* [step_count]; NULL: nobody wants to know */
};

static inception_status make_values(inc_run *run, int photo, inception_error *error)
{
    const inc_engine *e = run->engine;
    for (size_t v = 0; v < e->place_count; v++) {
        const inc_place *place = &e->places[v];
        if (!place->layout) continue;
        void *at = run->activations + (size_t)photo * e->activation_bytes + place->offset;
        if (dnnl_memory_create(&run->values[(size_t)photo * e->place_count + v], place->layout, e->engine, at))
            return inc_fail_memory(error, 0);
    }
    return INCEPTION_OK;
}

/* Of our own kernels, which take pointers. */
static void *pointer_of(const inc_run *run, int photo, const inc_argument *argument)
{
    const inc_engine *e = run->engine;
    if (argument->source == INC_FROM_CONSTANT) return e->packed + e->constants[argument->index].offset;
    return run->activations + (size_t)photo * e->activation_bytes + e->places[argument->index].offset;
}

static dnnl_memory_t memory_of(const inc_run *run, int photo, size_t step, const inc_argument *argument)
{
    switch (argument->source) {
    case INC_FROM_VALUE: return run->values[(size_t)photo * run->engine->place_count + argument->index];
    case INC_FROM_CONSTANT: return run->engine->constants[argument->index].memory;
    case INC_FROM_SCRATCHPAD: break;
    }
    return run->scratchpads[step];
}

static inception_status make_arguments(inc_run *run, inception_error *error)
{
    const inc_engine *e = run->engine;
    for (size_t s = 0; s < e->step_count; s++)
        if (e->steps[s].scratchpad
            && dnnl_memory_create(&run->scratchpads[s], e->steps[s].scratchpad, e->engine, run->scratchpad))
            return inc_fail_memory(error, 0);
    for (int photo = 0; photo < run->max_batch; photo++) {
        inception_status status = make_values(run, photo, error);
        if (status) return status;
        for (size_t s = 0; s < e->step_count; s++)
            for (int a = 0; e->steps[s].primitive && a < e->steps[s].argument_count; a++) {
                const inc_argument *argument = &e->steps[s].arguments[a];
                run->arguments[((size_t)photo * e->step_count + s) * INC_MAX_ARGUMENTS + (size_t)a] =
                    (dnnl_exec_arg_t){argument->name, memory_of(run, photo, s, argument)};
            }
    }
    return INCEPTION_OK;
}

inc_run *inc_run_new(const inc_engine *engine, int max_batch, inception_error *error)
{
    inc_run *run = inc_calloc(1, sizeof *run, error);
    if (!run) return NULL;
    size_t batch = (size_t)max_batch, bytes;
    run->engine = engine;
    run->max_batch = max_batch;
    if (!inc_mul(batch, engine->activation_bytes, &bytes)) {
        inc_fail_memory(error, 0);
        goto failed;
    }
    run->activations = inc_alloc_aligned(bytes, error);
    run->scratchpad = inc_alloc_aligned(engine->scratchpad_bytes, error);
    run->values = inc_calloc(batch * engine->place_count, sizeof *run->values, error);
    run->scratchpads = inc_calloc(engine->step_count, sizeof *run->scratchpads, error);
    run->arguments = inc_calloc(batch * engine->step_count * INC_MAX_ARGUMENTS, sizeof *run->arguments, error);
    if (!run->activations || !run->scratchpad || !run->values || !run->scratchpads || !run->arguments) goto failed;
    if (dnnl_stream_create(&run->stream, engine->engine, dnnl_stream_default_flags) != dnnl_success) {
        inc_fail_onednn(error, "CPU", "stream");
        goto failed;
    }
    if (make_arguments(run, error)) goto failed;
    return run;

failed:
    inc_run_free(run);
    return NULL;
}

void inc_run_free(inc_run *run)
{
    if (!run) return;
    const inc_engine *e = run->engine;
    for (size_t i = 0; run->values && i < (size_t)run->max_batch * e->place_count; i++)
        if (run->values[i]) dnnl_memory_destroy(run->values[i]);
    for (size_t s = 0; run->scratchpads && s < e->step_count; s++)
        if (run->scratchpads[s]) dnnl_memory_destroy(run->scratchpads[s]);
    if (run->stream) dnnl_stream_destroy(run->stream);
    free(run->activations);
    free(run->scratchpad);
    free(run->values);
    free(run->scratchpads);
    free(run->arguments);
    free(run->times);
    free(run);
}

/* bfloat16: the upper half of a float32, rounded to the nearest, ties to even. Values are finite. */
static uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float from_bf16(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Interleaved channels, as photos come, to planes, as the first convolution takes them. */
static void load(inc_run *run, int photo, const float *input)
{
    const inc_engine *e = run->engine;
    const inc_place *place = &e->places[e->input];
    void *to = run->activations + (size_t)photo * e->activation_bytes + place->offset;
    int64_t pixels = place->height * place->width;
    for (int64_t c = 0; c < place->channels; c++)
        for (int64_t p = 0; p < pixels; p++) {
            float value = input[p * place->channels + c];
            if (place->type == dnnl_f32) ((float *)to)[c * pixels + p] = value;
            else ((uint16_t *)to)[c * pixels + p] = to_bf16(value);
        }
}

static bool execute_step(const inc_run *run, size_t s, int photo)
{
    const inc_engine *e = run->engine;
    const inc_step *step = &e->steps[s];
    if (step->primitive)
        return dnnl_primitive_execute(step->primitive, run->stream, step->argument_count,
                                      &run->arguments[((size_t)photo * e->step_count + s) * INC_MAX_ARGUMENTS])
            == dnnl_success;
    const inc_argument *a = step->arguments;
    bool biased = a[1].name == DNNL_ARG_BIAS;
    inc_fewer_run(step->fewer, pointer_of(run, photo, &a[1 + biased]), pointer_of(run, photo, &a[0]),
                  biased ? pointer_of(run, photo, &a[1]) : NULL, pointer_of(run, photo, &a[2 + biased]),
                  (float *)run->scratchpad, e->threads);
    return true;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static inception_status execute(inc_run *run, int count, inception_error *error)
{
    const inc_engine *e = run->engine;
    double before = run->times ? now() : 0;
    for (size_t s = 0; s < e->step_count; s++) {
        for (int photo = 0; photo < count; photo++)
            if (!execute_step(run, s, photo)) return inc_fail_onednn(error, "run", "step");
        if (!run->times) continue;
        double after = now();
        run->times[s].seconds = after - before;
        before = after;
    }
    return dnnl_stream_wait(run->stream) == dnnl_success ? INCEPTION_OK : inc_fail_onednn(error, "run", "stream");
}

inception_status inc_run_execute(inc_run *run, const float *inputs, int count, inception_error *error)
{
    const inc_place *place = &run->engine->places[run->engine->input];
    for (int photo = 0; photo < count; photo++)
        load(run, photo, inputs + photo * place->height * place->width * place->channels);
    int before = inc_threads_enter(run->engine->threads);
    inception_status status = execute(run, count, error);
    inc_threads_leave(before);
    return status;
}

void inc_run_read(const inc_run *run, int photo, uint32_t value, float *out)
{
    const inc_engine *e = run->engine;
    const inc_place *place = &e->places[value];
    const void *from = run->activations + (size_t)photo * e->activation_bytes + place->offset;
    int64_t pixels = place->height * place->width, block = e->block;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < place->channels; c++) {
            int64_t at = (c / block * pixels + p) * block + c % block;
            out[p * place->channels + c] =
                place->type == dnnl_f32 ? ((const float *)from)[at] : from_bf16(((const uint16_t *)from)[at]);
        }
}

bool inc_run_timed(inc_run *run, bool timed)
{
    const inc_engine *e = run->engine;
    free(run->times);
    run->times = timed ? calloc(e->step_count, sizeof *run->times) : NULL;
    for (size_t s = 0; run->times && s < e->step_count; s++)
        run->times[s] = (inception_step){e->steps[s].name, e->steps[s].kind, e->steps[s].multiply_adds, 0};
    return run->times || !timed;
}

const inception_step *inc_run_steps(const inc_run *run, size_t *count)
{
    *count = run->times ? run->engine->step_count : 0;
    return run->times;
}
