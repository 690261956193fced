/* --class-weights: how much a photo of each class counts. */
#include "train.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST_LISTED 50

static exit_code refuse_unknown(const cli_dataset *set, const char *name)
{
    char *text = NULL;
    size_t size;
    FILE *list = open_memstream(&text, &size);
    for (int c = 0; c < set->classes && c < MOST_LISTED && list; c++) fprintf(list, "%s%s", c ? ", " : "", set->labels[c]);
    if (list && set->classes > MOST_LISTED) fprintf(list, " and %d more", set->classes - MOST_LISTED);
    bool listed = list && fclose(list) == 0;
    exit_code code = !listed ? complain_memory()
        : complain_usage("train", "option --class-weights: there is no class '%s'; there are: %s", name, text);
    free(text);
    return code;
}

static exit_code refuse_value(const char *text)
{
    return complain_usage("train", "option --class-weights: '%s' is not allowed; it takes none, auto, CLASS=WEIGHT with "
                          "commas between, or @FILE with one a line; weights are 1e-9 to 1e9", text);
}

/* CLASS=WEIGHT; there may be more = in the name. Weights of classes that no item has named are 0. */
static exit_code read_item(const char *item, const cli_dataset *set, double *weights)
{
    const char *equals = strrchr(item, '=');
    char *end = NULL;
    double weight = equals ? strtod(equals + 1, &end) : 0;
    if (!equals || equals == item || end == equals + 1 || *end || !(weight >= 1e-9 && weight <= 1e9))
        return refuse_value(item);
    char *name = strndup(item, (size_t)(equals - item));
    if (!name) return complain_memory();
    const int class = dataset_class(set, name);
    exit_code code = EXIT_FINE;
    if (class < 0) code = refuse_unknown(set, name);
    else if (weights[class] > 0)
        code = complain_usage("train", "option --class-weights: class '%s' has two weights", name);
    else weights[class] = weight;
    free(name);
    return code;
}

static exit_code read_items(const char *items, const cli_dataset *set, double *weights)
{
    char *copy = strdup(items), *rest = copy;
    exit_code code = copy ? EXIT_FINE : complain_memory();
    for (const char *item; !code && (item = strsep(&rest, ",")) != NULL;) code = read_item(item, set, weights);
    free(copy);
    return code;
}

static exit_code read_file(const char *path, const cli_dataset *set, double *weights)
{
    name_list list = {0};
    inception_error error = {0};
    exit_code code = names_read(&list, path, &error) ? EXIT_FINE : complain_error(&error);
    for (const char *item; !code && (item = names_next(&list)) != NULL;) code = read_item(item, set, weights);
    names_free(&list);
    return code;
}

exit_code class_weights_read(const char *text, const cli_dataset *set, double *weights)
{
    exit_code code = EXIT_FINE;
    if (text && strcasecmp(text, "auto") == 0) return EXIT_FINE;
    if (text && strcasecmp(text, "none") != 0)
        code = *text == '@' ? read_file(text + 1, set, weights) : read_items(text, set, weights);
    for (int c = 0; c < set->classes; c++)
        if (!(weights[c] > 0)) weights[c] = 1;
    return code;
}

void class_weights_balance(const cli_dataset *set, const inception_part *parts, double *weights)
{
    for (int c = 0; c < set->classes; c++) {
        double with = 0, all = 0;
        for (size_t i = 0; i < set->count; i++)
            if (parts[i] == INCEPTION_TRAIN && dataset_has_answer(set, i)) all++, with += dataset_shows(set, i, c);
        if (!(weights[c] > 0)) weights[c] = set->several ? (all - with) / with : all / (set->classes * with);
    }
}
