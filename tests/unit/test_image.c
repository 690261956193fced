/* Pictures: every format's small print, orientation, damage, limits. What TensorFlow makes of real photos is in
 * golden/check_prepare.py. */
#include "../../src/image/private.h"

#include <dirent.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const inception_image_options defaults = {.max_pixels = 1 << 28, .max_bytes = 1 << 28};

static inception_image *decode(const void *data, size_t size, const inception_image_options *options)
{
    inception_error error = {0};
    inception_image *image = inc_image_decode("test", data, size, options ? options : &defaults, &error);
    if (!image) print_error("%s\n", error.message);
    assert_non_null(image);
    assert_int_equal(error.status, INCEPTION_OK);
    return image;
}

static void refuse(const void *data, size_t size, const inception_image_options *options, inception_status status)
{
    inception_error error = {0};
    assert_null(inc_image_decode("test", data, size, options ? options : &defaults, &error));
    assert_int_equal(error.status, status);
    assert_memory_equal(error.message, "test: ", 6);
}

static void assert_pixels(inception_image *image, int width, int height, const uint8_t *rgb)
{
    assert_int_equal(image->width, width);
    assert_int_equal(image->height, height);
    assert_memory_equal(image->pixels, rgb, (size_t)width * (size_t)height * 3);
    inc_image_free(image);
}

/* ---- Refused ---- */

static inception_status status_by_name(const char *name)
{
    if (!strncmp(name, "limit_", 6)) return INCEPTION_LIMIT;
    return strncmp(name, "unsupported_", 12) ? INCEPTION_DATA : INCEPTION_UNSUPPORTED;
}

static void refused_files(void **state)
{
    (void)state;
    const char *root = getenv("INCEPTION_REFUSED");
    char path[4096];
    int count = 0;
    snprintf(path, sizeof path, "%s/image", root ? root : "tests/refused");
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/image/%s", root ? root : "tests/refused", entry->d_name);
        inception_error error = {0};
        uint8_t *data;
        size_t size;
        assert_int_equal(inc_file_read(path, 1 << 20, &data, &size, &error), INCEPTION_OK);
        inception_image *image = inc_image_decode(entry->d_name, data, size, &defaults, &error);
        if (image || error.status != status_by_name(entry->d_name))
            fail_msg("%s: status %d, %s", entry->d_name, error.status, error.message);
        assert_memory_equal(error.message, entry->d_name, strlen(entry->d_name));
        free(data);
        count++;
    }
    closedir(folder);
    assert_true(count > 50);
}

static void content_decides(void **state)
{
    (void)state;
    assert_true(inc_image_recognised((const uint8_t *)"\xFF\xD8\xFF", 3));
    assert_true(inc_image_recognised((const uint8_t *)"GIF87a..........", 16));
    assert_true(inc_image_recognised((const uint8_t *)"\x89PNG\r\n\x1A\n", 8));
    assert_true(inc_image_recognised((const uint8_t *)"RIFF\0\0\0\0WEBP", 12));
    assert_true(inc_image_recognised((const uint8_t *)"BM\0\0\0\0\0\0\0\0\0\0\0\0\x28\0", 16));
    assert_false(inc_image_recognised((const uint8_t *)"BMW, a company in Munich", 24));
    assert_false(inc_image_recognised((const uint8_t *)"RIFF\0\0\0\0WAVE", 12));
    assert_false(inc_image_recognised((const uint8_t *)"", 0));
    for (size_t size = 0; size < 3; size++) assert_false(inc_image_recognised((const uint8_t *)"\xFF\xD8\xFF", size));
}

/* ---- BMP ---- */

typedef struct made_bmp {
    uint8_t bytes[2048];
    size_t size;
} made_bmp;

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

