/* inception fetch: published weights, or others of which the checksum is known, into the cache. */
#include "cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHA256_DIGITS 64

typedef struct fetch_options {
    common_settings common;
    net_settings net;
    const char *sha256;
    int format;
} fetch_options;

static const option_row rows[] = {
    {"sha256", 0, "HEX", OPTION_STRING, offsetof(fetch_options, sha256),
     "the SHA-256 that the URL or file must have: 64 hexadecimal digits", 0, 0, NULL},
    {"format", 'f', "FORMAT", OPTION_CHOICE, offsetof(fetch_options, format),
     "text (a path a line), json (one array) or jsonl (one object a line)", 0, 0,
     (const char *const[]){"text", "json", "jsonl", NULL}}, /* the first of format_choices */
    {"json", 'j', NULL, OPTION_SET, offsetof(fetch_options, format), "same as --format=json", FORMAT_JSON, 0, NULL},
    {.name = NULL},
};

const option_row net_rows[] = {
    {"offline", 0, NULL, OPTION_FLAG, offsetof(net_settings, offline), "never use the network", 0, 0, NULL},
    {"mirror", 0, "URL", OPTION_STRING, offsetof(net_settings, mirror),
     "fetch published weights from the folder URL (http, https or file); default: $INCEPTION_MIRROR, then where they "
     "were published",
     0, 0, NULL},
    {"timeout", 0, "SECONDS", OPTION_INT, offsetof(net_settings, timeout),
     "give up on a server that sends nothing for so long; default 30", 1, 3600, NULL},
    {"tries", 0, "N", OPTION_INT, offsetof(net_settings, tries),
     "attempts at a download whose failure may be temporary; default 5", 1, 100, NULL},
    {.name = NULL},
};

static const option_group groups[] = {
    {"Options", rows, 0},
    {"Downloads", net_rows, offsetof(fetch_options, net)},
    {"General", common_rows, offsetof(fetch_options, common)},
    {.title = NULL},
};

static const char *const examples[] = {
    "inception fetch v4                                    published weights",
    "inception fetch v1 v3 --mirror=file:///srv/models     from a folder",
    "inception fetch ./inception_v3_2016_08_28.tar.gz      downloaded before",
    "inception fetch https://HOST/m.ckpt --sha256=HEX      any other weights",
    NULL,
};

/* ---- Published weights ---- */

static void tell_licence(const cli_release *release)
{
    static const char *told; /* once a run */
    if (told && strcmp(told, release->licence) == 0) return;
    complain("licence: %s%s%s", release->licence, told ? "" : " ", told ? "" : imagenet_caveat);
    told = release->licence;
}

static void announce(const cli_release *release, const char *from)
{
    char size[BYTES_TEXT], shown[URL_SHOWN];
    complain("%s is not in the cache; downloading %s (%s) from %s", release->network, release->archive,
             release->bytes ? bytes_text(release->bytes, size) : "of unknown size", url_shown(from, shown));
    if (!release->sha256)
        complain("only an MD5 is known of %s: it tells damage, but not forgery", release->archive);
}

static cli_order order_of(const cli_release *release)
{
    cli_order order = {.name = release->archive, .target = release->member};
    order.package.archive = strcmp(release->archive, release->member) != 0;
    order.package.member = release->member;
    order.package.bytes = release->bytes;
    order.package.member_bytes = release->member_bytes;
    order.digest = release_digest(release, &order.kind);
    return order;
}

/* The folder to download from; NULL and an error if the mirror's name is none. */
static const char *base_of(const cli_release *release, const net_settings *net, inception_error *error)
{
    char shown[URL_SHOWN];
    const char *mirror = net->mirror ? net->mirror : getenv("INCEPTION_MIRROR");
    if (!mirror || !*mirror) return release->base;
    if (is_web_address(mirror) || strncasecmp(mirror, "file://", 7) == 0) return mirror;
    fail(error, INCEPTION_INVALID, "mirror '%s': begins neither with http:// nor with https:// or file://",
         url_shown(mirror, shown));
    return NULL;
}

bool fetch_release(const cli_release *release, const net_settings *net, char *path, size_t size, bool *news,
                   inception_error *error)
{
    cli_order order = order_of(release);
    const char *base = base_of(release, net, error);
    const cli_extras *with = base ? extras(error) : NULL;
    char *url = NULL;
    *news = false;
    if (!with) return false;
    int length = (int)strlen(base);
    if (base[length - 1] == '/') length--;
    if (asprintf(&url, "%.*s/%s", length, base, release->archive) < 0)
        return fail(error, INCEPTION_MEMORY, "out of memory"), false;
    order.url = url;
    if (!net->quiet && !net->offline) announce(release, base);
    bool done = with->install_weights(&order, net, path, size, news, error);
    if (*news && !net->quiet) tell_licence(release);
    free(url);
    return done;
}

/* ---- What was asked for ---- */

static const cli_release *find_release(const char *name, const char *sha256)
{
    for (size_t i = 0; i < release_count; i++) {
        const char *known = releases[i].sha256;
        bool same = sha256 ? known && strcasecmp(known, sha256) == 0 : strcmp(releases[i].archive, name) == 0;
        if (same) return &releases[i];
    }
    return NULL;
}

static bool is_archive_name(const char *name)
{
    static const char *const endings[] = {".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"};
    for (size_t i = 0; i < COUNT(endings); i++)
        if (ends_in(name, endings[i])) return true;
    return false;
}

