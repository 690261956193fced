/* inception bench: how fast, how much memory, and how far from what the machine can do. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LEAST_RUNS 5

typedef struct bench_options {
    common_settings common;
    model_settings model;
    photo_settings photos;
    int format, batch, threads;
    double seconds;
    bool layers;
} bench_options;

static const char *const choices[] = {"text", "json", "jsonl", NULL};

static const option_row rows[] = {
    {"batch", 'b', "N", OPTION_INT, offsetof(bench_options, batch), "photos that are run at once; default 1", 1, 1024, NULL},
    {"threads", 't', "N", OPTION_INT, offsetof(bench_options, threads), "default: the CPUs this process may use", 1, 1024,
     NULL},
    {"seconds", 's', "S", OPTION_DOUBLE, offsetof(bench_options, seconds), "how long to measure each network; default 3",
     0.01, 3600, NULL},
    {"layers", 0, NULL, OPTION_FLAG, offsetof(bench_options, layers), "the time of every step of a run too", 0, 0, NULL},
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(bench_options, format), "text (default), json or jsonl", 0, 0,
     choices},
    {"json", 'j', NULL, OPTION_SET, offsetof(bench_options, format), "same as --format=json", FORMAT_JSON, 0, NULL},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"Weights", model_rows, offsetof(bench_options, model)},
    {"", network_rows, offsetof(bench_options, model)},
    {"", precision_rows, offsetof(bench_options, model)},
    {"Photos", photo_rows, offsetof(bench_options, photos)},
    {"General", common_rows, offsetof(bench_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception bench -n v3                  untrained weights: needs no file",
    "inception bench -m v3 -m v4 --layers   the weights in the cache, in detail",
    "inception bench -n v3 photos/          preparing these photos too",
    NULL,
};

/* What was measured of one network. Times are seconds. */
typedef struct bench_result {
    const inception_model_info *info;
    double open, first;       /* opening the weights, the first run */
    double *runs, total;      /* [count], those after it, in order of length; their sum */
    size_t count;
    double peak;              /* multiply-adds a second that the machine can do; 0: not known */
    const inception_step *steps; /* NULL: nobody asked */
    double *step_totals;      /* [step_count], of all runs */
    size_t step_count;
    double decode, prepare;   /* of all photos that could be read */
    int photos;
} bench_result;

/* ---- Measuring ---- */

static int by_length(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static bool add_run(bench_result *result, double seconds)
{
    if (result->count % 64 == 0) {
        double *more = realloc(result->runs, (result->count + 64) * sizeof *more);
        if (!more) return false;
        result->runs = more;
    }
    result->runs[result->count++] = seconds;
    result->total += seconds;
    for (size_t i = 0; i < result->step_count; i++) result->step_totals[i] += result->steps[i].seconds;
    return true;
}

static bool watch_steps(bench_result *result, inception_session *session, inception_error *error)
{
    if (inception_session_time(session, true, error)) return false;
    result->steps = inception_session_steps(session, &result->step_count);
    result->step_totals = calloc(result->step_count, sizeof *result->step_totals);
    if (!result->step_totals) fail(error, INCEPTION_MEMORY, "out of memory");
    return result->step_totals != NULL;
}

/* Runs until the time is up. The first run is not like the others: memory is touched for the first time. */
static bool measure_runs(const bench_options *options, bench_result *result, inception_session *session,
                         const float *inputs, inception_error *error)
{
    double began = progress_now();
    if (inception_session_run(session, inputs, options->batch, NULL, NULL, error)) return false;
    result->first = progress_now() - began;
    if (options->layers && !watch_steps(result, session, error)) return false;
    began = progress_now();
    while (result->count < LEAST_RUNS || (progress_now() - began < options->seconds && !interrupted())) {
        double before = progress_now();
        if (inception_session_run(session, inputs, options->batch, NULL, NULL, error)) return false;
        if (!add_run(result, progress_now() - before)) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    }
    qsort(result->runs, result->count, sizeof *result->runs, by_length);
    return true;
}

/* Each photo is decoded and prepared by one thread, as in a run over many. */
static exit_code measure_photos(const bench_options *options, bench_result *result, char **operands, int count,
                                float *prepared)
{
    exit_code code = EXIT_FINE;
    inception_error error = {0};
    cli_photo photo;
    photo_settings settings = options->photos;
    photos_decode_for(&settings, &result->info->input);
    photo_walk *walk = photos_open(&settings, operands, count, &error);
    if (!walk) return complain_error(&error);
    while (photos_next(walk, &photo, &error)) {
        double began = progress_now();
        inception_image *image = error.status ? NULL : photo_decode(&photo, &settings, &error);
        double decoded = progress_now();
        if (image && !inception_prepare(&result->info->input, image, prepared, &error)) {
            result->decode += decoded - began;
            result->prepare += progress_now() - decoded;
            result->photos++;
        } else {
            complain_input(photo.path, &error);
            code = EXIT_SOME;
        }
        inception_image_free(&image);
        error = (inception_error){0};
    }
    photos_close(&walk);
    return code;
}

/* ---- Telling ---- */

static double median_of(const bench_result *result)
{
    return (result->runs[(result->count - 1) / 2] + result->runs[result->count / 2]) / 2;
}

static double quantile(const bench_result *result, double part)
{
    size_t i = (size_t)ceil(part * (double)result->count);
    return result->runs[i ? i - 1 : 0];
}

static double memory_of_process(void) /* bytes, the most so far */
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? 1024.0 * (double)usage.ru_maxrss : 0;
}

