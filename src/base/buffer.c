/* Bytes that grow. */
#include "base.h"

#include <string.h>

inception_status inc_buffer_add(inc_buffer *buffer, const void *data, size_t size, inception_error *error)
{
    size_t total;
    if (size == 0) return INCEPTION_OK;
    if (!inc_add(buffer->size, size, &total)) return inc_fail_memory(error, 0);
    inception_status status = inc_grow(&buffer->data, &buffer->capacity, total, 1, error);
    if (status) return status;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size = total;
    return INCEPTION_OK;
}

inception_status inc_buffer_add_varint(inc_buffer *buffer, uint64_t value, inception_error *error)
{
    uint8_t bytes[10];
    size_t size = 0;
    do {
        bytes[size] = (uint8_t)(value & 0x7F);
        value >>= 7;
        bytes[size++] |= value ? 0x80 : 0;
    } while (value);
    return inc_buffer_add(buffer, bytes, size, error);
}
