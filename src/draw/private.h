/* Between layout.c, which knows numbers only, and paint.c, which knows cairo only: a page as a list of items. */
#ifndef INC_DRAW_PRIVATE_H
#define INC_DRAW_PRIVATE_H

#include "draw.h"

#include <cairo.h>

#define INC_CARD_ROWS 20 /* most bars of a network on a card */
#define INC_CELL_ROWS 3  /* and in a contact sheet */
#define INC_COLUMNS 8    /* most networks */
#define INC_PAGE_CARDS 12

/* What layout needs to know of a card. */
typedef struct inc_subject {
    int width, height; /* of the photo, in pixels of its own */
    inc_part seen;
    const char *name;
    const inception_card_column *columns;
    int column_count;
} inc_subject;

/* ---- layout.c ---- */

typedef enum inc_ink {
    INC_INK_PAPER,
    INC_INK_TEXT,
    INC_INK_QUIET,  /* text that steps back */
    INC_INK_ACCENT, /* the first answer's bar */
    INC_INK_BAR,    /* the others */
    INC_INK_TRACK,  /* what a bar of 100 % would fill */
    INC_INK_MAT,    /* behind a photo in a contact sheet */
    INC_INK_VEIL,   /* over the part of a photo that is not looked at */
    INC_INK_FRAME,  /* around the part that is, */
    INC_INK_SHADE,  /* and around the frame, which could not be seen on white */
    INC_INK_EDGE,   /* around a photo, so that a white one does not dissolve */
    INC_INK_COUNT,
} inc_ink;

typedef struct inc_font {
    double size;
    bool bold;
} inc_font;

typedef enum inc_item_kind {
    INC_BOX,
    INC_OUTLINE, /* one unit wide, inside the rectangle */
    INC_TEXT,
    INC_PHOTO,
} inc_item_kind;

/* The rectangle of a text is its line, as wide as it has room; an ellipsis stands for what does not fit. */
typedef struct inc_item {
    inc_item_kind kind;
    inc_ink ink;
    double x, y, width, height;
    double radius; /* of a box's corners */
    inc_font font;
    const char *text;
    size_t plain;    /* bytes of text in `ink`; what follows is quiet */
    bool cut_middle; /* the ellipsis is in the middle */
    size_t subject;  /* of a photo: which */
} inc_item;

/* Zeroed: empty. */
typedef struct inc_page {
    double width, height;
    inc_item *items; /* in the order of painting */
    size_t count, capacity;
    inc_arena texts;
} inc_page;

void inc_page_free(inc_page *page);

/* How wide a text is. */
typedef struct inc_ruler {
    double (*width)(void *context, const char *text, inc_font font);
    void *context;
} inc_ruler;

/* One card, or a contact sheet; `number` of the page, 0: not shown. Texts are those of the subjects, which must outlive
 * the page. */
inception_status inc_layout_card(const inc_subject *subject, inc_ruler ruler, inc_page *page, inception_error *error);
inception_status inc_layout_sheet(const inc_subject *subjects, size_t count, int number, inc_ruler ruler,
                                  inc_page *page, inception_error *error);

/* Cards that fit on a page of a contact sheet; at most INC_PAGE_CARDS. */
size_t inc_layout_capacity(int column_count);

/* Sides of a photo on a card: nowhere is it drawn larger. */
void inc_layout_photo(int width, int height, double *across, double *down);

/* ---- paint.c ---- */

typedef struct inc_painter inc_painter;

inc_painter *inc_painter_new(inception_error *error);
void inc_painter_free(inc_painter *painter);
inc_ruler inc_painter_ruler(inc_painter *painter);

/* Paints the page; photos[item.subject] are the photos, `scale` the pixels for one unit. What cairo has against it is the
 * status of `cairo`. */
inception_status inc_paint(inc_painter *painter, cairo_t *cairo, const inc_page *page, inception_theme theme, int scale,
                           inception_image *const *photos, inception_error *error);

#endif
