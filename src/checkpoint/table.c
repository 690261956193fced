/* The sorted table that both checkpoint formats of TensorFlow are built on (LevelDB's).
 *
 *     file   := data block ... metaindex block, index block, footer
 *     block  := entries, restart offsets (uint32 each), their count (uint32), type (1 byte), masked CRC-32C (4 bytes)
 *     entry  := varints shared, fresh, value size; fresh bytes of the key; the value
 *     footer := handles (varints offset, size) of metaindex and index, zeros up to byte 40, magic (8 bytes)
 *
 * The index is a block whose values are the handles of the data blocks. Read front to back, in one pass, and no record is
 * looked up: all of them are wanted, and every checksum must be checked anyway. Blocks must lie in order without overlap,
 * so that a small file cannot ask for much work. */
#include "private.h"

#include <string.h>

#define FOOTER_SIZE 48
#define TRAILER_SIZE 5
#define SNAPPY 1

static const uint8_t magic[8] = {0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB};

/* The last key of a run of entries. */
typedef struct last_key {
    uint8_t bytes[INC_MAX_KEY];
    size_t size;
    bool any;
} last_key;

typedef struct table {
    inc_reader file;
    uint64_t end; /* of the block before: none may begin below */
    inc_visit *visit;
    void *context;
    last_key index, data;
} table;

bool inc_table_probe(inc_reader file)
{
    size_t size = inc_left(&file);
    if (size >= FOOTER_SIZE && memcmp(file.end - sizeof magic, magic, sizeof magic) == 0) return true;
    return size >= 4 && memcmp(file.at, "\0\0", 2) == 0; /* the first entry: an empty key */
}

/* The block that a handle names, without its trailer, checked. */
static inception_status read_block(table *t, inc_reader *handle, inc_reader *block, inception_error *error)
{
    uint64_t offset, size;
    uint32_t stored;
    inc_reader at = *handle, file = t->file, trailer;
    const uint8_t *type, *skipped;
    if (!inc_read_varint(handle, &offset) || !inc_read_varint(handle, &size))
        return INC_DAMAGED(&at, error, "the handle of a block is incomplete");
    if (offset < t->end) return INC_DAMAGED(&at, error, "blocks overlap");
    if (!inc_read_skip(&file, offset, &skipped) || !inc_read_sub(&file, size, block)
        || !inc_read_sub(&file, TRAILER_SIZE, &trailer))
        return INC_DAMAGED(&at, error, "a block reaches beyond the end of the file");
    t->end = inc_position(&trailer) + TRAILER_SIZE;
    inc_read_skip(&trailer, 1, &type);
    inc_read_u32(&trailer, &stored);
    if (inc_crc32c_mask(inc_crc32c(0, block->at, inc_left(block) + 1)) != stored)
        return INC_DAMAGED(block, error, "block checksum does not match");
    if (*type == SNAPPY)
        return inc_fail_at(error, INCEPTION_UNSUPPORTED, block->name, inc_position(block),
                           "a block compressed with Snappy, which checkpoints are not");
    if (*type != 0) return INC_DAMAGED(block, error, "a block of unknown type %u", *type);
    return INCEPTION_OK;
}

/* Puts an entry's key together. */
static inception_status advance_key(last_key *key, const inc_reader *at, uint64_t shared, const uint8_t *fresh,
                                    uint64_t size, inception_error *error)
{
    if (shared > key->size) return INC_DAMAGED(at, error, "a key shares more than the key before it has");
    if (size > sizeof key->bytes - shared) return INC_DAMAGED(at, error, "a key is too long");
    size_t rest = key->size - shared, common = rest < size ? rest : size;
    int order = common ? memcmp(key->bytes + shared, fresh, common) : 0;
    if (key->any && (order > 0 || (order == 0 && rest >= size)))
        return INC_DAMAGED(at, error, "keys are not in order");
    if (size) memcpy(key->bytes + shared, fresh, size);
    key->size = shared + size;
    key->any = true;
    return INCEPTION_OK;
}

