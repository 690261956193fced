/* What treats each element by itself: ReLU, residual sums, dropout, and concatenations that could not be elided. A thread
 * takes photos. */
#include "training.h"

#include <string.h>

static inception_status prepare_nothing(inc_trainer *t, inc_layer *l, inception_error *error)
{
    (void)t, (void)l, (void)error;
    return INCEPTION_OK;
}

/* ---- ReLU: y = max(x, 0); dx = dy where y > 0 ---- */

static inception_status prepare_relu(inc_trainer *t, inc_layer *l, inception_error *error)
{
    (void)error;
    if (t->wanted[l->out]) inc_touch_value(t, l->out, l->backward_step);
    return INCEPTION_OK;
}

static void relu(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_view x = inc_view_value(t, l->in), y = inc_view_value(t, l->out);
    int64_t first, end;
    inc_share(t, thread, t->how.batch, &first, &end);
    for (int64_t n = first; n < end; n++)
        t->passes->relu(inc_view_at(t, &x, n, 0), inc_view_count(t, &x), inc_view_at(t, &y, n, 0));
}

static void relu_back(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_view y = inc_view_value(t, l->out), dy = inc_view_gradient(t, l->out), dx = inc_view_gradient(t, l->in);
    int64_t first, end;
    inc_share(t, thread, t->how.batch, &first, &end);
    for (int64_t n = first; n < end; n++)
        t->passes->relu_back(inc_view_at(t, &y, n, 0), inc_view_at(t, &dy, n, 0), inc_view_count(t, &y), l->adds[0],
                             inc_view_at(t, &dx, n, 0));
}

const inc_operation inc_train_relu = {prepare_relu, relu, relu_back};

/* ---- residual sums: y = a + s * b; da = dy, db = s * dy ---- */

static void add(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_view a = inc_view_value(t, l->in), b = inc_view_value(t, l->node->inputs[1]), y = inc_view_value(t, l->out);
    int64_t first, end;
    inc_share(t, thread, t->how.batch, &first, &end);
    for (int64_t n = first; n < end; n++)
        t->passes->add(inc_view_at(t, &a, n, 0), inc_view_at(t, &b, n, 0), l->node->add.scale, inc_view_count(t, &y),
                       inc_view_at(t, &y, n, 0));
}

static void add_back(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_view dy = inc_view_gradient(t, l->out);
    int64_t first, end, count = inc_view_count(t, &dy);
    inc_share(t, thread, t->how.batch, &first, &end);
    for (int i = 0; i < 2; i++) {
        inc_view dx = inc_view_gradient(t, i ? l->node->inputs[1] : l->in);
        float scale = i ? l->node->add.scale : 1;
        for (int64_t n = first; l->back[i] && n < end; n++) {
            void *from = inc_view_at(t, &dy, n, 0), *to = inc_view_at(t, &dx, n, 0);
            if (l->adds[i]) t->passes->add(to, from, scale, count, to);
            else t->passes->scale(from, scale, count, to);
        }
    }
}

const inc_operation inc_train_add = {prepare_nothing, add, add_back};

/* ---- dropout: y = x / keep or 0; dx = dy / keep or 0, by the same choice ---- */

/* Whether an element stays follows from the run, the layer, the photo and the element only: a counter, mixed as SplitMix64
 * does (Steele et al. 2014), so that neither threads nor the layout of memory have a say. */
static bool stays(const inc_trainer *t, uint64_t key, uint64_t element)
{
    uint64_t z = key + element * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53 < t->how.keep;
}

static void drop(const inc_trainer *t, const inc_layer *l, inc_view from, inc_view to, bool adds, int thread)
{
    int64_t first, end;
    inc_share(t, thread, t->how.batch, &first, &end);
    for (int64_t n = first; n < end; n++) {
        const uint64_t about[3] = {t->noise, l->forward_step, (uint64_t)n};
        const uint64_t key = inc_hash(about, sizeof about);
        const float scale = (float)(1 / t->how.keep);
        const void *x = inc_view_at(t, &from, n, 0);
        void *y = inc_view_at(t, &to, n, 0);
        for (int64_t i = 0; i < inc_view_count(t, &from); i++) {
            int64_t lane = i % t->block, pixel = i / t->block % from.pixels, block = i / t->block / from.pixels;
            int64_t element = pixel * from.channels + block * t->block + lane;
            float value = stays(t, key, (uint64_t)element) ? inc_load_element(x, i, from.type) * scale : 0;
            inc_store_element(y, i, adds ? inc_load_element(y, i, to.type) + value : value, to.type);
        }
    }
}

static void dropout(inc_trainer *t, const inc_layer *l, int thread)
{
    drop(t, l, inc_view_value(t, l->in), inc_view_value(t, l->out), false, thread);
}

static void dropout_back(inc_trainer *t, const inc_layer *l, int thread)
{
    drop(t, l, inc_view_gradient(t, l->out), inc_view_gradient(t, l->in), l->adds[0], thread);
}

const inc_operation inc_train_dropout = {prepare_nothing, dropout, dropout_back};

/* ---- concatenation of parts that do not begin on a block ---- */

/* One channel of a photo, to or from another place. */
static void copy_channel(const inc_trainer *t, const inc_view *from, int64_t from_channel, const inc_view *to,
                         int64_t to_channel, int64_t photo, bool adds)
{
    const int64_t block = t->block;
    const void *x = inc_view_at(t, from, photo, from_channel / block);
    void *y = inc_view_at(t, to, photo, to_channel / block);
    for (int64_t p = 0; p < from->pixels; p++) {
        float value = inc_load_element(x, p * block + from_channel % block, from->type);
        int64_t at = p * block + to_channel % block;
        inc_store_element(y, at, adds ? inc_load_element(y, at, to->type) + value : value, to->type);
    }
}

/* The channels that fill up the last block are to be 0. */
static void clear_rest(const inc_trainer *t, const inc_view *view, int64_t photo)
{
    void *last = inc_view_at(t, view, photo, view->blocks - 1);
    for (int64_t c = view->channels; c < view->blocks * t->block; c++)
        for (int64_t p = 0; p < view->pixels; p++) inc_store_element(last, p * t->block + c % t->block, 0, view->type);
}

static void concat(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_view whole = inc_view_value(t, l->out);
    int64_t first, end;
    inc_share(t, thread, t->how.batch, &first, &end);
    for (int64_t n = first; n < end; n++) {
        int64_t channel = 0;
        for (uint32_t i = 0; i < l->node->input_count; i++) {
            inc_view part = inc_view_value(t, l->node->inputs[i]);
            for (int64_t c = 0; c < part.channels; c++) copy_channel(t, &part, c, &whole, channel++, n, false);
        }
        clear_rest(t, &whole, n);
    }
}

static void concat_back(inc_trainer *t, const inc_layer *l, int thread)
{
    inc_view whole = inc_view_gradient(t, l->out);
    int64_t first, end;
    inc_share(t, thread, t->how.batch, &first, &end);
    for (int64_t n = first; n < end; n++) {
        int64_t channel = 0;
        for (uint32_t i = 0; i < l->node->input_count; i++) {
            inc_view part = inc_view_gradient(t, l->node->inputs[i]);
            for (int64_t c = 0; l->back[i] && c < part.channels; c++)
                copy_channel(t, &whole, channel + c, &part, c, n, l->adds[i]);
            channel += part.channels;
            if (l->back[i] && !l->adds[i]) clear_rest(t, &part, n);
        }
    }
}

const inc_operation inc_train_concat = {prepare_nothing, concat, concat_back};
