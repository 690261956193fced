/* The public functions that write logs for TensorBoard. As in inception.c no algorithm lives here. */
#include "events/events.h"
#include "image/image.h"
#include "model/model.h"
#include "private.h"

#include <stdlib.h>

inception_events *inception_events_open(const char *folder, inception_error *error)
{
    if (folder) return inc_events_open(folder, error);
    return inc_fail(error, INCEPTION_INVALID, "inception_events_open: no folder given"), NULL;
}

void inception_events_close(inception_events **events)
{
    if (events) inc_events_close(*events), *events = NULL;
}

inception_status inception_events_add_scalar(inception_events *events, const char *tag, int64_t step, double value,
                                             inception_error *error)
{
    if (events && tag) return inc_events_scalar(events, tag, step, value, error);
    return inc_fail(error, INCEPTION_INVALID, "inception_events_add_scalar: no log or tag given");
}

inception_status inception_events_add_histogram(inception_events *events, const char *tag, int64_t step,
                                                const float *values, size_t count, inception_error *error)
{
    if (events && tag && (values || !count)) return inc_events_histogram(events, tag, step, values, count, error);
    return inc_fail(error, INCEPTION_INVALID, "inception_events_add_histogram: no log, tag or values given");
}

inception_status inception_events_add_image(inception_events *events, const char *tag, int64_t step,
                                            const inception_image *image, inception_error *error)
{
    if (!events || !tag || !image)
        return inc_fail(error, INCEPTION_INVALID, "inception_events_add_image: no log, tag or image given");
    inc_buffer png = {0};
    inception_status status = inc_image_encode_png(image, &png, error);
    if (!status) status = inc_events_image(events, tag, step, image->width, image->height, &png, error);
    free(png.data);
    return status;
}

inception_status inception_events_add_graph(inception_events *events, const char *path,
                                            const inception_model_options *options, inception_error *error)
{
    if (!events || (!path && !(options && options->network)))
        return inc_fail(error, INCEPTION_INVALID, "inception_events_add_graph: no log, or no path or network given");
    inception_model_options whole;
    inception_model_options_default(&whole);
    if (options) whole = *options;
    whole.layer = whole.labels = NULL, whole.layer_only = false;
    whole.precision = INCEPTION_PRECISION_F32;
    inc_model model = {0};
    inception_status status = inc_check_options(&whole, error);
    if (!status) status = inc_model_open(&model, path, &whole, false, error);
    if (!status) status = inc_events_graph(events, &model.graph, inc_scope_of(model.shape.network), error);
    inc_model_close(&model);
    return status;
}
