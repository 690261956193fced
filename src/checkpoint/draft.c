/* Weights while they are read: the list of tensors with its limits, and protocol buffer fields of numbers. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

inception_status inc_draft_begin(inc_draft *draft, inception_error *error)
{
    *draft = (inc_draft){.error = error, .weights = inc_calloc(1, sizeof(inception_weights), error)};
    return draft->weights ? INCEPTION_OK : INCEPTION_MEMORY;
}

inception_weights *inc_draft_end(inc_draft *draft, inception_status status)
{
    if (!status) return draft->weights;
    inc_weights_close(draft->weights);
    draft->weights = NULL;
    return NULL;
}

/* Names go to terminals and into JSON, so they must be text. */
static bool is_text(const inc_reader *name)
{
    const uint8_t *at = name->at;
    for (size_t step; at < name->end; at += step)
        if ((step = inc_utf8_size(at, name->end)) == 0) return false;
    return true;
}

inception_status inc_draft_count_text(inc_draft *draft, const inc_reader *at, size_t bytes)
{
    draft->text += bytes;
    if (draft->text <= INC_MAX_TEXT) return INCEPTION_OK;
    return inc_fail_at(draft->error, INCEPTION_LIMIT, at->name, inc_position(at), "more than %d MB of names",
                       INC_MAX_TEXT >> 20);
}

inception_status inc_draft_add(inc_draft *draft, const inc_reader *at, const inc_reader *name,
                               const inception_tensor *tensor)
{
    inception_weights *weights = draft->weights;
    size_t length = inc_left(name);
    if (length == 0) return INC_DAMAGED(at, draft->error, "a tensor without a name");
    if (length > INC_MAX_NAME)
        return inc_fail_at(draft->error, INCEPTION_LIMIT, at->name, inc_position(at),
                           "a tensor's name of %zu bytes; the limit is %d", length, INC_MAX_NAME);
    if (!is_text(name)) return INC_DAMAGED(at, draft->error, "a tensor's name is not printable text in UTF-8");
    if (weights->count >= INC_MAX_TENSORS)
        return inc_fail_at(draft->error, INCEPTION_LIMIT, at->name, inc_position(at), "more than %d tensors",
                           INC_MAX_TENSORS);
    inception_status status = inc_draft_count_text(draft, at, length);
    if (!status)
        status = inc_grow(&weights->tensors, &draft->capacity, weights->count + 1, sizeof(inception_tensor), draft->error);
    if (status) return status;
    char *copy = inc_arena_string(&weights->arena, (const char *)name->at, length, draft->error);
    if (!copy) return INCEPTION_MEMORY;
    inception_tensor *added = &weights->tensors[weights->count++];
    *added = *tensor;
    added->name = copy;
    return INCEPTION_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const inception_tensor *)a)->name, ((const inception_tensor *)b)->name);
}

inception_status inc_draft_sort(inc_draft *draft, const char *file)
{
    inception_weights *weights = draft->weights;
    if (weights->count) qsort(weights->tensors, weights->count, sizeof(inception_tensor), by_name);
    for (size_t i = 1; i < weights->count; i++)
        if (by_name(&weights->tensors[i - 1], &weights->tensors[i]) == 0)
            return inc_fail(draft->error, INCEPTION_DATA, "%s: two tensors have the same name: %s", file,
                            weights->tensors[i].name);
    return INCEPTION_OK;
}

inception_status inc_shape_append(inc_draft *draft, const inc_reader *at, inception_tensor *tensor, uint64_t size)
{
    size_t count, bytes;
    if (size > INT64_MAX) return INC_DAMAGED(at, draft->error, "a dimension is negative");
    if (tensor->rank == INCEPTION_MAX_RANK)
        return inc_fail_at(draft->error, INCEPTION_LIMIT, at->name, inc_position(at), "more than %d dimensions",
                           INCEPTION_MAX_RANK);
    if (!inc_mul(tensor->count, size, &count) || !inc_mul(count, 16, &bytes)) /* 16: the largest type */
        return INC_DAMAGED(at, draft->error, "the product of the dimensions is too large");
    tensor->dims[tensor->rank++] = (int64_t)size;
    tensor->count = count;
    return INCEPTION_OK;
}

