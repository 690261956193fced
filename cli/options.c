/* One table of options parses the command line and prints the help. getopt_long finds the words; this file knows what
 * they may hold, and says in one sentence which option had which value and what is allowed. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_ROWS 64
#define LONG_BASE 256 /* above every short letter */
#define COLUMNS 80
#define HELP_COLUMN 28

const option_row common_rows[] = {
    {"quiet", 'q', NULL, OPTION_FLAG, offsetof(common_settings, quiet), "no notes on standard error, errors only", 0, 0,
     NULL},
    {"verbose", 'v', NULL, OPTION_FLAG, offsetof(common_settings, verbose), "say what is being done", 0, 0, NULL},
    {"color", 0, "WHEN", OPTION_CHOICE, offsetof(common_settings, color),
     "auto, always or never; auto: on a terminal, unless NO_COLOR is set or TERM is dumb", 0, 0, color_choices},
    {.name = NULL},
};

/* Answered by the parser itself, in every command. */
enum { WORD_HELP, WORD_VERSION, WORD_COUNT };
const option_row word_rows[] = {
    [WORD_HELP] = {"help", 'h', NULL, OPTION_FLAG, 0, "print this help", 0, 0, NULL},
    [WORD_VERSION] = {"version", 'V', NULL, OPTION_FLAG, 0, "print the version", 0, 0, NULL},
    [WORD_COUNT] = {.name = NULL},
};

/* The rows of all groups in one array, as getopt_long wants them. */
typedef struct option_parser {
    const cli_command *command;
    struct option longs[MAX_ROWS + 1];
    char shorts[2 * MAX_ROWS + 2];
    const option_row *rows[MAX_ROWS];
    size_t offsets[MAX_ROWS]; /* of the value in the command's struct */
    int count;
} option_parser;

static void add_rows(option_parser *parser, const option_row *rows, size_t offset)
{
    for (const option_row *row = rows; row->name && parser->count < MAX_ROWS; row++) {
        int i = parser->count++;
        parser->rows[i] = row;
        parser->offsets[i] = offset + row->offset;
        parser->longs[i] =
            (struct option){row->name, row->argument ? required_argument : no_argument, NULL, LONG_BASE + i};
        if (!row->letter) continue;
        char *end = parser->shorts + strlen(parser->shorts);
        *end++ = row->letter;
        if (row->argument) *end++ = ':';
        *end = '\0';
    }
}

static void parser_start(option_parser *parser, const cli_command *command)
{
    *parser = (option_parser){.command = command, .shorts = ":"};
    add_rows(parser, word_rows, 0);
    for (const option_group *group = command->groups; group->title; group++)
        add_rows(parser, group->rows, group->offset);
    opterr = 0;
    optind = 0;
}

static int row_of(const option_parser *parser, int value)
{
    if (value >= LONG_BASE && value < LONG_BASE + parser->count) return value - LONG_BASE;
    for (int i = 0; i < parser->count; i++)
        if (parser->rows[i]->letter && parser->rows[i]->letter == value) return i;
    return -1;
}

/* ---- Values ---- */

static bool parse_size(const char *text, double min, double max, uint64_t *value)
{
    static const char suffixes[] = "KMG";
    char *end;
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    const char *suffix = *end ? memchr(suffixes, *end & ~0x20, strlen(suffixes)) : NULL;
    int shift = suffix ? 10 * (int)(suffix - suffixes + 1) : 0;
    if (errno || end == text || (*end && (!suffix || end[1])) || number > UINT64_MAX >> shift) return false;
    *value = (uint64_t)number << shift;
    return (double)*value >= min && (double)*value <= max;
}

static bool parse_int(const char *text, double min, double max, int *value)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || *end || !((double)number >= min && (double)number <= max)) return false;
    *value = (int)number;
    return true;
}

static bool parse_double(const char *text, double min, double max, double *value)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !(number >= min && number <= max)) return false;
    *value = number;
    return true;
}

static bool parse_choice(const char *text, const char *const *choices, int *value)
{
    for (int i = 0; choices[i]; i++) {
        if (strcasecmp(text, choices[i]) != 0) continue;
        *value = i;
        return true;
    }
    return false;
}

static exit_code refuse_value(const cli_command *command, const option_row *row, const char *value)
{
    char allowed[256] = "";
    switch (row->kind) {
    case OPTION_INT: snprintf(allowed, sizeof allowed, "a whole number from %.0f to %.0f", row->min, row->max); break;
    case OPTION_SIZE:
        snprintf(allowed, sizeof allowed, "a whole number from %.0f to %.0f; K, M and G may follow", row->min,
                 row->max);
        break;
    case OPTION_DOUBLE: snprintf(allowed, sizeof allowed, "a number from %g to %g", row->min, row->max); break;
    case OPTION_CHOICE:
        if (!row->choices[1]) snprintf(allowed, sizeof allowed, "%s, the only value so far", row->choices[0]);
        for (int i = 0; row->choices[1] && row->choices[i]; i++)
            snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s%s",
                     i == 0                ? ""
                     : row->choices[i + 1] ? ", "
                                           : " or ",
                     row->choices[i]);
        break;
    default: return complain_usage(command->name, "option --%s must not be empty", row->name);
    }
    return complain_usage(command->name, "option --%s: '%s' is not %s", row->name, value, allowed);
}

