/* The command: what its files share. It knows the library by <inception.h> only.
 *
 * A command is a row: a struct of type `cli_command`, defined in its own file and listed in main.c. Its options are
 * rows too; options.c parses them and prints the help from the same rows, so that the two cannot disagree. */
#ifndef INCEPTION_CLI_H
#define INCEPTION_CLI_H

#include <inception.h>

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- exits.c: exit codes and messages ---- */

/* Those of sysexits.h, and three more. exit_meanings explains them; the help prints it. */
typedef enum exit_code {
    EXIT_FINE = 0,
    EXIT_SOME = 1, /* some inputs failed; `inspect --diff`: the files differ */
    EXIT_USAGE = 64,
    EXIT_DATA = 65,
    EXIT_NO_INPUT = 66,
    EXIT_UNAVAILABLE = 69,
    EXIT_INTERNAL = 70,
    EXIT_SYSTEM = 71,
    EXIT_IO = 74,
    EXIT_INTERRUPTED = 130,
    EXIT_PIPE = 141, /* who read standard output has gone */
} exit_code;

typedef struct exit_meaning {
    exit_code code;
    const char *meaning;
} exit_meaning;

extern const exit_meaning exit_meanings[];
extern const size_t exit_meaning_count;

/* "inception: ..." on standard error, made safe for a terminal. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

exit_code exit_of(inception_status status);

/* Shows a line on standard error in place of the one before, until a message comes or NULL. */
void status_line(const char *text);

/* Complains that memory is out and returns the exit code of that. */
exit_code complain_memory(void);

/* Complains with the error's message and returns its exit code. */
exit_code complain_error(const inception_error *error);

/* Complains with the error's message, and with the input's name where it is not in the message. */
void complain_input(const char *path, const inception_error *error);

