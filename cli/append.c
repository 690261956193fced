/* classify --append: the file that a run goes on with.
 *
 * Records are only ever added at the end, those of a photo at once. A process that is killed leaves a part of them at the
 * most, and which they are is known: one error, or the answers of all networks in their order; in a table the last row of an
 * answer is the one whose rank is their number. So the file is read once from the start, record by record; photos whose
 * records are whole are known from then on, and what comes after the last whole one is cut off. A file that holds anything
 * else is refused as it is. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct append_reader {
    const char *path;
    FILE *file;
    int format;
    const cli_contestant *contestants;
    size_t count;
    char opening[256]; /* what the file must begin with: the header, or what every JSON line begins with */
    char *record;
    size_t size, capacity; /* of the record, without its line end */
    size_t line, lines;    /* where it begins; read so far */
    bool ended;            /* by a line end */
    char *photo;           /* whose records are being read; NULL between photos */
    size_t turn;           /* the network whose answer comes next */
    off_t whole;           /* end of the last photo whose records are whole */
    size_t photos;
} append_reader;

exit_code append_format(const char *path, int *format)
{
    static const char *const endings[] = {[FORMAT_JSONL] = ".jsonl", [FORMAT_CSV] = ".csv", [FORMAT_TSV] = ".tsv"};
    for (int i = FORMAT_JSONL; *format == FORMAT_TEXT && i <= FORMAT_TSV; i++)
        if (ends_in(path, endings[i])) *format = i;
    if (*format != FORMAT_TEXT && *format != FORMAT_JSON) return EXIT_FINE;
    return complain_usage("classify", "option --append: choose --format=jsonl, csv or tsv for '%s'", path);
}

/* ---- A record ---- */

/* The next record, which in a table may go over several lines. False at the end of the file and with an error. */
static bool read_record(append_reader *reader, inception_error *error)
{
    bool table = table_separator(reader->format) != 0, quoted = false;
    reader->line = reader->lines + 1;
    reader->size = 0;
    reader->ended = false;
    for (int c; !reader->ended && (c = getc_unlocked(reader->file)) != EOF;) {
        if (reader->size + 1 >= reader->capacity) {
            size_t capacity = 2 * reader->capacity + 4096;
            char *larger = realloc(reader->record, capacity);
            if (!larger) return fail(error, INCEPTION_MEMORY, "out of memory (%zu bytes)", capacity), false;
            reader->record = larger;
            reader->capacity = capacity;
        }
        reader->record[reader->size++] = (char)c;
        quoted ^= table && c == '"';
        reader->lines += c == '\n';
        reader->ended = c == '\n' && !quoted;
    }
    if (ferror(reader->file))
        return fail(error, INCEPTION_IO, "%s: cannot read: %s", reader->path, strerror(errno)), false;
    if (!reader->size) return false;
    if (reader->ended) reader->size--;
    if (reader->ended && reader->format == FORMAT_CSV && reader->size && reader->record[reader->size - 1] == '\r')
        reader->size--;
    reader->record[reader->size] = '\0';
    return true;
}

typedef struct append_record {
    json_t *object; /* NULL: fields of a table */
    char *fields[TABLE_COLUMNS];
} append_record;

/* Text of a field, "" where it is missing. */
static const char *field_of(const append_record *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record->object, name));
    for (int i = 0; !record->object && i < TABLE_COLUMNS; i++)
        if (strcmp(table_columns[i], name) == 0) text = record->fields[i];
    return text ? text : "";
}

static bool parse_record(const append_reader *reader, append_record *record)
{
    char separator = table_separator(reader->format);
    *record = (append_record){0};
    if (memchr(reader->record, '\0', reader->size)) return false;
    if (separator) return table_split(reader->record, separator, record->fields, TABLE_COLUMNS) == TABLE_COLUMNS;
    record->object = json_loadb(reader->record, reader->size, 0, NULL);
    return json_is_object(record->object);
}

static char *photo_of(const append_record *record)
{
    const char *exact = field_of(record, "file_base64");
    char *name = strdup(*exact ? exact : field_of(record, "file"));
    if (!*exact || !name || text_from_base64(name)) return name;
    *name = '\0';
    return name;
}

/* Its network has that name, and the class that is told is one of its classes: of networks that were taught something, many
 * have the same name. */
static bool is_answer_of(const cli_contestant *contestant, const append_record *record)
{
    const json_t *first = json_array_get(json_object_get(record->object, "predictions"), 0);
    const bool table = !record->object;
    const char *told = table ? field_of(record, "label") : json_string_value(json_object_get(first, "label"));
    const json_int_t index = table ? strtol(field_of(record, "index"), NULL, 10)
                                   : json_integer_value(json_object_get(first, "index"));
    if (strcmp(field_of(record, "network"), contestant->info->network->name) != 0) return false;
    if (contestant->ambiguous && strcmp(field_of(record, "weights"), contestant->path) != 0) return false;
    if (!told || !*told || !contestant->model) return true; /* no model: a test's, which has a name alone */
    const char *label = index < 0 || index > INT_MAX ? NULL : inception_model_label(contestant->model, (int)index);
    json_t *own = label ? text_json(label) : NULL; /* as it would be written */
    bool same = own && strcmp(told, json_string_value(own)) == 0;
    json_decref(own);
    return same;
}

/* After the record: true if no other of the same photo follows. */
static bool completes_photo(append_reader *reader, const append_record *record)
{
    if (*field_of(record, "error")) reader->turn = reader->count;
    else reader->turn += strcmp(field_of(record, "rank"), field_of(record, "of")) == 0;
    if (reader->turn < reader->count) return false;
    reader->turn = 0;
    return true;
}

