/* The front of a pack file. The input is what stands between its sizes and its block; sizes and hash are made to fit, so
 * that the fuzzer comes past them, unless its first byte is odd: then the input is the whole file. */
#include "weights.h"

#include "../../src/model/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    bool whole = data[0] % 2;
    size_t meta = size - 1, total = (48 + meta + 4095) / 4096 * 4096;
    uint8_t *file = calloc(whole ? size : total, 1);
    require(file);
    memcpy(file + (whole ? 0 : 48), data + 1, meta);
    if (!whole) {
        uint64_t sizes[4] = {meta, 0, 0, 0}, hash;
        memcpy(file, "INCPACK5", 8);
        memcpy(file + 8, sizes, sizeof sizes);
        hash = inc_hash(file, 40) + inc_hash(file + 48, meta);
        memcpy(file + 40, &hash, sizeof hash);
    }
    inc_pack pack = {.key = "k"};
    inc_model model = {0};
    if (inc_pack_parse(&pack, file, whole ? meta : total, &model)) {
        require(model.shape.network && model.shape.classes > 0 && pack.block_bytes <= total);
        for (int i = 0; i < model.shape.classes; i++) require(model.labels[i] && model.wnids[i]);
        inception_model_options options;
        inception_model_options_default(&options);
        if (!inc_model_open_packed(&model, "x", &options, NULL)) {
            const inc_value *logits = &model.graph.values[inc_graph_find(&model.graph, "Logits")];
            require(logits->dims[1] == 1 && logits->dims[2] == 1 && logits->dims[3] == model.shape.classes);
        }
    }
    inc_model_close(&model);
    free(file);
    return 0;
}
