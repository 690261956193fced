/* The ranges that bytes stand for, from photos, and what is lost by them.
 *
 * The network runs in float32 with every value kept, and of each value a histogram is made. A range is then the one with the
 * least expected squared error: what is inside is rounded, which costs scale^2 / 12 on average, what is outside is
 * clipped. */
#include "private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BINS 4096
#define MOST_DECIBELS 999
#define STEPS 100 /* ranges tried, shares of the whole */

typedef struct histogram {
    double limit; /* bins go from -limit to limit; a power of two */
    float low, high;
    uint64_t count[BINS];
    double signal, noise; /* sums of squares: of the value, of what int8 makes different */
} histogram;

struct inc_calibrator {
    inc_graph graph, bytes; /* in float32, and the same on bytes */
    inc_engine *engine, *byte_engine;
    inc_run *run, *byte_run;
    histogram **histograms; /* [value_count], NULL: nobody reads it */
    float *values, *byte_values; /* room for the largest */
};

/* ---- histograms ---- */

/* Twice the range: two bins become one. */
static void widen(histogram *h)
{
    uint64_t half[BINS / 2];
    for (int i = 0; i < BINS / 2; i++) half[i] = h->count[2 * i] + h->count[2 * i + 1];
    memset(h->count, 0, sizeof h->count);
    memcpy(h->count + BINS / 4, half, sizeof half);
    h->limit *= 2;
}

/* Of values that are finite. Zeros are left out: they are exact in any range. */
static void count_values(histogram *h, const float *values, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        float value = values[i];
        if (value < h->low) h->low = value;
        if (value > h->high) h->high = value;
    }
    double largest = fmax(h->high, -h->low);
    if (h->limit == 0 && largest > 0) h->limit = exp2(ceil(log2(largest)));
    while (h->limit < largest) widen(h);
    float scale = h->limit > 0 ? (float)(BINS / 2 / h->limit) : 0;
    for (uint64_t i = 0; i < count; i++) {
        if (values[i] == 0) continue;
        int bin = (int)(values[i] * scale + BINS / 2);
        h->count[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
    }
}

static double expected_error(const histogram *h, double low, double high)
{
    double scale = (high - low) / UINT8_MAX, sum = 0;
    for (int i = 0; i < BINS; i++) {
        double value = (i + 0.5 - BINS / 2) * (2 * h->limit / BINS);
        double outside = value > high ? value - high : value < low ? low - value : 0;
        sum += (double)h->count[i] * (scale * scale / 12 + outside * outside);
    }
    return sum;
}

static void best_range(const histogram *h, float *low, float *high)
{
    double best = INFINITY;
    for (int step = STEPS; step > 0; step--) {
        double share = (double)step / STEPS, error = expected_error(h, share * h->low, share * h->high);
        if (error >= best) continue;
        best = error;
        *low = (float)(share * h->low), *high = (float)(share * h->high);
    }
}

/* ---- the life of a calibrator ---- */

static inception_status make_engine(const inc_graph *graph, inception_precision precision, int threads, inc_engine **engine,
                                    inc_run **run, inception_error *error)
{
    *engine = inc_engine_compile(graph, precision, threads, error);
    *run = *engine ? inc_run_new(*engine, 1, error) : NULL;
    return *run ? INCEPTION_OK : INCEPTION_MEMORY;
}

/* Every value that somebody reads is kept; the photo itself is at hand. */
static inception_status keep_values(inc_calibrator *c, inception_error *error)
{
    inc_graph *graph = &c->graph;
    uint64_t most = 0;
    c->histograms = inc_calloc(graph->value_count, sizeof *c->histograms, error);
    if (!c->histograms) return INCEPTION_MEMORY;
    for (uint32_t v = 0; v < graph->value_count; v++) {
        inc_value *value = &graph->values[v];
        bool made = v == graph->input || inc_graph_producer(graph, v) != INC_NONE;
        if (value->variable || !made) continue;
        c->histograms[v] = inc_calloc(1, sizeof **c->histograms, error);
        if (!c->histograms[v]) return INCEPTION_MEMORY;
        value->kept = v != graph->input;
        if (inc_value_count(value) > most) most = inc_value_count(value);
    }
    c->values = inc_calloc(most, sizeof *c->values, error);
    c->byte_values = inc_calloc(most, sizeof *c->byte_values, error);
    return c->values && c->byte_values ? INCEPTION_OK : INCEPTION_MEMORY;
}

inc_calibrator *inc_calibrator_new(const inc_graph *graph, int threads, inception_error *error)
{
    inc_calibrator *c = inc_calloc(1, sizeof *c, error);
    if (!c) return NULL;
    inception_status status = inc_graph_copy(graph, &c->graph, error);
    if (!status) status = inc_graph_rewrite(&c->graph, INC_CALIBRATED_REWRITES, inc_engine_granularity(), error);
    if (!status) status = keep_values(c, error);
    if (!status) status = make_engine(&c->graph, INCEPTION_PRECISION_F32, threads, &c->engine, &c->run, error);
    if (!status) return c;
    inc_calibrator_free(c);
    return NULL;
}

