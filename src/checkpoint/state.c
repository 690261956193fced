/* The file `checkpoint` in a training directory: CheckpointState in the text format of protocol buffers. Read are its
 * top-level fields; the value of a field is one or more strings, or a word. */
#include "private.h"

#include <string.h>

static const char spaces[] = " \t\r\n\f\v,;";

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.'
        || c == '-' || c == '+';
}

static void skip_space(inc_reader *text)
{
    while (inc_left(text) > 0 && (*text->at == '#' || (*text->at && strchr(spaces, *text->at)))) {
        bool comment = *text->at++ == '#';
        while (comment && inc_left(text) > 0 && *text->at != '\n') text->at++;
    }
}

static inc_reader read_word(inc_reader *text)
{
    inc_reader word = *text;
    while (inc_left(text) > 0 && is_word(*text->at)) text->at++;
    word.end = text->at;
    return word;
}

static int digit(uint8_t c, int base)
{
    int value = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;
    return value < base ? value : -1;
}

/* A number of at most `most` digits. */
static uint8_t read_code(inc_reader *text, int base, int most)
{
    int code = 0;
    for (; most > 0 && inc_left(text) > 0 && digit(*text->at, base) >= 0; most--)
        code = code * base + digit(*text->at++, base);
    return (uint8_t)code;
}

static uint8_t read_escape(inc_reader *text)
{
    static const char names[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    if (digit(*text->at, 8) >= 0) return read_code(text, 8, 3);
    uint8_t c = *text->at++;
    if (c == 'x' || c == 'X') return read_code(text, 16, 2);
    const char *name = c ? strchr(names, c) : NULL;
    return name ? (uint8_t)values[name - names] : c;
}

/* Appends a quoted string to `out`, whose room is that of the whole text. */
static bool read_string(inc_reader *text, char *out, size_t *size)
{
    uint8_t quote = *text->at++;
    while (inc_left(text) > 0 && *text->at != quote && *text->at != '\n') {
        uint8_t c = *text->at++;
        if (c == '\\' && inc_left(text) == 0) return false;
        out[(*size)++] = (char)(c == '\\' ? read_escape(text) : c);
    }
    return inc_left(text) > 0 && *text->at++ == quote;
}

static bool read_value(inc_reader *text, char *out, size_t *size)
{
    bool found = false;
    *size = 0;
    for (skip_space(text); inc_left(text) > 0 && (*text->at == '"' || *text->at == '\''); skip_space(text)) {
        if (!read_string(text, out, size)) return false;
        found = true;
    }
    if (found) return true;
    inc_reader word = read_word(text);
    return inc_left(&word) > 0;
}

char *inc_state_path(inc_reader text, inc_arena *arena, inception_error *error)
{
    static const char wanted[] = "model_checkpoint_path";
    char *path = NULL;
    size_t size;
    char *value = inc_arena_alloc(arena, inc_left(&text) + 1, 1, error);
    if (!value) return NULL;
    for (skip_space(&text); inc_left(&text) > 0; skip_space(&text)) {
        inc_reader at = text, name = read_word(&text);
        skip_space(&text);
        bool colon = inc_left(&text) > 0 && *text.at++ == ':';
        if (!colon || inc_left(&name) == 0 || !read_value(&text, value, &size))
            return INC_DAMAGED(&at, error, "not a field of a checkpoint state"), NULL;
        if (inc_left(&name) != sizeof wanted - 1 || memcmp(name.at, wanted, sizeof wanted - 1) != 0) continue;
        if (size == 0 || memchr(value, 0, size)) return INC_DAMAGED(&at, error, "not the path of a checkpoint"), NULL;
        path = inc_arena_string(arena, value, size, error);
        if (!path) return NULL;
    }
    if (!path) inc_fail(error, INCEPTION_DATA, "%s: names no checkpoint (no model_checkpoint_path)", text.name);
    return path;
}
