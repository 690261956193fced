/* Both preparations against plain loops. What TensorFlow makes of real photos is in golden/check_prepare.py. */
#include "../../src/image/private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static inception_image *noise(int width, int height)
{
    inception_image *image = inc_image_new(width, height, NULL);
    assert_non_null(image);
    uint32_t x = 1;
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++) {
        x = x * 1664525 + 1013904223;
        image->pixels[i] = (uint8_t)(x >> 24);
    }
    return image;
}

static const struct {
    int width, height;
} sizes[] = {{1, 1}, {1, 40}, {40, 1}, {15, 17}, {16, 16}, {24, 26}, {25, 25}, {150, 77}};

#define OUT_W 23
#define OUT_H 21

/* The rule of TF-Slim in double; what TensorFlow's floats make of it is for check_prepare.py. */
static double slim_at(const inception_image *image, bool crop, int x, int y, int c)
{
    int left = crop ? image->width / 16 : 0, top = crop ? image->height / 16 : 0;
    int width = image->width - 2 * left, height = image->height - 2 * top;
    double in_x = (double)x * width / OUT_W, in_y = (double)y * height / OUT_H, sum = 0;
    for (int i = 0; i < 4; i++) {
        int x0 = (int)floor(in_x), y0 = (int)floor(in_y), right = i % 2, down = i / 2;
        double weight = (right ? in_x - x0 : 1 - in_x + x0) * (down ? in_y - y0 : 1 - in_y + y0);
        x0 = x0 + right < width ? x0 + right : width - 1;
        y0 = y0 + down < height ? y0 + down : height - 1;
        sum += weight * image->pixels[3 * ((top + y0) * image->width + left + x0) + c];
    }
    return sum / 255 * 2 - 1;
}

