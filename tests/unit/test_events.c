/* The writer of event files: framing, buckets and failures, by arithmetic by hand. Whether TensorFlow and TensorBoard read
 * the same from the file is golden/check_events.py's. */
#include "../formula.h"
#include "../../src/events/private.h"

#include <dirent.h>
#include <fcntl.h>
#include <float.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_GRAPH = 4, EVENT_SUMMARY = 5 };

static char folder[] = "/tmp/inception-events-XXXXXX";

/* The paths of what is in the folder; how many. */
static int list(char paths[4][512])
{
    DIR *directory = opendir(folder);
    int count = 0;
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        assert_true(count < 4);
        snprintf(paths[count++], 512, "%s/%s", folder, entry->d_name);
    }
    closedir(directory);
    return count;
}

static int clear(void **state)
{
    (void)state;
    char paths[4][512];
    int count = list(paths);
    for (int i = 0; i < count; i++) unlink(paths[i]);
    return 0;
}

/* The log's one file, its first record (the version) passed over. */
static inc_reader open_file(inc_map *map)
{
    char paths[4][512];
    const uint8_t *skipped;
    assert_int_equal(list(paths), 1);
    assert_int_equal(inc_map_open(paths[0], map, NULL), INCEPTION_OK);
    inc_reader file = inc_reader_of("log", map->data, map->size);
    assert_true(inc_read_skip(&file, 40, &skipped));
    return file;
}

/* The next record of a file; false: the file ends. Fails where it ends within one, or on a wrong checksum. */
static bool next(inc_reader *file, inc_reader *event)
{
    uint64_t size = 0;
    uint32_t crc = 0;
    if (!inc_left(file)) return false;
    const uint8_t *head = file->at;
    assert_true(inc_read_u64(file, &size) && inc_read_u32(file, &crc));
    assert_int_equal(crc, inc_crc32c_mask(inc_crc32c(0, head, 8)));
    assert_true(inc_read_sub(file, size, event) && inc_read_u32(file, &crc));
    assert_int_equal(crc, inc_crc32c_mask(inc_crc32c(0, event->at, size)));
    return true;
}

static inc_field field_of(inc_reader message, uint32_t number)
{
    inc_field field;
    while (inc_read_field(&message, &field) == 1)
        if (field.number == number) return field;
    fail_msg("no field %u", number);
    return field;
}

static double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Bytes of spec/tfslim.md 6.2: version and a scalar, whose times were 1500000000. Ours differ in the time, so in a
 * checksum; what is around it must be the same. */
static void bytes_by_hand(void **state)
{
    (void)state;
    static const uint8_t version[] = {0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22, 0x09};
    static const uint8_t scalar[] = {0x1a, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x9b, 0xd8, 0x2d, 0x09};
    static const uint8_t value[] = {0x10, 0x07, 0x2a, 0x0d, 0x0a, 0x0b, 0x0a, 0x04, 'l', 'o', 's', 's', 0x15, 0, 0, 0, 0x3f};
    inc_map map;
    inc_reader event;
    double before = (double)time(NULL);
    inception_events *log = inception_events_open(folder, NULL);
    assert_int_equal(inception_events_add_scalar(log, "loss", 7, 0.5, NULL), INCEPTION_OK);
    inc_reader file = open_file(&map);
    assert_int_equal(map.size, 40 + 42); /* there before the log is closed */
    assert_memory_equal(map.data, version, sizeof version);
    assert_memory_equal(map.data + 21, "\x1a\x0d" "brain.Event:2", 15);
    assert_memory_equal(file.at, scalar, sizeof scalar);
    assert_memory_equal(file.at + 21, value, sizeof value);
    assert_true(next(&file, &event) && !next(&file, &event));
    file = inc_reader_of("log", map.data, map.size);
    while (next(&file, &event)) {
        double when = as_double(field_of(event, EVENT_TIME).value);
        assert_true(when >= before && when <= (double)time(NULL) + 1);
    }
    inc_map_close(&map);
    inception_events_close(&log);
    assert_null(log);
}

/* The whole of TensorFlow's record, checksums too: only the time is set by hand. */
static void checksums_by_hand(void **state)
{
    (void)state;
    static const uint8_t event[] = {0x09, 0, 0, 0, 0xc0, 0x0b, 0x5a, 0xd6, 0x41, 0x1a, 0x0d, 'b', 'r', 'a', 'i', 'n',
                                    '.', 'E', 'v', 'e', 'n', 't', ':', '2'};
    inc_message message = {0};
    inc_put_double(&message, 1, 1500000000.0);
    inc_put_text(&message, 3, "brain.Event:2");
    assert_int_equal(message.bytes.size, sizeof event);
    assert_memory_equal(message.bytes.data, event, sizeof event);
    assert_int_equal(inc_crc32c_mask(inc_crc32c(0, event, sizeof event)), 0x64a4a94c);
    inc_message_free(&message);
}

