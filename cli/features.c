/* inception features: the vector before the classifier, or any layer, of photos; photos similar to one. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct features_options {
    common_settings common;
    model_settings model;
    photo_settings photos;
    plot_settings plot;
    const char *layer, *output, *similar_to;
    int format, top, threads, crop;
    bool list_layers;
} features_options;

/* Records come first, in the order of format_choices, then files of vectors. */
enum { AS_VECTORS = FORMAT_JSONL + 1, BY_NAME = AS_VECTORS + VECTORS_SAFETENSORS + 1 };
static const char *const choices[] = {"text", "json", "jsonl", "npy", "csv", "safetensors", NULL};

static const option_row rows[] = {
    {"output", 'o', "FILE", OPTION_STRING, offsetof(features_options, output),
     "write the vectors to FILE, .npy (and the names of the photos to FILE.files), .csv or .safetensors; default: csv on "
     "standard output",
     0, 0, NULL},
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(features_options, format),
     "npy, csv or safetensors; default: from the end of FILE. With --similar-to and --list-layers: text, json or jsonl", 0,
     0, choices},
    {"json", 'j', NULL, OPTION_SET, offsetof(features_options, format), "same as --format=json", FORMAT_JSON, 0, NULL},
    {"layer", 0, "NAME", OPTION_STRING, offsetof(features_options, layer),
     "the layer, by the name of TF-Slim's endpoint, its values [height][width][channels] as one vector; default: the one "
     "before the classifier",
     0, 0, NULL},
    {"list-layers", 0, NULL, OPTION_FLAG, offsetof(features_options, list_layers), "print the layers of the weights", 0,
     0, NULL},
    {"similar-to", 's', "PHOTO", OPTION_STRING, offsetof(features_options, similar_to),
     "rank the others by their likeness to PHOTO, the cosine of the angle between the vectors, most similar first", 0, 0,
     NULL},
    {"top", 'k', "K", OPTION_INT, offsetof(features_options, top),
     "with --similar-to: the K most similar ones; default: all", 1, INT32_MAX, NULL},
    {"crop", 0, "CROP", OPTION_CHOICE, offsetof(features_options, crop),
     "centre, full or letterbox: the part of the photo that is looked at. Only centre is what the network was "
     "evaluated with",
     0, 0, crop_choices},
    {"threads", 't', "N", OPTION_INT, offsetof(features_options, threads), "default: the CPUs this process may use", 1,
     1024, NULL},
    {"model", 'm', "MODEL", OPTION_LIST, offsetof(features_options, model.models),
     "weights: a file, a folder, or the name of a network (fetched if it is not in the cache); default: the best one in the "
     "cache", 0, 0, NULL},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"", network_rows, offsetof(features_options, model)},
    {"", precision_rows, offsetof(features_options, model)},
    {"Picture of a ranking", plot_rows, offsetof(features_options, plot)},
    {"Photos", photo_rows, offsetof(features_options, photos)},
    {"Downloads", net_rows, offsetof(features_options, photos.net)},
    {"General", common_rows, offsetof(features_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception features photos/ -o x.npy        a row of numbers for each photo",
    "inception features --layer Mixed_7c a.jpg  a layer, as csv",
    "inception features photos/ -s a.jpg -k 9   the nine most similar to a.jpg",
    "inception features photos/ -s a.jpg -k 11 --plot=o.png   as a contact sheet",
    "inception features -m v3 --list-layers     what --layer may be",
    NULL,
};

typedef struct features_run {
    features_options *options;
    inception_model *model;
    inception_session *session;
    size_t values;
    float *vector;
    vector_file *file;   /* of a run that writes vectors ... */
    cli_ranking ranking; /* ... of one that ranks */
    inception_sheet *plot;
    cli_records records;
    cli_tally tally;
} features_run;

/* ---- Options that go together ---- */

static bool prints_records(const features_options *options)
{
    return options->similar_to || options->list_layers;
}

static exit_code check_options(const features_options *options, char **photos, int count)
{
    bool records = prints_records(options);
    const char *what = options->similar_to ? "--similar-to" : "--list-layers";
    if (options->similar_to && options->list_layers)
        return complain_usage("features", "options --similar-to and --list-layers exclude each other");
    if (records && options->output) return complain_usage("features", "options --output and %s exclude each other", what);
    if (options->top && !options->similar_to) return complain_usage("features", "option --top wants --similar-to");
    if (options->plot.file && !options->similar_to) return complain_usage("features", "option --plot wants --similar-to");
    bool input = false, listed = options->photos.files_from && strcmp(options->photos.files_from, "-") == 0;
    for (int i = 0; i < count; i++) input |= strcmp(photos[i], "-") == 0;
    if (input && options->plot.file) /* the best are read a second time */
        return complain_usage("features", "option --plot: standard input can only be the photo of --similar-to");
    if ((input || listed) && options->similar_to && strcmp(options->similar_to, "-") == 0)
        return complain_usage("features", "standard input (-) can be read only once");
    if (options->list_layers && count) return complain_usage("features", "option --list-layers takes no photos");
    if (options->format == BY_NAME || records == (options->format < AS_VECTORS)) return EXIT_FINE;
    return complain_usage("features", "option --format: %s %s", choices[options->format],
                          records ? "is a file of vectors" : "wants --similar-to or --list-layers");
}

/* Where vectors go (NULL: standard output) and how. */
static exit_code choose_file(const features_options *options, const char **path, int *format)
{
    *path = options->output && strcmp(options->output, "-") != 0 ? options->output : NULL;
    *format = options->format;
    for (int i = AS_VECTORS; *path && *format == BY_NAME && i < BY_NAME; i++) {
        char ending[16];
        snprintf(ending, sizeof ending, ".%s", choices[i]);
        if (ends_in(*path, ending)) *format = i;
    }
    if (*path && *format == BY_NAME)
        return complain_usage("features", "option --output: '%s' ends in none of .npy, .csv and .safetensors", *path);
    if (*format == BY_NAME) *format = AS_VECTORS + VECTORS_CSV;
    *format -= AS_VECTORS;
    if (*path || *format == VECTORS_CSV) return EXIT_FINE;
    return complain_usage("features", "option --format: %s needs a file; name it with --output", choices[options->format]);
}

/* ---- The network ---- */

static const char *layer_name(const void *list, size_t i)
{
    return ((const inception_layer *)list)[i].name;
}

/* The model could not be opened. If it can without the layer, that was it. */
static exit_code complain_model(const char *path, inception_model_options options, const inception_error *error)
{
    const char *layer = options.layer;
    options.layer = NULL;
    options.layer_only = false;
    inception_model *model = error->status == INCEPTION_NOT_FOUND ? inception_model_open(path, &options, NULL) : NULL;
    if (!model) return complain_error(error);
    size_t count;
    const inception_layer *layers = inception_model_layers(model, &count);
    const char *near = nearest_name(layer, layer_name, layers, count);
    exit_code code = complain_usage("features", "option --layer: %s%s%s%s", error->message, near ? "; did you mean " : "",
                                    near ? near : " (--list-layers lists them)", near ? "?" : "");
    inception_model_close(&model);
    return code;
}

static exit_code open_model(features_run *features)
{
    const features_options *options = features->options;
    const model_settings *settings = &options->model;
    const inception_network *network;
    inception_error error = {0};
    char path[4096];
    exit_code code = network_check("features", settings->network, &network);
    if (!code && settings->models.count > 1) code = complain_usage("features", "option --model can be given once");
    const char *name = settings->models.count ? settings->models.items[0] : settings->network;
    if (!code) code = model_find(name, &options->photos.net, path, sizeof path, &network);
    if (code) return code;
    inception_model_options wanted = model_options(settings, network, features->options->common.quiet);
    wanted.threads = options->threads;
    wanted.crop = (inception_crop)options->crop;
    wanted.layer = options->layer ? options->layer : INCEPTION_FEATURES;
    wanted.layer_only = true;
    features->model = inception_model_open(path, &wanted, &error);
    if (!features->model) return complain_model(path, wanted, &error);
    features->session = inception_session_open(features->model, 1, &error);
    if (error.status) return complain_error(&error);
    const inception_layer *layer = inception_model_get_info(features->model)->layer;
    features->values = (size_t)layer->height * (size_t)layer->width * (size_t)layer->channels;
    features->vector = calloc(features->values, sizeof *features->vector);
    if (options->common.verbose)
        complain("%s of %s from %s: [%d,%d,%d]", layer->name, inception_model_get_info(features->model)->network->name,
                 path, layer->height, layer->width, layer->channels);
    if (features->vector) return EXIT_FINE;
    return complain_memory();
}

static exit_code list_layers(features_run *features)
{
    size_t count;
    const inception_layer *layers = inception_model_layers(features->model, &count);
    records_begin(&features->records);
    for (size_t i = 0; i < count; i++) {
        const inception_layer *l = &layers[i];
        exit_code code = EXIT_FINE;
        if (features->records.format == FORMAT_TEXT)
            printf("%-20s [%d,%d,%d]\n", l->name, l->height, l->width, l->channels);
        else code = records_add(&features->records, json_pack("{s:s, s:[i,i,i]}", "layer", l->name, "shape", l->height,
                                                              l->width, l->channels));
        if (code) return code;
    }
    return records_end(&features->records);
}

/* ---- Photos ---- */

static bool compute(features_run *features, const inception_image *image, inception_error *error)
{
    return image && inception_features(features->session, &image, 1, features->vector, error) == INCEPTION_OK;
}

static bool keep(features_run *features, const char *file, inception_error *error)
{
    if (features->options->similar_to) return ranking_add(&features->ranking, file, features->vector, error);
    return vectors_add(features->file, file, features->vector, error);
}

static exit_code take_photo(features_run *features, const cli_loaded *loaded)
{
    const char *file = loaded->photo.path, *wanted = features->options->similar_to;
    inception_error error = loaded->error;
    if (wanted && same_file(file, wanted)) return EXIT_FINE; /* the others are ranked */
    if (compute(features, loaded->image, &error)) {
        if (keep(features, file, &error)) {
            features->tally.done++;
            return output_flush();
        }
        if (error.status == INCEPTION_IO) return complain_error(&error); /* the disk is full: nothing better will come */
    }
    tally_failure(&features->tally, error.status);
    if (features->records.format != FORMAT_TEXT) return records_failure(&features->records, file, &error);
    complain_input(file, &error);
    return EXIT_FINE;
}

static exit_code draw(features_run *features, const char *name, const inception_image *image, double similarity)
{
    const inception_model_info *info = inception_model_get_info(features->model);
    const inception_prediction likeness = {.label = "likeness", .probability = (float)fmax(0, similarity)};
    const inception_card_column column = {info->network->title, &likeness, 1};
    return plot_card(features->plot, &(const inception_card){image, name, &info->input, &column, 1});
}

/* The best photos are decoded once more: to keep all that may become the best would take all memory. */
static exit_code draw_ranking(features_run *features)
{
    const cli_ranking *ranking = &features->ranking;
    exit_code code = EXIT_FINE;
    for (size_t i = 0; i < ranking->count && !code && !interrupted(); i++) {
        inception_error error = {0};
        cli_photo photo = photo_named(ranking->photos[i].file);
        inception_image *image = photo_decode(&photo, &features->options->photos, &error);
        if (image) code = draw(features, photo.name, image, ranking->photos[i].similarity);
        else tally_failure(&features->tally, error.status), complain_input(photo.path, &error);
        inception_image_free(&image);
    }
    return code ? code : plot_finish(features->plot, &features->options->plot, &features->options->common);
}

static exit_code take_photos(features_run *features, photo_walk *walk)
{
    exit_code code = EXIT_FINE;
    inception_error error = {0};
    catch_interrupts();
    photo_pipeline *pipeline = pipeline_open(walk, &features->options->photos,
                                             inception_model_get_info(features->model)->threads, &error);
    if (!pipeline) return complain_error(&error);
    records_begin(&features->records);
    for (const cli_loaded *loaded; !code && pipeline_take(pipeline, &loaded, 1);) code = take_photo(features, loaded);
    pipeline_close(&pipeline);
    photos_note(walk, features->options->common.quiet);
    if (code) return code;
    if (features->file && !vectors_finish(features->file, &error)) return complain_error(&error);
    if (features->options->similar_to) code = ranking_write(&features->ranking, &features->records);
    if (!code) code = records_end(&features->records);
    if (!code && features->plot) code = draw_ranking(features);
    return code ? code : tally_exit(&features->tally, features->options->common.quiet);
}

/* The vector that the others are compared with. */
static exit_code look_at_wanted(features_run *features)
{
    exit_code code = EXIT_FINE;
    inception_error error = {0};
    cli_photo photo = photo_named(features->options->similar_to);
    inception_image *image = photo_decode(&photo, &features->options->photos, &error);
    if (!compute(features, image, &error)) {
        complain_input(photo.path, &error);
        code = exit_of(error.status);
    } else if (features->plot) {
        code = draw(features, photo.name, image, 1);
    }
    inception_image_free(&image);
    if (code) return code;
    features->ranking = (cli_ranking){.wanted = features->vector, .values = features->values, .limit = SIZE_MAX};
    if (features->options->top) features->ranking.limit = (size_t)features->options->top;
    features->vector = calloc(features->values, sizeof *features->vector);
    if (features->vector) return EXIT_FINE;
    return complain_memory();
}

/* Ranks, or writes vectors. */
static exit_code run_photos(features_run *features, char **operands, int count)
{
    features_options *options = features->options;
    inception_error error = {0};
    const char *path = NULL;
    int format = 0;
    exit_code code = options->similar_to ? EXIT_FINE : choose_file(options, &path, &format);
    if (code) return code;
    photo_walk *walk = photos_open(&options->photos, operands, count, &error);
    if (!walk) return complain_error(&error);
    code = plot_check("features", &options->plot, walk, options->similar_to);
    if (!code) code = open_model(features);
    if (!code) photos_decode_for(&options->photos, &inception_model_get_info(features->model)->input);
    if (!code && options->similar_to) code = look_at_wanted(features);
    if (!code && !options->similar_to && !(features->file = vectors_open(path, format, features->values, &error)))
        code = complain_error(&error);
    if (!code) code = take_photos(features, walk);
    photos_close(&walk);
    return code;
}

static exit_code run(void *given, char **operands, int count)
{
    features_run features = {.options = given};
    exit_code code = check_options(features.options, operands, count);
    if (!code) code = plot_open("features", &features.options->plot, &features.plot);
    if (code) return code;
    features.options->photos.net.quiet = features.options->common.quiet;
    if (prints_records(features.options) && features.options->format != BY_NAME)
        features.records.format = features.options->format;
    if (!features.options->list_layers) code = run_photos(&features, operands, count);
    else if (!(code = open_model(&features))) code = list_layers(&features);
    vectors_close(&features.file);
    ranking_clear(&features.ranking);
    plot_close(&features.plot);
    free(features.vector);
    inception_session_close(&features.session);
    inception_model_close(&features.model);
    return code;
}

const cli_command features_command = {
    .name = "features",
    .summary = "turn photos into vectors, find similar ones",
    .operands = "PHOTO...",
    .about = "Writes the vector that a network makes of each photo before it classifies, or the values of another layer, "
             "or ranks photos by their likeness to one. PHOTO as in 'inception help classify'. A photo that cannot be read "
             "is reported, leaves no row, and the run goes on.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(features_options),
    .defaults = &(const features_options){.format = BY_NAME},
    .max_operands = INT32_MAX,
    .run = run,
};
