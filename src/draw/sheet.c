/* Files of cards. A page is held until it is full and another card comes, or the sheet is finished: only then it is
 * known whether it is one card, a contact sheet, or one page of several.
 *
 * glib, under pango, ends the process when memory is out, and nobody can prevent it: what it is given here is short
 * texts only. */
#include "private.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define POINTS 0.75    /* of 1/72 inch, in a unit */
#define LONGEST 1000   /* bytes of a text that are looked at */
#define MOST_SURE 1.001 /* softmax rounds */

typedef enum format { FORMAT_PNG, FORMAT_SVG, FORMAT_PDF, FORMAT_COUNT } format;

static const char *const endings[FORMAT_COUNT] = {".png", ".svg", ".pdf"};

/* A card as it is kept. */
typedef struct held {
    inc_subject subject;
    inception_image *photo;
    inc_arena texts;
} held;

/* Where cairo writes to. */
typedef struct sink {
    inc_output output;
    inception_error error;
} sink;

struct inception_sheet {
    char *path;
    format format;
    inception_sheet_options options;
    inc_painter *painter;
    held cards[INC_PAGE_CARDS];
    size_t count;
    int pages;
    sink sink;            /* of the file being written; it lasts from page to page in a PDF */
    cairo_surface_t *pdf; /* NULL before its first page */
    bool over; /* finished, or a page could not be written */
};

/* ---- Files ---- */

static cairo_status_t write_bytes(void *closure, const unsigned char *data, unsigned int size)
{
    sink *s = closure;
    return inc_output_write(&s->output, data, size, &s->error) ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

static inception_status check_cairo(inception_sheet *sheet, cairo_status_t status, inception_error *error)
{
    if (status == CAIRO_STATUS_SUCCESS) return INCEPTION_OK;
    if (status == CAIRO_STATUS_NO_MEMORY) return inc_fail_memory(error, 0);
    if (sheet->sink.error.status) return inc_pass(error, &sheet->sink.error);
    return inc_fail(error, INCEPTION_INTERNAL, "%s: cannot draw: %s", sheet->path, cairo_status_to_string(status));
}

/* FILE.png, or FILE-2.png where it is one of several. */
static inception_status open_output(inception_sheet *sheet, int number, inception_error *error)
{
    int stem = (int)(strlen(sheet->path) - strlen(endings[sheet->format]));
    size_t size = strlen(sheet->path) + 16;
    char *path = inc_calloc(size, 1, error);
    if (!path) return INCEPTION_MEMORY;
    if (number) snprintf(path, size, "%.*s-%d%s", stem, sheet->path, number, sheet->path + stem);
    else snprintf(path, size, "%s", sheet->path);
    sheet->sink.error = (inception_error){0};
    inception_status status = inc_output_open(&sheet->sink.output, path, error);
    free(path);
    return status;
}

static inception_status paint(inception_sheet *sheet, cairo_surface_t *surface, double zoom, const inc_page *page,
                              inception_error *error)
{
    inception_image *photos[INC_PAGE_CARDS];
    for (size_t i = 0; i < sheet->count; i++) photos[i] = sheet->cards[i].photo;
    cairo_t *cairo = cairo_create(surface);
    cairo_scale(cairo, zoom, zoom);
    inception_status status =
        inc_paint(sheet->painter, cairo, page, sheet->options.theme, sheet->options.scale, photos, error);
    cairo_show_page(cairo);
    if (!status) status = check_cairo(sheet, cairo_status(cairo), error);
    cairo_destroy(cairo);
    return status;
}

static inception_status write_png(inception_sheet *sheet, const inc_page *page, inception_error *error)
{
    int scale = sheet->options.scale;
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)page->width * scale, (int)page->height * scale);
    inception_status status = paint(sheet, surface, scale, page, error);
    if (!status)
        status = check_cairo(sheet, cairo_surface_write_to_png_stream(surface, write_bytes, &sheet->sink), error);
    cairo_surface_destroy(surface);
    return status;
}

static inception_status write_svg(inception_sheet *sheet, const inc_page *page, inception_error *error)
{
    cairo_surface_t *surface =
        cairo_svg_surface_create_for_stream(write_bytes, &sheet->sink, page->width, page->height);
    cairo_svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX);
    inception_status status = paint(sheet, surface, 1, page, error);
    cairo_surface_finish(surface);
    if (!status) status = check_cairo(sheet, cairo_surface_status(surface), error);
    cairo_surface_destroy(surface);
    return status;
}

static inception_status write_pdf(inception_sheet *sheet, const inc_page *page, inception_error *error)
{
    double width = page->width * POINTS, height = page->height * POINTS;
    if (!sheet->pdf) sheet->pdf = cairo_pdf_surface_create_for_stream(write_bytes, &sheet->sink, width, height);
    cairo_pdf_surface_set_size(sheet->pdf, width, height);
    return paint(sheet, sheet->pdf, POINTS, page, error);
}

