/* Bytes from a URL, through libcurl: goes on where an earlier attempt ended if the server says that the file is still the
 * same, tries again what may be temporary, and never takes more than was announced or is allowed. */
#include "cli.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define REDIRECTS 8
#define SLOWEST 100L /* bytes a second; less is a server that stalls */
#define DEFAULT_TIMEOUT 30 /* seconds */
#define DEFAULT_TRIES 5
#define LONGEST_PAUSE 30 /* seconds between two attempts */

bool net_allows(const char *url, const net_settings *settings, inception_error *error)
{
    char shown[URL_SHOWN];
    if (!settings->offline || strncasecmp(url, "file:", 5) == 0) return true;
    fail(error, INCEPTION_INVALID, "%s: not fetched, because of --offline", url_shown(url, shown));
    return false;
}

/* ---- One attempt ---- */

typedef struct attempt {
    cli_download *download;
    CURL *curl;
    const char *shown; /* the URL in messages */
    bool begun;        /* the answer was looked at */
    uint64_t total;    /* bytes of the whole file, 0: the server does not tell */
    cli_progress progress;
    inception_error *error;
} attempt;

/* A header of the last answer; NULL if it has none. */
static const char *header(const attempt *now, const char *name)
{
    struct curl_header *found;
    return curl_easy_header(now->curl, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : NULL;
}

/* What If-Range may hold: a strong entity tag, or a date. */
static void note_validator(const attempt *now)
{
    const char *tag = header(now, "ETag"), *date = header(now, "Last-Modified");
    const char *chosen = tag && tag[0] == '"' ? tag : date ? date : "";
    size_t room = sizeof now->download->validator;
    snprintf(now->download->validator, room, "%s", strlen(chosen) < room ? chosen : "");
}

/* True if the answer is the rest that was asked for. */
static bool is_rest(const attempt *now)
{
    const char *range = header(now, "Content-Range");
    char start[48];
    snprintf(start, sizeof start, "bytes %llu-", (unsigned long long)now->download->held);
    return range && strncasecmp(range, start, strlen(start)) == 0;
}

/* Looks at the answer before anything of its body is taken. */
static bool begin_body(attempt *now)
{
    cli_download *download = now->download;
    long code = 0;
    curl_off_t length = -1;
    char *type = NULL;
    now->begun = true;
    curl_easy_getinfo(now->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(now->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    curl_easy_getinfo(now->curl, CURLINFO_CONTENT_TYPE, &type);
    bool rest = code == 206;
    if (rest && !is_rest(now)) {
        download->validator[0] = '\0'; /* from the beginning, next time */
        fail(now->error, INCEPTION_DATA, "%s: the server sent another part than it was asked for", now->shown);
        return false;
    }
    if (type && strncasecmp(type, "text/html", 9) == 0) {
        fail(now->error, INCEPTION_DATA, "%s: the server sent a web page in place of the file", now->shown);
        return false;
    }
    if (length >= 0) now->total = (rest ? download->held : 0) + (uint64_t)length;
    if (length >= 0 && download->bytes && now->total != download->bytes) {
        fail(now->error, INCEPTION_DATA, "%s: has %llu bytes, not the %llu that are expected", now->shown,
             (unsigned long long)now->total, (unsigned long long)download->bytes);
        return false;
    }
    if (now->total > download->limit) {
        fail(now->error, INCEPTION_LIMIT, "%s: %llu bytes, more than the limit of %llu", now->shown,
             (unsigned long long)now->total, (unsigned long long)download->limit);
        return false;
    }
    download->resumed = rest;
    if (rest) return true;
    download->held = now->progress.start = 0;
    note_validator(now);
    return download->restart(download, now->error);
}

static size_t take_body(char *data, size_t one, size_t size, void *owner)
{
    attempt *now = owner;
    cli_download *download = now->download;
    (void)one;
    if (!now->begun && !begin_body(now)) return CURL_WRITEFUNC_ERROR;
    uint64_t most = download->bytes ? download->bytes : download->limit;
    if (size > most - download->held) {
        download->validator[0] = '\0';
        fail(now->error, download->bytes ? INCEPTION_DATA : INCEPTION_LIMIT, "%s: more than the %s %llu bytes",
             now->shown, download->bytes ? "expected" : "allowed", (unsigned long long)most);
        return CURL_WRITEFUNC_ERROR;
    }
    if (!download->take(download, data, size, now->error)) return CURL_WRITEFUNC_ERROR;
    download->held += size;
    return size;
}

static int show_progress(void *owner, curl_off_t total, curl_off_t done, curl_off_t out_total, curl_off_t out)
{
    attempt *now = owner;
    (void)total, (void)done, (void)out_total, (void)out;
    if (now->begun) progress_show(&now->progress, now->download->held, now->total);
    return waiting_is_over();
}

/* The sentence for a failure that no other sentence was set for. True if trying again may help. */
static bool explain(attempt *now, CURLcode result, const char *reason, const net_settings *settings)
{
    static const struct {
        long code;
        const char *meaning;
        bool temporary;
    } answers[] = {
        {401, " (it wants a password)", false}, {403, " (forbidden)", false},      {404, " (not found)", false},
        {408, " (it waited too long)", true},   {410, " (gone)", false},           {416, " (no such part)", true},
        {429, " (too many requests)", true},    {500, " (its own mistake)", true}, {502, " (bad gateway)", true},
        {503, " (not available)", true},        {504, " (it waited too long)", true},
    };
    static const CURLcode temporary[] = {CURLE_COULDNT_CONNECT, CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR,
                                         CURLE_GOT_NOTHING,     CURLE_HTTP2,        CURLE_HTTP2_STREAM};
    long code = 0;
    curl_easy_getinfo(now->curl, CURLINFO_RESPONSE_CODE, &code);
    if (result == CURLE_HTTP_RETURNED_ERROR) {
        size_t i = 0;
        while (i < COUNT(answers) && answers[i].code != code) i++;
        bool known = i < COUNT(answers);
        fail(now->error, code == 404 || code == 410 ? INCEPTION_NOT_FOUND : INCEPTION_IO,
             "%s: the server answered with HTTP status %ld%s", now->shown, code, known ? answers[i].meaning : "");
        if (code == 416) now->download->validator[0] = '\0'; /* what is held is no beginning of the file there */
        return known && answers[i].temporary;
    }
    if (result == CURLE_OPERATION_TIMEDOUT) {
        fail(now->error, INCEPTION_IO, "%s: the server sent nothing for %d seconds", now->shown, settings->timeout);
        return true;
    }
    if (result == CURLE_FILE_COULDNT_READ_FILE)
        fail(now->error, INCEPTION_NOT_FOUND, "%s: there is no such file, or it cannot be read", now->shown);
    fail(now->error, INCEPTION_IO, "%s: %s", now->shown, *reason ? reason : curl_easy_strerror(result));
    for (size_t i = 0; i < COUNT(temporary); i++)
        if (result == temporary[i]) return true;
    return false;
}

static void set_options(attempt *now, const net_settings *settings, const struct curl_slist *headers, char *reason)
{
    const cli_download *download = now->download;
    CURL *curl = now->curl;
    curl_easy_setopt(curl, CURLOPT_URL, download->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, download->web_only ? "http,https" : "http,https,file");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "inception/" INCEPTION_VERSION);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)settings->timeout);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)settings->timeout);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, SLOWEST);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, now);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, show_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, now);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

