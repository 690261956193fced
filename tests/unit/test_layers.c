/* Layers: every endpoint of every network is what it is without rewrites, nothing is run behind it, and what the public
 * functions say of it. */
#include "../../src/engine/engine.h"
#include "../formula.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TOLERANCE 2e-5 /* of the largest value, as in test_engine.c */
#define CLASSES 7
#define PHOTOS 3

static const char *const networks[] = {"v1", "v2", "v3", "v4", "irv2", "googlenet"};

/* ---- the graph ---- */

/* Photos smaller than usual: 60 endpoints of Inception-ResNet-v2 are a minute's work at full size. GoogLeNet's last pool
 * wants its 7x7. */
static inc_shape small(const char *name)
{
    inc_shape shape = inc_shape_default(inception_network_find(name));
    if (strcmp(name, "googlenet") != 0) shape.input.width = shape.input.height = 75;
    return shape;
}

static inc_graph build(const char *name)
{
    inc_graph graph = {0};
    inc_shape shape = small(name);
    assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
    return graph;
}

static void keep_only(inc_graph *graph, uint32_t id)
{
    for (uint32_t v = 0; v < graph->value_count; v++) graph->values[v].kept = v == id;
    assert_int_equal(inc_graph_drop_unused(graph, NULL), INCEPTION_OK);
}

static void unused_nodes_go(void **state)
{
    (void)state;
    inc_graph graph = build("v1");
    size_t all = graph.node_count;
    assert_int_equal(inc_graph_drop_unused(&graph, NULL), INCEPTION_OK);
    assert_int_equal(graph.node_count, all);
    /* Three convolutions and six in the block, each with batch norm and ReLU; two pools and one; the concatenation. */
    keep_only(&graph, inc_graph_find(&graph, "Mixed_3b"));
    assert_int_equal(graph.node_count, 3 * (3 + 6) + 2 + 1 + 1);
    keep_only(&graph, INC_NONE);
    assert_int_equal(graph.node_count, 0);
    inc_graph_free(&graph);

    graph = build("irv2"); /* what a convolution adds to is needed as well */
    uint32_t id = inc_graph_find(&graph, "Repeat/block35_2");
    assert_true(formula_bind(&graph));
    assert_int_equal(inc_graph_rewrite(&graph, INC_ALL_REWRITES, 16, NULL), INCEPTION_OK);
    keep_only(&graph, id);
    size_t nodes = graph.node_count;
    keep_only(&graph, id);
    assert_int_equal(graph.node_count, nodes);
    assert_int_not_equal(inc_graph_producer(&graph, graph.nodes[nodes - 1].conv.residual), INC_NONE);
    inc_graph_free(&graph);
}

static size_t size_of(const inc_graph *graph, uint32_t v)
{
    const int64_t *d = graph->values[v].dims;
    return (size_t)(d[1] * d[2] * d[3]);
}

static inc_run *run_graph(inc_graph *graph, const float *input, inc_engine **engine)
{
    *engine = inc_engine_compile(graph, INCEPTION_PRECISION_F32, 1, NULL);
    inc_run *run = inc_run_new(*engine, 1, NULL);
    assert_non_null(run);
    assert_int_equal(inc_run_execute(run, input, 1, NULL), INCEPTION_OK);
    return run;
}

static void check_alone(const char *network, const inc_graph *whole, uint32_t id, const float *input, const float *wanted)
{
    inc_graph graph = build(network);
    size_t count = size_of(whole, id);
    float *got = malloc(count * sizeof *got), largest = 0, worst = 0;
    for (size_t v = 0; v < graph.value_count; v++) graph.values[v].data = whole->values[v].data;
    keep_only(&graph, id);
    assert_int_equal(inc_graph_rewrite(&graph, INC_ALL_REWRITES, inc_engine_granularity(), NULL), INCEPTION_OK);
    inc_engine *engine;
    inc_run *run = run_graph(&graph, input, &engine);
    inc_run_read(run, 0, id, got);
    for (size_t i = 0; i < count; i++) {
        assert_true(isfinite(got[i])); /* fmaxf passes over what is no number */
        largest = fmaxf(largest, fabsf(wanted[i]));
        worst = fmaxf(worst, fabsf(wanted[i] - got[i]));
    }
    if (!(largest > 0 && worst <= TOLERANCE * largest))
        fail_msg("%s of %s: %g of %g", whole->values[id].name, network, (double)worst, (double)largest);
    free(got);
    inc_run_free(run);
    inc_engine_free(engine);
    inc_graph_free(&graph);
}