static bool store(const option_row *row, const char *value, char *field)
{
    switch (row->kind) {
    case OPTION_FLAG: *(bool *)field = true; return true;
    case OPTION_SET: *(int *)field = (int)row->min; return true;
    case OPTION_INT: return parse_int(value, row->min, row->max, (int *)field);
    case OPTION_SIZE: return parse_size(value, row->min, row->max, (uint64_t *)field);
    case OPTION_DOUBLE: return parse_double(value, row->min, row->max, (double *)field);
    case OPTION_STRING: *(const char **)field = value; return *value != '\0';
    case OPTION_CHOICE: return parse_choice(value, row->choices, (int *)field);
    case OPTION_LIST: {
        string_list *list = (string_list *)field;
        list->items[list->count++] = value;
        return *value != '\0';
    }
    }
    return false;
}

/* ---- Misspelt options ---- */

static const char *row_name(const void *list, size_t i)
{
    return ((const option_parser *)list)->rows[i]->name;
}

static exit_code refuse_option(const option_parser *parser, char **argv)
{
    const char *word = argv[optind > 0 ? optind - 1 : 0], *command = parser->command->name;
    int known = row_of(parser, optopt);
    if (known >= 0 && optopt >= LONG_BASE)
        return complain_usage(command, "option --%s takes no value", parser->rows[known]->name);
    if (optopt) return complain_usage(command, "there is no option -%c", optopt);

    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    int matches = 0;
    for (int i = 0; i < parser->count; i++) matches += strncmp(parser->rows[i]->name, name, strlen(name)) == 0;
    if (matches > 1) return complain_usage(command, "option --%s could be one of several", name);
    const char *near = nearest_name(name, row_name, parser, (size_t)parser->count);
    return complain_usage(command, "there is no option --%s%s%s%s", name, near ? "; did you mean --" : "",
                          near ? near : "", near ? "?" : "");
}

/* ---- Parsing ---- */

/* Every list may grow to as many items as there are words. */
static bool start_lists(const option_parser *parser, char *options, int words)
{
    for (int i = 0; i < parser->count; i++) {
        if (parser->rows[i]->kind != OPTION_LIST) continue;
        string_list *list = (string_list *)(options + parser->offsets[i]);
        list->items = calloc((size_t)words, sizeof *list->items);
        if (!list->items) return false;
    }
    return true;
}

static exit_code check_operands(const cli_command *command, char **operands, int count)
{
    if (count < command->min_operands)
        return complain_usage(command->name, "%s needs %s", command->name, command->operands);
    if (count <= command->max_operands) return EXIT_FINE;
    return complain_usage(command->name, "'%s' is one word too many", operands[command->max_operands]);
}

bool options_parse(const cli_command *command, int argc, char **argv, void **options, exit_code *code)
{
    option_parser parser;
    parser_start(&parser, command);
    *options = malloc(command->options_size);
    if (*options) memcpy(*options, command->defaults, command->options_size);
    if (!*options || !start_lists(&parser, *options, argc)) {
        *code = complain_memory();
        return false;
    }
    for (;;) {
        int value = getopt_long(argc, argv, parser.shorts, parser.longs, NULL);
        if (value == -1) break;
        int i = row_of(&parser, value == ':' ? optopt : value);
        if (value == ':') *code = complain_usage(command->name, "option --%s needs a value", parser.rows[i]->name);
        else if (i < 0) *code = refuse_option(&parser, argv);
        else if (i == WORD_HELP) options_help(command), *code = output_flush();
        else if (i == WORD_VERSION) printf("inception %s\n", inception_version()), *code = output_flush();
        else if (store(parser.rows[i], optarg, (char *)*options + parser.offsets[i])) continue;
        else *code = refuse_value(command, parser.rows[i], optarg);
        return false;
    }
    *code = check_operands(command, argv + optind, argc - optind);
    return *code == EXIT_FINE;
}

void options_free(const cli_command *command, void **options)
{
    option_parser parser;
    parser_start(&parser, command);
    for (int i = 0; *options && i < parser.count; i++)
        if (parser.rows[i]->kind == OPTION_LIST) free(((string_list *)((char *)*options + parser.offsets[i]))->items);
    free(*options);
    *options = NULL;
}

/* ---- Help ---- */

/* Wraps text into the columns from `indent` on; the cursor is in column `at`. */
static void wrap(const char *text, int indent, int at)
{
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (at > indent && at + 1 + length > COLUMNS) {
            putchar('\n');
            at = 0;
        }
        if (at < indent) printf("%*s", indent - at, ""), at = indent;
        else if (at > indent) putchar(' '), at++;
        printf("%.*s", length, text);
        at += length;
        text += length;
        while (*text == ' ') text++;
    }
    putchar('\n');
}

void print_wrapped(const char *text, int indent)
{
    wrap(text, indent, 0);
}

static void help_rows(const option_row *rows)
{
    for (const option_row *row = rows; row->name; row++) {
        char head[COLUMNS], letter[] = {'-', row->letter, ',', '\0'};
        snprintf(head, sizeof head, "  %3s --%s%s%s", row->letter ? letter : "", row->name, row->argument ? "=" : "",
                 row->argument ? row->argument : "");
        printf("%s", head);
        int at = (int)strlen(head);
        if (at > HELP_COLUMN - 2) putchar('\n'), at = 0;
        wrap(row->help, HELP_COLUMN, at);
    }
}

void print_examples(const char *const *examples)
{
    printf("Examples:\n");
    while (*examples) printf("  %s\n", *examples++);
    putchar('\n');
}

void options_help(const cli_command *command)
{
    printf("Usage: inception %s [OPTION]...%s%s\n\n", command->name, *command->operands ? " " : "", command->operands);
    print_examples(command->examples);
    print_wrapped(command->about, 0);
    for (const option_group *group = command->groups; group->title; group++) {
        if (*group->title) printf("\n%s:\n", group->title);
        help_rows(group->rows);
    }
    help_rows(word_rows);
    printf("\nExit status: 'inception --help' lists it.\n");
}
