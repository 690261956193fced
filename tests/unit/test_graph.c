/* The pure parts of the graph: windows, the memory planner, what each rewrite does to each network. */
#include "../formula.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* in, kernel, stride, padding -> out, before, behind: by hand from TensorFlow's and Caffe's rules. */
static void windows(void **state)
{
    (void)state;
    static const struct {
        int64_t in;
        int kernel, stride;
        inc_padding padding;
        int64_t out;
        int before, behind;
    } rows[] = {
        {224, 7, 2, INC_SAME, 112, 2, 3},  {224, 3, 2, INC_SAME, 112, 0, 1}, {5, 3, 1, INC_SAME, 5, 1, 1},
        {7, 3, 2, INC_SAME, 4, 1, 1},      {1, 3, 1, INC_SAME, 1, 1, 1},     {4, 1, 2, INC_SAME, 2, 0, 0},
        {299, 3, 2, INC_VALID, 149, 0, 0}, {3, 3, 1, INC_VALID, 1, 0, 0},    {224, 7, 2, INC_HALF, 112, 3, 3},
        {28, 3, 1, INC_HALF, 28, 1, 1},    {112, 3, 2, INC_CEIL, 56, 0, 1},  {14, 5, 3, INC_CEIL, 4, 0, 0},
        {7, 7, 1, INC_CEIL, 1, 0, 0},      {13, 3, 2, INC_CEIL, 6, 0, 0},
    };
    for (size_t i = 0; i < INC_COUNT(rows); i++) {
        inc_window w = {.kernel_h = rows[i].kernel, .kernel_w = rows[i].kernel, .stride = rows[i].stride};
        int64_t h, x;
        assert_true(inc_window_set(&w, rows[i].padding, rows[i].in, rows[i].in, &h, &x));
        assert_int_equal(h, rows[i].out);
        assert_int_equal(x, rows[i].out);
        assert_int_equal(w.top, rows[i].before);
        assert_int_equal(w.bottom, rows[i].behind);
    }
    inc_window w = {.kernel_h = 5, .kernel_w = 5, .stride = 1};
    int64_t h, x;
    assert_false(inc_window_set(&w, INC_VALID, 4, 9, &h, &x));
}

static void planner_reuses_what_is_dead(void **state)
{
    (void)state;
    inc_lifetime chain[] = {{640, 0, 1, 0}, {640, 1, 2, 0}, {640, 2, 3, 0}};
    size_t total;
    assert_int_equal(inc_plan_memory(chain, 3, &total, NULL), INCEPTION_OK);
    assert_int_equal(total, 1280); /* two live at once, never three */
    assert_int_equal(chain[0].offset, chain[2].offset);
}

static void planner_takes_the_smallest_gap(void **state)
{
    (void)state;
    /* Placed largest first, one after the other. At step 5 the second and the fourth are dead and leave gaps of 896 and
     * 704 bytes; 128 bytes go into the smaller. */
    inc_lifetime all[] = {{1024, 0, 9, 0}, {896, 0, 3, 0}, {832, 0, 9, 0}, {704, 0, 4, 0}, {640, 0, 9, 0}, {128, 5, 9, 0}};
    size_t total;
    assert_int_equal(inc_plan_memory(all, 6, &total, NULL), INCEPTION_OK);
    assert_int_equal(total, 1024 + 896 + 832 + 704 + 640);
    assert_int_equal(all[5].offset, 1024 + 896 + 832);
}

static void planner_never_overlaps(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int round = 0; round < 200; round++) {
        inc_lifetime all[40];
        size_t total, live = 0;
        for (size_t i = 0; i < 40; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint32_t first = (uint32_t)(seed >> 33) % 30;
            all[i] = (inc_lifetime){(size_t)(seed >> 40) % 5000, first, first + (uint32_t)(seed >> 50) % 8, 0};
        }
        assert_int_equal(inc_plan_memory(all, 40, &total, NULL), INCEPTION_OK);
        for (size_t i = 0; i < 40; i++) {
            assert_true(all[i].offset % INC_ALIGNMENT == 0 && all[i].offset + all[i].bytes <= total);
            live += all[i].bytes;
            for (size_t j = 0; j < i; j++) {
                bool at_once = all[i].first <= all[j].last && all[j].first <= all[i].last;
                bool apart = all[i].offset + all[i].bytes <= all[j].offset
                          || all[j].offset + all[j].bytes <= all[i].offset || !all[i].bytes || !all[j].bytes;
                assert_true(!at_once || apart);
            }
        }
        assert_true(total <= live);
    }
}

