/* The life of a compiled network. */
#include "private.h"

#include <math.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
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

bool inc_engine_vectors(void)
{
    return cpu_has(dnnl_cpu_isa_avx2);
}

inception_status inc_fail_onednn(inception_error *error, const char *name, const char *what)
{
    return inc_fail(error, INCEPTION_INTERNAL, "%s: oneDNN %d.%d refused the %s", name, DNNL_VERSION_MAJOR,
                    DNNL_VERSION_MINOR, what);
}

int inc_alone_enter(void)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    return before;
}

void inc_alone_leave(int before)
{
    omp_set_num_threads(before);
}

bool inc_engine_supports(inception_precision precision)
{
    switch (precision) {
    case INCEPTION_PRECISION_F32: return true;
    case INCEPTION_PRECISION_BF16: return cpu_has(dnnl_cpu_isa_avx512_core_bf16);
    case INCEPTION_PRECISION_INT8: return cpu_has(dnnl_cpu_isa_avx512_core_vnni);
    case INCEPTION_PRECISION_AUTO: return true;
    }
    return false;
}

/* Multiply-adds a second on this thread. */
static double race(inc_unit unit, uint64_t rounds, int tries)
{
    double best = 0;
    float sink;
    for (int i = 0; i < tries; i++) {
        double began = omp_get_wtime();
        uint64_t done = inc_peak_work(unit, rounds, &sink);
        best = fmax(best, (double)done / (omp_get_wtime() - began));
    }
    return best;
}

inception_precision inc_engine_fastest(bool ranges)
{
    enum { ROUNDS = 20000, TRIES = 3 };
    if (ranges && inc_engine_supports(INCEPTION_PRECISION_INT8)) return INCEPTION_PRECISION_INT8;
    if (!inc_engine_supports(INCEPTION_PRECISION_BF16)) return INCEPTION_PRECISION_F32;
    bool pays = cpu_has(dnnl_cpu_isa_avx512_core_amx)
             || race(INC_UNIT_BF16, ROUNDS, TRIES) > 1.5 * race(INC_UNIT_16, ROUNDS, TRIES);
    return pays ? INCEPTION_PRECISION_BF16 : INCEPTION_PRECISION_F32;
}

/* Raised when the same graph and oneDNN would be packed in another way than before. */
#define PACKING 2

void inc_engine_key(char *text, size_t size, inception_precision precision, int threads)
{
    const dnnl_version_t *onednn = dnnl_version();
    snprintf(text, size, "packing %d, oneDNN %d.%d.%d on %x, precision %d, threads %d", PACKING, onednn->major,
             onednn->minor, onednn->patch, (unsigned)dnnl_get_effective_cpu_isa(), (int)precision, threads);
}

static inception_status compile(inc_engine *engine, const inc_graph *graph, const inc_packed *packed, inc_pool *pool,
                                inception_error *error)
{
    if (dnnl_engine_create(&engine->engine, dnnl_cpu, 0) != dnnl_success) return inc_fail_onednn(error, "CPU", "engine");
    inception_status status = inc_lower(engine, graph, pool, error);
    if (status) return status;
    return packed ? inc_take_packed(engine, packed, pool, error) : inc_pack(engine, graph, pool, error);
}

inc_engine *inc_engine_compile_packed(const inc_graph *graph, inception_precision precision, int threads,
                                      const inc_packed *packed, inception_error *error)
{
    inc_engine *engine = inc_calloc(1, sizeof *engine, error);
    inc_pool *pool = engine ? inc_pool_new(threads, error) : NULL;
    inception_status status = INCEPTION_MEMORY;
    if (pool) {
        engine->precision = precision;
        engine->threads = threads;
        engine->block = inc_engine_granularity();
        engine->kernels = inc_engine_vectors();
        status = compile(engine, graph, packed, pool, error);
    }
    inc_pool_free(pool);
    if (!status) return engine;
    inc_engine_free(engine);
    return NULL;
}

