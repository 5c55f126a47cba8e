/* Registries: built-in, folder, and HTTP against a server of ours on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "codec/records.h"
#include "io/registry.h"

#define TOPIC GF_TOPIC_BILLING_PAYMENTS

/* The server: what it answers to every request until it is told otherwise, and what it was asked
 * last. */
static struct {
    int socket;
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    const char *answer; /* after the status line and length; NULL: keeps the client waiting */
    size_t answer_size;
    int status, failures; /* `failures`: so many times 500 first */
    int requests;
    char request[65536];
} server;

static void
serve_one(int client)
{
    char request[65536];
    size_t size = 0;
    for (;;) {
        const ssize_t got = recv(client, request + size, sizeof(request) - 1 - size, 0);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
        request[size] = '\0';
        const char *body = strstr(request, "\r\n\r\n");
        const char *length = strcasestr(request, "\r\nContent-Length:");
        if (body != NULL && size - (size_t)(body + 4 - request) >=
                                (length == NULL ? 0 : strtoul(length + 17, NULL, 10))) {
            break;
        }
    }
    request[size] = '\0';
    pthread_mutex_lock(&server.lock);
    memcpy(server.request, request, size + 1);
    server.requests++;
    const int status = server.failures > 0 ? 500 : server.status;
    server.failures -= server.failures > 0;
    const char *answer = server.answer;
    const size_t answer_size = server.answer_size;
    if (answer == NULL) {
        pthread_mutex_unlock(&server.lock);
        (void)recv(client, request, 1, 0); /* until the client gives up */
        return;
    }
    char head[256];
    const int head_size = snprintf(
        head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
        status, answer_size);
    if (send(client, head, (size_t)head_size, MSG_NOSIGNAL) == head_size) {
        for (size_t sent = 0; sent < answer_size;) {
            const ssize_t now = send(client, answer + sent, answer_size - sent, MSG_NOSIGNAL);
            if (now <= 0) {
                break;
            }
            sent += (size_t)now;
        }
    }
    pthread_mutex_unlock(&server.lock);
}

static void *
serve(void *unused)
{
    (void)unused;
    int client = -1;
    while ((client = accept(server.socket, NULL, NULL)) >= 0) {
        serve_one(client);
        close(client);
    }
    return NULL;
}

static void
answer_bytes(int status, const char *answer, size_t size)
{
    pthread_mutex_lock(&server.lock);
    server.status = status;
    server.answer = answer;
    server.answer_size = size;
    server.requests = 0;
    server.failures = 0;
    pthread_mutex_unlock(&server.lock);
}

static void
answer(int status, const char *text)
{
    answer_bytes(status, text, text == NULL ? 0 : strlen(text));
}

/* Of an answer that was given: the server's thread is done with it once it lets go of the lock. */
static void
answer_free(char *text)
{
    answer(404, "");
    free(text);
}

static int
start_server(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    setenv("no_proxy", "*", 1);
    pthread_mutex_init(&server.lock, NULL);
    server.socket = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.socket, (struct sockaddr *)&address, size) != 0 ||
        listen(server.socket, 8) != 0 ||
        getsockname(server.socket, (struct sockaddr *)&address, &size) != 0) {
        return -1;
    }
    server.port = ntohs(address.sin_port);
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static int
stop_server(void **state)
{
    (void)state;
    shutdown(server.socket, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.socket);
    pthread_mutex_destroy(&server.lock);
    return 0;
}

