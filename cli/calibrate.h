/* convert --int8 */
#ifndef INCEPTION_CALIBRATE_H
#define INCEPTION_CALIBRATE_H

#include "cli.h"

typedef struct calibrate_settings {
    bool int8, json;
    string_list photos; /* files and folders */
} calibrate_settings;

/* Writes the weights at `path` to the model file `out` with ranges for int8, and reports. */
exit_code calibrate(const calibrate_settings *settings, const char *path, const char *out,
                    const inception_model_options *options, bool quiet);

#endif
