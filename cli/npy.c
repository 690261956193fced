/* NumPy's array file, version 1.0: magic, header length, a Python dictionary padded to 64 bytes, the values. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_SIZE 128

static bool write_file(FILE *file, const float *data, int height, int width)
{
    static const char magic[] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, HEADER_SIZE - 10, 0};
    char header[HEADER_SIZE], text[HEADER_SIZE];
    int length = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, %d, %d, 3), }",
                          height, width);
    memset(header, ' ', sizeof header);
    memcpy(header, magic, sizeof magic);
    memcpy(header + sizeof magic, text, (size_t)length);
    header[sizeof header - 1] = '\n';
    size_t count = (size_t)height * (size_t)width * 3;
    return fwrite(header, 1, sizeof header, file) == sizeof header &&
           fwrite(data, sizeof *data, count, file) == count && fflush(file) == 0;
}

bool npy_write(const char *path, const float *data, int height, int width, inception_error *error)
{
    char *temporary = NULL, *target = realpath(path, NULL); /* what a link leads to is replaced, not the link */
    struct stat info;
    FILE *file = NULL;
    if (target && stat(target, &info) == 0 && !S_ISREG(info.st_mode)) {
        fail(error, INCEPTION_IO, "%s: not a regular file, so it cannot be replaced", path);
        free(target);
        return false;
    }
    if (target) path = target;
    int fd = asprintf(&temporary, "%s.XXXXXX", path) < 0 ? -1 : mkstemp(temporary);
    bool written = fd >= 0 && (file = fdopen(fd, "wb")) && write_file(file, data, height, width);
    /* mkstemp's file is private; a data file is as open as the user's mask allows. */
    mode_t mask = umask(0);
    umask(mask);
    written = written && fchmod(fd, 0666 & ~mask) == 0;
    int problem = errno;
    if (file && fclose(file) != 0 && written) written = false, problem = errno;
    if (!file && fd >= 0) close(fd);
    if (written && rename(temporary, path) != 0) written = false, problem = errno;
    if (!written) {
        fail(error, INCEPTION_IO, "%s: cannot write: %s", path,
             problem == ENOENT ? "the folder to write it to does not exist" : strerror(problem));
        if (fd >= 0) unlink(temporary);
    }
    free(temporary);
    free(target);
    return written;
}
