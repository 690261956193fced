/* inception classify: what is on the photos. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_TOP 10

typedef struct classify_options {
    common_settings common;
    model_settings model;
    photo_settings photos;
    plot_settings plot;
    int top; /* 0: not set */
    int format, threads, precision, crop, picture;
} classify_options;

static const option_row rows[] = {
    {"top", 'k', "K", OPTION_INT, offsetof(classify_options, top),
     "show the K most probable classes; default 10, as many as the network has at most", 1, 1000000, NULL},
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(classify_options, format),
     "text, json (one array) or jsonl (one object a line)", 0, 0, format_choices},
    {"json", 'j', NULL, OPTION_SET, offsetof(classify_options, format), "same as --format=json", FORMAT_JSON, 0, NULL},
    {"crop", 0, "CROP", OPTION_CHOICE, offsetof(classify_options, crop),
     "centre, full or letterbox: the part of the photo that is looked at. Only centre is what the network was "
     "evaluated with; the others are shown in the output",
     0, 0, crop_choices},
    {"threads", 't', "N", OPTION_INT, offsetof(classify_options, threads), "default: the CPUs this process may use", 1,
     1024, NULL},
    {"precision", 0, "P", OPTION_CHOICE, offsetof(classify_options, precision), "of the arithmetic: f32", 0, 0,
     (const char *const[]){"f32", NULL}},
    {"picture", 0, "KIND", OPTION_CHOICE, offsetof(classify_options, picture),
     "the photo on the terminal: auto (what it says it can show), none, kitty, iterm, sixel or blocks", 0, 0,
     picture_choices},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"", plot_rows, offsetof(classify_options, plot)},
    {"Weights", model_rows, offsetof(classify_options, model)},
    {"", network_rows, offsetof(classify_options, model)},
    {"", label_rows, offsetof(classify_options, model)},
    {"Photos", photo_rows, offsetof(classify_options, photos)},
    {"Downloads", net_rows, offsetof(classify_options, photos.net)},
    {"General", common_rows, offsetof(classify_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception classify photo.jpg                the ten most probable classes",
    "inception classify -m v3 -m v4 photo.jpg    two networks side by side",
    "inception classify --plot=card.png photo.jpg  a picture to share",
    "inception classify --format=jsonl photos/   a folder, for programs",
    "inception classify https://HOST/photo.jpg   from the web",
    "import png:- | inception classify -         standard input",
    NULL,
};

/* What a run holds. */
typedef struct classify_run {
    const classify_options *options;
    cli_contestant *contestants;
    size_t count;
    cli_records records;
    cli_terminal terminal; /* zeros unless text is written */
    cli_tally tally;
    inception_sheet *plot; /* NULL: none */
    bool several;          /* photos */
    bool begun;            /* text: the heading is written */
} classify_run;

static exit_code limit_top(classify_run *contest)
{
    int most = 0, wanted = contest->options->top;
    for (size_t i = 0; i < contest->count; i++) {
        int classes = contest->contestants[i].info->classes;
        int top = wanted ? wanted : DEFAULT_TOP;
        contest->contestants[i].top = top < classes ? top : classes;
        if (classes > most) most = classes;
    }
    if (wanted <= most) return EXIT_FINE;
    return complain_usage("classify", "option --top: %d is more than the %d classes there are", wanted, most);
}

static void mark_ambiguous(classify_run *contest)
{
    for (size_t i = 0; i < contest->count; i++)
        for (size_t j = 0; j < contest->count; j++)
            if (i != j && contest->contestants[i].info->network == contest->contestants[j].info->network)
                contest->contestants[i].ambiguous = true;
}

static exit_code open_networks(classify_run *contest)
{
    const model_settings *settings = &contest->options->model;
    inception_model_options options = model_options(settings, NULL);
    options.threads = contest->options->threads;
    options.crop = (inception_crop)contest->options->crop;
    for (size_t i = 0; i < contest->count; i++) {
        cli_contestant *entrant = &contest->contestants[i];
        const char *name = settings->models.count ? settings->models.items[i] : NULL;
        exit_code code = contestant_open(entrant, name, &contest->options->photos.net, &options);
        if (code) return code;
        if (contest->options->common.verbose)
            complain("%s from %s: %d classes, %.1f million weights, %.2f billion multiply-adds, %d threads",
                     entrant->info->network->name, entrant->path, entrant->info->classes,
                     (double)entrant->info->parameters / 1e6, (double)entrant->info->multiply_adds / 1e9,
                     entrant->info->threads);
    }
    mark_ambiguous(contest);
    return limit_top(contest);
}

static exit_code write_text(classify_run *contest, const char *file, const inception_image *image)
{
    if (!contest->begun) answer_heading(contest->contestants, contest->count);
    contest->begun = true;
    fputc('\n', stdout);
    if (contest->several) {
        fputs("== ", stdout);
        text_write(stdout, file);
        fputs(" ==\n", stdout);
    }
    picture_write(&contest->terminal, image);
    answer_text(&contest->terminal, contest->contestants, contest->count);
    return output_flush();
}

/* All networks answer before anything is written: a photo has all its answers or one error. */
static bool answer_all(classify_run *contest, const inception_image *image, const char *file, inception_error *error)
{
    for (size_t i = 0; image && i < contest->count; i++)
        if (!contestant_answer(&contest->contestants[i], image, file, error)) return false;
    return image != NULL;
}

static exit_code write_failure(classify_run *contest, const char *file, const inception_error *error)
{
    tally_failure(&contest->tally, error->status);
    if (contest->records.format != FORMAT_TEXT) return records_failure(&contest->records, file, error);
    complain_input(file, error);
    return EXIT_FINE;
}

static exit_code classify_photo(classify_run *contest, const cli_photo *photo, inception_error *error)
{
    inception_image *image = error->status ? NULL : photo_decode(photo, &contest->options->photos, error);
    exit_code code = EXIT_FINE;
    if (!answer_all(contest, image, photo->path, error)) {
        code = write_failure(contest, photo->path, error);
    } else {
        contest->tally.done++;
        if (contest->records.format == FORMAT_TEXT) code = write_text(contest, photo->path, image);
        for (size_t i = 0; !code && contest->records.format != FORMAT_TEXT && i < contest->count; i++)
            code = records_add(&contest->records, answer_json(&contest->contestants[i], photo->path, image));
        if (!code) code = plot_add(contest->plot, photo, image, contest->contestants, contest->count);
    }
    inception_image_free(&image);
    return code;
}

static exit_code classify_photos(classify_run *contest, photo_walk *walk)
{
    exit_code code = EXIT_FINE;
    inception_error error = {0};
    cli_photo photo;
    contest->several = photos_several(walk);
    catch_interrupts();
    records_begin(&contest->records);
    while (!code && photos_next(walk, &photo, &error)) {
        code = classify_photo(contest, &photo, &error);
        error = (inception_error){0};
    }
    if (!code) code = records_end(&contest->records);
    if (!code) code = plot_finish(contest->plot, &contest->options->plot, &contest->options->common);
    return code ? code : tally_exit(&contest->tally, contest->options->common.quiet);
}

static exit_code run(void *given, char **operands, int count)
{
    classify_options *options = given;
    const inception_network *network;
    inception_error error = {0};
    exit_code code = network_check("classify", options->model.network, &network);
    if (code) return code;
    options->photos.net.quiet = options->common.quiet;
    photo_walk *walk = photos_open(&options->photos, operands, count, &error);
    if (!walk) return complain_error(&error);

    classify_run contest = {.options = options, .records = {.format = options->format}};
    contest.count = options->model.models.count ? options->model.models.count : 1;
    contest.contestants = calloc(contest.count, sizeof *contest.contestants);
    if (!contest.contestants) {
        complain("out of memory");
        code = EXIT_SYSTEM;
        goto end;
    }
    if (options->format == FORMAT_TEXT) terminal_start(&contest.terminal, options->common.color, options->picture);
    code = plot_open(&options->plot, &contest.plot);
    if (!code) code = open_networks(&contest);
    if (!code) code = classify_photos(&contest, walk);
end:
    for (size_t i = 0; contest.contestants && i < contest.count; i++) contestant_close(&contest.contestants[i]);
    free(contest.contestants);
    inception_sheet_close(&contest.plot);
    photos_close(&walk);
    return code;
}

const cli_command classify_command = {
    .name = "classify",
    .summary = "say what is on photos",
    .operands = "PHOTO...",
    .about = "Names what is on photos. PHOTO is a file (JPEG, PNG, GIF, BMP, WebP; the content decides), a folder (all "
             "photos in it and below, in natural order, dot files passed over, linked folders not followed), a URL "
             "(http, https), or - for standard input. A photo that cannot be read is reported, and the run goes on.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(classify_options),
    .defaults = &(const classify_options){.format = FORMAT_TEXT},
    .max_operands = INT32_MAX,
    .run = run,
};