/* A file that is there is never touched, be it of the same second. */
static void names(void **state)
{
    (void)state;
    char paths[4][512];
    inception_events *logs[3];
    for (int i = 0; i < 3; i++) assert_non_null(logs[i] = inception_events_open(folder, NULL));
    assert_int_equal(list(paths), 3);
    for (int i = 0; i < 3; i++) {
        struct stat info;
        char *name = strrchr(paths[i], '/') + 1;
        assert_int_equal(strncmp(name, "events.out.tfevents.", 20), 0);
        assert_int_equal(strspn(name + 20, "0123456789"), 10);
        assert_int_equal(name[30], '.');
        assert_int_equal(stat(paths[i], &info), 0);
        assert_int_equal(info.st_size, 40);
        inception_events_close(&logs[i]);
    }
}

/* ---- histograms ---- */

typedef struct histogram {
    double min, max, count, sum, squares, limits[8], buckets[8];
    size_t size;
} histogram;

static histogram histogram_of(const float *values, size_t count)
{
    inc_message message = {0};
    inc_put_histogram(&message, values, count);
    assert_int_equal(message.status, INCEPTION_OK);
    inc_reader all = inc_reader_of("histogram", message.bytes.data, message.bytes.size);
    inc_reader limits = field_of(all, 6).bytes, buckets = field_of(all, 7).bytes;
    histogram h = {0};
    double *numbers[] = {&h.min, &h.max, &h.count, &h.sum, &h.squares};
    for (uint32_t i = 0; i < 5; i++) *numbers[i] = as_double(field_of(all, i + 1).value);
    h.size = inc_left(&limits) / sizeof(double);
    assert_true(h.size <= 8 && inc_left(&limits) == inc_left(&buckets));
    memcpy(h.limits, limits.at, inc_left(&limits));
    memcpy(h.buckets, buckets.at, inc_left(&buckets));
    inc_message_free(&message);
    return h;
}

static void check_histogram(const histogram *h, size_t size, const double (*wanted)[2])
{
    assert_int_equal(h->size, size);
    for (size_t i = 0; i < size; i++) { /* a limit is up to 773 products: each rounds by at most 2^-53 */
        assert_true(fabs(h->limits[i] - wanted[i][0]) <= 1e-13 * fabs(wanted[i][0]));
        assert_true(h->buckets[i] == wanted[i][1]);
    }
}

/* Limits around 0 are -1e-12, 0 and 1e-12; those around 1 are 1e-12 * 1.1^289 and 1.1^290 (289.9 = 12 ln 10 / ln 1.1). */
static void buckets_by_hand(void **state)
{
    (void)state;
    static const float few[] = {0, 0, 1, -1, 5e-13f, -5e-13f};
    double low = 1e-12 * pow(1.1, 289), high = 1e-12 * pow(1.1, 290);
    histogram h = histogram_of(few, 6);
    check_histogram(&h, 8, (const double[][2]){{-high, 0}, {-low, 1}, {-1e-12, 0}, {0, 1}, {1e-12, 3}, {low, 0}, {high, 1},
                                               {DBL_MAX, 0}});
    assert_true(h.min == -1 && h.max == 1 && h.count == 6 && h.sum == 0);
    assert_true(h.squares == 2 + 2 * (double)5e-13f * (double)5e-13f);
}

/* What lies on a limit is of the bucket above it. 1e-12 * 1.1^773 = 9.934e19 is the last limit. */
static void ends_by_hand(void **state)
{
    (void)state;
    static const float zero = 0, huge[] = {FLT_MAX, -FLT_MAX, 9.8e19f};
    histogram h = histogram_of(&zero, 1);
    check_histogram(&h, 3, (const double[][2]){{0, 0}, {1e-12, 1}, {DBL_MAX, 0}});
    h = histogram_of(huge, 3);
    double last = 1e-12 * pow(1.1, 773), before = 1e-12 * pow(1.1, 772);
    check_histogram(&h, 5, (const double[][2]){{-DBL_MAX, 0}, {-last, 1}, {before, 0}, {last, 1}, {DBL_MAX, 1}});
    h = histogram_of(NULL, 0);
    check_histogram(&h, 1, (const double[][2]){{DBL_MAX, 0}});
    assert_true(h.min == DBL_MAX && h.max == -DBL_MAX && h.count == 0 && h.sum == 0 && h.squares == 0);
}

