/* The work of a convolution with fewer multiplications, compiled once with AVX-512 and once with AVX2 (meson.build).
 *
 *     inputs of a tile -> transform -> V [block of tiles][point][in / LANES][tile][LANES]
 *     V, weights [panel][point][in][2 * LANES] -> M [tile][point][2 * LANES], a small matrix product for each point
 *     M -> transform, bias, ReLU -> outputs of a tile
 *
 * A block of tiles and a panel of channels are as large as the accumulators that fit into registers. A layer of many
 * tiles is split by tiles, a group at a time, so that V stays in the cache; one of few tiles by panels, so that each
 * weight is read by one thread only. */
#include "private.h"

#include <string.h>

#ifdef __AVX512F__
#define LANES 16
#define TILES 14 /* 28 accumulators, two vectors of weights, one input: 31 of 32 registers */
#define NAME(name) name##_16
#else
#define LANES 8
#define TILES 6 /* 12, two and one: 15 of 16 */
#define NAME(name) name##_8
#endif
#define PANEL (2 * LANES)
#define GROUP (3 * TILES) /* tiles */
#define PAD LANES         /* floats between the tiles of M: equal low address bits would compete for the cache's sets */

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t mask __attribute__((vector_size(LANES * sizeof(int32_t))));

INLINE vec load(const float *from)
{
    return *(const vec *)from;
}

INLINE void store(float *to, vec v)
{
    *(vec *)to = v;
}

typedef uint16_t half_vec __attribute__((vector_size(LANES * sizeof(uint16_t))));

/* Activations are float32 or bfloat16, the upper half of a float32. Places are counted in elements. */
INLINE vec load_value(const void *from, int64_t at, bool half)
{
    if (!half) return load((const float *)from + at);
    return (vec)(__builtin_convertvector(*(const half_vec *)((const uint16_t *)from + at), mask) << 16);
}

INLINE void store_value(void *to, int64_t at, vec value, bool half)
{
    if (!half) {
        store((float *)to + at, value);
        return;
    }
    mask bits = (mask)value; /* to the nearest, ties to even */
    bits = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    *(half_vec *)((uint16_t *)to + at) = __builtin_convertvector(bits, half_vec);
}

/* ---- Transforms: `n` and `m` are constants wherever these are used ---- */

/* out[i] = sum of matrix[i][j] * in[j]. The points come as 0, pairs of +p and -p, infinity, so that the even and odd
 * columns of a pair are the same up to the sign, and every other column of the first and last row is 0. */
INLINE void transform_input(const inc_toom *toom, int n, const vec *in, int in_step, vec *out, int out_step)
{
    if (n == 1) {
        out[0] = in[0];
        return;
    }
    vec first = in[0] * toom->input[0][0], last = in[in_step] * toom->input[n - 1][1];
#pragma GCC unroll 16
    for (int j = 2; j < n; j += 2) {
        first += in[j * in_step] * toom->input[0][j];
        last += in[(j + 1) * in_step] * toom->input[n - 1][j + 1];
    }
    out[0] = first;
    out[(n - 1) * out_step] = last;
#pragma GCC unroll 16
    for (int i = 1; i < n - 1; i += 2) {
        vec odd = in[in_step] * toom->input[i][1], even = in[2 * in_step] * toom->input[i][2];
#pragma GCC unroll 16
        for (int j = 3; j < n - 1; j += 2) {
            odd += in[j * in_step] * toom->input[i][j];
            even += in[(j + 1) * in_step] * toom->input[i][j + 1];
        }
        out[i * out_step] = even + odd;
        out[(i + 1) * out_step] = even - odd;
    }
}

INLINE void transform_output(const inc_toom *toom, int n, int m, const vec *in, int in_step, vec *out, int out_step)
{
    if (n == 1) {
        out[0] = in[0];
        return;
    }
    vec sums[INC_TOOM_MOST / 2], differences[INC_TOOM_MOST / 2];
#pragma GCC unroll 16
    for (int i = 1; i < n - 1; i += 2) {
        sums[i / 2] = in[i * in_step] + in[(i + 1) * in_step];
        differences[i / 2] = in[i * in_step] - in[(i + 1) * in_step];
    }
#pragma GCC unroll 16
    for (int y = 0; y < m; y++) {
        vec sum = y == 0 ? in[0] : y == m - 1 ? in[(n - 1) * in_step] : (vec){0};
#pragma GCC unroll 16
        for (int i = 1; i < n - 1; i += 2) sum += (y % 2 ? differences : sums)[i / 2] * toom->output[y][i];
        out[y * out_step] = sum;
    }
}