/* What the tables say, counted by hand: convolutions with batch norm, others, pools and normalisations, concatenations,
 * residual additions (of which how many with ReLU), and 1x1 convolutions that a sibling takes in. */
static const struct {
    const char *name;
    size_t normed, biased_relu, linear, pools, joins, adds, add_relus, siblings, separable;
} expected[] = {
    {"v1", 57, 0, 1, 14, 9, 0, 0, 9, 0},          {"v2", 68, 0, 1, 13, 10, 0, 0, 10, 1},
    {"v3", 94, 0, 1, 14, 15, 0, 0, 10, 0},        {"v4", 149, 0, 1, 19, 25, 0, 0, 16, 0},
    {"irv2", 204, 0, 41, 6, 43, 40, 39, 13, 0},   {"googlenet", 0, 57, 1, 16, 9, 0, 0, 9, 0},
};

static size_t nodes_after(const char *network, unsigned rewrites)
{
    inc_graph graph = {0};
    inc_shape shape = inc_shape_default(inception_network_find(network));
    assert_int_equal(inc_build(&shape, &graph, NULL), INCEPTION_OK);
    assert_true(formula_bind(&graph));
    assert_int_equal(inc_graph_rewrite(&graph, rewrites, 8, NULL), INCEPTION_OK);
    size_t count = graph.node_count;
    inc_graph_free(&graph);
    return count;
}

static void each_rewrite_fires(void **state)
{
    (void)state;
    for (size_t i = 0; i < INC_COUNT(expected); i++) {
        const char *n = expected[i].name;
        size_t separable = expected[i].separable, relus = expected[i].normed + expected[i].biased_relu + separable;
        size_t raw = 2 * expected[i].normed + expected[i].biased_relu + expected[i].linear + 2 * separable + relus
                   + expected[i].pools + expected[i].joins + expected[i].adds + expected[i].add_relus + 1;
        assert_int_equal(nodes_after(n, 0), raw);
        assert_int_equal(nodes_after(n, INC_DROP_IDENTITIES), raw - 1);
        assert_int_equal(nodes_after(n, INC_MERGE_SEPARABLE), raw - separable);
        assert_int_equal(nodes_after(n, INC_FOLD_NORMS), raw - expected[i].normed);
        assert_int_equal(nodes_after(n, INC_FUSE_RELUS), raw - expected[i].biased_relu - separable);
        assert_int_equal(nodes_after(n, INC_FOLD_NORMS | INC_FUSE_RELUS), raw - expected[i].normed - relus);
        assert_int_equal(nodes_after(n, INC_FUSE_RESIDUALS), raw - expected[i].adds);
        assert_int_equal(nodes_after(n, INC_FUSE_RESIDUALS | INC_FOLD_NORMS | INC_FUSE_RELUS),
                         raw - expected[i].normed - relus - expected[i].adds - expected[i].add_relus);
        assert_int_equal(nodes_after(n, INC_ELIDE_CONCATS), raw - expected[i].joins);
        assert_int_equal(nodes_after(n, INC_ALL_REWRITES),
                         expected[i].normed + expected[i].biased_relu + expected[i].linear + separable
                             + expected[i].pools - expected[i].siblings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows),
        cmocka_unit_test(planner_reuses_what_is_dead),
        cmocka_unit_test(planner_takes_the_smallest_gap),
        cmocka_unit_test(planner_never_overlaps),
        cmocka_unit_test(each_rewrite_fires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
