/* The cache folder: where it is, and which weights are in it under which names. */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_PACKS 16
#define STALE_SECONDS 3600

/* Behind the network's name; published weights keep their own name. */
static const char *const endings[] = {".safetensors", ".ckpt", ".ckpt.index", ".index", ".caffemodel"};

bool cache_folder(char *path, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (cache && cache[0] == '/') length = snprintf(path, size, "%s/inception", cache);
    else if (home && *home) length = snprintf(path, size, "%s/.cache/inception", home);
    return length > 0 && (size_t)length < size;
}

bool cache_make(char path[FOLDER_SIZE], inception_error *error)
{
    if (!cache_folder(path, FOLDER_SIZE)) {
        fail(error, INCEPTION_INVALID, "there is no cache folder: neither XDG_CACHE_HOME nor HOME is set");
        return false;
    }
    bool made = true;
    for (char *slash = strchr(path + 1, '/'); made; slash = strchr(slash + 1, '/')) {
        if (slash) *slash = '\0';
        made = mkdir(path, 0777) == 0 || errno == EEXIST;
        int problem = errno;
        if (!made && !(made = access(path, X_OK) == 0))
            fail(error, INCEPTION_IO, "%s: cannot create the folder: %s", path, strerror(problem));
        if (!slash) break;
        *slash = '/';
    }
    return made;
}

const cli_release *release_of(const inception_network *network)
{
    for (size_t i = 0; i < release_count; i++)
        if (strcmp(releases[i].network, network->name) == 0) return &releases[i];
    return NULL;
}

const char *release_digest(const cli_release *release, const char **kind)
{
    *kind = release->sha256 ? "SHA256" : "MD5";
    return release->sha256 ? release->sha256 : release->md5;
}

/* The i-th name that weights of the network may have in the cache; false: there are no more. */
static bool weights_name(const inception_network *network, size_t i, char name[200])
{
    const cli_release *release = release_of(network);
    bool own = i < COUNT(endings);
    if (i > COUNT(endings) || (!own && !release)) return false;
    snprintf(name, 200, "%s%s", own ? network->name : release->member, own ? endings[i] : "");
    return true;
}

bool cache_find(const inception_network *network, char *path, size_t size)
{
    char folder[FOLDER_SIZE], name[200];
    if (!cache_folder(folder, sizeof folder)) return false;
    for (size_t i = 0; weights_name(network, i, name); i++) {
        int length = snprintf(path, size, "%s/%s", folder, name);
        if ((size_t)length < size && path_exists(path)) return true;
    }
    return false;
}

/* ---- Packs ---- */

static bool packs_folder(char path[FOLDER_SIZE])
{
    char cache[FOLDER_SIZE];
    return cache_folder(cache, sizeof cache) && snprintf(path, FOLDER_SIZE, "%s/packs", cache) < FOLDER_SIZE;
}

/* Removes the oldest pack if there are too many, and what killed runs left half written. */
static void prune_packs(const char *folder)
{
    char oldest[256] = "";
    struct stat info;
    time_t least = 0, now = time(NULL);
    int count = 0;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        if (fstatat(dirfd(listing), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) continue;
        if (ends_in(entry->d_name, ".partial") && now - info.st_mtime > STALE_SECONDS)
            unlinkat(dirfd(listing), entry->d_name, 0);
        if (!ends_in(entry->d_name, ".pack")) continue;
        if (!count++ || info.st_mtime < least) snprintf(oldest, sizeof oldest, "%s", entry->d_name), least = info.st_mtime;
    }
    if (count > MOST_PACKS) unlinkat(dirfd(listing), oldest, 0);
    if (listing) closedir(listing);
}

const char *cache_packs(void)
{
    static char folder[FOLDER_SIZE];
    char cache[FOLDER_SIZE];
    inception_error ignored = {0};
    if (*folder) return folder;
    if (!packs_folder(folder)) return NULL;
    if (!path_exists(folder) && cache_make(cache, &ignored)) mkdir(folder, 0777);
    prune_packs(folder);
    return folder;
}

/* ---- Removing ---- */

static bool remove_matching(const char *folder, const char *pattern)
{
    bool any = false;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (fnmatch(pattern, entry->d_name, 0) == 0) any |= unlinkat(dirfd(listing), entry->d_name, 0) == 0;
    if (listing) closedir(listing);
    return any;
}

/* What belongs to weights that are removed: the data files of a TensorFlow V2 checkpoint's index, packs. */
static void remove_company(const char *path)
{
    char folder[FOLDER_SIZE], pattern[300];
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    snprintf(pattern, sizeof pattern, "%.*s.data-*-of-*", (int)(dot - slash - 1), slash + 1);
    if (ends_in(path, ".index")) remove_matching(folder, pattern);
    snprintf(pattern, sizeof pattern, "%.250s-*.pack*", slash + 1);
    if (packs_folder(folder)) remove_matching(folder, pattern);
}

bool cache_remove_packs(const inception_network *network)
{
    char folder[FOLDER_SIZE], name[200], pattern[300];
    bool any = false;
    if (!packs_folder(folder)) return false;
    for (size_t i = 0; weights_name(network, i, name); i++) {
        snprintf(pattern, sizeof pattern, "%s-*.pack*", name);
        any |= remove_matching(folder, pattern);
    }
    return any;
}

bool cache_remove(const char *path, inception_error *error)
{
    if (unlink(path) != 0)
        return fail(error, INCEPTION_IO, "%s: cannot remove: %s", path, strerror(errno)), false;
    remove_company(path);
    return true;
}
