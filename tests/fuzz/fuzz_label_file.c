/* A file of class names. The first byte is the number of classes, its lowest bit whether class 0 may be missing. */
#include "weights.h"

#include "../../src/model/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *labels[256], *wnids[256];
    inc_arena arena = {0};
    inception_error error = {0};
    if (size < 1) return 0;
    int classes = 1 + data[0] / 2;
    for (int i = 0; i < classes; i++) labels[i] = wnids[i] = "";
    inception_status status =
        inc_label_file_read("x", data + 1, size - 1, classes, data[0] % 2, &arena, labels, wnids, &error);
    require(status == error.status && (!status || error.message[0]));
    for (int i = 0; !status && i < classes; i++) {
        require(labels[i][0] || (i == 0 && data[0] % 2));
        for (const char *c = labels[i]; *c; c++) require((unsigned char)*c >= ' ');
    }
    inc_arena_free(&arena);
    return 0;
}
