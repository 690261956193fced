/* What the files of this folder share. */
#ifndef INC_ONNX_PRIVATE_H
#define INC_ONNX_PRIVATE_H

#include "onnx.h"

/* A protocol buffer message in the making. The first failure stays and what is put after it is ignored, so callers look
 * once, at the end. Zeroed but for the error: empty. */
typedef struct inc_message {
    inc_buffer bytes;
    inception_status status;
    inception_error *error;
} inc_message;

void inc_put_number(inc_message *message, uint32_t field, int64_t value); /* 0 too */
void inc_put_float(inc_message *message, uint32_t field, float value);
void inc_put_text(inc_message *message, uint32_t field, const char *text);

/* Only the tag and length of `size` bytes that the caller sees to. */
void inc_put_head(inc_message *message, uint32_t field, uint64_t size);

void inc_put_message(inc_message *message, uint32_t field, inc_message *inner); /* ends `inner` and frees it */
void inc_append(inc_message *message, inc_message *more);                       /* the same without tag and length */
void inc_message_free(inc_message *message);

#endif
