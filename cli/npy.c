/* NumPy's array file, version 1.0: magic, header length, a Python dictionary padded to 64 bytes, the values. */
#include "cli.h"

#include <string.h>

#define HEADER_SIZE 128

void npy_header(FILE *file, const char *shape)
{
    static const char magic[] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, HEADER_SIZE - 10, 0};
    char header[HEADER_SIZE], text[HEADER_SIZE];
    int length = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
    memset(header, ' ', sizeof header);
    memcpy(header, magic, sizeof magic);
    memcpy(header + sizeof magic, text, (size_t)length);
    header[sizeof header - 1] = '\n';
    fwrite(header, 1, sizeof header, file);
}

bool npy_write(const char *path, const float *data, int height, int width, inception_error *error)
{
    atomic_file file;
    char shape[48];
    snprintf(shape, sizeof shape, "1, %d, %d, 3", height, width);
    if (!atomic_open(&file, path, error)) return false;
    npy_header(file.stream, shape);
    fwrite(data, sizeof *data, (size_t)height * (size_t)width * 3, file.stream);
    bool written = atomic_commit(&file, error);
    atomic_discard(&file);
    return written;
}
