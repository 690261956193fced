/* What is of none of the classes. The features of such photos point elsewhere: a photo's likeness is the largest cosine
 * between its features and the direction of a class, and what is less like than nearly all photos of the classes are is
 * unknown. Probabilities cannot tell that, because the output layer learnt to tell the classes apart and nothing else;
 * docs/training.md has figures, also of costlier scores.
 *
 * The direction of a class is that of its mean features. Where there are photos of none of the classes it is Fisher's, which
 * parts the class from them best: S^-1 (mean of the class - mean of those), S the covariance within all of these groups with a
 * tenth of its mean variance added to each (Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 4.3). */
#include "head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REJECTED 20 /* one in so many photos of the classes */
#define RIDGE 0.1
#define STEPS 100 /* of conjugate gradients: */
#define ENOUGH 1e-4 /* of the length that is left over when they end */

typedef struct groups {
    const inception_examples *e;
    size_t learnt; /* photos, of all groups */
    double *means; /* [classes + 1][values]: of the classes and of what is of none */
    double ridge;  /* added to the variances */
} groups;

static double product(const double *a, const double *b, size_t values)
{
    double sum = 0;
    for (size_t v = 0; v < values; v++) sum += a[v] * b[v];
    return sum;
}

/* The mean of the photo's group. */
static double *mean_of(const groups *g, size_t photo)
{
    const int class = g->e->classes[photo];
    return g->means + (size_t)(class < 0 ? g->e->class_count : class) * g->e->values;
}

static inception_status find_means(groups *g, inception_error *error)
{
    const inception_examples *e = g->e;
    const size_t values = e->values, all = (size_t)e->class_count + 1;
    size_t *counts = inc_calloc(all, sizeof *counts, error);
    if (!counts) return INCEPTION_MEMORY;
    for (size_t i = 0; i < e->count; i++) {
        if (e->parts[i] != INCEPTION_TRAIN) continue;
        double *mean = mean_of(g, i);
        for (size_t v = 0; v < values; v++) mean[v] += e->features[i * values + v];
        counts[(size_t)(mean - g->means) / values]++;
        g->learnt++;
    }
    for (size_t k = 0; k < all * values; k++) g->means[k] /= (double)(counts[k / values] ? counts[k / values] : 1);
    free(counts);
    return INCEPTION_OK;
}

/* out = (S + ridge) x */
static void spread(const groups *g, const double *x, double *out)
{
    const inception_examples *e = g->e;
    const size_t values = e->values;
    for (size_t v = 0; v < values; v++) out[v] = g->ridge * x[v];
    for (size_t i = 0; i < e->count; i++) {
        if (e->parts[i] != INCEPTION_TRAIN) continue;
        const float *row = e->features + i * values;
        const double *mean = mean_of(g, i);
        double along = 0;
        for (size_t v = 0; v < values; v++) along += ((double)row[v] - mean[v]) * x[v];
        along /= (double)g->learnt;
        for (size_t v = 0; v < values; v++) out[v] += along * ((double)row[v] - mean[v]);
    }
}

/* x[values], zeros before: (S + ridge) x = b, by conjugate gradients (Hestenes and Stiefel 1952). work[3 * values]. */
static void solve(const groups *g, const double *b, double *x, double *work)
{
    const size_t values = g->e->values;
    double *left = work, *step = work + values, *spreads = work + 2 * values;
    memcpy(left, b, values * sizeof *left);
    memcpy(step, b, values * sizeof *step);
    double squares = product(left, left, values);
    const double enough = ENOUGH * ENOUGH * squares;
    for (int i = 0; i < STEPS && squares > enough; i++) {
        spread(g, step, spreads);
        const double far = squares / product(step, spreads, values), before = squares;
        for (size_t v = 0; v < values; v++) x[v] += far * step[v], left[v] -= far * spreads[v];
        squares = product(left, left, values);
        for (size_t v = 0; v < values; v++) step[v] = left[v] + squares / before * step[v];
    }
}

