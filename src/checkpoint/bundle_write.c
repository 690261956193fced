/* Writing TensorFlow checkpoints of format V2, with one data file. */
#include "private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* BundleHeaderProto: one data file, version {producer 1}. */
static const uint8_t header[] = {0x08, 0x01, 0x1A, 0x02, 0x08, 0x01};

/* TensorShapeProto */
static inception_status add_shape(inc_buffer *shape, const inception_tensor *tensor, inception_error *error)
{
    enum { DIM = 2, SIZE = 1 };
    inception_status status = INCEPTION_OK;
    for (int i = 0; i < tensor->rank && !status; i++) {
        inc_buffer dim = {0};
        status = inc_buffer_add_number(&dim, SIZE, (uint64_t)tensor->dims[i], error);
        if (!status) status = inc_buffer_add_bytes(shape, DIM, dim.data, dim.size, error);
        free(dim.data);
    }
    return status;
}

/* Writes the values to the data file and a BundleEntryProto to the index. */
static inception_status write_tensor(const inception_tensor *tensor, inc_output *data, uint64_t *offset,
                                     inc_table_writer *index, inception_error *error)
{
    enum { DTYPE = 1, SHAPE = 2, OFFSET = 4, SIZE = 5, CRC_TAG = 6 << 3 | 5 };
    inc_buffer entry = {0}, shape = {0};
    size_t size = tensor->count * inc_type_size(tensor->type);
    uint32_t crc = inc_crc32c_mask(inc_crc32c(0, tensor->data ? tensor->data : "", size));
    inception_status status = inc_buffer_add_number(&entry, DTYPE, inc_dtype_for(tensor->type)->number, error);
    if (!status) status = add_shape(&shape, tensor, error);
    if (!status) status = inc_buffer_add_bytes(&entry, SHAPE, shape.data, shape.size, error);
    if (!status) status = inc_buffer_add_number(&entry, OFFSET, *offset, error);
    if (!status) status = inc_buffer_add_number(&entry, SIZE, size, error);
    if (!status) status = inc_buffer_add_varint(&entry, CRC_TAG, error);
    if (!status) status = inc_buffer_add(&entry, &crc, sizeof crc, error);
    if (!status) status = inc_table_writer_add(index, tensor->name, strlen(tensor->name), entry.data, entry.size, error);
    if (!status) status = inc_output_write(data, tensor->data, size, error);
    *offset += size;
    free(entry.data);
    free(shape.data);
    return status;
}

inception_status inc_bundle_write(const char *prefix, const inception_tensor *tensors, size_t count,
                                  inception_error *error)
{
    inc_arena arena = {0};
    inc_output data = {.fd = -1}, list = {.fd = -1};
    inc_table_writer index;
    const inception_tensor **sorted;
    const char *data_path = NULL, *index_path = NULL;
    uint64_t offset = 0;
    inc_table_writer_init(&index);
    inception_status status = inc_writable(tensors, count, &sorted, error);
    if (status) goto done;
    data_path = inc_join(&arena, prefix, ".data-00000-of-00001", error);
    index_path = inc_join(&arena, prefix, ".index", error);
    status = data_path && index_path ? inc_output_open(&data, data_path, error) : INCEPTION_MEMORY;
    if (!status) status = inc_output_open(&list, index_path, error);
    if (!status) status = inc_table_writer_add(&index, "", 0, header, sizeof header, error);
    for (size_t i = 0; i < count && !status; i++) status = write_tensor(sorted[i], &data, &offset, &index, error);
    if (!status) status = inc_table_writer_finish(&index, error);
    if (!status) status = inc_output_write(&list, index.file.data, index.file.size, error);
    if (!status) status = inc_output_commit(&data, true, error);
    if (status) goto done;
    status = inc_output_commit(&list, true, error); /* last: a checkpoint exists if its index does */
    if (status) unlink(data_path);

done:
    inc_output_discard(&list);
    inc_output_discard(&data);
    inc_table_writer_free(&index);
    inc_arena_free(&arena);
    free(sorted);
    return status;
}
