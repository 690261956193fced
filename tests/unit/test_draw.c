/* Cards and contact sheets: where things are, on all shapes of photos, and what is in the files. Pixels are compared
 * nowhere but for the paper's colour: fonts differ from machine to machine. */
#include "../../src/draw/private.h"

#include <dirent.h>
#include <sys/resource.h>
#include <signal.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ROWS 25

static const inception_input slim = {299, 299, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_CENTRE};

static char long_label[400];
static inception_prediction top[ROWS];
static inception_card_column columns[INC_COLUMNS];

static double ruler_width(void *context, const char *text, inc_font font)
{
    (void)context;
    return font.size * (font.bold ? 0.65 : 0.6) * (double)strlen(text);
}

static const inc_ruler ruler = {ruler_width, NULL};

static inc_subject subject_of(int width, int height, int networks)
{
    inc_subject subject = {.width = width, .height = height, .name = long_label, .columns = columns};
    subject.column_count = networks;
    assert_int_equal(inc_part_seen(&slim, width, height, &subject.seen, NULL), INCEPTION_OK);
    return subject;
}

static void set_rows(int rows)
{
    for (int i = 0; i < INC_COLUMNS; i++) columns[i] = (inception_card_column){"Inception_V3", top, rows};
}

/* ---- Layout ---- */

static bool overlap(const inc_item *a, const inc_item *b)
{
    double near = 1e-6;
    return a->x + a->width > b->x + near && b->x + b->width > a->x + near && a->y + a->height > b->y + near
        && b->y + b->height > a->y + near;
}

static bool within(const inc_item *inner, double x, double y, double width, double height)
{
    double near = 1e-6;
    return inner->x >= x - near && inner->y >= y - near && inner->x + inner->width <= x + width + near
        && inner->y + inner->height <= y + height + near;
}

static bool solid(const inc_item *item)
{
    return item->kind == INC_TEXT || item->kind == INC_PHOTO || (item->kind == INC_BOX && item->ink == INC_INK_TRACK);
}

/* Photos, texts and tracks lie apart; all is on the page; marks lie on their photos, bars on their tracks. */
static void check_page(const inc_page *page)
{
    const inc_item *photo = NULL, *track = NULL;
    for (size_t i = 0; i < page->count; i++) {
        const inc_item *item = &page->items[i];
        assert_true(item->width > 0 && item->height > 0);
        assert_true(within(item, 10, 10, page->width - 20, page->height - 20));
        for (size_t j = 0; solid(item) && j < i; j++)
            if (solid(&page->items[j]) && overlap(item, &page->items[j])) fail_msg("items %zu and %zu overlap", i, j);
        if (item->kind == INC_PHOTO) photo = item;
        if (item->ink == INC_INK_TRACK) track = item;
        if (item->ink >= INC_INK_VEIL)
            assert_true(photo && within(item, photo->x, photo->y, photo->width, photo->height));
        if (item->ink == INC_INK_ACCENT || item->ink == INC_INK_BAR)
            assert_true(track && within(item, track->x, track->y, track->width, track->height));
    }
}

static const inc_item *find(const inc_page *page, inc_item_kind kind, size_t skip)
{
    for (size_t i = 0; i < page->count; i++)
        if (page->items[i].kind == kind && skip-- == 0) return &page->items[i];
    return NULL;
}

static size_t count_ink(const inc_page *page, inc_ink ink)
{
    size_t count = 0;
    for (size_t i = 0; i < page->count; i++) count += page->items[i].ink == ink;
    return count;
}

/* Its shape is kept, to the rounding of both sides, and it is not enlarged beyond measure. */
static void check_photo(const inc_item *photo, int width, int height)
{
    bool wide = width > height;
    double long_side = wide ? width : height, short_side = wide ? height : width;
    double scale = (wide ? photo->width : photo->height) / long_side;
    assert_true(fabs((wide ? photo->height : photo->width) - fmax(1, short_side * scale)) <= 1);
    assert_true(scale <= 4 && photo->width == round(photo->width) && photo->height == round(photo->height));
}

