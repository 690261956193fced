/* Where a sliding window fits: the paddings of TensorFlow and Caffe. */
#include "graph.h"

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* One axis: number of outputs, padding before and behind. */
static bool axis(inc_padding padding, int64_t in, int kernel, int stride, int64_t *out, int *before, int *behind)
{
    *before = *behind = 0;
    if (padding == INC_HALF) *before = *behind = kernel / 2;
    if (padding == INC_SAME) {
        *out = ceil_div(in, stride);
        int64_t total = (*out - 1) * stride + kernel - in;
        if (total < 0) total = 0;
        *before = (int)(total / 2);
        *behind = (int)(total - total / 2);
        return true;
    }
    int64_t room = in + *before + *behind - kernel;
    if (room < 0) return false;
    *out = room / stride + 1;
    if (padding == INC_CEIL && room % stride != 0) { /* one more window, which begins inside the image */
        *behind = (int)(stride - room % stride);
        *out += 1;
    }
    return true;
}

bool inc_window_set(inc_window *window, inc_padding padding, int64_t height, int64_t width, int64_t *out_h,
                    int64_t *out_w)
{
    return axis(padding, height, window->kernel_h, window->stride, out_h, &window->top, &window->bottom)
        && axis(padding, width, window->kernel_w, window->stride, out_w, &window->left, &window->right);
}
