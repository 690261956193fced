/* The plan of a convolution with fewer multiplications: points, sizes, weights. The work itself is in tiles.c, which is
 * compiled once for each width of vectors. */
#include "private.h"

#include <math.h>
#include <string.h>

/* The points decide how exact a transform is: these were found to lose least (relative error of one layer, against 3e-7
 * of the direct sum: 7e-7 for 3 taps, 2.2e-6 for 5, 2.0e-6 for 7). 0 and infinity are points too, and each comes with its
 * negative. */
static const struct points {
    int taps;
    double positive[4];
} known[] = {
    {3, {2.0 / 3, 3.0 / 2}},
    {5, {1.0 / 2, 1, 2}},
    {7, {2.0 / 5, 4.0 / 5, 5.0 / 4, 5.0 / 2}},
};

#define OUTPUTS 4 /* in each dimension of a tile: more are faster still, and less exact */

/* matrix[point][power] of the points 0, +p, -p, ..., infinity. */
static void vandermonde(const double *positive, int points, int columns, double matrix[][INC_TOOM_MOST])
{
    for (int i = 0; i < points; i++)
        for (int j = 0; j < columns; j++) {
            double point = i == 0 || i == points - 1 ? 0 : i % 2 ? positive[(i - 1) / 2] : -positive[(i - 1) / 2];
            matrix[i][j] = i == points - 1 ? j == columns - 1 : pow(point, j);
        }
}

/* Gauss and Jordan; the matrix has an inverse. */
static void invert(double matrix[][INC_TOOM_MOST], int size, double inverse[][INC_TOOM_MOST])
{
    for (int i = 0; i < size; i++)
        for (int j = 0; j < size; j++) inverse[i][j] = i == j;
    for (int column = 0; column < size; column++) {
        int pivot = column;
        for (int row = column + 1; row < size; row++)
            if (fabs(matrix[row][column]) > fabs(matrix[pivot][column])) pivot = row;
        for (int j = 0; j < size; j++) {
            double a = matrix[pivot][j], b = inverse[pivot][j];
            matrix[pivot][j] = matrix[column][j], inverse[pivot][j] = inverse[column][j];
            matrix[column][j] = a, inverse[column][j] = b;
        }
        double factor = 1 / matrix[column][column];
        for (int j = 0; j < size; j++) matrix[column][j] *= factor, inverse[column][j] *= factor;
        for (int row = 0; row < size; row++) {
            factor = matrix[row][column];
            for (int j = 0; j < size && row != column; j++) {
                matrix[row][j] -= factor * matrix[column][j];
                inverse[row][j] -= factor * inverse[column][j];
            }
        }
    }
}

static bool toom_plan(inc_toom *toom, int taps)
{
    *toom = (inc_toom){1, 1, 1, {{1}}, {{1}}, {{1}}};
    if (taps == 1) return true;
    for (size_t k = 0; k < INC_COUNT(known); k++) {
        if (known[k].taps != taps) continue;
        int n = OUTPUTS + taps - 1;
        double whole[INC_TOOM_MOST][INC_TOOM_MOST], inverse[INC_TOOM_MOST][INC_TOOM_MOST];
        double output[INC_TOOM_MOST][INC_TOOM_MOST];
        *toom = (inc_toom){.outputs = OUTPUTS, .taps = taps, .points = n};
        vandermonde(known[k].positive, n, n, whole);
        invert(whole, n, inverse);
        vandermonde(known[k].positive, n, OUTPUTS, output);
        vandermonde(known[k].positive, n, taps, toom->taps_at);
        for (int i = 0; i < n; i++) { /* inputs and taps of like size at each point; powers of two lose nothing */
            double inputs = 0, weights = 0;
            for (int j = 0; j < n; j++) inputs = fmax(inputs, fabs(inverse[j][i]));
            for (int j = 0; j < taps; j++) weights = fmax(weights, fabs(toom->taps_at[i][j]));
            double balance = exp2(round(log2(inputs / weights) / 2));
            for (int j = 0; j < n; j++) toom->input[i][j] = (float)(inverse[j][i] / balance);
            for (int j = 0; j < taps; j++) toom->taps_at[i][j] *= balance;
            for (int j = 0; j < OUTPUTS; j++) toom->output[j][i] = (float)output[i][j];
        }
        return true;
    }
    return false;
}

static int points_of(const inc_fewer *plan)
{
    return plan->down.points * plan->across.points;
}

/* Channels of the output in panels of two blocks. */
static int panels_of(const inc_fewer *plan)
{
    return (plan->out / plan->lanes + 1) / 2;
}

bool inc_fewer_plan(inc_fewer *plan, int kernel_h, int kernel_w)
{
    if (plan->in % plan->lanes || plan->out % plan->lanes || (kernel_h == 1 && kernel_w == 1)) return false;
    /* Products of bfloat16 are twice as fast, which these alone do not exceed in one dimension. */
    if (plan->half && (kernel_h == 1 || kernel_w == 1)) return false;
    if (!toom_plan(&plan->down, kernel_h) || !toom_plan(&plan->across, kernel_w)) return false;
    bool there = false;
#define IS_IT(nh, nw, mh, mw) there |= plan->down.points == nh && plan->across.points == nw;
    INC_TILE_SHAPES(IS_IT)
#undef IS_IT
    if (!there) return false;
    plan->tiles_down = (plan->height + plan->down.outputs - 1) / plan->down.outputs;
    plan->tiles_across = (plan->width + plan->across.outputs - 1) / plan->across.outputs;
    return plan->tiles_down * plan->tiles_across >= INC_TILES_LEAST;
}