/* ---- what is refused, and what fails ---- */

static void refuse(inception_status got, inception_status wanted, inception_error *error, const char *mention)
{
    assert_int_equal(got, wanted);
    assert_int_equal(error->status, wanted);
    if (!strstr(error->message, mention)) fail_msg("'%s' does not say '%s'", error->message, mention);
    *error = (inception_error){0};
}

/* Nothing of it is in the file, and the log goes on. */
static void refused(void **state)
{
    (void)state;
    static const float bad[] = {1, NAN, 2, -INFINITY};
    inception_error error = {0};
    inception_events *log = inception_events_open(folder, NULL);
    refuse(inception_events_add_scalar(log, "", 1, 1, &error), INCEPTION_INVALID, &error, "empty or not UTF-8");
    refuse(inception_events_add_scalar(log, "a\xff", 1, 1, &error), INCEPTION_INVALID, &error, "not UTF-8");
    refuse(inception_events_add_histogram(log, "\xc3", 1, bad, 1, &error), INCEPTION_INVALID, &error, "not UTF-8");
    refuse(inception_events_add_histogram(log, "w", 1, bad, 4, &error), INCEPTION_INVALID, &error,
           "histogram 'w': 2 of 4 values are not finite");
    refuse(inception_events_add_histogram(log, "w", 1, NULL, 4, &error), INCEPTION_INVALID, &error, "values");
    refuse(inception_events_add_image(log, "p", 1, NULL, &error), INCEPTION_INVALID, &error, "image");
    refuse(inception_events_add_graph(log, NULL, NULL, &error), INCEPTION_INVALID, &error, "path");
    refuse(inception_events_add_graph(log, "/dev/null/x", NULL, &error), INCEPTION_NOT_FOUND, &error, "/dev/null/x");
    refuse(inception_events_add_scalar(NULL, "a", 1, 1, &error), INCEPTION_INVALID, &error, "no log");
    assert_null(inception_events_open(NULL, &error));
    assert_int_equal(inception_events_add_scalar(log, "a/\xc3\xa9", 1, (double)NAN, NULL), INCEPTION_OK);
    inc_map map;
    inc_reader file = open_file(&map), event;
    assert_true(next(&file, &event) && !next(&file, &event));
    inc_map_close(&map);
    inception_events_close(&log);
    inception_events_close(&log);
    inception_events_close(NULL);
}

static void no_folder(void **state)
{
    (void)state;
    inception_error error = {0};
    char path[64];
    snprintf(path, sizeof path, "%s/file", folder);
    close(open(path, O_CREAT | O_WRONLY, 0666));
    assert_null(inception_events_open(path, &error));
    assert_non_null(strstr(error.message, path));
    error = (inception_error){0};
    snprintf(path, sizeof path, "%s/none/below", folder);
    assert_null(inception_events_open(path, &error));
    refuse(error.status, INCEPTION_NOT_FOUND, &error, path);
}

/* Permissions do not bind the superuser, so somebody else tries. */
static void not_writable(void **state)
{
    (void)state;
    inception_error error = {0};
    bool super = geteuid() == 0;
    assert_int_equal(chmod(folder, 0555), 0);
    if (super) assert_int_equal(seteuid(65534), 0);
    inception_events *log = inception_events_open(folder, &error);
    if (super) assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_null(log);
    refuse(error.status, INCEPTION_IO, &error, "Permission denied");
    char paths[4][512];
    assert_int_equal(list(paths), 0);
}

