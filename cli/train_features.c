/* Photos looked at for training: their features, computed once and kept, or only whether they can be decoded. */
#include "train.h"

#include <stdlib.h>
#include <string.h>

exit_code train_walk(const train_photos *all, train_look *look, void *context)
{
    photo_settings settings = {.net.offline = true};
    inception_error error = {0};
    const cli_loaded *photos[MOST_TOGETHER];
    size_t taken = 0, got;
    exit_code code = EXIT_FINE;
    char **paths = calloc(all->count + 1, sizeof *paths);
    if (!paths) return complain_memory();
    for (size_t i = 0; i < all->count; i++) paths[i] = all->set->examples[all->numbers[i]].path;
    photo_walk *walk = photos_open(&settings, paths, (int)all->count, &error);
    photo_pipeline *pipeline = walk ? pipeline_open(walk, &settings, all->threads, &error) : NULL;
    cli_pace *pace = pipeline ? pace_open(walk, all->quiet) : NULL;
    if (!pipeline) code = complain_error(&error);
    while (!code && (got = pipeline_take(pipeline, photos, all->together)) > 0) {
        if (taken + got > all->count) {
            complain("a photo has become a folder of photos meanwhile");
            code = EXIT_IO;
            break;
        }
        code = look(context, photos, all->numbers + taken, got);
        taken += got;
        pace_step(pace, taken);
    }
    pace_close(&pace);
    pipeline_close(&pipeline);
    photos_close(&walk);
    free(paths);
    return interrupted() ? EXIT_INTERRUPTED : code;
}

static exit_code open_model(train_run *train)
{
    inception_error error = {0};
    inception_model_options options = train->model_options;
    options.layer = INCEPTION_FEATURES;
    options.layer_only = true;
    if (train->weights_path != train->source) options.cache = NULL; /* a run's best, soon gone */
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

static exit_code look(void *context, const cli_loaded *const *photos, const size_t *numbers, size_t count)
{
    train_run *train = context;
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
        const cli_example *example = &train->set.examples[good[i]];
        if (dataset_unchanged(example)) vector_cache_add(train->cache, example->digest, vector);
        train->known[good[i]] = true;
    }
    free(vectors);
    return EXIT_FINE;
}

exit_code train_find_features(train_run *train)
{
    exit_code code = open_model(train);
    if (code) return code;
    size_t count = train->set.count, missing = 0;
    free(train->features);
    free(train->known);
    train->features = calloc(count, train->values * sizeof *train->features);
    train->known = calloc(count, sizeof *train->known);
    size_t *numbers = calloc(count, sizeof *numbers);
    if (!train->features || !train->known || !numbers) code = complain_memory();
    const bool source = train->weights_path == train->source; /* what came of a training is looked at once */
    if (!code && source) open_cache(train);
    for (size_t i = 0; i < count && !code; i++)
        if (!train->known[i]) numbers[missing++] = i;
    if (source) train->report.cached = count - missing;
    if (!code && train->options->common.verbose)
        complain("%s from %s: %zu features of %zu photos, %zu of them in the cache",
                 inception_model_get_info(train->model)->network->name, train->source, train->values, count,
                 train->report.cached);
    const train_photos all = {&train->set, numbers, missing, (size_t)train->together, train->model_options.threads,
                              train->options->common.quiet};
    if (!code && missing) code = train_walk(&all, look, train);
    vector_cache_close(&train->cache);
    free(numbers);
    return code;
}

exit_code train_keep_known(train_run *train)
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

static exit_code note_decoded(void *context, const cli_loaded *const *photos, const size_t *numbers, size_t count)
{
    train_run *train = context;
    for (size_t i = 0; i < count; i++) {
        train->known[numbers[i]] = photos[i]->image != NULL;
        if (!photos[i]->image) skip_photo(train, numbers[i], &photos[i]->error);
    }
    return EXIT_FINE;
}

exit_code train_check_photos(train_run *train)
{
    const size_t count = train->set.count;
    train->known = calloc(count, sizeof *train->known);
    size_t *numbers = calloc(count, sizeof *numbers);
    exit_code code = train->known && numbers ? EXIT_FINE : complain_memory();
    for (size_t i = 0; i < count && !code; i++) numbers[i] = i;
    const train_photos all = {&train->set, numbers, count, 1, train->model_options.threads, train->options->common.quiet};
    if (!code) code = train_walk(&all, note_decoded, train);
    free(numbers);
    return code;
}
