/* Results -> pictures: cards and contact sheets as PNG, SVG and PDF. The only folder that knows cairo and pango. */
#ifndef INC_DRAW_H
#define INC_DRAW_H

#include "../image/image.h"

/* See inception_sheet_open() and the functions after it; pointers are set. */
inception_sheet *inc_sheet_open(const char *path, inception_sheet_options options, inception_error *error);
inception_status inc_sheet_add(inception_sheet *sheet, const inception_card *card, inception_error *error);
inception_status inc_sheet_finish(inception_sheet *sheet, inception_error *error);
int inc_sheet_pages(const inception_sheet *sheet);
void inc_sheet_close(inception_sheet *sheet);

#endif
