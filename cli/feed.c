/* Batches of distorted photos, made ahead of the steps that learn from them. A few threads take photo after photo from an
 * endless sequence, decode it, distort it and put it into its place in its step; a ring of steps bounds the memory.
 *
 * The sequence is the photos in an order that is shuffled anew each epoch. Which photo comes where, how it is distorted and
 * what it is mixed with follow from the seed and the number of the place alone: the number of threads changes nothing, and
 * one may begin at any step. */
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#define STEPS 3 /* in the ring */

typedef struct feed_step {
    float *inputs, *targets, *weights;
    size_t missing; /* photos */
} feed_step;

struct cli_feed {
    feed_settings how;
    size_t size; /* floats of an input */
    cli_crew crew; /* its lock is of all below */
    feed_step ring[STEPS];
    uint64_t next;  /* place in the sequence to be made */
    uint64_t taken; /* steps that are the caller's or were */
    inception_error error;
};

/* ---- What follows from the seed ---- */

/* The finish of MurmurHash3, over both. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t hash = a * 0x9e3779b97f4a7c15 + b;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
    return hash ^ hash >> 33;
}

static double uniform(uint64_t key, uint64_t number)
{
    return (double)(mix(key, number) >> 11) * 0x1p-53;
}

/* A permutation of 0 ... count - 1, any place of it at once: a Feistel network of four rounds over the next power of 4, gone
 * along until it leads back below count (Black and Rogaway 2002). */
static uint64_t shuffled(uint64_t place, uint64_t count, uint64_t key)
{
    unsigned half = 1;
    while (half < 32 && (uint64_t)1 << 2 * half < count) half++;
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t left = place >> half, right = place & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t next = left ^ (mix(key + round, right) & mask);
            left = right, right = next;
        }
        place = left << half | right;
    } while (place >= count);
    return place;
}

/* From a beta distribution with both parameters alpha, at most 1 (Jöhnk 1964). */
static double beta(double alpha, uint64_t key)
{
    for (uint64_t i = 0;; i += 2) {
        double u = uniform(key, i), v = uniform(key, i + 1), x = pow(u, 1 / alpha), y = pow(v, 1 / alpha);
        if (x + y == 0) return u > v; /* both too small to be told; the larger is all of it */
        if (x + y <= 1) return x / (x + y);
    }
}

/* ---- Making a step ---- */

static feed_step *step_of(cli_feed *feed, uint64_t place)
{
    return &feed->ring[place / feed->how.batch % STEPS];
}

static void blend(float *a, float *b, size_t count, float part)
{
    for (size_t i = 0; i < count; i++) {
        float x = a[i], y = b[i];
        a[i] = part * x + (1 - part) * y;
        b[i] = part * y + (1 - part) * x;
    }
}

/* A rectangle of an input [height][width][3]: from its value `first`, `rows` times `count` values, `row` apart. */
typedef struct patch {
    size_t first, rows, count, row;
} patch;

/* What CutMix takes: the shape of the input, 1 - part of its area, anywhere that its middle is inside. */
static patch cut(const inception_input *input, double part, uint64_t key)
{
    int from[2], to[2];
    for (int i = 0; i < 2; i++) {
        const int length = i ? input->width : input->height;
        const double middle = uniform(key, (uint64_t)i) * length, half = sqrt(1 - part) * length / 2;
        from[i] = (int)fmax(0, middle - half);
        to[i] = (int)fmin(length, middle + half);
    }
    const size_t row = (size_t)input->width * 3;
    return (patch){.first = (size_t)from[0] * row + (size_t)from[1] * 3, .rows = (size_t)(to[0] - from[0]),
                   .count = (size_t)(to[1] - from[1]) * 3, .row = row};
}

/* Mix-up (Zhang and others 2018, arXiv 1710.09412): each photo and its mirror in the batch, by one random part. CutMix (Yun
 * and others 2019, arXiv 1905.04899): they exchange a rectangle. A batch has the one or the other where both are wanted. */
static void mix_photos(const cli_feed *feed, feed_step *step, uint64_t number)
{
    const feed_settings *how = &feed->how;
    const size_t classes = (size_t)how->set->classes;
    const uint64_t key = mix(how->seed ^ 0x6d6978, number);
    const bool cuts = how->cut_mix > 0 && (how->mix_up <= 0 || uniform(~key, 0) < 0.5);
    float part = (float)beta(cuts ? how->cut_mix : how->mix_up, key); /* of targets; of pixels that are mixed: */
    float within = part;
    patch p = {.first = 0, .rows = 1, .count = feed->size};
    if (cuts) {
        p = cut(&how->input, part, ~key + 1);
        part = 1 - (float)(p.rows * p.count) / (float)feed->size;
        within = 0;
    }
    for (size_t a = 0, b = how->batch - 1; a < b; a++, b--) {
        for (size_t y = 0; y < p.rows; y++) {
            const size_t at = p.first + y * p.row;
            blend(step->inputs + a * feed->size + at, step->inputs + b * feed->size + at, p.count, within);
        }
        blend(step->targets + a * classes, step->targets + b * classes, classes, part);
        blend(step->weights + a, step->weights + b, 1, part);
    }
}

