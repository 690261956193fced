/* Data on standard output, or in the file of --append, written as it comes, every failed write noticed. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Nine significant digits bring every float32 back exactly. */
#define JSON_STYLE (JSON_COMPACT | JSON_REAL_PRECISION(9))

const char *const format_choices[] = {"text", "json", "jsonl", "csv", "tsv", NULL};

static exit_code flush(FILE *file, const char *name)
{
    if (fflush(file) == 0 && !ferror(file)) return EXIT_FINE;
    if (errno == EPIPE) return EXIT_PIPE;
    complain("%s: cannot write: %s", name, strerror(errno));
    return EXIT_IO;
}

exit_code output_flush(void)
{
    return flush(stdout, "standard output");
}

/* The text of a value, NULL and a complaint without; takes the reference. */
static char *dump(json_t *value, size_t style)
{
    char *text = value ? json_dumps(value, style) : NULL;
    if (!text) complain("out of memory");
    json_decref(value);
    return text;
}

void records_begin(cli_records *records)
{
    if (!records->file) records->file = stdout;
    if (records->format == FORMAT_JSON) fputc('[', records->file);
    if (table_separator(records->format) && !records->begun) table_header(records->file, records->format);
}

exit_code records_add(cli_records *records, json_t *object)
{
    if (object && table_separator(records->format)) {
        table_add(records->file, records->format, object);
        json_decref(object);
        return EXIT_FINE;
    }
    char *text = dump(object, JSON_STYLE);
    if (!text) return EXIT_SYSTEM;
    if (records->format == FORMAT_JSON) fputs(records->begun ? ",\n" : "\n", records->file);
    records->begun = true;
    fputs(text, records->file);
    free(text);
    if (records->format == FORMAT_JSONL) fputc('\n', records->file);
    return EXIT_FINE;
}

exit_code records_flush(const cli_records *records)
{
    return flush(records->file, records->name ? records->name : "standard output");
}

exit_code records_failure(cli_records *records, const char *file, const inception_error *error)
{
    exit_code code =
        records_add(records, text_record(file, json_pack("{s:o}", "error", text_json(error->message))));
    return code ? code : records_flush(records);
}

exit_code records_end(const cli_records *records)
{
    if (records->format == FORMAT_JSON) fputs(records->begun ? "\n]\n" : "]\n", records->file);
    return records_flush(records);
}

exit_code output_json(json_t *value)
{
    char *text = dump(value, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    if (!text) return EXIT_SYSTEM;
    puts(text);
    free(text);
    return output_flush();
}
