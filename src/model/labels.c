/* Names of the classes. A model file carries its own, one a line; the published networks know ImageNet's, TF-Slim's with
 * "background" in front; any other class is called by its number. */
#include "private.h"

#include <stdio.h>
#include <string.h>

/* Splits `text` into exactly `count` lines. */
static inception_status split_lines(inc_model *model, const char *path, const char *text, const char **lines,
                                    inception_error *error)
{
    int count = model->shape.classes;
    bool more = true; /* a last line may be empty, but not missing */
    for (int i = 0; i < count; i++) {
        size_t length = strcspn(text, "\n");
        if (!more)
            return inc_fail(error, INCEPTION_DATA, "%s: %d class names for %d classes", path, i, count);
        lines[i] = inc_arena_string(&model->arena, text, length, error);
        if (!lines[i]) return INCEPTION_MEMORY;
        more = text[length] == '\n';
        text += length + more;
    }
    if (*text) return inc_fail(error, INCEPTION_DATA, "%s: more class names than its %d classes", path, count);
    return INCEPTION_OK;
}

static const inc_class *imagenet_class(const inc_model *model, int index)
{
    static const inc_class background = {"", "background"};
    const inception_network *network = model->shape.network;
    if (model->shape.classes != network->classes) return NULL;
    if (network->background) return index == 0 ? &background : &inc_imagenet[index - 1];
    return &inc_imagenet[index];
}

static inception_status label_by_default(inc_model *model, inception_error *error)
{
    for (int i = 0; i < model->shape.classes; i++) {
        char number[32];
        const inc_class *known = imagenet_class(model, i);
        if (!known) snprintf(number, sizeof number, "class %d", i);
        model->labels[i] = known ? known->name : inc_arena_string(&model->arena, number, strlen(number), error);
        model->wnids[i] = known ? known->wnid : "";
        if (!model->labels[i]) return INCEPTION_MEMORY;
    }
    return INCEPTION_OK;
}

inception_status inc_label_classes(inc_model *model, const char *path, inception_error *error)
{
    size_t count = (size_t)model->shape.classes;
    const char *labels = inc_weights_metadata(model->weights, "labels");
    const char *wnids = inc_weights_metadata(model->weights, "wnids");
    model->labels = inc_arena_alloc(&model->arena, count, sizeof *model->labels, error);
    model->wnids = inc_arena_alloc(&model->arena, count, sizeof *model->wnids, error);
    if (!model->labels || !model->wnids) return INCEPTION_MEMORY;
    inception_status status = label_by_default(model, error);
    if (!status && labels) status = split_lines(model, path, labels, model->labels, error);
    for (size_t i = 0; labels && i < count; i++) model->wnids[i] = "";
    if (!status && wnids) status = split_lines(model, path, wnids, model->wnids, error);
    return status;
}
