/* Logistic regression on features, in whole passes over all photos:
 *
 *     mean over the training photos, weighted by class, of -log softmax(W x + b)[right]  +  penalty / 2 |W|^2
 *
 * or, where a photo may have several labels, with the sum over labels of the means of -log of what the sigmoid gives to the
 * truth: a regression for each label, which have only the penalty in common.
 *
 * The features are moved to a mean of 0 and scaled to a mean square length of 1, so that a penalty means the same whatever
 * the network; biases are free, so moving changes nothing but how fast the minimum is found. Penalties are tried from the
 * strongest on, each beginning where the one before ended, until the validation photos fare worse. The best is taken, and
 * with it the validation photos are learnt too, once they have told how often it is right and at which temperature.
 * Everything is done in one order on one thread: the same bits whatever the machine is busy with. */
#include "head.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRONGEST 0.1
#define RATIO 0.31622776601683794 /* two penalties in a decade */
#define PENALTIES 15
#define WORSE_IN_A_ROW 3
#define STEPS 300
#define SHORTEST 1e-5 /* gradient: what is left to gain is far below what a photo more or less changes */

/* The photos in order of their parts. */
typedef struct lesson {
    const inception_examples *examples;
    size_t values, counts[INCEPTION_PARTS];
    size_t learnt;                /* photos, from the first on */
    int classes;
    double *mean, length;         /* of the features that are learnt from */
    float *x;                     /* [count][values], moved and scaled */
    bool *shown, *examined;       /* [count][classes]: what the photos show; those of the part that is examined */
    double *importance;           /* [classes], of each photo of the class */
    inc_loss *loss;
    double penalty;
    float *weights, *gradient;    /* [classes][values] */
    float *logits;                /* [count][classes]; of training, then their gradients */
    double *place, *best;         /* [classes][values + 1]: weights, then the biases of all */
} lesson;

static void free_lesson(lesson *l)
{
    void *const all[] = {l->mean, l->x, l->shown, l->examined, l->importance, l->weights, l->gradient, l->logits,
                         l->place, l->best};
    for (size_t i = 0; i < INC_COUNT(all); i++) free(all[i]);
}

static bool allocate(lesson *l, inception_error *error)
{
    size_t count = l->examples->count, classes = (size_t)l->classes, weights;
    if (!inc_mul(l->values + 1, classes, &weights)) return inc_fail_memory(error, 0), false;
    return (l->mean = inc_calloc(l->values, sizeof *l->mean, error))
        && (l->x = inc_calloc(count * l->values, sizeof *l->x, error))
        && (l->shown = inc_calloc(count * classes, sizeof *l->shown, error))
        && (l->examined = inc_calloc(count * classes, sizeof *l->examined, error))
        && (l->importance = inc_calloc(classes, sizeof *l->importance, error))
        && (l->weights = inc_calloc(weights, sizeof *l->weights, error))
        && (l->gradient = inc_calloc(weights, sizeof *l->gradient, error))
        && (l->logits = inc_calloc(count * classes, sizeof *l->logits, error))
        && (l->place = inc_calloc(weights, sizeof *l->place, error))
        && (l->best = inc_calloc(weights, sizeof *l->best, error));
}

/* ---- The photos ---- */

/* In that part; those of none of the classes are for known.c alone. */
static bool is_of(const inception_examples *e, size_t photo, inception_part part)
{
    return e->parts[photo] == part && inc_has_answer(e, photo);
}

static void measure_features(lesson *l)
{
    const inception_examples *e = l->examples;
    for (size_t i = 0; i < e->count; i++)
        for (size_t v = 0; v < l->values && is_of(e, i, INCEPTION_TRAIN); v++)
            l->mean[v] += (double)e->features[i * l->values + v] / (double)l->counts[INCEPTION_TRAIN];
    double squares = 0, whole = 0;
    for (size_t i = 0; i < e->count; i++)
        for (size_t v = 0; v < l->values && is_of(e, i, INCEPTION_TRAIN); v++) {
            double x = (double)e->features[i * l->values + v] - l->mean[v];
            squares += x * x;
            whole += l->mean[v] * l->mean[v];
        }
    bool alike = squares <= 1e-12 * whole; /* but for rounding */
    l->length = alike ? 1 : sqrt(squares / (double)l->counts[INCEPTION_TRAIN]);
}

static bool shows(const inception_examples *e, size_t photo, int class)
{
    return e->labels ? e->labels[photo * (size_t)e->class_count + (size_t)class] : e->classes[photo] == class;
}

