/* Readers of weights: the formats' test vectors, and files made here record by record, good ones and ones to refuse. */
#include "../../src/checkpoint/private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define NAME "memory"

/* The vectors of TensorFlow's formats: a V1 checkpoint made by its rules, and a real V2 index and data file. */
static const char v1_hex[] =
    "0000170a150a0f0a0161120412020802180122020a0012020801000815006100010101807f1213"
    "0a016112020a001a0a2a080000803f00000040000000000100000000ff78cb59"
    "000000000100000000c0f2a1b0000102010042000000000100000000dc6dd69e4708540e"
    "000000000000000000000000000000000000000000000000000000000000000000000000" "57fb808b247547db";
static const char v2_hex[] =
    "00000608011a020801000c13696e7075745f74656e736f720801120812020801"
    "120208012804354f779b8c000000000100000000fc65483d0000000001000000"
    "00c0f2a1b00001026a0033000000000100000000b34a83313808450e00000000"
    "000000000000000000000000000000000000000000000000000000000000000057fb808b247547db";
static const char v2_data_hex[] = "cabc7c3f";

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        out[i] = (uint8_t)byte;
    }
    return size;
}

static inception_weights *read_memory(inc_format_read *read, const void *data, size_t size, inception_error *error)
{
    inc_draft draft;
    assert_int_equal(inc_draft_begin(&draft, error), INCEPTION_OK);
    return inc_draft_end(&draft, read(&draft, inc_reader_of(NAME, data, size)));
}

static void check_value(const inception_weights *weights, const char *name, uint64_t at, double wanted)
{
    double value;
    const inception_tensor *tensor = inc_weights_find(weights, name);
    assert_non_null(tensor);
    assert_true(inc_tensor_read(tensor, at, 1, &value));
    assert_true(value == wanted);
}

static void v1_vector(void **state)
{
    (void)state;
    uint8_t bytes[256];
    size_t size = unhex(v1_hex, bytes);
    assert_int_equal(size, 151);
    inception_weights *weights = read_memory(inc_slices_read, bytes, size, NULL);
    assert_non_null(weights);
    assert_int_equal(weights->count, 1);
    assert_int_equal(weights->tensors[0].dims[0], 2);
    assert_true((const uint8_t *)weights->tensors[0].data > bytes); /* a view */
    assert_true((const uint8_t *)weights->tensors[0].data < bytes + size);
    check_value(weights, "a", 0, 1);
    check_value(weights, "a", 1, 2);
    inc_weights_close(weights);
}

/* Each byte of the vector that is changed must be noticed: all but the file's padding are under a checksum. */
static void v1_damage(void **state)
{
    (void)state;
    uint8_t bytes[256], *copy;
    size_t size = unhex(v1_hex, bytes);
    for (size_t cut = 0; cut < size; cut++) {
        inception_error error = {0};
        copy = malloc(cut ? cut : 1);
        memcpy(copy, bytes, cut);
        assert_null(read_memory(inc_slices_read, copy, cut, &error));
        assert_int_equal(error.status, INCEPTION_DATA);
        free(copy);
    }
    for (size_t at = 0; at < size; at++) {
        inception_error error = {0};
        bytes[at] ^= 0x55;
        assert_null(read_memory(inc_slices_read, bytes, size, &error));
        assert_int_not_equal(error.status, INCEPTION_OK);
        assert_int_equal(strncmp(error.message, NAME ": byte ", strlen(NAME ": byte ")), 0);
        bytes[at] ^= 0x55;
    }
}

