/* inception: teaching networks new classes. What <inception.h> says of errors, ownership and threads holds here too.
 *
 * Three ways, from seconds to hours; all end in inception_head_write(), which writes a model file:
 *
 *     a new output layer     features of photos once, inception_split(), inception_head_train()
 *     further layers         from there on: inception_training, of the weights so far
 *     a network of its own   inception_training, from random values
 */
#ifndef INCEPTION_INCEPTION_TRAIN_H
#define INCEPTION_INCEPTION_TRAIN_H

#include <inception.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Teaching new classes ---------------------------------------------------------------------------------------- */

/* A new output layer on a network that stays as it is: logistic regression on the features of photos (the layer
 * INCEPTION_FEATURES, which inception_features() reads). Where a photo shows one class it is multinomial; where it may have
 * several labels, or none, there is one regression for each label.
 *
 *     features of all photos once, inception_split(), inception_head_train(), inception_head_write()
 *
 * The same examples give the same layer, to the bit, on the same machine. */

/* What a photo is for: to learn from, to choose between what was learnt, to measure the choice. */
typedef enum inception_part { INCEPTION_TRAIN, INCEPTION_VALIDATION, INCEPTION_TEST } inception_part;
#define INCEPTION_PARTS 3

/* Fills parts[count] from the names of the photos and nothing else, so that a photo keeps its part on every machine and
 * when others are added. h is the FNV-1a hash (64 bits) of the seed in eight bytes, least significant first, and the name,
 * finished as MurmurHash3 finishes 64 bits. Of a class, h in order, those below 16 % of 2^64 are for the test, those below
 * 30 % for validation, the rest for training; but of three photos or more at least one is for each, and of two the first is
 * for validation. classes[i] is 0 ... class_count - 1, or -1: photos of none of the classes are shared out as a class is. */
INCEPTION_API inception_status inception_split(const char *const *names, const int *classes, size_t count, int class_count,
                                               uint64_t seed, inception_part *parts, inception_error *error);

/* The same where a photo may have several labels: labels[count][label_count] tells which. Parts follow from h as above, of
 * all photos at once. Then photos are moved. Each label makes two groups, the photos with it and those without it, and label
 * by label a group that training has none of gives it the photo with the highest h; after that a group of two or more that
 * validation has none of gives it the one with the lowest h, and last the same for the test, of three or more. Passed over
 * are photos that are the last of one of their groups in a part before the one they are to go to (training, validation,
 * test in this order), so that validation and the test may still lack a rare label; training has some of every group. */
INCEPTION_API inception_status inception_split_labels(const char *const *names, const bool *labels, size_t count,
                                                      int label_count, uint64_t seed, inception_part *parts,
                                                      inception_error *error);

typedef struct inception_examples {
    size_t count, values;        /* photos, features of each */
    int class_count;             /* 2..., of labels 1... */
    const float *features;       /* [count][values] */
    const int *classes;          /* [count], -1: a photo of none of them, from which only is learnt what is unknown; NULL:
                                    labels tell */
    const bool *labels;          /* [count][class_count], which labels a photo has; NULL: classes tell */
    const inception_part *parts; /* [count]; training has photos of every class (with and without every label), validation
                                    has some photos */
    bool training_only;          /* do not learn the validation photos as well in the end, for they are to choose once more;
                                    default false */
    const double *class_weights; /* [class_count], 1e-9...1e9; NULL: 1. How much a photo of the class counts; of labels: how
                                    much one with the label does for it, one without counting 1 */
} inception_examples;

typedef struct inception_head inception_head;

typedef struct inception_head_info {
    double penalty;     /* of the squared weights, features scaled to a mean square length of 1: the best in validation */
    double temperature; /* that makes the probabilities of the validation photos most likely */
    double unknown_threshold; /* that at least 95 % of the validation photos reach, with others 90 %: see
                                 inception_session_unknown(); of labels: -INFINITY */
    inception_unknown_score unknown_score; /* COSINE; PRODUCT where that turns away more of the others in validation */
    size_t known[INCEPTION_PARTS]; /* photos of the classes that reach it; of labels: 0 */
    size_t others[INCEPTION_PARTS], turned_away[INCEPTION_PARTS]; /* photos of none of the classes; those that do not */
    size_t photos[INCEPTION_PARTS];
    size_t right[INCEPTION_PARTS]; /* of labels: where those of a probability above 1/2 are all and only the photo's. Of
                                      validation: before its photos, too, were learnt with the penalty they chose */
} inception_head_info;

INCEPTION_API inception_head *inception_head_train(const inception_examples *examples, inception_error *error);

/* The output layer that the weights at `path` have, measured on examples with the features that this network gives them; its
 * penalty is 0. For what inception_training made: inception_head_write() then tells temperature and threshold with it. */
INCEPTION_API inception_head *inception_head_open(const char *path, const inception_model_options *options,
                                                  const inception_examples *examples, inception_error *error);
