/* One step of training: the batch forward, its losses, the batch backward, the decay of weights, the optimiser. */
#include "train.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A classifier of the network: a kept value. */
typedef struct head {
    uint32_t value;
    double weight;
} head;

struct inc_learner {
    inc_learning how;
    inc_graph *graph;
    inc_pool *pool;
    inc_trainer *trainer;
    inc_optimiser optimiser;
    bool *trained; /* [values] */
    head *heads;
    size_t head_count;
    int classes;
    float *logits, *gradient; /* [batch][classes] */
    double *decays;      /* [values]: what the decay of each adds to the loss */
    double frozen_decay; /* of what is decayed but not trained: it does not change */
};

inc_learning inc_learning_default(void)
{
    return (inc_learning){.batch_statistics = true, .norm_decay = 0.9997, .keep = 0.8, .weight_decay = 4e-5,
                          .head_weight = 0.4};
}

/* ---- which variables ---- */

static bool in_scopes(const inc_learning *how, const char *name)
{
    bool in = how->scope_count == 0;
    for (int s = 0; s < how->scope_count; s++) in = in || strncmp(name, how->scopes[s], strlen(how->scopes[s])) == 0;
    return in;
}

/* Moving statistics follow the batches, not a gradient. The last node is the classifier. */
static void mark_trained(inc_learner *l)
{
    const inc_graph *graph = l->graph;
    for (size_t n = 0; n < graph->node_count; n++) {
        const inc_node *node = &graph->nodes[n];
        bool conv = node->op == INC_OP_CONV || node->op == INC_OP_DEPTHWISE, norm = node->op == INC_OP_NORM;
        const uint32_t variables[2] = {conv ? node->conv.weights : norm ? node->norm.beta : INC_NONE,
                                       conv ? node->conv.bias : norm ? node->norm.gamma : INC_NONE};
        const bool last = n + 1 == graph->node_count;
        for (int i = 0; i < 2; i++)
            if (variables[i] != INC_NONE)
                l->trained[variables[i]] = last || in_scopes(&l->how, graph->values[variables[i]].name);
    }
}

/* What the threads share while weights decay: each takes the next variable, and leaves its part of the loss. */
typedef struct decaying {
    inc_learner *l;
    bool trained;
    atomic_uint next;
} decaying;

static void decay_some(void *context, int thread)
{
    decaying *d = context;
    inc_learner *l = d->l;
    uint32_t v;
    (void)thread;
    while ((v = atomic_fetch_add(&d->next, 1)) < l->graph->value_count) {
        const inc_value *value = &l->graph->values[v];
        l->decays[v] = 0;
        if (!value->variable || l->trained[v] != d->trained || !inc_is_decayed(value->name)) continue;
        l->decays[v] = inc_weight_decay(inc_trainer_variable(l->trainer, v), (size_t)inc_value_count(value),
                                        l->how.weight_decay, inc_trainer_gradient(l->trainer, v));
    }
}

/* Of all that is decayed and trained, or decayed and not. */
static double decay(inc_learner *l, bool trained)
{
    decaying all = {.l = l, .trained = trained};
    double sum = 0;
    if (l->how.weight_decay <= 0) return 0;
    inc_pool_run(l->pool, decay_some, &all);
    for (uint32_t v = 0; v < l->graph->value_count; v++) sum += l->decays[v];
    return sum;
}

/* ---- the life of one ---- */

/* Every kept value is a classifier; the last one is the network's own. */
static inception_status find_heads(inc_learner *l, inception_error *error)
{
    const inc_graph *graph = l->graph;
    for (uint32_t v = 0; v < graph->value_count; v++) {
        const inc_value *value = &graph->values[v];
        if (!value->kept) continue;
        if (value->dims[1] * value->dims[2] != 1 || (l->classes && value->dims[3] != l->classes))
            return inc_fail(error, INCEPTION_UNSUPPORTED, "%s: not a classifier of one answer a photo", value->name);
        l->classes = (int)value->dims[3];
        l->heads[l->head_count++] = (head){v, l->how.head_weight};
    }
    if (!l->head_count) return inc_fail(error, INCEPTION_UNSUPPORTED, "a network without classifier cannot be trained");
    l->heads[l->head_count - 1].weight = 1;
    return INCEPTION_OK;
}

