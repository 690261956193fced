/* conv -> batch norm becomes a convolution with scaled weights and a bias:
 *   gamma * (W x - mean) / sqrt(variance + epsilon) + beta  =  (g W) x + (beta - mean * g),
 *   g = gamma / sqrt(variance + epsilon).
 * The weights stay where they are; the scale is applied when the engine packs them. */
#include "graph.h"

#include <math.h>

static bool foldable(const inc_graph *graph, const inc_node *norm, uint32_t *conv)
{
    if (norm->op != INC_OP_NORM) return false;
    *conv = inc_graph_producer(graph, norm->inputs[0]);
    if (*conv == INC_NONE || inc_graph_uses(graph, norm->inputs[0]) != 1) return false;
    const inc_node *node = &graph->nodes[*conv];
    return node->op == INC_OP_CONV && node->conv.bias == INC_NONE && node->conv.scale == INC_NONE && !node->relu;
}

static inception_status fold(inc_graph *graph, inc_node *conv, const inc_node *norm, inception_error *error)
{
    int64_t channels = graph->values[norm->output].dims[3];
    float *scale, *bias;
    uint32_t scale_id = inc_graph_floats(graph, channels, &scale, error);
    uint32_t bias_id = scale_id == INC_NONE ? INC_NONE : inc_graph_floats(graph, channels, &bias, error);
    if (bias_id == INC_NONE) return INCEPTION_MEMORY;
    const float *gamma = norm->norm.gamma == INC_NONE ? NULL : graph->values[norm->norm.gamma].data;
    const float *beta = graph->values[norm->norm.beta].data, *mean = graph->values[norm->norm.mean].data;
    const float *variance = graph->values[norm->norm.variance].data;
    for (int64_t c = 0; c < channels && variance; c++) {
        double g = (gamma ? gamma[c] : 1.0) / sqrt((double)variance[c] + norm->norm.epsilon);
        scale[c] = (float)g;
        bias[c] = (float)(beta[c] - mean[c] * g);
    }
    conv->conv.scale = scale_id;
    conv->conv.bias = bias_id;
    conv->output = norm->output;
    return INCEPTION_OK;
}

inception_status inc_fold_norms(inc_graph *graph, size_t n, int granularity, bool *dead, inception_error *error)
{
    uint32_t conv;
    (void)granularity;
    dead[n] = foldable(graph, &graph->nodes[n], &conv);
    return dead[n] ? fold(graph, &graph->nodes[conv], &graph->nodes[n], error) : INCEPTION_OK;
}
