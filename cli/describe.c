/* Writes manual pages and completion scripts: see describe.h.
 *
 *     describe manual NOTES PAGE...           PAGE is .../inception.1 or .../inception-COMMAND.1
 *     describe bash|zsh|fish TEMPLATE OUT     the line @TABLES@ of TEMPLATE is replaced */
#include "describe.h"

#include <stdlib.h>
#include <string.h>

char *read_text(const char *path)
{
    char *text = NULL, buffer[4096];
    size_t size = 0, got;
    FILE *file = fopen(path, "r"), *copy = open_memstream(&text, &size);
    while (file && copy && (got = fread(buffer, 1, sizeof buffer, file)) > 0) fwrite(buffer, 1, got, copy);
    bool whole = file && !ferror(file);
    if (file) fclose(file);
    if (copy && fclose(copy) == 0 && whole) return text;
    fprintf(stderr, "describe: cannot read %s\n", path);
    free(text);
    return NULL;
}

static bool write_completion(const char *shell, const char *template, const char *path)
{
    static const char mark[] = "\n@TABLES@\n";
    char *text = read_text(template), *place = text ? strstr(text, mark) : NULL;
    FILE *out = place ? fopen(path, "w") : NULL;
    bool good = out && fwrite(text, 1, (size_t)(place - text) + 1, out) && write_tables(out, shell) &&
                fputs(place + strlen(mark), out) >= 0;
    if (out && fclose(out) != 0) good = false;
    if (!good) fprintf(stderr, "describe: %s cannot be made for %s from %s\n", path, shell, template);
    free(text);
    return good;
}

int main(int argc, char **argv)
{
    text_start();
    if (argc > 3 && strcmp(argv[1], "manual") == 0) return !write_manual(argv[2], argv + 3, argc - 3);
    return argc != 4 || !write_completion(argv[1], argv[2], argv[3]);
}
