/* Features of photos, kept between runs: a file for each way to compute them, called after the hash of all that they depend
 * on besides the photo, in the cache folder.
 *
 *     records of one size: SHA-256 of what follows and of the photo (64 hexadecimal digits each), float32 [values]
 *
 * Records are only ever added, each in one write by who has the lock just then, whoever reads. A record whose checksum is
 * wrong is as good as none, and what a killed process left of one is cut off. A file that was not opened for 30 days is
 * removed when another one is. */
#include "train.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEX 64
#define FORGOTTEN_AFTER (30 * 24 * 3600) /* seconds that nobody opened the file */

struct vector_cache {
    int fd;
    bool full; /* or the disk is, or the folder cannot be written: nothing more is added */
    size_t size; /* bytes of a record */
    char *record;
};

static char *digest_in(char *record)
{
    return record + HEX;
}

static char *values_in(char *record)
{
    return record + 2 * (size_t)HEX;
}

/* A file's time says when it was last opened. */
static void prune(const char *folder)
{
    DIR *listing = opendir(folder);
    struct stat info;
    time_t now = time(NULL);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (fstatat(dirfd(listing), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode)
            && strlen(entry->d_name) == HEX && now - info.st_mtime > FORGOTTEN_AFTER)
            unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing) closedir(listing);
}

vector_cache *vector_cache_open(const char *key, size_t values)
{
    char whole[FOLDER_SIZE], folder[sizeof whole + 16], name[DIGEST_TEXT], path[sizeof folder + sizeof name + 1];
    inception_error ignored = {0};
    if (!cache_make(whole, &ignored)) return NULL;
    if (!extras(NULL)->digest_bytes(key, strlen(key), "SHA256", name, &ignored)) return NULL;
    vector_cache *cache = calloc(1, sizeof *cache);
    if (!cache) return NULL;
    *cache = (vector_cache){.fd = -1, .size = 2 * (size_t)HEX + values * sizeof(float)};
    cache->record = malloc(cache->size);
    snprintf(folder, sizeof folder, "%s/features", whole);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    mkdir(folder, 0777);
    if (cache->record) cache->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (cache->record && cache->fd < 0) cache->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (cache->fd >= 0) futimens(cache->fd, NULL);
    prune(folder);
    if (cache->fd < 0) vector_cache_close(&cache);
    return cache;
}

void vector_cache_close(vector_cache **cache)
{
    if (!*cache) return;
    if ((*cache)->fd >= 0) close((*cache)->fd);
    free((*cache)->record);
    free(*cache);
    *cache = NULL;
}

static bool seal_of(vector_cache *cache, char seal[DIGEST_TEXT])
{
    inception_error ignored = {0};
    return extras(NULL)->digest_bytes(digest_in(cache->record), cache->size - HEX, "SHA256", seal, &ignored);
}

/* Examples by their contents. */
typedef struct wanted {
    const char *digest;
    size_t number;
} wanted;

static int by_digest(const void *a, const void *b)
{
    return memcmp(((const wanted *)a)->digest, ((const wanted *)b)->digest, HEX);
}

static void take_record(vector_cache *cache, const wanted *all, size_t count, float *features, bool *known)
{
    char seal[DIGEST_TEXT];
    const size_t bytes = cache->size - 2 * (size_t)HEX;
    const wanted key = {digest_in(cache->record), 0}, *found = bsearch(&key, all, count, sizeof *all, by_digest);
    if (!found || !seal_of(cache, seal) || memcmp(seal, cache->record, HEX) != 0) return;
    while (found > all && by_digest(found - 1, &key) == 0) found--; /* one photo in two classes */
    for (; found < all + count && by_digest(found, &key) == 0; found++) {
        memcpy(features + found->number * (bytes / sizeof(float)), values_in(cache->record), bytes);
        known[found->number] = true;
    }
}

void vector_cache_read(vector_cache *cache, const cli_dataset *set, float *features, bool *known)
{
    wanted *all = cache ? calloc(set->count + 1, sizeof *all) : NULL;
    if (!all) return;
    for (size_t i = 0; i < set->count; i++) all[i] = (wanted){set->examples[i].digest, i};
    qsort(all, set->count, sizeof *all, by_digest);
    for (off_t at = 0; pread(cache->fd, cache->record, cache->size, at) == (ssize_t)cache->size; at += (off_t)cache->size)
        take_record(cache, all, set->count, features, known);
    free(all);
}

void vector_cache_add(vector_cache *cache, const char *digest, const float *features)
{
    char seal[DIGEST_TEXT];
    struct stat info;
    if (!cache || cache->full) return;
    memcpy(digest_in(cache->record), digest, HEX);
    memcpy(values_in(cache->record), features, cache->size - 2 * (size_t)HEX);
    if (!seal_of(cache, seal)) return;
    memcpy(cache->record, seal, HEX);
    if (flock(cache->fd, LOCK_EX) != 0) return;
    const off_t size = fstat(cache->fd, &info) == 0 ? info.st_size : 0, rest = size % (off_t)cache->size;
    cache->full = (rest && ftruncate(cache->fd, size - rest) != 0)
               || write(cache->fd, cache->record, cache->size) != (ssize_t)cache->size;
    flock(cache->fd, LOCK_UN);
}
