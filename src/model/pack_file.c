/* Pack files: weights as the engine wants them, mapped at the next start in place of reading and reordering them again. One
 * belongs to one weights file, one way to open it, one engine on one kind of CPU: all that is its key, and a pack with
 * another key is stale. Whatever does not fit is as good as no pack.
 *
 *     "INCPACK5", sizes of the parts below (u64 each: meta, hashes, block), hash of the block's form, hash of all in front
 *                 of the block but itself
 *     meta      texts ending in zero bytes: the key, then what the weights file would have told; means of classes
 *     hashes    of each INC_PACK_CHUNK bytes of the block
 *     block     from a multiple of PAGE_BYTES on */
#include "private.h"

#include <fcntl.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "INCPACK5"
#define FRONT 48 /* bytes: magic, three sizes, two hashes */
#define PAGE_BYTES 4096
#define NUMBERS 12

static size_t chunks_of(uint64_t bytes)
{
    return (size_t)((bytes + INC_PACK_CHUNK - 1) / INC_PACK_CHUNK);
}

static uint64_t block_start(uint64_t meta, uint64_t hashes)
{
    return (FRONT + meta + hashes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* ---- the key ---- */

inception_status inc_pack_key(inc_pack *pack, const char *path, const inception_model_options *options,
                              const char *engine, inception_error *error)
{
    struct stat info;
    *pack = (inc_pack){0};
    if (!options->cache || stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return INCEPTION_OK;
    char depth[32], index[4200];
    snprintf(index, sizeof index, "%s.index", path); /* a checkpoint of that prefix is what would be read */
    if (access(index, F_OK) == 0) return INCEPTION_OK;
    inc_print_number(depth, sizeof depth, options->depth_multiplier);
    const char *network = options->network ? options->network : "", *layer = options->layer ? options->layer : "";
    const char *final = options->final_layer ? options->final_layer : "";
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int length = snprintf(pack->key, sizeof pack->key,
                          "%s %s, network %s, depth %s/%d, input %dx%d, averages %d, layer %s/%d, final %s",
                          inception_version(), engine, network, depth, options->min_depth, options->width, options->height,
                          options->moving_averages, layer, options->layer_only, final);
    char *whole = realpath(path, NULL);
    uint64_t way = inc_hash(pack->key, strlen(pack->key)); /* a file for each way: stale packs are written over */
    if (whole) way ^= inc_hash(whole, strlen(whole));
    free(whole);
    struct timespec written = info.st_mtim, changed = info.st_ctim; /* cp -p keeps the first, nothing the second */
    int more = length < 0 || (size_t)length >= sizeof pack->key ? -1
             : snprintf(pack->key + length, sizeof pack->key - (size_t)length,
                        ", file %llu:%llu, %lld bytes of %lld.%09ld, %lld.%09ld",
                        (unsigned long long)info.st_dev, (unsigned long long)info.st_ino, (long long)info.st_size,
                        (long long)written.tv_sec, written.tv_nsec, (long long)changed.tv_sec, changed.tv_nsec);
    if (more < 0 || (size_t)(length + more) >= sizeof pack->key) return INCEPTION_OK; /* a layer of a silly name */
    size_t room = strlen(options->cache) + strlen(name) + 32;
    pack->path = inc_calloc(room, 1, error);
    if (!pack->path) return INCEPTION_MEMORY;
    snprintf(pack->path, room, "%s/%s-%016llx.pack", options->cache, name, (unsigned long long)way);
    return INCEPTION_OK;
}

void inc_pack_close(inc_pack *pack)
{
    inc_map_close(&pack->map);
    free(pack->path);
    *pack = (inc_pack){0};
}

/* ---- reading ---- */

static const char *next_text(inc_reader *reader)
{
    const uint8_t *text = reader->at, *end = memchr(text, 0, inc_left(reader));
    if (!end) return NULL;
    reader->at = end + 1;
    return (const char *)text;
}

static bool read_texts(inc_model *model, inc_reader *reader, const char **texts, inception_error *error)
{
    for (int i = 0; i < model->shape.classes; i++) {
        const char *text = next_text(reader);
        texts[i] = text ? inc_arena_string(&model->arena, text, strlen(text), error) : NULL;
        if (!texts[i]) return false;
    }
    return true;
}

static bool read_means(inc_model *model, inc_reader *reader, inception_error *error)
{
    size_t bytes, row = model->mean_values;
    const uint8_t *data;
    if (row == 0) return true;
    if (!inc_mul(row, (size_t)model->shape.classes * sizeof(float), &bytes) || !inc_read_skip(reader, bytes, &data))
        return false;
    float *means = inc_arena_alloc(&model->arena, bytes, 1, error);
    if (means) memcpy(means, data, bytes);
    model->class_means = means;
    return means != NULL;
}

/* What the weights file would have told: network, format, sizes, names. */
static bool read_meta(inc_model *model, inc_reader *reader, const char *key, inception_error *error)
{
    const char *found = next_text(reader), *name = next_text(reader), *final = next_text(reader), *numbers[NUMBERS];
    const inception_network *network = found && strcmp(found, key) == 0 ? inception_network_find(name) : NULL;
    for (int i = 0; i < NUMBERS; i++)
        if (!(numbers[i] = next_text(reader))) return false;
    if (!network || !final) return false;
    inc_shape *shape = &model->shape;
    *shape = inc_shape_default(network);
    if (*final && !(shape->final_layer = inc_arena_string(&model->arena, final, strlen(final), error))) return false;
    model->format = (inception_format)atoi(numbers[0]);
    shape->classes = atoi(numbers[1]);
    shape->depth_multiplier = inc_parse_number(numbers[2]);
    shape->min_depth = atoi(numbers[3]);
    shape->input.width = atoi(numbers[4]);
    shape->input.height = atoi(numbers[5]);
    shape->input.preprocessing = (inception_preprocessing)atoi(numbers[6]);
    model->temperature = inc_parse_number(numbers[7]);
    model->activation = (inception_activation)atoi(numbers[8]);
    model->unknown_threshold = inc_parse_number(numbers[9]);
    model->mean_values = (size_t)strtoul(numbers[10], NULL, 10);
    model->unknown_score = (inception_unknown_score)atoi(numbers[11]);
    if (shape->classes < 1 || (size_t)shape->classes > inc_left(reader) || shape->min_depth < 1
        || shape->min_depth > 4096 || !(shape->depth_multiplier > 0 && shape->depth_multiplier <= 16)
        || shape->input.width < 1 || shape->input.width > 4096 || shape->input.height < 1 || shape->input.height > 4096
        || !(model->temperature > 0 && model->temperature <= DBL_MAX) || !(model->unknown_threshold <= DBL_MAX)
        || (model->activation != INCEPTION_SOFTMAX && model->activation != INCEPTION_SIGMOID)
        || (model->unknown_score != INCEPTION_UNKNOWN_COSINE && model->unknown_score != INCEPTION_UNKNOWN_PRODUCT))
        return false;
    model->labels = inc_arena_alloc(&model->arena, (size_t)shape->classes, sizeof *model->labels, error);
    model->wnids = inc_arena_alloc(&model->arena, (size_t)shape->classes, sizeof *model->wnids, error);
    return model->labels && model->wnids && read_texts(model, reader, model->labels, error)
        && read_texts(model, reader, model->wnids, error) && read_means(model, reader, error);
}

bool inc_pack_parse(inc_pack *pack, const void *data, size_t size, inc_model *model)
{
    inc_reader reader = inc_reader_of("pack", data, size), meta;
    const uint8_t *magic, *hashes;
    uint64_t meta_bytes, hash_bytes, block_bytes, form, hash;
    if (!inc_read_skip(&reader, 8, &magic) || memcmp(magic, MAGIC, 8) != 0 || !inc_read_u64(&reader, &meta_bytes)
        || !inc_read_u64(&reader, &hash_bytes) || !inc_read_u64(&reader, &block_bytes) || !inc_read_u64(&reader, &form)
        || !inc_read_u64(&reader, &hash))
        return false;
    if (!inc_read_sub(&reader, meta_bytes, &meta) || !inc_read_skip(&reader, hash_bytes, &hashes)) return false;
    uint64_t start = block_start(meta_bytes, hash_bytes);
    if (start > size || block_bytes != size - start || hash_bytes != chunks_of(block_bytes) * sizeof(uint64_t)) return false;
    if (inc_hash(data, FRONT - 8) + inc_hash(meta.at, (size_t)(meta_bytes + hash_bytes)) != hash) return false;
    if (!read_meta(model, &meta, pack->key, NULL)) return false;
    pack->block = (const uint8_t *)data + start;
    pack->block_bytes = (size_t)block_bytes;
    pack->hashes = hashes;
    pack->form = form;
    return true;
}

/* A hash is no signature: what others may have written is not trusted. */
static bool is_own(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid()
        && !(info.st_mode & (S_IWGRP | S_IWOTH));
}

bool inc_pack_open(inc_pack *pack, inc_model *model)
{
    *model = (inc_model){0};
    if (!pack->path || !is_own(pack->path) || inc_map_open(pack->path, &pack->map, NULL)) return false;
    if (inc_pack_parse(pack, pack->map.data, pack->map.size, model)) return true;
    inc_map_close(&pack->map);
    inc_model_close(model);
    return false;
}

/* ---- writing ---- */

static inception_status add_text(inc_buffer *front, const char *string, inception_error *error)
{
    return inc_buffer_add(front, string, strlen(string) + 1, error);
}

static inception_status make_meta(inc_buffer *front, const inc_pack *pack, const inc_model *model, inception_error *error)
{
    const inc_shape *shape = &model->shape;
    const int numbers[NUMBERS] = {(int)model->format, shape->classes, 0, shape->min_depth, shape->input.width,
                                  shape->input.height, (int)shape->input.preprocessing, 0, (int)model->activation, 0,
                                  (int)model->mean_values, (int)model->unknown_score};
    char number[32];
    inception_status status = add_text(front, pack->key, error);
    if (!status) status = add_text(front, shape->network->name, error);
    if (!status) status = add_text(front, shape->final_layer ? shape->final_layer : "", error);
    for (int i = 0; i < NUMBERS && !status; i++) {
        if (i == 2) inc_print_number(number, sizeof number, shape->depth_multiplier);
        else if (i == 7) inc_print_number(number, sizeof number, model->temperature);
        else if (i == 9) inc_print_number(number, sizeof number, model->unknown_threshold);
        else snprintf(number, sizeof number, "%d", numbers[i]);
        status = add_text(front, number, error);
    }
    for (int i = 0; i < shape->classes && !status; i++) status = add_text(front, model->labels[i], error);
    for (int i = 0; i < shape->classes && !status; i++) status = add_text(front, model->wnids[i], error);
    const size_t means = (size_t)shape->classes * model->mean_values;
    if (!status && model->class_means) status = inc_buffer_add(front, model->class_means, means * sizeof(float), error);
    return status;
}

static inception_status write_file(const inc_pack *pack, const inc_buffer *front, const void *block, size_t bytes,
                                   inception_error *error)
{
    inc_output output;
    struct stat info;
    if (lstat(pack->path, &info) == 0 && S_ISLNK(info.st_mode)) unlink(pack->path); /* what it leads to is not ours */
    inception_status status = inc_output_open(&output, pack->path, error);
    if (status) return status;
    status = fchmod(output.fd, 0600) || fstat(output.fd, &info) ? inc_fail_errno(error, pack->path, "create") : INCEPTION_OK;
    if (!status && info.st_uid != geteuid()) /* NFS may give it to nobody, and then it would not be read */
        status = inc_fail(error, INCEPTION_IO, "%s: belongs to another user", pack->path);
    if (!status) status = inc_output_write(&output, front->data, front->size, error);
    if (!status) status = inc_output_write(&output, block, bytes, error);
    if (!status) status = inc_output_commit(&output, false, error); /* a pack cut by a power failure is no pack */
    inc_output_discard(&output);
    return status;
}

inception_status inc_pack_write(const inc_pack *pack, const inc_model *model, const uint8_t *block, size_t bytes,
                                uint64_t form, inception_error *error)
{
    inc_buffer front = {0};
    char head[FRONT] = MAGIC;
    if (!pack->path || model->format == INCEPTION_FORMAT_TF_V2) return INCEPTION_OK; /* whose data are in other files */
    inception_status status = inc_buffer_add(&front, head, FRONT, error);
    if (!status) status = make_meta(&front, pack, model, error);
    uint64_t sizes[4] = {front.size - FRONT, chunks_of(bytes) * sizeof(uint64_t), bytes, form};
    for (size_t at = 0; at < bytes && !status; at += INC_PACK_CHUNK) {
        uint64_t hash = inc_hash(block + at, bytes - at < INC_PACK_CHUNK ? bytes - at : INC_PACK_CHUNK);
        status = inc_buffer_add(&front, &hash, sizeof hash, error);
    }
    if (!status) {
        memcpy(front.data + 8, sizes, sizeof sizes);
        uint64_t hash = inc_hash(front.data, FRONT - 8) + inc_hash(front.data + FRONT, front.size - FRONT);
        memcpy(front.data + FRONT - 8, &hash, sizeof hash);
    }
    static const char zeros[PAGE_BYTES];
    if (!status) status = inc_buffer_add(&front, zeros, (size_t)block_start(sizes[0], sizes[1]) - front.size, error);
    if (!status) status = write_file(pack, &front, block, bytes, error);
    free(front.data);
    return status;
}
