/* Numbers in files have a decimal point, and an I is an i, whatever locale the program has that uses the library. */
#include "base.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where there is no memory for a locale, uselocale() changes nothing, and the numbers are the program's. */
static locale_t enter(locale_t *before)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    *before = uselocale(plain);
    return plain;
}

static void leave(locale_t plain, locale_t before)
{
    uselocale(before);
    if (plain) freelocale(plain);
}

uint64_t inc_count_not_finite(const float *values, uint64_t count)
{
    uint64_t bad = 0; /* counted and not found: such a loop becomes vectors */
    for (uint64_t i = 0; i < count; i++) bad += !(fabsf(values[i]) <= FLT_MAX);
    return bad;
}

void inc_print_number(char *text, size_t size, double number)
{
    locale_t before, plain = enter(&before);
    for (int digits = 9; digits <= 17; digits += 4) { /* as few as bring it back */
        snprintf(text, size, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    leave(plain, before);
}

double inc_parse_number(const char *text)
{
    double number;
    inc_read_number(text, &number);
    return number;
}

bool inc_read_number(const char *text, double *number)
{
    char *end;
    locale_t before, plain = enter(&before);
    *number = strtod(text, &end);
    leave(plain, before);
    return end != text && *end == '\0';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool inc_same_word(const char *a, const char *b)
{
    for (; lower(*a) == lower(*b); a++, b++)
        if (!*a) return true;
    return false;
}

uint16_t inc_to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float inc_from_bf16(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
