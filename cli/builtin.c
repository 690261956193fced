/* The model that comes with the command: what it can do where nothing was downloaded. It is found relative to the command,
 * as the extras are: in a tarball, an installation or the build folder. What is said of it stands in the file. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char builtin_name[] = "flowers";

bool builtin_find(const char *name, char *path, size_t size)
{
    static const char *const folders[] = {"models", MODELS_FOLDER}; /* beside the command; beside its folder */
    char self[FOLDER_SIZE];
    if (name && strcasecmp(name, builtin_name) != 0) return false;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    for (size_t i = 0; i < COUNT(folders); i++) {
        char *slash = strrchr(self, '/');
        if (!slash) return false;
        *slash = '\0';
        int whole = snprintf(path, size, "%s/%s/%s.safetensors", self, folders[i], builtin_name);
        if (whole > 0 && (size_t)whole < size && path_exists(path)) return true;
    }
    return false;
}

/* What the file says of itself: free() `classes`. */
typedef struct builtin_facts {
    const inception_network *network;
    int width, height, count;
    char *classes; /* "daisy, rose" */
    double accuracy; /* in the test; less than 0: not said */
    long photos;
} builtin_facts;

static char *join_names(const char *lines, int *count)
{
    size_t size;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    for (*count = 0; out && *lines; lines += strcspn(lines, "\n"), lines += *lines == '\n') {
        fputs((*count)++ ? ", " : "", out);
        fprintf(out, "%.*s", (int)strcspn(lines, "\n,"), lines); /* ImageNet's names are lists of synonyms */
    }
    if (out && fclose(out) == 0) return text;
    return NULL;
}

/* False, and complained of: the file is damaged, or memory is out. */
static bool read_facts(const char *path, builtin_facts *facts)
{
    inception_error error = {0};
    inception_weights *weights = inception_weights_open(path, &error);
    const char *key, *value;
    *facts = (builtin_facts){.accuracy = -1};
    for (size_t i = 0; weights && inception_weights_text(weights, i, &key, &value); i++) {
        if (strcmp(key, "network") == 0) facts->network = inception_network_find(value);
        if (strcmp(key, "input_width") == 0) facts->width = atoi(value);
        if (strcmp(key, "input_height") == 0) facts->height = atoi(value);
        if (strcmp(key, "labels") == 0 && !facts->classes) facts->classes = join_names(value, &facts->count);
        if (strcmp(key, "test_accuracy") == 0) facts->accuracy = strtod(value, NULL);
        if (strcmp(key, "test_photos") == 0) facts->photos = atol(value);
    }
    if (weights && (!facts->network || !facts->classes))
        fail(&error, INCEPTION_DATA, "%s: does not say which network and classes it has", path);
    inception_weights_close(&weights);
    if (!error.status) return true;
    complain_error(&error);
    free(facts->classes);
    return false;
}

void builtin_announce(const char *path)
{
    builtin_facts facts;
    if (!read_facts(path, &facts)) return;
    complain("there is no network in the cache; the built-in model knows %s, and nothing else; 'inception fetch v4' brings "
             "one that knows 1000 kinds of things", facts.classes);
    free(facts.classes);
}

/* ---- models ---- */

void builtin_row(const char *path)
{
    builtin_facts facts;
    char text[1024], right[80] = "";
    if (!read_facts(path, &facts)) return;
    if (facts.accuracy >= 0)
        snprintf(right, sizeof right, "; right on %.1f %% of %ld test photos", 100 * facts.accuracy, facts.photos);
    snprintf(text, sizeof text, "Built in: %s, %d classes (%s)%s.", builtin_name, facts.count, facts.classes, right);
    printf("\n");
    print_wrapped(text, 0);
    free(facts.classes);
}

json_t *builtin_json(const char *path)
{
    builtin_facts facts;
    if (!read_facts(path, &facts)) return NULL;
    json_t *names = json_array();
    for (const char *name = facts.classes; *name; name += strcspn(name, ","), name += 2 * (*name == ','))
        json_array_append_new(names, json_stringn(name, strcspn(name, ",")));
    json_t *known = facts.accuracy >= 0 ? json_real(facts.accuracy) : json_null();
    json_t *object = json_pack("{s:s, s:b, s:s, s:{s:i, s:i}, s:i, s:o, s:o, s:I, s:o}", "name", builtin_name, "built_in", 1,
                               "network", facts.network->name, "input", "width", facts.width, "height", facts.height,
                               "classes", facts.count, "labels", names, "test_accuracy", known, "test_photos",
                               (json_int_t)facts.photos, "path", text_json(path));
    free(facts.classes);
    return object;
}

exit_code builtin_show(const char *path)
{
    builtin_facts facts;
    inception_error error = {0};
    if (!read_facts(path, &facts)) return EXIT_DATA;
    inception_model *model = inception_model_open(path, NULL, &error);
    if (!model) {
        free(facts.classes);
        return complain_error(&error);
    }
    const inception_model_info *info = inception_model_get_info(model);
    printf("%s, built in: %s, depth multiplier %g\n\n", builtin_name, info->network->title, info->depth_multiplier);
    printf("parameters     %.2f million\n", (double)info->parameters / 1e6);
    printf("multiply-adds  %.1f million for a photo\n", (double)info->multiply_adds / 1e6);
    printf("input          %d x %d\n", info->input.width, info->input.height);
    printf("classes        %d: %s\n", info->classes, facts.classes);
    if (facts.accuracy >= 0)
        printf("accuracy       %.1f %% of %ld test photos, which it was not taught with\n", 100 * facts.accuracy,
               facts.photos);
    bool decides = isfinite(info->unknown_threshold);
    printf("anything else  %s\n", decides ? "is told to be none of these" : "is taken for one of these");
    printf("file           ");
    text_write(stdout, path);
    printf("\n");
    inception_model_close(&model);
    free(facts.classes);
    return output_flush();
}
