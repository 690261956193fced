/* The records of the CSV file that train reads. */
#include "../../cli/train.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    inception_error error = {0};
    cli_dataset set = {.path = "a/b.csv"};
    char *text = malloc(size + 1);
    if (!text || (size && memchr(data, 0, size))) return free(text), 0;
    if (size) memcpy(text, data, size);
    text[size] = '\0';
    if (dataset_parse(&set, text, &error) && dataset_classify(&set, &error)) {
        for (size_t i = 0; i < set.count; i++) {
            int shown = 0;
            for (int c = 0; c < set.classes; c++) shown += dataset_shows(&set, i, c);
            if (shown != 1 && !set.several) abort();
            if (i && strcmp(set.examples[i - 1].name, set.examples[i].name) >= 0) abort();
        }
        if (!set.count || !set.classes) abort();
    }
    dataset_free(&set);
    free(text);
    return 0;
}
