/* gridfold simulate: fills a log with a population that does not exist, and tells the truth about
 * it. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "codec/stage.h"
#include "config/zones.h"
#include "io/simulate.h"
#include "job.h"

#define DAY_S     86400
#define PATH_SIZE 4096

static const struct verb_option simulate_options[] = {
    {"to", 't', "LOG", "folder:PATH or kafka:HOST:PORT to fill; it must have no input yet"},
    {"config", 'c', "CONFIG",
     "configuration file: security and schemas of Kafka, or the log itself"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"customers", 'n', "N", "how many customers"},
    {"days", 'd', "D", "how many local days"},
    {"seed", 's', "S", "the same seed gives the same bytes (1)"},
    {"start", 0, "DATE", "first day (2024-01-01)"},
    {"interval", 0, "15m|30m|1h|1d", "length of a reading (30m)"},
    {"partitions", 0, "P", "partitions of a new folder log (4); others must have as many"},
    {"zone", 0, "ZONE", "time zone (Europe/Berlin)"},
    {"theft-rate", 0, "SHARE", "share of the customers that steal, some day (0.02)"},
    {"arrears-rate", 0, "SHARE", "share of the customers that pay badly, some day (0.06)"},
    {"register", 0, "daily|none", "register stands (daily)"},
    {"areas", 0, NULL, "totals of the areas' transformers too, for stages.area"},
    {"headend", 0, "SHARE",
     "share of the customers whose readings come by meter, for stages.intake (0)"},
    {"truth", 0, "FILE",
     "what was injected, as NDJSON (truth.ndjson in the log's folder, of Kafka here)"},
    {"plain", 0, NULL, "readings alone, without faults: for benchmarks"},
    {"contracts", 0, NULL, "with --plain: contracts, tariffs, prices and supply too"},
    {"no-sync", 0, NULL, "of a folder: leave it to the system when bytes reach the disk"},
    {"json", 0, NULL, "summary as JSON"},
    {NULL, 0, NULL, NULL},
};

enum {
    OPTION_TO,
    OPTION_CONFIG,
    OPTION_SET,
    OPTION_CUSTOMERS,
    OPTION_DAYS,
    OPTION_SEED,
    OPTION_START,
    OPTION_INTERVAL,
    OPTION_PARTITIONS,
    OPTION_ZONE,
    OPTION_THEFT_RATE,
    OPTION_ARREARS_RATE,
    OPTION_REGISTER,
    OPTION_AREAS,
    OPTION_HEADEND,
    OPTION_TRUTH,
    OPTION_PLAIN,
    OPTION_CONTRACTS,
    OPTION_NO_SYNC,
    OPTION_JSON,
};

struct simulate {
    struct gf_simulate_options options;
    struct job_flags flags;
    struct job job;
    const char *log, *truth_path, *zone_name;
    bool no_sync, as_json;

    struct gf_clock *clock;
    struct gf_logger logger;
    struct gf_screen screen;
    struct gf_bar bar;
    int64_t expected; /* records, roughly */
    char truth_default[PATH_SIZE];
    struct gf_log_writer *writer;
};

/* ---- options ---- */

static bool
whole_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    *out = value;
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && value >= min &&
           value <= max;
}

static bool
date_parse(const char *text, int32_t *out)
{
    struct gf_time time;
    if (strlen(text) != 10 || gf_time_parse(text, 10, &time) != GF_OK) {
        return false;
    }
    *out = (int32_t)(time.us / GF_US_PER_DAY);
    return true;
}

static bool
rate_parse(const char *text, uint32_t *out)
{
    int64_t ppm = 0;
    if (gf_decimal_parse(text, strlen(text), 6, &ppm) != GF_OK || ppm < 0 || ppm > 1000000) {
        return false;
    }
    *out = (uint32_t)ppm;
    return true;
}

static bool
interval_parse(const char *text, uint32_t *out)
{
    static const struct {
        const char *text;
        uint32_t s;
    } intervals[] = {{"15m", 900}, {"30m", 1800}, {"1h", 3600}, {"1d", DAY_S}};
    for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
        if (strcmp(text, intervals[i].text) == 0) {
            *out = intervals[i].s;
            return true;
        }
    }
    return false;
}

