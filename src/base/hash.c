/* Two hashes. inc_name_hash() is for names, and its numbers are documented: they are the same everywhere, for ever.
 *
 * inc_hash() is a checksum at the speed of memory: damage shows, malice would not. Eight sums at once, because a
 * multiplication takes four cycles and a core starts one in each. Memory is asked for ahead, because so many instructions
 * a line keep the core from looking far ahead itself: a third faster. */
#include "base.h"

#include <string.h>

#define LANES 8
#define AHEAD 2048 /* bytes */

uint64_t inc_hash(const void *data, size_t size)
{
    uint64_t lanes[LANES], word;
    const uint8_t *at = data;
    const uint64_t factor = 0x9e3779b97f4a7c15; /* odd: multiplying by it can be undone, so nothing is lost */
    for (uint64_t i = 0; i < LANES; i++) lanes[i] = size + i;
    for (; size >= sizeof lanes; size -= sizeof lanes, at += sizeof lanes) {
        if (size > AHEAD) __builtin_prefetch(at + AHEAD);
        for (int i = 0; i < LANES; i++) {
            memcpy(&word, at + 8 * i, sizeof word);
            lanes[i] = (lanes[i] ^ word) * factor;
            lanes[i] ^= lanes[i] >> 29;
        }
    }
    for (; size > 0; size--, at++) lanes[0] = (lanes[0] ^ *at) * factor;
    uint64_t hash = 0;
    for (int i = 0; i < LANES; i++) hash = (hash ^ lanes[i] ^ lanes[i] >> 32) * factor;
    return hash ^ hash >> 32;
}

uint64_t inc_name_hash(const uint64_t *numbers, size_t count, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < 8 * count; i++) hash = (hash ^ (numbers[i / 8] >> 8 * (i % 8) & 255)) * 0x100000001b3;
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 0x100000001b3;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd; /* FNV's upper bits hardly know the last letters */
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
    return hash ^ hash >> 33;
}
