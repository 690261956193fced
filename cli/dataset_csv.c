/* Photos and their labels from a CSV file (RFC 4180): the columns `file` and `label`, one label a photo, unless a field
 * holds several with | between them or a photo has several records. A column `labels` says that photos may have several,
 * and then a photo may have none. */
#include "train.h"

#include <stdlib.h>
#include <string.h>

#define MOST_COLUMNS 256

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

static bool fail_record(const cli_dataset *set, size_t record, const char *what, inception_error *error)
{
    fail(error, INCEPTION_DATA, "%s: record %zu: %s", set->path, record, what);
    return false;
}

/* Paths are relative to the CSV file. */
static bool add_label(cli_dataset *set, const char *file, const char *label, inception_error *error)
{
    const char *slash = strrchr(set->path, '/');
    int folder = file[0] == '/' || !slash ? 0 : (int)(slash - set->path) + 1;
    char *path;
    if (asprintf(&path, "%.*s%s%s", folder, set->path, folder || file[0] == '/' ? "" : "./", file) < 0) path = NULL;
    return dataset_add(set, path, strdup(file), label, error);
}

/* The text without blanks at its ends, which end it now. */
static char *trim(char *text)
{
    text += strspn(text, " \t");
    char *end = text + strlen(text);
    while (end > text && (end[-1] == ' ' || end[-1] == '\t')) end--;
    *end = '\0';
    return text;
}

/* Adds the photo with each of the labels between |. */
static bool add_labels(cli_dataset *set, size_t record, const char *file, char *labels, inception_error *error)
{
    bool more = strchr(labels, '|') != NULL;
    set->several |= more;
    if (!more) return add_label(set, file, labels, error);
    while (more) {
        char *end = strchrnul(labels, '|');
        more = *end == '|';
        *end = '\0';
        char *label = trim(labels);
        labels = end + 1;
        if (!*label) return fail_record(set, record, "an empty label beside a |", error);
        if (!add_label(set, file, label, error)) return false;
    }
    return true;
}

bool dataset_parse(cli_dataset *set, char *text, inception_error *error)
{
    char *fields[MOST_COLUMNS];
    int file = -1, label = -1, columns = 0;
    bool optional = false; /* a label */
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3; /* byte order mark */
    for (size_t record = 1; *text && !error->status; record++) {
        char *start = text;
        text = end_record(start);
        if (!*start) continue;
        int count = table_split(start, ',', fields, MOST_COLUMNS);
        for (int i = 0; i < count && i < MOST_COLUMNS; i++) fields[i] = trim(fields[i]);
        if (!columns) {
            columns = count, file = column_of(fields, count, "file"), label = column_of(fields, count, "label");
            optional = set->several = label < 0;
            if (optional) label = column_of(fields, count, "labels");
            if (count < 0) fail_record(set, record, "wrong quotes, or too many fields, in the header", error);
            else if (file < 0 || label < 0)
                fail_record(set, record, "the header names no columns 'file' and 'label' or 'labels' with commas between",
                        error);
        } else if (count != columns) {
            fail_record(set, record, "wrong quotes, or not as many fields as the header", error);
        } else if (!*fields[file] || (!*fields[label] && !optional)) {
            fail_record(set, record, "an empty file or label", error);
        } else {
            add_labels(set, record, fields[file], fields[label], error);
        }
    }
    return !error->status;
}
