/* Random numbers: SplitMix64 (Steele, Lea and Flood 2014), whose state is a counter, so that any place of a sequence can be
 * reached at once. */
#include "base.h"

uint64_t inc_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

double inc_random_uniform(uint64_t *state)
{
    return (double)(inc_random(state) >> 11) * 0x1p-53;
}