/* Complains of bad usage and returns its exit code. */
exit_code complain_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets an error as the library does: the first one stays. */
void fail(inception_error *error, inception_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* How the inputs of a run fared. */
typedef struct cli_tally {
    size_t done, failed;
    exit_code first; /* of the first failure */
} cli_tally;

void tally_failure(cli_tally *tally, inception_status status);

/* Exit code of the run; more than one input and some failed: says how many, unless quiet. */
exit_code tally_exit(const cli_tally *tally, bool quiet);

/* How long the first name is in the label of a class: ImageNet's are lists of synonyms, others are one name. */
int short_name(const inception_prediction *prediction);

/* From here on SIGINT only sets what interrupted() tells; a second one ends the process. */
void catch_interrupts(void);
bool interrupted(void);
void give_up_waiting(bool now); /* threads that wait for a server, or for standard input, need not any more */
bool waiting_is_over(void);     /* that, or Ctrl-C */

/* What is refused for its size, a line each; the help and the manual print it. */
extern const char *const limits[]; /* NULL ends it */

/* ---- options.c: one table parses and explains ---- */

typedef enum option_kind {
    OPTION_FLAG,   /* bool: true */
    OPTION_SET,    /* int: `min`; the short spelling of a choice */
    OPTION_INT,    /* int in min...max */
    OPTION_SIZE,   /* uint64_t in min...max, with K, M or G for powers of 1024 */
    OPTION_DOUBLE, /* double in min...max */
    OPTION_STRING, /* const char * */
    OPTION_CHOICE, /* int: index into `choices` */
    OPTION_LIST,   /* string_list: may be repeated */
} option_kind;

typedef struct string_list {
    const char **items;
    size_t count;
} string_list;

typedef struct option_row {
    const char *name; /* long name; NULL ends a table */
    char letter;      /* 0: none */
    const char *argument;
    option_kind kind;
    size_t offset; /* of the value in the struct of the group */
    const char *help;
    double min, max;
    const char *const *choices; /* NULL ends it */
} option_row;

/* Rows with a heading ("": they belong to those before); `offset` is that of the group's struct in the command's. */
typedef struct option_group {
    const char *title;
    const option_row *rows;
    size_t offset;
} option_group;

typedef struct cli_command {
    const char *name, *summary, *operands; /* operands as in "PHOTO..." */
    const char *about;                     /* a paragraph for the help */
    const char *const *examples;           /* NULL ends it */
    const option_group *groups;            /* a NULL title ends it */
    size_t options_size;
    const void *defaults; /* a struct of options_size bytes */
    int min_operands, max_operands;
    exit_code (*run)(void *options, char **operands, int count);
} cli_command;

/* Parses argv (argv[0] is skipped) into *options, which the caller frees with options_free. False: the process is to
 * end with *code, for the help was printed or a sentence said what is wrong. */
bool options_parse(const cli_command *command, int argc, char **argv, void **options, exit_code *code);
void options_free(const cli_command *command, void **options);

void options_help(const cli_command *command);

void print_examples(const char *const *examples);

/* Prints text wrapped to 80 columns, each line indented. */
void print_wrapped(const char *text, int indent);

/* The most similar of `count` names that `name_of` gives, or NULL where none is similar. */
const char *nearest_name(const char *word, const char *(*name_of)(const void *list, size_t i), const void *list,
                         size_t count);

typedef struct common_settings {
    bool quiet, verbose;
    int color;
} common_settings;

extern const option_row common_rows[];
extern const option_row word_rows[]; /* --help and --version */

/* ---- text.c: UTF-8 ---- */

/* Bytes of the first character of non-empty text; *code is U+FFFD where it is not valid UTF-8. */
size_t utf8_next(const char *text, uint32_t *code);

/* Writes text as valid UTF-8 without control characters. */
void text_write(FILE *file, const char *text);

/* Columns that text_write's output takes on a terminal. */
int text_width(const char *text);

/* Writes text in at most `width` columns, cut with an ellipsis where it is longer. Returns the columns taken. */
int text_cut(FILE *file, const char *text, int width);

bool ends_in(const char *text, const char *ending); /* in any case */

/* Writes a name so that it can be told from every other one: as it is, or as the shells' $'...' where it holds control
 * characters or bytes that are not UTF-8. */
void text_write_name(FILE *file, const char *name);

/* JSON string with U+FFFD for invalid bytes; NULL when out of memory. */
json_t *text_json(const char *text);

/* A JSON object: `file`, `file_base64` where that alone would not tell, and the fields, whose reference it takes. NULL
 * when out of memory, and for fields of NULL. */
json_t *text_record(const char *file, json_t *fields);

/* Decodes in place; false if it is no base64 of a text. */
bool text_from_base64(char *text);

/* Must be called once at the start, before the others. */
void text_start(void);

bool is_web_address(const char *text); /* http or https */
const char *url_name(const char *url, size_t *length); /* the last part of its path, which may be empty */

#define URL_SHOWN 256 /* of the URL for messages: without a password, and cut */
const char *url_shown(const char *url, char text[URL_SHOWN]);

/* True if the user's locale is in UTF-8. Text that others wrote is printed as UTF-8 anyway; our own decoration is not. */
bool text_is_utf8(void);

/* ---- terminal.c: what the terminal on standard output can do ---- */

enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
extern const char *const color_choices[];

typedef enum picture_kind {
    PICTURE_AUTO, /* what the terminal says it can show */
    PICTURE_NONE,
    PICTURE_KITTY,
    PICTURE_ITERM,
    PICTURE_SIXEL,
    PICTURE_BLOCKS,
} picture_kind;
extern const char *const picture_choices[];

/* What a terminal answered; sizes in pixels, 0: not told. */
typedef struct terminal_answers {
    bool complete; /* the last answer is there */
    bool kitty, iterm, sixel, tmux;
    int window_width, window_height, cell_width, cell_height;
} terminal_answers;

/* Reads the answers out of what came from a terminal; other bytes, and what is cut off at the end, are passed over. */
void answers_parse(const char *bytes, size_t size, terminal_answers *answers);

typedef struct cli_terminal {
    bool bars, colours;
    picture_kind picture;        /* never PICTURE_AUTO */
    int cell_width, cell_height; /* pixels, where there is a picture */
} cli_terminal;

/* Asks the terminal if there is one and a picture is wanted. `color` and `picture` are the values of the options. To be
 * called before the process has a second thread. */
void terminal_start(cli_terminal *terminal, int color, int picture);

/* Of the terminal on standard output, as it is now; 80 x 24 where it is none. */
int terminal_width(void);
int terminal_height(void);

/* ---- picture.c ---- */

/* Writes the photo to standard output as the terminal can show it, if it can. */
void picture_write(const cli_terminal *terminal, const inception_image *photo);

/* ---- output.c: records on standard output ---- */

enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_JSONL, FORMAT_CSV, FORMAT_TSV };
extern const char *const format_choices[];

/* EXIT_FINE, or what to end with because standard output takes no more (and said so, unless its reader just left). */
exit_code output_flush(void);

/* Objects that are written as they come: in an array, one a line, or as rows of a table. */
typedef struct cli_records {
    int format;       /* nothing is written for FORMAT_TEXT */
    FILE *file;       /* NULL: standard output */
    const char *name; /* of the file */
    bool begun;       /* something is in the file already */
} cli_records;

