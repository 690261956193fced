/* inception convert: weights from any format to the project's model file, a TensorFlow checkpoint or ONNX. */
#include "calibrate.h"

#include <string.h>

typedef struct convert_options {
    common_settings common;
    model_settings model;
    calibrate_settings calibration;
    int format, weights;
} convert_options;

/* What can be written, in the order of the words for --format, and the ending of OUT that means it. */
static const struct {
    inception_format format;
    const char *ending;
} targets[] = {
    {INCEPTION_FORMAT_MODEL_FILE, ".safetensors"}, {INCEPTION_FORMAT_TF_V2, ".index"}, {INCEPTION_FORMAT_ONNX, ".onnx"},
};

enum { TARGETS = sizeof targets / sizeof targets[0], BY_NAME = TARGETS };

static const option_row rows[] = {
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(convert_options, format),
     "model (the project's model file, safetensors), tf2 (TensorFlow checkpoint, V2: OUT.index and OUT.data-...) or onnx "
     "(ONNX, for other runtimes); default: by the end of OUT: model for .safetensors, onnx for .onnx, tf2 for .ckpt, "
     ".ckpt-NUMBER, .index or a name without a dot",
     0, 0, (const char *const[]){"model", "tf2", "onnx", NULL}},
    {"weights", 0, "TYPE", OPTION_CHOICE, offsetof(convert_options, weights),
     "f32 (default), or bf16: a model file of half the size, its weights rounded to 8 bits", 0, 0,
     (const char *const[]){"f32", "bf16", NULL}},
    {.name = NULL},
};

static const option_row int8_rows[] = {
    {"int8", 0, NULL, OPTION_FLAG, offsetof(calibrate_settings, int8),
     "find what 'classify --precision int8' needs, on the photos of --calibrate, and put it into the model file. The "
     "weights stay as they are: the file is good for every precision",
     0, 0, NULL},
    {"calibrate", 0, "DIR", OPTION_LIST, offsetof(calibrate_settings, photos),
     "photos like those that are to be classified, a few hundred of them; need no names of classes", 0, 0, NULL},
    {"json", 'j', NULL, OPTION_FLAG, offsetof(calibrate_settings, json), "report what int8 loses as JSON", 0, 0, NULL},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"8-bit integers", int8_rows, offsetof(convert_options, calibration)},
    {"Weights", network_rows, offsetof(convert_options, model)},
    {"", label_rows, offsetof(convert_options, model)},
    {"General", common_rows, offsetof(convert_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception convert inception_v3.ckpt v3.safetensors",
    "inception convert bvlc_googlenet.caffemodel googlenet.safetensors",
    "inception convert v3.safetensors v3.ckpt         (TensorFlow, V2)",
    "inception convert v3.safetensors v3.onnx         (ONNX Runtime, OpenVINO, ...)",
    "inception convert --int8 --calibrate photos/ v3.ckpt v3.safetensors",
    "inception convert --weights=bf16 v3.ckpt v3.safetensors   half the size",
    NULL,
};

/* What OUT is to be, from --format or its ending; strips an .index, which names the same checkpoint as its prefix. */
static exit_code choose_format(const convert_options *options, char *out, inception_format *format)
{
    const char *slash = strrchr(out, '/'), *dot = strrchr(slash ? slash : out, '.');
    if (!*out || strcmp(out, "-") == 0 || ends_in(out, "/"))
        return complain_usage("convert", "OUT names a file, or the prefix of a checkpoint's files, not '%s'", out);
    int target = options->format;
    for (int i = 0; i < TARGETS && target == BY_NAME; i++)
        if (ends_in(out, targets[i].ending)) target = i;
    if (target == BY_NAME && dot && strncmp(dot, ".ckpt", strlen(".ckpt")) != 0)
        return complain_usage("convert", "'%s' ends in none of .safetensors, .onnx and .ckpt; say --format", out);
    *format = target == BY_NAME ? INCEPTION_FORMAT_TF_V2 : targets[target].format;
    if (*format != INCEPTION_FORMAT_TF_V2) return EXIT_FINE;
    if (options->model.labels)
        return complain_usage("convert", "option --labels: a TensorFlow checkpoint holds no names of classes");
    if (ends_in(out, ".index")) out[strlen(out) - strlen(".index")] = '\0';
    return EXIT_FINE;
}

static exit_code check_contents(const convert_options *options, inception_format format)
{
    const calibrate_settings *calibration = &options->calibration;
    if (options->weights && format != INCEPTION_FORMAT_MODEL_FILE)
        return complain_usage("convert", "option --weights: only model files hold weights as bf16, not %s",
                              inception_format_name(format));
    if (calibration->int8 != (calibration->photos.count > 0))
        return complain_usage("convert", "options --int8 and --calibrate want each other");
    if (!calibration->int8 && calibration->json) return complain_usage("convert", "option --json wants --int8");
    if (calibration->int8 && format != INCEPTION_FORMAT_MODEL_FILE)
        return complain_usage("convert", "option --int8: only model files hold what int8 needs, not %s",
                              inception_format_name(format));
    return EXIT_FINE;
}

static exit_code run(void *given, char **operands, int count)
{
    (void)count;
    const convert_options *options = given;
    const inception_network *network;
    char path[4096];
    inception_format format = INCEPTION_FORMAT_MODEL_FILE;
    exit_code code = network_check("convert", options->model.network, &network);
    if (!code) code = choose_format(options, operands[1], &format);
    if (!code) code = check_contents(options, format);
    if (!code) code = model_find(operands[0], NULL, path, sizeof path, &network);
    if (code) return code;
    if (same_file(path, operands[1]) || (options->model.labels && same_file(options->model.labels, operands[1])))
        return complain_usage("convert", "%s: is what is to be converted; name another file", operands[1]);

    inception_model_options model = model_options(&options->model, network, options->common.quiet);
    if (options->weights) model.written = INCEPTION_BF16;
    inception_error error = {0};
    if (options->calibration.int8)
        return calibrate(&options->calibration, path, operands[1], &model, options->common.quiet);
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
        "are left out. A TensorFlow checkpoint holds variables only: what else a model file says, names of classes and what "
        "'train' found out among it, stays behind. ONNX gets the network itself, without auxiliary classifiers: input "
        "'input', float32 [batch][height][width][3] as inception prepare writes it; outputs 'logits' and 'probabilities', "
        "and 'likeness' where the model tells what is none of its classes.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(convert_options),
    .defaults = &(const convert_options){.format = BY_NAME},
    .min_operands = 2,
    .max_operands = 2,
    .run = run,
};
