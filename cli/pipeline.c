/* Photos decoded ahead of the network. A few threads take turns at walking, then decode side by side; the results wait in
 * a ring in the order of the walk, so that answers come in the order of the inputs whatever the threads.
 *
 * Memory is bounded twice: by the places of the ring, and by the bytes of decoded photos, where those that are being
 * decoded count as large as the ones before them were. A full ring stops the threads, so that they take no more from the
 * network than what it uses up. They keep the usual priority: on a machine that others use as well, a lower one would
 * starve them, and the network with them. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define PLACES 16
#define MOST_BYTES ((uint64_t)256 << 20)

typedef struct place {
    cli_loaded loaded;
    char *path, *name; /* loaded.photo's */
    uint64_t bytes;
    bool ready;
} place;

struct photo_pipeline {
    photo_walk *walk;
    const photo_settings *settings;
    pthread_mutex_t walking; /* whoever holds it may use the walk */
    cli_crew crew;           /* its lock is of all below */
    place places[PLACES];
    size_t begun, released; /* photos; the place of a photo is its number modulo PLACES */
    int decoding;
    uint64_t held, expected; /* bytes of the decoded photos, and of the next one */
    size_t handed_out;       /* photos, from `released` on, that are with the caller */
};

static void free_place(place *left)
{
    inception_image_free(&left->loaded.image);
    free(left->path);
    free(left->name);
    *left = (place){0};
}

static bool has_room(const photo_pipeline *pipeline)
{
    size_t waiting = pipeline->begun - pipeline->released;
    uint64_t bytes = pipeline->held + (uint64_t)(pipeline->decoding + 1) * pipeline->expected;
    return waiting == 0 || (waiting < PLACES && bytes <= MOST_BYTES);
}

/* ---- The threads that decode ---- */

/* The next photo of the walk into a place that keeps what belongs to the walk; false at the end. */
static bool walk_on(photo_walk *walk, place *next)
{
    cli_photo *photo = &next->loaded.photo;
    *next = (place){0};
    if (!photos_next(walk, photo, &next->loaded.error)) return false;
    next->path = strdup(photo->path);
    next->name = strdup(photo->name);
    if (!next->path || !next->name) fail(&next->loaded.error, INCEPTION_MEMORY, "out of memory");
    photo->path = next->path ? next->path : "";
    photo->name = next->name ? next->name : "";
    return true;
}

/* Waits for room and takes the next photo; NULL when there is none. */
static place *begin_photo(photo_pipeline *pipeline)
{
    place next, *own = NULL;
    pthread_mutex_lock(&pipeline->walking);
    pthread_mutex_lock(&pipeline->crew.lock);
    while (!pipeline->crew.ended && !has_room(pipeline)) pthread_cond_wait(&pipeline->crew.room, &pipeline->crew.lock);
    bool more = !pipeline->crew.ended;
    pthread_mutex_unlock(&pipeline->crew.lock);
    if (more) more = walk_on(pipeline->walk, &next);
    pthread_mutex_lock(&pipeline->crew.lock);
    if (more) {
        own = &pipeline->places[pipeline->begun++ % PLACES];
        *own = next;
        pipeline->decoding++;
    } else {
        pipeline->crew.ended = true;
        pthread_cond_signal(&pipeline->crew.ready);
    }
    pthread_mutex_unlock(&pipeline->crew.lock);
    pthread_mutex_unlock(&pipeline->walking);
    return own;
}

static void finish_photo(photo_pipeline *pipeline, place *own)
{
    const inception_image *image = own->loaded.image;
    own->bytes = image ? 3 * (uint64_t)inception_image_width(image) * (uint64_t)inception_image_height(image) : 0;
    pthread_mutex_lock(&pipeline->crew.lock);
    own->ready = true;
    pipeline->decoding--;
    pipeline->held += own->bytes;
    pipeline->expected -= pipeline->expected / 8; /* one large photo is forgotten after a while */
    if (own->bytes > pipeline->expected) pipeline->expected = own->bytes;
    pthread_cond_signal(&pipeline->crew.ready);
    pthread_cond_signal(&pipeline->crew.room);
    pthread_mutex_unlock(&pipeline->crew.lock);
}

static void *decode_photos(void *given)
{
    photo_pipeline *pipeline = given;
    for (place *own; (own = begin_photo(pipeline)) != NULL; finish_photo(pipeline, own))
        if (!own->loaded.error.status)
            own->loaded.image = photo_decode(&own->loaded.photo, pipeline->settings, &own->loaded.error);
    return NULL;
}

/* ---- The thread that takes ---- */

photo_pipeline *pipeline_open(photo_walk *walk, const photo_settings *settings, int threads, inception_error *error)
{
    photo_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (!pipeline) return fail(error, INCEPTION_MEMORY, "out of memory"), NULL;
    pipeline->walk = walk;
    pipeline->settings = settings;
    pipeline->expected = MOST_BYTES / 4;
    pthread_mutex_init(&pipeline->walking, NULL);
    if (!crew_start(&pipeline->crew, photos_several(walk) ? threads : 1, decode_photos, pipeline, error))
        pipeline_close(&pipeline);
    return pipeline;
}

static void release_photos(photo_pipeline *pipeline)
{
    for (; pipeline->handed_out > 0; pipeline->handed_out--) {
        place *left = &pipeline->places[pipeline->released++ % PLACES];
        pipeline->held -= left->bytes;
        free_place(left);
    }
    pthread_cond_signal(&pipeline->crew.room);
}

size_t pipeline_take(photo_pipeline *pipeline, const cli_loaded **photos, size_t most)
{
    pthread_mutex_lock(&pipeline->crew.lock);
    release_photos(pipeline);
    const place *first = &pipeline->places[pipeline->released % PLACES];
    while (!first->ready && !interrupted() && !(pipeline->crew.ended && pipeline->begun == pipeline->released))
        crew_wait(&pipeline->crew);
    size_t count = 0;
    for (const place *next = first; count < most && count < PLACES && next->ready && !interrupted();) {
        photos[count++] = &next->loaded;
        next = &pipeline->places[(pipeline->released + count) % PLACES];
    }
    pipeline->handed_out = count;
    pthread_mutex_unlock(&pipeline->crew.lock);
    return count;
}

void pipeline_close(photo_pipeline **pipeline)
{
    photo_pipeline *closed = *pipeline;
    if (!closed) return;
    give_up_waiting(true); /* for a server, or for who writes to standard input */
    crew_end(&closed->crew);
    give_up_waiting(false);
    for (int i = 0; i < PLACES; i++) free_place(&closed->places[i]);
    pthread_mutex_destroy(&closed->walking);
    free(closed);
    *pipeline = NULL;
}