void records_begin(cli_records *records);
exit_code records_add(cli_records *records, json_t *object); /* takes the reference; NULL: out of memory */
exit_code records_failure(cli_records *records, const char *file, const inception_error *error);
exit_code records_flush(const cli_records *records); /* after the last record of an answer */
exit_code records_end(const cli_records *records);

/* Writes one JSON value, for commands that have all of it at once; takes the reference. */
exit_code output_json(json_t *value);

/* ---- table.c: records of classify as csv (RFC 4180) and tsv (the same with tabs and plain newlines) ---- */

enum { TABLE_COLUMNS = 15 };
extern const char *const table_columns[TABLE_COLUMNS];

/* The character between two fields, 0 for formats that are no tables. */
char table_separator(int format);

void table_text(FILE *file, int format, const char *text); /* a field, in quotes where it has to be */
void table_header(FILE *file, int format);
void table_add(FILE *file, int format, const json_t *record);

/* Splits a record without its line end in place. Returns how many fields there are, -1 if they are more than `most` or
 * their quotes are wrong. */
int table_split(char *text, char separator, char **fields, int most);

/* ---- names.c: the list of --files-from ---- */

typedef struct name_list {
    char *bytes; /* names, each ending in a zero byte */
    size_t size, first, next;
} name_list;

/* `path` "-": standard input. False and an error if it cannot be read; names_free() either way. */
bool names_read(name_list *list, const char *path, inception_error *error);
void names_free(name_list *list);
const char *names_next(name_list *list); /* NULL at the end */

/* Names that were met. Zeroed at first; emptied with names_clear. */
typedef struct name_set {
    void *root; /* see tsearch(3) */
} name_set;

/* False if the set has the name already. True with an error: out of memory. */
bool names_add(name_set *set, const char *name, inception_error *error);
bool names_have(const name_set *set, const char *name);
void names_clear(name_set *set);

/* Everything that can be read from `fd`, which belongs to the file called `name`: free() *data, after a failure too. */
bool read_all(int fd, const char *name, size_t limit, char **data, size_t *size, inception_error *error);
bool write_all(int fd, const void *data, size_t size, const char *name, inception_error *error);

/* ---- progress.c ---- */

#define BYTES_TEXT 32

const char *bytes_text(uint64_t bytes, char text[BYTES_TEXT]); /* "171.2 MB" */

typedef struct cli_progress {
    const char *name; /* of what comes; NULL: nothing is shown */
    uint64_t start;   /* bytes that were there before */
    double began, shown;
    int width; /* of the terminal on standard error, 0: it is none */
} cli_progress;

void progress_begin(cli_progress *progress, const char *name, uint64_t done);
void progress_show(cli_progress *progress, uint64_t done, uint64_t total); /* bytes; total 0: not known */
void progress_end(cli_progress *progress, bool complete);

double progress_now(void);  /* seconds since some time */
int progress_width(void);   /* columns of the terminal on standard error, 0 if it is none */

#define LEFT_TEXT 32

/* "0:42 left", or "" for what is not known. */
const char *left_text(double seconds, char text[LEFT_TEXT]);

#include "fetch.h"

/* ---- photos.c: what was named, one photo at a time ---- */

typedef struct photo_settings {
    inception_image_options decode; /* limits of 0: not set */
    bool fast;
    inception_input fast_for; /* see photos_decode_for */
    const char *files_from;
    net_settings net;
} photo_settings;

extern const option_row photo_rows[];

typedef struct cli_photo {
    const char *path; /* "-" is standard input; valid until the next call */
    const char *name; /* within the folder it was found in, or the last part of the path */
    bool standard_input;
    size_t number; /* in the walk, from 1; photos that were passed over count */
} cli_photo;

typedef struct photo_walk photo_walk;

/* Sets the limits that no option set. NULL and an error if the list cannot be read or nothing was named. Closed with
 * photos_close. */
photo_walk *photos_open(photo_settings *settings, char **operands, int count, inception_error *error);
void photos_close(photo_walk **walk);
bool named_like_photo(const char *path);

/* False at the end. An input that cannot be walked comes as a photo with an error. */
bool photos_next(photo_walk *walk, cli_photo *photo, inception_error *error);

/* True if there may be more than one photo. */
bool photos_several(const photo_walk *walk);

/* With --fast-decode photos are decoded so that they are large enough for this input as well; to be called for each
 * before the first photo is decoded. */
void photos_decode_for(photo_settings *settings, const inception_input *input);

