/* The public functions that teach new classes. As in inception.c no algorithm lives here. */
#include "head/head.h"
#include "model/model.h"
#include "private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

inception_status inception_split(const char *const *names, const int *classes, size_t count, int class_count, uint64_t seed,
                                 inception_part *parts, inception_error *error)
{
    if (count && (!names || !classes || !parts))
        return inc_fail(error, INCEPTION_INVALID, "inception_split: no names, classes or place for the parts given");
    for (size_t i = 0; i < count; i++)
        if (!names[i] || classes[i] < 0 || classes[i] >= class_count)
            return inc_fail(error, INCEPTION_INVALID, "inception_split: photo %zu has no name or not one of %d classes", i,
                            class_count);
    return inc_split(names, classes, count, seed, parts, error);
}

/* Training has some of every class, validation has some; all numbers are numbers. */
static inception_status check_examples(const inception_examples *e, inception_error *error)
{
    if (!e || !e->features || !e->classes || !e->parts || !e->count || !e->values || e->class_count < 2
        || e->class_count > 1000000)
        return inc_fail(error, INCEPTION_INVALID, "inception_head_train: no examples, or not 2 to 1000000 classes");
    bool *taught = inc_calloc((size_t)e->class_count, sizeof *taught, error);
    if (!taught) return INCEPTION_MEMORY;
    inception_status status = INCEPTION_OK;
    bool validated = false;
    for (size_t i = 0; i < e->count && !status; i++) {
        if (e->classes[i] < 0 || e->classes[i] >= e->class_count || (unsigned)e->parts[i] >= INCEPTION_PARTS) {
            status = inc_fail(error, INCEPTION_INVALID, "example %zu has not one of the classes and parts", i);
            continue;
        }
        validated |= e->parts[i] == INCEPTION_VALIDATION;
        taught[e->classes[i]] |= e->parts[i] == INCEPTION_TRAIN;
        for (size_t v = 0; v < e->values && !status; v++)
            if (!isfinite(e->features[i * e->values + v]))
                status = inc_fail(error, INCEPTION_INVALID, "example %zu has a feature that is not finite", i);
    }
    for (int c = 0; c < e->class_count && !status; c++)
        if (!taught[c]) status = inc_fail(error, INCEPTION_INVALID, "class %d has no example to learn from", c);
    if (!status && !validated) status = inc_fail(error, INCEPTION_INVALID, "there is no example for validation");
    free(taught);
    return status;
}

inception_head *inception_head_train(const inception_examples *examples, inception_error *error)
{
    return check_examples(examples, error) ? NULL : inc_head_train(examples, error);
}

void inception_head_close(inception_head **head)
{
    if (head) inc_head_free(*head), *head = NULL;
}

const inception_head_info *inception_head_get_info(const inception_head *head)
{
    return &head->info;
}

inception_status inception_head_logits(const inception_head *head, const float *features, size_t count, float *logits,
                                       inception_error *error)
{
    if (head && features && logits) return inc_head_logits(head, features, count, logits, error);
    return inc_fail(error, INCEPTION_INVALID, "inception_head_logits: no output layer, features or place for logits given");
}

static inception_status check_labels(const inception_head *head, const char *const *labels, inception_error *error)
{
    for (int i = 0; i < head->classes; i++)
        if (!labels[i] || strchr(labels[i], '\n'))
            return inc_fail(error, INCEPTION_INVALID, "label %d is none, or has a line break", i);
    return INCEPTION_OK;
}

inception_status inception_head_write(const inception_head *head, const char *path, const inception_model_options *options,
                                      const char *out, const char *const *labels, const inception_text *texts,
                                      size_t text_count, inception_error *error)
{
    if (!head || !path || !out || !labels || (text_count && !texts))
        return inc_fail(error, INCEPTION_INVALID, "inception_head_write: no output layer, path or labels given");
    inception_model_options whole;
    inception_model_options_default(&whole);
    if (options) whole = *options;
    whole.layer = whole.labels = NULL;
    if (!whole.final_layer) whole.final_layer = INCEPTION_FEATURES; /* the file need not have a classifier */
    inc_model model = {0};
    inception_status status = check_labels(head, labels, error);
    if (!status) status = inc_model_open(&model, path, &whole, false, error);
    if (!status)
        status = inc_classifier_replace(&model, head->values, head->classes, head->weights, head->biases, labels, error);
    model.temperature = head->info.temperature, model.unknown_threshold = head->info.unknown_threshold;
    model.class_means = head->means, model.mean_values = head->values;
    model.texts = texts, model.text_count = text_count;
    if (!status) status = inc_model_write(&model, out, INCEPTION_FORMAT_MODEL_FILE, error);
    inc_model_close(&model);
    return status;
}
