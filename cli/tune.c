/* Training by gradients, step after step: what begins, goes on, is measured each epoch, and kept.
 *
 * In the folder of a run lie `checkpoint.safetensors`, written after each epoch, every ten minutes and at Ctrl-C, and
 * `best.safetensors`, the one of the epoch with the best validation. Both are model files. What is told between epochs (the
 * best so far) stands in the checkpoint; an epoch that ended with a checkpoint and was not measured is measured again. */
#include "train.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_BETWEEN 600 /* checkpoints */
#define PATH 4200

static const char *const optimiser_choices[] = {"rmsprop", "momentum", "adam", NULL};
static const char *const precisions[] = {"f32", "bf16", NULL}; /* the first of inception_precision */
static const char *const schedule_choices[] = {"fixed", "exponential", "cosine", NULL};

#define FIELD(name) offsetof(tune_settings, name)

const option_row tune_rows[] = {
    {"unfreeze", 0, "SCOPE", OPTION_LIST, FIELD(unfreeze),
     "after the output layer train these layers too, from where it is: beginnings of the names of variables, such as "
     "Mixed_7c, separated by commas; all: every layer", 0, 0, NULL},
    {"from-scratch", 0, NULL, OPTION_FLAG, FIELD(from_scratch),
     "train all layers of the network that --network names, from random values", 0, 0, NULL},
    {"epochs", 'e', "N", OPTION_INT, FIELD(epochs), "times that every photo is seen; default 5, from scratch 100", 1,
     1000000, NULL},
    {"batch", 'b', "N", OPTION_INT, FIELD(batch), "photos in a batch; default 32", 1, 4096, NULL},
    {"accumulate", 0, "N", OPTION_INT, FIELD(accumulate), "batches in a step, whose gradients are added up; default 1", 1,
     4096, NULL},
    {"optimiser", 0, "RULE", OPTION_CHOICE, FIELD(optimiser), "rmsprop (default), momentum, adam", 0, 0, optimiser_choices},
    {"rate", 'r', "R", OPTION_DOUBLE, FIELD(rate), "of learning; default 0.0001, from scratch 0.01", 1e-12, 1e6, NULL},
    {"schedule", 0, "S", OPTION_CHOICE, FIELD(schedule),
     "of the rate: fixed (default); exponential, by 0.94 every second epoch (default from scratch); cosine, down to 0", 0, 0,
     schedule_choices},
    {"warm-up", 0, "N", OPTION_DOUBLE, FIELD(warm_up), "epochs in which the rate rises from 0; default 0", 0, 1e6, NULL},
    {"momentum", 0, "M", OPTION_DOUBLE, FIELD(momentum), "of rmsprop and momentum; default 0.9", 0, 1, NULL},
    {"epsilon", 0, "E", OPTION_DOUBLE, FIELD(epsilon), "default 1 of rmsprop, as TF-Slim has it, and 1e-8 of adam", 0, 1e6,
     NULL},
    {"weight-decay", 0, "W", OPTION_DOUBLE, FIELD(weight_decay), "pull of the weights to 0; default 0.00004", 0, 1e3, NULL},
    {"label-smoothing", 0, "P", OPTION_DOUBLE, FIELD(label_smoothing),
     "part of each target that is shared out among all classes; default 0", 0, 1, NULL},
    {"mix-up", 0, "A", OPTION_DOUBLE, FIELD(mix_up),
     "photos of a step are mixed in pairs, by a part from the beta distribution of A; default 0: they are not", 0, 1, NULL},
    {"cut-mix", 0, "A", OPTION_DOUBLE, FIELD(cut_mix),
     "photos of a step exchange a rectangle in pairs, its area from the beta distribution of A; with --mix-up every second "
     "step or so; default 0: they do not", 0, 1, NULL},
    {"dropout", 0, "P", OPTION_DOUBLE, FIELD(dropout), "part that dropout takes away; default 0.2", 0, 0.99, NULL},
    {"average-decay", 0, "D", OPTION_DOUBLE, FIELD(average_decay),
     "the model gets moving averages of the variables, which keep this part of themselves each step; default 0: its "
     "variables", 0, 1, NULL},
    {"batch-statistics", 0, NULL, OPTION_FLAG, FIELD(batch_statistics),
     "normalise by the mean and variance of the batch, and move the kept ones (always, from scratch)", 0, 0, NULL},
    {"norm-decay", 0, "D", OPTION_DOUBLE, FIELD(norm_decay),
     "the part that those keep in a batch; default 0.9997, and from scratch 0.99, or as much less as lets them settle in a "
     "tenth of all steps", 0, 1, NULL},
    {"slow-augmentation", 0, NULL, OPTION_FLAG, FIELD(slow),
     "distort photos in all of TF-Slim's ways: four kinds of resizing, hue and contrast", 0, 0, NULL},
    {"smallest-crop", 0, "P", OPTION_DOUBLE, FIELD(smallest_crop),
     "part of a photo that a crop of it has at least; default 0.1, as TF-Slim has it", 1e-9, 1, NULL},
    {"patience", 0, "N", OPTION_INT, FIELD(patience), "stop after N epochs without a better validation; default: do not", 1,
     1000000, NULL},
    {"resume", 0, NULL, OPTION_FLAG, FIELD(resume), "go on with a run that was stopped, from its last checkpoint", 0, 0,
     NULL},
    {"precision", 0, "TYPE", OPTION_CHOICE, FIELD(precision),
     "of what training multiplies: f32 (default), or bf16, which is faster and wants a CPU with instructions for it", 0, 0,
     precisions},
    {.name = NULL},
};

