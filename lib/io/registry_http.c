#include <assert.h>
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "io/registry_http.h"
#include "io/schema_json.h"

#define REPLY_SIZE_MAX (1024 * 1024)
#define BACKOFF_MS_MAX 2000
#define PATH_SIZE      1024

struct gf_registry_http {
    CURL *curl;
    struct curl_slist *headers;
    char *url; /* without user and password, without a slash at its end: also what messages name */
    char *prefix; /* of subjects */
    bool may_register;
    uint32_t attempts, backoff_ms;
    /* The reply to the last request. */
    long status;
    char *reply;
    size_t reply_size;
    bool is_too_long;
};

static size_t
http_on_data(char *data, size_t one, size_t size, void *context)
{
    assert(one == 1);
    struct gf_registry_http *http = context;
    if (size > REPLY_SIZE_MAX - http->reply_size) {
        http->is_too_long = true;
        return 0; /* ends the transfer */
    }
    memcpy(http->reply + http->reply_size, data, size);
    http->reply_size += size;
    return size;
}

static void
http_wait(uint32_t wait_ms)
{
    const struct timespec wait = {.tv_sec = wait_ms / 1000,
                                  .tv_nsec = (long)(wait_ms % 1000) * 1000000};
    (void)nanosleep(&wait, NULL);
}

/* Once. Any answer is GF_OK, with its status. */
static enum gf_rc
http_try(struct gf_registry_http *http, const char *path, const char *body, struct gf_error *error)
{
    char url[PATH_SIZE];
    const int size = snprintf(url, sizeof(url), "%s%s", http->url, path);
    if (size < 0 || (size_t)size >= sizeof(url)) {
        return gf_fail(error, GF_E_CONFIG, "registry %.100s: the URL is too long", http->url);
    }
    http->status = 0;
    http->reply_size = 0;
    http->is_too_long = false;
    curl_easy_setopt(http->curl, CURLOPT_URL, url);
    if (body != NULL) {
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
        curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, body);
    } else {
        curl_easy_setopt(http->curl, CURLOPT_HTTPGET, 1L);
    }
    const CURLcode code = curl_easy_perform(http->curl);
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &http->status);
    if (code != CURLE_OK && !http->is_too_long) {
        return gf_fail(error, GF_E_UNAVAILABLE, "registry %.200s: %s", url,
                       curl_easy_strerror(code));
    }
    return GF_OK;
}

/* An answer to a request, or GF_E_UNAVAILABLE after the last attempt. */
static enum gf_rc
http_ask(struct gf_registry_http *http, const char *path, const char *body, struct gf_error *error)
{
    uint32_t wait_ms = http->backoff_ms;
    for (uint32_t attempt = 1;; attempt++) {
        enum gf_rc rc = http_try(http, path, body, error);
        if (rc == GF_OK && (http->status >= 500 || http->status == 429)) {
            rc = gf_fail(error, GF_E_UNAVAILABLE, "registry %.200s%.100s: HTTP status %ld",
                         http->url, path, http->status);
        }
        if (rc != GF_E_UNAVAILABLE || attempt >= http->attempts) {
            return rc;
        }
        http_wait(wait_ms);
        wait_ms = 2 * wait_ms < BACKOFF_MS_MAX ? 2 * wait_ms : BACKOFF_MS_MAX;
    }
}

/* The reply as a JSON object; the caller's. Whatever else is there did not come from a registry. */
static enum gf_rc
http_reply(const struct gf_registry_http *http, json_t **out, struct gf_error *error)
{
    json_t *json = NULL;
    struct gf_error problem;
    const enum gf_rc rc = gf_schema_json_load(http->reply, http->reply_size, &json, &problem);
    if (rc != GF_OK || !json_is_object(json)) {
        json_decref(json);
        return gf_fail(error, GF_E_UNAVAILABLE,
                       "registry %.200s: HTTP status %ld with an answer no registry gives%s%s",
                       http->url, http->status, rc != GF_OK ? ": " : "",
                       rc != GF_OK ? problem.text : "");
    }
    *out = json;
    return GF_OK;
}

/* A status that is neither 200 nor one the caller knows. */
static enum gf_rc
http_refused(const struct gf_registry_http *http, const char *path, struct gf_error *error)
{
    if (http->status == 401 || http->status == 403) {
        return gf_fail(error, GF_E_UNAVAILABLE,
                       "registry %.200s: HTTP status %ld: check its user and password", http->url,
                       http->status);
    }
    return gf_fail(error, GF_E_UNAVAILABLE, "registry %.200s%.100s: HTTP status %ld", http->url,
                   path, http->status);
}

/* A 404 counts as "not known" only with the registry's own error code: a wrong path or a proxy
 * answers 404 too, and would turn every record into a dead letter. */
