/* Transparent pictures, as a viewer with a white page shows them. */
#include "private.h"

/* x/255 to nearest, exact for 0 <= x <= 255*255. */
static uint8_t by_255(unsigned x)
{
    x += 128;
    return (uint8_t)((x + (x >> 8)) >> 8);
}

void inc_over_white(const uint8_t *rgba, uint8_t *rgb, size_t count)
{
    for (size_t i = 0; i < count; i++, rgba += 4, rgb += 3) {
        unsigned alpha = rgba[3], white = 255 * (255 - alpha);
        for (int c = 0; c < 3; c++) rgb[c] = by_255(rgba[c] * alpha + white);
    }
}
