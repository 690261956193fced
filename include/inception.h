/* inception: object recognition with Google's pre-trained Inception networks.
 *
 * A whole program: name what is on a photo.
 *
 *     #include <inception.h>
 *     #include <stdio.h>
 *
 *     int main(int argc, char **argv)
 *     {
 *         if (argc != 3) return fprintf(stderr, "usage: %s MODEL PHOTO\n", argv[0]), 64;
 *         inception_error error = {0};
 *         inception_prediction top[5] = {{0}};
 *         inception_model *model = inception_model_open(argv[1], NULL, &error);
 *         inception_session *session = inception_session_open(model, 1, &error);
 *         inception_image *photo = inception_image_read(argv[2], NULL, &error);
 *         inception_classify(session, (const inception_image *[]){photo}, 1, 5, top, &error);
 *         if (error.status) fprintf(stderr, "%s\n", error.message);
 *         else for (int i = 0; i < 5; i++)
 *             printf("%s: %.2f%%\n", top[i].label, 100.0 * top[i].probability);
 *         inception_image_free(&photo);
 *         inception_session_close(&session);
 *         inception_model_close(&model);
 *         return error.status != INCEPTION_OK;
 *     }
 *
 * Calls chain: handed NULL in place of an object, a function that takes an error fails, and leaves an error that is
 * already set as it is, so a program may check once, at the end, as above. The others want an object.
 *
 * Ownership: what a function named _open, _read, _decode or _from_ returns belongs to the caller, who hands it to the
 * matching _close or _free. Those take the address of the pointer, set it to NULL and accept NULL. Everything else that
 * is returned as a const pointer belongs to its object and lives as long.
 *
 * Threads: no function keeps state outside the objects it is given. A model, an image and weights are never changed
 * once made: any number of threads may use one at once. A session, a calibrator and a training belong to one thread at a
 * time, and to the process that opened them: they have threads of their own, which take no signals, and which fork() does
 * not copy; a child must neither use nor close them. Models go through fork().
 *
 * The library never prints and never ends the process. What results hold after a failure is undefined.
 */
#ifndef INCEPTION_H
#define INCEPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define INCEPTION_API __attribute__((visibility("default")))
#else
#define INCEPTION_API
#endif

#define INCEPTION_VERSION "0.1.0"

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

typedef enum inception_status {
    INCEPTION_OK = 0,
    INCEPTION_INVALID,     /* an argument is out of its range */
    INCEPTION_NOT_FOUND,   /* no such file, network or class */
    INCEPTION_IO,          /* reading or writing failed; the system said why */
    INCEPTION_DATA,        /* bytes that are damaged or not what they claim to be */
    INCEPTION_UNSUPPORTED, /* well-formed, but of a kind this build does not handle */
    INCEPTION_MISMATCH,    /* the weights do not fit the network */
    INCEPTION_LIMIT,       /* larger than a limit, one of the options' or a fixed one */
    INCEPTION_MEMORY,      /* out of memory */
    INCEPTION_INTERNAL,    /* the arithmetic library refused what it should not */
} inception_status;

#define INCEPTION_MESSAGE_SIZE 512
#define INCEPTION_NO_POSITION UINT64_MAX

/* What went wrong. Owned by the caller, zeroed before first use; every function takes NULL for "do not tell me".
 * Written only on failure, and only while status is INCEPTION_OK: the first error stays. */
typedef struct inception_error {
    inception_status status;
    uint64_t position;                    /* byte of the file concerned, or INCEPTION_NO_POSITION */
    char message[INCEPTION_MESSAGE_SIZE]; /* one sentence for people: what, where, why; no newline */
} inception_error;

/* Version of the library in use, "major.minor.patch". */
INCEPTION_API const char *inception_version(void);

/* CPUs this process may use: affinity mask and cgroup quota (v1 and v2, rounded up), at least 1. */
INCEPTION_API int inception_cpu_count(void);

/* ---- Networks ---------------------------------------------------------------------------------------------------- */