static void v2_vector(void **state)
{
    (void)state;
    uint8_t index[256], data[8];
    size_t size = unhex(v2_hex, index), data_size = unhex(v2_data_hex, data), shards;
    inc_reader file = inc_reader_of("x.index", index, size), shard = inc_reader_of("x.data", data, data_size);
    inc_draft draft;
    assert_int_equal(inc_bundle_shards(file, &shards, NULL), INCEPTION_OK);
    assert_int_equal(shards, 1);
    inc_draft_begin(&draft, NULL);
    inception_weights *weights = inc_draft_end(&draft, inc_bundle_read(&draft, file, &shard, 1));
    assert_non_null(weights);
    assert_int_equal(weights->count, 1);
    assert_int_equal(weights->tensors[0].rank, 2);
    assert_ptr_equal(weights->tensors[0].data, data);
    check_value(weights, "input_tensor", 0, (double)0x1.f97994p-1f);
    inc_weights_close(weights);

    inception_error error = {0};
    data[1] ^= 1;
    inc_draft_begin(&draft, &error);
    assert_null(inc_draft_end(&draft, inc_bundle_read(&draft, file, &shard, 1)));
    assert_string_equal(error.message, "x.data: byte 0: tensor checksum does not match: input_tensor");
    assert_int_equal(error.position, 0);
}

/* The bytes of the real V2 file come out of the writer. */
static void v2_written(void **state)
{
    (void)state;
    char prefix[] = "/tmp/inception-test-XXXXXX", path[64];
    uint8_t index[256], data[8], written[512];
    size_t size = unhex(v2_hex, index);
    unhex(v2_data_hex, data);
    close(mkstemp(prefix));
    const inception_tensor tensor = {"input_tensor", INCEPTION_F32, 2, {1, 1}, 1, data};
    assert_int_equal(inc_bundle_write(prefix, &tensor, 1, NULL), INCEPTION_OK);
    snprintf(path, sizeof path, "%s.index", prefix);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(written, 1, sizeof written, file), size);
    assert_memory_equal(written, index, size);
    fclose(file);
    unlink(path);
    snprintf(path, sizeof path, "%s.data-00000-of-00001", prefix);
    unlink(path);
    unlink(prefix);
}

/* ---- files made here ---- */

/* A SavedSlice of `values`, whose box is given per dimension (length -1: the whole), and its key. */
static void add_slice(inc_table_writer *table, const char *name, const inc_slice *slice, const inc_message *values)
{
    inc_message record = {0}, saved = {0}, box = {0};
    uint8_t key[INC_MAX_KEY];
    for (int i = 0; i < slice->rank; i++) {
        inc_message extent = {0};
        inc_put_number(&extent, 1, slice->start[i]);
        if (slice->length[i] >= 0) inc_put_number(&extent, 2, slice->length[i]);
        inc_put_message(&box, 1, &extent);
    }
    inc_put_bytes(&saved, 1, name, strlen(name));
    inc_put_message(&saved, 2, &box);
    inc_put_bytes(&saved, 3, values->bytes.data, values->bytes.size);
    inc_put_message(&record, 2, &saved);
    inc_reader text = inc_reader_of(name, name, strlen(name));
    size_t size = inc_slice_key(&text, slice, key);
    assert_int_equal(inc_table_writer_add(table, key, size, record.bytes.data, record.bytes.size, NULL), INCEPTION_OK);
    inc_message_free(&record);
}

/* The first record: tensors with their types and shapes. */
static void add_list(inc_table_writer *table, const inception_tensor *tensors, size_t count)
{
    inc_message record = {0}, meta = {0};
    for (size_t i = 0; i < count; i++) {
        inc_message tensor = {0}, shape = {0};
        for (int d = 0; d < tensors[i].rank; d++) {
            inc_message dim = {0};
            inc_put_number(&dim, 1, tensors[i].dims[d]);
            inc_put_message(&shape, 2, &dim);
        }
        inc_put_bytes(&tensor, 1, tensors[i].name, strlen(tensors[i].name));
        inc_put_message(&tensor, 2, &shape);
        inc_put_number(&tensor, 3, inc_dtype_for(tensors[i].type)->number);
        inc_put_message(&meta, 1, &tensor);
    }
    inc_put_message(&record, 1, &meta);
    inc_table_writer_add(table, "", 0, record.bytes.data, record.bytes.size, NULL);
    inc_message_free(&record);
}

static inception_weights *finish(inc_table_writer *table, inception_error *error)
{
    assert_int_equal(inc_table_writer_finish(table, NULL), INCEPTION_OK);
    return read_memory(inc_slices_read, table->file.data, table->file.size, error);
}

