/* The list of --files-from. */
#include "../../cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    inception_error error = {0};
    name_list list = {0};
    size_t read = 0;
    int fd = memfd_create("list", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!names_read(&list, path, &error) || error.status) abort();
    for (const char *name; (name = names_next(&list)) != NULL;) read += strlen(name);
    if (read > size) abort();
    names_free(&list);
    close(fd);
    return 0;
}