/* How a photo becomes the network's input. */
typedef enum inception_preprocessing {
    INCEPTION_PREPROCESS_SLIM,  /* TF-Slim's evaluation path: RGB in [-1,1], central 7/8 crop, legacy bilinear */
    INCEPTION_PREPROCESS_CAFFE, /* BGR minus (104,117,123), 8/7 of the size by antialiased bilinear, centre crop */
} inception_preprocessing;

typedef enum inception_crop {
    INCEPTION_CROP_CENTRE,    /* as the network was evaluated; everything else is a deviation */
    INCEPTION_CROP_FULL,      /* the whole photo, aspect ratio not kept */
    INCEPTION_CROP_LETTERBOX, /* the whole photo, aspect ratio kept, mid-grey borders */
} inception_crop;

typedef struct inception_input {
    int width, height; /* pixels, 1...4096 */
    inception_preprocessing preprocessing;
    inception_crop crop;
} inception_input;

/* One architecture. The text is static. */
typedef struct inception_network {
    const char *name;      /* "inception_v3" */
    const char *alias;     /* "v3" */
    const char *title;     /* "Inception_V3" */
    const char *source;    /* where the published weights come from */
    inception_input input; /* default input */
    int classes;           /* of the published weights */
    bool background;       /* class 0 is "background" */
    double top1, top5;     /* published accuracy in percent, single centre crop, ILSVRC-2012 validation */
    const char *features;  /* name of the layer before the classifier */
} inception_network;

/* All networks; *count gets how many. */
INCEPTION_API const inception_network *inception_networks(size_t *count);

/* The network called so, by name or alias, in any case; NULL if there is none. */
INCEPTION_API const inception_network *inception_network_find(const char *name);

typedef struct inception_network_size {
    int layers;             /* that have weights: convolutions and fully connected ones */
    int depth;              /* most of them that follow each other between photo and answer */
    uint64_t parameters;    /* weights used for inference, batch norm statistics counted */
    uint64_t multiply_adds; /* for one photo */
} inception_network_size;

/* Size of one of our networks as published: default input and classes, no auxiliary heads. Needs no weights. */
INCEPTION_API inception_status inception_network_measure(const inception_network *network, inception_network_size *out,
                                                         inception_error *error);

/* ---- Weights files ----------------------------------------------------------------------------------------------- */

typedef struct inception_weights inception_weights;

typedef enum inception_type {
    INCEPTION_F32, INCEPTION_F64, INCEPTION_F16, INCEPTION_BF16,
    INCEPTION_I8, INCEPTION_U8, INCEPTION_I16, INCEPTION_U16, INCEPTION_I32, INCEPTION_U32,
    INCEPTION_I64, INCEPTION_U64, INCEPTION_BOOL, INCEPTION_OTHER, /* OTHER: listed, values not readable */
} inception_type;

typedef enum inception_format {
    INCEPTION_FORMAT_TF_V1,      /* one file, the checkpoints of 2016 */
    INCEPTION_FORMAT_TF_V2,      /* PREFIX.index and PREFIX.data-?????-of-????? */
    INCEPTION_FORMAT_CAFFE,      /* .caffemodel */
    INCEPTION_FORMAT_MODEL_FILE, /* safetensors with the project's metadata */
    INCEPTION_FORMAT_ONNX,       /* written for other runtimes, not read */
} inception_format;

#define INCEPTION_MAX_RANK 8

/* A named tensor, row-major. */
typedef struct inception_tensor {
    const char *name;
    inception_type type;
    int rank;
    int64_t dims[INCEPTION_MAX_RANK];
    uint64_t count;   /* elements */
    const void *data; /* little-endian, perhaps unaligned: a view into the mapped file wherever it can be */
} inception_tensor;

typedef struct inception_statistics {
    double min, max, mean; /* over the finite values; 0 if there are none */
    uint64_t not_finite;   /* NaN and infinities */
} inception_statistics;

