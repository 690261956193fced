/* Batch norm, with the ReLU behind it: y = max(0, (x - mean) * scale + beta), scale = gamma / sqrt(variance + epsilon).
 *
 * mean and variance are those of the batch, over all photos and pixels, or the moving ones. The first move the moving ones:
 * as TensorFlow's fused kernel does, by the variance times n / (n - 1). With g = dy where the ReLU lets it through,
 *
 *     dbeta = sum of g      dgamma = sum of g * (x - mean) / sqrt(variance + epsilon)
 *     dx = scale * g                                                     moving statistics
 *     dx = scale * (g - sum of g / n - (x - mean) * sum of g * (x - mean) / (n * (variance + epsilon)))    of the batch
 *
 * (Ioffe and Szegedy 2015, arXiv 1502.03167). x is kept for the backward run, y is not: it is told again from x whether the
 * ReLU let it through. A thread takes blocks of channels, of all photos, so that sums need no other thread, and what the
 * first pass over a block has read the second mostly finds in the cache. */
#include "training.h"

#include <math.h>

#define MOST_LANES 16
#define ALIGNED __attribute__((aligned(INC_ALIGNMENT)))

/* What is kept of the forward run: l->vectors is [4][channels, to whole blocks]. */
enum { MEAN, SCALE, BETA, INVERSE, VECTORS };

static float *vector_of(const inc_trainer *t, const inc_layer *l, int which, int64_t block)
{
    inc_view view = inc_view_value(t, l->out);
    return l->vectors + (which * view.blocks + block) * t->block;
}

static inception_status prepare(inc_trainer *t, inc_layer *l, inception_error *error)
{
    inc_view view = inc_view_value(t, l->out);
    l->vectors = inc_arena_alloc(&t->arena, (size_t)(VECTORS * view.blocks * t->block), sizeof(float), error);
    if (t->wanted[l->out]) inc_touch_value(t, l->in, l->backward_step);
    return l->vectors ? INCEPTION_OK : INCEPTION_MEMORY;
}

static inc_normal normal_of(const inc_trainer *t, const inc_layer *l, int64_t block)
{
    return (inc_normal){vector_of(t, l, MEAN, block), vector_of(t, l, SCALE, block), vector_of(t, l, BETA, block), l->relu};
}

static int64_t lanes_in(const inc_trainer *t, const inc_view *view, int64_t block)
{
    int64_t left = view->channels - block * t->block;
    return left < t->block ? left : t->block;
}

static double count_of(const inc_trainer *t, const inc_view *view)
{
    return (double)view->pixels * t->how.batch;
}

/* Mean and variance of the batch; the moving ones follow. Sums are taken of the distance from the first pixel, for the
 * variance is the difference of two sums, and nothing would be left of it where the mean is large. */
static void measure(const inc_trainer *t, const inc_layer *l, int64_t block, double *mean, double *variance)
{
    inc_view x = inc_view_value(t, l->in);
    double sum[MOST_LANES] = {0}, squares[MOST_LANES] = {0}, n = count_of(t, &x);
    float *moving_mean = t->variables[l->node->norm.mean] + block * t->block;
    float *moving_variance = t->variables[l->node->norm.variance] + block * t->block;
    const float rate = (float)(1 - t->how.norm_decay);
    float around[MOST_LANES] ALIGNED;
    int64_t lanes = lanes_in(t, &x, block);
    for (int64_t c = 0; c < t->block; c++) around[c] = inc_load_element(inc_view_at(t, &x, 0, block), c, x.type);
    for (int64_t photo = 0; photo < t->how.batch; photo++)
        t->passes->sums(inc_view_at(t, &x, photo, block), x.pixels, around, sum, squares);
    for (int64_t c = 0; c < lanes; c++) {
        double off = sum[c] / n;
        mean[c] = around[c] + off;
        variance[c] = fmax(squares[c] / n - off * off, 0);
        double unbiased = n > 1 ? variance[c] * n / (n - 1) : variance[c];
        moving_mean[c] -= (moving_mean[c] - (float)mean[c]) * rate;
        moving_variance[c] -= (moving_variance[c] - (float)unbiased) * rate;
    }
}

