#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "epoch_request.h"

#define API_INIT_PRODUCER_ID 22
#define VERSION              3
#define TIMEOUT_MS           30000
#define ANSWER_SIZE          26 /* length, ids, tags, throttle, code, producer, epoch, tags */

struct bytes {
    unsigned char data[256];
    size_t size;
};

static void
put(struct bytes *bytes, int64_t number, size_t size)
{
    assert(bytes->size + size <= sizeof(bytes->data));
    for (size_t i = 0; i < size; i++) {
        bytes->data[bytes->size++] = (unsigned char)(number >> (8 * (size - 1 - i)));
    }
}

static int64_t
get(const unsigned char *data, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | data[i];
    }
    return (int64_t)number;
}

static void
request_make(struct bytes *request, const char *id, const struct epoch *epoch)
{
    const size_t length = strlen(id);
    assert(length < 100);
    *request = (struct bytes){.size = 4}; /* the length comes last */
    put(request, API_INIT_PRODUCER_ID, 2);
    put(request, VERSION, 2);
    put(request, 1, 4);                   /* correlation */
    put(request, -1, 2);                  /* no client id */
    put(request, 0, 1);                   /* no tagged fields, here and below */
    put(request, (int64_t)length + 1, 1); /* compact lengths are one more */
    memcpy(request->data + request->size, id, length);
    request->size += length;
    put(request, TIMEOUT_MS, 4);
    put(request, epoch->producer, 8);
    put(request, epoch->epoch, 2);
    put(request, 0, 1);
    const size_t size = request->size;
    request->size = 0;
    put(request, (int64_t)size - 4, 4);
    request->size = size;
}

int
epoch_ask(const char *broker, const char *transactional_id, struct epoch *epoch)
{
    struct bytes request;
    unsigned char answer[ANSWER_SIZE];
    const char *colon = strrchr(broker, ':');
    assert(colon != NULL);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)atoi(colon + 1)),
                                        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const struct timeval timeout = {.tv_sec = 5};
    request_make(&request, transactional_id, epoch);
    const int node = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(node, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    const int has_answer =
        connect(node, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
        send(node, request.data, request.size, MSG_NOSIGNAL) == (ssize_t)request.size &&
        recv(node, answer, sizeof(answer), MSG_WAITALL) == (ssize_t)sizeof(answer);
    close(node);
    if (!has_answer) {
        return -1;
    }
    const int code = (int)get(answer + 13, 2);
    if (code == 0) {
        epoch->producer = get(answer + 15, 8);
        epoch->epoch = (int)get(answer + 23, 2);
    }
    return code;
}