/* Opens the weights at `path`: a file of any of the formats, the prefix of a TensorFlow V2 checkpoint or its .index, or
 * a directory with a `checkpoint` file. Checks every checksum the format has. The file must not be cut while open. */
INCEPTION_API inception_weights *inception_weights_open(const char *path, inception_error *error);
INCEPTION_API void inception_weights_close(inception_weights **weights);

INCEPTION_API inception_format inception_weights_format(const inception_weights *weights);
INCEPTION_API const char *inception_format_name(inception_format format);
INCEPTION_API const char *inception_type_name(inception_type type);

/* Tensors in byte order of their names. `i` must be less than the count. */
INCEPTION_API size_t inception_weights_count(const inception_weights *weights);
INCEPTION_API const inception_tensor *inception_weights_tensor(const inception_weights *weights, size_t i);
INCEPTION_API const inception_tensor *inception_weights_find(const inception_weights *weights, const char *name);

/* The network whose variables these are, without a gap; NULL, and an error that names the nearest, if there is none. */
INCEPTION_API const inception_network *inception_weights_network(const inception_weights *weights,
                                                                 inception_error *error);

/* A text that a model file carries beside its tensors, UTF-8. */
typedef struct inception_text {
    const char *key, *value;
} inception_text;

/* The i-th text that a model file carries (network, classes, labels, ...). False if there are not so many. */
INCEPTION_API bool inception_weights_text(const inception_weights *weights, size_t i, const char **key,
                                          const char **value);

/* Elements first ... first+count-1 as double. False if the type is INCEPTION_OTHER or the range is outside. */
INCEPTION_API bool inception_tensor_read(const inception_tensor *tensor, uint64_t first, uint64_t count, double *out);
INCEPTION_API bool inception_tensor_statistics(const inception_tensor *tensor, inception_statistics *out);

/* ---- Models ------------------------------------------------------------------------------------------------------ */

typedef struct inception_model inception_model;

/* Of the arithmetic. bfloat16 products, summed in float32, are up to twice as fast on CPUs that have instructions for
 * them, and change probabilities in the third digit. Products of bytes are four times as fast; they want a model file with
 * the ranges of the values inside the network: see inception_calibrator. */
typedef enum inception_precision {
    INCEPTION_PRECISION_F32,
    INCEPTION_PRECISION_BF16,
    INCEPTION_PRECISION_INT8,
    INCEPTION_PRECISION_AUTO, /* the fastest that this CPU has instructions for: INT8 where the file has ranges and the
                                 options name neither a size nor a final_layer, BF16 where its products are at least 1.5
                                 times as fast as those of F32, or F32 */
} inception_precision;

/* True if this CPU has instructions for it. */
INCEPTION_API bool inception_precision_supported(inception_precision precision);

#define INCEPTION_FEATURES "features" /* a name for the layer before the classifier of any network */

typedef struct inception_model_options {
    const char *network;           /* name of the network; NULL (default): found from the variable names */
    double depth_multiplier;       /* V2 and V3, at most 16; 0 (default): found from the shapes */
    int min_depth;                 /* V2 and V3, fewest channels of a scaled layer, at most 4096; 0 (default): 16 */
    int width, height;             /* of the input, at most 4096; 0 (default): as the file says, or the network's own */
    int threads;                   /* 1...1024; 0 (default): inception_cpu_count() */
    inception_precision precision; /* default F32; one that is not supported is INCEPTION_UNSUPPORTED, and so is INT8 of
                                      weights without ranges, or at another size or cut than they were found at */
    inception_crop crop;           /* of photos; default CENTRE, anything else is a deviation */
    bool moving_averages;          /* prefer <variable>/ExponentialMovingAverage where present; default false */
    const char *labels;            /* path of a file of class names, see below; NULL (default): the model's own */
    const char *layer;             /* a layer to be read after each run, by its name; NULL (default): none */
    bool layer_only;               /* run nothing that the layer does not need, whose variables may then be missing: no
                                      classes; default false */
    const char *final_layer;       /* cut the network behind this layer, so that INCEPTION_FEATURES is the mean of its map,
                                      [1][1][channels]; wants layer_only. INCEPTION_FEATURES or NULL (default): where the
                                      file is cut, or not at all */
    const char *cache;             /* folder in which weights are kept in the form that they are computed with, so that
                                      opening the same file again takes a fraction of the time; it must exist; NULL
                                      (default): none. Not of TensorFlow V2 checkpoints, nor with labels. Files that do
                                      not fit any more are replaced, none is removed; failures are passed over. Like
                                      weights they must not be cut while the model is open */
    inception_type written;        /* type in which a model file gets the weights, where one is written: INCEPTION_F32
                                      (default), or INCEPTION_BF16 for half the size: rounded to the nearest, ties to
                                      even. Biases, and all else that has one dimension, stay F32. No meaning elsewhere */
} inception_model_options;