/* ---- One tile ---- */

/* From the inputs at `in`, rows `row_step` floats apart, to its places in V, points `step` floats apart. */
INLINE void tile_in(const inc_fewer *plan, int nh, int nw, const float *in, int64_t row_step, float *v, int64_t step)
{
    vec rows[INC_POINTS_MOST], column[INC_TOOM_MOST];
    for (int y = 0; y < nh; y++) transform_input(&plan->across, nw, (const vec *)(in + y * row_step), 1, rows + y * nw, 1);
    for (int x = 0; x < nw; x++) {
        transform_input(&plan->down, nh, rows + x, nw, column, 1);
#pragma GCC unroll 16
        for (int y = 0; y < nh; y++) store(v + (y * nw + x) * step, column[y]);
    }
}

/* From one block of channels at `m`, points PANEL floats apart, to place `at` of `out`; what is outside the image is
 * dropped. */
INLINE void tile_out(const inc_fewer *plan, int nh, int nw, int mh, int mw, const float *m, vec bias, void *out, int64_t at,
                     int64_t row_step, int rows, int columns)
{
    vec across[INC_POINTS_MOST], column[INC_TOOM_MOST];
    for (int y = 0; y < nh; y++)
        transform_output(&plan->across, nw, mw, (const vec *)(m + y * nw * PANEL), PANEL / LANES, across + y * mw, 1);
    for (int x = 0; x < mw && x < columns; x++) {
        transform_output(&plan->down, nh, mh, across + x, mw, column, 1);
        for (int y = 0; y < mh && y < rows; y++) {
            vec value = column[y] + bias;
            if (plan->relu) value = (vec)((mask)value & (value > 0));
            store_value(out, at + y * row_step + x * LANES, value, plan->half);
        }
    }
}

/* ---- Products ---- */

/* m[t][0 ... PANEL) = sum over channels of v[channel][t] * u[channel][0 ... PANEL), for `tiles` tiles, a constant. */
INLINE void multiply_tiles(int tiles, const float *v, const float *u, int in, float *m, int64_t m_step)
{
    vec left[TILES], right[TILES];
#pragma GCC unroll 16
    for (int t = 0; t < tiles; t++) left[t] = right[t] = (vec){0};
    for (int c = 0; c < in; c += LANES, v += tiles * LANES)
#pragma GCC unroll 2
        for (int k = 0; k < LANES; k++, u += PANEL) {
            vec a = load(u), b = load(u + LANES);
#pragma GCC unroll 16
            for (int t = 0; t < tiles; t++) {
                left[t] += a * v[t * LANES + k];
                right[t] += b * v[t * LANES + k];
            }
        }
#pragma GCC unroll 16
    for (int t = 0; t < tiles; t++) {
        store(m + t * m_step, left[t]);
        store(m + t * m_step + LANES, right[t]);
    }
}

static void multiply(int tiles, const float *v, const float *u, int in, float *m, int64_t m_step)
{
    switch (tiles) {
#define CASE(n) case n: multiply_tiles(n, v, u, in, m, m_step); break;
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if TILES > 6
    CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
#undef CASE
    }
}

/* ---- A layer ---- */

typedef struct layer {
    const inc_fewer *plan;
    const inc_fewer_data *data;
    int points, tiles, panels;
} layer;

/* Block b of `count` tiles in as few blocks of like size as can be. */
static int block_start(int count, int b)
{
    int blocks = (count + TILES - 1) / TILES;
    return (int)((int64_t)count * b / blocks);
}

static int block_count(int count)
{
    return (count + TILES - 1) / TILES;
}

static int64_t m_step_of(const layer *l)
{
    return (int64_t)l->points * PANEL + PAD;
}

/* The tile's inputs of a block of channels; in `copy`, where some are beyond the border, which are zeros, or none is a
 * float32. */
