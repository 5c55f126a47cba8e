#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fault_link.h"

#define LINKS_MAX    1024
#define SLOW_TICK_MS 5
#define WAIT_SECONDS 30

struct fault_proxy {
    pthread_mutex_t mutex;
    pthread_cond_t has_hit;
    pthread_t thread;
    int wake[2];
    bool is_ending;
    int listeners[FAULT_NODES_MAX + 1], node_ports[FAULT_NODES_MAX + 1];
    struct fault_link *links;
    struct fault_state state;
};

static void
proxy_die(const char *what)
{
    fprintf(stderr, "fault proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
link_accept(struct fault_proxy *proxy, int node)
{
    const int client = accept4(proxy->listeners[node], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) {
        return;
    }
    struct fault_link *const link = calloc(1, sizeof(*link));
    if (link == NULL) {
        proxy_die("memory");
    }
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)proxy->node_ports[node]),
                                        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const int on = 1;
    link->node = node;
    link->client = client;
    link->broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->broker < 0) {
        proxy_die("socket");
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(link->broker, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* Where nobody listens, reading says so, and the client sees its connection end. */
    (void)connect(link->broker, (const struct sockaddr *)&address, sizeof(address));
    link->next = proxy->links;
    proxy->links = link;
}

/* Moves what can move, and frees what is over. */
static void
links_sweep(struct fault_proxy *proxy)
{
    struct fault_link **place = &proxy->links;
    while (*place != NULL) {
        struct fault_link *const link = *place;
        const int refused = fault_rules_refuse(&proxy->state.rules, link->node, link->client_id);
        if (refused != FAULT_NONE) {
            proxy->state.rules.entries[refused].hits++;
            proxy->state.has_hit = true;
            fault_link_close(link);
        }
        for (int way = 0; way < FAULT_WAY_COUNT; way++) {
            fault_link_write(&proxy->state, link, (enum fault_way)way);
        }
        if (fault_link_is_over(link)) {
            fault_link_close(link);
            *place = link->next;
            free(link);
        } else {
            place = &link->next;
        }
    }
}

static short
events_wanted(const struct fault_proxy *proxy, const struct fault_link *link, enum fault_way in)
{
    const enum fault_way out = in == FAULT_TO_NODE ? FAULT_TO_CLIENT : FAULT_TO_NODE;
    const struct fault_stream *const stream = &link->streams[in];
    const bool is_read = !stream->has_ended && stream->queued < FAULT_QUEUE_SIZE_MAX;
    return (short)((is_read ? POLLIN : 0) |
                   (fault_link_can_write(&proxy->state, link, out) ? POLLOUT : 0));
}

static void
poll_once(struct fault_proxy *proxy, int timeout_ms)
{
    struct pollfd polls[1 + FAULT_NODES_MAX + 2 * LINKS_MAX];
    nfds_t count = 0;
    polls[count++] = (struct pollfd){.fd = proxy->wake[0], .events = POLLIN};
    for (int node = 1; node <= FAULT_NODES_MAX; node++) {
        polls[count++] = (struct pollfd){.fd = proxy->listeners[node], .events = POLLIN};
    }
    /* New connections go to the front of the list, after this: the order below stays. */
    struct fault_link *const first = proxy->links;
    for (struct fault_link *link = first; link != NULL; link = link->next) {
        assert(count + 2 <= sizeof(polls) / sizeof(polls[0]));
        for (int way = 0; way < FAULT_WAY_COUNT; way++) {
            const short events = events_wanted(proxy, link, (enum fault_way)way);
            const int descriptor = way == FAULT_TO_NODE ? link->client : link->broker;
            /* One that nothing is wanted of would report its end again and again. */
            polls[count++] = (struct pollfd){.fd = events == 0 ? -1 : descriptor, .events = events};
        }
    }
    pthread_mutex_unlock(&proxy->mutex);
    const int ready = poll(polls, count, timeout_ms);
    pthread_mutex_lock(&proxy->mutex);
    if (ready <= 0) {
        return;
    }
    char bytes[64];
    while (read(proxy->wake[0], bytes, sizeof(bytes)) > 0) {
    }
    for (int node = 1; node <= FAULT_NODES_MAX; node++) {
        if (polls[node].revents != 0) {
            link_accept(proxy, node);
        }
    }
    nfds_t index = 1 + FAULT_NODES_MAX;
    for (struct fault_link *link = first; link != NULL; link = link->next, index += 2) {
        for (int way = 0; way < FAULT_WAY_COUNT; way++) {
            if (polls[index + (nfds_t)way].revents != 0 && !link->streams[way].has_ended) {
                fault_link_read(&proxy->state, link, (enum fault_way)way);
            }
        }
    }
}

static double
seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *
proxy_run(void *context)
{
    struct fault_proxy *const proxy = context;
    double last = seconds_now();
    pthread_mutex_lock(&proxy->mutex);
    while (!proxy->is_ending) {
        const double now = seconds_now();
        const bool is_slow = fault_rules_refill(&proxy->state.rules, now - last);
        last = now;
        links_sweep(proxy);
        if (proxy->state.has_hit) {
            pthread_cond_broadcast(&proxy->has_hit);
            proxy->state.has_hit = false;
        }
        poll_once(proxy, is_slow ? SLOW_TICK_MS : -1);
    }
    pthread_mutex_unlock(&proxy->mutex);
    return NULL;
}

/* -- What tests call -- */

static void
proxy_wake(struct fault_proxy *proxy)
{
    /* A full pipe wakes it too. */
    (void)!write(proxy->wake[1], "", 1);
}

struct fault_proxy *
fault_proxy_new(void)
{
    struct fault_proxy *const proxy = calloc(1, sizeof(*proxy));
    pthread_condattr_t clock;
    if (proxy == NULL || pipe2(proxy->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
        proxy_die("pipe");
    }
    for (int node = 0; node <= FAULT_NODES_MAX; node++) {
        proxy->listeners[node] = -1;
    }
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&proxy->mutex, NULL);
    pthread_cond_init(&proxy->has_hit, &clock);
    pthread_condattr_destroy(&clock);
    if (pthread_create(&proxy->thread, NULL, proxy_run, proxy) != 0) {
        proxy_die("thread");
    }
    return proxy;
}

void
fault_proxy_free(struct fault_proxy *proxy)
{
    pthread_mutex_lock(&proxy->mutex);
    proxy->is_ending = true;
    pthread_mutex_unlock(&proxy->mutex);
    proxy_wake(proxy);
    pthread_join(proxy->thread, NULL);
    while (proxy->links != NULL) {
        struct fault_link *const link = proxy->links;
        proxy->links = link->next;
        fault_link_close(link);
        free(link);
    }
    for (int node = 1; node <= FAULT_NODES_MAX; node++) {
        if (proxy->listeners[node] >= 0) {
            close(proxy->listeners[node]);
        }
    }
    close(proxy->wake[0]);
    close(proxy->wake[1]);
    pthread_cond_destroy(&proxy->has_hit);
    pthread_mutex_destroy(&proxy->mutex);
    free(proxy);
}

int
fault_proxy_node_add(struct fault_proxy *proxy, int node, int node_port)
{
    assert(node > 0);
    assert(node <= FAULT_NODES_MAX);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 128) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        proxy_die("listen");
    }
    pthread_mutex_lock(&proxy->mutex);
    assert(proxy->listeners[node] == -1);
    proxy->listeners[node] = listener;
    proxy->node_ports[node] = node_port;
    pthread_mutex_unlock(&proxy->mutex);
    proxy_wake(proxy);
    return ntohs(address.sin_port);
}

