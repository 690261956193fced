/* What is known of one network: `inception models show`. */
#include "cli.h"

#include <string.h>

static json_t *checksum_json(const cli_release *release)
{
    const char *kind, *digest = release_digest(release, &kind);
    return json_pack("{s:s}", release->sha256 ? "sha256" : "md5", digest);
}

static json_t *release_json(const cli_release *release)
{
    json_t *url = json_sprintf("%s/%s", release->base, release->archive);
    return json_pack("{s:o, s:o, s:o, s:s, s:o}", "url", url, "bytes",
                     release->bytes ? json_integer((json_int_t)release->bytes) : json_null(), "checksum",
                     checksum_json(release), "member", release->member, "member_bytes",
                     release->member_bytes ? json_integer((json_int_t)release->member_bytes) : json_null());
}

json_t *network_json(const inception_network *network)
{
    char path[FOLDER_SIZE + 256];
    bool cached = cache_find(network, path, sizeof path);
    const cli_release *release = release_of(network);
    return json_pack("{s:s, s:s, s:s, s:{s:i, s:i}, s:i, s:b, s:f, s:f, s:s, s:o, s:o, s:o}", "name", network->name, "alias",
                     network->alias, "title", network->title, "input", "width", network->input.width, "height",
                     network->input.height, "classes", network->classes, "background", network->background, "top1",
                     network->top1, "top5", network->top5, "source", network->source, "path",
                     cached ? text_json(path) : json_null(), "release", release ? release_json(release) : json_null(),
                     "licence", release ? json_string(release->licence) : json_null());
}

exit_code show_json(const inception_network *network, const inception_network_size *size)
{
    json_t *object = network_json(network);
    json_t *more = json_pack("{s:i, s:i, s:I, s:I, s:s}", "layers", size->layers, "depth", size->depth, "parameters",
                             (json_int_t)size->parameters, "multiply_adds", (json_int_t)size->multiply_adds, "caveat",
                             imagenet_caveat);
    if (!object || !more || json_object_update(object, more) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(more);
    return output_json(object);
}

/* ---- Text ---- */

/* "23,853,833" */
static const char *grouped(uint64_t number, char text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number), at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

static void show_release(const cli_release *release)
{
    char number[32];
    const char *kind, *digest = release_digest(release, &kind);
    printf("archive        %s/%s\n", release->base, release->archive);
    if (release->bytes) printf("               %s bytes\n", grouped(release->bytes, number));
    printf("               %s\n               (%s%s)\n", digest, kind,
           release->sha256 ? "" : ", the only checksum known: it tells damage, but not forgery");
    if (strcmp(release->member, release->archive) != 0) printf("weights        %s in it\n", release->member);
    printf("licence        %s\n", release->licence);
}

exit_code show_text(const inception_network *network, const inception_network_size *size)
{
    char number[32], path[FOLDER_SIZE + 256];
    const cli_release *release = release_of(network);
    printf("%s, or %s: %s\n\n", network->name, network->alias, network->title);
    printf("layers         %d, at most %d one after the other\n", size->layers, size->depth);
    printf("parameters     %s\n", grouped(size->parameters, number));
    printf("multiply-adds  %s for a photo\n", grouped(size->multiply_adds, number));
    printf("input          %d x %d\n", network->input.width, network->input.height);
    printf("classes        %d%s\n", network->classes, network->background ? ", the first is 'background'" : "");
    printf("accuracy       top-1 %.1f %%, top-5 %.1f %% (published: ImageNet 2012 validation)\n", network->top1,
           network->top5);
    printf("source         %s\n", network->source);
    if (release) show_release(release);
    printf("in the cache   ");
    if (cache_find(network, path, sizeof path)) text_write(stdout, path);
    else printf("no; 'inception fetch %s' brings it there", network->alias);
    printf("\n\n");
    print_wrapped(imagenet_caveat, 0);
    return output_flush();
}
