/* The ranges of values that a model file carries for int8: its text "int8_ranges", a line "low high name" for each value. */
#include "private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY "int8_ranges"
#define DIGITS "0123456789+-.e"
#define MOST_BYTES ((size_t)1 << 20)
#define LARGEST 1e30f

const char *inc_ranges_key(void)
{
    return KEY;
}

/* Would somebody read bytes of it? Sums and normalizations want floats; convolutions that ReLUs were fused into leave their
 * names behind. */
static bool is_read(const inc_graph *graph, uint32_t v)
{
    for (size_t n = 0; n < graph->node_count; n++) {
        const inc_node *node = &graph->nodes[n];
        if (inc_reads_bytes(node->op) && node->inputs[0] == v) return true;
    }
    return false;
}

inception_status inc_ranges_begin(const inception_input *input, inc_graph *graph, inception_error *error)
{
    static const float ends[][2] = {
        [INCEPTION_PREPROCESS_SLIM] = {-1, 1},
        [INCEPTION_PREPROCESS_CAFFE] = {-123, 255 - 104}, /* the largest and the smallest mean */
    };
    graph->values[graph->input].low = ends[input->preprocessing][0];
    graph->values[graph->input].high = ends[input->preprocessing][1];
    bool whole = true;
    for (uint32_t v = 0; v < graph->value_count; v++) whole &= !graph->values[v].variable || graph->values[v].data;
    if (whole) return INCEPTION_OK;
    uint32_t logits = inc_graph_find(graph, "Logits");
    for (uint32_t v = 0; v < graph->value_count; v++) graph->values[v].kept &= v == logits;
    return inc_graph_drop_unused(graph, error);
}

inception_status inc_ranges_print(inc_model *model, const inc_graph *graph, inception_error *error)
{
    inc_buffer text = {0};
    char low[32], high[32];
    inception_status status = INCEPTION_OK;
    for (uint32_t v = 0; v < graph->value_count && !status; v++) {
        const inc_value *value = &graph->values[v];
        if (!is_read(graph, v)) continue;
        inc_print_number(low, sizeof low, (double)value->low);
        inc_print_number(high, sizeof high, (double)value->high);
        const char *pieces[] = {low, " ", high, " ", value->name, "\n"};
        for (size_t i = 0; i < INC_COUNT(pieces) && !status; i++)
            status = inc_buffer_add(&text, pieces[i], strlen(pieces[i]), error);
    }
    if (!status) model->ranges = inc_arena_string(&model->arena, text.data ? (const char *)text.data : "", text.size, error);
    free(text.data);
    return status ? status : model->ranges ? INCEPTION_OK : INCEPTION_MEMORY;
}

bool inc_has_ranges(const char *path)
{
    inception_weights *weights = inc_may_have_metadata(path) ? inc_weights_open(path, NULL) : NULL;
    bool has = weights && inc_weights_metadata(weights, KEY);
    inc_weights_close(weights);
    return has;
}

/* The range on the value's line; false: there is none, or it is not one. */
static bool find_range(const char *text, inc_value *value)
{
    size_t length = strlen(value->name);
    for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
        char numbers[80];
        end = line + strcspn(line, "\n");
        size_t before = (size_t)(end - line) - length; /* wraps around where the line is too short */
        if (before >= sizeof numbers || before < 4 || line[before - 1] != ' ') continue;
        if (memcmp(end - length, value->name, length) != 0) continue;
        memcpy(numbers, line, before);
        numbers[before - 1] = '\0';
        size_t first = strspn(numbers, DIGITS), second = strspn(numbers + first + (numbers[first] == ' '), DIGITS);
        if (first == 0 || second == 0 || first + 1 + second != before - 1) continue;
        numbers[first] = '\0';
        if (!strpbrk(numbers, "0123456789") || !strpbrk(numbers + first + 1, "0123456789")) continue;
        value->low = (float)inc_parse_number(numbers), value->high = (float)inc_parse_number(numbers + first + 1);
        float width = value->high - value->low;
        return fabsf(value->low) <= LARGEST && fabsf(value->high) <= LARGEST && (width == 0 || width >= 1 / LARGEST);
    }
    return false;
}

/* Where somebody looks at what a dropout leaves, it is a value beside the one that the text knows, and the same. */
static bool take_range(const char *text, inc_graph *graph, uint32_t v)
{
    inc_value *value = &graph->values[v];
    if (find_range(text, value)) return true;
    uint32_t from = inc_graph_producer(graph, v);
    if (from == INC_NONE || graph->nodes[from].op != INC_OP_DROPOUT) return false;
    inc_value *same = &graph->values[graph->nodes[from].inputs[0]];
    if (!find_range(text, same)) return false;
    value->low = same->low, value->high = same->high;
    return true;
}

inception_status inc_ranges_apply(const char *text, inc_graph *graph, const char *path, inception_error *error)
{
    if (!text)
        return inc_fail(error, INCEPTION_UNSUPPORTED,
                        "%s: has no ranges for int8; 'inception convert --int8 --calibrate FOLDER IN OUT' finds them", path);
    if (strlen(text) > MOST_BYTES)
        return inc_fail(error, INCEPTION_DATA, "%s: %s has more than %zu bytes", path, KEY, MOST_BYTES);
    for (uint32_t v = 0; v < graph->value_count; v++)
        if (is_read(graph, v) && !take_range(text, graph, v))
            return inc_fail(error, INCEPTION_DATA,
                            "%s: %s has no usable range of '%s'; 'inception convert --int8' finds all anew", path, KEY,
                            graph->values[v].name);
    return INCEPTION_OK;
}
