/* inception train */
#ifndef INCEPTION_TRAIN_H
#define INCEPTION_TRAIN_H

#include "cli.h"

/* ---- dataset.c, dataset_csv.c: photos and their classes, from a folder for each class or a CSV file ---- */

typedef struct cli_example {
    char *path, *name, *label; /* name: within the data set, whatever machine it is on */
    int class;                 /* where photos have one */
    bool *shows;               /* [classes], where they have several labels */
    char digest[DIGEST_TEXT];  /* SHA-256 of the file */
} cli_example;

typedef struct cli_dataset {
    const char *path;
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
exit_code dataset_read(cli_dataset *set, const char *path, bool quiet);
void dataset_free(cli_dataset *set);

bool dataset_shows(const cli_dataset *set, size_t example, int class);

/* Leaves out the examples whose places in `unreadable` are true, which were complained of, and checks what is left. */
exit_code dataset_leave_out(cli_dataset *set, const bool *unreadable);

/* Of dataset_read: adds the records of a CSV file, which are changed; then brings examples and classes in order. */
bool dataset_parse(cli_dataset *set, char *text, inception_error *error);
bool dataset_classify(cli_dataset *set, inception_error *error);

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

/* ---- train_report.c ---- */

typedef struct train_report {
    const cli_dataset *set;
    const inception_part *parts;
    const float *logits; /* [count][classes] */
    const inception_head_info *info;
    const char *source, *source_digest, *network, *output;
    uint64_t seed;
    size_t cached;              /* photos whose features were there */
    double features_s, head_s, total_s; /* seconds */
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

#endif
