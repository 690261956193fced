/* The values that training from nothing begins with: TF-Slim's initialisers.
 *
 *     scaled    truncated normal distribution of deviation sqrt(1.3 * 2 / inputs of an output)
 *     xavier    uniform between -+ sqrt(6 / (inputs + outputs)), both times the window (Glorot and Bengio 2010)
 *     normal    truncated normal distribution of the deviation that the table gives
 *
 * Truncated: what lies farther than two deviations from 0 is drawn again. Each variable has random numbers of its own, from
 * the seed and its name. */
#include "private.h"

#include <math.h>
#include <string.h>

typedef enum inc_initialiser { SCALED, XAVIER, NORMAL } inc_initialiser;

/* The first row with both texts in the variable's name counts. */
static const struct {
    const char *beginning, *part;
    inc_initialiser kind;
    double deviation;
} rules[] = {
    {"InceptionV1/Logits/", "", SCALED, 0},
    {"InceptionV1/", "", NORMAL, 0.01},
    {"InceptionV2/Conv2d_1a_7x7/", "", NORMAL, 1},
    {"InceptionV2/Conv2d_2b_1x1/", "", NORMAL, 0.1},
    {"InceptionV2/Mixed_4a/Branch_0/Conv2d_0a_1x1/", "", NORMAL, 0.09},
    {"InceptionV2/Mixed_5a/Branch_0/Conv2d_0a_1x1/", "", NORMAL, 0.09},
    {"InceptionV2/", "/Branch_1/Conv2d_0a_1x1/", NORMAL, 0.09},
    {"InceptionV2/", "/Branch_2/Conv2d_0a_1x1/", NORMAL, 0.09},
    {"InceptionV2/", "/Branch_3/Conv2d_0b_1x1/", NORMAL, 0.1},
    {"InceptionV3/AuxLogits/Conv2d_2a_", "", NORMAL, 0.01},
    {"InceptionV3/AuxLogits/Conv2d_2b_", "", NORMAL, 0.001},
    {"InceptionV4/Logits/", "", XAVIER, 0},
    {"InceptionV4/AuxLogits/Aux_logits/", "", XAVIER, 0},
    {"InceptionResnetV2/", "", XAVIER, 0}, /* TF-Slim's default, for it names none */
    {"Inception", "", SCALED, 0},
    {"", "", XAVIER, 0}, /* GoogLeNet; Caffe's own goes by the inputs alone */
};

static size_t rule_of(const char *name)
{
    size_t r = 0;
    while (strncmp(name, rules[r].beginning, strlen(rules[r].beginning)) != 0 || !strstr(name, rules[r].part)) r++;
    return r;
}

/* A normal deviate (Box and Muller 1958), until it is a small one. */
static double truncated(uint64_t *state)
{
    double x;
    do {
        double radius = sqrt(-2 * log(1 - inc_random_uniform(state)));
        x = radius * cos(2 * acos(-1) * inc_random_uniform(state));
    } while (fabs(x) > 2);
    return x;
}

static void draw(const inc_value *value, float *data, uint64_t state)
{
    const size_t rule = rule_of(value->name);
    const double count = (double)inc_value_count(value), outputs = (double)value->dims[value->rank - 1];
    const double inputs = (double)value->dims[value->rank - 2], window = count / inputs / outputs;
    const double reach = sqrt(6 / (window * (inputs + outputs)));
    const double deviation = rules[rule].kind == NORMAL ? rules[rule].deviation : sqrt(1.3 * 2 / (window * inputs));
    for (uint64_t i = 0; i < inc_value_count(value); i++)
        data[i] = (float)(rules[rule].kind == XAVIER ? reach * (2 * inc_random_uniform(&state) - 1)
                                                     : deviation * truncated(&state));
}

inception_status inc_fill_initial(inc_model *model, uint64_t seed, inception_error *error)
{
    for (size_t v = 0; v < model->graph.value_count; v++) {
        inc_value *value = &model->graph.values[v];
        if (!value->variable) continue;
        const size_t count = (size_t)inc_value_count(value), length = strlen(value->name);
        float *data = inc_arena_alloc(&model->graph.arena, count, sizeof *data, error);
        if (!data) return INCEPTION_MEMORY;
        const char *last = strrchr(value->name, '/');
        bool one = last && (strcmp(last, "/moving_variance") == 0 || strcmp(last, "/gamma") == 0);
        if (value->rank > 1) draw(value, data, seed ^ inc_hash(value->name, length));
        for (size_t i = 0; i < count && one; i++) data[i] = 1;
        value->data = data;
    }
    return INCEPTION_OK;
}
