/* Tables of classify: csv as RFC 4180 wants it, and tsv, which is the same with tabs and plain newlines. A row for each
 * prediction, one for a photo that failed, one for a photo without a prediction; the columns are the fields of the JSON
 * records by their names. `rank` and `of` count the predictions of a photo and network, so that it can be told from the
 * last row whether the answer is whole. */
#include "cli.h"

#include <string.h>

const char *const table_columns[TABLE_COLUMNS] = {
    "file",  "rank",    "of",      "index", "wnid",  "label",       "probability",
    "logit", "network", "weights", "crop",  "decode", "unknown", "error", "file_base64",
};

char table_separator(int format)
{
    return format == FORMAT_CSV ? ',' : format == FORMAT_TSV ? '\t' : '\0';
}

/* ---- Writing ---- */

static void end_field(FILE *file, int format, bool last)
{
    if (!last) fputc(table_separator(format), file);
    else fputs(format == FORMAT_CSV ? "\r\n" : "\n", file);
}

void table_text(FILE *file, int format, const char *text)
{
    const char special[] = {table_separator(format), '"', '\r', '\n', '\0'};
    if (!strpbrk(text, special)) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"') fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void write_row(FILE *file, int format, const json_t *record, const json_t *prediction, size_t rank, size_t of)
{
    for (int i = 0; i < TABLE_COLUMNS; i++) {
        const json_t *value = json_object_get(prediction, table_columns[i]);
        if (!value) value = json_object_get(record, table_columns[i]);
        bool answered = json_object_get(record, "predictions") != NULL;
        if (json_is_string(value)) table_text(file, format, json_string_value(value));
        else if (json_is_integer(value)) fprintf(file, "%lld", (long long)json_integer_value(value));
        else if (json_is_real(value)) fprintf(file, "%.9g", json_real_value(value));
        else if (json_is_boolean(value)) fputs(json_is_true(value) ? "true" : "false", file);
        else if (answered && strcmp(table_columns[i], "rank") == 0) fprintf(file, "%zu", rank);
        else if (answered && strcmp(table_columns[i], "of") == 0) fprintf(file, "%zu", of);
        end_field(file, format, i + 1 == TABLE_COLUMNS);
    }
}

void table_header(FILE *file, int format)
{
    for (int i = 0; i < TABLE_COLUMNS; i++) {
        fputs(table_columns[i], file);
        end_field(file, format, i + 1 == TABLE_COLUMNS);
    }
}

void table_add(FILE *file, int format, const json_t *record)
{
    const json_t *predictions = json_object_get(record, "predictions");
    size_t count = json_array_size(predictions);
    for (size_t i = 0; i < count; i++)
        write_row(file, format, record, json_array_get(predictions, i), i + 1, count);
    if (!count) write_row(file, format, record, NULL, 0, 0);
}

/* ---- Reading ---- */

/* Takes the quotes off the field at `text`; returns its end, NULL if the quotes are wrong. */
static char *unquote(char *text, char separator)
{
    char *out = text++;
    for (; *text != '"' || text[1] == '"'; text++) {
        if (!*text) return NULL;
        if (*text == '"') text++;
        *out++ = *text;
    }
    *out = '\0';
    return text[1] == separator || !text[1] ? text + 1 : NULL;
}

int table_split(char *text, char separator, char **fields, int most)
{
    for (int count = 0; count < most; text++) {
        fields[count++] = text;
        char *end = *text == '"' ? unquote(text, separator) : strchrnul(text, separator);
        if (!end) return -1;
        if (!*end) return count;
        *end = '\0';
        text = end;
    }
    return -1;
}
