/* Photos decoded ahead: order, errors in their places, bounded memory, what is passed over, the end. */
#include "../../cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void write_photo(const char *path, int width, int height)
{
    uint8_t *rgb = calloc((size_t)width * (size_t)height, 3);
    inception_image *image = inception_image_from_pixels(rgb, width, height, (size_t)width * 3, NULL);
    assert_int_equal(inception_image_write_png(image, path, NULL), INCEPTION_OK);
    inception_image_free(&image);
    free(rgb);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_true(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int enter_folder(void **state)
{
    static char name[] = "/tmp/pipeline.XXXXXX";
    *state = name;
    if (!mkdtemp(name) || chdir(name) != 0) return -1;
    write_photo("0.png", 1500, 1000); /* the slowest comes first */
    for (int i = 1; i < 40; i++) {
        char path[32];
        snprintf(path, sizeof path, "%d.png", i);
        write_photo(path, i % 7 ? i : 300 + i, 20);
    }
    write_photo("broken.png", 30, 30);
    assert_int_equal(truncate("broken.png", 40), 0);
    return mkdir("empty", 0777);
}

static int leave_folder(void **state)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r '%s'", (const char *)*state);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static photo_walk *open_walk(photo_settings *settings, char **words, int count)
{
    inception_error error = {0};
    photo_walk *walk = photos_open(settings, words, count, &error);
    assert_non_null(walk);
    return walk;
}

static photo_pipeline *open_pipeline(photo_walk *walk, const photo_settings *settings, int threads)
{
    inception_error error = {0};
    photo_pipeline *pipeline = pipeline_open(walk, settings, threads, &error);
    assert_non_null(pipeline);
    return pipeline;
}

/* One photo, or NULL at the end. */
static const cli_loaded *take_one(photo_pipeline *pipeline)
{
    const cli_loaded *loaded;
    return pipeline_take(pipeline, &loaded, 1) ? loaded : NULL;
}

/* One by one and several at a time. */
static void input_order(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 64; threads *= 4) {
        photo_settings settings = {0};
        char *words[] = {"empty", "broken.png", ".", "nothing.png"};
        photo_walk *walk = open_walk(&settings, words, 4);
        photo_pipeline *pipeline = open_pipeline(walk, &settings, threads);
        const cli_loaded *some[16], *loaded;
        size_t number = 0, count = 0, at = 0, most = threads == 1 ? 1 : threads == 4 ? 3 : 16, together = 0;
        for (; at < count || (count = pipeline_take(pipeline, some, most), at = 0, count); number++) {
            assert_in_range(count, 1, most);
            if (count > together) together = count;
            loaded = some[at++];
            if (number == 7) usleep(300000); /* time enough to decode more than one ahead */
            char path[40], name[32];
            int i = (int)number - 2;
            snprintf(name, sizeof name, "%d.png", i);
            snprintf(path, sizeof path, "./%s", name);
            bool listed = i >= 0 && i < 40;
            const char *expected[] = {"empty", "broken.png", "./broken.png", "nothing.png"};
            assert_string_equal(loaded->photo.path, listed ? path : expected[number < 2 ? number : number - 40]);
            if (listed) assert_string_equal(loaded->photo.name, name);
            assert_int_equal(loaded->photo.number, number + 1);
            assert_int_equal(loaded->image != NULL, listed);
            assert_int_equal(loaded->error.status != INCEPTION_OK, !listed);
            if (listed) assert_int_equal(inception_image_width(loaded->image), i == 0 ? 1500 : i % 7 ? i : 300 + i);
        }
        assert_int_equal(number, 44);
        assert_int_equal(together > 1, most > 1);
        assert_null(take_one(pipeline));
        pipeline_close(&pipeline);
        photos_close(&walk);
    }
}

static void early_end(void **state)
{
    (void)state;
    for (int taken = 0; taken < 20; taken += 3) {
        photo_settings settings = {0};
        char *words[] = {"."};
        photo_walk *walk = open_walk(&settings, words, 1);
        photo_pipeline *pipeline = open_pipeline(walk, &settings, 4);
        for (int i = 0; i < taken; i++) assert_non_null(take_one(pipeline));
        pipeline_close(&pipeline);
        assert_null(pipeline);
        photos_close(&walk);
    }
}

static size_t count_photos(photo_walk *walk)
{
    cli_photo photo;
    inception_error error = {0};
    size_t count = 0;
    for (; photos_next(walk, &photo, &error); count++) error = (inception_error){0};
    return count;
}

static void known_photos(void **state)
{
    (void)state;
    photo_settings settings = {.files_from = "list"};
    char *words[] = {".", "empty", "1.png"};
    inception_error error = {0};
    name_set known = {0};
    write_text("list", "2.png\n./2.png\n");
    assert_true(names_add(&known, "./5.png", &error));
    assert_true(names_add(&known, "empty", &error));
    photo_walk *walk = open_walk(&settings, words, 3);
    photos_pass_over(walk, &known);
    photo_walk *again = photos_again(walk);
    assert_int_equal(count_photos(walk), 41 - 1 + 1 + 1); /* without ./5.png, empty and the second ./2.png */
    assert_int_equal(count_photos(again), 41 + 1 + 1 + 2);
    photos_close(&again);
    photos_close(&walk);
    names_clear(&known);
}

static void left_out_folder(void **state)
{
    (void)state;
    photo_settings settings = {0};
    char *words[] = {"."};
    assert_int_equal(mkdir("sorted", 0777), 0);
    write_photo("sorted/1.png", 5, 5);
    photo_walk *walk = open_walk(&settings, words, 1), *all = open_walk(&settings, words, 1);
    photos_leave_out(walk, "../../tmp/../.");
    photos_leave_out(walk, "./sorted/");
    assert_int_equal(count_photos(walk), 41);
    assert_int_equal(count_photos(all), 42);
    photos_close(&all);
    photos_close(&walk);
    assert_int_equal(unlink("sorted/1.png"), 0);
    assert_int_equal(rmdir("sorted"), 0);
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

/* Kilobytes that the process has held at most so far. */
static long most_memory(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static void run_list(photo_settings *settings, size_t expected, bool slow)
{
    photo_walk *walk = open_walk(settings, NULL, 0);
    photo_pipeline *pipeline = open_pipeline(walk, settings, 8);
    size_t count = 0;
    for (; take_one(pipeline); count++)
        if (slow && count == 3) usleep(1500000); /* time enough to decode all of them */
    assert_int_equal(count, expected);
    pipeline_close(&pipeline);
    photos_close(&walk);
}

static void list_photo(const char *photo, int times)
{
    FILE *list = fopen("list", "w");
    for (int i = 0; i < times; i++) fprintf(list, "%s\n", photo);
    assert_int_equal(fclose(list), 0);
}

/* 3000 photos are 800 MB of pixels, 40 large ones 1400 MB, of which the places alone could hold 576 MB. What may wait
 * or be decoded at once is 256 MB; the rest is for the decoder and what the allocator keeps. */
static void bounded_memory(void **state)
{
    (void)state;
    if (SANITIZED) skip(); /* they keep what was freed */
    photo_settings settings = {.files_from = "list"};
    write_photo("middle.png", 300, 300);
    write_photo("large.png", 4000, 3000);
    list_photo("middle.png", 30);
    run_list(&settings, 30, false);
    long few = most_memory();
    list_photo("middle.png", 3000);
    run_list(&settings, 3000, false);
    assert_in_range(most_memory() - few, 0, 20 << 10);
    list_photo("large.png", 40);
    run_list(&settings, 40, true);
    assert_in_range(most_memory() - few, 0, 300 << 10);
    assert_int_equal(unlink("middle.png") + unlink("large.png") + unlink("list"), 0);
}

static void interrupt(void **state)
{
    (void)state;
    photo_settings settings = {0};
    char *words[] = {"-", "."};
    int ends[2], input = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    dup2(ends[0], STDIN_FILENO); /* nobody will write */
    signal(SIGINT, SIG_DFL); /* a job in the background ignores it */
    catch_interrupts();
    photo_walk *walk = open_walk(&settings, words, 2);
    photo_pipeline *pipeline = open_pipeline(walk, &settings, 2);
    usleep(100000);
    raise(SIGINT);
    assert_null(take_one(pipeline));
    pipeline_close(&pipeline);
    photos_close(&walk);
    dup2(input, STDIN_FILENO);
}

int main(void)
{
    text_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_order),    cmocka_unit_test(early_end),      cmocka_unit_test(known_photos),
        cmocka_unit_test(left_out_folder), cmocka_unit_test(bounded_memory), cmocka_unit_test(interrupt), /* the last */
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