INCEPTION_API void inception_model_options_default(inception_model_options *options);

/* A file of class names is UTF-8, with or without byte order mark, lines ending in LF or CRLF, in one of three forms,
 * told by its first line:
 *     plain    a name a line, in the order of the classes (commas are part of names)
 *     id:name  as TF-Slim's labels.txt, in any order
 *     csv      RFC 4180, in any order: a header of at least two of index, wnid and name, name among them; or no header
 *              and records of index,name or index,wnid,name, where a name that holds a comma is quoted
 * It must name each class once. For the 1001 classes of a published network with "background" it may name 1000, indexed
 * from 0 or 1: class 0 is then "background". WordNet ids stay as they were where the file has none. */

/* A value inside the network, called as TF-Slim calls its endpoints: [height][width][channels]. "Predictions" are the
 * probabilities of the classes. */
typedef struct inception_layer {
    const char *name;
    int height, width, channels;
} inception_layer;

/* How probabilities come from logits. */
typedef enum inception_activation {
    INCEPTION_SOFTMAX, /* of all classes, which sum to 1: a photo shows one of them */
    INCEPTION_SIGMOID, /* of each by itself: a photo shows none or several of them */
} inception_activation;

/* How like the photos of its classes a photo is. */
typedef enum inception_unknown_score {
    INCEPTION_UNKNOWN_COSINE,  /* the largest cosine between its features and the mean features of a class */
    INCEPTION_UNKNOWN_PRODUCT, /* that times the length of the features, which a network that learnt from photos of none of
                                  the classes makes short for these */
} inception_unknown_score;

typedef struct inception_model_info {
    const inception_network *network;
    inception_format format; /* of the file it came from */
    inception_input input;
    int classes;
    double depth_multiplier;
    int min_depth;
    int threads;
    inception_precision precision; /* never AUTO */
    uint64_t parameters;      /* weights used for inference, batch norm statistics counted */
    uint64_t multiply_adds;   /* for one photo, all layers counted */
    inception_activation activation; /* SOFTMAX unless the file says otherwise */
    double temperature;       /* probabilities are activation(logits / temperature); 1 unless the file says otherwise */
    double unknown_threshold; /* least likeness of what is of one of the classes, see inception_session_unknown();
                                 -INFINITY unless the file says otherwise */
    inception_unknown_score unknown_score; /* that this is of */
    const inception_layer *layer; /* the one the options asked for, or NULL */
    const char *final_layer;      /* behind which the network is cut; its mean goes into the classifier. NULL: it is whole */
} inception_model_info;

/* Opens the weights at `path` (see inception_weights_open) and makes them ready to run. `options` NULL: defaults. `path`
 * NULL: the network that options->network names, untrained (random weights, the same each time), to measure its speed. */
INCEPTION_API inception_model *inception_model_open(const char *path, const inception_model_options *options,
                                                    inception_error *error);
INCEPTION_API void inception_model_close(inception_model **model);
INCEPTION_API const inception_model_info *inception_model_get_info(const inception_model *model);

