/* Which weights: a path, or the name of a network whose weights are in the cache folder or are fetched into it. */
#include "cli.h"

#include <string.h>
#include <sys/stat.h>

const option_row model_rows[] = {
    {"model", 'm', "MODEL", OPTION_LIST, offsetof(model_settings, models),
     "weights: a file, a folder, the name of a network (fetched if it is not in the cache), or flowers, the built-in "
     "model; again for several networks side by side. Default: the best network in the cache",
     0, 0, NULL},
    {.name = NULL},
};

const option_row network_rows[] = {
    {"network", 'n', "NETWORK", OPTION_STRING, offsetof(model_settings, network),
     "the network that the weights belong to; default: found from the names of the variables. Where no weights are "
     "named: the network to take",
     0, 0, NULL},
    {"depth-multiplier", 0, "X", OPTION_DOUBLE, offsetof(model_settings, depth_multiplier),
     "V2 and V3: factor of all channel counts; default: found from the shapes", 1e-6, 16, NULL},
    {"min-depth", 0, "N", OPTION_INT, offsetof(model_settings, min_depth),
     "V2 and V3: fewest channels of a scaled layer; default 16", 1, 4096, NULL},
    {"moving-averages", 0, NULL, OPTION_FLAG, offsetof(model_settings, moving_averages),
     "prefer the moving averages of the variables where the file has them", 0, 0, NULL},
    {.name = NULL},
};

const option_row label_rows[] = {
    {"labels", 'l', "FILE", OPTION_STRING, offsetof(model_settings, labels),
     "names of the classes in place of the weights' own: one a line in the order of the classes, or id:name, or csv with "
     "index,name or index,wnid,name",
     0, 0, NULL},
    {.name = NULL},
};

const char *const precision_choices[] = {
    [INCEPTION_PRECISION_F32] = "f32",
    [INCEPTION_PRECISION_BF16] = "bf16",
    [INCEPTION_PRECISION_INT8] = "int8",
    [INCEPTION_PRECISION_AUTO] = "auto",
    NULL,
};

const option_row precision_rows[] = {
    {"precision", 0, "P", OPTION_CHOICE, offsetof(model_settings, precision),
     "of the arithmetic: f32 (default), bf16, where probabilities change in the third digit: up to twice as fast on some "
     "CPUs that have instructions for it, slower on others; int8, up to four times as fast, for weights that 'inception "
     "convert --int8' made ready for it; auto, the fastest of those that the CPU and the weights are ready for",
     0, 0, precision_choices},
    {.name = NULL},
};

/* Says how to get weights of a network, or of any (NULL). */
static exit_code complain_missing(const inception_network *network, bool offline)
{
    char folder[FOLDER_SIZE];
    if (!cache_folder(folder, sizeof folder)) snprintf(folder, sizeof folder, "(none: HOME is not set)");
    if (network)
        complain("there are no weights of %s in the cache folder %s%s", network->name, folder,
                 offline ? ", and --offline forbids to download them" : "");
    else complain("there are no weights: -m names none, and the cache folder %s holds none", folder);
    fprintf(stderr, "'inception fetch %s' downloads them; the path of a file does as well.\n",
            network ? network->alias : "v4");
    return EXIT_UNAVAILABLE;
}

/* ---- Names ---- */

static const char *network_name(const void *list, size_t i)
{
    const inception_network *network = (const inception_network *)list + i / 2;
    return i % 2 ? network->alias : network->name;
}

const char *nearest_network(const char *word)
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

static bool best_in_cache(char *path, size_t size, const inception_network **network)
{
    size_t count;
    const inception_network *networks = inception_networks(&count);
    *network = NULL;
    for (size_t i = 0; i < count; i++)
        if ((!*network || networks[i].top1 > (*network)->top1) && cache_find(&networks[i], path, size))
            *network = &networks[i];
    return *network && cache_find(*network, path, size);
}

exit_code model_default(const net_settings *net, char *path, size_t size, const inception_network **network)
{
    if (best_in_cache(path, size, network)) return EXIT_FINE;
    if (!builtin_find(NULL, path, size)) return complain_missing(NULL, false);
    if (!net->quiet) builtin_announce(path);
    return EXIT_FINE;
}

/* From the cache, or into it. */
static exit_code bring(const inception_network *network, const net_settings *net, char *path, size_t size)
{
    if (cache_find(network, path, size)) return EXIT_FINE;
    const cli_release *release = release_of(network);
    inception_error error = {0};
    bool news;
    if (!release || !net || net->offline) return complain_missing(network, net && net->offline);
    catch_interrupts();
    if (fetch_release(release, net, path, size, &news, &error)) return EXIT_FINE;
    exit_code code = complain_error(&error);
    return interrupted() ? EXIT_INTERRUPTED : code;
}

/* A folder of photos may be called as the built-in model is. */
static bool holds_weights(const char *path)
{
    char state[4096];
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) return path_exists(path);
    snprintf(state, sizeof state, "%.4000s/checkpoint", path);
    return path_exists(state);
}

exit_code model_find(const char *name, const net_settings *net, char *path, size_t size,
                     const inception_network **network)
{
    if (!name) return best_in_cache(path, size, network) ? EXIT_FINE : complain_missing(NULL, false);
    *network = NULL;
    if (!holds_weights(name) && builtin_find(name, path, size)) return EXIT_FINE;

    int length = snprintf(path, size, "%s.index", name);
    if ((size_t)length >= size) {
        complain("%.40s...: the name is too long", name);
        return EXIT_NO_INPUT;
    }
    bool is_path = path_exists(name) || path_exists(path);
    snprintf(path, size, "%s", name);
    if (is_path) return EXIT_FINE;

    *network = inception_network_find(name);
    if (*network) return bring(*network, net, path, size);
    const char *near = nearest_network(name);
    complain("%s: no such file, and no network of that name%s%s%s", name,
             near ? "; did you mean " : " ('inception models' lists them)", near ? near : "", near ? "?" : "");
    return EXIT_NO_INPUT;
}

inception_model_options model_options(const model_settings *settings, const inception_network *network, bool quiet)
{
    inception_model_options options;
    inception_model_options_default(&options);
    options.network = settings->network ? settings->network : network ? network->name : NULL;
    options.depth_multiplier = settings->depth_multiplier;
    options.min_depth = settings->min_depth;
    options.moving_averages = settings->moving_averages;
    options.labels = settings->labels;
    options.cache = cache_packs();
    options.precision = (inception_precision)settings->precision;
    if (inception_precision_supported(options.precision)) return options;
    if (!quiet) complain("this CPU has no instructions for %s; f32 is used", precision_choices[settings->precision]);
    options.precision = INCEPTION_PRECISION_F32;
    return options;
}
