/* publish FOLDER_LOG BROKERS [--prefix P] [--registry URL] [--rate N/s] [--from TIME] [--until
 * TIME]
 *
 * What other people's producers do: puts the input topics of a folder log on Kafka, record by
 * record, merged by timestamp, with the partition, timestamp, key and headers that they have,
 * framed with the schema id of a registry. Idempotent, without transactions, so offsets are those
 * of the folder. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/civil.h"
#include "codec/records.h"
#include "codec/stage.h"
#include "codec/wire.h"
#include "io/folder.h"
#include "io/registry.h"
#include "io/system_clock.h"

#define READ_COUNT      256
#define INPUT_COUNT_MAX 256
#define FLUSH_MS        30000
#define WAIT_US         (200 * 1000)

struct input {
    enum gf_topic topic;
    uint32_t partition;
    int64_t at, end;
    struct gf_record records[READ_COUNT];
    uint32_t record_at, record_count;
};

struct publish {
    const char *prefix;
    double rate; /* records a second; 0: as fast as it goes */
    struct gf_time from, until;
    struct gf_source *source;
    struct gf_registry *registry;
    rd_kafka_t *producer;
    uint32_t schema_ids[GF_TOPIC_COUNT];
    struct input *inputs;
    uint32_t input_count;
    uint64_t sent, failed;
};

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "publish: %s: %s\n", what, why);
    exit(1);
}

static void
expect(enum gf_rc rc, const struct gf_error *error, const char *what)
{
    if (rc != GF_OK) {
        die(what, error->text[0] != '\0' ? error->text : gf_rc_text(rc));
    }
}

static void
on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct publish *publish = opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "publish: %s\n", rd_kafka_err2str(message->err));
        publish->failed++;
    }
}

static void
producer_open(struct publish *publish, const char *brokers)
{
    const char *const settings[][2] = {{"bootstrap.servers", brokers},
                                       {"enable.idempotence", "true"},
                                       {"linger.ms", "5"},
                                       {"compression.type", "lz4"},
                                       {"client.id", "publish"}};
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof(text)) !=
            RD_KAFKA_CONF_OK) {
            die(settings[i][0], text);
        }
    }
    rd_kafka_conf_set_opaque(conf, publish);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    publish->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (publish->producer == NULL) {
        die("producer", text);
    }
}

static void
inputs_open(struct publish *publish)
{
    struct gf_error error = {{0}};
    publish->inputs = calloc(INPUT_COUNT_MAX, sizeof(*publish->inputs));
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        uint32_t partitions = 0;
        if (!gf_stages_use(GF_STAGES_CUSTOMER, (enum gf_topic)topic)) {
            continue;
        }
        expect(publish->source->ops->partitions(publish->source, (enum gf_topic)topic, &partitions,
                                                &error),
               &error, gf_topics[topic].name);
        for (uint32_t i = 0; i < partitions && publish->input_count < INPUT_COUNT_MAX; i++) {
            struct input *input = &publish->inputs[publish->input_count++];
            input->topic = (enum gf_topic)topic;
            input->partition = i;
            expect(publish->source->ops->ends(publish->source, input->topic, i, &input->at,
                                              &input->end, &error),
                   &error, gf_topics[topic].name);
        }
        expect(gf_registry_own_id(publish->registry, (enum gf_topic)topic,
                                  &publish->schema_ids[topic], &error),
               &error, "schema id");
    }
}

/* The next record of an input; NULL at its end. */
static const struct gf_record *
input_head(struct publish *publish, struct input *input)
{
    struct gf_source *source = publish->source;
    while (input->record_at == input->record_count && input->at < input->end) {
        struct gf_error error = {{0}};
        source->ops->release(source, 0, input->topic, input->partition, input->at);
        input->record_at = 0;
        expect(source->ops->read(source, 0, input->topic, input->partition, input->at, input->end,
                                 (struct gf_duration){WAIT_US}, input->records, READ_COUNT,
                                 &input->record_count, &input->at, &error),
               &error, gf_topics[input->topic].name);
    }
    return input->record_at < input->record_count ? &input->records[input->record_at] : NULL;
}

static rd_kafka_headers_t *
headers_of(const struct gf_record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count + 1);
    for (uint32_t i = 0; i < record->header_count; i++) {
        const struct gf_header *header = &record->headers[i];
        rd_kafka_header_add(headers, (const char *)header->name.data, (ssize_t)header->name.size,
                            header->value.data, (ssize_t)header->value.size);
    }
    return headers;
}