static struct gf_registry *
open_http(bool may_register, uint32_t timeout_ms)
{
    char url[128];
    snprintf(url, sizeof(url), "http://reader:s%%40cret@127.0.0.1:%u/base/", server.port);
    const struct gf_registry_options options = {.kind = GF_REGISTRY_HTTP,
                                                .url = url,
                                                .may_register = may_register,
                                                .timeout_ms = timeout_ms,
                                                .attempts = 2,
                                                .backoff_ms = 1};
    struct gf_registry *registry = NULL;
    struct gf_error error = {.text = ""};
    if (gf_registry_open(&options, &registry, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
    return registry;
}

/* {"schema": "…"} with our schema of TOPIC and more members; the caller frees it. */
static char *
envelope(const char *schema, const char *more)
{
    json_t *text = json_string(schema);
    char *quoted = json_dumps(text, JSON_ENCODE_ANY);
    const size_t size = strlen(quoted) + strlen(more) + 32;
    char *out = malloc(size);
    snprintf(out, size, "{\"schema\":%s%s}", quoted, more);
    free(quoted);
    json_decref(text);
    return out;
}

static void
test_built_in(void **state)
{
    (void)state;
    const struct gf_registry_options options = {.kind = GF_REGISTRY_BUILT_IN};
    struct gf_registry *registry = NULL;
    struct gf_error error;
    uint32_t id = 0;
    assert_int_equal(gf_registry_open(&options, &registry, &error), GF_OK);
    assert_null(gf_schemas_find(gf_registry_schemas(registry), TOPIC, gf_topics[TOPIC].schema_id));
    for (int topic = GF_TOPIC_COUNT - 1; topic >= 0; topic--) {
        assert_int_equal(
            gf_registry_resolve(registry, (enum gf_topic)topic, gf_topics[topic].schema_id, &error),
            GF_OK);
        assert_int_equal(gf_registry_own_id(registry, (enum gf_topic)topic, &id, &error), GF_OK);
        assert_int_equal(id, gf_topics[topic].schema_id);
    }
    assert_int_equal(gf_registry_schemas(registry)->count, GF_TOPIC_COUNT);
    assert_true(
        gf_schemas_find(gf_registry_schemas(registry), TOPIC, gf_topics[TOPIC].schema_id)->is_own);
    /* Another topic's schema on this topic, and an id of nobody. */
    assert_int_equal(
        gf_registry_resolve(registry, TOPIC, gf_topics[GF_TOPIC_CONTROL].schema_id, &error),
        GF_E_UNKNOWN_SCHEMA);
    assert_non_null(strstr(error.text, "record gridfold.Control, which cannot be read as Payment"));
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 4711, &error), GF_E_UNKNOWN_SCHEMA);
    assert_non_null(gf_schemas_find(gf_registry_schemas(registry), TOPIC, 4711)->refusal);
    assert_null(gf_schemas_find(gf_registry_schemas(registry), GF_TOPIC_CONTROL, 4711));
    gf_registry_close(registry);
}

static void
write_file(const char *folder, const char *name, const char *text, size_t size)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void
test_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"9.avsc",  "12.avsc", "13.avsc", "14.avsc",
                                        "15.avsc", "x.avsc",  "700.avsc"};
    char folder[] = "/tmp/gridfold-registry-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const struct gf_registry_options options = {.kind = GF_REGISTRY_FOLDER, .folder = folder};
    struct gf_registry *registry = NULL;
    struct gf_error error;
    uint32_t id = 0;
    assert_int_equal(gf_registry_open(&options, &registry, &error), GF_OK);
    assert_int_equal(gf_registry_own_id(registry, TOPIC, &id, &error), GF_E_CONFIG);
    char *huge = malloc(2 << 20);
    memset(huge, '[', 2 << 20);
    const char *own = gf_topics[TOPIC].schema;
    const char evolved[] =
        "{\"type\":\"record\",\"name\":\"Payment\",\"fields\":["
        "{\"name\":\"amount_micro\",\"type\":\"int\"},{\"name\":\"currency\",\"type\":\"string\"},"
        "{\"name\":\"received_at\",\"type\":\"long\"},{\"name\":\"payment_id\",\"type\":\"bytes\"},"
        "{\"name\":\"method\",\"type\":{\"type\":\"enum\",\"name\":\"PaymentMethod\","
        "\"symbols\":[\"GIRO\"]}}]}";
    write_file(folder, names[0], evolved, sizeof(evolved) - 1);
    write_file(folder, names[1], own, strlen(own));
    write_file(folder, names[2], "not a schema", 12);
    write_file(folder, names[3], huge, 2 << 20);
    write_file(folder, names[4], huge, 1000);
    write_file(folder, names[5], own, strlen(own));
    write_file(folder, names[6], own, strlen(own));
    assert_int_equal(gf_registry_own_id(registry, TOPIC, &id, &error), GF_OK);
    assert_int_equal(id, 12);
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 9, &error), GF_OK);
    const struct gf_schema_entry *entry = gf_schemas_find(gf_registry_schemas(registry), TOPIC, 9);
    assert_false(entry->is_own);
    struct gf_payment payment;
    struct gf_reader reader = gf_reader_of(gf_span_of("\4\6EUR\2\2p\0", 9));
    struct gf_arena arena = gf_arena_of(NULL, 0);
    assert_int_equal(gf_plan_decode(&entry->plan, &reader, &arena, &payment), GF_OK);
    assert_int_equal(payment.amount_micro.micro, 2);
    assert_int_equal(gf_reader_left(&reader), 0);
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 13, &error), GF_E_UNKNOWN_SCHEMA);
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 14, &error), GF_E_UNKNOWN_SCHEMA);
    assert_non_null(strstr(error.text, "at most"));
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 15, &error), GF_E_UNKNOWN_SCHEMA);
    assert_non_null(strstr(error.text, "nested deeper"));
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 1000, &error), GF_E_UNKNOWN_SCHEMA);
    for (size_t index = 0; index < sizeof(names) / sizeof(names[0]); index++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", folder, names[index]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
    /* A folder that is gone is no reason to give records up. */
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 1001, &error), GF_E_IO);
    assert_null(gf_schemas_find(gf_registry_schemas(registry), TOPIC, 1001));
    free(huge);
    gf_registry_close(registry);
}

