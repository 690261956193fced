/* What came out of training: how many photos of which class, how often the answers are right, what is taken for what. */
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CONFUSIONS 10

static const char *const part_names[INCEPTION_PARTS] = {"train", "validation", "test"};

share share_of(size_t right, size_t count)
{
    const double z = 1.959963984540054, n = (double)count; /* 97.5 % of a normal distribution lie below z */
    if (!count) return (share){0, 0, 1};
    double p = (double)right / n, middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double reach = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return (share){p, fmax(0, middle - reach), fmin(1, middle + reach)};
}

typedef struct confusion {
    int is, taken_for;
    size_t count;
} confusion;

static int most_first(const void *a, const void *b)
{
    const confusion *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return x->is != y->is ? x->is - y->is : x->taken_for - y->taken_for;
}

static int by_classes(const void *a, const void *b)
{
    const confusion *x = a, *y = b;
    return x->is != y->is ? x->is - y->is : x->taken_for - y->taken_for;
}

/* The most frequent wrong answers to the test's photos, which have one class each; free() them. */
static confusion *find_confusions(const train_report *r, size_t *count)
{
    const size_t classes = (size_t)r->set->classes;
    confusion *all = calloc(r->set->count + 1, sizeof *all);
    size_t wrong = 0, kept = 0;
    for (size_t i = 0; i < r->set->count && all; i++) {
        const float *logits = r->logits + i * classes;
        int best = 0;
        for (int c = 1; c < r->set->classes; c++)
            if (logits[c] > logits[best]) best = c;
        if (r->parts[i] == INCEPTION_TEST && dataset_has_answer(r->set, i) && best != r->set->examples[i].class)
            all[wrong++] = (confusion){r->set->examples[i].class, best, 1};
    }
    if (all) qsort(all, wrong, sizeof *all, by_classes);
    for (size_t i = 0; i < wrong; i++) {
        if (kept && by_classes(&all[kept - 1], &all[i]) == 0) all[kept - 1].count++;
        else all[kept++] = all[i];
    }
    if (all) qsort(all, kept, sizeof *all, most_first);
    *count = kept < MOST_CONFUSIONS ? kept : MOST_CONFUSIONS;
    return all;
}

static size_t photos_of(const train_report *r, int class, inception_part part)
{
    size_t count = 0;
    for (size_t i = 0; i < r->set->count; i++) count += r->parts[i] == part && dataset_shows(r->set, i, class);
    return count;
}

/* ---- Text ---- */

static void write_percentage(double part)
{
    if (isnan(part)) printf("  %9s", "-");
    else printf("  %7.1f %%", 100 * part);
}

static void write_score(const label_score *score)
{
    write_percentage(score->precision);
    write_percentage(score->recall);
    write_percentage(score->f1);
    write_percentage(score->average_precision);
}

/* `scores` NULL: a photo has one class. */
static void write_classes(const train_report *r, const label_score *scores)
{
    int widest = 5;
    for (int c = 0; c < r->set->classes; c++)
        if (text_width(r->set->labels[c]) > widest) widest = text_width(r->set->labels[c]);
    if (widest > 40) widest = 40;
    printf("%-*s  train  validation  test%s\n", widest, scores ? "label" : "class",
           scores ? "  precision     recall         F1         AP" : "");
    for (int c = 0; c < r->set->classes; c++) {
        int taken = text_cut(stdout, r->set->labels[c], widest);
        printf("%*s  %5zu  %10zu  %4zu", widest - taken, "", photos_of(r, c, INCEPTION_TRAIN),
               photos_of(r, c, INCEPTION_VALIDATION), photos_of(r, c, INCEPTION_TEST));
        if (scores) write_score(&scores[c]);
        fputc('\n', stdout);
    }
    double mean = scores ? mean_average_precision(scores, r->set->classes) : (double)NAN;
    if (!isnan(mean)) printf("\nmean average precision (mAP)  %.1f %%\n", 100 * mean);
}

static void write_accuracy(const train_report *r)
{
    puts(r->set->several ? "\nphotos whose labels are all right" : "\nright answers");
    for (int p = 0; p < INCEPTION_PARTS; p++) {
        share s = share_of(r->info->right[p], r->info->photos[p]);
        if (!r->info->photos[p]) {
            printf("%-10s  no photos\n", part_names[p]);
            continue;
        }
        printf("%-10s  %5.1f %%  (%zu of %zu)", part_names[p], 100 * s.value, r->info->right[p], r->info->photos[p]);
        if (p == INCEPTION_TEST) printf(", with 95 %% certainty %.1f to %.1f %%", 100 * s.low, 100 * s.high);
        fputc('\n', stdout);
    }
}

static void write_turned_away(const train_report *r)
{
    const inception_head_info *info = r->info;
    const size_t photos = info->photos[INCEPTION_TEST], others = info->others[INCEPTION_TEST];
    if (!r->set->others) return;
    printf("\nturned away in the test\n%5zu of %zu  photos of ", info->turned_away[INCEPTION_TEST], others);
    text_write(stdout, r->set->others);
    printf("\n%5zu of %zu  photos of the classes\n", photos - info->known[INCEPTION_TEST], photos);
}

