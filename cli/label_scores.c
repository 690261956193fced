/* How well each label is told where photos may have several. */
#include "train.h"

#include <math.h>
#include <stdlib.h>

typedef struct scored {
    float logit;
    bool has;
} scored;

static int highest_first(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    return (x->logit < y->logit) - (x->logit > y->logit);
}

/* `has` of the photos, sorted, have the label. Precision at each threshold, weighted by how much recall it adds. */
static double average_precision(const scored *photos, size_t count, size_t has)
{
    double sum = 0;
    size_t found = 0;
    for (size_t i = 0, end; i < count; i = end) {
        size_t before = found;
        for (end = i; end < count && !(photos[end].logit < photos[i].logit); end++) found += photos[end].has;
        sum += (double)(found - before) * (double)found / (double)end;
    }
    return sum / (double)has;
}

static label_score score_of(scored *photos, size_t count)
{
    size_t has = 0, said = 0, right = 0;
    qsort(photos, count, sizeof *photos, highest_first);
    for (size_t i = 0; i < count; i++) {
        has += photos[i].has;
        said += photos[i].logit > 0;
        right += photos[i].has && photos[i].logit > 0;
    }
    return (label_score){
        .precision = said ? (double)right / (double)said : (double)NAN,
        .recall = has ? (double)right / (double)has : (double)NAN,
        .f1 = said + has ? 2 * (double)right / (double)(said + has) : (double)NAN,
        .average_precision = has ? average_precision(photos, count, has) : (double)NAN,
    };
}

label_score *label_scores(const train_report *r, inception_part part)
{
    label_score *scores = calloc((size_t)r->set->classes, sizeof *scores);
    scored *photos = calloc(r->set->count + 1, sizeof *photos);
    for (int c = 0; c < r->set->classes && scores && photos; c++) {
        size_t count = 0;
        for (size_t i = 0; i < r->set->count; i++)
            if (r->parts[i] == part)
                photos[count++] = (scored){r->logits[i * (size_t)r->set->classes + (size_t)c], dataset_shows(r->set, i, c)};
        scores[c] = score_of(photos, count);
    }
    if (!photos) free(scores), scores = NULL;
    free(photos);
    return scores;
}

double mean_average_precision(const label_score *scores, int classes)
{
    double sum = 0;
    int count = 0;
    for (int c = 0; c < classes; c++)
        if (!isnan(scores[c].average_precision)) sum += scores[c].average_precision, count++;
    return count ? sum / count : (double)NAN;
}
