/* What a model file tells of photos of none of its classes: the texts "unknown_threshold" and "unknown_score", and the
 * tensor "class_means", the mean features of each class, of length 1. */
#include "private.h"

#include <float.h>
#include <math.h>
#include <string.h>

const char *const inc_unknown_scores[] = {[INCEPTION_UNKNOWN_COSINE] = "cosine", [INCEPTION_UNKNOWN_PRODUCT] = "product"};

static inception_status read_means(inc_model *model, const char *path, inception_error *error)
{
    const inception_tensor *means = inc_weights_find(model->weights, INC_CLASS_MEANS);
    if (!means || means->type == INCEPTION_OTHER || means->rank != 2 || means->dims[0] != model->shape.classes)
        return inc_fail(error, INCEPTION_DATA,
                        "%s: no tensor %s of a row for each of %d classes, which its unknown_threshold wants", path,
                        INC_CLASS_MEANS, model->shape.classes);
    float *floats = inc_tensor_floats(model, means, error);
    if (!floats) return INCEPTION_MEMORY;
    if (inc_count_not_finite(floats, means->count))
        return inc_fail(error, INCEPTION_DATA, "%s: values are not finite: %s", path, INC_CLASS_MEANS);
    for (int c = 0; c < model->shape.classes; c++) { /* 1, in bfloat16 to 2^-8; or 0 if there was nothing to see */
        double squares = 0;
        for (int64_t v = 0; v < means->dims[1]; v++) squares += pow(floats[c * means->dims[1] + v], 2);
        if (!(fabs(squares - 1) < 0.02 || squares == 0))
            return inc_fail(error, INCEPTION_DATA, "%s: row %d of %s has a length of %g, not 1", path, c, INC_CLASS_MEANS,
                            sqrt(squares));
    }
    model->class_means = floats;
    model->mean_values = (size_t)means->dims[1];
    return INCEPTION_OK;
}

inception_status inc_known_read(inc_model *model, const char *path, inception_error *error)
{
    const char *text = inc_weights_metadata(model->weights, "unknown_threshold");
    const char *score = inc_weights_metadata(model->weights, "unknown_score");
    if (!text) return INCEPTION_OK;
    double threshold;
    const bool number = inc_read_number(text, &threshold);
    const bool cosine = score && strcmp(score, inc_unknown_scores[INCEPTION_UNKNOWN_COSINE]) == 0;
    const bool product = score && strcmp(score, inc_unknown_scores[INCEPTION_UNKNOWN_PRODUCT]) == 0;
    if (!cosine && !product)
        return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: its unknown_threshold is of '%.40s', not of '%s' or '%s'", path,
                        score ? score : "", inc_unknown_scores[0], inc_unknown_scores[1]);
    if (!number || !(fabs(threshold) <= (cosine ? 1 : DBL_MAX)))
        return inc_fail(error, INCEPTION_DATA, "%s: an unknown_threshold of '%.40s' is not %s", path, text,
                        cosine ? "-1 to 1" : "a finite number");
    model->unknown_threshold = threshold;
    model->unknown_score = cosine ? INCEPTION_UNKNOWN_COSINE : INCEPTION_UNKNOWN_PRODUCT;
    return read_means(model, path, error);
}

inception_status inc_known_check(inc_model *model, const char *path, inception_error *error)
{
    model->features = INC_NONE;
    if (!model->class_means) return INCEPTION_OK;
    uint32_t features = inc_layer_find(&model->graph, model->shape.network, INCEPTION_FEATURES);
    uint64_t values = features == INC_NONE ? 0 : inc_value_count(&model->graph.values[features]);
    if (values != model->mean_values)
        return inc_fail(error, INCEPTION_DATA, "%s: %s of %zu values, not of the %llu before the classifier", path,
                        INC_CLASS_MEANS, model->mean_values, (unsigned long long)values);
    model->features = features;
    return INCEPTION_OK;
}
