/* Histograms as TensorFlow makes them: buckets that widen by a tenth, on both sides of 0, so that values of any size are
 * told apart to 10 %. A bucket holds what is less than its limit and not less than the one before. */
#include "private.h"

#include <float.h>

#define SIDE 774 /* limits above 0: from 1e-12 on, each 1.1 times the one before, up to 1e20 */
#define LIMITS (2 * SIDE + 3)

enum { HISTOGRAM_MIN = 1, HISTOGRAM_MAX = 2, HISTOGRAM_COUNT = 3, HISTOGRAM_SUM = 4, HISTOGRAM_SQUARES = 5,
       HISTOGRAM_LIMITS = 6, HISTOGRAM_BUCKETS = 7 };

/* By the same multiplications as TensorFlow's, so that they are the same to the last bit. */
static void set_limits(double limits[LIMITS])
{
    double limit = 1e-12;
    limits[0] = -DBL_MAX;
    limits[SIDE + 1] = 0;
    limits[LIMITS - 1] = DBL_MAX;
    for (int i = 1; i <= SIDE; i++, limit *= 1.1) {
        limits[SIDE + 1 + i] = limit;
        limits[SIDE + 1 - i] = -limit;
    }
}

/* The first limit greater than the value. */
static size_t bucket_of(const double limits[LIMITS], double value)
{
    size_t first = 0, last = LIMITS - 1;
    while (first < last) {
        size_t middle = (first + last) / 2;
        if (limits[middle] > value) last = middle;
        else first = middle + 1;
    }
    return first;
}

void inc_put_histogram(inc_message *message, const float *values, size_t count)
{
    double limits[LIMITS], buckets[LIMITS] = {0};
    double min = DBL_MAX, max = -DBL_MAX, sum = 0, squares = 0; /* as TensorFlow has it where there are no values */
    set_limits(limits);
    for (size_t i = 0; i < count; i++) {
        double value = (double)values[i];
        buckets[bucket_of(limits, value)]++;
        if (value < min) min = value;
        if (value > max) max = value;
        sum += value;
        squares += value * value;
    }
    size_t kept = 0;
    for (size_t i = 0; i < LIMITS; i++) { /* empty buckets in a row become one, up to the last one's limit */
        if (buckets[i] == 0 && i + 1 < LIMITS && buckets[i + 1] == 0) continue;
        limits[kept] = limits[i];
        buckets[kept++] = buckets[i];
    }
    inc_put_double(message, HISTOGRAM_MIN, min);
    inc_put_double(message, HISTOGRAM_MAX, max);
    inc_put_double(message, HISTOGRAM_COUNT, (double)count);
    inc_put_double(message, HISTOGRAM_SUM, sum);
    inc_put_double(message, HISTOGRAM_SQUARES, squares);
    inc_put_bytes(message, HISTOGRAM_LIMITS, limits, kept * sizeof *limits);
    inc_put_bytes(message, HISTOGRAM_BUCKETS, buckets, kept * sizeof *buckets);
}
