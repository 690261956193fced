/* Weights out of an archive: the first byte says whether their name is known, the rest is the archive. */
#include "../../cli/cli.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    inception_error error = {0};
    cli_package package = {.name = "archive", .target = "weights", .archive = true, .start = 1};
    if (data[0] & 1) package.member = "m.ckpt";
    if (data[0] & 2) package.member_bytes = 16;
    int from = memfd_create("archive", MFD_CLOEXEC), to = memfd_create("weights", MFD_CLOEXEC);
    if (from < 0 || to < 0 || write(from, data, size) != (ssize_t)size) abort();
    bool unpacked = unpack_weights(from, &package, to, &error);
    if (unpacked != (error.status == INCEPTION_OK)) abort();
    if (unpacked && package.member_bytes && lseek(to, 0, SEEK_CUR) != 16) abort();
    close(from);
    close(to);
    return 0;
}
