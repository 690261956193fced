/* Opening weights: from what a person names to a file, from the file's content to its format, and the format's reader. */
#include "private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX ".index"
#define STATE_LIMIT (1 << 20) /* bytes of a `checkpoint` file */

char *inc_join(inc_arena *arena, const char *a, const char *b, inception_error *error)
{
    size_t head = strlen(a), tail = strlen(b);
    char *text = inc_arena_alloc(arena, head + tail + 1, 1, error);
    if (!text) return NULL;
    memcpy(text, a, head);
    memcpy(text + head, b, tail);
    return text;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);
    return size >= tail && strcmp(text + size - tail, end) == 0;
}

/* True if `text` has the form of `pattern`, where # stands for a digit. */
static bool matches(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++)
        if (*pattern == '#' ? *text < '0' || *text > '9' : *text != *pattern) return false;
    return *text == 0;
}

/* ---- which file ---- */

/* The file of the checkpoint with this prefix: its index, or, of format V1, the file so called. NULL: out of memory. */
static const char *file_of_prefix(inc_arena *arena, const char *prefix, inception_error *error)
{
    const char *index = inc_join(arena, prefix, INDEX, error);
    return index && access(index, F_OK) != 0 ? prefix : index;
}

/* The file that the state file in a directory names. Absolute paths go stale when the directory is moved; then the file
 * of that name beside the state file is meant. */
static const char *file_of_directory(inc_arena *arena, const char *directory, inception_error *error)
{
    inc_map text;
    const char *path = NULL, *folder = inc_join(arena, directory, "/", error), *found = NULL;
    const char *state = folder ? inc_join(arena, folder, "checkpoint", error) : NULL;
    if (!state) return NULL;
    if (access(state, F_OK) != 0) {
        inc_fail(error, INCEPTION_NOT_FOUND, "%s: a directory without a file called checkpoint", directory);
        return NULL;
    }
    if (inc_map_open(state, &text, error)) return NULL;
    if (text.size <= STATE_LIMIT) path = inc_state_path(inc_reader_of(state, text.data, text.size), arena, error);
    else inc_fail(error, INCEPTION_LIMIT, "%s: larger than the limit of %d bytes", state, STATE_LIMIT);
    inc_map_close(&text);
    if (!path) return NULL;
    const char *prefix = path[0] == '/' ? path : inc_join(arena, folder, path, error);
    if (prefix) found = file_of_prefix(arena, prefix, error);
    if (!found || path[0] != '/' || access(found, F_OK) == 0) return found;
    prefix = inc_join(arena, folder, strrchr(path, '/') + 1, error);
    return prefix ? file_of_prefix(arena, prefix, error) : NULL;
}

static const char *locate(inc_arena *arena, const char *path, inception_error *error)
{
    static const char data[] = ".data-#####-of-#####";
    struct stat info;
    size_t size = strlen(path), tail = sizeof data - 1;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return file_of_directory(arena, path, error);
    if (size > tail && matches(path + size - tail, data)) {
        const char *prefix = inc_arena_string(arena, path, size - tail, error);
        const char *index = prefix ? file_of_prefix(arena, prefix, error) : NULL;
        return !index || access(index, F_OK) == 0 ? index : path;
    }
    return file_of_prefix(arena, path, error);
}

/* ---- which format ---- */

/* Maps the data files that belong to an index, and reads both. */
static inception_status read_bundle(inc_draft *draft, inc_reader file)
{
    inception_weights *weights = draft->weights;
    inception_error *error = draft->error;
    size_t count;
    char suffix[64];
    if (!ends_with(file.name, INDEX))
        return inc_fail(error, INCEPTION_NOT_FOUND,
                        "%s: the index of a checkpoint, whose data files cannot be found unless it is called "
                        "SOMETHING.index", file.name);
    const char *prefix = inc_arena_string(&weights->arena, file.name, strlen(file.name) - strlen(INDEX), error);
    if (!prefix) return INCEPTION_MEMORY;
    inception_status status = inc_bundle_shards(file, &count, error);
    if (status) return status;
    inc_map *maps = inc_calloc(count + 1, sizeof *maps, error);
    inc_reader *shards = inc_calloc(count, sizeof *shards, error);
    if (!maps || !shards) {
        free(maps);
        free(shards);
        return INCEPTION_MEMORY;
    }
    maps[0] = weights->maps[0];
    free(weights->maps);
    weights->maps = maps;
    for (size_t i = 0; i < count && !status; i++) {
        snprintf(suffix, sizeof suffix, ".data-%05zu-of-%05zu", i, count);
        const char *name = inc_join(&weights->arena, prefix, suffix, error);
        status = name ? inc_map_open(name, &maps[i + 1], error) : INCEPTION_MEMORY;
        if (status) break;
        weights->map_count++;
        shards[i] = inc_reader_of(name, maps[i + 1].data, maps[i + 1].size);
    }
    if (!status) status = inc_bundle_read(draft, file, shards, count);
    free(shards);
    return status;
}

static bool probe_bundle(inc_reader file)
{
    return inc_table_probe(file) && inc_bundle_probe(file);
}

