/* inception train */
#ifndef INCEPTION_TRAIN_H
#define INCEPTION_TRAIN_H

#include "cli.h"

#include <inception_train.h>

#include <sys/stat.h>

/* ---- dataset.c, dataset_folder.c, dataset_csv.c: photos and their classes, from folders or a CSV file ---- */

typedef struct cli_example {
    char *path, *name, *label; /* name: within the data set, whatever machine it is on */
    int class;                 /* where photos have one; -1: of none */
    bool *shows;               /* [classes], where they have several labels */
    char digest[DIGEST_TEXT];  /* SHA-256 of the file ... */
    struct stat file;          /* ... as it was then */
} cli_example;

typedef struct cli_dataset {
    const char *path;
    const char *others; /* label of the photos that are of none of the classes, or NULL */
    cli_example *examples; /* in byte order of their names */
    size_t count, capacity;
    char **labels; /* [classes], in byte order */
    int classes;
    bool several;  /* labels a photo, or none */
    bool *shown;   /* the examples' */
    size_t copies;   /* photos that were left out because they are in their class already */
    json_t *skipped; /* array of the names of those that cannot be read */
    cli_tally tally; /* of those */
} cli_dataset;

/* Complains of what cannot be taught from, warns of what should perhaps not be, unless quiet. */
exit_code dataset_read(cli_dataset *set, const char *path, const char *others, bool quiet);
void dataset_free(cli_dataset *set);

bool dataset_has_answer(const cli_dataset *set, size_t example); /* false: one of the others */
bool dataset_shows(const cli_dataset *set, size_t example, int class);
bool dataset_unchanged(const cli_example *example); /* is the file still the one whose digest was taken? */
int dataset_class(const cli_dataset *set, const char *label); /* -1: there is none of that name */

/* Leaves out the examples whose places in `unreadable` are true, which were complained of, and checks what is left. */
exit_code dataset_leave_out(cli_dataset *set, const bool *unreadable);

/* Of dataset_read: adds the photos of a folder that has one for each class, or the records of a CSV file, which are changed;
 * then brings examples and classes in order. */
exit_code dataset_walk(cli_dataset *set, bool quiet);
bool dataset_parse(cli_dataset *set, char *text, inception_error *error);
bool dataset_classify(cli_dataset *set, inception_error *error);

/* Is a file of that name what a training in this folder needs, or what one that was killed has left of it? */
bool dataset_is_of_run(const char *name);

/* Takes path and name, which are allocated, or NULL for want of memory; copies label, "" for none. */
bool dataset_add(cli_dataset *set, char *path, char *name, const char *label, inception_error *error);

/* ---- class_weights.c ---- */

/* weights[classes], zeroed, of the value of --class-weights (NULL: none); with "auto" they stay 0. */
exit_code class_weights_read(const char *text, const cli_dataset *set, double *weights);

/* Those that are 0 become what lets every class count as much as another, or photos with a label as those without. */
void class_weights_balance(const cli_dataset *set, const inception_part *parts, double *weights);

/* ---- vector_cache.c: features of photos, kept between runs ---- */

typedef struct vector_cache vector_cache;

/* Those that are computed the way `key` tells. NULL: there is no cache folder, or no memory. */
vector_cache *vector_cache_open(const char *key, size_t values);
void vector_cache_close(vector_cache **cache);

/* Reads features[count][values] of the examples, and marks those it had as known. */
void vector_cache_read(vector_cache *cache, const cli_dataset *set, float *features, bool *known);
void vector_cache_add(vector_cache *cache, const char *digest, const float *features); /* failures are passed over */

/* ---- feed.c: batches of distorted photos, made ahead ---- */

typedef struct cli_feed cli_feed;

typedef struct feed_settings {
    const cli_dataset *set;
    const size_t *which; /* [count]: the examples that are learnt from */
    size_t count, batch; /* batch: photos in a step */
    inception_input input;
    const double *class_weights; /* [classes] */
    double mix_up, cut_mix;     /* 0: none */
    uint64_t seed, first, end;  /* steps */
    int threads;
    inception_distortion distortion;
} feed_settings;

cli_feed *feed_open(const feed_settings *how, inception_error *error);
void feed_close(cli_feed **feed);

/* The next step's inputs [batch][height][width][3], targets [batch][classes] and weights [batch], until it is released.
 * False: a photo cannot be read any more, or Ctrl-C was pressed. */
bool feed_take(cli_feed *feed, const float **inputs, const float **targets, const float **weights, inception_error *error);
void feed_release(cli_feed *feed);

/* ---- judge.c: what a model says of the validation photos ---- */

typedef struct verdict {
    size_t right, photos;
    double loss; /* mean of -log of the probability of a photo's class */
} verdict;

/* By the model at `path`, moving averages in place of its variables where it has some. */
exit_code judge(const cli_dataset *set, const inception_part *parts, const char *path,
                const inception_model_options *options, verdict *found);

/* ---- tune_log.c: what is told of a training while it runs ---- */

typedef struct tune_log tune_log;

typedef struct tune_facts {
    int epochs;
    size_t photos; /* in a step */
    uint64_t first, steps; /* the first one of this run, and all */
    bool quiet;
} tune_facts;

/* `model`: the file, or NULL for what the options name. */
tune_log *tune_log_open(const tune_facts *facts, const char *folder, const char *model,
                        const inception_model_options *options, inception_error *error);
void tune_log_close(tune_log **log);
void tune_log_inputs(tune_log *log, const inception_input *input, const float *inputs, size_t count);