/* A header of `header` bytes, then `between` (masks or a palette), then the pixels. */
static made_bmp bmp(int header, int width, int height, int bits, int compression, const void *between, size_t between_size,
                    const void *pixels, size_t size)
{
    made_bmp made = {.size = 14 + (size_t)header + between_size + size};
    uint8_t *b = made.bytes;
    memcpy(b, "BM", 2);
    put32(b + 10, (uint32_t)(made.size - size));
    put32(b + 14, (uint32_t)header);
    put32(b + 18, (uint32_t)width);
    put32(b + 22, (uint32_t)height);
    b[26] = 1;
    b[28] = (uint8_t)bits;
    b[30] = (uint8_t)compression;
    memcpy(b + 14 + header, between, between_size);
    memcpy(b + made.size - size, pixels, size);
    return made;
}

static const uint8_t palette[16] = {1, 2, 3, 0, 11, 12, 13, 0, 21, 22, 23, 0, 31, 32, 33, 0}; /* blue first */

static void bmp_depths(void **state)
{
    (void)state;
    static const uint8_t colours[][3] = {{3, 2, 1}, {13, 12, 11}, {23, 22, 21}, {33, 32, 31}};
    static const uint8_t deep[16] = {1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0};
    static const uint8_t upward[12] = {9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4}, downward[12] = {3, 2, 1, 6,  5,  4,
                                                                                              9, 8, 7, 12, 11, 10};
    made_bmp b = bmp(40, 2, 2, 24, 0, "", 0, deep, sizeof deep);
    assert_pixels(decode(b.bytes, b.size, NULL), 2, 2, upward);
    assert_pixels(decode(b.bytes, b.size - 2, NULL), 2, 2, upward); /* the last padding may be missing */
    refuse(b.bytes, b.size - 3, NULL, INCEPTION_DATA);
    b = bmp(40, 2, -2, 24, 0, "gap", 3, deep, sizeof deep);
    assert_pixels(decode(b.bytes, b.size, NULL), 2, 2, downward);
    static const uint8_t numbers[][4] = {{0xA0}, {0x1B}, {0x01, 0x23}, {0, 1, 2, 3}};
    static const int bits[] = {1, 2, 4, 8};
    for (int i = 0; i < 4; i++) {
        b = bmp(40, 4, 1, bits[i], 0, palette, sizeof palette, numbers[i], 4);
        inception_image *image = decode(b.bytes, b.size, NULL);
        for (int x = 0; x < 4; x++)
            assert_memory_equal(image->pixels + 3 * x, colours[i == 0 ? 1 - x % 2 : x], 3);
        inc_image_free(image);
    }
}

static void bmp_masks_and_alpha(void **state)
{
    (void)state;
    static const uint8_t red565[12] = {0, 0xF8, 0, 0, 0xE0, 7, 0, 0, 0x1F, 0, 0, 0}, half[4] = {0, 0, 100, 128};
    static const uint8_t white565[4] = {0xFF, 0xFF, 0x10, 0x84};
    made_bmp b = bmp(40, 2, 1, 16, 3, red565, 12, white565, 4);
    assert_pixels(decode(b.bytes, b.size, NULL), 2, 1, (const uint8_t[]){255, 255, 255, 132, 130, 132});
    b = bmp(108, 1, 1, 32, 3, "", 0, half, 4);
    put32(b.bytes + 54, 0xFF0000), put32(b.bytes + 58, 0xFF00), put32(b.bytes + 62, 0xFF), put32(b.bytes + 66, 0xFF000000);
    assert_pixels(decode(b.bytes, b.size, NULL), 1, 1, (const uint8_t[]){177, 127, 127});
    inception_image_options options = defaults;
    options.strip_alpha = true;
    assert_pixels(decode(b.bytes, b.size, &options), 1, 1, (const uint8_t[]){100, 0, 0});
    b.bytes[b.size - 1] = 0; /* alpha said to be there and nowhere used */
    assert_pixels(decode(b.bytes, b.size, NULL), 1, 1, (const uint8_t[]){100, 0, 0});
    b = bmp(40, 1, 1, 32, 0, "", 0, half, 4);
    assert_pixels(decode(b.bytes, b.size, NULL), 1, 1, (const uint8_t[]){100, 0, 0});
}

