/* --plot: photos and what was found about them as pictures. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static const char *const theme_choices[] = {
    [INCEPTION_THEME_LIGHT] = "light",
    [INCEPTION_THEME_DARK] = "dark",
    NULL,
};

const option_row plot_rows[] = {
    {"plot", 0, "FILE", OPTION_STRING, offsetof(plot_settings, file),
     "draw the photo and what was found as FILE: .png, .svg or .pdf. Several photos become contact sheets; where one "
     "page does not hold them, a PDF has pages, and the others become FILE-1.png, FILE-2.png and so on",
     0, 0, NULL},
    {"theme", 0, "THEME", OPTION_CHOICE, offsetof(plot_settings, theme), "of --plot: light (default) or dark", 0, 0,
     theme_choices},
    {"plot-scale", 0, "N", OPTION_INT, offsetof(plot_settings, scale),
     "of --plot: 1, or 2 (default) for screens of twice the resolution", 1, 2, NULL},
    {.name = NULL},
};

exit_code plot_open(const char *command, const plot_settings *settings, inception_sheet **sheet)
{
    inception_error error = {0};
    inception_sheet_options options;
    if (!settings->file) return EXIT_FINE;
    const cli_extras *with = extras(&error);
    if (!with) return complain_error(&error);
    with->sheet_options_default(&options);
    options.theme = (inception_theme)settings->theme;
    if (settings->scale) options.scale = settings->scale;
    *sheet = with->sheet_open(settings->file, &options, &error);
    if (*sheet) return EXIT_FINE;
    if (error.status != INCEPTION_INVALID) return complain_error(&error);
    return complain_usage(command, "option --plot: %s", error.message);
}

/* Would the photo be written over, as the picture or, by the number at the end of its name, as one of its pages? */
static bool in_the_way(const char *file, const char *photo, bool pages)
{
    char page[4096];
    const char *dot = strrchr(file, '.'), *end = strrchr(photo, '.'), *dash = strrchr(photo, '-');
    if (same_file(file, photo)) return true;
    if (!pages || !dot || !end || !dash || dash + 1 >= end || dash[1] == '0') return false;
    if (strspn(dash + 1, "0123456789") != (size_t)(end - dash - 1)) return false;
    snprintf(page, sizeof page, "%.*s%.*s%s", (int)(dot - file), file, (int)(end - dash), dash, dot);
    return same_file(page, photo);
}

/* The pictures of an earlier run are written over, but never a photo of this one. */
exit_code plot_check(const char *command, const plot_settings *settings, const photo_walk *walk, const char *other)
{
    if (settings->file && other && in_the_way(settings->file, other, true))
        return complain_usage(command, "option --plot: %s is one of the photos", other);
    photo_walk *all = settings->file ? photos_again(walk) : NULL;
    exit_code code = EXIT_FINE;
    cli_photo photo;
    inception_error error = {0};
    for (; !code && all && photos_next(all, &photo, &error); error = (inception_error){0})
        if (!photo.standard_input && in_the_way(settings->file, photo.path, photos_several(walk) || other))
            code = complain_usage(command, "option --plot: %s is one of the photos", photo.path);
    photos_close(&all);
    return code;
}

exit_code plot_card(inception_sheet *sheet, const inception_card *card)
{
    inception_error error = {0};
    return extras(&error)->sheet_add(sheet, card, &error) ? complain_error(&error) : EXIT_FINE;
}

exit_code plot_answers(inception_sheet *sheet, const cli_photo *photo, const inception_image *image,
                       const cli_contestant *contestants, size_t count)
{
    if (!sheet) return EXIT_FINE;
    inception_card_column *columns = calloc(count, sizeof *columns);
    if (!columns) return complain_memory();
    inception_prediction closest[PLOT_NETWORKS];
    char labels[PLOT_NETWORKS][128];
    for (size_t i = 0; i < count; i++) {
        const cli_contestant *c = &contestants[i];
        columns[i] = (inception_card_column){c->title, c->answer, contestant_shown(c, NULL)};
        if (columns[i].count || i >= PLOT_NETWORKS) continue;
        int length = short_name(c->answer);
        if (c->unknown)
            snprintf(labels[i], sizeof labels[i], "not one of the %d classes, closest: %.*s", c->info->classes, length,
                     c->answer->label);
        else snprintf(labels[i], sizeof labels[i], "%.*s, below %g%%", length, c->answer->label, 100 * c->threshold);
        closest[i] = (inception_prediction){.label = labels[i], .wnid = c->answer->wnid,
                                            .probability = c->unknown ? -1 : c->answer->probability};
        columns[i].top = &closest[i];
        columns[i].count = 1;
    }
    const inception_card card = {image, photo->name, &contestants->info->input, columns, (int)count};
    exit_code code = plot_card(sheet, &card);
    free(columns);
    return code;
}

exit_code plot_finish(inception_sheet *sheet, const plot_settings *settings, const common_settings *common)
{
    inception_error error = {0};
    if (!sheet) return EXIT_FINE;
    if (extras(&error)->sheet_finish(sheet, &error)) return complain_error(&error);
    int pages = extras(&error)->sheet_pages(sheet);
    if (common->verbose || (pages > 1 && !common->quiet))
        complain("%s: %d page%s drawn", settings->file, pages, pages == 1 ? "" : "s");
    return EXIT_FINE;
}

void plot_close(inception_sheet **sheet)
{
    if (*sheet) extras(NULL)->sheet_close(sheet);
}
