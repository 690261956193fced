/* TensorFlow checkpoints of format V1: one table. The record with the empty key lists all tensors; each other record
 * holds the values of one slice of one tensor, nearly always the whole.
 *
 * The list of slices in the first record is not used: slices that cover every element of their tensor exactly once are
 * all that is needed. Records of tensors that the list does not name are passed over, as TensorFlow does. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

typedef struct saved {
    inc_draft *draft;
    bool listed;       /* the first record was read */
    inc_part *parts;   /* of one partitioned tensor: keys sort by name, so they come together */
    size_t count, capacity;
    size_t tensor;     /* which one */
    inc_reader at;     /* the last of the parts */
} saved;

/* SavedSliceMeta */
static inception_status list_tensor(inc_draft *draft, inc_reader message)
{
    enum { NAME = 1, SHAPE = 2, TYPE = 3 };
    inc_field field;
    inc_reader at = message, name = message;
    inception_tensor tensor = {.type = INCEPTION_OTHER, .count = 1};
    inception_status status = INCEPTION_OK;
    name.end = name.at;
    while (!status && inc_next_field(&message, &field, &status, draft->error)) {
        if (field.number == NAME && field.wire == 2) name = field.bytes;
        if (field.number == TYPE && field.wire == 0) tensor.type = inc_dtype_of(field.value)->type;
        if (field.number == SHAPE && field.wire == 2) status = inc_shape_read(draft, field.bytes, &tensor);
    }
    return status ? status : inc_draft_add(draft, &at, &name, &tensor);
}

/* SavedTensorSlices.meta */
static inception_status list_tensors(saved *s, inc_reader message)
{
    enum { META = 1, TENSOR = 1 };
    inc_field field, inner;
    inception_status status = INCEPTION_OK;
    inc_reader at = message;
    while (!status && inc_next_field(&message, &field, &status, s->draft->error)) {
        if (field.number != META || field.wire != 2) continue;
        while (!status && inc_next_field(&field.bytes, &inner, &status, s->draft->error))
            if (inner.number == TENSOR && inner.wire == 2) status = list_tensor(s->draft, inner.bytes);
        s->listed = true;
    }
    if (!status && !s->listed) return INC_DAMAGED(&at, s->draft->error, "the list of tensors is missing");
    return status ? status : inc_draft_sort(s->draft, at.name);
}

static int compare_name(const void *key, const void *element)
{
    const inc_reader *name = key;
    const char *other = ((const inception_tensor *)element)->name;
    size_t size = inc_left(name), length = strlen(other);
    int order = memcmp(name->at, other, size < length ? size : length);
    return order ? order : (size > length) - (size < length);
}

/* The values in a TensorProto, as many as `box`, a tensor of the slice's size, has. */
static inception_status read_values(inc_draft *draft, inc_reader message, const inception_tensor *box, const void **data)
{
    enum { CONTENT = 4 };
    const inc_dtype *dtype = inc_dtype_for(box->type);
    inc_reader fields = message;
    inc_field field;
    inception_status status = INCEPTION_OK;
    while (inc_next_field(&fields, &field, &status, draft->error)) {
        if (field.number != CONTENT || field.wire != 2 || inc_left(&field.bytes) == 0) continue;
        if (inc_left(&field.bytes) != box->count * dtype->size)
            return INC_DAMAGED(&field.bytes, draft->error, "%zu bytes of values where the shape asks for %llu",
                               inc_left(&field.bytes), (unsigned long long)(box->count * dtype->size));
        return *data = field.bytes.at, INCEPTION_OK;
    }
    return status ? status : inc_repeated_read(draft, message, &dtype->values, box, data);
}

static inception_status finish_parts(saved *s)
{
    inception_status status = INCEPTION_OK;
    if (s->count)
        status = inc_assemble(s->draft, &s->at, s->parts, s->count, &s->draft->weights->tensors[s->tensor]);
    s->count = 0;
    return status;
}

