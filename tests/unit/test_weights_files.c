/* Weights files on disk: what our writers write is read back, every file of tests/refused is refused with a reason. */
#include "../../src/checkpoint/private.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char *in_folder(const char *folder, const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%.255s", folder, name);
    return path;
}

static void remove_folder(const char *folder)
{
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (entry->d_name[0] != '.') unlink(in_folder(folder, entry->d_name));
    if (directory) closedir(directory);
    rmdir(folder);
}

static void compare(const char *path, inception_format format, const inception_tensor *tensors, size_t count)
{
    inception_error error = {0};
    inception_weights *weights = inc_weights_open(path, &error);
    if (!weights) fail_msg("%s", error.message);
    assert_int_equal(weights->format, format);
    assert_int_equal(weights->count, count);
    for (size_t i = 0; i < count; i++) {
        const inception_tensor *tensor = inc_weights_find(weights, tensors[i].name);
        assert_non_null(tensor);
        assert_int_equal(tensor->type, tensors[i].type);
        assert_int_equal(tensor->rank, tensors[i].rank);
        assert_memory_equal(tensor->dims, tensors[i].dims, sizeof tensor->dims);
        if (tensor->count)
            assert_memory_equal(tensor->data, tensors[i].data, tensor->count * inc_type_size(tensor->type));
    }
    if (format == INCEPTION_FORMAT_MODEL_FILE) {
        assert_string_equal(inc_weights_metadata(weights, "labels"), "a \"b\"\n\xC3\xA9");
        assert_string_equal(inc_weights_metadata(weights, "empty"), "");
        assert_null(inc_weights_metadata(weights, "none"));
    }
    inc_weights_close(weights);
}

static void writers(void **state)
{
    (void)state;
    char folder[] = "/tmp/inception-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    static const uint8_t bytes[64] = {1, 2, 3, 4, 5, 6, 7, 8, 0xFF, 0xFE, 0x7F, 0x80};
    static const inc_metadata metadata[] = {{"labels", "a \"b\"\n\xC3\xA9"}, {"empty", ""}};
    inception_tensor tensors[INCEPTION_OTHER + 2] = {{0}};
    char names[INCEPTION_OTHER][32];
    size_t count = 0;
    for (; count < INCEPTION_OTHER; count++) {
        snprintf(names[count], sizeof names[count], "%s/%zu", count % 2 ? "odd" : "even", count);
        tensors[count] = (inception_tensor){names[count], (inception_type)count, 2, {2, 3}, 6, bytes};
    }
    tensors[count++] = (inception_tensor){"scalar", INCEPTION_F32, 0, {0}, 1, bytes};
    tensors[count++] = (inception_tensor){"empty", INCEPTION_F64, 2, {5, 0}, 0, NULL};
    char *model = in_folder(folder, "m.safetensors"), *prefix = in_folder(folder, "b");
    assert_int_equal(inc_safetensors_write(model, tensors, count, metadata, 2, NULL), INCEPTION_OK);
    assert_int_equal(inc_bundle_write(prefix, tensors, count, NULL), INCEPTION_OK);
    compare(model, INCEPTION_FORMAT_MODEL_FILE, tensors, count);
    compare(prefix, INCEPTION_FORMAT_TF_V2, tensors, count);
    compare(in_folder(folder, "b.index"), INCEPTION_FORMAT_TF_V2, tensors, count);
    FILE *file = fopen(in_folder(folder, "checkpoint"), "w");
    fputs("# a comment\nall_model_checkpoint_paths: \"x\"\nmodel_checkpoint_path: \"\\x62\"\nlast: 1.5e+9\n", file);
    fclose(file);
    compare(folder, INCEPTION_FORMAT_TF_V2, tensors, count);
    file = fopen(in_folder(folder, "checkpoint"), "w");
    fputs("model_checkpoint_path: '/no/such/folder/b'", file);
    fclose(file);
    compare(folder, INCEPTION_FORMAT_TF_V2, tensors, count);

    inception_error error = {0};
    tensors[1].name = tensors[0].name;
    assert_int_equal(inc_bundle_write(in_folder(folder, "new"), tensors, 2, &error), INCEPTION_INVALID);
    tensors[1].name = "\xFF";
    error = (inception_error){0};
    assert_int_equal(inc_safetensors_write(in_folder(folder, "new"), tensors, 2, NULL, 0, &error), INCEPTION_INVALID);
    assert_int_not_equal(access(in_folder(folder, "new.index"), F_OK), 0);
    assert_int_not_equal(access(in_folder(folder, "new"), F_OK), 0);
    assert_int_not_equal(inc_bundle_write("/no/such/folder/b", tensors, 1, NULL), INCEPTION_OK);
    remove_folder(folder);
}

