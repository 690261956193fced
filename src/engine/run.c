/* Running a compiled network: all memory is taken when a run is made, none while it executes.
 *
 * One photo is run by all threads together: each does its parts of a step, then all meet. Of several photos each thread
 * takes one for itself and does all parts of all steps: nobody waits, but each needs the memory of a photo. */
#include "private.h"

#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct inc_run {
    const inc_engine *engine;
    inc_pool *pool;
    dnnl_stream_t *streams; /* [threads] */
    int max_batch;
    int sets;             /* photos at once: 1, or as many as there are threads */
    uint8_t *activations; /* [sets][activation_bytes] */
    uint8_t *scratchpads; /* of oneDNN: [threads] of the first set, whose parts run at once, then one a set */
    uint8_t *scratch;     /* of our kernels */
    size_t argument_count; /* of all parts */
    dnnl_exec_arg_t *arguments; /* [sets][argument_count], in the order of the steps; memory is NULL for our kernels */
    float *answers; /* [max_batch][answer_floats] */
    inception_step *times; /* [step_count]; NULL: nobody wants to know */
    const float *inputs; /* of the run at hand, [count][height][width][channels] */
    int count;
    atomic_bool failed;
};

/* ---- making one ---- */

static size_t scratchpad_step(const inc_engine *e)
{
    return (e->scratchpad_bytes + INC_ALIGNMENT - 1) & ~(size_t)(INC_ALIGNMENT - 1);
}

static uint8_t *pointer_of(const inc_run *run, int set, int part_number, const inc_part *part, const inc_argument *argument)
{
    const inc_engine *e = run->engine;
    switch (argument->source) {
    case INC_FROM_VALUE:
        return run->activations + (size_t)set * e->activation_bytes + e->places[argument->index].offset + argument->offset;
    case INC_FROM_CONSTANT: return (uint8_t *)e->weights + part->constants[argument->index].offset;
    case INC_FROM_SCRATCHPAD: break;
    }
    return run->scratchpads + (size_t)(set ? e->threads + set - 1 : part_number) * scratchpad_step(e);
}

/* How the constant lies: vectors have no layout of their own. */
static bool make_memory(dnnl_memory_t *memory, const inc_engine *e, const inc_part *part, const inc_argument *argument,
                        void *at)
{
    bool vector = argument->source == INC_FROM_CONSTANT && !part->constants[argument->index].layout;
    inc_layout layout = vector ? inc_layout_new(&part->constants[argument->index].count, 1, dnnl_f32, dnnl_a)
                      : argument->source == INC_FROM_CONSTANT   ? part->constants[argument->index].layout
                      : argument->source == INC_FROM_SCRATCHPAD ? part->scratchpad
                                                                : argument->layout;
    bool made = layout && dnnl_memory_create(memory, layout, e->engine, at) == dnnl_success;
    if (vector) inc_layout_free(&layout);
    return made;
}

static inception_status make_arguments(inc_run *run, int set, inception_error *error)
{
    const inc_engine *e = run->engine;
    dnnl_exec_arg_t *next = run->arguments + (size_t)set * run->argument_count;
    for (size_t s = 0; s < e->step_count; s++)
        for (int p = 0; p < e->steps[s].part_count; p++) {
            const inc_part *part = &e->steps[s].parts[p];
            for (int a = 0; part->primitive && a < part->argument_count; a++, next++) {
                const inc_argument *argument = &part->arguments[a];
                next->arg = argument->name;
                if (!make_memory(&next->memory, e, part, argument, pointer_of(run, set, p, part, argument)))
                    return inc_fail_memory(error, 0);
            }
        }
    return INCEPTION_OK;
}

static size_t count_arguments(const inc_engine *e)
{
    size_t count = 0;
    for (size_t s = 0; s < e->step_count; s++)
        for (int p = 0; p < e->steps[s].part_count; p++)
            if (e->steps[s].parts[p].primitive) count += (size_t)e->steps[s].parts[p].argument_count;
    return count;
}