/* Around each photo's window is veil, and nowhere else. Photos too thin for a window have no frame. */
static void check_veils(const inc_page *page)
{
    double bare = 0; /* of the photo at hand */
    for (size_t i = 0; i < page->count; i++) {
        const inc_item *item = &page->items[i];
        double area = item->width * item->height;
        if (item->kind == INC_PHOTO) bare = area;
        if (item->ink == INC_INK_VEIL) bare -= area;
        if (item->ink == INC_INK_FRAME) assert_true(fabs(bare - area) < 1e-6);
        if (item->ink == INC_INK_EDGE) assert_true(bare > 0.7 * area);
    }
}

static const int shapes[][2] = {
    {3000, 2000}, {2000, 3000}, {1000, 1000}, {3000, 300}, {300, 3000}, {20, 20}, {1, 1}, {40000, 1}, {1, 40000},
    {275, 183}, {16384, 16384},
};

static void cards_of_all_shapes(void **state)
{
    (void)state;
    static const int row_counts[] = {1, 5, 10, ROWS};
    for (size_t s = 0; s < INC_COUNT(shapes); s++)
        for (int networks = 1; networks <= INC_COLUMNS; networks++)
            for (size_t r = 0; r < INC_COUNT(row_counts); r++) {
                inc_page page = {0};
                set_rows(row_counts[r]);
                inc_subject subject = subject_of(shapes[s][0], shapes[s][1], networks);
                assert_int_equal(inc_layout_card(&subject, ruler, &page, NULL), INCEPTION_OK);
                check_page(&page);
                check_photo(find(&page, INC_PHOTO, 0), shapes[s][0], shapes[s][1]);
                check_veils(&page);
                size_t rows = (size_t)(row_counts[r] < INC_CARD_ROWS ? row_counts[r] : INC_CARD_ROWS);
                assert_int_equal(count_ink(&page, INC_INK_TRACK), rows * (size_t)networks);
                assert_int_equal(count_ink(&page, INC_INK_ACCENT), networks);
                assert_true(page.width * 2 < 32767 && page.height * 2 < 32767); /* cairo's largest picture */
                inc_page_free(&page);
            }
}

static void sheets_of_all_shapes(void **state)
{
    (void)state;
    set_rows(10);
    for (int networks = 1; networks <= INC_COLUMNS; networks++) {
        size_t capacity = inc_layout_capacity(networks);
        assert_true(capacity >= 1 && capacity <= INC_PAGE_CARDS);
        for (size_t count = 1; count <= capacity; count++) {
            inc_subject subjects[INC_PAGE_CARDS];
            inc_page page = {0};
            for (size_t i = 0; i < count; i++) {
                const int *shape = shapes[i % INC_COUNT(shapes)];
                subjects[i] = subject_of(shape[0], shape[1], networks);
            }
            assert_int_equal(inc_layout_sheet(subjects, count, count % 2 ? 7 : 0, ruler, &page, NULL), INCEPTION_OK);
            check_page(&page);
            check_veils(&page);
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(find(&page, INC_PHOTO, i)->subject, i);
                check_photo(find(&page, INC_PHOTO, i), subjects[i].width, subjects[i].height);
            }
            assert_null(find(&page, INC_PHOTO, count));
            assert_int_equal(count_ink(&page, INC_INK_TRACK), count * (size_t)networks * INC_CELL_ROWS);
            inc_page_free(&page);
        }
    }
}