static void bmp_runs(void **state)
{
    (void)state;
    /* bottom row 1 1 2; then a jump over the first pixel of the row above; then 3 as it is, and one too many */
    static const uint8_t runs8[] = {2, 1, 1, 2, 0, 0, 0, 2, 1, 0, 0, 3, 3, 2, 3, 0, 0, 1};
    static const uint8_t runs4[] = {2, 0x11, 1, 0x20, 0, 0, 0, 2, 1, 0, 0, 3, 0x32, 0x30, 0, 1};
    static const uint8_t rgb[] = {3, 2, 1, 33, 32, 31, 23, 22, 21, 13, 12, 11, 13, 12, 11, 23, 22, 21};
    made_bmp b = bmp(40, 3, 2, 8, 1, palette, sizeof palette, runs8, sizeof runs8);
    assert_pixels(decode(b.bytes, b.size, NULL), 3, 2, rgb);
    refuse(b.bytes, b.size - 2, NULL, INCEPTION_DATA);
    b = bmp(40, 3, 2, 4, 2, palette, sizeof palette, runs4, sizeof runs4);
    assert_pixels(decode(b.bytes, b.size, NULL), 3, 2, rgb);
}

/* ---- GIF, PNG, WebP, JPEG ---- */

static void gif_first_frame_over_white(void **state)
{
    (void)state;
    static const uint8_t rgb[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 9, 8, 7};
    /* a screen of 2x1, colours (1,2,3) (9,8,7), colour 0 transparent, a frame of 2x1 at (0,1) with colours 0 1 */
    uint8_t gif[] = "GIF89a\2\0\1\0\x80\0\0\1\2\3\x09\x08\x07!\xF9\4\1\0\0\0\0,\0\0\1\0\2\0\1\0\0\2\2\x44\x0A\0;";
    assert_pixels(decode(gif, sizeof gif - 1, NULL), 2, 2, rgb);
    inception_image_options options = defaults;
    options.strip_alpha = true;
    inception_image *image = decode(gif, sizeof gif - 1, &options);
    assert_memory_equal(image->pixels, ((const uint8_t[12]){[9] = 9, [10] = 8, [11] = 7}), 12);
    inc_image_free(image);
    options.recover = true;
    refuse(gif, sizeof gif - 4, NULL, INCEPTION_DATA);
    image = decode(gif, sizeof gif - 4, &options);
    assert_int_equal(image->height, 2);
    inc_image_free(image);
}

static void alpha_is_rounded_to_nearest(void **state)
{
    (void)state;
    for (int alpha = 0; alpha < 256; alpha++) {
        for (int c = 0; c < 256; c++) {
            uint8_t rgba[4] = {(uint8_t)c, 0, 255, (uint8_t)alpha}, rgb[3];
            inc_over_white(rgba, rgb, 1);
            assert_int_equal(rgb[0], (int)floor((c * alpha + 255 * (255 - alpha)) / 255.0 + 0.5));
            assert_int_equal(rgb[1], 255 - alpha);
            assert_int_equal(rgb[2], 255);
        }
    }
}

static size_t make_png(uint32_t format, const void *pixels, uint32_t width, uint32_t height, uint8_t *out, size_t room)
{
    png_image png = {.version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = format};
    png_alloc_size_t size = room;
    assert_true(png_image_write_to_memory(&png, out, &size, 0, pixels, 0, NULL));
    return size;
}

static void png_alpha_and_recovery(void **state)
{
    (void)state;
    static const uint8_t rgba[] = {10, 20, 30, 255, 100, 0, 0, 128, 7, 7, 7, 0};
    uint8_t file[65536];
    size_t size = make_png(PNG_FORMAT_RGBA, rgba, 3, 1, file, sizeof file);
    inception_image_options options = defaults;
    assert_pixels(decode(file, size, NULL), 3, 1, (const uint8_t[]){10, 20, 30, 177, 127, 127, 255, 255, 255});
    options.strip_alpha = true;
    assert_pixels(decode(file, size, &options), 3, 1, (const uint8_t[]){10, 20, 30, 100, 0, 0, 7, 7, 7});
    uint8_t noise[64 * 64];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)(i * i * 2654435761u >> 13);
    size = make_png(PNG_FORMAT_GRAY, noise, 64, 64, file, sizeof file);
    refuse(file, size / 2, NULL, INCEPTION_DATA);
    options.recover = true;
    inception_image *image = decode(file, size / 2, &options);
    assert_int_equal(image->pixels[3 * 64], noise[64]);
    assert_int_equal(image->pixels[3 * (64 * 64 - 1)], 0);
    inc_image_free(image);
}

