/* Names of the classes. A model file carries its own, one a line; the published networks know ImageNet's, TF-Slim's with
 * "background" in front; any other class is called by its number. A label file goes before all of them. */
#include "private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LABEL_FILE ((uint64_t)1 << 26) /* bytes */

/* Splits `text` into a line for each class; `what` they are. */
static inception_status split_lines(inc_model *model, const char *path, const char *what, const char *text,
                                    const char **lines, inception_error *error)
{
    int count = model->shape.classes;
    bool more = true; /* a last line may be empty, but not missing */
    for (int i = 0; i < count; i++) {
        size_t length = strcspn(text, "\n");
        if (!more)
            return inc_fail(error, INCEPTION_DATA, "%s: %d %s for %d classes", path, i, what, count);
        lines[i] = inc_arena_string(&model->arena, text, length, error);
        if (!lines[i]) return INCEPTION_MEMORY;
        more = text[length] == '\n';
        text += length + more;
    }
    if (*text) return inc_fail(error, INCEPTION_DATA, "%s: more %s than its %d classes", path, what, count);
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

/* A label file's names in place of the others. */
static inception_status read_file(inc_model *model, const char *path, inception_error *error)
{
    const inception_network *network = model->shape.network;
    bool background = network->background && model->shape.classes == network->classes;
    uint8_t *data;
    size_t size;
    inception_status status = inc_file_read(path, MAX_LABEL_FILE, &data, &size, error);
    if (!status)
        status = inc_label_file_read(path, data, size, model->shape.classes, background, &model->arena, model->labels,
                                     model->wnids, error);
    free(data);
    return status;
}

static inception_status label_own(inc_model *model, const char *path, inception_error *error)
{
    size_t count = (size_t)model->shape.classes;
    const char *labels = inc_weights_metadata(model->weights, "labels");
    const char *wnids = inc_weights_metadata(model->weights, "wnids");
    model->labels = inc_arena_alloc(&model->arena, count, sizeof *model->labels, error);
    model->wnids = inc_arena_alloc(&model->arena, count, sizeof *model->wnids, error);
    if (!model->labels || !model->wnids) return INCEPTION_MEMORY;
    inception_status status = label_by_default(model, error);
    if (!status && labels) status = split_lines(model, path, "class names", labels, model->labels, error);
    for (size_t i = 0; labels && i < count; i++) model->wnids[i] = "";
    if (!status && wnids) status = split_lines(model, path, "WordNet ids", wnids, model->wnids, error);
    return status;
}

inception_status inc_label_classes(inc_model *model, const char *path, const char *file, inception_error *error)
{
    inception_status status = model->labels ? INCEPTION_OK : label_own(model, path, error); /* a pack has brought them */
    return status || !file ? status : read_file(model, file, error);
}
