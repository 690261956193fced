/* inception train: photos in classes -> a model that tells the classes apart. First the network stays as it is; its features
 * of all photos are computed once, and kept; a new output layer is learnt from them. Then, where that is asked for, further
 * layers are trained with it (tune.c); or all of a new network. */
#include "train.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const option_row rows[] = {
    {"output", 'o', "FILE", OPTION_STRING, offsetof(train_options, output),
     "the model file; default: called as the folder, .safetensors, in the current folder", 0, 0, NULL},
    {"layer", 0, "NAME", OPTION_STRING, offsetof(train_options, layer),
     "cut the network behind this layer and teach on the mean of its map; default: the layer before the classifier", 0, 0,
     NULL},
    {"input-size", 0, "N", OPTION_INT, offsetof(train_options, input_size),
     "pixels of the input's sides; default: as the weights say, or the network's own", 1, 4096, NULL},
    {"force", 0, NULL, OPTION_FLAG, offsetof(train_options, force),
     "replace FILE if it is there, and begin anew where a run was stopped", 0, 0, NULL},
    {"class-weights", 0, "W", OPTION_STRING, offsetof(train_options, class_weights),
     "none (default): every photo counts as much; auto: every class does, however few photos it has; or rose=2,tulip=0.5: "
     "so much for each photo of the class, 1 of others",
     0, 0, NULL},
    {"others", 0, "CLASS", OPTION_STRING, offsetof(train_options, others),
     "photos of CLASS are of none of the classes: the model does not answer with it, but learns from it what to turn away",
     0, 0, NULL},
    {"seed", 0, "N", OPTION_SIZE, offsetof(train_options, seed),
     "another one splits the photos in another way; default 0", 0, 0x1p53, NULL},
    {"json", 'j', NULL, OPTION_FLAG, offsetof(train_options, json), "report as JSON", 0, 0, NULL},
    {"threads", 't', "N", OPTION_INT, offsetof(train_options, threads),
     "of the arithmetic, and as many (8 at most) that decode ahead; default: the CPUs this process may use", 1, 1024, NULL},
    {"model", 'm', "MODEL", OPTION_LIST, offsetof(train_options, model.models),
     "weights of the network that is taught: a file, or the name of a network (fetched if it is not in the cache); default: "
     "the best one in the cache",
     0, 0, NULL},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"", network_rows, offsetof(train_options, model)},
    {"Training more than the output layer", tune_rows, offsetof(train_options, tune)},
    {"Downloads", net_rows, offsetof(train_options, net)},
    {"General", common_rows, offsetof(train_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception train flowers/                    flowers.safetensors",
    "inception classify -m flowers.safetensors photo.jpg",
    "inception train -m v3 -o birds.safetensors birds.csv",
    "inception train -m v3 --unfreeze Mixed_7b,Mixed_7c flowers/",
    "inception train -n v2 --depth-multiplier 0.5 --from-scratch flowers/",
    "inception train -m v3 --layer Mixed_7a flowers/    a smaller, faster model",
    NULL,
};

static bool tuned(const train_run *train)
{
    return train->options->tune.from_scratch || train->options->tune.unfreeze.count;
}

/* ---- Before work begins ---- */

/* The name of the folder, or of the CSV file without its ending. */
#define LONGEST_NAME (NAME_MAX - 32) /* bytes; while it is written it is longer */

static char *default_output(const char *path)
{
    char *whole = realpath(path, NULL), *name = NULL; /* a pipe has none */
    const char *last = whole ? strrchr(whole, '/') + 1 : "";
    int length = (int)strlen(last) - (ends_in(last, ".csv") ? 4 : 0);
    if (length == 0) last = "model", length = (int)strlen(last);
    if (asprintf(&name, "%.*s.safetensors", length, last) < 0) name = NULL;
    free(whole);
    return name;
}

/* What belongs to training by gradients, without that. */
static exit_code check_options(const train_options *options)
{
    static const tune_settings defaults = TUNE_DEFAULTS;
    tune_settings given = options->tune;
    given.unfreeze.items = NULL;
    for (size_t i = 0; i < options->tune.unfreeze.count; i++)
        if (options->tune.unfreeze.items[i][strspn(options->tune.unfreeze.items[i], ",")] == '\0')
            return complain_usage("train", "option --unfreeze: '%s' names no layer", options->tune.unfreeze.items[i]);
    if (given.from_scratch && options->layer)
        return complain_usage("train", "options --from-scratch and --layer exclude each other");
    if (!given.from_scratch && !given.unfreeze.count && memcmp(&given, &defaults, sizeof given) != 0)
        return complain_usage("train", "options of 'Training more than the output layer' want --unfreeze or --from-scratch");
    if (inception_precision_supported((inception_precision)given.precision)) return EXIT_FINE;
    complain("this CPU has no instructions for training in bf16");
    return EXIT_DATA;
}

static exit_code check_output(train_run *train, const char *path)
{
    if (!path_exists(path)) {
        complain("%s: no such folder or file", path);
        return EXIT_NO_INPUT;
    }
    train->output = train->options->output ? strdup(train->options->output) : default_output(path);
    if (!train->output) return complain_memory();
    if (ends_in(train->output, ".onnx") || ends_in(train->output, ".ckpt"))
        return complain_usage("train", "option --output: %s: train writes model files; 'inception convert' makes others",
                              train->output);
    struct stat info;
    const bool there = stat(train->output, &info) == 0;
    if (there && !S_ISREG(info.st_mode)) {
        complain("%s: is there already, and no regular file; --output names another", train->output);
        return EXIT_IO;
    }
    if (there && !train->options->force) {
        complain("%s: is there already; --force replaces it, --output names another file", train->output);
        return EXIT_IO;
    }
    const char *slash = strrchr(train->output, '/'), *name = slash ? slash + 1 : train->output;
    if (strlen(name) > LONGEST_NAME) {
        complain("%s: a name of more than %d bytes; --output names a file", train->output, LONGEST_NAME);
        return EXIT_IO;
    }
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - train->output) + 1 : 1, slash ? train->output : ".");
    if (access(folder, W_OK) == 0) return EXIT_FINE;
    complain("%s: cannot be written: no such folder, or no permission", train->output);
    return EXIT_IO;
}