static void each_endpoint_alone(void **state)
{
    (void)state;
    /* As in TF-Slim's tables, without heads and probabilities; Inception-ResNet-v2 with its blocks. Every third is looked
     * at here, and the last ones; all of them are compared with TensorFlow's by golden/check_networks.py. */
    static const size_t endpoints[] = {18, 17, 21, 25, 54, 21};
    for (size_t i = 0; i < INC_COUNT(networks); i++) {
        inc_graph whole = build(networks[i]);
        assert_true(formula_bind(&whole));
        for (size_t v = 0; v < whole.value_count; v++) whole.values[v].kept |= whole.values[v].endpoint;
        float *input = malloc(size_of(&whole, whole.input) * sizeof *input);
        for (size_t k = 0; k < size_of(&whole, whole.input); k++) input[k] = sinf((float)k * 0.011f);
        inc_engine *engine;
        inc_run *run = run_graph(&whole, input, &engine);
        size_t count = 0;
        for (uint32_t v = 0; v < whole.value_count; v++) {
            if (!whole.values[v].endpoint) continue;
            if (count++ % 3 != i % 3 && count + 3 < endpoints[i]) continue;
            float *wanted = malloc(size_of(&whole, v) * sizeof *wanted);
            inc_run_read(run, 0, v, wanted);
            check_alone(networks[i], &whole, v, input, wanted);
            free(wanted);
        }
        if (count != endpoints[i]) fail_msg("%s: %zu endpoints", networks[i], count);
        free(input);
        inc_run_free(run);
        inc_engine_free(engine);
        inc_graph_free(&whole);
    }
}

/* ---- the public functions ---- */

static char folder[] = "/tmp/inception-layers-XXXXXX", path[64], with_heads[64];
static inception_image *photos[PHOTOS];

static inception_model *open_layer(const char *file, const char *layer, bool only, int threads, inception_error *error)
{
    inception_model_options options;
    inception_model_options_default(&options);
    options.layer = layer, options.layer_only = only, options.threads = threads;
    return inception_model_open(file, &options, error);
}

/* The layer's values of all photos, run `batch` at a time; the caller frees them. */
static float *features(const char *layer, bool only, int threads, int batch, size_t *values)
{
    inception_model *model = open_layer(path, layer, only, threads, NULL);
    inception_session *session = inception_session_open(model, batch, NULL);
    assert_non_null(session);
    const inception_layer *shape = inception_model_get_info(model)->layer;
    assert_string_equal(shape->name, layer);
    *values = (size_t)shape->height * (size_t)shape->width * (size_t)shape->channels;
    float *out = calloc(PHOTOS * *values, sizeof *out);
    for (int at = 0; at < PHOTOS; at += batch) {
        int count = at + batch <= PHOTOS ? batch : PHOTOS - at;
        const inception_image *const *some = (const inception_image *const *)photos + at;
        assert_int_equal(inception_features(session, some, count, out + (size_t)at * *values, NULL), INCEPTION_OK);
    }
    inception_session_close(&session);
    inception_model_close(&model);
    return out;
}

/* Neither batch nor threads nor what else is computed changes them: threads to the rounding of sums. */
static void batches_threads(void **state)
{
    (void)state;
    static const char *const layers[] = {"AvgPool_1a", "Mixed_4c"};
    for (size_t l = 0; l < INC_COUNT(layers); l++) {
        size_t values;
        float *base = features(layers[l], true, 1, 1, &values);
        for (int threads = 1; threads <= 3; threads++)
            for (int batch = 1; batch <= PHOTOS; batch++) {
                float *other = features(layers[l], batch == 2, threads, batch, &values), largest = 0;
                for (size_t i = 0; i < PHOTOS * values; i++) largest = fmaxf(largest, fabsf(base[i]));
                for (size_t i = 0; i < PHOTOS * values; i++)
                    assert_true(fabsf(base[i] - other[i]) <= (threads == 1 ? 0 : 1e-5f * largest));
                free(other);
            }
        free(base);
    }
}

static void predictions(void **state)
{
    (void)state;
    size_t values;
    float *got = features("Predictions", false, 1, PHOTOS, &values);
    assert_int_equal(values, CLASSES);
    inception_prediction top[CLASSES];
    inception_model *model = open_layer(path, NULL, false, 1, NULL);
    inception_session *session = inception_session_open(model, 1, NULL);
    for (size_t p = 0; p < PHOTOS; p++) {
        const inception_image *one[] = {photos[p]};
        assert_int_equal(inception_classify(session, one, 1, CLASSES, top, NULL), INCEPTION_OK);
        for (int i = 0; i < CLASSES; i++)
            assert_true(top[i].probability == got[p * CLASSES + (size_t)top[i].index]);
    }
    assert_int_equal(inception_session_layer(session, 0, got, NULL), INCEPTION_INVALID); /* no layer was asked for */
    assert_null(inception_model_get_info(model)->layer);
    free(got);
    inception_session_close(&session);
    inception_model_close(&model);
}

