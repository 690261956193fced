/* Distortions for training. golden/check_distort.py has what TensorFlow makes of each step, and how often it draws what. */
#include "../../src/image/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define W 31
#define H 27

static const inception_distortion fast, slowly = {.slow = true};

static const inception_input slim = {W, H, INCEPTION_PREPROCESS_SLIM, 0}, caffe = {W, H, INCEPTION_PREPROCESS_CAFFE, 0};

static inception_image *noise(int width, int height, uint32_t x)
{
    inception_image *image = inc_image_new(width, height, NULL);
    assert_non_null(image);
    for (size_t i = 0; i < (size_t)width * (size_t)height * 3; i++) {
        x = x * 1664525 + 1013904223;
        image->pixels[i] = (uint8_t)(x >> 24);
    }
    return image;
}

static void a_seed_says_all(void **state)
{
    (void)state;
    static float a[H * W * 3], b[H * W * 3];
    inception_image *image = noise(60, 50, 1);
    for (int slow = 0; slow < 2; slow++) {
        const inception_distortion *how = slow ? &slowly : &fast;
        for (uint64_t seed = 0; seed < 50; seed++) {
            memset(a, 0xFF, sizeof a);
            assert_int_equal(inception_distort(&slim, image, how, seed, a, NULL), INCEPTION_OK);
            assert_int_equal(inception_distort(&slim, image, how, seed, b, NULL), INCEPTION_OK);
            assert_memory_equal(a, b, sizeof a);
            assert_int_equal(inception_distort(&slim, image, how, seed + ((uint64_t)1 << 60), b, NULL), INCEPTION_OK);
            assert_memory_not_equal(a, b, sizeof a);
            for (int i = 0; i < H * W * 3; i++) assert_true(a[i] >= -1 && a[i] <= 1);
        }
    }
    inc_image_free(image);
}

/* Computed in Python from the definitions of FNV-1a and of MurmurHash3's finish. */
static void seeds_of_photos(void **state)
{
    (void)state;
    assert_true(inception_distortion_seed(0, "rose/1.jpg", 0) == 0x5f0dd8c322da52f0);
    assert_true(inception_distortion_seed(7, "rose/1.jpg", 258) == 0x90808b7a76845745);
    assert_true(inception_distortion_seed(258, "rose/1.jpg", 7) == 0x105d268a0c2d4459);
    assert_true(inception_distortion_seed(UINT64_MAX, "", 1) == 0x2c20a826b961986e);
}

/* Bytes of the photo outside the crop change nothing, those inside do. */
static void only_the_crop_is_seen(void **state)
{
    (void)state;
    static float a[H * W * 3], b[H * W * 3];
    for (uint64_t seed = 0; seed < 40; seed++) {
        inception_image *image = noise(60, 50, 1), *other = noise(60, 50, 2);
        inc_rect crop = inc_distortion_draw(60, 50, &slowly, seed).crop;
        for (int y = crop.y; y < crop.y + crop.height; y++)
            memcpy(other->pixels + 3 * (y * 60 + crop.x), image->pixels + 3 * (y * 60 + crop.x), 3 * (size_t)crop.width);
        assert_int_equal(inc_distort(&slim, image, &slowly, seed, a, NULL), INCEPTION_OK);
        assert_int_equal(inc_distort(&slim, other, &slowly, seed, b, NULL), INCEPTION_OK);
        assert_memory_equal(a, b, sizeof a);
        other->pixels[3 * (crop.y * 60 + crop.x) + 1] ^= 0x80; /* the pixel that each method samples first */
        assert_int_equal(inc_distort(&slim, other, &slowly, seed, b, NULL), INCEPTION_OK);
        assert_memory_not_equal(a, b, sizeof a);
        inc_image_free(image);
        inc_image_free(other);
    }
}