static void png_written_is_read(void **state)
{
    (void)state;
    char path[] = "/tmp/test_image.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    inception_error error = {0};
    inception_image *image = inc_image_new(7, 5, &error);
    for (int i = 0; i < 7 * 5 * 3; i++) image->pixels[i] = (uint8_t)(i * 37);
    assert_int_equal(inc_image_write_png(image, path, &error), INCEPTION_OK);
    uint8_t *data;
    size_t size;
    assert_int_equal(inc_file_read(path, 1 << 20, &data, &size, &error), INCEPTION_OK);
    assert_pixels(decode(data, size, NULL), 7, 5, image->pixels);
    free(data);
    unlink(path);
    assert_int_not_equal(inc_image_write_png(image, "/nowhere/at/all.png", NULL), INCEPTION_OK);
    inception_status status = inc_image_write_png(image, "/nowhere/at/all.png", &error);
    assert_true(status != INCEPTION_OK && status == error.status);
    inc_image_free(image);
}

/* Two pixels, (10,20,30) opaque and (100,0,0) half transparent; alone, and as the first of two frames. */
static const uint8_t webp_still[] = {
    0x52, 0x49, 0x46, 0x46, 0x24, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50, 0x56, 0x50, 0x38, 0x4c, 0x17, 0x00, 0x00,
    0x00, 0x2f, 0x01, 0x00, 0x00, 0x10, 0x0f, 0x70, 0x0a, 0xf6, 0x2b, 0x68, 0xdd, 0x43, 0xfc, 0x81, 0xff, 0x81, 0x87,
    0x0a, 0x44, 0xf4, 0x3f, 0x00, 0x00};

/* The still picture above as a frame at (2,0) of a canvas of 4x1. */
static size_t make_animation(uint8_t *out)
{
    static const uint8_t head[] = "RIFF\x50\0\0\0WEBPVP8X\x0A\0\0\0\x12\0\0\0\3\0\0\0\0\0ANIM\6\0\0\0\0\0\0\0\0\0"
                                  "ANMF\x30\0\0\0\1\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0";
    size_t size = sizeof head - 1;
    memcpy(out, head, size);
    memcpy(out + size, webp_still + 12, sizeof webp_still - 12);
    return size + sizeof webp_still - 12;
}

static void webp_alpha_and_animation(void **state)
{
    (void)state;
    static const uint8_t still[] = {10, 20, 30, 177, 127, 127}, stripped[] = {10, 20, 30, 100, 0, 0};
    static const uint8_t moving[] = {255, 255, 255, 255, 255, 255, 10, 20, 30, 177, 127, 127};
    inception_image_options options = defaults;
    options.strip_alpha = true;
    assert_pixels(decode(webp_still, sizeof webp_still, NULL), 2, 1, still);
    assert_pixels(decode(webp_still, sizeof webp_still, &options), 2, 1, stripped);
    uint8_t animation[256];
    size_t size = make_animation(animation);
    assert_pixels(decode(animation, size, NULL), 4, 1, moving);
    refuse(webp_still, sizeof webp_still - 12, NULL, INCEPTION_DATA);
    options.recover = true;
    inception_image *image = decode(webp_still, sizeof webp_still - 12, &options);
    assert_int_equal(image->width, 2);
    inc_image_free(image);
}

