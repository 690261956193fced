/* Probabilities that mean what they say (Guo and others 2017, arXiv 1706.04599). */
#include "head.h"

#include <math.h>

/* ln T is normally distributed around 0 before a photo was seen, as narrowly as ten choices could tell: two or three photos,
 * one of them wrong, must not make every answer uncertain. Of hundreds it changes nothing. */
#define PRIOR 10

/* -log of the softmax of a choice between classes, `own` of the one that is shown, `other` of each else. */
static double surprise_of(const float *logits, const bool *shown, int classes, double own, double other, double temperature)
{
    double largest = logits[0], sum = 0, mean = 0;
    for (int c = 1; c < classes; c++) largest = fmax(largest, (double)logits[c]);
    for (int c = 0; c < classes; c++) {
        double x = ((double)logits[c] - largest) / temperature;
        sum += exp(x);
        mean += (shown[c] ? own : other) * x;
    }
    return log(sum) - mean;
}

/* Mean over all choices: of a photo between its classes, or of each of its labels between this logit and one of 0, for
 * there the sigmoid is the softmax. Each counts a little for the other classes, as Platt (1999) has it, or else a few
 * photos that all are right would make every answer certain. */
static double surprise(const inc_answers *a, inception_activation activation, double temperature)
{
    const bool labels = activation == INCEPTION_SIGMOID;
    const int classes = labels ? 2 : a->classes;
    const size_t count = labels ? a->count * (size_t)a->classes : a->count;
    const double other = 1.0 / (((double)count + 2) * (classes - 1)), own = 1 - other * (classes - 1);
    double total = 0;
    for (size_t n = 0; n < count; n++) {
        const size_t first = n * (size_t)a->classes;
        if (labels) total += surprise_of((float[]){a->logits[n], 0}, (bool[]){a->shown[n], !a->shown[n]}, 2, own, other,
                                         temperature);
        else total += surprise_of(a->logits + first, a->shown + first, classes, own, other, temperature);
    }
    return (total + PRIOR / 2.0 * log(temperature) * log(temperature)) / (double)count;
}

/* Surprise of the photos is convex in 1 / temperature, so it has one valley; golden section search in its logarithm. */
double inc_temperature(const inc_answers *answers, inception_activation activation)
{
    const double ratio = (sqrt(5) - 1) / 2;
    double low = log(0.05), high = log(20);
    for (int i = 0; i < 60; i++) {
        double a = high - ratio * (high - low), b = low + ratio * (high - low);
        if (surprise(answers, activation, exp(a)) < surprise(answers, activation, exp(b))) high = b;
        else low = a;
    }
    return exp((low + high) / 2);
}