static void arrange(lesson *l)
{
    const inception_examples *e = l->examples;
    size_t at = 0;
    for (int part = 0; part < INCEPTION_PARTS; part++)
        for (size_t i = 0; i < e->count; i++) {
            if (!is_of(e, i, (inception_part)part)) continue;
            for (size_t v = 0; v < l->values; v++)
                l->x[at * l->values + v] = (float)(((double)e->features[i * l->values + v] - l->mean[v]) / l->length);
            for (int c = 0; c < l->classes; c++) l->shown[at * (size_t)l->classes + (size_t)c] = shows(e, i, c);
            at++;
        }
}

/* ---- The loss ---- */

/* Of `count` photos from `first` on; their logits become the gradients for them. */
static double loss_of(lesson *l, size_t first, size_t count)
{
    const size_t at = first * (size_t)l->classes;
    const inc_answers answers = {count, l->classes, l->logits + at, l->shown + at};
    return l->loss(&answers, l->place + (size_t)l->classes * l->values, l->importance);
}

/* W x of `count` photos from `first` on. */
static inception_status multiply(lesson *l, size_t first, size_t count, inception_error *error)
{
    for (size_t i = 0; i < (size_t)l->classes * l->values; i++) l->weights[i] = (float)l->place[i];
    const inc_product logits = {.m = count, .n = (size_t)l->classes, .k = l->values, .a = l->x + first * l->values,
                                .b = l->weights, .b_transposed = true, .c = l->logits + first * (size_t)l->classes};
    return inc_multiply(&logits, error);
}

/* An inc_function of the weights and biases. */
static inception_status training_loss(void *context, const double *place, double *value, double *gradient,
                                      inception_error *error)
{
    lesson *l = context;
    const size_t count = l->learnt, weights = (size_t)l->classes * l->values;
    double *held = l->place;
    l->place = (double *)place; /* only read */
    inception_status status = multiply(l, 0, count, error);
    *value = status ? 0 : loss_of(l, 0, count);
    l->place = held;
    const inc_product back = {.m = (size_t)l->classes, .n = l->values, .k = count, .a = l->logits, .a_transposed = true,
                              .b = l->x, .c = l->gradient};
    if (!status) status = inc_multiply(&back, error);
    for (size_t i = 0; i < weights; i++) {
        *value += l->penalty / 2 * place[i] * place[i];
        gradient[i] = (double)l->gradient[i] + l->penalty * place[i];
    }
    memset(gradient + weights, 0, (size_t)l->classes * sizeof *gradient);
    for (size_t i = 0; i < count * (size_t)l->classes; i++)
        gradient[weights + i % (size_t)l->classes] += (double)l->logits[i];
    return status;
}

/* ---- The choice ---- */

static inception_status search_penalties(lesson *l, inception_head *head, inception_error *error)
{
    const size_t size = (size_t)l->classes * (l->values + 1);
    const size_t first = l->counts[INCEPTION_TRAIN], count = l->counts[INCEPTION_VALIDATION];
    double least = INFINITY;
    inception_status status = INCEPTION_OK;
    l->penalty = STRONGEST;
    l->learnt = first;
    for (int i = 0, worse = 0; i < PENALTIES && worse < WORSE_IN_A_ROW && !status; i++, l->penalty *= RATIO) {
        status = inc_minimise(training_loss, l, size, l->place, SHORTEST, STEPS, error);
        if (!status) status = multiply(l, first, count, error);
        double loss = status ? 0 : loss_of(l, first, count);
        worse = loss < least ? 0 : worse + 1;
        if (status || worse) continue;
        least = loss;
        head->info.penalty = l->penalty;
        memcpy(l->best, l->place, size * sizeof *l->best);
    }
    return status;
}

/* The layer for features as they come. */
static void unfold(const lesson *l, inception_head *head)
{
    const size_t classes = (size_t)l->classes;
    for (size_t c = 0; c < classes; c++) {
        double bias = l->best[classes * l->values + c];
        for (size_t v = 0; v < l->values; v++) {
            double weight = l->best[c * l->values + v] / l->length;
            head->weights[v * classes + c] = (float)weight;
            bias -= weight * l->mean[v];
        }
        head->biases[c] = (float)bias;
    }
}

/* The largest logit is that of the class; with the sigmoid, those above 0 are those of the labels. */
static bool is_right(const float *logits, const bool *shown, int classes, inception_activation activation)
{
    int best = 0, same = 0;
    for (int c = 0; c < classes; c++) {
        if (logits[c] > logits[best]) best = c;
        same += (logits[c] > 0) == shown[c];
    }
    return activation == INCEPTION_SIGMOID ? same == classes : shown[best];
}