static void extreme_photos(void **state)
{
    (void)state;
    static const struct {
        int width, height;
    } sizes[] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 2}, {2, 50}, {1000, 10}, {1, 65535}, {65535, 1}};
    static float out[H * W * 3];
    for (size_t i = 0; i < INC_COUNT(sizes); i++) {
        inception_image *image = noise(sizes[i].width, sizes[i].height, 3);
        for (uint64_t seed = 0; seed < 60; seed++) {
            inc_rect c = inc_distortion_draw(image->width, image->height, &slowly, seed).crop;
            assert_true(c.x >= 0 && c.y >= 0 && c.width >= 1 && c.height >= 1);
            assert_true(c.x + c.width <= image->width && c.y + c.height <= image->height);
            assert_int_equal(inc_distort(&slim, image, &slowly, seed, out, NULL), INCEPTION_OK);
            for (int k = 0; k < H * W * 3; k++) assert_true(out[k] >= -1 && out[k] <= 1);
        }
        inc_image_free(image);
    }
    inc_rect whole = inc_distortion_draw(1, 65535, &fast, 0).crop; /* no crop has a twentieth of it */
    assert_true(whole.width == 1 && whole.height == 65535);
    inc_rect large = inc_distortion_draw(65535, 65535, &fast, 0).crop; /* more than 2^31 pixels */
    assert_true((double)large.width * large.height >= 0.1 * 65535 * 65535 && large.width <= 65535 && large.height <= 65535);
}

/* Grey knows neither saturation nor flip nor crop: what is left is brightness. 1e-6: a few roundings of numbers below 2. */
static void brightness_of_grey(void **state)
{
    (void)state;
    static float out[H * W * 3];
    for (int grey = 0; grey <= 255; grey += 51) {
        inception_image *image = inc_image_new(20, 30, NULL);
        assert_non_null(image);
        memset(image->pixels, grey, 20 * 30 * 3);
        for (uint64_t seed = 0; seed < 20; seed++) {
            double value = grey / 255.0 + (double)inc_distortion_draw(20, 30, &fast, seed).amounts[INC_BRIGHTNESS];
            value = fmin(fmax(value, 0), 1) * 2 - 1;
            assert_int_equal(inc_distort(&slim, image, &fast, seed, out, NULL), INCEPTION_OK);
            for (int i = 0; i < H * W * 3; i++) assert_true(fabs(out[i] - value) <= 1e-6);
        }
        inc_image_free(image);
    }
}

/* The same picture with blue first, 0...255, minus the mean colour. 1e-4: roundings of numbers below 256. */
static void levels_of_caffe(void **state)
{
    (void)state;
    static const double mean[3] = {104, 117, 123};
    static float a[H * W * 3], b[H * W * 3];
    inception_image *image = noise(60, 50, 1);
    for (uint64_t seed = 0; seed < 10; seed++) {
        assert_int_equal(inc_distort(&slim, image, &slowly, seed, a, NULL), INCEPTION_OK);
        assert_int_equal(inc_distort(&caffe, image, &slowly, seed, b, NULL), INCEPTION_OK);
        for (int i = 0; i < H * W * 3; i++)
            assert_true(fabs(((double)a[i / 3 * 3 + 2 - i % 3] / 2 + 0.5) * 255 - mean[i % 3] - b[i]) < 1e-4);
    }
    inc_image_free(image);
}

static void check(const float *got, const double *wanted, int count)
{
    for (int i = 0; i < count; i++)
        if (!(fabs(got[i] - wanted[i]) <= 1e-6)) fail_msg("value %d is %.9g, not %.9g", i, (double)got[i], wanted[i]);
}

