/* A photo on the terminal: pixels by the protocol that the terminal knows, or half blocks. libchafa draws; this file
 * decides how large. A photo is never enlarged and leaves room for what is said of it. */
#include "cli.h"

#include <chafa.h>
#include <stdlib.h>
#include <string.h>

#define HEIGHT_PART 0.375 /* of the terminal: on 24 lines heading, picture, ten classes and the next prompt fit */

/* The picture's cells, and the photo as RGBA with a clear border, so that it fills these cells at its own aspect. */
typedef struct cell_picture {
    int columns, rows;
    int width, height;
    uint8_t *pixels;
} cell_picture;

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

/* Mean of the photo's pixels in the square of `size` at (x, y). */
static void square_mean(const inception_image *photo, int x, int y, int size, uint8_t *rgba)
{
    int width = inception_image_width(photo), height = inception_image_height(photo);
    int right = width - x < size ? width : x + size, bottom = height - y < size ? height : y + size;
    uint64_t sums[3] = {0}, count = (uint64_t)(right - x) * (uint64_t)(bottom - y);
    for (int row = y; row < bottom; row++) {
        const uint8_t *pixel = inception_image_pixels(photo) + ((size_t)row * (size_t)width + (size_t)x) * 3;
        for (int i = x; i < right; i++)
            for (int c = 0; c < 3; c++) sums[c] += *pixel++;
    }
    for (int c = 0; c < 3; c++) rgba[c] = (uint8_t)((sums[c] + count / 2) / count);
    rgba[3] = 255;
}

/* A large photo is first reduced by a whole factor: the memory taken depends on the terminal, not on the photo. Cells
 * are cell_width x cell_height of the pixels that the terminal shows. */
static bool fit(cell_picture *picture, const inception_image *photo, int cell_width, int cell_height)
{
    int width = inception_image_width(photo), height = inception_image_height(photo);
    double across = (double)terminal_width() * cell_width / width;
    double down = (int)(terminal_height() * HEIGHT_PART) * (double)cell_height / height;
    double scale = across < down ? across : down;
    if (scale <= 0) return false;
    if (scale > 1) scale = 1;

    int shown_width = (int)(width * scale + 0.5), shown_height = (int)(height * scale + 0.5);
    if (shown_width < 1) shown_width = 1;
    if (shown_height < 1) shown_height = 1;
    int factor = (int)(1 / scale), reduced_width = divide_up(width, factor), reduced_height = divide_up(height, factor);
    picture->columns = divide_up(shown_width, cell_width);
    picture->rows = divide_up(shown_height, cell_height);
    picture->width = (int)((double)picture->columns * cell_width * reduced_width / shown_width + 0.5);
    picture->height = (int)((double)picture->rows * cell_height * reduced_height / shown_height + 0.5);
    picture->pixels = calloc((size_t)picture->width * (size_t)picture->height, 4);
    for (int y = 0; picture->pixels && y < reduced_height; y++)
        for (int x = 0; x < reduced_width; x++)
            square_mean(photo, x * factor, y * factor, factor,
                        picture->pixels + ((size_t)y * (size_t)picture->width + (size_t)x) * 4);
    return picture->pixels != NULL;
}

static bool true_colour(void)
{
    const char *depth = getenv("COLORTERM");
    return depth && (strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0);
}

static ChafaCanvas *canvas_of(const cli_terminal *terminal, const cell_picture *picture)
{
    static const ChafaPixelMode modes[] = {
        [PICTURE_KITTY] = CHAFA_PIXEL_MODE_KITTY,
        [PICTURE_ITERM] = CHAFA_PIXEL_MODE_ITERM2,
        [PICTURE_SIXEL] = CHAFA_PIXEL_MODE_SIXELS,
        [PICTURE_BLOCKS] = CHAFA_PIXEL_MODE_SYMBOLS,
    };
    bool blocks = terminal->picture == PICTURE_BLOCKS;
    ChafaCanvasConfig *config = chafa_canvas_config_new();
    ChafaSymbolMap *symbols = chafa_symbol_map_new();
    chafa_symbol_map_add_by_tags(symbols, CHAFA_SYMBOL_TAG_VHALF | CHAFA_SYMBOL_TAG_SPACE);
    chafa_canvas_config_set_symbol_map(config, symbols);
    chafa_canvas_config_set_pixel_mode(config, modes[terminal->picture]);
    chafa_canvas_config_set_canvas_mode(config, blocks && !true_colour() ? CHAFA_CANVAS_MODE_INDEXED_240
                                                                         : CHAFA_CANVAS_MODE_TRUECOLOR);
    chafa_canvas_config_set_geometry(config, picture->columns, picture->rows);
    chafa_canvas_config_set_cell_geometry(config, terminal->cell_width, terminal->cell_height);
    ChafaCanvas *canvas = chafa_canvas_new(config);
    chafa_symbol_map_unref(symbols);
    chafa_canvas_config_unref(config);
    return canvas;
}

void picture_write(const cli_terminal *terminal, const inception_image *photo)
{
    cell_picture picture;
    bool blocks = terminal->picture == PICTURE_BLOCKS; /* two pixels to a cell */
    if (terminal->picture == PICTURE_NONE) return;
    if (!fit(&picture, photo, blocks ? 1 : terminal->cell_width, blocks ? 2 : terminal->cell_height)) return;

    ChafaCanvas *canvas = canvas_of(terminal, &picture);
    chafa_canvas_draw_all_pixels(canvas, CHAFA_PIXEL_RGBA8_UNASSOCIATED, picture.pixels, picture.width, picture.height,
                                 picture.width * 4);
    ChafaTermInfo *sequences = chafa_term_db_get_fallback_info(chafa_term_db_get_default()); /* of every protocol */
    GString *bytes = chafa_canvas_print(canvas, sequences);
    fwrite(bytes->str, 1, bytes->len, stdout);
    fputs("\n\n", stdout);
    g_string_free(bytes, TRUE);
    chafa_term_info_unref(sequences);
    chafa_canvas_unref(canvas);
    free(picture.pixels);
}
