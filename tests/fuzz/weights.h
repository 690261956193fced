/* Shared by the fuzz targets of weights files: what must hold for every answer, and the sealing of tables: checksums are
 * put right in a copy of the input, or no change that a fuzzer makes would get past them. */
#ifndef FUZZ_WEIGHTS_H
#define FUZZ_WEIGHTS_H

#include "../../src/checkpoint/private.h"

#include <stdlib.h>
#include <string.h>

/* Memory of exactly this size, so that a sanitizer sees every step outside. */
static inline uint8_t *exact_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (copy && size) memcpy(copy, data, size);
    return copy;
}

static inline void require(bool condition)
{
    if (!condition) abort();
}

/* Reads everything that was returned, and frees it. */
static inline void check_weights(inception_weights *weights, const inception_error *error)
{
    require((weights != NULL) == (error->status == INCEPTION_OK));
    require(weights || (error->message[0] && memchr(error->message, 0, sizeof error->message)));
    for (size_t i = 0; weights && i < weights->count; i++) {
        const inception_tensor *tensor = &weights->tensors[i];
        inception_statistics statistics;
        require(tensor->name[0] && (i == 0 || strcmp(weights->tensors[i - 1].name, tensor->name) < 0));
        require(inc_weights_find(weights, tensor->name) == tensor);
        require(tensor->rank >= 0 && tensor->rank <= INCEPTION_MAX_RANK);
        require(inc_tensor_statistics(tensor, &statistics) == (tensor->type != INCEPTION_OTHER));
    }
    for (size_t i = 0; weights && i < weights->metadata_count; i++)
        require(inc_weights_metadata(weights, weights->metadata[i].key) != NULL);
    inc_weights_close(weights);
}

static inline void seal_block(uint8_t *file, uint64_t end, uint64_t offset, uint64_t size)
{
    if (offset > end || size > end - offset || end - offset - size < 5) return;
    file[offset + size] = 0;
    uint32_t crc = inc_crc32c_mask(inc_crc32c(0, file + offset, size + 1));
    memcpy(file + offset + size + 1, &crc, 4);
}

typedef void visit_value(void *context, uint8_t *value, size_t size);

/* Walks the entries of a block without much ado; `visit` may change values. */
static inline void walk_block(uint8_t *file, uint64_t end, uint64_t offset, uint64_t size, visit_value *visit,
                              void *context)
{
    if (offset > end || size > end - offset) return;
    inc_reader block = inc_reader_of("", file + offset, size), value;
    uint64_t shared, fresh, length;
    const uint8_t *skipped;
    while (inc_read_varint(&block, &shared) && inc_read_varint(&block, &fresh) && inc_read_varint(&block, &length)
           && inc_read_skip(&block, fresh, &skipped) && inc_read_sub(&block, length, &value))
        visit(context, (uint8_t *)value.at, inc_left(&value));
}

typedef struct sealing {
    uint8_t *file;
    size_t size;
    visit_value *visit; /* of the records, before their block is sealed */
    void *context;
} sealing;

static inline void seal_data(void *context, uint8_t *value, size_t size)
{
    const sealing *s = context;
    uint64_t offset, length;
    inc_reader handle = inc_reader_of("", value, size);
    if (!inc_read_varint(&handle, &offset) || !inc_read_varint(&handle, &length)) return;
    if (s->visit) walk_block(s->file, s->size, offset, length, s->visit, s->context);
    seal_block(s->file, s->size, offset, length);
}

static inline void seal_table(sealing *s)
{
    static const uint8_t magic[8] = {0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB};
    uint64_t offsets[2], sizes[2];
    if (s->size < 48) return;
    inc_reader footer = inc_reader_of("", s->file + s->size - 48, 40);
    for (int i = 0; i < 2; i++)
        if (!inc_read_varint(&footer, &offsets[i]) || !inc_read_varint(&footer, &sizes[i])) return;
    memset((uint8_t *)footer.at, 0, inc_left(&footer));
    memcpy(s->file + s->size - 8, magic, 8);
    seal_block(s->file, s->size - 48, offsets[0], sizes[0]);
    walk_block(s->file, s->size - 48, offsets[1], sizes[1], seal_data, s);
    seal_block(s->file, s->size - 48, offsets[1], sizes[1]);
}

#endif
