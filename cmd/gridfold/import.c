/* gridfold import: files of rows into a log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/import.h"
#include "job.h"

#define REJECTS_SHOWN 10
#define MIB           1048576.0

enum import_option {
    OPT_MAPPING,
    OPT_TO,
    OPT_CONFIG,
    OPT_SET,
    OPT_REJECTS,
    OPT_STRICT,
    OPT_PARTITIONS,
    OPT_CODEC,
    OPT_MEMORY,
    OPT_JSON,
    OPT_QUIET,
};

static const struct verb_option options[] = {
    [OPT_MAPPING] = {"mapping", 'm', "MAPPING.yaml",
                     "what the columns mean; config/import/ has examples"},
    [OPT_TO] = {"to", 0, "LOG", "where the records go: folder:PATH or kafka:HOST:PORT"},
    [OPT_CONFIG] = {"config", 'c', "CONFIG",
                    "configuration file: security and schemas of Kafka, or the log itself"},
    [OPT_SET] = {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    [OPT_REJECTS] = {"rejects", 0, "FILE",
                     "where rejected rows go; rejects.log in the log's folder, of Kafka here"},
    [OPT_STRICT] = {"strict", 0, NULL, "write nothing when a row is rejected (exit 65)"},
    [OPT_PARTITIONS] = {"partitions", 0, "N",
                        "partitions of a new folder log (4); others must have as many"},
    [OPT_CODEC] = {"codec", 0, "CODEC",
                   "of a folder's new files: null, deflate or zstandard; null"},
    [OPT_MEMORY] = {"memory", 0, "MIB", "memory of the sort; 256"},
    [OPT_JSON] = {"json", 0, NULL, "the summary as one JSON object"},
    [OPT_QUIET] = {"quiet", 'q', NULL, "no progress"},
    {NULL, 0, NULL, NULL},
};

struct arguments {
    struct job_flags flags;
    const char *mapping, *to, *rejects;
    bool is_strict, is_json, is_quiet;
    unsigned long partitions, memory;
    enum gf_folder_codec codec;
};

/* What the callbacks know. */
struct screen {
    bool is_terminal, is_quiet, has_line;
    double started_s, told_s;
    uint64_t rejects;
};

static double
clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void
line_end(struct screen *screen)
{
    if (screen->has_line) {
        fputs("\r\033[K", stderr);
        screen->has_line = false;
    }
}

/* On a terminal one line that changes, four times a second; else a line each ten seconds. */
static void
progress_show(void *context, const struct gf_import_progress *progress)
{
    struct screen *const screen = context;
    const double now_s = clock_s(), spent_s = now_s - screen->started_s;
    if (screen->is_quiet || now_s - screen->told_s < (screen->is_terminal ? 0.25 : 10)) {
        return;
    }
    screen->told_s = now_s;
    char rest[64] = "";
    const bool is_reading = progress->phase == GF_IMPORT_READING;
    const uint64_t done = is_reading ? progress->bytes_done : progress->written;
    const uint64_t total = is_reading ? progress->bytes_total : progress->records;
    if (total > 0 && done > 0 && done <= total) {
        const double share = (double)done / (double)total;
        snprintf(rest, sizeof rest, "  %3.0f %%", 100 * share);
        if (is_reading && share > 0.01) {
            snprintf(rest, sizeof rest, "  %3.0f %%  %.0f s left to read", 100 * share,
                     spent_s / share - spent_s);
        }
    }
    line_end(screen);
    if (is_reading) {
        fprintf(stderr, "read %llu rows  %.0f/s%s", (unsigned long long)progress->rows,
                (double)progress->rows / spent_s, rest);
    } else {
        fprintf(stderr, "written %llu of %llu records%s", (unsigned long long)progress->written,
                (unsigned long long)progress->records, rest);
    }
    fputs(screen->is_terminal ? "" : "\n", stderr);
    screen->has_line = screen->is_terminal;
}

static void
reject_show(void *context, const char *file, uint64_t line, const char *reason)
{
    struct screen *const screen = context;
    if (++screen->rejects <= REJECTS_SHOWN) {
        line_end(screen);
        fprintf(stderr, "%s:%llu: %s\n", file, (unsigned long long)line, reason);
    } else if (screen->rejects == REJECTS_SHOWN + 1) {
        line_end(screen);
        fprintf(stderr, "more rejects are in the reject file\n");
    }
}

static void
warn_show(void *context, const char *text)
{
    line_end(context);
    fprintf(stderr, "warning: %s\n", text);
}

