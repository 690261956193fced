/* What a model file tells of photos of none of its classes. Two bytes are the sides of the tensor of means, one its type,
 * one the classes that the model has besides those of the tensor; two texts, each ending in a zero byte, then its bytes. */
#include "weights.h"

#include "../../src/model/private.h"

#include <float.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *first = size > 4 ? memchr(data + 4, 0, size - 4) : NULL, *end = data + size;
    const uint8_t *second = first ? memchr(first + 1, 0, (size_t)(end - first - 1)) : NULL;
    if (!second) return 0;
    inception_tensor tensor = {INC_CLASS_MEANS, (inception_type)(data[2] % (INCEPTION_OTHER + 1)), 2, {data[0], data[1]},
                               (uint64_t)data[0] * data[1], NULL};
    if ((size_t)(end - second - 1) < tensor.count * inc_type_size(tensor.type)) return 0;
    uint8_t *bytes = exact_copy(second + 1, tensor.count * inc_type_size(tensor.type));
    require(bytes);
    tensor.data = bytes;
    inc_metadata metadata[] = {{"unknown_threshold", (const char *)data + 4}, {"unknown_score", (const char *)first + 1}};
    inception_weights weights = {.tensors = &tensor, .count = 1, .metadata = metadata, .metadata_count = 2};
    inc_model model = {.shape = inc_shape_default(inception_network_find("v1")), .weights = &weights};
    inception_error error = {0};
    model.shape.classes = data[0] + data[3] % 2;
    inception_status status = inc_known_read(&model, "x", &error);
    require(status == error.status && (!status || error.message[0]));
    const bool cosine = !strcmp(metadata[1].value, "cosine");
    if (!status) require(fabs(model.unknown_threshold) <= (cosine ? 1 : DBL_MAX) && model.class_means);
    if (!status) require(model.mean_values == data[1] && data[3] % 2 == 0);
    for (uint64_t i = 0; i < tensor.count && !status; i++) require(isfinite(model.class_means[i]));
    inc_arena_free(&model.arena);
    free(bytes);
    return 0;
}