static void lists(void **state)
{
    (void)state;
    size_t count;
    inception_model *model = open_layer(path, NULL, false, 1, NULL);
    const inception_layer *layers = inception_model_layers(model, &count);
    assert_int_equal(count, 18);
    assert_string_equal(layers[0].name, "Conv2d_1a_7x7");
    assert_int_equal(layers[0].height, 112);
    assert_int_equal(layers[0].channels, 16);
    assert_string_equal(layers[count - 1].name, "Predictions");
    assert_int_equal(layers[count - 1].channels, CLASSES);
    inception_model_close(&model);
    for (size_t i = 0; i < INC_COUNT(networks); i++) { /* the vector before the classifier is one of the layers */
        const inception_network *network = inception_network_find(networks[i]);
        inc_shape shape = inc_shape_default(network);
        inc_graph graph = {0};
        assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
        uint32_t id = inc_graph_find(&graph, network->features);
        assert_true(id != INC_NONE && graph.values[id].endpoint);
        assert_int_equal(graph.nodes[graph.node_count - 1].op, INC_OP_CONV);
        uint32_t before = graph.nodes[graph.node_count - 1].inputs[0];
        assert_int_equal(graph.values[id].dims[3], graph.values[before].dims[3]);
        inc_graph_free(&graph);
    }
}

static void heads(void **state)
{
    (void)state;
    inception_error error = {0};
    inception_model *model = open_layer(with_heads, "AuxLogits", true, 1, &error);
    if (!model) fail_msg("%s", error.message);
    assert_int_equal(inception_model_get_info(model)->layer->channels, CLASSES);
    inception_session *session = inception_session_open(model, 1, NULL);
    float out[CLASSES];
    assert_int_equal(inception_features(session, (const inception_image *const *)photos, 1, out, NULL), INCEPTION_OK);
    inception_session_close(&session);
    inception_model_close(&model);
    inc_model without; /* the same file, written without its head */
    inception_model_options options;
    inception_model_options_default(&options);
    char bare[96];
    snprintf(bare, sizeof bare, "%s/bare.safetensors", folder);
    assert_int_equal(inc_model_open(&without, with_heads, &options, false, NULL), INCEPTION_OK);
    assert_int_equal(inc_model_write(&without, bare, INCEPTION_FORMAT_MODEL_FILE, NULL), INCEPTION_OK);
    inc_model_close(&without);
    assert_null(open_layer(bare, "AuxLogits", true, 1, &error));
    assert_int_equal(error.status, INCEPTION_NOT_FOUND);
    assert_non_null(strstr(error.message, "InceptionV3/AuxLogits/"));
}

static void misuse(void **state)
{
    (void)state;
    inception_error error = {0};
    assert_null(open_layer(path, "Mixed_9z", false, 1, &error));
    assert_int_equal(error.status, INCEPTION_NOT_FOUND);
    assert_non_null(strstr(error.message, "inception_v2 has no layer 'Mixed_9z'"));
    assert_null(open_layer(path, "input", false, 1, NULL));
    assert_null(open_layer(path, "Mixed_3b/Branch_0/Conv2d_0a_1x1", false, 1, NULL)); /* no endpoint */
    assert_null(open_layer(path, NULL, true, 1, NULL));
    inception_model *model = open_layer(path, "Mixed_5c", true, 1, NULL);
    inception_session *session = inception_session_open(model, 2, NULL);
    float *out = calloc(7 * 7 * 1024, sizeof *out);
    inception_prediction top[1];
    const inception_image *const *some = (const inception_image *const *)photos;
    assert_int_equal(inception_session_layer(session, 0, out, NULL), INCEPTION_INVALID); /* nothing was run */
    assert_int_equal(inception_classify(session, some, 1, 1, top, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_features(session, some, 3, out, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_features(session, some, 1, out, NULL), INCEPTION_OK);
    assert_int_equal(inception_session_layer(session, 0, out, NULL), INCEPTION_OK);
    assert_int_equal(inception_session_layer(session, 1, out, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_session_layer(session, -1, out, NULL), INCEPTION_INVALID);
    free(out);
    inception_session_close(&session);
    inception_model_close(&model);
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    inc_shape v2 = inc_shape_default(inception_network_find("v2")), v3 = inc_shape_default(inception_network_find("v3"));
    v2.depth_multiplier = v3.depth_multiplier = 0.25, v2.classes = v3.classes = CLASSES, v3.heads = true;
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
    snprintf(with_heads, sizeof with_heads, "%s/h.safetensors", folder);
    if (!formula_write(v2, path, NULL) || !formula_write(v3, with_heads, NULL)) return -1;
    for (int p = 0; p < PHOTOS; p++) photos[p] = formula_photo(p);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    char command[96];
    for (int p = 0; p < PHOTOS; p++) inception_image_free(&photos[p]);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unused_nodes_go), cmocka_unit_test(each_endpoint_alone), cmocka_unit_test(batches_threads),
        cmocka_unit_test(predictions),     cmocka_unit_test(lists),               cmocka_unit_test(heads),
        cmocka_unit_test(misuse),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
