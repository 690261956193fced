/* One tensor: its type, its values as double, their statistics. */
#include "private.h"

#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are views into little-endian files");

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [INCEPTION_F32] = {"f32", 4}, [INCEPTION_F64] = {"f64", 8}, [INCEPTION_F16] = {"f16", 2},
    [INCEPTION_BF16] = {"bf16", 2}, [INCEPTION_I8] = {"i8", 1}, [INCEPTION_U8] = {"u8", 1},
    [INCEPTION_I16] = {"i16", 2}, [INCEPTION_U16] = {"u16", 2}, [INCEPTION_I32] = {"i32", 4},
    [INCEPTION_U32] = {"u32", 4}, [INCEPTION_I64] = {"i64", 8}, [INCEPTION_U64] = {"u64", 8},
    [INCEPTION_BOOL] = {"bool", 1}, [INCEPTION_OTHER] = {"other", 0},
};

size_t inc_type_size(inception_type type)
{
    return (unsigned)type < INC_COUNT(types) ? types[type].size : 0;
}

const char *inc_type_name(inception_type type)
{
    return (unsigned)type < INC_COUNT(types) ? types[type].name : "unknown";
}

static double from_f16(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY)
                : exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return bits >> 15 ? -size : size;
}

static double element(inception_type type, const uint8_t *at)
{
    union {
        float f32; double f64; int8_t i8; int16_t i16; int32_t i32; int64_t i64;
        uint8_t u8; uint16_t u16; uint32_t u32; uint64_t u64;
    } bits = {0};
    memcpy(&bits, at, types[type].size);
    switch (type) {
    case INCEPTION_F32: return (double)bits.f32;
    case INCEPTION_F64: return bits.f64;
    case INCEPTION_F16: return from_f16(bits.u16);
    case INCEPTION_BF16: return (double)inc_from_bf16(bits.u16);
    case INCEPTION_I8: return bits.i8;
    case INCEPTION_U8: return bits.u8;
    case INCEPTION_I16: return bits.i16;
    case INCEPTION_U16: return bits.u16;
    case INCEPTION_I32: return bits.i32;
    case INCEPTION_U32: return bits.u32;
    case INCEPTION_I64: return (double)bits.i64;
    case INCEPTION_U64: return (double)bits.u64;
    case INCEPTION_BOOL: return bits.u8 != 0;
    case INCEPTION_OTHER: break;
    }
    return 0;
}

bool inc_tensor_read(const inception_tensor *tensor, uint64_t first, uint64_t count, double *out)
{
    size_t size = inc_type_size(tensor->type);
    if (size == 0 || first > tensor->count || count > tensor->count - first || (count && !tensor->data)) return false;
    if (count == 0) return true;
    const uint8_t *at = (const uint8_t *)tensor->data + first * size;
    if (tensor->type == INCEPTION_F32) { /* nearly all there is: without the switch per element */
        float value;
        for (uint64_t i = 0; i < count; i++) memcpy(&value, at + i * 4, 4), out[i] = (double)value;
        return true;
    }
    for (uint64_t i = 0; i < count; i++) out[i] = element(tensor->type, at + i * size);
    return true;
}

/* Sums the finite values, each times `scale`, and notes the extremes and the others. */
static bool sum(const inception_tensor *tensor, double scale, inception_statistics *out, double *total)
{
    double values[512];
    *out = (inception_statistics){INFINITY, -INFINITY, 0, 0};
    *total = 0;
    for (uint64_t at = 0; at < tensor->count || at == 0; at += INC_COUNT(values)) {
        uint64_t left = tensor->count - at, count = left < INC_COUNT(values) ? left : INC_COUNT(values);
        if (!inc_tensor_read(tensor, at, count, values)) return false;
        for (uint64_t i = 0; i < count; i++) {
            if (!isfinite(values[i])) {
                out->not_finite++;
                continue;
            }
            if (values[i] < out->min) out->min = values[i];
            if (values[i] > out->max) out->max = values[i];
            *total += values[i] * scale;
        }
    }
    return true;
}

bool inc_tensor_statistics(const inception_tensor *tensor, inception_statistics *out)
{
    double total;
    if (!sum(tensor, 1, out, &total)) return false;
    double finite = (double)(tensor->count - out->not_finite);
    if (finite == 0) {
        out->min = out->max = 0;
        return true;
    }
    out->mean = total / finite;
    if (!isfinite(total)) { /* numbers near the largest there are: divide first */
        if (!sum(tensor, 1 / finite, out, &total)) return false;
        out->mean = total;
    }
    return true;
}
