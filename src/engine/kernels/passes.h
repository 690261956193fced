/* Passes over the activations of training, whose cost is reading and writing them. Each treats one block of `lanes`
 * channels of some pixels, [pixels][lanes], aligned, of float32 or of bfloat16; what is per channel is float32, [lanes], and
 * so is the arithmetic. Knows no graph and no oneDNN. */
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
    void (*sums)(const void *x, int64_t pixels, const float *mean, double *sum, double *squares);
    void (*norm)(const void *x, int64_t pixels, const inc_normal *normal, void *y);

    /* Adds to sum and product: of g and of g * (x - mean); g = dy where the ReLU lets it through, or 0. */
    void (*norm_sums)(const void *x, const void *dy, int64_t pixels, const inc_normal *normal, double *sum,
                      double *product);
    /* dx = scale * (g - first - (x - mean) * second); `add`: to what dx holds. */
    void (*norm_back)(const void *x, const void *dy, int64_t pixels, const inc_normal *normal, const float *first,
                      const float *second, bool add, void *dx);

    void (*relu)(const void *x, int64_t count, void *y);
    void (*relu_back)(const void *y, const void *dy, int64_t count, bool add, void *dx);
    void (*add)(const void *a, const void *b, float scale, int64_t count, void *out); /* a + scale * b */
    void (*scale)(const void *a, float scale, int64_t count, void *out);
} inc_passes;

extern const inc_passes inc_passes_16, inc_passes_8, inc_passes_bf16; /* bfloat16 in blocks of 16 */

#endif
