/* Event files, which TensorBoard reads: what happens in a run, a record each. The only folder that knows this format;
 * nothing reads it. */
#ifndef INC_EVENTS_H
#define INC_EVENTS_H

#include "../graph/graph.h"

/* See the functions of these names in inception.h; all arguments set. */
inception_events *inc_events_open(const char *folder, inception_error *error);
void inc_events_close(inception_events *events);
inception_status inc_events_scalar(inception_events *events, const char *tag, int64_t step, double value,
                                   inception_error *error);
inception_status inc_events_histogram(inception_events *events, const char *tag, int64_t step, const float *values,
                                      size_t count, inception_error *error);

/* `png`: the bytes of an RGB picture of that size. */
inception_status inc_events_image(inception_events *events, const char *tag, int64_t step, int width, int height,
                                  const inc_buffer *png, inception_error *error);

/* The graph is as inc_build() made it; `scope` goes before the names of its nodes, as it does before those of its
 * variables. */
inception_status inc_events_graph(inception_events *events, const inc_graph *graph, const char *scope,
                                  inception_error *error);

#endif
