/* What classify says of a photo on a terminal: names in a column, percentages, bars. Several networks stand side by side
 * where they have room, and below each other where not. */
#include "cli.h"

#include <string.h>

#define GAP 2        /* blanks between networks */
#define SCORE 7      /* columns of "100.00%" */
#define NARROWEST 14 /* columns of a network, whatever the terminal has */
#define BESIDE 30    /* columns that a network needs to stand beside another */
#define BARS_FROM 36 /* columns from which on there are bars */
#define BAR_LEAST 10
#define BAR_MOST 40

#define BOLD "\033[1m"
#define CYAN "\033[36m"
#define PLAIN "\033[0m"

/* Columns of the parts of a row, one blank between them; no bar: 0. */
typedef struct bar_layout {
    int name, bar;
} bar_layout;

/* Columns that the longest name wants. */
static int widest_name(const cli_contestant *contestant)
{
    char note[NOTE_SIZE];
    int widest = text_width(contestant->title) - SCORE - 1, shown = contestant_shown(contestant, note);
    if (!shown && text_width(note) - SCORE - 1 > widest) widest = text_width(note) - SCORE - 1;
    for (int row = 0; row < shown; row++) {
        int name = text_width(contestant->answer[row].label);
        if (name > widest) widest = name;
    }
    return widest;
}

static bar_layout layout_of(const cli_contestant *contestant, int width)
{
    int limit = width - SCORE - 1 - (width >= BARS_FROM ? 1 + BAR_LEAST : 0);
    bar_layout layout = {.name = contestant->widest};
    if (layout.name > limit) layout.name = limit;
    if (width >= BARS_FROM) layout.bar = width - layout.name - SCORE - 2;
    if (layout.bar > BAR_MOST) layout.bar = BAR_MOST;
    return layout;
}

static int layout_width(bar_layout layout)
{
    return layout.name + 1 + SCORE + (layout.bar ? 1 + layout.bar : 0);
}

static void style(const cli_terminal *terminal, const char *sequence)
{
    if (terminal->colours) fputs(sequence, stdout);
}

/* Exact to an eighth of a column where the terminal has the characters. Returns the columns taken. */
static int write_bar(double part, int width)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    bool blocks = text_is_utf8();
    int steps = blocks ? (int)(part * width * 8 + 0.5) : 8 * (int)(part * width + 0.5);
    for (int i = 0; i < steps / 8; i++) fputs(blocks ? "█" : "#", stdout);
    fputs(eighths[steps % 8], stdout);
    return (steps + 7) / 8;
}

/* Row -1 is the network's title. Returns the columns taken. */
static int write_row(const cli_terminal *terminal, const cli_contestant *contestant, int row, bar_layout layout)
{
    char note[NOTE_SIZE];
    bool alone = row < 0 || !contestant_shown(contestant, note); /* without a percentage */
    const char *name = row < 0 ? contestant->title : alone ? note : contestant->answer[row].label;
    int room = alone ? layout_width(layout) : layout.name;
    if (row < 1) style(terminal, BOLD);
    int used = text_cut(stdout, name, room);
    if (row < 1) style(terminal, PLAIN);
    if (alone) return used;

    double probability = (double)contestant->answer[row].probability;
    printf("%*s %*.2f%%", room - used, "", SCORE - 1, 100 * probability);
    if (!layout.bar) return layout_width(layout);
    fputc(' ', stdout);
    style(terminal, CYAN);
    used = write_bar(probability, layout.bar);
    style(terminal, PLAIN);
    return layout_width(layout) - layout.bar + used;
}

/* `count` networks side by side, `width` columns each. */
static void write_beside(const cli_terminal *terminal, const cli_contestant *contestants, size_t count, int width,
                         bool titles)
{
    int rows = 1; /* at least a note */
    for (size_t i = 0; i < count; i++) {
        int shown = contestant_shown(&contestants[i], NULL);
        if (shown > rows) rows = shown;
    }
    for (int row = titles ? -1 : 0; row < rows; row++) {
        int blanks = 0; /* before what comes next: a row ends without any */
        for (size_t i = 0; i < count; i++) {
            bar_layout layout = layout_of(&contestants[i], width);
            int shown = contestant_shown(&contestants[i], NULL);
            if (row < shown || row == 0) {
                printf("%*s", blanks, "");
                blanks = -write_row(terminal, &contestants[i], row, layout);
            }
            blanks += layout_width(layout) + GAP;
        }
        fputc('\n', stdout);
    }
}

void bars_write(const cli_terminal *terminal, cli_contestant *contestants, size_t count)
{
    int columns = terminal_width();
    if (columns < NARROWEST) columns = NARROWEST;
    size_t beside = (size_t)(columns + GAP) / (BESIDE + GAP);
    if (beside < 1) beside = 1;
    if (beside > count) beside = count;
    int width = (columns + GAP) / (int)beside - GAP;
    for (size_t i = 0; i < count; i++) contestants[i].widest = widest_name(&contestants[i]);
    for (size_t i = 0; i < count; i += beside) {
        if (i) fputc('\n', stdout);
        write_beside(terminal, contestants + i, count - i < beside ? count - i : beside, width, count > 1);
    }
}
