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

/* vsnprintf may cut a UTF-8 sequence in two; drop what is left of it. */
static void trim_utf8(char *text, size_t length)
{
    size_t tail = length;
    while (tail > 0 && ((unsigned char)text[tail - 1] & 0xC0) == 0x80) tail--;
    if (tail > 0 && (unsigned char)text[tail - 1] >= 0xC0) text[tail - 1] = 0;
}

static inception_status set(inception_error *error, inception_status status, uint64_t position, const char *format,
                            va_list arguments)
{
    if (!error || error->status != INCEPTION_OK) return status;
    error->status = status;
    error->position = position;
    int length = vsnprintf(error->message, sizeof error->message, format, arguments);
    if (length >= (int)sizeof error->message) trim_utf8(error->message, sizeof error->message - 1);
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