typedef struct best_so_far {
    int epoch; /* 0: none yet */
    size_t right;
    double loss;
} best_so_far;

typedef struct tuning {
    const tune_task *task;
    inception_training *training;
    cli_feed *feed;
    size_t *which, count, photos; /* learnt from; in a step */
    int batch, accumulate;
    uint64_t steps;
    inception_rate rate;
    char checkpoint[PATH], best_path[PATH], described[1024];
    best_so_far best;
    tune_log *log;
    bool spoilt;
    double saved;  /* when, in seconds */
} tuning;

/* ---- What follows from the options ---- */

static int epochs_of(const tune_settings *how)
{
    return how->epochs ? how->epochs : how->from_scratch ? 100 : 5;
}

static uint64_t steps_until(const tuning *t, double epoch)
{
    return (uint64_t)ceil(epoch * (double)t->count / (double)t->photos);
}

static int epoch_of(const tuning *t, uint64_t step)
{
    return (int)(step * t->photos / t->count);
}

/* The statistics of batch norm begin at 0 and 1, and a tenth of the steps must be enough to forget that. */
static double norm_decay_of(const tuning *t)
{
    const tune_settings *how = t->task->how;
    if (how->norm_decay >= 0) return how->norm_decay;
    return how->from_scratch ? fmin(0.99, fmax(0.5, 1 - 10 / (double)t->steps)) : 0.9997;
}

static double epsilon_of(const tune_settings *how)
{
    return how->epsilon >= 0 ? how->epsilon : how->optimiser == INCEPTION_ADAM ? 1e-8 : 1;
}

/* A step sees no photo twice. */
static void set_steps(tuning *t)
{
    const tune_settings *how = t->task->how;
    const size_t batch = (size_t)how->batch < t->count ? (size_t)how->batch : t->count, most = t->count / batch;
    t->batch = (int)batch;
    t->accumulate = (size_t)how->accumulate < most ? how->accumulate : (int)most;
    t->photos = batch * (size_t)t->accumulate;
    if (t->photos < (size_t)how->batch * (size_t)how->accumulate && !t->task->quiet)
        complain("there are %zu photos to learn from, and a step is of %zu", t->count, t->photos);
    inception_schedule schedule = how->from_scratch ? INCEPTION_SCHEDULE_EXPONENTIAL : INCEPTION_SCHEDULE_FIXED;
    if (how->schedule != SCHEDULE_AUTO) schedule = (inception_schedule)how->schedule;
    t->steps = steps_until(t, epochs_of(how));
    t->rate = (inception_rate){
        .schedule = schedule, .rate = how->rate > 0 ? how->rate : how->from_scratch ? 0.01 : 0.0001, .factor = 0.94,
        .interval = steps_until(t, 2), .warm_up = steps_until(t, how->warm_up), .steps = t->steps,
    };
}

/* The photos, what they show and are for. */
static void print_photos(const tuning *t, FILE *stream)
{
    const cli_dataset *set = t->task->set;
    for (size_t i = 0; i < set->count; i++) {
        fprintf(stream, "%s %s %d", set->examples[i].digest, set->examples[i].name, t->task->parts[i]);
        for (int c = 0; c < set->classes; c++) fputs(dataset_shows(set, i, c) ? " 1" : " 0", stream);
        fputc('\n', stream);
    }
}

