/* The public functions but those of sheet.c: check the arguments, call one folder, translate. No algorithm lives here. */
#include "checkpoint/checkpoint.h"
#include "engine/engine.h"
#include "head/head.h"
#include "image/image.h"
#include "model/model.h"
#include "private.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct inception_model {
    inc_model model;
    inc_pack pack; /* the engine's weights may lie in it */
    inc_engine *engine;
    uint32_t logits; /* id of the value */
    bool layer_only;
    inception_model_info info;
};

struct inception_session {
    const inception_model *model;
    inc_run *run;
    int max_batch, ran; /* photos in the last run */
    float *inputs;                 /* [max_batch][height][width][3] */
    float *logits, *probabilities; /* [max_batch][classes] */
    bool *unknown;                 /* [max_batch], of the last run */
    float *features;               /* of one photo, where they tell what is unknown, or NULL */
};

const char *inception_version(void)
{
    return INCEPTION_VERSION;
}

/* ---- networks ---- */

inception_status inception_network_measure(const inception_network *network, inception_network_size *out,
                                           inception_error *error)
{
    const inception_network *known = network ? inception_network_find(network->name) : NULL;
    if (!known || !out) return inc_fail(error, INCEPTION_INVALID, "inception_network_measure: no network of ours given");
    inc_shape shape = inc_shape_default(known);
    inc_graph graph = {0};
    inception_network_size size;
    inception_status status = inc_build(&shape, &graph, error);
    if (!status) status = inc_measure(&graph, &size, error);
    if (!status) *out = size;
    inc_graph_free(&graph);
    return status;
}

/* ---- models ---- */

bool inception_precision_supported(inception_precision precision)
{
    return inc_engine_supports(precision);
}

void inception_model_options_default(inception_model_options *options)
{
    *options = (inception_model_options){0};
}

inception_model_options inc_whole_options(const inception_model_options *options)
{
    inception_model_options whole;
    inception_model_options_default(&whole);
    if (options) whole = *options;
    whole.layer = whole.labels = NULL;
    return whole;
}

inception_status inc_check_labels(const char *const *labels, int count, inception_error *error)
{
    for (int i = 0; i < count; i++)
        if (!labels[i] || strchr(labels[i], '\n'))
            return inc_fail(error, INCEPTION_INVALID, "label %d is none, or has a line break", i);
    return INCEPTION_OK;
}

inception_status inc_check_texts(const inception_text *texts, size_t count, inception_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!texts[i].key) return inc_fail(error, INCEPTION_INVALID, "text %zu has no key", i);
    return INCEPTION_OK;
}

inception_status inc_check_options(const inception_model_options *options, inception_error *error)
{
    if (options->threads < 0 || options->threads > 1024)
        return inc_fail(error, INCEPTION_INVALID, "threads: %d is not 0 to 1024", options->threads);
    if (!(options->depth_multiplier >= 0 && options->depth_multiplier <= 16))
        return inc_fail(error, INCEPTION_INVALID, "depth_multiplier: %g is not 0 to 16", options->depth_multiplier);
    if (options->min_depth < 0 || options->min_depth > 4096)
        return inc_fail(error, INCEPTION_INVALID, "min_depth: %d is not 0 to 4096", options->min_depth);
    if (options->width < 0 || options->width > 4096 || options->height < 0 || options->height > 4096)
        return inc_fail(error, INCEPTION_INVALID, "an input of %d x %d pixels is not 0 to 4096", options->width,
                        options->height);
    if (options->crop < INCEPTION_CROP_CENTRE || options->crop > INCEPTION_CROP_LETTERBOX)
        return inc_fail(error, INCEPTION_INVALID, "there is no crop %d", (int)options->crop);
    if (options->precision < INCEPTION_PRECISION_F32 || options->precision > INCEPTION_PRECISION_AUTO)
        return inc_fail(error, INCEPTION_INVALID, "there is no precision %d", (int)options->precision);
    if (!inc_engine_supports(options->precision))
        return inc_fail(error, INCEPTION_UNSUPPORTED, "precision: this CPU has no instructions for it");
    if (options->layer_only && !options->layer)
        return inc_fail(error, INCEPTION_INVALID, "layer_only: no layer is asked for");
    if (options->final_layer && !options->layer_only)
        return inc_fail(error, INCEPTION_INVALID, "final_layer: there is no classifier for it, so layer_only must be set");
    return INCEPTION_OK;
}

