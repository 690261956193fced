/* Passes over the activations of training, whose cost is reading and writing them. Each treats one block of `lanes`
 * channels of some pixels, [pixels][lanes], aligned; what is per channel is [lanes]. Knows no graph and no oneDNN. */
#ifndef INC_PASSES_H
#define INC_PASSES_H

#include "../../base/base.h"

/* Batch norm: y = (x - mean) * scale + beta, and then max(y, 0) if `relu`. */
typedef struct inc_normal {
    const float *mean, *scale, *beta;
    bool relu;
} inc_normal;

typedef struct inc_passes {
    /* Adds to sum and squares: of x - mean, over the pixels. */
    void (*sums)(const float *x, int64_t pixels, const float *mean, double *sum, double *squares);
    void (*norm)(const float *x, int64_t pixels, const inc_normal *normal, float *y);

    /* Adds to sum and product: of g and of g * (x - mean); g = dy where the ReLU lets it through, or 0. */
    void (*norm_sums)(const float *x, const float *dy, int64_t pixels, const inc_normal *normal, double *sum,
                      double *product);
    /* dx = scale * (g - first - (x - mean) * second); `add`: to what dx holds. */
    void (*norm_back)(const float *x, const float *dy, int64_t pixels, const inc_normal *normal, const float *first,
                      const float *second, bool add, float *dx);

    void (*relu)(const float *x, int64_t count, float *y);
    void (*relu_back)(const float *y, const float *dy, int64_t count, bool add, float *dx);
    void (*add)(const float *a, const float *b, float scale, int64_t count, float *out); /* a + scale * b */
    void (*scale)(const float *a, float scale, int64_t count, float *out);
} inc_passes;

extern const inc_passes inc_passes_16, inc_passes_8;

#endif