static inception_status take_memory(inc_run *run, inception_error *error)
{
    const inc_engine *e = run->engine;
    size_t sets = (size_t)run->sets, threads = (size_t)e->threads, bytes, scratchpads, answers;
    size_t scratch = sets > 1 && sets * e->scratch_alone > e->scratch_all ? sets * e->scratch_alone : e->scratch_all;
    if (!inc_mul(sets, e->activation_bytes, &bytes) || !inc_mul((size_t)run->max_batch, e->answer_floats, &answers)
        || !inc_mul(threads + sets - 1, scratchpad_step(e), &scratchpads))
        return inc_fail_memory(error, 0);
    run->argument_count = count_arguments(e);
    run->activations = inc_alloc_aligned(bytes, error);
    run->scratchpads = inc_alloc_aligned(scratchpads, error);
    run->scratch = inc_alloc_aligned(scratch, error);
    run->arguments = inc_calloc(sets * run->argument_count, sizeof *run->arguments, error);
    run->answers = inc_calloc(answers, sizeof *run->answers, error);
    run->streams = inc_calloc(threads, sizeof *run->streams, error);
    bool good = run->activations && run->scratchpads && run->scratch && run->arguments && run->answers && run->streams;
    return good ? INCEPTION_OK : INCEPTION_MEMORY;
}

inc_run *inc_run_new(const inc_engine *engine, int max_batch, inception_error *error)
{
    inc_run *run = inc_calloc(1, sizeof *run, error);
    if (!run) return NULL;
    run->engine = engine;
    run->max_batch = max_batch;
    run->sets = max_batch < engine->threads ? 1 : engine->threads;
    inception_status status = take_memory(run, error);
    for (int t = 0; t < engine->threads && !status; t++)
        if (dnnl_stream_create(&run->streams[t], engine->engine, dnnl_stream_default_flags) != dnnl_success)
            status = inc_fail_onednn(error, "CPU", "stream");
    for (int set = 0; set < run->sets && !status; set++) status = make_arguments(run, set, error);
    if (!status) run->pool = inc_pool_new(engine->threads, error);
    if (run->pool) return run;
    inc_run_free(run);
    return NULL;
}

void inc_run_free(inc_run *run)
{
    if (!run) return;
    inc_pool_free(run->pool);
    for (size_t i = 0; run->arguments && i < (size_t)run->sets * run->argument_count; i++)
        if (run->arguments[i].memory) dnnl_memory_destroy(run->arguments[i].memory);
    for (int t = 0; run->streams && t < run->engine->threads; t++)
        if (run->streams[t]) dnnl_stream_destroy(run->streams[t]);
    free(run->streams);
    free(run->activations);
    free(run->scratchpads);
    free(run->scratch);
    free(run->arguments);
    free(run->answers);
    free(run->times);
    free(run);
}

/* ---- a photo ---- */

/* Threads that run a photo together, and one of them. */
typedef struct team {
    int set, member, members;
} team;

static void *memory_of(const inc_run *run, int set, uint32_t value)
{
    return run->activations + (size_t)set * run->engine->activation_bytes + run->engine->places[value].offset;
}

/* The member's share of the photo: interleaved channels, as photos come, to planes, as the first convolution takes them. */
static void load(const inc_run *run, const team *t, const float *input)
{
    const inc_place *place = &run->engine->places[run->engine->input];
    void *to = memory_of(run, t->set, run->engine->input);
    int64_t pixels = place->height * place->width, end = pixels * (t->member + 1) / t->members;
    for (int64_t c = 0; c < place->channels; c++)
        for (int64_t p = pixels * t->member / t->members; p < end; p++)
            inc_store_element(to, c * pixels + p, input[p * place->channels + c], place->type);
}

static void save_answer(const inc_run *run, int set, const inc_answer *answer, float *out)
{
    const inc_engine *e = run->engine;
    const inc_place *place = &e->places[answer->value];
    const void *from = memory_of(run, set, answer->value);
    int64_t pixels = place->height * place->width, block = e->block;
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t c = 0; c < place->channels; c++)
            out[p * place->channels + c] =
                inc_load_element(from, (c / block * pixels + p) * block + c % block, place->type);
}

static void run_kernel(const inc_run *run, const team *t, const inc_step *step, int phase)
{
    const inc_part *part = step->parts;
    uint8_t *at[INC_MAX_ARGUMENTS] = {NULL};
    for (int a = 0; a < part->argument_count; a++) at[a] = pointer_of(run, t->set, 0, part, &part->arguments[a]);
    if (step->int8) {
        inc_int8_run(step->int8, &(inc_int8_data){.packed = at[0], .src = at[1], .dst = at[2]}, t->member, t->members);
        return;
    }
    const inc_fewer_data data = {
        .packed = (const float *)at[0], .src = at[1], .dst = at[2], .bias = (const float *)at[3],
        .scratch = (float *)(run->scratch + (t->members > 1 ? 0 : (size_t)t->set * run->engine->scratch_alone)),
    };
    inc_fewer_run(step->fewer, phase, &data, t->member, t->members);
}