int inc_threads_of(const inception_model_options *options)
{
    return options->threads ? options->threads : inception_cpu_count();
}

static void fill_info(inception_model *model, int threads, inception_precision precision)
{
    const inc_shape *shape = &model->model.shape;
    model->info = (inception_model_info){
        .network = shape->network, .format = model->model.format, .input = shape->input, .classes = shape->classes,
        .depth_multiplier = shape->depth_multiplier, .min_depth = shape->min_depth, .threads = threads,
        .precision = precision,
        .parameters = model->model.size.parameters, .multiply_adds = model->model.size.multiply_adds,
        .activation = model->model.activation, .temperature = model->model.temperature,
        .unknown_threshold = model->model.unknown_threshold,
        .unknown_score = model->model.unknown_score,
        .layer = model->model.kept, .final_layer = shape->final_layer,
    };
}

static size_t input_floats(const inception_input *input)
{
    return (size_t)input->width * (size_t)input->height * 3;
}

/* Of an untrained network, whose speed is all that is asked for: those of a photo of one colour. */
static inception_status guess_ranges(inc_model *model, const inception_model_options *options, inception_error *error)
{
    inc_calibrator *calibrator = inc_calibrator_new(&model->graph, inc_threads_of(options), error);
    float *input = inc_calloc(input_floats(&model->shape.input), sizeof *input, error);
    inception_status status = calibrator && input ? INCEPTION_OK : INCEPTION_MEMORY;
    for (size_t i = 0; !status && i < input_floats(&model->shape.input); i++) input[i] = 0.5f;
    if (!status) status = inc_calibrator_add(calibrator, input, error);
    if (!status) inc_calibrator_ranges(calibrator, &model->graph);
    inc_calibrator_free(calibrator);
    free(input);
    return status;
}

/* What the graph goes through; ranges are wanted where there are weights. */
static inception_status rewrite(inc_model *model, const char *path, const inception_model_options *options, bool weights,
                                inception_error *error)
{
    inc_graph *graph = &model->graph;
    bool int8 = options->precision == INCEPTION_PRECISION_INT8;
    inception_status status = INCEPTION_OK;
    if (int8 && !path) status = guess_ranges(model, options, error);
    if (!status) status = inc_graph_rewrite(graph, INC_ALL_REWRITES, inc_engine_granularity(), error);
    if (!status && int8 && path && weights) status = inc_ranges_apply(model->ranges, graph, path, error);
    return status || !int8 ? status : inc_graph_quantize(graph, error);
}

/* The engine of the model's graph, whose weights come with it or, where that is not NULL, from a pack. */
static inception_status compile(inception_model *model, const char *path, const inception_model_options *options,
                                const inc_pack *pack, inception_error *error)
{
    inc_graph *graph = &model->model.graph;
    inc_shape *shape = &model->model.shape;
    int threads = inc_threads_of(options);
    if (options->crop != INCEPTION_CROP_CENTRE) shape->input.crop = options->crop;
    if (model->model.features != INC_NONE && !options->layer_only) graph->values[model->model.features].kept = true;
    fill_info(model, threads, options->precision);
    inception_status status = rewrite(&model->model, path, options, !pack, error);
    if (status) return status;
    model->logits = inc_graph_find(graph, "Logits");
    inc_packed packed = {.chunk = INC_PACK_CHUNK};
    if (pack) packed.data = pack->block, packed.hashes = pack->hashes;
    if (pack) packed.bytes = pack->block_bytes, packed.form = pack->form;
    model->engine = inc_engine_compile_packed(graph, options->precision, threads, pack ? &packed : NULL, error);
    return model->engine ? INCEPTION_OK : INCEPTION_DATA;
}

