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
    filter_settings filter;
    sort_settings sort;
    const char *append;
    int top; /* 0: not set */
    int format, threads, crop, picture;
} classify_options;

static const option_row rows[] = {
    {"top", 'k', "K", OPTION_INT, offsetof(classify_options, top),
     "show the K most probable classes; default 10, as many as the network has at most", 1, 1000000, NULL},
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(classify_options, format),
     "text, json (one array), jsonl (one object a line), csv or tsv (a row for each class)", 0, 0, format_choices},
    {"json", 'j', NULL, OPTION_SET, offsetof(classify_options, format), "same as --format=json", FORMAT_JSON, 0, NULL},
    {"append", 0, "FILE", OPTION_STRING, offsetof(classify_options, append),
     "write to the end of FILE (jsonl, csv or tsv), and pass over the photos that are in it: goes on with a run that was "
     "stopped",
     0, 0, NULL},
    {"crop", 0, "CROP", OPTION_CHOICE, offsetof(classify_options, crop),
     "centre, full or letterbox: the part of the photo that is looked at. Only centre is what the network was "
     "evaluated with; the others are shown in the output",
     0, 0, crop_choices},
    {"threads", 't', "N", OPTION_INT, offsetof(classify_options, threads),
     "of the arithmetic, and as many (8 at most) that decode ahead; default: the CPUs this process may use", 1, 1024,
     NULL},
    {"picture", 0, "KIND", OPTION_CHOICE, offsetof(classify_options, picture),
     "the photo on the terminal: auto (what it says it can show), none, kitty, iterm, sixel or blocks", 0, 0,
     picture_choices},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"", plot_rows, offsetof(classify_options, plot)},
    {"", filter_rows, offsetof(classify_options, filter)},
    {"", sort_rows, offsetof(classify_options, sort)},
    {"Weights", model_rows, offsetof(classify_options, model)},
    {"", network_rows, offsetof(classify_options, model)},
    {"", precision_rows, offsetof(classify_options, model)},
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
    "inception classify --append=o.csv photos/   a table; again: goes on",
    "inception classify --sort-into=o photos/    copies, a folder for each class",
    "inception classify https://HOST/photo.jpg   from the web",
    "import png:- | inception classify -         standard input",
    NULL,
};

/* What a run holds. */
typedef struct classify_run {
    classify_options *options;
    cli_contestant *contestants;
    size_t count;
    cli_records records;
    cli_terminal terminal; /* zeros unless text is written */
    cli_tally tally;
    inception_sheet *plot; /* NULL: none */
    name_set known; /* photos that are in the file of --append */
    photo_sorter *sorter;
    cli_pace *pace;
    photo_pipeline *pipeline;
    double threshold;
    bool several;          /* photos */
    bool begun;            /* text: the heading is written */
} classify_run;

