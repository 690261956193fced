/* What a model says of the validation photos. */
#include "train.h"

#include <math.h>
#include <stdlib.h>

#define TOGETHER 16 /* photos at once */

typedef struct judging {
    const cli_dataset *set;
    inception_session *session;
    inception_prediction *top; /* [TOGETHER][classes] */
    float *logits;             /* [classes] */
    verdict sum;
} judging;

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

static exit_code judge_some(void *context, const cli_loaded *const *photos, const size_t *numbers, size_t count)
{
    judging *j = context;
    const size_t classes = (size_t)j->set->classes;
    const inception_image *images[TOGETHER] = {NULL};
    inception_error error = {0};
    for (size_t i = 0; i < count; i++) images[i] = photos[i]->image;
    for (size_t i = 0; i < count; i++)
        if (!images[i]) fail(&error, photos[i]->error.status, "%s", photos[i]->error.message);
    inception_classify(j->session, images, (int)count, (int)classes, j->top, &error);
    for (size_t i = 0; i < count && !error.status; i++) {
        const inception_prediction *top = j->top + i * classes;
        for (size_t c = 0; c < classes; c++) j->logits[top[c].index] = top[c].logit;
        j->sum.right += is_right(j->set, numbers[i], j->logits);
        j->sum.loss += surprise(j->set, numbers[i], j->logits);
        j->sum.photos++;
    }
    return error.status ? complain_error(&error) : EXIT_FINE;
}

exit_code judge(const cli_dataset *set, const inception_part *parts, const char *path,
                const inception_model_options *options, verdict *found)
{
    inception_error error = {0};
    inception_model_options averages = *options;
    averages.moving_averages = true;
    averages.cache = NULL; /* the next epoch has other weights */
    const size_t classes = (size_t)set->classes;
    size_t *numbers = calloc(set->count, sizeof *numbers), count = 0;
    judging j = {.set = set, .top = calloc(TOGETHER * classes, sizeof *j.top), .logits = calloc(classes, sizeof *j.logits)};
    const bool room = numbers && j.top && j.logits;
    inception_model *model = room ? inception_model_open(path, &averages, &error) : NULL;
    j.session = model ? inception_session_open(model, TOGETHER, &error) : NULL;
    for (size_t i = 0; i < set->count && j.session; i++)
        if (parts[i] == INCEPTION_VALIDATION && dataset_has_answer(set, i)) numbers[count++] = i;
    exit_code code = j.session ? EXIT_FINE : error.status ? complain_error(&error) : complain_memory();
    const train_photos all = {set, numbers, count, TOGETHER, options->threads, true};
    if (!code && count) code = train_walk(&all, judge_some, &j);
    *found = j.sum;
    if (found->photos) found->loss /= (double)found->photos;
    inception_session_close(&j.session);
    inception_model_close(&model);
    free(numbers);
    free(j.top);
    free(j.logits);
    return code;
}