static void drop_cards(inception_sheet *sheet)
{
    for (size_t i = 0; i < sheet->count; i++) {
        inc_image_free(sheet->cards[i].photo);
        inc_arena_free(&sheet->cards[i].texts);
    }
    sheet->count = 0;
}

/* Writes the cards that are held; `last`: no page follows. */
static inception_status write_page(inception_sheet *sheet, bool last, inception_error *error)
{
    static inception_status (*const writers[FORMAT_COUNT])(inception_sheet *, const inc_page *, inception_error *) = {
        write_png, write_svg, write_pdf,
    };
    inc_subject subjects[INC_PAGE_CARDS];
    for (size_t i = 0; i < sheet->count; i++) subjects[i] = sheet->cards[i].subject;
    int number = sheet->pages || !last ? sheet->pages + 1 : 0;
    bool own_file = sheet->format != FORMAT_PDF;
    inc_page page = {0};
    inc_ruler ruler = inc_painter_ruler(sheet->painter);
    inception_status status = number || sheet->count > 1
                                ? inc_layout_sheet(subjects, sheet->count, number, ruler, &page, error)
                                : inc_layout_card(subjects, ruler, &page, error);
    if (!status && (own_file || !sheet->pages)) status = open_output(sheet, own_file ? number : 0, error);
    if (!status) status = writers[sheet->format](sheet, &page, error);
    if (!status && own_file) status = inc_output_commit(&sheet->sink.output, true, error);
    if (status && own_file) inc_output_discard(&sheet->sink.output); /* a PDF's: see inc_sheet_close */
    sheet->over = status != INCEPTION_OK;
    sheet->pages += !status;
    inc_page_free(&page);
    drop_cards(sheet);
    return status;
}

/* ---- Cards ---- */

static inception_status check_column(const inception_card_column *column, inception_error *error)
{
    if (!column->title || !column->top || column->count < 1)
        return inc_fail(error, INCEPTION_INVALID, "card: a network without a title or an answer");
    for (int i = 0; i < column->count; i++) {
        double probability = (double)column->top[i].probability;
        if (!column->top[i].label) return inc_fail(error, INCEPTION_INVALID, "card: an answer without a label");
        if (probability != -1 && !(probability >= 0 && probability <= MOST_SURE))
            return inc_fail(error, INCEPTION_INVALID, "card: a probability of %g, which is not 0 to 1", probability);
    }
    return INCEPTION_OK;
}

static inception_status check(const inception_sheet *sheet, const inception_card *card, inception_error *error)
{
    if (!card->photo || !card->name || !card->columns)
        return inc_fail(error, INCEPTION_INVALID, "card: no photo, no name or no answer");
    if (card->column_count < 1 || card->column_count > INC_COLUMNS)
        return inc_fail(error, INCEPTION_INVALID, "%d networks are not 1 to %d, which is what a card has room for",
                        card->column_count, INC_COLUMNS);
    if (sheet->count && card->column_count != sheet->cards->subject.column_count)
        return inc_fail(error, INCEPTION_INVALID, "card: %d networks in a sheet whose cards have %d",
                        card->column_count, sheet->cards->subject.column_count);
    for (int i = 0; i < card->column_count; i++) {
        inception_status status = check_column(&card->columns[i], error);
        if (status) return status;
    }
    return INCEPTION_OK;
}

/* pango wants UTF-8. */
static const char *copy_text(inc_arena *arena, const char *text, inception_error *error)
{
    char *valid = g_utf8_make_valid(text, (gssize)strnlen(text, LONGEST));
    const char *copy = inc_arena_string(arena, valid, strlen(valid), error);
    g_free(valid);
    return copy;
}

static inception_status copy_columns(held *h, const inception_card *card, inception_error *error)
{
    size_t count = (size_t)card->column_count;
    inception_card_column *columns = inc_arena_alloc(&h->texts, count, sizeof *columns, error);
    for (size_t i = 0; columns && i < count; i++) {
        const inception_card_column *from = &card->columns[i];
        int rows = from->count < INC_CARD_ROWS ? from->count : INC_CARD_ROWS;
        inception_prediction *top = inc_arena_alloc(&h->texts, (size_t)rows, sizeof *top, error);
        columns[i] = (inception_card_column){copy_text(&h->texts, from->title, error), top, rows};
        if (!top || !columns[i].title) return INCEPTION_MEMORY;
        for (int row = 0; row < rows; row++) {
            const char *wnid = from->top[row].wnid ? from->top[row].wnid : "";
            top[row] = (inception_prediction){.probability = from->top[row].probability,
                                              .label = copy_text(&h->texts, from->top[row].label, error),
                                              .wnid = copy_text(&h->texts, wnid, error)};
            if (!top[row].label || !top[row].wnid) return INCEPTION_MEMORY;
        }
    }
    h->subject.columns = columns;
    h->subject.column_count = card->column_count;
    return columns ? INCEPTION_OK : INCEPTION_MEMORY;
}