/* Of a checkpoint in several files the index, which has the checksums of the others. */
static exit_code digest_source(train_run *train)
{
    char index[4200];
    struct stat info;
    inception_error error = {0};
    snprintf(index, sizeof index, "%s.index", train->source);
    const char *path = stat(train->source, &info) == 0 && S_ISREG(info.st_mode) ? train->source : index;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        complain("%s: cannot be opened as a file; of a folder name the checkpoint in it", train->source);
        return EXIT_NO_INPUT;
    }
    bool good = extras(NULL)->digest_file(fd, path, 0, "SHA256", train->digest, &error);
    close(fd);
    return good ? EXIT_FINE : complain_error(&error);
}

static void set_sizes(train_run *train)
{
    inception_model_options *model = &train->model_options;
    model->threads = train->options->threads ? train->options->threads : inception_cpu_count();
    model->width = model->height = train->options->input_size;
}

/* A network that begins anew. */
static exit_code choose_network(train_run *train, const inception_network *network)
{
    const tune_settings *how = &train->options->tune;
    if (how->unfreeze.count)
        return complain_usage("train", "options --from-scratch and --unfreeze exclude each other: the first trains all");
    if (train->options->model.models.count)
        return complain_usage("train", "options --from-scratch and --model exclude each other; --network names a network");
    if (!network) return complain_usage("train", "--from-scratch wants a network: --network v2, say");
    train->model_options = model_options(&train->options->model, network, train->options->common.quiet);
    set_sizes(train);
    train->report.network = network->name;
    return EXIT_FINE;
}