/* A grey JPEG of 8x16, mid-grey, with `app1` after the start marker. */
static size_t make_jpeg(uint8_t *out, const uint8_t *app1, size_t app1_size)
{
    static const uint8_t huffman[] = "\xFF\xC4\0\x14\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                     "\xFF\xC4\0\x14\x10\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    static const uint8_t rest[] = "\xFF\xC0\0\x0B\x08\0\x10\0\x08\1\1\x11\0\xFF\xDA\0\x08\1\1\0\0\x3F\0\x0F\xFF\xD9";
    uint8_t *at = out;
    at = (uint8_t *)memcpy(at, "\xFF\xD8", 2) + 2;
    if (app1_size) {
        at = (uint8_t *)memcpy(at, (uint8_t[]){0xFF, 0xE1, 0, (uint8_t)(app1_size + 2)}, 4) + 4;
        at = (uint8_t *)memcpy(at, app1, app1_size) + app1_size;
    }
    at = (uint8_t *)memcpy(at, "\xFF\xDB\0\x43\0", 5) + 5;
    at = (uint8_t *)memset(at, 1, 64) + 64;
    at = (uint8_t *)memcpy(at, huffman, sizeof huffman - 1) + sizeof huffman - 1;
    at = (uint8_t *)memcpy(at, rest, sizeof rest - 1) + sizeof rest - 1;
    return (size_t)(at - out);
}

static const uint8_t big_endian[] = "Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0";
static const uint8_t little_endian[] = "Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0";

static void jpeg_orientation_and_recovery(void **state)
{
    (void)state;
    uint8_t jpeg[512], grey[8 * 16 * 3];
    memset(grey, 128, sizeof grey);
    inception_image_options options = defaults;
    size_t size = make_jpeg(jpeg, NULL, 0);
    assert_pixels(decode(jpeg, size, NULL), 8, 16, grey);
    for (size_t cut = 2; cut < size; cut++) refuse(jpeg, cut < 3 ? 3 : cut, NULL, INCEPTION_DATA);
    options.recover = true;
    assert_pixels(decode(jpeg, size - 2, &options), 8, 16, grey);
    size = make_jpeg(jpeg, big_endian, sizeof big_endian - 1);
    assert_pixels(decode(jpeg, size, NULL), 16, 8, grey);
    options.ignore_orientation = true;
    assert_pixels(decode(jpeg, size, &options), 8, 16, grey);
    size = make_jpeg(jpeg, little_endian, sizeof little_endian - 1);
    assert_pixels(decode(jpeg, size, NULL), 16, 8, grey);
}

/* ---- Fast decoding ---- */

#define RAMP_W 400
#define RAMP_H 300

/* Red grows to the right, green downwards, both from 0 to 255. */
static size_t make_ramp(unsigned char **jpeg, const uint8_t *app1, unsigned app1_size)
{
    struct jpeg_compress_struct encoder;
    struct jpeg_error_mgr errors;
    unsigned long size = 0;
    encoder.err = jpeg_std_error(&errors);
    jpeg_create_compress(&encoder);
    jpeg_mem_dest(&encoder, jpeg, &size);
    encoder.image_width = RAMP_W;
    encoder.image_height = RAMP_H;
    encoder.input_components = 3;
    encoder.in_color_space = JCS_RGB;
    jpeg_set_defaults(&encoder);
    jpeg_set_quality(&encoder, 100, TRUE);
    jpeg_start_compress(&encoder, TRUE);
    if (app1) jpeg_write_marker(&encoder, JPEG_APP0 + 1, app1, app1_size);
    for (int y = 0; y < RAMP_H; y++) {
        uint8_t row[RAMP_W * 3];
        for (int x = 0; x < RAMP_W; x++) {
            row[3 * x] = (uint8_t)lround(255.0 * x / (RAMP_W - 1));
            row[3 * x + 1] = (uint8_t)lround(255.0 * y / (RAMP_H - 1));
            row[3 * x + 2] = 128;
        }
        jpeg_write_scanlines(&encoder, &(JSAMPROW){row}, 1);
    }
    jpeg_finish_compress(&encoder);
    jpeg_destroy_compress(&encoder);
    return size;
}

