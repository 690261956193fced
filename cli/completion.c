/* Completion for bash, zsh and fish: the tables in the words of each shell. What does not depend on the tables is in
 * docs/completion/, a template for each.
 *
 * What a word may be is told by its name in the tables: FILE is a file everywhere. So nothing has to be said twice, and an
 * option or operand of a new name completes to nothing until it gets a row below. */
#include "describe.h"

#include <ctype.h>
#include <string.h>

/* What can be offered for a word. */
typedef struct offer {
    const char *name;
    bool files, folders, networks, commands;
} offer;

static const offer offers[] = {
    {.name = "PHOTO", .files = true},
    {.name = "FILE", .files = true},
    {.name = "OUT", .files = true},
    {.name = "DIR", .folders = true},
    {.name = "NETWORK", .networks = true},
    {.name = "MODEL", .files = true, .networks = true},
    {.name = "OTHER", .files = true, .networks = true},
    {.name = "IN", .files = true, .networks = true},
    {.name = "COMMAND", .commands = true},
};

/* `help` is answered by main(). */
static const cli_command help_command = {
    .name = "help",
    .summary = "explain one command",
    .operands = "COMMAND",
    .groups = (const option_group[]){{.title = NULL}},
};

/* Commands, and after them help; NULL at the end. */
static const cli_command *command_at(size_t i)
{
    return i < command_count ? commands[i] : i == command_count ? &help_command : NULL;
}

/* ---- Operands, as in "[show NETWORK|rm NETWORK...]" ---- */

/* The next word and its length, 0 at the end. */
static size_t next_word(const char **text)
{
    while (**text && !isalpha((unsigned char)**text)) ++*text;
    size_t length = 0;
    while (isalpha((unsigned char)(*text)[length])) length++;
    return length;
}

static offer offer_of(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(offers); i++)
        if (strlen(offers[i].name) == length && strncmp(offers[i].name, name, length) == 0) return offers[i];
    return (offer){.name = NULL};
}

/* What any of the words in capitals may be. */
static offer operand_offer(const char *operands)
{
    offer all = {.name = operands};
    for (size_t length; (length = next_word(&operands)) > 0; operands += length) {
        offer one = offer_of(operands, length);
        all.files |= one.files, all.folders |= one.folders, all.networks |= one.networks, all.commands |= one.commands;
    }
    return all;
}

/* Words in small letters are to be typed as they are, before the others. Returns whether there are any. */
static bool put_typed(FILE *out, const char *operands)
{
    bool any = false;
    for (size_t length; (length = next_word(&operands)) > 0; operands += length) {
        if (!islower((unsigned char)*operands)) continue;
        if (out) fprintf(out, "%s%.*s", any ? " " : "", (int)length, operands);
        any = true;
    }
    return any;
}

static void put_words(FILE *out, const char *const *words, offer what)
{
    const char *space = "";
    size_t count;
    const inception_network *networks = inception_networks(&count);
    for (; words && *words; words++, space = " ") fprintf(out, "%s%s", space, *words);
    for (size_t i = 0; what.networks && i < count; i++, space = " ") {
        bool same = strcmp(networks[i].alias, networks[i].name) == 0;
        fprintf(out, "%s%s%s%s", space, networks[i].alias, same ? "" : " ", same ? "" : networks[i].name);
    }
    if (what.networks && what.files) fprintf(out, " %s", builtin_name); /* any model, not only a network */
    for (size_t i = 0; what.commands && i < command_count; i++, space = " ")
        fprintf(out, "%s%s", space, commands[i]->name);
}

/* The first statement of a help text, without what the quotes of a shell, or `special`, would make of it. */
static void put_short(FILE *out, const char *help, const char *special)
{
    enum { ENOUGH = 20 };
    for (size_t i = 0, inside = 0; help[i]; i++) { /* brackets */
        inside += (help[i] == '(') - (help[i] == ')');
        if (i >= ENOUGH && !inside && strchr(";.:", help[i]) && (help[i + 1] == ' ' || !help[i + 1])) return;
        if (strchr(special, help[i])) putc('\\', out);
        if (help[i] == '\'') fputs("'\\''", out);
        else putc(help[i], out);
    }
}

/* Calls `put` for every option of the command. */
static void each_option(FILE *out, const cli_command *command,
                        void (*put)(FILE *out, const cli_command *command, const option_row *row))
{
    for (const option_group *group = command->groups; group->title; group++)
        for (const option_row *row = group->rows; row->name; row++) put(out, command, row);
    for (const option_row *row = word_rows; command->options_size && row->name; row++) put(out, command, row);
}

/* ---- bash: a case for each word, "COMMAND WHAT" ---- */

static void put_bash_case(FILE *out, const char *const *words, offer what)
{
    fputs(") words='", out);
    put_words(out, words, what);
    fprintf(out, "'%s ;;\n", what.files ? " files=1" : what.folders ? " folders=1" : "");
}

static void put_bash_option(FILE *out, const cli_command *command, const option_row *row)
{
    if (!row->argument) return;
    fprintf(out, "    '%s --%s'", command->name, row->name);
    if (row->letter) fprintf(out, " | '%s -%c'", command->name, row->letter);
    put_bash_case(out, row->choices, offer_of(row->argument, strlen(row->argument)));
}

static void put_bash_name(FILE *out, const cli_command *command, const option_row *row)
{
    (void)command;
    fprintf(out, " --%s%s", row->name, row->argument ? "=" : "");
}

