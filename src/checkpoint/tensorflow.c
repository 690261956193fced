/* What both checkpoint formats of TensorFlow use: data types, shapes, slices and the keys of slices.
 *
 * A key is "ordered code", made to sort as its parts do: num(0) string(name) num(rank), then per dimension signed(start)
 * signed(length). num: a count of bytes, then that many, big-endian. string: 00 becomes 00 FF, FF becomes FF 00, and
 * 00 01 ends it. signed: the fewest bytes n that hold a number of 7n bits, big-endian, the first n bits flipped. */
#include "private.h"

#include <string.h>

enum { VARINT = 0, WORD64 = 1, WORD32 = 5 };

static const inc_dtype dtypes[] = {
    {1, INCEPTION_F32, 4, {5, WORD32, INCEPTION_F32}},
    {2, INCEPTION_F64, 8, {6, WORD64, INCEPTION_F64}},
    {3, INCEPTION_I32, 4, {7, VARINT, INCEPTION_I32}},
    {4, INCEPTION_U8, 1, {7, VARINT, INCEPTION_U8}},
    {5, INCEPTION_I16, 2, {7, VARINT, INCEPTION_I16}},
    {6, INCEPTION_I8, 1, {7, VARINT, INCEPTION_I8}},
    {9, INCEPTION_I64, 8, {10, VARINT, INCEPTION_I64}},
    {10, INCEPTION_BOOL, 1, {11, VARINT, INCEPTION_BOOL}},
    {14, INCEPTION_BF16, 2, {13, VARINT, INCEPTION_BF16}},
    {17, INCEPTION_U16, 2, {7, VARINT, INCEPTION_U16}},
    {19, INCEPTION_F16, 2, {13, VARINT, INCEPTION_F16}},
    {22, INCEPTION_U32, 4, {16, VARINT, INCEPTION_U32}},
    {23, INCEPTION_U64, 8, {17, VARINT, INCEPTION_U64}},
    {8, INCEPTION_OTHER, 8, {0}},   /* complex64 */
    {11, INCEPTION_OTHER, 1, {0}},  /* qint8, quint8, qint32, qint16, quint16 */
    {12, INCEPTION_OTHER, 1, {0}},
    {13, INCEPTION_OTHER, 4, {0}},
    {15, INCEPTION_OTHER, 2, {0}},
    {16, INCEPTION_OTHER, 2, {0}},
    {18, INCEPTION_OTHER, 16, {0}}, /* complex128 */
    {INC_DT_STRING, INCEPTION_OTHER, 0, {0}},
};

static const inc_dtype unknown = {0, INCEPTION_OTHER, 0, {0}};

const inc_dtype *inc_dtype_of(uint64_t number)
{
    if (number > 100) number -= 100; /* references are numbered 100 higher than what they refer to */
    for (size_t i = 0; i < INC_COUNT(dtypes); i++)
        if (dtypes[i].number == number) return &dtypes[i];
    return &unknown;
}

const inc_dtype *inc_dtype_for(inception_type type)
{
    for (size_t i = 0; type != INCEPTION_OTHER && i < INC_COUNT(dtypes); i++)
        if (dtypes[i].type == type) return &dtypes[i];
    return NULL;
}

inception_status inc_shape_read(inc_draft *draft, inc_reader message, inception_tensor *tensor)
{
    enum { DIM = 2, UNKNOWN_RANK = 3, SIZE = 1 };
    inception_status status = INCEPTION_OK;
    inc_field field, inner;
    while (inc_next_field(&message, &field, &status, draft->error)) {
        if (field.number == UNKNOWN_RANK && field.wire == 0 && field.value)
            return INC_DAMAGED(&message, draft->error, "a tensor without a shape");
        if (field.number != DIM || field.wire != 2) continue;
        uint64_t size = 0;
        inc_reader at = field.bytes;
        while (inc_next_field(&field.bytes, &inner, &status, draft->error))
            if (inner.number == SIZE && inner.wire == 0) size = inner.value;
        if (!status) status = inc_shape_append(draft, &at, tensor, size);
        if (status) return status;
    }
    return status;
}

