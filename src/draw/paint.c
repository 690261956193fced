/* Items onto a cairo surface, texts through pango. A painter has its own font map: no state is shared between sheets. */
#include "private.h"

#include <pango/pangocairo.h>
#include <stdlib.h>
#include <string.h>

#define FAMILIES "Inter, Helvetica Neue, Arial, Noto Sans, DejaVu Sans, sans-serif"
#define BASELINE 1.06 /* below the top of a line, in font sizes */
#define CRISP 64      /* pictures of at most so many pixels a side keep their pixels when enlarged */

typedef struct colour {
    double red, green, blue, alpha;
} colour;

#define RGBA(rgb, alpha) {((rgb) >> 16) / 255.0, ((rgb) >> 8 & 255) / 255.0, ((rgb) & 255) / 255.0, alpha}

static const colour themes[][INC_INK_COUNT] = {
    [INCEPTION_THEME_LIGHT] = {
        [INC_INK_PAPER] = RGBA(0xFCFBF9, 1), [INC_INK_TEXT] = RGBA(0x1D1C1A, 1), [INC_INK_QUIET] = RGBA(0x7D7973, 1),
        [INC_INK_ACCENT] = RGBA(0xD8472B, 1), [INC_INK_BAR] = RGBA(0xB5B0A8, 1), [INC_INK_TRACK] = RGBA(0xECE9E4, 1),
        [INC_INK_MAT] = RGBA(0xF3F1ED, 1), [INC_INK_VEIL] = RGBA(0xFCFBF9, 0.30), [INC_INK_FRAME] = RGBA(0xFFFFFF, 0.75),
        [INC_INK_SHADE] = RGBA(0x000000, 0.14), [INC_INK_EDGE] = RGBA(0x000000, 0.08),
    },
    [INCEPTION_THEME_DARK] = {
        [INC_INK_PAPER] = RGBA(0x161617, 1), [INC_INK_TEXT] = RGBA(0xF1EFEC, 1), [INC_INK_QUIET] = RGBA(0x918D87, 1),
        [INC_INK_ACCENT] = RGBA(0xFF7350, 1), [INC_INK_BAR] = RGBA(0x6B6864, 1), [INC_INK_TRACK] = RGBA(0x2A2A2C, 1),
        [INC_INK_MAT] = RGBA(0x1E1E20, 1), [INC_INK_VEIL] = RGBA(0x161617, 0.34), [INC_INK_FRAME] = RGBA(0xFFFFFF, 0.55),
        [INC_INK_SHADE] = RGBA(0x000000, 0.14), [INC_INK_EDGE] = RGBA(0xFFFFFF, 0.10),
    },
};

struct inc_painter {
    PangoFontMap *fonts;
    PangoContext *context;
    PangoLayout *layout;
};

inc_painter *inc_painter_new(inception_error *error)
{
    inc_painter *painter = inc_calloc(1, sizeof *painter, error);
    if (!painter) return NULL;
    painter->fonts = pango_cairo_font_map_new();
    painter->context = pango_font_map_create_context(painter->fonts);
    PangoFontDescription *any = pango_font_description_from_string(FAMILIES);
    PangoFont *font = pango_font_map_load_font(painter->fonts, painter->context, any);
    pango_font_description_free(any);
    if (!font) { /* pango would draw nothing, or end the process */
        inc_fail(error, INCEPTION_UNSUPPORTED, "no text can be drawn: there is no font on this machine");
        inc_painter_free(painter);
        return NULL;
    }
    g_object_unref(font);
    pango_context_set_round_glyph_positions(painter->context, FALSE);
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    pango_cairo_context_set_font_options(painter->context, options);
    cairo_font_options_destroy(options);
    painter->layout = pango_layout_new(painter->context);
    pango_layout_set_single_paragraph_mode(painter->layout, TRUE);
    return painter;
}

void inc_painter_free(inc_painter *painter)
{
    if (!painter) return;
    g_clear_object(&painter->layout);
    g_clear_object(&painter->context);
    g_clear_object(&painter->fonts);
    free(painter);
}

/* ---- Texts ---- */

static void set_text(const inc_painter *painter, const char *text, inc_font font)
{
    PangoFontDescription *description = pango_font_description_new();
    pango_font_description_set_family_static(description, FAMILIES);
    pango_font_description_set_absolute_size(description, font.size * PANGO_SCALE);
    pango_font_description_set_weight(description, font.bold ? PANGO_WEIGHT_SEMIBOLD : PANGO_WEIGHT_NORMAL);
    pango_layout_set_font_description(painter->layout, description);
    pango_font_description_free(description);
    pango_layout_set_text(painter->layout, text, -1);
    pango_layout_set_width(painter->layout, -1);
}

/* Figures of one width, so that columns of them stand in line; what follows the plain part in another colour. */
static void set_attributes(const inc_painter *painter, size_t plain, const colour *quiet)
{
    PangoAttrList *list = pango_attr_list_new();
    pango_attr_list_insert(list, pango_attr_font_features_new("tnum=1"));
    if (quiet) {
        PangoAttribute *parts[] = {
            pango_attr_foreground_new((guint16)(quiet->red * 65535), (guint16)(quiet->green * 65535),
                                      (guint16)(quiet->blue * 65535)),
            pango_attr_weight_new(PANGO_WEIGHT_NORMAL),
        };
        for (size_t i = 0; i < INC_COUNT(parts); i++) {
            parts[i]->start_index = (guint)plain;
            pango_attr_list_insert(list, parts[i]);
        }
    }
    pango_layout_set_attributes(painter->layout, list);
    pango_attr_list_unref(list);
}

