/* The file of --append: whatever is in it, it is refused or can be gone on with, and then is as good as new. The first
 * byte is the format. */
#include "../../cli/cli.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t open_once(const char *path, int format, inception_error *error)
{
    inception_model_info info = {.network = inception_network_find("v3")};
    cli_contestant contestant = {.info = &info, .path = "v3.ckpt"};
    cli_records records = {.format = format};
    name_set known = {0};
    size_t photos = append_open(path, &records, &contestant, 1, &known, error);
    if (records.file) fclose(records.file);
    names_clear(&known);
    return photos;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    inception_error error = {0};
    if (size == 0) return 0;
    int fd = memfd_create("append", MFD_CLOEXEC), format = FORMAT_JSONL + *data % 3;
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1)) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    size_t photos = open_once(path, format, &error);
    if (!error.status && open_once(path, format, &error) != photos) abort();
    close(fd);
    return 0;
}