/* "9430692d-name": the name in the cache of weights that are no network's published ones. */
static void name_target(const char *name, const char *sha256, bool archive, char *text, size_t size)
{
    snprintf(text, size, "%.8s-%s", sha256, name);
    char *ending = strstr(text, ".tgz") ? strstr(text, ".tgz") : strstr(text, ".tar");
    if (archive && ending) *ending = '\0';
    for (char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c)) *c = '_';
}

/* A URL, or a file on disk. */
static bool fetch_other(const fetch_options *options, const char *operand, bool is_url, char *path, size_t size,
                        bool *news, inception_error *error)
{
    char target[256], name[256], digest[SHA256_DIGITS + 1] = "";
    const char *slash = strrchr(operand, '/'), *last = slash ? slash + 1 : operand, *sha256 = options->sha256;
    size_t length = strlen(last);
    if (is_url) last = url_name(operand, &length);
    snprintf(name, sizeof name, "%.*s", (int)length, last);
    for (size_t i = 0; sha256 && i < SHA256_DIGITS; i++) digest[i] = (char)tolower((unsigned char)sha256[i]);
    const cli_release *release = find_release(name, sha256);
    cli_order order = {.name = *name ? name : "weights", .kind = "SHA256", .digest = digest, .target = target};
    if (release) {
        order = order_of(release);
    } else if (!sha256) {
        fail(error, INCEPTION_INVALID, "%s: has not the name of a published file; give its checksum with --sha256",
             operand);
        return false;
    } else {
        order.package.archive = is_archive_name(name);
        name_target(order.name, digest, order.package.archive, target, sizeof target);
    }
    if (is_url) order.url = operand;
    else order.file = operand;
    const cli_extras *with = extras(error);
    bool done = with && with->install_weights(&order, &options->net, path, size, news, error);
    if (release && *news && !options->common.quiet) tell_licence(release);
    return done;
}

static bool fetch_operand(const fetch_options *options, const char *operand, char *path, size_t size, bool *news,
                          inception_error *error)
{
    bool is_url = strstr(operand, "://") != NULL;
    const inception_network *network = inception_network_find(operand);
    *news = false;
    if (!options->sha256 && builtin_find(operand, path, size)) return true;
    if (is_url || (!network && access(operand, F_OK) == 0))
        return fetch_other(options, operand, is_url, path, size, news, error);
    const cli_release *release = network ? release_of(network) : NULL;
    if (network && cache_find(network, path, size)) return true;
    if (release) return fetch_release(release, &options->net, path, size, news, error);
    const char *near = nearest_network(operand);
    fail(error, INCEPTION_NOT_FOUND, "%s: no such file, and no network of that name%s%s%s", operand,
         near ? "; did you mean " : " ('inception models' lists them)", near ? near : "", near ? "?" : "");
    return false;
}

/* ---- The run ---- */

static exit_code check_usage(const fetch_options *options, char **operands, int count)
{
    const char *sha256 = options->sha256;
    char shown[URL_SHOWN];
    if (sha256 && (strlen(sha256) != SHA256_DIGITS || strspn(sha256, "0123456789abcdefABCDEF") != SHA256_DIGITS))
        return complain_usage("fetch", "option --sha256: '%s' is not 64 hexadecimal digits", sha256);
    if (sha256 && (count > 1 || inception_network_find(operands[0])))
        return complain_usage("fetch", "option --sha256 goes with one URL or one file");
    for (int i = 0; i < count; i++)
        if (strstr(operands[i], "://") && !sha256)
            return complain_usage("fetch", "'%s' needs its checksum, --sha256=HEX", url_shown(operands[i], shown));
    return EXIT_FINE;
}

static exit_code write_result(cli_records *records, const char *operand, const char *path, bool news)
{
    if (records->format != FORMAT_TEXT)
        return records_add(records, json_pack("{s:o, s:o, s:b}", "file", text_json(operand), "path", text_json(path),
                                              "fetched", news));
    text_write(stdout, path);
    putchar('\n');
    return output_flush();
}

static exit_code run(void *given, char **operands, int count)
{
    fetch_options *options = given;
    char path[FOLDER_SIZE + 256];
    bool news;
    cli_records records = {.format = options->format};
    cli_tally tally = {0};
    exit_code code = check_usage(options, operands, count);
    if (code) return code;
    options->net.quiet = options->common.quiet;
    catch_interrupts();
    records_begin(&records);
    for (int i = 0; i < count && !code && !interrupted(); i++) {
        inception_error error = {0};
        if (fetch_operand(options, operands[i], path, sizeof path, &news, &error)) {
            tally.done++;
            code = write_result(&records, operands[i], path, news);
            if (options->common.verbose && !news) complain("%s is there already", operands[i]);
            continue;
        }
        tally_failure(&tally, error.status);
        if (records.format != FORMAT_TEXT) code = records_failure(&records, operands[i], &error);
        else complain_error(&error);
    }
    if (!code) code = records_end(&records);
    return code ? code : tally_exit(&tally, options->common.quiet);
}

const cli_command fetch_command = {
    .name = "fetch",
    .summary = "download weights into the cache",
    .operands = "NETWORK|URL|FILE...",
    .about = "Brings weights into the cache folder and prints their paths. NETWORK is one that 'inception models' lists; "
             "FILE is a published archive that is on disk already; a URL, or another file, needs --sha256. Size and "
             "checksum are verified before anything gets its name. A download that broke off goes on where it ended.",
    .examples = examples,
    .groups = groups,
    .options_size = sizeof(fetch_options),
    .defaults = &(const fetch_options){.format = FORMAT_TEXT},
    .min_operands = 1,
    .max_operands = INT32_MAX,
    .run = run,
};