static double measure(void *context, const char *text, inc_font font)
{
    const inc_painter *painter = context;
    PangoRectangle logical;
    set_text(painter, text, font);
    set_attributes(painter, 0, NULL);
    pango_layout_get_extents(painter->layout, NULL, &logical);
    return (double)logical.width / PANGO_SCALE;
}

inc_ruler inc_painter_ruler(inc_painter *painter)
{
    return (inc_ruler){measure, painter};
}

static void paint_text(const inc_painter *painter, cairo_t *cairo, const inc_item *item, const colour *inks)
{
    int room = (int)(item->width * PANGO_SCALE);
    PangoRectangle logical;
    set_text(painter, item->text, item->font);
    set_attributes(painter, item->plain, &inks[INC_INK_QUIET]);
    pango_layout_set_ellipsize(painter->layout, item->cut_middle ? PANGO_ELLIPSIZE_MIDDLE : PANGO_ELLIPSIZE_END);
    pango_layout_get_extents(painter->layout, NULL, &logical);
    if (logical.width > room) pango_layout_set_width(painter->layout, room); /* not set: right-to-left stays left */
    double baseline = item->y + BASELINE * item->font.size;
    cairo_move_to(cairo, item->x, baseline - (double)pango_layout_get_baseline(painter->layout) / PANGO_SCALE);
    pango_cairo_show_layout(cairo, painter->layout);
}

/* ---- The rest ---- */

static void paint_box(cairo_t *cairo, const inc_item *item)
{
    double r = item->radius < item->width / 2 ? item->radius : item->width / 2, quarter = G_PI / 2;
    double right = item->x + item->width - r, bottom = item->y + item->height - r;
    if (r > 0) {
        cairo_new_sub_path(cairo);
        cairo_arc(cairo, right, item->y + r, r, -quarter, 0);
        cairo_arc(cairo, right, bottom, r, 0, quarter);
        cairo_arc(cairo, item->x + r, bottom, r, quarter, 2 * quarter);
        cairo_arc(cairo, item->x + r, item->y + r, r, 2 * quarter, 3 * quarter);
        cairo_close_path(cairo);
    } else {
        cairo_rectangle(cairo, item->x, item->y, item->width, item->height);
    }
    cairo_fill(cairo);
}

static cairo_surface_t *surface_of(const inception_image *image)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, image->width, image->height);
    uint8_t *data = cairo_image_surface_get_data(surface); /* NULL where the surface is none */
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    const uint8_t *rgb = image->pixels;
    for (int y = 0; data && y < image->height; y++) {
        uint32_t *row = (uint32_t *)(void *)(data + (size_t)y * stride);
        for (int x = 0; x < image->width; x++, rgb += 3)
            row[x] = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
    }
    cairo_surface_mark_dirty(surface);
    return surface;
}

/* Reduced here to the very pixels it covers; cairo has only to enlarge. */
static inception_status paint_photo(cairo_t *cairo, const inc_item *item, const inception_image *photo, int scale,
                                    inception_error *error)
{
    int across = (int)item->width * scale, down = (int)item->height * scale;
    inception_image *reduced = NULL;
    if (photo->width > across || photo->height > down) {
        reduced = inc_image_scaled(photo, across, down, error);
        if (!reduced) return INCEPTION_MEMORY;
        photo = reduced;
    }
    cairo_surface_t *surface = surface_of(photo);
    cairo_save(cairo);
    cairo_rectangle(cairo, item->x, item->y, item->width, item->height);
    cairo_clip(cairo);
    cairo_translate(cairo, item->x, item->y);
    cairo_scale(cairo, item->width / photo->width, item->height / photo->height);
    cairo_set_source_surface(cairo, surface, 0, 0);
    bool crisp = photo->width <= CRISP && photo->height <= CRISP;
    cairo_pattern_set_filter(cairo_get_source(cairo), crisp ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
    if (cairo_surface_get_type(cairo_get_target(cairo)) == CAIRO_SURFACE_TYPE_IMAGE)
        cairo_pattern_set_extend(cairo_get_source(cairo), CAIRO_EXTEND_PAD); /* else the edges fade */
    cairo_paint(cairo);
    cairo_restore(cairo);
    cairo_surface_destroy(surface);
    inc_image_free(reduced);
    return INCEPTION_OK;
}

static void set_ink(cairo_t *cairo, const colour *c)
{
    if (c->alpha < 1) cairo_set_source_rgba(cairo, c->red, c->green, c->blue, c->alpha);
    else cairo_set_source_rgb(cairo, c->red, c->green, c->blue);
}

inception_status inc_paint(inc_painter *painter, cairo_t *cairo, const inc_page *page, inception_theme theme, int scale,
                           inception_image *const *photos, inception_error *error)
{
    const colour *inks = themes[theme];
    set_ink(cairo, &inks[INC_INK_PAPER]);
    cairo_paint(cairo);
    cairo_set_line_width(cairo, 1);
    pango_cairo_update_context(cairo, painter->context);
    for (size_t i = 0; i < page->count; i++) {
        const inc_item *item = &page->items[i];
        set_ink(cairo, &inks[item->ink]);
        switch (item->kind) {
        case INC_BOX: paint_box(cairo, item); break;
        case INC_TEXT: paint_text(painter, cairo, item, inks); break;
        case INC_OUTLINE:
            cairo_rectangle(cairo, item->x + 0.5, item->y + 0.5, item->width - 1, item->height - 1);
            cairo_stroke(cairo);
            break;
        case INC_PHOTO: {
            inception_status status = paint_photo(cairo, item, photos[item->subject], scale, error);
            if (status) return status;
            break;
        }
        }
    }
    return INCEPTION_OK;
}