static enum gf_rc
http_check_not_found(const struct gf_registry_http *http, struct gf_error *error)
{
    json_t *json = NULL;
    const enum gf_rc rc = http_reply(http, &json, error);
    if (rc != GF_OK) {
        return rc;
    }
    const json_int_t code = json_integer_value(json_object_get(json, "error_code"));
    json_decref(json);
    if (code != 404 && code / 100 != 404) {
        return gf_fail(error, GF_E_UNAVAILABLE,
                       "registry %.200s: HTTP status 404 that is not a registry's: check the URL",
                       http->url);
    }
    return GF_OK;
}

static enum gf_rc
http_take_schema(const struct gf_registry_http *http, uint32_t id, const json_t *json,
                 char **text_out, struct gf_error *error)
{
    const char *text = json_string_value(json_object_get(json, "schema"));
    const char *type = json_string_value(json_object_get(json, "schemaType"));
    if (text == NULL) {
        return gf_fail(error, GF_E_UNAVAILABLE, "registry %.200s: an answer without a schema",
                       http->url);
    }
    if (type != NULL && strcmp(type, "AVRO") != 0) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "schema id %u is %.40s; only Avro is read", id,
                       type);
    }
    if (json_array_size(json_object_get(json, "references")) > 0) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA,
                       "schema id %u refers to other schemas, which is not supported: register it "
                       "as one schema",
                       id);
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory left for a schema");
    }
    *text_out = copy;
    return GF_OK;
}

enum gf_rc
gf_registry_http_fetch(struct gf_registry_http *http, uint32_t id, char **text_out,
                       struct gf_error *error)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/schemas/ids/%u", id);
    enum gf_rc rc = http_ask(http, path, NULL, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (http->status == 404) {
        rc = http_check_not_found(http, error);
        return rc != GF_OK ? rc
                           : gf_fail(error, GF_E_UNKNOWN_SCHEMA,
                                     "schema id %u is not known to registry %.200s", id, http->url);
    }
    if (http->status != 200) {
        return http_refused(http, path, error);
    }
    if (http->is_too_long) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "schema id %u is longer than %d bytes", id,
                       REPLY_SIZE_MAX);
    }
    json_t *json = NULL;
    rc = http_reply(http, &json, error);
    if (rc == GF_OK) {
        rc = http_take_schema(http, id, json, text_out, error);
    }
    json_decref(json);
    return rc;
}

static enum gf_rc
http_take_id(const struct gf_registry_http *http, uint32_t *id_out, struct gf_error *error)
{
    json_t *json = NULL;
    const enum gf_rc rc = http_reply(http, &json, error);
    if (rc != GF_OK) {
        return rc;
    }
    const json_t *value = json_object_get(json, "id");
    const json_int_t id = json_integer_value(value);
    const bool is_id = json_is_integer(value) && id >= 0 && id <= UINT32_MAX;
    json_decref(json);
    if (!is_id) {
        return gf_fail(error, GF_E_UNAVAILABLE, "registry %.200s: an answer without an id",
                       http->url);
    }
    *id_out = (uint32_t)id;
    return GF_OK;
}

static enum gf_rc
http_own_id_of(struct gf_registry_http *http, const char *subject, const char *body,
               uint32_t *id_out, struct gf_error *error)
{
    char path[512];
    const int size = snprintf(path, sizeof(path), "/subjects/%s%s", subject,
                              http->may_register ? "/versions" : "");
    if (size < 0 || (size_t)size >= sizeof(path)) {
        return gf_fail(error, GF_E_CONFIG, "subject %.100s is too long", subject);
    }
    enum gf_rc rc = http_ask(http, path, body, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (http->status == 200) {
        return http_take_id(http, id_out, error);
    }
    if (http->status == 409 || http->status == 422) {
        return gf_fail(error, GF_E_CONFIG,
                       "registry %.150s refuses our schema for subject %.100s: %.*s", http->url,
                       subject, (int)(http->reply_size < 200 ? http->reply_size : 200),
                       http->reply);
    }
    if (http->status != 404) {
        return http_refused(http, path, error);
    }
    rc = http_check_not_found(http, error);
    return rc != GF_OK ? rc
                       : gf_fail(error, GF_E_CONFIG,
                                 "our schema is not under subject %.100s of registry %.150s: "
                                 "register it, or allow "
                                 "the program to",
                                 subject, http->url);
}

enum gf_rc
gf_registry_http_own_id(struct gf_registry_http *http, const char *topic, const char *text,
                        uint32_t *id_out, struct gf_error *error)
{
    json_t *json = json_pack("{s:s, s:s}", "schemaType", "AVRO", "schema", text);
    char *body = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    char name[256];
    (void)snprintf(name, sizeof(name), "%s%s-value", http->prefix, topic);
    char *subject = curl_easy_escape(http->curl, name, 0);
    enum gf_rc rc = GF_OK;
    if (body == NULL || subject == NULL) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "no memory left for a schema");
    } else {
        rc = http_own_id_of(http, subject, body, id_out, error);
    }
    curl_free(subject);
    free(body);
    return rc;
}

