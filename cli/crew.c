/* Threads that work ahead of the one that started them. */
#include "cli.h"

#include <string.h>
#include <time.h>

bool crew_start(cli_crew *crew, int wanted, void *work(void *), void *given, inception_error *error)
{
    int problem = 0;
    if (wanted > CREW_MOST) wanted = CREW_MOST;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->room, NULL);
    pthread_cond_init(&crew->ready, NULL);
    while (!problem && crew->count < wanted) {
        problem = pthread_create(&crew->threads[crew->count], NULL, work, given);
        crew->count += !problem;
    }
    if (!crew->count) fail(error, INCEPTION_MEMORY, "cannot start a thread: %s", strerror(problem));
    return crew->count > 0;
}

void crew_wait(cli_crew *crew)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&crew->ready, &crew->lock, &until);
}

void crew_end(cli_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->ended = true;
    pthread_cond_broadcast(&crew->room);
    pthread_mutex_unlock(&crew->lock);
    for (int i = 0; i < crew->count; i++) pthread_join(crew->threads[i], NULL);
    pthread_cond_destroy(&crew->ready);
    pthread_cond_destroy(&crew->room);
    pthread_mutex_destroy(&crew->lock);
}
