/* The architectures against the facts: variables, parameters, multiply-adds, endpoint shapes; recognition of files. */
#include "../formula.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Totals of TF-Slim's definitions with auxiliary heads, and without; multiply-adds of a photo to the digits published.
 * GoogLeNet: 6,998,552 parameters of the deployed network (a fact of its caffemodel). Layers follow from the number of
 * variables (4 with batch norm, 2 with biases, V2's first has 3 for two layers); depths were added up by hand,
 * block by block. */
static const struct {
    const char *name, *listing;
    size_t variables, elements, bare_variables, bare_elements;
    double giga_macs;
    int layers, depth;
} facts[] = {
    {"inception_v1", "v1", 230, 6633209, 230, 6633209, 1.498, 58, 22},
    {"inception_v2", "v2", 277, 11199137, 277, 11199137, 1.935, 71, 35},
    {"inception_v3", "v3", 388, 27182194, 378, 23853833, 5.713, 95, 48},
    {"inception_v4", "v4", 608, 46074066, 598, 42712937, 12.254, 150, 76},
    {"inception_resnet_v2", "resnet_v2", 908, 59244594, 898, 55875273, 13.156, 245, 176},
    {"googlenet", NULL, 0, 0, 116, 6998552, 0, 58, 22},
};

static void count(const inc_graph *graph, size_t *variables, size_t *elements)
{
    *variables = *elements = 0;
    for (size_t i = 0; i < graph->value_count; i++) {
        size_t product = 1;
        for (int d = 0; d < graph->values[i].rank; d++) product *= (size_t)graph->values[i].dims[d];
        *variables += graph->values[i].variable;
        *elements += graph->values[i].variable ? product : 0;
    }
}

static inc_graph build(const char *name, bool heads)
{
    inc_graph graph = {0};
    inc_shape shape = inc_shape_default(inception_network_find(name));
    shape.heads = heads;
    assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
    return graph;
}

static void totals(void **state)
{
    (void)state;
    for (size_t i = 0; i < INC_COUNT(facts); i++) {
        size_t variables, elements;
        inc_graph bare = build(facts[i].name, false), whole = build(facts[i].name, true);
        count(&bare, &variables, &elements);
        assert_int_equal(variables, facts[i].bare_variables);
        assert_int_equal(elements, facts[i].bare_elements);
        count(&whole, &variables, &elements);
        if (facts[i].variables) assert_int_equal(variables, facts[i].variables);
        if (facts[i].variables) assert_int_equal(elements, facts[i].elements);
        inc_graph_free(&bare);
        inc_graph_free(&whole);
    }
}

static const char *test_data(void)
{
    const char *folder = getenv("INCEPTION_TEST_DATA");
    return folder ? folder : "../shared";
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* name TAB d0,d1,... of every variable, sorted: byte for byte the listing of TF-Slim's definition. */
static void listings(void **state)
{
    (void)state;
    for (size_t i = 0; i < INC_COUNT(facts) && facts[i].listing; i++) {
        char path[512], line[512], wanted[512];
        snprintf(path, sizeof path, "%s/spec/vars_inception_%s.tsv", test_data(), facts[i].listing);
        FILE *file = fopen(path, "r");
        if (!file) skip();
        inc_graph graph = build(facts[i].name, true);
        char **lines = calloc(graph.value_count, sizeof *lines);
        size_t lines_count = 0;
        for (size_t v = 0; v < graph.value_count; v++) {
            const inc_value *value = &graph.values[v];
            if (!value->variable) continue;
            int used = snprintf(line, sizeof line, "%s\t", value->name);
            for (int d = 0; d < value->rank; d++)
                used += snprintf(line + used, sizeof line - (size_t)used, "%s%d", d ? "," : "", (int)value->dims[d]);
            lines[lines_count++] = strdup(line);
        }
        qsort(lines, lines_count, sizeof *lines, by_line);
        for (size_t k = 0; k < lines_count; k++) {
            assert_non_null(fgets(wanted, sizeof wanted, file));
            wanted[strcspn(wanted, "\n")] = 0;
            assert_string_equal(lines[k], wanted);
            free(lines[k]);
        }
        assert_null(fgets(wanted, sizeof wanted, file));
        fclose(file);
        free(lines);
        inc_graph_free(&graph);
    }
}

static void endpoint_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *network, *endpoint;
        int side, channels;
    } rows[] = {
        {"v1", "Conv2d_1a_7x7", 112, 64},  {"v1", "Mixed_4e", 14, 528},      {"v1", "AvgPool_0a_7x7", 1, 1024},
        {"v2", "Mixed_4a", 14, 576},       {"v2", "Mixed_5c", 7, 1024},      {"v2", "AvgPool_1a", 1, 1024},
        {"v3", "MaxPool_3a_3x3", 73, 64},  {"v3", "Mixed_6e", 17, 768},      {"v3", "Mixed_7c", 8, 2048},
        {"v3", "AuxLogits", 1, 1001},      {"v3", "PreLogits", 1, 2048},     {"v4", "Mixed_3a", 73, 160},
        {"v4", "Mixed_6h", 17, 1024},      {"v4", "Mixed_7d", 8, 1536},      {"v4", "Logits", 1, 1001},
        {"irv2", "PreAuxLogits", 17, 1088}, {"irv2", "Mixed_7a", 8, 2080},   {"irv2", "Conv2d_7b_1x1", 8, 1536},
        {"googlenet", "inception_3a", 28, 256}, {"googlenet", "inception_5b", 7, 1024}, {"googlenet", "loss1", 1, 1000},
    };
    for (size_t i = 0; i < INC_COUNT(rows); i++) {
        inc_graph graph = build(rows[i].network, true);
        uint32_t id = inc_graph_find(&graph, rows[i].endpoint);
        assert_int_not_equal(id, INC_NONE);
        assert_int_equal(graph.values[id].dims[1], rows[i].side);
        assert_int_equal(graph.values[id].dims[2], rows[i].side);
        assert_int_equal(graph.values[id].dims[3], rows[i].channels);
        inc_graph_free(&graph);
    }
}