/* Cuts the restart offsets off the end of a block. */
static inception_status split_restarts(inc_reader *block, inc_reader *restarts, inception_error *error)
{
    uint32_t count;
    size_t size = inc_left(block);
    inc_reader last = *block;
    if (size < 8) return INC_DAMAGED(block, error, "a block of only %zu bytes", size);
    last.at = block->end - 4;
    inc_read_u32(&last, &count);
    if (count == 0 || count > (size - 4) / 4)
        return INC_DAMAGED(block, error, "a block of %zu bytes with %u restart points", size, count);
    *restarts = *block;
    restarts->at = block->end = last.end - 4 - 4 * (size_t)count;
    restarts->end = last.end - 4;
    return INCEPTION_OK;
}

/* Visits the entries of a block. Restart points must be the beginnings of entries with whole keys. */
static inception_status visit_entries(inc_reader block, last_key *key, inc_visit *visit, void *context,
                                      inception_error *error)
{
    inc_reader restarts, begin = block;
    inception_status status = split_restarts(&block, &restarts, error);
    uint32_t restart = 0;
    bool pending = !status && inc_read_u32(&restarts, &restart);
    while (!status && inc_left(&block) > 0) {
        inc_reader at = block, value;
        uint64_t shared, fresh, size;
        const uint8_t *bytes;
        if (!inc_read_varint(&block, &shared) || !inc_read_varint(&block, &fresh) || !inc_read_varint(&block, &size)
            || !inc_read_skip(&block, fresh, &bytes) || !inc_read_sub(&block, size, &value))
            return INC_DAMAGED(&at, error, "an entry reaches beyond its block");
        bool here = pending && restart == (size_t)(at.at - begin.at);
        if (here && shared != 0) return INC_DAMAGED(&at, error, "a restart point without a whole key");
        if (here) pending = inc_read_u32(&restarts, &restart);
        status = advance_key(key, &at, shared, bytes, fresh, error);
        inc_record record = {inc_reader_of(begin.name, key->bytes, key->size), value};
        if (!status) status = visit(context, &record, error);
    }
    bool empty = pending && restart == 0 && begin.at == block.end && inc_left(&restarts) == 0;
    if (!status && pending && !empty) return INC_DAMAGED(&restarts, error, "a restart point is not an entry");
    return status;
}

static inception_status visit_data(void *context, const inc_record *record, inception_error *error)
{
    table *t = context;
    size_t size = inc_left(&record->key), common = size < t->index.size ? size : t->index.size;
    int order = common ? memcmp(record->key.at, t->index.bytes, common) : 0;
    if (order > 0 || (order == 0 && size > t->index.size))
        return INC_DAMAGED(&record->value, error, "a key is greater than its block's key in the index");
    return t->visit(t->context, record, error);
}

static inception_status visit_index(void *context, const inc_record *record, inception_error *error)
{
    table *t = context;
    inc_reader handle = record->value, block;
    inception_status status = read_block(t, &handle, &block, error);
    return status ? status : visit_entries(block, &t->data, visit_data, t, error);
}

static inception_status visit_nothing(void *context, const inc_record *record, inception_error *error)
{
    (void)context, (void)record, (void)error;
    return INCEPTION_OK;
}

inception_status inc_table_read(inc_reader file, inc_visit *visit, void *context, inception_error *error)
{
    table t = {.file = file, .visit = visit, .context = context};
    inc_reader footer = file, meta, index, block;
    if (inc_left(&file) < FOOTER_SIZE || memcmp(file.end - sizeof magic, magic, sizeof magic) != 0) {
        footer.at = file.end;
        return INC_DAMAGED(&footer, error, "the file does not end as a checkpoint does; is it cut short?");
    }
    footer.at = file.end - FOOTER_SIZE;
    footer.end = file.end - sizeof magic;
    t.file.end = footer.at;
    uint64_t skipped;
    meta = index = footer;
    if (!inc_read_varint(&index, &skipped) || !inc_read_varint(&index, &skipped))
        return INC_DAMAGED(&footer, error, "the footer is damaged");
    inception_status status = read_block(&t, &meta, &block, error);
    if (!status) status = visit_entries(block, &t.data, visit_nothing, NULL, error);
    uint64_t data_end = status ? 0 : inc_position(&block);
    if (!status) status = read_block(&t, &index, &block, error);
    if (status) return status;
    while (index.at < index.end && *index.at == 0) index.at++;
    if (inc_left(&index)) return INC_DAMAGED(&index, error, "the footer's padding is not zero");
    t.file.end = file.start + data_end;
    t.end = 0;
    t.data = (last_key){.size = 0};
    return visit_entries(block, &t.index, visit_index, &t, error);
}
