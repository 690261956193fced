/* The command `inception`: the way to its commands. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char *command_name(const void *list, size_t i)
{
    return ((const cli_command *const *)list)[i]->name;
}

static exit_code general_help(void)
{
    printf("Usage: inception COMMAND [OPTION]... [WORD]...\n\n");
    print_examples(general_examples);
    printf("%s\n\nCommands:\n", general_about);
    for (size_t i = 0; i < command_count; i++) printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    printf("  %-10s %s\n", "help", "explain one command");
    printf("\nOptions:\n"
           "  -h, --help                this help; after a command, that command's\n"
           "  -V, --version             print the version\n\n"
           "Exit status:\n");
    for (size_t i = 0; i < exit_meaning_count; i++)
        printf("  %3d  %s\n", exit_meanings[i].code, exit_meanings[i].meaning);
    printf("\nLimits, of what comes from outside:\n");
    for (const char *const *limit = limits; *limit; limit++) printf("  %s\n", *limit);
    printf("\nEnvironment:\n"
           "  XDG_CACHE_HOME    weights are in its folder 'inception'\n"
           "                    (default: ~/.cache/inception)\n"
           "  INCEPTION_MIRROR  URL of a folder to fetch published weights from\n"
           "  http_proxy, https_proxy, all_proxy, no_proxy    as for curl(1)\n");
    return output_flush();
}

static exit_code unknown_command(const char *word)
{
    if (word[0] == '-' && word[1]) return complain_usage(NULL, "name the command before options such as '%s'", word);
    if (access(word, F_OK) == 0)
        return complain_usage(NULL, "'%s' is a file, not a command; did you mean 'inception classify %s'?", word, word);
    const char *near = nearest_name(word, command_name, commands, command_count);
    return complain_usage(NULL, "there is no command '%s'%s%s%s", word, near ? "; did you mean '" : "",
                          near ? near : "", near ? "'?" : "");
}

static exit_code help_about(const char *word)
{
    const cli_command *command = word ? command_find(word) : NULL;
    if (word && !command && strcmp(word, "help") != 0 && strcmp(word, "--help") != 0) return unknown_command(word);
    if (!command) return general_help();
    options_help(command);
    return output_flush();
}

static exit_code run_command(const cli_command *command, int argc, char **argv)
{
    void *options = NULL;
    exit_code code;
    extern int optind;
    if (options_parse(command, argc, argv, &options, &code)) code = command->run(options, argv + optind, argc - optind);
    options_free(command, &options);
    return code;
}

/* One that was closed would be the number of the next file that is opened, and get what is meant for the terminal. */
static void keep_standard_files(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    keep_standard_files();
    text_start();
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ); /* a message is one write */
    signal(SIGPIPE, SIG_IGN);              /* a write that fails tells it, and temporary files are removed; */
    signal(SIGXFSZ, SIG_IGN);              /* so does one beyond the limit on the size of files */
    const char *word = argc > 1 ? argv[1] : NULL;
    if (!word) return complain_usage(NULL, "name a command, as in 'inception classify photo.jpg'");
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return help_about(argc > 2 ? argv[2] : NULL);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("inception %s\n", inception_version());
        return output_flush();
    }
    const cli_command *command = command_find(word);
    return command ? run_command(command, argc - 1, argv + 1) : unknown_command(word);
}
