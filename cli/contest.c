/* The networks that look at one photo. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const crop_choices[] = {
    [INCEPTION_CROP_CENTRE] = "centre",
    [INCEPTION_CROP_FULL] = "full",
    [INCEPTION_CROP_LETTERBOX] = "letterbox",
    NULL,
};

exit_code contestant_open(cli_contestant *contestant, const char *name, const net_settings *net,
                          const inception_model_options *options, bool several)
{
    char path[4096];
    const inception_network *network;
    exit_code code = name ? model_find(name, net, path, sizeof path, &network)
                          : model_default(net, path, sizeof path, &network);
    if (code) return code;

    inception_error error = {0};
    inception_model_options own = *options;
    if (!own.network && network) own.network = network->name;
    contestant->path = strdup(path);
    contestant->model = inception_model_open(path, &own, &error);
    if (error.status) return complain_error(&error);
    contestant->info = inception_model_get_info(contestant->model);
    int threads = contestant->info->threads, together = !several ? 1 : threads < MOST_TOGETHER ? threads : MOST_TOGETHER;
    contestant->together = together;
    contestant->session = inception_session_open(contestant->model, together, &error);
    if (error.status) return complain_error(&error);
    contestant->title = contestant->info->network->title;
    contestant->answers = calloc((size_t)together * (size_t)contestant->info->classes, sizeof *contestant->answers);
    if (contestant->path && contestant->answers) return EXIT_FINE;
    return complain_memory();
}

void contestant_close(cli_contestant *contestant)
{
    inception_session_close(&contestant->session);
    inception_model_close(&contestant->model);
    free(contestant->path);
    free(contestant->answers);
    free(contestant->allowed);
}

/* Moves the classes that are allowed to the front; of those, `top` are to be shown. */
static void keep_wanted(cli_contestant *contestant, int count)
{
    inception_prediction *answer = contestant->answer;
    int kept = 0;
    for (int i = 0; i < count && kept < contestant->limit; i++)
        if (!contestant->allowed || contestant->allowed[answer[i].index]) answer[kept++] = answer[i];
    contestant->top = 0;
    while (contestant->top < kept && (double)answer[contestant->top].probability >= contestant->threshold)
        contestant->top++;
}

/* Classes that are asked for: all where some are not allowed. */
static int wanted_classes(const cli_contestant *contestant)
{
    return contestant->allowed ? contestant->info->classes : contestant->limit;
}

/* One by one, after they failed together: only some of them may have to. */
static void look_singly(cli_contestant *contestant, const cli_loaded *const *photos, inception_error *errors, size_t count)
{
    for (size_t i = 0, place = 0; i < count; i++) {
        const inception_image *image = photos[i]->image;
        inception_error error = {0};
        if (errors[i].status) continue;
        contestant->places[i] = (int)place;
        inception_prediction *answer = contestant->answers + place++ * (size_t)wanted_classes(contestant);
        if (inception_classify(contestant->session, &image, 1, wanted_classes(contestant), answer, &error))
            fail(&errors[i], error.status, "%s (%s)", error.message, contestant->path);
        contestant->unknowns[i] = inception_session_unknown(contestant->session, 0);
    }
}

void contestant_look(cli_contestant *contestant, const cli_loaded *const *photos, inception_error *errors, size_t count)
{
    const inception_image *images[MOST_TOGETHER];
    int good = 0;
    for (size_t i = 0; i < count; i++) {
        if (errors[i].status) continue;
        contestant->places[i] = good;
        images[good++] = photos[i]->image;
    }
    if (good && inception_classify(contestant->session, images, good, wanted_classes(contestant), contestant->answers, NULL))
        look_singly(contestant, photos, errors, count);
    else
        for (size_t i = 0; i < count; i++)
            contestant->unknowns[i] =
                !errors[i].status && inception_session_unknown(contestant->session, contestant->places[i]);
}

void contestant_turn(cli_contestant *contestant, size_t i)
{
    int count = wanted_classes(contestant);
    contestant->answer = contestant->answers + (size_t)contestant->places[i] * (size_t)count;
    contestant->unknown = contestant->unknowns[i];
    keep_wanted(contestant, count);
}

bool contestant_decides(const cli_contestant *contestant)
{
    return isfinite(contestant->info->unknown_threshold);
}

int contestant_shown(const cli_contestant *contestant, char *note)
{
    if (contestant->top && !contestant->unknown) return contestant->top;
    if (!note) return 0;
    const inception_prediction *best = contestant->answer;
    int length = short_name(best);
    if (contestant->unknown)
        snprintf(note, NOTE_SIZE, "not one of the %d classes (closest: %.*s)", contestant->info->classes, length,
                 best->label);
    else
        snprintf(note, NOTE_SIZE, "No class reaches %g%% (closest: %s: %.2f%%)", 100 * contestant->threshold, best->label,
                 100.0 * (double)best->probability);
    return 0;
}