/* `step`: how many have been done. */
void tune_log_step(tune_log *log, uint64_t step, int epoch, const inception_losses *losses);
void tune_log_epoch(tune_log *log, uint64_t step, int epoch, verdict validation, bool best, double rate,
                    const char *checkpoint);

/* ---- tune.c: training by gradients ---- */

typedef struct tune_settings {
    string_list unfreeze;
    bool from_scratch, batch_statistics, slow, resume;
    int epochs, batch, accumulate, optimiser, schedule, patience, precision;
    double rate, warm_up, momentum, epsilon, weight_decay, label_smoothing, dropout, mix_up, cut_mix, average_decay,
        norm_decay, smallest_crop;
} tune_settings;

extern const option_row tune_rows[];
#define SCHEDULE_AUTO (INCEPTION_SCHEDULE_COSINE + 1)
#define TUNE_DEFAULTS {.batch = 32, .accumulate = 1, .schedule = SCHEDULE_AUTO, .momentum = 0.9, .epsilon = -1, \
                       .weight_decay = 4e-5, .dropout = 0.2, .norm_decay = -1, .smallest_crop = 0.1}

/* What is trained, on which photos. */
typedef struct tune_task {
    const tune_settings *how;
    const cli_dataset *set;
    const inception_part *parts; /* [count] */
    const double *class_weights; /* [classes] */
    inception_model_options model;
    const char *start;  /* a model file with these classes; NULL: from nothing */
    const char *source; /* SHA-256 of the weights that all began with, "" if from nothing ... */
    const char *layer;  /* ... and behind which layer they were cut, or NULL */
    const char *folder; /* of the run, which is there */
    uint64_t seed;
    bool quiet;
} tune_task;

/* Trains; `best` gets the path of the file that came out best in validation; it and all else that the run needed is removed
 * by tune_clean(). */
exit_code tune(const tune_task *task, char *best, size_t size);
void tune_clean(const char *folder);
bool tune_begun(const char *folder); /* is there something to resume? */

/* ---- train_report.c ---- */

typedef struct train_report {
    const cli_dataset *set;
    const inception_part *parts;
    const float *logits; /* [count][classes] */
    const inception_head_info *info;
    const char *source, *source_digest, *network, *output;
    uint64_t seed;
    size_t cached;              /* photos whose features were there */
    double features_s, head_s, tune_s, total_s; /* seconds */
} train_report;

/* The share, and between which bounds it lies with a certainty of 95 % (Wilson 1927). */
typedef struct share {
    double value, low, high;
} share;

share share_of(size_t right, size_t count);

/* ---- label_scores.c ---- */

/* How well photos of a part are told to have a label; NAN where there is nothing to divide by. */
typedef struct label_score {
    double precision, recall, f1;
    double average_precision; /* the mean of the precision where each photo with the label is found; ties at once */
} label_score;

/* [classes], to be freed; NULL: out of memory. A probability above 1/2 says that a photo has the label. */
label_score *label_scores(const train_report *report, inception_part part);

/* Of the labels that have one. */
double mean_average_precision(const label_score *scores, int classes);

/* ---- train_report.c, the rest ---- */

exit_code report_text(const train_report *report);
exit_code report_json(const train_report *report);

/* ---- train.c: the run of the command, which the next file shares ---- */

typedef struct train_options {
    common_settings common;
    model_settings model;
    net_settings net;
    tune_settings tune;
    const char *output, *layer, *class_weights, *others;
    uint64_t seed;
    int threads, input_size;
    bool force, json;
} train_options;

#define MOST_TEXTS 12
#define TOLD 24

typedef struct train_run {
    const train_options *options;
    char source[4096], digest[DIGEST_TEXT]; /* the weights, and their SHA-256 */
    char *output;
    inception_model_options model_options;
    inception_model *model; /* up to the features */
    inception_session *session;
    int together; /* photos that are computed at once */
    size_t values;
    cli_dataset set;
    float *features; /* [count][values] */
    bool *known;     /* [count]: the features are there */
    vector_cache *cache;
    const char **names; /* [count] */
    int *classes;       /* [count], or NULL ... */
    bool *labels;       /* ... [count][classes], where photos have several */
    double *weights;    /* [classes] */
    inception_part *parts;
    inception_head *head;
    float *logits;
    int lock;                 /* on the folder of the run */
    const char *weights_path; /* of the network that photos are looked at with: the source, or what came of it */
    char told[MOST_TEXTS][TOLD];
    char run[4096], best[4300]; /* of training by gradients: the folder, and the file that is to be finished */
    train_report report;
} train_run;

/* ---- train_features.c ---- */

/* Photos that are to be looked at, `together` (MOST_TOGETHER at most) at once; quiet: without a line of progress. */
typedef struct train_photos {
    const cli_dataset *set;
    const size_t *numbers; /* [count], of the examples */
    size_t count, together;
    int threads;
    bool quiet;
} train_photos;

/* `numbers` are those of the photos. Another code than EXIT_FINE ends the walk. */
typedef exit_code train_look(void *context, const cli_loaded *const *photos, const size_t *numbers, size_t count);

exit_code train_walk(const train_photos *all, train_look *look, void *context);

/* Features of all photos, by the network at weights_path; known[i] is false of what cannot be decoded. */
exit_code train_find_features(train_run *train);

/* The same of known where no features are wanted. */
exit_code train_check_photos(train_run *train);

/* Photos that could not be decoded go. */
exit_code train_keep_known(train_run *train);

#endif
