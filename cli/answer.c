/* What classify says of a photo: the lines of the article, columns where several networks looked, or JSON. */
#include "cli.h"

#include <string.h>

#define GAP 2 /* blanks between columns */
#define NARROWEST 24

/* ---- Text ---- */

static void write_title(const cli_contestant *contestant)
{
    fputs(contestant->info->network->title, stdout);
    if (!contestant->ambiguous) return;
    fputs(" (", stdout);
    text_write(stdout, contestant->path);
    fputs(")", stdout);
}

void answer_heading(const cli_contestant *contestants, size_t count)
{
    fputs("Using ", stdout);
    for (size_t i = 0; i < count; i++) {
        if (i) fputs(i + 1 < count ? ", " : " and ", stdout);
        write_title(&contestants[i]);
    }
    fputs(count > 1 ? " CNNs\n" : " CNN\n", stdout);
    inception_crop crop = contestants[0].info->input.crop;
    if (crop != INCEPTION_CROP_CENTRE)
        printf("Crop: %s (the network was evaluated with %s)\n", crop_choices[crop],
               crop_choices[INCEPTION_CROP_CENTRE]);
    if (contestants[0].fast) puts("Decode: fast (the network was evaluated with exact)");
    fputs("Prediction: Probability\n", stdout);
}

static void format_score(const inception_prediction *prediction, char *text, size_t size)
{
    snprintf(text, size, ": %.2f%%", 100.0 * (double)prediction->probability);
}

/* One cell of a row, filled with blanks up to `width` unless it is the last. */
static void write_cell(const cli_contestant *contestant, int row, int width, bool last)
{
    int used = 0;
    char note[NOTE_SIZE];
    int shown = contestant_shown(contestant, note);
    if (row < 0) {
        used = text_cut(stdout, contestant->title, width);
    } else if (row < shown) {
        char score[32];
        format_score(&contestant->answer[row], score, sizeof score);
        int room = width - (int)strlen(score);
        used = text_cut(stdout, contestant->answer[row].label, room) + (int)strlen(score);
        fputs(score, stdout);
    } else if (row == 0) {
        used = text_cut(stdout, note, width);
    }
    if (!last) printf("%*s", width - used + GAP, "");
}

static int widest_cell(const cli_contestant *contestant, int limit)
{
    char note[NOTE_SIZE] = "";
    int shown = contestant_shown(contestant, note), widest = text_width(contestant->title);
    if (text_width(note) > widest) widest = text_width(note);
    for (int row = 0; row < shown; row++) {
        char score[32];
        format_score(&contestant->answer[row], score, sizeof score);
        int width = text_width(contestant->answer[row].label) + (int)strlen(score);
        if (width > widest) widest = width;
    }
    return widest < limit ? widest : limit;
}

static void write_columns(cli_contestant *contestants, size_t count)
{
    int limit = (terminal_width() + GAP) / (int)count - GAP, rows = 1;
    if (limit < NARROWEST) limit = NARROWEST;
    for (size_t i = 0; i < count; i++) {
        contestants[i].widest = widest_cell(&contestants[i], limit);
        int shown = contestant_shown(&contestants[i], NULL);
        if (shown > rows) rows = shown;
    }
    for (int row = -1; row < rows; row++) {
        for (size_t i = 0; i < count; i++)
            write_cell(&contestants[i], row, contestants[i].widest, i + 1 == count);
        fputc('\n', stdout);
    }
}

void answer_text(const cli_terminal *terminal, cli_contestant *contestants, size_t count)
{
    char note[NOTE_SIZE];
    if (count == 1 && !contestant_shown(contestants, note)) {
        text_write(stdout, note);
        fputc('\n', stdout);
        return;
    }
    if (terminal->bars) {
        bars_write(terminal, contestants, count);
        return;
    }
    if (count > 1) {
        write_columns(contestants, count);
        return;
    }
    for (int row = 0; row < contestants->top; row++) {
        char score[32];
        format_score(&contestants->answer[row], score, sizeof score);
        text_write(stdout, contestants->answer[row].label);
        puts(score);
    }
}

/* ---- JSON ---- */

static json_t *prediction_json(const inception_prediction *prediction)
{
    return json_pack("{s:i, s:o, s:o, s:f, s:f}", "index", prediction->index, "wnid", text_json(prediction->wnid),
                     "label", text_json(prediction->label), "probability", (double)prediction->probability, "logit",
                     (double)prediction->logit);
}

json_t *answer_json(const cli_contestant *contestant, const char *file, const inception_image *image)
{
    json_t *predictions = json_array();
    for (int i = 0; predictions && i < contestant->top; i++) {
        if (json_array_append_new(predictions, prediction_json(&contestant->answer[i])) == 0) continue;
        json_decref(predictions);
        predictions = NULL;
    }
    json_t *object =
        json_pack("{s:s, s:{s:i, s:i}}", "network", contestant->info->network->name, "input", "width",
                  inception_image_width(image), "height", inception_image_height(image));
    if (object && contestant->ambiguous) json_object_set_new(object, "weights", text_json(contestant->path));
    if (object && contestant->info->input.crop != INCEPTION_CROP_CENTRE)
        json_object_set_new(object, "crop", json_string(crop_choices[contestant->info->input.crop]));
    if (object && contestant->fast) json_object_set_new(object, "decode", json_string("fast"));
    if (object && contestant_decides(contestant)) json_object_set_new(object, "unknown", json_boolean(contestant->unknown));
    if (json_object_set_new(object, "predictions", predictions) == 0) return text_record(file, object);
    json_decref(object);
    return NULL;
}