static void set_vectors(const inc_trainer *t, const inc_layer *l, int64_t block)
{
    const inc_node *node = l->node;
    inc_view x = inc_view_value(t, l->in);
    int64_t from = block * t->block, lanes = lanes_in(t, &x, block);
    double mean[MOST_LANES], variance[MOST_LANES];
    const float *gamma = node->norm.gamma == INC_NONE ? NULL : t->variables[node->norm.gamma] + from;
    for (int64_t c = 0; c < lanes && !t->how.batch_statistics; c++) {
        mean[c] = t->variables[node->norm.mean][from + c];
        variance[c] = t->variables[node->norm.variance][from + c];
    }
    if (t->how.batch_statistics) measure(t, l, block, mean, variance);
    for (int64_t c = 0; c < lanes; c++) { /* as TensorFlow rounds it; channels that fill up the last block stay 0 */
        float inverse = 1 / sqrtf((float)variance[c] + node->norm.epsilon);
        vector_of(t, l, MEAN, block)[c] = (float)mean[c];
        vector_of(t, l, SCALE, block)[c] = gamma ? gamma[c] * inverse : inverse;
        vector_of(t, l, BETA, block)[c] = t->variables[node->norm.beta][from + c];
        vector_of(t, l, INVERSE, block)[c] = inverse;
    }
}

static void forward(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_view x = inc_view_value(t, l->in), y = inc_view_value(t, l->out);
    int64_t first, end;
    inc_share(t, thread, x.blocks, &first, &end);
    for (int64_t block = first; block < end; block++) {
        set_vectors(t, l, block);
        inc_normal normal = normal_of(t, l, block);
        for (int64_t photo = 0; photo < t->how.batch; photo++)
            t->passes->norm(inc_view_at(t, &x, photo, block), x.pixels, &normal, inc_view_at(t, &y, photo, block));
    }
}

/* The gradients of beta and gamma; and what dx = scale * (g - first - (x - mean) * second) wants. */
static void backward_sums(const inc_trainer *t, const inc_layer *l, int64_t block, float *first, float *second)
{
    const inc_node *node = l->node;
    inc_view x = inc_view_value(t, l->in), dy = inc_view_gradient(t, l->out);
    inc_normal normal = normal_of(t, l, block);
    double sum[MOST_LANES] = {0}, product[MOST_LANES] = {0}, n = count_of(t, &x);
    const float *inverse = vector_of(t, l, INVERSE, block);
    float *beta = t->gradients[node->norm.beta];
    float *gamma = node->norm.gamma == INC_NONE ? NULL : t->gradients[node->norm.gamma];
    if (!t->how.batch_statistics && !beta && !gamma) return;
    for (int64_t photo = 0; photo < t->how.batch; photo++)
        t->passes->norm_sums(inc_view_at(t, &x, photo, block), inc_view_at(t, &dy, photo, block), x.pixels, &normal, sum,
                             product);
    for (int64_t c = 0; c < lanes_in(t, &x, block); c++) {
        if (beta) beta[block * t->block + c] = (float)sum[c];
        if (gamma) gamma[block * t->block + c] = (float)(product[c] * inverse[c]);
        if (!t->how.batch_statistics) continue;
        first[c] = (float)(sum[c] / n);
        second[c] = (float)(product[c] / n * inverse[c] * inverse[c]);
    }
}

static void backward(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_view x = inc_view_value(t, l->in), dy = inc_view_gradient(t, l->out), dx = inc_view_gradient(t, l->in);
    int64_t from, end;
    inc_share(t, thread, x.blocks, &from, &end);
    for (int64_t block = from; block < end; block++) {
        float first[MOST_LANES] ALIGNED = {0}, second[MOST_LANES] ALIGNED = {0};
        inc_normal normal = normal_of(t, l, block);
        backward_sums(t, l, block, first, second);
        for (int64_t photo = 0; l->back[0] && photo < t->how.batch; photo++)
            t->passes->norm_back(inc_view_at(t, &x, photo, block), inc_view_at(t, &dy, photo, block), x.pixels, &normal,
                                 first, second, l->adds[0], inc_view_at(t, &dx, photo, block));
    }
}

const inc_operation inc_train_norm = {prepare, forward, backward};
