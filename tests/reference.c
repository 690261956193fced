#include "reference.h"

#include <math.h>

typedef struct map {
    const double *data;
    int64_t h, w, c;
} map;

static double at(map m, int64_t y, int64_t x, int64_t c)
{
    return m.data[(y * m.w + x) * m.c + c];
}

static bool inside(map m, int64_t y, int64_t x)
{
    return y >= 0 && y < m.h && x >= 0 && x < m.w;
}

/* out[y][x][o] = bias[o] + sum over window, i of in[y*s+ky-top][x*s+kx-left][i] * weights[ky][kx][i][o]; depthwise:
 * o = i * multiplier + m, and only channel i of the input. */
static void conv(const inc_node *n, map in, const double *weights, const double *bias, bool depthwise, double *out,
                 const int64_t *dims)
{
    const inc_window *w = &n->window;
    for (int64_t y = 0; y < dims[1]; y++)
        for (int64_t x = 0; x < dims[2]; x++)
            for (int64_t o = 0; o < dims[3]; o++) {
                double sum = bias ? bias[o] : 0;
                int64_t first = depthwise ? o / (dims[3] / in.c) : 0, last = depthwise ? first : in.c - 1;
                for (int64_t ky = 0; ky < w->kernel_h; ky++)
                    for (int64_t kx = 0; kx < w->kernel_w; kx++) {
                        int64_t iy = y * w->stride + ky - w->top, ix = x * w->stride + kx - w->left;
                        if (!inside(in, iy, ix)) continue;
                        for (int64_t i = first; i <= last; i++) {
                            int64_t tap = ky * w->kernel_w + kx;
                            sum += at(in, iy, ix, i)
                                 * weights[depthwise ? tap * dims[3] + o : (tap * in.c + i) * dims[3] + o];
                        }
                    }
                out[(y * dims[2] + x) * dims[3] + o] = sum;
            }
}

/* Maximum or mean over the part of the window that is inside the image. */
static void pool(const inc_node *n, map in, double *out, const int64_t *dims)
{
    const inc_window *w = &n->window;
    for (int64_t y = 0; y < dims[1]; y++)
        for (int64_t x = 0; x < dims[2]; x++)
            for (int64_t c = 0; c < dims[3]; c++) {
                double sum = 0, count = 0, largest = -INFINITY;
                for (int64_t ky = 0; ky < w->kernel_h; ky++)
                    for (int64_t kx = 0; kx < w->kernel_w; kx++) {
                        int64_t iy = y * w->stride + ky - w->top, ix = x * w->stride + kx - w->left;
                        if (!inside(in, iy, ix)) continue;
                        sum += at(in, iy, ix, c);
                        count++;
                        largest = fmax(largest, at(in, iy, ix, c));
                    }
                out[(y * dims[2] + x) * dims[3] + c] = n->op == INC_OP_MAX_POOL ? largest : sum / count;
            }
}

static void lrn(const inc_node *n, map in, double *out)
{
    for (int64_t p = 0; p < in.h * in.w; p++)
        for (int64_t c = 0; c < in.c; c++) {
            double squares = 0;
            for (int64_t d = c - n->lrn.size / 2; d <= c + n->lrn.size / 2; d++)
                if (d >= 0 && d < in.c) squares += in.data[p * in.c + d] * in.data[p * in.c + d];
            double base = n->lrn.k + n->lrn.alpha / n->lrn.size * squares;
            out[p * in.c + c] = in.data[p * in.c + c] / pow(base, n->lrn.beta);
        }
}

/* Of one channel of `count` elements, `step` apart: by its moving mean and variance, or by its own. */
static void norm(const inc_graph *g, const inc_node *n, double *const *values, int64_t c, bool own, const double *in,
                 int64_t count, double *out)
{
    int64_t step = g->values[n->output].dims[3];
    double mean = 0, variance = 0, gamma = n->norm.gamma == INC_NONE ? 1 : values[n->norm.gamma][c];
    for (int64_t i = 0; i < count; i++) mean += in[i * step + c] / (double)count;
    for (int64_t i = 0; i < count; i++) variance += pow(in[i * step + c] - mean, 2) / (double)count;
    if (!own) mean = values[n->norm.mean][c], variance = values[n->norm.variance][c];
    for (int64_t i = 0; i < count; i++)
        out[i * step + c] =
            (in[i * step + c] - mean) * gamma / sqrt(variance + n->norm.epsilon) + values[n->norm.beta][c];
}

