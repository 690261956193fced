/* Photos and their classes: a folder for each class, or a CSV file (RFC 4180) with the columns `file` and `label`. */
#include "train.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST_CSV ((size_t)1 << 30)
#define MOST_COLUMNS 256
#define NAMED 5 /* examples that a warning names */

/* Takes path and name, which are allocated; copies label. */
static exit_code add_example(cli_dataset *set, char *path, char *name, const char *label)
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
        return EXIT_FINE;
    }
    free(path);
    free(name);
    free(copy);
    return complain_memory();
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
    json_decref(set->skipped);
    *set = (cli_dataset){0};
}

/* ---- A folder for each class ---- */

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* All photos of a class's folder and of those in it. */
static exit_code read_class(cli_dataset *set, char *folder, const char *label)
{
    inception_error error = {0};
    photo_settings settings = {.net.offline = true};
    cli_photo photo;
    photo_walk *walk = photos_open(&settings, &folder, 1, &error);
    if (!walk) return complain_error(&error);
    exit_code code = EXIT_FINE;
    while (!code && photos_next(walk, &photo, &error)) {
        char *name = NULL;
        if (error.status) {
            complain("%s: every class needs photos", error.message);
            code = EXIT_DATA;
        } else if (asprintf(&name, "%s/%s", label, photo.name) < 0) {
            code = complain_memory();
        } else {
            code = add_example(set, strdup(photo.path), name, label);
        }
    }
    photos_close(&walk);
    return code;
}

static exit_code read_folder(cli_dataset *set)
{
    struct dirent **entries;
    struct stat info;
    size_t folders = 0;
    int count = scandir(set->path, &entries, not_hidden, alphasort);
    exit_code code = EXIT_FINE;
    if (count < 0) {
        complain("%s: cannot read the folder: %s", set->path, strerror(errno));
        return EXIT_NO_INPUT;
    }
    for (int i = 0; i < count; i++) {
        char *folder = NULL;
        if (!code && asprintf(&folder, "%s/%s", set->path, entries[i]->d_name) < 0) folder = NULL, code = complain_memory();
        if (!code && stat(folder, &info) == 0 && S_ISDIR(info.st_mode)) {
            folders++;
            code = read_class(set, folder, entries[i]->d_name);
        }
        free(folder);
        free(entries[i]);
    }
    free(entries);
    if (code || folders) return code;
    complain("%s: no folder in it; train wants a folder of photos for each class", set->path);
    return EXIT_DATA;
}

/* ---- CSV ---- */

/* Ends the record at `text` with a zero byte; returns the next one. */
static char *end_record(char *text)
{
    const char *start = text;
    bool quoted = false;
    for (; *text && (quoted || *text != '\n'); text++) quoted ^= *text == '"';
    char *next = *text ? text + 1 : text;
    if (text > start && text[-1] == '\r') text--;
    *text = '\0';
    return next;
}

static int column_of(char *const *fields, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(fields[i], name) == 0) return i;
    return -1;
}

static exit_code complain_record(const cli_dataset *set, size_t record, const char *what)
{
    complain("%s: record %zu: %s", set->path, record, what);
    return EXIT_DATA;
}

/* Paths are relative to the CSV file. */
static exit_code add_row(cli_dataset *set, const char *file, const char *label)
{
    const char *slash = strrchr(set->path, '/');
    int folder = file[0] == '/' || !slash ? 0 : (int)(slash - set->path) + 1;
    char *path;
    if (asprintf(&path, "%.*s%s%s", folder, set->path, folder || file[0] == '/' ? "" : "./", file) < 0)
        return complain_memory();
    return add_example(set, path, strdup(file), label);
}

static exit_code read_records(cli_dataset *set, char *text)
{
    char *fields[MOST_COLUMNS];
    int file = -1, label = -1, columns = 0;
    exit_code code = EXIT_FINE;
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3; /* byte order mark */
    for (size_t record = 1; *text && !code; record++) {
        char *start = text;
        text = end_record(start);
        if (!*start) continue;
        int count = table_split(start, ',', fields, MOST_COLUMNS);
        if (record == 1) {
            columns = count, file = column_of(fields, count, "file"), label = column_of(fields, count, "label");
            if (file < 0 || label < 0) code = complain_record(set, record, "the header names no columns 'file' and 'label'");
        } else if (count != columns) {
            code = complain_record(set, record, "wrong quotes, or not as many fields as the header");
        } else if (!*fields[file] || !*fields[label]) {
            code = complain_record(set, record, "an empty file or label");
        } else {
            code = add_row(set, fields[file], fields[label]);
        }
    }
    return code;
}

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
    exit_code code = !good ? complain_error(&error) : !ended ? complain_memory() : EXIT_FINE;
    if (!code && strlen(text) != size) code = complain_record(set, 1, "zero bytes: this is no CSV file");
    if (!code) code = read_records(set, text);
    free(text);
    return code;
}

/* ---- What is wrong with them ---- */

static int by_name(const void *a, const void *b)
{
    const cli_example *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->label, y->label);
}

