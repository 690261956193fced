/* Packs: weights kept as the engine wants them. Whatever happens to the file, answers are those of the weights. */
#include "../formula.h"

#include "../../src/engine/engine.h"
#include "../../src/model/private.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ANSWERS 7

static char folder[] = "/tmp/inception-packs-XXXXXX", weights[64], cache[64];
static inception_image *photo;

typedef struct answer {
    float logits[ANSWERS];
    char first[64]; /* label */
} answer;

static inception_model_options with_cache(void)
{
    inception_model_options options;
    inception_model_options_default(&options);
    options.threads = 2;
    options.cache = cache;
    return options;
}

static answer ask(const inception_model_options *options)
{
    answer a = {0};
    inception_prediction top[ANSWERS];
    const inception_image *one[] = {photo};
    inception_error error = {0};
    inception_model *model = inception_model_open(weights, options, &error);
    if (!model) print_message("%s\n", error.message);
    assert_non_null(model);
    inception_session *session = inception_session_open(model, 1, NULL);
    assert_int_equal(inception_classify(session, one, 1, ANSWERS, top, NULL), INCEPTION_OK);
    for (int i = 0; i < ANSWERS; i++) a.logits[top[i].index] = top[i].logit;
    snprintf(a.first, sizeof a.first, "%s", inception_model_label(model, 0));
    inception_session_close(&session);
    inception_model_close(&model);
    return a;
}

/* How many files of this ending there are; the name of the last one. */
static int count_files(const char *ending, char *path, size_t size)
{
    int count = 0;
    DIR *listing = opendir(cache);
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        size_t length = strlen(entry->d_name);
        if (length < strlen(ending) || strcmp(entry->d_name + length - strlen(ending), ending) != 0) continue;
        if (path) snprintf(path, size, "%s/%s", cache, entry->d_name);
        count++;
    }
    if (listing) closedir(listing);
    return count;
}

static int packs(char *path, size_t size)
{
    return count_files(".pack", path, size);
}

static void empty(void)
{
    char path[400];
    while (packs(path, sizeof path)) unlink(path); /* which another thread may have done */
}