/* The smallest of 1/8, 1/4 and 1/2 of 400 x 300 (rounded up) of which the part that is seen has the input's pixels. */
static const struct {
    inception_input input;
    int reduction;
} reductions[] = {
    {{44, 32, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_CENTRE}, 8}, /* 50 - 2*3 and 38 - 2*2 pixels are seen */
    {{44, 34, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_CENTRE}, 8},
    {{44, 35, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_CENTRE}, 4},
    {{45, 34, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_CENTRE}, 4},
    {{100, 100, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_CENTRE}, 2},
    {{299, 299, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_CENTRE}, 1},
    {{131, 131, INCEPTION_PREPROCESS_CAFFE, INCEPTION_CROP_CENTRE}, 2}, /* 150 * 7/8 are seen */
    {{132, 132, INCEPTION_PREPROCESS_CAFFE, INCEPTION_CROP_CENTRE}, 1},
    {{200, 150, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_FULL}, 2},
    {{200, 151, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_FULL}, 1},
    {{200, 200, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_LETTERBOX}, 2}, /* one side fills it */
};

/* A pixel of the reduced picture stands for a block, of which it has about the mean: that of a ramp is the ramp in the
 * middle of the block. Six levels off: two where the last block goes beyond the edge and pixels are repeated, the rest is
 * the rounding of the fast DCT and of colours that four pixels share. */
static void fast_decoding(void **state)
{
    (void)state;
    unsigned char *jpeg = NULL;
    size_t size = make_ramp(&jpeg, NULL, 0);
    for (size_t i = 0; i < INC_COUNT(reductions); i++) {
        inception_image_options options = defaults;
        options.fast_for = &reductions[i].input;
        int d = reductions[i].reduction;
        inception_image *image = decode(jpeg, size, &options);
        assert_non_null(image);
        assert_int_equal(image->width, (RAMP_W + d - 1) / d);
        assert_int_equal(image->height, (RAMP_H + d - 1) / d);
        for (int y = 0; y < image->height; y++) {
            for (int x = 0; x < image->width; x++) {
                const uint8_t *pixel = image->pixels + 3 * (y * image->width + x);
                double red = 255 * (x * d + (d - 1) / 2.0) / (RAMP_W - 1);
                double green = 255 * (y * d + (d - 1) / 2.0) / (RAMP_H - 1);
                assert_true(fabs(pixel[0] - red) < 6 && fabs(pixel[1] - green) < 6 && fabs(pixel[2] - 128.0) < 6);
            }
        }
        inc_image_free(image);
    }
    free(jpeg);
}

/* What counts are the sides of the upright photo; the limit is for those of the whole one; damage stays damage. */
static void fast_decoding_of_others(void **state)
{
    (void)state;
    static const inception_input tall = {150, 200, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_FULL};
    static const inception_input wrong = {0, 200, INCEPTION_PREPROCESS_SLIM, INCEPTION_CROP_FULL};
    inception_image_options options = defaults;
    unsigned char *jpeg = NULL;
    size_t size = make_ramp(&jpeg, big_endian, sizeof big_endian - 1);
    options.fast_for = &tall;
    inception_image *image = decode(jpeg, size, &options);
    assert_true(image && image->width == RAMP_H / 2 && image->height == RAMP_W / 2);
    inc_image_free(image);
    options.ignore_orientation = true;
    image = decode(jpeg, size, &options);
    assert_true(image && image->width == RAMP_W && image->height == RAMP_H);
    inc_image_free(image);
    refuse(jpeg, size / 2, &options, INCEPTION_DATA);
    options.max_pixels = RAMP_W * RAMP_H - 1;
    refuse(jpeg, size, &options, INCEPTION_LIMIT);
    options = defaults;
    options.fast_for = &wrong;
    inception_error error = {0};
    assert_null(inc_image_decode("test", jpeg, size, &options, &error));
    assert_int_equal(error.status, INCEPTION_INVALID);
    free(jpeg);
}

static int orientation_of(const uint8_t *exif, size_t size)
{
    inception_error error = {0};
    inc_photo photo = {.name = "test", .options = &defaults, .error = &error, .orientation = 1};
    assert_true(inc_photo_read_exif(&photo, exif, size));
    return photo.orientation;
}

