/* inception train: photos in classes -> a model that tells the classes apart. First the network stays as it is; its features
 * of all photos are computed once, and kept; a new output layer is learnt from them. Then, where that is asked for, further
 * layers are trained with it (tune.c); or all of a new network. */
#include "train.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct train_options {
    common_settings common;
    model_settings model;
    net_settings net;
    tune_settings tune;
    const char *output, *layer, *class_weights;
    uint64_t seed;
    int threads;
    bool force, json;
} train_options;

static const option_row rows[] = {
    {"output", 'o', "FILE", OPTION_STRING, offsetof(train_options, output),
     "the model file; default: called as the folder, .safetensors, in the current folder", 0, 0, NULL},
    {"layer", 0, "NAME", OPTION_STRING, offsetof(train_options, layer),
     "cut the network behind this layer and teach on the mean of its map; default: the layer before the classifier", 0, 0,
     NULL},
    {"force", 0, NULL, OPTION_FLAG, offsetof(train_options, force), "replace FILE if it is there", 0, 0, NULL},
    {"class-weights", 0, "W", OPTION_STRING, offsetof(train_options, class_weights),
     "none (default): every photo counts as much; auto: every class does, however few photos it has; or rose=2,tulip=0.5: "
     "so much for each photo of the class, 1 of others",
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

#define MOST_TEXTS 12
#define TOLD 24

typedef struct train_run {
    const train_options *options;
    char source[4096], digest[DIGEST_TEXT]; /* the weights, and their SHA-256 */
    char *output;
    inception_model_options model_options;
    inception_model *model; /* up to the features */
    inception_session *session;
    int together; /* photos that are computed at once */
    size_t values;
    cli_dataset set;
    float *features; /* [count][values] */
    bool *known;     /* [count]: the features are there */
    vector_cache *cache;
    const char **names; /* [count] */
    int *classes;       /* [count], or NULL ... */
    bool *labels;       /* ... [count][classes], where photos have several */
    double *weights;    /* [classes] */
    inception_part *parts;
    inception_head *head;
    float *logits;
    const char *weights_path; /* of the network that photos are looked at with: the source, or what came of it */
    char told[MOST_TEXTS][TOLD];
    char run[4096], best[4300]; /* of training by gradients: the folder, and the file that is to be finished */
    train_report report;
} train_run;

static bool tuned(const train_run *train)
{
    return train->options->tune.from_scratch || train->options->tune.unfreeze.count;
}

/* ---- Before work begins ---- */

/* The name of the folder, or of the CSV file without its ending. */
static char *default_output(const char *path)
{
    char *whole = realpath(path, NULL), *name = NULL;
    if (!whole) return NULL;
    const char *last = strrchr(whole, '/') + 1;
    int length = (int)strlen(last) - (ends_in(last, ".csv") ? 4 : 0);
    if (asprintf(&name, "%.*s.safetensors", length, length ? last : "model") < 0) name = NULL;
    free(whole);
    return name;
}

static exit_code check_output(train_run *train, const char *path)
{
    if (!path_exists(path)) {
        complain("%s: no such folder or file", path);
        return EXIT_NO_INPUT;
    }
    train->output = train->options->output ? strdup(train->options->output) : default_output(path);
    if (!train->output) return complain_memory();
    if (path_exists(train->output) && !train->options->force) {
        complain("%s: is there already; --force replaces it, --output names another file", train->output);
        return EXIT_IO;
    }
    const char *slash = strrchr(train->output, '/');
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

/* A network that begins anew. */
static exit_code choose_network(train_run *train, const inception_network *network)
{
    const tune_settings *how = &train->options->tune;
    if (how->unfreeze.count)
        return complain_usage("train", "options --from-scratch and --unfreeze exclude each other: the first trains all");
    if (train->options->model.models.count)
        return complain_usage("train", "options --from-scratch and --model exclude each other; --network names a network");
    if (!network) return complain_usage("train", "--from-scratch wants a network: --network v2, say");
    train->model_options = model_options(&train->options->model, network);
    train->model_options.threads = train->options->threads ? train->options->threads : inception_cpu_count();
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
    if (!code && train->options->tune.input_size)
        code = complain_usage("train", "option --input-size wants --from-scratch: other networks have their size");
    const char *name = settings->models.count ? settings->models.items[0] : settings->network;
    if (!code) code = model_find(name, &train->options->net, train->source, sizeof train->source, &network);
    if (!code) code = digest_source(train);
    if (code) return code;
    train->model_options = model_options(settings, network);
    train->model_options.threads = train->options->threads ? train->options->threads : inception_cpu_count();
    train->model_options.final_layer = train->options->layer;
    return EXIT_FINE;
}

static exit_code open_model(train_run *train)
{
    inception_error error = {0};
    inception_model_options options = train->model_options;
    options.layer = INCEPTION_FEATURES;
    options.layer_only = true;
    inception_session_close(&train->session);
    inception_model_close(&train->model);
    train->model = inception_model_open(train->weights_path, &options, &error);
    if (!train->model) return complain_error(&error);
    const inception_model_info *info = inception_model_get_info(train->model);
    train->together = info->threads < MOST_TOGETHER ? info->threads : MOST_TOGETHER;
    train->session = inception_session_open(train->model, train->together, &error);
    if (!train->session) return complain_error(&error);
    train->report.network = info->network->name;
    train->values = (size_t)info->layer->height * (size_t)info->layer->width * (size_t)info->layer->channels;
    return EXIT_FINE;
}

/* ---- Features ---- */

/* All that they depend on besides the photo. */
static void open_cache(train_run *train)
{
    const inception_model_info *info = inception_model_get_info(train->model);
    char key[1024];
    snprintf(key, sizeof key, "%s %s %s %dx%d/%d %zu, depth %.17g/%d, averages %d%s%s", inception_version(), train->digest,
             info->network->name, info->input.width, info->input.height, (int)info->input.preprocessing, train->values,
             info->depth_multiplier, info->min_depth, train->options->model.moving_averages,
             info->final_layer ? ", layer " : "", info->final_layer ? info->final_layer : "");
    train->cache = vector_cache_open(key, train->values);
    vector_cache_read(train->cache, &train->set, train->features, train->known);
}

static void skip_photo(train_run *train, size_t number, const inception_error *error)
{
    complain_input(train->set.examples[number].path, error);
    tally_failure(&train->set.tally, error->status);
}

/* `numbers`: the examples that the photos are. */
static exit_code look(train_run *train, const cli_loaded *const *photos, const size_t *numbers, size_t count)
{
    const inception_image *images[MOST_TOGETHER];
    size_t good[MOST_TOGETHER];
    int together = 0;
    for (size_t i = 0; i < count; i++) {
        if (photos[i]->image) good[together] = numbers[i], images[together++] = photos[i]->image;
        else skip_photo(train, numbers[i], &photos[i]->error);
    }
    inception_error error = {0};
    float *vectors = together ? malloc((size_t)together * train->values * sizeof *vectors) : NULL;
    if (together && !vectors) return complain_memory();
    if (together && inception_features(train->session, images, together, vectors, &error)) {
        free(vectors);
        return complain_error(&error);
    }
    for (int i = 0; i < together; i++) {
        const float *vector = vectors + (size_t)i * train->values;
        memcpy(train->features + good[i] * train->values, vector, train->values * sizeof *vector);
        vector_cache_add(train->cache, train->set.examples[good[i]].digest, vector);
        train->known[good[i]] = true;
    }
    free(vectors);
    return EXIT_FINE;
}

/* The photos at paths[count], which are the examples `numbers`. */
static exit_code look_at_all(train_run *train, char **paths, const size_t *numbers, size_t count)
{
    photo_settings settings = {.net.offline = true};
    inception_error error = {0};
    const cli_loaded *photos[MOST_TOGETHER];
    size_t taken = 0, got;
    exit_code code = EXIT_FINE;
    photo_walk *walk = photos_open(&settings, paths, (int)count, &error);
    photo_pipeline *pipeline =
        walk ? pipeline_open(walk, &settings, inception_model_get_info(train->model)->threads, &error) : NULL;
    cli_pace *pace = pipeline ? pace_open(walk, train->options->common.quiet) : NULL;
    if (!pipeline) code = complain_error(&error);
    while (!code && (got = pipeline_take(pipeline, photos, (size_t)train->together)) > 0) {
        code = look(train, photos, numbers + taken, got);
        taken += got;
        pace_step(pace, taken);
    }
    pace_close(&pace);
    pipeline_close(&pipeline);
    photos_close(&walk);
    return interrupted() ? EXIT_INTERRUPTED : code;
}

static exit_code find_features(train_run *train)
{
    exit_code code = open_model(train);
    if (code) return code;
    size_t count = train->set.count, missing = 0;
    free(train->features);
    free(train->known);
    train->features = calloc(count, train->values * sizeof *train->features);
    train->known = calloc(count, sizeof *train->known);
    char **paths = calloc(count, sizeof *paths);
    size_t *numbers = calloc(count, sizeof *numbers);
    if (!train->features || !train->known || !paths || !numbers) code = complain_memory();
    vector_cache_close(&train->cache);
    if (!code && train->weights_path == train->source) open_cache(train); /* what came of a training is looked at once */
    for (size_t i = 0; i < count && !code; i++)
        if (!train->known[i]) paths[missing] = train->set.examples[i].path, numbers[missing++] = i;
    train->report.cached = count - missing;
    if (!code && train->options->common.verbose)
        complain("%s from %s: %zu features of %zu photos, %zu of them in the cache",
                 inception_model_get_info(train->model)->network->name, train->source, train->values, count,
                 train->report.cached);
    if (!code && missing) code = look_at_all(train, paths, numbers, missing);
    free(paths);
    free(numbers);
    return code;
}

/* Photos that could not be decoded go. */
static exit_code keep_known(train_run *train)
{
    size_t kept = 0, count = train->set.count, row = train->values * sizeof *train->features;
    for (size_t i = 0; i < count; i++) {
        if (train->known[i] && train->features)
            memmove(train->features + kept++ * train->values, train->features + i * train->values, row);
        train->known[i] = !train->known[i];
    }
    return dataset_leave_out(&train->set, train->known);
}

/* ---- Where no features are wanted: can the photos be decoded? ---- */

static exit_code decode_all(train_run *train, char **paths)
{
    photo_settings settings = {.net.offline = true};
    inception_error error = {0};
    const cli_loaded *photo;
    photo_walk *walk = photos_open(&settings, paths, (int)train->set.count, &error);
    photo_pipeline *pipeline = walk ? pipeline_open(walk, &settings, train->model_options.threads, &error) : NULL;
    cli_pace *pace = pipeline ? pace_open(walk, train->options->common.quiet) : NULL;
    for (size_t i = 0; pipeline && pipeline_take(pipeline, &photo, 1); i++) {
        train->known[i] = photo->image != NULL;
        if (!photo->image) skip_photo(train, i, &photo->error);
        pace_step(pace, i + 1);
    }
    pace_close(&pace);
    pipeline_close(&pipeline);
    photos_close(&walk);
    return error.status ? complain_error(&error) : interrupted() ? EXIT_INTERRUPTED : EXIT_FINE;
}

static exit_code check_photos(train_run *train)
{
    train->known = calloc(train->set.count, sizeof *train->known);
    char **paths = calloc(train->set.count, sizeof *paths);
    exit_code code = train->known && paths ? EXIT_FINE : complain_memory();
    for (size_t i = 0; i < train->set.count && !code; i++) paths[i] = train->set.examples[i].path;
    if (!code) code = decode_all(train, paths);
    free(paths);
    return code;
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

/* The output layer stands; now further layers, or all of them. */
static exit_code learn_more(train_run *train)
{
    char start[4200];
    const bool resumed = tune_begun(train->run), anew = train->options->tune.from_scratch;
    tune_task task = {
        .how = &train->options->tune, .set = &train->set, .parts = train->parts, .class_weights = train->weights,
        .model = train->model_options, .folder = train->run, .seed = train->options->seed,
        .quiet = train->options->common.quiet,
    };
    snprintf(start, sizeof start, "%s/%s.safetensors", train->run, resumed ? "checkpoint" : "start");
    if (!anew) task.start = start;
    if (!anew && !resumed) {
        inception_text texts[MOST_TEXTS];
        exit_code code = write_head(train, start, texts, tell_source(train, texts));
        if (code) return code;
    }
    exit_code code = tune(&task, train->logits, train->best, sizeof train->best);
    if (code) return code;
    train->weights_path = train->best;
    train->model_options.moving_averages = true;
    train->model_options.final_layer = NULL;
    code = find_features(train);
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

/* The folder of a run by gradients, which may have been begun. */
static exit_code make_folder(train_run *train)
{
    const tune_settings *how = &train->options->tune;
    const int length = (int)strlen(train->output) - (ends_in(train->output, ".safetensors") ? 12 : 0);
    if (how->folder) snprintf(train->run, sizeof train->run, "%s", how->folder);
    else snprintf(train->run, sizeof train->run, "%.*s.run", length, train->output);
    if (mkdir(train->run, 0777) != 0 && errno != EEXIST) {
        complain("%s: cannot make the folder: %s", train->run, strerror(errno));
        return EXIT_IO;
    }
    const bool begun = tune_begun(train->run);
    if (begun && !how->resume && !train->options->force) {
        complain("%s: a run was begun here; --resume goes on with it, --force begins anew", train->run);
        return EXIT_IO;
    }
    if (begun && !how->resume) tune_clean(train->run), mkdir(train->run, 0777);
    if (!begun && how->resume) {
        complain("%s: there is no checkpoint to resume from", train->run);
        return EXIT_NO_INPUT;
    }
    return EXIT_FINE;
}

static exit_code teach(train_run *train, const char *path)
{
    double began = progress_now(), then;
    exit_code code = check_output(train, path);
    if (!code) code = find_model(train);
    if (!code && tuned(train)) code = make_folder(train);
    if (code) return code;
    const bool features = !train->options->tune.from_scratch && !(tuned(train) && tune_begun(train->run));
    catch_interrupts();
    code = dataset_read(&train->set, path, train->options->common.quiet);
    if (!code) code = weigh_classes(train);
    then = progress_now();
    if (!code) code = features ? find_features(train) : check_photos(train);
    if (!code) code = keep_known(train);
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
    inception_error error = {0};
    exit_code code = extras(&error) ? teach(&train, operands[0]) : complain_error(&error); /* they have the digests */
    void *const all[] = {train.output, train.features, train.known, train.names, train.classes, train.labels,
                         train.weights, train.parts, train.logits};
    for (size_t i = 0; i < COUNT(all); i++) free(all[i]);
    vector_cache_close(&train.cache);
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
             "The network stays as it is but for its output layer, which is new. Its features of the photos are computed "
             "once and kept in the cache folder. About 70 % of the photos are learnt from, 14 % choose, 16 % measure what "
             "came out; which, is decided by the names of the photos.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(train_options),
    .defaults = &(const train_options){.tune = TUNE_DEFAULTS},
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
