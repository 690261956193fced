/* Allocations fail, one at a time. The linker sends malloc and its kin through here; the n-th call fails, for n = 1, 2, ...
 * until a whole open-classify-close gets through without reaching n. Each failure must come back as INCEPTION_MEMORY with
 * a sentence, and (under AddressSanitizer) leak nothing. Only our own calls are counted, not those inside libraries.
 * Photos and weights of the other formats are the fuzz targets' seeds (fuzz/seeds.py). */
#include "../src/train/train.h"
#include "small_net.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static atomic_long countdown; /* 0: never fail */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static bool now(void)
{
    return countdown > 0 && atomic_fetch_sub(&countdown, 1) == 1;
}

void *__wrap_malloc(size_t size) { return now() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return now() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return now() ? NULL : __real_realloc(old, size); }
void *__wrap_aligned_alloc(size_t alignment, size_t size) { return now() ? NULL : __real_aligned_alloc(alignment, size); }
char *__wrap_strdup(const char *text) { return now() ? NULL : __real_strdup(text); }

static char folder[] = "/tmp/inception-alloc-XXXXXX", paths[4][64];

/* One round; the status of the first failure. */
static inception_status open_run_close(const char *path, int count, inception_error *error)
{
    uint8_t pixels[8 * 8 * 3] = {0};
    inception_prediction top[2 * 3];
    inception_model *model = inception_model_open(path, NULL, error);
    inception_session *session = inception_session_open(model, 2, error);
    inception_image *photo = inception_image_from_pixels(pixels, 8, 8, sizeof pixels / 8, error);
    inception_classify(session, (const inception_image *[]){photo, photo}, count, 3, top, error);
    inception_image_free(&photo);
    inception_session_close(&session);
    inception_model_close(&model);
    return error->status;
}

static inception_status open_classify_close(const char *path, inception_error *error)
{
    return open_run_close(path, 1, error);
}

/* Several photos are prepared by threads, and what one of them fails at is done again. */
static inception_status open_batch_close(const char *path, inception_error *error)
{
    return open_run_close(path, 2, error);
}

/* Twice: the first time a pack is written, the second time it is read. A pack that fails is passed over. */
static inception_status open_packed(const char *path, inception_error *error)
{
    char cache[96];
    inception_model_options options;
    inception_model_options_default(&options);
    snprintf(cache, sizeof cache, "%s", folder);
    options.cache = cache, options.threads = 1;
    for (int i = 0; i < 2; i++) {
        inception_model *model = inception_model_open(path, &options, error);
        inception_model_close(&model);
    }
    snprintf(cache, sizeof cache, "rm -f %s/*.pack", folder);
    return system(cache) == 0 ? error->status : INCEPTION_IO;
}

/* With a label file, for a layer only, behind which the network is cut. */
static inception_status open_layer(const char *path, inception_error *error)
{
    uint8_t pixels[8 * 8 * 3] = {0};
    static float features[256];
    char labels[96];
    inception_model_options options;
    inception_model_options_default(&options);
    snprintf(labels, sizeof labels, "%s/labels.csv", folder);
    options.labels = labels, options.layer = INCEPTION_FEATURES, options.layer_only = true, options.final_layer = "Mixed_4b";
    inception_model *model = inception_model_open(path, &options, error);
    inception_session *session = inception_session_open(model, 1, error);
    inception_image *photo = inception_image_from_pixels(pixels, 8, 8, sizeof pixels / 8, error);
    inception_features(session, (const inception_image *[]){photo}, 1, features, error);
    inception_image_free(&photo);
    inception_session_close(&session);
    inception_model_close(&model);
    return error->status;
}

static inception_status convert(const char *path, inception_error *error)
{
    char out[96];
    snprintf(out, sizeof out, "%s/out", folder);
    inception_convert(path, out, INCEPTION_FORMAT_TF_V2, NULL, error);
    return error->status;
}

static inception_status convert_to_bf16(const char *path, inception_error *error)
{
    char out[96];
    inception_model_options options;
    inception_model_options_default(&options);
    options.written = INCEPTION_BF16;
    snprintf(out, sizeof out, "%s/out.safetensors", folder);
    inception_convert(path, out, INCEPTION_FORMAT_MODEL_FILE, &options, error);
    return error->status;
}

static inception_status convert_to_onnx(const char *path, inception_error *error)
{
    char out[96];
    snprintf(out, sizeof out, "%s/out.onnx", folder);
    inception_convert(path, out, INCEPTION_FORMAT_ONNX, NULL, error);
    return error->status;
}

