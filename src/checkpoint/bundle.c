/* TensorFlow checkpoints of format V2: a table PREFIX.index, whose records say where in PREFIX.data-?????-of-????? the
 * bytes of each tensor are. The record with the empty key is the header. Slices of partitioned tensors have records of
 * their own; their keys begin with a zero byte, so that all of them come before the first name. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

/* BundleEntryProto */
typedef struct entry {
    inc_reader at;
    const inc_dtype *dtype;
    inception_tensor tensor;
    uint64_t shard, offset, size;
    uint32_t crc;
    size_t slices;
} entry;

typedef struct filed_slice {
    const uint8_t *key;
    size_t key_size;
    entry entry;
    bool used; /* a slice is of one tensor, and once: or few bytes would make many */
} filed_slice;

typedef struct bundle {
    inc_draft *draft;
    const inc_reader *shards;
    size_t shard_count;
    uint64_t bytes; /* not claimed by a tensor yet */
    filed_slice *slices; /* sorted by key, as they come */
    size_t count, capacity;
} bundle;

bool inc_bundle_probe(inc_reader file)
{
    enum { SHARDS_TAG = 0x08 }; /* a V1 checkpoint begins with a message, 0x0A */
    uint64_t size;
    const uint8_t *head;
    return inc_read_skip(&file, 2, &head) && inc_read_varint(&file, &size) && inc_left(&file) > 0
        && *file.at == SHARDS_TAG;
}

static inception_status read_header(inc_reader message, size_t *shards, inception_error *error)
{
    enum { SHARDS = 1, ENDIANNESS = 2 };
    inc_field field;
    inc_reader at = message;
    inception_status status = INCEPTION_OK;
    uint64_t count = 0;
    while (inc_next_field(&message, &field, &status, error)) {
        if (field.number == SHARDS && field.wire == 0) count = field.value;
        if (field.number == ENDIANNESS && field.wire == 0 && field.value != 0)
            return inc_fail_at(error, INCEPTION_UNSUPPORTED, at.name, inc_position(&at),
                               "written on a big-endian machine; only little-endian checkpoints can be read");
    }
    if (!status && (count == 0 || count > INC_MAX_SHARDS))
        return INC_DAMAGED(&at, error, "a checkpoint in %llu data files", (unsigned long long)count);
    *shards = (size_t)count;
    return status;
}

static inception_status visit_header(void *context, const inc_record *record, inception_error *error)
{
    size_t *shards = context;
    if (*shards) return INCEPTION_OK;
    if (inc_left(&record->key)) return INC_DAMAGED(&record->value, error, "the header is missing");
    return read_header(record->value, shards, error);
}

inception_status inc_bundle_shards(inc_reader index, size_t *count, inception_error *error)
{
    *count = 0;
    inception_status status = inc_table_read(index, visit_header, count, error);
    if (!status && *count == 0) return INC_DAMAGED(&index, error, "the header is missing");
    return status;
}

static inception_status read_entry(inc_draft *draft, inc_reader message, entry *e)
{
    enum { DTYPE = 1, SHAPE = 2, SHARD = 3, OFFSET = 4, SIZE = 5, CRC = 6, SLICES = 7 };
    inc_field field;
    inception_status status = INCEPTION_OK;
    *e = (entry){.at = message, .dtype = inc_dtype_of(0), .tensor.count = 1};
    while (!status && inc_next_field(&message, &field, &status, draft->error)) {
        uint64_t *number = field.wire != 0 ? NULL : field.number == SHARD ? &e->shard
                         : field.number == OFFSET ? &e->offset : field.number == SIZE ? &e->size : NULL;
        if (number) *number = field.value;
        if (field.number == DTYPE && field.wire == 0) e->dtype = inc_dtype_of(field.value);
        if (field.number == SHAPE && field.wire == 2) status = inc_shape_read(draft, field.bytes, &e->tensor);
        if (field.number == CRC && field.wire == 5) e->crc = (uint32_t)field.value;
        if (field.number == SLICES && field.wire == 2) e->slices++;
    }
    e->tensor.type = e->dtype->type;
    return status;
}

