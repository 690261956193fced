/* inspect --diff: what two weights files do not have in common. Both list their tensors in byte order of the names, so
 * one walk down both lists finds everything. */
#include "cli.h"

#include <math.h>
#include <string.h>

#define STEP 4096 /* values compared at a time */

typedef enum difference {
    SAME,
    ONLY_FIRST,
    ONLY_SECOND,
    OTHER_SHAPE,
    OTHER_TYPE,
    OTHER_VALUES,
    NOT_COMPARABLE, /* values of a type that cannot be read */
} difference;

static const char *const difference_names[] = {
    [SAME] = "same",
    [ONLY_FIRST] = "only in the first",
    [ONLY_SECOND] = "only in the second",
    [OTHER_SHAPE] = "shape",
    [OTHER_TYPE] = "type",
    [OTHER_VALUES] = "values",
    [NOT_COMPARABLE] = "not comparable",
};

/* One pair of tensors; either may be missing. */
typedef struct comparison {
    const inception_tensor *first, *second;
    difference kind;
    double largest; /* difference; infinite where one side is not finite */
    uint64_t at;    /* flat index of it */
} comparison;

/* Largest absolute difference of the values; false if they cannot be read. */
static bool compare_values(comparison *pair)
{
    double a[STEP], b[STEP];
    for (uint64_t start = 0; start < pair->first->count; start += STEP) {
        uint64_t left = pair->first->count - start, count = left < STEP ? left : STEP;
        if (!inception_tensor_read(pair->first, start, count, a)) return false;
        if (!inception_tensor_read(pair->second, start, count, b)) return false;
        for (uint64_t i = 0; i < count; i++) {
            if (a[i] == b[i] || (isnan(a[i]) && isnan(b[i]))) continue;
            double away = isfinite(a[i]) && isfinite(b[i]) ? fabs(a[i] - b[i]) : INFINITY;
            if (away <= pair->largest) continue;
            pair->largest = away;
            pair->at = start + i;
        }
    }
    return true;
}

static bool same_shape(const inception_tensor *a, const inception_tensor *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

static void judge(comparison *pair)
{
    if (!pair->second) pair->kind = ONLY_FIRST;
    else if (!pair->first) pair->kind = ONLY_SECOND;
    else if (!same_shape(pair->first, pair->second)) pair->kind = OTHER_SHAPE;
    else if (!compare_values(pair)) pair->kind = NOT_COMPARABLE;
    else if (pair->largest > 0) pair->kind = OTHER_VALUES;
    else if (pair->first->type != pair->second->type) pair->kind = OTHER_TYPE;
}

static void print_pair(const comparison *pair)
{
    char first[256] = "", second[256] = "";
    if (pair->first) shape_text(pair->first, first, sizeof first);
    if (pair->second) shape_text(pair->second, second, sizeof second);
    text_write(stdout, pair->first ? pair->first->name : pair->second->name);
    printf(": ");
    switch (pair->kind) {
    case OTHER_SHAPE: printf("shape %s and %s\n", first, second); break;
    case OTHER_TYPE:
        printf("type %s and %s, equal values\n", inception_type_name(pair->first->type),
               inception_type_name(pair->second->type));
        break;
    case OTHER_VALUES:
        printf("largest difference %.6g, at value %llu of %s\n", pair->largest, (unsigned long long)pair->at, first);
        break;
    default: printf("%s %s%s\n", difference_names[pair->kind], first, pair->first ? "" : second); break;
    }
}

static json_t *pair_json(const comparison *pair)
{
    const inception_tensor *any = pair->first ? pair->first : pair->second;
    json_t *object = json_pack("{s:o, s:s}", "name", text_json(any->name), "difference", difference_names[pair->kind]);
    if (object && pair->first) json_object_set_new(object, "first", shape_json(pair->first));
    if (object && pair->second) json_object_set_new(object, "second", shape_json(pair->second));
    if (!object || pair->kind != OTHER_VALUES) return object;
    json_object_set_new(object, "largest", isfinite(pair->largest) ? json_real(pair->largest) : json_null());
    json_object_set_new(object, "at", json_integer((json_int_t)pair->at));
    return object;
}

/* The next pair of the walk, false at the end. */
static bool next_pair(const inception_weights *const files[2], size_t at[2], comparison *pair)
{
    const inception_tensor *heads[2];
    for (int i = 0; i < 2; i++)
        heads[i] = at[i] < inception_weights_count(files[i]) ? inception_weights_tensor(files[i], at[i]) : NULL;
    if (!heads[0] && !heads[1]) return false;
    int order = !heads[0] ? 1 : !heads[1] ? -1 : strcmp(heads[0]->name, heads[1]->name);
    *pair = (comparison){.first = order <= 0 ? heads[0] : NULL, .second = order >= 0 ? heads[1] : NULL};
    at[0] += order <= 0;
    at[1] += order >= 0;
    judge(pair);
    return true;
}

exit_code compare_weights(const inception_weights *first, const char *first_path, const inception_weights *second,
                          const char *second_path, bool json)
{
    const inception_weights *const files[2] = {first, second};
    size_t at[2] = {0, 0}, differing = 0, equal = 0;
    double largest = 0;
    json_t *list = json ? json_array() : NULL;
    comparison pair;
    while (next_pair(files, at, &pair)) {
        if (pair.largest > largest) largest = pair.largest;
        if (pair.kind == SAME) {
            equal++;
            continue;
        }
        differing++;
        if (json) json_array_append_new(list, pair_json(&pair));
        else print_pair(&pair);
    }
    exit_code code;
    if (json) {
        code = output_json(json_pack("{s:[o, o], s:I, s:o, s:o}", "files", text_json(first_path),
                                     text_json(second_path), "equal", (json_int_t)equal, "largest",
                                     isfinite(largest) ? json_real(largest) : json_null(), "differences", list));
    } else {
        printf("%zu tensors equal, %zu not; largest difference %.6g\n", equal, differing, largest);
        code = output_flush();
    }
    return code ? code : differing ? EXIT_SOME : EXIT_FINE;
}