static void
test_http_resolves(void **state)
{
    (void)state;
    struct gf_registry *registry = open_http(false, 5000);
    struct gf_error error;
    char *own = envelope(gf_topics[TOPIC].schema, "");
    answer(200, own);
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 100001, &error), GF_OK);
    assert_true(gf_schemas_find(gf_registry_schemas(registry), TOPIC, 100001)->is_own);
    assert_non_null(strstr(server.request, "GET /base/schemas/ids/100001 HTTP"));
    assert_non_null(
        strstr(server.request, "Authorization: Basic cmVhZGVyOnNAY3JldA==")); /* reader:s@cret */
    /* Known now: not asked again. */
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 100001, &error), GF_OK);
    assert_int_equal(server.requests, 1);
    /* One failure is tried again. */
    answer(200, own);
    server.failures = 1;
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 7, &error), GF_OK);
    assert_int_equal(server.requests, 2);
    answer_free(own);
    gf_registry_close(registry);
}

static void
test_http_refusals(void **state)
{
    (void)state;
    struct gf_registry *registry = open_http(false, 5000);
    struct gf_error error;
    char *rows[] = {
        envelope("garbage", ""),
        envelope("\"long\"", ""),
        envelope("syntax = \"proto3\";", ",\"schemaType\":\"PROTOBUF\""),
        envelope(gf_topics[TOPIC].schema,
                 ",\"references\":[{\"name\":\"a\",\"subject\":\"a\",\"version\":1}]"),
        strdup("{\"error_code\":40403,\"message\":\"Schema not found\"}"),
    };
    static const char *const parts[] = {"not JSON", "written as long", "only Avro",
                                        "refers to other schemas",
                                        "is not known to registry http://127.0.0.1"};
    for (uint32_t index = 0; index < 5; index++) {
        answer(index == 4 ? 404 : 200, rows[index]);
        assert_int_equal(gf_registry_resolve(registry, TOPIC, index, &error), GF_E_UNKNOWN_SCHEMA);
        if (strstr(error.text, parts[index]) == NULL) {
            fail_msg("%s: %s", parts[index], error.text);
        }
        assert_null(strstr(error.text, "cret"));
        assert_string_equal(gf_schemas_find(gf_registry_schemas(registry), TOPIC, index)->refusal,
                            error.text);
        answer_free(rows[index]);
    }
    static char huge[3 << 20]; /* the server's thread may still be at it when this ends */
    memset(huge, ' ', sizeof(huge));
    answer_bytes(200, huge, 3 << 20);
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 9, &error), GF_E_UNKNOWN_SCHEMA);
    assert_non_null(strstr(error.text, "longer than"));
    gf_registry_close(registry);
    answer(500, "");
}

