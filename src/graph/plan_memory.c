/* Lifetimes -> offsets. Largest first; each goes into the smallest gap that fits among those already placed that live
 * at the same time. Knows no graph: sizes and steps only. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

static bool overlap(const inc_lifetime *a, const inc_lifetime *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static int larger_first(const void *a, const void *b)
{
    const inc_lifetime *x = *(inc_lifetime *const *)a, *y = *(inc_lifetime *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y; /* a stable order: plans must not depend on the sort */
}

/* The best offset for `record` among `count` neighbours that live at the same time, in order of their offsets. */
static size_t best_gap(const inc_lifetime *record, inc_lifetime *const *neighbours, size_t count)
{
    size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        if (neighbours[i]->offset > end) {
            size_t gap = neighbours[i]->offset - end;
            if (gap >= record->bytes && gap < best_size) best = end, best_size = gap;
        }
        size_t behind = neighbours[i]->offset + neighbours[i]->bytes;
        if (behind > end) end = behind;
    }
    return best == SIZE_MAX ? end : best;
}

/* Puts the record among the `count` placed ones, which are in order of their offsets. */
static void insert(inc_lifetime **placed, size_t count, inc_lifetime *record)
{
    size_t at = count;
    for (; at > 0 && placed[at - 1]->offset > record->offset; at--) placed[at] = placed[at - 1];
    placed[at] = record;
}

inception_status inc_plan_memory(inc_lifetime *lifetimes, size_t count, size_t *total, inception_error *error)
{
    *total = 0;
    inc_lifetime **order = inc_calloc(3 * count, sizeof *order, error);
    if (!order) return INCEPTION_MEMORY;
    inc_lifetime **placed = order + count, **neighbours = placed + count;
    for (size_t i = 0; i < count; i++) {
        lifetimes[i].bytes = (lifetimes[i].bytes + INC_ALIGNMENT - 1) & ~(size_t)(INC_ALIGNMENT - 1);
        order[i] = &lifetimes[i];
    }
    qsort(order, count, sizeof *order, larger_first);
    for (size_t i = 0; i < count && order[i]->bytes; i++) { /* the last ones need no place */
        size_t living = 0;
        for (size_t j = 0; j < i; j++)
            if (overlap(order[i], placed[j])) neighbours[living++] = placed[j];
        order[i]->offset = best_gap(order[i], neighbours, living);
        insert(placed, i, order[i]);
        size_t end = order[i]->offset + order[i]->bytes;
        if (end > *total) *total = end;
    }
    free(order);
    return INCEPTION_OK;
}