static exit_code find_model(train_run *train)
{
    const model_settings *settings = &train->options->model;
    const inception_network *network;
    exit_code code = network_check("train", settings->network, &network);
    if (!code && settings->models.count > 1) code = complain_usage("train", "option --model can be given once");
    if (!code && train->options->tune.from_scratch) return choose_network(train, network);
    const char *name = settings->models.count ? settings->models.items[0] : settings->network;
    if (!code) code = model_find(name, &train->options->net, train->source, sizeof train->source, &network);
    if (!code) code = digest_source(train);
    if (code) return code;
    train->model_options = model_options(settings, network, train->options->common.quiet);
    set_sizes(train);
    train->model_options.final_layer = train->options->layer;
    return EXIT_FINE;
}

/* ---- The output layer ---- */

static exit_code split(train_run *train)
{
    const cli_dataset *set = &train->set;
    const uint64_t seed = train->options->seed;
    inception_error error = {0};
    train->names = calloc(set->count, sizeof *train->names);
    if (set->several) train->labels = calloc(set->count, (size_t)set->classes * sizeof *train->labels);
    else train->classes = calloc(set->count, sizeof *train->classes);
    train->parts = calloc(set->count, sizeof *train->parts);
    train->logits = calloc(set->count * (size_t)set->classes, sizeof *train->logits);
    if (!train->names || (!train->labels && !train->classes) || !train->parts || !train->logits) return complain_memory();
    for (size_t i = 0; i < set->count; i++) {
        train->names[i] = set->examples[i].name;
        if (train->classes) train->classes[i] = set->examples[i].class;
        else memcpy(train->labels + i * (size_t)set->classes, set->examples[i].shows, (size_t)set->classes);
    }
    if (train->labels)
        inception_split_labels(train->names, train->labels, set->count, set->classes, seed, train->parts, &error);
    else inception_split(train->names, train->classes, set->count, set->classes, seed, train->parts, &error);
    if (!error.status) class_weights_balance(set, train->parts, train->weights);
    return error.status ? complain_error(&error) : EXIT_FINE;
}

static exit_code weigh_classes(train_run *train)
{
    train->weights = calloc((size_t)train->set.classes, sizeof *train->weights);
    return train->weights ? class_weights_read(train->options->class_weights, &train->set, train->weights)
                           : complain_memory();
}

/* A new output layer, or where the network was trained as a whole what is to be told of the one it has. */
static exit_code learn(train_run *train, bool whole)
{
    const cli_dataset *set = &train->set;
    inception_error error = {0};
    const inception_examples lesson = {
        .count = set->count, .values = train->values, .class_count = set->classes, .features = train->features,
        .classes = train->classes, .labels = train->labels, .parts = train->parts, .class_weights = train->weights,
        .training_only = tuned(train), /* validation is to choose between epochs then */
    };
    inception_head_close(&train->head);
    train->head = whole ? inception_head_open(train->weights_path, &train->model_options, &lesson, &error)
                        : inception_head_train(&lesson, &error);
    if (train->head) inception_head_logits(train->head, train->features, set->count, train->logits, &error);
    return error.status ? complain_error(&error) : EXIT_FINE;
}

/* What the model file says of its making, in texts[MOST_TEXTS]; the strings are the run's. */
static size_t tell(train_run *train, inception_text *texts)
{
    static const char *const keys[INCEPTION_PARTS][2] = {
        {"train_photos", "train_accuracy"}, {"validation_photos", "validation_accuracy"}, {"test_photos", "test_accuracy"},
    };
    const inception_head_info *info = inception_head_get_info(train->head);
    size_t count = 0;
    for (int p = 0; p < INCEPTION_PARTS; p++)
        for (int accuracy = 0; accuracy < 2; accuracy++, count++) {
            char *value = train->told[count];
            if (accuracy) snprintf(value, TOLD, "%.6f", share_of(info->right[p], info->photos[p]).value);
            else snprintf(value, TOLD, "%zu", info->photos[p]);
            texts[count] = (inception_text){keys[p][accuracy], accuracy && !info->photos[p] ? NULL : value};
        }
    snprintf(train->told[count], TOLD, "%llu", (unsigned long long)train->options->seed);
    texts[count] = (inception_text){"seed", train->told[count]}, count++;
    snprintf(train->told[count], TOLD, "%g", info->penalty);
    texts[count] = (inception_text){"penalty", info->penalty > 0 ? train->told[count] : NULL}, count++;
    return count;
}

