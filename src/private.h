/* What the files of public functions share. */
#ifndef INC_PRIVATE_H
#define INC_PRIVATE_H

#include "base/base.h"

inception_status inc_check_options(const inception_model_options *options, inception_error *error);
/* The options, NULL: defaults, without layer and labels. */
inception_model_options inc_whole_options(const inception_model_options *options);
inception_status inc_check_labels(const char *const *labels, int count, inception_error *error); /* lines of text */
inception_status inc_check_texts(const inception_text *texts, size_t count, inception_error *error); /* which have keys */
int inc_threads_of(const inception_model_options *options);

#endif
