/* A vector for each photo, into npy, csv or safetensors, in memory that does not grow with the photos but for the names
 * of a safetensors file: rows are written as they come, into files that get their names at the end. How many rows there
 * are stands at the beginning of npy and safetensors. An npy header has room for any number; that of safetensors holds
 * the names too, so its rows wait in a file of their own.
 *
 *     npy          float32 [photos][values]; the names, one a line, are in a second file, NAME.npy.files
 *     csv          RFC 4180: file,v0,v1,...
 *     safetensors  tensor `features`, float32 [photos][values]; the names are a JSON array in the metadatum `files` */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct vector_file {
    int format;
    size_t values, rows;
    FILE *stream;             /* where rows go */
    atomic_file main, beside; /* `beside`: names of npy; rows of safetensors */
    char *path;               /* NULL: standard output */
    json_t *names;            /* of safetensors */
};

static bool intact(const vector_file *file, inception_error *error)
{
    if (ferror(file->stream)) fail(error, INCEPTION_IO, "%s: cannot write: %s", file->path, strerror(errno));
    return !ferror(file->stream);
}

/* ---- csv ---- */

static bool csv_begin(vector_file *file, inception_error *error)
{
    if (file->path && !atomic_open(&file->main, file->path, error)) return false;
    file->stream = file->path ? file->main.stream : stdout;
    fputs("file", file->stream);
    for (size_t i = 0; i < file->values; i++) fprintf(file->stream, ",v%zu", i);
    fputs("\r\n", file->stream);
    return true;
}

static bool csv_add(vector_file *file, const char *name, const float *row, inception_error *error)
{
    (void)error;
    table_text(file->stream, FORMAT_CSV, name);
    for (size_t i = 0; i < file->values; i++) fprintf(file->stream, ",%.9g", (double)row[i]);
    fputs("\r\n", file->stream);
    return true;
}

static bool csv_end(vector_file *file, inception_error *error)
{
    return !file->path || atomic_commit(&file->main, error);
}

/* ---- npy ---- */

static void npy_shape(const vector_file *file)
{
    char shape[48];
    snprintf(shape, sizeof shape, "%zu, %zu", file->rows, file->values);
    npy_header(file->stream, shape);
}

static bool npy_begin(vector_file *file, inception_error *error)
{
    char *names;
    if (asprintf(&names, "%s.files", file->path) < 0) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    bool open = atomic_open(&file->main, file->path, error) && atomic_open(&file->beside, names, error);
    free(names);
    file->stream = file->main.stream;
    if (open) npy_shape(file);
    return open;
}

static bool npy_add(vector_file *file, const char *name, const float *row, inception_error *error)
{
    if (strchr(name, '\n')) {
        fail(error, INCEPTION_INVALID, "%s: a name with a line break cannot stand in the list of an npy file", name);
        return false;
    }
    fwrite(row, sizeof *row, file->values, file->stream);
    fprintf(file->beside.stream, "%s\n", name);
    return true;
}

static bool npy_end(vector_file *file, inception_error *error)
{
    fseek(file->stream, 0, SEEK_SET);
    npy_shape(file);
    return atomic_commit(&file->beside, error) && atomic_commit(&file->main, error);
}

/* ---- safetensors ---- */

static bool safetensors_begin(vector_file *file, inception_error *error)
{
    file->names = json_array();
    if (!file->names) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    if (!atomic_open(&file->main, file->path, error) || !atomic_open(&file->beside, file->path, error)) return false;
    file->stream = file->beside.stream;
    return true;
}

static bool safetensors_add(vector_file *file, const char *name, const float *row, inception_error *error)
{
    if (json_array_append_new(file->names, text_json(name)) != 0)
        return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    fwrite(row, sizeof *row, file->values, file->stream);
    return true;
}

/* The header's JSON, padded with blanks to a multiple of 8 bytes; NULL: out of memory. */
static char *safetensors_header(const vector_file *file)
{
    json_int_t bytes = (json_int_t)(file->rows * file->values * sizeof(float));
    char *files = json_dumps(file->names, JSON_COMPACT), *padded = NULL;
    json_t *header =
        json_pack("{s:{s:s}, s:{s:s, s:[I,I], s:[I,I]}}", "__metadata__", "files", files ? files : "", "features", "dtype",
                  "F32", "shape", (json_int_t)file->rows, (json_int_t)file->values, "data_offsets", (json_int_t)0, bytes);
    char *text = header && files ? json_dumps(header, JSON_COMPACT) : NULL;
    int size = text ? (int)((strlen(text) + 7) / 8 * 8) : 0;
    if (text && asprintf(&padded, "%-*s", size, text) < 0) padded = NULL;
    free(text);
    free(files);
    json_decref(header);
    return padded;
}

static bool safetensors_end(vector_file *file, inception_error *error)
{
    char *header = safetensors_header(file), piece[65536];
    if (!header) return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    uint64_t size = strlen(header);
    fwrite(&size, sizeof size, 1, file->main.stream);
    fputs(header, file->main.stream);
    free(header);
    fseek(file->stream, 0, SEEK_SET);
    for (size_t got; (got = fread(piece, 1, sizeof piece, file->stream)) > 0;) fwrite(piece, 1, got, file->main.stream);
    return intact(file, error) && atomic_commit(&file->main, error);
}

/* ---- all of them ---- */

static const struct {
    bool (*begin)(vector_file *file, inception_error *error);
    bool (*add)(vector_file *file, const char *name, const float *row, inception_error *error);
    bool (*end)(vector_file *file, inception_error *error);
} kinds[] = {
    [VECTORS_NPY] = {npy_begin, npy_add, npy_end},
    [VECTORS_CSV] = {csv_begin, csv_add, csv_end},
    [VECTORS_SAFETENSORS] = {safetensors_begin, safetensors_add, safetensors_end},
};

vector_file *vectors_open(const char *path, int format, size_t values, inception_error *error)
{
    vector_file *file = calloc(1, sizeof *file);
    if (file) *file = (vector_file){.format = format, .values = values, .path = path ? strdup(path) : NULL};
    if (!file || (path && !file->path)) fail(error, INCEPTION_MEMORY, "out of memory");
    else if (kinds[format].begin(file, error)) return file;
    vectors_close(&file);
    return NULL;
}

bool vectors_add(vector_file *file, const char *name, const float *row, inception_error *error)
{
    if (!kinds[file->format].add(file, name, row, error)) return false;
    file->rows++;
    return !file->path || intact(file, error);
}

bool vectors_finish(vector_file *file, inception_error *error)
{
    return !file->rows || kinds[file->format].end(file, error);
}

void vectors_close(vector_file **file)
{
    if (!*file) return;
    atomic_discard(&(*file)->main);
    atomic_discard(&(*file)->beside);
    json_decref((*file)->names);
    free((*file)->path);
    free(*file);
    *file = NULL;
}