/* The same file in two records; a label is told apart from another by its bytes. */
static exit_code check_names(cli_dataset *set)
{
    size_t kept = 0;
    if (set->count) qsort(set->examples, set->count, sizeof *set->examples, by_name);
    for (size_t i = 0; i < set->count; i++) {
        cli_example *example = &set->examples[i], *before = kept ? &set->examples[kept - 1] : NULL;
        bool again = before && strcmp(before->name, example->name) == 0;
        if (again && strcmp(before->label, example->label) != 0) {
            complain("%s: '%s' has the labels '%s' and '%s'; several labels for a photo cannot be learnt yet", set->path,
                     example->name, before->label, example->label);
            return EXIT_DATA;
        }
        if (again) free_example(example), set->copies++;
        else if (kept++ != i) set->examples[kept - 1] = *example;
    }
    set->count = kept;
    return EXIT_FINE;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_case(const void *a, const void *b)
{
    return strcasecmp(*(char *const *)a, *(char *const *)b);
}

static bool is_line_of_text(const char *text)
{
    for (uint32_t code; *text; text += utf8_next(text, &code))
        if (utf8_next(text, &code), code == 0xfffd || code < ' ') return false;
    return true;
}

/* Finds the classes and numbers them. */
static exit_code find_classes(cli_dataset *set)
{
    set->labels = calloc(set->count + 1, sizeof *set->labels);
    if (!set->labels) return complain_memory();
    for (size_t i = 0; i < set->count; i++) set->labels[i] = set->examples[i].label;
    qsort(set->labels, set->count, sizeof *set->labels, by_case);
    for (size_t i = 0; i < set->count; i++) {
        if (!is_line_of_text(set->labels[i])) {
            complain("%s: class '%s' is not called by a line of UTF-8 text", set->path, set->labels[i]);
            return EXIT_DATA;
        }
        if (i == 0 || strcasecmp(set->labels[i - 1], set->labels[i]) != 0 || strcmp(set->labels[i - 1], set->labels[i]) == 0)
            continue;
        complain("%s: classes '%s' and '%s' differ in case only", set->path, set->labels[i - 1], set->labels[i]);
        return EXIT_DATA;
    }
    qsort(set->labels, set->count, sizeof *set->labels, by_text);
    for (size_t i = 0; i < set->count; i++)
        if (i == 0 || strcmp(set->labels[set->classes - 1], set->labels[i]) != 0)
            set->labels[set->classes++] = set->labels[i];
    for (size_t i = 0; i < set->count; i++) {
        char **found = bsearch(&set->examples[i].label, set->labels, (size_t)set->classes, sizeof *found, by_text);
        set->examples[i].class = (int)(found - set->labels);
    }
    for (int c = 0; c < set->classes; c++) /* examples may go, classes stay */
        if (!(set->labels[c] = strdup(set->labels[c]))) return set->classes = c, complain_memory();
    if (set->classes > 1) return EXIT_FINE;
    complain("%s: %s class%s; train wants two or more", set->path, set->classes ? "one" : "no", set->classes ? "" : "es");
    return EXIT_DATA;
}

static exit_code check_counts(const cli_dataset *set)
{
    for (int c = 0; c < set->classes; c++) {
        size_t count = 0;
        for (size_t i = 0; i < set->count; i++) count += set->examples[i].class == c;
        if (count > 1) continue;
        complain("%s: class '%s' has %s; at least two are needed, one to learn from and one to validate", set->path,
                 set->labels[c], count ? "one photo" : "no photo that can be read");
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
    struct stat info;
    int fd = open(example->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return fail(error, INCEPTION_IO, "%s: cannot open: %s", example->path, strerror(errno)), false;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) fail(error, INCEPTION_IO, "%s: not a file", example->path);
    bool good = !error->status && extras(NULL)->digest_file(fd, example->path, 0, "SHA256", example->digest, error);
    close(fd);
    return good;
}

static int by_content(const void *a, const void *b)
{
    const cli_example *x = *(cli_example *const *)a, *y = *(cli_example *const *)b;
    int order = strcmp(x->digest, y->digest);
    return order ? order : x->class != y->class ? (x->class > y->class) - (x->class < y->class) : strcmp(x->name, y->name);
}

/* A copy in the same class is left out: it could be learnt from and tested on. */
static void find_copies(cli_dataset *set, cli_example **sorted, bool *left_out, bool quiet)
{
    size_t twice = 0, count = 0;
    for (size_t i = 0; i < set->count; i++)
        if (!left_out[i]) sorted[count++] = &set->examples[i];
    qsort(sorted, count, sizeof *sorted, by_content);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->digest, sorted[i]->digest) != 0) continue;
        if (sorted[i - 1]->class == sorted[i]->class) left_out[sorted[i] - set->examples] = true, set->copies++;
        else if (twice++ < NAMED && !quiet)
            complain("the same photo in two classes: %s and %s", sorted[i - 1]->name, sorted[i]->name);
    }
    if (twice > NAMED && !quiet) complain("%zu more photos are in two classes", twice - NAMED);
    if (set->copies && !quiet)
        complain("%zu cop%s of a photo in its class left out", set->copies, set->copies > 1 ? "ies" : "y");
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

exit_code dataset_read(cli_dataset *set, const char *path, bool quiet)
{
    struct stat info;
    *set = (cli_dataset){.path = path, .skipped = json_array()};
    bool folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    exit_code code = folder ? read_folder(set) : read_csv(set);
    if (!code && interrupted()) code = EXIT_INTERRUPTED;
    if (!code) code = check_names(set);
    if (!code) code = find_classes(set);
    return code ? code : check_contents(set, quiet);
}