static const float *find_inputs(const layer *l, int tile, int channel_block, float *copy, int64_t *row_step)
{
    const inc_fewer *p = l->plan;
    int nh = p->down.points, nw = p->across.points;
    int y0 = tile / p->tiles_across * p->down.outputs - p->top, x0 = tile % p->tiles_across * p->across.outputs - p->left;
    int64_t plane = (int64_t)channel_block * p->src_height * p->src_width;
    if (!p->half && y0 >= 0 && x0 >= 0 && y0 + nh <= p->src_height && x0 + nw <= p->src_width) {
        *row_step = (int64_t)p->src_width * LANES;
        return (const float *)l->data->src + (plane + (int64_t)y0 * p->src_width + x0) * LANES;
    }
    *row_step = (int64_t)nw * LANES;
    for (int y = 0; y < nh; y++)
        for (int x = 0; x < nw; x++) {
            bool inside = y0 + y >= 0 && y0 + y < p->src_height && x0 + x >= 0 && x0 + x < p->src_width;
            store(copy + (y * nw + x) * LANES,
                  inside ? load_value(l->data->src, (plane + (int64_t)(y0 + y) * p->src_width + x0 + x) * LANES, p->half)
                         : (vec){0});
        }
    return copy;
}

/* Transforms one block of channels of the tiles first ... first + count - 1, the block number b of their group. */
static void transform_in(const layer *l, int first, int count, int channel_block, float *v)
{
    const inc_fewer *p = l->plan;
    float copy[INC_POINTS_MOST * LANES] __attribute__((aligned(64)));
    int64_t step = (int64_t)count * p->in, row_step;
    v += (int64_t)channel_block * count * LANES;
    for (int t = 0; t < count; t++) {
        const float *in = find_inputs(l, first + t, channel_block, copy, &row_step);
        switch (p->down.points * 16 + p->across.points) {
#define CASE(nh, nw, mh, mw) case nh * 16 + nw: tile_in(p, nh, nw, in, row_step, v + t * LANES, step); break;
            INC_TILE_SHAPES(CASE)
#undef CASE
        }
    }
}

static void transform_out(const layer *l, int first, int count, int panel, const float *m)
{
    const inc_fewer *p = l->plan;
    int64_t plane = (int64_t)p->height * p->width * LANES, row_step = (int64_t)p->width * LANES;
    for (int t = 0; t < count; t++) {
        int y0 = (first + t) / p->tiles_across * p->down.outputs, x0 = (first + t) % p->tiles_across * p->across.outputs;
        for (int half = 0; half < 2 && (panel * 2 + half) * LANES < p->out; half++) {
            int block = panel * 2 + half;
            int64_t at = block * plane + y0 * row_step + (int64_t)x0 * LANES;
            const float *from = m + t * m_step_of(l) + half * LANES;
            vec bias = l->data->bias ? load(l->data->bias + block * LANES) : (vec){0};
            int rows = p->height - y0, columns = p->width - x0;
            switch (p->down.points * 16 + p->across.points) {
#define CASE(nh, nw, mh, mw) \
    case nh * 16 + nw: tile_out(p, nh, nw, mh, mw, from, bias, l->data->dst, at, row_step, rows, columns); break;
            INC_TILE_SHAPES(CASE)
#undef CASE
            }
        }
    }
}

static int64_t v_size(const layer *l, int tiles)
{
    return (int64_t)tiles * l->points * l->plan->in;
}

static int64_t m_size(const layer *l, int tiles)
{
    return tiles * m_step_of(l);
}

/* A run of tiles that are transformed together; its blocks lie in V one behind the other. */
typedef struct group {
    int first, count; /* tiles */
    float *v;
} group;

/* The blocks from ... to - 1 of a group for one panel, point by point, so that its weights stay in the nearest cache. */
static void finish_blocks(const layer *l, const group *g, int from, int to, int panel, float *m)
{
    int in = l->plan->in, begin = block_start(g->count, from);
    const float *u = l->data->packed + (int64_t)panel * l->points * in * PANEL;
    for (int point = 0; point < l->points; point++)
        for (int b = from; b < to; b++) {
            int start = block_start(g->count, b), size = block_start(g->count, b + 1) - start;
            multiply(size, g->v + v_size(l, start) + (int64_t)point * size * in, u + (int64_t)point * in * PANEL, in,
                     m + m_size(l, start - begin) + point * PANEL, m_step_of(l));
        }
    transform_out(l, g->first + begin, block_start(g->count, to) - begin, panel, m);
}

