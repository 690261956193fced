/* What looks at neighbours, of pixels or of channels: pools and local response normalisation, by oneDNN and photo by
 * photo. A maximum remembers where it came from in a workspace; of several equal ones the first has the gradient, as in
 * TensorFlow. */
#include "training.h"

enum { FORWARD, BACKWARD };

static bool describe(const inc_trainer *t, const inc_layer *l, inc_layout src, inc_layout dst,
                     dnnl_primitive_desc_t descriptions[2])
{
    const inc_node *node = l->node;
    if (node->op == INC_OP_LRN)
        return inc_describe_lrn_training(t->engine, src, node, &descriptions[FORWARD], &descriptions[BACKWARD]);
    return inc_describe_pool_training(t->engine, src, dst, &node->window, node->op == INC_OP_MAX_POOL,
                                      &descriptions[FORWARD], &descriptions[BACKWARD]);
}

/* What the forward run leaves for the backward one, if anything. */
static inception_status bind_workspace(inc_trainer *t, inc_layer *l, const_dnnl_primitive_desc_t forward,
                                       inception_error *error)
{
    inc_layout layout = inc_wanted(forward, dnnl_query_workspace_md, 0);
    if (!layout) return inc_fail_memory(error, 0);
    size_t bytes = inc_round_up(inc_layout_size(layout));
    inc_layout_free(&layout);
    if (bytes == 0) return INCEPTION_OK;
    uint32_t last = l->back[0] ? l->backward_step : l->forward_step;
    uint32_t slot = inc_slot_new(t, bytes * (size_t)t->how.batch, l->forward_step, last, error);
    inception_status status = INCEPTION_OK;
    for (int c = FORWARD; c <= (l->back[0] ? BACKWARD : FORWARD) && !status; c++)
        status = inc_bind(&l->calls[c], (inc_bound){.name = DNNL_ARG_WORKSPACE, .slot = slot, .stride = bytes,
                                                    .layout = inc_wanted(forward, dnnl_query_workspace_md, 0)}, error);
    return status;
}

static inception_status bind_backward(inc_trainer *t, inc_layer *l, inception_error *error)
{
    inc_call *call = &l->calls[BACKWARD];
    inc_view x = inc_view_value(t, l->in), dy = inc_view_gradient(t, l->out);
    inception_status status = inc_bind_view(t, call, DNNL_ARG_DIFF_DST, &dy, 1, error);
    if (!status) status = inc_bind_gradient(t, l, call, error);
    if (status || l->node->op != INC_OP_LRN) return status;
    inc_touch_value(t, l->in, l->backward_step);
    return inc_bind_view(t, call, DNNL_ARG_SRC, &x, 1, error);
}

static inception_status make(inc_trainer *t, inc_layer *l, dnnl_primitive_desc_t descriptions[2], inception_error *error)
{
    const char *name = l->node->name;
    inception_status status = bind_workspace(t, l, descriptions[FORWARD], error);
    if (!status && l->back[0]) status = bind_backward(t, l, error);
    if (!status) status = inc_call_make(t, &l->calls[FORWARD], descriptions[FORWARD], t->how.batch, name, error);
    if (!status && l->back[0])
        status = inc_call_make(t, &l->calls[BACKWARD], descriptions[BACKWARD], t->how.batch, name, error);
    return status;
}

static inception_status prepare(inc_trainer *t, inc_layer *l, inception_error *error)
{
    inc_call *call = &l->calls[FORWARD];
    inc_view x = inc_view_value(t, l->in), y = inc_view_value(t, l->out);
    dnnl_primitive_desc_t descriptions[2] = {NULL, NULL};
    inception_status status = inc_bind_view(t, call, DNNL_ARG_SRC, &x, 1, error);
    if (!status) status = inc_bind_view(t, call, DNNL_ARG_DST, &y, 1, error);
    if (status) return status;
    if (describe(t, l, call->bound[0].layout, call->bound[1].layout, descriptions)) status = make(t, l, descriptions, error);
    else status = inc_fail_onednn(error, l->node->name, "operation");
    for (int c = FORWARD; c <= BACKWARD; c++)
        if (descriptions[c]) dnnl_primitive_desc_destroy(descriptions[c]);
    return status;
}

static void forward(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_call_run(t, &l->calls[FORWARD], thread);
}

static void backward(inc_trainer *t, const inc_layer *l, int thread)
{
    if (l->back[0]) inc_call_gradient(t, l, &l->calls[BACKWARD], thread);
}

const inc_operation inc_train_window = {prepare, forward, backward};