/* Floats as the elements of a TensorProto: packed, one by one, or as its raw content. */
typedef enum encoding { PACKED, UNPACKED, CONTENT, SPLIT } encoding;

static void add_floats(inc_message *values, encoding how, const float *from, size_t count)
{
    size_t half = how == SPLIT ? count / 2 : 0;
    if (how == CONTENT) inc_put_bytes(values, 4, from, count * 4);
    if (how == PACKED || how == SPLIT) inc_put_bytes(values, 5, from + half, 0);
    if (how == SPLIT) inc_put_bytes(values, 5, from, half * 4);
    if (how == PACKED || how == SPLIT) inc_put_bytes(values, 5, from + half, (count - half) * 4);
    for (size_t i = 0; how == UNPACKED && i < count; i++) inc_put_float(values, 5, from[i]);
}

static void v1_encodings(void **state)
{
    (void)state;
    static const float numbers[6] = {1, -2, 3, -4, 5, -6};
    const inception_tensor list = {.name = "x", .type = INCEPTION_F32, .rank = 2, .dims = {2, 3}};
    const inc_slice whole = {2, {0, 0}, {-1, -1}};
    for (encoding how = PACKED; how <= SPLIT; how++) {
        inc_table_writer table;
        inc_message values = {0};
        inc_table_writer_init(&table);
        add_list(&table, &list, 1);
        add_floats(&values, how, numbers, 6);
        add_slice(&table, "x", &whole, &values);
        inception_weights *weights = finish(&table, NULL);
        assert_non_null(weights);
        for (size_t i = 0; i < 6; i++) check_value(weights, "x", i, (double)numbers[i]);
        inc_weights_close(weights);
        inc_table_writer_free(&table);
        inc_message_free(&values);
    }
}

/* Integers and halves are varints in V1 files; negative ones take ten bytes. */
static void v1_types(void **state)
{
    (void)state;
    static const struct {
        inception_type type;
        uint32_t field;
        uint64_t bits;
        double value;
    } rows[] = {
        {INCEPTION_I32, 7, (uint64_t)-5, -5}, {INCEPTION_U8, 7, 200, 200}, {INCEPTION_I16, 7, (uint64_t)-300, -300},
        {INCEPTION_I8, 7, (uint64_t)-1, -1}, {INCEPTION_I64, 10, (uint64_t)INT64_MIN, -0x1p63},
        {INCEPTION_BOOL, 11, 1, 1}, {INCEPTION_BF16, 13, 0x3FC0, 1.5}, {INCEPTION_F16, 13, 0xC200, -3},
        {INCEPTION_U16, 7, 65535, 65535}, {INCEPTION_U32, 16, 4000000000u, 4e9}, {INCEPTION_U64, 17, UINT64_MAX, 0x1p64},
    };
    const inc_slice whole = {0};
    for (size_t i = 0; i < INC_COUNT(rows); i++) {
        for (int packed = 0; packed < 2; packed++) {
            inc_table_writer table;
            inc_message values = {0}, run = {0};
            const inception_tensor list = {.name = "x", .type = rows[i].type};
            inc_table_writer_init(&table);
            add_list(&table, &list, 1);
            inc_buffer_add_varint(&run.bytes, rows[i].bits, NULL);
            if (packed) inc_put_bytes(&values, rows[i].field, run.bytes.data, run.bytes.size);
            else inc_put_number(&values, rows[i].field, (int64_t)rows[i].bits);
            add_slice(&table, "x", &whole, &values);
            inception_weights *weights = finish(&table, NULL);
            assert_non_null(weights);
            check_value(weights, "x", 0, rows[i].value);
            inc_weights_close(weights);
            inc_table_writer_free(&table);
            inc_message_free(&values);
            inc_message_free(&run);
        }
    }
}

