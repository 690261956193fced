/* Photos and their classes, from a folder for each class or a CSV file: which there are, and what is wrong with them. */
#include "train.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LARGEST_CSV ((size_t)1 << 30)
#define LONGEST_LABEL 1000 /* bytes */
#define NAMED 5 /* examples that a warning names */

bool dataset_add(cli_dataset *set, char *path, char *name, const char *label, inception_error *error)
{
    char *copy = strdup(label);
    bool good = path && name && copy;
    if (good && set->count == set->capacity) {
        size_t capacity = 2 * set->capacity + 64;
        cli_example *larger = realloc(set->examples, capacity * sizeof *larger);
        good = larger != NULL;
        if (good) set->examples = larger, set->capacity = capacity;
    }
    if (good) {
        set->examples[set->count++] = (cli_example){.path = path, .name = name, .label = copy};
        return true;
    }
    free(path);
    free(name);
    free(copy);
    fail(error, INCEPTION_MEMORY, "out of memory");
    return false;
}

static void free_example(cli_example *example)
{
    free(example->path);
    free(example->name);
    free(example->label);
}

void dataset_free(cli_dataset *set)
{
    for (size_t i = 0; i < set->count; i++) free_example(&set->examples[i]);
    free(set->examples);
    for (int c = 0; c < set->classes; c++) free(set->labels[c]);
    free(set->labels);
    free(set->shown);
    json_decref(set->skipped);
    *set = (cli_dataset){0};
}

bool dataset_has_answer(const cli_dataset *set, size_t example)
{
    return set->several || set->examples[example].class >= 0;
}

bool dataset_shows(const cli_dataset *set, size_t example, int class)
{
    return set->several ? set->examples[example].shows[class] : set->examples[example].class == class;
}

/* ---- A CSV file ---- */

static exit_code read_csv(cli_dataset *set)
{
    inception_error error = {0};
    char *text = NULL;
    size_t size;
    int fd = open(set->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        complain("%s: cannot open: %s", set->path, strerror(errno));
        return EXIT_NO_INPUT;
    }
    bool good = read_all(fd, set->path, LARGEST_CSV, &text, &size, &error);
    close(fd);
    char *ended = good ? realloc(text, size + 1) : NULL;
    if (ended) text = ended, text[size] = '\0';
    if (good && !ended) fail(&error, INCEPTION_MEMORY, "out of memory");
    if (ended && strlen(text) != size) fail(&error, INCEPTION_DATA, "%s: zero bytes: this is no CSV file", set->path);
    if (!error.status) dataset_parse(set, text, &error);
    free(text);
    return error.status ? complain_error(&error) : EXIT_FINE;
}

/* ---- What is wrong with them ---- */

static int by_name(const void *a, const void *b)
{
    const cli_example *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->label, y->label);
}