/* Nothing here says anything about the schema: the table stays empty, and asking again may help. */
static void
test_http_unavailable(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text, *part;
        int requests;
    } rows[] = {
        {500, "", "HTTP status 500", 2},
        {429, "", "HTTP status 429", 2},
        {401, "{\"error_code\":401}", "check its user and password", 1},
        {404, "<html>no such page</html>", "an answer no registry gives", 1},
        {404, "{\"message\":\"no route\"}", "check the URL", 1},
        {200, "<html>hello</html>", "an answer no registry gives", 1},
        {200, "{}", "without a schema", 1},
        {301, "", "HTTP status 301", 1},
    };
    struct gf_registry *registry = open_http(false, 5000);
    struct gf_error error;
    for (uint32_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        answer(rows[index].status, rows[index].text);
        assert_int_equal(gf_registry_resolve(registry, TOPIC, index, &error), GF_E_UNAVAILABLE);
        if (strstr(error.text, rows[index].part) == NULL || strstr(error.text, "cret") != NULL) {
            fail_msg("%s: %s", rows[index].part, error.text);
        }
        assert_int_equal(server.requests, rows[index].requests);
        assert_int_equal(gf_registry_schemas(registry)->count, 0);
    }
    gf_registry_close(registry);
    answer(200, NULL);
    registry = open_http(false, 50);
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 1, &error), GF_E_UNAVAILABLE);
    gf_registry_close(registry);
    const struct gf_registry_options nobody = {
        .kind = GF_REGISTRY_HTTP, .url = "http://127.0.0.1:1", .attempts = 1};
    assert_int_equal(gf_registry_open(&nobody, &registry, &error), GF_OK);
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 1, &error), GF_E_UNAVAILABLE);
    gf_registry_close(registry);
}

static void
test_http_own_id(void **state)
{
    (void)state;
    struct gf_error error;
    uint32_t id = 0;
    struct gf_registry *registry = open_http(true, 5000);
    answer(200, "{\"id\":100007}");
    assert_int_equal(gf_registry_own_id(registry, TOPIC, &id, &error), GF_OK);
    assert_int_equal(id, 100007);
    assert_non_null(
        strstr(server.request, "POST /base/subjects/billing.payments-value/versions HTTP"));
    assert_non_null(strstr(server.request, "\"schemaType\":\"AVRO\""));
    assert_int_equal(gf_registry_resolve(registry, TOPIC, 100007, &error), GF_OK);
    assert_int_equal(server.requests, 1);
    answer(409, "{\"error_code\":409,\"message\":\"incompatible\"}");
    assert_int_equal(gf_registry_own_id(registry, TOPIC, &id, &error), GF_E_CONFIG);
    assert_non_null(strstr(error.text, "incompatible"));
    answer(200, "{\"id\":-1}");
    assert_int_equal(gf_registry_own_id(registry, TOPIC, &id, &error), GF_E_UNAVAILABLE);
    gf_registry_close(registry);
    registry = open_http(false, 5000);
    answer(200, "{\"subject\":\"s\",\"version\":1,\"id\":8,\"schema\":\"\"}");
    assert_int_equal(gf_registry_own_id(registry, TOPIC, &id, &error), GF_OK);
    assert_int_equal(id, 8);
    assert_non_null(strstr(server.request, "POST /base/subjects/billing.payments-value HTTP"));
    answer(404, "{\"error_code\":40401,\"message\":\"Subject not found.\"}");
    assert_int_equal(gf_registry_own_id(registry, TOPIC, &id, &error), GF_E_CONFIG);
    assert_int_equal(id, 8);
    gf_registry_close(registry);
}

static void
test_options(void **state)
{
    (void)state;
    static const char *const urls[] = {NULL,         "",         "file:///etc/passwd",
                                       "ftp://host", "http://[", "http://a:b@/"};
    struct gf_registry *registry = NULL;
    struct gf_error error;
    for (size_t index = 0; index < sizeof(urls) / sizeof(urls[0]); index++) {
        const struct gf_registry_options options = {.kind = GF_REGISTRY_HTTP, .url = urls[index]};
        assert_int_equal(gf_registry_open(&options, &registry, &error), GF_E_CONFIG);
    }
    const struct gf_registry_options folder = {.kind = GF_REGISTRY_FOLDER};
    assert_int_equal(gf_registry_open(&folder, &registry, &error), GF_E_CONFIG);
    const struct gf_registry_options no_ca = {
        .kind = GF_REGISTRY_HTTP, .url = "https://a", .ca_path = "/no/such"};
    assert_int_equal(gf_registry_open(&no_ca, &registry, &error), GF_E_CONFIG);
    assert_null(registry);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in),         cmocka_unit_test(test_folder),
        cmocka_unit_test(test_http_resolves),    cmocka_unit_test(test_http_refusals),
        cmocka_unit_test(test_http_unavailable), cmocka_unit_test(test_http_own_id),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