static void print_class_weights(const tuning *t, FILE *stream)
{
    const cli_dataset *set = t->task->set;
    for (int c = 0; c < set->classes; c++) fprintf(stream, "%s %.17g\n", set->labels[c], t->task->class_weights[c]);
}

static void print_scopes(const tuning *t, FILE *stream)
{
    const string_list *unfreeze = &t->task->how->unfreeze;
    for (size_t i = 0; i < unfreeze->count; i++) fprintf(stream, "%s%s", i ? "," : "", unfreeze->items[i]);
}

/* The hash of what is long. */
static bool hash_of(const tuning *t, void (*print)(const tuning *t, FILE *stream), char digest[DIGEST_TEXT])
{
    char *text = NULL;
    inception_error error = {0};
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream) print(t, stream);
    bool good = stream && fclose(stream) == 0 && extras(NULL)->digest_bytes(text, size, "SHA256", digest, &error);
    free(text);
    return good;
}

/* All that the variables after so many steps depend on; a run can be resumed with the same only. The seed comes first: it
 * decides what photos are for. */
static exit_code describe(tuning *t)
{
    const tune_task *task = t->task;
    const tune_settings *how = task->how;
    char photos[DIGEST_TEXT], weights[DIGEST_TEXT], scopes[DIGEST_TEXT];
    bool good = hash_of(t, print_photos, photos) && hash_of(t, print_class_weights, weights);
    if (!good || !hash_of(t, print_scopes, scopes)) return complain_memory();
    snprintf(t->described, sizeof t->described,
             "seed=%llu photos=%.16s class-weights=%.8s source=%.16s layer=%s network=%s depth=%g/%d input-size=%d "
             "trained=%.80s/%.8s epochs=%d "
             "batch=%d accumulate=%d optimiser=%s rate=%.12g schedule=%s warm-up=%.12g momentum=%.12g epsilon=%.12g "
             "weight-decay=%.12g label-smoothing=%.12g mix-up=%.12g cut-mix=%.12g dropout=%.12g average-decay=%.12g "
             "batch-statistics=%d norm-decay=%.12g augmentation=%s smallest-crop=%.12g patience=%d precision=%s",
             (unsigned long long)task->seed, photos, weights, *task->source ? task->source : "-",
             task->layer ? task->layer : "-",
             *task->source ? "-" : inception_network_find(task->model.network)->name, /* or the weights tell it */
             task->model.depth_multiplier, task->model.min_depth, task->model.width,
             how->from_scratch ? "from-scratch" : how->unfreeze.items[0], scopes, epochs_of(how), t->batch, t->accumulate,
             optimiser_choices[how->optimiser], t->rate.rate, schedule_choices[t->rate.schedule], how->warm_up,
             how->momentum, epsilon_of(how), how->weight_decay, how->label_smoothing, how->mix_up, how->cut_mix,
             how->dropout, how->average_decay, how->from_scratch || how->batch_statistics, norm_decay_of(t),
             how->slow ? "slow" : "fast", how->smallest_crop, how->patience, precisions[how->precision]);
    return EXIT_FINE;
}

/* ---- Checkpoints ---- */

static exit_code write_state(const tuning *t, const char *path)
{
    char best[96];
    inception_error error = {0};
    snprintf(best, sizeof best, "%d %zu %.17g", t->best.epoch, t->best.right, t->best.loss);
    const inception_text texts[] = {{"training", t->described}, {"training_best", best}};
    return inception_training_write(t->training, path, texts, COUNT(texts), &error) ? complain_error(&error) : EXIT_FINE;
}

static exit_code save(tuning *t)
{
    exit_code code = write_state(t, t->checkpoint);
    t->saved = progress_now();
    return code;
}

/* The first word that differs. */
static exit_code complain_differs(const tuning *t, const char *before)
{
    const char *now = t->described;
    while (*now && strcspn(now, " ") == strcspn(before, " ") && strncmp(now, before, strcspn(now, " ")) == 0) {
        now += strcspn(now, " "), before += strcspn(before, " ");
        now += strspn(now, " "), before += strspn(before, " ");
    }
    complain("%s: was begun with %.*s, not %.*s; --resume wants the same photos and options", t->checkpoint,
             (int)strcspn(before, " "), before, (int)strcspn(now, " "), now);
    return EXIT_DATA;
}