/* The photo as large as it may be drawn, no larger. */
static inception_image *copy_photo(const inception_image *photo, int scale, inception_error *error)
{
    double across, down;
    inc_layout_photo(photo->width, photo->height, &across, &down);
    int width = (int)across * scale, height = (int)down * scale;
    if (width > photo->width) width = photo->width;
    if (height > photo->height) height = photo->height;
    return inc_image_scaled(photo, width, height, error);
}

/* ---- Sheets ---- */

/* FORMAT_COUNT: none. */
static format format_of(const char *path)
{
    size_t length = strlen(path);
    for (int i = 0; i < FORMAT_COUNT; i++) {
        size_t tail = strlen(endings[i]);
        if (length > tail && inc_same_word(path + length - tail, endings[i])) return (format)i;
    }
    return FORMAT_COUNT;
}

inception_sheet *inc_sheet_open(const char *path, inception_sheet_options options, inception_error *error)
{
    format by_name = format_of(path);
    if (by_name == FORMAT_COUNT)
        return inc_fail(error, INCEPTION_INVALID, "%s: the name of a picture ends in .png, .svg or .pdf", path), NULL;
    if (options.theme < INCEPTION_THEME_LIGHT || options.theme > INCEPTION_THEME_DARK)
        return inc_fail(error, INCEPTION_INVALID, "there is no theme %d", (int)options.theme), NULL;
    if (options.scale < 1 || options.scale > 2)
        return inc_fail(error, INCEPTION_INVALID, "scale: %d is not 1 or 2", options.scale), NULL;
    inception_sheet *sheet = inc_calloc(1, sizeof *sheet, error);
    if (!sheet) return NULL;
    sheet->format = by_name;
    sheet->options = options;
    sheet->path = strdup(path);
    if (!sheet->path) inc_fail_memory(error, strlen(path));
    else if (!open_output(sheet, 0, error)) sheet->painter = inc_painter_new(error); /* a try: is there such a folder? */
    inc_output_discard(&sheet->sink.output);
    if (sheet->painter) return sheet;
    inc_sheet_close(sheet);
    return NULL;
}

static inception_status check_open(const inception_sheet *sheet, inception_error *error)
{
    if (!sheet->over) return INCEPTION_OK;
    return inc_fail(error, INCEPTION_INVALID, "%s: it is finished, or writing it has failed", sheet->path);
}

inception_status inc_sheet_add(inception_sheet *sheet, const inception_card *card, inception_error *error)
{
    held new = {0};
    inc_subject *subject = &new.subject;
    inception_status status = check_open(sheet, error);
    if (!status) status = check(sheet, card, error);
    if (status) return status;
    *subject = (inc_subject){.width = card->photo->width, .height = card->photo->height, .seen = {0, 0, 1, 1}};
    if (card->input) status = inc_part_seen(card->input, subject->width, subject->height, &subject->seen, error);
    if (status) return status;
    if (sheet->count == inc_layout_capacity(card->column_count)) status = write_page(sheet, false, error);
    if (status) return status;
    subject->name = copy_text(&new.texts, card->name, error);
    status = subject->name ? copy_columns(&new, card, error) : INCEPTION_MEMORY;
    if (!status) new.photo = copy_photo(card->photo, sheet->options.scale, error);
    if (new.photo) {
        sheet->cards[sheet->count++] = new;
        return INCEPTION_OK;
    }
    inc_arena_free(&new.texts);
    return INCEPTION_MEMORY;
}

inception_status inc_sheet_finish(inception_sheet *sheet, inception_error *error)
{
    inception_status status = check_open(sheet, error);
    if (!status && sheet->count) status = write_page(sheet, true, error);
    sheet->over = true;
    if (status || !sheet->pdf) return status;
    cairo_surface_finish(sheet->pdf);
    status = check_cairo(sheet, cairo_surface_status(sheet->pdf), error);
    return status ? status : inc_output_commit(&sheet->sink.output, true, error);
}

int inc_sheet_pages(const inception_sheet *sheet)
{
    return sheet->pages;
}

void inc_sheet_close(inception_sheet *sheet)
{
    if (!sheet) return;
    drop_cards(sheet);
    if (sheet->pdf) cairo_surface_destroy(sheet->pdf); /* it still writes */
    inc_output_discard(&sheet->sink.output);
    inc_painter_free(sheet->painter);
    free(sheet->path);
    free(sheet);
}
