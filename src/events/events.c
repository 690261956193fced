/* The file: a record for each event, framed as TFRecord, written at once and never changed, so that who reads it meanwhile
 * finds whole records and a killed run leaves at most one that is cut. */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EVENT_TIME = 1, EVENT_STEP = 2, EVENT_VERSION = 3, EVENT_GRAPH = 4, EVENT_SUMMARY = 5 };
enum { SUMMARY_VALUE = 1 };
enum { VALUE_TAG = 1, VALUE_SCALAR = 2, VALUE_IMAGE = 4, VALUE_HISTOGRAM = 5 };
enum { IMAGE_HEIGHT = 1, IMAGE_WIDTH = 2, IMAGE_CHANNELS = 3, IMAGE_BYTES = 4 };

#define VERSION "brain.Event:2"

struct inception_events {
    inc_output file; /* under its name from the beginning */
    off_t size;      /* of the whole records in it */
    bool failed;
};

/* ---- records ---- */

/* Length, its checksum, the bytes, their checksum. */
static inception_status frame(const inc_buffer *event, inc_buffer *record, inception_error *error)
{
    uint64_t length = event->size;
    uint32_t length_crc = inc_crc32c_mask(inc_crc32c(0, &length, sizeof length));
    uint32_t crc = inc_crc32c_mask(inc_crc32c(0, event->data, event->size));
    inception_status status = inc_buffer_add(record, &length, sizeof length, error);
    if (!status) status = inc_buffer_add(record, &length_crc, sizeof length_crc, error);
    if (!status) status = inc_buffer_add(record, event->data, event->size, error);
    return status ? status : inc_buffer_add(record, &crc, sizeof crc, error);
}

/* What was written of a record that did not fit is cut off again. */
static inception_status write_record(inception_events *events, const inc_buffer *record, inception_error *error)
{
    inception_status status = inc_output_write(&events->file, record->data, record->size, error);
    if (!status) {
        events->size += (off_t)record->size;
        return INCEPTION_OK;
    }
    events->failed = true;
    int cut = ftruncate(events->file.fd, events->size);
    (void)cut; /* where that fails, too, readers stop before the part */
    return status;
}

/* An event of now with one field more, whose bytes are those of `what`; frees it. */
static inception_status add_event(inception_events *events, int64_t step, uint32_t field, inc_message *what,
                                  inception_error *error)
{
    inc_message event = {.error = error};
    inc_buffer record = {0};
    struct timespec now;
    if (events->failed) return inc_message_free(what), INCEPTION_OK;
    clock_gettime(CLOCK_REALTIME, &now);
    inc_put_double(&event, EVENT_TIME, (double)now.tv_sec + (double)now.tv_nsec * 1e-9);
    if (step) inc_put_number(&event, EVENT_STEP, step);
    inc_put_message(&event, field, what);
    inception_status status = event.status;
    if (!status) status = frame(&event.bytes, &record, error);
    if (!status) status = write_record(events, &record, error);
    inc_message_free(&event);
    free(record.data);
    return status;
}

/* ---- the file ---- */

/* A name of its own: others may write into the folder, from other machines too. TensorBoard reads them in order of name. */
static inception_status create(inc_output *file, const char *folder, inception_error *error)
{
    char host[65] = "";
    size_t room = strlen(folder) + sizeof host + 96;
    file->path = inc_calloc(room, 1, error);
    if (!file->path) return INCEPTION_MEMORY;
    gethostname(host, sizeof host - 1);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) return inc_fail_errno(error, folder, "create");
    for (int i = 0; file->fd < 0; i++) {
        snprintf(file->path, room, "%s/events.out.tfevents.%010lld.%s.%ld.%d", folder, (long long)time(NULL), host,
                 (long)getpid(), i);
        file->fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd < 0 && errno != EEXIST) return inc_fail_errno(error, file->path, "create");
    }
    return INCEPTION_OK;
}

inception_events *inc_events_open(const char *folder, inception_error *error)
{
    inception_events *events = inc_calloc(1, sizeof *events, error);
    if (!events) return NULL;
    events->file.fd = -1;
    inception_status status = create(&events->file, folder, error);
    if (!status) {
        inc_message version = {.error = error};
        version.status = inc_buffer_add(&version.bytes, VERSION, sizeof VERSION - 1, error);
        status = add_event(events, 0, EVENT_VERSION, &version, error);
        if (status) unlink(events->file.path);
    }
    if (!status) return events;
    inc_events_close(events);
    return NULL;
}

void inc_events_close(inception_events *events)
{
    if (!events) return;
    inc_output_discard(&events->file);
    free(events);
}

/* ---- events ---- */

static inception_status check_tag(const char *tag, inception_error *error)
{
    const uint8_t *at = (const uint8_t *)tag, *end = at + strlen(tag);
    size_t size = 0;
    while (at < end && (size = inc_utf8_size(at, end)) > 0) at += size;
    return size ? INCEPTION_OK : inc_fail(error, INCEPTION_INVALID, "the tag '%s' is empty or not UTF-8", tag);
}

/* The beginning of a value of a summary. */
static inc_message begin(const char *tag, inception_error *error)
{
    inc_message value = {.error = error};
    inc_put_text(&value, VALUE_TAG, tag);
    return value;
}

static inception_status add_value(inception_events *events, int64_t step, inc_message *value, inception_error *error)
{
    inc_message summary = {.error = error};
    inc_put_message(&summary, SUMMARY_VALUE, value);
    return add_event(events, step, EVENT_SUMMARY, &summary, error);
}

inception_status inc_events_scalar(inception_events *events, const char *tag, int64_t step, double value,
                                   inception_error *error)
{
    inception_status status = check_tag(tag, error);
    if (status) return status;
    inc_message scalar = begin(tag, error);
    inc_put_float(&scalar, VALUE_SCALAR, (float)value);
    return add_value(events, step, &scalar, error);
}

inception_status inc_events_histogram(inception_events *events, const char *tag, int64_t step, const float *values,
                                      size_t count, inception_error *error)
{
    inception_status status = check_tag(tag, error);
    uint64_t bad = status ? 0 : inc_count_not_finite(values, count);
    if (bad)
        status = inc_fail(error, INCEPTION_INVALID, "histogram '%s': %llu of %zu values are not finite", tag,
                          (unsigned long long)bad, count);
    if (status) return status;
    inc_message histogram = {.error = error}, value = begin(tag, error);
    inc_put_histogram(&histogram, values, count);
    inc_put_message(&value, VALUE_HISTOGRAM, &histogram);
    return add_value(events, step, &value, error);
}

inception_status inc_events_image(inception_events *events, const char *tag, int64_t step, int width, int height,
                                  const inc_buffer *png, inception_error *error)
{
    inception_status status = check_tag(tag, error);
    if (status) return status;
    inc_message image = {.error = error}, value = begin(tag, error);
    inc_put_number(&image, IMAGE_HEIGHT, height);
    inc_put_number(&image, IMAGE_WIDTH, width);
    inc_put_number(&image, IMAGE_CHANNELS, 3);
    inc_put_bytes(&image, IMAGE_BYTES, png->data, png->size);
    inc_put_message(&value, VALUE_IMAGE, &image);
    return add_value(events, step, &value, error);
}

inception_status inc_events_graph(inception_events *events, const inc_graph *graph, const char *scope,
                                  inception_error *error)
{
    inc_message def = {.error = error};
    inc_put_graph(&def, graph, scope);
    return add_event(events, 0, EVENT_GRAPH, &def, error);
}
