/* Which photos a network learns from, and which it is measured on: decided by their names. */
#include "head.h"

#include <stdlib.h>
#include <string.h>

/* Below these parts of all hashes: test, validation. */
#define TEST_BELOW (UINT64_MAX / 100 * 16)
#define VALIDATION_BELOW (UINT64_MAX / 100 * 30)

typedef struct lot {
    int class;
    uint64_t hash;
    const char *name;
    size_t number;
} lot;

static int by_class_and_hash(const void *a, const void *b)
{
    const lot *x = a, *y = b;
    if (x->class != y->class) return x->class < y->class ? -1 : 1;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The photos of one class, in order of their hashes. */
static void share_out(const lot *lots, size_t count, inception_part *parts)
{
    size_t test = 0, validation = 0; /* where each ends */
    while (test < count && lots[test].hash < TEST_BELOW) test++;
    while (validation < count && lots[validation].hash < VALIDATION_BELOW) validation++;
    size_t least = count > 2, most = count > 2 ? count - 2 : 0;
    test = test < least ? least : test > most ? most : test;
    least = test + (count > 1), most = count ? count - 1 : 0;
    validation = validation < least ? least : validation > most ? most : validation;
    for (size_t i = 0; i < count; i++)
        parts[lots[i].number] = i < test ? INCEPTION_TEST : i < validation ? INCEPTION_VALIDATION : INCEPTION_TRAIN;
}

inception_status inc_split(const char *const *names, const int *classes, size_t count, uint64_t seed, inception_part *parts,
                           inception_error *error)
{
    lot *lots = inc_calloc(count + 1, sizeof *lots, error);
    if (!lots) return INCEPTION_MEMORY;
    for (size_t i = 0; i < count; i++) lots[i] = (lot){classes[i], inc_name_hash(&seed, 1, names[i]), names[i], i};
    qsort(lots, count, sizeof *lots, by_class_and_hash);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && lots[end].class == lots[first].class;) end++;
        share_out(lots + first, end - first, parts);
    }
    free(lots);
    return INCEPTION_OK;
}