/* Part of the machine's peak that `multiply_adds` in `seconds` are; 0: not known. */
static double share(const bench_result *result, double multiply_adds, double seconds)
{
    return result->peak > 0 && seconds > 0 ? multiply_adds / seconds / result->peak : 0;
}

/* Of what is counted: bytes are no floating point. */
static const char *unit_of(const bench_result *result)
{
    return result->info->precision == INCEPTION_PRECISION_INT8 ? "GOP" : "GFLOP";
}

static void tell_layers(const bench_options *options, const bench_result *result)
{
    double explained = 0, runs = (double)result->count;
    printf("\n  %8s %7s/s %6s  %-24s %s\n", "ms", unit_of(result), "peak", "computed by", "layer");
    for (size_t i = 0; i < result->step_count; i++) {
        const inception_step *step = &result->steps[i];
        double seconds = result->step_totals[i] / runs, work = (double)step->multiply_adds * options->batch;
        explained += seconds;
        printf("  %8.3f ", 1e3 * seconds);
        if (step->multiply_adds) printf("%9.1f %5.0f%%", 2e-9 * work / seconds, 100 * share(result, work, seconds));
        else printf("%9s %6s", "", "");
        printf("  %-24s %s\n", step->kind, step->name);
    }
    printf("  %8.3f of %.3f ms are these steps\n", 1e3 * explained, 1e3 * result->total / runs);
}

static void tell_text(const bench_options *options, const bench_result *result)
{
    const inception_model_info *info = result->info;
    double batch = options->batch, median = median_of(result) / batch, work = (double)info->multiply_adds;
    char bytes[BYTES_TEXT];
    printf("%s, %s, %d thread%s, batch %d\n", info->network->title, precision_choices[info->precision],
           info->threads, info->threads == 1 ? "" : "s", options->batch);
    printf("  a photo   %8.2f ms median of %zu, %.2f ms at 99%%, %.1f photos/s\n", 1e3 * median, result->count,
           1e3 * quantile(result, 0.99) / batch, 1 / median);
    if (result->peak > 0)
        printf("  limit     %8.2f ms: %.2f %s at the %.0f %s/s of this machine; %.2f of it are taken\n",
               1e3 * work / result->peak, 2e-9 * work, unit_of(result), 2e-9 * result->peak, unit_of(result),
               median * result->peak / work);
    printf("  start     %8.2f ms to open the weights, %.2f ms for the first run\n", 1e3 * result->open,
           1e3 * result->first);
    printf("  memory    %8s at most so far\n", bytes_text((uint64_t)memory_of_process(), bytes));
    if (result->photos) {
        double decode = result->decode / result->photos, prepare = result->prepare / result->photos;
        printf("  photos    %8.2f ms to decode, %.2f ms to prepare, mean of %d by one thread\n", 1e3 * decode,
               1e3 * prepare, result->photos);
        printf("  together  %8.2f ms a photo on all threads, %.1f photos/s at most\n",
               1e3 * (median + (decode + prepare) / info->threads), 1 / (median + (decode + prepare) / info->threads));
    }
    if (options->layers) tell_layers(options, result);
}

static json_t *steps_json(const bench_options *options, const bench_result *result)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < result->step_count; i++) {
        const inception_step *step = &result->steps[i];
        double seconds = result->step_totals[i] / (double)result->count;
        json_array_append_new(steps, json_pack("{s:s, s:s, s:f, s:I, s:f}", "layer", step->name, "kind", step->kind, "ms",
                                               1e3 * seconds, "multiply_adds", (json_int_t)step->multiply_adds, "share",
                                               share(result, (double)step->multiply_adds * options->batch, seconds)));
    }
    return steps;
}

