/* Manual pages. Options, examples and exit codes come from the tables; what they are too short for stands in
 * docs/man/notes.roff, whose pieces begin with a line `.\"= KEY`. A KEY is one of
 *
 *     COMMAND              goes on with the description
 *     COMMAND --OPTION     goes on with the help of the option in this page,
 *     --OPTION             in every page that has the option and no piece of its own
 *     COMMAND, sections    further sections, behind the options
 *     exit status          goes on with the list of codes in inception(1)
 *
 * where COMMAND is "inception" for the page about all. */
#include "describe.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NOTES 128
#define NOTE_MARK ".\\\"= "

typedef struct note {
    char *key, *text;
    bool used;
} note;

typedef struct manual {
    FILE *page;
    note notes[MAX_NOTES];
    int count;
} manual;

/* ---- Notes ---- */

static bool split_notes(manual *book, char *text)
{
    for (char *line = strstr(text, NOTE_MARK); line; line = strstr(line, NOTE_MARK)) {
        if (book->count == MAX_NOTES) return false;
        note *added = &book->notes[book->count++];
        *line = '\0'; /* ends the text before */
        added->key = line + strlen(NOTE_MARK);
        line = strchr(added->key, '\n');
        if (!line) return false;
        *line++ = '\0';
        added->text = line;
    }
    return true;
}

static bool put_note(manual *book, const char *first, const char *second)
{
    char key[128];
    snprintf(key, sizeof key, "%s%s", first, second);
    for (int i = 0; i < book->count; i++) {
        if (strcmp(book->notes[i].key, key) != 0) continue;
        book->notes[i].used = true;
        fputs(book->notes[i].text, book->page);
        return true;
    }
    return false;
}

/* ---- Text ---- */

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Characters that roff would take for something else, or print as something else. */
static void put_bytes(FILE *page, const char *text, size_t length)
{
    static const struct {
        char character;
        const char *roff;
    } escapes[] = {{'-', "\\-"}, {'\\', "\\e"}, {'\'', "\\(aq"}, {'~', "\\(ti"}, {'^', "\\(ha"}, {'`', "\\(ga"}};
    for (size_t i = 0; i < length; i++) {
        const char *roff = NULL;
        for (size_t k = 0; k < COUNT(escapes); k++)
            if (text[i] == escapes[k].character) roff = escapes[k].roff;
        if (roff) fputs(roff, page);
        else putc(text[i], page);
    }
}

/* One line; options are set bold, and so are the words of `argument`, a list of them, in italics. */
static void put_text(FILE *page, const char *text, const char *argument)
{
    if (*text == '.') fputs("\\&", page); /* no request */
    while (*text) {
        size_t length = 0;
        bool option = strncmp(text, "--", 2) == 0 && in_word(text[2]);
        while (in_word(text[length]) || (option && text[length] == '-')) length++;
        bool word = length && *argument && isupper((unsigned char)*text);
        const char *found = word ? memmem(argument, strlen(argument), text, length) : NULL;
        bool italic = found && !in_word(found[length]) && (found == argument || !in_word(found[-1]));
        if (option || italic) fputs(option ? "\\fB" : "\\fI", page);
        put_bytes(page, text, length ? length : 1);
        if (option || italic) fputs("\\fR", page);
        text += length ? length : 1;
    }
    putc('\n', page);
}

static void put_rows(manual *book, const char *command, const option_row *rows)
{
    FILE *page = book->page;
    for (; rows->name; rows++) {
        fputs(".TP\n", page);
        if (rows->letter) fprintf(page, "\\fB\\-%c\\fR, ", rows->letter);
        fputs("\\fB\\-\\-", page);
        put_bytes(page, rows->name, strlen(rows->name));
        fputs("\\fR", page);
        if (rows->argument) fprintf(page, "=\\fI%s\\fR", rows->argument);
        putc('\n', page);

        /* A sentence, unless it begins with a word to be typed. */
        char help[512], key[64];
        bool typed = false;
        for (const char *const *choice = rows->choices; choice && *choice; choice++)
            typed |= strncmp(rows->help, *choice, strlen(*choice)) == 0;
        snprintf(help, sizeof help, "%s.", rows->help);
        if (!typed) help[0] = (char)toupper((unsigned char)help[0]);
        put_text(page, help, rows->argument ? rows->argument : "");

        snprintf(key, sizeof key, " --%s", rows->name);
        if (!put_note(book, command, key)) put_note(book, "", key + 1);
    }
}

static void put_head(FILE *page, const char *name, const char *summary)
{
    fputs(".\\\" Made from the option tables of the command and docs/man/notes.roff.\n.TH ", page);
    for (const char *c = name; *c; c++) putc(toupper((unsigned char)*c), page);
    fprintf(page, " 1 \"\" \"inception %s\" \"User Commands\"\n.SH NAME\n", inception_version());
    put_bytes(page, name, strlen(name));
    fputs(" \\- ", page);
    put_text(page, summary, "");
    fputs(".SH SYNOPSIS\n", page);
}

