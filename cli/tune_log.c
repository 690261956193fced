/* What is told of a training while it runs: a line on the terminal, a line for each epoch, and the log for TensorBoard. */
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PICTURES 4 /* of the first step, in the log */

struct tune_log {
    tune_facts facts;
    inception_events *events;
    inception_losses sum; /* since the last epoch's line */
    double shown, begun;  /* seconds */
    uint64_t logged_at;   /* step of that line */
};

tune_log *tune_log_open(const tune_facts *facts, const char *folder, const char *model,
                        const inception_model_options *options, inception_error *error)
{
    tune_log *log = calloc(1, sizeof *log);
    if (!log) return fail(error, INCEPTION_MEMORY, "out of memory"), NULL;
    *log = (tune_log){.facts = *facts, .begun = progress_now(), .logged_at = facts->first};
    log->events = inception_events_open(folder, error);
    if (log->events && !inception_events_add_graph(log->events, model, options, error)) return log;
    tune_log_close(&log);
    return NULL;
}

void tune_log_close(tune_log **log)
{
    if (!*log) return;
    status_line(NULL);
    inception_events_close(&(*log)->events);
    free(*log);
    *log = NULL;
}

static void format_left(const tune_log *log, uint64_t step, char *text, size_t size, double *rate)
{
    char left[LEFT_TEXT];
    double steps = (double)(step - log->facts.first) / (progress_now() - log->begun + 1e-9);
    left_text((double)(log->facts.steps - step) / steps, left);
    *rate = steps * (double)log->facts.photos;
    snprintf(text, size, "%.1f photos/s%s%s", *rate, *left ? ", " : "", left);
}

/* "loss 0.1234, 56.7 % right" */
static void format_mean(const tune_log *log, uint64_t step, char *text, size_t size)
{
    const double steps = (double)(step - log->logged_at);
    *text = '\0';
    if (steps > 0)
        snprintf(text, size, "loss %.4f, %.1f %% right", (log->sum.classes + log->sum.heads + log->sum.decay) / steps,
                 100.0 * log->sum.right / fmax(log->sum.answered, 1));
}

void tune_log_step(tune_log *log, uint64_t step, int epoch, const inception_losses *losses)
{
    char line[200], left[64], mean[64];
    double rate;
    log->sum.classes += losses->classes, log->sum.heads += losses->heads, log->sum.decay += losses->decay;
    log->sum.right += losses->right, log->sum.answered += losses->answered;
    if (log->facts.quiet || !progress_width() || progress_now() - log->shown < 0.2) return;
    log->shown = progress_now();
    format_left(log, step, left, sizeof left, &rate);
    format_mean(log, step, mean, sizeof mean);
    snprintf(line, sizeof line, "epoch %d of %d, step %llu: %s, %s", epoch, log->facts.epochs, (unsigned long long)step,
             mean, left);
    int room = progress_width() - 1;
    if (room >= 0 && (size_t)room < sizeof line) line[room] = '\0';
    status_line(line);
}

/* What goes with a variable while it is trained is called as that, a slash and more. */
static bool is_slot(const inception_weights *weights, const char *name)
{
    const char *last = strrchr(name, '/');
    char variable[512];
    if (!last || (size_t)(last - name) >= sizeof variable) return false;
    snprintf(variable, sizeof variable, "%.*s", (int)(last - name), name);
    return inception_weights_find(weights, variable) != NULL;
}

/* What TF-Slim shows of the variables that the network has in the end. */
static void add_histograms(tune_log *log, const char *checkpoint, int64_t step, inception_error *error)
{
    inception_weights *weights = inception_weights_open(checkpoint, error);
    for (size_t i = 0; weights && i < inception_weights_count(weights); i++) {
        const inception_tensor *tensor = inception_weights_tensor(weights, i);
        if (tensor->type == INCEPTION_F32 && !is_slot(weights, tensor->name))
            inception_events_add_histogram(log->events, tensor->name, step, tensor->data, tensor->count, error);
    }
    inception_weights_close(&weights);
}

void tune_log_epoch(tune_log *log, uint64_t step, int epoch, verdict validation, bool best, double rate,
                    const char *checkpoint)
{
    char left[64], mean[64];
    double speed;
    inception_error error = {0};
    const double steps = (double)(step - log->logged_at), accuracy = (double)validation.right / (double)validation.photos;
    format_left(log, step, left, sizeof left, &speed);
    format_mean(log, step, mean, sizeof mean);
    status_line(NULL);
    if (!log->facts.quiet)
        fprintf(stderr, "epoch %d of %d: %s%svalidation %.4f, %.1f %%%s; rate %.3g, %s\n", epoch, log->facts.epochs, mean,
                *mean ? "; " : "", validation.loss, 100 * accuracy, best ? ", the best so far" : "", rate, left);
    const struct { const char *tag; double value; bool known; } scalars[] = {
        {"losses/classes", log->sum.classes / steps, steps > 0}, {"losses/heads", log->sum.heads / steps, steps > 0},
        {"losses/decay", log->sum.decay / steps, steps > 0},
        {"accuracy/training", log->sum.right / fmax(log->sum.answered, 1), log->sum.answered > 0},
        {"losses/validation", validation.loss, true}, {"accuracy/validation", accuracy, true}, {"learning_rate", rate, true},
        {"photos_per_second", speed, steps > 0},
    };
    for (size_t i = 0; i < COUNT(scalars); i++)
        if (scalars[i].known)
            inception_events_add_scalar(log->events, scalars[i].tag, (int64_t)step, scalars[i].value, &error);
    add_histograms(log, checkpoint, (int64_t)step, &error);
    log->sum = (inception_losses){0};
    log->logged_at = step;
    if (error.status) complain("%s", error.message); /* a run need not end because its log does */
}

void tune_log_inputs(tune_log *log, const inception_input *input, const float *inputs, size_t count)
{
    const size_t size = (size_t)input->width * (size_t)input->height * 3;
    inception_error error = {0};
    for (size_t i = 0; i < count && i < PICTURES; i++) {
        char tag[32];
        snprintf(tag, sizeof tag, "distorted/%zu", i);
        inception_image *image = inception_image_from_prepared(input, inputs + i * size, &error);
        inception_events_add_image(log->events, tag, (int64_t)log->facts.first, image, &error);
        inception_image_free(&image);
    }
    if (error.status) complain("%s", error.message);
}
