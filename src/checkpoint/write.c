/* The check of what is to be written, which all writers need. */
#include "private.h"

#include <stdlib.h>
#include <string.h>

static inception_status check(const inception_tensor *tensor, inception_error *error)
{
    size_t count = 1, bytes;
    if (!tensor->name || !*tensor->name || strlen(tensor->name) > INC_MAX_NAME)
        return inc_fail(error, INCEPTION_INVALID, "a tensor needs a name of 1 to %d bytes", INC_MAX_NAME);
    if (inc_type_size(tensor->type) == 0)
        return inc_fail(error, INCEPTION_UNSUPPORTED, "a tensor of type %s cannot be written: %s",
                        inc_type_name(tensor->type), tensor->name);
    bool good = tensor->rank >= 0 && tensor->rank <= INCEPTION_MAX_RANK;
    for (int i = 0; i < tensor->rank && good; i++)
        good = tensor->dims[i] >= 0 && inc_mul(count, (size_t)tensor->dims[i], &count);
    if (!good || count != tensor->count || !inc_mul(count, inc_type_size(tensor->type), &bytes)
        || (count && !tensor->data))
        return inc_fail(error, INCEPTION_INVALID, "a tensor whose shape, count and data disagree: %s", tensor->name);
    return INCEPTION_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const inception_tensor *const *)a)->name, (*(const inception_tensor *const *)b)->name);
}

inception_status inc_writable(const inception_tensor *tensors, size_t count, const inception_tensor ***sorted,
                              inception_error *error)
{
    inception_status status = INCEPTION_OK;
    const inception_tensor **list = inc_calloc(count, sizeof(inception_tensor *), error);
    *sorted = list;
    if (!list) return INCEPTION_MEMORY;
    for (size_t i = 0; i < count && !status; i++) {
        list[i] = &tensors[i];
        status = check(list[i], error);
    }
    if (!status && count) qsort(list, count, sizeof(inception_tensor *), by_name);
    for (size_t i = 1; i < count && !status; i++)
        if (by_name(&list[i - 1], &list[i]) == 0)
            status = inc_fail(error, INCEPTION_INVALID, "two tensors have the same name: %s", list[i]->name);
    if (status) {
        free(list);
        *sorted = NULL;
    }
    return status;
}