/* ---- recognition: small files made by our own writer ---- */

static char folder[] = "/tmp/inception-test-XXXXXX";

/* Writes a checkpoint of the network, filled by the formula, with one change. */
typedef struct change {
    const char *drop, *rename, *to, *cut; /* a variable to leave out, to call otherwise, to give one channel less */
    const char *more;                     /* a vector of 63 to add */
    const char *spoil;                    /* a variable whose first value becomes `value` */
    float value;
    inc_metadata metadata[4];             /* up to the first without a key */
} change;

static char *write_file(const char *name, inc_shape shape, change c)
{
    static char path[600];
    inc_graph graph = {0};
    assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
    assert_true(formula_bind(&graph));
    size_t count, used = 0;
    inception_tensor *tensors = formula_tensors(&graph, &count);
    for (size_t i = 0; i < count; i++) {
        inception_tensor t = tensors[i];
        if (c.drop && strstr(t.name, c.drop)) continue;
        if (c.rename && strcmp(t.name, c.rename) == 0) t.name = c.to;
        if (c.cut && strcmp(t.name, c.cut) == 0)
            t.count = t.count / (uint64_t)t.dims[0] * (uint64_t)(t.dims[0] - 1), t.dims[0]--;
        if (c.spoil && strcmp(t.name, c.spoil) == 0) *(float *)t.data = c.value; /* the graph's own memory */
        tensors[used++] = t;
    }
    static const float vector[63] = {1};
    const inception_tensor *all = tensors;
    inception_tensor *longer = calloc(used + 1, sizeof *longer);
    if (c.more) {
        memcpy(longer, tensors, used * sizeof *longer);
        longer[used++] = (inception_tensor){c.more, INCEPTION_F32, 1, {63}, 63, vector};
        all = longer;
    }
    size_t texts = 0;
    while (texts < INC_COUNT(c.metadata) && c.metadata[texts].key) texts++;
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
    assert_int_equal(inc_safetensors_write(path, all, used, c.metadata, texts, NULL), INCEPTION_OK);
    free(longer);
    free(tensors);
    inc_graph_free(&graph);
    return path;
}

static void opens(const char *path, const inception_model_options *options, const char *network, int classes,
                  double multiplier)
{
    inc_model model;
    inception_error error = {0};
    inception_status status = inc_model_open(&model, path, options, false, &error);
    assert_string_equal(error.message, "");
    assert_int_equal(status, INCEPTION_OK);
    assert_string_equal(model.shape.network->name, network);
    assert_int_equal(model.shape.classes, classes);
    assert_true(fabs(model.shape.depth_multiplier - multiplier) < 1e-9);
    inc_model_close(&model);
}

static void refuses(const char *path, const inception_model_options *options, const char *mention, const char *and)
{
    inc_model model;
    inception_error error = {0};
    assert_int_equal(inc_model_open(&model, path, options, false, &error), INCEPTION_MISMATCH);
    if (!strstr(error.message, mention) || !strstr(error.message, and)) fail_msg("%s", error.message);
}

