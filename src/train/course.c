/* A course of training: a learner and its model, with what lives from step to step.
 *
 * The graph's variables are the trainer's, so that the model can be written at any time as it is. With decay d the moving
 * average of a variable is s += (v - s) (1 - min(d, (1 + t) / (10 + t))) after step t, as TensorFlow's with a step counter;
 * it begins at the variable's first value. Only what changes has one: what is trained, and moving statistics that move. */
#include "train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SLOTS 3 /* of a variable: its average, two of the optimiser */

/* Something that is kept of each element of a variable, under a name of its own. */
typedef struct slot {
    inception_tensor tensor;
    float *values; /* tensor.data */
} slot;

struct inception_training {
    inception_training_options how;
    inc_model model;
    inc_learner *learner;
    uint64_t steps;
    float *sum; /* of gradients, [trained]; NULL: one batch is a step */
    float **changing; /* [values of the graph]: the trainer's memory of what training changes; NULL: it does not */
    float **averages; /* [values]: of that */
    slot *slots;
    size_t slot_count;
    inc_arena arena;
};

/* ---- the life of one ---- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The scope with the network's own in front where that is left out; NULL: nothing is called so. */
static const char *whole_scope(inc_course *c, const char *scope, inception_error *error)
{
    const inc_graph *graph = &c->model.graph;
    for (size_t v = 0; v < graph->value_count; v++)
        if (graph->values[v].variable && begins(graph->values[v].name, scope)) return scope;
    for (size_t v = 0; v < graph->value_count; v++) {
        const char *name = graph->values[v].name, *slash = graph->values[v].variable ? strchr(name, '/') : NULL;
        if (slash && begins(slash + 1, scope))
            return inc_arena_string(&c->arena, name, (size_t)(slash + 1 - name) + strlen(scope), error);
    }
    inc_fail(error, INCEPTION_NOT_FOUND, "no variable of %s begins with '%s'", c->model.shape.network->name, scope);
    return NULL;
}

static inc_learning learning_of(const inception_training_options *o, int threads, const char *const *scopes)
{
    inc_learning how = inc_learning_default();
    how.batch = o->batch, how.threads = threads;
    how.scopes = scopes, how.scope_count = o->scope_count;
    how.batch_statistics = o->batch_statistics, how.several_labels = o->several_labels;
    how.norm_decay = o->norm_decay, how.keep = o->keep, how.weight_decay = o->weight_decay;
    how.smoothing = o->label_smoothing, how.precision = o->model.precision;
    return how;
}

/* A slot called as the variable with an ending. */
static inception_status add_slot(inc_course *c, const inc_value *value, const char *ending, float *values,
                                 inception_error *error)
{
    char name[600];
    slot *s = &c->slots[c->slot_count++];
    snprintf(name, sizeof name, "%s/%s", value->name, ending);
    s->values = values;
    s->tensor = (inception_tensor){.name = inc_arena_string(&c->arena, name, strlen(name), error), .type = INCEPTION_F32,
                                   .rank = value->rank, .count = inc_value_count(value), .data = values};
    for (int d = 0; d < value->rank; d++) s->tensor.dims[d] = value->dims[d];
    return s->tensor.name && values ? INCEPTION_OK : INCEPTION_MEMORY;
}

/* What the optimiser remembers lies as what is trained does. */
static inception_status find_slots(inc_course *c, inception_error *error)
{
    static const char *const endings[][2] = {
        [INCEPTION_RMSPROP] = {"RMSProp", "RMSProp_1"},
        [INCEPTION_MOMENTUM] = {"Momentum"},
        [INCEPTION_ADAM] = {"Adam", "Adam_1"},
    };
    inc_trainer *trainer = inc_learner_trainer(c->learner);
    const inc_optimiser *optimiser = inc_learner_optimiser(c->learner);
    size_t count;
    const float *trained = inc_trainer_trained(trainer, &count);
    inception_status status = INCEPTION_OK;
    for (uint32_t v = 0; v < c->model.graph.value_count && !status; v++) {
        const inc_value *value = &c->model.graph.values[v];
        if (!c->changing[v]) continue;
        for (int s = 0; s < optimiser->slot_count && !status && inc_trainer_gradient(trainer, v); s++)
            status = add_slot(c, value, endings[c->how.optimiser][s], optimiser->slots[s] + (value->data - trained), error);
        if (status || c->how.average_decay <= 0) continue;
        c->averages[v] = inc_arena_alloc(&c->arena, (size_t)inc_value_count(value), sizeof(float), error);
        if (c->averages[v]) memcpy(c->averages[v], value->data, (size_t)inc_value_count(value) * sizeof(float));
        status = add_slot(c, value, "ExponentialMovingAverage", c->averages[v], error);
    }
    return status;
}