/* False: the pack is no use, and the model is as if nothing had been tried. */
static bool open_packed(inception_model *model, const char *path, const inception_model_options *options)
{
    inc_model *inside = &model->model;
    if (!inc_pack_open(&model->pack, inside)) return false;
    inception_status status = inc_model_open_packed(inside, path, options, NULL);
    if (!status) status = compile(model, path, options, &model->pack, NULL);
    if (!status) return true;
    inc_model_close(inside);
    inc_map_close(&model->pack.map);
    return false;
}

static inception_status open_weights(inception_model *model, const char *path, const inception_model_options *options,
                                     inception_error *error)
{
    inception_status status = inc_model_open(&model->model, path, options, false, error);
    if (!status) status = compile(model, path, options, NULL, error);
    if (status || options->labels || model->model.scaled) return status; /* a pack holds the file's own names */
    size_t bytes;
    uint64_t form;
    const uint8_t *weights = inc_engine_weights(model->engine, &bytes, &form);
    inc_pack_write(&model->pack, &model->model, weights, bytes, form, NULL);
    return INCEPTION_OK;
}

inception_model *inception_model_open(const char *path, const inception_model_options *options, inception_error *error)
{
    inception_model_options defaults;
    inception_model_options_default(&defaults);
    if (!options) options = &defaults;
    if (!path && !options->network)
        return inc_fail(error, INCEPTION_INVALID, "inception_model_open: neither a path nor a network given"), NULL;
    if (inc_check_options(options, error)) return NULL;
    inception_model_options chosen = *options;
    if (options->precision == INCEPTION_PRECISION_AUTO) {
        bool own = !options->width && !options->height && !options->final_layer; /* ranges are of what the file states */
        chosen.precision = inc_engine_fastest(path && own && inc_has_ranges(path));
    }
    options = &chosen;
    inception_model *model = inc_calloc(1, sizeof *model, error);
    if (!model) return NULL;
    char engine[200];
    inc_engine_key(engine, sizeof engine, options->precision, inc_threads_of(options));
    inception_status status = path ? inc_pack_key(&model->pack, path, options, engine, error) : INCEPTION_OK;
    if (!status && !open_packed(model, path, options)) status = open_weights(model, path, options, error);
    model->layer_only = options->layer_only;
    if (status) inception_model_close(&model);
    else inc_model_release_weights(&model->model);
    return model;
}

void inception_model_close(inception_model **model)
{
    if (!model || !*model) return;
    inc_engine_free((*model)->engine);
    inc_model_close(&(*model)->model);
    inc_pack_close(&(*model)->pack);
    free(*model);
    *model = NULL;
}

const inception_model_info *inception_model_get_info(const inception_model *model)
{
    return &model->info;
}

const char *inception_model_label(const inception_model *model, int index)
{
    return index >= 0 && index < model->info.classes ? model->model.labels[index] : NULL;
}

const char *inception_model_wnid(const inception_model *model, int index)
{
    return index >= 0 && index < model->info.classes ? model->model.wnids[index] : NULL;
}

const inception_layer *inception_model_layers(const inception_model *model, size_t *count)
{
    *count = model->model.layer_count;
    return model->model.layers;
}

/* ---- photos ---- */

void inception_image_options_default(inception_image_options *options)
{
    *options = (inception_image_options){.max_pixels = (uint64_t)1 << 28, .max_bytes = (uint64_t)1 << 28};
}

static inception_image_options image_options(const inception_image_options *given)
{
    inception_image_options options;
    inception_image_options_default(&options);
    return given ? *given : options;
}

inception_image *inception_image_decode(const void *data, size_t size, const char *name,
                                        const inception_image_options *options, inception_error *error)
{
    const inception_image_options checked = image_options(options);
    if (!data && size) return inc_fail(error, INCEPTION_INVALID, "inception_image_decode: no data given"), NULL;
    return inc_image_decode(name ? name : "photo", data, size, &checked, error);
}

inception_image *inception_image_read(const char *path, const inception_image_options *options, inception_error *error)
{
    const inception_image_options checked = image_options(options);
    uint8_t *data;
    size_t size;
    if (!path) return inc_fail(error, INCEPTION_INVALID, "inception_image_read: no path given"), NULL;
    if (inc_file_read(path, checked.max_bytes, &data, &size, error)) return NULL;
    inception_image *image = inc_image_decode(path, data, size, &checked, error);
    free(data);
    return image;
}

