/* Where things are on a page. Pure: sizes, texts and a ruler in; rectangles out. Lengths are units of 1/96 inch.
 *
 * A card keeps the area of its photo alike whatever its shape. A wide photo has the bars below it, a square or tall one
 * beside it. A contact sheet is a grid of equal cells, photos in the middle of a mat, so that lines of text run through
 * from cell to cell. */
#include "private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PHOTO_AREA 360000.0
#define PHOTO_WIDEST 1120.0
#define PHOTO_HIGHEST 640.0
#define MOST_ENLARGED 4.0
#define WIDE 1.2 /* from this ratio of width to height on, bars go below */
#define SHEET_WIDTH 904.0
#define SHEET_ROWS 4
#define LINE 1.4 /* height of a line of text, in font sizes */

/* The measures of a card, and of a cell in a contact sheet. */
typedef struct look {
    double margin, column, column_gap, text, small, row, bar;
    double before_bars, before_caption;
    int rows;
} look;

static const look card = {.margin = 40, .column = 340, .column_gap = 40, .text = 15, .small = 12, .row = 38, .bar = 4,
                          .before_bars = 28, .before_caption = 26, .rows = INC_CARD_ROWS};
static const look cell = {.margin = 40, .column = 200, .column_gap = 20, .text = 12, .small = 10.5, .row = 29, .bar = 3,
                          .before_bars = 12, .before_caption = 12, .rows = INC_CELL_ROWS};
static const double cell_width = 280, cell_gap = 32, photo_gap = 36, percent_gap = 16, heading_gap = 8;

/* What is being laid out. The first failure stays; after it nothing is added. */
typedef struct pen {
    inc_page *page;
    inc_ruler ruler;
    const look *look;
    inception_status status;
    inception_error *error;
} pen;

static void add(pen *p, inc_item item)
{
    inc_page *page = p->page;
    if (!p->status) p->status = inc_grow(&page->items, &page->capacity, page->count + 1, sizeof item, p->error);
    if (!p->status) page->items[page->count++] = item;
}

static void add_box(pen *p, inc_ink ink, double x, double y, double width, double height, double radius)
{
    if (width > 0 && height > 0) add(p, (inc_item){INC_BOX, ink, x, y, width, height, .radius = radius});
}

static void add_outline(pen *p, inc_ink ink, double x, double y, double width, double height)
{
    add(p, (inc_item){INC_OUTLINE, ink, x, y, width, height, .radius = 0});
}

static double text_width(const pen *p, const char *text, inc_font font)
{
    return ceil(p->ruler.width(p->ruler.context, text, font));
}

/* ---- Photos ---- */

static void fit(int width, int height, double across, double down, double area, double *x, double *y)
{
    double scale = fmin(fmin(across / width, down / height), sqrt(area / width / height));
    scale = fmin(scale, MOST_ENLARGED);
    *x = fmax(1, round(width * scale));
    *y = fmax(1, round(height * scale));
}

void inc_layout_photo(int width, int height, double *across, double *down)
{
    fit(width, height, PHOTO_WIDEST, PHOTO_HIGHEST, PHOTO_AREA, across, down);
}

/* The photo, and over it a veil with a window where the network looks. */
static void add_photo(pen *p, const inc_subject *subject, size_t index, double x, double y, double width, double height)
{
    add(p, (inc_item){INC_PHOTO, INC_INK_PAPER, x, y, width, height, .subject = index});
    const inc_part *seen = &subject->seen;
    double left = round(seen->x * width), right = round((seen->x + seen->width) * width);
    double top = round(seen->y * height), bottom = round((seen->y + seen->height) * height);
    add_box(p, INC_INK_VEIL, x, y, width, top, 0);
    add_box(p, INC_INK_VEIL, x, y + bottom, width, height - bottom, 0);
    add_box(p, INC_INK_VEIL, x, y + top, left, bottom - top, 0);
    add_box(p, INC_INK_VEIL, x + right, y + top, width - right, bottom - top, 0);
    if (left > 0 && top > 0) {
        add_outline(p, INC_INK_SHADE, x + left - 1, y + top - 1, right - left + 2, bottom - top + 2);
        add_outline(p, INC_INK_FRAME, x + left, y + top, right - left, bottom - top);
    }
    add_outline(p, INC_INK_EDGE, x, y, width, height);
}

