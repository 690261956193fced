/* What a terminal sends when it is asked. */
#include "../../cli/cli.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    terminal_answers answers, longer;
    const int *sizes[] = {&answers.window_width, &answers.window_height, &answers.cell_width, &answers.cell_height};
    char *bytes = malloc(size + 1);
    if (!bytes) abort();
    if (size) memcpy(bytes, data, size);
    bytes[size] = 'c';
    answers_parse(bytes, size, &answers);
    answers_parse(bytes, size + 1, &longer);
    free(bytes);
    for (size_t i = 0; i < COUNT(sizes); i++)
        if (*sizes[i] < 0 || *sizes[i] > 9999) abort();
    if (answers.complete && !longer.complete) abort();
    return 0;
}