static exit_code limit_top(classify_run *contest)
{
    int most = 0, wanted = contest->options->top;
    for (size_t i = 0; i < contest->count; i++) {
        int classes = contest->contestants[i].info->classes;
        int top = wanted ? wanted : DEFAULT_TOP;
        contest->contestants[i].limit = top < classes ? top : classes;
        contest->contestants[i].threshold = contest->threshold;
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
                contest->contestants[i].ambiguous = true, contest->contestants[i].title = contest->contestants[i].path;
}

static exit_code open_networks(classify_run *contest)
{
    const model_settings *settings = &contest->options->model;
    inception_model_options options = model_options(settings, NULL, contest->options->common.quiet);
    options.threads = contest->options->threads;
    options.crop = (inception_crop)contest->options->crop;
    for (size_t i = 0; i < contest->count; i++) {
        cli_contestant *entrant = &contest->contestants[i];
        const char *name = settings->models.count ? settings->models.items[i] : settings->network;
        exit_code code = contestant_open(entrant, name, &contest->options->photos.net, &options, contest->several);
        if (code) return code;
        entrant->fast = contest->options->photos.fast;
        photos_decode_for(&contest->options->photos, &entrant->info->input);
        if (contest->options->common.verbose)
            complain("%s from %s: %d classes, %.1f million weights, %.2f billion multiply-adds, %d threads",
                     entrant->info->network->name, entrant->path, entrant->info->classes,
                     (double)entrant->info->parameters / 1e6, (double)entrant->info->multiply_adds / 1e9,
                     entrant->info->threads);
    }
    mark_ambiguous(contest);
    exit_code code = limit_top(contest);
    return code ? code : filter_classes(&contest->options->filter, contest->contestants, contest->count);
}

/* Where answers and photos go. */
static exit_code open_outputs(classify_run *contest, photo_walk *walk)
{
    const classify_options *options = contest->options;
    inception_error error = {0};
    if (options->append) {
        size_t photos = append_open(options->append, &contest->records, contest->contestants, contest->count,
                                    &contest->known, &error);
        if (photos && !options->common.quiet)
            complain("%s: %zu photo%s in it already", options->append, photos, photos == 1 ? " is" : "s are");
        photos_pass_over(walk, &contest->known);
    }
    if (!error.status && options->sort.folder) {
        contest->sorter = sort_open(&options->sort, &error);
        photos_leave_out(walk, options->sort.folder);
    }
    return error.status ? complain_error(&error) : EXIT_FINE;
}

static exit_code write_text(classify_run *contest, const char *file, const inception_image *image)
{
    if (!contest->begun) answer_heading(contest->contestants, contest->count);
    contest->begun = true;
    fputc('\n', stdout);
    if (contest->several) {
        fputs("== ", stdout);
        text_write_name(stdout, file);
        fputs(" ==\n", stdout);
    }
    picture_write(&contest->terminal, image);
    answer_text(&contest->terminal, contest->contestants, contest->count);
    return output_flush();
}

static exit_code write_failure(classify_run *contest, const char *file, const inception_error *error)
{
    tally_failure(&contest->tally, error->status);
    if (contest->records.format != FORMAT_TEXT) return records_failure(&contest->records, file, error);
    complain_input(file, error);
    return EXIT_FINE;
}

static exit_code write_records(classify_run *contest, const char *file, const inception_image *image)
{
    exit_code code = EXIT_FINE;
    for (size_t i = 0; !code && i < contest->count; i++)
        code = records_add(&contest->records, answer_json(&contest->contestants[i], file, image));
    return code ? code : records_flush(&contest->records);
}

/* Sorted before anything is written: what is in the file of --append is done. */
static bool sort_answer(classify_run *contest, const cli_photo *photo, inception_error *error)
{
    const cli_contestant *first = contest->contestants;
    const inception_prediction *best = contestant_shown(first, NULL) ? first->answer : NULL;
    return !contest->sorter || sort_photo(contest->sorter, photo, best, error);
}

/* A photo that all networks have answered, or `error`. */
static exit_code tell(classify_run *contest, const cli_loaded *loaded, inception_error error)
{
    const cli_photo *photo = &loaded->photo;
    const inception_image *image = loaded->image;
    bool answered = !error.status, sorted = answered && sort_answer(contest, photo, &error);
    if (!contest->options->append) pace_hide(contest->pace);
    if (!answered || (!sorted && contest->options->append)) return write_failure(contest, photo->path, &error);
    if (!sorted) tally_failure(&contest->tally, error.status), complain_input(photo->path, &error);
    else contest->tally.done++;
    exit_code code = contest->records.format == FORMAT_TEXT ? write_text(contest, photo->path, image)
                                                            : write_records(contest, photo->path, image);
    return code ? code : plot_answers(contest->plot, photo, image, contest->contestants, contest->count);
}

/* All networks answer before anything is written: a photo has all its answers or one error. */
static exit_code classify_some(classify_run *contest, const cli_loaded *const *photos, size_t count)
{
    exit_code code = EXIT_FINE;
    inception_error errors[MOST_TOGETHER];
    for (size_t i = 0; i < count; i++) errors[i] = photos[i]->error;
    for (size_t n = 0; n < contest->count; n++) contestant_look(&contest->contestants[n], photos, errors, count);
    for (size_t i = 0; i < count && !code; i++) {
        for (size_t n = 0; n < contest->count && !errors[i].status; n++) contestant_turn(&contest->contestants[n], i);
        code = tell(contest, photos[i], errors[i]);
        pace_step(contest->pace, photos[i]->photo.number);
    }
    return code;
}

static exit_code classify_photos(classify_run *contest, photo_walk *walk)
{
    exit_code code = EXIT_FINE;
    const cli_loaded *photos[MOST_TOGETHER];
    size_t together = (size_t)contest->contestants->together, count;
    contest->pace = pace_open(walk, contest->options->common.quiet);
    records_begin(&contest->records);
    while (!code && (count = pipeline_take(contest->pipeline, photos, together)) > 0)
        code = classify_some(contest, photos, count);
    pace_close(&contest->pace);
    pipeline_close(&contest->pipeline);
    photos_note(walk, contest->options->common.quiet);
    /* Whatever happened, what was begun is JSON in the end. */
    exit_code end = ferror(contest->records.file) ? code : records_end(&contest->records);
    if (!code) code = end;
    if (!code) code = plot_finish(contest->plot, &contest->options->plot, &contest->options->common);
    return code ? code : tally_exit(&contest->tally, contest->options->common.quiet);
}

/* Photos are decoded while networks are opened, unless what is known then decides which to pass over, or how large. */
static exit_code open_all(classify_run *contest, photo_walk *walk)
{
    const classify_options *options = contest->options;
    inception_error error = {0};
    bool first = !options->append && !options->sort.folder && !options->photos.fast;
    int threads = options->threads ? options->threads : inception_cpu_count();
    catch_interrupts();
    if (first) contest->pipeline = pipeline_open(walk, &options->photos, threads, &error);
    exit_code code = error.status ? complain_error(&error) : open_networks(contest);
    if (!code) code = open_outputs(contest, walk);
    if (!code && !first) contest->pipeline = pipeline_open(walk, &options->photos, threads, &error);
    return !code && error.status ? complain_error(&error) : code;
}

/* Standard input has one reader. */
static exit_code check_input(const classify_options *options, char **operands, int count)
{
    bool photos = options->photos.files_from && strcmp(options->photos.files_from, "-") == 0;
    for (int i = 0; i < count; i++) photos |= strcmp(operands[i], "-") == 0;
    if (!photos || !filter_reads_input(&options->filter)) return EXIT_FINE;
    return complain_usage("classify", "standard input (-) can be read only once: of photos, or of classes (@-)");
}

static exit_code run(void *given, char **operands, int count)
{
    classify_options *options = given;
    classify_run contest = {.options = options};
    const inception_network *network;
    inception_error error = {0};
    exit_code code = network_check("classify", options->model.network, &network);
    if (!code) code = filter_threshold(&options->filter, &contest.threshold);
    if (!code && options->append) code = append_format(options->append, &options->format);
    if (code) return code;
    options->photos.net.quiet = options->common.quiet;
    photo_walk *walk = photos_open(&options->photos, operands, count, &error);
    if (!walk) return complain_error(&error);

    contest.several = photos_several(walk);
    contest.records.format = options->format;
    contest.count = options->model.models.count ? options->model.models.count : 1;
    contest.contestants = calloc(contest.count, sizeof *contest.contestants);
    if (!contest.contestants) {
        code = complain_memory();
        goto end;
    }
    if (options->format == FORMAT_TEXT) terminal_start(&contest.terminal, options->common.color, options->picture);
    code = plot_check("classify", &options->plot, walk, NULL);
    if (!code && options->plot.file && contest.count > PLOT_NETWORKS)
        code = complain_usage("classify", "option --plot: draws %d networks at most, not %zu", PLOT_NETWORKS, contest.count);
    if (!code) code = check_input(options, operands, count);
    if (!code) code = plot_open("classify", &options->plot, &contest.plot);
    if (!code) code = open_all(&contest, walk);
    if (!code) code = classify_photos(&contest, walk);
end:
    pipeline_close(&contest.pipeline);
    if (contest.records.file && contest.records.file != stdout) fclose(contest.records.file);
    sort_close(&contest.sorter);
    names_clear(&contest.known);
    for (size_t i = 0; contest.contestants && i < contest.count; i++) contestant_close(&contest.contestants[i]);
    free(contest.contestants);
    plot_close(&contest.plot);
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
