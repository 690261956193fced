/* Every operator as plain loops, in double: the definition of right. */
#ifndef TEST_REFERENCE_H
#define TEST_REFERENCE_H

#include "../src/graph/graph.h"

/* One array a value of a graph that no rewrite has touched: variables with their data, activations [batch] NHWC, to be
 * computed. They live as long as the graph. NULL: out of memory. */
double **reference_values(inc_graph *graph, int batch);

/* Computes every node from the input and the variables. */
void reference_run(const inc_graph *graph, int batch, bool batch_statistics, double **values);

#endif
