/* The file `checkpoint` of a training directory. */
#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    inception_error error = {0};
    inc_arena arena = {0};
    uint8_t *copy = exact_copy(data, size);
    if (!copy) return 0;
    char *path = inc_state_path(inc_reader_of("x", copy, size), &arena, &error);
    require((path != NULL) == (error.status == INCEPTION_OK));
    require(!path || (path[0] && strlen(path) <= size));
    inc_arena_free(&arena);
    free(copy);
    return 0;
}