/* Splits user and password off the URL, so that no message can show them. */
static enum gf_rc
http_set_url(struct gf_registry_http *http, const struct gf_registry_options *options,
             struct gf_error *error)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *user = NULL, *password = NULL, *plain = NULL;
    enum gf_rc rc = GF_OK;
    if (url == NULL || curl_url_set(url, CURLUPART_URL, options->url, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        rc = gf_fail(error, GF_E_CONFIG,
                     "registry: its URL is not http(s)://[user:password@]host[:port][/path]");
        goto done;
    }
    (void)curl_url_get(url, CURLUPART_USER, &user, CURLU_URLDECODE);
    (void)curl_url_get(url, CURLUPART_PASSWORD, &password, CURLU_URLDECODE);
    curl_url_set(url, CURLUPART_USER, NULL, 0);
    curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
    curl_url_set(url, CURLUPART_QUERY, NULL, 0);
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    if (curl_url_get(url, CURLUPART_URL, &plain, 0) != CURLUE_OK ||
        (http->url = strdup(plain)) == NULL) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "no memory left for a registry");
        goto done;
    }
    size_t size = strlen(http->url);
    while (size > 0 && http->url[size - 1] == '/') {
        http->url[--size] = '\0';
    }
    const char *use_user = options->user != NULL ? options->user : user;
    const char *use_password = options->password != NULL ? options->password : password;
    if (use_user != NULL) {
        curl_easy_setopt(http->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(http->curl, CURLOPT_USERNAME, use_user);
        curl_easy_setopt(http->curl, CURLOPT_PASSWORD, use_password != NULL ? use_password : "");
    }
done:
    curl_free(scheme);
    curl_free(user);
    curl_free(password);
    curl_free(plain);
    curl_url_cleanup(url);
    return rc;
}

static enum gf_rc
http_set_ca(struct gf_registry_http *http, const char *ca_path, struct gf_error *error)
{
    struct stat info;
    if (ca_path == NULL) {
        return GF_OK;
    }
    if (stat(ca_path, &info) != 0) {
        return gf_fail(error, GF_E_CONFIG, "registry: certificates %.300s cannot be read", ca_path);
    }
    curl_easy_setopt(http->curl, S_ISDIR(info.st_mode) ? CURLOPT_CAPATH : CURLOPT_CAINFO, ca_path);
    return GF_OK;
}

static enum gf_rc
http_init(struct gf_registry_http *http, const struct gf_registry_options *options,
          struct gf_error *error)
{
    static const char accept[] = "Accept: application/vnd.schemaregistry.v1+json, application/json";
    static const char content[] = "Content-Type: application/vnd.schemaregistry.v1+json";
    http->curl = curl_easy_init();
    http->reply = malloc(REPLY_SIZE_MAX);
    http->prefix = strdup(options->subject_prefix != NULL ? options->subject_prefix : "");
    http->headers = curl_slist_append(NULL, accept);
    if (http->curl == NULL || http->reply == NULL || http->prefix == NULL ||
        http->headers == NULL || curl_slist_append(http->headers, content) == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory left for a registry");
    }
    http->may_register = options->may_register;
    http->attempts = options->attempts > 0 ? options->attempts : 3;
    http->backoff_ms = options->backoff_ms > 0 ? options->backoff_ms : 100;
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, http_on_data);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(options->connect_timeout_ms > 0 ? options->connect_timeout_ms : 3000));
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS,
                     (long)(options->timeout_ms > 0 ? options->timeout_ms : 10000));
    const enum gf_rc rc = http_set_ca(http, options->ca_path, error);
    return rc != GF_OK ? rc : http_set_url(http, options, error);
}

enum gf_rc
gf_registry_http_open(const struct gf_registry_options *options, struct gf_registry_http **out,
                      struct gf_error *error)
{
    if (options->url == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return gf_fail(error, GF_E_CONFIG, "registry: no URL, or the HTTP library does not start");
    }
    struct gf_registry_http *http = calloc(1, sizeof(*http));
    if (http == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory left for a registry");
    }
    const enum gf_rc rc = http_init(http, options, error);
    if (rc != GF_OK) {
        gf_registry_http_close(http);
        return rc;
    }
    *out = http;
    return GF_OK;
}

void
gf_registry_http_close(struct gf_registry_http *http)
{
    if (http == NULL) {
        return;
    }
    curl_easy_cleanup(http->curl);
    curl_slist_free_all(http->headers);
    free(http->reply);
    free(http->prefix);
    free(http->url);
    free(http);
}