/* True: the whole file is there. False and *again: another attempt, after *pause seconds if the server says so. */
static bool attempt_once(cli_download *download, const net_settings *settings, bool *again, int *pause,
                         inception_error *error)
{
    char reason[CURL_ERROR_SIZE] = "", shown[URL_SHOWN], range[32], condition[sizeof download->validator + 16];
    attempt now = {.download = download, .curl = curl_easy_init(), .error = error};
    struct curl_slist *headers = NULL;
    bool web = is_web_address(download->url); /* of others no answer says that it is the rest */
    bool rest = web && download->held && download->validator[0] && !(download->bytes && download->held > download->bytes);
    now.shown = url_shown(download->url, shown);
    snprintf(range, sizeof range, "%llu-", (unsigned long long)download->held);
    snprintf(condition, sizeof condition, "If-Range: %s", download->validator);
    if (rest) headers = curl_slist_append(NULL, condition);
    *again = false;
    if (!now.curl || (rest && !headers)) {
        fail(error, INCEPTION_MEMORY, "out of memory");
        goto end;
    }
    set_options(&now, settings, headers, reason);
    if (rest) curl_easy_setopt(now.curl, CURLOPT_RANGE, range);
    progress_begin(&now.progress, download->name, rest ? download->held : 0);
    CURLcode result = curl_easy_perform(now.curl);
    if (result == CURLE_OK && !now.begun) begin_body(&now); /* an empty one */
    if (result == CURLE_OK && !error->status && download->bytes && download->held < download->bytes)
        result = CURLE_PARTIAL_FILE;
    if (result == CURLE_PARTIAL_FILE)
        fail(error, INCEPTION_IO, "%s: the connection broke off after %llu bytes", shown,
             (unsigned long long)download->held);
    if (waiting_is_over()) fail(error, INCEPTION_IO, "%s: interrupted", shown);
    else if (error->status == INCEPTION_OK || result == CURLE_PARTIAL_FILE)
        *again = result != CURLE_OK && explain(&now, result, reason, settings);
    progress_end(&now.progress, error->status == INCEPTION_OK);
    curl_off_t wait = 0;
    curl_easy_getinfo(now.curl, CURLINFO_RETRY_AFTER, &wait);
    if (wait > *pause) *pause = wait < LONGEST_PAUSE ? (int)wait : LONGEST_PAUSE;
end:
    curl_slist_free_all(headers);
    curl_easy_cleanup(now.curl);
    return error->status == INCEPTION_OK;
}