static json_t *result_json(const bench_options *options, const bench_result *result)
{
    const inception_model_info *info = result->info;
    double batch = options->batch, median = median_of(result) / batch;
    json_t *object = json_pack(
        "{s:s, s:s, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "network", info->network->name, "precision",
        precision_choices[info->precision], "batch", options->batch, "threads", info->threads, "runs",
        (json_int_t)result->count, "median_ms", 1e3 * median, "p99_ms", 1e3 * quantile(result, 0.99) / batch,
        "photos_per_second", 1 / median, "open_ms", 1e3 * result->open, "first_ms", 1e3 * result->first, "peak_gflops",
        2e-9 * result->peak, "limit_ms", result->peak > 0 ? 1e3 * (double)info->multiply_adds / result->peak : 0.0,
        "memory_bytes", (json_int_t)memory_of_process());
    if (object && result->photos) {
        json_object_set_new(object, "decode_ms", json_real(1e3 * result->decode / result->photos));
        json_object_set_new(object, "prepare_ms", json_real(1e3 * result->prepare / result->photos));
    }
    if (object && options->layers) json_object_set_new(object, "layers", steps_json(options, result));
    return object;
}

/* ---- One network ---- */

/* Inputs that are neither zeros nor all alike; what they are does not matter for the time. */
static float *make_inputs(const inception_input *input, int batch)
{
    size_t count = (size_t)input->width * (size_t)input->height * 3 * (size_t)batch;
    float *inputs = malloc(count * sizeof *inputs);
    for (size_t i = 0; inputs && i < count; i++) inputs[i] = (float)(i * 7919 % 2001) / 1000 - 1;
    return inputs;
}

static exit_code measure(const bench_options *options, const char *path, const inception_network *network,
                         char **photos, int photo_count, cli_records *records)
{
    inception_error error = {0};
    inception_model_options wanted = model_options(&options->model, network, options->common.quiet);
    bench_result result = {0};
    exit_code code = EXIT_FINE;
    wanted.threads = options->threads;
    double began = progress_now();
    inception_model *model = inception_model_open(path, &wanted, &error);
    inception_session *session = model ? inception_session_open(model, options->batch, &error) : NULL;
    result.open = progress_now() - began;
    if (model) result.info = inception_model_get_info(model);
    float *inputs = session ? make_inputs(&result.info->input, options->batch) : NULL;
    if (session && !inputs) fail(&error, INCEPTION_MEMORY, "out of memory");
    if (inputs) result.peak = inception_peak(result.info->precision, result.info->threads);
    if (!inputs || !measure_runs(options, &result, session, inputs, &error)) code = complain_error(&error);
    if (!code && photo_count) code = measure_photos(options, &result, photos, photo_count, inputs);
    if ((!code || code == EXIT_SOME) && records->format == FORMAT_TEXT) tell_text(options, &result);
    else if (!code || code == EXIT_SOME) records_add(records, result_json(options, &result));
    free(inputs);
    free(result.runs);
    free(result.step_totals);
    inception_session_close(&session);
    inception_model_close(&model);
    return code;
}

static exit_code run(void *given, char **operands, int count)
{
    bench_options *options = given;
    const model_settings *settings = &options->model;
    const inception_network *network;
    exit_code code = network_check("bench", settings->network, &network), worst = EXIT_FINE;
    if (code) return code;
    options->photos.net.quiet = options->common.quiet;
    cli_records records = {.format = options->format};
    records_begin(&records);
    catch_interrupts();
    bool untrained = !settings->models.count && network;
    if (untrained) worst = measure(options, NULL, network, operands, count, &records);
    for (size_t i = 0; !untrained && !interrupted() && (i == 0 || i < settings->models.count); i++) {
        char path[4096];
        const char *name = settings->models.count ? settings->models.items[i] : NULL;
        code = model_find(name, &options->photos.net, path, sizeof path, &network);
        if (!code) code = measure(options, path, network, operands, count, &records);
        if (code) worst = code;
    }
    code = records_end(&records);
    if (!code) code = output_flush();
    return code ? code : interrupted() ? EXIT_INTERRUPTED : worst;
}

const cli_command bench_command = {
    .name = "bench",
    .summary = "measure speed and memory",
    .operands = "[PHOTO...]",
    .about = "Measures how long networks take for a photo, beside what the machine's arithmetic units could do; with "
             "photos, how long decoding and preparing them takes too. A limit is that of direct convolutions: layers that "
             "are computed with fewer multiplications may be faster.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(bench_options),
    .defaults = &(const bench_options){.batch = 1, .seconds = 3},
    .max_operands = INT32_MAX,
    .run = run,
};