/* The disk is full within the `cut`-th byte of the record: the file ends before it, the run goes on. */
static void disk_full(void **state)
{
    (void)state;
    for (rlim_t cut = 0; cut < 42; cut++) {
        struct rlimit before, small;
        inception_error error = {0};
        inception_events *log = inception_events_open(folder, NULL);
        assert_int_equal(inception_events_add_scalar(log, "loss", 7, 1, NULL), INCEPTION_OK);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        small = before, small.rlim_cur = 40 + 42 + cut;
        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        inception_status status = inception_events_add_scalar(log, "loss", 8, 1, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        signal(SIGXFSZ, SIG_DFL);
        refuse(status, INCEPTION_IO, &error, "events.out.tfevents");
        assert_int_equal(inception_events_add_scalar(log, "loss", 9, 1, &error), INCEPTION_OK); /* told once */
        assert_int_equal(error.status, INCEPTION_OK);
        inception_events_close(&log);
        inc_map map;
        inc_reader file = open_file(&map), event;
        assert_true(next(&file, &event) && field_of(event, EVENT_STEP).value == 7 && !next(&file, &event));
        inc_map_close(&map);
        clear(NULL);
    }
}

/* A log that cannot even begin leaves no file. */
static void full_from_the_beginning(void **state)
{
    (void)state;
    struct rlimit before, small;
    inception_error error = {0};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before, small.rlim_cur = 10;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    inception_events *log = inception_events_open(folder, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_null(log);
    refuse(error.status, INCEPTION_IO, &error, "cannot write");
    char paths[4][512];
    assert_int_equal(list(paths), 0);
}

/* ---- the graph ---- */

/* A convolution with a bias of a photo of any number of channels: placeholder, two variables, two nodes. */
static void graph_by_hand(void **state)
{
    (void)state;
    static const struct { const char *name, *operator, *inputs[2]; } wanted[] = {
        {"input", "Placeholder", {0}},
        {"Net/a/weights", "VariableV2", {0}},
        {"Net/a/biases", "VariableV2", {0}},
        {"Net/a/Conv2D", "Conv2D", {"input", "Net/a/weights"}},
        {"Net/a/BiasAdd", "BiasAdd", {"Net/a/Conv2D", "Net/a/biases"}},
        {"Net/a/Relu", "Relu", {"Net/a/BiasAdd", NULL}},
    };
    inc_graph graph = {0};
    inc_node conv = {.op = INC_OP_CONV, .input_count = 1, .window = {1, 1, 1, 0, 0, 0, 0}};
    inc_node relu = {.op = INC_OP_RELU, .input_count = 1};
    conv.inputs[0] = graph.input = inc_graph_activation(&graph, "input", 8, 6, 3, NULL);
    conv.conv.scale = conv.conv.residual = INC_NONE;
    conv.conv.weights = inc_graph_variable(&graph, "Net/a/weights", 4, (int64_t[]){1, 1, 3, 5}, NULL);
    conv.conv.bias = inc_graph_variable(&graph, "Net/a/biases", 1, (int64_t[]){5}, NULL);
    relu.inputs[0] = conv.output = inc_graph_activation(&graph, "a", 8, 6, 5, NULL);
    relu.output = inc_graph_activation(&graph, "a", 8, 6, 5, NULL);
    assert_int_equal(inc_graph_add(&graph, &conv, NULL), INCEPTION_OK);
    assert_int_equal(inc_graph_add(&graph, &relu, NULL), INCEPTION_OK);
    inc_message message = {0};
    inc_put_graph(&message, &graph, "Net/");
    assert_int_equal(message.status, INCEPTION_OK);
    inc_reader def = inc_reader_of("graph", message.bytes.data, message.bytes.size);
    for (size_t i = 0; i < INC_COUNT(wanted); i++) {
        inc_field node, field;
        size_t at = 0;
        assert_int_equal(inc_read_field(&def, &node), 1);
        while (inc_read_field(&node.bytes, &field) == 1) {
            const char *const text[] = {NULL, wanted[i].name, wanted[i].operator, at < 2 ? wanted[i].inputs[at] : NULL};
            if (field.number > 3) continue;
            assert_non_null(text[field.number]);
            assert_int_equal(inc_left(&field.bytes), strlen(text[field.number]));
            assert_memory_equal(field.bytes.at, text[field.number], strlen(text[field.number]));
            at += field.number == 3;
        }
        assert_true(at == 2 || !wanted[i].inputs[at]);
    }
    assert_int_equal(inc_left(&def), 0);
    inc_message_free(&message);
    inc_graph_free(&graph);
}

static int take_name(void **state)
{
    (void)state;
    return mkdtemp(folder) && rmdir(folder) == 0 ? 0 : -1; /* the first log makes it */
}

static int leave(void **state)
{
    clear(state);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(bytes_by_hand, clear), cmocka_unit_test(checksums_by_hand),
        cmocka_unit_test_teardown(names, clear),         cmocka_unit_test(buckets_by_hand),
        cmocka_unit_test(ends_by_hand),                  cmocka_unit_test_teardown(refused, clear),
        cmocka_unit_test_teardown(no_folder, clear),     cmocka_unit_test(not_writable),
        cmocka_unit_test(disk_full),                     cmocka_unit_test(full_from_the_beginning),
        cmocka_unit_test(graph_by_hand),
    };
    return cmocka_run_group_tests(tests, take_name, leave);
}
