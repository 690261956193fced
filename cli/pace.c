/* The line on the terminal that tells how far a run over many photos is.
 *
 * How many photos there are is known at the end of the walk only, which is where the run ends as well. So a second walk
 * runs ahead in a thread of its own and counts; until it is done the line shows the rate alone. */
#include "cli.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR 20
#define SECONDS_BETWEEN 0.1

struct cli_pace {
    photo_walk *counting;
    pthread_t counter;
    bool counted; /* by a thread */
    atomic_bool stop;
    atomic_size_t total; /* 0: not known yet */
    size_t answered;
    double begun, shown; /* seconds */
    bool hidden;
};

static void *count_photos(void *given)
{
    cli_pace *pace = given;
    cli_photo photo;
    inception_error error = {0};
    size_t count = 0;
    for (; photos_next(pace->counting, &photo, &error); count++) {
        if (pace->stop) return NULL;
        error = (inception_error){0};
    }
    pace->total = count;
    return NULL;
}

cli_pace *pace_open(const photo_walk *walk, bool quiet)
{
    const char *terminal = getenv("TERM");
    bool can = progress_width() && terminal && strcmp(terminal, "dumb") != 0;
    if (!can || quiet || !photos_several(walk)) return NULL;
    cli_pace *pace = calloc(1, sizeof *pace);
    if (!pace) return NULL;
    pace->counting = photos_again(walk);
    pace->counted = pace->counting && pthread_create(&pace->counter, NULL, count_photos, pace) == 0;
    pace->begun = progress_now();
    return pace;
}

static void format_line(const cli_pace *pace, size_t number, double now, char *text, size_t size)
{
    size_t total = pace->total;
    double rate = (double)pace->answered / (now - pace->begun + 1e-9);
    if (total < number) {
        snprintf(text, size, "%zu photos, %.1f/s", number, rate);
        return;
    }
    char left[LEFT_TEXT], bar[BAR + 1];
    int filled = (int)((double)BAR * (double)number / (double)total);
    memset(bar, ' ', BAR);
    memset(bar, '=', (size_t)filled);
    bar[BAR] = '\0';
    left_text((double)(total - number) / rate, left);
    snprintf(text, size, "[%s] %zu of %zu photos, %.1f/s%s%s", bar, number, total, rate, *left ? ", " : "", left);
}

void pace_step(cli_pace *pace, size_t number)
{
    if (!pace) return;
    double now = progress_now();
    pace->answered++;
    if (now - pace->shown < SECONDS_BETWEEN && !pace->hidden) return;
    pace->shown = now;
    pace->hidden = false;
    char line[160];
    format_line(pace, number, now, line, sizeof line);
    int room = progress_width() - 1; /* the last column would wrap */
    if (room >= 0 && (size_t)room < sizeof line) line[room] = '\0';
    status_line(line);
}

void pace_hide(cli_pace *pace)
{
    if (!pace || pace->hidden || !isatty(STDOUT_FILENO)) return;
    pace->hidden = true;
    status_line(NULL);
}

void pace_close(cli_pace **pace)
{
    if (!*pace) return;
    status_line(NULL);
    (*pace)->stop = true;
    if ((*pace)->counted) pthread_join((*pace)->counter, NULL);
    photos_close(&(*pace)->counting);
    free(*pace);
    *pace = NULL;
}
