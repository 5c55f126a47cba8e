/* The input: a simulated population with its faults, thefts and bills, and records among it that
 * are no records. */
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "chaos.h"
#include "codec/records.h"
#include "io/folder.h"

#define READ_COUNT 64
#define BAD_EVERY  700 /* records of a partition, about */

static void
simulate(const char *folder)
{
    char to[300], customers[16], days[16], log[300];
    snprintf(to, sizeof(to), "folder:%s", folder);
    snprintf(customers, sizeof(customers), "%d", chaos.customers);
    snprintf(days, sizeof(days), "%d", chaos.days);
    snprintf(log, sizeof(log), "%s/simulate.log", chaos.work);
    const char *const arguments[] = {
        chaos.gridfold, "simulate",   "--to",         to,    "--customers",    customers,
        "--days",       days,         "--seed",       "11",  "--interval",     chaos.interval,
        "--start",      "2024-03-01", "--theft-rate", "0.3", "--arrears-rate", "0.3",
        "--partitions", "12",         "--no-sync",    NULL};
    chaos_run(log, 0, arguments);
}

/* Bytes that cannot be a record, whoever frames them how: no two are the same. */
static void
bad_add(struct gf_folder_writer *writer, const struct gf_record *like)
{
    struct gf_error error;
    chaos.bads = realloc(chaos.bads, (chaos.bad_count + 1) * sizeof(*chaos.bads));
    struct chaos_bad *bad = &chaos.bads[chaos.bad_count];
    *bad = (struct chaos_bad){.topic = like->topic, .partition = like->partition};
    bad->size = (size_t)snprintf((char *)bad->value, sizeof(bad->value), "no record, number %u",
                                 ++chaos.bad_count);
    struct gf_record record = *like;
    record.offset = -1;
    record.schema_id = 0;
    record.is_framed = false;
    record.has_value = true;
    record.value = gf_span_of(bad->value, bad->size);
    if (gf_folder_writer_next(writer, (enum gf_topic)like->topic, like->partition, &bad->offset,
                              &error) != GF_OK ||
        gf_folder_writer_append(writer, &record, &error) != GF_OK) {
        chaos_die("%s", error.text);
    }
}

static void
partition_copy(struct gf_source *source, struct gf_folder_writer *writer, enum gf_topic topic,
               uint32_t partition)
{
    struct gf_record records[READ_COUNT];
    struct gf_error error = {{0}};
    int64_t at = 0, end = 0;
    enum gf_rc rc = source->ops->ends(source, topic, partition, &at, &end, &error);
    while (rc == GF_OK && at < end) {
        uint32_t count = 0;
        rc = source->ops->read(source, 0, topic, partition, at, end, (struct gf_duration){0},
                               records, READ_COUNT, &count, &at, &error);
        for (uint32_t i = 0; rc == GF_OK && i < count; i++) {
            struct gf_record record = records[i];
            record.offset = -1;
            rc = gf_folder_writer_append(writer, &record, &error);
            if (rc == GF_OK && !gf_topics[topic].is_reference && chaos_draw(BAD_EVERY) == 0) {
                bad_add(writer, &record);
            }
        }
        source->ops->release(source, 0, topic, partition, at);
    }
    if (rc != GF_OK) {
        chaos_die("copy of %s: %s", gf_topics[topic].name, error.text);
    }
}

static void
spoil(const char *from, const char *to)
{
    struct gf_source *source = NULL;
    struct gf_folder_writer *writer = NULL;
    struct gf_error error = {{0}};
    const struct gf_folder_options options = {
        .path = to, .partitions = CHAOS_SHARDS, .no_sync = true};
    if (gf_folder_source_open(from, NULL, &source, &error) != GF_OK ||
        gf_folder_writer_open(&options, &writer, &error) != GF_OK) {
        chaos_die("%s", error.text);
    }
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        uint32_t count = 0;
        if (source->ops->partitions(source, (enum gf_topic)topic, &count, &error) != GF_OK) {
            chaos_die("%s", error.text);
        }
        for (uint32_t i = 0; i < count; i++) {
            partition_copy(source, writer, (enum gf_topic)topic, i);
        }
    }
    if (gf_folder_writer_close(writer, &error) != GF_OK) {
        chaos_die("%s", error.text);
    }
    source->ops->close(source);
}

/* One process, on the folder, in peace. */
static void
calm_run(void)
{
    char config[256], log[256];
    snprintf(config, sizeof(config), "%s/calm.yaml", chaos.work);
    snprintf(log, sizeof(log), "%s/calm.log", chaos.work);
    FILE *file = fopen(config, "w");
    fprintf(file,
            "version: 1\nlog: folder:%s\nstore: %s/calm.state\npartitions: %d\n"
            "order: canonical\nbatch_records: 128\ncommit: {batches: 2}\nsweep: {records: 5000}\n",
            chaos.input, chaos.work, CHAOS_SHARDS);
    fclose(file);
    const char *const run[] = {chaos.gridfold, "run", "--exit-at-end", "-c", config, NULL};
    chaos_run(log, 0, run);
    topic_records_folder(chaos.input, chaos.calm);
    history_make(&chaos.calm[GF_TOPIC_JOURNAL], &chaos.calm_history);
}

void
input_make(void)
{
    char clean[256];
    snprintf(clean, sizeof(clean), "%s/clean", chaos.work);
    snprintf(chaos.input, sizeof(chaos.input), "%s/input", chaos.work);
    simulate(clean);
    spoil(clean, chaos.input);
    if (!chaos.is_live) {
        calm_run();
    }
}

/* What the brokers have of each input partition, once all is there. */
static void
ends_ask(void)
{
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        char name[128];
        snprintf(name, sizeof(name), "%s%s", chaos.prefix, gf_topics[topic].name);
        for (int i = 0; i < CHAOS_SHARDS; i++) {
            int64_t first = 0;
            chaos.ends[topic][i] = -1;
            for (int tries = 0;
                 tries < 30 && (i == 0 || !gf_topics[topic].is_reference) &&
                 rd_kafka_query_watermark_offsets(chaos.cluster.watcher, name, i, &first,
                                                  &chaos.ends[topic][i], 2000) != 0;
                 tries++) {
                chaos.ends[topic][i] = -1;
            }
        }
    }
}

void
input_publish(void)
{
    char log[256], rate[32];
    snprintf(log, sizeof(log), "%s/publish-%d.log", chaos.work, chaos.round);
    snprintf(rate, sizeof(rate), "%.0f", chaos.rate);
    const char *const arguments[] = {chaos.publish, chaos.input,  chaos.cluster.addresses,
                                     "--prefix",    chaos.prefix, chaos.is_live ? "--rate" : NULL,
                                     rate,          NULL};
    test_program_start(&chaos.publisher, log, arguments);
    chaos.is_publishing = true;
    while (!chaos.is_live && !input_is_out()) {
        chaos_pass(50);
    }
}

bool
input_is_out(void)
{
    if (!chaos.is_publishing) {
        return true;
    }
    const int code = test_program_wait_ms(&chaos.publisher, 0);
    if (code > 0) {
        test_file_show(chaos.publisher.log);
        chaos_die("the publisher ended with %d", code);
    }
    if (code == 0) {
        chaos.is_publishing = false;
        ends_ask();
    }
    return code == 0;
}
