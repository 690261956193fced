/* What is of none of the classes. The features of such photos point elsewhere: a photo's likeness is the largest cosine
 * between its features and the mean features of a class, and what is less like than nearly all photos of the classes are is
 * unknown. Probabilities cannot tell that, because the output layer learnt to tell the classes apart and nothing else;
 * docs/training.md has figures, also of costlier scores. A network that was trained with photos of none of the classes gives
 * them small logits; where there are such photos, they choose between both scores. */
#include "head.h"

#include <math.h>
#include <stdlib.h>

#define REJECTED 20 /* one in so many photos of the classes */

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

double inc_energy(const float *logits, int classes)
{
    double most = -INFINITY, sum = 0;
    for (int c = 0; c < classes; c++) most = fmax(most, (double)logits[c]);
    for (int c = 0; c < classes; c++) sum += exp((double)logits[c] - most);
    return most + log(sum);
}

double inc_likeness(const float *features, const float *means, size_t values, int classes)
{
    double most = -INFINITY, length = length_of(features, values);
    for (int c = 0; c < classes; c++, means += values) {
        double product = 0;
        for (size_t v = 0; v < values; v++) product += (double)features[v] * (double)means[v];
        most = fmax(most, product);
    }
    return length > 0 ? most / length : 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The likeness that all but one in REJECTED of the validation photos of the classes reach, and how many photos do. */
static inception_status find_threshold(const inception_examples *e, const double *likeness, inception_head_info *info,
                                       inception_error *error)
{
    double *validation = inc_calloc(e->count, sizeof *validation, error);
    size_t count = 0;
    if (!validation) return INCEPTION_MEMORY;
    for (size_t i = 0; i < e->count; i++)
        if (e->parts[i] == INCEPTION_VALIDATION && inc_has_answer(e, i)) validation[count++] = likeness[i];
    qsort(validation, count, sizeof *validation, ascending);
    info->unknown_threshold = validation[count / REJECTED];
    free(validation);
    for (size_t i = 0; i < e->count; i++) {
        const bool known = likeness[i] >= info->unknown_threshold, other = !inc_has_answer(e, i);
        info->known[e->parts[i]] += known && !other;
        info->others[e->parts[i]] += other;
        info->turned_away[e->parts[i]] += other && !known;
    }
    return INCEPTION_OK;
}

inception_status inc_learn_known(const inception_examples *e, const float *logits, float *means, inception_head_info *info,
                                 inception_error *error)
{
    double *likeness = inc_calloc(e->count, sizeof *likeness, error);
    inception_head_info by_energy = *info;
    if (!likeness) return INCEPTION_MEMORY;
    class_means(e, means);
    for (size_t i = 0; i < e->count; i++)
        likeness[i] = inc_likeness(e->features + i * e->values, means, e->values, e->class_count);
    inception_status status = find_threshold(e, likeness, info, error);
    const bool choose = !status && info->others[INCEPTION_VALIDATION];
    for (size_t i = 0; i < e->count && choose; i++)
        likeness[i] = inc_energy(logits + i * (size_t)e->class_count, e->class_count);
    if (choose) status = find_threshold(e, likeness, &by_energy, error);
    if (by_energy.turned_away[INCEPTION_VALIDATION] > info->turned_away[INCEPTION_VALIDATION]) {
        *info = by_energy;
        info->unknown_score = INCEPTION_UNKNOWN_ENERGY;
    }
    free(likeness);
    return status;
}
