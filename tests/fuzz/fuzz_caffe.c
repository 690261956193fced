/* Caffe models. */
#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    inception_error error = {0};
    inc_draft draft;
    uint8_t *copy = exact_copy(data, size);
    if (!copy) return 0;
    inc_reader file = inc_reader_of("x", copy, size);
    inc_caffe_probe(file);
    inc_draft_begin(&draft, &error);
    check_weights(inc_draft_end(&draft, inc_caffe_read(&draft, file)), &error);
    free(copy);
    return 0;
}
