/* Data on standard output, written as it comes, every failed write noticed. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Nine significant digits bring every float32 back exactly. */
#define JSON_STYLE (JSON_COMPACT | JSON_REAL_PRECISION(9))

const char *const format_choices[] = {"text", "json", "jsonl", NULL};

exit_code output_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_FINE;
    if (errno == EPIPE) return EXIT_PIPE;
    complain("standard output: %s", strerror(errno));
    return EXIT_IO;
}

/* The text of a value, NULL and a complaint without; takes the reference. */
static char *dump(json_t *value, size_t style)
{
    char *text = value ? json_dumps(value, style) : NULL;
    if (!text) complain("out of memory");
    json_decref(value);
    return text;
}

void records_begin(const cli_records *records)
{
    if (records->format == FORMAT_JSON) fputc('[', stdout);
}

exit_code records_add(cli_records *records, json_t *object)
{
    char *text = dump(object, JSON_STYLE);
    if (!text) return EXIT_SYSTEM;
    if (records->format == FORMAT_JSON) fputs(records->begun ? ",\n" : "\n", stdout);
    records->begun = true;
    fputs(text, stdout);
    free(text);
    if (records->format == FORMAT_JSONL) fputc('\n', stdout);
    return output_flush();
}

exit_code records_failure(cli_records *records, const char *file, const inception_error *error)
{
    return records_add(records, json_pack("{s:o, s:o}", "file", text_json(file), "error", text_json(error->message)));
}

exit_code records_end(const cli_records *records)
{
    if (records->format == FORMAT_JSON) fputs(records->begun ? "\n]\n" : "]\n", stdout);
    return output_flush();
}

exit_code output_json(json_t *value)
{
    char *text = dump(value, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    if (!text) return EXIT_SYSTEM;
    puts(text);
    free(text);
    return output_flush();
}
