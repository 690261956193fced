/* Writing TensorFlow checkpoints of format V2, with one data file. */
#include "private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* BundleHeaderProto: one data file, version {producer 1}. */
static const uint8_t header[] = {0x08, 0x01, 0x1A, 0x02, 0x08, 0x01};

/* What is 0 is left out: the bytes are those that TensorFlow writes. */
static void put_number(inc_message *message, uint32_t field, uint64_t value)
{
    if (value) inc_put_number(message, field, (int64_t)value);
}

/* TensorShapeProto */
static void put_shape(inc_message *entry, uint32_t field, const inception_tensor *tensor)
{
    enum { DIM = 2, SIZE = 1 };
    inc_message shape = {.error = entry->error};
    for (int i = 0; i < tensor->rank; i++) {
        inc_message dim = {.error = entry->error};
        put_number(&dim, SIZE, (uint64_t)tensor->dims[i]);
        inc_put_message(&shape, DIM, &dim);
    }
    inc_put_message(entry, field, &shape);
}

/* Writes the values to the data file and a BundleEntryProto to the index. */
static inception_status write_tensor(const inception_tensor *tensor, inc_output *data, uint64_t *offset,
                                     inc_table_writer *index, inception_error *error)
{
    enum { DTYPE = 1, SHAPE = 2, OFFSET = 4, SIZE = 5, CRC = 6 };
    inc_message entry = {.error = error};
    size_t size = tensor->count * inc_type_size(tensor->type);
    uint32_t crc = inc_crc32c_mask(inc_crc32c(0, tensor->data ? tensor->data : "", size));
    put_number(&entry, DTYPE, inc_dtype_for(tensor->type)->number);
    put_shape(&entry, SHAPE, tensor);
    put_number(&entry, OFFSET, *offset);
    put_number(&entry, SIZE, size);
    inc_put_u32(&entry, CRC, crc);
    inception_status status = entry.status;
    if (!status)
        status = inc_table_writer_add(index, tensor->name, strlen(tensor->name), entry.bytes.data, entry.bytes.size, error);
    if (!status) status = inc_output_write(data, tensor->data, size, error);
    *offset += size;
    inc_message_free(&entry);
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
    if (!status && fsync(list.fd) != 0) status = inc_fail_errno(error, index_path, "write"); /* what may fail is behind us */
    if (!status) status = inc_output_commit(&data, true, error);
    if (!status) status = inc_output_commit(&list, false, error); /* last: a checkpoint exists if its index does */

done:
    inc_output_discard(&list);
    inc_output_discard(&data);
    inc_table_writer_free(&index);
    inc_arena_free(&arena);
    free(sorted);
    return status;
}
