/* Which photos a network learns from, and which it is measured on: decided by their names. */
#include "head.h"

#include <stdlib.h>
#include <string.h>

/* Below these parts of all hashes: test, validation. */
#define TEST_BELOW (UINT64_MAX / 100 * 16)
#define VALIDATION_BELOW (UINT64_MAX / 100 * 30)

static inception_part part_of(uint64_t hash)
{
    return hash < TEST_BELOW ? INCEPTION_TEST : hash < VALIDATION_BELOW ? INCEPTION_VALIDATION : INCEPTION_TRAIN;
}

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

/* ---- Several labels a photo ---- */

/* Each label makes two groups: the photos without it, and those with it. */
typedef struct sharing {
    const bool *labels; /* [count][label_count] */
    size_t count, label_count;
    lot *lots; /* in order of their hashes */
    inception_part *parts;
    size_t (*held)[INCEPTION_PARTS]; /* [2 * label_count]: photos of each group in each part */
} sharing;

static size_t *held_of(const sharing *s, size_t photo, size_t label)
{
    return s->held[2 * label + s->labels[photo * s->label_count + label]];
}

/* Training comes before validation, and that before the test: a part must not lose its last photo of a group to one that
 * comes behind it. */
static bool may_move(const sharing *s, size_t photo, inception_part to)
{
    const inception_part from = s->parts[photo];
    bool may = true;
    for (size_t l = 0; l < s->label_count && may && from < to; l++) may = held_of(s, photo, l)[from] > 1;
    return may;
}

/* Moves a photo of the group into the part, if that has none, the group has enough, and one may go. */
static void fill(const sharing *s, size_t label, bool with, inception_part part)
{
    const size_t *held = s->held[2 * label + with];
    bool lacks = !held[part] && held[INCEPTION_TRAIN] + held[INCEPTION_VALIDATION] + held[INCEPTION_TEST] > (size_t)part;
    for (size_t i = 0; i < s->count && lacks; i++) {
        size_t photo = s->lots[part == INCEPTION_TRAIN ? s->count - 1 - i : i].number;
        if (held_of(s, photo, label) != held || !may_move(s, photo, part)) continue;
        for (size_t l = 0; l < s->label_count; l++) held_of(s, photo, l)[s->parts[photo]]--, held_of(s, photo, l)[part]++;
        s->parts[photo] = part;
        lacks = false;
    }
}

inception_status inc_split_labels(const char *const *names, const bool *labels, size_t count, size_t label_count,
                                  uint64_t seed, inception_part *parts, inception_error *error)
{
    sharing s = {.labels = labels, .count = count, .label_count = label_count, .parts = parts};
    s.lots = inc_calloc(count + 1, sizeof *s.lots, error);
    s.held = inc_calloc(2 * label_count, sizeof *s.held, error);
    inception_status status = s.lots && s.held ? INCEPTION_OK : INCEPTION_MEMORY;
    for (size_t i = 0; i < count && !status; i++) {
        s.lots[i] = (lot){0, inc_name_hash(&seed, 1, names[i]), names[i], i};
        parts[i] = part_of(s.lots[i].hash);
        for (size_t l = 0; l < label_count; l++) held_of(&s, i, l)[parts[i]]++;
    }
    if (!status) qsort(s.lots, count, sizeof *s.lots, by_class_and_hash);
    for (int part = 0; part < INCEPTION_PARTS && !status; part++)
        for (size_t l = 0; l < 2 * label_count; l++) fill(&s, l / 2, l % 2 == 0, (inception_part)part);
    free(s.lots);
    free(s.held);
    return status;
}