static inception_status begin(inc_learner *l, const inc_optimiser_options *optimiser, inception_error *error)
{
    const unsigned dropping = l->how.keep < 1 ? 0 : INC_DROP_IDENTITIES;
    inception_status status = inc_graph_rewrite(l->graph, INC_TRAINING_REWRITES | dropping, inc_engine_granularity(), error);
    if (status) return status;
    l->trained = inc_calloc(l->graph->value_count, sizeof *l->trained, error);
    l->heads = inc_calloc(l->graph->value_count, sizeof *l->heads, error);
    l->decays = inc_calloc(l->graph->value_count, sizeof *l->decays, error);
    if (!l->trained || !l->heads || !l->decays) return INCEPTION_MEMORY;
    mark_trained(l);
    if ((status = find_heads(l, error))) return status;
    size_t count = (size_t)l->how.batch * (size_t)l->classes, trained;
    l->logits = inc_calloc(count, sizeof *l->logits, error);
    l->gradient = inc_calloc(count, sizeof *l->gradient, error);
    l->pool = inc_pool_new(l->how.threads, error);
    if (!l->logits || !l->gradient || !l->pool) return INCEPTION_MEMORY;
    inc_training how = {.batch = l->how.batch, .threads = l->how.threads, .pool = l->pool, .trained = l->trained,
                        .batch_statistics = l->how.batch_statistics, .norm_decay = l->how.norm_decay, .keep = l->how.keep,
                        .precision = l->how.precision};
    l->trainer = inc_trainer_new(l->graph, &how, error);
    if (!l->trainer) return INCEPTION_INTERNAL;
    l->frozen_decay = decay(l, false);
    inc_trainer_trained(l->trainer, &trained);
    return inc_optimiser_begin(&l->optimiser, optimiser, trained, error);
}

inc_learner *inc_learner_new(inc_graph *graph, const inc_learning *how, const inc_optimiser_options *optimiser,
                             inception_error *error)
{
    inc_learner *l = inc_calloc(1, sizeof *l, error);
    if (!l) return NULL;
    l->how = *how;
    l->graph = graph;
    if (!begin(l, optimiser, error)) return l;
    inc_learner_free(l);
    return NULL;
}

void inc_learner_free(inc_learner *l)
{
    if (!l) return;
    inc_optimiser_end(&l->optimiser);
    inc_trainer_free(l->trainer);
    inc_pool_free(l->pool);
    free(l->trained);
    free(l->heads);
    free(l->decays);
    free(l->logits);
    free(l->gradient);
    free(l);
}

inc_trainer *inc_learner_trainer(const inc_learner *l)
{
    return l->trainer;
}

inc_optimiser *inc_learner_optimiser(inc_learner *l)
{
    return &l->optimiser;
}

int inc_learner_classes(const inc_learner *l)
{
    return l->classes;
}

/* ---- a step ---- */

static int largest_of(const float *values, int count)
{
    int largest = 0;
    for (int i = 1; i < count; i++)
        if (values[i] > values[largest]) largest = i;
    return largest;
}

static void count_right(const inc_learner *l, const float *targets, inception_losses *losses)
{
    const float *logits = l->logits;
    losses->answered = losses->right = 0;
    for (int n = 0; n < l->how.batch; n++, targets += l->classes, logits += l->classes) {
        bool told = l->how.several_labels, right = true;
        for (int c = 1; c < l->classes; c++) told = told || targets[c] != targets[0];
        for (int c = 0; c < l->classes; c++) right = right && (logits[c] > 0) == (targets[c] > 0.5f);
        if (!l->how.several_labels) right = largest_of(logits, l->classes) == largest_of(targets, l->classes);
        losses->answered += told;
        losses->right += told && right;
    }
}

inception_status inc_learner_look(inc_learner *l, const float *inputs, const float *targets, const float *weights,
                                  uint64_t noise, inception_losses *losses, inception_error *error)
{
    const inc_targets all = {l->how.batch, l->classes, targets, weights, l->how.smoothing};
    inception_status status = inc_trainer_forward(l->trainer, inputs, noise, error);
    *losses = (inception_losses){.decay = l->frozen_decay};
    for (size_t h = 0; h < l->head_count && !status; h++) {
        const head *at = &l->heads[h];
        inc_trainer_read(l->trainer, at->value, l->logits);
        double loss = l->how.several_labels ? inc_sigmoid_cross_entropy(&all, l->logits, at->weight, l->gradient)
                                            : inc_softmax_cross_entropy(&all, l->logits, at->weight, l->gradient);
        *(h + 1 < l->head_count ? &losses->heads : &losses->classes) += loss;
        inc_trainer_push(l->trainer, at->value, l->gradient);
        count_right(l, targets, losses); /* the last one's stays */
    }
    if (!status) status = inc_trainer_backward(l->trainer, error);
    if (!status) losses->decay += decay(l, true);
    return status;
}

void inc_learner_change(inc_learner *l, double rate)
{
    size_t count;
    float *values = inc_trainer_trained(l->trainer, &count);
    inc_optimiser_step(&l->optimiser, rate, values, inc_trainer_gradients(l->trainer), l->pool, l->how.threads);
}
