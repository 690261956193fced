/* Which classes may be answers: --threshold, --allow and --deny.
 *
 * A class is named by its whole label or one of the synonyms in that, its WordNet id, or its index; what comes first in this
 * order counts, so that classes may be called by numbers. With several networks a word counts in each for the classes that
 * it names there. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

const option_row filter_rows[] = {
    {"threshold", 0, "P", OPTION_STRING, offsetof(filter_settings, threshold),
     "leave out classes less probable than P: 0.5 or 50%", 0, 0, NULL},
    {"allow", 0, "CLASSES", OPTION_LIST, offsetof(filter_settings, allow),
     "only these classes: names, WordNet ids or indices with commas between, or @FILE with one a line; may be repeated",
     0, 0, NULL},
    {"deny", 0, "CLASSES", OPTION_LIST, offsetof(filter_settings, deny), "not these classes; also among those allowed",
     0, 0, NULL},
    {.name = NULL},
};

exit_code filter_threshold(const filter_settings *settings, double *threshold)
{
    char *end = NULL;
    const char *text = settings->threshold;
    *threshold = text ? strtod(text, &end) : 0;
    bool number = end > text, percent = number && strcmp(end, "%") == 0;
    if (percent) *threshold /= 100;
    if (!text || (number && (percent || !*end) && *threshold >= 0 && *threshold <= 1)) return EXIT_FINE;
    return complain_usage("classify", "option --threshold: '%s' is not allowed; it takes 0 to 1, or 0%% to 100%%", text);
}

/* ---- Words ---- */

/* One of --allow and --deny. */
typedef struct class_choice {
    const char *option;
    bool allowed; /* what its words set */
    cli_contestant *contestants;
    size_t count;
} class_choice;

/* The next synonym of a label and its length; 0 at the end. */
static size_t next_synonym(const char **label)
{
    *label += strspn(*label, ", ");
    return strcspn(*label, ",");
}

/* Ways to name a class, the first that fits first. */
typedef enum naming { BY_NAME, BY_WNID, BY_INDEX, NAMINGS } naming;

static bool is_called(const inception_model *model, int index, const char *word, naming by)
{
    char number[16];
    const char *label = inception_model_label(model, index);
    snprintf(number, sizeof number, "%d", index);
    if (by == BY_WNID) return strcasecmp(word, inception_model_wnid(model, index)) == 0;
    if (by == BY_INDEX) return strcmp(word, number) == 0;
    bool called = strcasecmp(word, label) == 0;
    for (size_t length; !called && (length = next_synonym(&label)) > 0; label += length)
        called = strncasecmp(word, label, length) == 0 && !word[length];
    return called;
}

static exit_code refuse_several(const class_choice *choice, const inception_model *model, int classes, const char *word,
                                naming by)
{
    char which[256] = "";
    for (int i = 0; i < classes; i++) {
        size_t used = strlen(which);
        if (!is_called(model, i, word, by)) continue;
        snprintf(which + used, sizeof which - used, "%s%d %s", used ? ", " : "", i, inception_model_wnid(model, i));
    }
    return complain_usage("classify", "option --%s: '%s' is the name of several classes; give index or id of one: %s",
                          choice->option, word, which);
}

static const char *name_at(const void *list, size_t i)
{
    return ((const char *const *)list)[i];
}

static exit_code refuse_unknown(const class_choice *choice, const char *word)
{
    name_list list = {0};
    FILE *all = open_memstream(&list.bytes, &list.size);
    for (size_t i = 0; all && i < choice->count; i++) {
        for (int class = 0; class < choice->contestants[i].info->classes; class ++) {
            const char *label = inception_model_label(choice->contestants[i].model, class);
            for (size_t length; (length = next_synonym(&label)) > 0; label += length)
                fprintf(all, "%.*s%c", (int)length, label, '\0');
        }
    }
    bool complete = all && fclose(all) == 0;
    const char **names = complete ? calloc(list.size + 1, sizeof *names) : NULL, *near = NULL;
    size_t count = 0;
    while (names && (names[count] = names_next(&list)) != NULL) count++;
    if (names) near = nearest_name(word, name_at, names, count);
    exit_code code = complain_usage("classify", "option --%s: there is no class '%s'%s%s%s", choice->option, word,
                                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(names);
    names_free(&list);
    return code;
}

/* Sets *found if a network has the class. */
static exit_code choose_word(const class_choice *choice, const char *word, bool *found)
{
    *found = false;
    for (size_t i = 0; i < choice->count; i++) {
        const cli_contestant *network = &choice->contestants[i];
        int matches = 0, classes = network->info->classes;
        for (naming by = BY_NAME; by < NAMINGS && !matches; by++) {
            for (int class = 0; class < classes; class ++) {
                if (!is_called(network->model, class, word, by)) continue;
                network->allowed[class] = choice->allowed;
                matches++;
            }
            if (matches > 1) return refuse_several(choice, network->model, classes, word, by);
        }
        *found |= matches > 0;
    }
    return EXIT_FINE;
}

/* A whole label, which may have commas in it, or words with commas between. */
static exit_code choose_words(const class_choice *choice, const char *words)
{
    bool found;
    exit_code code = choose_word(choice, words, &found);
    for (size_t length; !code && !found && (length = next_synonym(&words)) > 0; words += length) {
        bool known;
        char *word = strndup(words, length);
        if (!word) return complain_memory();
        for (char *end = word + length; end > word && end[-1] == ' ';) *--end = '\0';
        code = choose_word(choice, word, &known);
        if (!code && !known) code = refuse_unknown(choice, word);
        free(word);
    }
    return code;
}

static exit_code choose_listed(const class_choice *choice, const char *path)
{
    name_list list = {0};
    inception_error error = {0};
    exit_code code = names_read(&list, path, &error) ? EXIT_FINE : complain_error(&error);
    for (const char *words; !code && (words = names_next(&list)) != NULL;) code = choose_words(choice, words);
    names_free(&list);
    return code;
}

static exit_code choose_all(const class_choice *choice, const string_list *values)
{
    exit_code code = EXIT_FINE;
    for (size_t i = 0; !code && i < values->count; i++) {
        const char *value = values->items[i];
        code = *value == '@' ? choose_listed(choice, value + 1) : choose_words(choice, value);
    }
    return code;
}

bool filter_reads_input(const filter_settings *settings)
{
    const string_list *const lists[] = {&settings->allow, &settings->deny};
    bool reads = false;
    for (size_t n = 0; n < COUNT(lists); n++)
        for (size_t i = 0; i < lists[n]->count; i++) reads |= strcmp(lists[n]->items[i], "@-") == 0;
    return reads;
}

exit_code filter_classes(const filter_settings *settings, cli_contestant *contestants, size_t count)
{
    if (!settings->allow.count && !settings->deny.count) return EXIT_FINE;
    for (size_t i = 0; i < count; i++) {
        size_t classes = (size_t)contestants[i].info->classes;
        contestants[i].allowed = malloc(classes * sizeof *contestants[i].allowed);
        if (!contestants[i].allowed) return complain_memory();
        memset(contestants[i].allowed, !settings->allow.count, classes);
    }
    exit_code code = choose_all(&(class_choice){"allow", true, contestants, count}, &settings->allow);
    if (!code) code = choose_all(&(class_choice){"deny", false, contestants, count}, &settings->deny);
    for (size_t i = 0; !code && i < count; i++)
        if (!memchr(contestants[i].allowed, true, (size_t)contestants[i].info->classes))
            code = complain_usage("classify", "options --allow and --deny leave no class of %s",
                                  contestants[i].info->network->name);
    return code;
}
