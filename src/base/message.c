/* Protocol buffer messages, written field by field. The format is tiny: a field is a tag (its number and one of four kinds
 * of encoding), and a varint, four or eight bytes, or a length with as many bytes; a message inside another is bytes. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, EIGHT_BYTES = 1, BYTES = 2, FOUR_BYTES = 5 };

static void put_varint(inc_message *message, uint64_t value)
{
    if (!message->status) message->status = inc_buffer_add_varint(&message->bytes, value, message->error);
}

static void put(inc_message *message, const void *data, size_t size)
{
    if (!message->status) message->status = inc_buffer_add(&message->bytes, data, size, message->error);
}

static void put_tag(inc_message *message, uint32_t field, uint32_t kind)
{
    put_varint(message, (uint64_t)field << 3 | kind);
}

void inc_put_number(inc_message *message, uint32_t field, int64_t value)
{
    put_tag(message, field, VARINT);
    put_varint(message, (uint64_t)value);
}

void inc_put_u32(inc_message *message, uint32_t field, uint32_t value)
{
    put_tag(message, field, FOUR_BYTES);
    put(message, &value, sizeof value);
}

void inc_put_float(inc_message *message, uint32_t field, float value)
{
    put_tag(message, field, FOUR_BYTES);
    put(message, &value, sizeof value);
}

void inc_put_double(inc_message *message, uint32_t field, double value)
{
    put_tag(message, field, EIGHT_BYTES);
    put(message, &value, sizeof value);
}

void inc_put_head(inc_message *message, uint32_t field, uint64_t size)
{
    put_tag(message, field, BYTES);
    put_varint(message, size);
}

void inc_put_bytes(inc_message *message, uint32_t field, const void *data, size_t size)
{
    inc_put_head(message, field, size);
    put(message, data, size);
}

void inc_put_text(inc_message *message, uint32_t field, const char *text)
{
    inc_put_bytes(message, field, text, strlen(text));
}

void inc_put_fields(inc_message *message, inc_message *more)
{
    if (!message->status) message->status = more->status;
    put(message, more->bytes.data, more->bytes.size);
    inc_message_free(more);
}

void inc_put_message(inc_message *message, uint32_t field, inc_message *inner)
{
    inc_put_head(message, field, inner->bytes.size);
    inc_put_fields(message, inner);
}

void inc_message_free(inc_message *message)
{
    free(message->bytes.data);
    message->bytes = (inc_buffer){0};
}