/* ---- Bars ---- */

static int row_count(const pen *p, const inception_card_column *column)
{
    return column->count < p->look->rows ? column->count : p->look->rows;
}

/* Height of a network's bars, its heading counted. */
static double bars_height(const pen *p, const inception_card_column *column, bool heading)
{
    const look *l = p->look;
    double last = l->text * LINE + l->bar + l->bar;
    return (heading ? l->small * LINE + heading_gap : 0) + (row_count(p, column) - 1) * l->row + last;
}

/* Bytes of a label before what is written quietly: ImageNet's names are lists of synonyms, and our own sentence has a reason
 * behind it; other names are one name, commas or not. */
static size_t plain_part(const inception_prediction *prediction)
{
    bool parts = prediction->probability < 0 || (prediction->wnid && *prediction->wnid);
    return parts ? strcspn(prediction->label, ",") : strlen(prediction->label);
}

static void add_row(pen *p, const inception_prediction *prediction, bool first, double x, double y, double width)
{
    const look *l = p->look;
    inc_font font = {l->text, first};
    double share = fmin(1, (double)prediction->probability), line = l->text * LINE, radius = l->bar / 2;
    char percent[16];
    if (prediction->probability < 0) { /* what is none of the classes has no share of them */
        add(p, (inc_item){INC_TEXT, INC_INK_TEXT, x, y, width, line, .font = font, .text = prediction->label,
                          .plain = plain_part(prediction)});
        return;
    }
    int length = snprintf(percent, sizeof percent, "%.2f%%", 100 * share);
    char *text = inc_arena_string(&p->page->texts, percent, (size_t)length, p->error);
    if (!text) {
        p->status = INCEPTION_MEMORY;
        return;
    }
    double taken = text_width(p, text, font), room = width - taken - percent_gap;
    add(p, (inc_item){INC_TEXT, INC_INK_TEXT, x, y, room, line, .font = font, .text = prediction->label,
                      .plain = plain_part(prediction)});
    add(p, (inc_item){INC_TEXT, first ? INC_INK_TEXT : INC_INK_QUIET, x + width - taken, y, taken, line, .font = font,
                      .text = text, .plain = (size_t)length});
    add_box(p, INC_INK_TRACK, x, y + line + l->bar, width, l->bar, radius);
    add_box(p, first ? INC_INK_ACCENT : INC_INK_BAR, x, y + line + l->bar, width * share, l->bar, radius);
}

/* Names of files and networks: their ends say as much as their beginnings. */
static void add_line(pen *p, const char *text, bool bold, double x, double y, double width)
{
    double size = p->look->small;
    if (!*text) return;
    add(p, (inc_item){INC_TEXT, INC_INK_QUIET, x, y, width, size * LINE, .font = {size, bold}, .text = text,
                      .plain = strlen(text), .cut_middle = true});
}

/* The columns of all networks side by side in `width`. Returns their height. */
static double add_columns(pen *p, const inc_subject *subject, double x, double y, double width)
{
    const look *l = p->look;
    int count = subject->column_count;
    double each = (width - (count - 1) * l->column_gap) / count, highest = 0;
    for (int i = 0; i < count; i++, x += each + l->column_gap) {
        const inception_card_column *column = &subject->columns[i];
        double at = y;
        if (count > 1) {
            add_line(p, column->title, true, x, at, each);
            at += l->small * LINE + heading_gap;
        }
        for (int row = 0; row < row_count(p, column); row++)
            add_row(p, &column->top[row], row == 0, x, at + row * l->row, each);
        highest = fmax(highest, bars_height(p, column, count > 1));
    }
    return highest;
}

/* A line of small text with two ends; the left one takes what room the right one leaves. */
static void add_caption(pen *p, const char *left, const char *right, double x, double y, double width)
{
    double taken = *right ? fmin(text_width(p, right, (inc_font){p->look->small, false}), width / 2) : 0;
    add_line(p, left, false, x, y, width - taken - (*right ? percent_gap : 0));
    add_line(p, right, false, x + width - taken, y, taken);
}

/* ---- Pages ---- */