/* From here on the graph's variables are the trainer's. */
static inception_status follow(inc_course *c, inception_error *error)
{
    inc_graph *graph = &c->model.graph;
    c->changing = inc_arena_alloc(&c->arena, graph->value_count, sizeof *c->changing, error);
    c->averages = inc_arena_alloc(&c->arena, graph->value_count, sizeof *c->averages, error);
    c->slots = inc_arena_alloc(&c->arena, MOST_SLOTS * graph->value_count, sizeof *c->slots, error);
    if (!c->changing || !c->averages || !c->slots) return INCEPTION_MEMORY;
    for (uint32_t v = 0; v < graph->value_count; v++) {
        const float *values = inc_trainer_variable(inc_learner_trainer(c->learner), v);
        if (!graph->values[v].variable || values == graph->values[v].data) continue;
        c->changing[v] = (float *)values; /* which was copied for that */
        graph->values[v].data = values;
    }
    return find_slots(c, error);
}

static inception_status begin(inc_course *c, inception_error *error)
{
    const inception_training_options *how = &c->how;
    const int threads = how->model.threads ? how->model.threads : inception_cpu_count();
    const char **scopes = inc_arena_alloc(&c->arena, (size_t)how->scope_count + 1, sizeof *scopes, error);
    if (!scopes) return INCEPTION_MEMORY;
    for (int s = 0; s < how->scope_count; s++)
        if (!(scopes[s] = whole_scope(c, how->scopes[s], error))) return INCEPTION_NOT_FOUND;
    inc_learning learning = learning_of(how, threads, scopes);
    inc_optimiser_options rule = inc_optimiser_default(how->optimiser);
    rule.momentum = how->momentum, rule.decay = how->rms_decay;
    rule.beta1 = how->beta1, rule.beta2 = how->beta2, rule.epsilon = how->epsilon;
    c->learner = inc_learner_new(&c->model.graph, &learning, &rule, error);
    if (!c->learner) return INCEPTION_INTERNAL;
    size_t count;
    inc_trainer_trained(inc_learner_trainer(c->learner), &count);
    if (how->accumulate > 1 && !(c->sum = inc_calloc(count, sizeof *c->sum, error))) return INCEPTION_MEMORY;
    return follow(c, error);
}

inc_course *inc_course_new(inc_model *model, const inception_training_options *options, inception_error *error)
{
    inc_course *c = inc_calloc(1, sizeof *c, error);
    if (!c) return inc_model_close(model), NULL;
    c->how = *options;
    c->model = *model;
    c->model.activation = options->several_labels ? INCEPTION_SIGMOID : INCEPTION_SOFTMAX;
    c->model.written = INCEPTION_F32; /* to go on from */
    c->model.temperature = 1; /* this and the next were found with other weights */
    c->model.ranges = NULL, c->model.class_means = NULL, c->model.unknown_threshold = -INFINITY;
    c->model.features = INC_NONE;
    *model = (inc_model){0};
    if (!begin(c, error)) return c;
    inc_course_free(c);
    return NULL;
}

void inc_course_free(inc_course *c)
{
    if (!c) return;
    inc_learner_free(c->learner);
    inc_model_close(&c->model);
    inc_arena_free(&c->arena);
    free(c->sum);
    free(c);
}

const inc_model *inc_course_model(const inc_course *c)
{
    return &c->model;
}

uint64_t inc_course_steps(const inc_course *c)
{
    return c->steps;
}

/* ---- a step ---- */

/* Adds up the gradients of one batch of several; with the last one the mean of all takes the gradients' place. */
static void gather(inc_course *c, int batch)
{
    size_t count;
    inc_trainer *trainer = inc_learner_trainer(c->learner);
    inc_trainer_trained(trainer, &count);
    float *gradients = inc_trainer_gradients(trainer);
    const float part = 1.0f / (float)c->how.accumulate;
    for (size_t i = 0; i < count; i++) c->sum[i] = (batch ? c->sum[i] : 0) + gradients[i] * part;
    if (batch + 1 == c->how.accumulate) memcpy(gradients, c->sum, count * sizeof *gradients);
}

static void move_averages(inc_course *c)
{
    const double step = (double)c->steps, decay = fmin(c->how.average_decay, (1 + step) / (10 + step));
    const float rest = (float)(1 - decay);
    for (uint32_t v = 0; v < c->model.graph.value_count; v++) {
        const inc_value *value = &c->model.graph.values[v];
        float *average = c->averages[v];
        for (uint64_t i = 0; average && i < inc_value_count(value); i++) average[i] += (value->data[i] - average[i]) * rest;
    }
}

