/* Writing the table that table.c reads, cut into blocks as TensorFlow cuts it, so that equal records give equal bytes. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 262144
#define FOOTER_PADDED 40

static const uint8_t magic[8] = {0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB};

void inc_table_writer_init(inc_table_writer *table)
{
    *table = (inc_table_writer){.data.interval = 16, .index.interval = 1};
}

static void free_block(inc_block *block)
{
    free(block->bytes.data);
    free(block->restarts.data);
    free(block->key.data);
}

void inc_table_writer_free(inc_table_writer *table)
{
    free(table->file.data);
    free_block(&table->data);
    free_block(&table->index);
    *table = (inc_table_writer){0};
}

/* The first `size` bytes of the buffer become `data`. */
static inception_status assign(inc_buffer *buffer, const void *data, size_t size, inception_error *error)
{
    buffer->size = 0;
    return inc_buffer_add(buffer, data, size, error);
}

static size_t common_prefix(const inc_buffer *a, const uint8_t *b, size_t size)
{
    size_t same = 0, least = a->size < size ? a->size : size;
    while (same < least && a->data[same] == b[same]) same++;
    return same;
}

static inception_status add_entry(inc_block *block, const void *key, size_t key_size, const void *value,
                                  size_t value_size, inception_error *error)
{
    inception_status status = INCEPTION_OK;
    size_t shared = 0;
    if (block->since == block->interval) { /* the first restart point, at 0, goes without saying */
        uint32_t offset = (uint32_t)block->bytes.size;
        status = inc_buffer_add(&block->restarts, &offset, sizeof offset, error);
        block->since = 0;
    } else if (block->bytes.size) {
        shared = common_prefix(&block->key, key, key_size);
    }
    const uint64_t sizes[] = {shared, key_size - shared, value_size};
    for (size_t i = 0; i < INC_COUNT(sizes) && !status; i++)
        status = inc_buffer_add_varint(&block->bytes, sizes[i], error);
    if (!status) status = inc_buffer_add(&block->bytes, (const uint8_t *)key + shared, key_size - shared, error);
    if (!status) status = inc_buffer_add(&block->bytes, value, value_size, error);
    if (!status) status = assign(&block->key, key, key_size, error);
    block->since++;
    return status;
}

/* Ends a block: restart points, trailer; into the file. */
static inception_status write_block(inc_table_writer *table, inc_block *block, uint64_t *offset, uint64_t *size,
                                    inception_error *error)
{
    const uint32_t first = 0, restarts = (uint32_t)(block->restarts.size / 4) + 1;
    inc_buffer *bytes = &block->bytes;
    inception_status status = inc_buffer_add(bytes, &first, 4, error);
    if (!status) status = inc_buffer_add(bytes, block->restarts.data, block->restarts.size, error);
    if (!status) status = inc_buffer_add(bytes, &restarts, 4, error);
    *offset = table->file.size;
    *size = bytes->size;
    if (!status) status = inc_buffer_add(bytes, "", 1, error); /* not compressed */
    if (status) return status;
    uint32_t crc = inc_crc32c_mask(inc_crc32c(0, bytes->data, bytes->size));
    status = inc_buffer_add(&table->file, bytes->data, bytes->size, error);
    if (!status) status = inc_buffer_add(&table->file, &crc, 4, error);
    bytes->size = block->restarts.size = 0;
    block->since = 0;
    return status;
}

static inception_status add_handle(inc_buffer *buffer, uint64_t offset, uint64_t size, inception_error *error)
{
    inception_status status = inc_buffer_add_varint(buffer, offset, error);
    return status ? status : inc_buffer_add_varint(buffer, size, error);
}

/* Writes the index entry of the finished block: under the shortest key that is at least its last one and less than
 * `next` (NULL: there is none). */
static inception_status add_pending(inc_table_writer *table, const uint8_t *next, size_t next_size,
                                    inception_error *error)
{
    inc_buffer key = {0}, handle = {0}, *last = &table->data.key;
    inception_status status = inc_buffer_add(&key, last->data, last->size, error);
    size_t at = next ? common_prefix(last, next, next_size) : 0;
    while (!next && at < key.size && key.data[at] == 0xFF) at++;
    bool cut = at < key.size && key.data[at] < 0xFF && (!next || (at < next_size && key.data[at] + 1 < next[at]));
    if (!status && cut) {
        key.data[at]++;
        key.size = at + 1;
    }
    if (!status) status = add_handle(&handle, table->pending_offset, table->pending_size, error);
    if (!status) status = add_entry(&table->index, key.data ? key.data : (const uint8_t *)"", key.size, handle.data,
                                    handle.size, error);
    table->pending = false;
    free(key.data);
    free(handle.data);
    return status;
}

inception_status inc_table_writer_add(inc_table_writer *table, const void *key, size_t key_size, const void *value,
                                      size_t value_size, inception_error *error)
{
    inc_block *data = &table->data;
    inception_status status = table->pending ? add_pending(table, key, key_size, error) : INCEPTION_OK;
    if (!status) status = add_entry(data, key, key_size, value, value_size, error);
    if (status || data->bytes.size + data->restarts.size + 8 < BLOCK_SIZE) return status;
    status = write_block(table, data, &table->pending_offset, &table->pending_size, error);
    table->pending = !status;
    return status;
}

inception_status inc_table_writer_finish(inc_table_writer *table, inception_error *error)
{
    inc_buffer footer = {0};
    inc_block meta = {0};
    uint64_t meta_offset = 0, meta_size = 0, offset = 0, size = 0;
    inception_status status = INCEPTION_OK;
    if (table->data.bytes.size) {
        status = write_block(table, &table->data, &table->pending_offset, &table->pending_size, error);
        table->pending = !status;
    }
    if (!status) status = write_block(table, &meta, &meta_offset, &meta_size, error);
    if (!status && table->pending) status = add_pending(table, NULL, 0, error);
    if (!status) status = write_block(table, &table->index, &offset, &size, error);
    if (!status) status = add_handle(&footer, meta_offset, meta_size, error);
    if (!status) status = add_handle(&footer, offset, size, error);
    while (!status && footer.size < FOOTER_PADDED) status = inc_buffer_add(&footer, "", 1, error);
    if (!status) status = inc_buffer_add(&footer, magic, sizeof magic, error);
    if (!status) status = inc_buffer_add(&table->file, footer.data, footer.size, error);
    free_block(&meta);
    free(footer.data);
    return status;
}
