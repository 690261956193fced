/* Probabilities that mean what they say (Guo and others 2017, arXiv 1706.04599). */
#include "head.h"

#include <math.h>

/* ln T is normally distributed around 0 before a photo was seen, as narrowly as ten photos could tell: two or three of them,
 * one of them wrong, must not make every answer uncertain. Of hundreds it changes nothing. */
#define PRIOR 10

/* Mean of -log of the probabilities. Each photo counts a little for the other classes, as Platt (1999) has it, or else a
 * few photos that all are right would make every answer certain. */
static double surprise(const float *logits, const int *right, size_t count, int classes, double temperature)
{
    const double other = 1.0 / (((double)count + 2) * (classes - 1)), own = 1 - other * (classes - 1);
    double total = 0;
    for (size_t n = 0; n < count; n++, logits += classes) {
        double largest = logits[0], sum = 0, mean = 0;
        for (int c = 1; c < classes; c++) largest = fmax(largest, (double)logits[c]);
        for (int c = 0; c < classes; c++) {
            double x = ((double)logits[c] - largest) / temperature;
            sum += exp(x);
            mean += (c == right[n] ? own : other) * x;
        }
        total += log(sum) - mean;
    }
    return (total + PRIOR / 2.0 * log(temperature) * log(temperature)) / (double)count;
}

/* Surprise of the photos is convex in 1 / temperature, so it has one valley; golden section search in its logarithm. */
double inc_temperature(const float *logits, const int *right, size_t count, int classes)
{
    const double ratio = (sqrt(5) - 1) / 2;
    double low = log(0.05), high = log(20);
    for (int i = 0; i < 60; i++) {
        double a = high - ratio * (high - low), b = low + ratio * (high - low);
        if (surprise(logits, right, count, classes, exp(a)) < surprise(logits, right, count, classes, exp(b))) high = b;
        else low = a;
    }
    return exp((low + high) / 2);
}