inception_image *inception_image_from_pixels(const uint8_t *rgb, int width, int height, size_t stride,
                                             inception_error *error)
{
    if (!rgb || width < 1 || height < 1 || stride < (size_t)width * 3)
        return inc_fail(error, INCEPTION_INVALID, "inception_image_from_pixels: %d x %d pixels %zu bytes apart", width,
                        height, stride), NULL;
    inception_image *image = inc_image_new(width, height, error);
    for (int y = 0; image && y < height; y++)
        memcpy(image->pixels + (size_t)y * (size_t)width * 3, rgb + (size_t)y * stride, (size_t)width * 3);
    return image;
}

void inception_image_free(inception_image **image)
{
    if (image) inc_image_free(*image), *image = NULL;
}

int inception_image_width(const inception_image *image)
{
    return image->width;
}

int inception_image_height(const inception_image *image)
{
    return image->height;
}

const uint8_t *inception_image_pixels(const inception_image *image)
{
    return image->pixels;
}

inception_status inception_image_write_png(const inception_image *image, const char *path, inception_error *error)
{
    if (image && path) return inc_image_write_png(image, path, error);
    return inc_fail(error, INCEPTION_INVALID, "inception_image_write_png: no image or path given");
}

bool inception_image_recognised(const void *data, size_t size)
{
    return inc_image_recognised(data, size);
}

static inception_status check_input(const inception_input *input, inception_error *error)
{
    if (input && input->width > 0 && input->width <= 4096 && input->height > 0 && input->height <= 4096)
        return INCEPTION_OK;
    return inc_fail(error, INCEPTION_INVALID, "input: sides are 1 to 4096 pixels");
}

inception_status inception_prepare(const inception_input *input, const inception_image *image, float *out,
                                   inception_error *error)
{
    inception_status status = check_input(input, error);
    if (!status && (!image || !out)) status = inc_fail(error, INCEPTION_INVALID, "inception_prepare: no image given");
    return status ? status : inc_prepare(input, image, out, error);
}

inception_status inception_distort(const inception_input *input, const inception_image *image,
                                   const inception_distortion *how, uint64_t seed, float *out, inception_error *error)
{
    inception_status status = check_input(input, error);
    if (!status && (!image || !how || !out))
        status = inc_fail(error, INCEPTION_INVALID, "inception_distort: no image, distortion or place given");
    if (!status && !(how->smallest_crop >= 0 && how->smallest_crop <= 1))
        status = inc_fail(error, INCEPTION_INVALID, "smallest_crop: %g is not 0 to 1", how->smallest_crop);
    return status ? status : inc_distort(input, image, how, seed, out, error);
}

uint64_t inception_distortion_seed(uint64_t seed, const char *name, uint64_t epoch)
{
    return inc_name_hash((const uint64_t[]){seed, epoch}, 2, name);
}

inception_image *inception_image_from_prepared(const inception_input *input, const float *prepared,
                                               inception_error *error)
{
    if (check_input(input, error)) return NULL;
    if (!prepared) return inc_fail(error, INCEPTION_INVALID, "inception_image_from_prepared: no input given"), NULL;
    return inc_prepared_picture(input, prepared, error);
}

/* ---- running ---- */

inception_session *inception_session_open(const inception_model *model, int max_batch, inception_error *error)
{
    if (!model) return inc_fail(error, INCEPTION_INVALID, "inception_session_open: no model given"), NULL;
    if (max_batch < 1 || max_batch > 1024)
        return inc_fail(error, INCEPTION_INVALID, "max_batch: %d is not 1 to 1024", max_batch), NULL;
    inception_session *session = inc_calloc(1, sizeof *session, error);
    if (!session) return NULL;
    size_t batch = (size_t)max_batch, classes = (size_t)model->info.classes;
    size_t pixels = (size_t)model->info.input.width * (size_t)model->info.input.height;
    session->model = model;
    session->max_batch = max_batch;
    session->inputs = inc_alloc_aligned(batch * pixels * 3 * sizeof(float), error);
    session->logits = inc_calloc(batch * classes, sizeof(float), error);
    session->probabilities = inc_calloc(batch * classes, sizeof(float), error);
    session->unknown = inc_calloc(batch, sizeof(bool), error);
    bool decides = model->model.features != INC_NONE && !model->layer_only;
    if (decides) session->features = inc_calloc(model->model.mean_values, sizeof(float), error);
    if (session->inputs && session->logits && session->probabilities && session->unknown && (session->features || !decides))
        session->run = inc_run_new(model->engine, max_batch, error);
    if (!session->run) inception_session_close(&session);
    return session;
}

