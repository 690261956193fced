/* A graph -> oneDNN primitives with packed weights; runs photos through them. The only folder that knows oneDNN.
 *
 * Activations lie in blocks of channels (nChw16c with AVX-512, else nChw8c) and every primitive works on one photo.
 * Both together make concatenation free: a run of whole blocks of one photo is contiguous, so part of a joined value is
 * an ordinary dense tensor, and oneDNN's fast kernels take it; and an answer cannot depend on its neighbours. */
#ifndef INC_ENGINE_H
#define INC_ENGINE_H

#include "../graph/graph.h"

typedef struct inc_engine inc_engine;
typedef struct inc_run inc_run;

/* Packed weights from elsewhere, with what inc_hash() is to be of each `chunk` bytes; hashes u64 each, perhaps unaligned. */
typedef struct inc_packed {
    const uint8_t *data, *hashes;
    size_t bytes, chunk;
    uint64_t form; /* where each tensor lies in them, and how */
} inc_packed;

/* Channels in a block on this machine: the granularity for inc_graph_rewrite(). */
int inc_engine_granularity(void);

/* Can this machine compute so, with instructions made for it? */
bool inc_engine_supports(inception_precision precision);

/* The fastest that it has instructions for; `ranges`: there are those for int8. Races for less than a millisecond. */
inception_precision inc_engine_fastest(bool ranges);

/* Takes what it needs of the graph: it may be freed afterwards. Immutable: any number of threads may run it. */
inc_engine *inc_engine_compile(const inc_graph *graph, inception_precision precision, int threads,
                               inception_error *error);

/* The weights of a compiled engine, and one made from them in place of the graph's data: the same graph otherwise, the same
 * precision and threads, the same inc_engine_key(). They must outlive it. NULL if they are not what the engine wants. */
const uint8_t *inc_engine_weights(const inc_engine *engine, size_t *bytes, uint64_t *form);
inc_engine *inc_engine_compile_packed(const inc_graph *graph, inception_precision precision, int threads,
                                      const inc_packed *packed, inception_error *error);

/* All that the form of the packed weights depends on, besides the graph. */
void inc_engine_key(char *text, size_t size, inception_precision precision, int threads);
void inc_engine_free(inc_engine *engine);

/* Memory for up to `max_batch` photos. For one thread at a time. */
inc_run *inc_run_new(const inc_engine *engine, int max_batch, inception_error *error);
void inc_run_free(inc_run *run);

/* `inputs`: float32 [count][height][width][channels]. */
inception_status inc_run_execute(inc_run *run, const float *inputs, int count, inception_error *error);

/* Has the threads of the run, as many as the engine has, do `work`. */
void inc_run_share(inc_run *run, inc_work *work, void *context);

/* A kept value of photo `photo` after a run, as float32 [height][width][channels]. `value`: its id in the graph. */
void inc_run_read(const inc_run *run, int photo, uint32_t value, float *out);

/* What a step was in the last run: in the order of execution. `timed`: measure from the next run on. */
bool inc_run_timed(inc_run *run, bool timed); /* false: out of memory */
const inception_step *inc_run_steps(const inc_run *run, size_t *count);

/* ---- calibrate.c: what bytes have to stand for ---- */

typedef struct inc_calibrator inc_calibrator;

/* Of a graph that nothing was rewritten in, which must outlive it. */
inc_calibrator *inc_calibrator_new(const inc_graph *graph, int threads, inception_error *error);
void inc_calibrator_free(inc_calibrator *calibrator);

/* Looks at all values of a photo. */
inception_status inc_calibrator_add(inc_calibrator *calibrator, const float *input, inception_error *error);

/* Gives the values of the graph, rewritten or not, their ranges. */
void inc_calibrator_ranges(const inc_calibrator *calibrator, inc_graph *graph);

/* Runs a photo in float32 and on bytes. No more photos can be added then. */
inception_status inc_calibrator_compare(inc_calibrator *calibrator, const float *input, inception_error *error);

/* Of every convolution, so far; returns how many. `losses` has room for all nodes of the graph. */
size_t inc_calibrator_losses(const inc_calibrator *calibrator, inception_layer_loss *losses);

/* Logits, divided by the temperature, to probabilities, which may be written over them: exp(logits - max) / sum;
 * 1 / (1 + exp(-logits)). */
void inc_softmax(const float *logits, int count, double temperature, float *probabilities);
void inc_sigmoid(const float *logits, int count, double temperature, float *probabilities);

/* A matrix product, row by row: c[m][n] = a[m][k] b[k][n], of which either may lie transposed. On the calling thread. */
typedef struct inc_product {
    size_t m, n, k;
    const float *a, *b;
    bool a_transposed, b_transposed; /* a is [k][m], b is [n][k] */
    float *c;
} inc_product;

inception_status inc_multiply(const inc_product *product, inception_error *error);

/* ---- training ---- */

typedef struct inc_trainer inc_trainer;

typedef struct inc_training {
    int batch, threads;
    inc_pool *pool;        /* of that many threads; it must outlive the trainer */
    const bool *trained;   /* [values of the graph]: the variables that are to have gradients */
    bool batch_statistics; /* batch norm by the batch at hand, which moves the moving statistics; else by those */
    double norm_decay;     /* of the moving statistics in a step; TF-Slim's 0.9997 */
    double keep;           /* the part that dropout lets through, more than 0; of TF-Slim 0.8; 1: all */
    inception_precision precision; /* F32, or BF16: that of what lies between layers, and of products, not of sums */
} inc_training;

/* The rewrites that a graph may have undergone before it is trained. */
#define INC_TRAINING_REWRITES (INC_ELIDE_CONCATS)

/* Forward and backward of a whole batch. The graph must outlive it, with its variables' data: what is trained, and moving
 * statistics that move, are copied, all else is read there. Nothing in it may be left that no kept value needs. For one
 * thread at a time. Results do not depend on the number of threads. INCEPTION_UNSUPPORTED: the machine cannot compute so, or
 * the graph has what cannot be trained. */
inc_trainer *inc_trainer_new(const inc_graph *graph, const inc_training *how, inception_error *error);
void inc_trainer_free(inc_trainer *trainer);

/* A variable's values, and its gradient (NULL: not trained), as the checkpoint lays them out. */
const float *inc_trainer_variable(const inc_trainer *trainer, uint32_t value);
float *inc_trainer_gradient(const inc_trainer *trainer, uint32_t value);

/* All that is trained in one piece, for an optimiser, and the gradients beside it. Between variables are gaps of zeros. */
float *inc_trainer_trained(inc_trainer *trainer, size_t *count);
float *inc_trainer_gradients(inc_trainer *trainer);

/* `inputs`: float32 [batch][height][width][channels]. `noise` is what dropout's choice follows from, besides the layer, the
 * place of the photo in the batch and of the element in it. */
inception_status inc_trainer_forward(inc_trainer *trainer, const float *inputs, uint64_t noise, inception_error *error);

/* A kept value, [batch][height][width][channels], until the backward run; and the gradient of the loss for it, which every
 * kept value wants before that. */
void inc_trainer_read(const inc_trainer *trainer, uint32_t value, float *out);
void inc_trainer_push(inc_trainer *trainer, uint32_t value, const float *gradient);
inception_status inc_trainer_backward(inc_trainer *trainer, inception_error *error);

/* See inception_peak(). */
double inc_peak(inception_precision precision, int threads);

#endif
