/* How a run ends: exit codes, messages and the line of progress below them, the count of failures, Ctrl-C. */
#include "cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

const exit_meaning exit_meanings[] = {
    {EXIT_FINE, "all went well (inspect --diff: the files are equal)"},
    {EXIT_SOME, "some inputs failed, others did not (inspect --diff: the files differ)"},
    {EXIT_USAGE, "wrong usage: an option or a value that is not allowed"},
    {EXIT_DATA, "damaged or unsuitable data, or larger than the limits"},
    {EXIT_NO_INPUT, "no such file, or no photo in the folder"},
    {EXIT_UNAVAILABLE, "no weights for the network: the message says how to get them"},
    {EXIT_INTERNAL, "a mistake in this program"},
    {EXIT_SYSTEM, "the system gave no memory"},
    {EXIT_IO, "reading or writing failed"},
    {EXIT_INTERRUPTED, "interrupted (Ctrl-C); what was done until then is kept"},
    {EXIT_PIPE, "the program that read the output has gone"},
};
const size_t exit_meaning_count = COUNT(exit_meanings);

static const exit_code status_exits[] = {
    [INCEPTION_OK] = EXIT_FINE,
    [INCEPTION_INVALID] = EXIT_USAGE,
    [INCEPTION_NOT_FOUND] = EXIT_NO_INPUT,
    [INCEPTION_IO] = EXIT_IO,
    [INCEPTION_DATA] = EXIT_DATA,
    [INCEPTION_UNSUPPORTED] = EXIT_DATA,
    [INCEPTION_MISMATCH] = EXIT_DATA,
    [INCEPTION_LIMIT] = EXIT_DATA,
    [INCEPTION_MEMORY] = EXIT_SYSTEM,
    [INCEPTION_INTERNAL] = EXIT_INTERNAL,
};

static bool status_shown;

void status_line(const char *text)
{
    if (status_shown || text) fprintf(stderr, "\r\033[K%s", text ? text : "");
    if (status_shown || text) fflush(stderr);
    status_shown = text != NULL;
}

static void complain_list(const char *format, va_list arguments)
{
    char *text = NULL;
    status_line(NULL);
    if (vasprintf(&text, format, arguments) < 0) text = NULL;
    fputs("inception: ", stderr);
    text_write(stderr, text ? text : format);
    fputc('\n', stderr);
    free(text);
}

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain_list(format, arguments);
    va_end(arguments);
}

exit_code exit_of(inception_status status)
{
    return (size_t)status < COUNT(status_exits) ? status_exits[status] : EXIT_INTERNAL;
}

exit_code complain_memory(void)
{
    complain("out of memory");
    return EXIT_SYSTEM;
}

exit_code complain_error(const inception_error *error)
{
    complain("%s", error->message);
    return exit_of(error->status);
}

void complain_input(const char *path, const inception_error *error)
{
    char shown[URL_SHOWN];
    if (is_web_address(path)) path = url_shown(path, shown); /* without its password */
    /* The library's messages begin with the name, its control characters replaced. */
    size_t plain = 0;
    while (plain < 256 && (unsigned char)path[plain] >= ' ' && path[plain] != 127) plain++;
    bool named = strncmp(error->message, path, plain) == 0 || strcmp(path, "-") == 0;
    complain("%s%s%s", named ? "" : path, named ? "" : ": ", error->message);
}

exit_code complain_usage(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain_list(format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try 'inception %s%s--help'.\n", command ? command : "", command ? " " : "");
    return EXIT_USAGE;
}

void fail(inception_error *error, inception_status status, const char *format, ...)
{
    if (error->status) return;
    char whole[4 * INCEPTION_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    size_t length = (size_t)vsnprintf(whole, sizeof whole, format, arguments);
    const size_t most = sizeof error->message - 1, head = most / 3, tail = most - head - strlen("...");
    va_end(arguments);
    if (length >= sizeof whole) length = sizeof whole - 1;
    if (length <= most) strcpy(error->message, whole); /* of what is longer the reason stands at the end */
    else snprintf(error->message, sizeof error->message, "%.*s...%s", (int)head, whole, whole + length - tail);
    error->status = status;
    error->position = INCEPTION_NO_POSITION;
}

void tally_failure(cli_tally *tally, inception_status status)
{
    if (tally->failed++ == 0) tally->first = exit_of(status);
}

exit_code tally_exit(const cli_tally *tally, bool quiet)
{
    if (tally->failed && tally->done + tally->failed > 1 && !quiet)
        complain("%zu of %zu inputs failed", tally->failed, tally->done + tally->failed);
    if (interrupted()) return EXIT_INTERRUPTED;
    if (!tally->failed) return EXIT_FINE;
    return tally->done ? EXIT_SOME : tally->first;
}

static atomic_bool interrupts; /* the threads that decode look at it as well */

static void count_interrupt(int number)
{
    (void)number;
    interrupts = true;
}

void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = count_interrupt, .sa_flags = (int)SA_RESETHAND | SA_RESTART}, before;
    if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler == SIG_IGN) return; /* a job in the background */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool interrupted(void)
{
    return interrupts;
}

static atomic_bool given_up;

void give_up_waiting(bool now)
{
    given_up = now;
}

bool waiting_is_over(void)
{
    return interrupts || given_up;
}
