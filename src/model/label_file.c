/* A file of class names: plain, id:name or csv (see inception_model_options). The bytes are copied once; names are cut out
 * of the copy where they lie, and then sorted by class, which brings doubles together and shows gaps. */
#include "private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_FIELDS 16

typedef struct entry {
    long id;
    size_t line;
    const char *name, *wnid;
} entry;

/* Where a record has what; -1: nowhere. */
typedef struct columns {
    int index, wnid, name, count;
} columns;

typedef struct parser {
    const char *path;
    char *at; /* the rest of the text, which ends in a zero byte */
    size_t line;
    bool numbered, csv; /* neither: plain */
    columns columns;
    entry *entries; /* the first `classes` ones; the others are only counted */
    size_t count, capacity, classes;
    inception_error *error;
} parser;

static inception_status refuse(const parser *p, const char *what)
{
    return inc_fail(p->error, INCEPTION_DATA, "%s: line %zu: %s", p->path, p->line, what);
}

/* ---- Bytes to text ---- */

/* Copies the text without byte order mark and carriage returns, and checks it. */
static inception_status copy_text(parser *p, const uint8_t *at, size_t size, char *to)
{
    const uint8_t *end = at + size;
    if (size >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
    p->at = to;
    p->line = 1;
    for (size_t bytes; at < end; at += bytes) {
        bytes = *at == '\n' ? 1 : inc_utf8_size(at, end);
        if (!bytes && *at == '\r' && end - at > 1 && at[1] == '\n') bytes = 1, at++;
        if (!bytes) return refuse(p, "holds a control character, or what is not UTF-8");
        p->line += *at == '\n';
        memcpy(to, at, bytes);
        to += bytes;
    }
    p->line = 1;
    return INCEPTION_OK;
}

/* ---- Text to fields ---- */

/* Ends the field that goes from `start` to `end` and strips blanks. */
static char *cut(char *start, char *end)
{
    while (end > start && end[-1] == ' ') end--;
    *end = 0;
    return start + strspn(start, " ");
}

/* One field; p->at moves to the comma, the line's end or the text's end behind it, which goes to *behind. */
static char *csv_field(parser *p, char *behind)
{
    char *start = p->at + strspn(p->at, " "), *from = start, *to = start;
    if (*from != '"') {
        from += strcspn(from, ",\"\n");
        *behind = *from;
        p->at = from;
        return cut(start, from);
    }
    for (from++; *from && *from != '\n' && (*from != '"' || from[1] == '"'); from++) {
        *to++ = *from;
        from += *from == '"';
    }
    bool closed = *from == '"';
    if (closed) from += 1 + strspn(from + 1, " ");
    *behind = closed && (*from == ',' || *from == '\n' || !*from) ? *from : '"';
    *to = 0;
    p->at = from;
    return start;
}

static inception_status split_csv(parser *p, char *fields[MAX_FIELDS], int *count)
{
    char behind = ',';
    while (behind == ',') {
        if (*count == MAX_FIELDS) return refuse(p, "more than 16 fields");
        fields[(*count)++] = csv_field(p, &behind);
        if (behind == '"') return refuse(p, "a quote that does not open and close a field on its line");
        p->at += behind != 0;
    }
    return INCEPTION_OK;
}

/* Splits the record at p->at, which moves behind it: a line that is no csv at its first colon, if at all. */
static inception_status split(parser *p, char *fields[MAX_FIELDS], int *count)
{
    *count = 0;
    if (p->csv) return split_csv(p, fields, count);
    char *start = p->at, *end = start + strcspn(start, "\n"), *colon = memchr(start, ':', (size_t)(end - start));
    p->at = *end ? end + 1 : end;
    if (p->numbered && colon) fields[(*count)++] = cut(start, colon), start = colon + 1;
    fields[(*count)++] = cut(start, end);
    return INCEPTION_OK;
}

/* ---- Which form it has ---- */

static bool read_header(const parser *p, columns *where)
{
    static const struct {
        const char *name;
        size_t column;
    } known[] = {{"index", 0}, {"class", 0}, {"id", 0}, {"wnid", 1}, {"synset", 1}, {"name", 2}, {"label", 2}};
    char line[512], *fields[MAX_FIELDS];
    int found[3] = {-1, -1, -1}, count;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(p->at, "\n"), p->at);
    parser probe = {.path = p->path, .at = line, .csv = true};
    if (split(&probe, fields, &count)) return false;
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < INC_COUNT(known); k++)
            if (inc_same_word(fields[i], known[k].name)) found[known[k].column] = i;
    if (found[2] < 0 || (found[0] < 0 && found[1] < 0)) return false;
    *where = (columns){found[0], found[1], found[2], count};
    return true;
}