static inception_status calibrate(const char *path, inception_error *error)
{
    char out[96];
    size_t count;
    snprintf(out, sizeof out, "%s/out.safetensors", folder);
    inception_calibrator *calibrator = inception_calibrator_open(path, NULL, error);
    float *input = calibrator ? __real_calloc((size_t)224 * 224 * 3, sizeof *input) : NULL;
    if (input) inception_calibrator_add(calibrator, input, error);
    if (!error->status) inception_calibrator_write(calibrator, out, error);
    if (!error->status && inception_precision_supported(INCEPTION_PRECISION_INT8))
        inception_calibrator_compare(calibrator, input, error);
    if (!error->status) inception_calibrator_losses(calibrator, &count);
    free(input);
    inception_calibrator_close(&calibrator);
    return error->status;
}

static inception_status decode(const char *path, inception_error *error)
{
    inception_image *photo = inception_image_read(path, NULL, error);
    float *input = __real_malloc((size_t)299 * 299 * 3 * sizeof *input);
    inception_input slim = {299, 299, INCEPTION_PREPROCESS_SLIM, 0}, caffe = {224, 224, INCEPTION_PREPROCESS_CAFFE, 0};
    inception_prepare(&slim, photo, input, error);
    inception_prepare(&caffe, photo, input, error);
    const inception_distortion slowly = {.slow = true};
    for (uint64_t s = 0; s < 4; s++) inception_distort(&caffe, photo, &slowly, s, input, error);
    slim.crop = INCEPTION_CROP_LETTERBOX;
    inception_prepare(&slim, photo, input, error);
    char out[96];
    snprintf(out, sizeof out, "%s/seen.png", folder);
    if (photo) inception_image_write_png(photo, out, error);
    inception_image_free(&photo);
    free(input);
    return error->status;
}

/* A step of training; the graph is the test's, and made before anything fails. */
static inception_status train(const char *path, inception_error *error)
{
    (void)path;
    const long when = atomic_exchange(&countdown, 0);
    static const float input[2 * 5 * 5 * 3], targets[2 * 3] = {1, 0, 0, 0, 1, 0};
    net n = begin(5, 5, 3);
    assert_true(depthwise(&n, 3, 1, INC_SAME, 2) && conv(&n, 1, 1, 1, INC_SAME, 16, false) && norm_relu(&n, true));
    uint32_t from = n.at, ends[2];
    assert_true(pool(&n, INC_OP_MAX_POOL, 3, 1, INC_SAME));
    ends[0] = n.at, n.at = from;
    assert_true(conv(&n, 3, 3, 1, INC_SAME, 16, true) && lrn(&n, 0.5f));
    ends[1] = n.at;
    assert_true(join(&n, ends, 2) && simple(&n, INC_OP_DROPOUT) && conv(&n, 5, 5, 1, INC_VALID, 3, true));
    assert_true(finish(&n));
    inc_learning how = inc_learning_default();
    inc_optimiser_options rule = inc_optimiser_default(INCEPTION_RMSPROP);
    inception_losses losses;
    how.batch = how.threads = 2;
    countdown = when;
    inc_learner *learner = inc_learner_new(&n.graph, &how, &rule, error);
    if (learner) inc_learner_look(learner, input, targets, NULL, 0, &losses, error);
    if (learner) inc_learner_change(learner, 0.1);
    inc_learner_free(learner);
    inc_graph_free(&n.graph);
    return error->status;
}

/* A network begun anew, a step, a checkpoint, and on from there. */
static inception_status train_whole(const char *path, inception_error *error)
{
    (void)path;
    static const char *const labels[2] = {"one", "two"}, *const scopes[1] = {"Mixed_5c"};
    static const float input[2 * 32 * 32 * 3], targets[2 * 2] = {1, 0, 0, 1};
    char out[96];
    inception_losses losses;
    inception_training_options o;
    inception_training_options_default(&o);
    o.model.network = "v2", o.model.depth_multiplier = 0.02, o.model.min_depth = 2, o.model.threads = 1;
    o.model.width = o.model.height = 32, o.labels = labels, o.class_count = 2, o.scopes = scopes, o.scope_count = 1;
    o.batch = 1, o.accumulate = 2, o.average_decay = 0.9, o.optimiser = INCEPTION_ADAM;
    snprintf(out, sizeof out, "%s/trained", folder);
    inception_training *training = inception_training_open(NULL, &o, error);
    inception_training_step(training, input, targets, NULL, 0.1, &losses, error);
    if (!error->status) inception_training_write(training, out, NULL, 0, error);
    if (!error->status) inception_training_resume(training, out, error);
    inception_training_close(&training);
    return error->status;
}

