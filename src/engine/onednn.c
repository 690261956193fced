/* oneDNN 2 and 3 behind one set of functions. Nothing else in the project knows that there are two. */
#include "private.h"

#include <stdlib.h>

#define V3 (DNNL_VERSION_MAJOR >= 3)

/* ---- layouts ---- */

#if !V3
static const dnnl_memory_desc_t nothing; /* how oneDNN 2 is told that there is no bias */
#endif

inc_layout inc_layout_new(const int64_t *dims, int rank, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
#if V3
    dnnl_memory_desc_t layout = NULL;
    return dnnl_memory_desc_create_with_tag(&layout, rank, dims, type, tag) == dnnl_success ? layout : NULL;
#else
    dnnl_memory_desc_t *layout = calloc(1, sizeof *layout);
    if (layout && dnnl_memory_desc_init_by_tag(layout, rank, dims, type, tag) != dnnl_success) inc_layout_free(&layout);
    return layout;
#endif
}

void inc_layout_free(inc_layout *layout)
{
#if V3
    if (*layout) dnnl_memory_desc_destroy(*layout);
#else
    free(*layout);
#endif
    *layout = NULL;
}

size_t inc_layout_size(inc_layout layout)
{
    return dnnl_memory_desc_get_size(layout);
}

uint64_t inc_layout_hash(inc_layout layout)
{
#if V3
    int32_t rank = 0, blocks = 0;
    dnnl_dims_t *strides = NULL, *inner = NULL, *indices = NULL;
    if (dnnl_memory_desc_query(layout, dnnl_query_ndims_s32, &rank)
        || dnnl_memory_desc_query(layout, dnnl_query_strides, &strides)
        || dnnl_memory_desc_query(layout, dnnl_query_inner_nblks_s32, &blocks)
        || dnnl_memory_desc_query(layout, dnnl_query_inner_blks, &inner)
        || dnnl_memory_desc_query(layout, dnnl_query_inner_idxs, &indices)) return 0; /* opaque: the key has to do */
    return inc_hash(*strides, (size_t)rank * sizeof **strides) + 3 * inc_hash(*inner, (size_t)blocks * sizeof **inner)
         + 5 * inc_hash(*indices, (size_t)blocks * sizeof **indices);
#else
    if (layout->format_kind != dnnl_blocked) return 0; /* opaque: the key has to do */
    const dnnl_blocking_desc_t *blocking = &layout->format_desc.blocking;
    size_t blocks = (size_t)blocking->inner_nblks;
    return inc_hash(blocking->strides, (size_t)layout->ndims * sizeof *blocking->strides)
         + 3 * inc_hash(blocking->inner_blks, blocks * sizeof *blocking->inner_blks)
         + 5 * inc_hash(blocking->inner_idxs, blocks * sizeof *blocking->inner_idxs);
#endif
}

inc_layout inc_wanted(const_dnnl_primitive_desc_t description, dnnl_query_t what, int index)
{
#if V3
    dnnl_memory_desc_t copy = NULL;
    const_dnnl_memory_desc_t wanted = dnnl_primitive_desc_query_md(description, what, index);
    return wanted && dnnl_memory_desc_clone(&copy, wanted) == dnnl_success ? copy : NULL;
#else
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(description, what, index);
    dnnl_memory_desc_t *copy = wanted ? malloc(sizeof *copy) : NULL;
    if (copy) *copy = *wanted;
    return copy;
#endif
}

/* ---- attributes: our own scratchpad, and what a convolution does besides ---- */

static dnnl_primitive_attr_t attributes(bool add_to_dst, bool relu)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    if (dnnl_primitive_attr_create(&attr) != dnnl_success) return NULL;
    bool good = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) == dnnl_success
             && dnnl_post_ops_create(&ops) == dnnl_success;
#if V3
    if (good && add_to_dst) good = dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef) == dnnl_success;
    if (good && relu) good = dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0, 0) == dnnl_success;