static void transform_block(const layer *l, const group *g, int b, int channel_block)
{
    int start = block_start(g->count, b), size = block_start(g->count, b + 1) - start;
    transform_in(l, g->first + start, size, channel_block, g->v + v_size(l, start));
}

/* Split by tiles each thread reads all weights, split by panels the whole of V, which another thread has made in part:
 * whichever is less, as long as there are tiles enough for all. */
static bool by_tiles(const layer *l, int threads)
{
    return l->tiles >= 2 * TILES * threads && 4 * l->tiles >= 3 * l->plan->out;
}

static layer layer_of(const inc_fewer *plan)
{
    return (layer){.plan = plan, .points = plan->down.points * plan->across.points,
                   .tiles = plan->tiles_down * plan->tiles_across, .panels = (plan->out / LANES + 1) / 2};
}

/* Most tiles that a thread has in M at once, where layers are split by panels: those of its blocks, or all. */
static int panel_tiles(const layer *l, int threads)
{
    int items = l->panels * block_count(l->tiles), share = (items + threads - 1) / threads;
    return share * TILES < l->tiles ? share * TILES : l->tiles;
}

/* V of a group for each thread, or of all tiles; M of as many for each thread. */
size_t NAME(inc_fewer_scratch)(const inc_fewer *plan, int threads)
{
    layer l = layer_of(plan);
    bool tiles = by_tiles(&l, threads);
    int64_t v = tiles ? v_size(&l, GROUP) * threads : v_size(&l, l.tiles);
    return (size_t)(v + m_size(&l, tiles ? GROUP : panel_tiles(&l, threads)) * threads) * sizeof(float);
}

int NAME(inc_fewer_phases)(const inc_fewer *plan, int threads)
{
    layer l = layer_of(plan);
    return by_tiles(&l, threads) ? 1 : 2;
}

/* The thread's share of the tiles, a group at a time. */
static void run_tiles(const layer *l, float *scratch, int thread, int threads)
{
    float *m = scratch + threads * v_size(l, GROUP) + thread * m_size(l, GROUP);
    int end = l->tiles * (thread + 1) / threads;
    for (int first = l->tiles * thread / threads, next; first < end; first = next) {
        int groups = (end - first + GROUP - 1) / GROUP; /* that are left: the next one takes an equal part */
        next = first + (end - first) / groups;
        group g = {first, next - first, scratch + thread * v_size(l, GROUP)};
        for (int b = 0; b < block_count(g.count); b++)
            for (int c = 0; c < l->plan->in / LANES; c++) transform_block(l, &g, b, c);
        for (int panel = 0; panel < l->panels; panel++) finish_blocks(l, &g, 0, block_count(g.count), panel, m);
    }
}

static void transform_share(const layer *l, const group *g, int thread, int threads)
{
    int channel_blocks = l->plan->in / LANES, items = block_count(l->tiles) * channel_blocks;
    for (int i = items * thread / threads; i < items * (thread + 1) / threads; i++)
        transform_block(l, g, i / channel_blocks, i % channel_blocks);
}

/* Each thread gets an equal part of all (panel, block), in that order. */
static void multiply_share(const layer *l, const group *g, float *scratch, int thread, int threads)
{
    float *m = scratch + v_size(l, l->tiles) + thread * m_size(l, panel_tiles(l, threads));
    int blocks = block_count(l->tiles), items = l->panels * blocks, end = items * (thread + 1) / threads;
    for (int i = items * thread / threads, next; i < end; i = next) {
        next = (i / blocks + 1) * blocks < end ? (i / blocks + 1) * blocks : end;
        finish_blocks(l, g, i % blocks, i % blocks + next - i, i / blocks, m);
    }
}

void NAME(inc_fewer_run)(const inc_fewer *plan, int phase, const inc_fewer_data *data, int thread, int threads)
{
    layer l = layer_of(plan);
    l.data = data;
    group all = {0, l.tiles, data->scratch};
    if (by_tiles(&l, threads)) run_tiles(&l, data->scratch, thread, threads);
    else if (phase == 0) transform_share(&l, &all, thread, threads);
    else multiply_share(&l, &all, data->scratch, thread, threads);
}

