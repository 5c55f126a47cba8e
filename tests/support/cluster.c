#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster.h"

#define TICK_MS         50
#define WAIT_SECONDS    60
#define METADATA_MS     2000
#define INTERNAL_COUNT  4 /* partitions of Kafka's own topics, as broker.c sets them */
#define REQUEST_TIMEOUT 10000

#define API_ELECT_LEADERS   43
#define API_REASSIGN        45
#define ELECTION_PREFERRED  0
#define REQUEST_CORRELATION 7
#define CLIENT_ID           "mover"

static void
cluster_die(const struct test_cluster *cluster, const char *what, const char *detail)
{
    fprintf(stderr, "cluster with %s: %s: %s\n", cluster->nodes[0].folder, what, detail);
    exit(1);
}

/* -- Nodes -- */

static void
address_add(char *list, size_t size, int port)
{
    const size_t length = strlen(list);
    snprintf(list + length, size - length, "%s127.0.0.1:%d", length == 0 ? "" : ",", port);
}

int
test_cluster_find(struct test_cluster *cluster, const char *version, int count, bool has_proxy)
{
    assert(count == 1 || count == TEST_CLUSTER_NODES_MAX);
    *cluster = (struct test_cluster){.count = count};
    struct test_broker *const first = &cluster->nodes[0];
    const int missing =
        version == NULL ? test_broker_find(first) : test_broker_find_version(first, version);
    if (missing >= 0) {
        return missing;
    }
    int ports[3 * TEST_CLUSTER_NODES_MAX];
    test_ports_choose(ports, 3 * count);
    test_cluster_id_choose(first->cluster_id);
    first->node_count = count;
    first->heap_mb = count == 1 ? 256 : 128;
    for (int index = 0; index < count; index++) {
        const size_t length = strlen(first->voters);
        snprintf(first->voters + length, sizeof(first->voters) - length, "%s%d@127.0.0.1:%d",
                 index == 0 ? "" : ",", index + 1, ports[3 * index + 1]);
    }
    cluster->proxy = has_proxy ? fault_proxy_new() : NULL;
    for (int index = 0; index < count; index++) {
        struct test_broker *const node = &cluster->nodes[index];
        *node = *first;
        node->node = index + 1;
        node->port = ports[3 * index];
        node->controller_port = ports[3 * index + 1];
        address_add(cluster->addresses, sizeof(cluster->addresses), node->port);
        if (has_proxy) {
            node->inner_port = ports[3 * index + 2];
            node->proxied_port = fault_proxy_node_add(cluster->proxy, node->node, node->inner_port);
            address_add(cluster->proxied, sizeof(cluster->proxied), node->proxied_port);
        }
    }
    return -1;
}

static void
ignore_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    (void)handle;
    (void)level;
    (void)facility;
    (void)text;
}

static void
watcher_open(struct test_cluster *cluster)
{
    char text[256];
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", cluster->addresses, NULL, 0);
    rd_kafka_conf_set(conf, "client.id", "watcher", NULL, 0);
    rd_kafka_conf_set(conf, "socket.timeout.ms", "3000", NULL, 0); /* a paused node */
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200", NULL, 0);
    rd_kafka_conf_set_log_cb(conf, ignore_log);
    cluster->watcher = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (cluster->watcher == NULL) {
        cluster_die(cluster, "watcher", text);
    }
}

void
test_cluster_start(struct test_cluster *cluster)
{
    bool is_launched[TEST_CLUSTER_NODES_MAX] = {false};
    for (int index = 0; index < cluster->count; index++) {
        if (cluster->nodes[index].pid == 0) {
            test_broker_launch(&cluster->nodes[index]);
            is_launched[index] = true;
        }
    }
    for (int index = 0; index < cluster->count; index++) {
        if (is_launched[index]) {
            test_broker_await(&cluster->nodes[index]);
        }
    }
    if (cluster->watcher == NULL) {
        watcher_open(cluster);
        char *const id = rd_kafka_clusterid(cluster->watcher, 10000);
        if (id == NULL || strcmp(id, cluster->nodes[0].cluster_id) != 0) {
            cluster_die(cluster, "another cluster answers", id == NULL ? "none" : id);
        }
        rd_kafka_mem_free(cluster->watcher, id);
    }
    test_cluster_wait_whole(cluster);
}