static void
count_print_json(const struct gf_import_count *count)
{
    printf("\"rows\":%llu,\"records\":%llu,\"filtered\":%llu,\"repeated\":%llu,\"rejected\":%llu",
           (unsigned long long)count->rows, (unsigned long long)count->records,
           (unsigned long long)count->filtered, (unsigned long long)count->repeated,
           (unsigned long long)count->rejected);
}

static void
summary_print_json(const struct gf_import_summary *summary, double spent_s)
{
    char first[GF_TIME_TEXT_SIZE], last[GF_TIME_TEXT_SIZE];
    gf_time_print(summary->first, first);
    gf_time_print(summary->last, last);
    printf("{\"files\":%llu,\"lines\":%llu,\"bytes\":%llu,", (unsigned long long)summary->files,
           (unsigned long long)summary->lines, (unsigned long long)summary->bytes);
    count_print_json(&summary->all);
    if (summary->all.records > 0) {
        printf(",\"first\":\"%s\",\"last\":\"%s\"", first, last);
    }
    printf(",\"written\":%s,\"seconds\":%.3f,\"topics\":{", summary->is_written ? "true" : "false",
           spent_s);
    bool has_one = false;
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        if (summary->topics[topic].rows > 0) {
            printf("%s\"%s\":{", has_one ? "," : "", gf_topics[topic].name);
            count_print_json(&summary->topics[topic]);
            printf("}");
            has_one = true;
        }
    }
    printf("}}\n");
}

static void
count_print(const char *name, const struct gf_import_count *count)
{
    printf("%-20s %12llu %12llu %12llu %12llu", name, (unsigned long long)count->rows,
           (unsigned long long)count->records, (unsigned long long)count->filtered,
           (unsigned long long)count->rejected);
    if (count->repeated > 0) {
        printf("   (%llu of the filtered: key seen before)", (unsigned long long)count->repeated);
    }
    printf("\n");
}

static void
summary_print(const struct gf_import_summary *summary, double spent_s)
{
    char first[GF_TIME_TEXT_SIZE], last[GF_TIME_TEXT_SIZE];
    int topics = 0;
    printf("%-20s %12s %12s %12s %12s\n", "topic", "rows in", "= records", "+ filtered",
           "+ rejected");
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        if (summary->topics[topic].rows > 0) {
            count_print(gf_topics[topic].name, &summary->topics[topic]);
            topics++;
        }
    }
    if (topics > 1) {
        count_print("all", &summary->all);
    }
    printf("%llu lines of %llu file%s, %.1f MiB, in %.1f s: %.0f lines/s",
           (unsigned long long)summary->lines, (unsigned long long)summary->files,
           summary->files == 1 ? "" : "s", (double)summary->bytes / MIB, spent_s,
           (double)summary->lines / (spent_s > 0 ? spent_s : 1));
    if (summary->all.records > 0) {
        gf_time_print(summary->first, first);
        gf_time_print(summary->last, last);
        printf("; event times %s to %s", first, last);
    }
    printf("\n");
    if (summary->all.rejected > 0) {
        printf("rejected rows, with line and reason: %s\n", summary->rejects);
    }
}

/* ---- arguments ---- */

static bool
number_parse(const char *text, unsigned long max, unsigned long *out)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > max) {
        return false;
    }
    *out = value;
    return true;
}

static int
codec_parse(const struct verb *verb, const char *text, enum gf_folder_codec *out)
{
    static const char *const names[] = {[GF_FOLDER_CODEC_NULL] = "null",
                                        [GF_FOLDER_CODEC_DEFLATE] = "deflate",
                                        [GF_FOLDER_CODEC_ZSTANDARD] = "zstandard"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum gf_folder_codec)i;
            return 0;
        }
    }
    return verb_usage(verb, "--codec is null, deflate or zstandard, not %s", text);
}

/* 0, or the exit code. */
static int
option_take(const struct verb *verb, int option, struct arguments *arguments)
{
    switch ((enum import_option)option) {
    case OPT_CONFIG:
    case OPT_SET:
        break; /* job_next_option keeps these */
    case OPT_MAPPING:
        arguments->mapping = optarg;
        break;
    case OPT_TO:
        arguments->to = optarg;
        break;
    case OPT_REJECTS:
        arguments->rejects = optarg;
        break;
    case OPT_STRICT:
        arguments->is_strict = true;
        break;
    case OPT_PARTITIONS:
        return number_parse(optarg, 256, &arguments->partitions)
                   ? 0
                   : verb_usage(verb, "--partitions is a number from 1 to 256");
    case OPT_CODEC:
        return codec_parse(verb, optarg, &arguments->codec);
    case OPT_MEMORY:
        return number_parse(optarg, 1048576, &arguments->memory)
                   ? 0
                   : verb_usage(verb, "--memory is a number of MiB");
    case OPT_JSON:
        arguments->is_json = true;
        break;
    case OPT_QUIET:
        arguments->is_quiet = true;
        break;
    }
    return 0;
}