static void adjustments_by_hand(void **state)
{
    (void)state;
    float p[6] = {0.8f, 0.4f, 0.2f, 0.5f, 0.5f, 0.5f};
    inc_adjust_saturation(p, 2, 0.5f); /* 0.75 becomes 0.375: least 0.5, the middle as far between as before */
    check(p, (double[]){0.8, 0.6, 0.5, 0.5, 0.5, 0.5}, 6);
    inc_adjust_saturation(p, 2, 100);
    check(p, (double[]){0.8, 0.8 / 3, 0, 0.5, 0.5, 0.5}, 6);
    float dark[6] = {-0.1f, -0.2f, -0.3f, 0, 0, 0};
    inc_adjust_saturation(dark, 2, 1); /* no saturation where the largest value is not positive */
    check(dark, (double[]){-0.1, -0.1, -0.1, 0, 0, 0}, 6);
    float hues[9] = {1, 0, 0, 0.75f, 0.5f, 0.25f, 0.3f, 0.3f, 0.3f};
    inc_adjust_hue(hues, 3, 1.0f / 3);
    check(hues, (double[]){0, 1, 0, 0.25, 0.75, 0.5, 0.3, 0.3, 0.3}, 9);
    inc_adjust_hue(hues, 3, -0.5f); /* green to magenta */
    check(hues, (double[]){1, 0, 1, 0.75, 0.25, 0.5, 0.3, 0.3, 0.3}, 9);
    float two[6] = {0, 0.2f, 1, 1, 0.4f, 1};
    inc_adjust_contrast(two, 2, 0.5f);
    check(two, (double[]){0.25, 0.25, 1, 0.75, 0.35, 1}, 6);
    inc_adjust_brightness(two, 2, -0.5f);
    check(two, (double[]){-0.25, -0.25, 0.5, 0.25, -0.15, 0.5}, 6);
    float row[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    inc_flip(row, 2, 2);
    check(row, (double[]){4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9}, 12);
}

static void sizes_by_hand(void **state)
{
    (void)state;
    float out[8 * 3];
    inception_image *image = inc_image_new(4, 1, NULL); /* 0, 51, 102, 153: fifths of 1 */
    assert_non_null(image);
    for (int i = 0; i < 12; i++) image->pixels[i] = (uint8_t)(i / 3 * 51);
    static const double wanted[][8] = {
        [INC_BILINEAR] = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6},
        [INC_NEAREST] = {0, 0, 0.2, 0.2, 0.4, 0.4, 0.6, 0.6},
        /* between pixels -3/32, 19/32, 19/32, -3/32; the first and the last pixel are there again */
        [INC_BICUBIC] = {0, 2.6 / 32, 0.2, 0.3, 0.4, 16.6 / 32, 0.6, 0.6 + 0.6 / 32},
        [INC_AREA] = {0, 0, 0.2, 0.2, 0.4, 0.4, 0.6, 0.6},
    };
    for (int m = 0; m <= INC_AREA; m++) {
        assert_int_equal(inc_resample(image, (inc_rect){0, 0, 4, 1}, (inc_method)m, out, 8, 1, NULL), INCEPTION_OK);
        for (int i = 0; i < 24; i++)
            if (!(fabs(out[i] - wanted[m][i / 3]) <= 1e-6)) fail_msg("method %d, value %d: %.9g", m, i, (double)out[i]);
    }
    /* Of pixels 1 to 3: each half one and a half of them. */
    assert_int_equal(inc_resample(image, (inc_rect){1, 0, 3, 1}, INC_AREA, out, 2, 1, NULL), INCEPTION_OK);
    check(out, (double[]){0.4 / 1.5, 0.4 / 1.5, 0.4 / 1.5, 0.8 / 1.5, 0.8 / 1.5, 0.8 / 1.5}, 6);
    inc_image_free(image);
}

static void wrong_arguments(void **state)
{
    (void)state;
    static const inception_input inputs[] = {{0, 9, 0, 0}, {9, -1, 0, 0}, {4097, 9, 0, 0}, {9, 9, 7, 0}};
    float out[9 * 9 * 3];
    inception_error error = {0};
    inception_image *image = noise(3, 3, 1);
    for (size_t i = 0; i < INC_COUNT(inputs); i++)
        assert_int_equal(inception_distort(&inputs[i], image, &fast, 0, out, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_distort(NULL, image, &fast, 0, out, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_distort(&slim, NULL, &fast, 0, out, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_distort(&slim, image, &fast, 0, NULL, &error), INCEPTION_INVALID);
    assert_non_null(strstr(error.message, "inception_distort"));
    inc_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_says_all),    cmocka_unit_test(seeds_of_photos),  cmocka_unit_test(only_the_crop_is_seen),
        cmocka_unit_test(extreme_photos),     cmocka_unit_test(brightness_of_grey), cmocka_unit_test(levels_of_caffe),
        cmocka_unit_test(adjustments_by_hand), cmocka_unit_test(sizes_by_hand),   cmocka_unit_test(wrong_arguments),
    };
    return cmocka_run_group_tests_name("distort", tests, NULL, NULL);
}
