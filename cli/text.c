/* UTF-8 from outside: file names may hold any bytes, and neither a terminal nor JSON may get those. */
#include "cli.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>
#include <wctype.h>

#define REPLACEMENT 0xFFFDu
#define REPLACEMENT_UTF8 "\xEF\xBF\xBD"

/* Written once by text_start, before anything reads them. */
static const char *ellipsis = "...";
static bool utf8_locale;

void text_start(void)
{
    utf8_locale = setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (utf8_locale) ellipsis = "\xE2\x80\xA6";
    /* wcwidth and iswprint are asked about code points whatever the user's locale is. */
    setlocale(LC_CTYPE, "C.UTF-8");
}

bool text_is_utf8(void)
{
    return utf8_locale;
}

size_t utf8_next(const char *text, uint32_t *code)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t smallest;
    } forms[] = {{0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t more = 0; more < COUNT(forms); more++) {
        if ((bytes[0] & forms[more].mask) != forms[more].lead) continue;
        uint32_t value = bytes[0] & (unsigned char)~forms[more].mask;
        size_t i = 1;
        for (; i <= more && (bytes[i] & 0xC0) == 0x80; i++) value = value << 6 | (bytes[i] & 0x3F);
        bool valid =
            i > more && value >= forms[more].smallest && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
        if (!valid) break;
        *code = value;
        return more + 1;
    }
    *code = REPLACEMENT;
    return 1;
}

/* What a terminal gets for the first character of *text, which moves past it; *width gets its columns. */
static const char *safe_next(const char **text, size_t *size, int *width)
{
    uint32_t code;
    const char *start = *text;
    *size = utf8_next(start, &code);
    *text += *size;
    *width = wcwidth((wchar_t)code);
    if (code != REPLACEMENT && iswprint((wint_t)code) && *width >= 0) return start;
    bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    *width = 1;
    *size = control ? 1 : strlen(REPLACEMENT_UTF8);
    return control ? "?" : REPLACEMENT_UTF8;
}

void text_write(FILE *file, const char *text)
{
    size_t size;
    int width;
    while (*text) {
        const char *bytes = safe_next(&text, &size, &width);
        fwrite(bytes, 1, size, file);
    }
}

int text_width(const char *text)
{
    size_t size;
    int width, sum = 0;
    while (*text) {
        safe_next(&text, &size, &width);
        sum += width;
    }
    return sum;
}

int text_cut(FILE *file, const char *text, int width)
{
    int whole = text_width(text);
    if (whole <= width) {
        text_write(file, text);
        return whole;
    }
    int dots = text_width(ellipsis), taken = 0;
    while (*text) {
        size_t size;
        int columns;
        const char *bytes = safe_next(&text, &size, &columns);
        if (taken + columns + dots > width) break;
        fwrite(bytes, 1, size, file);
        taken += columns;
    }
    fputs(ellipsis, file);
    return taken + dots;
}

bool ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcasecmp(text + length - tail, ending) == 0;
}

json_t *text_json(const char *text)
{
    size_t length = strlen(text), used = 0;
    char *clean = malloc(length * strlen(REPLACEMENT_UTF8) + 1);
    if (!clean) return NULL;
    while (*text) {
        uint32_t code;
        size_t size = utf8_next(text, &code);
        const char *bytes = code == REPLACEMENT ? REPLACEMENT_UTF8 : text;
        size_t out = code == REPLACEMENT ? strlen(REPLACEMENT_UTF8) : size;
        memcpy(clean + used, bytes, out);
        used += out;
        text += size;
    }
    json_t *string = json_stringn(clean, used);
    free(clean);
    return string;
}
