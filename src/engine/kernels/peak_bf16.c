/* The same for products of bfloat16: the instruction multiplies pairs, and only an intrinsic names it. */
#include "private.h"

#include <immintrin.h>

#define CHAINS 12

uint64_t inc_peak_work_bf16(uint64_t rounds, float *sink)
{
    __m512 sums[CHAINS];
    __m512bh ones = (__m512bh)_mm512_set1_epi32(0x3f803f80), small = (__m512bh)_mm512_set1_epi32(0x3a803a80);
    for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_set1_ps((float)i);
    for (uint64_t r = 0; r < rounds; r++)
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) sums[i] = _mm512_dpbf16_ps(sums[i], ones, small);
    for (int i = 1; i < CHAINS; i++) sums[0] = _mm512_add_ps(sums[0], sums[i]);
    *sink = _mm512_cvtss_f32(sums[0]);
    return rounds * CHAINS * 32;
}
