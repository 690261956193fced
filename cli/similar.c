/* Photos in order of their likeness to one: the cosine of the angle between their vectors. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)a[i] * b[i];
    return sum;
}

/* 0 where one of them is nothing but zeros. */
static double cosine(const float *a, const float *b, size_t count)
{
    double lengths = sqrt(dot(a, a, count) * dot(b, b, count));
    return lengths > 0 ? fmax(-1, fmin(1, dot(a, b, count) / lengths)) : 0;
}

/* Most similar first; equal ones as they came. */
static int by_likeness(const void *a, const void *b)
{
    const ranked_photo *x = a, *y = b;
    if (x->similarity != y->similarity) return x->similarity > y->similarity ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void sort_and_cut(cli_ranking *ranking)
{
    if (ranking->count) qsort(ranking->photos, ranking->count, sizeof *ranking->photos, by_likeness);
    while (ranking->count > ranking->limit) free(ranking->photos[--ranking->count].file);
}

bool ranking_add(cli_ranking *ranking, const char *file, const float *vector, inception_error *error)
{
    if (ranking->count == ranking->capacity) {
        sort_and_cut(ranking); /* what is beyond the limit is not held */
        size_t more = 2 * ranking->count + 64;
        ranked_photo *photos = realloc(ranking->photos, more * sizeof *photos);
        if (!photos) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
        ranking->photos = photos;
        ranking->capacity = more;
    }
    char *copy = strdup(file);
    if (!copy) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    double similarity = cosine(ranking->wanted, vector, ranking->values);
    ranking->photos[ranking->count++] = (ranked_photo){copy, similarity, ranking->added++};
    return true;
}

exit_code ranking_write(cli_ranking *ranking, cli_records *records)
{
    exit_code code = EXIT_FINE;
    sort_and_cut(ranking);
    for (size_t i = 0; i < ranking->count && !code; i++) {
        const ranked_photo *photo = &ranking->photos[i];
        if (records->format != FORMAT_TEXT) {
            code = records_add(records, text_record(photo->file, json_pack("{s:f}", "similarity", photo->similarity)));
            continue;
        }
        printf("%7.4f  ", photo->similarity);
        text_write_name(stdout, photo->file);
        putchar('\n');
    }
    return code ? code : output_flush();
}

void ranking_clear(cli_ranking *ranking)
{
    for (size_t i = 0; i < ranking->count; i++) free(ranking->photos[i].file);
    free(ranking->photos);
    free(ranking->wanted);
    *ranking = (cli_ranking){0};
}
