/* inception prepare: what a network sees of a photo. */
#include "cli.h"

#include <inception_train.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct prepare_options {
    common_settings common;
    model_settings model;
    photo_settings photos;
    const char *output;
    int format, crop;
    uint64_t distort; /* a seed, or UNDISTORTED */
    bool slow;
    int records; /* FORMAT_TEXT, or FORMAT_JSON... of what is printed */
} prepare_options;

#define UNDISTORTED UINT64_MAX /* larger than any seed */

enum { WRITE_NPY, WRITE_PNG, WRITE_BY_NAME };
static const char *const write_choices[] = {"npy", "png", NULL};

static const option_row rows[] = {
    {"output", 'o', "OUT", OPTION_STRING, offsetof(prepare_options, output),
     "write the prepared input to OUT: .npy (float32, 1 x height x width x 3) or .png (to look at). Several photos: "
     "OUT is a folder; it gets a file for each",
     0, 0, NULL},
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(prepare_options, format),
     "npy or png; default: from the end of OUT, npy in a folder", 0, 0, write_choices},
    {"json", 'j', NULL, OPTION_SET, offsetof(prepare_options, records), "print the shapes as JSON", FORMAT_JSON, 0,
     NULL},
    {"crop", 0, "CROP", OPTION_CHOICE, offsetof(prepare_options, crop),
     "centre, full or letterbox: the part of the photo that is looked at. Only centre is what the network was "
     "evaluated with",
     0, 0, crop_choices},
    {"distort", 0, "SEED", OPTION_SIZE, offsetof(prepare_options, distort),
     "distort photos as for training: a crop at random, flipped or not, another brightness and saturation. A seed and a "
     "photo's name give one picture",
     0, 0x1p53, NULL},
    {"slow-augmentation", 0, NULL, OPTION_FLAG, offsetof(prepare_options, slow),
     "distort hue and contrast, too, in orders and with ways to resize at random", 0, 0, NULL},
    {"model", 'm', "MODEL", OPTION_LIST, offsetof(prepare_options, model.models),
     "prepare for these weights: a file, a folder, or the name of a network (fetched if it is not in the cache)", 0, 0,
     NULL},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"", network_rows, offsetof(prepare_options, model)},
    {"Photos", photo_rows, offsetof(prepare_options, photos)},
    {"Downloads", net_rows, offsetof(prepare_options, photos.net)},
    {"General", common_rows, offsetof(prepare_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception prepare photo.jpg -n v3               prints both shapes",
    "inception prepare photo.jpg -n v3 -o x.npy      and writes the numbers",
    "inception prepare photos/ -n v1 -f png -o seen  pictures, in the folder seen",
    "inception prepare photo.jpg -n v3 --distort 1 -o x.png",
    NULL,
};

typedef struct prepare_run {
    prepare_options *options;
    inception_input input;
    float *prepared;
    bool several, to_folder, png;
    name_set written; /* files */
    name_set photos;  /* device and number of those that must not be written over */
    cli_records records;
    cli_tally tally;
} prepare_run;

/* ---- Where to ---- */

static exit_code choose_output(prepare_run *preparation)
{
    const char *out = preparation->options->output;
    int format = preparation->options->format;
    struct stat info;
    if (!out) return format == WRITE_BY_NAME ? EXIT_FINE : complain_usage("prepare", "option --format wants --output");
    if (strcmp(out, "-") == 0)
        return complain_usage("prepare", "option --output: files are written, not standard output");
    bool is_folder = stat(out, &info) == 0 && S_ISDIR(info.st_mode), known = ends_in(out, ".npy") || ends_in(out, ".png");
    if (preparation->several && known && !is_folder)
        return complain_usage("prepare", "option --output: '%s' is one file, and there are several photos", out);
    preparation->to_folder = preparation->several || is_folder || ends_in(out, "/");
    if (!preparation->to_folder && format == WRITE_BY_NAME) {
        format = ends_in(out, ".png") ? WRITE_PNG : WRITE_NPY;
        if (!known) return complain_usage("prepare", "option --output: '%s' ends neither in .npy nor in .png", out);
    }
    preparation->png = format == WRITE_PNG;
    return EXIT_FINE;
}

/* Makes the folders above `path`. */
static bool make_folders(char *path, inception_error *error)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
        if (!made) fail(error, INCEPTION_IO, "%s: cannot make the folder: %s", path, strerror(errno));
        *slash = '/';
        if (!made) return false;
    }
    return true;
}

#define FILE_KEY 48

/* What tells a file from all others; "" of one that is not there. */
static const char *file_key(const char *path, char key[FILE_KEY])
{
    struct stat info;
    *key = '\0';
    if (stat(path, &info) == 0)
        snprintf(key, FILE_KEY, "%llx:%llx", (unsigned long long)info.st_dev, (unsigned long long)info.st_ino);
    return key;
}