/* What is expected of the value, when it is something else; NULL when it was understood. */
static const char *
option_take(struct simulate *simulate, int option, const char *value)
{
    struct gf_simulate_options *options = &simulate->options;
    uint64_t whole = 0;
    bool is_good = true;
    switch (option) {
    case OPTION_TO:
        simulate->log = value;
        break;
    case OPTION_ZONE:
        simulate->zone_name = value;
        break;
    case OPTION_TRUTH:
        simulate->truth_path = value;
        break;
    case OPTION_AREAS:
        options->with_areas = true;
        break;
    case OPTION_HEADEND:
        return rate_parse(value, &options->headend_ppm) ? NULL : "a share from 0 to 1";
    case OPTION_PLAIN:
        options->is_plain = true;
        break;
    case OPTION_CONTRACTS:
        options->with_contracts = true;
        break;
    case OPTION_NO_SYNC:
        simulate->no_sync = true;
        break;
    case OPTION_JSON:
        simulate->as_json = true;
        break;
    case OPTION_CUSTOMERS:
        is_good = whole_parse(value, 1, GF_SIMULATE_CUSTOMER_COUNT_MAX, &whole);
        options->customers = (uint32_t)whole;
        return is_good ? NULL : "a number from 1 to 99999999";
    case OPTION_DAYS:
        is_good = whole_parse(value, 1, GF_SIMULATE_DAY_COUNT_MAX, &whole);
        options->days = (uint32_t)whole;
        return is_good ? NULL : "a number from 1 to 7320";
    case OPTION_PARTITIONS:
        is_good = whole_parse(value, 1, 4096, &whole);
        options->partitions = (uint32_t)whole;
        return is_good ? NULL : "a number from 1 to 4096";
    case OPTION_SEED:
        return whole_parse(value, 0, UINT64_MAX, &options->seed) ? NULL : "a whole number";
    case OPTION_START:
        return date_parse(value, &options->start_day) ? NULL : "a date, as 2024-01-01";
    case OPTION_INTERVAL:
        return interval_parse(value, &options->interval_s) ? NULL : "15m, 30m, 1h or 1d";
    case OPTION_THEFT_RATE:
        return rate_parse(value, &options->theft_ppm) ? NULL : "a share from 0 to 1";
    case OPTION_ARREARS_RATE:
        return rate_parse(value, &options->arrears_ppm) ? NULL : "a share from 0 to 1";
    case OPTION_REGISTER:
        options->with_registers = strcmp(value, "daily") == 0;
        return options->with_registers || strcmp(value, "none") == 0 ? NULL : "daily or none";
    }
    return NULL;
}

/* ---- the run ---- */

static enum gf_rc
append(void *context, const struct gf_record *record, struct gf_error *error)
{
    return gf_log_writer_append(context, record, error);
}

static void
progress(void *context, const struct gf_simulate_summary *so_far)
{
    struct simulate *simulate = context;
    const int64_t done = (int64_t)so_far->record_count;
    /* What is to come is known roughly; it is not over before it is over. */
    gf_bar_show(&simulate->bar, "simulating",
                done < simulate->expected ? done : simulate->expected - 1, simulate->expected);
}

/* A log that has input already would get a second world on top of the first. */
static enum gf_rc
topic_check_empty(struct simulate *simulate, const char *log, enum gf_topic topic, uint32_t count,
                  struct gf_error *error)
{
    for (uint32_t partition = 0; partition < count; partition++) {
        int64_t next = 0;
        const enum gf_rc rc = gf_log_writer_next(simulate->writer, topic, partition, &next, error);
        if (rc != GF_OK) {
            return rc;
        }
        if (next > 0) {
            return gf_fail(error, GF_E_USAGE,
                           "%s: has records of %s already; take another folder or topic prefix, "
                           "or remove what is there",
                           log, gf_topics[topic].name);
        }
    }
    return GF_OK;
}

/* The stages for which there will be input. */
static uint32_t
stages_of(const struct gf_simulate_options *options)
{
    return GF_STAGES_CUSTOMER | (options->with_areas ? GF_STAGE_BIT(GF_STAGE_AREA) : 0) |
           (options->headend_ppm > 0 ? GF_STAGE_BIT(GF_STAGE_INTAKE) : 0);
}

/* What the log has is what the simulation fills: its topics, their partitions. */
static enum gf_rc
log_check(struct simulate *simulate, const char *log, struct gf_error *error)
{
    uint32_t *const partitions = &simulate->options.partitions;
    enum gf_rc rc =
        gf_log_writer_partitions(simulate->writer, GF_TOPIC_METER_READINGS, partitions, error);
    for (int topic = 0; rc == GF_OK && topic < GF_TOPIC_INPUT_COUNT; topic++) {
        uint32_t count = 0;
        if (!gf_stages_use(stages_of(&simulate->options), (enum gf_topic)topic)) {
            continue;
        }
        rc = gf_log_writer_partitions(simulate->writer, (enum gf_topic)topic, &count, error);
        if (rc == GF_OK && !gf_topics[topic].is_reference && count != *partitions) {
            rc = gf_fail(error, GF_E_CONFIG, "%s: %s has %u partitions, and %s has %u", log,
                         gf_topics[topic].name, count, gf_topics[GF_TOPIC_METER_READINGS].name,
                         *partitions);
        }
        if (rc == GF_OK) {
            rc = topic_check_empty(simulate, log, (enum gf_topic)topic, count, error);
        }
    }
    return rc;
}

