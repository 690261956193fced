/* What is made small. */
#include "train.h"

#include <math.h>
#include <string.h>

static double weight_of(const inc_targets *targets, int photo)
{
    return targets->weights ? targets->weights[photo] : 1;
}

/* What the sum over photos is divided by. */
static double count_weighted(const inc_targets *targets)
{
    int count = 0;
    for (int n = 0; n < targets->batch; n++) count += weight_of(targets, n) != 0;
    return count ? count : 1;
}

double inc_softmax_cross_entropy(const inc_targets *targets, const float *logits, double weight, float *gradient)
{
    const int classes = targets->classes;
    const double each = weight / count_weighted(targets), keep = 1 - targets->smoothing;
    double loss = 0;
    for (int n = 0; n < targets->batch; n++, logits += classes, gradient += classes) {
        const float *t = targets->values + (size_t)n * (size_t)classes;
        double largest = logits[0], sum = 0, total = 0, scale = each * weight_of(targets, n);
        for (int c = 1; c < classes; c++) largest = fmax(largest, logits[c]);
        for (int c = 0; c < classes; c++) sum += exp(logits[c] - largest);
        for (int c = 0; c < classes; c++) {
            double target = t[c] * keep + targets->smoothing / classes;
            loss -= scale * target * (logits[c] - largest - log(sum));
            total += target;
        }
        for (int c = 0; c < classes; c++) {
            double target = t[c] * keep + targets->smoothing / classes;
            gradient[c] = (float)(scale * (total * exp(logits[c] - largest) / sum - target));
        }
    }
    return loss;
}

double inc_sigmoid_cross_entropy(const inc_targets *targets, const float *logits, double weight, float *gradient)
{
    const double each = weight / (count_weighted(targets) * targets->classes), keep = 1 - targets->smoothing;
    double loss = 0;
    for (int n = 0; n < targets->batch; n++)
        for (int c = 0; c < targets->classes; c++) {
            const size_t i = (size_t)n * (size_t)targets->classes + (size_t)c;
            double x = logits[i], target = targets->values[i] * keep + targets->smoothing / 2;
            double scale = each * weight_of(targets, n);
            loss += scale * (fmax(x, 0) - x * target + log1p(exp(-fabs(x)))); /* no exponential overflows */
            gradient[i] = (float)(scale * (1 / (1 + exp(-x)) - target));
        }
    return loss;
}

double inc_weight_decay(const float *values, size_t count, double decay, float *gradient)
{
    enum { SUMS = 8 }; /* one addition waits for the one before it */
    double squares[SUMS] = {0}, sum = 0;
    for (size_t from = 0; from < count; from += SUMS) {
        const size_t end = count - from < SUMS ? count - from : SUMS;
        for (size_t i = 0; i < end; i++) squares[i] += (double)values[from + i] * values[from + i];
        for (size_t i = 0; i < end && gradient; i++) gradient[from + i] += (float)decay * values[from + i];
    }
    for (int i = 0; i < SUMS; i++) sum += squares[i];
    return decay / 2 * sum;
}

/* The weights of convolutions and fully connected layers, but not of V2's separable one; biases in one network only. */
bool inc_is_decayed(const char *name)
{
    const char *last = strrchr(name, '/');
    last = last ? last + 1 : name;
    return strcmp(last, "weights") == 0 || (strcmp(last, "biases") == 0 && strncmp(name, "InceptionResnetV2/", 18) == 0);
}