/* Name and percentage in one line, the bar under them, in order, as long as the probability says. */
static void rows_say_what_was_answered(void **state)
{
    (void)state;
    inc_page page = {0};
    set_rows(10);
    inc_subject subject = subject_of(400, 300, 1);
    assert_int_equal(inc_layout_card(&subject, ruler, &page, NULL), INCEPTION_OK);
    const inc_item *before = NULL;
    int row = 0;
    for (size_t i = 0; i + 3 < page.count; i++) {
        const inc_item *name = &page.items[i], *percent = name + 1, *track = name + 2, *bar = name + 3;
        if (track->ink != INC_INK_TRACK) continue;
        char expected[16];
        snprintf(expected, sizeof expected, "%.2f%%", 100 * fmin(1, (double)top[row].probability));
        assert_string_equal(name->text, top[row].label);
        assert_string_equal(percent->text, expected);
        assert_true(name->y == percent->y && name->font.size == percent->font.size && name->x == track->x);
        assert_true(fabs(percent->x + percent->width - track->x - track->width) < 1e-6);
        assert_true(percent->width >= ruler_width(NULL, expected, percent->font));
        assert_true(name->x + name->width < percent->x && track->y > name->y + name->height);
        assert_true(bar->x == track->x && fabs(bar->width - track->width * (double)top[row].probability) < 1e-6);
        assert_int_equal(bar->ink, row == 0 ? INC_INK_ACCENT : INC_INK_BAR);
        assert_int_equal(name->font.bold, row == 0);
        assert_true(!before || name->y > before->y);
        before = name;
        row++;
    }
    assert_int_equal(row, 10);
    const inc_item *last = &page.items[page.count - 1], *first = last - 1;
    assert_string_equal(last->text, "Inception_V3");
    assert_string_equal(first->text, long_label);
    assert_true(first->cut_middle && first->y == last->y && first->x + first->width < last->x);
    inc_page_free(&page);
}

/* A probability of -1: the label in the room of a row, and neither a percentage nor a bar. */
static void label_alone(void **state)
{
    (void)state;
    inc_page page = {0};
    set_rows(1);
    top[0].probability = -1;
    inc_subject subject = subject_of(400, 300, 1);
    assert_int_equal(inc_layout_card(&subject, ruler, &page, NULL), INCEPTION_OK);
    int found = 0;
    for (size_t i = 0; i < page.count; i++) {
        assert_true(page.items[i].ink != INC_INK_TRACK && page.items[i].ink != INC_INK_ACCENT);
        assert_true(page.items[i].kind != INC_TEXT || !strchr(page.items[i].text, '%'));
        found += page.items[i].kind == INC_TEXT && strcmp(page.items[i].text, top[0].label) == 0;
    }
    assert_int_equal(found, 1);
    check_page(&page);
    inc_page_free(&page);
    top[0].probability = 1;
}

/* The numbers of prepare.c: 1/16 of each side, whole pixels, for TF-Slim; 16 of 256 for Caffe. */
static void part_seen(void **state)
{
    (void)state;
    inc_part part;
    inception_input input = slim;
    assert_int_equal(inc_part_seen(&input, 100, 31, &part, NULL), INCEPTION_OK);
    assert_true(part.x == 0.06 && fabs(part.width - 0.88) < 1e-12 && part.y == 1.0 / 31);
    assert_int_equal(inc_part_seen(&input, 15, 15, &part, NULL), INCEPTION_OK);
    assert_true(part.x == 0 && part.width == 1 && part.height == 1);
    input = (inception_input){224, 224, INCEPTION_PREPROCESS_CAFFE, INCEPTION_CROP_CENTRE};
    assert_int_equal(inc_part_seen(&input, 15, 15, &part, NULL), INCEPTION_OK);
    assert_true(part.x == 0.0625 && part.height == 0.875);
    for (inception_crop crop = INCEPTION_CROP_FULL; crop <= INCEPTION_CROP_LETTERBOX; crop++) {
        input.crop = crop;
        assert_int_equal(inc_part_seen(&input, 150, 150, &part, NULL), INCEPTION_OK);
        assert_true(part.x == 0 && part.y == 0 && part.width == 1 && part.height == 1);
    }
    input.width = 0;
    assert_int_equal(inc_part_seen(&input, 150, 150, &part, NULL), INCEPTION_INVALID);
}