static void recognition(void **state)
{
    (void)state;
    inception_model_options options;
    inception_model_options_default(&options);
    inc_shape v1 = inc_shape_default(inception_network_find("v1")), v3 = inc_shape_default(inception_network_find("V3"));
    v1.classes = 5;
    opens(write_file("v1", v1, (change){0}), &options, "inception_v1", 5, 1.0);
    const char *beta = "InceptionV1/Mixed_3b/Branch_0/Conv2d_0a_1x1/BatchNorm/beta";
    refuses(write_file("gap", v1, (change){.drop = beta}), &options, "nearest to inception_v1", beta);
    refuses(write_file("cut", v1, (change){.cut = beta}), &options, beta, "63 and not 64");
    refuses(write_file("renamed", v1, (change){.rename = beta, .to = "other"}), &options, beta, "is missing");
    refuses(write_file("none", v1, (change){.drop = "Inception"}), &options, "none of its variables", "known network");
    options.network = "inception_v4";
    refuses(write_file("asked", v1, (change){0}), &options, "the file holds inception_v1, not inception_v4", "InceptionV4/");
    options.network = NULL;
    for (size_t i = 0; i < 3; i++) {
        const double multipliers[] = {0.35, 0.5, 0.125};
        v3.depth_multiplier = multipliers[i];
        opens(write_file("v3", v3, (change){0}), &options, "inception_v3", 1001, multipliers[i]);
    }
    inc_shape v2 = inc_shape_default(inception_network_find("inception_V2"));
    v2.depth_multiplier = 0.25;
    v2.min_depth = 8;
    options.min_depth = 8;
    opens(write_file("v2", v2, (change){0}), &options, "inception_v2", 1001, 0.25);
}

static void work(void **state)
{
    (void)state;
    inception_model_options options;
    inception_model_options_default(&options);
    for (size_t i = 0; i < INC_COUNT(facts); i++) {
        inc_model model;
        const inception_network *network = inception_network_find(facts[i].name);
        if (!facts[i].giga_macs) continue;
        const char *path = write_file("work", inc_shape_default(network), (change){0});
        assert_int_equal(inc_model_open(&model, path, &options, false, NULL), INCEPTION_OK);
        assert_int_equal(model.size.parameters, facts[i].bare_elements);
        assert_true(fabs((double)model.size.multiply_adds / 1e9 - facts[i].giga_macs) < 0.0005);
        inc_model_close(&model);
    }
}

