/* A run of classify: the networks that look at photos, which answers count, and where answers go. Part of cli.h. */
#ifndef INCEPTION_CLI_ANSWER_H
#define INCEPTION_CLI_ANSWER_H

/* ---- contest.c: the networks of a classify run ---- */

#define MOST_TOGETHER 16 /* photos */

typedef struct cli_contestant {
    inception_model *model;
    inception_session *session;
    const inception_model_info *info;
    char *path;                   /* of the weights */
    bool ambiguous;               /* another contestant has the same network */
    bool fast;                    /* photos are decoded with --fast-decode */
    const char *title;            /* the network's, or the path where that is ambiguous */
    inception_prediction *answers; /* [together][classes], of the photos that were looked at last */
    int together;                  /* photos at once, at most */
    int places[MOST_TOGETHER];     /* where among them a photo's are */
    bool unknowns[MOST_TOGETHER];  /* of a photo: it shows none of the classes */
    inception_prediction *answer;  /* to the photo at hand: most probable first; [0] is there even where top is 0 */
    int top;                      /* how many classes to show, of the photo at hand */
    bool unknown;                 /* the photo at hand shows none of the classes: not `top` but a note is to be shown */
    int limit;                    /* how many of any photo */
    bool *allowed;                /* [classes]; NULL: all */
    double threshold;             /* least probability */
    int widest;                   /* columns of what is widest in its part of a row, while text is written */
} cli_contestant;

/* `several`: photos may be looked at together, as many as there are threads. */
exit_code contestant_open(cli_contestant *contestant, const char *name, const net_settings *net,
                          const inception_model_options *options, bool several);
void contestant_close(cli_contestant *contestant);

/* Looks at `count` photos, passing over those with an error; sets the error of those that it has no answer to. */
void contestant_look(cli_contestant *contestant, const cli_loaded *const *photos, inception_error *errors, size_t count);

/* Makes photo `i` of those, which has no error, the photo at hand: sets `answer`, `top` and `unknown`. */
void contestant_turn(cli_contestant *contestant, size_t i);

/* True if the network tells what is none of its classes. */
bool contestant_decides(const cli_contestant *contestant);

#define NOTE_SIZE 512

/* How many classes people are shown of the photo at hand; where it is none, `note`, NULL or of NOTE_SIZE, says why. */
int contestant_shown(const cli_contestant *contestant, char *note);

/* ---- filter.c: which classes may be answers ---- */

typedef struct filter_settings {
    const char *threshold;
    string_list allow, deny;
} filter_settings;

extern const option_row filter_rows[];

/* What --threshold says, 0 where it says nothing; complains. */
exit_code filter_threshold(const filter_settings *settings, double *threshold);

/* Sets `allowed` of every contestant; complains of words that name no class of any, or several. */
bool filter_reads_input(const filter_settings *settings); /* are classes named by standard input? */
exit_code filter_classes(const filter_settings *settings, cli_contestant *contestants, size_t count);

/* ---- append.c: the file of --append ---- */

/* Sets *format by the ending of the path where no option set it; complains if it cannot be gone on with. */
exit_code append_format(const char *path, int *format);

/* Opens the file for records->format, cuts off what a killed run left unfinished, and sends the records there; the caller
 * closes records->file. The photos that are in it are added to the set; returns how many. */
size_t append_open(const char *path, cli_records *records, const cli_contestant *contestants, size_t count,
                   name_set *known, inception_error *error);

/* ---- sort.c: photos into a folder for each class ---- */

typedef struct sort_settings {
    const char *folder;
    int way;
} sort_settings;

extern const option_row sort_rows[];

typedef struct photo_sorter photo_sorter;

/* Makes the folder, and the list that undoes. NULL and an error if that fails. */
photo_sorter *sort_open(const sort_settings *settings, inception_error *error);
void sort_close(photo_sorter **sorter);

/* Puts a photo into the folder of its class; NULL: of photos without one. Never overwrites, and does nothing if a file of
 * that name and content is there already. */
bool sort_photo(photo_sorter *sorter, const cli_photo *photo, const inception_prediction *best, inception_error *error);

/* ---- answer.c: what classify prints ---- */

void answer_heading(const cli_contestant *contestants, size_t count);
void answer_text(const cli_terminal *terminal, cli_contestant *contestants, size_t count);
json_t *answer_json(const cli_contestant *contestant, const char *file, const inception_image *image);

/* ---- plot.c: the card ---- */

typedef struct plot_settings {
    const char *file;
    int theme, scale;
} plot_settings;

#define PLOT_NETWORKS 8 /* at most on a card, which refuses more */

extern const option_row plot_rows[];

/* *sheet stays NULL where no plot was asked for; plot_answers and plot_finish then do nothing. */
exit_code plot_open(const char *command, const plot_settings *settings, inception_sheet **sheet);
/* Complains if a photo of the walk would be written over, or the other one, which may be NULL. */
exit_code plot_check(const char *command, const plot_settings *settings, const photo_walk *walk, const char *other);
exit_code plot_card(inception_sheet *sheet, const inception_card *card);
exit_code plot_answers(inception_sheet *sheet, const cli_photo *photo, const inception_image *image,
                       const cli_contestant *contestants, size_t count);
exit_code plot_finish(inception_sheet *sheet, const plot_settings *settings, const common_settings *common);
void plot_close(inception_sheet **sheet);

/* ---- bars.c: the same on a terminal ---- */

void bars_write(const cli_terminal *terminal, cli_contestant *contestants, size_t count);

#endif