inception_status inc_course_step(inc_course *c, const float *inputs, const float *targets, const float *weights, double rate,
                                 inception_losses *losses, inception_error *error)
{
    const inception_input *input = &c->model.shape.input;
    const size_t size = (size_t)input->width * (size_t)input->height * 3, batch = (size_t)c->how.batch;
    *losses = (inception_losses){0};
    for (int a = 0; a < c->how.accumulate; a++) {
        const size_t from = (size_t)a * batch;
        uint64_t noise = c->how.seed ^ (c->steps * (uint64_t)c->how.accumulate + (uint64_t)a);
        inception_losses part;
        inception_status status =
            inc_learner_look(c->learner, inputs + from * size, targets + from * (size_t)inc_learner_classes(c->learner),
                             weights ? weights + from : NULL, inc_random(&noise), &part, error);
        if (status) return status;
        losses->classes += part.classes / c->how.accumulate, losses->heads += part.heads / c->how.accumulate;
        losses->decay = part.decay, losses->right += part.right, losses->answered += part.answered;
        if (c->sum) gather(c, a);
    }
    if (!isfinite(losses->classes + losses->heads + losses->decay))
        return inc_fail(error, INCEPTION_DATA, "step %llu: the loss is not finite any more; a smaller rate may help",
                        (unsigned long long)c->steps + 1);
    inc_learner_change(c->learner, rate);
    if (c->how.average_decay > 0) move_averages(c);
    c->steps++;
    return INCEPTION_OK;
}

/* ---- files ---- */

inception_status inc_course_write(inc_course *c, const char *out, const inception_text *texts, size_t text_count,
                                  inception_error *error)
{
    char steps[24];
    inception_tensor *slots = inc_calloc(c->slot_count + 1, sizeof *slots, error);
    inception_text *all = inc_calloc(text_count + 1, sizeof *all, error);
    inception_status status = slots && all ? INCEPTION_OK : INCEPTION_MEMORY;
    if (!status) {
        snprintf(steps, sizeof steps, "%llu", (unsigned long long)c->steps);
        size_t count = 0;
        all[count++] = (inception_text){"global_step", steps};
        for (size_t i = 0; i < text_count; i++) /* of an earlier file, perhaps: its step is another one */
            if (strcmp(texts[i].key, "global_step") != 0) all[count++] = texts[i];
        for (size_t s = 0; s < c->slot_count; s++) slots[s] = c->slots[s].tensor;
        c->model.texts = all, c->model.text_count = count;
        c->model.slots = slots, c->model.slot_count = c->slot_count;
        status = inc_model_write(&c->model, out, INCEPTION_FORMAT_MODEL_FILE, error);
        c->model.texts = NULL, c->model.text_count = 0;
        c->model.slots = NULL, c->model.slot_count = 0;
    }
    free(slots);
    free(all);
    return status;
}

/* Only checks where it is to be copied to nowhere. */
static inception_status copy_tensor(const inception_weights *weights, const inception_tensor *like, float *to,
                                    const char *path, inception_error *error)
{
    const inception_tensor *tensor = inc_weights_find(weights, like->name);
    if (!tensor || tensor->type != INCEPTION_F32 || tensor->count != like->count)
        return inc_fail(error, INCEPTION_MISMATCH, "%s: %s is missing or not as this training wants it", path, like->name);
    if (to) memcpy(to, tensor->data, tensor->count * sizeof *to);
    return INCEPTION_OK;
}

static inception_status copy_all(inc_course *c, const inception_weights *weights, bool copy, const char *path,
                                 inception_error *error)
{
    inception_status status = INCEPTION_OK;
    const inc_graph *graph = &c->model.graph;
    for (uint32_t v = 0; v < graph->value_count && !status; v++) {
        const inc_value *value = &graph->values[v];
        const inception_tensor like = {.name = value->name, .count = inc_value_count(value)};
        if (c->changing[v]) status = copy_tensor(weights, &like, copy ? c->changing[v] : NULL, path, error);
    }
    for (size_t s = 0; s < c->slot_count && !status; s++)
        status = copy_tensor(weights, &c->slots[s].tensor, copy ? c->slots[s].values : NULL, path, error);
    return status;
}

inception_status inc_course_resume(inc_course *c, const char *path, inception_error *error)
{
    inception_error own = {0};
    inception_weights *weights = inc_weights_open(path, &own);
    if (!weights) return inc_pass(error, &own);
    const char *steps = inc_weights_metadata(weights, "global_step");
    inception_status status =
        steps ? INCEPTION_OK : inc_fail(error, INCEPTION_MISMATCH, "%s: no training can go on from here", path);
    if (!status) status = copy_all(c, weights, false, path, error); /* what is refused changes nothing */
    if (!status && (!*steps || steps[strspn(steps, "0123456789")] || strlen(steps) > 18))
        status = inc_fail(error, INCEPTION_DATA, "%s: a global_step of '%.40s' is no number of steps", path, steps);
    if (!status) status = copy_all(c, weights, true, path, error);
    if (!status) c->steps = inc_learner_optimiser(c->learner)->steps = strtoull(steps, NULL, 10);
    inc_weights_close(weights);
    return status;
}