/* In the folder that is written to photos may be that come later. */
static exit_code note_photos(prepare_run *preparation, const photo_walk *walk)
{
    char key[FILE_KEY];
    cli_photo photo;
    inception_error error = {0}, memory = {0};
    if (!preparation->options->output) return EXIT_FINE;
    photo_walk *all = photos_again(walk);
    if (!all) return complain_memory();
    for (; photos_next(all, &photo, &error) && !memory.status; error = (inception_error){0})
        names_add(&preparation->photos, file_key(photo.path, key), &memory);
    photos_close(&all);
    return memory.status ? complain_error(&memory) : EXIT_FINE;
}

/* The file for a photo; two photos of one name must not share it. NULL and an error if that fails. */
static char *output_path(prepare_run *preparation, const cli_photo *photo, inception_error *error)
{
    char *path = NULL;
    const char *out = preparation->options->output, *ending = preparation->png ? "png" : "npy";
    int length =
        preparation->to_folder ? asprintf(&path, "%s/%s.%s", out, photo->name, ending) : asprintf(&path, "%s", out);
    if (length < 0) return fail(error, INCEPTION_MEMORY, "out of memory"), NULL;
    char key[FILE_KEY];
    if (*file_key(path, key) && names_have(&preparation->photos, key)) {
        fail(error, INCEPTION_IO, "%s: would be written over %s", path,
             same_file(path, photo->path) ? "the photo itself" : "a photo of this run");
        free(path);
        return NULL;
    }
    if (!preparation->to_folder) return path;
    if (!names_add(&preparation->written, path, error))
        fail(error, INCEPTION_IO, "%s: %s was already written for another photo of that name", photo->path, path);
    if (!error->status && make_folders(path, error)) return path;
    free(path);
    return NULL;
}

/* ---- One photo ---- */

static bool write_output(const prepare_run *preparation, const char *path, inception_error *error)
{
    const inception_input *input = &preparation->input;
    if (!preparation->png) return npy_write(path, preparation->prepared, input->height, input->width, error);
    inception_image *seen = inception_image_from_prepared(input, preparation->prepared, error);
    bool written = seen && inception_image_write_png(seen, path, error) == INCEPTION_OK;
    inception_image_free(&seen);
    return written;
}

static exit_code print_shapes(prepare_run *preparation, const cli_photo *photo, const inception_image *image,
                              const char *out)
{
    int height = inception_image_height(image), width = inception_image_width(image);
    const inception_input *input = &preparation->input;
    if (preparation->records.format != FORMAT_TEXT) {
        json_t *shapes = json_pack("{s:[i, i, i], s:[i, i, i, i]}", "decoded", height, width, 3, "prepared", 1,
                                   input->height, input->width, 3);
        json_t *object = text_record(photo->path, shapes);
        if (object && input->crop != INCEPTION_CROP_CENTRE)
            json_object_set_new(object, "crop", json_string(crop_choices[input->crop]));
        if (object && preparation->options->distort != UNDISTORTED)
            json_object_set_new(object, "distort", json_integer((json_int_t)preparation->options->distort));
        if (object && preparation->options->slow) json_object_set_new(object, "augmentation", json_string("slow"));
        if (object && preparation->options->photos.fast) json_object_set_new(object, "decode", json_string("fast"));
        if (object && out) json_object_set_new(object, "output", text_json(out));
        exit_code code = records_add(&preparation->records, object);
        return code ? code : records_flush(&preparation->records);
    }
    if (preparation->several) {
        text_write_name(stdout, photo->path);
        fputs(": ", stdout);
    }
    printf("(%d, %d, 3) (1, %d, %d, 3)", height, width, input->height, input->width);
    if (input->crop != INCEPTION_CROP_CENTRE) printf(" crop %s", crop_choices[input->crop]);
    if (preparation->options->distort != UNDISTORTED)
        printf(" distort %llu", (unsigned long long)preparation->options->distort);
    if (preparation->options->slow) printf(" slow");
    if (preparation->options->photos.fast) printf(" decode fast");
    putchar('\n');
    return output_flush();
}

/* As the network sees it in evaluation, or in the first epoch of training. */
static bool prepare_input(prepare_run *preparation, const cli_photo *photo, const inception_image *image,
                          inception_error *error)
{
    const prepare_options *options = preparation->options;
    if (options->distort == UNDISTORTED)
        return inception_prepare(&preparation->input, image, preparation->prepared, error) == INCEPTION_OK;
    uint64_t seed = inception_distortion_seed(options->distort, photo->name, 0);
    const inception_distortion how = {.slow = options->slow};
    return inception_distort(&preparation->input, image, &how, seed, preparation->prepared, error) == INCEPTION_OK;
}

