/* TensorFlow checkpoints of format V1, as they are and with their checksums put right. */
#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = exact_copy(data, size);
    if (!copy) return 0;
    sealing s = {.file = copy, .size = size};
    for (int sealed = 0; sealed < 2; sealed++) {
        inception_error error = {0};
        inc_draft draft;
        inc_draft_begin(&draft, &error);
        check_weights(inc_draft_end(&draft, inc_slices_read(&draft, inc_reader_of("x", copy, size))), &error);
        seal_table(&s);
    }
    free(copy);
    return 0;
}