/* The member's parts of the step; `arguments` are those of the step. */
static void run_parts(inc_run *run, const team *t, const inc_step *step, const dnnl_exec_arg_t *arguments)
{
    dnnl_stream_t stream = run->streams[t->set + t->member];
    for (int p = 0; p < step->part_count; p++) {
        const inc_part *part = &step->parts[p];
        if (p % t->members == t->member
            && dnnl_primitive_execute(part->primitive, stream, part->argument_count, arguments) != dnnl_success)
            atomic_store(&run->failed, true);
        arguments += part->argument_count;
    }
}

static void meet(const inc_run *run, const team *t)
{
    if (t->members > 1) inc_pool_meet(run->pool);
}

static void run_steps(inc_run *run, const team *t)
{
    const inc_engine *e = run->engine;
    const dnnl_exec_arg_t *arguments = run->arguments + (size_t)t->set * run->argument_count;
    bool timed = run->times && t->set == 0 && t->member == 0;
    double before = timed ? omp_get_wtime() : 0;
    for (size_t s = 0; s < e->step_count; s++) {
        const inc_step *step = &e->steps[s];
        int phases = step->fewer ? inc_fewer_phases(step->fewer, t->members) : 1;
        for (int phase = 0; phase < phases; phase++) {
            if (!step->parts->primitive) run_kernel(run, t, step, phase);
            else run_parts(run, t, step, arguments);
            meet(run, t);
        }
        for (int p = 0; p < step->part_count && step->parts->primitive; p++) arguments += step->parts[p].argument_count;
        if (!timed) continue;
        double after = omp_get_wtime();
        run->times[s].seconds += after - before;
        before = after;
    }
}

static void run_photo(inc_run *run, const team *t, int photo)
{
    const inc_engine *e = run->engine;
    const inc_place *in = &e->places[e->input];
    load(run, t, run->inputs + photo * in->height * in->width * in->channels);
    meet(run, t);
    run_steps(run, t);
    for (size_t a = 0; a < e->answer_count && t->member == 0; a++)
        save_answer(run, t->set, &e->answers[a], run->answers + (size_t)photo * e->answer_floats + e->answers[a].offset);
    meet(run, t); /* the next photo's memory is this one's */
}

static void run_photos(void *context, int thread)
{
    inc_run *run = context;
    int apart = run->sets > 1 ? run->count - run->count % run->sets : 0;
    int before = inc_alone_enter();
    for (int photo = thread; photo < apart; photo += run->sets) run_photo(run, &(team){thread, 0, 1}, photo);
    if (apart && apart < run->count) inc_pool_meet(run->pool);
    for (int photo = apart; photo < run->count; photo++)
        run_photo(run, &(team){0, thread, run->engine->threads}, photo);
    inc_alone_leave(before);
}

inception_status inc_run_execute(inc_run *run, const float *inputs, int count, inception_error *error)
{
    run->inputs = inputs;
    run->count = count;
    atomic_store(&run->failed, false);
    for (size_t s = 0; run->times && s < run->engine->step_count; s++) run->times[s].seconds = 0;
    inc_pool_run(run->pool, run_photos, run);
    return run->failed ? inc_fail_onednn(error, "run", "step") : INCEPTION_OK;
}

void inc_run_share(inc_run *run, inc_work *work, void *context)
{
    inc_pool_run(run->pool, work, context);
}

void inc_run_read(const inc_run *run, int photo, uint32_t value, float *out)
{
    const inc_engine *e = run->engine;
    const inc_place *place = &e->places[value];
    for (size_t a = 0; a < e->answer_count; a++)
        if (e->answers[a].value == value)
            memcpy(out, run->answers + (size_t)photo * e->answer_floats + e->answers[a].offset,
                   (size_t)(place->height * place->width * place->channels) * sizeof *out);
}

/* ---- times ---- */

bool inc_run_timed(inc_run *run, bool timed)
{
    const inc_engine *e = run->engine;
    if (!timed) free(run->times), run->times = NULL;
    else if (!run->times) run->times = calloc(e->step_count, sizeof *run->times);
    for (size_t s = 0; run->times && s < e->step_count; s++)
        run->times[s] = (inception_step){e->steps[s].name, e->steps[s].kind, e->steps[s].multiply_adds, 0};
    return run->times || !timed;
}

const inception_step *inc_run_steps(const inc_run *run, size_t *count)
{
    *count = run->times ? run->engine->step_count : 0;
    return run->times;
}