/* Name and WordNet id of class `index`; the id is "" where a class has none. NULL if there is no such class. */
INCEPTION_API const char *inception_model_label(const inception_model *model, int index);
INCEPTION_API const char *inception_model_wnid(const inception_model *model, int index);

/* The layers that can be asked for, in the order of the network; *count gets how many. Auxiliary classifiers (AuxLogits,
 * loss1, loss2) are not listed; they can be asked for where the file has them. */
INCEPTION_API const inception_layer *inception_model_layers(const inception_model *model, size_t *count);

/* Writes the variables of the network that the weights at `path` hold (heads included; optimiser slots are not) to
 * `out`, as MODEL_FILE (one file) or TF_V2 (prefix of .index and .data), or the network itself as ONNX (one file of at
 * most 2 GB, without auxiliary heads): from "input", float32 [batch][height][width][3] as inception_prepare() makes it,
 * to "logits" and "probabilities", float32 [batch][classes], and, where the model has an unknown_threshold, "likeness",
 * float32 [batch]. The files appear whole or not at all. Layers in the options have no meaning here; weights written as BF16
 * are for model files only, else INCEPTION_UNSUPPORTED, and one that rounds to infinity is INCEPTION_DATA. A checkpoint of a
 * network that is cut does not say where. */
INCEPTION_API inception_status inception_convert(const char *path, const char *out, inception_format format,
                                                 const inception_model_options *options, inception_error *error);

/* Finds the ranges of the values inside a network that int8 wants, from photos like those it is for: a few hundred. Each
 * range is the one with the least expected squared error. Weights need no photos: each output channel has a scale of its
 * own.
 *
 *     open, add each photo, write; or, to know what is lost: add each, compare some of them, losses, write
 *
 * For one thread at a time. */
typedef struct inception_calibrator inception_calibrator;

typedef struct inception_layer_loss {
    const char *name;       /* of the layer; the calibrator's */
    double decibels;        /* of its output in float32 over the difference that int8 makes, all layers before it counted;
                               -999...999 */
    uint64_t multiply_adds; /* for one photo */
} inception_layer_loss;

/* The weights at `path`, as inception_model_open() opens them; layers, precision and cache have no meaning here. */
INCEPTION_API inception_calibrator *inception_calibrator_open(const char *path, const inception_model_options *options,
                                                              inception_error *error);
INCEPTION_API void inception_calibrator_close(inception_calibrator **calibrator);
INCEPTION_API const inception_input *inception_calibrator_input(const inception_calibrator *calibrator);

/* `input`: a photo as inception_prepare() makes it. Adding is INCEPTION_INVALID after the first comparison, and
 * INCEPTION_DATA where a value becomes infinite. Comparing is INCEPTION_INVALID before a photo was added, and
 * INCEPTION_UNSUPPORTED where the CPU has no instructions for int8. */
INCEPTION_API inception_status inception_calibrator_add(inception_calibrator *calibrator, const float *input,
                                                        inception_error *error);
INCEPTION_API inception_status inception_calibrator_compare(inception_calibrator *calibrator, const float *input,
                                                            inception_error *error);

/* What the compared photos told: every convolution, in the order of the network. */
INCEPTION_API const inception_layer_loss *inception_calibrator_losses(inception_calibrator *calibrator, size_t *count);

/* Writes a model file: the weights as inception_convert() writes them, for any precision, and the ranges.
 * INCEPTION_INVALID where no photo was added. */
INCEPTION_API inception_status inception_calibrator_write(inception_calibrator *calibrator, const char *out,
                                                          inception_error *error);

/* ---- Photos ------------------------------------------------------------------------------------------------------ */

typedef struct inception_image inception_image;

typedef struct inception_image_options {
    uint64_t max_pixels;     /* largest width x height, checked before memory is taken; default 2^28. No side > 65535 */
    uint64_t max_bytes;      /* largest file; default 2^28 */
    bool ignore_orientation; /* do not turn as EXIF says (TensorFlow does not); default false */
    bool strip_alpha;        /* drop alpha as TensorFlow does, in place of white behind it; default false */
    bool recover;            /* decode what is there of a truncated file; default false */
    const inception_input *fast_for; /* decode a JPEG photo at 1/2, 1/4 or 1/8 of its size, by fewer frequencies, as long
                                        as this input need not enlarge it: a deviation; NULL (default): whole */
} inception_image_options;

