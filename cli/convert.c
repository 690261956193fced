/* inception convert: weights from any format to the project's model file or a TensorFlow checkpoint. */
#include "cli.h"

#include <string.h>

typedef struct convert_options {
    common_settings common;
    model_settings model;
    int format;
} convert_options;

enum { TO_MODEL, TO_TF2, TO_BY_NAME };

static const option_row rows[] = {
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(convert_options, format),
     "model (the project's model file, safetensors) or tf2 (TensorFlow checkpoint, V2: OUT.index and OUT.data-...); "
     "default: model if OUT ends in .safetensors, else tf2",
     0, 0, (const char *const[]){"model", "tf2", NULL}},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"Weights", network_rows, offsetof(convert_options, model)},
    {"General", common_rows, offsetof(convert_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception convert inception_v3.ckpt v3.safetensors",
    "inception convert bvlc_googlenet.caffemodel googlenet.safetensors",
    "inception convert v3.safetensors tf/v3.ckpt      (TensorFlow, V2)",
    NULL,
};

static bool ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

static exit_code run(void *given, char **operands, int count)
{
    (void)count;
    const convert_options *options = given;
    const inception_network *network;
    char path[4096];
    exit_code code = network_check("convert", options->model.network, &network);
    if (!code) code = model_find(operands[0], path, sizeof path, &network);
    if (code) return code;

    bool to_model = options->format == TO_BY_NAME ? ends_in(operands[1], ".safetensors") : options->format == TO_MODEL;
    inception_format format = to_model ? INCEPTION_FORMAT_MODEL_FILE : INCEPTION_FORMAT_TF_V2;
    inception_model_options model = model_options(&options->model, network);
    inception_error error = {0};
    if (inception_convert(path, operands[1], format, &model, &error)) return complain_error(&error);
    if (options->common.verbose) complain("%s written as %s", operands[1], inception_format_name(format));
    return EXIT_FINE;
}

const cli_command convert_command = {
    .name = "convert",
    .summary = "write weights in another format",
    .operands = "IN OUT",
    .about =
        "Reads weights in any format (TensorFlow checkpoint V1 or V2, .caffemodel, model file, or a network in the "
        "cache) and writes the variables of the network to OUT, which appears whole or not at all. Optimiser slots "
        "are left out.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(convert_options),
    .defaults = &(const convert_options){.format = TO_BY_NAME},
    .min_operands = 2,
    .max_operands = 2,
    .run = run,
};
