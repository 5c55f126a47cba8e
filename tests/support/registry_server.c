#include "registry_server.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCHEMA_COUNT_MAX 64
#define REQUEST_SIZE_MAX (256 * 1024)

struct known {
    char subject[128];
    char *schema;
};

static struct {
    int socket;
    pthread_t thread;
    pthread_mutex_t lock;
    struct known known[SCHEMA_COUNT_MAX];
    uint32_t count;
    char request[REQUEST_SIZE_MAX];
} server;

/* The index of a subject's schema (of its newest when `schema` is NULL), or `count`. */
static uint32_t
known_find(const char *subject, const char *schema)
{
    uint32_t found = server.count;
    for (uint32_t i = 0; i < server.count; i++) {
        if (strcmp(server.known[i].subject, subject) == 0 &&
            (schema == NULL || strcmp(server.known[i].schema, schema) == 0)) {
            found = i;
        }
    }
    return found;
}

static json_t *
not_found(int *status)
{
    *status = 404;
    return json_pack("{s:i, s:s}", "error_code", 40403, "message", "Schema not found");
}

static json_t *
subject_answer(char *path, const char *body, int *status)
{
    char *const end = strchr(path, '/');
    const int is_register = end != NULL && strcmp(end, "/versions") == 0;
    if (end != NULL) {
        *end = '\0';
    }
    json_t *asked = json_loads(body, 0, NULL);
    const char *schema = json_string_value(json_object_get(asked, "schema"));
    json_t *answer = NULL;
    if (schema != NULL && strlen(path) < sizeof(server.known[0].subject)) {
        uint32_t index = known_find(path, schema);
        if (index == server.count && is_register && server.count < SCHEMA_COUNT_MAX) {
            snprintf(server.known[index].subject, sizeof(server.known[index].subject), "%s", path);
            server.known[index].schema = strdup(schema);
            server.count++;
        }
        if (index < server.count) {
            answer = json_pack("{s:i}", "id", (int)(REGISTRY_SERVER_FIRST_ID + index));
        }
    }
    json_decref(asked);
    return answer != NULL ? answer : not_found(status);
}

static json_t *
answer_make(char *request, int *status)
{
    char *body = strstr(request, "\r\n\r\n");
    char *path = strchr(request, ' ');
    char *end = path == NULL ? NULL : strchr(path + 1, ' ');
    if (body == NULL || end == NULL) {
        return not_found(status);
    }
    *end = '\0';
    path++;
    if (strncmp(path, "/subjects/", 10) == 0 && strncmp(request, "POST", 4) == 0) {
        return subject_answer(path + 10, body + 4, status);
    }
    if (strncmp(path, "/schemas/ids/", 13) == 0) {
        const unsigned long id = strtoul(path + 13, NULL, 10);
        if (id >= REGISTRY_SERVER_FIRST_ID && id < REGISTRY_SERVER_FIRST_ID + server.count) {
            return json_pack("{s:s}", "schema", server.known[id - REGISTRY_SERVER_FIRST_ID].schema);
        }
    }
    return not_found(status);
}

/* The whole request, or nothing when it does not come. */
static size_t
request_read(int client)
{
    size_t size = 0;
    for (;;) {
        const ssize_t got =
            recv(client, server.request + size, sizeof(server.request) - 1 - size, 0);
        if (got <= 0) {
            return 0;
        }
        size += (size_t)got;
        server.request[size] = '\0';
        const char *body = strstr(server.request, "\r\n\r\n");
        const char *length = strcasestr(server.request, "\r\nContent-Length:");
        const size_t wanted = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
        if (body != NULL && size - (size_t)(body + 4 - server.request) >= wanted) {
            return size;
        }
        if (strcasestr(server.request, "\r\nExpect: 100-continue") != NULL && body != NULL &&
            body[4] == '\0' &&
            send(client, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) != 25) {
            return 0;
        }
    }
}

static void
serve_one(int client)
{
    if (request_read(client) == 0) {
        return;
    }
    int status = 200;
    pthread_mutex_lock(&server.lock);
    json_t *answer = answer_make(server.request, &status);
    pthread_mutex_unlock(&server.lock);
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    char head[128];
    const int size = snprintf(head, sizeof(head),
                              "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                              status, strlen(text));
    if (send(client, head, (size_t)size, MSG_NOSIGNAL) == size) {
        (void)!send(client, text, strlen(text), MSG_NOSIGNAL);
    }
    free(text);
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

int
registry_server_start(char *url_out, uint32_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t address_size = sizeof(address);
    setenv("no_proxy", "*", 1);
    pthread_mutex_init(&server.lock, NULL);
    server.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server.socket, (struct sockaddr *)&address, address_size) != 0 ||
        listen(server.socket, 8) != 0 ||
        getsockname(server.socket, (struct sockaddr *)&address, &address_size) != 0) {
        return -1;
    }
    snprintf(url_out, size, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return pthread_create(&server.thread, NULL, serve, NULL) == 0 ? 0 : -1;
}

void
registry_server_stop(void)
{
    shutdown(server.socket, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.socket);
    for (uint32_t i = 0; i < server.count; i++) {
        free(server.known[i].schema);
    }
    server.count = 0;
    pthread_mutex_destroy(&server.lock);
}

uint32_t
registry_server_id(const char *subject)
{
    pthread_mutex_lock(&server.lock);
    const uint32_t index = known_find(subject, NULL);
    const uint32_t id = index < server.count ? REGISTRY_SERVER_FIRST_ID + index : 0;
    pthread_mutex_unlock(&server.lock);
    return id;
}

uint32_t
registry_server_count(void)
{
    pthread_mutex_lock(&server.lock);
    const uint32_t count = server.count;
    pthread_mutex_unlock(&server.lock);
    return count;
}