/* After the walk: says what was passed over in folders and should perhaps not have been. */
void photos_note(const photo_walk *walk, bool quiet);

/* Passes over the photos of the set, to which it adds every photo that it hands out (not standard input). */
void photos_pass_over(photo_walk *walk, name_set *known);

/* Does not enter this folder where it meets it. */
void photos_leave_out(photo_walk *walk, const char *folder);

/* A second walk from the start, passing over no photo, to be closed before the first. NULL when out of memory. */
photo_walk *photos_again(const photo_walk *walk);

/* True if both are there and are one file. */
bool same_file(const char *a, const char *b);

/* A photo that is not of the walk. */
cli_photo photo_named(const char *path);

inception_image *photo_decode(const cli_photo *photo, const photo_settings *settings, inception_error *error);

/* ---- crew.c: threads that work ahead ---- */

#define CREW_MOST 8

typedef struct cli_crew { /* zeroed */
    pthread_t threads[CREW_MOST];
    int count;
    pthread_mutex_t lock; /* of what they and their starter share, `ended` among it */
    pthread_cond_t room;  /* for them to work, or it ended */
    pthread_cond_t ready; /* something for their starter */
    bool ended;
} cli_crew;

/* As many threads as wanted, or fewer, call work(given). False and an error if there is none; crew_end is called all the
 * same: it ends them and waits for that. */
bool crew_start(cli_crew *crew, int wanted, void *work(void *), void *given, inception_error *error);
void crew_end(cli_crew *crew);

/* Waits, locked, until something is ready, a tenth of a second at most: Ctrl-C may come to any thread, so the one that waits
 * looks up. */
void crew_wait(cli_crew *crew);

/* ---- pipeline.c: photos decoded ahead ---- */

typedef struct cli_loaded {
    cli_photo photo;
    inception_image *image; /* NULL: the error says why */
    inception_error error;
} cli_loaded;

typedef struct photo_pipeline photo_pipeline;

/* Starts up to `threads` threads that walk and decode; walk and settings are theirs until pipeline_close. Interrupts must
 * be caught before. NULL and an error if that fails. */
photo_pipeline *pipeline_open(photo_walk *walk, const photo_settings *settings, int threads, inception_error *error);
void pipeline_close(photo_pipeline **pipeline);

/* The next photo in the order of the walk, and those behind it that are ready, at most `most`; valid until the next call.
 * Returns how many, 0 at the end and after Ctrl-C. */
size_t pipeline_take(photo_pipeline *pipeline, const cli_loaded **photos, size_t most);

/* ---- pace.c: how far a run over photos is, on a terminal ---- */

typedef struct cli_pace cli_pace;

/* NULL where nothing is to be shown (or for want of memory), which the other functions take. */
cli_pace *pace_open(const photo_walk *walk, bool quiet);

/* A photo was answered, the one of that number in the walk. */
void pace_step(cli_pace *pace, size_t number);

/* Makes place for what goes to standard output, until the next step. */
void pace_hide(cli_pace *pace);
void pace_close(cli_pace **pace);

/* ---- model.c: which weights ---- */

typedef struct model_settings {
    string_list models;
    const char *network;
    double depth_multiplier;
    int min_depth;
    bool moving_averages;
    const char *labels;
    int precision;
} model_settings;

extern const option_row model_rows[];   /* -m */
extern const option_row network_rows[]; /* the others */
extern const option_row label_rows[];   /* --labels */
extern const option_row precision_rows[];

/* The weights that `name` means: a path, the built-in model, or a network, which is fetched if it is not in the cache and
 * `net` is not NULL (name NULL: the best network in the cache). Sets *network where a name told it. Complains and returns
 * another code than EXIT_FINE if there are none. */
exit_code model_find(const char *name, const net_settings *net, char *path, size_t size,
                     const inception_network **network);

/* The weights where none are named: the best network in the cache, or else the built-in model, after saying so. */
exit_code model_default(const net_settings *net, char *path, size_t size, const inception_network **network);

/* The network of the most similar name, or NULL. */
const char *nearest_network(const char *word);

/* The library's options; `network`, where there is one, stands in for a --network that is not set. Says so where the CPU
 * cannot compute with the precision that was asked for, and takes f32. */
inception_model_options model_options(const model_settings *settings, const inception_network *network, bool quiet);

/* The network that the value of --network names; complains if there is none (NULL: not set, which is fine). */
exit_code network_check(const char *command, const char *name, const inception_network **network);

/* ---- builtin.c: the model that comes with the command ---- */