/* ---- Files ---- */

static char folder[] = "/tmp/inception-draw-XXXXXX", path[320];

static const char *at(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static bool exists(const char *name)
{
    return access(at(name), F_OK) == 0;
}

/* How many files there are; removes them. */
static int empty_folder(void)
{
    int count = 0;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        count++;
        unlink(at(entry->d_name));
    }
    closedir(listing);
    return count;
}

static inception_image *photo_of(int width, int height)
{
    size_t size = (size_t)width * (size_t)height * 3;
    uint8_t *pixels = malloc(size);
    for (size_t i = 0; i < size; i++) pixels[i] = (uint8_t)(i * 7);
    inception_image *photo = inception_image_from_pixels(pixels, width, height, (size_t)width * 3, NULL);
    free(pixels);
    return photo;
}

/* `count` cards of photos of many shapes; the status of the first failure. */
static inception_status draw(const char *name, const inception_sheet_options *options, int count, int networks,
                             int *pages)
{
    inception_error error = {0};
    set_rows(10);
    inception_sheet *sheet = inception_sheet_open(at(name), options, &error);
    for (int i = 0; i < count; i++) {
        inception_image *photo = photo_of(30 + 90 * (i % 4), 40 + 70 * (i % 3));
        inception_card card = {photo, i ? "\xFF no UTF-8 \xE2" : "the first.jpg", i % 5 ? &slim : NULL, columns, networks};
        inception_sheet_add(sheet, &card, &error);
        inception_image_free(&photo);
    }
    inception_sheet_finish(sheet, &error);
    if (pages) *pages = inception_sheet_pages(sheet);
    inception_sheet_close(&sheet);
    if (error.status) print_message("%s\n", error.message);
    return error.status;
}

static void pictures(void **state)
{
    (void)state;
    static const int paper[] = {0xFCFBF9, 0x161617};
    int width = 0, height = 0;
    for (int scale = 1; scale <= 2; scale++)
        for (int theme = INCEPTION_THEME_LIGHT; theme <= (int)INCEPTION_THEME_DARK; theme++) {
            inception_sheet_options options = {(inception_theme)theme, scale};
            assert_int_equal(draw("card.PNG", &options, 1, 2, NULL), INCEPTION_OK);
            inception_image *drawn = inception_image_read(at("card.PNG"), NULL, NULL);
            assert_non_null(drawn);
            if (!width) width = drawn->width, height = drawn->height;
            assert_int_equal(drawn->width, width * scale);
            assert_int_equal(drawn->height, height * scale);
            const uint8_t *last = drawn->pixels + 3 * ((size_t)drawn->width * (size_t)drawn->height - 1);
            assert_int_equal(drawn->pixels[0] << 16 | drawn->pixels[1] << 8 | drawn->pixels[2], paper[theme]);
            assert_int_equal(last[0] << 16 | last[1] << 8 | last[2], paper[theme]);
            inception_image_free(&drawn);
        }
    assert_int_equal(empty_folder(), 1);
}

