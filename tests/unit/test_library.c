/* The public functions as a program uses them: misuse, batches, threads that share a model. */
#include "../formula.h"

#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PHOTOS 5
#define CLASSES 7

static char folder[] = "/tmp/inception-library-XXXXXX", path[64];
static inception_image *photos[PHOTOS];

static void misuse(void **state)
{
    (void)state;
    inception_error error = {0};
    assert_null(inception_model_open(NULL, NULL, &error));
    assert_int_equal(error.status, INCEPTION_INVALID);
    error = (inception_error){0};
    assert_null(inception_model_open("/nowhere/at/all", NULL, &error));
    assert_int_equal(error.status, INCEPTION_NOT_FOUND);
    assert_non_null(strstr(error.message, "/nowhere/at/all"));
    inception_error first = error; /* the first error stays, whatever fails after it */
    assert_null(inception_session_open(NULL, 1, &error));
    assert_null(inception_image_read(NULL, NULL, &error));
    assert_int_equal(inception_classify(NULL, NULL, 1, 1, NULL, &error), INCEPTION_INVALID);
    assert_memory_equal(&first, &error, sizeof error);
    assert_null(inception_model_open("/nowhere", NULL, NULL)); /* no error wanted */
    assert_int_equal(inception_convert("/nowhere", "x", INCEPTION_FORMAT_TF_V2, NULL, NULL), INCEPTION_NOT_FOUND);
    assert_int_equal(inception_convert("/nowhere", "x", INCEPTION_FORMAT_TF_V2, NULL, &error), INCEPTION_NOT_FOUND);
    inception_model_options odd;
    inception_model_options_default(&odd);
    odd.depth_multiplier = NAN;
    assert_null(inception_model_open(path, &odd, NULL));
    inception_image *photo = inception_image_from_pixels((const uint8_t *)"abc", 1, 1, 3, NULL);
    assert_int_equal(inception_image_write_png(photo, "/dev/null", NULL), INCEPTION_IO); /* and does not replace it */
    inception_image_free(&photo);
    inception_model *none = NULL;
    inception_session *idle = NULL;
    inception_image *empty = NULL;
    inception_weights *nothing = NULL;
    inception_model_close(&none), inception_session_close(&idle), inception_image_free(&empty);
    inception_weights_close(&nothing), inception_model_close(NULL), inception_session_close(NULL);
    inception_image_free(NULL), inception_weights_close(NULL);
    assert_null(inception_image_from_pixels((const uint8_t *)"", 0, 1, 3, NULL));
    assert_null(inception_image_from_pixels((const uint8_t *)"abc", 1, 1, 2, NULL));
    assert_true(inception_cpu_count() >= 1);
    assert_string_equal(inception_version(), INCEPTION_VERSION);
}

static void names(void **state)
{
    (void)state;
    size_t count;
    const inception_network *networks = inception_networks(&count);
    assert_int_equal(count, 6);
    assert_ptr_equal(inception_network_find("V3"), &networks[2]);
    assert_ptr_equal(inception_network_find("Inception_V4"), &networks[3]);
    assert_ptr_equal(inception_network_find("resnet"), inception_network_find("irv2"));
    assert_null(inception_network_find("v5"));
    assert_null(inception_network_find(NULL));
}

