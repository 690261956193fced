/* inception inspect: the tensors of a weights file. */
#include "cli.h"

#include <string.h>

typedef struct inspect_options {
    common_settings common;
    const char *other;
    int format;
} inspect_options;

static const option_row rows[] = {
    {"diff", 'd', "OTHER", OPTION_STRING, offsetof(inspect_options, other),
     "compare with OTHER: tensors in one only, other shapes, largest differences; exit status 0 if equal, 1 if not", 0,
     0, NULL},
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(inspect_options, format), "text or json", 0, 0,
     (const char *const[]){"text", "json", NULL}},
    {"json", 'j', NULL, OPTION_SET, offsetof(inspect_options, format), "same as --format=json", FORMAT_JSON, 0, NULL},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"General", common_rows, offsetof(inspect_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception inspect inception_v3.ckpt",
    "inception inspect --json model.safetensors",
    "inception inspect a.ckpt --diff b.safetensors",
    NULL,
};

void shape_text(const inception_tensor *tensor, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < tensor->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? "," : "", (long long)tensor->dims[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}

json_t *shape_json(const inception_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; shape && i < tensor->rank; i++) json_array_append_new(shape, json_integer(tensor->dims[i]));
    return shape;
}

static int widest_name(const inception_weights *weights)
{
    int widest = 4;
    for (size_t i = 0; i < inception_weights_count(weights); i++) {
        int width = text_width(inception_weights_tensor(weights, i)->name);
        if (width > widest) widest = width;
    }
    return widest < 100 ? widest : 100;
}

/* The texts of a model file; of lists, how long they are. */
static void write_texts(const inception_weights *weights)
{
    const char *key, *value;
    for (size_t i = 0; inception_weights_text(weights, i, &key, &value); i++) {
        size_t lines = 1;
        for (const char *c = value; *c; c++) lines += *c == '\n';
        text_write(stdout, key);
        fputs(": ", stdout);
        if (lines > 1) printf("%zu lines", lines);
        else text_write(stdout, value);
        fputc('\n', stdout);
    }
}

static exit_code list_text(const inception_weights *weights, const char *path)
{
    size_t count = inception_weights_count(weights);
    uint64_t values = 0;
    int width = widest_name(weights);
    for (size_t i = 0; i < count; i++) values += inception_weights_tensor(weights, i)->count;
    const inception_network *network = inception_weights_network(weights, NULL);
    text_write(stdout, path);
    printf(": %s, %zu tensor%s, %llu values, %s\n", inception_format_name(inception_weights_format(weights)), count,
           count == 1 ? "" : "s", (unsigned long long)values, network ? network->name : "none of the known networks");
    write_texts(weights);
    fputc('\n', stdout);
    printf("%-*s  %-5s  %-18s %11s %11s %11s\n", width, "NAME", "TYPE", "SHAPE", "MIN", "MAX", "MEAN");
    for (size_t i = 0; i < count; i++) {
        const inception_tensor *tensor = inception_weights_tensor(weights, i);
        inception_statistics statistics;
        char shape[256];
        shape_text(tensor, shape, sizeof shape);
        text_write(stdout, tensor->name);
        printf("%*s  %-5s  %-18s", width - text_width(tensor->name) > 0 ? width - text_width(tensor->name) : 0, "",
               inception_type_name(tensor->type), shape);
        if (!inception_tensor_statistics(tensor, &statistics)) {
            printf(" %11s %11s %11s\n", "-", "-", "-");
            continue;
        }
        printf(" %11.5g %11.5g %11.5g", statistics.min, statistics.max, statistics.mean);
        if (statistics.not_finite) printf("  %llu not finite", (unsigned long long)statistics.not_finite);
        printf("\n");
    }
    return output_flush();
}

static json_t *tensor_json(const inception_tensor *tensor)
{
    inception_statistics statistics;
    json_t *object = json_pack("{s:o, s:s, s:o}", "name", text_json(tensor->name), "type",
                               inception_type_name(tensor->type), "shape", shape_json(tensor));
    if (object && inception_tensor_statistics(tensor, &statistics)) {
        json_object_set_new(object, "min", json_real(statistics.min));
        json_object_set_new(object, "max", json_real(statistics.max));
        json_object_set_new(object, "mean", json_real(statistics.mean));
        json_object_set_new(object, "not_finite", json_integer((json_int_t)statistics.not_finite));
    }
    return object;
}

static exit_code list_json(const inception_weights *weights, const char *path)
{
    json_t *tensors = json_array();
    for (size_t i = 0; tensors && i < inception_weights_count(weights); i++) {
        if (json_array_append_new(tensors, tensor_json(inception_weights_tensor(weights, i))) == 0) continue;
        json_decref(tensors);
        tensors = NULL;
    }
    json_t *texts = json_object();
    const char *key, *value;
    for (size_t i = 0; inception_weights_text(weights, i, &key, &value); i++)
        json_object_set_new(texts, key, text_json(value));
    const inception_network *network = inception_weights_network(weights, NULL);
    return output_json(json_pack("{s:o, s:s, s:s?, s:o, s:o}", "file", text_json(path), "format",
                                 inception_format_name(inception_weights_format(weights)), "network",
                                 network ? network->name : NULL, "metadata", texts, "tensors", tensors));
}

static exit_code open_weights(const char *name, char *path, size_t size, inception_weights **weights)
{
    const inception_network *network;
    inception_error error = {0};
    exit_code code = model_find(name, NULL, path, size, &network);
    if (code) return code;
    *weights = inception_weights_open(path, &error);
    return *weights ? EXIT_FINE : complain_error(&error);
}

static exit_code run(void *given, char **operands, int count)
{
    (void)count;
    const inspect_options *options = given;
    char path[4096], other_path[4096];
    inception_weights *weights = NULL, *other = NULL;
    bool json = options->format == FORMAT_JSON;
    exit_code code = open_weights(operands[0], path, sizeof path, &weights);
    if (!code && options->other) code = open_weights(options->other, other_path, sizeof other_path, &other);
    if (!code && other) code = compare_weights(weights, path, other, other_path, json);
    else if (!code) code = (json ? list_json : list_text)(weights, path);
    inception_weights_close(&other);
    inception_weights_close(&weights);
    return code;
}

const cli_command inspect_command = {
    .name = "inspect",
    .summary = "list the tensors of a weights file, or compare two files",
    .operands = "MODEL",
    .about = "Lists the tensors of MODEL (TensorFlow checkpoint V1 or V2, .caffemodel, model file, or a network in the "
             "cache): name, type, shape, smallest, largest and mean value; and which network they are of.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(inspect_options),
    .defaults = &(const inspect_options){.format = FORMAT_TEXT},
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
