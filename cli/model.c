/* Which weights: a path, or the name of a network whose weights are in the cache folder. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const option_row model_rows[] = {
    {"model", 'm', "MODEL", OPTION_LIST, offsetof(model_settings, models),
     "weights: a file, a folder, or the name of a network in the cache; again for several networks side by side. "
     "Default: the best one in the cache",
     0, 0, NULL},
    {.name = NULL},
};

const option_row network_rows[] = {
    {"network", 'n', "NETWORK", OPTION_STRING, offsetof(model_settings, network),
     "the network that the weights belong to; default: found from the names of the variables", 0, 0, NULL},
    {"depth-multiplier", 0, "X", OPTION_DOUBLE, offsetof(model_settings, depth_multiplier),
     "V2 and V3: factor of all channel counts; default: found from the shapes", 1e-6, 16, NULL},
    {"min-depth", 0, "N", OPTION_INT, offsetof(model_settings, min_depth),
     "V2 and V3: fewest channels of a scaled layer; default 16", 1, 4096, NULL},
    {"moving-averages", 0, NULL, OPTION_FLAG, offsetof(model_settings, moving_averages),
     "prefer the moving averages of the variables where the file has them", 0, 0, NULL},
    {.name = NULL},
};

#define ARCHIVES "http://download.tensorflow.org/models/"

/* Where published weights come from, and under which names the cache may hold them besides cache_endings. */
static const struct {
    const char *network, *address, *member;
} published[] = {
    {"inception_v1", ARCHIVES "inception_v1_2016_08_28.tar.gz", "inception_v1.ckpt"},
    {"inception_v2", ARCHIVES "inception_v2_2016_08_28.tar.gz", "inception_v2.ckpt"},
    {"inception_v3", ARCHIVES "inception_v3_2016_08_28.tar.gz", "inception_v3.ckpt"},
    {"inception_v4", ARCHIVES "inception_v4_2016_09_09.tar.gz", "inception_v4.ckpt"},
    {"inception_resnet_v2", ARCHIVES "inception_resnet_v2_2016_08_30.tar.gz", "inception_resnet_v2_2016_08_30.ckpt"},
    {"googlenet", "http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel", "bvlc_googlenet.caffemodel"},
};

static const char *const cache_endings[] = {".safetensors", ".ckpt", ".ckpt.index", ".index", ".caffemodel"};

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* ---- The cache ---- */

bool cache_folder(char *path, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (cache && cache[0] == '/') length = snprintf(path, size, "%s/inception", cache);
    else if (home && *home) length = snprintf(path, size, "%s/.cache/inception", home);
    return length > 0 && (size_t)length < size;
}

bool cache_find(const inception_network *network, char *path, size_t size)
{
    char folder[4096];
    if (!cache_folder(folder, sizeof folder)) return false;
    for (size_t i = 0; i < COUNT(cache_endings); i++) {
        int length = snprintf(path, size, "%s/%s%s", folder, network->name, cache_endings[i]);
        if ((size_t)length < size && exists(path)) return true;
    }
    for (size_t i = 0; i < COUNT(published); i++) {
        if (strcmp(published[i].network, network->name) != 0) continue;
        int length = snprintf(path, size, "%s/%s", folder, published[i].member);
        if ((size_t)length < size && exists(path)) return true;
    }
    return false;
}

/* What to fetch for a network, or for any (NULL). */
static exit_code complain_missing(const inception_network *network)
{
    char folder[4096];
    if (!cache_folder(folder, sizeof folder)) snprintf(folder, sizeof folder, "(none: HOME is not set)");
    if (network) complain("there are no weights of %s in the cache folder %s", network->name, folder);
    else complain("there are no weights: -m names none, and the cache folder %s holds none", folder);
    fputs("Download what is published, unpack it (tar xzf), and name the unpacked file with -m, or\n"
          "put it into the cache folder:\n",
          stderr);
    for (size_t i = 0; i < COUNT(published); i++) {
        if (network && strcmp(published[i].network, network->name) != 0) continue;
        fprintf(stderr, "  %s\n", published[i].address);
        if (!strstr(published[i].address, published[i].member)) fprintf(stderr, "    holds %s\n", published[i].member);
    }
    return EXIT_UNAVAILABLE;
}

/* ---- Names ---- */

static const char *network_name(const void *list, size_t i)
{
    const inception_network *network = (const inception_network *)list + i / 2;
    return i % 2 ? network->alias : network->name;
}

static const char *nearest_network(const char *word)
{
    size_t count;
    const inception_network *networks = inception_networks(&count);
    return nearest_name(word, network_name, networks, 2 * count);
}

exit_code network_check(const char *command, const char *name, const inception_network **network)
{
    *network = name ? inception_network_find(name) : NULL;
    if (*network || !name) return EXIT_FINE;
    const char *near = nearest_network(name);
    return complain_usage(command, "option --network: there is no network '%s'%s%s%s", name,
                          near ? "; did you mean " : " ('inception models' lists them)", near ? near : "",
                          near ? "?" : "");
}

static exit_code best_in_cache(char *path, size_t size, const inception_network **network)
{
    size_t count;
    const inception_network *networks = inception_networks(&count);
    for (size_t i = 0; i < count; i++)
        if ((!*network || networks[i].top1 > (*network)->top1) && cache_find(&networks[i], path, size))
            *network = &networks[i];
    if (!*network) return complain_missing(NULL);
    return cache_find(*network, path, size) ? EXIT_FINE : complain_missing(NULL);
}

exit_code model_find(const char *name, char *path, size_t size, const inception_network **network)
{
    *network = NULL;
    if (!name) return best_in_cache(path, size, network);

    int length = snprintf(path, size, "%s.index", name);
    if ((size_t)length >= size) {
        complain("%.40s...: the name is too long", name);
        return EXIT_NO_INPUT;
    }
    bool is_path = exists(name) || exists(path);
    snprintf(path, size, "%s", name);
    if (is_path) return EXIT_FINE;

    *network = inception_network_find(name);
    if (*network) return cache_find(*network, path, size) ? EXIT_FINE : complain_missing(*network);
    const char *near = nearest_network(name);
    complain("%s: no such file, and no network of that name%s%s%s", name,
             near ? "; did you mean " : " ('inception models' lists them)", near ? near : "", near ? "?" : "");
    return EXIT_NO_INPUT;
}

inception_model_options model_options(const model_settings *settings, const inception_network *network)
{
    inception_model_options options;
    inception_model_options_default(&options);
    options.network = settings->network ? settings->network : network ? network->name : NULL;
    options.depth_multiplier = settings->depth_multiplier;
    options.min_depth = settings->min_depth;
    options.moving_averages = settings->moving_averages;
    return options;
}
