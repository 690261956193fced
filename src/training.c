/* The public functions that train a network. As in inception.c no algorithm lives here. */
#include "model/model.h"
#include "private.h"
#include "train/train.h"

#include <math.h>

void inception_training_options_default(inception_training_options *options)
{
    const inc_learning how = inc_learning_default();
    const inc_optimiser_options rmsprop = inc_optimiser_default(INCEPTION_RMSPROP);
    const inc_optimiser_options adam = inc_optimiser_default(INCEPTION_ADAM);
    *options = (inception_training_options){
        .batch = 32, .accumulate = 1, .optimiser = INCEPTION_RMSPROP, .momentum = rmsprop.momentum,
        .rms_decay = rmsprop.decay, .beta1 = adam.beta1, .beta2 = adam.beta2, .epsilon = rmsprop.epsilon,
        .norm_decay = how.norm_decay, .keep = how.keep, .weight_decay = how.weight_decay,
    };
    inception_model_options_default(&options->model);
}

/* ---- checks ---- */

static inception_status check_ranges(const inception_training_options *o, inception_error *error)
{
    const struct { const char *name; double value, low, high; } numbers[] = {
        {"batch", o->batch, 1, 65536}, {"accumulate", o->accumulate, 1, 65536}, {"momentum", o->momentum, 0, 1},
        {"rms_decay", o->rms_decay, 0, 1},
        {"beta1", o->beta1, 0, 1 - 0x1p-24}, {"beta2", o->beta2, 0, 1 - 0x1p-24}, /* Adam divides by the rest */
        {"epsilon", o->epsilon, o->optimiser == INCEPTION_MOMENTUM ? 0 : 0x1p-126, 1e6}, /* or 0 by 0 */
        {"norm_decay", o->norm_decay, 0, 1}, {"keep", o->keep, 0x1p-10, 1},
        {"weight_decay", o->weight_decay, 0, 1e3}, {"label_smoothing", o->label_smoothing, 0, 1},
        {"average_decay", o->average_decay, 0, 1}, {"optimiser", o->optimiser, 0, INCEPTION_ADAM},
        {"scope_count", o->scope_count, 0, 1e6},
    };
    for (size_t i = 0; i < INC_COUNT(numbers); i++)
        if (!(numbers[i].value >= numbers[i].low && numbers[i].value <= numbers[i].high))
            return inc_fail(error, INCEPTION_INVALID, "%s: %g is not %g to %g", numbers[i].name, numbers[i].value,
                            numbers[i].low, numbers[i].high);
    if (o->model.precision != INCEPTION_PRECISION_F32 && o->model.precision != INCEPTION_PRECISION_BF16)
        return inc_fail(error, INCEPTION_UNSUPPORTED, "precision: training wants F32 or BF16");
    if (o->model.final_layer)
        return inc_fail(error, INCEPTION_INVALID, "final_layer: what is trained is the network of the file, whole");
    if (o->scope_count && !o->scopes) return inc_fail(error, INCEPTION_INVALID, "scopes: none given");
    for (int i = 0; i < o->scope_count; i++)
        if (!o->scopes[i]) return inc_fail(error, INCEPTION_INVALID, "scopes: number %d is NULL", i);
    return inc_check_options(&o->model, error);
}

static inception_status check_labels(const inception_training_options *o, inception_error *error)
{
    const int fewest = o->several_labels ? 1 : 2;
    if (!o->labels || o->class_count < fewest || o->class_count > 1000000)
        return inc_fail(error, INCEPTION_INVALID, "labels: none given, or not of %d to 1000000 classes", fewest);
    return inc_check_labels(o->labels, o->class_count, error);
}

/* ---- opening ---- */

static inception_status begin_anew(inc_model *model, const inception_training_options *o, inception_error *error)
{
    const inception_network *network = inception_network_find(o->model.network);
    if (!network)
        return inc_fail(error, INCEPTION_NOT_FOUND, "no network is called '%s'", o->model.network ? o->model.network : "");
    inception_status status = check_labels(o, error);
    if (status) return status;
    inc_shape shape = inc_shape_default(network);
    shape.classes = o->class_count, shape.heads = true;
    inc_shape_set(&shape, &o->model);
    return inc_model_begin(model, &shape, o->labels, o->seed, error);
}

inception_training *inception_training_open(const char *path, const inception_training_options *options,
                                            inception_error *error)
{
    inception_training_options defaults;
    inception_training_options_default(&defaults);
    if (!options) options = &defaults;
    if (check_ranges(options, error)) return NULL;
    const inception_model_options whole = inc_whole_options(&options->model);
    inc_model model = {0};
    inception_status status = path ? inc_model_open(&model, path, &whole, false, error) : begin_anew(&model, options, error);
    if (!status && path && options->class_count && options->class_count != model.shape.classes) {
        status = inc_fail(error, INCEPTION_MISMATCH, "%s: has %d classes, not %d", path, model.shape.classes,
                          options->class_count);
        inc_model_close(&model);
    }
    return status ? NULL : inc_course_new(&model, options, error);
}

void inception_training_close(inception_training **training)
{
    if (!training || !*training) return;
    inc_course_free(*training);
    *training = NULL;
}

const inception_input *inception_training_input(const inception_training *training)
{
    return &inc_course_model(training)->shape.input;
}

uint64_t inception_training_steps(const inception_training *training)
{
    return inc_course_steps(training);
}

/* ---- steps ---- */

inception_status inception_training_step(inception_training *training, const float *inputs, const float *targets,
                                         const float *weights, double rate, inception_losses *losses, inception_error *error)
{
    inception_losses ignored;
    if (!training || !inputs || !targets)
        return inc_fail(error, INCEPTION_INVALID, "inception_training_step: no training, inputs or targets given");
    if (!(rate >= 0 && isfinite(rate))) return inc_fail(error, INCEPTION_INVALID, "rate: %g is not 0 or more", rate);
    return inc_course_step(training, inputs, targets, weights, rate, losses ? losses : &ignored, error);
}

/* ---- files ---- */

inception_status inception_training_write(inception_training *training, const char *out, const inception_text *texts,
                                          size_t text_count, inception_error *error)
{
    if (!training || !out || (text_count && !texts))
        return inc_fail(error, INCEPTION_INVALID, "inception_training_write: no training or path given");
    inception_status status = inc_check_texts(texts, text_count, error);
    return status ? status : inc_course_write(training, out, texts, text_count, error);
}

inception_status inception_training_resume(inception_training *training, const char *path, inception_error *error)
{
    if (training && path) return inc_course_resume(training, path, error);
    return inc_fail(error, INCEPTION_INVALID, "inception_training_resume: no training or path given");
}