INCEPTION_API void inception_image_options_default(inception_image_options *options);

/* Decodes JPEG, PNG, GIF (first frame), BMP or WebP; the content decides. `name` is used in messages only. */
INCEPTION_API inception_image *inception_image_decode(const void *data, size_t size, const char *name,
                                                      const inception_image_options *options, inception_error *error);
INCEPTION_API inception_image *inception_image_read(const char *path, const inception_image_options *options,
                                                    inception_error *error);

/* Copies height rows of width x 3 bytes, RGB, `stride` bytes apart. */
INCEPTION_API inception_image *inception_image_from_pixels(const uint8_t *rgb, int width, int height, size_t stride,
                                                           inception_error *error);
INCEPTION_API void inception_image_free(inception_image **image);

INCEPTION_API int inception_image_width(const inception_image *image);
INCEPTION_API int inception_image_height(const inception_image *image);
INCEPTION_API const uint8_t *inception_image_pixels(const inception_image *image); /* [height][width][3], RGB */
INCEPTION_API inception_status inception_image_write_png(const inception_image *image, const char *path,
                                                         inception_error *error);

/* True if the first bytes of a file are those of a photo format that can be decoded; 16 bytes are enough. */
INCEPTION_API bool inception_image_recognised(const void *data, size_t size);

/* What the network sees: `out` gets float32 [input.height][input.width][3]. */
INCEPTION_API inception_status inception_prepare(const inception_input *input, const inception_image *image, float *out,
                                                 inception_error *error);

/* The picture of a prepared input, for people to look at. */
INCEPTION_API inception_image *inception_image_from_prepared(const inception_input *input, const float *prepared,
                                                             inception_error *error);

/* ---- Running ----------------------------------------------------------------------------------------------------- */

typedef struct inception_session inception_session;

typedef struct inception_prediction {
    int index; /* of the class */
    float probability, logit;
    const char *label, *wnid; /* owned by the model */
} inception_prediction;

/* The working memory to run up to `max_batch` (1...1024) photos at once. The model must outlive it. */
INCEPTION_API inception_session *inception_session_open(const inception_model *model, int max_batch,
                                                        inception_error *error);
INCEPTION_API void inception_session_close(inception_session **session);

/* Runs `count` (1...max_batch) prepared inputs, float32 [count][height][width][3]. `logits` and `probabilities` get
 * float32 [count][classes]; either may be NULL. A photo's answer does not depend on its neighbours in the batch. Logits
 * that are not finite (damaged weights) are INCEPTION_DATA. With layer_only both must be NULL. */
INCEPTION_API inception_status inception_session_run(inception_session *session, const float *inputs, int count,
                                                     float *logits, float *probabilities, inception_error *error);

/* Prepares and runs `count` photos; top[i * k] ... get the k (1...classes) most probable classes of photo i, those
 * of the largest logits first, equal ones in order of index. */
INCEPTION_API inception_status inception_classify(inception_session *session, const inception_image *const *images,
                                                  int count, int k, inception_prediction *top, inception_error *error);

/* True if what photo `photo` of the last run shows is probably of none of the classes: where its likeness,
 * the model's unknown_score, is below the model's unknown_threshold. False where the model has none, and where there was no
 * such photo. */
INCEPTION_API bool inception_session_unknown(const inception_session *session, int photo);

/* After a run of a model that was opened with a layer: the layer's values for photo `photo` of that run, float32
 * [height][width][channels]. */
INCEPTION_API inception_status inception_session_layer(const inception_session *session, int photo, float *out,
                                                       inception_error *error);