/* The photo of that place, distorted, into its place. */
static void make(cli_feed *feed, uint64_t place, inception_error *error)
{
    const feed_settings *how = &feed->how;
    const uint64_t epoch = place / how->count;
    const uint64_t number = shuffled(place % how->count, how->count, mix(how->seed, epoch));
    const cli_example *example = &how->set->examples[how->which[number]];
    feed_step *step = step_of(feed, place);
    const size_t at = place % how->batch, classes = (size_t)how->set->classes;
    struct stat info; /* a pipe might never end */
    if (stat(example->path, &info) != 0 || !S_ISREG(info.st_mode))
        fail(error, INCEPTION_IO, "%s: is no file any more; --resume goes on when it is", example->path);
    inception_image *image = error->status ? NULL : inception_image_read(example->path, NULL, error);
    inception_distort(&how->input, image, &how->distortion, inception_distortion_seed(how->seed, example->name, epoch),
                      step->inputs + at * feed->size, error);
    const bool other = !dataset_has_answer(how->set, how->which[number]); /* then every class is as likely, as Hendrycks
                                                                             and others (2019) have it */
    for (size_t c = 0; c < classes; c++)
        step->targets[at * classes + c] =
            other ? 1 / (float)classes : (float)dataset_shows(how->set, how->which[number], (int)c);
    step->weights[at] = example->shows || other ? 1 : (float)how->class_weights[example->class];
    inception_image_free(&image);
}

static void *make_steps(void *given)
{
    cli_feed *feed = given;
    pthread_mutex_lock(&feed->crew.lock);
    for (;;) {
        while (!feed->crew.ended && feed->next / feed->how.batch >= feed->taken + STEPS)
            pthread_cond_wait(&feed->crew.room, &feed->crew.lock);
        if (feed->crew.ended || feed->next / feed->how.batch >= feed->how.end) break;
        const uint64_t place = feed->next++;
        inception_error error = {0};
        pthread_mutex_unlock(&feed->crew.lock);
        make(feed, place, &error);
        pthread_mutex_lock(&feed->crew.lock);
        if (error.status) {
            if (!feed->error.status) feed->error = error;
            feed->crew.ended = true;
            pthread_cond_broadcast(&feed->crew.room);
        }
        feed_step *step = step_of(feed, place);
        if (step->missing == 1 && (feed->how.mix_up > 0 || feed->how.cut_mix > 0) && !error.status) {
            pthread_mutex_unlock(&feed->crew.lock);
            mix_photos(feed, step, place / feed->how.batch);
            pthread_mutex_lock(&feed->crew.lock);
        }
        step->missing -= !error.status; /* a step that lacks a photo is never complete */
        if (step->missing == 0 || feed->crew.ended) pthread_cond_signal(&feed->crew.ready);
    }
    pthread_mutex_unlock(&feed->crew.lock);
    return NULL;
}

/* ---- The thread that takes ---- */

static bool allocate(cli_feed *feed)
{
    const size_t batch = feed->how.batch, classes = (size_t)feed->how.set->classes;
    bool good = true;
    for (int i = 0; i < STEPS; i++) {
        feed_step *step = &feed->ring[i];
        step->missing = batch;
        step->inputs = calloc(batch * feed->size, sizeof *step->inputs);
        step->targets = calloc(batch * classes, sizeof *step->targets);
        step->weights = calloc(batch, sizeof *step->weights);
        good = good && step->inputs && step->targets && step->weights;
    }
    return good;
}

static void free_feed(cli_feed *feed)
{
    for (int i = 0; i < STEPS; i++) {
        free(feed->ring[i].inputs);
        free(feed->ring[i].targets);
        free(feed->ring[i].weights);
    }
    free(feed);
}

cli_feed *feed_open(const feed_settings *how, inception_error *error)
{
    cli_feed *feed = calloc(1, sizeof *feed);
    if (!feed) return fail(error, INCEPTION_MEMORY, "out of memory"), NULL;
    feed->how = *how;
    feed->size = (size_t)how->input.width * (size_t)how->input.height * 3;
    feed->next = how->first * how->batch;
    feed->taken = how->first;
    if (!allocate(feed)) return free_feed(feed), fail(error, INCEPTION_MEMORY, "out of memory for batches"), NULL;
    if (!crew_start(&feed->crew, how->threads, make_steps, feed, error)) feed_close(&feed);
    return feed;
}

bool feed_take(cli_feed *feed, const float **inputs, const float **targets, const float **weights, inception_error *error)
{
    pthread_mutex_lock(&feed->crew.lock);
    feed_step *step = &feed->ring[feed->taken % STEPS];
    while (step->missing && !feed->crew.ended && !interrupted()) crew_wait(&feed->crew);
    bool good = step->missing == 0;
    if (!good) fail(error, feed->error.status, "%s", feed->error.message);
    pthread_mutex_unlock(&feed->crew.lock);
    *inputs = step->inputs, *targets = step->targets, *weights = step->weights;
    return good;
}

void feed_release(cli_feed *feed)
{
    pthread_mutex_lock(&feed->crew.lock);
    feed->ring[feed->taken++ % STEPS].missing = feed->how.batch;
    pthread_cond_broadcast(&feed->crew.room);
    pthread_mutex_unlock(&feed->crew.lock);
}

void feed_close(cli_feed **feed)
{
    if (!*feed) return;
    crew_end(&(*feed)->crew);
    free_feed(*feed);
    *feed = NULL;
}