static exit_code resume(tuning *t)
{
    const char *key, *value, *before = "", *best = "";
    inception_error error = {0};
    inception_weights *weights = inception_weights_open(t->checkpoint, &error);
    for (size_t i = 0; weights && inception_weights_text(weights, i, &key, &value); i++) {
        if (strcmp(key, "training") == 0) before = value;
        if (strcmp(key, "training_best") == 0) best = value;
    }
    exit_code code = weights ? EXIT_FINE : complain_error(&error);
    if (!code && strcmp(before, t->described) != 0) code = complain_differs(t, before);
    bool good = sscanf(best, "%d %zu %lg", &t->best.epoch, &t->best.right, &t->best.loss) == 3;
    inception_weights_close(&weights);
    if (!code && inception_training_resume(t->training, t->checkpoint, &error)) code = complain_error(&error);
    const uint64_t at = code ? 0 : inception_training_steps(t->training);
    good = good && at <= t->steps && t->best.epoch >= 0 && t->best.epoch <= epoch_of(t, at)
        && t->best.right <= t->task->set->count;
    if (code || good) return code;
    complain("%s: damaged: its step or its best epoch cannot be", t->checkpoint);
    return EXIT_DATA;
}

/* ---- Steps ---- */

/* An epoch is over: its checkpoint is measured, and kept if it is better than all before. */
static exit_code end_epoch(tuning *t, int epoch)
{
    const tune_task *task = t->task;
    const uint64_t step = inception_training_steps(t->training);
    verdict v;
    exit_code code = judge(task->set, task->parts, t->checkpoint, &task->model, &v);
    if (code) return code;
    bool better = !t->best.epoch || v.right > t->best.right || (v.right == t->best.right && v.loss < t->best.loss);
    if (better) t->best = (best_so_far){epoch, v.right, v.loss};
    if (better) code = write_state(t, t->best_path);
    const double rate = inception_rate_at(&t->rate, step - 1);
    if (!code) tune_log_epoch(t->log, step, epoch, v, better, rate, t->checkpoint);
    return code;
}

static exit_code step(tuning *t, uint64_t number)
{
    const float *inputs, *targets, *weights;
    inception_losses losses;
    inception_error error = {0};
    if (!feed_take(t->feed, &inputs, &targets, &weights, &error))
        return error.status ? complain_error(&error) : EXIT_INTERRUPTED;
    if (number == 0) tune_log_inputs(t->log, inception_training_input(t->training), inputs, t->photos);
    inception_training_step(t->training, inputs, targets, weights, inception_rate_at(&t->rate, number), &losses, &error);
    feed_release(t->feed);
    t->spoilt = error.status != INCEPTION_OK; /* the variables are no use */
    if (t->spoilt) return complain_error(&error);
    tune_log_step(t->log, number + 1, epoch_of(t, number) + 1, &losses);
    return EXIT_FINE;
}

static bool impatient(const tuning *t, int epoch)
{
    return t->task->how->patience && epoch - t->best.epoch >= t->task->how->patience;
}

static exit_code run_steps(tuning *t)
{
    exit_code code = EXIT_FINE;
    uint64_t at = inception_training_steps(t->training);
    if (at && at == steps_until(t, epoch_of(t, at)) && t->best.epoch < epoch_of(t, at))
        code = end_epoch(t, epoch_of(t, at)); /* it was stopped between the checkpoint and the end of this */
    while (!code && at < t->steps && !impatient(t, epoch_of(t, at))) {
        code = step(t, at);
        if (t->spoilt) return code;
        if (!code) at++;
        const int epoch = epoch_of(t, at);
        const bool ends = !code && at == steps_until(t, epoch);
        if (interrupted()) code = EXIT_INTERRUPTED;
        if (ends || code || progress_now() - t->saved > SECONDS_BETWEEN) {
            exit_code saved = save(t);
            if (saved) return saved;
        }
        if (ends && !code) code = end_epoch(t, epoch);
    }
    return code;
}

/* ---- The run ---- */