/* ---- All attempts ---- */

static void sleep_for(int seconds)
{
    for (int i = 0; i < 10 * seconds && !waiting_is_over(); i++)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

bool download_run(cli_download *download, const net_settings *given, inception_error *error)
{
    net_settings settings = *given;
    if (!settings.timeout) settings.timeout = DEFAULT_TIMEOUT;
    if (!settings.tries) settings.tries = DEFAULT_TRIES;
    if (!net_allows(download->url, given, error)) return false;
    for (int left = settings.tries, pause = 1;; pause = pause < LONGEST_PAUSE ? 2 * pause : pause) {
        inception_error own = {0};
        bool again;
        int wait = pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
        if (attempt_once(download, &settings, &again, &wait, &own)) return true;
        if (!again || --left == 0) return fail(error, own.status, "%s", own.message), false;
        if (download->name) complain("%s; trying again in %d s", own.message, wait);
        sleep_for(wait);
        if (waiting_is_over()) return fail(error, INCEPTION_IO, "%s", own.message), false;
    }
}

/* ---- Into memory ---- */

typedef struct memory_sink {
    char *data;
    size_t capacity;
} memory_sink;

static bool restart_memory(cli_download *download, inception_error *error)
{
    (void)error;
    download->validator[0] = '\0'; /* each attempt starts from the beginning */
    return true;
}

static bool take_memory(cli_download *download, const void *data, size_t size, inception_error *error)
{
    memory_sink *sink = download->owner;
    size_t used = (size_t)download->held;
    if (size > sink->capacity - used) {
        size_t wanted = 2 * sink->capacity > used + size ? 2 * sink->capacity : used + size;
        char *larger = realloc(sink->data, wanted);
        if (!larger) return fail(error, INCEPTION_MEMORY, "out of memory (%zu bytes)", wanted), false;
        sink->data = larger;
        sink->capacity = wanted;
    }
    memcpy(sink->data + used, data, size);
    return true;
}

bool download_memory(const char *url, uint64_t limit, const net_settings *settings, char **data, size_t *size,
                     inception_error *error)
{
    memory_sink sink = {0};
    cli_download download = {.url = url, .limit = limit, .web_only = true, .restart = restart_memory,
                             .take = take_memory, .owner = &sink};
    bool came = download_run(&download, settings, error);
    *data = sink.data;
    *size = came ? (size_t)download.held : 0;
    return came;
}
