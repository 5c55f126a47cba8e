#include "lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/stage.h"
#include "io/memory_map.h"
#include "loop/feed.h"

#define WALL_START_US INT64_C(1893456000000000) /* 2030-01-01 */
#define CUSTOMERS_MAX 8192
#define TIMERS_MAX    8192

/* Read once: there are hundreds of files, and they do not change. */
static struct gf_zones zones;

static struct gf_time
clock_now(struct gf_clock *clock)
{
    return (struct gf_time){WALL_START_US + ((struct lab_clock *)clock)->us};
}

static int64_t
clock_monotonic(struct gf_clock *clock)
{
    return ++((struct lab_clock *)clock)->us;
}

static void
clock_sleep(struct gf_clock *clock, struct gf_duration duration)
{
    ((struct lab_clock *)clock)->us += duration.us;
}

static const struct gf_schemas *
lookup_schemas(void *context)
{
    return gf_registry_schemas(context);
}

static enum gf_rc
lookup_resolve(void *context, enum gf_topic topic, uint32_t id, struct gf_error *error)
{
    return gf_registry_resolve(context, topic, id, error);
}

static struct gf_config *
config_make(const char *text)
{
    char whole[8192];
    struct gf_complaints complaints = {0};
    struct gf_config *config;
    const int size =
        snprintf(whole, sizeof(whole), "version: 1\nlog: folder:lab\n%s", text == NULL ? "" : text);
    assert_int_equal(
        gf_config_parse("lab.yaml", whole, (size_t)size, NULL, 0, &config, &complaints), GF_OK);
    return config;
}

static void
stages_take(struct lab *lab)
{
    lab->stages = gf_config_stages(lab->config);
    lab->shard_end = gf_stages_shard_end(lab->stages, lab->shard_count);
    lab->shard_total = gf_stages_shard_count(lab->stages, lab->shard_count);
}

void
lab_open(struct lab *lab, const char *config_text)
{
    if (zones.count == 0) {
        assert_int_equal(gf_zones_load(NULL, &zones, &lab->error), GF_OK);
    }
    *lab = (struct lab){
        .config = config_make(config_text), .customers_max = CUSTOMERS_MAX, .zones = zones};
    lab->clock.base =
        (struct gf_clock){.now = clock_now, .monotonic_us = clock_monotonic, .sleep = clock_sleep};
    const struct gf_registry_options options = {.kind = GF_REGISTRY_BUILT_IN};
    assert_int_equal(gf_registry_open(&options, &lab->registry, &lab->error), GF_OK);
    lab->lookup = (struct gf_lookup){
        .context = lab->registry, .schemas = lookup_schemas, .resolve = lookup_resolve};
    lab->shard_count = (uint32_t)lab->config->partitions;
    stages_take(lab);
    lab->log = gf_memory_log_new(lab->shard_count, lab->stages);
    lab->source = gf_memory_source_open(lab->log);
    lab->store = gf_memory_store_new();
}

void
lab_crash(struct lab *lab, struct gf_store *store)
{
    for (uint32_t i = 0; lab->shards != NULL && i < lab->shard_end; i++) {
        gf_shard_free(lab->shards[i]);
    }
    free(lab->shards);
    lab->shards = NULL;
    if (store != NULL) {
        lab->store->ops->close(lab->store);
        lab->store = store;
    }
}

void
lab_configure(struct lab *lab, const char *config_text)
{
    assert_null(lab->shards);
    gf_config_free(lab->config);
    lab->config = config_make(config_text);
    assert_int_equal(lab->config->partitions, lab->shard_count);
    stages_take(lab);
}

void
lab_close(struct lab *lab)
{
    lab_crash(lab, NULL);
    lab->store->ops->close(lab->store);
    lab->source->ops->close(lab->source);
    gf_memory_log_free(lab->log);
    gf_registry_close(lab->registry);
    gf_config_free(lab->config);
}

/* ---- inputs ---- */

uint32_t
lab_partition(const struct lab *lab, const char *key)
{
    return gf_partition_of(gf_span_text(key), lab->shard_count);
}

int64_t
lab_add_bytes(struct lab *lab, enum gf_topic topic, uint32_t partition, const char *key,
              struct gf_time time, struct gf_span value)
{
    const struct gf_record record = {
        .topic = (int32_t)topic,
        .partition = partition,
        .offset = -1,
        .timestamp = time,
        .has_key = key != NULL,
        .has_value = value.data != NULL,
        .key = key == NULL ? (struct gf_span){0} : gf_span_text(key),
        .is_framed = true,
        .value = value,
    };
    return gf_memory_log_add(lab->log, &record);
}

uint32_t
lab_encode(enum gf_topic topic, const void *body, uint8_t *out, size_t size)
{
    assert_true(size > GF_FRAME_SIZE);
    gf_frame_write(gf_topics[topic].schema_id, out);
    struct gf_writer writer = gf_writer_of(out + GF_FRAME_SIZE, size - GF_FRAME_SIZE);
    gf_topics[topic].encode(&writer, body);
    assert_false(writer.overflowed);
    return (uint32_t)(GF_FRAME_SIZE + gf_writer_size(&writer));
}

int64_t
lab_add(struct lab *lab, enum gf_topic topic, const char *key, struct gf_time time,
        const void *body)
{
    uint8_t bytes[4096];
    const uint32_t size = lab_encode(topic, body, bytes, sizeof(bytes));
    const uint32_t partition = gf_topics[topic].is_reference ? 0 : lab_partition(lab, key);
    return lab_add_bytes(lab, topic, partition, key, time, gf_span_of(bytes, size));
}

