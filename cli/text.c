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

void text_write_name(FILE *file, const char *name)
{
    bool plain = strncmp(name, "$'", 2) != 0;
    size_t size;
    int width;
    for (const char *at = name; plain && *at;) {
        const char *start = at;
        plain = safe_next(&at, &size, &width) == start;
    }
    if (plain) {
        text_write(file, name);
        return;
    }
    fputs("$'", file);
    while (*name) {
        const char *start = name;
        bool safe = safe_next(&name, &size, &width) == start;
        if (*start == '\'' || *start == '\\') fprintf(file, "\\%c", *start);
        else if (safe) fwrite(start, 1, size, file);
        else
            for (; start < name; start++) fprintf(file, "\\%03o", (unsigned char)*start);
    }
    fputc('\'', file);
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

/* Base64 of RFC 4648. */
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *to_base64(const char *text)
{
    size_t length = strlen(text), used = 0;
    char *out = malloc((length + 2) / 3 * 4 + 1);
    for (size_t i = 0; out && i < length; i += 3) {
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++) bits = bits << 8 | (i + j < length ? (unsigned char)text[i + j] : 0u);
        for (size_t j = 0; j < 4; j++) out[used++] = i + j > length ? '=' : digits[bits >> (18 - 6 * j) & 63];
    }
    if (out) out[used] = '\0';
    return out;
}

bool text_from_base64(char *text)
{
    uint32_t bits = 0;
    int count = 0;
    char *out = text;
    for (; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        if (!digit) return false;
        bits = bits << 6 | (uint32_t)(digit - digits);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        *out = (char)(bits >> count & 255);
        if (*out++ == '\0') return false;
    }
    *out = '\0';
    return true;
}

static bool is_utf8(const char *text)
{
    uint32_t code;
    for (size_t size; *text; text += size) {
        size = utf8_next(text, &code);
        if (code == REPLACEMENT && size == 1) return false;
    }
    return true;
}

json_t *text_record(const char *file, json_t *fields)
{
    json_t *record = json_pack("{s:o}", "file", text_json(file));
    bool made = record && fields;
    if (made && !is_utf8(file)) {
        char *exact = to_base64(file);
        made = exact && json_object_set_new(record, "file_base64", json_string(exact)) == 0;
        free(exact);
    }
    made = made && json_object_update(record, fields) == 0;
    json_decref(fields);
    if (made) return record;
    json_decref(record);
    return NULL;
}

/* ---- URLs ---- */

bool is_web_address(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

const char *url_shown(const char *url, char text[URL_SHOWN])
{
    const char *colon = strstr(url, "://"), *host = colon ? colon + 3 : url;
    size_t authority = strcspn(host, "/?#");
    const char *at = colon ? memrchr(host, '@', authority) : NULL;
    if (at) snprintf(text, URL_SHOWN, "%.*s%s", (int)(host - url), url, at + 1);
    else snprintf(text, URL_SHOWN, "%s", url);
    return text;
}

const char *url_name(const char *url, size_t *length)
{
    const char *colon = strstr(url, "://"), *host = colon ? colon + 3 : url, *end = host + strcspn(host, "?#");
    const char *slash = memrchr(host, '/', (size_t)(end - host));
    *length = slash ? (size_t)(end - slash) - 1 : 0;
    return end - *length;
}

int short_name(const inception_prediction *prediction)
{
    return (int)(*prediction->wnid ? strcspn(prediction->label, ",") : strlen(prediction->label));
}
