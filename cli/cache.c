/* The cache folder: where it is, and which weights are in it under which names. */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Behind the network's name; published weights keep their own name. */
static const char *const endings[] = {".safetensors", ".ckpt", ".ckpt.index", ".index", ".caffemodel"};

bool path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

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
        made = mkdir(path, 0777) == 0 || errno == EEXIST || access(path, X_OK) == 0;
        if (!made) fail(error, INCEPTION_IO, "%s: cannot create the folder: %s", path, strerror(errno));
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

bool cache_find(const inception_network *network, char *path, size_t size)
{
    char folder[FOLDER_SIZE];
    const cli_release *release = release_of(network);
    if (!cache_folder(folder, sizeof folder)) return false;
    for (size_t i = 0; i <= COUNT(endings); i++) {
        bool own = i < COUNT(endings);
        if (!own && !release) break;
        int length = snprintf(path, size, "%s/%s%s", folder, own ? network->name : release->member,
                              own ? endings[i] : "");
        if ((size_t)length < size && path_exists(path)) return true;
    }
    return false;
}

/* The data files that belong to the index of a TensorFlow V2 checkpoint. */
static void remove_data(const char *index)
{
    char folder[FOLDER_SIZE], pattern[256];
    const char *slash = strrchr(index, '/'), *dot = strrchr(index, '.');
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - index), index);
    snprintf(pattern, sizeof pattern, "%.*s.data-*-of-*", (int)(dot - slash - 1), slash + 1);
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing));)
        if (fnmatch(pattern, entry->d_name, 0) == 0) unlinkat(dirfd(listing), entry->d_name, 0);
    if (listing) closedir(listing);
}

bool cache_remove(const char *path, inception_error *error)
{
    if (unlink(path) != 0)
        return fail(error, INCEPTION_IO, "%s: cannot remove: %s", path, strerror(errno)), false;
    if (ends_in(path, ".index")) remove_data(path);
    return true;
}
