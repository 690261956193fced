/* Between fewer.c, which plans, and tiles.c, which is compiled for vectors of 16 and of 8 floats. */
#ifndef INC_KERNELS_PRIVATE_H
#define INC_KERNELS_PRIVATE_H

#include "kernels.h"

/* Points and outputs, down and across, of the tiles that there is code for. */
#define INC_TILE_SHAPES(SHAPE) \
    SHAPE(6, 6, 4, 4) SHAPE(8, 8, 4, 4) SHAPE(1, 6, 1, 4) SHAPE(6, 1, 4, 1) SHAPE(1, 10, 1, 4) SHAPE(10, 1, 4, 1)

#define INC_TAPS_MOST 7  /* in a row */
#define INC_PANEL_MOST 32 /* channels */
#define INC_POINTS_MOST 64
#define INC_TILES_LEAST 20 /* fewer: their weights are read for too little work */

/* Of 16 channels, of the output of a step on bytes. */
static inline int inc_int8_blocks(const inc_int8 *plan)
{
    return (plan->out + INC_INT8_LANES - 1) / INC_INT8_LANES;
}

#define INC_INT8_ENDS 3 /* of a step on bytes: factor, shift, least */

/* What is in kernels.h, for vectors of 16 and of 8. */
size_t inc_fewer_scratch_16(const inc_fewer *plan, int threads);
size_t inc_fewer_scratch_8(const inc_fewer *plan, int threads);
int inc_fewer_phases_16(const inc_fewer *plan, int threads);
int inc_fewer_phases_8(const inc_fewer *plan, int threads);
void inc_fewer_run_16(const inc_fewer *plan, int phase, const inc_fewer_data *data, int thread, int threads);
void inc_fewer_run_8(const inc_fewer *plan, int phase, const inc_fewer_data *data, int thread, int threads);
size_t inc_fewer_slopes_scratch_16(const inc_fewer *plan);
size_t inc_fewer_slopes_scratch_8(const inc_fewer *plan);
void inc_fewer_sum_16(const inc_fewer *plan, const inc_fewer_slopes *data);
void inc_fewer_sum_8(const inc_fewer *plan, const inc_fewer_slopes *data);
void inc_fewer_unpack_16(const inc_fewer *plan, const float *sums, int first, int end, float *gradient);
void inc_fewer_unpack_8(const inc_fewer *plan, const float *sums, int first, int end, float *gradient);

/* Does multiply-adds and returns how many. */
uint64_t inc_peak_work_16(uint64_t rounds, float *sink);
uint64_t inc_peak_work_8(uint64_t rounds, float *sink);
uint64_t inc_peak_work_bf16(uint64_t rounds, float *sink);
uint64_t inc_peak_work_int8(uint64_t rounds, float *sink);

#endif
