/* Every operator as plain loops: the definition of right. */
#ifndef TEST_REFERENCE_H
#define TEST_REFERENCE_H

#include "../src/graph/graph.h"

/* Computes every node of a graph that no rewrite has touched. `values`: one array a value, NHWC; those of activations
 * are allocated here, with graph->arena. False: out of memory. */
bool reference_run(inc_graph *graph, const float *input, float **values);

#endif
