/* The class names of a model file. The first byte is the number of classes, the second says where the WordNet ids begin
 * (in sixteenths of what is left; 0: there are none). */
#include "weights.h"

#include "../../src/model/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    size_t left = size - 2, first = data[1] % 16 ? left * (data[1] % 16) / 16 : left;
    char *labels = calloc(first + 1, 1), *wnids = calloc(left - first + 1, 1);
    require(labels && wnids);
    memcpy(labels, data + 2, first);
    memcpy(wnids, data + 2 + first, left - first);
    inc_metadata metadata[] = {{"labels", labels}, {"wnids", wnids}};
    inception_weights weights = {.metadata = metadata, .metadata_count = data[1] % 16 ? 2 : 1};
    inc_model model = {.shape = inc_shape_default(inception_network_find("v1")), .weights = &weights};
    inception_error error = {0};
    model.shape.classes = 1 + data[0];
    inception_status status = inc_label_classes(&model, "x", NULL, &error);
    require(status == error.status && (!status || error.message[0]));
    for (int i = 0; !status && i < model.shape.classes; i++)
        require(!strchr(model.labels[i], '\n') && !strchr(model.wnids[i], '\n'));
    inc_arena_free(&model.arena);
    free(labels);
    free(wnids);
    return 0;
}