static void measured(void **state)
{
    (void)state;
    inception_network_size size;
    inception_error error = {0};
    for (size_t i = 0; i < INC_COUNT(facts); i++) {
        assert_int_equal(inception_network_measure(inception_network_find(facts[i].name), &size, NULL), INCEPTION_OK);
        assert_int_equal(size.parameters, facts[i].bare_elements);
        assert_int_equal(size.layers, facts[i].layers);
        assert_int_equal(size.depth, facts[i].depth);
        if (facts[i].giga_macs) assert_true(fabs((double)size.multiply_adds / 1e9 - facts[i].giga_macs) < 0.0005);
    }
    const inception_network stranger = {.name = "stranger"};
    assert_int_equal(inception_network_measure(&stranger, &size, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_network_measure(NULL, &size, &error), INCEPTION_INVALID);
    assert_non_null(strstr(error.message, "inception_network_measure"));
}

static void labels(void **state)
{
    (void)state;
    inception_model_options options;
    inception_model_options_default(&options);
    inc_model model;
    const char *path = write_file("labels", inc_shape_default(inception_network_find("v1")), (change){0});
    assert_int_equal(inc_model_open(&model, path, &options, true, NULL), INCEPTION_OK);
    assert_string_equal(model.labels[0], "background");
    assert_string_equal(model.labels[1], "tench, Tinca tinca");
    assert_string_equal(model.labels[208], "golden retriever");
    assert_string_equal(model.labels[135], "crane");
    assert_string_equal(model.labels[518], "crane");
    assert_string_not_equal(model.wnids[135], model.wnids[518]);
    assert_string_equal(model.labels[1000], "toilet tissue, toilet paper, bathroom tissue");

    char out[600]; /* names travel with the model file */
    snprintf(out, sizeof out, "%s/written.safetensors", folder);
    model.labels[7] = "a name of\xC2\xA0its own, with \"quotes\"";
    assert_int_equal(inc_model_write(&model, out, INCEPTION_FORMAT_MODEL_FILE, NULL), INCEPTION_OK);
    inc_model_close(&model);
    assert_int_equal(inc_model_open(&model, out, &options, true, NULL), INCEPTION_OK);
    assert_string_equal(model.labels[7], "a name of\xC2\xA0its own, with \"quotes\"");
    assert_string_equal(model.wnids[0], "");
    assert_string_equal(model.wnids[1], "n01440764");
    assert_string_equal(model.labels[1000], "toilet tissue, toilet paper, bathroom tissue");
    inc_model_close(&model);
}

/* What a model file says of itself is checked like everything else in it. */
static void hostile_files(void **state)
{
    (void)state;
    static const char gamma[] = "InceptionV2/Conv2d_2b_1x1/BatchNorm/gamma";
    static const char weights[] = "InceptionV2/Conv2d_2b_1x1/weights";
    static const char variance[] = "InceptionV2/Conv2d_2b_1x1/BatchNorm/moving_variance";
    static const struct {
        change c;
        inception_status status;
        const char *mention;
    } rows[] = {
        /* 14 x 14 at the end, pooled 7 x 7 by 2 */
        {{.metadata = {{"input_width", "448"}, {"input_height", "448"}}}, INCEPTION_UNSUPPORTED, "a map of 4 x 4 answers"},
        {{.metadata = {{"input_width", "4097"}}}, INCEPTION_DATA, "4097 x 224"},
        {{.metadata = {{"input_height", "-1"}}}, INCEPTION_DATA, "224 x -1"},
        {{.metadata = {{"depth_multiplier", "nan"}}}, INCEPTION_DATA, "multiplier of nan"},
        {{.metadata = {{"depth_multiplier", "0,25"}}}, INCEPTION_DATA, "multiplier of 0"},
        {{.metadata = {{"min_depth", "1000000"}}}, INCEPTION_DATA, "min_depth of 1000000"},
        {{.metadata = {{"input_width", "224px"}}}, INCEPTION_DATA, "-1 x 224"},
        {{.metadata = {{"preprocessing", "other"}}}, INCEPTION_UNSUPPORTED, "'other'"},
        {{.metadata = {{"labels", "a\nb\nc\nd"}}}, INCEPTION_DATA, "4 class names for 5"},
        {{.metadata = {{"labels", "a\nb\nc\nd\ne\nf"}}}, INCEPTION_DATA, "more class names than its 5"},
        {{.metadata = {{"wnids", ""}}}, INCEPTION_DATA, "1 WordNet ids for 5"},
        {{.metadata = {{"temperature", "1,5"}}}, INCEPTION_DATA, "a temperature of '1,5'"},
        {{.metadata = {{"temperature", "1e-50"}}}, INCEPTION_DATA, "a temperature of"},
        {{.more = gamma}, INCEPTION_MISMATCH, gamma},
        {{.spoil = weights, .value = NAN}, INCEPTION_DATA, "1 values are not finite: InceptionV2/Conv2d_2b_1x1/weights"},
        {{.spoil = weights, .value = -INFINITY}, INCEPTION_DATA, "not finite"},
        {{.spoil = variance, .value = -1e-6f}, INCEPTION_DATA, "a negative variance: InceptionV2/Conv2d_2b_1x1"},
        {{.spoil = variance, .value = 0}, INCEPTION_OK, ""}, /* epsilon is added */
        {{.metadata = {{"labels", "a\nb\nc\nd\n"}}}, INCEPTION_OK, ""}, /* the fifth has no name */
    };
    inc_shape shape = inc_shape_default(inception_network_find("v2"));
    shape.depth_multiplier = 0.25, shape.classes = 5;
    inception_model_options options;
    inception_model_options_default(&options);
    for (size_t i = 0; i < INC_COUNT(rows); i++) {
        inc_model model;
        inception_error error = {0};
        const char *path = write_file("hostile", shape, rows[i].c);
        inception_status status = inc_model_open(&model, path, &options, false, &error);
        if (status != rows[i].status || !strstr(error.message, rows[i].mention))
            fail_msg("row %zu: status %d: %s", i, status, error.message);
        if (status) assert_non_null(strstr(error.message, path));
        inc_model_close(&model);
    }
}

/* A program that writes numbers with a comma reads and writes the same files as all others. */
static void locales(void **state)
{
    (void)state;
    char command[200], text[32];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>/dev/null", folder);
    if (system(command) != 0) skip();
    setenv("LOCPATH", folder, 1);
    assert_non_null(setlocale(LC_NUMERIC, "de_DE.UTF-8"));
    snprintf(text, sizeof text, "%g", 0.25);
    assert_string_equal(text, "0,25");
    inc_print_number(text, sizeof text, 0.25);
    assert_string_equal(text, "0.25");
    assert_true(inc_parse_number("0.25") == 0.25);
    setlocale(LC_NUMERIC, "C");
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals),      cmocka_unit_test(listings), cmocka_unit_test(endpoint_shapes),
        cmocka_unit_test(recognition), cmocka_unit_test(work),     cmocka_unit_test(measured),
        cmocka_unit_test(labels),      cmocka_unit_test(hostile_files), cmocka_unit_test(locales),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
