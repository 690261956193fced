/* Losses, optimisers, and the step that is made of them: photos and targets -> losses and gradients -> new variables.
 * The arithmetic of the networks is the engine's. */
#ifndef INC_TRAIN_H
#define INC_TRAIN_H

#include "../engine/engine.h"
#include "../graph/graph.h"
#include "../model/model.h"

/* ---- loss.c: as TensorFlow's losses of the same names, the mean over what has a weight other than 0 ---- */

typedef struct inc_targets {
    int batch, classes;
    const float *values;  /* [batch][classes]: the part of each class, or with several labels 0 or 1 of each */
    const float *weights; /* [batch], of each photo; NULL: 1 */
    double smoothing;     /* e: t (1 - e) + e / classes; with several labels t (1 - e) + e / 2 */
} inc_targets;

/* Returns weight * loss, and its gradient for the logits, [batch][classes]. */
double inc_softmax_cross_entropy(const inc_targets *targets, const float *logits, double weight, float *gradient);
double inc_sigmoid_cross_entropy(const inc_targets *targets, const float *logits, double weight, float *gradient);

/* decay / 2 * the sum of the squares; its gradient is added. */
double inc_weight_decay(const float *values, size_t count, double decay, float *gradient);

/* Does TF-Slim keep the variable of this name small? */
bool inc_is_decayed(const char *name);

/* ---- optimiser.c: TensorFlow's rules ---- */

typedef struct inc_optimiser_options {
    inception_optimiser rule;
    double decay, momentum, epsilon; /* of RMSProp; momentum is also that rule's, epsilon also Adam's */
    double beta1, beta2;             /* of Adam */
} inc_optimiser_options;

inc_optimiser_options inc_optimiser_default(inception_optimiser rule); /* TF-Slim's */

typedef struct inc_optimiser {
    inc_optimiser_options options;
    size_t count;
    int slot_count;
    float *slots[2]; /* [count]: what the rule remembers of each element */
    uint64_t steps;
} inc_optimiser;

inception_status inc_optimiser_begin(inc_optimiser *optimiser, const inc_optimiser_options *options, size_t count,
                                     inception_error *error);
void inc_optimiser_end(inc_optimiser *optimiser); /* accepts a zeroed one */

/* One step down the gradients, by all threads of the pool. */
void inc_optimiser_step(inc_optimiser *optimiser, double rate, float *values, const float *gradients, inc_pool *pool,
                        int threads);

/* ---- learner.c ---- */

typedef struct inc_learning {
    int batch, threads;
    const char *const *scopes; /* [scope_count]: variables whose names begin so are trained, and the classifier; none: all */
    int scope_count;
    bool batch_statistics, several_labels;
    double norm_decay, keep, weight_decay, smoothing;
    double head_weight; /* of auxiliary classifiers */
    inception_precision precision; /* F32 or BF16, see inc_training */
} inc_learning;

inc_learning inc_learning_default(void); /* TF-Slim's, but for batch and threads */

typedef struct inc_learner inc_learner;

/* The graph is rewritten, and must outlive the learner with the data of its variables. */
inc_learner *inc_learner_new(inc_graph *graph, const inc_learning *how, const inc_optimiser_options *optimiser,
                             inception_error *error);
void inc_learner_free(inc_learner *learner);
inc_trainer *inc_learner_trainer(const inc_learner *learner);
inc_optimiser *inc_learner_optimiser(inc_learner *learner);
int inc_learner_classes(const inc_learner *learner);

/* Losses and gradients of a batch: `inputs` float32 [batch][height][width][channels], `targets` as in inc_targets. */
inception_status inc_learner_look(inc_learner *learner, const float *inputs, const float *targets, const float *weights,
                                  uint64_t noise, inception_losses *losses, inception_error *error);

/* Changes what is trained by the gradients. */
void inc_learner_change(inc_learner *learner, double rate);

/* ---- course.c: a learner with what lives from step to step, see inception_training_open() ---- */

typedef inception_training inc_course;

/* Takes the model over. */
inc_course *inc_course_new(inc_model *model, const inception_training_options *options, inception_error *error);
void inc_course_free(inc_course *course);
const inc_model *inc_course_model(const inc_course *course);
uint64_t inc_course_steps(const inc_course *course);
inception_status inc_course_step(inc_course *course, const float *inputs, const float *targets, const float *weights,
                                 double rate, inception_losses *losses, inception_error *error);
inception_status inc_course_write(inc_course *course, const char *out, const inception_text *texts, size_t text_count,
                                  inception_error *error);
inception_status inc_course_resume(inc_course *course, const char *path, inception_error *error);

#endif