void inc_calibrator_free(inc_calibrator *c)
{
    if (!c) return;
    inc_run_free(c->run);
    inc_run_free(c->byte_run);
    inc_engine_free(c->engine);
    inc_engine_free(c->byte_engine);
    for (size_t v = 0; c->histograms && v < c->graph.value_count; v++) free(c->histograms[v]);
    free(c->histograms);
    free(c->values);
    free(c->byte_values);
    inc_graph_free(&c->bytes);
    inc_graph_free(&c->graph);
    free(c);
}

static inception_status check_values(const inc_calibrator *c, uint32_t v, const float *values, inception_error *error)
{
    const inc_value *value = &c->graph.values[v];
    if (!inc_count_not_finite(values, inc_value_count(value))) return INCEPTION_OK;
    return inc_fail(error, INCEPTION_DATA, "calibration: a value of '%s' is not finite", value->name);
}

inception_status inc_calibrator_add(inc_calibrator *c, const float *input, inception_error *error)
{
    inception_status status = inc_run_execute(c->run, input, 1, error);
    for (int counting = 0; counting < 2; counting++) /* a photo counts as a whole or not at all */
        for (uint32_t v = 0; v < c->graph.value_count && !status; v++) {
            if (!c->histograms[v]) continue;
            if (v != c->graph.input) inc_run_read(c->run, 0, v, c->values);
            const float *values = v == c->graph.input ? input : c->values;
            if (counting) count_values(c->histograms[v], values, inc_value_count(&c->graph.values[v]));
            else status = check_values(c, v, values, error);
        }
    return status;
}

/* A photo's range is known beforehand; where it is not, that of its pixels. */
void inc_calibrator_ranges(const inc_calibrator *c, inc_graph *graph)
{
    for (uint32_t v = 0; v < c->graph.value_count; v++) {
        const histogram *h = c->histograms[v];
        inc_value *value = &graph->values[v];
        if (!h) continue;
        if (v != graph->input) best_range(h, &value->low, &value->high);
        else if (value->low == 0 && value->high == 0) value->low = h->low, value->high = h->high;
    }
}

/* ---- what is lost ---- */

static inception_status make_bytes(inc_calibrator *c, inception_error *error)
{
    inception_status status = inc_graph_copy(&c->graph, &c->bytes, error);
    if (status) return status;
    inc_calibrator_ranges(c, &c->bytes);
    status = inc_graph_quantize(&c->bytes, error);
    if (!status)
        status = make_engine(&c->bytes, INCEPTION_PRECISION_INT8, c->engine->threads, &c->byte_engine, &c->byte_run, error);
    if (status) { /* to be tried again */
        inc_engine_free(c->byte_engine);
        c->byte_engine = NULL;
        inc_graph_free(&c->bytes);
    }
    return status;
}

inception_status inc_calibrator_compare(inc_calibrator *c, const float *input, inception_error *error)
{
    inception_status status = c->byte_run ? INCEPTION_OK : make_bytes(c, error);
    if (!status) status = inc_run_execute(c->run, input, 1, error);
    if (!status) status = inc_run_execute(c->byte_run, input, 1, error);
    for (uint32_t v = 0; v < c->graph.value_count && !status; v++) {
        histogram *h = c->histograms[v];
        if (!h || v == c->graph.input) continue;
        inc_run_read(c->run, 0, v, c->values);
        inc_run_read(c->byte_run, 0, v, c->byte_values);
        if ((status = check_values(c, v, c->values, error))) break;
        for (uint64_t i = 0; i < inc_value_count(&c->graph.values[v]); i++) {
            double difference = (double)c->values[i] - (double)c->byte_values[i];
            h->signal += (double)c->values[i] * (double)c->values[i];
            h->noise += difference * difference;
        }
    }
    return status;
}

size_t inc_calibrator_losses(const inc_calibrator *c, inception_layer_loss *losses)
{
    size_t count = 0;
    for (size_t n = 0; n < c->graph.node_count; n++) {
        const inc_node *node = &c->graph.nodes[n];
        const histogram *h = c->histograms[node->output];
        if (node->op != INC_OP_CONV) continue;
        double decibels = h->noise > 0 ? 10 * log10(h->signal / h->noise) : MOST_DECIBELS;
        decibels = fmax(-MOST_DECIBELS, fmin(decibels, MOST_DECIBELS));
        losses[count++] = (inception_layer_loss){node->name, decibels, inc_graph_multiply_adds(&c->graph, node)};
    }
    return count;
}
