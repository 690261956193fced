/* The public functions that draw. They have a file of their own so that who links the archive and does not call them, as the
 * command, does not need cairo and pango. */
#include "draw/draw.h"

void inception_sheet_options_default(inception_sheet_options *options)
{
    *options = (inception_sheet_options){.theme = INCEPTION_THEME_LIGHT, .scale = 2};
}

inception_sheet *inception_sheet_open(const char *path, const inception_sheet_options *options, inception_error *error)
{
    inception_sheet_options defaults;
    inception_sheet_options_default(&defaults);
    if (path) return inc_sheet_open(path, options ? *options : defaults, error);
    return inc_fail(error, INCEPTION_INVALID, "inception_sheet_open: no path given"), NULL;
}

inception_status inception_sheet_add(inception_sheet *sheet, const inception_card *card, inception_error *error)
{
    if (sheet && card) return inc_sheet_add(sheet, card, error);
    return inc_fail(error, INCEPTION_INVALID, "inception_sheet_add: no sheet or card given");
}

inception_status inception_sheet_finish(inception_sheet *sheet, inception_error *error)
{
    if (sheet) return inc_sheet_finish(sheet, error);
    return inc_fail(error, INCEPTION_INVALID, "inception_sheet_finish: no sheet given");
}

int inception_sheet_pages(const inception_sheet *sheet)
{
    return inc_sheet_pages(sheet);
}

void inception_sheet_close(inception_sheet **sheet)
{
    if (sheet) inc_sheet_close(*sheet), *sheet = NULL;
}