extern const char builtin_name[];

/* Its path, if it is called `name` (NULL: whatever it is called) and is there. */
bool builtin_find(const char *name, char *path, size_t size);

void builtin_announce(const char *path); /* says that it knows little, and how to get more */
void builtin_row(const char *path);      /* for the list of `models` */
json_t *builtin_json(const char *path);  /* NULL: complained of */
exit_code builtin_show(const char *path);

/* ---- commands.c: which commands there are ---- */

extern const cli_command *const commands[];
extern const size_t command_count;
extern const char general_about[];
extern const char *const general_examples[];
const cli_command *command_find(const char *name); /* NULL: there is none of that name */

extern const cli_command classify_command, prepare_command, fetch_command, models_command, inspect_command,
    convert_command, features_command, train_command, bench_command;

extern const char *const crop_choices[];      /* in the order of inception_crop */
extern const char *const precision_choices[]; /* in the order of inception_precision */

/* ---- inspect.c, compare.c ---- */

void shape_text(const inception_tensor *tensor, char *text, size_t size); /* "[3,3,64]" */
json_t *shape_json(const inception_tensor *tensor);

exit_code compare_weights(const inception_weights *first, const char *first_path, const inception_weights *second,
                          const char *second_path, bool json);

/* ---- models.c, show.c ---- */

extern const char imagenet_caveat[];
json_t *network_json(const inception_network *network); /* what the list and `show` have in common */
exit_code show_json(const inception_network *network, const inception_network_size *size);
exit_code show_text(const inception_network *network, const inception_network_size *size);

#include "answer.h"

/* ---- atomic.c: a file that appears whole under its name, or not at all ---- */

typedef struct atomic_file {
    FILE *stream; /* to write to, and to read from */
    char *path, *temporary;
} atomic_file;

bool atomic_open(atomic_file *file, const char *path, inception_error *error);
bool atomic_commit(atomic_file *file, inception_error *error); /* fails too if a write has failed before */
void atomic_discard(atomic_file *file); /* after commit, or zeroed: nothing */

/* ---- vectors.c: a vector for each photo ---- */

enum { VECTORS_NPY, VECTORS_CSV, VECTORS_SAFETENSORS };

typedef struct vector_file vector_file;

/* `path` NULL: csv on standard output. */
vector_file *vectors_open(const char *path, int format, size_t values, inception_error *error);
bool vectors_add(vector_file *file, const char *name, const float *row, inception_error *error);
bool vectors_finish(vector_file *file, inception_error *error); /* makes the file appear, unless there are no rows */
void vectors_close(vector_file **file);

/* ---- similar.c: photos by their likeness to one ---- */

typedef struct ranked_photo {
    char *file;
    double similarity; /* -1 ... 1 */
    size_t number;
} ranked_photo;

typedef struct cli_ranking {
    float *wanted; /* [values], of the photo that the others are compared with */
    size_t values, limit;
    ranked_photo *photos; /* in order after ranking_write */
    size_t count, capacity, added;
} cli_ranking;

bool ranking_add(cli_ranking *ranking, const char *file, const float *vector, inception_error *error);
exit_code ranking_write(cli_ranking *ranking, cli_records *records);
void ranking_clear(cli_ranking *ranking); /* `wanted` too */

/* ---- extras.c: what few runs need and takes long to load, a shared object beside the command ---- */

typedef struct cli_extras {
    __typeof__(install_weights) *install_weights;
    __typeof__(download_memory) *download_memory;
    __typeof__(digest_file) *digest_file;
    __typeof__(digest_bytes) *digest_bytes;
    __typeof__(inception_sheet_options_default) *sheet_options_default;
    __typeof__(inception_sheet_open) *sheet_open;
    __typeof__(inception_sheet_add) *sheet_add;
    __typeof__(inception_sheet_finish) *sheet_finish;
    __typeof__(inception_sheet_pages) *sheet_pages;
    __typeof__(inception_sheet_close) *sheet_close;
} cli_extras;

extern const cli_extras inception_extras __attribute__((visibility("default"))); /* there, by this name */

/* Loaded by the first call, from any thread. NULL and an error if it is not there; never again NULL once it was not. */
const cli_extras *extras(inception_error *error);

/* ---- npy.c ---- */

/* The first 128 bytes of a float32 file; `shape` as in "1, 299, 299, 3". */
void npy_header(FILE *file, const char *shape);

/* Writes float32 [1][height][width][3] as a NumPy file that appears whole or not at all. */
bool npy_write(const char *path, const float *data, int height, int width, inception_error *error);

#endif