/* A photo that is named again with the same label goes; with another one it stays, and photos have several. */
static void check_names(cli_dataset *set)
{
    size_t kept = 0, copies = 0;
    if (set->count) qsort(set->examples, set->count, sizeof *set->examples, by_name);
    for (size_t i = 0; i < set->count; i++) {
        cli_example *example = &set->examples[i], *before = kept ? &set->examples[kept - 1] : NULL;
        bool again = before && strcmp(before->name, example->name) == 0, same = again && by_name(before, example) == 0;
        set->several |= again && !same;
        if (same) free_example(example), copies++;
        else if (kept++ != i) set->examples[kept - 1] = *example;
    }
    if (!set->several) set->copies += copies; /* or what was said of a photo was said in several records */
    set->count = kept;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int dataset_class(const cli_dataset *set, const char *label)
{
    char **found = bsearch(&label, set->labels, (size_t)set->classes, sizeof *found, by_text);
    return found ? (int)(found - set->labels) : -1;
}

static int by_case(const void *a, const void *b)
{
    return strcasecmp(*(char *const *)a, *(char *const *)b);
}

/* Characters that turn the direction of others would make it look like another name. */
static bool is_line_of_text(const char *text)
{
    if (strlen(text) > LONGEST_LABEL) return false;
    for (uint32_t code; *text; text += utf8_next(text, &code)) {
        utf8_next(text, &code);
        bool turns = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
        if (code == 0xfffd || code < ' ' || turns) return false;
    }
    return true;
}

/* That every class has a name, and not nearly the name of another. */
static bool check_labels(char *const *labels, size_t count, const char *path, inception_error *error)
{
    for (size_t i = 0; i < count && !error->status; i++) {
        if (!is_line_of_text(labels[i]))
            fail(error, INCEPTION_DATA, "%s: class '%.200s' is not called by a line of UTF-8 text of at most %d bytes", path,
                 labels[i], LONGEST_LABEL);
        else if (i && strcasecmp(labels[i - 1], labels[i]) == 0 && strcmp(labels[i - 1], labels[i]) != 0)
            fail(error, INCEPTION_DATA, "%s: classes '%.100s' and '%.100s' differ in case only", path, labels[i - 1],
                 labels[i]);
    }
    return !error->status;
}

/* Finds the classes and numbers them; an example without a label is in none. */
static bool find_classes(cli_dataset *set, inception_error *error)
{
    size_t named = 0, others = 0;
    set->labels = calloc(set->count + 1, sizeof *set->labels);
    if (!set->labels) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    for (size_t i = 0; i < set->count; i++) {
        char *label = set->examples[i].label;
        bool other = set->others && strcmp(label, set->others) == 0;
        others += other;
        if (*label && !other) set->labels[named++] = label;
    }
    if (set->others && (!others || set->several))
        return fail(error, INCEPTION_DATA, others ? "%s: --others wants one class a photo, not '%s' among several labels"
                                                  : "%s: no photo is of '%s', which --others names", set->path, set->others),
               false;
    qsort(set->labels, named, sizeof *set->labels, by_case);
    if (!check_labels(set->labels, named, set->path, error)) return false;
    qsort(set->labels, named, sizeof *set->labels, by_text);
    for (size_t i = 0; i < named; i++)
        if (i == 0 || strcmp(set->labels[set->classes - 1], set->labels[i]) != 0)
            set->labels[set->classes++] = set->labels[i];
    for (size_t i = 0; i < set->count; i++) set->examples[i].class = dataset_class(set, set->examples[i].label);
    for (int c = 0; c < set->classes; c++) /* examples may go, classes stay */
        if (!(set->labels[c] = strdup(set->labels[c])))
            return set->classes = c, fail(error, INCEPTION_MEMORY, "out of memory"), false;
    if (set->classes > 1 || (set->classes && set->several)) return true;
    fail(error, INCEPTION_DATA, "%s: %s class%s; train wants two or more", set->path, set->classes ? "one" : "no",
         set->classes ? "" : "es");
    return false;
}

/* What was said of a photo in several places becomes one example. */
static bool join_labels(cli_dataset *set, inception_error *error)
{
    size_t kept = 0, classes = (size_t)set->classes;
    set->shown = calloc(set->count, classes * sizeof *set->shown);
    if (!set->shown) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    for (size_t i = 0; i < set->count; i++) {
        cli_example example = set->examples[i];
        bool again = kept && strcmp(set->examples[kept - 1].name, example.name) == 0;
        if (again) free_example(&example);
        else set->examples[kept++] = example, set->examples[kept - 1].shows = set->shown + (kept - 1) * classes;
        if (example.class >= 0) set->examples[kept - 1].shows[example.class] = true;
    }
    set->count = kept;
    return true;
}

bool dataset_classify(cli_dataset *set, inception_error *error)
{
    check_names(set);
    return find_classes(set, error) && (!set->several || join_labels(set, error));
}

static exit_code check_counts(const cli_dataset *set)
{
    size_t others = 0;
    for (size_t i = 0; i < set->count; i++) others += !dataset_has_answer(set, i);
    if (set->others && others < 2) {
        complain("%s: '%s', which --others names, has %s; at least two are needed, one to learn from and one to validate",
                 set->path, set->others, others ? "one photo" : "no photo that can be read");
        return EXIT_DATA;
    }
    for (int c = 0; c < set->classes; c++) {
        size_t count = 0;
        for (size_t i = 0; i < set->count; i++) count += dataset_shows(set, i, c);
        const char *what = set->several ? "label" : "class";
        if (count < 2)
            complain("%s: %s '%s' has %s; at least two are needed, one to learn from and one to validate", set->path, what,
                     set->labels[c], count ? "one photo" : "no photo that can be read");
        else if (set->several && set->count - count < 2)
            complain("%s: %s photo has the label '%s'; at least two without it are needed, or there is nothing to tell",
                     set->path, set->count == count ? "every" : "all but one", set->labels[c]);
        else continue;
        return EXIT_DATA;
    }
    return EXIT_FINE;
}

static void leave_out(cli_dataset *set, const bool *which)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (which[i]) free_example(&set->examples[i]);
        else set->examples[kept++] = set->examples[i];
    }
    set->count = kept;
}

