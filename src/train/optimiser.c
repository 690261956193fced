/* The rules by which variables follow their gradients; g gradient, w variable.
 *
 *     RMSProp    ms += (g^2 - ms) (1 - decay);  mom = momentum * mom + rate * g / sqrt(ms + epsilon);  w -= mom
 *                ms begins at 1 and epsilon is inside the root, both unlike everybody else's (Hinton 2012, lecture 6e)
 *     momentum   a = momentum * a + g;  w -= rate * a
 *     Adam       m += (g - m) (1 - beta1);  v += (g^2 - v) (1 - beta2);  w -= rate' * m / (sqrt(v) + epsilon),
 *                rate' = rate * sqrt(1 - beta2^t) / (1 - beta1^t)  (Kingma and Ba 2015, arXiv 1412.6980, section 2) */
#include "train.h"

#include <math.h>
#include <stdlib.h>

/* A piece of a step; the elements of all arrays lie beside each other. */
typedef struct piece {
    const inc_optimiser_options *options;
    float rate;
    size_t first, end;
    float *w, **slots;
    const float *g;
} piece;

static void rmsprop(const piece *p)
{
    float *restrict w = p->w, *restrict ms = p->slots[0], *restrict mom = p->slots[1];
    const float *restrict g = p->g, rate = p->rate, rest = (float)(1 - p->options->decay);
    const float momentum = (float)p->options->momentum, epsilon = (float)p->options->epsilon;
    for (size_t i = p->first; i < p->end; i++) {
        ms[i] += (g[i] * g[i] - ms[i]) * rest;
        mom[i] = mom[i] * momentum + rate * g[i] / sqrtf(ms[i] + epsilon);
        w[i] -= mom[i];
    }
}

static void momentum(const piece *p)
{
    float *restrict w = p->w, *restrict a = p->slots[0];
    const float *restrict g = p->g, rate = p->rate, keep = (float)p->options->momentum;
    for (size_t i = p->first; i < p->end; i++) {
        a[i] = a[i] * keep + g[i];
        w[i] -= rate * a[i];
    }
}

static void adam(const piece *p)
{
    float *restrict w = p->w, *restrict m = p->slots[0], *restrict v = p->slots[1];
    const float *restrict g = p->g, rate = p->rate, epsilon = (float)p->options->epsilon;
    const float rest1 = (float)(1 - p->options->beta1), rest2 = (float)(1 - p->options->beta2);
    for (size_t i = p->first; i < p->end; i++) {
        m[i] += (g[i] - m[i]) * rest1;
        v[i] += (g[i] * g[i] - v[i]) * rest2;
        w[i] -= rate * m[i] / (sqrtf(v[i]) + epsilon);
    }
}

static const struct {
    inc_optimiser_options defaults;
    int slot_count;
    float first_slot; /* begins at this; the second at 0 */
    void (*step)(const piece *p);
} rules[] = {
    [INCEPTION_RMSPROP] = {{.rule = INCEPTION_RMSPROP, .decay = 0.9, .momentum = 0.9, .epsilon = 1}, 2, 1, rmsprop},
    [INCEPTION_MOMENTUM] = {{.rule = INCEPTION_MOMENTUM, .momentum = 0.9}, 1, 0, momentum},
    [INCEPTION_ADAM] = {{.rule = INCEPTION_ADAM, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1}, 2, 0, adam},
};

inc_optimiser_options inc_optimiser_default(inception_optimiser rule)
{
    return rules[rule].defaults;
}

inception_status inc_optimiser_begin(inc_optimiser *o, const inc_optimiser_options *options, size_t count,
                                     inception_error *error)
{
    *o = (inc_optimiser){.options = *options, .count = count, .slot_count = rules[options->rule].slot_count};
    for (int s = 0; s < o->slot_count; s++) {
        o->slots[s] = inc_calloc(count, sizeof(float), error);
        if (!o->slots[s]) return INCEPTION_MEMORY;
    }
    const float first = rules[options->rule].first_slot;
    for (size_t i = 0; i < count && first != 0; i++) o->slots[0][i] = first;
    return INCEPTION_OK;
}

void inc_optimiser_end(inc_optimiser *o)
{
    for (int s = 0; s < o->slot_count; s++) free(o->slots[s]);
    *o = (inc_optimiser){0};
}

/* What the threads share during a step. */
typedef struct stepping {
    inc_optimiser *o;
    piece all;
    int threads;
} stepping;

static void step(void *context, int thread)
{
    const stepping *s = context;
    piece p = s->all;
    p.first = s->o->count * (size_t)thread / (size_t)s->threads;
    p.end = s->o->count * ((size_t)thread + 1) / (size_t)s->threads;
    rules[s->o->options.rule].step(&p);
}

void inc_optimiser_step(inc_optimiser *o, double rate, float *values, const float *gradients, inc_pool *pool, int threads)
{
    double t = (double)++o->steps;
    if (o->options.rule == INCEPTION_ADAM) rate *= sqrt(1 - pow(o->options.beta2, t)) / (1 - pow(o->options.beta1, t));
    stepping s = {o, {.options = &o->options, .rate = (float)rate, .w = values, .slots = o->slots, .g = gradients}, threads};
    inc_pool_run(pool, step, &s);
}
