/* The photos of a folder that has a folder for each class. */
#include "train.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* What a folder holds that is looked at. The texts are the entries'. */
typedef struct contents {
    size_t folders, parts, loose; /* of the folders those that are called as parts are; photos beside the folders */
    const char *first_loose;
} contents;

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* All photos of a class's folder and of those in it. */
static exit_code read_class(cli_dataset *set, char *folder, const char *label, bool quiet)
{
    inception_error error = {0};
    photo_settings settings = {.net.offline = true};
    cli_photo photo;
    photo_walk *walk = photos_open(&settings, &folder, 1, &error);
    if (!walk) return complain_error(&error);
    exit_code code = EXIT_FINE;
    while (!code && photos_next(walk, &photo, &error)) {
        char *name = NULL;
        if (error.status == INCEPTION_NOT_FOUND) {
            complain("%s: every class needs photos", error.message);
            code = EXIT_DATA;
        } else if (error.status) { /* of a folder inside */
            complain_input(folder, &error);
            tally_failure(&set->tally, error.status);
            error = (inception_error){0};
        } else {
            if (asprintf(&name, "%s/%s", label, photo.name) < 0) name = NULL;
            if (!dataset_add(set, strdup(photo.path), name, label, &error)) code = complain_error(&error);
        }
    }
    if (!code) photos_note(walk, quiet);
    photos_close(&walk);
    return code;
}

bool dataset_is_of_run(const char *name)
{
    static const char *const beginnings[] = {"checkpoint.safetensors", "best.safetensors", "start.safetensors"};
    for (size_t i = 0; i < COUNT(beginnings); i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0) return true;
    return false;
}

/* What training leaves is no class: a log, a checkpoint, or of a run that was killed at once nothing yet. */
static bool is_run(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, not_hidden, NULL);
    bool run = count == 0 && ends_in(folder, ".run");
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        run |= strncmp(name, "events.out.tfevents.", 20) == 0 || dataset_is_of_run(name);
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    return run;
}

static bool called_as_part(const char *name)
{
    static const char *const parts[] = {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"};
    for (size_t i = 0; i < COUNT(parts); i++)
        if (strcasecmp(name, parts[i]) == 0) return true;
    return false;
}

/* A link to the data set, or to a folder that it is in, is no class, either. */
static bool holds_all(const char *folder, const char *whole)
{
    char *a = realpath(folder, NULL), *b = realpath(whole, NULL);
    size_t length = a ? strlen(a) : 0;
    bool holds = a && b && (length == 1 || (strncmp(a, b, length) == 0 && (b[length] == '/' || b[length] == '\0')));
    free(a);
    free(b);
    return holds;
}

static exit_code look_at(cli_dataset *set, const char *name, bool quiet, contents *found)
{
    char *path;
    struct stat info;
    exit_code code = EXIT_FINE;
    if (asprintf(&path, "%s/%s", set->path, name) < 0) return complain_memory();
    bool there = stat(path, &info) == 0;
    if (there && S_ISDIR(info.st_mode)) {
        bool is_class = !is_run(path) && !holds_all(path, set->path);
        found->folders += is_class;
        found->parts += is_class && called_as_part(name);
        if (is_class) code = read_class(set, path, name, quiet);
    } else if (there && S_ISREG(info.st_mode) && named_like_photo(name) && !found->loose++) {
        found->first_loose = name;
    }
    free(path);
    return code;
}

static exit_code check(const cli_dataset *set, const contents *found, bool quiet)
{
    if (!found->folders) {
        complain("%s: no folder in it; train wants a folder of photos for each class", set->path);
        return EXIT_DATA;
    }
    if (found->folders > 1 && found->parts == found->folders) {
        complain("%s: its folders are called as parts (training, validation, test), not as classes: name one of them, or "
                 "put all photos of a class into one folder; train parts them itself", set->path);
        return EXIT_DATA;
    }
    if (found->loose && !quiet)
        complain("%s: %zu photo%s in no folder of a class, left out: %s%s", set->path, found->loose,
                 found->loose > 1 ? "s are" : " is", found->first_loose, found->loose > 1 ? ", ..." : "");
    return EXIT_FINE;
}

exit_code dataset_walk(cli_dataset *set, bool quiet)
{
    struct dirent **entries;
    contents found = {0};
    exit_code code = EXIT_FINE;
    int count = scandir(set->path, &entries, not_hidden, alphasort);
    if (count < 0) {
        complain("%s: cannot read the folder: %s", set->path, strerror(errno));
        return EXIT_NO_INPUT;
    }
    for (int i = 0; i < count && !code; i++) code = look_at(set, entries[i]->d_name, quiet, &found);
    if (!code) code = check(set, &found, quiet);
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    return code;
}