static uint32_t
partition_count(const struct lab *lab, enum gf_topic topic)
{
    return gf_stages_partitions(lab->stages, topic, lab->shard_count);
}

void
lab_copy_inputs(struct lab *to, const struct lab *from)
{
    assert_int_equal(to->shard_count, from->shard_count);
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        for (uint32_t i = 0; i < partition_count(from, (enum gf_topic)topic); i++) {
            const struct gf_record *record = NULL;
            for (uint32_t k = 0;
                 (record = gf_memory_log_get(from->log, (enum gf_topic)topic, i, k)) != NULL; k++) {
                gf_memory_log_add(to->log, record);
            }
        }
    }
}

int64_t
lab_input_count(const struct lab *lab)
{
    int64_t count = 0;
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        for (uint32_t i = 0; i < partition_count(lab, (enum gf_topic)topic); i++) {
            count += gf_memory_log_count(lab->log, (enum gf_topic)topic, i);
        }
    }
    return count;
}

/* ---- running ---- */

/* The number of the index-th shard. */
static uint32_t
id_of(const struct lab *lab, uint32_t index)
{
    return gf_stages_shard(lab->stages, lab->shard_count, index);
}

static enum gf_rc
shards_make(struct lab *lab)
{
    enum gf_rc rc = GF_OK;
    gf_memory_stores_init(&lab->stores, &lab->store);
    lab->shards = calloc(lab->shard_end, sizeof(lab->shards[0]));
    assert_non_null(lab->shards);
    for (uint32_t i = 0; rc == GF_OK && i < lab->shard_total; i++) {
        const struct gf_shard_options options = {
            .shard = id_of(lab, i),
            .shard_count = lab->shard_count,
            .stages = lab->stages,
            .is_arrival = lab->config->order == GF_CONFIG_ORDER_ARRIVAL,
            .customers_max = lab->customers_max,
            .timers_max = TIMERS_MAX,
            .batch_records = (uint32_t)lab->config->batch_records,
            .sweep_records = lab->config->sweep.records,
            .config = lab->config,
            .accept_refold = lab->accept_refold,
            .start = lab->start.us == 0 ? GF_TIME_NONE : lab->start,
            .zones = &lab->zones,
            .instance = "lab",
            .transactional_id = "lab-1",
            .reserve = gf_memory_reserve,
            .release = gf_memory_release,
        };
        rc = gf_shard_new(&options, lab->source, &lab->lookup, &lab->stores.base,
                          &lab->shards[id_of(lab, i)], &lab->error);
    }
    return rc;
}

static bool
must_stop(void *context)
{
    struct lab *lab = context;
    if (lab->at_turn != NULL) {
        lab->at_turn(lab);
    }
    const bool is_time = lab->stop_at_us > 0 && lab->clock.us >= lab->stop_at_us;
    return is_time || (lab->stop_at_commits > 0 &&
                       gf_memory_log_calls(lab->log, GF_MEMORY_COMMIT) >= lab->stop_at_commits);
}

static enum gf_rc
sink_open(void *context, struct gf_sink **out, struct gf_error *error)
{
    (void)error;
    *out = gf_memory_sink_open(((struct lab *)context)->log);
    return GF_OK;
}

static void
warn(void *context, enum gf_rc rc, const char *text, int64_t retry_us)
{
    (void)rc, (void)text, (void)retry_us;
    ((struct lab *)context)->warnings++;
}

static void
note(void *context, enum gf_live_note what, uint32_t value, const char *text)
{
    (void)value, (void)text;
    ((struct lab *)context)->new_stages += what == GF_LIVE_NEW_STAGE;
}

static enum gf_rc
shard_open(void *context, uint32_t id, struct gf_shard **out, struct gf_error *error)
{
    (void)error;
    *out = ((struct lab *)context)->shards[id];
    return GF_OK;
}

enum gf_rc
lab_run(struct lab *lab)
{
    lab->error.text[0] = '\0';
    enum gf_rc rc = lab->shards == NULL ? shards_make(lab) : GF_OK;
    if (rc != GF_OK) {
        return rc;
    }
    uint32_t ids[GF_LIVE_SHARD_COUNT_MAX], id_count = 0;
    for (uint32_t i = 0; i < lab->shard_total; i++) {
        const uint32_t id = id_of(lab, i);
        const uint32_t stage = GF_STAGE_BIT(gf_stage_of(id, lab->shard_count));
        if (lab->only_stages == 0 || (lab->only_stages & stage) != 0) {
            ids[id_count++] = id;
        }
    }
    const struct gf_live_options options = {
        .shards = ids,
        .shard_count = id_count,
        .is_arrival = lab->config->order == GF_CONFIG_ORDER_ARRIVAL,
        .exit_at_end = true,
        .commit_interval = lab->config->commit.interval,
        .commit_batches = (uint32_t)lab->config->commit.batches,
        .stage_patience = lab->patience,
        .clock = &lab->clock.base,
        .context = lab,
        .must_stop = must_stop,
        .sink_open = sink_open,
        .shard_open = shard_open,
        .note = note,
        .warn = warn,
    };
    return gf_live_run(&options, &lab->status, &lab->error);
}

enum gf_rc
lab_replay(struct lab *lab)
{
    struct gf_replay_totals all;
    lab_crash(lab, gf_memory_store_new());
    enum gf_rc rc = shards_make(lab);
    for (uint32_t i = 0; rc == GF_OK && i < lab->shard_total; i++) {
        rc = gf_shard_replay(lab->shards[id_of(lab, i)], GF_TIME_NONE, GF_TIME_NONE, NULL, &all,
                             &lab->error);
    }
    return rc;
}