/* Text of any script that is too long is cut: right of its room there is paper. */
static void long_texts_stay_in_their_room(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a name that is far too long", "\xD0\xB4\xD0\xBB\xD0\xB8\xD0\xBD\xD0\xBD\xD0\xBE\xD0\xB5 \xD0\xB8\xD0\xBC\xD1\x8F",
        "\xD8\xA7\xD8\xB3\xD9\x85 \xD8\xB7\xD9\x88\xD9\x8A\xD9\x84 \xD8\xAC\xD8\xAF\xD8\xA7", "one\ntwo\tthree, four",
    };
    inc_painter *painter = inc_painter_new(NULL);
    assert_non_null(painter);
    for (size_t i = 0; i < 2 * INC_COUNT(texts); i++) {
        inc_item item = {INC_TEXT, INC_INK_TEXT, 10, 10, 60, 30, .font = {20, false}, .text = texts[i / 2],
                         .plain = 2, .cut_middle = i % 2};
        inc_page page = {.width = 300, .height = 50, .items = &item, .count = 1};
        cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 300, 50);
        cairo_t *cairo = cairo_create(surface);
        assert_int_equal(inc_paint(painter, cairo, &page, INCEPTION_THEME_LIGHT, 1, NULL, NULL), INCEPTION_OK);
        cairo_destroy(cairo);
        cairo_surface_flush(surface);
        const uint32_t *pixels = (const uint32_t *)(const void *)cairo_image_surface_get_data(surface);
        int inside = 0, outside = 0; /* pixels that are not paper; glyphs may hang over by 2 */
        for (int j = 0; j < 300 * 50; j++) {
            bool right = j % 300 >= 10 + 60 + 2;
            if ((pixels[j] & 0xFFFFFF) != (pixels[0] & 0xFFFFFF)) *(right ? &outside : &inside) += 1;
        }
        assert_true(inside > 20);
        assert_int_equal(outside, 0);
        cairo_surface_destroy(surface);
    }
    inc_painter_free(painter);
}

static void pages(void **state)
{
    (void)state;
    inception_sheet_options options = {INCEPTION_THEME_LIGHT, 1};
    int written;
    assert_int_equal(draw("none.png", &options, 0, 1, &written), INCEPTION_OK);
    assert_int_equal(draw("none.pdf", &options, 0, 1, &written), INCEPTION_OK);
    assert_int_equal(written, 0);
    assert_int_equal(empty_folder(), 0);
    assert_int_equal(draw("one.svg", &options, 12, 1, &written), INCEPTION_OK);
    assert_int_equal(written, 1);
    assert_true(exists("one.svg"));
    assert_int_equal(empty_folder(), 1);
    assert_int_equal(draw("more.svg", &options, 13, 1, &written), INCEPTION_OK);
    assert_int_equal(written, 2);
    assert_true(exists("more-1.svg") && exists("more-2.svg"));
    assert_int_equal(empty_folder(), 2);
    assert_int_equal(draw("more.png", &options, 9, 8, &written), INCEPTION_OK); /* 4 cards of 8 networks on a page */
    assert_int_equal(written, 3);
    assert_true(exists("more-1.png") && exists("more-2.png") && exists("more-3.png"));
    assert_int_equal(empty_folder(), 3);
}

static size_t occurrences(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *found = text; (found = strstr(found, word)) != NULL; found += strlen(word)) count++;
    return count;
}

/* Every element is closed by an end of its own name; returns how many there are. */
static int well_formed(char *text)
{
    char *open[64];
    int depth = 0, count = 0;
    for (char *tag = text; (tag = strchr(tag, '<')) != NULL;) {
        char *end = strchr(++tag, '>');
        assert_non_null(end);
        if (*tag == '?') { tag = end; continue; }
        bool alone = end[-1] == '/', closes = *tag == '/';
        *end = '\0';
        char *name = tag + closes;
        name[strcspn(name, " \n/")] = '\0';
        if (closes) assert_true(depth > 0 && strcmp(open[--depth], name) == 0);
        else if (!alone) assert_true(depth < 64), open[depth++] = name;
        count += !closes;
        tag = end + 1;
    }
    assert_int_equal(depth, 0);
    return count;
}

