/* Partitioned tensors: slices copied to where they belong. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

/* Where slices have been put so far. */
typedef struct canvas {
    const inception_tensor *tensor;
    size_t size; /* of an element */
    uint8_t *bytes;
    uint8_t *seen; /* per element: filled */
} canvas;

/* Copies the rows (runs along the last dimension) of one part; false where something was there already. */
static bool paint(canvas *to, const inc_part *part)
{
    const inc_slice *slice = &part->slice;
    const inception_tensor *tensor = to->tensor;
    int last = tensor->rank - 1;
    size_t row = (size_t)slice->length[last];
    const uint8_t *from = part->data;
    int64_t at[INCEPTION_MAX_RANK] = {0};
    for (int moved = 0; moved >= 0;) {
        size_t offset = 0;
        for (int i = 0; i <= last; i++)
            offset = offset * (size_t)tensor->dims[i] + (size_t)(slice->start[i] + at[i]);
        if (memchr(to->seen + offset, 1, row)) return false;
        memset(to->seen + offset, 1, row);
        memcpy(to->bytes + offset * to->size, from, row * to->size);
        from += row * to->size;
        for (moved = last - 1; moved >= 0 && ++at[moved] == slice->length[moved]; moved--) at[moved] = 0;
    }
    return true;
}

static uint64_t elements(const inc_slice *slice)
{
    uint64_t count = 1;
    for (int i = 0; i < slice->rank; i++) count *= (uint64_t)slice->length[i];
    return count;
}

inception_status inc_assemble(inc_draft *draft, const inc_reader *at, const inc_part *parts, size_t count,
                              inception_tensor *tensor)
{
    uint64_t there = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(there, elements(&parts[i].slice), &there)) there = UINT64_MAX;
    if (there != tensor->count)
        return INC_DAMAGED(at, draft->error, "slices hold %llu elements of %llu: %s", (unsigned long long)there,
                           (unsigned long long)tensor->count, tensor->name);
    canvas to = {.tensor = tensor, .size = inc_type_size(tensor->type)};
    to.seen = inc_calloc(tensor->count, 1, draft->error);
    if (!to.seen) return INCEPTION_MEMORY;
    inception_status status = INCEPTION_OK;
    to.bytes = inc_arena_alloc(&draft->weights->arena, tensor->count, to.size, draft->error);
    if (!to.bytes) status = INCEPTION_MEMORY;
    for (size_t i = 0; i < count && !status; i++)
        if (elements(&parts[i].slice) && !(tensor->rank ? paint(&to, &parts[i]) : count == 1))
            status = INC_DAMAGED(at, draft->error, "slices overlap: %s", tensor->name);
    if (tensor->rank == 0 && !status) memcpy(to.bytes, parts[0].data, to.size);
    tensor->data = to.bytes;
    free(to.seen);
    return status;
}
