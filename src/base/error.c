/* Errors: one sentence, written once, by the code that knows most. */
#include "base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A file name in a message must not break the line it is printed on. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127) *text = '?';
}

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* A sentence that is too long, because of a long path mostly, loses its middle: the reason stands at the end. */
static void shorten(char *message, const char *whole, size_t length)
{
    size_t head = INCEPTION_MESSAGE_SIZE / 3, tail = INCEPTION_MESSAGE_SIZE - head - sizeof "...";
    const char *end = whole + length - tail;
    while (head > 0 && inside_character(whole[head])) head--;
    while (inside_character(*end)) end++;
    memcpy(message, whole, head);
    strcpy(message + head, "...");
    strcat(message, end);
}

static inception_status set(inception_error *error, inception_status status, uint64_t position, const char *format,
                            va_list arguments)
{
    if (!error || error->status != INCEPTION_OK) return status;
    error->status = status;
    error->position = position;
    char whole[8192];
    int length = vsnprintf(whole, sizeof whole, format, arguments);
    if (length >= (int)sizeof whole) length = (int)sizeof whole - 1;
    if ((size_t)length < sizeof error->message) strcpy(error->message, whole);
    else shorten(error->message, whole, (size_t)length);
    make_printable(error->message);
    return status;
}

inception_status inc_fail(inception_error *error, inception_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, status, INCEPTION_NO_POSITION, format, arguments);
    va_end(arguments);
    return status;
}

inception_status inc_fail_at(inception_error *error, inception_status status, const char *name, uint64_t position,
                             const char *format, ...)
{
    char reason[INCEPTION_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    bool first = error && error->status == INCEPTION_OK;
    inc_fail(error, status, "%s: byte %llu: %s", name, (unsigned long long)position, reason);
    if (first) error->position = position;
    return status;
}

inception_status inc_pass(inception_error *error, const inception_error *from)
{
    if (error && error->status == INCEPTION_OK) *error = *from;
    return from->status;
}

inception_status inc_fail_memory(inception_error *error, uint64_t bytes)
{
    if (bytes == 0) return inc_fail(error, INCEPTION_MEMORY, "out of memory");
    return inc_fail(error, INCEPTION_MEMORY, "out of memory: %llu bytes could not be had", (unsigned long long)bytes);
}

inception_status inc_fail_errno(inception_error *error, const char *path, const char *doing)
{
    int code = errno;
    char reason[128];
    bool missing = code == ENOENT || code == ENOTDIR;
    return inc_fail(error, missing ? INCEPTION_NOT_FOUND : INCEPTION_IO, "%s: cannot %s: %s", path, doing,
                    strerror_r(code, reason, sizeof reason));
}
