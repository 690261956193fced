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
}

bool contestant_answer(cli_contestant *contestant, const inception_image *image, const char *file,
                       inception_error *error)
{
    inception_error own = {0};
    if (inception_classify(contestant->session, &image, 1, contestant->top, contestant->answer, &own) == INCEPTION_OK)
        return true;
    fail(error, own.status, "%s: %s (%s)", file, own.message, contestant->path);
    return false;
}