static void svg_structure(void **state)
{
    (void)state;
    uint8_t *data;
    size_t size;
    char expected[64];
    assert_int_equal(draw("card.svg", NULL, 1, 3, NULL), INCEPTION_OK);
    assert_int_equal(inc_file_read(at("card.svg"), 1 << 24, &data, &size, NULL), INCEPTION_OK);
    char *text = strndup((const char *)data, size);
    free(data);
    inc_page page = {0};
    inc_subject subject = subject_of(30, 40, 3);
    assert_int_equal(inc_layout_card(&subject, ruler, &page, NULL), INCEPTION_OK);
    snprintf(expected, sizeof expected, "viewBox=\"0 0 %.0f %.0f\"", page.width, page.height);
    inc_page_free(&page);
    assert_int_equal(occurrences(text, expected), 1);
    assert_int_equal(occurrences(text, "<image "), 1);
    assert_int_equal(occurrences(text, "rgb(84.7"), 3);   /* 0xD8: the accent of each network's first bar */
    assert_int_equal(occurrences(text, "rgb(92.5"), 30);  /* 0xEC: tracks */
    assert_true(well_formed(text) > 100);
    free(text);
    assert_int_equal(empty_folder(), 1);
}

static void pdf_pages_and_text(void **state)
{
    (void)state;
    assert_int_equal(draw("sheet.pdf", NULL, 30, 1, NULL), INCEPTION_OK);
    assert_true(exists("sheet.pdf"));
    if (system("command -v pdftotext >/dev/null") != 0) {
        empty_folder();
        skip();
    }
    char command[400], text[1 << 16];
    snprintf(command, sizeof command, "pdftotext %s -", at("sheet.pdf"));
    FILE *pipe = popen(command, "r");
    text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    assert_int_equal(occurrences(text, "\f"), 3); /* 12, 12 and 6 photos */
    assert_int_equal(occurrences(text, "the first.jpg"), 1);
    assert_int_equal(occurrences(text, "Inception_V3"), 3);
    assert_int_equal(occurrences(text, "class 1"), 30);
    assert_int_equal(occurrences(text, "50.00%"), 30);
    assert_int_equal(occurrences(text, long_label), 30); /* all of it can be found, though not seen */
    assert_int_equal(empty_folder(), 1);
}

/* ---- Misuse and failures ---- */