bool inc_next_field(inc_reader *message, inc_field *field, inception_status *status, inception_error *error)
{
    inc_reader at = *message;
    int got = inc_read_field(message, field);
    if (got < 0)
        *status = INC_DAMAGED(&at, error, "not a field of a protocol buffer message; is the file damaged or cut short?");
    return got > 0;
}

/* The elements that one occurrence of the field brings. */
static uint64_t elements_of(const inc_repeated *kind, const inc_field *field)
{
    uint64_t count = 0;
    if (field->number != kind->number) return 0;
    if (field->wire == kind->wire) return 1;
    if (field->wire != 2) return 0;
    if (kind->wire != 0) return inc_left(&field->bytes) / (kind->wire == 1 ? 8 : 4);
    for (const uint8_t *at = field->bytes.at; at < field->bytes.end; at++) count += *at < 0x80;
    return count;
}

inception_status inc_repeated_count(inc_draft *draft, inc_reader message, const inc_repeated *kind, uint64_t *count)
{
    inception_status status = INCEPTION_OK;
    inc_field field;
    *count = 0;
    while (inc_next_field(&message, &field, &status, draft->error)) {
        *count += elements_of(kind, &field);
        bool packed = field.number == kind->number && field.wire == 2 && kind->wire != 0;
        if (packed && inc_left(&field.bytes) % (kind->wire == 1 ? 8 : 4) != 0)
            return INC_DAMAGED(&field.bytes, draft->error, "the last of the packed numbers is incomplete");
    }
    return status;
}

/* Where elements go. They were counted before, but the file may have been changed since: `end` is not passed. */
typedef struct room {
    uint8_t *at, *end;
} room;

static bool put(room *out, const void *bytes, size_t size)
{
    if ((size_t)(out->end - out->at) < size) return false;
    memcpy(out->at, bytes, size);
    out->at += size;
    return true;
}

/* A number of the wire, of which an element of a little-endian machine is the low bytes. */
static bool put_number(room *out, uint64_t value, const inc_repeated *kind)
{
    if (kind->type == INCEPTION_BOOL) value = value != 0;
    return put(out, &value, inc_type_size(kind->type));
}

/* Copies the elements of one occurrence. */
static inception_status copy_elements(inc_draft *draft, const inc_repeated *kind, inc_field *field, room *out)
{
    bool good = true;
    if (field->number != kind->number) return INCEPTION_OK;
    if (field->wire == kind->wire) good = put_number(out, field->value, kind);
    else if (field->wire == 2 && kind->wire != 0) good = put(out, field->bytes.at, inc_left(&field->bytes));
    while (good && field->wire == 2 && kind->wire == 0 && inc_left(&field->bytes) > 0) {
        uint64_t value;
        if (!inc_read_varint(&field->bytes, &value))
            return INC_DAMAGED(&field->bytes, draft->error, "a packed number is incomplete");
        good = put_number(out, value, kind);
    }
    return good ? INCEPTION_OK : INC_DAMAGED(&field->bytes, draft->error, "the file was changed while it was read");
}

inception_status inc_repeated_read(inc_draft *draft, inc_reader message, const inc_repeated *kind,
                                   const inception_tensor *tensor, const void **data)
{
    uint64_t count;
    inc_field field;
    inc_reader begin = message;
    inception_status status = inc_repeated_count(draft, message, kind, &count);
    if (status) return status;
    if (count != tensor->count)
        return INC_DAMAGED(&begin, draft->error, "%llu values where the shape asks for %llu",
                           (unsigned long long)count, (unsigned long long)tensor->count);
    while (count && inc_next_field(&message, &field, &status, draft->error))
        if (kind->wire != 0 && field.wire == 2 && elements_of(kind, &field) == count)
            return *data = field.bytes.at, INCEPTION_OK;
    size_t size = inc_type_size(kind->type);
    uint8_t *copy = inc_arena_alloc(&draft->weights->arena, count, size, draft->error);
    if (!copy) return INCEPTION_MEMORY;
    *data = copy;
    room out = {copy, copy + count * size};
    for (message = begin; !status && inc_next_field(&message, &field, &status, draft->error);)
        status = copy_elements(draft, kind, &field, &out);
    return status;
}
