/* How far a download is: a bar on a terminal, otherwise one line at its end. */
#include "cli.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL 0.1 /* seconds between two pictures of the bar */
#define SHORTEST_BAR 8

double progress_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

const char *bytes_text(uint64_t bytes, char text[BYTES_TEXT])
{
    static const char *const units[] = {"kB", "MB", "GB"};
    double number = (double)bytes / 1e3;
    size_t unit = 0;
    for (; number >= 999.95 && unit + 1 < COUNT(units); unit++) number /= 1e3;
    if (bytes < 1000) snprintf(text, BYTES_TEXT, "%d bytes", (int)bytes);
    else snprintf(text, BYTES_TEXT, "%.1f %s", number, units[unit]);
    return text;
}

int progress_width(void)
{
    struct winsize size;
    if (!isatty(STDERR_FILENO)) return 0;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

const char *left_text(double seconds, char text[LEFT_TEXT])
{
    *text = '\0';
    if (!(seconds > 0 && seconds <= 359999)) return text;
    int whole = (int)seconds + 1, hours = whole / 3600;
    if (hours) snprintf(text, LEFT_TEXT, "%d:%02d:%02d left", hours, whole / 60 % 60, whole % 60);
    else snprintf(text, LEFT_TEXT, "%d:%02d left", whole / 60, whole % 60);
    return text;
}

void progress_begin(cli_progress *progress, const char *name, uint64_t done)
{
    *progress = (cli_progress){.name = name, .start = done, .began = progress_now(), .width = progress_width()};
}

/* Fills the line with blanks, so that nothing of a longer one before it is left; never the last column, where some
 * terminals would wrap. */
static void write_line(const cli_progress *progress, const char *text)
{
    fputc('\r', stderr);
    int used = text_cut(stderr, text, progress->width - 1);
    fprintf(stderr, "%*s", progress->width - 1 - used, "");
    fflush(stderr);
}

/* "12.3 MB/s 0:42 left" */
static void format_rate(const cli_progress *progress, uint64_t done, uint64_t total, char *text, size_t size)
{
    char number[BYTES_TEXT], left[LEFT_TEXT];
    double rate = (double)(done - progress->start) / (progress_now() - progress->began + 1e-9);
    left_text(total > done && rate > 1 ? (double)(total - done) / rate : 0, left);
    snprintf(text, size, "%s/s%s%s", bytes_text((uint64_t)rate, number), *left ? " " : "", left);
}

void progress_show(cli_progress *progress, uint64_t done, uint64_t total)
{
    char line[1024], rate[64], part[BYTES_TEXT], bar[256];
    if (!progress->name || !progress->width || progress_now() - progress->shown < INTERVAL) return;
    progress->shown = progress_now();
    format_rate(progress, done, total, rate, sizeof rate);
    if (!total) {
        snprintf(line, sizeof line, ">> Downloading %s %s, %s", progress->name, bytes_text(done, part), rate);
        write_line(progress, line);
        return;
    }
    double share = (double)done / (double)total;
    int head = snprintf(line, sizeof line, ">> Downloading %s %.1f%%", progress->name, 100.0 * share);
    int room = progress->width - 1 - head - (int)strlen(rate) - (int)strlen(" [] ");
    if (room > (int)sizeof bar - 1) room = (int)sizeof bar - 1;
    if (room < SHORTEST_BAR) {
        snprintf(line + head, sizeof line - (size_t)head, " %s", rate);
    } else {
        int filled = (int)(share * room);
        memset(bar, '#', (size_t)filled);
        memset(bar + filled, '.', (size_t)(room - filled));
        snprintf(line + head, sizeof line - (size_t)head, " [%.*s] %s", room, bar, rate);
    }
    write_line(progress, line);
}

void progress_end(cli_progress *progress, bool complete)
{
    char line[1024];
    if (!progress->name) return;
    snprintf(line, sizeof line, ">> Downloading %s 100.0%%", progress->name);
    if (progress->width) write_line(progress, complete ? line : "");
    else if (complete) text_write(stderr, line);
    if (complete) fputc('\n', stderr);
    else if (progress->width) fputc('\r', stderr);
}
