/* Networks that are cut behind a layer: the mean of its map goes into a classifier of its own. */
#include "../formula.h"

#include <stdio.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define CUT "Mixed_4b"
#define EARLIER "Mixed_3c"
/* Of Inception V2 a quarter as wide: 224, 96, 128 and 128 channels become 56, 24, 32 and 32. */
enum { SIDE = 14, CHANNELS = 144, CLASSES = 3, PIXELS = 224 * 224 * 3 };

/* ---- The graph ---- */

static bool behind_the_map(const char *name)
{
    static const char *const names[] = {"AvgPool_0a_7x7", "AvgPool_1a", "PreLogits", "global_pool", "PreLogitsFlatten",
                                        "pool5/7x7_s1", "pool5/drop_7x7_s1", "Logits"};
    for (size_t i = 0; i < INC_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* How many nodes make the value. */
static size_t nodes_of(const inc_graph *whole, uint32_t id)
{
    inc_graph graph;
    assert_int_equal(inc_graph_copy(whole, &graph, NULL), INCEPTION_OK);
    for (uint32_t v = 0; v < graph.value_count; v++) graph.values[v].kept = v == id;
    assert_int_equal(inc_graph_drop_unused(&graph, NULL), INCEPTION_OK);
    size_t count = graph.node_count;
    inc_graph_free(&graph);
    return count;
}

static void check_cut(const inc_graph *whole, uint32_t id, inc_shape shape)
{
    inc_graph graph = {0};
    const inc_value *layer = &whole->values[id];
    shape.final_layer = layer->name;
    inception_status status = inc_build(&shape, &graph, NULL);
    if (behind_the_map(layer->name)) {
        assert_int_equal(status, INCEPTION_NOT_FOUND);
    } else {
        assert_int_equal(status, INCEPTION_OK);
        assert_int_equal(graph.node_count, nodes_of(whole, id) + 3); /* pool, dropout, classifier */
        const inc_node *last = &graph.nodes[graph.node_count - 1], *was = &whole->nodes[whole->node_count - 1];
        const inc_value *weights = &graph.values[last->conv.weights];
        assert_string_equal(weights->name, whole->values[was->conv.weights].name);
        assert_int_equal(weights->dims[weights->rank - 2], layer->dims[3]);
        assert_int_equal(weights->dims[weights->rank - 1], shape.classes);
        const inc_value *features = &graph.values[inc_graph_find(&graph, shape.network->features)];
        assert_true(features->endpoint && features->dims[1] == 1 && features->dims[2] == 1);
        assert_int_equal(features->dims[3], layer->dims[3]);
        assert_int_equal(inc_value_count(&graph.values[inc_graph_find(&graph, "Logits")]), shape.classes);
    }
    inc_graph_free(&graph);
}

static void every_layer(void **state)
{
    (void)state;
    size_t count;
    const inception_network *networks = inception_networks(&count);
    for (size_t i = 0; i < count; i++) {
        inc_graph whole = {0};
        inc_shape shape = inc_shape_default(&networks[i]);
        size_t cuts = 0;
        assert_int_equal(inc_build(&shape, &whole, NULL), INCEPTION_OK);
        for (uint32_t v = 0; v < whole.value_count; v++)
            if (whole.values[v].endpoint) check_cut(&whole, v, shape), cuts++;
        assert_true(cuts > 15);
        inc_graph_free(&whole);
    }
    inc_graph graph = {0}; /* an input that the rest of the network could not read */
    inc_shape small = inc_shape_default(inception_network_find("v3"));
    small.input.width = small.input.height = 20;
    assert_int_equal(inc_build(&small, &graph, NULL), INCEPTION_INVALID);
    inc_graph_free(&graph);
    small.final_layer = "Conv2d_2b_3x3";
    assert_int_equal(inc_build(&small, &graph, NULL), INCEPTION_OK);
    inc_graph_free(&graph);
}

/* ---- Files ---- */

static char folder[] = "/tmp/inception-cut-XXXXXX";
static char whole_file[64], trunk_file[64], taught[64];
static float input[PIXELS];
static const char *const labels[CLASSES] = {"rose", "tulip", "oak"};

static char *path_of(char path[64], const char *name)
{
    snprintf(path, 64, "%s/%s.safetensors", folder, name);
    return path;
}

/* The network filled by the formula, with or without a classifier. */
static void write_file(const char *path, const char *final_layer, const char *stated, bool classifier)
{
    inc_graph graph = {0};
    inc_shape shape = inc_shape_default(inception_network_find("v2"));
    shape.depth_multiplier = 0.25, shape.classes = CLASSES + 1, shape.final_layer = final_layer;
    assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
    assert_true(formula_bind(&graph));
    size_t count, kept = 0;
    inception_tensor *tensors = formula_tensors(&graph, &count);
    for (size_t i = 0; i < count; i++)
        if (classifier || !strstr(tensors[i].name, "/Logits/")) tensors[kept++] = tensors[i];
    const inc_metadata text = {"final_layer", stated};
    assert_int_equal(inc_safetensors_write(path, tensors, kept, &text, stated != NULL, NULL), INCEPTION_OK);
    free(tensors);
    inc_graph_free(&graph);
}

static inception_model_options options_of(const char *layer, const char *final_layer, bool only)
{
    inception_model_options options;
    inception_model_options_default(&options);
    options.layer = layer, options.final_layer = final_layer, options.layer_only = only;
    return options;
}

/* What the layer holds for the input, and, where they are wanted, the logits. */
static void ask(const char *path, const inception_model_options *options, float *layer, float *logits)
{
    inception_error error = {0};
    inception_model *model = inception_model_open(path, options, &error);
    inception_session *session = inception_session_open(model, 1, &error);
    inception_session_run(session, input, 1, logits, NULL, &error);
    if (layer) inception_session_layer(session, 0, layer, &error);
    if (error.status) fail_msg("%s", error.message);
    inception_session_close(&session);
    inception_model_close(&model);
}

static void refused(const char *path, const inception_model_options *options, inception_status status, const char *mention)
{
    inception_error error = {0};
    assert_null(inception_model_open(path, options, &error));
    if (error.status != status || !strstr(error.message, mention)) fail_msg("%d: %s", error.status, error.message);
}

static inception_head *make_head(size_t values)
{
    enum { PHOTOS = 60 };
    float *x = calloc(PHOTOS * values, sizeof *x);
    int classes[PHOTOS];
    inception_part parts[PHOTOS];
    for (size_t i = 0; i < PHOTOS; i++) {
        classes[i] = (int)i % CLASSES, parts[i] = (inception_part)(i / CLASSES % INCEPTION_PARTS);
        for (size_t v = 0; v < values; v++) x[i * values + v] = (float)((i + 1) * (v + 3) % 17) / 17;
        x[i * values + (size_t)classes[i]] += 0.5f;
    }
    const inception_examples e = {.count = PHOTOS, .values = values, .class_count = CLASSES, .features = x,
                                  .classes = classes, .parts = parts};
    inception_head *head = inception_head_train(&e, NULL);
    assert_non_null(head);
    free(x);
    return head;
}

static void near_to(const float *got, const float *wanted, size_t count, float tolerance)
{
    float largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmaxf(largest, fabsf(wanted[i]));
        worst = fmaxf(worst, fabsf(got[i] - wanted[i]));
    }
    if (!(largest > 0 && worst <= tolerance * largest)) fail_msg("%g of %g", (double)worst, (double)largest);
}

static void teach(const char *path, const char *final_layer, size_t values, const char *out)
{
    inception_head *head = make_head(values);
    inception_error error = {0};
    inception_model_options options = options_of(NULL, final_layer, false);
    inception_head_write(head, path, &options, out, labels, NULL, 0, &error);
    if (error.status) fail_msg("%s", error.message);
    inception_head_close(&head);
}

/* Features are the mean, computed here, of the map; logits are those of the head for them. */
static void taught_on_the_mean(void **state)
{
    (void)state;
    float *map = calloc(SIDE * SIDE * CHANNELS, sizeof *map), mean[CHANNELS], features[CHANNELS];
    inception_model_options on_map = options_of(CUT, NULL, true), on_mean = options_of(INCEPTION_FEATURES, CUT, true);
    ask(whole_file, &on_map, map, NULL);
    for (size_t c = 0; c < CHANNELS; c++) {
        double sum = 0;
        for (size_t p = 0; p < SIDE * SIDE; p++) sum += (double)map[p * CHANNELS + c];
        mean[c] = (float)(sum / (SIDE * SIDE));
    }
    ask(whole_file, &on_mean, features, NULL);
    near_to(features, mean, CHANNELS, 1e-5f); /* 196 terms in another order */
    free(map);

    teach(whole_file, CUT, CHANNELS, taught);
    inception_head *head = make_head(CHANNELS);
    float wanted[CLASSES], logits[CLASSES], again[CLASSES];
    assert_int_equal(inception_head_logits(head, mean, 1, wanted, NULL), INCEPTION_OK);
    inception_model_options options = options_of(INCEPTION_FEATURES, NULL, false);
    ask(taught, &options, features, logits);
    near_to(features, mean, CHANNELS, 1e-5f);
    near_to(logits, wanted, CLASSES, 1e-4f);
    options.cache = folder;
    for (int i = 0; i < 3; i++) { /* the last times from a pack */
        ask(taught, &options, NULL, again);
        assert_memory_equal(again, logits, sizeof logits);
    }
    inception_model *model = inception_model_open(taught, &options, NULL);
    assert_string_equal(inception_model_get_info(model)->final_layer, CUT);
    assert_string_equal(inception_model_label(model, 2), "oak");
    inception_model_close(&model);
    model = inception_model_open(whole_file, NULL, NULL);
    assert_null(inception_model_get_info(model)->final_layer);
    inception_model_close(&model);
    inception_head_close(&head);
}

static void trunk_is_enough(void **state)
{
    (void)state;
    inception_model_options options = options_of(INCEPTION_FEATURES, CUT, true);
    float whole[CHANNELS], trunk[CHANNELS];
    ask(whole_file, &options, whole, NULL);
    ask(trunk_file, &options, trunk, NULL);
    assert_memory_equal(whole, trunk, sizeof whole);
    float *map = calloc(SIDE * SIDE * CHANNELS, sizeof *map);
    options = options_of(CUT, NULL, true);
    ask(trunk_file, &options, map, NULL);
    free(map);

    char a[64], b[64];
    teach(whole_file, CUT, CHANNELS, path_of(a, "a"));
    teach(trunk_file, CUT, CHANNELS, path_of(b, "b"));
    uint8_t *one, *other;
    size_t size, other_size;
    assert_int_equal(inc_file_read(a, 1 << 30, &one, &size, NULL), INCEPTION_OK);
    assert_int_equal(inc_file_read(b, 1 << 30, &other, &other_size, NULL), INCEPTION_OK);
    assert_int_equal(size, other_size);
    assert_memory_equal(one, other, size);
    free(one);
    free(other);

    refused(trunk_file, NULL, INCEPTION_MISMATCH, "complete up to layer " CUT ", but");
    options = options_of(INCEPTION_FEATURES, NULL, true);
    refused(trunk_file, &options, INCEPTION_MISMATCH, "complete up to layer " CUT ", but");
    options = options_of(INCEPTION_FEATURES, "Mixed_4c", true);
    refused(trunk_file, &options, INCEPTION_MISMATCH, "InceptionV2/Mixed_4c/");
    char path[64];
    write_file(path_of(path, "headless"), NULL, NULL, false); /* all but the classifier */
    teach(path, NULL, 256, a);
    ask(a, NULL, NULL, trunk);
    refused(path, NULL, INCEPTION_MISMATCH, "Logits/Conv2d_1c_1x1/weights is missing");
}

static void not_to_be_cut(void **state)
{
    (void)state;
    char path[64];
    write_file(path_of(path, "unknown"), NULL, "Mixed_9z", true);
    refused(path, NULL, INCEPTION_DATA, "safetensors: inception_v2 has no layer 'Mixed_9z' in front of its last pool");
    write_file(path, NULL, "features", true);
    refused(path, NULL, INCEPTION_DATA, "no layer 'features'");
    write_file(path, NULL, "", true);
    refused(path, NULL, INCEPTION_DATA, "no layer ''");
    write_file(path, NULL, CUT, true);
    refused(path, NULL, INCEPTION_MISMATCH, "Conv2d_1c_1x1/weights is 1x1x256x4 and not 1x1x144x4");
    write_file(path, CUT, CUT, false);
    refused(path, NULL, INCEPTION_MISMATCH, "2 of ");
    write_file(path, EARLIER, CUT, true);
    refused(path, NULL, INCEPTION_MISMATCH, "complete up to layer " EARLIER);
    inception_model_options options = options_of(INCEPTION_FEATURES, CUT, false);
    refused(whole_file, &options, INCEPTION_INVALID, "final_layer");
    options = options_of(INCEPTION_FEATURES, "Logits", true);
    refused(whole_file, &options, INCEPTION_NOT_FOUND, "no layer 'Logits'");
    float plain[256], named[256]; /* other names for where it ends anyway */
    options = options_of(INCEPTION_FEATURES, NULL, true);
    ask(whole_file, &options, plain, NULL);
    options.final_layer = "AvgPool_1a";
    ask(whole_file, &options, named, NULL);
    assert_memory_equal(plain, named, sizeof plain);
    inception_head *head = make_head(CHANNELS);
    options = options_of(NULL, EARLIER, false);
    assert_int_equal(inception_head_write(head, whole_file, &options, path, labels, NULL, 0, NULL), INCEPTION_MISMATCH);
    inception_head_close(&head);
}

static const char *text_of(inception_weights *weights, const char *key)
{
    assert_non_null(weights);
    return inc_weights_metadata(weights, key);
}

static void converted(void **state)
{
    (void)state;
    char out[64], model[64], bundle[64];
    float logits[CLASSES], again[CLASSES];
    teach(whole_file, CUT, CHANNELS, taught);
    ask(taught, NULL, NULL, logits);
    snprintf(bundle, sizeof bundle, "%s/bundle", folder);
    snprintf(out, sizeof out, "%s/model.onnx", folder);
    path_of(model, "again");
    assert_int_equal(inception_convert(taught, model, INCEPTION_FORMAT_MODEL_FILE, NULL, NULL), INCEPTION_OK);
    ask(model, NULL, NULL, again);
    assert_memory_equal(again, logits, sizeof logits);
    assert_int_equal(inception_convert(taught, out, INCEPTION_FORMAT_ONNX, NULL, NULL), INCEPTION_OK);
    assert_int_equal(inception_convert(taught, bundle, INCEPTION_FORMAT_TF_V2, NULL, NULL), INCEPTION_OK);
    refused(bundle, NULL, INCEPTION_MISMATCH, "complete up to layer " CUT); /* it cannot say so itself */
    inception_weights *weights = inception_weights_open(taught, NULL);
    assert_string_equal(text_of(weights, "final_layer"), CUT);
    assert_string_equal(inception_weights_network(weights, NULL)->name, "inception_v2");
    inception_weights_close(&weights);
}

/* Ranges go on with a network that is taught where it ends, and are dropped where it is cut once more. */
static void bytes(void **state)
{
    (void)state;
    char quick[64], again[64];
    inception_error error = {0};
    teach(whole_file, CUT, CHANNELS, taught);
    inception_calibrator *calibrator = inception_calibrator_open(taught, NULL, &error);
    assert_int_equal(inception_calibrator_add(calibrator, input, &error), INCEPTION_OK);
    assert_int_equal(inception_calibrator_write(calibrator, path_of(quick, "quick"), &error), INCEPTION_OK);
    inception_calibrator_close(&calibrator);
    teach(quick, NULL, CHANNELS, path_of(again, "twice"));
    inception_weights *weights = inception_weights_open(again, NULL);
    assert_non_null(text_of(weights, "int8_ranges"));
    assert_string_equal(text_of(weights, "final_layer"), CUT);
    inception_weights_close(&weights);
    teach(quick, EARLIER, 80, again); /* 64, 96, 96 and 64 channels */
    weights = inception_weights_open(again, NULL);
    assert_null(text_of(weights, "int8_ranges"));
    assert_string_equal(text_of(weights, "final_layer"), EARLIER);
    inception_weights_close(&weights);
    if (!inception_precision_supported(INCEPTION_PRECISION_INT8)) skip();
    float exact[CLASSES], got[CLASSES];
    inception_model_options options = options_of(NULL, NULL, false);
    ask(quick, &options, NULL, exact);
    options.precision = INCEPTION_PRECISION_INT8;
    ask(quick, &options, NULL, got);
    near_to(got, exact, CLASSES, 0.05f); /* some layers, each exact to a part of 255 */
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return 1;
    uint32_t noise = 1;
    for (size_t i = 0; i < PIXELS; i++) noise = noise * 1664525 + 1013904223, input[i] = (float)(noise >> 8) / 8388608 - 1;
    write_file(path_of(whole_file, "whole"), NULL, NULL, true);
    write_file(path_of(trunk_file, "trunk"), CUT, NULL, false);
    path_of(taught, "taught");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer),   cmocka_unit_test(taught_on_the_mean), cmocka_unit_test(trunk_is_enough),
        cmocka_unit_test(not_to_be_cut), cmocka_unit_test(converted),          cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
