/* Which photos are for what: by their names alone. */
#include "../../src/head/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static double random_number(void) /* -1 ... 1 */
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 40) / 8388608.0 - 1;
}

/* Computed in Python from the definitions of FNV-1a and of MurmurHash3's finish. */
static void hashes(void **state)
{
    (void)state;
    const uint64_t seeds[] = {0, 7, ((uint64_t)1 << 63) + 1};
    assert_true(inc_name_hash(&seeds[0], 1, "rose/1.jpg") == 0xbad069ad53179092);
    assert_true(inc_name_hash(&seeds[1], 1, "rose/1.jpg") == 0x1bf26edb9b05dd06);
    assert_true(inc_name_hash(&seeds[0], 1, "") == 0x7bd3144f29c0cc9e);
    assert_true(inc_name_hash(&seeds[2], 1, "tulip/\xc3\xbc.png") == 0x7678e8156049e36c);
}

static uint64_t hash_of(const char *name)
{
    return inc_name_hash(&(uint64_t){0}, 1, name);
}

enum { MANY = 3000 };

typedef struct named {
    char texts[MANY][24];
    const char *names[MANY];
    int classes[MANY];
    inception_part parts[MANY];
} named;

static named *make_names(void)
{
    named *n = calloc(1, sizeof *n);
    assert_non_null(n);
    for (int i = 0; i < MANY; i++) {
        snprintf(n->texts[i], sizeof n->texts[i], "class%d/photo%d.jpg", i % 3, i);
        n->names[i] = n->texts[i];
        n->classes[i] = i % 3;
    }
    return n;
}

static void split_by_names_alone(void **state)
{
    (void)state;
    named *n = make_names();
    inception_part again[MANY];
    int counts[INCEPTION_PARTS] = {0}, same = 0;
    assert_int_equal(inception_split(n->names, n->classes, MANY, 3, 0, n->parts, NULL), INCEPTION_OK);
    for (int i = 0; i < MANY; i++) {
        uint64_t hash = inc_name_hash(&(uint64_t){0}, 1, n->names[i]) / (UINT64_MAX / 100);
        assert_int_equal(n->parts[i], hash < 16 ? INCEPTION_TEST : hash < 30 ? INCEPTION_VALIDATION : INCEPTION_TRAIN);
        counts[n->parts[i]]++;
    }
    assert_in_range(counts[INCEPTION_TEST], MANY * 16 / 100 - 80, MANY * 16 / 100 + 80); /* four deviations */
    assert_in_range(counts[INCEPTION_VALIDATION], MANY * 14 / 100 - 76, MANY * 14 / 100 + 76);
    inception_split(n->names + 900, n->classes + 900, MANY - 900, 3, 0, again + 900, NULL); /* without some */
    for (int i = 900; i < MANY; i++) assert_int_equal(again[i], n->parts[i]);
    inception_split(n->names, n->classes, MANY, 3, 1, again, NULL);
    for (int i = 0; i < MANY; i++) same += again[i] == n->parts[i];
    assert_in_range(same, MANY * 45 / 100, MANY * 63 / 100); /* .7 .7 + .14 .14 + .16 .16 = .535 expected */
    free(n);
}

static void few_photos(void **state)
{
    (void)state;
    named *n = make_names();
    for (int first = 0; first + 12 < MANY; first++)
        for (size_t count = 1; count <= 12; count++) {
            int counts[INCEPTION_PARTS] = {0}, zeros[12] = {0};
            inception_split(n->names + first, zeros, count, 1, 0, n->parts, NULL);
            for (size_t i = 0; i < count; i++) counts[n->parts[i]]++;
            assert_true(counts[INCEPTION_TRAIN] >= 1);
            assert_true(counts[INCEPTION_VALIDATION] >= (count > 1));
            assert_true(count > 2 ? counts[INCEPTION_TEST] >= 1 : counts[INCEPTION_TEST] == 0);
        }
    free(n);
}

enum { MOST_LABELS = 4 };

/* Of photos from `first` on, how many in a part have the label, or have it not. */
static size_t held(const named *n, int first, size_t count, const bool *labels, size_t label_count, size_t label, bool with,
                   inception_part part)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += n->parts[(size_t)first + i] == part && labels[i * label_count + label] == with;
    return sum;
}