/* A new output layer for the network, of features that are made up. */
static inception_status teach_kind(const char *path, bool several, inception_error *error)
{
    enum { PHOTOS = 6, OTHERS = 2, VALUES = 256 };
    static const char *const names[PHOTOS] = {"a", "b", "c", "d", "e", "f"}, *const labels[2] = {"one", "two"};
    static const int classes[PHOTOS + OTHERS] = {0, 1, 0, 1, 0, 1, -1, -1};
    static const bool pairs[2 * PHOTOS] = {1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 1};
    static float features[(PHOTOS + OTHERS) * VALUES];
    inception_part parts[PHOTOS + OTHERS];
    char out[96];
    snprintf(out, sizeof out, "%s/taught", folder);
    for (int i = 0; i < (PHOTOS + OTHERS) * VALUES; i++)
        features[i] = (float)((i * 7919) % 31 + 5 * classes[i / VALUES]);
    const bool *shown = several ? pairs : NULL;
    if (shown) inception_split_labels(names, shown, PHOTOS, 2, 0, parts, error);
    else inception_split(names, classes, PHOTOS, 2, 0, parts, error);
    for (int i = PHOTOS; i < PHOTOS + OTHERS; i++) parts[i] = INCEPTION_VALIDATION;
    const inception_examples examples = {.count = PHOTOS + (several ? 0 : OTHERS), .values = VALUES, .class_count = 2,
                                         .features = features, .classes = shown ? NULL : classes, .labels = shown,
                                         .parts = parts};
    inception_head *head = error->status ? NULL : inception_head_train(&examples, error);
    if (head) inception_head_write(head, path, NULL, out, labels, NULL, 0, error);
    inception_head_close(&head);
    return error->status;
}

static inception_status teach(const char *path, inception_error *error)
{
    return teach_kind(path, false, error) ? error->status : teach_kind(path, true, error);
}

static inception_status open_run_taught(const char *path, inception_error *error)
{
    float input[224 * 224 * 3] = {0}, logits[2];
    inception_model *model = inception_model_open(path, NULL, error);
    inception_session *session = inception_session_open(model, 1, error);
    if (!error->status) inception_session_run(session, input, 1, logits, NULL, error);
    inception_session_close(&session);
    inception_model_close(&model);
    return error->status;
}

/* Two pages of a PDF. */
static inception_status draw(const char *path, inception_error *error)
{
    static const inception_prediction top[] = {{.probability = 0.9f, .label = "one"}, {.probability = 0.1f, .label = "two"}};
    static const inception_card_column column = {"network", top, 2};
    inception_input input = {299, 299, INCEPTION_PREPROCESS_SLIM, 0};
    inception_image *photo = inception_image_read(path, NULL, error);
    inception_card card = {photo, "photo", &input, &column, 1};
    inception_sheet *sheet = inception_sheet_open(paths[3], NULL, error);
    for (int i = 0; i < 13 && !error->status; i++) inception_sheet_add(sheet, &card, error);
    inception_sheet_finish(sheet, error);
    inception_sheet_close(&sheet);
    inception_image_free(&photo);
    return error->status;
}

/* A log with everything that can be in it. */
static inception_status keep_log(const char *path, inception_error *error)
{
    static const float values[3] = {1, -1, 0};
    uint8_t pixels[8 * 8 * 3] = {0};
    char logs[96];
    snprintf(logs, sizeof logs, "%s/logs", folder);
    inception_events *log = inception_events_open(logs, error);
    inception_image *photo = inception_image_from_pixels(pixels, 8, 8, sizeof pixels / 8, error);
    inception_events_add_scalar(log, "loss", 1, 0.5, error);
    inception_events_add_histogram(log, "weights", 1, values, 3, error);
    inception_events_add_image(log, "photo", 1, photo, error);
    inception_events_add_graph(log, path, NULL, error);
    inception_image_free(&photo);
    inception_events_close(&log);
    return error->status;
}

/* Fails the n-th allocation for every n up to 400, and every `stride`-th beyond. `forgiven`: a failure may be made good by
 * other means. */
static void fail_each(inception_status (*round)(const char *, inception_error *), const char *path, long stride,
                      bool forgiven)
{
    inception_error error = {0};
    countdown = 0;
    inception_status status = round(path, &error);
    if (status) fail_msg("%s", error.message);
    for (long n = 1; n < 100000; n += n < 400 ? 1 : stride) {
        error = (inception_error){0};
        countdown = n;
        status = round(path, &error);
        bool reached = countdown <= 0;
        countdown = 0;
        if (!reached) return;
        if (!status && forgiven) continue;
        if (status != INCEPTION_MEMORY) fail_msg("%s: allocation %ld: status %d: %s", path, n, status, error.message);
        assert_non_null(strstr(error.message, "memory"));
    }
    fail_msg("more allocations than expected");
}