static void exif_blocks(void **state)
{
    (void)state;
    uint8_t block[sizeof big_endian];
    size_t size = sizeof big_endian - 1;
    assert_int_equal(orientation_of(big_endian, size), 6);
    assert_int_equal(orientation_of(big_endian + 6, size - 6), 6); /* as in PNG and WebP */
    assert_int_equal(orientation_of(little_endian, size), 6);
    memcpy(block, big_endian, sizeof block);
    block[25] = 9;
    assert_int_equal(orientation_of(block, size), 1); /* there is no 9 */
    for (size_t cut = 0; cut < 20; cut++) assert_int_equal(orientation_of(big_endian, cut), 1);
}

/* Numbers as in the EXIF standard: what the stored picture "123456" (rows 12, 34, 56) must look like. */
static void eight_orientations(void **state)
{
    (void)state;
    static const char *const upright[] = {"",       "123456", "214365", "654321", "563412",
                                          "135246", "531642", "642531", "246135"};
    for (int orientation = 1; orientation <= 8; orientation++) {
        inception_error error = {0};
        inception_image *image = inc_image_new(2, 3, &error);
        for (int i = 0; i < 18; i++) image->pixels[i] = (uint8_t)('1' + i / 3);
        image = inc_turn_upright(image, orientation, &error);
        assert_non_null(image);
        assert_int_equal(image->width, orientation < 5 ? 2 : 3);
        assert_int_equal(image->height, orientation < 5 ? 3 : 2);
        for (int i = 0; i < 18; i++) assert_int_equal(image->pixels[i], upright[orientation][i / 3]);
        inc_image_free(image);
    }
}

/* Larger than what is copied at once. By the same standard, where a pixel of the upright picture is stored. */
static void orientations_of_larger_pictures(void **state)
{
    (void)state;
    enum { W = 70, H = 45 };
    for (int orientation = 1; orientation <= 8; orientation++) {
        inception_image *image = inc_image_new(W, H, NULL);
        assert_non_null(image);
        for (int i = 0; i < W * H * 3; i++) image->pixels[i] = (uint8_t)(i * 31 % 251);
        image = inc_turn_upright(image, orientation, NULL);
        assert_non_null(image);
        for (int y = 0; y < image->height; y++) {
            for (int x = 0; x < image->width; x++) {
                const int columns[] = {0, x, W - 1 - x, W - 1 - x, x, y, y, W - 1 - y, W - 1 - y};
                const int rows[] = {0, y, y, H - 1 - y, H - 1 - y, x, H - 1 - x, H - 1 - x, x};
                int stored = 3 * (rows[orientation] * W + columns[orientation]);
                for (int c = 0; c < 3; c++)
                    assert_int_equal(image->pixels[3 * (y * image->width + x) + c], (uint8_t)((stored + c) * 31 % 251));
            }
        }
        inc_image_free(image);
    }
}

static void limits(void **state)
{
    (void)state;
    uint8_t jpeg[512];
    size_t size = make_jpeg(jpeg, NULL, 0);
    inception_image_options options = defaults;
    options.max_pixels = 8 * 16;
    inc_image_free(decode(jpeg, size, &options));
    options.max_pixels--;
    refuse(jpeg, size, &options, INCEPTION_LIMIT);
    options = defaults;
    options.max_bytes = size;
    inc_image_free(decode(jpeg, size, &options));
    options.max_bytes--;
    refuse(jpeg, size, &options, INCEPTION_LIMIT);
    inception_error error = {0};
    assert_null(inc_image_new(0, 3, &error));
    assert_int_equal(error.status, INCEPTION_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_files),
        cmocka_unit_test(content_decides),
        cmocka_unit_test(bmp_depths),
        cmocka_unit_test(bmp_masks_and_alpha),
        cmocka_unit_test(bmp_runs),
        cmocka_unit_test(gif_first_frame_over_white),
        cmocka_unit_test(alpha_is_rounded_to_nearest),
        cmocka_unit_test(png_alpha_and_recovery),
        cmocka_unit_test(png_written_is_read),
        cmocka_unit_test(webp_alpha_and_animation),
        cmocka_unit_test(jpeg_orientation_and_recovery),
        cmocka_unit_test(fast_decoding),
        cmocka_unit_test(fast_decoding_of_others),
        cmocka_unit_test(exif_blocks),
        cmocka_unit_test(eight_orientations),
        cmocka_unit_test(orientations_of_larger_pictures),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