inc_engine *inc_engine_compile(const inc_graph *graph, inception_precision precision, int threads,
                               inception_error *error)
{
    return inc_engine_compile_packed(graph, precision, threads, NULL, error);
}

const uint8_t *inc_engine_weights(const inc_engine *engine, size_t *bytes, uint64_t *form)
{
    *form = engine->form;
    *bytes = engine->weight_bytes;
    return engine->weights;
}

static void free_part(inc_part *part)
{
    if (part->primitive) dnnl_primitive_destroy(part->primitive);
    inc_layout_free(&part->scratchpad);
    for (int i = 0; i < part->argument_count; i++) inc_layout_free(&part->arguments[i].layout);
    for (int i = 0; i < part->constant_count; i++) {
        inc_layout_free(&part->constants[i].layout);
        inc_layout_free(&part->constants[i].plain);
    }
}

void inc_engine_free(inc_engine *engine)
{
    if (!engine) return;
    for (size_t s = 0; s < engine->step_count; s++) {
        inc_step *step = &engine->steps[s];
        for (int p = 0; step->parts && p < step->part_count; p++) free_part(&step->parts[p]);
        free(step->parts);
        free(step->fewer);
        free(step->int8);
    }
    if (engine->engine) dnnl_engine_destroy(engine->engine);
    free(engine->steps);
    free(engine->places);
    free(engine->answers);
    free(engine->packed);
    inc_arena_free(&engine->names);
    free(engine);
}

void inc_softmax(const float *logits, int count, double temperature, float *probabilities)
{
    float largest = logits[0];
    double sum = 0;
    for (int i = 1; i < count; i++) largest = fmaxf(largest, logits[i]);
    for (int i = 0; i < count; i++) sum += exp(((double)logits[i] - largest) / temperature);
    for (int i = 0; i < count; i++) probabilities[i] = (float)(exp(((double)logits[i] - largest) / temperature) / sum);
}

void inc_sigmoid(const float *logits, int count, double temperature, float *probabilities)
{
    for (int i = 0; i < count; i++) probabilities[i] = (float)(1 / (1 + exp(-(double)logits[i] / temperature)));
}

inception_status inc_multiply(const inc_product *p, inception_error *error)
{
    const int64_t m = (int64_t)p->m, n = (int64_t)p->n, k = (int64_t)p->k;
    int before = inc_alone_enter();
    dnnl_status_t done = dnnl_sgemm(p->a_transposed ? 'T' : 'N', p->b_transposed ? 'T' : 'N', m, n, k, 1, p->a,
                                    p->a_transposed ? m : k, p->b, p->b_transposed ? k : n, 0, p->c, n);
    inc_alone_leave(before);
    return done == dnnl_success ? INCEPTION_OK : inc_fail_onednn(error, "output layer", "matrix product");
}

/* What the threads share while they measure. */
typedef struct peak_try {
    inc_unit unit;
    atomic_uint_fast64_t done;
} peak_try;

static void work_in_registers(void *context, int thread)
{
    peak_try *try = context;
    float sink;
    (void)thread;
    atomic_fetch_add(&try->done, inc_peak_work(try->unit, 4000000, &sink));
}

/* The best of a few tries: what slows one down is not the units. */
double inc_peak(inception_precision precision, int threads)
{
    enum { TRIES = 8 };
    peak_try try = {.unit = precision == INCEPTION_PRECISION_BF16   ? INC_UNIT_BF16
                          : precision == INCEPTION_PRECISION_INT8   ? INC_UNIT_INT8
                          : inc_engine_granularity() == 16          ? INC_UNIT_16
                                                                    : INC_UNIT_8};
    bool known = inc_engine_supports(precision) && inc_engine_vectors();
    inc_pool *pool = known ? inc_pool_new(threads, NULL) : NULL;
    double best = 0;
    for (int i = 0; pool && i < TRIES; i++) {
        try.done = 0;
        double began = omp_get_wtime();
        inc_pool_run(pool, work_in_registers, &try);
        best = fmax(best, (double)try.done / (omp_get_wtime() - began));
    }
    inc_pool_free(pool);
    return best;
}