void inception_session_close(inception_session **session)
{
    if (!session || !*session) return;
    inc_run_free((*session)->run);
    free((*session)->inputs);
    free((*session)->logits);
    free((*session)->probabilities);
    free((*session)->unknown);
    free((*session)->features);
    free(*session);
    *session = NULL;
}

static inception_status check_count(const inception_session *session, int count, inception_error *error)
{
    if (!session) return inc_fail(error, INCEPTION_INVALID, "no session given");
    if (count >= 1 && count <= session->max_batch) return INCEPTION_OK;
    return inc_fail(error, INCEPTION_INVALID, "count: %d is not 1 to %d", count, session->max_batch);
}

static bool is_unknown(const inception_session *session, int photo)
{
    const inc_model *model = &session->model->model;
    if (!session->features) return false;
    inc_run_read(session->run, photo, model->features, session->features);
    return inc_likeness(model->unknown_score, session->features, model->class_means, model->mean_values,
                        model->shape.classes) < model->unknown_threshold;
}

static void find_probabilities(const inception_model *model, const float *logits, float *out)
{
    const bool sigmoid = model->info.activation == INCEPTION_SIGMOID;
    (sigmoid ? inc_sigmoid : inc_softmax)(logits, model->info.classes, model->info.temperature, out);
}

inception_status inception_session_run(inception_session *session, const float *inputs, int count, float *logits,
                                       float *probabilities, inception_error *error)
{
    inception_status status = check_count(session, count, error);
    if (!status && !inputs) status = inc_fail(error, INCEPTION_INVALID, "inception_session_run: no inputs given");
    if (!status && session->model->layer_only && (logits || probabilities))
        status = inc_fail(error, INCEPTION_INVALID, "inception_session_run: the model was opened for a layer only");
    if (status) return status;
    session->ran = 0;
    status = inc_run_execute(session->run, inputs, count, error);
    if (status) return status;
    const size_t classes = (size_t)session->model->info.classes;
    for (int i = 0; i < count && !session->model->layer_only; i++) {
        float *scores = (logits ? logits : session->logits) + (size_t)i * classes;
        inc_run_read(session->run, i, session->model->logits, scores);
        if (inc_count_not_finite(scores, classes))
            return inc_fail(error, INCEPTION_DATA, "the network's answer is not finite: its weights are damaged");
        if (probabilities) find_probabilities(session->model, scores, probabilities + (size_t)i * classes);
        session->unknown[i] = is_unknown(session, i);
    }
    session->ran = count;
    return INCEPTION_OK;
}

bool inception_session_unknown(const inception_session *session, int photo)
{
    return photo >= 0 && photo < session->ran && session->unknown[photo];
}

/* The k most probable classes, by insertion: k is small, and equal ones stay in order of index. Ranked by logit, which
 * tells apart what the probabilities round to the same. */
static void best(const inception_model *model, const float *logits, const float *probabilities, int k,
                 inception_prediction *top)
{
    int held = 0;
    for (int i = 0; i < model->info.classes; i++) {
        if (held == k && !(logits[i] > top[k - 1].logit)) continue;
        int at = held < k ? held++ : k - 1;
        for (; at > 0 && logits[i] > top[at - 1].logit; at--) top[at] = top[at - 1];
        top[at] = (inception_prediction){i, probabilities[i], logits[i], model->model.labels[i], model->model.wnids[i]};
    }
}

typedef struct preparation {
    inception_session *session;
    const inception_image *const *images;
    int count;
    atomic_bool failed;
} preparation;