static void put_bash_command(FILE *out, const cli_command *command)
{
    each_option(out, command, put_bash_option);
    fprintf(out, "    '%s options') words='", command->name);
    each_option(out, command, put_bash_name);
    fputs("' ;;\n", out);
    if (put_typed(NULL, command->operands)) {
        fprintf(out, "    '%s first') words='", command->name);
        put_typed(out, command->operands);
        fputs("' ;;\n", out);
    }
    fprintf(out, "    '%s first' | '%s later'", command->name, command->name);
    put_bash_case(out, NULL, operand_offer(command->operands));
}

/* ---- zsh: a line for each command with the arguments of _arguments ---- */

static void put_zsh_action(FILE *out, const char *name, const char *const *words, offer what)
{
    fprintf(out, ":%s:", name);
    if (what.files && what.networks) fputs("_inception_model", out);
    else if (what.files) fputs("_files", out);
    else if (what.folders) fputs("_files -/", out);
    else if (words || what.networks || what.commands) {
        putc('(', out);
        put_words(out, words, what);
        putc(')', out);
    } else putc(' ', out);
}

static void put_zsh_option(FILE *out, const cli_command *command, const option_row *row)
{
    (void)command;
    const char *star = row->kind == OPTION_LIST ? "*" : "";
    for (int letter = row->letter ? 1 : 0; letter >= 0; letter--) {
        fputs(" \\\n        '", out);
        if (*star) fputs(star, out);
        else if (row->letter) fprintf(out, "(-%c --%s)", row->letter, row->name);
        if (letter) fprintf(out, "-%c%s", row->letter, row->argument ? "+" : "");
        else fprintf(out, "--%s%s", row->name, row->argument ? "=" : "");
        putc('[', out);
        put_short(out, row->help, "[]\\");
        putc(']', out);
        if (row->argument)
            put_zsh_action(out, row->argument, row->choices, offer_of(row->argument, strlen(row->argument)));
        putc('\'', out);
    }
}

static void put_zsh_command(FILE *out, const cli_command *command)
{
    fprintf(out, "    %s) _arguments -s -S", command->name);
    each_option(out, command, put_zsh_option);
    if (put_typed(NULL, command->operands)) {
        fputs(" \\\n        '1:word:(", out);
        put_typed(out, command->operands);
        fputs(")'", out);
    }
    fputs(" \\\n        '*", out);
    put_zsh_action(out, command->operands, NULL, operand_offer(command->operands));
    fputs("' ;;\n", out);
}

/* ---- fish: a line for each word ---- */

static void put_fish_words(FILE *out, const char *const *words, offer what)
{
    if (words || what.networks || what.commands) {
        fputs(" -a '", out);
        put_words(out, words, what);
        putc('\'', out);
    }
    if (what.files) fputs(" -F", out);
    if (what.folders) fputs(" -a '(__fish_complete_directories)'", out);
}

static void put_fish_option(FILE *out, const cli_command *command, const option_row *row)
{
    fprintf(out, "complete -c inception -n '__inception_at %s' -l %s", command->name, row->name);
    if (row->letter) fprintf(out, " -s %c", row->letter);
    fputs(" -d '", out);
    put_short(out, row->help, "");
    putc('\'', out);
    if (row->argument) {
        offer what = offer_of(row->argument, strlen(row->argument));
        fputs(what.files ? " -r" : " -x", out);
        put_fish_words(out, row->choices, what);
    }
    putc('\n', out);
}

static void put_fish_command(FILE *out, const cli_command *command)
{
    bool typed = put_typed(NULL, command->operands);
    each_option(out, command, put_fish_option);
    if (typed) {
        fprintf(out, "complete -c inception -n '__inception_at %s first' -a '", command->name);
        put_typed(out, command->operands);
        fputs("'\n", out);
    }
    fprintf(out, "complete -c inception -n '__inception_at %s%s'", command->name, typed ? " later" : "");
    put_fish_words(out, NULL, operand_offer(command->operands));
    putc('\n', out);
}

/* ---- All ---- */

static void put_bash_heading(FILE *out)
{
    fputs("    'inception first') words='", out);
    for (size_t i = 0; command_at(i); i++) fprintf(out, "%s ", command_at(i)->name);
    fputs("--help --version' ;;\n", out);
}

static void put_zsh_heading(FILE *out)
{
    fputs("    commands) _values command", out);
    for (size_t i = 0; command_at(i); i++) {
        fprintf(out, " '%s[", command_at(i)->name);
        put_short(out, command_at(i)->summary, "[]\\");
        fputs("]'", out);
    }
    fputs(" ;;\n    networks) compadd -- ", out);
    put_words(out, NULL, (offer){.files = true, .networks = true}); /* beside files */
    fputs(" ;;\n", out);
}

static void put_fish_heading(FILE *out)
{
    for (size_t i = 0; command_at(i); i++) {
        fprintf(out, "complete -c inception -n __inception_at -a %s -d '", command_at(i)->name);
        put_short(out, command_at(i)->summary, "");
        fputs("'\n", out);
    }
}

static const struct {
    const char *name;
    void (*heading)(FILE *out);
    void (*command)(FILE *out, const cli_command *command);
} shells[] = {
    {"bash", put_bash_heading, put_bash_command},
    {"zsh", put_zsh_heading, put_zsh_command},
    {"fish", put_fish_heading, put_fish_command},
};

bool write_tables(FILE *out, const char *shell)
{
    for (size_t i = 0; i < COUNT(shells); i++) {
        if (strcmp(shells[i].name, shell) != 0) continue;
        shells[i].heading(out);
        for (size_t k = 0; command_at(k); k++) shells[i].command(out, command_at(k));
        return !ferror(out);
    }
    return false;
}