/* A value that was no record (schema id 0) goes as the bytes it is. */
static void
record_send(struct publish *publish, const struct gf_record *record)
{
    static uint8_t frame[(32 << 20) + GF_FRAME_SIZE];
    char name[256];
    snprintf(name, sizeof(name), "%s%s", publish->prefix, gf_topics[record->topic].name);
    size_t size = record->value.size;
    if (record->schema_id != 0) {
        gf_frame_write(publish->schema_ids[record->topic], frame);
        memcpy(frame + GF_FRAME_SIZE, record->value.data, size);
        size += GF_FRAME_SIZE;
    } else if (size > 0) {
        memcpy(frame, record->value.data, size);
    }
    const void *key =
        record->has_key ? (record->key.size > 0 ? (const void *)record->key.data : "") : NULL;
    for (;;) {
        rd_kafka_headers_t *headers = headers_of(record);
        const rd_kafka_resp_err_t code = rd_kafka_producev(
            publish->producer, RD_KAFKA_V_TOPIC(name),
            RD_KAFKA_V_PARTITION((int32_t)record->partition),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY((void *)(uintptr_t)key, record->key.size),
            RD_KAFKA_V_VALUE(record->has_value ? frame : NULL, record->has_value ? size : 0),
            RD_KAFKA_V_TIMESTAMP(record->timestamp.us / 1000), RD_KAFKA_V_HEADERS(headers),
            RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            break;
        }
        rd_kafka_headers_destroy(headers);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            die(name, rd_kafka_err2str(code));
        }
        rd_kafka_poll(publish->producer, 50);
    }
    publish->sent++;
    rd_kafka_poll(publish->producer, 0);
}

/* Records go in order of timestamp over all partitions, as if life had made them. */
static void
records_send(struct publish *publish)
{
    struct gf_clock *clock = gf_system_clock();
    const int64_t started = clock->monotonic_us(clock);
    for (;;) {
        struct input *first = NULL;
        const struct gf_record *record = NULL;
        for (uint32_t i = 0; i < publish->input_count; i++) {
            const struct gf_record *head = input_head(publish, &publish->inputs[i]);
            if (head != NULL && (record == NULL || head->timestamp.us < record->timestamp.us)) {
                record = head;
                first = &publish->inputs[i];
            }
        }
        if (record == NULL ||
            (!gf_time_is_none(publish->until) && record->timestamp.us >= publish->until.us)) {
            return;
        }
        first->record_at++;
        if (!gf_time_is_none(publish->from) && record->timestamp.us < publish->from.us) {
            continue;
        }
        record_send(publish, record);
        while (publish->rate > 0 &&
               (double)publish->sent >
                   publish->rate * (double)(clock->monotonic_us(clock) - started) / 1e6) {
            rd_kafka_poll(publish->producer, 5);
        }
    }
}

static void
options_read(struct publish *publish, struct gf_registry_options *registry, int argc, char **argv)
{
    static const struct option table[] = {
        {"prefix", required_argument, NULL, 'p'}, {"registry", required_argument, NULL, 'g'},
        {"rate", required_argument, NULL, 'r'},   {"from", required_argument, NULL, 'f'},
        {"until", required_argument, NULL, 'u'},  {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", table, NULL)) != -1) {
        struct gf_time *time = letter == 'f' ? &publish->from : &publish->until;
        if (letter == 'p') {
            publish->prefix = optarg;
        } else if (letter == 'g') {
            *registry = (struct gf_registry_options){
                .kind = GF_REGISTRY_HTTP, .url = optarg, .may_register = true};
        } else if (letter == 'r') {
            publish->rate = strtod(optarg, NULL);
        } else if (letter == '?' || gf_time_parse(optarg, strlen(optarg), time) != GF_OK) {
            die("usage", "publish FOLDER_LOG BROKERS [--prefix P] [--registry URL] [--rate N] "
                         "[--from T] [--until T]");
        }
    }
}

int
main(int argc, char **argv)
{
    struct publish publish = {.prefix = "", .from = GF_TIME_NONE, .until = GF_TIME_NONE};
    struct gf_registry_options registry = {.kind = GF_REGISTRY_BUILT_IN};
    struct gf_error error = {{0}};
    options_read(&publish, &registry, argc, argv);
    if (argc - optind != 2) {
        die("usage", "publish FOLDER_LOG BROKERS …");
    }
    expect(gf_registry_open(&registry, &publish.registry, &error), &error, "registry");
    expect(gf_folder_source_open(argv[optind], NULL, &publish.source, &error), &error,
           argv[optind]);
    inputs_open(&publish);
    producer_open(&publish, argv[optind + 1]);
    records_send(&publish);
    if (rd_kafka_flush(publish.producer, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        publish.failed > 0) {
        die("flush", "not everything was delivered");
    }
    printf("published %" PRIu64 " records\n", publish.sent);
    rd_kafka_destroy(publish.producer);
    publish.source->ops->close(publish.source);
    gf_registry_close(publish.registry);
    free(publish.inputs);
    return 0;
}