/* ---- The gradient of the weights ----
 *
 *     inputs of a tile -> transform -> V [point][in / LANES][tile][LANES]
 *     dy of a tile -> the transform of outputs backwards -> D [point][out / LANES][tile][LANES]
 *     V, D -> added to the sums [point][in][out], for a group of tiles at a time
 *
 * A block of accumulators is half a block of inputs times two blocks of outputs. */

INLINE void transform_back(const inc_toom *toom, int n, int m, const vec *in, int in_step, vec *out, int out_step)
{
    out[0] = in[0];
    if (n == 1) return;
    out[(n - 1) * out_step] = in[(m - 1) * in_step];
#pragma GCC unroll 16
    for (int i = 1; i < n - 1; i += 2) {
        vec even = in[0] * toom->output[0][i], odd = in[in_step] * toom->output[1][i];
#pragma GCC unroll 16
        for (int y = 2; y < m; y += 2) {
            even += in[y * in_step] * toom->output[y][i];
            odd += in[(y + 1) * in_step] * toom->output[y + 1][i];
        }
        out[i * out_step] = even + odd;
        out[(i + 1) * out_step] = even - odd;
    }
}

/* Place `at` is that of the tile's first element in dy; what is outside the image counts as 0. */
INLINE void tile_back(const inc_fewer *plan, int nh, int nw, int mh, int mw, const void *dy, int64_t at, int rows,
                      int columns, float *d, int64_t step)
{
    vec across[INC_POINTS_MOST], line[INC_TOOM_MOST], column[INC_TOOM_MOST];
    for (int y = 0; y < mh; y++) {
        for (int x = 0; x < mw; x++)
            line[x] = y < rows && x < columns ? load_value(dy, at + ((int64_t)y * plan->width + x) * LANES, plan->half)
                                              : (vec){0};
        transform_back(&plan->across, nw, mw, line, 1, across + y * nw, 1);
    }
    for (int x = 0; x < nw; x++) {
        transform_back(&plan->down, nh, mh, across + x, nw, column, 1);
        for (int y = 0; y < nh; y++) store(d + (y * nw + x) * step, column[y]);
    }
}

