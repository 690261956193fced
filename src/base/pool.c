/* A team of threads that does one piece of work at a time. Between pieces, and between the steps of one, a thread that has
 * to wait looks again for some microseconds, because the others are mostly just as far; then it lets other processes
 * run, and at last it sleeps. So a step costs next to nothing on an idle machine, and two programs side by side do not
 * wait for threads that cannot run because they wait. */
#include "base.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LOOKS 4000 /* about 20 to 200 microseconds */
#define YIELDS 20

struct inc_pool {
    int threads;
    pthread_t *helpers; /* [threads - 1] */
    int helper_count;   /* that were started */
    inc_work *work;
    void *context;
    atomic_uint begun;         /* pieces of work; a helper waits for the next one */
    atomic_uint passed;        /* meetings */
    atomic_int missing;        /* at the next meeting */
    atomic_int sleepers;
    atomic_bool ending;
    atomic_int next_number;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

/* Tells the CPU that this is a loop that waits. */
static inline void pause_a_moment(void)
{
#if defined __x86_64__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* Returns when *counter is no longer `old`. */
static void wait_for(inc_pool *pool, atomic_uint *counter, unsigned old)
{
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load_explicit(counter, memory_order_acquire) != old) return;
        pause_a_moment();
    }
    for (int i = 0; i < YIELDS; i++) {
        if (atomic_load_explicit(counter, memory_order_acquire) != old) return;
        sched_yield();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while (atomic_load(counter) == old) pthread_cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
}

/* Changes the counter and wakes who sleeps. Both orders are sequential: either the sleeper is seen here, or it sees the
 * change before it sleeps. */
static void advance(inc_pool *pool, atomic_uint *counter)
{
    atomic_fetch_add(counter, 1);
    if (!atomic_load(&pool->sleepers)) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

void inc_pool_meet(inc_pool *pool)
{
    if (pool->threads == 1) return;
    unsigned meeting = atomic_load(&pool->passed);
    if (atomic_fetch_sub(&pool->missing, 1) > 1) {
        wait_for(pool, &pool->passed, meeting);
    } else {
        atomic_store(&pool->missing, pool->threads);
        advance(pool, &pool->passed);
    }
}

static void *help(void *given)
{
    inc_pool *pool = given;
    int number = atomic_fetch_add(&pool->next_number, 1);
    for (unsigned piece = 0;; piece++) {
        wait_for(pool, &pool->begun, piece);
        if (atomic_load(&pool->ending)) return NULL;
        pool->work(pool->context, number);
        inc_pool_meet(pool);
    }
}

inc_pool *inc_pool_new(int threads, inception_error *error)
{
    inc_pool *pool = inc_calloc(1, sizeof *pool, error);
    if (!pool) return NULL;
    pool->threads = threads;
    pool->missing = threads;
    pool->next_number = 1;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->helpers = inc_calloc((size_t)threads, sizeof *pool->helpers, error);
    sigset_t all, before; /* signals are for the program's own threads */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->helpers && pool->helper_count < threads - 1) {
        if (pthread_create(&pool->helpers[pool->helper_count], NULL, help, pool) != 0) {
            inc_fail(error, INCEPTION_MEMORY, "cannot start a thread");
            break;
        }
        pool->helper_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pool->helpers && pool->helper_count == threads - 1) return pool;
    inc_pool_free(pool);
    return NULL;
}

void inc_pool_free(inc_pool *pool)
{
    if (!pool) return;
    atomic_store(&pool->ending, true);
    advance(pool, &pool->begun);
    for (int i = 0; i < pool->helper_count; i++) pthread_join(pool->helpers[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->helpers);
    free(pool);
}

void inc_pool_run(inc_pool *pool, inc_work *work, void *context)
{
    pool->work = work;
    pool->context = context;
    if (pool->threads > 1) advance(pool, &pool->begun);
    work(context, 0);
    inc_pool_meet(pool);
}
