/* Tables and the file of --append: whatever byte a run was killed at, going on gives the file of a run that was not. */
#include "../../cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char path[] = "appended";

static int enter_folder(void **state)
{
    static char name[] = "/tmp/append.XXXXXX";
    *state = name;
    return mkdtemp(name) && chdir(name) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    return unlink(path) == 0 && chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

/* Two networks, then the same one twice, then one. */
static cli_contestant contestants[3][2];
static inception_model_info infos[2];

static void make_contestants(void)
{
    infos[0].network = inception_network_find("v3");
    infos[1].network = inception_network_find("v4");
    for (int run = 0; run < 3; run++)
        for (int i = 0; i < 2; i++)
            contestants[run][i] = (cli_contestant){
                .info = &infos[run == 0 ? i : 0], .path = i ? "a,\"b\".ckpt" : "a.ckpt", .ambiguous = run == 1};
}

/* Name and how many predictions there are; -1: a failure. */
static const struct {
    const char *name;
    int count;
} photos[] = {
    {"plain.png", 2},    {"com,ma \"quoted\"\r\nline.png", 1}, {"caf\xe9 \xff.png", 1}, {"none.png", 0}, {"bad,\n.png", -1},
    {"caf\xc3\xa9.png", 2}, {"caf\xe9", -1},                        {"\ttab", 1},
};

static void add_answer(cli_records *records, const cli_contestant *contestant, size_t photo)
{
    json_t *predictions = json_array();
    for (int i = 0; i < photos[photo].count; i++)
        json_array_append_new(predictions, json_pack("{s:i, s:s, s:s, s:f, s:f}", "index", i, "wnid", "n01", "label",
                                                     "a, \"b\"\n", "probability", 0.5, "logit", -1.5));
    json_t *fields = json_pack("{s:s, s:o}", "network", contestant->info->network->name, "predictions", predictions);
    if (contestant->ambiguous) json_object_set_new(fields, "weights", json_string(contestant->path));
    assert_int_equal(records_add(records, text_record(photos[photo].name, fields)), EXIT_FINE);
}

/* What classify does with the file; returns how many photos it passed over. */
static size_t go_on(int format, int run, size_t count)
{
    cli_records records = {.format = format};
    name_set known = {0};
    inception_error error = {0}, failure = {.status = INCEPTION_DATA, .message = "\"no\", photo"};
    size_t networks = run == 2 ? 1 : 2, passed = 0;
    size_t found = append_open(path, &records, contestants[run], networks, &known, &error);
    assert_int_equal(error.status, INCEPTION_OK);
    records_begin(&records);
    for (size_t i = 0; i < count; i++) {
        if (!names_add(&known, photos[i].name, &error)) {
            passed++;
        } else if (photos[i].count < 0) {
            records_failure(&records, photos[i].name, &failure);
        } else {
            for (size_t j = 0; j < networks; j++) add_answer(&records, &contestants[run][j], i);
            records_flush(&records);
        }
    }
    assert_int_equal(records_end(&records), EXIT_FINE);
    assert_int_equal(fclose(records.file), 0);
    assert_int_equal(passed, found);
    names_clear(&known);
    return passed;
}

static char *read_file(size_t *size)
{
    FILE *file = fopen(path, "r");
    char *bytes = calloc(1, 65536);
    *size = fread(bytes, 1, 65536, file);
    fclose(file);
    return bytes;
}

static void write_file(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void cut_anywhere(void **state)
{
    (void)state;
    for (int format = FORMAT_JSONL; format <= FORMAT_TSV; format++) {
        for (int run = 0; run < 3; run++) {
            size_t size, again, most = 0;
            write_file("", 0);
            assert_int_equal(go_on(format, run, COUNT(photos)), 0);
            char *whole = read_file(&size);
            for (size_t cut = 0; cut <= size; cut++) {
                write_file(whole, cut);
                size_t passed = go_on(format, run, COUNT(photos));
                assert_true(passed >= most);
                most = passed;
                char *bytes = read_file(&again);
                assert_int_equal(again, size);
                assert_memory_equal(bytes, whole, size);
                free(bytes);
            }
            assert_int_equal(most, COUNT(photos));
            free(whole);
        }
    }
}

static void whole_file(void **state)
{
    (void)state;
    size_t size, again;
    write_file("", 0);
    go_on(FORMAT_CSV, 0, COUNT(photos));
    char *whole = read_file(&size);
    cli_records records = {.format = FORMAT_CSV};
    name_set known = {0};
    inception_error error = {0};
    assert_int_equal(append_open(path, &records, contestants[0], 2, &known, &error), COUNT(photos));
    assert_int_equal(fclose(records.file), 0);
    char *bytes = read_file(&again);
    assert_int_equal(again, size);
    assert_memory_equal(bytes, whole, size);
    names_clear(&known);
    free(bytes);
    free(whole);
}

static void refused_files(void **state)
{
    (void)state;
    static const char v3[] = "{\"file\":\"a\",\"network\":\"inception_v3\"}\n";
    static const char v4[] = "{\"file\":\"a\",\"network\":\"inception_v4\"}\n";
    char twice[256], other[256], zero[64];
    snprintf(twice, sizeof twice, "%.*s\n{\"file\":\"b\",\"network\":\"inception_v3\"}\n", (int)strlen(v3) - 1, v3);
    snprintf(other, sizeof other, "%s{\"file\":\"a\",\"network\":\"googlenet\"}\n", v3);
    memcpy(zero, "{\"file\":\"a\0\",\"error\":\"b\"}\n", 26);
    const struct {
        const char *bytes, *message;
        size_t size;
        int format;
    } rows[] = {
        {"my notes", "line 1 is not", 8, FORMAT_JSONL},
        {"my notes\n", "line 1 is not", 9, FORMAT_CSV},
        {"file,rank\n", "line 1 is not", 10, FORMAT_CSV},
        {v3, "line 1 is not", strlen(v3), FORMAT_TSV},
        {"{\"file\":\"\"}\n", "line 1 is not", 12, FORMAT_JSONL},
        {"{\"file\":\"a\"\n", "line 1 is not", 12, FORMAT_JSONL},
        {"{\"file\":\"a\",\"file_base64\":\"AAAA\",\"error\":\"b\"}\n", "line 1 is not", 47, FORMAT_JSONL},
        {zero, "line 1 is not", 26, FORMAT_JSONL},
        {twice, "line 2: the photo before it lacks", strlen(twice), FORMAT_JSONL},
        {other, "line 2 is an answer of 'googlenet'", strlen(other), FORMAT_JSONL},
        {v4, "line 1 is an answer of 'inception_v4', where one of 'inception_v3' comes next", strlen(v4), FORMAT_JSONL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        cli_records records = {.format = rows[i].format};
        name_set known = {0};
        inception_error error = {0};
        size_t size;
        write_file(rows[i].bytes, rows[i].size);
        append_open(path, &records, contestants[0], 2, &known, &error);
        if (!strstr(error.message, rows[i].message)) fail_msg("row %zu: %s", i, error.message);
        assert_null(records.file);
        char *bytes = read_file(&size);
        assert_int_equal(size, rows[i].size);
        assert_memory_equal(bytes, rows[i].bytes, size);
        free(bytes);
        names_clear(&known);
    }
}

static void two_runs(void **state)
{
    (void)state;
    cli_records first = {.format = FORMAT_CSV}, second = first;
    name_set known = {0};
    inception_error error = {0};
    write_file("", 0);
    append_open(path, &first, contestants[0], 2, &known, &error);
    assert_int_equal(error.status, INCEPTION_OK);
    append_open(path, &second, contestants[0], 2, &known, &error);
    assert_non_null(strstr(error.message, "another run"));
    fclose(first.file);
    error = (inception_error){0};
    append_open("/dev/null", &second, contestants[0], 2, &known, &error);
    assert_int_equal(error.status, INCEPTION_IO);
}

static void split_rows(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int count;
        const char *fields[3];
    } rows[] = {
        {"", 1, {""}},
        {"a,b,c", 3, {"a", "b", "c"}},
        {",,", 3, {"", "", ""}},
        {"\"a,b\",\"\",c", 3, {"a,b", "", "c"}},
        {"\"\"\"a\"\"\nb\"", 1, {"\"a\"\nb"}},
        {"a,b,c,d", -1, {0}},
        {"\"a", -1, {0}},
        {"\"a\"b,c", -1, {0}},
        {"\"\"\"", -1, {0}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[32], *fields[3];
        snprintf(text, sizeof text, "%s", rows[i].text);
        assert_int_equal(table_split(text, ',', fields, 3), rows[i].count);
        for (int j = 0; j < rows[i].count; j++) assert_string_equal(fields[j], rows[i].fields[j]);
    }
}

int main(void)
{
    text_start();
    make_contestants();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_anywhere), cmocka_unit_test(whole_file), cmocka_unit_test(refused_files),
        cmocka_unit_test(two_runs),     cmocka_unit_test(split_rows),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
