/* The primitives of training, for oneDNN 2 and 3: as in onednn.c, the difference ends here. A backward primitive is told
 * which forward one it belongs to; from it oneDNN knows how the workspace between the two lies. */
#include "training.h"

#define V3 (DNNL_VERSION_MAJOR >= 3)

/* The scratchpad is ours. NULL: failed. */
static dnnl_primitive_attr_t attributes(void)
{
    dnnl_primitive_attr_t attr = NULL;
    if (dnnl_primitive_attr_create(&attr) != dnnl_success) return NULL;
    if (dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) == dnnl_success) return attr;
    dnnl_primitive_attr_destroy(attr);
    return NULL;
}

#if V3
static bool finish(dnnl_status_t status, dnnl_primitive_attr_t attr)
{
    dnnl_primitive_attr_destroy(attr);
    return status == dnnl_success;
}
#else
/* `forward` may be NULL. */
static bool finish(dnnl_status_t status, const_dnnl_op_desc_t operation, dnnl_engine_t engine,
                   const_dnnl_primitive_desc_t forward, dnnl_primitive_desc_t *description)
{
    dnnl_primitive_attr_t attr = status ? NULL : attributes();
    if (!attr) return false;
    status = dnnl_primitive_desc_create(description, operation, attr, engine, forward);
    dnnl_primitive_attr_destroy(attr);
    return status == dnnl_success;
}
#endif

bool inc_describe_conv_data(dnnl_engine_t engine, inc_layout diff_src, inc_layout weights, inc_layout diff_dst,
                            const inc_window *window, const_dnnl_primitive_desc_t forward,
                            dnnl_primitive_desc_t *description)
{
    const dnnl_dims_t strides = {window->stride, window->stride}, dilations = {0};
    const dnnl_dims_t before = {window->top, window->left}, behind = {window->bottom, window->right};
#if V3
    dnnl_primitive_attr_t attr = attributes();
    return attr && finish(dnnl_convolution_backward_data_primitive_desc_create(description, engine,
                              dnnl_convolution_direct, diff_src, weights, diff_dst, strides, dilations, before, behind,
                              forward, attr), attr);
#else
    dnnl_convolution_desc_t desc;
    return finish(dnnl_dilated_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct, diff_src, weights,
                      diff_dst, strides, dilations, before, behind), &desc, engine, forward, description);
#endif
}

bool inc_describe_conv_weights(dnnl_engine_t engine, inc_layout src, inc_layout diff_weights, inc_layout diff_bias,
                               inc_layout diff_dst, const inc_window *window, const_dnnl_primitive_desc_t forward,
                               dnnl_primitive_desc_t *description)
{
    const dnnl_dims_t strides = {window->stride, window->stride}, dilations = {0};
    const dnnl_dims_t before = {window->top, window->left}, behind = {window->bottom, window->right};
#if V3
    dnnl_primitive_attr_t attr = attributes();
    return attr && finish(dnnl_convolution_backward_weights_primitive_desc_create(description, engine,
                              dnnl_convolution_direct, src, diff_weights, diff_bias, diff_dst, strides, dilations,
                              before, behind, forward, attr), attr);
#else
    static const dnnl_memory_desc_t nothing; /* how oneDNN 2 is told that there is no bias */
    dnnl_convolution_desc_t desc;
    return finish(dnnl_dilated_convolution_backward_weights_desc_init(&desc, dnnl_convolution_direct, src, diff_weights,
                      diff_bias ? diff_bias : &nothing, diff_dst, strides, dilations, before, behind),
                  &desc, engine, forward, description);
#endif
}

bool inc_describe_pool_training(dnnl_engine_t engine, inc_layout src, inc_layout dst, const inc_window *window, bool max,
                                dnnl_primitive_desc_t *forward, dnnl_primitive_desc_t *backward)
{
    const dnnl_dims_t strides = {window->stride, window->stride}, kernel = {window->kernel_h, window->kernel_w};
    const dnnl_dims_t before = {window->top, window->left}, behind = {window->bottom, window->right};
    dnnl_alg_kind_t kind = max ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
#if V3
    const dnnl_dims_t dilations = {0};
    dnnl_primitive_attr_t there = attributes(), back = attributes();
    bool good = there && finish(dnnl_pooling_forward_primitive_desc_create(forward, engine, dnnl_forward_training, kind,
                                    src, dst, strides, kernel, dilations, before, behind, there), there);
    if (!good && back) dnnl_primitive_attr_destroy(back);
    return good && back && finish(dnnl_pooling_backward_primitive_desc_create(backward, engine, kind, src, dst, strides,
                                      kernel, dilations, before, behind, *forward, back), back);
#else
    dnnl_pooling_desc_t there, back;
    return finish(dnnl_pooling_forward_desc_init(&there, dnnl_forward_training, kind, src, dst, strides, kernel, before,
                      behind), &there, engine, NULL, forward)
        && finish(dnnl_pooling_backward_desc_init(&back, kind, src, dst, strides, kernel, before, behind), &back, engine,
                  *forward, backward);
#endif
}

bool inc_describe_lrn_training(dnnl_engine_t engine, inc_layout src, const inc_node *node, dnnl_primitive_desc_t *forward,
                               dnnl_primitive_desc_t *backward)
{
    const int64_t size = node->lrn.size;
    const float alpha = node->lrn.alpha, beta = node->lrn.beta, k = node->lrn.k;
#if V3
    dnnl_primitive_attr_t there = attributes(), back = attributes();
    bool good = there && finish(dnnl_lrn_forward_primitive_desc_create(forward, engine, dnnl_forward_training,
                                    dnnl_lrn_across_channels, src, src, size, alpha, beta, k, there), there);
    if (!good && back) dnnl_primitive_attr_destroy(back);
    return good && back && finish(dnnl_lrn_backward_primitive_desc_create(backward, engine, dnnl_lrn_across_channels, src,
                                      src, src, size, alpha, beta, k, *forward, back), back);
#else
    dnnl_lrn_desc_t there, back;
    return finish(dnnl_lrn_forward_desc_init(&there, dnnl_forward_training, dnnl_lrn_across_channels, src, size, alpha,
                      beta, k), &there, engine, NULL, forward)
        && finish(dnnl_lrn_backward_desc_init(&back, dnnl_lrn_across_channels, src, src, size, alpha, beta, k), &back,
                  engine, *forward, backward);
#endif
}
