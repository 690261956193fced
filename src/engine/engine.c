/* The life of a compiled network. */
#include "private.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

/* Does oneDNN use all of these instructions here? It can be told not to by ONEDNN_MAX_CPU_ISA, and we follow. */
static bool cpu_has(unsigned isa)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & isa) == isa;
}

int inc_engine_granularity(void)
{
    return cpu_has(dnnl_cpu_isa_avx512_core) ? 16 : 8;
}

inception_status inc_fail_onednn(inception_error *error, const char *name, const char *what)
{
    return inc_fail(error, INCEPTION_INTERNAL, "%s: oneDNN %d.%d refused the %s", name, DNNL_VERSION_MAJOR,
                    DNNL_VERSION_MINOR, what);
}

int inc_threads_enter(int threads)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    return before;
}

void inc_threads_leave(int before)
{
    omp_set_num_threads(before);
}

bool inc_engine_supports(inception_precision precision)
{
    return precision == INCEPTION_PRECISION_F32 || cpu_has(dnnl_cpu_isa_avx512_core_bf16);
}

inc_engine *inc_engine_compile(const inc_graph *graph, inception_precision precision, int threads,
                               inception_error *error)
{
    inc_engine *engine = inc_calloc(1, sizeof *engine, error);
    if (!engine) return NULL;
    int before = inc_threads_enter(threads); /* kernels are chosen for the number of threads */
    engine->precision = precision;
    engine->threads = threads;
    engine->block = inc_engine_granularity();
    engine->kernels = cpu_has(dnnl_cpu_isa_avx2);
    inception_status status = dnnl_engine_create(&engine->engine, dnnl_cpu, 0) == dnnl_success
                                ? INCEPTION_OK : inc_fail_onednn(error, "CPU", "engine");
    if (!status) status = inc_lower(engine, graph, error);
    if (!status) status = inc_pack(engine, error);
    inc_threads_leave(before);
    if (!status) return engine;
    inc_engine_free(engine);
    return NULL;
}

void inc_engine_free(inc_engine *engine)
{
    if (!engine) return;
    for (size_t i = 0; i < engine->step_count; i++) {
        if (engine->steps[i].primitive) dnnl_primitive_destroy(engine->steps[i].primitive);
        inc_layout_free(&engine->steps[i].scratchpad);
        free(engine->steps[i].fewer);
    }
    for (size_t i = 0; i < engine->constant_count; i++) {
        if (engine->constants[i].memory) dnnl_memory_destroy(engine->constants[i].memory);
        inc_layout_free(&engine->constants[i].layout);
        inc_layout_free(&engine->constants[i].plain);
    }
    for (size_t i = 0; i < engine->place_count; i++) inc_layout_free(&engine->places[i].layout);
    if (engine->engine) dnnl_engine_destroy(engine->engine);
    free(engine->steps);
    free(engine->constants);
    free(engine->places);
    free(engine->packed);
    inc_arena_free(&engine->names);
    free(engine);
}

void inc_softmax(const float *logits, int count, float *probabilities)
{
    float largest = logits[0];
    double sum = 0;
    for (int i = 1; i < count; i++) largest = fmaxf(largest, logits[i]);
    for (int i = 0; i < count; i++) sum += exp((double)logits[i] - largest);
    for (int i = 0; i < count; i++) probabilities[i] = (float)(exp((double)logits[i] - largest) / sum);
}

/* The best of a few tries: what slows one down is not the units. */
double inc_peak(inception_precision precision, int threads)
{
    enum { TRIES = 8 };
    if (precision != INCEPTION_PRECISION_F32 || !cpu_has(dnnl_cpu_isa_avx2)) return 0;
    int lanes = inc_engine_granularity();
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        uint64_t done = 0;
        double began = omp_get_wtime();
#pragma omp parallel num_threads(threads) reduction(+ : done)
        {
            float sink;
            done += inc_peak_work(lanes, 4000000, &sink);
        }
        best = fmax(best, (double)done / (omp_get_wtime() - began));
    }
    return best;
}
