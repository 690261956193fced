/* All bytes in and out, the list of names that --files-from reads out of them, and sets of names. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_LIMIT ((size_t)1 << 30) /* bytes */
#define WAIT_MS 100

bool read_all(int fd, const char *name, size_t limit, char **data, size_t *size, inception_error *error)
{
    size_t capacity = 0;
    *data = NULL;
    *size = 0;
    for (;;) {
        if (*size == capacity) {
            capacity = capacity ? capacity * 2 : 65536;
            char *larger = realloc(*data, capacity);
            if (!larger) return fail(error, INCEPTION_MEMORY, "out of memory (%zu bytes)", capacity), false;
            *data = larger;
        }
        /* Ctrl-C must end the wait, whichever thread the signal goes to, and so must an error elsewhere. */
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        while (poll(&wait, 1, WAIT_MS) <= 0)
            if (waiting_is_over()) return fail(error, INCEPTION_IO, "%s: interrupted", name), false;
        ssize_t got = read(fd, *data + *size, capacity - *size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(error, INCEPTION_IO, "%s: cannot read: %s", name, strerror(errno)), false;
        if (got == 0) return true;
        *size += (size_t)got;
        if (*size > limit)
            return fail(error, INCEPTION_LIMIT, "%s: larger than the limit of %zu bytes", name, limit), false;
    }
}

bool write_all(int fd, const void *data, size_t size, const char *name, inception_error *error)
{
    for (const char *at = data; size;) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail(error, INCEPTION_IO, "%s: cannot write: %s", name, strerror(errno)), false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

/* Lines become names that end in zero bytes; the carriage returns of Windows go. */
static void split_lines(name_list *list)
{
    if (!list->size || memchr(list->bytes, '\0', list->size)) return;
    for (size_t i = 0; i < list->size; i++) {
        if (list->bytes[i] != '\n') continue;
        list->bytes[i] = '\0';
        if (i > 0 && list->bytes[i - 1] == '\r') list->bytes[i - 1] = '\0';
    }
}

bool names_read(name_list *list, const char *path, inception_error *error)
{
    static const char mark[] = "\xEF\xBB\xBF";
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail(error, errno == ENOENT ? INCEPTION_NOT_FOUND : INCEPTION_IO, "%s: cannot open: %s", path, strerror(errno));
        return false;
    }
    bool read = read_all(fd, path, LIST_LIMIT, &list->bytes, &list->size, error);
    if (!standard) close(fd);
    if (!read) return false;
    char *ended = realloc(list->bytes, list->size + 1);
    if (!ended) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    list->bytes = ended;
    list->bytes[list->size] = '\0';
    split_lines(list);
    if (strncmp(list->bytes, mark, 3) == 0) list->first = list->next = 3;
    return true;
}

void names_free(name_list *list)
{
    free(list->bytes);
    *list = (name_list){0};
}

const char *names_next(name_list *list)
{
    while (list->next < list->size) {
        const char *name = list->bytes + list->next;
        list->next += strlen(name) + 1;
        if (*name) return name;
    }
    return NULL;
}

/* ---- Sets ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool names_add(name_set *set, const char *name, inception_error *error)
{
    if (tfind(name, &set->root, compare_names)) return false;
    char *copy = strdup(name);
    if (copy && tsearch(copy, &set->root, compare_names)) return true;
    free(copy);
    fail(error, INCEPTION_MEMORY, "out of memory");
    return true;
}

bool names_have(const name_set *set, const char *name)
{
    return tfind(name, &set->root, compare_names) != NULL;
}

void names_clear(name_set *set)
{
    tdestroy(set->root, free);
    set->root = NULL;
}
