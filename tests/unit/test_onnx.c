/* The writer of ONNX models: what can be told without another implementation. Whether others read the file, and compute
 * the same from it, is golden/check_onnx.py's. */
#include "../formula.h"
#include "../../src/onnx/onnx.h"

#include <stdio.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char path[] = "/tmp/inception-onnx-XXXXXX";
static const inc_onnx_about nothing = {.network = "network", .input = "photos", .temperature = 1, .features = INC_NONE,
                                       .means = INC_NONE};

/* The first field `number` of a message; false: it has none. Fails on bytes that are no message. */
static bool find(inc_reader message, uint32_t number, inc_field *field)
{
    int got;
    while ((got = inc_read_field(&message, field)) == 1)
        if (field->number == number) return true;
    assert_int_equal(got, 0);
    return false;
}

/* A convolution of 3 x 3 over a photo of 8 x 8 and the mean of all, `in` -> `out` channels. */
static void small_graph(inc_graph *graph, int64_t in, int64_t out, const float *weights)
{
    inc_node conv = {.op = INC_OP_CONV, .input_count = 1, .window = {3, 3, 1, 1, 1, 1, 1}};
    inc_node pool = {.op = INC_OP_AVG_POOL, .input_count = 1, .window = {8, 8, 1, 0, 0, 0, 0}};
    conv.inputs[0] = graph->input = inc_graph_activation(graph, "input", 8, 8, in, NULL);
    conv.conv.bias = conv.conv.scale = conv.conv.residual = INC_NONE;
    conv.conv.weights = inc_graph_variable(graph, "weights", 4, (int64_t[]){3, 3, in, out}, NULL);
    graph->values[conv.conv.weights].data = weights;
    pool.inputs[0] = conv.output = inc_graph_activation(graph, "conv", 8, 8, out, NULL);
    pool.output = inc_graph_activation(graph, "Logits", 1, 1, out, NULL);
    graph->values[pool.output].kept = true;
    assert_int_equal(inc_graph_add(graph, &conv, NULL), INCEPTION_OK);
    assert_int_equal(inc_graph_add(graph, &pool, NULL), INCEPTION_OK);
}

/* [h][w][in][out] comes out as [out][in][h][w], times the scale of its output. */
static void weights_are_turned(void **state)
{
    (void)state;
    enum { MODEL_GRAPH = 7, GRAPH_TENSOR = 5, TENSOR_BYTES = 9 };
    float weights[3][3][2][4], scale[4] = {1, 2, 4, 8};
    for (int i = 0; i < 72; i++) (&weights[0][0][0][0])[i] = (float)i;
    inc_graph graph = {0};
    inc_field field;
    inc_map map;
    small_graph(&graph, 2, 4, &weights[0][0][0][0]);
    graph.nodes[0].conv.scale = inc_graph_variable(&graph, "scale", 1, (int64_t[]){4}, NULL);
    graph.values[graph.nodes[0].conv.scale].data = scale;
    assert_int_equal(inc_onnx_write(path, &graph, &nothing, NULL), INCEPTION_OK);
    assert_int_equal(inc_map_open(path, &map, NULL), INCEPTION_OK);
    assert_true(find(inc_reader_of(path, map.data, map.size), MODEL_GRAPH, &field));
    assert_true(field.bytes.end == map.data + map.size); /* the lengths that were written beforehand are right */
    assert_true(find(field.bytes, GRAPH_TENSOR, &field));
    assert_true(find(field.bytes, TENSOR_BYTES, &field));
    assert_int_equal(inc_left(&field.bytes), sizeof weights);
    for (int o = 0; o < 4; o++)
        for (int i = 0; i < 2; i++)
            for (int t = 0; t < 9; t++) {
                float value;
                memcpy(&value, field.bytes.at + ((o * 2 + i) * 9 + t) * 4, sizeof value);
                assert_true(value == weights[t / 3][t % 3][i][o] * scale[o]);
            }
    inc_map_close(&map);
    inc_graph_free(&graph);
}

static void refuse(const inc_graph *graph, const char *file, inception_status status, const char *mention)
{
    inception_error error = {0};
    assert_int_equal(inc_onnx_write(file, graph, &nothing, &error), status);
    if (!strstr(error.message, mention)) fail_msg("'%s' does not say '%s'", error.message, mention);
    assert_int_not_equal(access(file, F_OK), 0);
}

/* Refused before a byte is written, so no weights need to be there. */
static void too_large(void **state)
{
    (void)state;
    inc_graph graph = {0};
    unlink(path);
    small_graph(&graph, 3, (int64_t)INT32_MAX / 27 / 4, NULL); /* a few bytes too many, those of the nodes */
    refuse(&graph, path, INCEPTION_LIMIT, "at most 2147483647");
    inc_graph_free(&graph);
}

static void without_counterpart(void **state)
{
    (void)state;
    inc_graph graph = {0};
    inc_shape shape = inc_shape_default(inception_network_find("v1"));
    assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
    refuse(&graph, path, INCEPTION_INTERNAL, "Conv2d_1a_7x7"); /* its batch norm was not folded */
    inc_graph_free(&graph);
}

static void no_folder(void **state)
{
    (void)state;
    float weights[3 * 3 * 3 * 2] = {0};
    inc_graph graph = {0};
    small_graph(&graph, 3, 2, weights);
    refuse(&graph, "/dev/null/x.onnx", INCEPTION_IO, "/dev/null/x.onnx: the folder");
    inc_graph_free(&graph);
}

static int take_name(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int leave(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_turned), cmocka_unit_test(too_large), cmocka_unit_test(without_counterpart),
        cmocka_unit_test(no_folder),
    };
    return cmocka_run_group_tests(tests, take_name, leave);
}
