/* How wrong logits are: cross entropies of softmax and of sigmoids, and their gradients. */
#include "head.h"

#include <math.h>

/* Which of the classes the photo shows. */
static int class_shown(const bool *shown, int classes)
{
    int c = 0;
    while (c + 1 < classes && !shown[c]) c++;
    return c;
}

double inc_softmax_loss(const inc_answers *a, const double *bias, const double *importance)
{
    double loss = 0, total = 0;
    const int classes = a->classes;
    for (size_t n = 0; n < a->count; n++) total += importance[class_shown(a->shown + n * (size_t)classes, classes)];
    for (size_t n = 0; n < a->count; n++) {
        float *z = a->logits + n * (size_t)classes;
        const int right = class_shown(a->shown + n * (size_t)classes, classes);
        double largest = -INFINITY, sum = 0, share = importance[right] / total;
        for (int c = 0; c < classes; c++) largest = fmax(largest, (double)z[c] + bias[c]);
        for (int c = 0; c < classes; c++) sum += exp((double)z[c] + bias[c] - largest);
        loss += share * (log(sum) - ((double)z[right] + bias[right] - largest));
        for (int c = 0; c < classes; c++)
            z[c] = (float)(share * (exp((double)z[c] + bias[c] - largest) / sum - (c == right)));
    }
    return loss;
}

double inc_sigmoid_loss(const inc_answers *a, const double *bias, const double *importance)
{
    double loss = 0;
    const size_t classes = (size_t)a->classes, end = a->count * classes;
    for (size_t c = 0; c < classes; c++) {
        double total = 0;
        for (size_t i = c; i < end; i += classes) total += a->shown[i] ? importance[c] : 1;
        for (size_t i = c; i < end; i += classes) {
            double z = (double)a->logits[i] + bias[c], share = (a->shown[i] ? importance[c] : 1) / total;
            loss += share * (log1p(exp(-fabs(z))) + fmax(z, 0) - z * a->shown[i]); /* -log of what it says of the truth */
            a->logits[i] = (float)(share * (1 / (1 + exp(-z)) - a->shown[i]));
        }
    }
    return loss;
}