INCEPTION_API void inception_head_close(inception_head **head);
INCEPTION_API const inception_head_info *inception_head_get_info(const inception_head *head);

/* logits[count][class_count] of `features`, [count][values]. */
INCEPTION_API inception_status inception_head_logits(const inception_head *head, const float *features, size_t count,
                                                     float *logits, inception_error *error);

/* Writes a model file: the weights at `path` (see inception_model_open) without auxiliary heads, cut behind the options'
 * final_layer if they name one, and this layer in place of their classifier, which may be missing and whose input the
 * features must have been, with its temperature and unknown_threshold. labels[class_count] are lines of text; `texts` go
 * before what the weights say of themselves. The file appears whole or not at all. */
INCEPTION_API inception_status inception_head_write(const inception_head *head, const char *path,
                                                    const inception_model_options *options, const char *out,
                                                    const char *const *labels, const inception_text *texts,
                                                    size_t text_count, inception_error *error);

/* ---- Distorted photos -------------------------------------------------------------------------------------------- */

/* Zeroed: as TF-Slim has it. */
typedef struct inception_distortion {
    bool slow;           /* resized in one of four ways, hue and contrast changed too, in one of four orders */
    double smallest_crop; /* part of the photo, at most 1; 0: 0.1 */
} inception_distortion;

/* What the network sees of the photo in training: TF-Slim's distortions. A crop at random (at least a tenth of the photo,
 * aspect ratio 0.75 to 1.33), resized, flipped or not, its brightness and saturation changed. `out` gets float32
 * [input.height][input.width][3], in the levels of input.preprocessing; input.crop does not matter. All that is random
 * follows from `seed`: the same arguments give the same bits. */
INCEPTION_API inception_status inception_distort(const inception_input *input, const inception_image *image,
                                                 const inception_distortion *how, uint64_t seed, float *out,
                                                 inception_error *error);

/* The seed for a photo in an epoch of a run that has one seed: h as inception_split() has it, of the run's seed, the epoch
 * in eight bytes, too, and the name. */
INCEPTION_API uint64_t inception_distortion_seed(uint64_t seed, const char *name, uint64_t epoch);

/* ---- Training a network ------------------------------------------------------------------------------------------- */

/* Further layers of a network, or all of them, by gradients:
 *
 *     open, then for each step: photos by inception_distort() and inception_training_step(); now and then
 *     inception_training_write(), whose file is a model like any other and what inception_training_resume() goes on
 *     from; at last, of the best file, inception_head_open() and inception_head_write()
 *
 * Steps of the same batches give the same variables to the bit, with any number of threads, on the same machine, resumed or
 * not. For one thread at a time. */
typedef struct inception_training inception_training;

/* Rules by which variables follow their gradients, TensorFlow's of these names. */
typedef enum inception_optimiser { INCEPTION_RMSPROP, INCEPTION_MOMENTUM, INCEPTION_ADAM } inception_optimiser;

typedef struct inception_training_options {
    inception_model_options model; /* of what is opened, which may be cut; final_layer is to be NULL, and layer, labels,
                                      crop, written and cache have no meaning. Precision F32, or BF16: what lies between
                                      layers and products are bfloat16, variables float32 */
    const char *const *labels;     /* of a network begun anew: its classes, [class_count] lines of text */
    int class_count;               /* of weights at a path: how many they must have, or 0 (default) */
    const char *const *scopes;     /* [scope_count]: layers to be trained besides the classifier, by the beginnings of
                                      their variables' names, with or without the network's own in front; none
                                      (default): all */
    int scope_count;
    int batch, accumulate;         /* photos whose gradients are taken at once, default 32; and how many times that before
                                      variables change, default 1: a step is batch * accumulate photos */
    bool batch_statistics;         /* batch norm by the batch at hand, which moves the moving statistics; default false: by
                                      those, which stay */
    bool several_labels;           /* sigmoid cross entropy in place of softmax; default false */
    inception_optimiser optimiser; /* default RMSPROP */
    double momentum;               /* of RMSPROP and MOMENTUM, default 0.9 */
    double rms_decay;              /* of RMSPROP, default 0.9 */
    double beta1, beta2;           /* of ADAM, default 0.9 and 0.999 */
    double epsilon;                /* of RMSPROP and ADAM, default 1 */
    double norm_decay;             /* of batch norm's moving statistics in a batch, default 0.9997 */
    double keep;                   /* the part that dropout lets through, default 0.8; 1: all */
    double weight_decay;           /* default 0.00004 */
    double label_smoothing;        /* default 0 */
    double average_decay;          /* of the moving averages of variables in a step; 0 (default): none are kept */
    uint64_t seed;                 /* of first values and of dropout; default 0 */
} inception_training_options;

INCEPTION_API void inception_training_options_default(inception_training_options *options);

