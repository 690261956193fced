/* Caffe's models: one NetParameter message, with the layers in field 100 or, before 2015, in field 2. Only names and
 * blobs are of interest. A blob has its shape in BlobShape, or, in old files, in four numbers: those of vectors and
 * matrices are padded with leading ones, which are removed. */
#include "private.h"

#include <stdio.h>
#include <string.h>

static const struct layer_kind {
    uint32_t field, name, blobs;
} layer_kinds[] = {{100, 1, 7}, {2, 4, 6}};

static const inc_repeated floats = {5, 5, INCEPTION_F32}, doubles = {8, 1, INCEPTION_F64};

bool inc_caffe_probe(inc_reader file)
{
    inc_field field;
    if (inc_read_field(&file, &field) != 1 || field.wire != 2) return false;
    return field.number <= 3 || field.number == 100; /* name, layers, input; layer */
}

/* BlobShape */
static inception_status read_shape(inc_draft *draft, inc_reader message, inception_tensor *tensor)
{
    enum { DIM = 1 };
    inc_field field;
    inception_status status = INCEPTION_OK;
    while (!status && inc_next_field(&message, &field, &status, draft->error)) {
        if (field.number != DIM) continue;
        if (field.wire == 0) status = inc_shape_append(draft, &message, tensor, field.value);
        while (!status && field.wire == 2 && inc_left(&field.bytes)) {
            if (!inc_read_varint(&field.bytes, &field.value))
                return INC_DAMAGED(&field.bytes, draft->error, "a dimension is incomplete");
            status = inc_shape_append(draft, &field.bytes, tensor, field.value);
        }
    }
    return status;
}

static inception_status read_old_shape(inc_draft *draft, const inc_reader *at, const uint64_t sizes[4],
                                       inception_tensor *tensor)
{
    inception_status status = INCEPTION_OK;
    int first = 0;
    while (first < 3 && sizes[first] == 1) first++;
    for (int i = first; i < 4 && !status; i++) status = inc_shape_append(draft, at, tensor, sizes[i]);
    return status;
}

/* BlobProto */
static inception_status read_blob(inc_draft *draft, inc_reader message, inception_tensor *tensor)
{
    enum { NUM = 1, WIDTH = 4, SHAPE = 7 };
    inc_reader fields = message;
    inc_field field;
    uint64_t sizes[4] = {0}, count;
    bool old = false, shaped = false;
    inception_status status = INCEPTION_OK;
    *tensor = (inception_tensor){.count = 1};
    while (!status && inc_next_field(&fields, &field, &status, draft->error)) {
        if (field.wire == 0 && field.number >= NUM && field.number <= WIDTH) {
            sizes[field.number - NUM] = field.value;
            old = true;
        } else if (field.wire == 2 && field.number == SHAPE) {
            shaped = true;
            status = read_shape(draft, field.bytes, tensor);
        }
    }
    if (!status && old && !shaped) status = read_old_shape(draft, &message, sizes, tensor);
    if (!status && !old && !shaped) return INC_DAMAGED(&message, draft->error, "a blob without a shape");
    if (!status) status = inc_repeated_count(draft, message, &doubles, &count);
    if (status) return status;
    const inc_repeated *kind = count ? &doubles : &floats;
    tensor->type = kind->type;
    return inc_repeated_read(draft, message, kind, tensor, &tensor->data);
}

static inception_status add_blob(inc_draft *draft, const inc_reader *layer, unsigned index, inc_reader message)
{
    static const char *const names[] = {"weights", "biases"};
    char name[INC_MAX_NAME + 16];
    inception_tensor tensor;
    size_t size = inc_left(layer);
    if (size == 0) return INC_DAMAGED(&message, draft->error, "a layer with weights has no name");
    if (size > INC_MAX_NAME) return INC_DAMAGED(layer, draft->error, "the name of a layer is too long");
    memcpy(name, layer->at, size);
    name[size++] = '/';
    size += (size_t)(index < INC_COUNT(names) ? snprintf(name + size, sizeof name - size, "%s", names[index])
                                              : snprintf(name + size, sizeof name - size, "%u", index));
    inc_reader text = inc_reader_of(layer->name, name, size);
    inception_status status = read_blob(draft, message, &tensor);
    return status ? status : inc_draft_add(draft, layer, &text, &tensor);
}

static inception_status read_layer(inc_draft *draft, const struct layer_kind *kind, inc_reader message)
{
    inc_reader fields = message, name = message;
    inc_field field;
    unsigned index = 0;
    inception_status status = INCEPTION_OK;
    name.end = name.at;
    while (inc_next_field(&fields, &field, &status, draft->error))
        if (field.number == kind->name && field.wire == 2) name = field.bytes;
    while (!status && inc_next_field(&message, &field, &status, draft->error))
        if (field.number == kind->blobs && field.wire == 2) status = add_blob(draft, &name, index++, field.bytes);
    return status;
}

inception_status inc_caffe_read(inc_draft *draft, inc_reader file)
{
    inc_reader message = file;
    inc_field field;
    inception_status status = INCEPTION_OK;
    draft->weights->format = INCEPTION_FORMAT_CAFFE;
    while (!status && inc_next_field(&message, &field, &status, draft->error))
        for (size_t i = 0; i < INC_COUNT(layer_kinds) && !status; i++)
            if (field.number == layer_kinds[i].field && field.wire == 2)
                status = read_layer(draft, &layer_kinds[i], field.bytes);
    if (!status && draft->weights->count == 0)
        return INC_DAMAGED(&file, draft->error, "a Caffe model without weights, or not a Caffe model");
    return status ? status : inc_draft_sort(draft, file.name);
}
