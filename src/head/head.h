/* A new output layer for a network that stays as it is: which photos it learns from, and the learning. It knows features,
 * not networks. */
#ifndef INC_HEAD_H
#define INC_HEAD_H

#include "../engine/engine.h"

/* ---- split.c: see inception_split() ---- */

inception_status inc_split(const char *const *names, const int *classes, size_t count, uint64_t seed, inception_part *parts,
                           inception_error *error);
inception_status inc_split_labels(const char *const *names, const bool *labels, size_t count, size_t label_count,
                                  uint64_t seed, inception_part *parts, inception_error *error);

/* ---- head.c ---- */

/* Is the photo of one of the classes, or are they labels, which a photo may have none of? */
static inline bool inc_has_answer(const inception_examples *e, size_t photo)
{
    return e->labels || e->classes[photo] >= 0;
}

struct inception_head {
    inception_head_info info;
    size_t values;
    int classes;
    float *weights, *biases; /* [values][classes], [classes] */
    float *means;            /* [classes][values]: see known.c */
    inception_activation activation;
};

inception_head *inc_head_train(const inception_examples *examples, inception_error *error);

/* A layer that is there, weights [values][classes], biases [classes], with what the examples tell of it. */
inception_head *inc_head_measure(const inception_examples *examples, const float *weights, const float *biases,
                                 inception_error *error);
void inc_head_free(inception_head *head);
inception_status inc_head_logits(const inception_head *head, const float *features, size_t count, float *logits,
                                 inception_error *error);

/* What is said of photos, and what they show: one class, or with the sigmoid any labels. */
typedef struct inc_answers {
    size_t count;
    int classes;
    float *logits;     /* [count][classes] */
    const bool *shown; /* [count][classes] */
} inc_answers;

/* ---- loss.c ---- */

/* An inc_loss is the mean of -log of the probabilities that logits + bias[classes] give to what is shown; the logits become
 * its gradients for them. importance[classes]: how much a photo of the class counts; with the sigmoid the means are taken of
 * each label and summed, and a photo counts so much for a label that it has, 1 for another. */
typedef double inc_loss(const inc_answers *answers, const double *bias, const double *importance);
inc_loss inc_softmax_loss, inc_sigmoid_loss;

/* ---- temperature.c ---- */

/* The temperature at which the probabilities make what is shown most likely, nearer to 1 if photos are few. */
double inc_temperature(const inc_answers *answers, inception_activation activation);

/* ---- known.c: what is of none of the classes ---- */

/* Of a photo; cosines are -1...1. means[classes][values] have a length of 1. */
double inc_likeness(inception_unknown_score score, const float *features, const float *means, size_t values, int classes);

/* The means of the training photos of each class, [classes][values] of zeros before; and in info the score, the threshold,
 * which at least 95 % of the validation photos of the classes reach, 90 % where there are others, and how many do. */
inception_status inc_learn_known(const inception_examples *examples, float *means, inception_head_info *info,
                                 inception_error *error);

/* ---- minimise.c: a smooth function's smallest value, by L-BFGS ---- */

/* Value of the function at x[size], and its gradient. */
typedef inception_status inc_function(void *context, const double *x, double *value, double *gradient,
                                      inception_error *error);

/* x: where to begin, then the place. Ends when the gradient is shorter than `enough`, when no step leads down any more, or
 * after `most` steps. */
inception_status inc_minimise(inc_function *function, void *context, size_t size, double *x, double enough, int most,
                              inception_error *error);

#endif