static double triangle(double x)
{
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

/* Antialiased bilinear at one pixel of a picture of full_w x full_h, over all source pixels. */
static double smooth_at(const inception_image *image, int full_w, int full_h, int x, int y, int c)
{
    double scale_x = (double)image->width / full_w, scale_y = (double)image->height / full_h, sum = 0, weights = 0;
    double support_x = fmax(scale_x, 1), support_y = fmax(scale_y, 1);
    for (int v = 0; v < image->height; v++) {
        double weight_y = triangle((v + 0.5 - (y + 0.5) * scale_y) / support_y);
        for (int u = 0; weight_y > 0 && u < image->width; u++) {
            double weight = weight_y * triangle((u + 0.5 - (x + 0.5) * scale_x) / support_x);
            sum += weight * image->pixels[3 * (v * image->width + u) + c];
            weights += weight;
        }
    }
    return sum / weights;
}

static void slim_against_plain_loops(void **state)
{
    (void)state;
    static float out[OUT_H * OUT_W * 3];
    for (size_t i = 0; i < INC_COUNT(sizes); i++) {
        inception_image *image = noise(sizes[i].width, sizes[i].height);
        for (int crop = 0; crop < 2; crop++) {
            inception_input input = {OUT_W, OUT_H, INCEPTION_PREPROCESS_SLIM,
                                     crop ? INCEPTION_CROP_CENTRE : INCEPTION_CROP_FULL};
            assert_int_equal(inc_prepare(&input, image, out, NULL), INCEPTION_OK);
            for (int k = 0; k < OUT_H * OUT_W * 3; k++)
                assert_true(fabs(out[k] - slim_at(image, crop, k / 3 % OUT_W, k / 3 / OUT_W, k % 3)) < 2e-5);
        }
        inc_image_free(image);
    }
}

static void caffe_against_plain_loops(void **state)
{
    (void)state;
    static const double mean[3] = {104, 117, 123};
    static float out[OUT_H * OUT_W * 3];
    int full_w = (int)lround(OUT_W * 8 / 7.0), full_h = (int)lround(OUT_H * 8 / 7.0);
    for (size_t i = 0; i < INC_COUNT(sizes); i++) {
        inception_image *image = noise(sizes[i].width, sizes[i].height);
        for (int crop = 0; crop < 2; crop++) {
            inception_input input = {OUT_W, OUT_H, INCEPTION_PREPROCESS_CAFFE,
                                     crop ? INCEPTION_CROP_CENTRE : INCEPTION_CROP_FULL};
            int w = crop ? full_w : OUT_W, h = crop ? full_h : OUT_H;
            assert_int_equal(inc_prepare(&input, image, out, NULL), INCEPTION_OK);
            for (int k = 0; k < OUT_H * OUT_W * 3; k++) {
                int x = k / 3 % OUT_W + (w - OUT_W) / 2, y = k / 3 / OUT_W + (h - OUT_H) / 2, c = k % 3;
                assert_true(fabs(out[k] - (smooth_at(image, w, h, x, y, 2 - c) - mean[c])) < 1e-3);
            }
        }
        inc_image_free(image);
    }
}

static void letterbox_borders(void **state)
{
    (void)state;
    static float out[20 * 20 * 3];
    inception_image *image = inc_image_new(40, 10, NULL); /* black, so 20x5 of it, in rows 7 to 11 */
    assert_non_null(image);
    for (int p = 0; p < 2; p++) {
        inception_input input = {20, 20, (inception_preprocessing)p, INCEPTION_CROP_LETTERBOX};
        memset(out, 0xFF, sizeof out);
        assert_int_equal(inc_prepare(&input, image, out, NULL), INCEPTION_OK);
        for (int i = 0; i < 20 * 20; i++) {
            bool inside = i / 20 >= 7 && i / 20 < 12;
            assert_true(out[3 * i] == (inside ? (p ? -104.0f : -1.0f) : 0.0f));
        }
    }
    inc_image_free(image);
    image = inc_image_new(1, 5000, NULL); /* never thinner than a pixel */
    inception_input input = {20, 20, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_LETTERBOX};
    assert_int_equal(inc_prepare(&input, image, out, NULL), INCEPTION_OK);
    assert_true(out[9 * 3] == -1.0f && out[8 * 3] == 0.0f && out[10 * 3] == 0.0f);
    inc_image_free(image);
}

static void prepared_picture_shows_it(void **state)
{
    (void)state;
    static float out[25 * 30 * 3];
    inception_image *image = noise(30, 25);
    for (int p = 0; p < 2; p++) {
        inception_input input = {30, 25, (inception_preprocessing)p, INCEPTION_CROP_FULL};
        assert_int_equal(inc_prepare(&input, image, out, NULL), INCEPTION_OK);
        inception_image *seen = inc_prepared_picture(&input, out, NULL);
        assert_true(seen && seen->width == 30 && seen->height == 25);
        assert_memory_equal(seen->pixels, image->pixels, 30 * 25 * 3);
        inc_image_free(seen);
    }
    out[0] = NAN, out[1] = INFINITY, out[2] = -1e30f;
    inception_input input = {30, 25, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_FULL};
    inception_image *seen = inc_prepared_picture(&input, out, NULL);
    assert_memory_equal(seen->pixels, ((const uint8_t[]){0, 255, 0}), 3);
    inc_image_free(seen);
    inc_image_free(image);
}

static void wrong_inputs(void **state)
{
    (void)state;
    static const inception_input inputs[] = {{0, 9, 0, 0}, {9, -1, 0, 0}, {4097, 9, 0, 0}, {9, 9, 7, 0}, {9, 9, 0, 7}};
    inception_image *image = noise(3, 3);
    float out[9 * 9 * 3] = {0};
    for (size_t i = 0; i < INC_COUNT(inputs); i++) {
        assert_int_equal(inc_prepare(&inputs[i], image, out, NULL), INCEPTION_INVALID);
        assert_null(inc_prepared_picture(&inputs[i], out, NULL));
    }
    inc_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slim_against_plain_loops),
        cmocka_unit_test(caffe_against_plain_loops),
        cmocka_unit_test(letterbox_borders),
        cmocka_unit_test(prepared_picture_shows_it),
        cmocka_unit_test(wrong_inputs),
    };
    return cmocka_run_group_tests_name("prepare", tests, NULL, NULL);
}