exit_code dataset_leave_out(cli_dataset *set, const bool *unreadable)
{
    for (size_t i = 0; i < set->count; i++)
        if (unreadable[i]) json_array_append_new(set->skipped, text_json(set->examples[i].name));
    leave_out(set, unreadable);
    return check_counts(set);
}

/* ---- Contents ---- */

static bool digest_of(cli_example *example, inception_error *error)
{
    struct stat *info = &example->file;
    int fd = open(example->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return fail(error, INCEPTION_IO, "%s: cannot open: %s", example->path, strerror(errno)), false;
    if (fstat(fd, info) != 0 || !S_ISREG(info->st_mode)) fail(error, INCEPTION_IO, "%s: not a file", example->path);
    bool good = !error->status && extras(NULL)->digest_file(fd, example->path, 0, "SHA256", example->digest, error);
    close(fd);
    return good;
}

bool dataset_unchanged(const cli_example *example)
{
    const struct stat *was = &example->file;
    struct stat is;
    return stat(example->path, &is) == 0 && is.st_dev == was->st_dev && is.st_ino == was->st_ino
        && is.st_size == was->st_size && is.st_mtim.tv_sec == was->st_mtim.tv_sec
        && is.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

static int compare_classes(const cli_dataset *set, const cli_example *x, const cli_example *y)
{
    return set->several ? memcmp(x->shows, y->shows, (size_t)set->classes * sizeof *x->shows) : x->class - y->class;
}

static int by_content(const void *a, const void *b, void *set)
{
    const cli_example *x = *(cli_example *const *)a, *y = *(cli_example *const *)b;
    int order = strcmp(x->digest, y->digest);
    if (!order) order = compare_classes(set, x, y);
    return order ? order : strcmp(x->name, y->name);
}

/* A copy in the same class is left out: it could be learnt from and tested on. */
static void find_copies(cli_dataset *set, cli_example **sorted, bool *left_out, bool quiet)
{
    const char *classes = set->several ? "with different labels" : "in two classes";
    size_t twice = 0, count = 0;
    for (size_t i = 0; i < set->count; i++)
        if (!left_out[i]) sorted[count++] = &set->examples[i];
    qsort_r(sorted, count, sizeof *sorted, by_content, set);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->digest, sorted[i]->digest) != 0) continue;
        if (compare_classes(set, sorted[i - 1], sorted[i]) == 0)
            left_out[sorted[i] - set->examples] = true, set->copies++;
        else if (twice++ < NAMED && !quiet)
            complain("the same photo %s: %s and %s", classes, sorted[i - 1]->name, sorted[i]->name);
    }
    if (twice > NAMED && !quiet) complain("%zu more photos are %s", twice - NAMED, classes);
    if (set->copies && !quiet)
        complain("%zu cop%s of a photo %s left out", set->copies, set->copies > 1 ? "ies" : "y",
                 set->several ? "with its labels" : "in its class");
}

/* Takes out what cannot be read, and copies. */
static exit_code check_contents(cli_dataset *set, bool quiet)
{
    bool *left_out = calloc(set->count + 1, sizeof *left_out);
    cli_example **sorted = calloc(set->count + 1, sizeof *sorted);
    exit_code code = left_out && sorted ? EXIT_FINE : complain_memory();
    for (size_t i = 0; i < set->count && !code; i++) {
        inception_error error = {0};
        if (interrupted()) code = EXIT_INTERRUPTED;
        if (digest_of(&set->examples[i], &error)) continue;
        complain_input(set->examples[i].path, &error);
        tally_failure(&set->tally, error.status);
        left_out[i] = true;
    }
    if (!code) code = dataset_leave_out(set, left_out);
    if (!code) {
        memset(left_out, 0, set->count);
        find_copies(set, sorted, left_out, quiet);
        leave_out(set, left_out);
        code = check_counts(set);
    }
    free(left_out);
    free(sorted);
    return code;
}

exit_code dataset_read(cli_dataset *set, const char *path, const char *others, bool quiet)
{
    struct stat info;
    inception_error error = {0};
    *set = (cli_dataset){.path = path, .others = others, .skipped = json_array()};
    bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    exit_code code = folder ? dataset_walk(set, quiet) : read_csv(set);
    if (!code && interrupted()) code = EXIT_INTERRUPTED;
    if (!code && !dataset_classify(set, &error)) code = complain_error(&error);
    return code ? code : check_contents(set, quiet);
}