/* Opens the weights at `path`, whose classes stay; or, `path` NULL, begins options->model.network anew, with TF-Slim's
 * first values and its auxiliary classifier, where the input is large enough for it. */
INCEPTION_API inception_training *inception_training_open(const char *path, const inception_training_options *options,
                                                          inception_error *error);
INCEPTION_API void inception_training_close(inception_training **training);
INCEPTION_API const inception_input *inception_training_input(const inception_training *training);
INCEPTION_API uint64_t inception_training_steps(const inception_training *training); /* so far */

typedef struct inception_losses {
    double classes, heads, decay; /* of the classifier, of auxiliary ones, of the size of weights: each with its weight in
                                     the sum that is made small */
    int answered; /* photos of which not all classes have the same part in the target; of several labels all photos */
    int right;    /* of those: where the most probable class is the one that has the largest part; of several labels where
                   * those of a probability above 1/2 are all and only those of a target above 1/2 */
} inception_losses;

/* A step: inputs float32 [photos][height][width][3], targets float32 [photos][classes], the part of each class or, with
 * several labels, 0 or 1 of each; weights [photos], how much each photo counts, or NULL. INCEPTION_DATA where the loss is
 * not finite any more: what is trained is as it was, moving statistics are not. */
INCEPTION_API inception_status inception_training_step(inception_training *training, const float *inputs,
                                                       const float *targets, const float *weights, double rate,
                                                       inception_losses *losses, inception_error *error);

/* Writes a model file that has, besides the variables, their moving averages and what the optimiser remembers, under the
 * names that TensorFlow gives them, and the number of steps as `global_step`. */
INCEPTION_API inception_status inception_training_write(inception_training *training, const char *out,
                                                        const inception_text *texts, size_t text_count,
                                                        inception_error *error);

/* Goes on from what such a file tells; the training was opened from it, or with the same options as the one that wrote
 * it. */
INCEPTION_API inception_status inception_training_resume(inception_training *training, const char *path,
                                                         inception_error *error);

/* How the rate changes from step to step. */
typedef enum inception_schedule {
    INCEPTION_SCHEDULE_FIXED,
    INCEPTION_SCHEDULE_EXPONENTIAL, /* times `factor` after each `interval` steps */
    INCEPTION_SCHEDULE_COSINE,      /* down to 0 along half a cosine, which ends with the last step */
} inception_schedule;

typedef struct inception_rate {
    inception_schedule schedule;
    double rate;                /* after warm-up */
    double factor;              /* of EXPONENTIAL */
    uint64_t interval;          /* of EXPONENTIAL, at least 1 */
    uint64_t warm_up, steps;    /* that the rate rises evenly from 0; all of them */
} inception_rate;

/* The rate of step `step`, 0 being the first. */
INCEPTION_API double inception_rate_at(const inception_rate *rate, uint64_t step);

/* ---- Logs for TensorBoard ---------------------------------------------------------------------------------------- */

/* An event file: numbers, histograms and pictures over the steps of a run, and the network. `tensorboard --logdir FOLDER`
 * shows it, also while it grows. Each call writes its record to the file at once, so that a killed run leaves at most one
 * that is cut, which readers pass over. A log belongs to one thread at a time.
 *
 * A run need not end because its log cannot go on, on a full disk say: the first record that cannot be written is
 * INCEPTION_IO and is taken back; what is added after it is dropped, and that is INCEPTION_OK.
 *
 * Tags are UTF-8 and not empty. Their slashes group: TensorBoard shows all "loss/..." together. The time of an event is
 * when it is added. */
typedef struct inception_events inception_events;

/* Begins a new file in `folder`, which is made if it is not there: events.out.tfevents.SECONDS.HOST.PID.N. */
INCEPTION_API inception_events *inception_events_open(const char *folder, inception_error *error);
INCEPTION_API void inception_events_close(inception_events **events);

/* A value, kept as float32; what is not finite is shown as such. */
INCEPTION_API inception_status inception_events_add_scalar(inception_events *events, const char *tag, int64_t step,
                                                           double value, inception_error *error);

/* How `count` (0...) values are distributed, in TensorFlow's buckets: told apart to 10 % from 1e-12 to 1e20, on both sides
 * of 0. Values that are not finite are INCEPTION_INVALID. */
INCEPTION_API inception_status inception_events_add_histogram(inception_events *events, const char *tag, int64_t step,
                                                              const float *values, size_t count, inception_error *error);

/* A picture, without loss. */
INCEPTION_API inception_status inception_events_add_image(inception_events *events, const char *tag, int64_t step,
                                                          const inception_image *image, inception_error *error);

/* The network that the weights at `path` hold (NULL: the one that options->network names), without auxiliary heads. */
INCEPTION_API inception_status inception_events_add_graph(inception_events *events, const char *path,
                                                          const inception_model_options *options, inception_error *error);

#ifdef __cplusplus
}
#endif

#endif