/* Could the photo leave its part without taking the last one of a group, or is its part worth less? */
static bool spare(const named *n, int first, size_t count, const bool *labels, size_t label_count, size_t photo,
                  inception_part to)
{
    inception_part from = n->parts[(size_t)first + photo];
    for (size_t l = 0; l < label_count && from < to; l++)
        if (held(n, first, count, labels, label_count, l, labels[photo * label_count + l], from) < 2) return false;
    return true;
}

/* Training has photos with and without each label; another part lacks them only where none can be spared for it. A part
 * that nothing had to be changed for is that of the hash. */
static void several_labels(void **state)
{
    (void)state;
    named *n = make_names();
    bool labels[40 * MOST_LABELS];
    size_t full = 0, moved = 0;
    for (int first = 0; first + 40 < MANY; first++) {
        size_t label_count = (size_t)first % MOST_LABELS + 1, count = 2 + (size_t)first % 38, by_hash = 0;
        bool every = true;
        for (size_t i = 0; i < count * label_count; i++) labels[i] = random_number() > 0.4 + 0.1 * (double)(i % label_count);
        inception_status status =
            inception_split_labels(n->names + first, labels, count, (int)label_count, 0, n->parts + first, NULL);
        assert_int_equal(status, INCEPTION_OK);
        for (size_t i = 0; i < count; i++) {
            uint64_t hash = hash_of(n->names[(size_t)first + i]) / (UINT64_MAX / 100);
            by_hash += n->parts[(size_t)first + i]
                    == (hash < 16 ? INCEPTION_TEST : hash < 30 ? INCEPTION_VALIDATION : INCEPTION_TRAIN);
        }
        for (size_t g = 0; g < 2 * label_count; g++) {
            size_t all = 0, has[INCEPTION_PARTS];
            for (int p = 0; p < INCEPTION_PARTS; p++)
                all += has[p] = held(n, first, count, labels, label_count, g / 2, g % 2, (inception_part)p);
            assert_true(!all || has[INCEPTION_TRAIN]);
            for (int p = 0; p < INCEPTION_PARTS; p++) {
                if (has[p] || all <= (size_t)p) continue;
                every = false;
                for (size_t i = 0; i < count; i++)
                    assert_false(labels[i * label_count + g / 2] == g % 2
                                 && spare(n, first, count, labels, label_count, i, (inception_part)p));
            }
        }
        full += every;
        moved += by_hash < count;
    }
    assert_true(full > MANY / 2 && moved > MANY / 4); /* what is tested happens */
    free(n);
}

/* Eight photos that the hash alone parts well; a label of three of them, which by hash are all for training. */
static void split_by_hand(void **state)
{
    (void)state;
    named *n = make_names();
    uint64_t hashes[MANY];
    const char *names[8];
    int low = 0, middle = 0, high = 0, count = 0;
    for (int i = 0; i < MANY && count < 8; i++) {
        hashes[count] = hash_of(n->names[i]) / (UINT64_MAX / 100);
        bool take = hashes[count] < 16 ? low++ < 1 : hashes[count] < 30 ? middle++ < 1 : high++ < 6;
        if (take) names[count++] = n->names[i];
    }
    assert_int_equal(count, 8);
    /* The three with the highest hashes have the label: the highest stays, the lowest of them goes to validation, and the
     * test gets the one between. */
    int order[8];
    for (int i = 0; i < 8; i++) {
        order[i] = 0;
        for (int k = 0; k < 8; k++) order[i] += hash_of(names[k]) < hash_of(names[i]);
    }
    static const inception_part wanted[8] = {INCEPTION_TEST, INCEPTION_VALIDATION, INCEPTION_TRAIN, INCEPTION_TRAIN,
                                             INCEPTION_TRAIN, INCEPTION_VALIDATION, INCEPTION_TEST, INCEPTION_TRAIN};
    bool labels[8];
    for (int i = 0; i < 8; i++) labels[i] = order[i] >= 5;
    inception_part got[8];
    assert_int_equal(inception_split_labels(names, labels, 8, 1, 0, got, NULL), INCEPTION_OK);
    for (int i = 0; i < 8; i++) assert_int_equal(got[i], wanted[order[i]]);
    free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(split_by_names_alone),
        cmocka_unit_test(few_photos),
        cmocka_unit_test(several_labels),
        cmocka_unit_test(split_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
