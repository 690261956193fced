/* inception models: the networks there are, which weights are at hand, and their removal. */
#include "cli.h"

#include <string.h>

typedef struct models_options {
    common_settings common;
    int format;
} models_options;

static const option_row rows[] = {
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(models_options, format), "text or json", 0, 0,
     (const char *const[]){"text", "json", NULL}},
    {"json", 'j', NULL, OPTION_SET, offsetof(models_options, format), "same as --format=json", FORMAT_JSON, 0, NULL},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"General", common_rows, offsetof(models_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception models                 a table",
    "inception models --json          the same for programs",
    "inception models show v4         all about one network",
    "inception models path v4         where the cache holds its weights",
    "inception models rm v1 v2        remove weights from the cache",
    NULL,
};

const char imagenet_caveat[] =
    "The weights were trained on the ImageNet photos, which are for non-commercial research and education; whether that "
    "reaches the weights is not settled.";

static exit_code print_json(const inception_network *networks, size_t count)
{
    json_t *list = json_array();
    char path[FOLDER_SIZE];
    for (size_t i = 0; list && i < count; i++) {
        if (json_array_append_new(list, network_json(&networks[i])) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    if (builtin_find(NULL, path, sizeof path)) json_array_append_new(list, builtin_json(path));
    return output_json(list);
}

static void print_row(const inception_network *network)
{
    char input[32], bytes[BYTES_TEXT], path[FOLDER_SIZE + 256];
    const cli_release *release = release_of(network);
    const char *download = !release ? "" : release->bytes ? bytes_text(release->bytes, bytes) : "unknown";
    snprintf(input, sizeof input, "%dx%d", network->input.width, network->input.height);
    printf("%-20s %-9s %7s %7d %5.1f %5.1f %9s  %s\n", network->name, network->alias, input, network->classes,
           network->top1, network->top5, download, cache_find(network, path, sizeof path) ? "yes" : "no");
}

static exit_code print_text(const inception_network *networks, size_t count)
{
    char path[FOLDER_SIZE];
    printf("%-20s %-9s %7s %7s %5s %5s %9s  %s\n", "NETWORK", "ALIAS", "INPUT", "CLASSES", "TOP-1", "TOP-5", "DOWNLOAD",
           "IN CACHE");
    for (size_t i = 0; i < count; i++) print_row(&networks[i]);
    printf("\nTOP-1 and TOP-5: published accuracy in percent, ImageNet 2012 validation.\n");
    if (builtin_find(NULL, path, sizeof path)) builtin_row(path);
    if (cache_folder(path, sizeof path)) {
        printf("Cache folder: ");
        text_write(stdout, path);
        printf("\n");
    }
    printf("\nLicences:\n");
    for (size_t i = 0; i < release_count; i++)
        if (!i || strcmp(releases[i].licence, releases[i - 1].licence) != 0) print_wrapped(releases[i].licence, 2);
    print_wrapped(imagenet_caveat, 0);
    return output_flush();
}

static exit_code list(const models_options *options)
{
    size_t count;
    const inception_network *networks = inception_networks(&count);
    return (options->format == FORMAT_JSON ? print_json : print_text)(networks, count);
}

/* ---- One network ---- */

static exit_code show(const models_options *options, const inception_network *network)
{
    inception_network_size size;
    inception_error error = {0};
    if (inception_network_measure(network, &size, &error)) return complain_error(&error);
    return (options->format == FORMAT_JSON ? show_json : show_text)(network, &size);
}

static exit_code write_path(const models_options *options, const char *name, const char *path)
{
    if (options->format == FORMAT_JSON)
        return output_json(json_pack("{s:s, s:o}", "network", name, "path", text_json(path)));
    text_write(stdout, path);
    putchar('\n');
    return output_flush();
}

static exit_code print_path(const models_options *options, const inception_network *network)
{
    char path[FOLDER_SIZE + 256];
    if (!cache_find(network, path, sizeof path)) {
        complain("%s is not in the cache; 'inception fetch %s' brings it there", network->name, network->alias);
        return EXIT_UNAVAILABLE;
    }
    return write_path(options, network->name, path);
}

/* All that the cache has of the network, under any name; prints what it removes. */
static exit_code remove_weights(const models_options *options, const inception_network *network)
{
    char path[FOLDER_SIZE + 256], folder[FOLDER_SIZE];
    const char *kind;
    const cli_release *release = release_of(network);
    inception_error error = {0};
    bool any = false;
    for (; cache_find(network, path, sizeof path); any = true) {
        if (!cache_remove(path, &error)) return complain_error(&error);
        if (!options->common.quiet) complain("%s removed", path);
    }
    any |= cache_remove_packs(network);
    if (release && cache_folder(folder, sizeof folder)) partial_remove(folder, release_digest(release, &kind));
    if (any) return EXIT_FINE;
    complain("%s is not in the cache", network->name);
    return EXIT_UNAVAILABLE;
}

/* ---- The built-in model ---- */

static exit_code show_builtin(const models_options *options, const char *path)
{
    return options->format == FORMAT_JSON ? output_json(builtin_json(path)) : builtin_show(path);
}

static exit_code print_builtin_path(const models_options *options, const char *path)
{
    return write_path(options, builtin_name, path);
}

static exit_code keep_builtin(const models_options *options, const char *path)
{
    (void)options;
    complain("%s is built in and stays: %s", builtin_name, path);
    return EXIT_UNAVAILABLE;
}

/* ---- The words ---- */

static const struct {
    const char *word;
    exit_code (*run)(const models_options *options, const inception_network *network);
    exit_code (*run_builtin)(const models_options *options, const char *path);
    bool several;
} actions[] = {
    {"show", show, show_builtin, false},
    {"path", print_path, print_builtin_path, false},
    {"rm", remove_weights, keep_builtin, true},
};

static const char *action_name(const void *unused, size_t i)
{
    (void)unused;
    return actions[i].word;
}

static exit_code run(void *given, char **operands, int count)
{
    size_t action = 0;
    char path[FOLDER_SIZE];
    exit_code worst = EXIT_FINE;
    if (!count) return list(given);
    while (action < COUNT(actions) && strcmp(operands[0], actions[action].word) != 0) action++;
    if (action == COUNT(actions)) {
        const char *near = nearest_name(operands[0], action_name, NULL, COUNT(actions));
        return complain_usage("models", "'%s' is neither show nor path nor rm%s%s%s", operands[0],
                              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (count < 2) return complain_usage("models", "%s: name a network", operands[0]);
    if (count > 2 && !actions[action].several)
        return complain_usage("models", "'%s' is one word too many", operands[2]);
    for (int i = 1; i < count; i++) {
        if (inception_network_find(operands[i]) || builtin_find(operands[i], path, sizeof path)) continue;
        const char *near = nearest_network(operands[i]);
        return complain_usage("models", "there is no network '%s'%s%s%s", operands[i], near ? "; did you mean " : "",
                              near ? near : "", near ? "?" : "");
    }
    for (int i = 1; i < count; i++) {
        const inception_network *network = inception_network_find(operands[i]);
        if (!network) builtin_find(operands[i], path, sizeof path);
        exit_code code = network ? actions[action].run(given, network) : actions[action].run_builtin(given, path);
        if (!worst) worst = code;
    }
    return worst;
}

const cli_command models_command = {
    .name = "models",
    .summary = "list the networks, and which weights are at hand",
    .operands = "[show NETWORK|path NETWORK|rm NETWORK...]",
    .about =
        "Lists the networks that can be used, their published accuracy, and whether their weights are in the cache "
        "folder; and flowers, the built-in model. 'show' tells all about one, 'path' prints where its weights are, 'rm' "
        "removes weights from the cache.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(models_options),
    .defaults = &(const models_options){.format = FORMAT_TEXT},
    .max_operands = INT32_MAX,
    .run = run,
};