static inception_training_options training_options(const tuning *t, const char **scopes, int scope_count)
{
    const tune_task *task = t->task;
    const tune_settings *how = task->how;
    inception_training_options o;
    inception_training_options_default(&o);
    o.model = task->model;
    o.model.precision = (inception_precision)how->precision;
    o.labels = (const char *const *)task->set->labels, o.class_count = task->set->classes;
    o.scopes = scopes, o.scope_count = scope_count;
    o.batch = t->batch, o.accumulate = t->accumulate, o.optimiser = (inception_optimiser)how->optimiser;
    o.batch_statistics = how->from_scratch || how->batch_statistics;
    o.momentum = how->momentum, o.epsilon = epsilon_of(how), o.norm_decay = norm_decay_of(t), o.keep = 1 - how->dropout;
    o.weight_decay = how->weight_decay, o.label_smoothing = how->label_smoothing, o.average_decay = how->average_decay;
    o.several_labels = task->set->several;
    o.seed = task->seed;
    return o;
}

/* The scopes of all --unfreeze, one by one; none where one of them is "all". `text` holds them. */
static int list_scopes(const tune_settings *how, char *text, const char **scopes)
{
    int count = 0;
    for (size_t i = 0; i < how->unfreeze.count; i++) {
        strcpy(text, how->unfreeze.items[i]);
        for (char *rest = NULL, *scope = strtok_r(text, ",", &rest); scope; scope = strtok_r(NULL, ",", &rest)) {
            if (strcmp(scope, "all") == 0) return 0;
            scopes[count++] = scope;
        }
        text += strlen(how->unfreeze.items[i]) + 1;
    }
    return count;
}

static exit_code open_training(tuning *t)
{
    const tune_settings *how = t->task->how;
    size_t bytes = 1;
    for (size_t i = 0; i < how->unfreeze.count; i++) bytes += strlen(how->unfreeze.items[i]) + 1;
    char *text = malloc(bytes);
    const char **scopes = calloc(bytes, sizeof *scopes);
    inception_error error = {0};
    if (text && scopes) {
        inception_training_options o = training_options(t, scopes, list_scopes(how, text, scopes));
        t->training = inception_training_open(t->task->start, &o, &error);
    }
    free(text);
    free(scopes);
    return t->training ? EXIT_FINE : error.status ? complain_error(&error) : complain_memory();
}

static exit_code open_feed(tuning *t)
{
    const tune_task *task = t->task;
    const uint64_t at = inception_training_steps(t->training);
    inception_error error = {0};
    const feed_settings settings = {
        .set = task->set, .which = t->which, .count = t->count, .batch = t->photos,
        .input = *inception_training_input(t->training), .class_weights = task->class_weights, .mix_up = task->how->mix_up,
        .cut_mix = task->how->cut_mix,
        .seed = task->seed, .first = at, .end = t->steps, .threads = task->model.threads,
        .distortion = {.slow = task->how->slow, .smallest_crop = task->how->smallest_crop},
    };
    const tune_facts facts = {.epochs = epochs_of(task->how), .photos = t->photos, .first = at, .steps = t->steps,
                              .quiet = task->quiet};
    t->saved = progress_now();
    t->log = tune_log_open(&facts, task->folder, task->start, &task->model, &error);
    if (t->log) t->feed = feed_open(&settings, &error);
    return t->feed ? EXIT_FINE : complain_error(&error);
}

exit_code tune(const tune_task *task, char *best, size_t size)
{
    tuning t = {.task = task};
    snprintf(t.checkpoint, sizeof t.checkpoint, "%s/checkpoint.safetensors", task->folder);
    snprintf(t.best_path, sizeof t.best_path, "%s/best.safetensors", task->folder);
    t.which = calloc(task->set->count, sizeof *t.which);
    for (size_t i = 0; i < task->set->count && t.which; i++)
        if (task->parts[i] == INCEPTION_TRAIN) t.which[t.count++] = i;
    if (t.which) set_steps(&t);
    exit_code code = t.which ? open_training(&t) : complain_memory();
    if (!code) code = describe(&t);
    if (!code && task->how->resume) code = resume(&t);
    if (!code) code = open_feed(&t);
    if (!code) code = run_steps(&t);
    tune_log_close(&t.log);
    if (code == EXIT_INTERRUPTED && !task->quiet)
        complain("stopped after step %llu of %llu; --resume goes on",
                 (unsigned long long)inception_training_steps(t.training), (unsigned long long)t.steps);
    feed_close(&t.feed);
    inception_training_close(&t.training);
    free(t.which);
    snprintf(best, size, "%s", t.best_path);
    return code;
}

bool tune_begun(const char *folder)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", folder);
    return path_exists(path);
}

void tune_clean(const char *folder)
{
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (dataset_is_of_run(entry->d_name)) unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing) closedir(listing);
}