static void ranges(void **state)
{
    (void)state;
    inception_error error = {0};
    inception_model *model = inception_model_open(path, NULL, &error);
    assert_non_null(model);
    assert_int_equal(inception_model_get_info(model)->classes, CLASSES);
    assert_string_equal(inception_model_label(model, 6), "class 6");
    assert_null(inception_model_label(model, 7));
    assert_null(inception_model_label(model, -1));
    assert_null(inception_session_open(model, 0, NULL));
    assert_null(inception_session_open(model, 1025, NULL));
    inception_session *session = inception_session_open(model, 2, &error);
    inception_prediction top[CLASSES];
    const inception_image *one[] = {photos[0]};
    assert_int_equal(inception_classify(session, one, 3, 1, top, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_classify(session, one, 1, CLASSES + 1, top, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_classify(session, one, 1, 0, top, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_classify(session, one, 1, CLASSES, top, &error), INCEPTION_OK);
    double sum = 0;
    for (int i = 0; i < CLASSES; i++) {
        sum += top[i].probability;
        if (i) assert_true(top[i].logit <= top[i - 1].logit);
    }
    assert_true(fabs(sum - 1) < 1e-6); /* 7 roundings to float32 */
    inception_session_close(&session);
    inception_model_close(&model);
}

static void classify_all(const inception_model *model, int batch, const int *order, inception_prediction *top)
{
    inception_error error = {0};
    inception_session *session = inception_session_open(model, batch, &error);
    assert_non_null(session);
    for (int at = 0; at < PHOTOS; at += batch) {
        const inception_image *some[PHOTOS];
        inception_prediction results[PHOTOS * CLASSES];
        int count = at + batch <= PHOTOS ? batch : PHOTOS - at;
        for (int i = 0; i < count; i++) some[i] = photos[order[at + i]];
        assert_int_equal(inception_classify(session, some, count, CLASSES, results, &error), INCEPTION_OK);
        for (int i = 0; i < count; i++)
            memcpy(top + order[at + i] * CLASSES, results + i * CLASSES, CLASSES * sizeof *top);
    }
    inception_session_close(&session);
}

static double worst_difference(const inception_prediction *a, const inception_prediction *b)
{
    double worst = 0;
    for (int p = 0; p < PHOTOS; p++)
        for (int i = 0; i < CLASSES; i++)
            for (int j = 0; j < CLASSES; j++)
                if (a[p * CLASSES + i].index == b[p * CLASSES + j].index)
                    worst = fmax(worst, fabs((double)a[p * CLASSES + i].probability - b[p * CLASSES + j].probability));
    return worst;
}

/* Neither the batch, nor the order, nor the number of threads changes an answer: exactly the first two, the last to the
 * rounding of sums that are split differently. */
static void batches_orders_threads(void **state)
{
    (void)state;
    static const int forward[] = {0, 1, 2, 3, 4}, shuffled[] = {3, 0, 4, 2, 1};
    inception_prediction base[PHOTOS * CLASSES], own[PHOTOS * CLASSES], other[PHOTOS * CLASSES];
    inception_model_options options;
    inception_model_options_default(&options);
    for (int threads = 1; threads <= 4; threads++) {
        options.threads = threads;
        inception_model *model = inception_model_open(path, &options, NULL);
        assert_non_null(model);
        assert_int_equal(inception_model_get_info(model)->threads, threads);
        int before = omp_get_max_threads();
        classify_all(model, 1, forward, own);
        assert_int_equal(omp_get_max_threads(), before); /* the caller's own */
        if (threads == 1) memcpy(base, own, sizeof base);
        assert_true(worst_difference(base, own) <= 1e-5);
        for (int batch = 1; batch <= PHOTOS; batch++) {
            classify_all(model, batch, batch % 2 ? forward : shuffled, other);
            assert_true(worst_difference(own, other) == 0);
        }
        inception_model_close(&model);
    }
}

/* ---- threads that share a model ---- */

typedef struct task {
    const inception_model *model;
    const inception_prediction *expected;
    bool same;
} task;

static void *work(void *argument)
{
    task *t = argument;
    inception_session *session = inception_session_open(t->model, 1, NULL);
    t->same = session != NULL;
    for (int round = 0; round < 10 && t->same; round++)
        for (int p = 0; p < PHOTOS && t->same; p++) {
            inception_prediction top[CLASSES];
            const inception_image *one[] = {photos[p]};
            t->same = inception_classify(session, one, 1, CLASSES, top, NULL) == INCEPTION_OK;
            for (int i = 0; i < CLASSES && t->same; i++)
                t->same = top[i].index == t->expected[p * CLASSES + i].index
                       && top[i].logit == t->expected[p * CLASSES + i].logit
                       && top[i].probability == t->expected[p * CLASSES + i].probability;
        }
    inception_session_close(&session);
    return NULL;
}

static void shared_model(void **state)
{
    (void)state;
    static const int forward[] = {0, 1, 2, 3, 4};
    inception_prediction expected[PHOTOS * CLASSES];
    inception_model_options options;
    inception_model_options_default(&options);
    options.threads = 1;
    inception_model *model = inception_model_open(path, &options, NULL);
    classify_all(model, 1, forward, expected);
    pthread_t threads[4];
    task tasks[4];
    for (int i = 0; i < 4; i++) {
        tasks[i] = (task){model, expected, false};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &tasks[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(tasks[i].same);
    }
    inception_model_close(&model);
}

/* ---- measuring ---- */

static float *untrained_logits(const inception_model_options *options)
{
    inception_error error = {0};
    inception_model *model = inception_model_open(NULL, options, &error);
    assert_non_null(model);
    const inception_model_info *info = inception_model_get_info(model);
    inception_session *session = inception_session_open(model, 1, &error);
    float *logits = calloc((size_t)info->classes, sizeof *logits);
    float *inputs = calloc((size_t)info->input.width * (size_t)info->input.height * 3, sizeof *inputs);
    inputs[1000] = 1;
    assert_int_equal(inception_session_run(session, inputs, 1, logits, NULL, &error), INCEPTION_OK);
    free(inputs);
    inception_session_close(&session);
    inception_model_close(&model);
    return logits;
}

static void untrained(void **state)
{
    (void)state;
    inception_error error = {0};
    inception_model_options options;
    inception_model_options_default(&options);
    options.network = "v2", options.depth_multiplier = 0.25;
    float *first = untrained_logits(&options), *second = untrained_logits(&options);
    assert_memory_equal(first, second, 1001 * sizeof *first);
    assert_true(first[0] != first[1]);
    free(first);
    free(second);
    options.width = options.height = 320;
    assert_null(inception_model_open(NULL, &options, &error));
    assert_non_null(strstr(error.message, "inception_v2: an input of 320 x 320"));
    error = (inception_error){0};
    options.network = "v9";
    assert_null(inception_model_open(NULL, &options, &error));
    assert_int_equal(error.status, INCEPTION_NOT_FOUND);
}

/* The steps of a run are all of the network's work, under the names of its layers. */
static void steps(void **state)
{
    (void)state;
    size_t count;
    inception_model_options options;
    inception_model_options_default(&options);
    options.network = "v1", options.threads = 2;
    inception_model *model = inception_model_open(NULL, &options, NULL);
    inception_session *session = inception_session_open(model, 2, NULL);
    float *inputs = calloc((size_t)2 * 224 * 224 * 3, sizeof *inputs);
    assert_null(inception_session_steps(session, &count));
    assert_int_equal(inception_session_time(session, true, NULL), INCEPTION_OK);
    for (int batch = 1; batch <= 2; batch++) {
        assert_int_equal(inception_session_run(session, inputs, batch, NULL, NULL, NULL), INCEPTION_OK);
        const inception_step *all = inception_session_steps(session, &count);
        uint64_t work = 0;
        assert_non_null(all);
        for (size_t i = 0; i < count; i++) {
            assert_true(*all[i].name && *all[i].kind && all[i].seconds > 0);
            work += all[i].multiply_adds;
        }
        assert_int_equal(work, inception_model_get_info(model)->multiply_adds);
    }
    assert_int_equal(inception_session_time(session, false, NULL), INCEPTION_OK);
    assert_null(inception_session_steps(session, &count));
    assert_int_equal(inception_session_time(NULL, true, NULL), INCEPTION_INVALID);
    free(inputs);
    inception_session_close(&session);
    inception_model_close(&model);
}

/* The logits of a photo by the weights at `from`, on so many threads, while a layer is looked at, too, or NULL. */
static void int8_logits(const char *from, int threads, const char *cache, const char *layer, const float *input,
                        float *logits)
{
    inception_error error = {0};
    inception_model_options options;
    inception_model_options_default(&options);
    options.precision = INCEPTION_PRECISION_AUTO, options.threads = threads, options.cache = cache, options.layer = layer;
    inception_model *model = inception_model_open(from, &options, &error);
    inception_session *session = inception_session_open(model, 1, &error);
    assert_non_null(session);
    assert_int_equal(inception_model_get_info(model)->precision, INCEPTION_PRECISION_INT8);
    assert_int_equal(inception_session_run(session, input, 1, logits, NULL, &error), INCEPTION_OK);
    inception_session_close(&session);
    inception_model_close(&model);
}

static void calibration(void **state)
{
    (void)state;
    char out[80];
    size_t count;
    inception_error error = {0};
    snprintf(out, sizeof out, "%s/int8.safetensors", folder);
    assert_null(inception_calibrator_open(NULL, NULL, &error));
    assert_int_equal(error.status, INCEPTION_INVALID);
    assert_null(inception_calibrator_open("/nowhere", NULL, NULL));
    inception_calibrator *calibrator = inception_calibrator_open(path, NULL, NULL);
    const inception_input *input = inception_calibrator_input(calibrator);
    float *prepared = malloc((size_t)input->width * (size_t)input->height * 3 * sizeof *prepared);
    assert_int_equal(inception_calibrator_write(calibrator, out, NULL), INCEPTION_INVALID); /* of nothing */
    assert_int_equal(inception_calibrator_compare(calibrator, prepared, NULL), INCEPTION_INVALID);
    assert_int_equal(inception_calibrator_add(calibrator, NULL, NULL), INCEPTION_INVALID);
    for (int p = 0; p < PHOTOS; p++) {
        assert_int_equal(inception_prepare(input, photos[p], prepared, NULL), INCEPTION_OK);
        assert_int_equal(inception_calibrator_add(calibrator, prepared, NULL), INCEPTION_OK);
    }
    inception_calibrator_losses(calibrator, &count);
    assert_int_equal(count, 0); /* nothing was compared */
    assert_int_equal(inception_calibrator_write(calibrator, "/dev/null/x", NULL), INCEPTION_IO);
    assert_int_equal(inception_calibrator_write(calibrator, path, NULL), INCEPTION_INVALID); /* over itself */
    const float kept = prepared[7];
    prepared[7] = 3e38f; /* finite, what is made of it is not */
    assert_int_equal(inception_calibrator_add(calibrator, prepared, NULL), INCEPTION_DATA);
    prepared[7] = kept;
    assert_int_equal(inception_calibrator_write(calibrator, out, NULL), INCEPTION_OK); /* as if that photo had not been */
    char state_file[80];
    snprintf(state_file, sizeof state_file, "%s/checkpoint", folder);
    FILE *names = fopen(state_file, "w");
    fputs("model_checkpoint_path: \"int8.safetensors\"\n", names);
    fclose(names);
    if (inception_precision_supported(INCEPTION_PRECISION_INT8)) {
        float first[CLASSES], again[CLASSES];
        assert_int_equal(inception_calibrator_compare(calibrator, NULL, NULL), INCEPTION_INVALID);
        assert_int_equal(inception_calibrator_compare(calibrator, prepared, NULL), INCEPTION_OK);
        assert_int_equal(inception_calibrator_add(calibrator, prepared, NULL), INCEPTION_INVALID); /* too late */
        const inception_layer_loss *losses = inception_calibrator_losses(calibrator, &count);
        for (size_t i = 0; i < count; i++) assert_true(losses[i].decibels > 0 && losses[i].multiply_adds > 0);
        assert_true(count > 60);
        int8_logits(out, 1, NULL, NULL, prepared, first);
        int8_logits(folder, 1, NULL, NULL, prepared, again); /* as its state file says */
        assert_memory_equal(first, again, sizeof first);
        for (int threads = 1; threads <= 4; threads++) /* and then with a pack */
            for (int i = 0; i < 2; i++) {
                int8_logits(out, threads, folder, NULL, prepared, again);
                assert_memory_equal(first, again, sizeof first);
            }
        inception_model_options smaller;
        inception_model_options_default(&smaller);
        smaller.precision = INCEPTION_PRECISION_AUTO, smaller.width = smaller.height = 96;
        inception_model *model = inception_model_open(out, &smaller, NULL);
        assert_non_null(model); /* of another size, which the ranges are not of */
        assert_int_not_equal(inception_model_get_info(model)->precision, INCEPTION_PRECISION_INT8);
        inception_model_close(&model);
        static const char *const layers[] = {"Mixed_3b", "Mixed_4c", "Mixed_5c", "AvgPool_1a"};
        for (size_t l = 0; l < INC_COUNT(layers); l++) { /* floats for who looks, and bytes again for who reads */
            double difference = 0, all = 0;
            int8_logits(out, 1, NULL, layers[l], prepared, again);
            for (int c = 0; c < CLASSES; c++) {
                difference += pow((double)again[c] - (double)first[c], 2);
                all += pow((double)first[c], 2);
            }
            assert_true(difference < 0.001 * all);
        }
    }
    free(prepared);
    unlink(state_file);
    inception_calibrator_close(&calibrator);
    inception_calibrator_close(&calibrator);
    inception_calibrator_close(NULL);
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    inc_shape shape = inc_shape_default(inception_network_find("v2"));
    shape.depth_multiplier = 0.25, shape.classes = CLASSES;
    snprintf(path, sizeof path, "%s/m.safetensors", folder);
    if (!formula_write(shape, path, NULL)) return -1;
    for (int p = 0; p < PHOTOS; p++) photos[p] = formula_photo(p);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    char command[96];
    for (int p = 0; p < PHOTOS; p++) inception_image_free(&photos[p]);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* A model file of bfloat16: what has two dimensions or more is rounded, and half as large; answers are those of the
 * rounded weights. */
static void halves(void **state)
{
    (void)state;
    char half[80], whole[80];
    inception_error error = {0};
    inception_model_options options;
    inception_model_options_default(&options);
    options.written = INCEPTION_BF16;
    snprintf(half, sizeof half, "%s/half.safetensors", folder);
    snprintf(whole, sizeof whole, "%s/whole.safetensors", folder);
    assert_int_equal(inception_convert(path, half, INCEPTION_FORMAT_MODEL_FILE, &options, &error), INCEPTION_OK);
    assert_int_equal(inception_convert(half, whole, INCEPTION_FORMAT_MODEL_FILE, NULL, &error), INCEPTION_OK);
    inception_weights *files[] = {inception_weights_open(path, NULL), inception_weights_open(half, NULL),
                                  inception_weights_open(whole, NULL)};
    size_t vectors = 0;
    for (size_t i = 0; i < inception_weights_count(files[0]); i++) {
        const inception_tensor *exact = inception_weights_tensor(files[0], i);
        const inception_tensor *rounded = inception_weights_find(files[1], exact->name);
        const inception_tensor *back = inception_weights_find(files[2], exact->name);
        assert_int_equal(rounded->type, exact->rank > 1 ? INCEPTION_BF16 : INCEPTION_F32);
        assert_int_equal(back->type, INCEPTION_F32);
        vectors += exact->rank == 1;
        for (uint64_t v = 0; v < exact->count; v++) {
            double e = 0, r = 0, b = 1;
            assert_true(inception_tensor_read(exact, v, 1, &e) && inception_tensor_read(rounded, v, 1, &r)
                        && inception_tensor_read(back, v, 1, &b));
            assert_true(r == b && fabs(r - e) <= (exact->rank > 1 ? fabs(e) / 256 : 0)); /* 8 bits: half of the last one */
        }
    }
    assert_true(vectors > 0);
    for (int i = 0; i < 3; i++) inception_weights_close(&files[i]);
    static float logits[2][CLASSES], input[224 * 224 * 3];
    for (size_t i = 0; i < INC_COUNT(input); i++) input[i] = (float)(i % 17) / 8 - 1;
    for (int i = 0; i < 2; i++) {
        inception_model *model = inception_model_open(i ? whole : half, NULL, &error);
        inception_session *session = inception_session_open(model, 1, &error);
        assert_int_equal(inception_session_run(session, input, 1, logits[i], NULL, &error), INCEPTION_OK);
        inception_session_close(&session);
        inception_model_close(&model);
    }
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    assert_int_equal(inception_convert(path, half, INCEPTION_FORMAT_TF_V2, &options, &error), INCEPTION_UNSUPPORTED);
    options.written = INCEPTION_I8, error = (inception_error){0};
    assert_int_equal(inception_convert(path, half, INCEPTION_FORMAT_MODEL_FILE, &options, &error), INCEPTION_INVALID);
    assert_non_null(strstr(error.message, "written as f32 or bf16, not as i8"));
}

/* A weight near the largest number there is rounds to infinity, which no reader would take. */
static void too_large_for_halves(void **state)
{
    (void)state;
    char large[80], out[80];
    inception_error error = {0};
    inception_model_options options;
    inception_model_options_default(&options);
    options.written = INCEPTION_BF16;
    snprintf(large, sizeof large, "%s/large.safetensors", folder);
    snprintf(out, sizeof out, "%s/none.safetensors", folder);
    inception_weights *weights = inception_weights_open(path, NULL);
    inception_tensor *tensors = calloc(inception_weights_count(weights), sizeof *tensors);
    float *changed = NULL;
    for (size_t i = 0; i < inception_weights_count(weights); i++) {
        tensors[i] = *inception_weights_tensor(weights, i);
        if (tensors[i].rank < 4 || changed) continue;
        changed = malloc(tensors[i].count * sizeof *changed);
        memcpy(changed, tensors[i].data, tensors[i].count * sizeof *changed);
        changed[1] = -3.4e38f;
        tensors[i].data = changed;
    }
    assert_int_equal(inc_safetensors_write(large, tensors, inception_weights_count(weights), NULL, 0, NULL), INCEPTION_OK);
    assert_int_equal(inception_convert(large, out, INCEPTION_FORMAT_MODEL_FILE, &options, &error), INCEPTION_DATA);
    assert_non_null(strstr(error.message, "a value too large for bfloat16"));
    assert_int_equal(access(out, F_OK), -1);
    free(changed);
    free(tensors);
    inception_weights_close(&weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(misuse), cmocka_unit_test(names), cmocka_unit_test(ranges),
        cmocka_unit_test(batches_orders_threads), cmocka_unit_test(shared_model),
        cmocka_unit_test(untrained), cmocka_unit_test(steps), cmocka_unit_test(calibration),
        cmocka_unit_test(halves), cmocka_unit_test(too_large_for_halves),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
