/* The networks that look at one photo. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

const char *const crop_choices[] = {
    [INCEPTION_CROP_CENTRE] = "centre",
    [INCEPTION_CROP_FULL] = "full",
    [INCEPTION_CROP_LETTERBOX] = "letterbox",
    NULL,
};

exit_code contestant_open(cli_contestant *contestant, const char *name, const net_settings *net,
                          const inception_model_options *options)
{
    char path[4096];
    const inception_network *network;
    exit_code code = model_find(name, net, path, sizeof path, &network);
    if (code) return code;

    inception_error error = {0};
    inception_model_options own = *options;
    if (!own.network && network) own.network = network->name;
    contestant->path = strdup(path);
    contestant->model = inception_model_open(path, &own, &error);
    contestant->session = inception_session_open(contestant->model, 1, &error);
    if (error.status) return complain_error(&error);
    contestant->info = inception_model_get_info(contestant->model);
    contestant->title = contestant->info->network->title;
    contestant->answer = calloc((size_t)contestant->info->classes, sizeof *contestant->answer);
    if (contestant->path && contestant->answer) return EXIT_FINE;
    complain("out of memory");
    return EXIT_SYSTEM;
}

void contestant_close(cli_contestant *contestant)
{
    inception_session_close(&contestant->session);
    inception_model_close(&contestant->model);
    free(contestant->path);
    free(contestant->answer);
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

bool contestant_answer(cli_contestant *contestant, const inception_image *image, const char *file,
                       inception_error *error)
{
    inception_error own = {0};
    int count = contestant->allowed ? contestant->info->classes : contestant->limit;
    if (inception_classify(contestant->session, &image, 1, count, contestant->answer, &own) == INCEPTION_OK) {
        keep_wanted(contestant, count);
        return true;
    }
    fail(error, own.status, "%s: %s (%s)", file, own.message, contestant->path);
    return false;
}
