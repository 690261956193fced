/* Safetensors: the size of the header (8 bytes), the header (JSON: name -> dtype, shape, data_offsets, and texts under
 * "__metadata__"), then the tensors' bytes without gaps or overlaps. Jansson parses the header; it refuses duplicate
 * keys, bad UTF-8 and deep nesting. */
#include "private.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define METADATA "__metadata__"

static const struct {
    const char *name;
    inception_type type;
} dtypes[] = {
    {"F32", INCEPTION_F32}, {"F64", INCEPTION_F64}, {"F16", INCEPTION_F16}, {"BF16", INCEPTION_BF16},
    {"I8", INCEPTION_I8},   {"U8", INCEPTION_U8},   {"I16", INCEPTION_I16}, {"U16", INCEPTION_U16},
    {"I32", INCEPTION_I32}, {"U32", INCEPTION_U32}, {"I64", INCEPTION_I64}, {"U64", INCEPTION_U64},
    {"BOOL", INCEPTION_BOOL},
};

typedef struct span {
    uint64_t begin, end;
} span;

typedef struct header {
    inc_draft *draft;
    inc_reader at;   /* the JSON text: where messages point to */
    inc_reader data; /* all bytes after it */
    span *spans;     /* of the tensors, as they come */
} header;

bool inc_safetensors_probe(inc_reader file)
{
    uint64_t size; /* too large a one is refused later; that of other formats would be beyond all reason */
    return inc_read_u64(&file, &size) && size < (uint64_t)1 << 40 && inc_left(&file) > 0 && *file.at == '{';
}

static inception_type type_of(const char *name)
{
    for (size_t i = 0; i < INC_COUNT(dtypes); i++)
        if (strcmp(dtypes[i].name, name) == 0) return dtypes[i].type;
    return INCEPTION_OTHER;
}

static inception_status refuse(header *h, const char *name, const char *what)
{
    return INC_DAMAGED(&h->at, h->draft->error, "%s: %s", what, name);
}

static inception_status read_metadata(header *h, json_t *texts)
{
    inception_weights *weights = h->draft->weights;
    inception_error *error = h->draft->error;
    const char *key;
    json_t *value;
    if (!json_is_object(texts)) return refuse(h, METADATA, "not an object");
    weights->metadata = inc_arena_alloc(&weights->arena, json_object_size(texts), sizeof(inc_metadata), error);
    if (!weights->metadata) return INCEPTION_MEMORY;
    json_object_foreach(texts, key, value) {
        if (!json_is_string(value)) return refuse(h, key, "metadata that is not text");
        inc_metadata *entry = &weights->metadata[weights->metadata_count++];
        entry->key = inc_arena_string(&weights->arena, key, strlen(key), error);
        entry->value = inc_arena_string(&weights->arena, json_string_value(value), json_string_length(value), error);
        if (!entry->key || !entry->value) return INCEPTION_MEMORY;
    }
    return INCEPTION_OK;
}

static bool read_offset(const json_t *offsets, size_t i, uint64_t *value)
{
    const json_t *number = json_array_get(offsets, i);
    if (!json_is_integer(number) || json_integer_value(number) < 0) return false;
    *value = (uint64_t)json_integer_value(number);
    return true;
}

static inception_status read_tensor(header *h, const char *name, const json_t *row, span *where)
{
    inc_draft *draft = h->draft;
    const char *dtype = json_string_value(json_object_get(row, "dtype"));
    const json_t *shape = json_object_get(row, "shape"), *offsets = json_object_get(row, "data_offsets");
    if (!dtype || !json_is_array(shape) || json_array_size(offsets) != 2)
        return refuse(h, name, "a tensor without dtype, shape or data_offsets");
    inception_tensor tensor = {.type = type_of(dtype), .count = 1};
    inception_status status = INCEPTION_OK;
    for (size_t i = 0; i < json_array_size(shape) && !status; i++) {
        const json_t *size = json_array_get(shape, i);
        if (!json_is_integer(size)) return refuse(h, name, "a dimension that is not a whole number");
        status = inc_shape_append(draft, &h->at, &tensor, (uint64_t)json_integer_value(size));
    }
    if (status) return status;
    if (!read_offset(offsets, 0, &where->begin) || !read_offset(offsets, 1, &where->end) || where->begin > where->end
        || where->end > inc_left(&h->data))
        return refuse(h, name, "a tensor that is not inside the file");
    size_t size = inc_type_size(tensor.type);
    if (size && where->end - where->begin != tensor.count * size)
        return refuse(h, name, "a tensor whose bytes do not fit its shape");
    if (size) tensor.data = h->data.at + where->begin;
    inc_reader text = inc_reader_of(h->at.name, name, strlen(name));
    return inc_draft_add(draft, &h->at, &text, &tensor);
}

static int by_place(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static inception_status check_spans(header *h, size_t count)
{
    uint64_t end = 0;
    if (count) qsort(h->spans, count, sizeof *h->spans, by_place);
    for (size_t i = 0; i <= count; i++) {
        uint64_t begin = i < count ? h->spans[i].begin : inc_left(&h->data);
        inc_reader at = h->data;
        at.at += end;
        if (begin < end) return INC_DAMAGED(&at, h->draft->error, "tensors overlap");
        if (begin > end) return INC_DAMAGED(&at, h->draft->error, "bytes that belong to no tensor");
        if (i < count) end = h->spans[i].end;
    }
    return INCEPTION_OK;
}

static inception_status read_rows(header *h, json_t *root)
{
    const char *name;
    json_t *row;
    size_t count = 0;
    inception_status status = INCEPTION_OK;
    h->spans = inc_calloc(json_object_size(root), sizeof *h->spans, h->draft->error);
    if (!h->spans) return INCEPTION_MEMORY;
    json_object_foreach(root, name, row) {
        status = strcmp(name, METADATA) == 0 ? read_metadata(h, row) : read_tensor(h, name, row, &h->spans[count++]);
        if (status) return status;
    }
    return check_spans(h, h->draft->weights->count);
}

inception_status inc_safetensors_read(inc_draft *draft, inc_reader file)
{
    header h = {.draft = draft, .data = file};
    json_t *root = NULL;
    uint64_t size;
    inception_status status = INCEPTION_OK;
    draft->weights->format = INCEPTION_FORMAT_MODEL_FILE;
    if (!inc_read_u64(&h.data, &size) || !inc_read_sub(&h.data, size, &h.at))
        return INC_DAMAGED(&file, draft->error, "the header is larger than the file");
    if (size > INC_MAX_HEADER)
        return inc_fail(draft->error, INCEPTION_LIMIT, "%s: the header is larger than %d bytes", file.name, INC_MAX_HEADER);
    json_error_t why;
    root = json_loadb((const char *)h.at.at, size, JSON_REJECT_DUPLICATES, &why);
    if (!root && json_error_code(&why) == json_error_out_of_memory) {
        status = inc_fail_memory(draft->error, 0);
        goto done;
    }
    if (!json_is_object(root)) {
        h.at.at += !root && why.position > 0 && (uint64_t)why.position <= size ? (size_t)why.position : 0;
        status = INC_DAMAGED(&h.at, draft->error, "the header is not a JSON object: %s", root ? "another kind" : why.text);
        goto done;
    }
    status = read_rows(&h, root);
    if (!status) status = inc_draft_sort(draft, file.name);

done:
    json_decref(root);
    free(h.spans);
    return status;
}
