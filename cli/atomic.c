/* A file that appears whole under its name, or not at all. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool atomic_open(atomic_file *file, const char *path, inception_error *error)
{
    struct stat info;
    *file = (atomic_file){.path = realpath(path, NULL)}; /* what a link leads to is replaced, not the link */
    if (!file->path) file->path = strdup(path);
    if (file->path && stat(file->path, &info) == 0 && !S_ISREG(info.st_mode)) {
        fail(error, INCEPTION_IO, "%s: not a regular file, so it cannot be replaced", path);
    } else if (!file->path || asprintf(&file->temporary, "%s.XXXXXX", file->path) < 0) {
        file->temporary = NULL;
        fail(error, INCEPTION_MEMORY, "out of memory");
    } else {
        int fd = mkstemp(file->temporary);
        file->stream = fd >= 0 ? fdopen(fd, "w+b") : NULL;
        if (file->stream) return true;
        fail(error, INCEPTION_IO, "%s: cannot write: %s", path,
             errno == ENOENT ? "the folder to write it to does not exist" : strerror(errno));
        if (fd >= 0) close(fd), unlink(file->temporary);
        free(file->temporary);
        file->temporary = NULL;
    }
    atomic_discard(file);
    return false;
}

bool atomic_commit(atomic_file *file, inception_error *error)
{
    /* mkstemp's file is private; a data file is as open as the user's mask allows. */
    mode_t mask = umask(0);
    umask(mask);
    bool written = !ferror(file->stream) && fflush(file->stream) == 0;
    written = written && fchmod(fileno(file->stream), 0666 & ~mask) == 0;
    written = written && rename(file->temporary, file->path) == 0;
    if (!written) {
        fail(error, INCEPTION_IO, "%s: cannot write: %s", file->path, strerror(errno));
        return false;
    }
    free(file->temporary);
    file->temporary = NULL;
    atomic_discard(file);
    return true;
}

void atomic_discard(atomic_file *file)
{
    if (file->stream) fclose(file->stream);
    if (file->temporary) unlink(file->temporary);
    free(file->path);
    free(file->temporary);
    *file = (atomic_file){0};
}