static void
text_summary(const struct simulate *simulate, const struct gf_simulate_summary *summary,
             double seconds)
{
    char amount[GF_AMOUNT_TEXT_SIZE];
    printf("%u customers, %u days, seed %" PRIu64 ": %s", simulate->options.customers,
           summary->day_count, simulate->options.seed,
           gf_count_text((int64_t)summary->record_count, amount));
    printf(" records in %.1f s", seconds);
    printf(" (%s a second)\n\n",
           gf_count_text((int64_t)(summary->record_count / (seconds > 0 ? seconds : 1)), amount));
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        if (summary->records[topic] > 0) {
            printf("  %-20s %15s\n", gf_topics[topic].name,
                   gf_count_text((int64_t)summary->records[topic], amount));
        }
    }
    if (simulate->options.truth != NULL) {
        printf("\ntruth, in %s:\n", simulate->truth_path);
    }
    for (int fact = 0; fact < GF_FACT_COUNT; fact++) {
        if (summary->facts[fact] > 0) {
            printf("  %-20s %15s\n", gf_simulate_fact_name((enum gf_simulate_fact)fact),
                   gf_count_text((int64_t)summary->facts[fact], amount));
        }
    }
}

static void
json_summary(const struct simulate *simulate, const struct gf_simulate_summary *summary,
             double seconds)
{
    printf("{\"customers\":%u,\"days\":%u,\"seed\":%" PRIu64
           ",\"seconds\":%.3f,\"records\":%" PRIu64 ",\"topics\":{",
           simulate->options.customers, summary->day_count, simulate->options.seed, seconds,
           summary->record_count);
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        printf("%s\"%s\":%" PRIu64, topic > 0 ? "," : "", gf_topics[topic].name,
               summary->records[topic]);
    }
    printf("},\"truth\":{");
    for (int fact = 0; fact < GF_FACT_COUNT; fact++) {
        printf("%s\"%s\":%" PRIu64, fact > 0 ? "," : "",
               gf_simulate_fact_name((enum gf_simulate_fact)fact), summary->facts[fact]);
    }
    printf("}}\n");
}

static enum gf_rc
log_open(struct simulate *simulate, const char *log, struct gf_error *error)
{
    struct gf_log_writer_options options;
    enum gf_rc rc = job_writer_options(&simulate->job, &options, &simulate->job.properties);
    if (rc != GF_OK) {
        return gf_fail(error, rc, "%s", gf_rc_text(rc));
    }
    options.partitions = simulate->options.partitions;
    options.no_sync = simulate->no_sync;
    rc = gf_log_writer_open(log, &options, &simulate->writer, error);
    return rc == GF_OK ? log_check(simulate, log, error) : rc;
}