/* In the order they are tried: the most telling beginnings first. */
static const struct {
    bool (*probe)(inc_reader file);
    inc_format_read *read;
} formats[] = {
    {inc_safetensors_probe, inc_safetensors_read},
    {probe_bundle, read_bundle},
    {inc_table_probe, inc_slices_read},
    {inc_caffe_probe, inc_caffe_read},
};

/* What has weights in another way is told from the rest only to say so. ONNX's ModelProto begins with the version of its
 * format, 3 or more, and the name of its producer; TensorFlow's SavedModel with its version, 1, and graphs. */
static inception_status refuse(const inc_reader *file, inception_error *error)
{
    inc_field version, next;
    inc_reader start = *file;
    if (inc_left(file) == 0) return inc_fail(error, INCEPTION_DATA, "%s: the file is empty", file->name);
    const bool versioned = inc_read_field(&start, &version) == 1 && version.number == 1 && version.wire == 0
                        && inc_read_field(&start, &next) == 1 && next.wire == 2;
    if (versioned && version.value >= 3)
        return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: an ONNX model, which is written but not read; give the weights "
                        "that it was made from", file->name);
    if (versioned && version.value == 1 && next.number == 2)
        return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: the graphs of a SavedModel; give its weights, the file "
                        "variables/variables.index beside it", file->name);
    return inc_fail_at(error, INCEPTION_DATA, file->name, 0,
                       "not weights in a known format (TensorFlow checkpoint V1 or V2, Caffe model, safetensors)");
}

/* One of the files that Saver(sharded=True) makes in format V1, each a checkpoint of some of the variables. */
static bool is_shard(const char *name)
{
    const size_t size = strlen(name), tail = strlen("-#####-of-#####");
    if (size < tail || ends_with(name, "-00000-of-00001")) return false;
    return matches(name + size - tail, "-#####-of-#####") || matches(name + size - tail, "-\?\?\?\?\?-of-#####");
}

static inception_status read_file(inc_draft *draft, const char *path)
{
    inception_weights *weights = draft->weights;
    const char *name = locate(&weights->arena, path, draft->error);
    if (!name) return draft->error->status;
    if (is_shard(name))
        return inc_fail(draft->error, INCEPTION_UNSUPPORTED,
                        "%s: of a checkpoint of format V1 in several files; save it as V2, or in one", name);
    weights->maps = inc_calloc(1, sizeof *weights->maps, draft->error);
    if (!weights->maps) return INCEPTION_MEMORY;
    inception_status status = inc_map_open(name, &weights->maps[0], draft->error);
    if (status) return status;
    weights->map_count = 1;
    inc_reader file = inc_reader_of(name, weights->maps[0].data, weights->maps[0].size);
    for (size_t i = 0; i < INC_COUNT(formats); i++)
        if (formats[i].probe(file)) return formats[i].read(draft, file);
    return refuse(&file, draft->error);
}

inception_weights *inc_weights_open(const char *path, inception_error *error)
{
    inc_draft draft;
    inception_error own = {0}; /* the readers need one that is there */
    inception_weights *weights = inc_draft_begin(&draft, &own) ? NULL : inc_draft_end(&draft, read_file(&draft, path));
    if (!weights) inc_pass(error, &own);
    return weights;
}

void inc_weights_close(inception_weights *weights)
{
    if (!weights) return;
    for (size_t i = 0; i < weights->map_count; i++) inc_map_close(&weights->maps[i]);
    free(weights->maps);
    free(weights->tensors);
    inc_arena_free(&weights->arena);
    free(weights);
}

bool inc_weights_hold(const inception_weights *weights, const char *path)
{
    struct stat info;
    bool held = false;
    if (stat(path, &info) != 0) return false;
    for (size_t i = 0; i < weights->map_count; i++)
        held |= weights->maps[i].data && weights->maps[i].device == info.st_dev && weights->maps[i].inode == info.st_ino;
    return held;
}

bool inc_may_have_metadata(const char *path)
{
    inception_error own = {0};
    inc_arena arena = {0};
    inc_map map;
    const char *name = locate(&arena, path, &own);
    bool may = name && !inc_map_open(name, &map, &own);
    if (may) {
        may = inc_safetensors_probe(inc_reader_of(name, map.data, map.size));
        inc_map_close(&map);
    }
    inc_arena_free(&arena);
    return may;
}

/* ---- what was read ---- */

static int compare_name(const void *name, const void *tensor)
{
    return strcmp(name, ((const inception_tensor *)tensor)->name);
}

const inception_tensor *inc_weights_find(const inception_weights *weights, const char *name)
{
    if (weights->count == 0) return NULL;
    return bsearch(name, weights->tensors, weights->count, sizeof *weights->tensors, compare_name);
}

const char *inc_weights_metadata(const inception_weights *weights, const char *key)
{
    for (size_t i = 0; i < weights->metadata_count; i++)
        if (strcmp(weights->metadata[i].key, key) == 0) return weights->metadata[i].value;
    return NULL;
}