void
test_cluster_fini(struct test_cluster *cluster)
{
    if (cluster->watcher != NULL) {
        rd_kafka_destroy(cluster->watcher);
    }
    for (int index = 0; index < cluster->count; index++) {
        test_broker_fini(&cluster->nodes[index]);
    }
    if (cluster->proxy != NULL) {
        fault_proxy_free(cluster->proxy);
    }
    *cluster = (struct test_cluster){0};
}

/* -- What is where -- */

void
test_cluster_topic_make(struct test_cluster *cluster, const char *topic, int partition_count)
{
    char text[256];
    rd_kafka_NewTopic_t *wish =
        rd_kafka_NewTopic_new(topic, partition_count, cluster->count, text, sizeof(text));
    rd_kafka_queue_t *const queue = rd_kafka_queue_new(cluster->watcher);
    rd_kafka_CreateTopics(cluster->watcher, &wish, 1, NULL, queue);
    rd_kafka_event_t *const event = rd_kafka_queue_poll(queue, WAIT_SECONDS * 1000);
    size_t count = 0;
    const rd_kafka_topic_result_t **const results =
        event == NULL ? NULL
                      : rd_kafka_CreateTopics_result_topics(
                            rd_kafka_event_CreateTopics_result(event), &count);
    if (count != 1 || rd_kafka_topic_result_error(results[0]) != 0) {
        cluster_die(cluster, topic,
                    count == 1 ? rd_kafka_topic_result_error_string(results[0]) : "not created");
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(wish);
    test_cluster_wait_whole(cluster);
}

/* NULL: no node answered in time. */
static const rd_kafka_metadata_t *
metadata_get(struct test_cluster *cluster)
{
    const rd_kafka_metadata_t *metadata = NULL;
    const rd_kafka_resp_err_t rc =
        rd_kafka_metadata(cluster->watcher, 1, NULL, &metadata, METADATA_MS);
    return rc == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata : NULL;
}

int
test_cluster_leader(struct test_cluster *cluster, const char *topic, int partition)
{
    const rd_kafka_metadata_t *const metadata = metadata_get(cluster);
    int leader = -1;
    for (int index = 0; metadata != NULL && index < metadata->topic_cnt; index++) {
        const rd_kafka_metadata_topic_t *const found = &metadata->topics[index];
        for (int place = 0; strcmp(found->topic, topic) == 0 && place < found->partition_cnt;
             place++) {
            if (found->partitions[place].id == partition) {
                leader = found->partitions[place].leader;
            }
        }
    }
    if (metadata != NULL) {
        rd_kafka_metadata_destroy(metadata);
    }
    return leader;
}

/* What is still to wait for: partitions whose replicas are not all in sync (`gone` is 0), or that
 * have no leader, or one that is `gone`. -1: nobody can say. */
static int
count_unwell(struct test_cluster *cluster, int gone)
{
    const rd_kafka_metadata_t *const metadata = metadata_get(cluster);
    if (metadata == NULL) {
        return -1;
    }
    int unwell = gone == 0 ? cluster->count - metadata->broker_cnt : 0;
    for (int index = 0; index < metadata->topic_cnt; index++) {
        const rd_kafka_metadata_topic_t *const topic = &metadata->topics[index];
        for (int place = 0; place < topic->partition_cnt; place++) {
            const rd_kafka_metadata_partition_t *const partition = &topic->partitions[place];
            const bool is_short = gone == 0 && partition->isr_cnt < partition->replica_cnt;
            unwell += is_short || partition->leader < 1 || partition->leader == gone;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return unwell;
}

static void
wait_well(struct test_cluster *cluster, int gone)
{
    for (int ticks = WAIT_SECONDS * 1000 / TICK_MS; ticks > 0; ticks--) {
        if (count_unwell(cluster, gone) == 0) {
            return;
        }
        poll(NULL, 0, TICK_MS);
    }
    cluster_die(cluster, "partitions", "not all have what was waited for");
}

void
test_cluster_wait_whole(struct test_cluster *cluster)
{
    wait_well(cluster, 0);
}

void
test_cluster_wait_without(struct test_cluster *cluster, int node)
{
    assert(node > 0);
    wait_well(cluster, node);
}

/* -- Moving leaders: two requests that librdkafka 2.0.2 does not have -- */

struct request {
    unsigned char bytes[512];
    size_t size;
};

static void
put(struct request *request, int64_t number, size_t size)
{
    assert(request->size + size <= sizeof(request->bytes));
    for (size_t index = 0; index < size; index++) {
        request->bytes[request->size++] = (unsigned char)(number >> (8 * (size - 1 - index)));
    }
}

static void
put_text(struct request *request, const char *text)
{
    const size_t size = strlen(text);
    assert(request->size + size <= sizeof(request->bytes));
    memcpy(request->bytes + request->size, text, size);
    request->size += size;
}

static void
put_header(struct request *request, int api, int version)
{
    *request = (struct request){.size = 4}; /* the length comes last */
    put(request, api, 2);
    put(request, version, 2);
    put(request, REQUEST_CORRELATION, 4);
    put(request, (int64_t)strlen(CLIENT_ID), 2);
    put_text(request, CLIENT_ID);
}

/* Sends it to a node that runs, and reads its reply away: whether it helped is seen in the
 * metadata. */
static void
request_send(struct test_cluster *cluster, struct request *request)
{
    const size_t size = request->size;
    request->size = 0;
    put(request, (int64_t)size - 4, 4);
    request->size = size;
    for (int index = 0; index < cluster->count; index++) {
        const struct sockaddr_in address = {.sin_family = AF_INET,
                                            .sin_port = htons((uint16_t)cluster->nodes[index].port),
                                            .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
        const struct timeval timeout = {.tv_sec = 2};
        const int node = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char reply[1024];
        setsockopt(node, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        const bool is_sent =
            connect(node, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
            send(node, request->bytes, request->size, MSG_NOSIGNAL) == (ssize_t)request->size;
        const bool is_answered = is_sent && recv(node, reply, sizeof(reply), 0) > 0;
        close(node);
        if (is_answered) {
            return;
        }
    }
}

/* The same replicas, with `node` first: the preferred leader. */
static void
replicas_reorder(struct test_cluster *cluster, const char *topic, int partition, int node)
{
    struct request request;
    put_header(&request, API_REASSIGN, 0);
    put(&request, 0, 1); /* no tagged fields, here and below */
    put(&request, REQUEST_TIMEOUT, 4);
    put(&request, 1 + 1, 1); /* compact lengths are one more */
    put(&request, (int64_t)strlen(topic) + 1, 1);
    put_text(&request, topic);
    put(&request, 1 + 1, 1);
    put(&request, partition, 4);
    put(&request, cluster->count + 1, 1);
    for (int index = 0; index < cluster->count; index++) {
        put(&request, (node - 1 + index) % cluster->count + 1, 4);
    }
    put(&request, 0, 3); /* of the partition, the topic, the request */
    request_send(cluster, &request);
}

static void
leader_elect(struct test_cluster *cluster, const char *topic, int partition)
{
    struct request request;
    put_header(&request, API_ELECT_LEADERS, 1);
    put(&request, ELECTION_PREFERRED, 1);
    put(&request, 1, 4);
    put(&request, (int64_t)strlen(topic), 2);
    put_text(&request, topic);
    put(&request, 1, 4);
    put(&request, partition, 4);
    put(&request, REQUEST_TIMEOUT, 4);
    request_send(cluster, &request);
}

void
test_cluster_leader_move(struct test_cluster *cluster, const char *topic, int partition, int node)
{
    assert(strlen(topic) < 100);
    assert(node >= 1);
    assert(node <= cluster->count);
    for (int ticks = WAIT_SECONDS * 1000 / TICK_MS; ticks > 0; ticks--) {
        replicas_reorder(cluster, topic, partition, node);
        leader_elect(cluster, topic, partition);
        if (test_cluster_leader(cluster, topic, partition) == node) {
            return;
        }
        poll(NULL, 0, TICK_MS);
    }
    cluster_die(cluster, topic, "its leader does not move");
}

/* The partition that an id belongs to: by Java's hash of a string. */
static int
internal_partition(const char *id)
{
    uint32_t hash = 0;
    for (const char *place = id; *place != '\0'; place++) {
        hash = 31 * hash + (unsigned char)*place;
    }
    const int64_t number = (int32_t)hash;
    return number == INT32_MIN ? 0 : (int)(llabs(number) % INTERNAL_COUNT);
}

static const char *
internal_topic(enum test_coordinator kind)
{
    return kind == TEST_COORDINATOR_GROUP ? "__consumer_offsets" : "__transaction_state";
}

int
test_cluster_coordinator(struct test_cluster *cluster, enum test_coordinator kind, const char *id)
{
    return test_cluster_leader(cluster, internal_topic(kind), internal_partition(id));
}

void
test_cluster_coordinator_move(struct test_cluster *cluster, enum test_coordinator kind,
                              const char *id, int node)
{
    test_cluster_leader_move(cluster, internal_topic(kind), internal_partition(id), node);
}
