/* What a model says of the photos it was trained for. */
#include "train.h"

#include <math.h>
#include <stdlib.h>

#define TOGETHER 16 /* photos at once */

/* The photos at paths[count], which are the examples `numbers`. */
static exit_code judge_some(const cli_dataset *set, inception_session *session, int threads, const size_t *numbers,
                            char **paths, size_t count, float *logits)
{
    const size_t classes = (size_t)set->classes;
    const inception_image *images[TOGETHER];
    const cli_loaded *photos[TOGETHER];
    photo_settings settings = {.net.offline = true};
    inception_prediction *top = calloc(TOGETHER * classes, sizeof *top);
    inception_error error = {0};
    size_t taken = 0, got;
    photo_walk *walk = top ? photos_open(&settings, paths, (int)count, &error) : NULL;
    photo_pipeline *pipeline = walk ? pipeline_open(walk, &settings, threads, &error) : NULL;
    if (!pipeline && !error.status) fail(&error, INCEPTION_MEMORY, "out of memory");
    while (!error.status && (got = pipeline_take(pipeline, photos, TOGETHER)) > 0) {
        for (size_t i = 0; i < got; i++) images[i] = photos[i]->image;
        for (size_t i = 0; i < got; i++)
            if (!images[i]) fail(&error, photos[i]->error.status, "%s", photos[i]->error.message);
        inception_classify(session, images, (int)got, (int)classes, top, &error);
        for (size_t i = 0; i < got * classes && !error.status; i++)
            logits[numbers[taken + i / classes] * classes + (size_t)top[i].index] = top[i].logit;
        taken += got;
    }
    pipeline_close(&pipeline);
    photos_close(&walk);
    free(top);
    return error.status ? complain_error(&error) : interrupted() ? EXIT_INTERRUPTED : EXIT_FINE;
}

exit_code judge(const cli_dataset *set, const inception_part *parts, inception_part part, const char *path,
                const inception_model_options *options, float *logits)
{
    inception_error error = {0};
    inception_model_options averages = *options;
    averages.moving_averages = true;
    size_t *numbers = calloc(set->count, sizeof *numbers), count = 0;
    char **paths = calloc(set->count, sizeof *paths);
    inception_model *model = numbers && paths ? inception_model_open(path, &averages, &error) : NULL;
    inception_session *session = model ? inception_session_open(model, TOGETHER, &error) : NULL;
    for (size_t i = 0; i < set->count && session; i++)
        if (parts[i] == part) paths[count] = set->examples[i].path, numbers[count++] = i;
    exit_code code = session ? EXIT_FINE : error.status ? complain_error(&error) : complain_memory();
    if (!code && count) code = judge_some(set, session, options->threads, numbers, paths, count, logits);
    inception_session_close(&session);
    inception_model_close(&model);
    free(numbers);
    free(paths);
    return code;
}

/* -log of the probability of the photo's class; of labels, the mean of those of what holds of each. */
static double surprise(const cli_dataset *set, size_t example, const float *logits)
{
    double largest = logits[0], sum = 0, mean = 0;
    for (int c = 0; c < set->classes; c++) {
        const double z = logits[c];
        largest = fmax(largest, z);
        mean += (fmax(z, 0) - (dataset_shows(set, example, c) ? z : 0) + log1p(exp(-fabs(z)))) / set->classes;
    }
    if (set->several) return mean;
    for (int c = 0; c < set->classes; c++) sum += exp((double)logits[c] - largest);
    return log(sum) + largest - (double)logits[set->examples[example].class];
}

/* Of labels: are those of a logit above 0 all and only the photo's? */
static bool is_right(const cli_dataset *set, size_t example, const float *logits)
{
    int best = 0, same = 0;
    for (int c = 0; c < set->classes; c++) {
        if (logits[c] > logits[best]) best = c;
        same += (logits[c] > 0) == dataset_shows(set, example, c);
    }
    return set->several ? same == set->classes : best == set->examples[example].class;
}

verdict verdict_of(const cli_dataset *set, const inception_part *parts, inception_part part, const float *logits)
{
    verdict v = {0};
    for (size_t i = 0; i < set->count; i++, logits += set->classes) {
        if (parts[i] != part) continue;
        v.right += is_right(set, i, logits);
        v.loss += surprise(set, i, logits);
        v.photos++;
    }
    if (v.photos) v.loss /= (double)v.photos;
    return v;
}