/* A 4x3 tensor in pieces; piece p has the value 100 p + i at its element i. */
static inception_weights *partitioned(const inc_slice *slices, size_t count, inc_table_writer *table,
                                      inception_error *error)
{
    const inception_tensor list[] = {{.name = "other", .type = INCEPTION_F32, .rank = 1, .dims = {1}},
                                     {.name = "parts", .type = INCEPTION_F32, .rank = 2, .dims = {4, 3}}};
    const inc_slice whole = {1, {0}, {-1}};
    inc_message one = {0};
    inc_table_writer_init(table);
    add_list(table, list, 2);
    add_floats(&one, PACKED, (float[]){7}, 1);
    add_slice(table, "other", &whole, &one);
    for (size_t p = 0; p < count; p++) {
        float numbers[12];
        inc_message values = {0};
        size_t rows = (size_t)(slices[p].length[0] < 0 ? 4 : slices[p].length[0]);
        size_t columns = (size_t)(slices[p].length[1] < 0 ? 3 : slices[p].length[1]);
        for (size_t i = 0; i < 12; i++) numbers[i] = (float)(100 * p + i);
        add_floats(&values, PACKED, numbers, rows * columns <= 12 ? rows * columns : 12);
        add_slice(table, "parts", &slices[p], &values);
        inc_message_free(&values);
    }
    inc_message_free(&one);
    return finish(table, error);
}

static void v1_partitioned(void **state)
{
    (void)state;
    static const inc_slice good[] = {{2, {0, 0}, {2, -1}}, {2, {2, 0}, {2, 1}}, {2, {2, 1}, {2, 2}}};
    static const double wanted[12] = {0, 1, 2, 3, 4, 5, 100, 200, 201, 101, 202, 203};
    static const struct {
        inc_slice slices[2];
        const char *why;
    } bad[] = {
        {{{2, {0, 0}, {2, -1}}, {2, {1, 0}, {2, -1}}}, "slices overlap: parts"},
        {{{2, {0, 0}, {2, -1}}, {2, {2, 0}, {1, -1}}}, "slices hold 9 elements of 12: parts"},
        {{{2, {0, 0}, {2, -1}}, {2, {3, 0}, {2, -1}}}, "a slice reaches outside its tensor"},
        {{{2, {0, 0}, {-1, -1}}, {2, {0, 0}, {2, -1}}}, "overlap: parts"},
    };
    inc_table_writer table;
    inception_weights *weights = partitioned(good, 3, &table, NULL);
    assert_non_null(weights);
    assert_int_equal(weights->count, 2);
    for (size_t i = 0; i < 12; i++) check_value(weights, "parts", i, wanted[i]);
    check_value(weights, "other", 0, 7);
    inc_weights_close(weights);
    inc_table_writer_free(&table);
    for (size_t i = 0; i < INC_COUNT(bad); i++) {
        inception_error error = {0};
        assert_null(partitioned(bad[i].slices, 2, &table, &error));
        assert_int_equal(error.status, INCEPTION_DATA);
        assert_non_null(strstr(error.message, bad[i].why));
        inc_table_writer_free(&table);
    }
    inception_error error = {0};
    assert_null(partitioned(NULL, 0, &table, &error));
    assert_non_null(strstr(error.message, "values are missing of parts"));
    inc_table_writer_free(&table);
}

/* ---- keys ---- */

static void slice_keys(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        inc_slice slice;
        const char *hex;
    } rows[] = {
        {"a", {1, {0}, {-1}}, "00610001" "0101" "807f"},
        {"a", {0, {0}, {0}}, "00610001" "00"},
        {"\xFF", {1, {100}, {63}}, "00ff000001" "0101" "c064" "bf"},
        {"", {1, {64}, {-64}}, "000001" "0101" "c040" "40"},
        {"", {1, {-65}, {8191}}, "000001" "0101" "3fbf" "dfff"},
        {"", {1, {8192}, {INT64_MAX}}, "000001" "0101" "e02000" "ffc07fffffffffffffff"},
        {"", {1, {INT64_MIN}, {(INT64_C(1) << 62) - 1}}, "000001" "0101" "003f8000000000000000" "ffbfffffffffffffff"},
        {"", {1, {(INT64_C(1) << 55) - 1}, {INT64_C(1) << 55}}, "000001" "0101" "ff7fffffffffffff" "ff8080000000000000"},
    };
    for (size_t i = 0; i < INC_COUNT(rows); i++) {
        uint8_t key[INC_MAX_KEY], wanted[64];
        inc_reader name = inc_reader_of("", rows[i].name, strlen(rows[i].name));
        size_t size = inc_slice_key(&name, &rows[i].slice, key);
        assert_int_equal(size, unhex(rows[i].hex, wanted));
        assert_memory_equal(key, wanted, size);
    }
}

