/* Files: mapped for reading, atomic for writing. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

inception_status inc_map_open(const char *path, inc_map *map, inception_error *error)
{
    inception_status status = INCEPTION_OK;
    *map = (inc_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    if (fd < 0) return inc_fail_errno(error, path, "open");
    struct stat info;
    if (fstat(fd, &info) != 0) {
        status = inc_fail_errno(error, path, "read");
    } else if (!S_ISREG(info.st_mode)) {
        status = inc_fail(error, INCEPTION_DATA, "%s: not a regular file", path);
    } else if (info.st_size > 0) {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED) status = inc_fail_errno(error, path, "map");
        else *map = (inc_map){data, (size_t)info.st_size, info.st_dev, info.st_ino};
    }
    close(fd);
    return status;
}

void inc_map_close(inc_map *map)
{
    if (map->data) munmap((void *)map->data, map->size);
    *map = (inc_map){0};
}

/* Reads to the end, in steps, because a pipe does not tell its size and a file may tell the wrong one. */
static inception_status read_all(int fd, const char *path, uint64_t limit, uint8_t **data, size_t *size,
                                 inception_error *error)
{
    size_t capacity = 0, used = 0;
    for (;;) {
        inception_status status = inc_grow(data, &capacity, used + 65536, 1, error);
        if (status) return status;
        ssize_t got = read(fd, *data + used, capacity - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return inc_fail_errno(error, path, "read");
        if (got == 0) break;
        used += (size_t)got;
        if (used > limit)
            return inc_fail(error, INCEPTION_LIMIT, "%s: larger than the limit of %llu bytes", path,
                            (unsigned long long)limit);
    }
    *size = used;
    return INCEPTION_OK;
}

inception_status inc_file_read(const char *path, uint64_t limit, uint8_t **data, size_t *size, inception_error *error)
{
    *data = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return inc_fail_errno(error, path, "open");
    struct stat info;
    inception_status status = INCEPTION_OK;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size > limit)
        status = inc_fail(error, INCEPTION_LIMIT, "%s: %llu bytes, more than the limit of %llu", path,
                          (unsigned long long)info.st_size, (unsigned long long)limit);
    if (!status) status = read_all(fd, path, limit, data, size, error);
    close(fd);
    if (status) {
        free(*data);
        *data = NULL;
    }
    return status;
}

inception_status inc_output_open(inc_output *output, const char *path, inception_error *error)
{
    *output = (inc_output){.fd = -1};
    struct stat info;
    output->path = realpath(path, NULL); /* what a link leads to is replaced, not the link */
    if (!output->path) output->path = strdup(path);
    if (output->path && stat(output->path, &info) == 0 && !S_ISREG(info.st_mode)) {
        inc_output_discard(output);
        return inc_fail(error, INCEPTION_IO, "%s: not a regular file, so it cannot be replaced", path);
    }
    size_t room = output->path ? strlen(output->path) + 48 : 1;
    output->temporary = calloc(room, 1);
    if (!output->path || !output->temporary) {
        inc_output_discard(output);
        return inc_fail_memory(error, room);
    }
    for (int i = 0; output->fd < 0; i++) { /* a name of its own, whatever other threads and processes write */
        snprintf(output->temporary, room, "%s.%ld-%d.partial", output->path, (long)getpid(), i);
        output->fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (output->fd < 0 && errno != EEXIST) break;
    }
    if (output->fd >= 0) return INCEPTION_OK;
    inception_status status = errno == ENOENT || errno == ENOTDIR
                                ? inc_fail(error, INCEPTION_IO, "%s: the folder to write it to does not exist", path)
                                : inc_fail_errno(error, path, "create");
    inc_output_discard(output);
    return status;
}

inception_status inc_output_write(inc_output *output, const void *data, size_t size, inception_error *error)
{
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t written = write(output->fd, at, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return inc_fail_errno(error, output->path, "write");
        at += written;
        size -= (size_t)written;
    }
    return INCEPTION_OK;
}

inception_status inc_output_commit(inc_output *output, bool sync, inception_error *error)
{
    if ((sync && fsync(output->fd) != 0) || rename(output->temporary, output->path) != 0)
        return inc_fail_errno(error, output->path, "write");
    free(output->temporary);
    output->temporary = NULL;
    inc_output_discard(output);
    return INCEPTION_OK;
}

void inc_output_discard(inc_output *output)
{
    if (output->path && output->fd >= 0) {
        close(output->fd);
        if (output->temporary) unlink(output->temporary);
    }
    free(output->path);
    free(output->temporary);
    *output = (inc_output){.fd = -1};
}
