/* gridfold explain: one output, folded again from its inputs, with everything that decided it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "explain.h"
#include "io/memory_map.h"
#include "io/scratch.h"
#include "io/signals.h"
#include "io/snapshot.h"
#include "job.h"
#include "loop/decode.h"
#include "print.h"
#include "scan.h"

#define ID_SIZE    16
#define ARENA_SIZE ((size_t)64 << 20)

static const struct verb_option explain_options[] = {
    {"config", 'c', "CONFIG", "configuration file"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"scratch", 0, "FOLDER",
     "where the refold keeps its own state (default: a temporary folder beside the store)"},
    {"json", 0, NULL, "everything as one JSON object"},
    {NULL, 0, NULL, NULL},
};

enum { OPTION_CONFIG, OPTION_SET, OPTION_SCRATCH, OPTION_JSON };

/* What is asked for, and once it is found, a copy of it. */
struct output {
    const char *name; /* as it was given */
    bool has_id;
    uint8_t id[ID_SIZE];
    enum gf_topic topic; /* of a position */
    uint32_t partition;
    int64_t offset;

    bool is_found, has_no_memory;
    struct gf_record record;
    uint8_t *bytes;
    int64_t scanned;
    struct job *job;
};

/* ---- finding it ---- */

static bool
id_parse(const char *text, uint8_t out[ID_SIZE])
{
    if (strlen(text) != (size_t)2 * ID_SIZE ||
        strspn(text, "0123456789abcdefABCDEF") != (size_t)2 * ID_SIZE) {
        return false;
    }
    for (int i = 0; i < ID_SIZE; i++) {
        const char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

static bool
output_visit(void *context, const struct gf_record *record)
{
    struct output *output = context;
    const struct gf_span body = gf_compare_body(record);
    if (++output->scanned % 65536 == 0) {
        job_progress(output->job, "looking for the output", output->scanned, 0);
    }
    if (output->has_id ? body.size < ID_SIZE || memcmp(body.data, output->id, ID_SIZE) != 0
                       : record->offset != output->offset) {
        return true;
    }
    const uint32_t key_size = record->has_key ? record->key.size : 0;
    const uint32_t value_size = record->has_value ? record->value.size : 0;
    output->bytes = malloc((size_t)key_size + value_size + 1);
    if (output->bytes == NULL) {
        output->has_no_memory = true;
        return false;
    }
    if (key_size > 0) {
        memcpy(output->bytes, record->key.data, key_size);
    }
    if (value_size > 0) {
        memcpy(output->bytes + key_size, record->value.data, value_size);
    }
    output->record = *record;
    output->record.key = gf_span_of(output->bytes, key_size);
    output->record.value = gf_span_of(output->bytes + key_size, value_size);
    output->record.header_count = 0;
    output->is_found = true;
    return false;
}

static enum gf_rc
output_find(struct job *job, struct output *output, struct gf_error *error)
{
    struct gf_source *source = gf_log_source(job->log);
    const uint32_t stages = gf_config_stages(job->config);
    output->job = job;
    enum gf_rc rc = GF_OK;
    if (!output->has_id) {
        uint32_t count = 0;
        rc = source->ops->partitions(source, output->topic, &count, error);
        if (rc == GF_OK && output->partition < count) {
            rc = scan_partition(source, output->topic, output->partition, output->offset,
                                output->offset + 1, output_visit, output, error);
        }
    }
    for (int topic = GF_TOPIC_READ_COUNT; output->has_id && rc == GF_OK && topic < GF_TOPIC_COUNT;
         topic++) {
        if (gf_stages_use(stages, (enum gf_topic)topic) && topic != GF_TOPIC_JOURNAL &&
            topic != GF_TOPIC_DEAD_LETTERS && !output->is_found) {
            rc = scan_topic(source, (enum gf_topic)topic, output_visit, output, error);
        }
    }
    if (rc == GF_OK && output->has_no_memory) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    } else if (rc == GF_OK && !output->is_found) {
        rc = gf_fail(error, GF_E_NOT_FOUND,
                     output->has_id ? "no output has the id %s; `gridfold tap` shows ids as "
                                      "record_id, and retention may have cut it"
                                    : "there is no record at %s",
                     output->name);
    }
    return rc;
}

/* ---- explaining it ---- */

static void
snapshot_pass_over(const struct job *job, uint32_t shard, int64_t batch, const char *why)
{
    gf_logger_say(&job->logger, GF_LEVEL_WARN, "snapshot_passed_over", gf_field_u64("shard", shard),
                  gf_field_i64("batch", batch), gf_field_text("text", why));
}

/* The one that was taken does not serve after all. */
static void
snapshot_unfit(void *context, const char *why)
{
    const struct explain_report *report = context;
    snapshot_pass_over(report->job, report->shard, report->snapshot, why);
}

/* Puts the newest snapshot from before the batch where the shard's scratch store will be; 0 where
 * there is none that is whole. */
static int64_t
snapshot_take(const struct job *job, const char *scratch, const struct gf_lineage *lineage)
{
    const char *folder = job->config->snapshot.folder;
    const uint32_t shard = (uint32_t)lineage->shard;
    char path[GF_CONFIG_PATH_SIZE + 64];
    struct gf_error error;
    int64_t *batches = NULL, taken = 0;
    uint32_t count = 0;
    snprintf(path, sizeof(path), "%s/shard-%04" PRIu32, scratch, shard);
    const enum gf_rc rc =
        folder[0] == '\0' ? GF_OK : gf_snapshot_batches(folder, shard, &batches, &count, &error);
    if (rc != GF_OK) {
        snapshot_pass_over(job, shard, 0, error.text);
    }
    for (uint32_t i = 0; i < count && taken == 0; i++) {
        if (batches[i] > 0 && batches[i] < lineage->batch) {
            if (gf_snapshot_restore(folder, shard, batches[i], path, &error) == GF_OK) {
                taken = batches[i];
            } else {
                snapshot_pass_over(job, shard, batches[i], error.text);
                gf_scratch_remove(path);
            }
        }
    }
    free(batches);
    if (taken > 0) {
        fprintf(stderr, "folding from the snapshot at batch %" PRId64 "\n", taken);
    }
    return taken;
}

static enum gf_rc
output_explain(struct job *job, const struct output *output, const char *scratch,
               struct explain_report *report, struct gf_arena *arena, char *text,
               struct gf_error *error)
{
    struct gf_decoded decoded = {0};
    enum gf_rc rc =
        gf_decode_record(gf_log_lookup(job->log), &output->record, arena, &decoded, error);
    if (rc == GF_OK && decoded.body == NULL) {
        rc = gf_fail(error, GF_E_BAD_DATA, "%s cannot be decoded: %s", output->name,
                     decoded.reason == NULL ? "it has no value" : decoded.reason);
    }
    if (rc != GF_OK) {
        return rc;
    }
    const struct gf_lineage *lineage =
        gf_lineage_of((enum gf_topic)output->record.topic, decoded.body);
    if (lineage == NULL || lineage->shard < 0 || (uint32_t)lineage->shard >= job->shard_count ||
        job->shards[lineage->shard] == NULL || lineage->batch < 1) {
        return gf_fail(error, GF_E_BAD_DATA,
                       "%s: its lineage names shard %d batch %lld, which cannot be: it was altered",
                       output->name, lineage == NULL ? -1 : lineage->shard,
                       lineage == NULL ? -1 : (long long)lineage->batch);
    }
    report->record = &output->record;
    report->body = decoded.body;
    report->job = job;
    report->shard = (uint32_t)lineage->shard;
    report->snapshot = snapshot_take(job, scratch, lineage);
    const struct gf_progress progress = {.show = job_progress, .context = job};
    const struct gf_explain explain = {.record = &output->record,
                                       .lineage = lineage,
                                       .text = text,
                                       .has_snapshot = report->snapshot > 0,
                                       .passed_over = snapshot_unfit,
                                       .progress = &progress,
                                       .show = explain_show,
                                       .context = report};
    rc = line_open(&report->line, gf_log_lookup(job->log), error);
    return rc == GF_OK ? gf_shard_explain(job->shards[lineage->shard], &explain, error) : rc;
}

static enum gf_rc
output_take(struct job *job, struct output *output, const char *scratch,
            struct explain_report *report, struct gf_error *error)
{
    enum gf_rc rc = output_find(job, output, error);
    void *memory = rc == GF_OK ? gf_memory_reserve(ARENA_SIZE) : NULL;
    char *text = rc == GF_OK ? malloc(2 * GF_EXPLAIN_TEXT_SIZE) : NULL;
    if (rc == GF_OK && (memory == NULL || text == NULL)) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    if (rc == GF_OK) {
        struct gf_arena arena = gf_arena_of(memory, ARENA_SIZE);
        rc = output_explain(job, output, scratch, report, &arena, text, error);
    }
    if (rc == GF_OK && report->rc != GF_OK) {
        rc = gf_fail(error, report->rc, "%s", gf_rc_text(report->rc));
    }
    if (rc == GF_OK && !report->is_same) {
        rc = gf_fail(error, GF_E_DIFFERENT,
                     "%s: the refold does not give the bytes that are on the log", output->name);
    }
    if (memory != NULL) {
        gf_memory_release(memory, ARENA_SIZE);
    }
    free(text);
    return rc;
}

static int
explain_start(const struct verb *verb, const struct job_flags *flags, const char *wanted_scratch,
              struct output *output, bool as_json)
{
    struct job job;
    struct gf_error error = {{0}};
    enum gf_rc rc = job_configure(verb, flags, &job);
    if (rc != GF_OK) {
        return gf_rc_exit_code(rc);
    }
    gf_signals_install();
    char scratch[GF_CONFIG_PATH_SIZE + 32];
    rc = gf_scratch_make(wanted_scratch, job.config->store, scratch, sizeof(scratch), &error);
    if (rc == GF_OK) {
        rc = job_open(&job, false, JOB_STORE_SCRATCH, scratch, false, &error);
    }
    struct explain_report report = {.as_json = as_json};
    if (rc == GF_OK) {
        rc = output_take(&job, output, scratch, &report, &error);
        gf_screen_end(&job.screen);
    }
    fflush(stdout);
    const int exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    if (rc == GF_E_DIFFERENT) {
        fprintf(stderr, "`gridfold replay --compare` says what was altered.\n");
    }
    line_close(&report.line);
    free(output->bytes);
    job_close(&job);
    gf_scratch_remove(scratch);
    return exit_code;
}

static int
explain_run(const struct verb *verb, int argc, char **argv)
{
    struct job_flags flags = {0};
    struct output output = {0};
    const char *scratch = NULL;
    bool as_json = false;
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &flags, &exit_code)) >= 0) {
        switch (option) {
        case OPTION_SCRATCH:
            scratch = optarg;
            break;
        case OPTION_JSON:
            as_json = true;
            break;
        }
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind + 1 != argc) {
        return verb_usage(verb, "one OUTPUT is needed: its record_id, or TOPIC/PARTITION/OFFSET");
    }
    output.name = argv[optind];
    output.has_id = id_parse(output.name, output.id);
    if (!output.has_id &&
        !position_parse(output.name, &output.topic, &output.partition, &output.offset)) {
        return verb_usage(verb,
                          "%s is neither an id (32 hex digits) nor TOPIC/PARTITION/OFFSET, as "
                          "tariff.adjustments/2/1041",
                          output.name);
    }
    if (!output.has_id && output.topic == GF_TOPIC_DEAD_LETTERS) {
        return verb_usage(verb, "a dead letter is shown by `gridfold dlq show %s`", output.name);
    }
    if (!output.has_id &&
        (output.topic < GF_TOPIC_READ_COUNT || output.topic == GF_TOPIC_JOURNAL)) {
        return verb_usage(verb, "%s is no output; `gridfold tap` shows records of any topic",
                          output.name);
    }
    return explain_start(verb, &flags, scratch, &output, as_json);
}

const struct verb verb_explain = {
    .name = "explain",
    .arguments = "-c CONFIG RECORD-ID|TOPIC/PARTITION/OFFSET",
    .doc =
        "Folds again to just before an output and shows what made it: inputs, features, rule and "
        "reasons; exit 1 when other bytes come out.",
    .examples = "  gridfold explain -c config/gridfold.yaml tariff.adjustments/3/41\n"
                "  gridfold explain -c my.yaml 026c02ca97bd9ad27427745ada4599e8 --json\n",
    .options = explain_options,
    .run = explain_run,
};