static void put_synopsis(FILE *page, const cli_command *command)
{
    fprintf(page, "\\fBinception %s\\fR [\\fIOPTION\\fR]... ", command->name);
    put_text(page, command->operands, command->operands);
}

static void put_examples(FILE *page, const char *const *examples)
{
    fputs(".SH EXAMPLES\n.nf\n", page);
    while (*examples) put_text(page, *examples++, "");
    fputs(".fi\n", page);
}

/* Every page but that of `self`, which is NULL in inception(1). */
static void put_others(FILE *page, const cli_command *self)
{
    fprintf(page, ".SH \"SEE ALSO\"\n%s", self ? ".BR inception (1)" : "");
    for (size_t i = 0; i < command_count; i++)
        if (commands[i] != self)
            fprintf(page, "%s.BR inception\\-%s (1)", self || i ? ",\n" : "", commands[i]->name);
    putc('\n', page);
}

/* ---- Pages ---- */

static void put_overview(manual *book)
{
    FILE *page = book->page;
    put_head(page, "inception", "recognise objects in photos with Google's Inception networks");
    fputs(".nf\n", page);
    for (size_t i = 0; i < command_count; i++) put_synopsis(page, commands[i]);
    fputs("\\fBinception help\\fR [\\fICOMMAND\\fR]\n.fi\n.SH DESCRIPTION\n", page);
    put_text(page, general_about, "");
    put_note(book, "inception", "");
    fputs(".SH COMMANDS\n", page);
    for (size_t i = 0; i < command_count; i++) {
        fprintf(page, ".TP\n.BR inception\\-%s (1)\n", commands[i]->name);
        put_text(page, commands[i]->summary, "");
    }
    fputs(".SH \"OPTIONS OF ALL COMMANDS\"\n", page);
    put_rows(book, "inception", common_rows);
    put_rows(book, "inception", word_rows);
    fputs(".SH \"EXIT STATUS\"\nThe codes of \\fIsysexits.h\\fR, and a few more:\n", page);
    for (size_t i = 0; i < exit_meaning_count; i++) {
        fprintf(page, ".TP\n.B %d\n", exit_meanings[i].code);
        put_text(page, exit_meanings[i].meaning, "");
    }
    fputs(".PP\n", page);
    put_note(book, "exit status", "");
    put_note(book, "inception", ", sections");
    fputs(".SH LIMITS\n.nf\n", page);
    for (const char *const *limit = limits; *limit; limit++) put_text(page, *limit, "");
    fputs(".fi\n", page);
    put_examples(page, general_examples);
    put_others(page, NULL);
}

static void put_command(manual *book, const cli_command *command)
{
    FILE *page = book->page;
    char name[64];
    snprintf(name, sizeof name, "inception-%s", command->name);
    put_head(page, name, command->summary);
    put_synopsis(page, command);
    fputs(".SH DESCRIPTION\n", page);
    put_text(page, command->about, command->operands);
    put_note(book, command->name, "");
    fputs(".SH OPTIONS\n", page);
    for (const option_group *group = command->groups; group->title; group++) {
        if (group != command->groups && *group->title) fprintf(page, ".SS %s\n", group->title);
        put_rows(book, command->name, group->rows);
    }
    put_rows(book, command->name, word_rows);
    put_note(book, command->name, ", sections");
    fputs(".SH \"EXIT STATUS\"\n0 if all went well; all codes are listed in\n.BR inception (1).\n", page);
    put_examples(page, command->examples);
    put_others(page, command);
}

/* The page that a file is called after; *command is NULL for inception.1. */
static bool page_of(const char *path, const cli_command **command)
{
    char name[64];
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    *command = NULL;
    if (strcmp(file, "inception.1") == 0) return true;
    for (size_t i = 0; i < command_count; i++) {
        snprintf(name, sizeof name, "inception-%s.1", commands[i]->name);
        if (strcmp(file, name) == 0) *command = commands[i];
    }
    return *command != NULL;
}

bool write_manual(const char *notes, char **paths, int count)
{
    manual book = {0};
    char *text = read_text(notes);
    bool good = text && split_notes(&book, text);
    if (good && (size_t)count != command_count + 1) {
        fprintf(stderr, "describe: docs/meson.build lists %d pages, but there are %zu\n", count, command_count + 1);
        good = false;
    }
    for (int i = 0; good && i < count; i++) {
        const cli_command *command;
        good = page_of(paths[i], &command);
        book.page = good ? fopen(paths[i], "w") : NULL;
        if (book.page && command) put_command(&book, command);
        else if (book.page) put_overview(&book);
        if (!book.page || fclose(book.page) != 0) good = false;
        if (!good) fprintf(stderr, "describe: %s cannot be written\n", paths[i]);
    }
    for (int i = 0; good && i < book.count; i++) {
        if (book.notes[i].used) continue;
        fprintf(stderr, "describe: %s: no page has a place for '%s'\n", notes, book.notes[i].key);
        good = false;
    }
    free(text);
    return good;
}