exit_code report_text(const train_report *r)
{
    size_t count = 0;
    confusion *worst = r->set->several ? NULL : find_confusions(r, &count);
    label_score *scores = r->set->several ? label_scores(r, INCEPTION_TEST) : NULL;
    if (!scores && r->set->several) return complain_memory();
    write_classes(r, scores);
    free(scores);
    write_accuracy(r);
    write_turned_away(r);
    if (count) fputs("\nmistakes in the test\n", stdout);
    for (size_t i = 0; i < count; i++) {
        printf("%5zu  ", worst[i].count);
        text_write(stdout, r->set->labels[worst[i].is]);
        fputs(" taken for ", stdout);
        text_write(stdout, r->set->labels[worst[i].taken_for]);
        fputc('\n', stdout);
    }
    free(worst);
    fputc('\n', stdout);
    text_write(stdout, r->output);
    printf(" written: %.1f s", r->total_s);
    if (r->info->penalty > 0 || r->cached) printf(", of which features %.1f s", r->features_s);
    if (r->cached) printf(" (%zu of %zu photos from the cache)", r->cached, r->set->count);
    if (r->head_s >= 0.05) printf(", output layer %.1f s", r->head_s);
    if (r->tune_s >= 0.05) printf(", training %.1f s", r->tune_s);
    fputc('\n', stdout);
    return output_flush();
}

/* ---- JSON ---- */

/* Of the test; NULL without others. */
static json_t *turned_away_json(const train_report *r)
{
    const inception_head_info *info = r->info;
    const size_t photos = info->photos[INCEPTION_TEST];
    if (!r->set->others) return NULL;
    return json_pack("{s:o, s:I, s:I, s:I, s:I}", "label", text_json(r->set->others), "photos",
                     (json_int_t)info->others[INCEPTION_TEST], "turned_away", (json_int_t)info->turned_away[INCEPTION_TEST],
                     "class_photos", (json_int_t)photos, "class_photos_turned_away",
                     (json_int_t)(photos - info->known[INCEPTION_TEST]));
}

/* null where there is none */
static json_t *part_json(double part)
{
    return isnan(part) ? json_null() : json_real(part);
}

static json_t *classes_json(const train_report *r, const label_score *scores)
{
    json_t *classes = json_array();
    for (int c = 0; c < r->set->classes; c++) {
        json_t *row = json_pack("{s:o}", "label", text_json(r->set->labels[c]));
        for (int p = 0; p < INCEPTION_PARTS; p++)
            json_object_set_new(row, part_names[p], json_integer((json_int_t)photos_of(r, c, (inception_part)p)));
        if (scores)
            json_object_update_new(row, json_pack("{s:o, s:o, s:o, s:o}", "precision", part_json(scores[c].precision),
                                                  "recall", part_json(scores[c].recall), "f1", part_json(scores[c].f1),
                                                  "average_precision", part_json(scores[c].average_precision)));
        json_array_append_new(classes, row);
    }
    return classes;
}

static json_t *accuracy_json(const train_report *r)
{
    json_t *parts = json_object();
    for (int p = 0; p < INCEPTION_PARTS; p++) {
        share s = share_of(r->info->right[p], r->info->photos[p]);
        json_t *row = json_pack("{s:I, s:I}", "photos", (json_int_t)r->info->photos[p], "right",
                                (json_int_t)r->info->right[p]);
        if (r->info->photos[p])
            json_object_update_new(row, json_pack("{s:f, s:[f,f]}", "accuracy", s.value, "interval", s.low, s.high));
        json_object_set_new(parts, part_names[p], row);
    }
    return parts;
}

exit_code report_json(const train_report *r)
{
    size_t count = 0;
    confusion *worst = r->set->several ? NULL : find_confusions(r, &count);
    json_t *mistakes = r->set->several ? NULL : json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(mistakes, json_pack("{s:o, s:o, s:I}", "label", text_json(r->set->labels[worst[i].is]),
                                                  "taken_for", text_json(r->set->labels[worst[i].taken_for]), "photos",
                                                  (json_int_t)worst[i].count));
    free(worst);
    label_score *scores = r->set->several ? label_scores(r, INCEPTION_TEST) : NULL;
    if (!scores && r->set->several) return complain_memory();
    json_t *classes = classes_json(r, scores);
    json_t *mean = scores ? part_json(mean_average_precision(scores, r->set->classes)) : NULL;
    free(scores);
    return output_json(json_pack(
        "{s:o, s:s?, s:o, s:s?, s:I, s:s, s:o, s:o, s:o*, s:o*, s:o*, s:f, s:f, s:I, s:I, s:O, s:{s:f, s:f, s:f, s:f}}",
        "model", text_json(r->output), "network", r->network, "source", *r->source ? text_json(r->source) : json_null(),
        "source_sha256", *r->source_digest ? r->source_digest : NULL, "seed", (json_int_t)r->seed, "activation",
        r->set->several ? "sigmoid" : "softmax", "classes", classes, "accuracy", accuracy_json(r),
        "mean_average_precision", mean, "others", turned_away_json(r), "mistakes", mistakes, "temperature",
        r->info->temperature, "penalty", r->info->penalty, "cached_photos", (json_int_t)r->cached, "copies_left_out",
        (json_int_t)r->set->copies, "skipped", r->set->skipped, "seconds", "total", r->total_s, "features", r->features_s,
        "output_layer", r->head_s, "training", r->tune_s));
}
