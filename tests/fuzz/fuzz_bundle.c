/* TensorFlow checkpoints of format V2. The input: the size of the index (2 bytes), the index, the data files, which
 * share equally what is left. Checksums of blocks and of tensors are put right first. */
#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_SHARDS 4

typedef struct files {
    inc_reader shards[MAX_SHARDS];
    size_t count;
} files;

/* Puts the checksum of one BundleEntryProto right. */
static void seal_entry(void *context, uint8_t *value, size_t size)
{
    const files *f = context;
    inc_reader message = inc_reader_of("", value, size), bytes;
    const uint8_t *skipped;
    inc_field field;
    uint64_t numbers[6] = {0}; /* 3: shard, 4: offset, 5: size */
    uint8_t *crc = NULL;
    while (inc_read_field(&message, &field) > 0) {
        if (field.wire == 0 && field.number < INC_COUNT(numbers)) numbers[field.number] = field.value;
        if (field.wire == 5 && field.number == 6) crc = (uint8_t *)message.at - 4;
    }
    if (!crc || numbers[3] >= f->count) return;
    inc_reader shard = f->shards[numbers[3]];
    if (!inc_read_skip(&shard, numbers[4], &skipped) || !inc_read_sub(&shard, numbers[5], &bytes)) return;
    uint32_t right = inc_crc32c_mask(inc_crc32c(0, bytes.at, inc_left(&bytes)));
    memcpy(crc, &right, sizeof right);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    inception_error error = {0};
    inc_draft draft;
    files f = {.count = 0}; /* none yet */
    if (size < 2) return 0;
    size_t index_size = (size_t)(data[0] | data[1] << 8), left = size - 2;
    if (index_size > left) index_size = left;
    uint8_t *index = exact_copy(data + 2, index_size), *copies[MAX_SHARDS] = {NULL};
    sealing s = {.file = index, .size = index_size, .visit = seal_entry, .context = &f};
    inc_reader file = inc_reader_of("x.index", index, index_size);
    seal_table(&s);
    inception_status status = inc_bundle_shards(file, &f.count, &error);
    require((status == INCEPTION_OK) == (error.status == INCEPTION_OK));
    if (status || f.count > MAX_SHARDS) goto done;
    size_t each = (left - index_size) / f.count;
    for (size_t i = 0; i < f.count; i++) {
        copies[i] = exact_copy(data + 2 + index_size + i * each, each);
        f.shards[i] = inc_reader_of("x.data", copies[i], each);
    }
    seal_table(&s);
    inc_draft_begin(&draft, &error);
    check_weights(inc_draft_end(&draft, inc_bundle_read(&draft, file, f.shards, f.count)), &error);

done:
    for (size_t i = 0; i < MAX_SHARDS; i++) free(copies[i]);
    free(index);
    return 0;
}
