/* classify --sort-into: a copy of each photo, or a link to it, in a folder for its most probable class.
 *
 * What is about to be made is written into DIR/undo.sh first, a line each, so that whatever was made is in the list even
 * after a kill -9; the list is a shell script, which takes back what it lists and touches nothing that has changed since.
 * A name that is taken gets a number behind it. If the file that has the name is this very photo, nothing is to be done,
 * so that a run which is done again makes no second copies. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/fs.h>
#endif

#define LONGEST_FOLDER 100 /* bytes of its name */
#define STEP 65536         /* bytes compared or copied at a time */

enum { BY_COPY, BY_HARD_LINK, BY_SYMBOLIC_LINK, BY_REFLINK };
static const char *const ways[] = {"copy", "hardlink", "symlink", "reflink", NULL};

const option_row sort_rows[] = {
    {"sort-into", 0, "DIR", OPTION_STRING, offsetof(sort_settings, folder),
     "put a copy of each photo into a folder in DIR, named after its most probable class; 'unknown' if it is of none, or "
     "--threshold leaves none. Nothing is overwritten; 'sh DIR/undo.sh' takes it back",
     0, 0, NULL},
    {"sort-by", 0, "WAY", OPTION_CHOICE, offsetof(sort_settings, way),
     "copy (default), hardlink, symlink, or reflink (a copy that shares the bytes, where the file system can)", 0, 0,
     ways},
    {.name = NULL},
};

static const char list_name[] = "undo.sh", scratch_name[] = ".inception.partial";
static const char list_opening[] =
    "#!/bin/sh\n"
    "# What 'inception classify --sort-into' made here. 'sh undo.sh' removes it again, except what differs by now from\n"
    "# the photo that it was made from, and what is the last that is left of it.\n"
    "CDPATH= cd -- \"$(dirname -- \"$0\")\" || exit 1\n"
    "n='\n"
    "'\n"
    "ours() { # photo, what was made of it\n"
    "    if [ -L \"$2\" ]; then [ \"$(readlink -- \"$2\")\" = \"$1\" ]; return; fi\n"
    "    [ ! -L \"$1\" ] && cmp -s -- \"$1\" \"$2\" || return 1\n"
    "    [ ! \"$1\" -ef \"$2\" ] || [ \"$(ls -ld -- \"$2\" | awk '{ print $2; exit }')\" -gt 1 ]\n"
    "}\n"
    "undo() {\n"
    "    if ours \"$1\" \"$2\"; then\n"
    "        rm -f -- \"$2\" && rmdir -- \"${2%/*}\" 2>/dev/null\n"
    "    elif [ -e \"$2\" ] || [ -L \"$2\" ]; then\n"
    "        printf 'kept: %s\\n' \"$2\" | LC_ALL=C tr '\\001-\\011\\013-\\037\\177' '?' >&2\n"
    "    fi\n"
    "}\n";

struct photo_sorter {
    const char *folder;
    int way;
    FILE *list;
    char *scratch; /* path that a copy is written to first */
};

/* ---- The list ---- */

/* The list must be ours; the last line is cut off if a killed run left it unfinished. */
static bool mend_list(FILE *list, const char *path, inception_error *error)
{
    char opening[sizeof list_opening];
    size_t length = strlen(list_opening), got = fread(opening, 1, length, list);
    off_t whole = got < length ? 0 : (off_t)length, at = (off_t)got;
    if (memcmp(opening, list_opening, got) != 0)
        return fail(error, INCEPTION_DATA, "%s: not a list of --sort-into; it is left as it is", path), false;
    for (int c; (c = getc_unlocked(list)) != EOF;) {
        at++;
        if (c == '\n') whole = at;
    }
    if (ferror(list) || fseeko(list, whole, SEEK_SET) != 0 || ftruncate(fileno(list), whole) != 0)
        return fail(error, INCEPTION_IO, "%s: cannot be gone on with: %s", path, strerror(errno)), false;
    if (whole == 0) fputs(list_opening, list);
    return true;
}

static void write_quoted(FILE *list, const char *text)
{
    fputs(" '", list);
    for (; *text; text++) {
        if (*text == '\'') fputs("'\\''", list);
        else if (*text == '\n') fputs("'\"$n\"'", list); /* a line for each */
        else fputc(*text, list);
    }
    fputc('\'', list);
}

static bool list_photo(photo_sorter *sorter, const char *photo, const char *made, inception_error *error)
{
    fputs("undo", sorter->list);
    write_quoted(sorter->list, photo);
    write_quoted(sorter->list, made + strlen(sorter->folder) + 1);
    fputc('\n', sorter->list);
    if (fflush(sorter->list) == 0 && !ferror(sorter->list)) return true;
    fail(error, INCEPTION_IO, "%s/%s: cannot write: %s", sorter->folder, list_name, strerror(errno));
    return false;
}

