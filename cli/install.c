/* Weights into the cache: downloaded or from a file, their checksum verified, unpacked beside their place, and only then
 * given their name. Whatever goes wrong, or wherever the process is killed, the names in the cache lead to whole files. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_BYTES (1ull << 30) /* of a download whose size is not known */

static bool digest_agrees(int fd, uint64_t start, const cli_order *order, inception_error *error)
{
    char found[DIGEST_TEXT];
    if (!digest_file(fd, order->name, start, order->kind, found, error)) return false;
    if (strcasecmp(found, order->digest) == 0) return true;
    fail(error, INCEPTION_DATA, "%s: its %s is %s, but %s is expected", order->name, order->kind, found, order->digest);
    return false;
}

/* The file on disk, checked; its descriptor, or -1. */
static int bring_file(const cli_order *order, inception_error *error)
{
    int fd = open(order->file, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0) {
        fail(error, errno == ENOENT ? INCEPTION_NOT_FOUND : INCEPTION_IO, "%s: cannot open: %s", order->file,
             strerror(errno));
    } else if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        fail(error, INCEPTION_INVALID, "%s: not a regular file", order->file);
    } else if (order->package.bytes && (uint64_t)info.st_size != order->package.bytes) {
        fail(error, INCEPTION_DATA, "%s: has %llu bytes, not the %llu that are expected", order->file,
             (unsigned long long)info.st_size, (unsigned long long)order->package.bytes);
    } else if (digest_agrees(fd, 0, order, error)) {
        return fd;
    }
    if (fd >= 0) close(fd);
    return -1;
}

static bool download(cli_partial *partial, const cli_order *order, const net_settings *net, inception_error *error)
{
    cli_download *down = &partial->download;
    down->url = order->url;
    down->name = net->quiet ? NULL : order->name;
    down->bytes = order->package.bytes;
    down->limit = down->bytes ? down->bytes : MOST_BYTES;
    down->resumed = down->bytes && down->held == down->bytes; /* killed between download and check */
    if (!down->resumed && !download_run(down, net, error)) return false;
    inception_error wrong = {0};
    if (digest_agrees(partial->fd, PARTIAL_HEAD, order, down->resumed ? &wrong : error)) return true;
    down->validator[0] = '\0'; /* nothing goes on from here */
    if (!down->resumed) return false;
    down->held = 0; /* the older part may be what is wrong: once more from the beginning */
    if (!download_run(down, net, error)) return false;
    if (digest_agrees(partial->fd, PARTIAL_HEAD, order, error)) return true;
    down->validator[0] = '\0';
    return false;
}

/* So that the new name survives a power cut; where a file system cannot do that, nothing is lost but the name. */
static void flush_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

/* What `fd` holds gets its place. */
static bool put_in_place(int fd, const cli_partial *partial, const cli_order *order, const char *folder,
                         const char *path, inception_error *error)
{
    cli_package package = order->package;
    package.name = order->name;
    package.target = path;
    package.start = order->file ? 0 : PARTIAL_HEAD;
    unlink(partial->fresh); /* of a process that was killed */
    int fresh = open(partial->fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool fine = fresh >= 0 && unpack_weights(fd, &package, fresh, error) && fsync(fresh) == 0;
    int problem = errno;
    if (fresh >= 0) close(fresh);
    if (fine && rename(partial->fresh, path) != 0) fine = false, problem = errno;
    if (fine) flush_folder(folder);
    else fail(error, INCEPTION_IO, "%s: cannot write: %s", path, strerror(problem));
    return fine;
}

bool install_weights(const cli_order *order, const net_settings *net, char *path, size_t size, bool *news,
                     inception_error *error)
{
    char folder[FOLDER_SIZE];
    cli_partial partial;
    bool done = false, keep = false;
    int fd = -1;
    *news = false;
    if (order->url && !net_allows(order->url, net, error)) return false;
    if (!cache_make(folder, error)) return false;
    if ((size_t)snprintf(path, size, "%s/%s", folder, order->target) >= size)
        return fail(error, INCEPTION_INVALID, "%s: the name is too long", order->target), false;
    if (path_exists(path)) return true;
    if (!partial_open(&partial, folder, order->digest, net->quiet, error)) return false;
    if (path_exists(path)) { /* now that the other process is done */
        done = true;
        goto end;
    }
    if (order->file) fd = bring_file(order, error);
    else if (download(&partial, order, net, error)) fd = partial.fd;
    else keep = true; /* what came of it; what is known to be wrong has no validator */
    if (fd >= 0) done = *news = put_in_place(fd, &partial, order, folder, path, error);
    keep |= order->file && !done; /* which says nothing of what was downloaded */
    if (*news && order->url && !net->quiet)
        fprintf(stderr, "Successfully downloaded %s %llu bytes.\n", order->name,
                (unsigned long long)partial.download.held);
end:
    if (fd >= 0 && order->file) close(fd);
    partial_close(&partial, keep);
    return done;
}
