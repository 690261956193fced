/* What the terminal on standard output can do. Its size and colours are read from the system; which pictures it shows is
 * asked of the terminal itself. The questions end with the one that every terminal answers (its primary device
 * attributes), so that its answer ends the wait; one that answers nothing in time gets no picture.
 *
 * While the answers are awaited, the terminal hands over single bytes and does not echo. Signals that could end or stop
 * the process before the mode is restored wait until it is; that holds only while the process has one thread, so ask
 * before the library makes more. Ctrl-C stays a signal. What was typed before the questions is not touched: if there is
 * any, nothing is asked. What is typed between question and answer is lost (milliseconds, DEADLINE at most). */
#include "cli.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE 1000 /* milliseconds, for slow lines; an answer that comes later is shown as if it had been typed */

const char *const color_choices[] = {
    [COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never", NULL,
};

const char *const picture_choices[] = {
    [PICTURE_AUTO] = "auto",   [PICTURE_NONE] = "none",   [PICTURE_KITTY] = "kitty",
    [PICTURE_ITERM] = "iterm", [PICTURE_SIXEL] = "sixel", [PICTURE_BLOCKS] = "blocks",
    NULL,
};

/* ---- Answers ---- */

/* Reads up to `most` numbers separated by semicolons from the `size` bytes of a control sequence; returns how many. */
static int parse_numbers(const char *bytes, size_t size, int *numbers, int most)
{
    int count = 0;
    for (size_t i = 0; i < size && count < most; i++) {
        int number = 0;
        for (; i < size && isdigit((unsigned char)bytes[i]); i++)
            if (number <= 9999) number = 10 * number + bytes[i] - '0';
        numbers[count++] = number;
    }
    return count;
}

static void take_pixels(const int *numbers, int *width, int *height)
{
    bool sane = numbers[1] >= 1 && numbers[1] <= 9999 && numbers[2] >= 1 && numbers[2] <= 9999;
    if (sane) *height = numbers[1], *width = numbers[2];
}

/* A control sequence without its introducer; the last byte tells its kind. */
static void take_sequence(const char *bytes, size_t size, terminal_answers *answers)
{
    int numbers[32];
    char kind = bytes[size - 1];
    bool private = bytes[0] == '?';
    int count = parse_numbers(bytes + private, size - private - 1, numbers, COUNT(numbers));
    if (kind == 't' && count == 3 && numbers[0] == 4)
        take_pixels(numbers, &answers->window_width, &answers->window_height);
    if (kind == 't' && count == 3 && numbers[0] == 6) take_pixels(numbers, &answers->cell_width, &answers->cell_height);
    if (kind != 'c' || !private) return;
    answers->complete = true;
    for (int i = 1; i < count; i++) answers->sixel |= numbers[i] == 4; /* the first is the terminal's class */
}

static bool begins(const char *bytes, size_t size, const char *with)
{
    return size >= strlen(with) && memcmp(bytes, with, strlen(with)) == 0;
}

/* A string without its introducer, 'P' or '_', and its terminator. */
static void take_string(char kind, const char *bytes, size_t size, terminal_answers *answers)
{
    if (kind == '_') answers->kitty |= begins(bytes, size, "Gi=31;OK");
    else answers->iterm |= begins(bytes, size, ">|iTerm2 "), answers->tmux |= begins(bytes, size, ">|tmux ");
}

void answers_parse(const char *bytes, size_t size, terminal_answers *answers)
{
    *answers = (terminal_answers){0};
    for (size_t i = 0; i + 2 < size && !answers->complete; i++) {
        const char *start = bytes + i + 2;
        size_t left = size - i - 2, length = 0;
        if (bytes[i] != '\033') continue;
        if (bytes[i + 1] == '[') {
            while (length < left && start[length] >= ' ' && start[length] < '@') length++;
            if (length == left) return;
            take_sequence(start, length + 1, answers);
        } else if (bytes[i + 1] == 'P' || bytes[i + 1] == '_') {
            while (length < left && start[length] != '\033') length++;
            if (length == left) return;
            take_string(bytes[i + 1], start, length, answers);
        }
    }
}

/* ---- Asking ---- */

/* The cursor is put back, and what a terminal that knows less may have printed of the questions is erased. */
static const char questions[] = "\0337"
                                "\033_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\033\\" /* kitty's graphics: a pixel to judge */
                                "\033[>q"                                    /* name and version */
                                "\033[14t\033[16t"                           /* pixels of the window and of a cell */
                                "\0338\033[K"
                                "\033[c"; /* primary device attributes */

static int milliseconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int)((now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000);
}

