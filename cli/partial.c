/* A download that is under way: a file in the cache folder that no network's name leads to. It is called after the
 * checksum of what it is to become, so that any mirror can go on with it, and it begins with what the server said to know
 * the file by. Who fetches holds its lock; a second process waits, and then finds the weights there. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char magic[] = "inception: a partial download\n";

static void set_names(cli_partial *partial, const char *folder, const char *digest)
{
    *partial = (cli_partial){.fd = -1};
    snprintf(partial->path, sizeof partial->path, "%s/.%s.part", folder, digest);
    snprintf(partial->fresh, sizeof partial->fresh, "%s/.%s.new", folder, digest);
}

/* The file may be removed, and made again, by who held the lock before. */
static bool is_still_there(const cli_partial *partial)
{
    struct stat own, there;
    return fstat(partial->fd, &own) == 0 && stat(partial->path, &there) == 0 && own.st_ino == there.st_ino &&
           own.st_dev == there.st_dev;
}

/* False: the lock is held by another process, or an error is set. */
static bool try_lock(cli_partial *partial, inception_error *error)
{
    partial->fd = open(partial->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (partial->fd < 0) {
        fail(error, INCEPTION_IO, "%s: cannot create: %s", partial->path, strerror(errno));
        return false;
    }
    bool locked = flock(partial->fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK && errno != EINTR)
        fail(error, INCEPTION_IO, "%s: cannot lock: %s", partial->path, strerror(errno));
    if (locked && is_still_there(partial)) return true;
    close(partial->fd);
    partial->fd = -1;
    return false;
}

static void read_head(cli_partial *partial)
{
    char head[PARTIAL_HEAD + 1] = "";
    struct stat info;
    cli_download *download = &partial->download;
    if (fstat(partial->fd, &info) != 0 || info.st_size <= PARTIAL_HEAD) return;
    if (pread(partial->fd, head, PARTIAL_HEAD, 0) != PARTIAL_HEAD) return;
    if (strncmp(head, magic, sizeof magic - 1) != 0) return;
    const char *validator = head + sizeof magic - 1;
    size_t length = strcspn(validator, "\n");
    if (length >= sizeof download->validator || validator[length] != '\n') return;
    memcpy(download->validator, validator, length);
    download->held = (uint64_t)info.st_size - PARTIAL_HEAD;
}

/* ---- The sink of the download ---- */

static bool fail_write(cli_partial *partial, inception_error *error)
{
    partial->download.validator[0] = '\0'; /* not kept: a full disk is left as it was */
    fail(error, INCEPTION_IO, "%s: cannot write: %s", partial->path, strerror(errno));
    return false;
}

static bool restart(cli_download *download, inception_error *error)
{
    cli_partial *partial = download->owner;
    char head[PARTIAL_HEAD] = "";
    snprintf(head, sizeof head, "%s%s\n", magic, download->validator);
    bool fine = ftruncate(partial->fd, 0) == 0 && lseek(partial->fd, 0, SEEK_SET) == 0 &&
                write(partial->fd, head, sizeof head) == (ssize_t)sizeof head;
    return fine || fail_write(partial, error);
}

static bool take(cli_download *download, const void *data, size_t size, inception_error *error)
{
    cli_partial *partial = download->owner;
    if (lseek(partial->fd, (off_t)(PARTIAL_HEAD + download->held), SEEK_SET) < 0) return fail_write(partial, error);
    if (write_all(partial->fd, data, size, partial->path, error)) return true;
    return fail_write(partial, error);
}

/* ---- Open and close ---- */

bool partial_open(cli_partial *partial, const char *folder, const char *digest, bool quiet, inception_error *error)
{
    set_names(partial, folder, digest);
    for (bool told = quiet; !try_lock(partial, error); told = true) {
        if (waiting_is_over()) fail(error, INCEPTION_IO, "%s: interrupted", partial->path);
        if (error->status) return false;
        if (!told) complain("another process fetches the same file; waiting for it");
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    read_head(partial);
    partial->download.restart = restart;
    partial->download.take = take;
    partial->download.owner = partial;
    return true;
}

void partial_close(cli_partial *partial, bool keep)
{
    if (partial->fd < 0) return;
    unlink(partial->fresh);
    if (!keep || !partial->download.held || !partial->download.validator[0]) unlink(partial->path);
    close(partial->fd);
    partial->fd = -1;
}

void partial_remove(const char *folder, const char *digest)
{
    cli_partial partial;
    inception_error ignored = {0};
    set_names(&partial, folder, digest);
    if (try_lock(&partial, &ignored)) partial_close(&partial, false);
}
