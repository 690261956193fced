#include "reference.h"

#include <math.h>

typedef struct map {
    const float *data;
    int64_t h, w, c;
} map;

static float at(map m, int64_t y, int64_t x, int64_t c)
{
    return m.data[(y * m.w + x) * m.c + c];
}

static bool inside(map m, int64_t y, int64_t x)
{
    return y >= 0 && y < m.h && x >= 0 && x < m.w;
}

/* out[y][x][o] = bias[o] + sum over window, i of in[y*s+ky-top][x*s+kx-left][i] * weights[ky][kx][i][o]; depthwise:
 * o = i * multiplier + m, and only channel i of the input. */
static void conv(const inc_node *n, map in, const float *weights, const float *bias, bool depthwise, float *out,
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
                            float weight = depthwise ? weights[tap * dims[3] + o]
                                                     : weights[(tap * in.c + i) * dims[3] + o];
                            sum += (double)at(in, iy, ix, i) * weight;
                        }
                    }
                out[(y * dims[2] + x) * dims[3] + o] = (float)sum;
            }
}

/* Maximum or mean over the part of the window that is inside the image. */
static void pool(const inc_node *n, map in, float *out, const int64_t *dims)
{
    const inc_window *w = &n->window;
    for (int64_t y = 0; y < dims[1]; y++)
        for (int64_t x = 0; x < dims[2]; x++)
            for (int64_t c = 0; c < dims[3]; c++) {
                double sum = 0, count = 0;
                float largest = -INFINITY;
                for (int64_t ky = 0; ky < w->kernel_h; ky++)
                    for (int64_t kx = 0; kx < w->kernel_w; kx++) {
                        int64_t iy = y * w->stride + ky - w->top, ix = x * w->stride + kx - w->left;
                        if (!inside(in, iy, ix)) continue;
                        sum += at(in, iy, ix, c);
                        count++;
                        largest = fmaxf(largest, at(in, iy, ix, c));
                    }
                out[(y * dims[2] + x) * dims[3] + c] = n->op == INC_OP_MAX_POOL ? largest : (float)(sum / count);
            }
}

static void lrn(const inc_node *n, map in, float *out)
{
    for (int64_t p = 0; p < in.h * in.w; p++)
        for (int64_t c = 0; c < in.c; c++) {
            double squares = 0;
            for (int64_t d = c - n->lrn.size / 2; d <= c + n->lrn.size / 2; d++)
                if (d >= 0 && d < in.c) squares += (double)in.data[p * in.c + d] * in.data[p * in.c + d];
            double base = n->lrn.k + n->lrn.alpha / n->lrn.size * squares;
            out[p * in.c + c] = (float)(in.data[p * in.c + c] / pow(base, n->lrn.beta));
        }
}

static void norm(const inc_graph *g, const inc_node *n, map in, float *out)
{
    const float *gamma = n->norm.gamma == INC_NONE ? NULL : g->values[n->norm.gamma].data;
    const float *beta = g->values[n->norm.beta].data, *mean = g->values[n->norm.mean].data;
    const float *variance = g->values[n->norm.variance].data;
    for (int64_t i = 0; i < in.h * in.w * in.c; i++) {
        int64_t c = i % in.c;
        double scale = (gamma ? gamma[c] : 1.0) / sqrt((double)variance[c] + n->norm.epsilon);
        out[i] = (float)((in.data[i] - (double)mean[c]) * scale + beta[c]);
    }
}

static void concat(const inc_graph *g, const inc_node *n, float *const *values, float *out, const int64_t *dims)
{
    int64_t from = 0;
    for (uint32_t i = 0; i < n->input_count; i++) {
        int64_t c = g->values[n->inputs[i]].dims[3];
        for (int64_t p = 0; p < dims[1] * dims[2]; p++)
            for (int64_t k = 0; k < c; k++) out[p * dims[3] + from + k] = values[n->inputs[i]][p * c + k];
        from += c;
    }
}

bool reference_run(inc_graph *g, const float *input, float **values)
{
    values[g->input] = (float *)input;
    for (size_t i = 0; i < g->node_count; i++) {
        const inc_node *n = &g->nodes[i];
        const int64_t *dims = g->values[n->output].dims, *d = g->values[n->inputs[0]].dims;
        int64_t count = dims[1] * dims[2] * dims[3];
        float *out = inc_arena_alloc(&g->arena, (size_t)count, sizeof *out, NULL);
        if (!out) return false;
        map in = {values[n->inputs[0]], d[1], d[2], d[3]};
        values[n->output] = out;
        switch (n->op) {
        case INC_OP_CONV:
        case INC_OP_DEPTHWISE:
            conv(n, in, g->values[n->conv.weights].data, n->conv.bias == INC_NONE ? NULL : g->values[n->conv.bias].data,
                 n->op == INC_OP_DEPTHWISE, out, dims);
            break;
        case INC_OP_NORM: norm(g, n, in, out); break;
        case INC_OP_MAX_POOL:
        case INC_OP_AVG_POOL: pool(n, in, out, dims); break;
        case INC_OP_LRN: lrn(n, in, out); break;
        case INC_OP_CONCAT: concat(g, n, values, out, dims); break;
        case INC_OP_RELU: for (int64_t k = 0; k < count; k++) out[k] = fmaxf(in.data[k], 0); break;
        case INC_OP_QUANTIZE: case INC_OP_DEQUANTIZE: break; /* not of floats alone */
        case INC_OP_DROPOUT: for (int64_t k = 0; k < count; k++) out[k] = in.data[k]; break;
        case INC_OP_ADD:
            for (int64_t k = 0; k < count; k++) out[k] = in.data[k] + n->add.scale * values[n->inputs[1]][k];
            break;
        }
    }
    return true;
}