int
fault_proxy_set(struct fault_proxy *proxy, const struct fault_rule *rule)
{
    pthread_mutex_lock(&proxy->mutex);
    const int number = fault_rules_set(&proxy->state.rules, rule);
    pthread_mutex_unlock(&proxy->mutex);
    proxy_wake(proxy);
    return number;
}

void
fault_proxy_lift(struct fault_proxy *proxy, int rule)
{
    pthread_mutex_lock(&proxy->mutex);
    assert(rule >= 0);
    assert(rule < proxy->state.rules.count);
    proxy->state.rules.entries[rule].is_lifted = true;
    pthread_mutex_unlock(&proxy->mutex);
    proxy_wake(proxy);
}

void
fault_proxy_lift_all(struct fault_proxy *proxy)
{
    pthread_mutex_lock(&proxy->mutex);
    for (int rule = 0; rule < proxy->state.rules.count; rule++) {
        proxy->state.rules.entries[rule].is_lifted = true;
    }
    pthread_mutex_unlock(&proxy->mutex);
    proxy_wake(proxy);
}

int
fault_proxy_hits(struct fault_proxy *proxy, int rule)
{
    pthread_mutex_lock(&proxy->mutex);
    const int hits = proxy->state.rules.entries[rule].hits;
    pthread_mutex_unlock(&proxy->mutex);
    return hits;
}

bool
fault_proxy_wait(struct fault_proxy *proxy, int rule, int hits)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += WAIT_SECONDS;
    int result = 0;
    pthread_mutex_lock(&proxy->mutex);
    const int *const there = &proxy->state.rules.entries[rule].hits;
    while (*there < hits && result == 0) {
        result = pthread_cond_timedwait(&proxy->has_hit, &proxy->mutex, &end);
    }
    const bool is_reached = *there >= hits;
    pthread_mutex_unlock(&proxy->mutex);
    return is_reached;
}

int
fault_proxy_seen(struct fault_proxy *proxy, enum fault_api api, int node)
{
    assert(api >= 0);
    int seen = 0;
    pthread_mutex_lock(&proxy->mutex);
    for (int index = 1; index <= FAULT_NODES_MAX; index++) {
        seen += node == 0 || node == index ? proxy->state.seen[index][api] : 0;
    }
    pthread_mutex_unlock(&proxy->mutex);
    return seen;
}