/* Notes the values of a slice: the tensor's, if it is the whole. */
static inception_status place(saved *s, const inc_reader *at, inception_tensor *tensor, inc_slice *slice,
                              inc_reader values)
{
    inception_tensor box = *tensor;
    const void *data = NULL;
    size_t index = (size_t)(tensor - s->draft->weights->tensors);
    inception_status status = inc_slice_resolve(s->draft, at, tensor, slice, &box.count);
    if (!status) status = read_values(s->draft, values, &box, &data);
    if (!status && index != s->tensor) status = finish_parts(s);
    if (status || box.count == 0) return status;
    s->tensor = index;
    s->at = *at;
    if (tensor->data) return INC_DAMAGED(at, s->draft->error, "slices overlap: %s", tensor->name);
    if (box.count == tensor->count && s->count == 0) return tensor->data = data, INCEPTION_OK;
    status = inc_grow(&s->parts, &s->capacity, s->count + 1, sizeof *s->parts, s->draft->error);
    if (!status) s->parts[s->count++] = (inc_part){*slice, data};
    return status;
}

/* SavedSlice */
static inception_status read_slice(saved *s, const inc_record *record, inc_reader message)
{
    enum { NAME = 1, SLICE = 2, DATA = 3 };
    inc_draft *draft = s->draft;
    inc_field field;
    inc_reader at = message, name = message, values = message;
    inc_slice slice = {0};
    inception_status status = INCEPTION_OK;
    name.end = name.at;
    values.end = values.at;
    while (!status && inc_next_field(&message, &field, &status, draft->error)) {
        if (field.wire != 2) continue;
        if (field.number == NAME) name = field.bytes;
        if (field.number == DATA) values = field.bytes;
        if (field.number == SLICE) status = inc_slice_read(draft, field.bytes, &slice);
    }
    if (status) return status;
    if (inc_left(&name) > INC_MAX_NAME) return INC_DAMAGED(&name, draft->error, "the name of a slice is too long");
    uint8_t key[INC_MAX_KEY];
    size_t size = inc_slice_key(&name, &slice, key);
    if (size != inc_left(&record->key) || memcmp(key, record->key.at, size) != 0)
        return INC_DAMAGED(&at, draft->error, "a slice that is filed under the key of another");
    const inception_weights *weights = draft->weights;
    inception_tensor *tensor = weights->count == 0 ? NULL
        : bsearch(&name, weights->tensors, weights->count, sizeof *weights->tensors, compare_name);
    if (!tensor || tensor->type == INCEPTION_OTHER) return INCEPTION_OK;
    return place(s, &at, tensor, &slice, values);
}

static inception_status visit(void *context, const inc_record *record, inception_error *error)
{
    enum { DATA = 2 };
    saved *s = context;
    if (inc_left(&record->key) == 0) return list_tensors(s, record->value);
    if (!s->listed) return INC_DAMAGED(&record->value, error, "the list of tensors is missing");
    inc_reader message = record->value;
    inc_field field;
    inception_status status = INCEPTION_OK;
    while (inc_next_field(&message, &field, &status, error))
        if (field.number == DATA && field.wire == 2) return read_slice(s, record, field.bytes);
    return status ? status : INC_DAMAGED(&record->value, error, "a record without a slice");
}

inception_status inc_slices_read(inc_draft *draft, inc_reader file)
{
    saved s = {.draft = draft, .at = file};
    draft->weights->format = INCEPTION_FORMAT_TF_V1;
    inception_status status = inc_table_read(file, visit, &s, draft->error);
    if (!status && !s.listed) status = INC_DAMAGED(&file, draft->error, "the list of tensors is missing");
    if (!status) status = finish_parts(&s);
    const inception_weights *weights = draft->weights;
    for (size_t i = 0; i < weights->count && !status; i++) {
        const inception_tensor *tensor = &weights->tensors[i];
        if (tensor->count && !tensor->data && tensor->type != INCEPTION_OTHER)
            status = inc_fail(draft->error, INCEPTION_DATA, "%s: the values are missing of %s", file.name, tensor->name);
    }
    free(s.parts);
    return status;
}
