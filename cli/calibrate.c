/* convert --int8: finds ranges on photos, writes the model file, and tells what int8 loses on some of them. */
#include "calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COMPARED 50 /* photos */

/* What is done with each photo, prepared. */
typedef exit_code photo_step(void *context, const float *input);

typedef struct calibration {
    const calibrate_settings *settings;
    inception_calibrator *calibrator;
    inception_model *models[2]; /* as written, in float32 and on bytes */
    inception_session *sessions[2];
    float *probabilities[2];
    cli_tally tally;              /* of photos that ranges were found on */
    int compared, agreed;         /* agreed: on the first class */
    double largest;               /* difference of two probabilities */
} calibration;

/* Calls `step` for the photos of the folders, at most `most`; complains of those that cannot be read if there is a tally. */
static exit_code walk(const calibration *c, photo_step *step, void *context, int most, cli_tally *tally, bool quiet)
{
    inception_error error = {0};
    cli_photo photo;
    photo_settings settings = {.net.offline = true};
    const inception_input *input = inception_calibrator_input(c->calibrator);
    const string_list *folders = &c->settings->photos;
    exit_code code = EXIT_FINE;
    float *prepared = malloc((size_t)input->width * (size_t)input->height * 3 * sizeof *prepared);
    photo_walk *photos = prepared ? photos_open(&settings, (char **)folders->items, (int)folders->count, &error) : NULL;
    if (!prepared) fail(&error, INCEPTION_MEMORY, "out of memory");
    if (!photos) code = complain_error(&error);
    cli_pace *pace = photos ? pace_open(photos, quiet) : NULL;
    while (!code && most > 0 && !interrupted() && photos_next(photos, &photo, &error)) {
        inception_image *image = error.status ? NULL : photo_decode(&photo, &settings, &error);
        bool good = image && !inception_prepare(input, image, prepared, &error);
        if (good) code = step(context, prepared), most--;
        else if (tally) tally_failure(tally, error.status), complain_input(photo.path, &error);
        pace_step(pace, photo.number);
        inception_image_free(&image);
        error = (inception_error){0};
    }
    pace_close(&pace);
    photos_close(&photos);
    free(prepared);
    return interrupted() ? EXIT_INTERRUPTED : code;
}

static exit_code add(void *context, const float *input)
{
    calibration *c = context;
    inception_error error = {0};
    c->tally.done++;
    return inception_calibrator_add(c->calibrator, input, &error) ? complain_error(&error) : EXIT_FINE;
}

/* ---- what is lost ---- */

static int best_of(const float *probabilities, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (probabilities[i] > probabilities[best]) best = i;
    return best;
}

static exit_code compare(void *context, const float *input)
{
    calibration *c = context;
    inception_error error = {0};
    int classes = inception_model_get_info(c->models[0])->classes;
    inception_status status = inception_calibrator_compare(c->calibrator, input, &error);
    for (int i = 0; i < 2 && !status; i++)
        status = inception_session_run(c->sessions[i], input, 1, NULL, c->probabilities[i], &error);
    if (status) return complain_error(&error);
    c->compared++;
    c->agreed += best_of(c->probabilities[0], classes) == best_of(c->probabilities[1], classes);
    for (int i = 0; i < classes; i++)
        c->largest = fmax(c->largest, fabs((double)c->probabilities[0][i] - (double)c->probabilities[1][i]));
    return EXIT_FINE;
}

static exit_code open_written(calibration *c, const char *out)
{
    inception_error error = {0};
    inception_model_options options;
    inception_model_options_default(&options);
    for (int i = 0; i < 2; i++) {
        options.precision = i ? INCEPTION_PRECISION_INT8 : INCEPTION_PRECISION_F32;
        c->models[i] = inception_model_open(out, &options, &error);
        c->sessions[i] = c->models[i] ? inception_session_open(c->models[i], 1, &error) : NULL;
        if (!c->sessions[i]) return complain_error(&error);
        c->probabilities[i] = calloc((size_t)inception_model_get_info(c->models[i])->classes, sizeof **c->probabilities);
        if (!c->probabilities[i]) fail(&error, INCEPTION_MEMORY, "out of memory");
        if (error.status) return complain_error(&error);
    }
    return EXIT_FINE;
}

static exit_code report(const calibration *c)
{
    size_t count;
    const inception_layer_loss *losses = inception_calibrator_losses(c->calibrator, &count);
    if (c->settings->json) {
        json_t *layers = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(layers, json_pack("{s:s, s:f, s:I}", "name", losses[i].name, "decibels",
                                                    losses[i].decibels, "multiply_adds",
                                                    (json_int_t)losses[i].multiply_adds));
        return output_json(json_pack("{s:I, s:i, s:i, s:f, s:o}", "photos", (json_int_t)c->tally.done,
                                     "compared", c->compared, "same_first_class", c->agreed, "largest_difference",
                                     c->largest, "layers", layers));
    }
    printf("how far what each layer makes stands above the error of int8 (20: ten times, 40: a hundred times):\n\n");
    for (size_t i = 0; i < count; i++) printf("%8.1f dB  %s\n", losses[i].decibels, losses[i].name);
    printf("\n%zu photos; int8 beside f32 on %d of them: the same first class on %d, probabilities within %.3f\n",
           c->tally.done, c->compared, c->agreed, c->largest);
    return output_flush();
}

exit_code calibrate(const calibrate_settings *settings, const char *path, const char *out,
                    const inception_model_options *options, bool quiet)
{
    inception_error error = {0};
    calibration c = {.settings = settings, .calibrator = inception_calibrator_open(path, options, &error)};
    catch_interrupts();
    exit_code code = c.calibrator ? walk(&c, add, &c, INT32_MAX, &c.tally, quiet) : complain_error(&error);
    if (!code && !c.tally.done) {
        complain("--calibrate: no photo could be read");
        code = c.tally.failed ? c.tally.first : EXIT_NO_INPUT;
    }
    if (!code && inception_calibrator_write(c.calibrator, out, &error)) code = complain_error(&error);
    if (!code && !inception_precision_supported(INCEPTION_PRECISION_INT8)) {
        complain("%s written; this CPU has no instructions for int8, so it could not be compared with f32", out);
    } else if (!code) {
        code = open_written(&c, out);
        if (!code) code = walk(&c, compare, &c, COMPARED, NULL, true);
        if (!code) code = report(&c);
    }
    for (int i = 0; i < 2; i++) {
        free(c.probabilities[i]);
        inception_session_close(&c.sessions[i]);
        inception_model_close(&c.models[i]);
    }
    inception_calibrator_close(&c.calibrator);
    return code ? code : tally_exit(&c.tally, quiet);
}
