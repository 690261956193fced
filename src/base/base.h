/* What every folder needs: errors, checked memory, mapped files, bounded readers. Knows nothing of networks.
 *
 * Conventions of all internal code: names that cross files start with inc_; a function that can fail returns
 * inception_status (or an object, or NULL) and takes the caller's error last; who detects a failure writes the message,
 * who passes it on only returns. */
#ifndef INC_BASE_H
#define INC_BASE_H

#include <inception_train.h>

#include <stdarg.h>

#define INC_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A text that a file carries beside its tensors. */
typedef inception_text inc_metadata;

/* ---- error.c ---- */

/* Sets the error if none is set yet and returns `status`. */
inception_status inc_fail(inception_error *error, inception_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a place in a file: "name: byte 4711: ...". */
inception_status inc_fail_at(inception_error *error, inception_status status, const char *name, uint64_t position,
                             const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Hands a failure on, from an error of our own where the caller's may be NULL or set; returns its status. */
inception_status inc_pass(inception_error *error, const inception_error *from);

/* "out of memory (N bytes)"; N 0: size unknown. */
inception_status inc_fail_memory(inception_error *error, uint64_t bytes);

/* "path: cannot open/read/...: what errno says". */
inception_status inc_fail_errno(inception_error *error, const char *path, const char *doing);

/* ---- memory.c ---- */

#define INC_ALIGNMENT 64 /* bytes: a cache line, and the widest vector */

bool inc_mul(size_t a, size_t b, size_t *out); /* false: would overflow */
bool inc_add(size_t a, size_t b, size_t *out);

/* Zeroed memory for count elements of `size` bytes, released with free(); NULL and an error if that fails. */
void *inc_calloc(size_t count, size_t size, inception_error *error);

/* Grows *array (elements of `size` bytes, *capacity of them) until it holds `needed`. */
inception_status inc_grow(void *array, size_t *capacity, size_t needed, size_t size, inception_error *error);

/* Memory aligned to INC_ALIGNMENT, not zeroed, released with free(). */
void *inc_alloc_aligned(size_t bytes, inception_error *error);

/* Asks the system for large pages where the memory has room for one: touching a large block for the first time otherwise
 * costs an interruption for every 4096 bytes. */
void inc_prefer_large_pages(void *memory, size_t bytes);

/* A pool that lives and dies as one: many small things, one release. Zeroed struct = empty pool. */
typedef struct inc_arena {
    struct inc_arena_block *blocks;
} inc_arena;

void *inc_arena_alloc(inc_arena *arena, size_t count, size_t size, inception_error *error); /* zeroed, 64-aligned */
char *inc_arena_string(inc_arena *arena, const char *text, size_t length, inception_error *error);
void inc_arena_free(inc_arena *arena);

/* ---- hash.c ---- */

uint64_t inc_hash(const void *data, size_t size); /* against damage, not against malice */

/* FNV-1a of the numbers, eight bytes each, least significant first, and the name; finished as MurmurHash3 finishes. */
uint64_t inc_name_hash(const uint64_t *numbers, size_t count, const char *name);

/* ---- random.c ---- */

uint64_t inc_random(uint64_t *state); /* any state is a good one to begin with */
double inc_random_uniform(uint64_t *state); /* in [0, 1) */

/* ---- pool.c ---- */

typedef struct inc_pool inc_pool;
typedef void inc_work(void *context, int thread);

/* `threads` that work together, 1...; the one that calls is one of them. */
inc_pool *inc_pool_new(int threads, inception_error *error);
void inc_pool_free(inc_pool *pool);

/* Calls work(context, thread) on every thread, 0 ... threads - 1, number 0 being the caller, and returns when all have
 * returned. One piece of work at a time. */
void inc_pool_run(inc_pool *pool, inc_work *work, void *context);

/* Within a piece of work: waits until every thread is here. */
void inc_pool_meet(inc_pool *pool);

/* ---- number.c ---- */

uint64_t inc_count_not_finite(const float *values, uint64_t count); /* NaN and infinities */
void inc_print_number(char *text, size_t size, double number); /* at least nine digits, and no more than bring it back */
double inc_parse_number(const char *text); /* what it begins with; 0 where that is no number */
bool inc_same_word(const char *a, const char *b); /* but for the case of ASCII's letters */
bool inc_read_number(const char *text, double *number); /* false: it is more than a number, or none */

/* bfloat16, the upper half of a float32: the nearest one to a number (NaN is none), ties to even; and back. */
uint16_t inc_to_bf16(float value);
float inc_from_bf16(uint16_t half);

/* ---- file.c ---- */

/* A file mapped read-only. Empty files map to size 0. */
typedef struct inc_map {
    const uint8_t *data;
    size_t size;
    uint64_t device, inode;
} inc_map;

inception_status inc_map_open(const char *path, inc_map *map, inception_error *error);
void inc_map_close(inc_map *map); /* accepts a zeroed struct */

/* Reads a file of at most `limit` bytes (a pipe too); *data is released with free(). */
inception_status inc_file_read(const char *path, uint64_t limit, uint8_t **data, size_t *size, inception_error *error);

/* A file that appears whole under its name at commit, or not at all. */
typedef struct inc_output {
    int fd;
    char *path, *temporary;
} inc_output;

inception_status inc_output_open(inc_output *output, const char *path, inception_error *error);
inception_status inc_output_write(inc_output *output, const void *data, size_t size, inception_error *error);
inception_status inc_output_commit(inc_output *output, bool sync, inception_error *error); /* sync: to the disk first */
void inc_output_discard(inc_output *output); /* removes what was written; after commit, or zeroed: nothing */

/* ---- buffer.c ---- */

/* Bytes that grow. */
typedef struct inc_buffer {
    uint8_t *data; /* free() it */
    size_t size, capacity;
} inc_buffer;

inception_status inc_buffer_add(inc_buffer *buffer, const void *data, size_t size, inception_error *error);
inception_status inc_buffer_add_varint(inc_buffer *buffer, uint64_t value, inception_error *error);

/* ---- message.c ---- */

/* A protocol buffer message in the making; wire.c reads them. The first failure stays and what is put after it is ignored,
 * so callers look once, at the end. Zeroed but for the error: empty. */
typedef struct inc_message {
    inc_buffer bytes;
    inception_status status;
    inception_error *error;
} inc_message;

void inc_put_number(inc_message *message, uint32_t field, int64_t value); /* a varint; 0 too */
void inc_put_u32(inc_message *message, uint32_t field, uint32_t value);   /* four bytes */
void inc_put_float(inc_message *message, uint32_t field, float value);
void inc_put_double(inc_message *message, uint32_t field, double value);
void inc_put_bytes(inc_message *message, uint32_t field, const void *data, size_t size);
void inc_put_text(inc_message *message, uint32_t field, const char *text);

/* Only the tag and length of `size` bytes that the caller sees to. */
void inc_put_head(inc_message *message, uint32_t field, uint64_t size);

void inc_put_message(inc_message *message, uint32_t field, inc_message *inner); /* ends `inner` and frees it */
void inc_put_fields(inc_message *message, inc_message *more);                   /* the same without tag and length */
void inc_message_free(inc_message *message);

/* ---- wire.c ---- */

/* A bounded view of bytes that came from outside. Reads move `at`; none moves past `end`. */
typedef struct inc_reader {
    const char *name;     /* of the file, for messages */
    const uint8_t *start; /* of the file: positions count from here */
    const uint8_t *at, *end;
} inc_reader;

inc_reader inc_reader_of(const char *name, const void *data, size_t size);
size_t inc_left(const inc_reader *reader);
uint64_t inc_position(const inc_reader *reader);
bool inc_read_skip(inc_reader *reader, uint64_t size, const uint8_t **data); /* *data: the bytes passed over */
bool inc_read_sub(inc_reader *reader, uint64_t size, inc_reader *sub);
bool inc_read_u32(inc_reader *reader, uint32_t *value); /* little-endian */
bool inc_read_u64(inc_reader *reader, uint64_t *value);
bool inc_read_varint(inc_reader *reader, uint64_t *value);

/* One field of a protocol buffer message. */
typedef struct inc_field {
    uint32_t number;
    uint32_t wire;    /* 0 varint, 1 64-bit, 2 bytes, 5 32-bit */
    uint64_t value;   /* of wire types 0, 1, 5 */
    inc_reader bytes; /* of wire type 2 */
} inc_field;

/* 1: a field was read; 0: end of message; -1: malformed (groups are). */
int inc_read_field(inc_reader *reader, inc_field *field);

/* Bytes of the UTF-8 character at `at`, before `end`; 0 if it is none, or a control character. */
size_t inc_utf8_size(const uint8_t *at, const uint8_t *end);

/* CRC-32C (Castagnoli) of the bytes, continuing from `crc` (0 to begin), and the mask TensorFlow stores it under. */
uint32_t inc_crc32c(uint32_t crc, const void *data, size_t size);
uint32_t inc_crc32c_mask(uint32_t crc);

#endif