#else
    if (good && add_to_dst) good = dnnl_post_ops_append_sum(ops, 1) == dnnl_success;
    if (good && relu) good = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0) == dnnl_success;
#endif
    if (good) good = dnnl_primitive_attr_set_post_ops(attr, ops) == dnnl_success;
    if (ops) dnnl_post_ops_destroy(ops);
    if (!good) dnnl_primitive_attr_destroy(attr);
    return good ? attr : NULL;
}

/* The last steps of every description. */
static bool finish(dnnl_status_t status, dnnl_primitive_attr_t attr)
{
    if (attr) dnnl_primitive_attr_destroy(attr);
    return status == dnnl_success;
}

/* ---- primitives ---- */

bool inc_describe_conv(dnnl_engine_t engine, inc_layout src, inc_layout weights, inc_layout bias, inc_layout dst,
                       const inc_window *window, bool add_to_dst, bool relu, dnnl_primitive_desc_t *description)
{
    const dnnl_dims_t strides = {window->stride, window->stride}, dilations = {0};
    const dnnl_dims_t before = {window->top, window->left}, behind = {window->bottom, window->right};
    dnnl_primitive_attr_t attr = attributes(add_to_dst, relu);
    if (!attr) return false;
#if V3
    return finish(dnnl_convolution_forward_primitive_desc_create(description, engine, dnnl_forward_inference,
                      dnnl_convolution_direct, src, weights, bias, dst, strides, dilations, before, behind,
                      attr), attr);
#else
    dnnl_convolution_desc_t desc;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(&desc, dnnl_forward_inference,
        dnnl_convolution_direct, src, weights, bias ? bias : &nothing, dst, strides, dilations, before, behind);
    if (!status) status = dnnl_primitive_desc_create(description, &desc, attr, engine, NULL);
    return finish(status, attr);
#endif
}

bool inc_describe_pool(dnnl_engine_t engine, inc_layout src, inc_layout dst, const inc_window *window, bool max,
                       bool relu, dnnl_primitive_desc_t *description)
{
    const dnnl_dims_t strides = {window->stride, window->stride}, kernel = {window->kernel_h, window->kernel_w};
    const dnnl_dims_t before = {window->top, window->left}, behind = {window->bottom, window->right};
    dnnl_alg_kind_t kind = max ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding;
    dnnl_primitive_attr_t attr = attributes(false, relu);
    if (!attr) return false;
#if V3
    const dnnl_dims_t dilations = {0};
    return finish(dnnl_pooling_forward_primitive_desc_create(description, engine, dnnl_forward_inference, kind, src, dst,
                      strides, kernel, dilations, before, behind, attr), attr);
#else
    dnnl_pooling_desc_t desc;
    dnnl_status_t status = dnnl_pooling_forward_desc_init(&desc, dnnl_forward_inference, kind, src, dst, strides, kernel,
                                                          before, behind);
    if (!status) status = dnnl_primitive_desc_create(description, &desc, attr, engine, NULL);
    return finish(status, attr);
#endif
}

bool inc_describe_lrn(dnnl_engine_t engine, inc_layout src, int size, float alpha, float beta, float k,
                      dnnl_primitive_desc_t *description)
{
    dnnl_primitive_attr_t attr = attributes(false, false);
    if (!attr) return false;
#if V3
    return finish(dnnl_lrn_forward_primitive_desc_create(description, engine, dnnl_forward_inference,
                      dnnl_lrn_across_channels, src, src, size, alpha, beta, k, attr), attr);
#else
    dnnl_lrn_desc_t desc;
    dnnl_status_t status = dnnl_lrn_forward_desc_init(&desc, dnnl_forward_inference, dnnl_lrn_across_channels, src, size,
                                                      alpha, beta, k);
    if (!status) status = dnnl_primitive_desc_create(description, &desc, attr, engine, NULL);
    return finish(status, attr);
#endif
}

