/* Files of class names: each accepted form, each refused file, what the count may be. */
#include "../../src/model/private.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MOST 4

static inc_arena arena;
static const char *labels[MOST], *wnids[MOST];

static inception_status read_names(const void *data, size_t size, int classes, bool background, inception_error *error)
{
    for (int i = 0; i < MOST; i++) labels[i] = "old", wnids[i] = "old id";
    return inc_label_file_read("x", data, size, classes, background, &arena, labels, wnids, error);
}

static void accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names[3], *wnid; /* of class 1 */
    } rows[] = {
        {"a\nb\nc\n", {"a", "b", "c"}, "old id"},
        {"\xEF\xBB\xBFtench, Tinca tinca\r\nb \r\n c", {"tench, Tinca tinca", "b", "c"}, "old id"},
        {"\xE7\x8A\xAC\n\xF0\x9F\x90\x95\nc\xC3\xA9\n\n\n", {"\xE7\x8A\xAC", "\xF0\x9F\x90\x95", "c\xC3\xA9"}, "old id"},
        {"say \"b\"\n\"b\"\n3 d\n", {"say \"b\"", "\"b\"", "3 d"}, "old id"},
        {"name\nindex\nc\n", {"name", "index", "c"}, "old id"},
        {"0:daisy\n1:b: b\n2: c, c\n", {"daisy", "b: b", "c, c"}, "old id"},
        {"2:c\r\n0:a\r\n1:b\r\n", {"a", "b", "c"}, "old id"},
        {"0,a\n1,\"b, b\"\n2,\"say \"\"c\"\"\"\n", {"a", "b, b", "say \"c\""}, "old id"},
        {"\"0\",\"a\"\n\"1\" , \"b\" \n\"2\",c", {"a", "b", "c"}, "old id"},
        {"2,n00000003,c\n1,n00000002,b\n0,,a\n", {"a", "b", "c"}, "n00000002"},
        {"index,name\r\n2,c\r\n1,b\r\n0,a\r\n", {"a", "b", "c"}, "old id"},
        {"Index,WNID,Name\n0,n00000001,a\n1,n00000002,b\n2,n00000003,\"c,c\"\n", {"a", "b", "c,c"}, "n00000002"},
        {"wnid,name\n,a\nn00000002,b\n,c\n", {"a", "b", "c"}, "n00000002"},
        {"label,what,class\na,x,0\nb,y,1\nc,\"z,z\",2\n", {"a", "b", "c"}, "old id"},
    };
    for (size_t r = 0; r < INC_COUNT(rows); r++) {
        inception_error error = {0};
        inception_status status = read_names(rows[r].text, strlen(rows[r].text), 3, false, &error);
        if (status) fail_msg("row %zu: %s", r, error.message);
        for (int i = 0; i < 3; i++) assert_string_equal(labels[i], rows[r].names[i]);
        assert_string_equal(wnids[1], rows[r].wnid);
        assert_string_equal(labels[3], "old");
    }
}

/* A network with "background" takes a file without it, whether that counts from 0 or from 1; others do not. */
static void background(void **state)
{
    (void)state;
    static const char *const files[] = {"a\nb\nc\n", "0:a\n1:b\n2:c\n", "1:a\n2:b\n3:c\n", "index,name\n3,c\n2,b\n1,a\n"};
    for (size_t i = 0; i < INC_COUNT(files); i++) {
        inception_error error = {0};
        assert_int_equal(read_names(files[i], strlen(files[i]), 4, true, &error), INCEPTION_OK);
        assert_string_equal(labels[0], "old");
        assert_string_equal(labels[1], "a");
        assert_string_equal(labels[3], "c");
        assert_int_equal(read_names(files[i], strlen(files[i]), 4, false, &error), INCEPTION_DATA);
        assert_non_null(strstr(error.message, "3 names for the 4 classes"));
    }
    assert_int_equal(read_names("a\nb\nc\nd\n", 8, 4, true, NULL), INCEPTION_OK);
    assert_string_equal(labels[0], "a");
    inception_error error = {0}; /* class 2 of 0...3 is missing: no shift hides that */
    assert_int_equal(read_names("0:a\n1:b\n3:c\n", 12, 4, true, &error), INCEPTION_DATA);
    assert_non_null(strstr(error.message, "line 3"));
    assert_non_null(strstr(error.message, "class 2 has none"));
}

/* tests/refused/labels: the sentence names the file and mentions what stands between the dots of the file's name. */
static void refused(void **state)
{
    (void)state;
    const char *root = getenv("INCEPTION_REFUSED");
    char path[600], *mention;
    int seen = 0;
    snprintf(path, sizeof path, "%s/labels", root ? root : "tests/refused");
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        uint8_t *data;
        size_t size;
        inception_error error = {0};
        snprintf(path, sizeof path, "%s/labels/%s", root ? root : "tests/refused", entry->d_name);
        assert_int_equal(inc_file_read(path, 1 << 20, &data, &size, NULL), INCEPTION_OK);
        inception_status status = read_names(data, size, 3, false, &error);
        mention = strchr(entry->d_name, '.') + 1;
        *strchr(mention, '.') = 0;
        for (char *c = mention; *c; c++) *c = *c == '_' ? ' ' : *c;
        if (status != INCEPTION_DATA || strncmp(error.message, "x: ", 3) != 0 || !strstr(error.message, mention))
            fail_msg("%s: status %d, '%s'", path, status, error.message);
        free(data);
        seen++;
    }
    closedir(folder);
    assert_true(seen >= 36);
}

static int free_arena(void **state)
{
    (void)state;
    inc_arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(accepted), cmocka_unit_test(background), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, free_arena);
}