static enum gf_rc
simulate_into(struct simulate *simulate, const char *log, struct gf_simulate_summary *summary,
              struct gf_error *error)
{
    enum gf_rc rc = log_open(simulate, log, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (simulate->truth_path == NULL) {
        snprintf(simulate->truth_default, sizeof simulate->truth_default, "%s/truth.ndjson",
                 gf_log_writer_folder(simulate->writer));
        simulate->truth_path = simulate->truth_default;
    }
    if ((!simulate->options.is_plain || simulate->options.with_areas) &&
        (simulate->options.truth = fopen(simulate->truth_path, "we")) == NULL) {
        return gf_fail(error, GF_E_IO, "open %s: %s", simulate->truth_path, strerror(errno));
    }
    simulate->options.target =
        (struct gf_simulate_target){.context = simulate->writer, .append = append};
    const int64_t started = simulate->clock->monotonic_us(simulate->clock);
    rc = gf_simulate(&simulate->options, summary, error);
    if (rc == GF_OK) {
        struct gf_log_writer *const writer = simulate->writer;
        simulate->writer = NULL;
        rc = gf_log_writer_close(writer, error);
    }
    if (simulate->options.truth != NULL && fclose(simulate->options.truth) != 0 && rc == GF_OK) {
        rc = gf_fail(error, errno == ENOSPC ? GF_E_NO_SPACE : GF_E_IO, "write %s: %s",
                     simulate->truth_path, strerror(errno));
    }
    if (rc == GF_OK) {
        const double seconds =
            (double)(simulate->clock->monotonic_us(simulate->clock) - started) / 1e6;
        gf_bar_show(&simulate->bar, "simulating", (int64_t)summary->record_count,
                    (int64_t)summary->record_count);
        gf_screen_end(&simulate->screen);
        (simulate->as_json ? json_summary : text_summary)(simulate, summary, seconds);
    }
    return rc;
}

static void
screen_start(struct simulate *simulate)
{
    simulate->clock = gf_system_clock();
    const struct gf_text_sink sink = gf_text_sink_stderr();
    uint32_t width = 0;
    gf_screen_init(&simulate->screen, simulate->clock, sink, gf_screen_detect(&width));
    simulate->screen.width = width;
    simulate->logger = (struct gf_logger){.clock = simulate->clock,
                                          .sink = gf_screen_sink(&simulate->screen),
                                          .level = GF_LEVEL_INFO};
    simulate->screen.logger = &simulate->logger;
    gf_bar_init(&simulate->bar, &simulate->screen);
    const struct gf_simulate_options *options = &simulate->options;
    const int64_t slots = DAY_S / options->interval_s;
    /* One customer in eight or so sends its export too. */
    const int64_t a_day =
        slots + (options->is_plain ? 0 : slots / 8 + (options->with_registers ? 1 : 0));
    simulate->expected = (int64_t)options->customers * options->days * a_day;
    simulate->options.progress = progress;
    simulate->options.progress_context = simulate;
}

static int
simulate_start(const struct verb *verb, struct simulate *simulate)
{
    struct gf_error error = {{0}};
    struct gf_zones zones = {.items = NULL};
    enum gf_rc rc = gf_zones_load(NULL, &zones, &error);
    if (rc == GF_OK &&
        (simulate->options.zone = gf_zones_find(&zones, simulate->zone_name)) == NULL) {
        rc = gf_fail(&error, GF_E_USAGE, "--zone %s: no such time zone", simulate->zone_name);
    }
    if (rc == GF_OK) {
        struct gf_simulate_summary summary;
        const char *log = simulate->log != NULL ? simulate->log : simulate->job.config->log;
        screen_start(simulate);
        rc = simulate_into(simulate, log, &summary, &error);
        (void)gf_log_writer_close(simulate->writer, NULL); /* after an error; it has been told */
    }
    gf_zones_free(&zones);
    return rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
}

static int
simulate_run(const struct verb *verb, int argc, char **argv)
{
    struct simulate simulate = {
        .zone_name = "Europe/Berlin",
        .options = {.seed = 1,
                    .start_day = gf_days_from_date(2024, 1, 1),
                    .interval_s = 1800,
                    .theft_ppm = 20000,
                    .arrears_ppm = 60000,
                    .with_registers = true},
    };
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &simulate.flags, &exit_code)) >= 0) {
        const char *expected = option_take(&simulate, option, optarg);
        if (expected != NULL) {
            return verb_usage(verb, "--%s %s: expected %s", simulate_options[option].name, optarg,
                              expected);
        }
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind < argc) {
        return verb_usage(verb, "unexpected argument %s", argv[optind]);
    }
    if ((simulate.log == NULL && simulate.flags.config == NULL) ||
        simulate.options.customers == 0 || simulate.options.days == 0) {
        return verb_usage(verb, "--to, --customers and --days are needed");
    }
    const enum gf_rc rc = job_configure_log(verb, &simulate.flags, simulate.log, &simulate.job);
    exit_code = rc == GF_OK ? simulate_start(verb, &simulate) : gf_rc_exit_code(rc);
    job_close(&simulate.job);
    return exit_code;
}

const struct verb verb_simulate = {
    .name = "simulate",
    .arguments = "--to LOG --customers N --days D [--seed S]",
    .doc = "Fills a log with a simulated population: readings, faults, thefts, bills, payments, "
           "prices, and the truth.",
    .examples = "  gridfold simulate --to folder:/tmp/town --customers 1000 --days 90 --seed 7\n"
                "  gridfold simulate -c config/gridfold-kafka.yaml --customers 1000 --days 90\n"
                "  gridfold simulate --to folder:/tmp/big --customers 1000000 --days 1 --interval "
                "1h --plain\n"
                "  gridfold simulate --to folder:/tmp/grid --customers 300 --days 30 --areas "
                "--headend 0.5\n",
    .options = simulate_options,
    .run = simulate_run,
};