/* Reads byte by byte, so that nothing is taken that comes after the answers. */
static void read_answers(int fd, terminal_answers *answers)
{
    char bytes[1024];
    size_t size = 0;
    struct timespec start;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (size < sizeof bytes && !answers->complete) {
        int left = DEADLINE - milliseconds_since(&start);
        if (left <= 0 || poll(&ready, 1, left) <= 0 || read(fd, bytes + size, 1) != 1) return;
        answers_parse(bytes, ++size, answers);
    }
}

static void ask_in_mode(int fd, terminal_answers *answers)
{
    struct termios before, mode;
    struct pollfd typed = {.fd = fd, .events = POLLIN};
    if (tcgetattr(fd, &before) != 0) return;
    mode = before;
    mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSANOW, &mode) != 0) return;
    if (poll(&typed, 1, 0) == 0 && write(fd, questions, sizeof questions - 1) == sizeof questions - 1)
        read_answers(fd, answers);
    tcsetattr(fd, TCSANOW, &before);
}

/* Only the terminal that started us, and only while we are in its foreground. */
static void ask(terminal_answers *answers)
{
    static const int held[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};
    sigset_t signals, before;
    if (tcgetpgrp(STDOUT_FILENO) != getpgrp()) return;
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC); /* not blocked by Ctrl-S */
    if (fd < 0) return;
    sigemptyset(&signals);
    for (size_t i = 0; i < COUNT(held); i++) sigaddset(&signals, held[i]);
    sigprocmask(SIG_BLOCK, &signals, &before);
    ask_in_mode(fd, answers);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(fd);
}

/* ---- What is made of it ---- */

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

static bool is_terminal(void)
{
    return isatty(STDOUT_FILENO) && is_set("TERM") && strcmp(getenv("TERM"), "dumb") != 0;
}

/* tmux and screen answer for themselves, but do not pass on what is meant for the terminal around them. */
static picture_kind best_picture(const terminal_answers *answers)
{
    bool inner = answers->tmux || is_set("TMUX") || is_set("STY");
    if (!answers->complete) return PICTURE_NONE;
    if (answers->kitty && !inner) return PICTURE_KITTY;
    if (answers->iterm && !inner) return PICTURE_ITERM;
    if (answers->sixel && !inner) return PICTURE_SIXEL;
    return text_is_utf8() ? PICTURE_BLOCKS : PICTURE_NONE;
}

/* Zeros if there is no terminal. */
static struct winsize system_size(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return (struct winsize){0};
    return size;
}

int terminal_width(void)
{
    int columns = system_size().ws_col;
    return columns ? columns : 80;
}

int terminal_height(void)
{
    int rows = system_size().ws_row;
    return rows ? rows : 24;
}

/* What the terminal says of its cells, then what its window has room for, then what is usual. */
static void cell_size(const terminal_answers *answers, int *width, int *height)
{
    struct winsize size = system_size();
    int window_width = answers->window_width ? answers->window_width : size.ws_xpixel;
    int window_height = answers->window_height ? answers->window_height : size.ws_ypixel;
    *width = answers->cell_width ? answers->cell_width : size.ws_col ? window_width / size.ws_col : 0;
    *height = answers->cell_height ? answers->cell_height : size.ws_row ? window_height / size.ws_row : 0;
    if (*width < 1 || *height < 1) *width = 8, *height = 16;
}

void terminal_start(cli_terminal *terminal, int color, int picture)
{
    terminal_answers answers = {0};
    bool present = is_terminal(), always = color == COLOR_ALWAYS;
    *terminal = (cli_terminal){
        .bars = present || always,
        .colours = always || (color == COLOR_AUTO && present && !is_set("NO_COLOR")),
        .picture = PICTURE_NONE,
    };
    bool wanted = picture == PICTURE_AUTO ? present && terminal->colours
                                          : picture != PICTURE_NONE && (always || (present && color == COLOR_AUTO));
    if (!wanted) return;
    if (present && picture != PICTURE_BLOCKS) ask(&answers);
    terminal->picture = picture == PICTURE_AUTO ? best_picture(&answers) : (picture_kind)picture;
    cell_size(&answers, &terminal->cell_width, &terminal->cell_height);
}
