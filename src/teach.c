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
        if (!names[i] || classes[i] < -1 || classes[i] >= class_count)
            return inc_fail(error, INCEPTION_INVALID, "inception_split: photo %zu has no name or not one of %d classes", i,
                            class_count);
    return inc_split(names, classes, count, seed, parts, error);
}

inception_status inception_split_labels(const char *const *names, const bool *labels, size_t count, int label_count,
                                        uint64_t seed, inception_part *parts, inception_error *error)
{
    if (label_count < 1 || (count && (!names || !labels || !parts)))
        return inc_fail(error, INCEPTION_INVALID, "inception_split_labels: no names, labels or place for the parts given");
    for (size_t i = 0; i < count; i++)
        if (!names[i]) return inc_fail(error, INCEPTION_INVALID, "inception_split_labels: photo %zu has no name", i);
    return inc_split_labels(names, labels, count, (size_t)label_count, seed, parts, error);
}

/* Each is in a class and a part; all numbers are numbers. */
static inception_status check_example(const inception_examples *e, size_t i, inception_error *error)
{
    bool classed = !e->classes || (e->classes[i] >= -1 && e->classes[i] < e->class_count);
    if (!classed || (unsigned)e->parts[i] >= INCEPTION_PARTS)
        return inc_fail(error, INCEPTION_INVALID, "example %zu has not one of the classes and parts", i);
    for (size_t v = 0; v < e->values; v++)
        if (!isfinite(e->features[i * e->values + v]))
            return inc_fail(error, INCEPTION_INVALID, "example %zu has a feature that is not finite", i);
    return INCEPTION_OK;
}

/* There is something to be learnt of every class, and of a label what it is to be without it. */
static inception_status check_class(const inception_examples *e, const size_t *taught, int class, size_t training,
                                    inception_error *error)
{
    const char *what = e->labels ? "label" : "class";
    if (e->class_weights && !(e->class_weights[class] >= 1e-9 && e->class_weights[class] <= 1e9))
        return inc_fail(error, INCEPTION_INVALID, "%s %d has a weight of %g, which is not 1e-9 to 1e9", what, class,
                        e->class_weights[class]);
    if (!taught[class]) return inc_fail(error, INCEPTION_INVALID, "%s %d has no example to learn from", what, class);
    if (e->labels && taught[class] == training)
        return inc_fail(error, INCEPTION_INVALID, "every example to learn from has label %d", class);
    return INCEPTION_OK;
}

static inception_status check_examples(const inception_examples *e, inception_error *error)
{
    if (!e || !e->features || !e->classes == !e->labels || !e->parts || !e->count || !e->values
        || e->class_count < (e->labels ? 1 : 2) || e->class_count > 1000000)
        return inc_fail(error, INCEPTION_INVALID,
                        "inception_head_train: no examples, not 2 to 1000000 classes, or classes and labels");
    size_t *taught = inc_calloc((size_t)e->class_count, sizeof *taught, error), counts[INCEPTION_PARTS] = {0};
    inception_status status = taught ? INCEPTION_OK : INCEPTION_MEMORY;
    for (size_t i = 0; i < e->count && !status; i++) {
        if ((status = check_example(e, i, error))) break;
        if (!inc_has_answer(e, i)) continue;
        counts[e->parts[i]]++;
        if (e->parts[i] != INCEPTION_TRAIN) continue;
        if (e->classes) taught[e->classes[i]]++;
        for (int c = 0; e->labels && c < e->class_count; c++) taught[c] += e->labels[i * (size_t)e->class_count + (size_t)c];
    }
    for (int c = 0; c < e->class_count && !status; c++) status = check_class(e, taught, c, counts[INCEPTION_TRAIN], error);
    if (!status && !counts[INCEPTION_VALIDATION])
        status = inc_fail(error, INCEPTION_INVALID, "there is no example for validation");
    free(taught);
    return status;
}

inception_head *inception_head_train(const inception_examples *examples, inception_error *error)
{
    return check_examples(examples, error) ? NULL : inc_head_train(examples, error);
}

inception_head *inception_head_open(const char *path, const inception_model_options *options,
                                    const inception_examples *examples, inception_error *error)
{
    inception_model_options whole = inc_whole_options(options);
    if (!path) return inc_fail(error, INCEPTION_INVALID, "inception_head_open: no path given"), NULL;
    if (check_examples(examples, error)) return NULL;
    inc_model model = {0};
    inception_head *head = NULL;
    if (inc_model_open(&model, path, &whole, false, error)) return NULL;
    const inc_node *last = &model.graph.nodes[model.graph.node_count - 1];
    const inc_value *kernel = &model.graph.values[last->conv.weights], *bias = &model.graph.values[last->conv.bias];
    const uint64_t weights = examples->values * (uint64_t)model.shape.classes;
    if (model.shape.classes != examples->class_count || inc_value_count(kernel) != weights || !kernel->data || !bias->data)
        inc_fail(error, INCEPTION_MISMATCH, "%s: its classifier is not one of %d classes and %zu values", path,
                 examples->class_count, examples->values);
    else head = inc_head_measure(examples, kernel->data, bias->data, error);
    inc_model_close(&model);
    return head;
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

inception_status inception_head_write(const inception_head *head, const char *path, const inception_model_options *options,
                                      const char *out, const char *const *labels, const inception_text *texts,
                                      size_t text_count, inception_error *error)
{
    if (!head || !path || !out || !labels || (text_count && !texts))
        return inc_fail(error, INCEPTION_INVALID, "inception_head_write: no output layer, path or labels given");
    inception_model_options whole = inc_whole_options(options);
    if (!whole.final_layer) whole.final_layer = INCEPTION_FEATURES; /* the file need not have a classifier */
    inc_model model = {0};
    inception_status status = inc_check_labels(labels, head->classes, error);
    if (!status) status = inc_check_texts(texts, text_count, error);
    if (!status) status = inc_model_open(&model, path, &whole, false, error);
    if (!status)
        status = inc_classifier_replace(&model, head->values, head->classes, head->weights, head->biases, labels, error);
    model.activation = head->activation, model.temperature = head->info.temperature;
    model.unknown_threshold = head->info.unknown_threshold;
    model.unknown_score = head->info.unknown_score;
    model.class_means = head->activation == INCEPTION_SOFTMAX ? head->means : NULL, model.mean_values = head->values;
    model.texts = texts, model.text_count = text_count;
    if (!status) status = inc_model_write(&model, out, INCEPTION_FORMAT_MODEL_FILE, error);
    inc_model_close(&model);
    return status;
}