static inception_status prepare_one(const preparation *p, int i, inception_error *error)
{
    const inception_input *input = &p->session->model->info.input;
    size_t values = (size_t)input->width * (size_t)input->height * 3;
    return inception_prepare(input, p->images[i], p->session->inputs + (size_t)i * values, error);
}

static void prepare_share(void *context, int thread)
{
    preparation *p = context;
    for (int i = thread; i < p->count; i += p->session->model->info.threads)
        if (prepare_one(p, i, NULL)) atomic_store(&p->failed, true);
}

/* Photos to session->inputs. Threads cannot share the caller's error: what failed is done again to learn why. */
static inception_status prepare_all(inception_session *session, const inception_image *const *images, int count,
                                    inception_error *error)
{
    preparation p = {.session = session, .images = images, .count = count};
    inception_status status = INCEPTION_OK;
    if (count > 1) inc_run_share(session->run, prepare_share, &p);
    for (int i = 0; i < count && !status && (count == 1 || p.failed); i++) status = prepare_one(&p, i, error);
    return status;
}

inception_status inception_classify(inception_session *session, const inception_image *const *images, int count, int k,
                                    inception_prediction *top, inception_error *error)
{
    inception_status status = check_count(session, count, error);
    if (status) return status;
    const inception_model_info *info = &session->model->info;
    if (!images || !top) return inc_fail(error, INCEPTION_INVALID, "inception_classify: no photos or no place for results");
    if (k < 1 || k > info->classes)
        return inc_fail(error, INCEPTION_INVALID, "k: %d is not 1 to %d", k, info->classes);
    size_t classes = (size_t)info->classes;
    status = prepare_all(session, images, count, error);
    if (!status)
        status = inception_session_run(session, session->inputs, count, session->logits, session->probabilities, error);
    for (int i = 0; i < count && !status; i++)
        best(session->model, session->logits + (size_t)i * classes, session->probabilities + (size_t)i * classes, k,
             top + (size_t)i * (size_t)k);
    return status;
}

inception_status inception_session_layer(const inception_session *session, int photo, float *out,
                                         inception_error *error)
{
    const inception_layer *layer = session ? session->model->info.layer : NULL;
    if (!layer) return inc_fail(error, INCEPTION_INVALID, "no session of a model that was opened with a layer");
    if (photo < 0 || photo >= session->ran || !out)
        return inc_fail(error, INCEPTION_INVALID, "inception_session_layer: photo %d of the %d that were run", photo,
                        session->ran);
    inc_run_read(session->run, photo, session->model->model.layer, out);
    if (inc_count_not_finite(out, (size_t)layer->height * (size_t)layer->width * (size_t)layer->channels))
        return inc_fail(error, INCEPTION_DATA, "layer %s is not finite: the weights are damaged", layer->name);
    if (session->model->model.predictions) find_probabilities(session->model, out, out);
    return INCEPTION_OK;
}

inception_status inception_features(inception_session *session, const inception_image *const *images, int count,
                                    float *out, inception_error *error)
{
    inception_status status = check_count(session, count, error);
    const inception_layer *layer = status ? NULL : session->model->info.layer;
    if (!status && (!images || !out || !layer))
        status = inc_fail(error, INCEPTION_INVALID, "inception_features: no photos, no place for results or no layer");
    if (!status) status = prepare_all(session, images, count, error);
    if (!status) status = inception_session_run(session, session->inputs, count, NULL, NULL, error);
    for (int i = 0; i < count && !status; i++) {
        size_t values = (size_t)layer->height * (size_t)layer->width * (size_t)layer->channels;
        status = inception_session_layer(session, i, out + (size_t)i * values, error);
    }
    return status;
}

/* ---- measuring ---- */

inception_status inception_session_time(inception_session *session, bool on, inception_error *error)
{
    if (!session) return inc_fail(error, INCEPTION_INVALID, "inception_session_time: no session given");
    return inc_run_timed(session->run, on) ? INCEPTION_OK : inc_fail_memory(error, 0);
}

const inception_step *inception_session_steps(const inception_session *session, size_t *count)
{
    return inc_run_steps(session->run, count);
}

double inception_peak(inception_precision precision, int threads)
{
    return inc_peak(precision, threads);
}
