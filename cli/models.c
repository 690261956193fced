/* inception models: the networks there are, and which weights are at hand. */
#include "cli.h"

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
    NULL,
};

static const char licence[] =
    "Licence: the weights are published without one of their own. TF-Slim is under Apache 2.0, BVLC GoogLeNet is for "
    "unrestricted use. All were trained on the ImageNet photos, which are for non-commercial research and education; "
    "whether that reaches the weights is not settled.";

static json_t *network_json(const inception_network *network)
{
    char path[4096];
    bool cached = cache_find(network, path, sizeof path);
    return json_pack("{s:s, s:s, s:s, s:{s:i, s:i}, s:i, s:b, s:f, s:f, s:s, s:o}", "name", network->name, "alias",
                     network->alias, "title", network->title, "input", "width", network->input.width, "height",
                     network->input.height, "classes", network->classes, "background", network->background, "top1",
                     network->top1, "top5", network->top5, "source", network->source, "path",
                     cached ? text_json(path) : json_null());
}

static exit_code print_json(const inception_network *networks, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        if (json_array_append_new(list, network_json(&networks[i])) == 0) continue;
        json_decref(list);
        list = NULL;
    }
    return output_json(list);
}

static exit_code print_text(const inception_network *networks, size_t count)
{
    char path[4096];
    printf("%-20s %-7s %9s %8s %6s %6s  %s\n", "NETWORK", "ALIAS", "INPUT", "CLASSES", "TOP-1", "TOP-5", "IN CACHE");
    for (size_t i = 0; i < count; i++) {
        const inception_network *network = &networks[i];
        char input[32];
        snprintf(input, sizeof input, "%dx%d", network->input.width, network->input.height);
        printf("%-20s %-7s %9s %8d %6.1f %6.1f  %s\n", network->name, network->alias, input, network->classes,
               network->top1, network->top5, cache_find(network, path, sizeof path) ? "yes" : "no");
    }
    printf("\nTOP-1 and TOP-5: published accuracy in percent, ImageNet 2012 validation.\n");
    if (cache_folder(path, sizeof path)) {
        printf("Cache folder: ");
        text_write(stdout, path);
        printf("\n");
    }
    printf("\nSources:\n");
    for (size_t i = 0; i < count; i++) {
        printf("  %s\n", networks[i].name);
        print_wrapped(networks[i].source, 4);
    }
    printf("\n");
    print_wrapped(licence, 0);
    return output_flush();
}

static exit_code run(void *given, char **operands, int operand_count)
{
    (void)operands, (void)operand_count;
    const models_options *options = given;
    size_t count;
    const inception_network *networks = inception_networks(&count);
    return (options->format == FORMAT_JSON ? print_json : print_text)(networks, count);
}

const cli_command models_command = {
    .name = "models",
    .summary = "list the networks, and which weights are at hand",
    .operands = "",
    .about =
        "Lists the networks that can be used, their published accuracy, and whether their weights are in the cache "
        "folder.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(models_options),
    .defaults = &(const models_options){.format = FORMAT_TEXT},
    .run = run,
};