/* ---- statistics ---- */

static void statistics(void **state)
{
    (void)state;
    static const float numbers[] = {1, NAN, -3, INFINITY, 8};
    static const uint16_t halves[] = {0x3C00, 0x0001, 0x7C00, 0xFBFF}; /* 1, 2^-24, infinity, -65504 */
    static const double huge[] = {1.5e308, 1.5e308, 1.5e308, -1e308};
    inception_statistics out;
    inception_tensor tensor = {"x", INCEPTION_F32, 1, {5}, 5, numbers};
    assert_true(inc_tensor_statistics(&tensor, &out));
    assert_true(out.min == -3 && out.max == 8 && out.mean == 2 && out.not_finite == 2);
    tensor = (inception_tensor){"x", INCEPTION_F16, 1, {4}, 4, halves};
    assert_true(inc_tensor_statistics(&tensor, &out));
    assert_true(out.min == -65504 && out.max == 1 && out.not_finite == 1);
    tensor = (inception_tensor){"x", INCEPTION_F64, 1, {4}, 4, huge};
    assert_true(inc_tensor_statistics(&tensor, &out));
    assert_true(fabs(out.mean / 0.875e308 - 1) < 1e-12);
    tensor.count = 0;
    assert_true(inc_tensor_statistics(&tensor, &out));
    assert_true(out.min == 0 && out.max == 0 && out.mean == 0);
    double value;
    assert_false(inc_tensor_read(&tensor, 0, 1, &value));
    assert_false(inc_tensor_read(&tensor, UINT64_MAX, 1, &value));
    tensor.type = INCEPTION_OTHER;
    assert_false(inc_tensor_statistics(&tensor, &out));
}

/* ---- bfloat16 ---- */

static float of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The upper half of the bits; the lower half decides between it and the next. */
static void rounding(void **state)
{
    (void)state;
    static const struct {
        uint32_t from;
        uint16_t to;
    } cases[] = {
        {0x3F800000, 0x3F80}, {0x3F807FFF, 0x3F80}, {0x3F808000, 0x3F80}, {0x3F808001, 0x3F81}, {0x3F818000, 0x3F82},
        {0x3FFFFFFF, 0x4000}, {0xBF818000, 0xBF82}, {0x80000000, 0x8000}, {0x00008000, 0x0000}, {0x00018000, 0x0002},
        {0x7F7F7FFF, 0x7F7F}, {0x7F7F8000, 0x7F80}, {0xFF800000, 0xFF80},
    };
    for (size_t i = 0; i < INC_COUNT(cases); i++) assert_int_equal(inc_to_bf16(of_bits(cases[i].from)), cases[i].to);
    for (uint32_t half = 0; half < 0x10000; half++)
        if (!isnan(inc_from_bf16((uint16_t)half))) assert_int_equal(inc_to_bf16(inc_from_bf16((uint16_t)half)), half);
}

/* ---- files that must be refused, and why ---- */

static void refused(void **state)
{
    (void)state;
    const char *root = getenv("INCEPTION_REFUSED");
    char folder[400];
    int count = 0;
    if (!root) skip();
    snprintf(folder, sizeof folder, "%s/checkpoint", root);
    DIR *directory = opendir(folder);
    if (!directory) fail_msg("%s: not there", folder);
    for (struct dirent *entry; (entry = readdir(directory));) {
        inception_error error = {0};
        if (entry->d_name[0] == '.' || strstr(entry->d_name, ".data-")) continue;
        char *path = in_folder(folder, entry->d_name);
        inception_weights *weights = inc_weights_open(path, &error);
        if (weights || error.status == INCEPTION_OK || strncmp(error.message, folder, strlen(folder)) != 0)
            fail_msg("%s: not refused as it should be: %s", path, error.message);
        count++;
    }
    closedir(directory);
    assert_true(count >= 124); /* all there are; their names say what is wrong with them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writers),
        cmocka_unit_test(statistics), cmocka_unit_test(rounding),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