inception_status inc_slice_read(inc_draft *draft, inc_reader message, inc_slice *slice)
{
    enum { EXTENT = 1, START = 1, LENGTH = 2 };
    inception_status status = INCEPTION_OK;
    inc_field field, inner;
    *slice = (inc_slice){0};
    while (inc_next_field(&message, &field, &status, draft->error)) {
        if (field.number != EXTENT || field.wire != 2) continue;
        if (slice->rank == INCEPTION_MAX_RANK)
            return INC_DAMAGED(&message, draft->error, "a slice of more than %d dimensions", INCEPTION_MAX_RANK);
        int64_t start = 0, length = -1;
        while (inc_next_field(&field.bytes, &inner, &status, draft->error)) {
            if (inner.number == START && inner.wire == 0) start = (int64_t)inner.value;
            if (inner.number == LENGTH && inner.wire == 0) length = (int64_t)inner.value;
        }
        if (status) return status;
        slice->start[slice->rank] = start;
        slice->length[slice->rank++] = length;
    }
    return status;
}

inception_status inc_slice_resolve(inc_draft *draft, const inc_reader *at, const inception_tensor *tensor,
                                   inc_slice *slice, uint64_t *count)
{
    if (slice->rank != tensor->rank)
        return INC_DAMAGED(at, draft->error, "a slice of %d dimensions in a tensor of %d", slice->rank, tensor->rank);
    *count = 1;
    for (int i = 0; i < slice->rank; i++) {
        int64_t size = tensor->dims[i];
        if (slice->start[i] == 0 && slice->length[i] == -1) slice->length[i] = size;
        if (slice->start[i] < 0 || slice->start[i] > size || slice->length[i] < 0
            || slice->length[i] > size - slice->start[i])
            return INC_DAMAGED(at, draft->error, "a slice reaches outside its tensor");
        *count *= (uint64_t)slice->length[i]; /* no more than the tensor's, product by product */
    }
    return INCEPTION_OK;
}

static size_t put_number(uint8_t *out, uint64_t value)
{
    size_t bytes = 0;
    while (bytes < 8 && value >> (8 * bytes)) bytes++;
    out[0] = (uint8_t)bytes;
    for (size_t i = 0; i < bytes; i++) out[1 + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    return 1 + bytes;
}

static size_t put_string(uint8_t *out, const uint8_t *at, const uint8_t *end)
{
    uint8_t *begin = out;
    for (; at < end; at++) {
        *out++ = *at;
        if (*at == 0x00 || *at == 0xFF) *out++ = (uint8_t)~*at;
    }
    *out++ = 0x00;
    *out++ = 0x01;
    return (size_t)(out - begin);
}

static size_t put_signed(uint8_t *out, int64_t value)
{
    uint64_t magnitude = value < 0 ? ~(uint64_t)value : (uint64_t)value;
    size_t bytes = 1;
    while (bytes < 10 && magnitude >> (7 * bytes - 1)) bytes++;
    for (size_t i = 0; i < bytes; i++) {
        size_t shift = 8 * (bytes - 1 - i);
        out[i] = (uint8_t)(value >> (shift < 63 ? shift : 63));
    }
    out[0] ^= (uint8_t)(bytes >= 8 ? 0xFF : 0xFF00 >> bytes);
    if (bytes > 8) out[1] ^= (uint8_t)(0xFF00 >> (bytes - 8));
    return bytes;
}

size_t inc_slice_key(const inc_reader *name, const inc_slice *slice, uint8_t key[INC_MAX_KEY])
{
    size_t size = put_number(key, 0);
    size += put_string(key + size, name->at, name->end);
    size += put_number(key + size, (uint64_t)slice->rank);
    for (int i = 0; i < slice->rank; i++) {
        size += put_signed(key + size, slice->start[i]);
        size += put_signed(key + size, slice->length[i]);
    }
    return size;
}