void inc_page_free(inc_page *page)
{
    free(page->items);
    inc_arena_free(&page->texts);
    *page = (inc_page){0};
}

static double columns_width(const look *l, int count)
{
    return count * l->column + (count - 1) * l->column_gap;
}

inception_status inc_layout_card(const inc_subject *subject, inc_ruler ruler, inc_page *page, inception_error *error)
{
    pen p = {page, ruler, &card, INCEPTION_OK, error};
    double width, height, least = columns_width(&card, subject->column_count), line = card.small * LINE;
    inc_layout_photo(subject->width, subject->height, &width, &height);
    add_photo(&p, subject, 0, card.margin, card.margin, width, height);
    bool beside = width < WIDE * height;
    double x = card.margin + (beside ? width + photo_gap : 0);
    double y = card.margin + (beside ? 0 : height + card.before_bars);
    double across = beside ? least : fmax(width, least);
    double caption = y + add_columns(&p, subject, x, y, across) + card.before_caption;
    if (beside) caption = fmax(caption, card.margin + height - line);
    add_caption(&p, subject->name, subject->column_count == 1 ? subject->columns->title : "", x, caption, across);
    page->width = x + across + card.margin;
    page->height = ceil(caption + line + card.margin);
    return p.status;
}

static double width_of_cell(int column_count)
{
    return fmax(cell_width, columns_width(&cell, column_count));
}

static size_t cells_across(int column_count)
{
    double fitting = floor((SHEET_WIDTH + cell_gap) / (width_of_cell(column_count) + cell_gap));
    return fitting > 1 ? (size_t)fitting : 1;
}

size_t inc_layout_capacity(int column_count)
{
    return cells_across(column_count) * SHEET_ROWS;
}

static void add_cell(pen *p, const inc_subject *subject, size_t index, double x, double y, double bars)
{
    double across = width_of_cell(subject->column_count), down = cell_width * 3 / 4, width, height;
    fit(subject->width, subject->height, fmin(across, PHOTO_WIDEST), down, PHOTO_AREA, &width, &height);
    add_box(p, INC_INK_MAT, x, y, across, down, 0);
    add_photo(p, subject, index, x + floor((across - width) / 2), y + floor((down - height) / 2), width, height);
    y += down + cell.before_bars;
    add_columns(p, subject, x, y, across);
    add_caption(p, subject->name, "", x, y + bars + cell.before_caption, across);
}

/* "Inception_V3" or, where there are headings, nothing; and "page 2", if it has a number. */
static void add_footer(pen *p, const inc_subject *subject, int number, double y, double width)
{
    char text[32] = "";
    if (number) snprintf(text, sizeof text, "%d", number);
    char *page = inc_arena_string(&p->page->texts, text, strlen(text), p->error);
    if (page) add_caption(p, subject->column_count == 1 ? subject->columns->title : "", page, cell.margin, y, width);
    else p->status = INCEPTION_MEMORY;
}

inception_status inc_layout_sheet(const inc_subject *subjects, size_t count, int number, inc_ruler ruler,
                                  inc_page *page, inception_error *error)
{
    pen p = {page, ruler, &cell, INCEPTION_OK, error};
    int columns = subjects->column_count;
    size_t across = cells_across(columns);
    if (!number && count < across) across = count; /* an only page is no wider than its photos */
    double bars = 0, width = width_of_cell(columns), line = cell.small * LINE;
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < columns; j++)
            bars = fmax(bars, bars_height(&p, &subjects[i].columns[j], columns > 1));
    double height = cell_width * 3 / 4 + cell.before_bars + bars + cell.before_caption + line;
    for (size_t i = 0; i < count; i++)
        add_cell(&p, &subjects[i], i, cell.margin + (double)(i % across) * (width + cell_gap),
                 cell.margin + (double)(i / across) * (height + cell_gap), bars);
    size_t down = (count + across - 1) / across;
    double inside = (double)across * (width + cell_gap) - cell_gap;
    double footer = cell.margin + (double)down * (height + cell_gap);
    add_footer(&p, subjects, number, footer, inside);
    page->width = inside + 2 * cell.margin;
    page->height = ceil(footer + line + cell.margin);
    return p.status;
}