/* ---- tables ---- */

typedef struct seen {
    size_t count;
    char last[16];
} seen;

static inception_status count_record(void *context, const inc_record *record, inception_error *error)
{
    (void)error;
    seen *s = context;
    snprintf(s->last, sizeof s->last, "%.*s", (int)inc_left(&record->key), (const char *)record->key.at);
    char wanted[16];
    snprintf(wanted, sizeof wanted, "key%06zu", s->count++);
    assert_string_equal(s->last, wanted);
    assert_int_equal(inc_left(&record->value), 100);
    return INCEPTION_OK;
}

/* Enough records for several blocks and many restart points. */
static void tables(void **state)
{
    (void)state;
    inc_table_writer table;
    uint8_t value[100] = {1};
    inc_table_writer_init(&table);
    for (int i = 0; i < 9000; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%06d", i);
        assert_int_equal(inc_table_writer_add(&table, key, strlen(key), value, sizeof value, NULL), INCEPTION_OK);
    }
    assert_int_equal(inc_table_writer_finish(&table, NULL), INCEPTION_OK);
    seen s = {0};
    inc_reader file = inc_reader_of(NAME, table.file.data, table.file.size);
    assert_int_equal(inc_table_read(file, count_record, &s, NULL), INCEPTION_OK);
    assert_int_equal(s.count, 9000);
    inc_table_writer_free(&table);
}

/* ---- Caffe ---- */

static void add_shape_four(inc_message *blob, const int64_t dims[4])
{
    for (uint32_t i = 0; i < 4; i++) inc_put_number(blob, i + 1, dims[i]);
}

static void caffe_blobs(void **state)
{
    (void)state;
    static const float numbers[6] = {1, 2, 3, 4, 5, 6};
    static const double wide[2] = {0.5, -0.25};
    inc_message blobs[4] = {0}, old = {0}, new = {0}, shape = {0}, net = {0};
    add_shape_four(&blobs[0], (const int64_t[]){1, 1, 2, 3}); /* a fully connected layer of old */
    inc_put_bytes(&blobs[0], 5, numbers, 24);
    add_shape_four(&blobs[1], (const int64_t[]){1, 1, 1, 1});
    add_floats(&blobs[1], UNPACKED, numbers, 1); /* field 5 in both messages */
    inc_buffer_add_varint(&shape.bytes, 1, NULL);
    inc_buffer_add_varint(&shape.bytes, 3, NULL);
    inc_buffer_add_varint(&shape.bytes, 2, NULL);
    inc_message packed = {0};
    inc_put_bytes(&packed, 1, shape.bytes.data, shape.bytes.size);
    inc_put_bytes(&blobs[2], 7, packed.bytes.data, packed.bytes.size);
    inc_put_bytes(&blobs[2], 5, numbers, 24);
    packed.bytes.size = 0;
    inc_put_number(&packed, 1, 2);
    inc_put_bytes(&blobs[3], 7, packed.bytes.data, packed.bytes.size);
    inc_put_bytes(&blobs[3], 8, wide, 16);
    inc_put_bytes(&old, 6, blobs[0].bytes.data, blobs[0].bytes.size); /* blobs before the name: allowed */
    inc_put_bytes(&old, 6, blobs[1].bytes.data, blobs[1].bytes.size);
    inc_put_bytes(&old, 4, "old/fc", 6);
    inc_put_bytes(&new, 1, "new", 3);
    for (int i = 0; i < 3; i++) inc_put_bytes(&new, 7, blobs[i ? 3 : 2].bytes.data, blobs[i ? 3 : 2].bytes.size);
    inc_put_bytes(&net, 1, "Net", 3);
    inc_put_bytes(&net, 2, old.bytes.data, old.bytes.size);
    inc_put_bytes(&net, 100, new.bytes.data, new.bytes.size);
    assert_true(inc_caffe_probe(inc_reader_of(NAME, net.bytes.data, net.bytes.size)));
    inception_weights *weights = read_memory(inc_caffe_read, net.bytes.data, net.bytes.size, NULL);
    assert_non_null(weights);
    assert_int_equal(weights->count, 5);
    const inception_tensor *tensor = inc_weights_find(weights, "old/fc/weights");
    assert_non_null(tensor);
    assert_int_equal(tensor->rank, 2);
    assert_int_equal(tensor->dims[0] * 10 + tensor->dims[1], 23);
    assert_int_equal(inc_weights_find(weights, "old/fc/biases")->rank, 1);
    assert_int_equal(inc_weights_find(weights, "new/weights")->rank, 3);
    check_value(weights, "old/fc/weights", 5, 6);
    check_value(weights, "old/fc/biases", 0, 1);
    check_value(weights, "new/weights", 3, 4);
    check_value(weights, "new/biases", 1, -0.25);
    check_value(weights, "new/2", 0, 0.5);
    inc_weights_close(weights);
    for (size_t cut = 0; cut < net.bytes.size; cut++) { /* whole layers may be missing; nothing may be half there */
        weights = read_memory(inc_caffe_read, net.bytes.data, cut, NULL);
        assert_true(!weights || weights->count == 2);
        inc_weights_close(weights);
    }
    for (int i = 0; i < 4; i++) inc_message_free(&blobs[i]);
    inc_message *rest[] = {&old, &new, &shape, &net, &packed};
    for (size_t i = 0; i < INC_COUNT(rest); i++) inc_message_free(rest[i]);
}