/* To a length of 1. */
static void point(const double *vector, size_t values, float *direction)
{
    const double length = sqrt(product(vector, vector, values));
    for (size_t v = 0; v < values && length > 0; v++) direction[v] = (float)(vector[v] / length);
}

/* A tenth of the mean variance within the groups; anything where there is none. */
static double find_ridge(const groups *g)
{
    const inception_examples *e = g->e;
    double squares = 0;
    for (size_t i = 0; i < e->count; i++)
        for (size_t v = 0; v < e->values && e->parts[i] == INCEPTION_TRAIN; v++)
            squares += pow((double)e->features[i * e->values + v] - mean_of(g, i)[v], 2);
    return squares > 0 ? RIDGE * squares / (double)g->learnt / (double)e->values : 1;
}

static inception_status part_from_others(groups *g, float *directions, inception_error *error)
{
    const size_t values = g->e->values, classes = (size_t)g->e->class_count;
    double *work = inc_calloc(5 * values, sizeof *work, error);
    if (!work) return INCEPTION_MEMORY;
    double *difference = work + 3 * values, *direction = work + 4 * values;
    g->ridge = find_ridge(g);
    for (size_t c = 0; c < classes; c++) {
        for (size_t v = 0; v < values; v++) difference[v] = g->means[c * values + v] - g->means[classes * values + v];
        memset(direction, 0, values * sizeof *direction);
        solve(g, difference, direction, work);
        point(direction, values, directions + c * values);
    }
    free(work);
    return INCEPTION_OK;
}

double inc_likeness(const float *features, const float *directions, size_t values, int classes)
{
    double most = -INFINITY, squares = 0;
    for (size_t v = 0; v < values; v++) squares += (double)features[v] * (double)features[v];
    for (int c = 0; c < classes; c++, directions += values) {
        double along = 0;
        for (size_t v = 0; v < values; v++) along += (double)features[v] * (double)directions[v];
        most = fmax(most, along);
    }
    return squares > 0 ? most / sqrt(squares) : 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inception_status find_threshold(const inception_examples *e, const float *directions, inception_head_info *info,
                                       inception_error *error)
{
    double *likeness = inc_calloc(2 * e->count, sizeof *likeness, error), *validation = likeness + e->count;
    size_t count = 0;
    if (!likeness) return INCEPTION_MEMORY;
    for (size_t i = 0; i < e->count; i++) {
        likeness[i] = inc_likeness(e->features + i * e->values, directions, e->values, e->class_count);
        if (e->parts[i] == INCEPTION_VALIDATION && inc_has_answer(e, i)) validation[count++] = likeness[i];
    }
    qsort(validation, count, sizeof *validation, ascending);
    info->unknown_threshold = validation[count / REJECTED];
    for (size_t i = 0; i < e->count; i++) {
        const bool known = likeness[i] >= info->unknown_threshold, other = !inc_has_answer(e, i);
        info->known[e->parts[i]] += known && !other;
        info->others[e->parts[i]] += other;
        info->turned_away[e->parts[i]] += other && !known;
    }
    free(likeness);
    return INCEPTION_OK;
}

inception_status inc_learn_known(const inception_examples *e, float *directions, inception_head_info *info,
                                 inception_error *error)
{
    const size_t values = e->values, classes = (size_t)e->class_count;
    groups g = {.e = e, .means = inc_calloc((classes + 1) * values, sizeof *g.means, error)};
    inception_status status = g.means ? find_means(&g, error) : INCEPTION_MEMORY;
    bool others = false;
    for (size_t i = 0; i < e->count; i++) others |= !inc_has_answer(e, i) && e->parts[i] == INCEPTION_TRAIN;
    if (!status && others) status = part_from_others(&g, directions, error);
    else for (size_t c = 0; c < classes && !status; c++) point(g.means + c * values, values, directions + c * values);
    free(g.means);
    return status ? status : find_threshold(e, directions, info, error);
}
