/* What is of none of the classes. The features of such photos point elsewhere: a photo's likeness is the largest cosine
 * between its features and the mean features of a class, and what is less like than nearly all photos of the classes are is
 * unknown. Probabilities cannot tell that, because the output layer learnt to tell the classes apart and nothing else;
 * docs/training.md has figures, also of costlier scores. A network that was trained with photos of none of the classes makes
 * their features short, so that the product tells more than the cosine; where there are such photos, they choose. */
#include "head.h"

#include <math.h>
#include <stdlib.h>

#define REJECTED 20            /* one in so many photos of the classes, */
#define REJECTED_FOR_OTHERS 10 /* ... and where there are others that are to be turned away */

static double length_of(const float *vector, size_t values)
{
    double squares = 0;
    for (size_t v = 0; v < values; v++) squares += (double)vector[v] * (double)vector[v];
    return sqrt(squares);
}

static void class_means(const inception_examples *e, float *means)
{
    for (size_t i = 0; i < e->count; i++) {
        if (e->parts[i] != INCEPTION_TRAIN || !inc_has_answer(e, i)) continue;
        float *mean = means + (size_t)e->classes[i] * e->values;
        for (size_t v = 0; v < e->values; v++) mean[v] += e->features[i * e->values + v];
    }
    for (int c = 0; c < e->class_count; c++) {
        float *mean = means + (size_t)c * e->values;
        double length = length_of(mean, e->values);
        for (size_t v = 0; v < e->values && length > 0; v++) mean[v] = (float)(mean[v] / length);
    }
}

double inc_likeness(inception_unknown_score score, const float *features, const float *means, size_t values, int classes)
{
    double most = -INFINITY, length = length_of(features, values);
    for (int c = 0; c < classes; c++, means += values) {
        double product = 0;
        for (size_t v = 0; v < values; v++) product += (double)features[v] * (double)means[v];
        most = fmax(most, product);
    }
    if (score == INCEPTION_UNKNOWN_PRODUCT) return most;
    return length > 0 ? most / length : 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Finds the score's threshold, and how many photos reach it. */
static inception_status try_score(const inception_examples *e, const float *means, inception_head_info *info,
                                  inception_error *error)
{
    double *likeness = inc_calloc(2 * e->count, sizeof *likeness, error);
    size_t count = 0, others = 0;
    if (!likeness) return INCEPTION_MEMORY;
    double *sorted = likeness + e->count;
    for (size_t i = 0; i < e->count; i++) {
        likeness[i] = inc_likeness(info->unknown_score, e->features + i * e->values, means, e->values, e->class_count);
        if (e->parts[i] != INCEPTION_VALIDATION) continue;
        if (inc_has_answer(e, i)) sorted[count++] = likeness[i];
        else others++;
    }
    qsort(sorted, count, sizeof *sorted, ascending);
    info->unknown_threshold = sorted[count / (others ? REJECTED_FOR_OTHERS : REJECTED)];
    for (size_t i = 0; i < e->count; i++) {
        const bool known = likeness[i] >= info->unknown_threshold, other = !inc_has_answer(e, i);
        info->known[e->parts[i]] += known && !other;
        info->others[e->parts[i]] += other;
        info->turned_away[e->parts[i]] += other && !known;
    }
    free(likeness);
    return INCEPTION_OK;
}

inception_status inc_learn_known(const inception_examples *e, float *means, inception_head_info *info,
                                 inception_error *error)
{
    inception_head_info by_product = *info;
    info->unknown_score = INCEPTION_UNKNOWN_COSINE, by_product.unknown_score = INCEPTION_UNKNOWN_PRODUCT;
    class_means(e, means);
    inception_status status = try_score(e, means, info, error);
    if (status || !info->others[INCEPTION_VALIDATION]) return status;
    status = try_score(e, means, &by_product, error);
    if (by_product.turned_away[INCEPTION_VALIDATION] > info->turned_away[INCEPTION_VALIDATION]) *info = by_product;
    return status;
}