static void each_fails_once(inception_status (*round)(const char *, inception_error *), const char *path)
{
    fail_each(round, path, 1, false);
}

static void models(void **state)
{
    (void)state;
    each_fails_once(open_classify_close, paths[0]);
    fail_each(open_batch_close, paths[0], 7, true);
}

static void layers(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/labels.csv", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("index,name\n4,e\n3,d\n2,c\n1,b\n0,a\n", file);
    fclose(file);
    fail_each(open_layer, paths[0], 7, false);
}

static void packs(void **state)
{
    (void)state;
    fail_each(open_packed, paths[0], 7, true); /* as with layers and checkpoints: `models` has gone through each */
}

static void checkpoints(void **state)
{
    (void)state;
    fail_each(open_classify_close, paths[1], 7, false);
}

static void conversions(void **state)
{
    (void)state;
    fail_each(convert, paths[0], 7, false); /* past 400 every seventh, to end within minutes */
    fail_each(convert_to_bf16, paths[0], 7, false);
    fail_each(convert_to_onnx, paths[0], 7, false);
    fail_each(calibrate, paths[0], 83, false);
}

static void logs(void **state)
{
    (void)state;
    fail_each(keep_log, paths[0], 7, false);
}

static void output_layers(void **state)
{
    (void)state;
    char taught[96];
    fail_each(teach, paths[0], 7, false);
    snprintf(taught, sizeof taught, "%s/taught", folder); /* which tells what is none of its classes */
    fail_each(open_run_taught, taught, 7, false);
}

static void photos(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "progressive.jpg", "turned.jpg", "cmyk.jpg", "interlaced.png", "alpha.png", "plain.png",
        "interlaced.gif", "palette.bmp", "runs.bmp", "lossy.webp", "alpha.webp",
    };
    for (size_t i = 0; i < INC_COUNT(seeds); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/image/%s", folder, seeds[i]);
        each_fails_once(decode, path);
    }
}

static inception_status open_weights(const char *path, inception_error *error)
{
    inception_weights *weights = inception_weights_open(path, error);
    inception_weights_close(&weights);
    return error->status;
}

static void other_weights(void **state)
{
    (void)state;
    static const char *const seeds[] = {"table/good", "table/parts", "caffe/good", "safetensors/good"};
    for (size_t i = 0; i < INC_COUNT(seeds); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, seeds[i]);
        each_fails_once(open_weights, path);
    }
}

static void whole_training(void **state)
{
    (void)state;
    fail_each(train_whole, NULL, 97, false);
}

static void training(void **state)
{
    (void)state;
    each_fails_once(train, "training");
}

static void pictures(void **state)
{
    (void)state;
    each_fails_once(draw, paths[2]);
    assert_int_equal(unlink(paths[3]), 0);
}

/* A network with few parameters: V2 at a small multiplier, as a model file and as a TensorFlow checkpoint. */
static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    inc_shape shape = inc_shape_default(inception_network_find("v2"));
    shape.depth_multiplier = 0.25, shape.classes = 5;
    snprintf(paths[0], sizeof paths[0], "%s/m.safetensors", folder);
    snprintf(paths[1], sizeof paths[1], "%s/c", folder);
    snprintf(paths[2], sizeof paths[2], "%s/p.png", folder);
    snprintf(paths[3], sizeof paths[3], "%s/d.pdf", folder);
    if (!formula_write(shape, paths[0], paths[1])) return -1;
    uint8_t pixels[40 * 30 * 3];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 7);
    inception_image *photo = inception_image_from_pixels(pixels, 40, 30, 120, NULL);
    inception_status status = inception_image_write_png(photo, paths[2], NULL);
    inception_image_free(&photo);
    char command[512];
    snprintf(command, sizeof command, "python3 '%s/../fuzz/seeds.py' %s", getenv("INCEPTION_REFUSED"), folder);
    return status ? (int)status : system(command);
}

static int remove_files(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models),      cmocka_unit_test(layers),      cmocka_unit_test(packs),
        cmocka_unit_test(checkpoints), cmocka_unit_test(conversions), cmocka_unit_test(output_layers),
        cmocka_unit_test(photos),        cmocka_unit_test(logs),
        cmocka_unit_test(other_weights), cmocka_unit_test(pictures), cmocka_unit_test(training),
        cmocka_unit_test(whole_training),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
