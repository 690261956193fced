/* What the files of this folder share. */
#ifndef INC_EVENTS_PRIVATE_H
#define INC_EVENTS_PRIVATE_H

#include "events.h"

/* Puts the fields of a HistogramProto. */
void inc_put_histogram(inc_message *message, const float *values, size_t count);

/* Puts the fields of a GraphDef. */
void inc_put_graph(inc_message *message, const inc_graph *graph, const char *scope);

#endif