size_t inc_fewer_packed_bytes(const inc_fewer *plan)
{
    return (size_t)panels_of(plan) * 2 * (size_t)plan->lanes * (size_t)plan->in * (size_t)points_of(plan) * sizeof(float);
}

/* The taps from one input channel to `count` output channels from `first` on. */
static void take_taps(const inc_fewer *plan, const float *weights, int in, int first, int count,
                      float taps[][INC_PANEL_MOST])
{
    const size_t ins = (size_t)plan->in, outs = (size_t)plan->out;
    const int number = plan->down.taps * plan->across.taps;
    for (int tap = 0; tap < number; tap++) {
        const float *from = weights + (size_t)(plan->turned ? number - 1 - tap : tap) * ins * outs
                          + (plan->turned ? (size_t)first * ins + (size_t)in : (size_t)in * outs + (size_t)first);
        for (int o = 0; o < count; o++) taps[tap][o] = from[(size_t)o * (plan->turned ? ins : 1)];
    }
}

/* G g G' of such taps, times `scale`, to the points of `to`, `step` apart. */
static void pack_channel(const inc_fewer *plan, float taps[][INC_PANEL_MOST], int count, const float *scale, float *to,
                         size_t step)
{
    const inc_toom *down = &plan->down, *across = &plan->across;
    double rows[INC_TAPS_MOST][INC_TOOM_MOST][INC_PANEL_MOST];
    for (int y = 0; y < down->taps; y++)
        for (int j = 0; j < across->points; j++)
            for (int o = 0; o < count; o++) {
                double sum = 0;
                for (int x = 0; x < across->taps; x++)
                    sum += across->taps_at[j][x] * (double)taps[y * across->taps + x][o];
                rows[y][j][o] = scale ? sum * (double)scale[o] : sum;
            }
    for (int i = 0; i < down->points; i++)
        for (int j = 0; j < across->points; j++, to += step)
            for (int o = 0; o < count; o++) {
                double sum = 0;
                for (int y = 0; y < down->taps; y++) sum += down->taps_at[i][y] * rows[y][j][o];
                to[o] = (float)sum;
            }
}

/* packed[panel][point][in][2 * lanes] */
void inc_fewer_pack(const inc_fewer *plan, const float *weights, const float *scale, float *packed)
{
    int wide = 2 * plan->lanes;
    size_t step = (size_t)plan->in * (size_t)wide;
    memset(packed, 0, inc_fewer_packed_bytes(plan)); /* the second block of the last panel may be empty */
    for (int panel = 0; panel < panels_of(plan); panel++)
        for (int in = 0; in < plan->in; in++) {
            int first = panel * wide, count = plan->out - first < wide ? plan->out - first : wide;
            float taps[INC_TAPS_MOST * INC_TAPS_MOST][INC_PANEL_MOST];
            take_taps(plan, weights, in, first, count, taps);
            pack_channel(plan, taps, count, scale ? scale + first : NULL,
                         packed + (size_t)(panel * points_of(plan)) * step + (size_t)in * (size_t)wide, step);
        }
}

size_t inc_fewer_scratch_bytes(const inc_fewer *plan, int threads)
{
    return plan->lanes == 16 ? inc_fewer_scratch_16(plan, threads) : inc_fewer_scratch_8(plan, threads);
}

int inc_fewer_phases(const inc_fewer *plan, int threads)
{
    return plan->lanes == 16 ? inc_fewer_phases_16(plan, threads) : inc_fewer_phases_8(plan, threads);
}

void inc_fewer_run(const inc_fewer *plan, int phase, const inc_fewer_data *data, int thread, int threads)
{
    (plan->lanes == 16 ? inc_fewer_run_16 : inc_fewer_run_8)(plan, phase, data, thread, threads);
}

size_t inc_fewer_sums_bytes(const inc_fewer *plan)
{
    return (size_t)points_of(plan) * (size_t)plan->in * (size_t)plan->out * sizeof(float);
}

size_t inc_fewer_slopes_scratch_bytes(const inc_fewer *plan)
{
    return plan->lanes == 16 ? inc_fewer_slopes_scratch_16(plan) : inc_fewer_slopes_scratch_8(plan);
}

void inc_fewer_sum(const inc_fewer *plan, const inc_fewer_slopes *data)
{
    (plan->lanes == 16 ? inc_fewer_sum_16 : inc_fewer_sum_8)(plan, data);
}

void inc_fewer_unpack(const inc_fewer *plan, const float *sums, int first, int end, float *gradient)
{
    (plan->lanes == 16 ? inc_fewer_unpack_16 : inc_fewer_unpack_8)(plan, sums, first, end, gradient);
}

uint64_t inc_peak_work(inc_unit unit, uint64_t rounds, float *sink)
{
    switch (unit) {
    case INC_UNIT_16: return inc_peak_work_16(rounds, sink);
    case INC_UNIT_8: return inc_peak_work_8(rounds, sink);
    case INC_UNIT_BF16: return inc_peak_work_bf16(rounds, sink);
    case INC_UNIT_INT8: return inc_peak_work_int8(rounds, sink);
    }
    return 0;
}
