/* Bounded reading of bytes from outside, protocol buffer fields, UTF-8, CRC-32C. */
#include "base.h"

#include <string.h>

inc_reader inc_reader_of(const char *name, const void *data, size_t size)
{
    const uint8_t *start = data ? data : (const uint8_t *)"";
    return (inc_reader){name, start, start, start + size};
}

size_t inc_left(const inc_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

uint64_t inc_position(const inc_reader *reader)
{
    return (uint64_t)(reader->at - reader->start);
}

bool inc_read_skip(inc_reader *reader, uint64_t size, const uint8_t **data)
{
    if (size > inc_left(reader)) return false;
    *data = reader->at;
    reader->at += size;
    return true;
}

bool inc_read_sub(inc_reader *reader, uint64_t size, inc_reader *sub)
{
    const uint8_t *data;
    if (!inc_read_skip(reader, size, &data)) return false;
    *sub = (inc_reader){reader->name, reader->start, data, reader->at};
    return true;
}

static bool read_little_endian(inc_reader *reader, int bytes, uint64_t *value)
{
    const uint8_t *data;
    if (!inc_read_skip(reader, (uint64_t)bytes, &data)) return false;
    *value = 0;
    for (int i = 0; i < bytes; i++) *value |= (uint64_t)data[i] << (8 * i);
    return true;
}

bool inc_read_u32(inc_reader *reader, uint32_t *value)
{
    uint64_t wide;
    if (!read_little_endian(reader, 4, &wide)) return false;
    *value = (uint32_t)wide;
    return true;
}

bool inc_read_u64(inc_reader *reader, uint64_t *value)
{
    return read_little_endian(reader, 8, value);
}

bool inc_read_varint(inc_reader *reader, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        if (shift == 63 && byte > 1) return false; /* would not fit 64 bits */
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

int inc_read_field(inc_reader *reader, inc_field *field)
{
    if (reader->at == reader->end) return 0;
    uint64_t tag, length;
    uint32_t word;
    *field = (inc_field){0};
    if (!inc_read_varint(reader, &tag) || tag >> 3 == 0 || tag >> 32 != 0) return -1;
    field->number = (uint32_t)(tag >> 3);
    field->wire = (uint32_t)(tag & 7);
    switch (field->wire) {
    case 0: return inc_read_varint(reader, &field->value) ? 1 : -1;
    case 1: return inc_read_u64(reader, &field->value) ? 1 : -1;
    case 2: return inc_read_varint(reader, &length) && inc_read_sub(reader, length, &field->bytes) ? 1 : -1;
    case 5:
        if (!inc_read_u32(reader, &word)) return -1;
        field->value = word;
        return 1;
    default: return -1;
    }
}

/* Slicing by eight: row 0 is the usual table, row k advances a byte by k more bytes. The tables are 8 KiB of constants
 * that the compiler cannot make from a formula in C, so the first row is written by halves and the rest follow on the
 * caller's stack: a checksum of less than a few KiB pays for them, and those are rare. */
#define POLYNOMIAL 0x82F63B78u

static void make_tables(uint32_t tables[8][256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][i] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++) tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 0xFF];
}

static uint32_t crc_bitwise(uint32_t crc, const uint8_t *at, size_t size)
{
    while (size--) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
    }
    return crc;
}

uint32_t inc_crc32c(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    crc = ~crc;
    if (size < 1024) return ~crc_bitwise(crc, at, size); /* cheaper than the tables */
    uint32_t tables[8][256];
    make_tables(tables);
    for (; size >= 8; size -= 8, at += 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
        crc = tables[7][low & 0xFF] ^ tables[6][low >> 8 & 0xFF] ^ tables[5][low >> 16 & 0xFF] ^ tables[4][low >> 24]
            ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^ tables[0][at[7]];
    }
    return ~crc_bitwise(crc, at, size);
}

uint32_t inc_crc32c_mask(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

size_t inc_utf8_size(const uint8_t *at, const uint8_t *end)
{
    static const struct { uint8_t mask, lead; uint32_t least; } kinds[] = {
        {0x80, 0x00, 0x20}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000},
    };
    for (size_t more = 0; more < INC_COUNT(kinds); more++) {
        if ((*at & kinds[more].mask) != kinds[more].lead) continue;
        if ((size_t)(end - at) <= more) return 0;
        uint32_t code = *at & (uint8_t)~kinds[more].mask;
        for (size_t i = 1; i <= more; i++) {
            if ((at[i] & 0xC0) != 0x80) return 0;
            code = code << 6 | (at[i] & 0x3F);
        }
        bool good = code >= kinds[more].least && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) && code != 0x7F
                 && (code < 0x80 || code > 0x9F);
        return good ? more + 1 : 0;
    }
    return 0;
}