/* Prepares and runs `count` photos; `out` gets the layer's values of each, one photo behind the other. */
INCEPTION_API inception_status inception_features(inception_session *session, const inception_image *const *images,
                                                  int count, float *out, inception_error *error);

/* ---- Measuring --------------------------------------------------------------------------------------------------- */

/* A step of a run: one layer, or several that became one. */
typedef struct inception_step {
    const char *name, *kind; /* of the layer; of the code that computes it. Owned by the model */
    uint64_t multiply_adds;  /* for one photo, by the definition of the layer, however it is computed */
    double seconds;          /* that it took in the last run, for all photos of it */
} inception_step;

/* Measures the steps of this session's runs from the next one on, or no longer. */
INCEPTION_API inception_status inception_session_time(inception_session *session, bool on, inception_error *error);

/* The steps, in the order they run in; valid until the session is closed or not timed any more. NULL: it is not timed. */
INCEPTION_API const inception_step *inception_session_steps(const inception_session *session, size_t *count);

/* Multiply-adds a second that this machine's arithmetic units do in registers, on `threads` threads at once: what no direct
 * convolution can exceed. Takes about a third of a second; 0 where it cannot be told. */
INCEPTION_API double inception_peak(inception_precision precision, int threads);

/* ---- Pictures of results ----------------------------------------------------------------------------------------- */

/* Cards: a photo, uncropped, the part that the network looked at lightly marked, and what the networks said of it as bars
 * with names and percentages. One photo is a card of its own; several are a contact sheet, whose next page begins when
 * one is full. Pages of a PDF are in one file; those of PNG and SVG are files FILE-1.png, FILE-2.png, ... where there are
 * several. Each file appears whole or not at all. Only one page is held in memory, its photos reduced. */
typedef struct inception_sheet inception_sheet;

typedef enum inception_theme { INCEPTION_THEME_LIGHT, INCEPTION_THEME_DARK } inception_theme;

typedef struct inception_sheet_options {
    inception_theme theme; /* default LIGHT */
    int scale;             /* 1 or 2: pixels for one unit of length, in a PNG and in the photos of all; default 2 */
} inception_sheet_options;

INCEPTION_API void inception_sheet_options_default(inception_sheet_options *options);

/* What one network said. */
typedef struct inception_card_column {
    const char *title;               /* of the network */
    const inception_prediction *top; /* most probable first; probability, label and nothing else is drawn,
                                        the label alone where the probability is -1 */
    int count;                       /* 1...; a card shows 20 at most, a contact sheet 3 */
} inception_card_column;

/* A photo and the answers to it. Texts that are not UTF-8 are repaired. */
typedef struct inception_card {
    const inception_image *photo;
    const char *name;             /* to stand under it, such as the name of the file */
    const inception_input *input; /* its preprocessing tells the part looked at; NULL: nothing is marked */
    const inception_card_column *columns;
    int column_count; /* 1...8, the same for all cards of a sheet */
} inception_card;

/* The ending of `path` (.png, .svg, .pdf, in any case) says the format. A folder that cannot be written to is an error
 * at once, but no file appears before a page is complete. `options` NULL: defaults. */
INCEPTION_API inception_sheet *inception_sheet_open(const char *path, const inception_sheet_options *options,
                                                    inception_error *error);

/* Adds a card, of which everything is copied. A card that is refused leaves the sheet as it was; after a page could not
 * be written the sheet takes no more. */
INCEPTION_API inception_status inception_sheet_add(inception_sheet *sheet, const inception_card *card,
                                                   inception_error *error);

/* Writes what is not written yet; the sheet takes no more. Without a card there is no file, and that is no error. */
INCEPTION_API inception_status inception_sheet_finish(inception_sheet *sheet, inception_error *error);
INCEPTION_API int inception_sheet_pages(const inception_sheet *sheet); /* written so far */

/* Without inception_sheet_finish: drops the page at hand, and a PDF as a whole. */
INCEPTION_API void inception_sheet_close(inception_sheet **sheet);

#ifdef __cplusplus
}
#endif

#endif