/* How many photos of a part the layer is right about; for validation the temperature too. */
static inception_status examine(lesson *l, inception_head *head, inception_part part, inception_error *error)
{
    const inception_examples *e = l->examples;
    const size_t classes = (size_t)l->classes;
    size_t count = 0;
    inception_status status = inc_head_logits(head, e->features, e->count, l->logits, error);
    for (size_t i = 0; i < e->count && !status; i++) {
        const float *z = l->logits + i * classes;
        bool *shown = l->examined + count * classes;
        if (!is_of(e, i, part)) continue;
        for (int c = 0; c < l->classes; c++) shown[c] = shows(e, i, c);
        head->info.right[part] += is_right(z, shown, l->classes, head->activation);
        memmove(l->logits + count++ * classes, z, classes * sizeof *z);
    }
    head->info.photos[part] = count;
    const inc_answers answers = {count, l->classes, l->logits, l->examined};
    if (part == INCEPTION_VALIDATION) head->info.temperature = inc_temperature(&answers, head->activation);
    return status;
}

/* With several labels a photo of none of them is nothing unusual. */
static inception_status know(lesson *l, inception_head *head, inception_error *error)
{
    const inception_examples *e = l->examples;
    head->info.unknown_threshold = -INFINITY;
    if (e->labels) return INCEPTION_OK;
    return inc_learn_known(e, head->means, &head->info, error);
}

static inception_status learn(lesson *l, inception_head *head, inception_error *error)
{
    const double *weights = l->examples->class_weights;
    const bool all = !l->examples->training_only;
    for (int c = 0; c < l->classes; c++) l->importance[c] = weights ? weights[c] : 1;
    measure_features(l);
    arrange(l);
    inception_status status = search_penalties(l, head, error);
    if (status) return status;
    unfold(l, head);
    status = examine(l, head, INCEPTION_VALIDATION, error);
    l->penalty = head->info.penalty;
    if (!status && all) {
        l->learnt += l->counts[INCEPTION_VALIDATION];
        status = inc_minimise(training_loss, l, (size_t)l->classes * (l->values + 1), l->best, SHORTEST, STEPS, error);
        unfold(l, head);
    }
    if (!status) status = examine(l, head, INCEPTION_TRAIN, error);
    if (!status) status = examine(l, head, INCEPTION_TEST, error);
    return status ? status : know(l, head, error);
}

/* ---- The layer ---- */

/* With memory for both; what is done with them is `make`. */
static inception_head *make_head(const inception_examples *examples,
                                 inception_status (*make)(lesson *l, inception_head *head, inception_error *error),
                                 const float *weights, const float *biases, inception_error *error)
{
    lesson l = {.examples = examples, .values = examples->values, .classes = examples->class_count};
    const size_t classes = (size_t)l.classes;
    inception_head *head = inc_calloc(1, sizeof *head, error);
    inception_status status = INCEPTION_MEMORY;
    for (size_t i = 0; i < examples->count; i++) l.counts[examples->parts[i]] += inc_has_answer(examples, i);
    if (head) head->values = l.values, head->classes = l.classes;
    if (head) head->activation = examples->labels ? INCEPTION_SIGMOID : INCEPTION_SOFTMAX;
    l.loss = examples->labels ? inc_sigmoid_loss : inc_softmax_loss;
    if (head && allocate(&l, error) && (head->weights = inc_calloc(l.values * classes, sizeof(float), error))
        && (head->means = inc_calloc(l.values * classes, sizeof(float), error))
        && (head->biases = inc_calloc(classes, sizeof(float), error))) {
        if (weights) memcpy(head->weights, weights, l.values * classes * sizeof *weights);
        if (biases) memcpy(head->biases, biases, classes * sizeof *biases);
        status = make(&l, head, error);
    }
    free_lesson(&l);
    if (!status) return head;
    inc_head_free(head);
    return NULL;
}

static inception_status measure(lesson *l, inception_head *head, inception_error *error)
{
    inception_status status = INCEPTION_OK;
    for (int p = 0; p < INCEPTION_PARTS && !status; p++) status = examine(l, head, (inception_part)p, error);
    return status ? status : know(l, head, error);
}

inception_head *inc_head_train(const inception_examples *examples, inception_error *error)
{
    return make_head(examples, learn, NULL, NULL, error);
}

inception_head *inc_head_measure(const inception_examples *examples, const float *weights, const float *biases,
                                 inception_error *error)
{
    return make_head(examples, measure, weights, biases, error);
}

void inc_head_free(inception_head *head)
{
    if (!head) return;
    free(head->weights);
    free(head->biases);
    free(head->means);
    free(head);
}

inception_status inc_head_logits(const inception_head *head, const float *features, size_t count, float *logits,
                                 inception_error *error)
{
    const inc_product product = {.m = count, .n = (size_t)head->classes, .k = head->values, .a = features,
                                 .b = head->weights, .c = logits};
    inception_status status = inc_multiply(&product, error);
    const size_t classes = (size_t)head->classes;
    for (size_t i = 0; i < count * classes && !status; i++) logits[i] += head->biases[i % classes];
    return status;
}
