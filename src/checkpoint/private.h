/* Shared by the readers and writers of the formats: weights in the making, and the encodings that two formats use. */
#ifndef INC_CHECKPOINT_PRIVATE_H
#define INC_CHECKPOINT_PRIVATE_H

#include "checkpoint.h"

/* Limits on what a file may ask for. */
#define INC_MAX_TENSORS 1000000
#define INC_MAX_HEADER (16 << 20) /* of safetensors; the format allows 100 MB, which a parser turns into gigabytes */
#define INC_MAX_NAME 4096
#define INC_MAX_TEXT (64 << 20) /* bytes of all names and keys: those of a table take far less in the file */
#define INC_MAX_KEY (2 * INC_MAX_NAME + 256) /* of a table: an escaped name and its slice */
#define INC_MAX_SHARDS 99999                 /* five digits in a file's name */

/* The failure of a file at the place where `reader` stands. */
#define INC_DAMAGED(reader, error, ...) \
    inc_fail_at((error), INCEPTION_DATA, (reader)->name, inc_position(reader), __VA_ARGS__)

/* ---- draft.c: weights while they are read ---- */

typedef struct inc_draft {
    inception_weights *weights;
    size_t capacity; /* of weights->tensors */
    size_t text;     /* bytes of names and keys so far */
    inception_error *error;
} inc_draft;

inception_status inc_draft_begin(inc_draft *draft, inception_error *error);

/* The weights, or, where `status` says that reading failed, NULL and everything freed. */
inception_weights *inc_draft_end(inc_draft *draft, inception_status status);

/* Refuses a file whose names and keys become too many with these `bytes`. */
inception_status inc_draft_count_text(inc_draft *draft, const inc_reader *at, size_t bytes);

/* Lists a copy of `tensor` under the name in `name`. The shape must come from inc_shape_append(). `at`: for messages. */
inception_status inc_draft_add(inc_draft *draft, const inc_reader *at, const inc_reader *name,
                               const inception_tensor *tensor);

/* Sorts by name and refuses duplicates. Every reader calls it once all tensors are listed. */
inception_status inc_draft_sort(inc_draft *draft, const char *file);

/* Adds a dimension to tensor->dims and multiplies it into tensor->count, both of which begin as rank 0, count 1. */
inception_status inc_shape_append(inc_draft *draft, const inc_reader *at, inception_tensor *tensor, uint64_t size);

/* The next field of a message; false at its end, and, with *status set, where the bytes are none. */
bool inc_next_field(inc_reader *message, inc_field *field, inception_status *status, inception_error *error);

/* A repeated field of numbers. Elements are `wire` 0 (varint), 1 (8 bytes) or 5 (4 bytes), packed or not. */
typedef struct inc_repeated {
    uint32_t number, wire;
    inception_type type; /* what the elements become */
} inc_repeated;

inception_status inc_repeated_count(inc_draft *draft, inc_reader message, const inc_repeated *kind, uint64_t *count);

/* *data gets the tensor->count elements: a view where they lie in one run, else a copy. Any other number is refused. */
inception_status inc_repeated_read(inc_draft *draft, inc_reader message, const inc_repeated *kind,
                                   const inception_tensor *tensor, const void **data);

/* ---- tensorflow.c: what both checkpoint formats of TensorFlow use ---- */

typedef struct inc_dtype {
    uint32_t number; /* of TensorFlow's enum DataType */
    inception_type type;
    uint32_t size;       /* bytes of an element in a V2 file; 0: not fixed */
    inc_repeated values; /* where TensorProto keeps them; number 0: not read from V1 files */
} inc_dtype;

#define INC_DT_STRING 7

const inc_dtype *inc_dtype_of(uint64_t number);         /* a row of type INCEPTION_OTHER if unknown */
const inc_dtype *inc_dtype_for(inception_type type);    /* NULL for INCEPTION_OTHER */

/* A box of a tensor. Before inc_slice_resolve() a length of -1 stands for the whole dimension. */
typedef struct inc_slice {
    int rank;
    int64_t start[INCEPTION_MAX_RANK], length[INCEPTION_MAX_RANK];
} inc_slice;