/* ---- The folder ---- */

photo_sorter *sort_open(const sort_settings *settings, inception_error *error)
{
    photo_sorter *sorter = calloc(1, sizeof *sorter);
    char *path = NULL;
    int fd = -1;
    if (!sorter || asprintf(&path, "%s/%s", settings->folder, list_name) < 0 ||
        asprintf(&sorter->scratch, "%s/%s", settings->folder, scratch_name) < 0) {
        fail(error, INCEPTION_MEMORY, "out of memory");
    } else if (mkdir(settings->folder, 0777) != 0 && errno != EEXIST) {
        fail(error, INCEPTION_IO, "%s: cannot make the folder: %s", settings->folder, strerror(errno));
    } else if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666)) < 0) {
        fail(error, INCEPTION_IO, "%s: cannot open: %s", path, strerror(errno));
    } else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool busy = errno == EWOULDBLOCK;
        fail(error, INCEPTION_IO, "%s: %s", settings->folder, busy ? "another run sorts into it" : strerror(errno));
    } else if (!(sorter->list = fdopen(fd, "r+"))) {
        fail(error, INCEPTION_MEMORY, "out of memory");
    } else {
        sorter->folder = settings->folder;
        sorter->way = settings->way;
        mend_list(sorter->list, path, error);
    }
    if (fd >= 0 && !sorter->list) close(fd);
    free(path);
    if (error->status) sort_close(&sorter);
    return sorter;
}

void sort_close(photo_sorter **sorter)
{
    if (!*sorter) return;
    if ((*sorter)->list) fclose((*sorter)->list);
    free((*sorter)->scratch);
    free(*sorter);
    *sorter = NULL;
}

/* Name of the folder for a class: WordNet id and first synonym, made of nothing that means something in a path. */
static void name_folder(const inception_prediction *best, char *name, size_t size)
{
    snprintf(name, size, "%s", "unknown");
    if (!best) return;
    int first = short_name(best);
    snprintf(name, size, "%s%s%.*s", best->wnid, *best->wnid ? " " : "", first, best->label);
    size_t at = 0;
    while (name[at]) {
        uint32_t code;
        size_t length = utf8_next(name + at, &code);
        bool plain = code >= ' ' && code != 127 && code != '/' && code != 0xFFFD && (at > 0 || code != '.');
        if (at + length > LONGEST_FOLDER) break;
        if (!plain) memset(name + at, '_', length);
        at += length;
    }
    name[at] = '\0';
    const bool reserved = strcmp(name, "unknown") == 0 || strcmp(name, list_name) == 0;
    if (!at || reserved) snprintf(name, size, "class %d", best->index);
}

/* ---- One photo ---- */

static bool same_bytes(int a, int b)
{
    char left[STEP], right[STEP];
    for (;;) {
        ssize_t got = read(a, left, sizeof left);
        if (got < 0 || read(b, right, sizeof right) != got || memcmp(left, right, (size_t)got) != 0) return false;
        if (got == 0) return true;
    }
}