/* ---- safetensors ---- */

static inception_weights *read_json(const char *json, size_t data, inception_error *error)
{
    uint8_t bytes[1024] = {0};
    uint64_t size = strlen(json);
    assert_true(8 + size + data <= sizeof bytes);
    memcpy(bytes, &size, 8);
    memcpy(bytes + 8, json, size);
    inception_weights *weights = read_memory(inc_safetensors_read, bytes, 8 + size + data, error);
    return weights;
}

static void safetensors_rules(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t data;
        const char *why; /* NULL: good */
    } rows[] = {
        {"{}", 0, NULL},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}  ", 4, NULL},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"__metadata__\":{\"k\":\"v\"}}", 0, NULL},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3, NULL},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 3, NULL},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 5, "belong to no tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 3, "not inside the file: a"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "do not fit its shape: a"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]}}", 8, "belong to no tensor"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "tensors overlap"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, "duplicate object key"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,0]}}", 0, "negative"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.5],\"data_offsets\":[0,1]}}", 1, "not a whole number: a"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, "more than 8 dimensions"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,1]}}", 1, "too large"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,0]}}", 1, "not inside the file: a"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0, "without dtype"},
        {"{\"a\":3}", 0, "without dtype"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "not text: k"},
        {"{\"__metadata__\":[]}", 0, "not an object"},
        {"[]", 0, "not a JSON object"},
        {"{\"a\":", 0, "not a JSON object"},
        {"{\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "without a name"},
        {"{\"a\\u001b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, "not printable"},
    };
    for (size_t i = 0; i < INC_COUNT(rows); i++) {
        inception_error error = {0};
        inception_weights *weights = read_json(rows[i].json, rows[i].data, &error);
        assert_int_equal(weights != NULL, rows[i].why == NULL);
        if (rows[i].why && !strstr(error.message, rows[i].why)) fail_msg("%s: %s", rows[i].json, error.message);
        inc_weights_close(weights);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1_vector),      cmocka_unit_test(v1_damage),   cmocka_unit_test(v2_vector),
        cmocka_unit_test(v2_written),     cmocka_unit_test(v1_encodings), cmocka_unit_test(v1_types),
        cmocka_unit_test(v1_partitioned), cmocka_unit_test(slice_keys),  cmocka_unit_test(tables),
        cmocka_unit_test(caffe_blobs),    cmocka_unit_test(safetensors_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
