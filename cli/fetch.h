/* Downloads, the cache and what is published; cli.h includes it. */
#ifndef INCEPTION_CLI_FETCH_H
#define INCEPTION_CLI_FETCH_H

/* ---- download.c: from a URL ---- */

typedef struct net_settings {
    const char *mirror;
    bool offline;
    int timeout, tries; /* 0: not set */
    bool quiet;         /* as the common settings say */
} net_settings;

extern const option_row net_rows[]; /* fetch.c */

/* What is to come, and who takes it: `restart` forgets what is held (validator is set), `take` appends. */
typedef struct cli_download {
    const char *url, *name;       /* name: see cli_progress */
    uint64_t bytes, limit;        /* the size that it must have (0: any), and may have */
    bool web_only;                /* no file:// */
    uint64_t held;                /* bytes that are there, to go on from */
    char validator[256];          /* what If-Range is to hold; "": they cannot be continued */
    bool resumed;                 /* some of the bytes are of an earlier answer */
    bool (*restart)(struct cli_download *download, inception_error *error);
    bool (*take)(struct cli_download *download, const void *data, size_t size, inception_error *error);
    void *owner;
} cli_download;

bool download_run(cli_download *download, const net_settings *settings, inception_error *error);

/* The whole of a small file; free() *data, after a failure too. */
bool download_memory(const char *url, uint64_t limit, const net_settings *settings, char **data, size_t *size,
                     inception_error *error);

/* False and an error if the URL would use the network, and --offline forbids it. */
bool net_allows(const char *url, const net_settings *settings, inception_error *error);

/* ---- releases.c: what is published ---- */

typedef struct cli_release {
    const char *network;          /* its name */
    const char *base, *archive;   /* the URL is base/archive */
    const char *member;           /* the weights in it; the archive's own name: it is no archive */
    uint64_t bytes, member_bytes; /* 0: not known */
    const char *sha256, *md5;     /* hexadecimal digits; one is known, the other may be NULL */
    const char *licence;
} cli_release;

extern const cli_release releases[];
extern const size_t release_count;

/* ---- digest.c ---- */

#define DIGEST_TEXT 160

/* The digest, `kind` as OpenSSL calls it, of what is in `fd` from byte `start` on, in hexadecimal digits. */
bool digest_file(int fd, const char *name, uint64_t start, const char *kind, char text[DIGEST_TEXT],
                 inception_error *error);

/* The same of bytes in memory. */
bool digest_bytes(const void *data, size_t size, const char *kind, char text[DIGEST_TEXT], inception_error *error);

/* ---- unpack.c ---- */

typedef struct cli_package {
    const char *name, *target; /* in messages: what is read, what is written */
    bool archive;
    const char *member;           /* NULL: the one file that looks like weights */
    uint64_t start;               /* byte of the file at which it begins */
    uint64_t bytes, member_bytes; /* 0: not known */
} cli_package;

/* Copies the weights in `from` to `to`. */
bool unpack_weights(int from, const cli_package *package, int to, inception_error *error);

/* ---- cache.c ---- */

#define FOLDER_SIZE 4096

bool path_exists(const char *path);

/* $XDG_CACHE_HOME/inception or ~/.cache/inception; false if there is neither. */
bool cache_folder(char *path, size_t size);
bool cache_make(char path[FOLDER_SIZE], inception_error *error);

/* Where the cache holds the network's weights. */
bool cache_find(const inception_network *network, char *path, size_t size);

/* The folder of packs, which the library writes, made if it can be; old ones go. NULL: there is no cache folder. */
const char *cache_packs(void);

/* Removes weights that cache_find found. */
bool cache_remove_packs(const inception_network *network); /* true if there were any */
bool cache_remove(const char *path, inception_error *error);

const cli_release *release_of(const inception_network *network); /* NULL if none is published */
const char *release_digest(const cli_release *release, const char **kind);

/* ---- partial.c: a download under way, and its lock ---- */

#define PARTIAL_HEAD 512 /* bytes before what was downloaded */

typedef struct cli_partial {
    int fd;
    char path[FOLDER_SIZE + 160];
    char fresh[FOLDER_SIZE + 160]; /* what it is unpacked to */
    cli_download download;         /* held, validator and sink are set */
} cli_partial;

/* Waits for the lock. partial_close removes the file, unless it is to be kept and can be continued. */
bool partial_open(cli_partial *partial, const char *folder, const char *digest, bool quiet, inception_error *error);
void partial_close(cli_partial *partial, bool keep);

/* Removes what killed processes left; leaves alone what is under way. */
void partial_remove(const char *folder, const char *digest);

/* ---- install.c ---- */

/* Weights that are to be in the cache: from where, how they are known to be right, under which name. */
typedef struct cli_order {
    const char *url, *file; /* one of them */
    const char *name;       /* in messages */
    cli_package package;    /* name, target and start are not used */
    const char *kind, *digest;
    const char *target; /* file name in the cache folder */
} cli_order;

/* *path: where they are; *news: they were not there before. */
bool install_weights(const cli_order *order, const net_settings *net, char *path, size_t size, bool *news,
                     inception_error *error);

/* ---- fetch.c ---- */

/* As install_weights; says what it does unless net->quiet. */
bool fetch_release(const cli_release *release, const net_settings *net, char *path, size_t size, bool *news,
                   inception_error *error);

#endif