/* True if `made` is what sorting the photo makes. */
static bool is_made(const char *photo, const char *made)
{
    struct stat first, second;
    if (lstat(made, &second) != 0) return false;
    if (S_ISLNK(second.st_mode)) {
        char target[4096];
        ssize_t length = readlink(made, target, sizeof target);
        return length == (ssize_t)strlen(photo) && memcmp(target, photo, (size_t)length) == 0;
    }
    if (stat(photo, &first) != 0 || !S_ISREG(second.st_mode) || first.st_size != second.st_size) return false;
    if (first.st_dev == second.st_dev && first.st_ino == second.st_ino) return true;
    int a = open(photo, O_RDONLY | O_CLOEXEC), b = open(made, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool same = a >= 0 && b >= 0 && same_bytes(a, b);
    if (a >= 0) close(a);
    if (b >= 0) close(b);
    return same;
}

/* Moves the whole copy to its name, which must be free. */
static bool publish(const char *scratch, const char *made)
{
#ifdef RENAME_NOREPLACE /* file systems without hard links have this */
    if (renameat2(AT_FDCWD, scratch, AT_FDCWD, made, RENAME_NOREPLACE) == 0) return true;
    if (errno != EINVAL && errno != ENOSYS) return false;
#endif
    return link(scratch, made) == 0 && unlink(scratch) == 0;
}

static bool share_bytes(int from, int to)
{
#ifdef FICLONE
    return ioctl(to, FICLONE, from) == 0;
#else
    errno = ENOTSUP;
    return false;
#endif
}

static bool copy_bytes(int from, int to)
{
    char bytes[STEP];
    ssize_t got;
    while ((got = read(from, bytes, sizeof bytes)) > 0)
        for (ssize_t done = 0, wrote; done < got; done += wrote)
            if ((wrote = write(to, bytes + done, (size_t)(got - done))) < 0) return false;
    return got == 0;
}

/* A copy keeps mode and time. */
static bool copy_photo(const photo_sorter *sorter, const char *photo, const char *made)
{
    struct stat info;
    int from = open(photo, O_RDONLY | O_CLOEXEC | O_NONBLOCK), problem; /* a pipe is empty now */
    unlink(sorter->scratch);
    int to = from < 0 ? -1 : open(sorter->scratch, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool copied = to >= 0 && fstat(from, &info) == 0;
    if (copied && !S_ISREG(info.st_mode)) copied = false, errno = EINVAL;
    copied = copied && (share_bytes(from, to) || (sorter->way == BY_COPY && copy_bytes(from, to)));
    copied = copied && fchmod(to, info.st_mode & 0777) == 0 &&
             futimens(to, (const struct timespec[]){info.st_atim, info.st_mtim}) == 0;
    problem = errno;
    if (from >= 0) close(from);
    if (to >= 0 && close(to) != 0 && copied) copied = false, problem = errno;
    if (copied && !publish(sorter->scratch, made)) copied = false, problem = errno;
    if (!copied && to >= 0) unlink(sorter->scratch);
    errno = problem;
    return copied;
}

static bool make_file(const photo_sorter *sorter, const char *photo, const char *made)
{
    switch (sorter->way) {
    case BY_HARD_LINK: return link(photo, made) == 0;
    case BY_SYMBOLIC_LINK: return symlink(photo, made) == 0;
    default: return copy_photo(sorter, photo, made);
    }
}

/* The path that the photo gets; "-2" ... before the ending where names are taken. NULL when out of memory. */
static char *name_file(const photo_sorter *sorter, const char *folder, const char *photo, int number)
{
    const char *slash = strrchr(photo, '/'), *name = slash ? slash + 1 : photo, *dot = strrchr(name, '.');
    char *path = NULL, suffix[16] = "";
    int stem = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
    if (number > 1) snprintf(suffix, sizeof suffix, "-%d", number);
    if (asprintf(&path, "%s/%s/%.*s%s%s", sorter->folder, folder, stem, name, suffix, name + stem) < 0) return NULL;
    return path;
}

static bool sort_file(photo_sorter *sorter, const char *photo, const char *name, const char *folder,
                      inception_error *error)
{
    bool done = false;
    for (int number = 1; !done && !error->status; number++) {
        struct stat info;
        char *made = name_file(sorter, folder, name, number);
        if (!made) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
        if (lstat(made, &info) == 0) {
            done = is_made(photo, made);
        } else if (list_photo(sorter, photo, made, error)) {
            done = make_file(sorter, photo, made);
            const int problem = errno;
            if (!done && (problem != EEXIST || lstat(made, &info) != 0)) /* else somebody took the name just now */
                fail(error, INCEPTION_IO, "%s: %s to %s failed: %s%s", name, ways[sorter->way], made, strerror(problem),
                     problem == EXDEV ? "; --sort-by=copy can" : "");
        }
        free(made);
    }
    return done;
}

bool sort_photo(photo_sorter *sorter, const cli_photo *photo, const inception_prediction *best, inception_error *error)
{
    if (!photo->standard_input && is_web_address(photo->path))
        return fail(error, INCEPTION_INVALID, "a photo from the web is no file that could be sorted"), false;
    if (photo->standard_input)
        return fail(error, INCEPTION_INVALID, "standard input is no file that could be sorted"), false;
    char folder[512], *whole = realpath(photo->path, NULL), *path = NULL;
    name_folder(best, folder, sizeof folder);
    if (!whole) {
        fail(error, INCEPTION_IO, "%s: %s", photo->path, strerror(errno));
    } else if (asprintf(&path, "%s/%s", sorter->folder, folder) < 0) {
        path = NULL;
        fail(error, INCEPTION_MEMORY, "out of memory");
    } else if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        fail(error, INCEPTION_IO, "%s: cannot make the folder: %s", path, strerror(errno));
    } else {
        sort_file(sorter, whole, photo->path, folder, error);
        if (error->status) rmdir(path); /* unless something else is in it */
    }
    free(whole);
    free(path);
    return !error->status;
}