/* The lengths of all strings (varints), a checksum of the lengths as integers of 4 or 8 bytes, the strings. The crc goes
 * on over the checksum and the strings. */
static bool check_strings(inc_reader data, uint64_t count, uint32_t stored)
{
    uint32_t crc = 0, lengths_crc;
    uint64_t length, total = 0;
    const uint8_t *bytes;
    if (count > inc_left(&data)) return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!inc_read_varint(&data, &length) || __builtin_add_overflow(total, length, &total)) return false;
        crc = inc_crc32c(crc, &length, length > UINT32_MAX ? 8 : 4);
    }
    uint32_t masked = inc_crc32c_mask(crc);
    if (!inc_read_u32(&data, &lengths_crc) || lengths_crc != masked) return false;
    crc = inc_crc32c(crc, &lengths_crc, sizeof lengths_crc);
    return inc_read_skip(&data, total, &bytes) && inc_left(&data) == 0
        && inc_crc32c_mask(inc_crc32c(crc, bytes, total)) == stored;
}

/* Finds the bytes of an entry and checks them. */
static inception_status claim(bundle *b, entry *e, const char *name)
{
    inception_error *error = b->draft->error;
    const uint8_t *data;
    if (e->shard >= b->shard_count)
        return INC_DAMAGED(&e->at, error, "data file %llu of %zu", (unsigned long long)e->shard, b->shard_count);
    inc_reader shard = b->shards[e->shard], bytes;
    if (!inc_read_skip(&shard, e->offset, &data) || !inc_read_sub(&shard, e->size, &bytes))
        return INC_DAMAGED(&e->at, error, "the tensor reaches beyond the end of %s: %s", shard.name, name);
    if (e->size > b->bytes) return INC_DAMAGED(&e->at, error, "tensors overlap in the data files");
    b->bytes -= e->size;
    if (e->dtype->size && e->size != e->tensor.count * e->dtype->size)
        return INC_DAMAGED(&e->at, error, "%llu bytes where the shape asks for %llu: %s", (unsigned long long)e->size,
                           (unsigned long long)(e->tensor.count * e->dtype->size), name);
    bool strings = e->dtype->number == INC_DT_STRING;
    bool good = strings ? check_strings(bytes, e->tensor.count, e->crc) : e->dtype->size == 0
        || inc_crc32c_mask(inc_crc32c(0, bytes.at, e->size)) == e->crc;
    if (!good) return INC_DAMAGED(&bytes, error, "tensor checksum does not match: %s", name);
    if (e->tensor.type != INCEPTION_OTHER) e->tensor.data = bytes.at;
    return INCEPTION_OK;
}

static inception_status file_slice(bundle *b, const inc_record *record)
{
    entry e;
    if (b->count == INC_MAX_TENSORS)
        return inc_fail_at(b->draft->error, INCEPTION_LIMIT, record->value.name, inc_position(&record->value),
                           "more than %d slices", INC_MAX_TENSORS);
    inception_status status = inc_draft_count_text(b->draft, &record->value, inc_left(&record->key));
    if (!status) status = read_entry(b->draft, record->value, &e);
    if (!status) status = claim(b, &e, "a slice");
    if (!status) status = inc_grow(&b->slices, &b->capacity, b->count + 1, sizeof *b->slices, b->draft->error);
    if (status) return status;
    size_t size = inc_left(&record->key);
    const char *key = inc_arena_string(&b->draft->weights->arena, (const char *)record->key.at, size, b->draft->error);
    if (!key) return INCEPTION_MEMORY;
    b->slices[b->count++] = (filed_slice){(const uint8_t *)key, size, e, false};
    return INCEPTION_OK;
}