inception_status inc_shape_read(inc_draft *draft, inc_reader message, inception_tensor *tensor); /* TensorShapeProto */
inception_status inc_slice_read(inc_draft *draft, inc_reader message, inc_slice *slice);         /* TensorSliceProto */

/* Checks that the box lies in the tensor; *count gets its elements. */
inception_status inc_slice_resolve(inc_draft *draft, const inc_reader *at, const inception_tensor *tensor,
                                   inc_slice *slice, uint64_t *count);

/* The key of a slice, of at most INC_MAX_KEY bytes; returns its size. The name has at most INC_MAX_NAME bytes. */
size_t inc_slice_key(const inc_reader *name, const inc_slice *slice, uint8_t key[INC_MAX_KEY]);

/* ---- assemble.c ---- */

typedef struct inc_part {
    inc_slice slice;  /* resolved */
    const void *data; /* all its elements, row-major */
} inc_part;

/* Puts a tensor together from `count` slices that must cover each element exactly once. Memory is taken only once the
 * slices are known to bring that many elements. `at`: for messages. */
inception_status inc_assemble(inc_draft *draft, const inc_reader *at, const inc_part *parts, size_t count,
                              inception_tensor *tensor);

/* ---- table.c ---- */

typedef struct inc_record {
    inc_reader key;   /* ends with the visit: its bytes are not the file's */
    inc_reader value; /* in the file */
} inc_record;

typedef inception_status inc_visit(void *context, const inc_record *record, inception_error *error);

/* True if the file ends like a table, or begins like a TensorFlow one that has lost its end. */
bool inc_table_probe(inc_reader file);

/* Checks the whole table and visits its records in order; the first failure ends it. */
inception_status inc_table_read(inc_reader file, inc_visit *visit, void *context, inception_error *error);

/* ---- table_write.c ---- */

typedef struct inc_block {
    inc_buffer bytes, restarts, key; /* key: the last one added */
    unsigned interval, since;        /* entries from restart to restart; entries since the last */
} inc_block;

/* A table that grows in memory; cut into blocks exactly as TensorFlow does. Free it whatever happens. */
typedef struct inc_table_writer {
    inc_buffer file; /* the table, once finished */
    inc_block data, index;
    uint64_t pending_offset, pending_size; /* of a block whose index entry waits for the next key */
    bool pending;
} inc_table_writer;

void inc_table_writer_init(inc_table_writer *table);
inception_status inc_table_writer_add(inc_table_writer *table, const void *key, size_t key_size, const void *value,
                                      size_t value_size, inception_error *error);
inception_status inc_table_writer_finish(inc_table_writer *table, inception_error *error);
void inc_table_writer_free(inc_table_writer *table);

/* ---- write.c: what all writers need ---- */

/* *sorted gets the addresses of the tensors in order of their names (free() it), once all may be written. */
inception_status inc_writable(const inception_tensor *tensors, size_t count, const inception_tensor ***sorted,
                              inception_error *error);

/* ---- checkpoint.c ---- */

char *inc_join(inc_arena *arena, const char *a, const char *b, inception_error *error); /* one text after the other */

/* ---- the formats ---- */

typedef inception_status inc_format_read(inc_draft *draft, inc_reader file);

inc_format_read inc_slices_read, inc_caffe_read, inc_safetensors_read;
bool inc_caffe_probe(inc_reader file);
bool inc_safetensors_probe(inc_reader file);

/* How many data files belong to the index. */
inception_status inc_bundle_shards(inc_reader index, size_t *count, inception_error *error);
inception_status inc_bundle_read(inc_draft *draft, inc_reader index, const inc_reader *shards, size_t shard_count);
bool inc_bundle_probe(inc_reader file); /* of a table: whether it is an index, rather than a V1 checkpoint */

/* ---- state.c ---- */

/* The value of model_checkpoint_path in the text of a `checkpoint` file; NULL and an error if there is none. */
char *inc_state_path(inc_reader text, inc_arena *arena, inception_error *error);

#endif
