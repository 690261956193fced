/* Checksums of files. */
#include "cli.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define STEP 65536 /* bytes read at a time */

_Static_assert(DIGEST_TEXT > 2 * EVP_MAX_MD_SIZE, "the text of the longest digest fits");

static void print_digest(const unsigned char *digest, unsigned int length, char text[DIGEST_TEXT])
{
    for (unsigned int i = 0; i < length; i++) sprintf(text + 2 * i, "%02x", digest[i]);
}

bool digest_file(int fd, const char *name, uint64_t start, const char *kind, char text[DIGEST_TEXT],
                 inception_error *error)
{
    unsigned char piece[STEP], digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    ssize_t got = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *type = EVP_get_digestbyname(kind);
    bool fine = context && type && EVP_DigestInit_ex(context, type, NULL);
    while (fine && (got = pread(fd, piece, sizeof piece, (off_t)start)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) break;
        start += (uint64_t)got;
        fine = EVP_DigestUpdate(context, piece, (size_t)got);
    }
    if (got < 0) fail(error, INCEPTION_IO, "%s: cannot read: %s", name, strerror(errno));
    else if (!fine || !EVP_DigestFinal_ex(context, digest, &length))
        fail(error, INCEPTION_INTERNAL, "%s: this system's OpenSSL computes no %s", name, kind);
    EVP_MD_CTX_free(context);
    print_digest(digest, length, text);
    return length > 0;
}

bool digest_bytes(const void *data, size_t size, const char *kind, char text[DIGEST_TEXT], inception_error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    const EVP_MD *type = EVP_get_digestbyname(kind);
    if (!type || !EVP_Digest(data, size, digest, &length, type, NULL)) {
        fail(error, INCEPTION_INTERNAL, "this system's OpenSSL computes no %s", kind);
        return false;
    }
    print_digest(digest, length, text);
    return true;
}