static void wrong_sheets(void **state)
{
    (void)state;
    static const char *const names[] = {"card", "card.jpg", ".png", "card.png.", "card.pn"};
    inception_error error = {0};
    for (size_t i = 0; i < INC_COUNT(names); i++) {
        error = (inception_error){0};
        assert_null(inception_sheet_open(names[i], NULL, &error));
        assert_int_equal(error.status, INCEPTION_INVALID);
        assert_non_null(strstr(error.message, ".png, .svg or .pdf"));
    }
    assert_null(inception_sheet_open(NULL, NULL, NULL));
    assert_null(inception_sheet_open(at("a.png"), &(inception_sheet_options){INCEPTION_THEME_LIGHT, 3}, NULL));
    assert_null(inception_sheet_open(at("a.png"), &(inception_sheet_options){INCEPTION_THEME_LIGHT, 0}, NULL));
    assert_null(inception_sheet_open(at("a.png"), &(inception_sheet_options){(inception_theme)2, 1}, NULL));
    error = (inception_error){0};
    assert_null(inception_sheet_open(at("no/a.pdf"), NULL, &error));
    assert_int_equal(error.status, INCEPTION_IO);
    assert_non_null(strstr(error.message, "no/a.pdf"));
    assert_int_equal(inception_sheet_add(NULL, NULL, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_sheet_finish(NULL, NULL), INCEPTION_INVALID);
    inception_sheet *none = NULL;
    inception_sheet_close(&none), inception_sheet_close(NULL);
    assert_int_equal(empty_folder(), 0);
}

/* A card that is refused changes nothing: the others are drawn. */
static void wrong_cards(void **state)
{
    (void)state;
    set_rows(3);
    inception_image *photo = photo_of(50, 50);
    const inception_card good = {photo, "", &slim, columns, 1};
    inception_card cards[10];
    for (size_t i = 0; i < INC_COUNT(cards); i++) cards[i] = good;
    static const inception_prediction odd[] = {{.probability = NAN, .label = "x"}, {.probability = -0.5f, .label = "x"},
                                               {.probability = 1.5f, .label = "x"}, {.probability = 0.5f}};
    inception_card_column answers[INC_COUNT(odd)];
    for (size_t i = 0; i < INC_COUNT(odd); i++) {
        answers[i] = (inception_card_column){"title", &odd[i], 1};
        cards[i].columns = &answers[i];
    }
    cards[4].photo = NULL, cards[5].name = NULL, cards[6].columns = NULL;
    cards[7].column_count = 0, cards[8].column_count = INC_COLUMNS + 1;
    cards[9].input = &(inception_input){0, 299, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_CENTRE};
    inception_sheet *sheet = inception_sheet_open(at("card.svg"), NULL, NULL);
    for (size_t i = 0; i < INC_COUNT(cards); i++)
        assert_int_equal(inception_sheet_add(sheet, &cards[i], NULL), INCEPTION_INVALID);
    assert_int_equal(inception_sheet_add(sheet, &good, NULL), INCEPTION_OK);
    inception_card two = good;
    two.column_count = 2;
    assert_int_equal(inception_sheet_add(sheet, &two, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_sheet_finish(sheet, NULL), INCEPTION_OK);
    assert_int_equal(inception_sheet_add(sheet, &good, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_sheet_finish(sheet, NULL), INCEPTION_INVALID);
    inception_sheet_close(&sheet);
    assert_int_equal(empty_folder(), 1);

    sheet = inception_sheet_open(at("dropped.pdf"), NULL, NULL); /* two pages, never finished */
    for (int i = 0; i < 13; i++) assert_int_equal(inception_sheet_add(sheet, &good, NULL), INCEPTION_OK);
    inception_sheet_close(&sheet);
    assert_int_equal(empty_folder(), 0);
    inception_image_free(&photo);
}

/* Writing fails after the first bytes, in each format: a sentence, and nothing left behind. */
static void full_disk(void **state)
{
    (void)state;
    static const char *const names[] = {"card.png", "card.svg", "card.pdf"};
    struct rlimit before, small;
    set_rows(3);
    inception_image *photo = photo_of(50, 50);
    const inception_card card = {photo, "photo", &slim, columns, 1};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 1000; /* bytes of a file */
    for (size_t i = 0; i < INC_COUNT(names); i++) {
        inception_error error = {0};
        inception_sheet *sheet = inception_sheet_open(at(names[i]), NULL, &error);
        setrlimit(RLIMIT_FSIZE, &small);
        assert_int_equal(inception_sheet_add(sheet, &card, &error), INCEPTION_OK);
        inception_status status = inception_sheet_finish(sheet, &error);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(status, INCEPTION_IO);
        assert_non_null(strstr(error.message, names[i]));
        assert_int_equal(inception_sheet_add(sheet, &card, NULL), INCEPTION_INVALID);
        inception_sheet_close(&sheet);
        assert_int_equal(empty_folder(), 0);
    }
    inception_image_free(&photo);
}

static int make_answers(void **state)
{
    (void)state;
    static char labels[ROWS][32];
    memset(long_label, 'w', sizeof long_label - 1);
    for (int i = 0; i < ROWS; i++) {
        snprintf(labels[i], sizeof labels[i], "class %d, also \xD0\xB6 \xE4\xBE\x8B %d", i, i);
        top[i] = (inception_prediction){i, (float)pow(0.5, i), 0, labels[i], ""};
    }
    top[2].label = long_label;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cards_of_all_shapes), cmocka_unit_test(sheets_of_all_shapes),
        cmocka_unit_test(rows_say_what_was_answered), cmocka_unit_test(label_alone), cmocka_unit_test(part_seen),
        cmocka_unit_test(pictures),
        cmocka_unit_test(long_texts_stay_in_their_room), cmocka_unit_test(pages), cmocka_unit_test(svg_structure),
        cmocka_unit_test(pdf_pages_and_text), cmocka_unit_test(wrong_sheets), cmocka_unit_test(wrong_cards),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, make_answers, remove_folder);
}