static bool network_is_asked(const append_reader *reader, const append_record *record)
{
    bool asked = *field_of(record, "error") != '\0';
    for (size_t i = 0; i < reader->count; i++)
        asked |= is_answer_of(&reader->contestants[i], record);
    return asked;
}

/* ---- The file ---- */

static void refuse(const append_reader *reader, inception_error *error)
{
    fail(error, INCEPTION_DATA, "%s: line %zu is not what classify --format=%s writes; the file is left as it is",
         reader->path, reader->line, format_choices[reader->format]);
}

/* The first record must begin as ours do, even if it is cut short; in a table it is the header. */
static bool check_opening(append_reader *reader, inception_error *error)
{
    size_t length = strlen(reader->opening), header = strcspn(reader->opening, "\r\n");
    bool fits = strncmp(reader->record, reader->opening, reader->size < length ? reader->size : length) == 0;
    bool table = table_separator(reader->format) != 0;
    if (table && reader->ended) fits = fits && reader->size == header;
    if (!fits) refuse(reader, error);
    else if (table && reader->ended) reader->whole = ftello(reader->file);
    return fits;
}

/* What a killed run leaves is the beginning of a record. What holds more than that is somebody's, and is not cut off. */
static bool is_rest(append_reader *reader)
{
    append_record record = {0};
    if (!table_separator(reader->format)) {
        bool whole = parse_record(reader, &record), asked = whole && network_is_asked(reader, &record);
        json_decref(record.object);
        return !whole || asked;
    }
    for (char *line = strchr(reader->record, '\n'), *end; line; line = end) { /* within an open quote: names have few */
        char *fields[TABLE_COLUMNS];
        end = strchr(++line, '\n');
        if (!end) break;
        *end = '\0';
        if (table_split(line, table_separator(reader->format), fields, TABLE_COLUMNS) == TABLE_COLUMNS) return false;
    }
    return true;
}

static bool take_record(append_reader *reader, const append_record *record, name_set *known, inception_error *error)
{
    char *photo = photo_of(record);
    if (!photo) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    if (!*photo) {
        refuse(reader, error);
    } else if (!network_is_asked(reader, record)) {
        fail(error, INCEPTION_MISMATCH, "%s: line %zu is an answer of '%s', which is not asked now or had other "
             "classes", reader->path, reader->line, field_of(record, "network"));
    } else if (reader->photo && (strcmp(photo, reader->photo) != 0 || *field_of(record, "error"))) {
        fail(error, INCEPTION_MISMATCH, "%s: line %zu: the photo before it lacks answers of networks that are asked now",
             reader->path, reader->line);
    } else if (!*field_of(record, "error") && !is_answer_of(&reader->contestants[reader->turn], record)) {
        fail(error, INCEPTION_MISMATCH, "%s: line %zu is an answer of '%s', where one of '%s' comes next now", reader->path,
             reader->line, field_of(record, "network"), reader->contestants[reader->turn].info->network->name);
    } else if (completes_photo(reader, record)) {
        reader->photos += names_add(known, photo, error);
        reader->whole = ftello(reader->file);
        free(reader->photo);
        reader->photo = NULL;
    } else {
        free(reader->photo);
        reader->photo = photo;
        return true;
    }
    free(photo);
    return !error->status;
}

static bool read_photos(append_reader *reader, name_set *known, inception_error *error)
{
    while (read_record(reader, error)) {
        append_record record = {0};
        bool header = reader->line == 1 && table_separator(reader->format);
        if (reader->line == 1 && !check_opening(reader, error)) return false;
        if (!reader->ended) {
            if (!is_rest(reader)) refuse(reader, error);
            break;
        }
        if (header) continue;
        if (!parse_record(reader, &record)) refuse(reader, error);
        else take_record(reader, &record, known, error);
        json_decref(record.object);
        if (error->status) return false;
    }
    return !error->status;
}

/* Opens the file for this process alone. */
static FILE *open_file(const char *path, inception_error *error)
{
    struct stat info;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    FILE *file = NULL;
    if (fd < 0) {
        fail(error, INCEPTION_IO, "%s: cannot open: %s", path, strerror(errno));
    } else if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        fail(error, INCEPTION_IO, "%s: not a file that can be gone on with", path);
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool busy = errno == EWOULDBLOCK;
        fail(error, INCEPTION_IO, "%s: %s", path, busy ? "another run is writing it" : strerror(errno));
    } else if (!(file = fdopen(fd, "r+"))) {
        fail(error, INCEPTION_MEMORY, "out of memory");
    }
    if (fd >= 0 && !file) close(fd);
    return file;
}

static void set_opening(append_reader *reader)
{
    FILE *text = fmemopen(reader->opening, sizeof reader->opening, "w");
    if (text && table_separator(reader->format)) table_header(text, reader->format);
    else if (text) fputs("{\"file\":\"", text);
    if (text) fclose(text);
}

size_t append_open(const char *path, cli_records *records, const cli_contestant *contestants, size_t count,
                   name_set *known, inception_error *error)
{
    append_reader reader = {.path = path, .format = records->format, .contestants = contestants, .count = count};
    reader.file = open_file(path, error);
    set_opening(&reader);
    bool read = reader.file && read_photos(&reader, known, error);
    if (read && (fseeko(reader.file, reader.whole, SEEK_SET) != 0 ||
                 ftruncate(fileno(reader.file), reader.whole) != 0))
        fail(error, INCEPTION_IO, "%s: cannot write: %s", path, strerror(errno));
    free(reader.record);
    free(reader.photo);
    if (error->status && reader.file) fclose(reader.file);
    if (error->status) return 0;
    records->file = reader.file;
    records->name = path;
    records->begun = reader.whole > 0;
    return reader.photos;
}