static int compare_keys(const void *a, const void *b)
{
    const filed_slice *x = a, *y = b;
    int order = memcmp(x->key, y->key, x->key_size < y->key_size ? x->key_size : y->key_size);
    return order ? order : (x->key_size > y->key_size) - (x->key_size < y->key_size);
}

/* Finds the record of one slice of a partitioned tensor. */
static inception_status find_part(bundle *b, const entry *whole, const inception_tensor *tensor,
                                  inc_reader message, inc_part *part)
{
    inception_error *error = b->draft->error;
    uint64_t count;
    uint8_t key[INC_MAX_KEY];
    inception_status status = inc_slice_read(b->draft, message, &part->slice);
    if (status) return status;
    const inc_reader name = inc_reader_of(message.name, tensor->name, strlen(tensor->name));
    filed_slice wanted = {.key = key, .key_size = inc_slice_key(&name, &part->slice, key)};
    filed_slice *found = b->count ? bsearch(&wanted, b->slices, b->count, sizeof *b->slices, compare_keys) : NULL;
    if (!found) return INC_DAMAGED(&message, error, "a slice is missing: %s", tensor->name);
    if (found->used) return INC_DAMAGED(&message, error, "slices overlap: %s", tensor->name);
    found->used = true;
    status = inc_slice_resolve(b->draft, &message, tensor, &part->slice, &count);
    if (!status && (found->entry.dtype != whole->dtype || found->entry.tensor.count != count || found->entry.slices))
        return INC_DAMAGED(&found->entry.at, error, "a slice of another type or size than its tensor: %s", tensor->name);
    part->data = found->entry.tensor.data;
    return status;
}

/* A record with slices: puts the tensor together. */
static inception_status join_slices(bundle *b, const entry *whole, inception_tensor *tensor)
{
    enum { SLICES = 7 };
    inc_field field;
    inc_reader message = whole->at;
    inception_status status = INCEPTION_OK;
    size_t count = 0;
    if (whole->slices > b->count) return INC_DAMAGED(&whole->at, b->draft->error, "slices are missing: %s", tensor->name);
    inc_part *parts = inc_calloc(whole->slices, sizeof *parts, b->draft->error);
    if (!parts) return INCEPTION_MEMORY;
    while (!status && count < whole->slices && inc_next_field(&message, &field, &status, b->draft->error))
        if (field.number == SLICES && field.wire == 2) status = find_part(b, whole, tensor, field.bytes, &parts[count++]);
    if (!status) status = inc_assemble(b->draft, &whole->at, parts, count, tensor);
    free(parts);
    return status;
}

static inception_status visit(void *context, const inc_record *record, inception_error *error)
{
    bundle *b = context;
    entry e;
    size_t shards;
    inc_reader name = record->key;
    if (inc_left(&name) == 0) return read_header(record->value, &shards, error);
    if (*name.at == 0) return file_slice(b, record);
    inception_status status = read_entry(b->draft, record->value, &e);
    if (!status) status = inc_draft_add(b->draft, &e.at, &name, &e.tensor);
    if (status) return status;
    inception_tensor *tensor = &b->draft->weights->tensors[b->draft->weights->count - 1];
    if (e.slices) return e.tensor.type == INCEPTION_OTHER ? INCEPTION_OK : join_slices(b, &e, tensor);
    status = claim(b, &e, tensor->name);
    tensor->data = e.tensor.data;
    return status;
}

inception_status inc_bundle_read(inc_draft *draft, inc_reader index, const inc_reader *shards, size_t shard_count)
{
    bundle b = {.draft = draft, .shards = shards, .shard_count = shard_count};
    for (size_t i = 0; i < shard_count; i++) b.bytes += inc_left(&shards[i]);
    draft->weights->format = INCEPTION_FORMAT_TF_V2;
    inception_status status = inc_table_read(index, visit, &b, draft->error);
    if (!status) status = inc_draft_sort(draft, index.name);
    free(b.slices);
    return status;
}