static exit_code prepare_photo(prepare_run *preparation, const cli_photo *photo, inception_error *error)
{
    exit_code code = EXIT_FINE;
    char *out = NULL;
    inception_image *image = error->status ? NULL : photo_decode(photo, &preparation->options->photos, error);
    bool fine = image && prepare_input(preparation, photo, image, error);
    if (fine && preparation->options->output)
        fine = (out = output_path(preparation, photo, error)) && write_output(preparation, out, error);
    if (fine) {
        preparation->tally.done++;
        if (out && preparation->options->common.verbose) complain("%s written", out);
        code = print_shapes(preparation, photo, image, out);
    } else {
        tally_failure(&preparation->tally, error->status);
        if (preparation->records.format != FORMAT_TEXT)
            code = records_failure(&preparation->records, photo->path, error);
        else complain_input(photo->path, error);
    }
    free(out);
    inception_image_free(&image);
    return code;
}

/* ---- The run ---- */

static exit_code check_distortion(const prepare_options *options)
{
    if (options->slow && options->distort == UNDISTORTED)
        return complain_usage("prepare", "option --slow-augmentation wants --distort");
    if (options->crop != INCEPTION_CROP_CENTRE && options->distort != UNDISTORTED)
        return complain_usage("prepare", "option --distort crops at random, and option --crop says where: give one of them");
    return EXIT_FINE;
}

/* The input of the network, or of the model. */
static exit_code choose_input(prepare_run *preparation)
{
    const model_settings *settings = &preparation->options->model;
    const inception_network *network;
    exit_code code = network_check("prepare", settings->network, &network);
    if (code) return code;
    if (settings->models.count > 1) return complain_usage("prepare", "option --model can be given once");
    if (!settings->models.count && !network)
        return complain_usage("prepare", "name the network with --network, or the weights with --model");
    if (settings->models.count) {
        char path[4096];
        const inception_network *found;
        inception_error error = {0};
        const net_settings *net = &preparation->options->photos.net;
        code = model_find(settings->models.items[0], net, path, sizeof path, &found);
        if (code) return code;
        inception_model_options options = model_options(settings, found, preparation->options->common.quiet);
        inception_model *model = inception_model_open(path, &options, &error);
        if (!model) return complain_error(&error);
        preparation->input = inception_model_get_info(model)->input;
        inception_model_close(&model);
    } else {
        preparation->input = network->input;
    }
    if (preparation->options->crop != INCEPTION_CROP_CENTRE)
        preparation->input.crop = (inception_crop)preparation->options->crop;
    photos_decode_for(&preparation->options->photos, &preparation->input);
    size_t values = (size_t)preparation->input.width * (size_t)preparation->input.height * 3;
    preparation->prepared = calloc(values, sizeof *preparation->prepared);
    if (preparation->prepared) return EXIT_FINE;
    return complain_memory();
}

static exit_code run(void *given, char **operands, int count)
{
    prepare_options *options = given;
    inception_error error = {0};
    cli_photo photo;
    options->photos.net.quiet = options->common.quiet;
    prepare_run preparation = {.options = options, .records = {.format = options->records}};
    photo_walk *walk = photos_open(&options->photos, operands, count, &error);
    if (!walk) return complain_error(&error);
    preparation.several = photos_several(walk);
    exit_code code = check_distortion(options);
    if (!code) code = choose_output(&preparation);
    if (!code && preparation.to_folder) photos_leave_out(walk, options->output); /* what an earlier run has made */
    if (!code) code = note_photos(&preparation, walk);
    if (!code) code = choose_input(&preparation);
    if (code) goto end;

    catch_interrupts();
    records_begin(&preparation.records);
    while (!code && photos_next(walk, &photo, &error)) {
        code = prepare_photo(&preparation, &photo, &error);
        error = (inception_error){0};
    }
    if (!code) code = records_end(&preparation.records);
    if (!code) code = tally_exit(&preparation.tally, options->common.quiet);
end:
    photos_close(&walk);
    names_clear(&preparation.written);
    names_clear(&preparation.photos);
    free(preparation.prepared);
    return code;
}

const cli_command prepare_command = {
    .name = "prepare",
    .summary = "show what a network sees of photos",
    .operands = "PHOTO...",
    .about =
        "Prepares photos for a network as TF-Slim's evaluation does, bit for bit, and prints two shapes for each: that "
        "of the decoded photo (height, width, channels) and that of the prepared input. PHOTO as in 'inception help "
        "classify'.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(prepare_options),
    .defaults = &(const prepare_options){.format = WRITE_BY_NAME, .distort = UNDISTORTED},
    .max_operands = INT32_MAX,
    .run = run,
};
