/* The photos of a run: files, folders, URLs, lists, standard input, handed out one at a time.
 *
 * A file that is named is a photo, or an error that says why not. In a folder only what looks like a photo counts, by
 * its first bytes; dot files are passed over, links to folders too (they may lead in circles), pipes and devices as
 * well. Only the names of the folders on the way down are kept, so that a run over any number of photos takes little
 * memory. */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNIFF_BYTES 16

const option_row photo_rows[] = {
    {"files-from", 0, "FILE", OPTION_STRING, offsetof(photo_settings, files_from),
     "more photos: names in FILE (-: standard input), one a line or separated by zero bytes", 0, 0, NULL},
    {"no-orient", 0, NULL, OPTION_FLAG, offsetof(photo_settings, decode.ignore_orientation),
     "do not turn photos as their EXIF data says (as TensorFlow does not)", 0, 0, NULL},
    {"strip-alpha", 0, NULL, OPTION_FLAG, offsetof(photo_settings, decode.strip_alpha),
     "drop transparency as TensorFlow does; default: white behind it", 0, 0, NULL},
    {"recover", 0, NULL, OPTION_FLAG, offsetof(photo_settings, decode.recover),
     "take what is there of a truncated photo", 0, 0, NULL},
    {"fast-decode", 0, NULL, OPTION_FLAG, offsetof(photo_settings, fast),
     "decode JPEG photos at 1/2, 1/4 or 1/8 of their size where that is enough for the network, which was not evaluated "
     "so; classify and prepare show it in their output",
     0, 0, NULL},
    {"max-pixels", 0, "N", OPTION_SIZE, offsetof(photo_settings, decode.max_pixels),
     "refuse photos of more pixels; default 256M", 1, 0x1p40, NULL},
    {"max-bytes", 0, "N", OPTION_SIZE, offsetof(photo_settings, decode.max_bytes),
     "refuse files of more bytes; default 256M", 1, 0x1p40, NULL},
    {.name = NULL},
};

typedef struct open_folder {
    struct open_folder *parent;
    char *path;
    struct dirent **names;
    int count, next;
} open_folder;

struct photo_walk {
    char **operands;
    int operand_count, operand_next;
    name_list list;
    bool list_borrowed;
    dev_t left_out_device; /* of the folder that is not entered */
    ino_t left_out;        /* 0: none */
    open_folder *inside;   /* innermost folder being walked */
    size_t root_length;  /* of the path of the outermost one */
    size_t looked_at, found;
    size_t misnamed; /* files in folders that are called like photos and are none */
    name_set *known; /* photos to pass over; what is handed out becomes known */
    size_t number;   /* of the photo handed out or passed over last, from 1 */
    char *path;      /* of the photo handed out last */
    bool several;
};

/* ---- Folders ---- */

/* Runs of digits compare as numbers: img2 comes before img10. Equal ones fall back to bytes, so that order is total. */
static int natural_order(const char *a, const char *b)
{
    const char *whole_a = a, *whole_b = b;
    static const char digits[] = "0123456789";
    while (*a && *b) {
        size_t length_a = strspn(a, digits), length_b = strspn(b, digits);
        if (!length_a || !length_b) {
            if (*a != *b) return (unsigned char)*a - (unsigned char)*b;
            a++, b++;
            continue;
        }
        size_t zeros_a = strspn(a, "0"), zeros_b = strspn(b, "0");
        size_t figures_a = length_a - zeros_a, figures_b = length_b - zeros_b;
        if (figures_a != figures_b) return figures_a < figures_b ? -1 : 1;
        int order = memcmp(a + zeros_a, b + zeros_b, figures_a);
        if (order) return order;
        a += length_a, b += length_b;
    }
    if (*a || *b) return *a ? 1 : -1;
    return strcmp(whole_a, whole_b);
}

