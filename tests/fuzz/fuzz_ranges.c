/* The text "int8_ranges" of a model file, for a graph of two values. */
#include "weights.h"

#include "../../src/model/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(size + 1, 1);
    require(text);
    memcpy(text, data, size);
    inc_graph graph = {0};
    inception_error error = {0};
    graph.input = inc_graph_activation(&graph, "input", 1, 1, 1, NULL);
    uint32_t middle = inc_graph_activation(&graph, "Conv2d_1a_3x3", 1, 1, 1, NULL);
    uint32_t out = inc_graph_activation(&graph, "out", 1, 1, 1, NULL);
    inc_graph_add(&graph, &(inc_node){.op = INC_OP_RELU, .inputs = {graph.input}, .input_count = 1, .output = middle}, NULL);
    inc_graph_add(&graph, &(inc_node){.op = INC_OP_RELU, .inputs = {middle}, .input_count = 1, .output = out}, NULL);
    inception_status status = inc_ranges_apply(text, &graph, "x", &error);
    require(status == error.status && (!status || error.message[0]));
    for (uint32_t v = 0; !status && v < 2; v++) require(graph.values[v].low <= graph.values[v].high);
    inc_graph_free(&graph);
    free(text);
    return 0;
}