/* What is wrong with a mapping is printed here. */
static enum gf_rc
mapping_load(const struct verb *verb, const char *path, struct gf_import_mapping *mapping)
{
    struct gf_error error = {.text = ""};
    struct gf_complaints *const complaints = calloc(1, sizeof *complaints);
    if (complaints == NULL) {
        verb_fail(verb, GF_E_NO_MEMORY, &error);
        return GF_E_NO_MEMORY;
    }
    const enum gf_rc rc = gf_import_mapping_load(path, mapping, complaints, &error);
    if (rc != GF_OK && complaints->count > 0) {
        gf_complaints_print(complaints, stderr);
    } else if (rc != GF_OK) {
        verb_fail(verb, rc, &error);
    }
    free(complaints);
    return rc;
}

static int
import_do(const struct verb *verb, const struct arguments *arguments, struct job *job,
          const struct gf_import_mapping *mapping, const char *const *files, uint32_t file_count)
{
    struct screen screen = {.is_terminal = isatty(STDERR_FILENO), .is_quiet = arguments->is_quiet};
    screen.started_s = screen.told_s = clock_s();
    struct gf_import_options import = {
        .mapping = mapping,
        .to = arguments->to != NULL ? arguments->to : job->config->log,
        .files = files,
        .file_count = file_count,
        .rejects = arguments->rejects,
        .sort_memory = (uint64_t)arguments->memory << 20,
        .is_strict = arguments->is_strict,
        .context = &screen,
        .progress = progress_show,
        .reject = reject_show,
        .warn = warn_show,
    };
    struct gf_error error = {.text = ""};
    enum gf_rc rc = job_writer_options(job, &import.log, &job->properties);
    if (rc != GF_OK) {
        return verb_fail(verb, rc, &error);
    }
    import.log.partitions = (uint32_t)arguments->partitions;
    import.log.codec = arguments->codec;
    struct gf_import_summary summary;
    rc = gf_import_run(&import, &summary, &error);
    line_end(&screen);
    if (summary.lines > 0 && arguments->is_json) {
        summary_print_json(&summary, clock_s() - screen.started_s);
    } else if (summary.lines > 0) {
        summary_print(&summary, clock_s() - screen.started_s);
    }
    fflush(stdout);
    return rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
}

static int
import_start(const struct verb *verb, const struct arguments *arguments, const char *const *files,
             uint32_t file_count)
{
    struct job job = {.config = NULL};
    struct gf_import_mapping mapping = {.memory = NULL};
    enum gf_rc rc = job_configure_log(verb, &arguments->flags, arguments->to, &job);
    if (rc == GF_OK) {
        rc = mapping_load(verb, arguments->mapping, &mapping);
    }
    const int exit_code = rc == GF_OK
                              ? import_do(verb, arguments, &job, &mapping, files, file_count)
                              : gf_rc_exit_code(rc);
    if (rc == GF_OK) {
        gf_import_mapping_free(&mapping);
    }
    job_close(&job);
    return exit_code;
}

static int
import_run(const struct verb *verb, int argc, char **argv)
{
    struct arguments arguments = {.codec = GF_FOLDER_CODEC_NULL};
    int exit_code = 0, option = 0;
    while ((option = job_next_option(verb, argc, argv, &arguments.flags, &exit_code)) != -1) {
        if (option == -2) {
            return exit_code;
        }
        if ((exit_code = option_take(verb, option, &arguments)) != 0) {
            return exit_code;
        }
    }
    if (arguments.mapping == NULL) {
        return verb_usage(verb, "-m MAPPING.yaml is missing");
    }
    if (arguments.to == NULL && arguments.flags.config == NULL) {
        return verb_usage(verb, "--to LOG is missing");
    }
    if (optind >= argc) {
        return verb_usage(verb, "no FILE; - is the standard input");
    }
    return import_start(verb, &arguments, (const char *const *)argv + optind,
                        (uint32_t)(argc - optind));
}

const struct verb verb_import = {
    .name = "import",
    .arguments = "-m MAPPING.yaml --to LOG FILE...",
    .doc = "CSV or NDJSON files (plain, gzip or zstd) into a log, by a mapping of their columns.",
    .examples = "  gridfold import -m config/import/lcl-daily.yaml --to folder:log daily.csv.zst\n"
                "  zcat prices.csv.gz | gridfold import -m prices.yaml --to kafka:localhost:9092 "
                "--strict -\n",
    .options = options,
    .run = import_run,
};