/* sums[i][0 ... panel) += sum over tiles of v[tile][i] * d[tile], for half a block of inputs and `blocks` of outputs. */
INLINE void add_products(int blocks, int tiles, const float *v, const float *d, int64_t d_step, float *sums, int64_t row)
{
    vec left[LANES / 2], right[LANES / 2];
#pragma GCC unroll 16
    for (int i = 0; i < LANES / 2; i++) {
        left[i] = load(sums + i * row);
        right[i] = blocks == 2 ? load(sums + i * row + LANES) : (vec){0};
    }
    for (int t = 0; t < tiles; t++, v += LANES, d += LANES) {
        vec a = load(d), b = blocks == 2 ? load(d + d_step) : (vec){0};
#pragma GCC unroll 16
        for (int i = 0; i < LANES / 2; i++) {
            left[i] += a * v[i];
            if (blocks == 2) right[i] += b * v[i];
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < LANES / 2; i++) {
        store(sums + i * row, left[i]);
        if (blocks == 2) store(sums + i * row + LANES, right[i]);
    }
}

/* Of a photo's tiles first ... first + count - 1. */
static void transform_slopes(const layer *l, const void *dy, int first, int count, float *v, float *d)
{
    const inc_fewer *p = l->plan;
    int64_t v_step = (int64_t)count * p->in, d_step = (int64_t)count * p->out, row_step;
    float copy[INC_POINTS_MOST * LANES] __attribute__((aligned(64)));
    for (int t = 0; t < count; t++) {
        int y0 = (first + t) / p->tiles_across * p->down.outputs, x0 = (first + t) % p->tiles_across * p->across.outputs;
        for (int b = 0; b < p->in / LANES; b++) {
            const float *in = find_inputs(l, first + t, b, copy, &row_step);
            float *to = v + ((int64_t)b * count + t) * LANES;
            switch (p->down.points * 16 + p->across.points) {
#define CASE(nh, nw, mh, mw) case nh * 16 + nw: tile_in(p, nh, nw, in, row_step, to, v_step); break;
                INC_TILE_SHAPES(CASE)
#undef CASE
            }
        }
        for (int b = 0; b < p->out / LANES; b++) {
            int64_t at = (((int64_t)b * p->height + y0) * p->width + x0) * LANES;
            float *to = d + ((int64_t)b * count + t) * LANES;
            switch (p->down.points * 16 + p->across.points) {
#define CASE(nh, nw, mh, mw) \
    case nh * 16 + nw: tile_back(p, nh, nw, mh, mw, dy, at, p->height - y0, p->width - x0, to, d_step); break;
                INC_TILE_SHAPES(CASE)
#undef CASE
            }
        }
    }
}

static void add_group(const layer *l, int count, const float *v, const float *d, float *sums)
{
    const int in = l->plan->in, out = l->plan->out;
    const int64_t d_step = (int64_t)count * LANES;
    for (int point = 0; point < l->points; point++, v += (int64_t)count * in, d += (int64_t)count * out)
        for (int o = 0; o < out; o += PANEL)
            for (int i = 0; i < in; i += LANES / 2) {
                const float *from = v + (int64_t)(i / LANES) * d_step + i % LANES, *with = d + (int64_t)(o / LANES) * d_step;
                float *to = sums + ((int64_t)point * in + i) * out + o;
                if (out - o >= PANEL) add_products(2, count, from, with, d_step, to, out);
                else add_products(1, count, from, with, d_step, to, out);
            }
}

size_t NAME(inc_fewer_slopes_scratch)(const inc_fewer *plan)
{
    layer l = layer_of(plan);
    return (size_t)(GROUP * (int64_t)l.points * (plan->in + plan->out)) * sizeof(float);
}

void NAME(inc_fewer_sum)(const inc_fewer *plan, const inc_fewer_slopes *slopes)
{
    layer l = layer_of(plan);
    float *v = slopes->scratch, *d = v + GROUP * (int64_t)l.points * plan->in;
    memset(slopes->sums, 0, (size_t)l.points * (size_t)plan->in * (size_t)plan->out * sizeof(float));
    for (int photo = 0; photo < slopes->photos; photo++) {
        const inc_fewer_data data = {.src = (const uint8_t *)slopes->src + (size_t)photo * slopes->src_step};
        const uint8_t *dy = (const uint8_t *)slopes->diff_dst + (size_t)photo * slopes->diff_step;
        int groups = (l.tiles + GROUP - 1) / GROUP;
        l.data = &data;
        for (int g = 0; g < groups; g++) {
            int first = l.tiles * g / groups, count = l.tiles * (g + 1) / groups - first;
            transform_slopes(&l, dy, first, count, v, d);
            add_group(&l, count, v, d, slopes->sums);
        }
    }
}

/* out[tap] = sum over points of G[point][tap] * in[point] */
static void transform_taps(const inc_toom *toom, const vec *in, int in_step, vec *out, int out_step)
{
    for (int tap = 0; tap < toom->taps; tap++) {
        vec sum = {0};
        for (int i = 0; i < toom->points; i++) sum += in[i * in_step] * (float)toom->taps_at[i][tap];
        out[tap * out_step] = sum;
    }
}

void NAME(inc_fewer_unpack)(const inc_fewer *plan, const float *sums, int first, int end, float *gradient)
{
    const int nh = plan->down.points, nw = plan->across.points, kh = plan->down.taps, kw = plan->across.taps;
    const int64_t step = (int64_t)plan->in * plan->out;
    for (int64_t at = (int64_t)first * plan->out; at < (int64_t)end * plan->out; at += LANES) {
        vec points[INC_POINTS_MOST], across[INC_POINTS_MOST], taps[INC_TAPS_MOST * INC_TAPS_MOST];
        for (int i = 0; i < nh * nw; i++) points[i] = load(sums + i * step + at);
        for (int i = 0; i < nh; i++) transform_taps(&plan->across, points + i * nw, 1, across + i * kw, 1);
        for (int x = 0; x < kw; x++) transform_taps(&plan->down, across + x, kw, taps + x, kw);
        for (int tap = 0; tap < kh * kw; tap++) store(gradient + tap * step + at, taps[tap]);
    }
}