/* One photo. */
static void concat(const inc_graph *g, const inc_node *n, double *const *values, int64_t photo, double *out,
                   const int64_t *dims)
{
    int64_t from = 0;
    for (uint32_t i = 0; i < n->input_count; i++) {
        int64_t c = g->values[n->inputs[i]].dims[3];
        const double *in = values[n->inputs[i]] + photo * dims[1] * dims[2] * c;
        for (int64_t p = 0; p < dims[1] * dims[2]; p++)
            for (int64_t k = 0; k < c; k++) out[p * dims[3] + from + k] = in[p * c + k];
        from += c;
    }
}

/* What treats each photo by itself. */
static void run_photo(const inc_graph *g, const inc_node *n, double *const *values, int64_t photo)
{
    const int64_t *dims = g->values[n->output].dims, *d = g->values[n->inputs[0]].dims;
    int64_t count = dims[1] * dims[2] * dims[3], in_count = d[1] * d[2] * d[3];
    map in = {values[n->inputs[0]] + photo * in_count, d[1], d[2], d[3]};
    double *out = values[n->output] + photo * count;
    const double *added = n->op == INC_OP_ADD ? values[n->inputs[1]] + photo * count : NULL;
    switch (n->op) {
    case INC_OP_CONV:
    case INC_OP_DEPTHWISE:
        conv(n, in, values[n->conv.weights], n->conv.bias == INC_NONE ? NULL : values[n->conv.bias],
             n->op == INC_OP_DEPTHWISE, out, dims);
        break;
    case INC_OP_MAX_POOL:
    case INC_OP_AVG_POOL: pool(n, in, out, dims); break;
    case INC_OP_LRN: lrn(n, in, out); break;
    case INC_OP_CONCAT: concat(g, n, values, photo, out, dims); break;
    case INC_OP_RELU: for (int64_t k = 0; k < count; k++) out[k] = fmax(in.data[k], 0); break;
    case INC_OP_DROPOUT: for (int64_t k = 0; k < count; k++) out[k] = in.data[k]; break;
    case INC_OP_ADD: for (int64_t k = 0; k < count; k++) out[k] = in.data[k] + (double)n->add.scale * added[k]; break;
    case INC_OP_NORM: break;
    case INC_OP_QUANTIZE: case INC_OP_DEQUANTIZE: break; /* not of floats alone */
    }
}

double **reference_values(inc_graph *g, int batch)
{
    double **values = inc_arena_alloc(&g->arena, g->value_count, sizeof *values, NULL);
    for (size_t v = 0; values && v < g->value_count; v++) {
        const inc_value *value = &g->values[v];
        uint64_t count = inc_value_count(value);
        values[v] = inc_arena_alloc(&g->arena, count * (value->variable ? 1 : (uint64_t)batch), sizeof **values, NULL);
        if (!values[v]) return NULL;
        for (uint64_t i = 0; value->variable && i < count; i++) values[v][i] = value->data[i];
    }
    return values;
}

void reference_run(const inc_graph *g, int batch, bool batch_statistics, double **values)
{
    for (size_t i = 0; i < g->node_count; i++) {
        const inc_node *n = &g->nodes[i];
        const int64_t *dims = g->values[n->output].dims;
        for (int64_t photo = 0; photo < batch; photo++) run_photo(g, n, values, photo);
        for (int64_t c = 0; n->op == INC_OP_NORM && c < dims[3]; c++)
            norm(g, n, values, c, batch_statistics, values[n->inputs[0]], batch * dims[1] * dims[2], values[n->output]);
    }
}
