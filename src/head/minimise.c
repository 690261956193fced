/* L-BFGS (Nocedal and Wright 2006, Numerical Optimization, algorithm 7.4): the curvature is told from the last few steps.
 * Steps are halved until they lead down enough; on a convex function that, with steps of no curvature left out, is all
 * that is needed. */
#include "head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED 10
#define HALVINGS 30

typedef struct search {
    size_t size;
    double *x, *gradient, *next_x, *next_gradient, *direction;
    double *steps, *changes;  /* [REMEMBERED][size]: of x, of the gradient */
    double inverse[REMEMBERED]; /* 1 / (step . change) */
    int count;                /* of all steps that were remembered */
} search;

static double dot(const double *a, const double *b, size_t size)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++) sum += a[i] * b[i];
    return sum;
}

static void add(double *to, double factor, const double *what, size_t size)
{
    for (size_t i = 0; i < size; i++) to[i] += factor * what[i];
}

/* The two loops of algorithm 7.4. */
static void choose_direction(search *s)
{
    double along[REMEMBERED];
    int first = s->count > REMEMBERED ? s->count - REMEMBERED : 0;
    for (size_t i = 0; i < s->size; i++) s->direction[i] = -s->gradient[i];
    for (int k = s->count - 1; k >= first; k--) {
        size_t at = (size_t)(k % REMEMBERED) * s->size;
        along[k % REMEMBERED] = s->inverse[k % REMEMBERED] * dot(s->steps + at, s->direction, s->size);
        add(s->direction, -along[k % REMEMBERED], s->changes + at, s->size);
    }
    if (s->count) {
        const double *change = s->changes + (size_t)((s->count - 1) % REMEMBERED) * s->size;
        double scale = 1 / (s->inverse[(s->count - 1) % REMEMBERED] * dot(change, change, s->size));
        for (size_t i = 0; i < s->size; i++) s->direction[i] *= scale;
    }
    for (int k = first; k < s->count; k++) {
        size_t at = (size_t)(k % REMEMBERED) * s->size;
        double back = s->inverse[k % REMEMBERED] * dot(s->changes + at, s->direction, s->size);
        add(s->direction, along[k % REMEMBERED] - back, s->steps + at, s->size);
    }
}

static void remember(search *s)
{
    size_t at = (size_t)(s->count % REMEMBERED) * s->size;
    for (size_t i = 0; i < s->size; i++) {
        s->steps[at + i] = s->next_x[i] - s->x[i];
        s->changes[at + i] = s->next_gradient[i] - s->gradient[i];
    }
    double curvature = dot(s->steps + at, s->changes + at, s->size);
    if (!(curvature > 1e-12 * dot(s->changes + at, s->changes + at, s->size))) return;
    s->inverse[s->count++ % REMEMBERED] = 1 / curvature;
}

static inception_status step_down(search *s, inc_function *function, void *context, double *value, bool *moved,
                                  inception_error *error)
{
    double slope = dot(s->direction, s->gradient, s->size), next;
    double length = s->count ? 1 : 1 / sqrt(dot(s->gradient, s->gradient, s->size));
    *moved = false;
    for (int i = 0; i < HALVINGS && !*moved; i++, length /= 2) {
        memcpy(s->next_x, s->x, s->size * sizeof *s->x);
        add(s->next_x, length, s->direction, s->size);
        inception_status status = function(context, s->next_x, &next, s->next_gradient, error);
        if (status) return status;
        *moved = next < *value + 1e-4 * length * slope;
    }
    if (!*moved) return INCEPTION_OK;
    *value = next;
    remember(s);
    memcpy(s->x, s->next_x, s->size * sizeof *s->x);
    memcpy(s->gradient, s->next_gradient, s->size * sizeof *s->x);
    return INCEPTION_OK;
}

inception_status inc_minimise(inc_function *function, void *context, size_t size, double *x, double enough, int most,
                              inception_error *error)
{
    search s = {.size = size, .x = x};
    double value, *memory = inc_calloc(size * (4 + 2 * REMEMBERED), sizeof *memory, error);
    if (!memory) return INCEPTION_MEMORY;
    s.gradient = memory, s.next_x = memory + size, s.next_gradient = memory + 2 * size, s.direction = memory + 3 * size;
    s.steps = memory + 4 * size, s.changes = s.steps + REMEMBERED * size;
    inception_status status = function(context, x, &value, s.gradient, error);
    bool moved = true;
    for (int i = 0; i < most && moved && !status && dot(s.gradient, s.gradient, size) > enough * enough; i++) {
        choose_direction(&s);
        status = step_down(&s, function, context, &value, &moved, error);
    }
    free(memory);
    return status;
}
