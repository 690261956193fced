/* The team of threads: everyone works once a piece, nobody passes a meeting early, and sleeping threads wake. */
#include "../../src/base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST 8
#define STEPS 200

typedef struct task {
    inc_pool *pool;
    int threads, lazy; /* the thread that comes late, -1: none */
    int done[MOST];    /* steps; each written by its own thread, read by the others after a meeting */
    int wrong[MOST];   /* others seen in a step they should not be in */
} task;

static void work(void *context, int thread)
{
    task *t = context;
    for (int step = 1; step <= STEPS; step++) {
        if (thread == t->lazy && step % 50 == 0) usleep(20000); /* so long that the others go to sleep */
        t->done[thread] = step;
        inc_pool_meet(t->pool);
        for (int i = 0; i < t->threads; i++) t->wrong[thread] += t->done[i] != step;
        inc_pool_meet(t->pool);
    }
}

static void meetings(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST; threads += threads < 3 ? 1 : 5)
        for (int lazy = -1; lazy < threads && lazy < 2; lazy++) {
            task t = {.threads = threads, .lazy = lazy};
            assert_non_null(t.pool = inc_pool_new(threads, NULL));
            for (int piece = 0; piece < 3; piece++) {
                if (piece == 2) usleep(20000); /* the helpers sleep before the piece begins */
                inc_pool_run(t.pool, work, &t);
                for (int i = 0; i < threads; i++) assert_true(t.done[i] == STEPS && t.wrong[i] == 0);
            }
            inc_pool_free(t.pool);
        }
}

static void unused(void **state)
{
    (void)state;
    for (int threads = 1; threads <= MOST; threads++) inc_pool_free(inc_pool_new(threads, NULL));
    inc_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(meetings), cmocka_unit_test(unused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