static void find_form(parser *p)
{
    const char *digits = p->at + (*p->at == '"');
    const char *behind = digits + strspn(digits, "0123456789");
    bool number = behind > digits;
    if (number && digits > p->at && *behind == '"') behind++;
    p->columns = (columns){-1, -1, 0, 1};
    p->numbered = number && *behind == ':';
    p->csv = number && *behind == ',';
    if (p->numbered) {
        p->columns = (columns){0, -1, 1, 2};
    } else if (p->csv) {
        p->columns.count = 0; /* the first record will tell */
    } else if (read_header(p, &p->columns)) {
        p->csv = true;
        p->at += strcspn(p->at, "\n");
        p->at += *p->at == '\n';
        p->line++;
    }
}

/* ---- Records ---- */

static bool read_id(const char *text, long *id)
{
    size_t digits = strspn(text, "0123456789");
    *id = strtol(text, NULL, 10);
    return digits > 0 && digits < 10 && !text[digits];
}

static bool is_wnid(const char *text)
{
    return !*text || (*text == 'n' && strlen(text) == 9 && strspn(text + 1, "0123456789") == 8);
}

static inception_status read_record(parser *p)
{
    char *fields[MAX_FIELDS];
    int count;
    entry e = {.id = (long)p->count, .line = p->line, .wnid = ""};
    inception_status status = split(p, fields, &count);
    if (status) return status;
    if (count == 1 && !*fields[0]) return refuse(p, "is empty");
    if (p->columns.count == 0 && count <= 3) p->columns = (columns){0, count == 3 ? 1 : -1, count - 1, count};
    if (count != p->columns.count)
        return refuse(p, p->csv ? "too many or too few fields (a name that holds a comma is quoted)" : "is not id:name");
    e.name = fields[p->columns.name];
    if (p->columns.wnid >= 0) e.wnid = fields[p->columns.wnid];
    if (!*e.name) return refuse(p, "the name is missing");
    if (!is_wnid(e.wnid)) return refuse(p, "no WordNet id where one should be (a name that holds a comma is quoted)");
    if (p->columns.index >= 0 && !read_id(fields[p->columns.index], &e.id))
        return refuse(p, "no number of a class where one should be");
    if (p->count < p->classes) {
        status = inc_grow(&p->entries, &p->capacity, p->count + 1, sizeof e, p->error);
        if (!status) p->entries[p->count] = e;
    }
    p->count++;
    p->line++;
    return status;
}

static int by_id(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

/* ---- Names to classes ---- */

/* Which class the first entry in order names, or -1 and an error if they are not those of the network. */
static int first_class(const parser *p, bool background)
{
    size_t n = p->count, classes = p->classes;
    const entry *e = p->entries;
    for (size_t i = 0; i + 1 < n && n <= classes; i++) {
        if (e[i].id == e[i + 1].id)
            return inc_fail(p->error, INCEPTION_DATA, "%s: line %zu: class %ld was named in line %zu already", p->path,
                            e[i + 1].line, e[i].id, e[i].line), -1;
        if (e[i].id + 1 != e[i + 1].id)
            return inc_fail(p->error, INCEPTION_DATA, "%s: line %zu: class %ld has a name, but class %ld has none "
                            "(%zu names for %zu classes)", p->path, e[i + 1].line, e[i + 1].id, e[i].id + 1, n, classes),
                   -1;
    }
    if (n == classes && e->id == 0) return 0;
    if (background && n + 1 == classes && e->id <= 1) return 1;
    if (n == classes)
        return inc_fail(p->error, INCEPTION_DATA, "%s: line %zu: class %ld is not 0 to %zu", p->path, e[n - 1].line,
                        e[n - 1].id, classes - 1), -1;
    return inc_fail(p->error, INCEPTION_DATA, "%s: %zu names for the %zu classes of the network", p->path, n, classes), -1;
}

inception_status inc_label_file_read(const char *path, const void *data, size_t size, int classes, bool background,
                                     inc_arena *arena, const char **labels, const char **wnids, inception_error *error)
{
    parser p = {.path = path, .classes = (size_t)classes, .error = error};
    char *text = inc_arena_alloc(arena, size + 1, 1, error);
    if (!text) return INCEPTION_MEMORY;
    inception_status status = copy_text(&p, data, size, text);
    if (!status) find_form(&p);
    while (!status && p.at[strspn(p.at, " \n")]) status = read_record(&p); /* blank lines at the end do not count */
    int first = -1;
    if (!status && p.count == 0) {
        status = inc_fail(error, INCEPTION_DATA, "%s: holds no names", path);
    } else if (!status) {
        if (p.count <= p.classes) qsort(p.entries, p.count, sizeof *p.entries, by_id);
        first = first_class(&p, background);
        if (first < 0) status = INCEPTION_DATA;
    }
    for (size_t i = 0; first >= 0 && i < p.count; i++) {
        labels[(size_t)first + i] = p.entries[i].name;
        if (p.columns.wnid >= 0) wnids[(size_t)first + i] = p.entries[i].wnid;
    }
    free(p.entries);
    return status;
}