/* And of what it was made from; a file that more is learnt from hands that on. */
static size_t tell_source(const train_run *train, inception_text *texts)
{
    texts[0] = (inception_text){"source_network", inception_model_get_info(train->model)->network->name};
    texts[1] = (inception_text){"source_sha256", train->digest};
    return 2;
}

static exit_code write_head(train_run *train, const char *path, const inception_text *texts, size_t count)
{
    inception_error error = {0};
    return inception_head_write(train->head, train->weights_path, &train->model_options, path,
                                (const char *const *)train->set.labels, texts, count, &error)
             ? complain_error(&error) : EXIT_FINE;
}

/* One process at a time may train there. What an earlier run has left goes, unless this one resumes it. */
static exit_code take_folder(train_run *train)
{
    if (mkdir(train->run, 0777) != 0 && errno != EEXIST) {
        complain("%s: cannot make the folder: %s", train->run, strerror(errno));
        return EXIT_IO;
    }
    train->lock = open(train->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (train->lock < 0 || flock(train->lock, LOCK_EX | LOCK_NB) != 0) {
        complain("%s: %s", train->run, train->lock < 0 ? strerror(errno) : "another process trains here");
        return EXIT_IO;
    }
    if (!train->options->tune.resume) tune_clean(train->run);
    return EXIT_FINE;
}

/* The output layer stands; now further layers, or all of them. */
static exit_code learn_more(train_run *train)
{
    char start[4200];
    const bool resumed = train->options->tune.resume, anew = train->options->tune.from_scratch;
    exit_code code = take_folder(train);
    if (code) return code;
    tune_task task = {
        .how = &train->options->tune, .set = &train->set, .parts = train->parts, .class_weights = train->weights,
        .model = train->model_options, .source = train->digest, .folder = train->run, .seed = train->options->seed,
        .layer = train->model_options.final_layer, .quiet = train->options->common.quiet,
    };
    task.model.final_layer = NULL; /* the file that it begins with is cut */
    snprintf(start, sizeof start, "%s/%s.safetensors", train->run, resumed ? "checkpoint" : "start");
    if (!anew) task.start = start;
    if (!anew && !resumed) {
        inception_text texts[MOST_TEXTS];
        if ((code = write_head(train, start, texts, tell_source(train, texts)))) return code;
    }
    code = tune(&task, train->best, sizeof train->best);
    if (code) return code;
    train->weights_path = train->best;
    train->model_options.moving_averages = true;
    train->model_options.final_layer = NULL;
    code = train_find_features(train);
    for (size_t i = 0; i < train->set.count && !code; i++)
        if (!train->known[i]) code = EXIT_IO; /* it could be read before, and was complained of */
    return code ? code : learn(train, true);
}

static exit_code write_model(train_run *train)
{
    inception_text texts[MOST_TEXTS];
    size_t count = tell(train, texts);
    if (!tuned(train)) count += tell_source(train, texts + count);
    else texts[count++] = (inception_text){"training_best", NULL};
    exit_code code = write_head(train, train->output, texts, count);
    if (!code && tuned(train)) tune_clean(train->run);
    return code;
}

static exit_code report(train_run *train)
{
    train_report *r = &train->report;
    r->set = &train->set, r->parts = train->parts, r->logits = train->logits;
    r->info = inception_head_get_info(train->head);
    r->source = train->source, r->source_digest = train->digest, r->output = train->output;
    r->seed = train->options->seed;
    exit_code code = train->options->json ? report_json(r) : report_text(r);
    train->set.tally.done = train->set.count;
    return code ? code : tally_exit(&train->set.tally, train->options->common.quiet);
}

/* Names the folder of a run by gradients, and sees whether it fits what is asked for. */
static exit_code check_folder(train_run *train)
{
    const tune_settings *how = &train->options->tune;
    const int length = (int)strlen(train->output) - (ends_in(train->output, ".safetensors") ? 12 : 0);
    snprintf(train->run, sizeof train->run, "%.*s.run", length, train->output);
    const bool begun = tune_begun(train->run);
    const size_t inside = strlen(train->run);
    if (strncmp(train->source, train->run, inside) == 0 && train->source[inside] == '/') {
        complain("%s: lies where this training would write; copy it, or name another --output", train->source);
        return EXIT_IO;
    }
    if (begun && !how->resume && !train->options->force) {
        complain("%s: a run was begun here; --resume goes on with it, --force begins anew", train->run);
        return EXIT_IO;
    }
    if (begun || !how->resume) return EXIT_FINE;
    complain("%s: there is no checkpoint to resume from", train->run);
    return EXIT_NO_INPUT;
}

static exit_code teach(train_run *train, const char *path)
{
    double began = progress_now(), then;
    exit_code code = check_options(train->options);
    if (!code) code = check_output(train, path);
    if (!code) code = find_model(train);
    if (!code && tuned(train)) code = check_folder(train);
    if (code) return code;
    const bool features = !train->options->tune.from_scratch && !train->options->tune.resume;
    catch_interrupts();
    code = dataset_read(&train->set, path, train->options->others, train->options->common.quiet);
    if (!code) code = weigh_classes(train);
    if (!code && tuned(train) && train->set.several && train->options->class_weights)
        code = complain_usage("train", "option --class-weights: with several labels a photo, of the output layer alone");
    then = progress_now();
    if (!code) code = features ? train_find_features(train) : train_check_photos(train);
    if (!code) code = train_keep_known(train);
    train->report.features_s = progress_now() - then;
    then = progress_now();
    if (!code) code = split(train);
    if (!code && features) code = learn(train, false);
    train->report.head_s = progress_now() - then;
    if (!code && interrupted()) code = EXIT_INTERRUPTED;
    then = progress_now();
    if (!code && tuned(train)) code = learn_more(train);
    train->report.tune_s = progress_now() - then;
    if (!code) code = write_model(train);
    train->report.total_s = progress_now() - began;
    return code ? code : report(train);
}

static exit_code run(void *given, char **operands, int count)
{
    (void)count;
    train_options *options = given;
    options->net.quiet = options->common.quiet;
    train_run train = {.options = options};
    train.weights_path = train.source;
    train.lock = -1;
    inception_error error = {0};
    exit_code code = extras(&error) ? teach(&train, operands[0]) : complain_error(&error); /* they have the digests */
    void *const all[] = {train.output, train.features, train.known, train.names, train.classes, train.labels,
                         train.weights, train.parts, train.logits};
    for (size_t i = 0; i < COUNT(all); i++) free(all[i]);
    if (train.lock >= 0) close(train.lock);
    dataset_free(&train.set);
    inception_head_close(&train.head);
    inception_session_close(&train.session);
    inception_model_close(&train.model);
    return code;
}

const cli_command train_command = {
    .name = "train",
    .summary = "teach a network new classes from photos of them",
    .operands = "DIR",
    .about = "Makes a model from a folder DIR that holds a folder of photos for each class, called as the class; or from a "
             "CSV file in place of DIR, whose header names the columns 'file' (paths relative to the CSV file) and 'label'. "
             "Several labels of a photo, with | between them or in several records, make a model that tells for each label "
             "whether a photo has it. "
             "The network stays as it is but for its output layer, which is new, unless --unfreeze or --from-scratch is "
             "given. Its features of the photos are computed once and kept in the cache folder. About 70 % of the photos "
             "are learnt from, 14 % choose, 16 % measure what came out; which, is decided by the names of the photos.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(train_options),
    .defaults = &(const train_options){.tune = TUNE_DEFAULTS},
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
