/* How fast the arithmetic units are: multiply-adds that nothing holds up, compiled for each width of vectors. */
#include "private.h"

#ifdef __AVX512F__
#define LANES 16
#define NAME(name) name##_16
#else
#define LANES 8
#define NAME(name) name##_8
#endif
#define CHAINS 12 /* independent sums: more than two units times their latency */

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

uint64_t NAME(inc_peak_work)(uint64_t rounds, float *sink)
{
    vec sums[CHAINS];
    for (int i = 0; i < CHAINS; i++) sums[i] = (vec){0} + (float)i;
    for (uint64_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) sums[i] = sums[i] * 0.999f + 0.001f;
    for (int i = 1; i < CHAINS; i++) sums[0] += sums[i];
    *sink = sums[0][0]; /* so that the work is not left out */
    return rounds * CHAINS * LANES;
}
