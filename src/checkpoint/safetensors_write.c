/* Writing safetensors: largest elements first, so that every tensor of a mapped file is aligned, then by name. */
#include "private.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const dtypes[] = {
    [INCEPTION_F32] = "F32", [INCEPTION_F64] = "F64", [INCEPTION_F16] = "F16", [INCEPTION_BF16] = "BF16",
    [INCEPTION_I8] = "I8",   [INCEPTION_U8] = "U8",   [INCEPTION_I16] = "I16", [INCEPTION_U16] = "U16",
    [INCEPTION_I32] = "I32", [INCEPTION_U32] = "U32", [INCEPTION_I64] = "I64", [INCEPTION_U64] = "U64",
    [INCEPTION_BOOL] = "BOOL",
};

static size_t bytes_of(const inception_tensor *tensor)
{
    return tensor->count * inc_type_size(tensor->type);
}

static int by_size(const void *a, const void *b)
{
    const inception_tensor *x = *(const inception_tensor *const *)a, *y = *(const inception_tensor *const *)b;
    size_t x_size = inc_type_size(x->type), y_size = inc_type_size(y->type);
    return x_size != y_size ? (x_size < y_size) - (x_size > y_size) : strcmp(x->name, y->name);
}

/* The row of one tensor; NULL: out of memory. */
static json_t *row_of(const inception_tensor *tensor, uint64_t begin)
{
    json_t *shape = json_array();
    bool good = shape != NULL;
    for (int i = 0; i < tensor->rank && good; i++)
        good = json_array_append_new(shape, json_integer((json_int_t)tensor->dims[i])) == 0;
    if (!good) return json_decref(shape), NULL;
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtypes[tensor->type], "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + bytes_of(tensor)));
}

static inception_status add_metadata(json_t *root, const inc_metadata *metadata, size_t count, inception_error *error)
{
    json_t *texts = json_object();
    if (!texts || json_object_set_new(root, "__metadata__", texts) != 0) return inc_fail_memory(error, 0);
    for (size_t i = 0; i < count; i++)
        if (json_object_set_new(texts, metadata[i].key, json_string(metadata[i].value)) != 0)
            return inc_fail(error, INCEPTION_INVALID, "metadata that is not UTF-8 text: %s", metadata[i].key);
    return INCEPTION_OK;
}

/* The header's JSON, padded so that the tensors begin at a multiple of INC_ALIGNMENT. */
static inception_status make_header(const inception_tensor *const *tensors, size_t count, const inc_metadata *metadata,
                                    size_t metadata_count, inc_buffer *header, inception_error *error)
{
    uint64_t offset = 0;
    json_t *root = json_object();
    char *text = NULL;
    inception_status status = root ? INCEPTION_OK : inc_fail_memory(error, 0);
    if (!status && metadata_count) status = add_metadata(root, metadata, metadata_count, error);
    for (size_t i = 0; i < count && !status; i++) {
        json_t *row = row_of(tensors[i], offset);
        if (!row) status = inc_fail_memory(error, 0);
        else if (json_object_set_new(root, tensors[i]->name, row) != 0)
            status = inc_fail(error, INCEPTION_INVALID, "a tensor's name is not UTF-8 text: %s", tensors[i]->name);
        offset += bytes_of(tensors[i]);
    }
    if (!status) {
        text = json_dumps(root, JSON_COMPACT);
        status = text ? inc_buffer_add(header, text, strlen(text), error) : inc_fail_memory(error, 0);
    }
    while (!status && (header->size + 8) % INC_ALIGNMENT != 0) status = inc_buffer_add(header, " ", 1, error);
    free(text);
    json_decref(root);
    return status;
}

inception_status inc_safetensors_write(const char *path, const inception_tensor *tensors, size_t count,
                                       const inc_metadata *metadata, size_t metadata_count, inception_error *error)
{
    inc_output output = {.fd = -1};
    inc_buffer header = {0};
    const inception_tensor **sorted;
    inception_status status = inc_writable(tensors, count, &sorted, error);
    if (status) goto done;
    if (count) qsort(sorted, count, sizeof(inception_tensor *), by_size);
    for (size_t i = 0; i < count && !status; i++)
        if (strcmp(sorted[i]->name, "__metadata__") == 0)
            status = inc_fail(error, INCEPTION_INVALID, "a tensor may not be called __metadata__");
    if (!status) status = make_header(sorted, count, metadata, metadata_count, &header, error);
    if (!status && header.size > INC_MAX_HEADER)
        status = inc_fail(error, INCEPTION_LIMIT, "%s: names and texts of more than %d bytes, which would not be read again",
                          path, INC_MAX_HEADER);
    if (!status) status = inc_output_open(&output, path, error);
    const uint64_t size = header.size;
    if (!status) status = inc_output_write(&output, &size, sizeof size, error);
    if (!status) status = inc_output_write(&output, header.data, header.size, error);
    for (size_t i = 0; i < count && !status; i++)
        status = inc_output_write(&output, sorted[i]->data, bytes_of(sorted[i]), error);
    if (!status) status = inc_output_commit(&output, true, error);

done:
    inc_output_discard(&output);
    free(header.data);
    free(sorted);
    return status;
}