bool inc_describe_norm(dnnl_engine_t engine, inc_layout src, float epsilon, bool scaled,
                       dnnl_primitive_desc_t *description)
{
    const unsigned flags = dnnl_use_global_stats | dnnl_use_shift | (scaled ? (unsigned)dnnl_use_scale : 0);
    dnnl_primitive_attr_t attr = attributes(false, false);
    if (!attr) return false;
#if V3
    return finish(dnnl_batch_normalization_forward_primitive_desc_create(description, engine, dnnl_forward_inference, src,
                      src, epsilon, flags, attr), attr);
#else
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t status =
        dnnl_batch_normalization_forward_desc_init(&desc, dnnl_forward_inference, src, epsilon, flags);
    if (!status) status = dnnl_primitive_desc_create(description, &desc, attr, engine, NULL);
    return finish(status, attr);
#endif
}

static bool describe_eltwise(dnnl_engine_t engine, inc_layout src, dnnl_alg_kind_t kind, float alpha,
                             dnnl_primitive_desc_t *description)
{
    dnnl_primitive_attr_t attr = attributes(false, false);
    if (!attr) return false;
#if V3
    return finish(dnnl_eltwise_forward_primitive_desc_create(description, engine, dnnl_forward_inference, kind, src, src,
                      alpha, 0, attr), attr);
#else
    dnnl_eltwise_desc_t desc;
    dnnl_status_t status = dnnl_eltwise_forward_desc_init(&desc, dnnl_forward_inference, kind, src, alpha, 0);
    if (!status) status = dnnl_primitive_desc_create(description, &desc, attr, engine, NULL);
    return finish(status, attr);
#endif
}

bool inc_describe_relu(dnnl_engine_t engine, inc_layout src, dnnl_primitive_desc_t *description)
{
    return describe_eltwise(engine, src, dnnl_eltwise_relu, 0, description);
}

bool inc_describe_copy(dnnl_engine_t engine, inc_layout src, dnnl_primitive_desc_t *description)
{
    return describe_eltwise(engine, src, dnnl_eltwise_linear, 1, description);
}

bool inc_describe_concat(dnnl_engine_t engine, inc_layout dst, const inc_layout *srcs, int count,
                         dnnl_primitive_desc_t *description)
{
    dnnl_primitive_attr_t attr = attributes(false, false);
    if (!attr) return false;
#if V3
    const_dnnl_memory_desc_t list[INC_MAX_INPUTS];
    for (int i = 0; i < count; i++) list[i] = srcs[i];
    return finish(dnnl_concat_primitive_desc_create(description, engine, dst, count, 1, list, attr), attr);
#else
    dnnl_memory_desc_t list[INC_MAX_INPUTS];
    for (int i = 0; i < count; i++) list[i] = *srcs[i];
    return finish(dnnl_concat_primitive_desc_create(description, dst, count, 1, list, attr, engine), attr);
#endif
}

bool inc_describe_add(dnnl_engine_t engine, inc_layout dst, inc_layout src, float scale,
                      dnnl_primitive_desc_t *description)
{
    const float scales[2] = {1, scale};
    dnnl_primitive_attr_t attr = attributes(false, false);
    if (!attr) return false;
#if V3
    const_dnnl_memory_desc_t list[2] = {src, src};
    return finish(dnnl_sum_primitive_desc_create(description, engine, dst, 2, scales, list, attr), attr);
#else
    dnnl_memory_desc_t list[2] = {*src, *src};
    return finish(dnnl_sum_primitive_desc_create(description, dst, 2, scales, list, attr, engine), attr);
#endif
}

bool inc_describe_reorder(dnnl_engine_t engine, inc_layout src, inc_layout dst, dnnl_primitive_desc_t *description)
{
    return dnnl_reorder_primitive_desc_create(description, src, engine, dst, engine, NULL) == dnnl_success;
}