/* Changes a byte of a file and leaves its times as they were. */
static void change_byte(const char *path, long at)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, -1, SEEK_CUR);
    fputc(byte ^ 0x40, file);
    fclose(file);
    struct timespec times[] = {info.st_atim, info.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Changes a value in the middle of the weights by up to a half, and leaves the file's times as they were. */
static void change_weight(void)
{
    struct stat info;
    assert_int_equal(stat(weights, &info), 0);
    change_byte(weights, info.st_size / 8 * 4 + 2);
}

static void same_bits(void **state)
{
    (void)state;
    empty();
    inception_model_options options = with_cache();
    answer plain = ask(NULL), first = ask(&options), second = ask(&options);
    assert_int_equal(packs(NULL, 0), 1);
    assert_memory_equal(&first, &plain, sizeof plain);
    assert_memory_equal(&second, &plain, sizeof plain);
}

static ino_t inode_of_pack(void)
{
    char path[400];
    struct stat info;
    assert_int_equal(packs(path, sizeof path), 1);
    assert_int_equal(stat(path, &info), 0);
    return info.st_ino;
}

/* A pack that is taken stays; one that is not is written anew. A file that others may write to is not. */
static void whose_it_is(void **state)
{
    (void)state;
    char path[400], elsewhere[96];
    empty();
    inception_model_options options = with_cache();
    answer plain = ask(&options);
    ino_t first = inode_of_pack();
    ask(&options);
    assert_int_equal(inode_of_pack(), first);
    packs(path, sizeof path);
    assert_int_equal(chmod(path, 0666), 0);
    ask(&options);
    assert_int_not_equal(inode_of_pack(), first);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    change_byte(elsewhere, 0);
    answer got = ask(&options);
    assert_memory_equal(&got, &plain, sizeof plain);
    change_byte(elsewhere, 0); /* it was not written over */
    inode_of_pack();
    assert_int_equal(unlink(elsewhere), 0);
}

/* The same bytes under right hashes, told to be of another input: the network would answer with a map. */
static void another_shape(void **state)
{
    (void)state;
    char engine[200];
    empty();
    inception_model_options options = with_cache();
    answer plain = ask(&options);
    inc_pack pack;
    inc_model model;
    inc_engine_key(engine, sizeof engine, INCEPTION_PRECISION_F32, options.threads);
    assert_int_equal(inc_pack_key(&pack, weights, &options, engine, NULL), INCEPTION_OK);
    assert_true(inc_pack_open(&pack, &model));
    ino_t first = inode_of_pack();
    model.shape.input.width = model.shape.input.height = 448;
    assert_int_equal(inc_pack_write(&pack, &model, pack.block, pack.block_bytes, pack.form, NULL), INCEPTION_OK);
    assert_int_not_equal(inode_of_pack(), first);
    inc_model_close(&model);
    inc_pack_close(&pack);
    answer got = ask(&options);
    assert_memory_equal(&got, &plain, sizeof plain);
}

static void other_ways(void **state)
{
    (void)state;
    char labels[96];
    empty();
    inception_model_options options = with_cache();
    answer plain = ask(&options);
    options.threads = 1;
    ask(&options);
    assert_int_equal(packs(NULL, 0), 2); /* parts are cut for the threads */
    options = with_cache();
    options.layer = INCEPTION_FEATURES;
    ask(&options);
    assert_int_equal(packs(NULL, 0), 3);
    empty();
    snprintf(labels, sizeof labels, "%s/labels.txt", folder);
    FILE *file = fopen(labels, "w");
    for (int i = 0; i < ANSWERS; i++) fprintf(file, "mine %d\n", i);
    fclose(file);
    options = with_cache();
    options.labels = labels;
    assert_string_equal(ask(&options).first, "mine 0");
    assert_int_equal(packs(NULL, 0), 0); /* a pack holds the file's own names */
    options.labels = NULL;
    assert_string_equal(ask(&options).first, plain.first);
    options.labels = labels;
    answer named = ask(&options); /* from the pack */
    assert_string_equal(named.first, "mine 0");
    assert_memory_equal(named.logits, plain.logits, sizeof plain.logits);
}

static void stale(void **state)
{
    (void)state;
    empty();
    inception_model_options options = with_cache();
    answer before = ask(&options);
    change_weight();
    answer after = ask(&options), again = ask(&options), plain = ask(NULL);
    change_weight();
    assert_true(memcmp(&after, &before, sizeof before) != 0);
    assert_memory_equal(&after, &plain, sizeof plain);
    assert_memory_equal(&again, &plain, sizeof plain);
    assert_int_equal(packs(NULL, 0), 1); /* in the place of the old one */
}

static uint8_t byte_at(const char *path, long at)
{
    inc_map map;
    assert_int_equal(inc_map_open(path, &map, NULL), INCEPTION_OK);
    assert_true((size_t)at < map.size);
    const uint8_t byte = ((const uint8_t *)map.data)[at];
    inc_map_close(&map);
    return byte;
}

static void damaged(void **state)
{
    (void)state;
    char path[400];
    struct stat info;
    empty();
    inception_model_options options = with_cache();
    answer plain = ask(&options);
    assert_int_equal(packs(path, sizeof path), 1);
    assert_int_equal(stat(path, &info), 0);
    const long padding = 48 + (byte_at(path, 8) | byte_at(path, 9) << 8) + (byte_at(path, 16) | byte_at(path, 17) << 8);
    const long block = (padding + 4095) / 4096 * 4096;
    assert_true(padding > 300 && block < 65536 && byte_at(path, 10) + byte_at(path, 18) == 0);
    for (long at = 0; at < info.st_size; at += at < 64 ? 1 : at < block ? 29 : 70001) {
        if (at >= padding && at < block) continue; /* which nobody reads */
        const uint8_t before = byte_at(path, at);
        change_byte(path, at);
        answer got = ask(&options);
        assert_memory_equal(&got, &plain, sizeof plain);
        assert_int_equal(byte_at(path, at), before); /* it was written anew */
    }
    for (long size = 0; size < info.st_size; size = size * 3 + 1) {
        assert_int_equal(truncate(path, size), 0);
        answer got = ask(&options);
        assert_memory_equal(&got, &plain, sizeof plain);
    }
}

static void nowhere_to_write(void **state)
{
    (void)state;
    inception_model_options options = with_cache();
    options.cache = "/nowhere/at/all";
    answer plain = ask(NULL), got = ask(&options);
    assert_memory_equal(&got, &plain, sizeof plain);
    options.cache = weights; /* a file in the folder's place */
    got = ask(&options);
    assert_memory_equal(&got, &plain, sizeof plain);
}

static void *open_often(void *wanted)
{
    inception_model_options options = with_cache();
    for (int i = 0; i < 5; i++) {
        answer got = ask(&options);
        if (memcmp(&got, wanted, sizeof got) != 0) return NULL;
        empty();
    }
    return wanted;
}

/* Two that open and write at once, while packs vanish under them. */
static void at_once(void **state)
{
    (void)state;
    empty();
    answer plain = ask(NULL);
    pthread_t thread;
    void *mine, *other;
    assert_int_equal(pthread_create(&thread, NULL, open_often, &plain), 0);
    mine = open_often(&plain);
    pthread_join(thread, &other);
    assert_ptr_equal(mine, &plain);
    assert_ptr_equal(other, &plain);
    assert_int_equal(count_files(".partial", NULL, 0), 0); /* nothing half written is left */
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    inc_shape shape = inc_shape_default(inception_network_find("v2"));
    shape.depth_multiplier = 0.25, shape.classes = ANSWERS;
    snprintf(weights, sizeof weights, "%s/m.safetensors", folder);
    snprintf(cache, sizeof cache, "%s/packs", folder);
    photo = formula_photo(1);
    return mkdir(cache, 0777) == 0 && photo && formula_write(shape, weights, NULL) ? 0 : -1;
}

static int remove_files(void **state)
{
    (void)state;
    char command[96];
    inception_image_free(&photo);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits),  cmocka_unit_test(whose_it_is), cmocka_unit_test(another_shape),
        cmocka_unit_test(other_ways), cmocka_unit_test(stale),       cmocka_unit_test(damaged),
        cmocka_unit_test(nowhere_to_write), cmocka_unit_test(at_once),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