static int entry_order(const struct dirent **a, const struct dirent **b)
{
    return natural_order((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void leave_folder(photo_walk *walk)
{
    open_folder *left = walk->inside;
    walk->inside = left->parent;
    for (int i = 0; i < left->count; i++) free(left->names[i]);
    free(left->names);
    free(left->path);
    free(left);
}

static bool enter_folder(photo_walk *walk, const char *path, inception_error *error)
{
    open_folder *entered = calloc(1, sizeof *entered);
    char *copy = strdup(path);
    int count = entered && copy ? scandir(path, &entered->names, not_hidden, entry_order) : -1;
    if (count < 0) {
        if (!entered || !copy || errno == ENOMEM) fail(error, INCEPTION_MEMORY, "out of memory");
        else fail(error, INCEPTION_IO, "%s: cannot read the folder: %s", path, strerror(errno));
        free(copy);
        free(entered);
        return false;
    }
    entered->parent = walk->inside;
    entered->path = copy;
    entered->count = count;
    walk->inside = entered;
    return true;
}

/* A file that cannot be opened counts as a photo: decoding it will say why. */
static bool looks_like_photo(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return true;
    uint8_t first[SNIFF_BYTES];
    ssize_t got = read(fd, first, sizeof first);
    close(fd);
    return got < 0 || inception_image_recognised(first, (size_t)got);
}

bool named_like_photo(const char *path)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp"};
    for (size_t i = 0; i < COUNT(endings); i++)
        if (ends_in(path, endings[i])) return true;
    return false;
}

static bool set_path(photo_walk *walk, const char *folder, const char *name)
{
    free(walk->path);
    size_t length = folder ? strlen(folder) : 0;
    const char *slash = folder && length && folder[length - 1] != '/' ? "/" : "";
    if (asprintf(&walk->path, "%s%s%s", folder ? folder : "", slash, name) < 0) walk->path = NULL;
    return walk->path != NULL;
}

/* It may be a photo, and cannot be looked at. */
static bool fail_step(photo_walk *walk, inception_error *error)
{
    fail(error, INCEPTION_IO, "%s: %s", walk->path, strerror(errno));
    walk->found++;
    return true;
}

/* One step inside the innermost folder. True: walk->path is a photo, or an error is set. */
static bool step_inside(photo_walk *walk, inception_error *error)
{
    open_folder *here = walk->inside;
    if (here->next == here->count) {
        bool empty = !here->parent && !walk->found;
        if (empty) {
            set_path(walk, NULL, here->path);
            fail(error, INCEPTION_NOT_FOUND, "%s: no photo in this folder (%zu other files in it)", here->path,
                 walk->looked_at);
        }
        leave_folder(walk);
        return empty;
    }
    if (!set_path(walk, here->path, here->names[here->next++]->d_name)) {
        fail(error, INCEPTION_MEMORY, "out of memory");
        return true;
    }
    struct stat own, target;
    if (lstat(walk->path, &own) != 0) return errno != ENOENT && fail_step(walk, error);
    bool left_out = own.st_ino == walk->left_out && own.st_dev == walk->left_out_device;
    if (S_ISDIR(own.st_mode)) return !left_out && !enter_folder(walk, walk->path, error);
    if (stat(walk->path, &target) != 0) return errno == EACCES && fail_step(walk, error); /* or a link to nowhere */
    if (!S_ISREG(target.st_mode)) return false;
    walk->looked_at++;
    if (!looks_like_photo(walk->path)) {
        walk->misnamed += named_like_photo(walk->path);
        return false;
    }
    walk->found++;
    return true;
}

/* ---- The walk ---- */

photo_walk *photos_open(photo_settings *settings, char **operands, int count, inception_error *error)
{
    photo_walk *walk = calloc(1, sizeof *walk);
    if (!walk) return fail(error, INCEPTION_MEMORY, "out of memory"), NULL;
    inception_image_options defaults;
    inception_image_options_default(&defaults);
    if (!settings->decode.max_pixels) settings->decode.max_pixels = defaults.max_pixels;
    if (!settings->decode.max_bytes) settings->decode.max_bytes = defaults.max_bytes;
    walk->operands = operands;
    walk->operand_count = count;
    int standard = settings->files_from && strcmp(settings->files_from, "-") == 0;
    for (int i = 0; i < count; i++) {
        struct stat info;
        standard += strcmp(operands[i], "-") == 0;
        if (!*operands[i]) fail(error, INCEPTION_INVALID, "an empty word names no photo");
        walk->several |= stat(operands[i], &info) == 0 && S_ISDIR(info.st_mode);
    }
    walk->several |= count > 1 || settings->files_from;
    if (standard > 1) fail(error, INCEPTION_INVALID, "standard input (-) can be read only once");
    else if (!count && !settings->files_from)
        fail(error, INCEPTION_INVALID, "name a photo, a folder, a URL, or - for standard input");
    else if (settings->files_from) names_read(&walk->list, settings->files_from, error);
    if (error->status) photos_close(&walk);
    return walk;
}

void photos_close(photo_walk **walk)
{
    if (!*walk) return;
    while ((*walk)->inside) leave_folder(*walk);
    if (!(*walk)->list_borrowed) names_free(&(*walk)->list);
    free((*walk)->path);
    free(*walk);
    *walk = NULL;
}

photo_walk *photos_again(const photo_walk *walk)
{
    photo_walk *again = calloc(1, sizeof *again);
    if (!again) return NULL;
    again->operands = walk->operands;
    again->operand_count = walk->operand_count;
    const name_list *list = &walk->list; /* decoding threads may be further on in it already */
    again->list = (name_list){.bytes = list->bytes, .size = list->size, .first = list->first, .next = list->first};
    again->list_borrowed = true;
    again->left_out_device = walk->left_out_device;
    again->left_out = walk->left_out;
    return again;
}

void photos_pass_over(photo_walk *walk, name_set *known)
{
    walk->known = known;
}

void photos_leave_out(photo_walk *walk, const char *folder)
{
    struct stat info;
    if (stat(folder, &info) != 0) return;
    walk->left_out_device = info.st_dev;
    walk->left_out = info.st_ino;
}

void photos_note(const photo_walk *walk, bool quiet)
{
    if (walk->misnamed && !quiet)
        complain("%zu file%s called like a photo and no photo: passed over", walk->misnamed,
                 walk->misnamed == 1 ? " is" : "s are");
}

bool photos_several(const photo_walk *walk)
{
    return walk->several;
}

bool path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

cli_photo photo_named(const char *path)
{
    bool standard_input = strcmp(path, "-") == 0;
    return (cli_photo){path, standard_input ? "stdin" : last_part(path), standard_input, 0};
}

/* The next word of the command line, then of the list. */
static const char *next_input(photo_walk *walk, bool *from_list)
{
    *from_list = walk->operand_next == walk->operand_count;
    return *from_list ? names_next(&walk->list) : walk->operands[walk->operand_next++];
}

/* The last part of the path within a URL names the photo. */
static bool name_web_photo(photo_walk *walk, cli_photo *photo, const char *url, inception_error *error)
{
    size_t length;
    const char *last = url_name(url, &length);
    free(walk->path);
    walk->path = strndup(last, length);
    if (!walk->path) fail(error, INCEPTION_MEMORY, "out of memory");
    photo->path = url;
    photo->name = walk->path && *walk->path ? walk->path : "photo";
    return true;
}

static bool next_photo(photo_walk *walk, cli_photo *photo, inception_error *error)
{
    *photo = (cli_photo){0};
    while (!interrupted()) {
        if (walk->inside) {
            if (!step_inside(walk, error)) continue;
            photo->path = walk->path ? walk->path : "";
            photo->name = error->status ? photo->path : photo->path + walk->root_length;
            photo->name += strspn(photo->name, "/");
            return true;
        }
        bool from_list;
        struct stat info;
        const char *input = next_input(walk, &from_list);
        if (!input) return false;
        photo->standard_input = !from_list && strcmp(input, "-") == 0;
        bool is_folder = !photo->standard_input && stat(input, &info) == 0 && S_ISDIR(info.st_mode);
        walk->looked_at = walk->found = 0;
        walk->root_length = strlen(input);
        if (is_folder && enter_folder(walk, input, error)) continue;
        if (is_web_address(input)) return name_web_photo(walk, photo, input, error);
        photo->path = input;
        photo->name = photo->standard_input ? "stdin" : last_part(input);
        return true;
    }
    return false;
}

bool photos_next(photo_walk *walk, cli_photo *photo, inception_error *error)
{
    while (next_photo(walk, photo, error)) {
        photo->number = ++walk->number;
        if (!walk->known || photo->standard_input || names_add(walk->known, photo->path, error)) return true;
        *error = (inception_error){0};
    }
    return false;
}

void photos_decode_for(photo_settings *settings, const inception_input *input)
{
    inception_input *largest = &settings->fast_for;
    if (!settings->fast) return;
    if (!settings->decode.fast_for) *largest = *input;
    if (largest->width < input->width) largest->width = input->width;
    if (largest->height < input->height) largest->height = input->height;
    settings->decode.fast_for = largest;
}

inception_image *photo_decode(const cli_photo *photo, const photo_settings *settings, inception_error *error)
{
    const inception_image_options *options = &settings->decode;
    bool web = !photo->standard_input && is_web_address(photo->path);
    if (!photo->standard_input && !web) {
        if (strstr(photo->path, "://") && !path_exists(photo->path))
            return fail(error, INCEPTION_NOT_FOUND, "%s: only http:// and https:// are fetched", photo->path), NULL;
        return inception_image_read(photo->path, options, error);
    }
    char *data = NULL, shown[URL_SHOWN];
    const char *name = web ? url_shown(photo->path, shown) : "standard input";
    size_t size, limit = options->max_bytes < SIZE_MAX ? (size_t)options->max_bytes : SIZE_MAX;
    inception_image *image = NULL;
    const cli_extras *with = web ? extras(error) : NULL;
    if (web ? with && with->download_memory(photo->path, limit, &settings->net, &data, &size, error)
            : read_all(STDIN_FILENO, name, limit, &data, &size, error))
        image = inception_image_decode(data, size, name, options, error);
    free(data);
    return image;
}
