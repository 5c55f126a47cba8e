#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "config/config.h"
#include "config/tree.h"
#include "config_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define HEAD "version: 1\nlog: folder:log\n"

static void
test_the_shortest_file(void **state)
{
    (void)state;
    struct gf_config *const config = config_good("version: 1\nlog: folder:data/log/\n", NULL, 0);
    assert_string_equal(config->log, "folder:etc/data/log/");
    assert_int_equal(config->log_kind, GF_CONFIG_LOG_FOLDER);
    assert_string_equal(config->log_rest, "etc/data/log/");
    assert_string_equal(config->store, "etc/data/log.state");
    assert_int_equal(config->order, GF_CONFIG_ORDER_CANONICAL);
    assert_int_equal(config->start_kind, GF_CONFIG_START_EARLIEST);
    assert_int_equal(config->batch_records, 4096);
    assert_int_equal(config->partitions, 4);
    assert_true(config->check_partition);
    assert_int_equal(config->commit.interval.us, 100000);
    assert_int_equal(config->commit.batches, 16);
    assert_int_equal(config->sweep.records, 1000000);
    assert_int_equal(config->state.customers_max, 262144);
    assert_int_equal(config->state.block_cache, 64 << 20);
    assert_int_equal(config->time.lateness.us, 15 * GF_US_PER_MINUTE);
    assert_int_equal(config->time.idle_advance.us, 0);
    assert_string_equal(config->time.default_zone, "UTC");
    assert_string_equal(config->features.default_zone, "UTC");
    assert_string_equal(config->kafka.transactional_id, "gridfold-1");
    assert_int_equal(config->registry_kind, GF_CONFIG_REGISTRY_BUILTIN);
    assert_int_equal(config->status.interval.us, GF_US_PER_S);
    for (uint32_t index = 0; index < gf_operator_count; index++) {
        assert_int_equal(config->operator_enabled[index],
                         gf_operators[index]->stage == GF_STAGE_CUSTOMER);
    }
    gf_config_free(config);
}

static void
test_a_kafka_file(void **state)
{
    (void)state;
    setenv("GF_TEST_PASSWORD", "s3cret", 1);
    struct gf_config *const config = config_good(
        "version: 1\nlog: kafka:a:9092,[::1]:9093\nstore: /var/state\nstart: 2026-01-01T00:00:00Z\n"
        "kafka:\n  properties:\n    security.protocol: SASL_SSL\n    sasl.password: "
        "${GF_TEST_PASSWORD}\n"
        "schemas:\n  registry: https://registry:8081\n  register: false\n"
        "time:\n  default_zone: Europe/Berlin\n",
        NULL, 0);
    assert_int_equal(config->log_kind, GF_CONFIG_LOG_KAFKA);
    assert_string_equal(config->log_rest, "a:9092,[::1]:9093");
    assert_string_equal(config->store, "/var/state");
    assert_int_equal(config->order, GF_CONFIG_ORDER_ARRIVAL);
    assert_int_equal(config->start_kind, GF_CONFIG_START_TIME);
    assert_int_equal(config->start_time.us, INT64_C(1767225600) * GF_US_PER_S);
    assert_int_equal(config->kafka.properties.count, 2);
    assert_string_equal(config->kafka.properties.items[1].key, "sasl.password");
    assert_string_equal(config->kafka.properties.items[1].value, "s3cret");
    assert_int_equal(config->registry_kind, GF_CONFIG_REGISTRY_HTTP);
    assert_string_equal(config->registry_rest, "https://registry:8081");
    assert_string_equal(config->features.default_zone, "Europe/Berlin");

    char *text = NULL;
    size_t size = 0;
    FILE *const file = open_memstream(&text, &size);
    assert_non_null(file);
    gf_config_print(config, file);
    fclose(file);
    assert_non_null(strstr(text, "store: /var/state  # etc/f.yaml:3\n"));
    assert_non_null(strstr(text, "batch_records: 4096  # default\n"));
    assert_null(strstr(text, "s3cret"));
    free(text);
    gf_config_free(config);
}

static void
test_overrides_win(void **state)
{
    (void)state;
    static const char *const overrides[] = {
        "log=folder:here",
        "time.lateness=1h",
        "operators.fraud.enabled=false",
        "kafka.properties.sasl.mechanism=PLAIN",
        "logging={level: error}",
        "store=",
    };
    struct gf_config *const config = config_good(
        "version: 1\nlog: folder:there\ntime:\n  lateness: 5m\nlogging:\n  format: json\n",
        overrides, COUNT(overrides));
    assert_string_equal(config->log, "folder:here"); /* relative to the current folder */
    assert_string_equal(config->store, "here.state");
    assert_int_equal(config->time.lateness.us, GF_US_PER_HOUR);
    assert_int_equal(config->logging.level, GF_CONFIG_LEVEL_ERROR);
    assert_int_equal(config->logging.format, GF_CONFIG_FORMAT_JSON);
    assert_string_equal(config->kafka.properties.items[0].key, "sasl.mechanism");
    for (uint32_t index = 0; index < gf_operator_count; index++) {
        assert_int_equal(config->operator_enabled[index],
                         strcmp(gf_operators[index]->name, "fraud") != 0 &&
                             gf_operators[index]->stage == GF_STAGE_CUSTOMER);
    }
    gf_config_free(config);
}

/* ---- the effective text ---- */

static void
fold_equal(const struct gf_config *a, const struct gf_config *b)
{
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->check_partition, b->check_partition);
    assert_int_equal(a->partitions, b->partitions);
    assert_int_equal(a->time.lateness.us, b->time.lateness.us);
    assert_string_equal(a->time.default_zone, b->time.default_zone);
    assert_memory_equal(&a->features, &b->features, sizeof(a->features));
    for (uint32_t index = 0; index < gf_operator_count; index++) {
        assert_int_equal(a->operator_enabled[index], b->operator_enabled[index]);
        assert_memory_equal(a->operator_params[index], b->operator_params[index],
                            gf_operators[index]->params_size);
    }
}

static void
value_draw(struct gf_random *random, const struct gf_param *row, char *base)
{
    const bool is_limited = row->min != 0 || row->max != 0;
    const double unit = gf_random_next_unit(random);
    const double value = is_limited ? row->min + unit * (row->max - row->min) : (unit - 0.5) * 1e6;
    char *const field = base + row->offset;
    switch (row->type) {
    case GF_PARAM_BOOL:
        *(bool *)field = unit < 0.5;
        break;
    case GF_PARAM_REAL:
        *(double *)(void *)field = value;
        break;
    case GF_PARAM_INT:
    case GF_PARAM_SIZE:
        *(int64_t *)(void *)field = (int64_t)value;
        break;
    case GF_PARAM_DURATION:
    case GF_PARAM_MONEY:
    case GF_PARAM_ENERGY:
        *(int64_t *)(void *)field = (int64_t)(value * 1e6);
        break;
    case GF_PARAM_PRICE:
        *(int64_t *)(void *)field = (int64_t)(value * 1e8);
        break;
    case GF_PARAM_CHOICE: {
        int32_t count = 0;
        while (row->choices[count] != NULL) {
            count++;
        }
        *(int32_t *)(void *)field = (int32_t)(unit * count);
        break;
    }
    case GF_PARAM_TEXT:
        memset(field, 0, row->size);
        snprintf(field, row->size, "t%d: \"x\"", (int)(unit * 1000));
        break;
    case GF_PARAM_TABLE: {
        const uint32_t count = (uint32_t)(unit * (row->rows_max + 1));
        memset(field, 0, (size_t)row->size * row->rows_max);
        for (uint32_t index = 0; index < count; index++) {
            for (uint32_t column = 0; column < row->row_param_count; column++) {
                value_draw(random, &row->rows[column], field + (size_t)row->size * index);
            }
        }
        *(uint32_t *)(void *)(base + row->count_offset) = count;
        break;
    }
    }
}

/* Rows of every operator and of the features, whatever they are today. */
static void
test_effective_text_round_trips(void **state)
{
    (void)state;
    const uint64_t seed = 20160102;
    print_message("seed %" PRIu64 "\n", seed);
    struct gf_random random = {.seed = seed};
    static char text[GF_CONFIG_EFFECTIVE_SIZE], again[GF_CONFIG_EFFECTIVE_SIZE];
    for (int round = 0; round < 200; round++) {
        struct gf_config *const config = config_good(HEAD, NULL, 0);
        for (uint32_t index = 0; index < gf_operator_count; index++) {
            const struct gf_section *const section = &config->tree->operators[index];
            for (uint32_t row = 0; row < section->row_count; row++) {
                value_draw(&random, &section->rows[row], section->base);
            }
            config->operator_enabled[index] =
                gf_operators[index]->stage == GF_STAGE_CUSTOMER && /* the others are off */
                *((const bool *)config->operator_params[index] + gf_operators[index]->params_size);
        }
        const struct gf_section *const features = gf_config_section(config, "features");
        for (uint32_t row = 0; row < features->row_count; row++) {
            value_draw(&random, &features->rows[row], features->base);
        }
        config->partitions = 1 + (int64_t)(gf_random_next(&random) % 1024);
        const size_t size = gf_config_effective(config, text, sizeof(text));
        assert_true(size < sizeof(text));
        assert_int_equal(size, strlen(text));
        struct gf_config *copy = NULL;
        struct gf_error error = {.text = ""};
        if (gf_config_from_effective(text, size, &copy, &error) != GF_OK) {
            fail_msg("%s\n%s", error.text, text);
        }
        fold_equal(config, copy);
        gf_config_effective(copy, again, sizeof(again));
        assert_string_equal(text, again);
        gf_config_free(copy);
        gf_config_free(config);
    }
}

static void
test_only_the_fold_is_in_the_hash(void **state)
{
    (void)state;
    static const struct {
        const char *override;
        bool is_fold;
    } cases[] = {
        {"logging.level=error", false},
        {"log=folder:elsewhere", false},
        {"commit.interval=1s", false},
        {"kafka.group=other", false},
        {"batch_records=100", false},
        {"time.idle_advance=10m", false},
        {"time.lateness=900s", false}, /* the same, written otherwise */
        {"time.lateness=16m", true},
        {"time.default_zone=Europe/Berlin", true},
        {"check_partition=false", true},
        {"partitions=8", true},
        {"operators.fraud.enabled=false", true},
        {"operators.fraud.score_high=0.81", true},
        {"features.profile_alpha=0.06", true},
    };
    static char base[GF_CONFIG_EFFECTIVE_SIZE], other[GF_CONFIG_EFFECTIVE_SIZE];
    struct gf_config *config = config_good(HEAD, NULL, 0);
    const size_t base_size = gf_config_effective(config, base, sizeof(base));
    assert_int_equal(gf_config_effective(config, other, 10), base_size); /* as snprintf */
    assert_int_equal(strlen(other), 9);
    gf_config_free(config);
    for (size_t index = 0; index < COUNT(cases); index++) {
        config = config_good(HEAD, &cases[index].override, 1);
        const size_t size = gf_config_effective(config, other, sizeof(other));
        const bool is_other = gf_config_hash(base, base_size) != gf_config_hash(other, size);
        if (is_other != cases[index].is_fold) {
            fail_msg("%s", cases[index].override);
        }
        gf_config_free(config);
    }
}

static void
test_a_foreign_effective_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "version: 1\n",
        "version: 1\noperators:\n  gone:\n    enabled: true\n",
        "version: 1\nlog: [\n",
    };
    struct gf_error error;
    for (size_t index = 0; index < COUNT(texts); index++) {
        struct gf_config *config = NULL;
        const enum gf_rc rc =
            gf_config_from_effective(texts[index], strlen(texts[index]), &config, &error);
        /* What is not in it has its default: an older text without a new parameter is good. */
        assert_int_equal(rc, index == 1 ? GF_OK : GF_E_CONFIG);
        gf_config_free(config);
    }
}

static void
test_fold_gets_what_it_needs(void **state)
{
    (void)state;
    struct gf_error error = {.text = ""};
    struct gf_zones zones;
    assert_int_equal(gf_zones_load(NULL, &zones, &error), GF_OK);
    struct gf_config *const config =
        config_good(HEAD "time: {default_zone: Europe/Berlin, lateness: 20m}\n", NULL, 0);
    struct gf_fold_config fold;
    gf_config_fold(config, &zones, &fold);
    assert_ptr_equal(fold.features, &config->features);
    assert_string_equal(fold.default_zone->name, "Europe/Berlin");
    assert_int_equal(fold.lateness.us, 20 * GF_US_PER_MINUTE);
    assert_true(fold.check_partition);
    for (uint32_t index = 0; index < gf_operator_count; index++) {
        assert_int_equal(fold.operator_enabled[index],
                         gf_operators[index]->stage == GF_STAGE_CUSTOMER);
        assert_non_null(fold.operator_params[index]);
    }
    gf_config_free(config);
    gf_zones_free(&zones);
}

/* ---- what is shipped ---- */

static void
test_shipped_files_are_good(void **state)
{
    (void)state;
    static const char *const paths[] = {"config/gridfold.yaml", "config/gridfold-kafka.yaml"};
    for (size_t index = 0; index < COUNT(paths); index++) {
        complaints = (struct gf_complaints){.count = 0};
        struct gf_config *config = NULL;
        if (gf_config_load(paths[index], NULL, 0, &config, &complaints) != GF_OK) {
            fail_msg("%s", complaints_text());
        }
        assert_int_equal(config->log_kind, index == 0 ? GF_CONFIG_LOG_FOLDER : GF_CONFIG_LOG_KAFKA);
        assert_true(index != 0 || strcmp(config->log, "folder:config/../demo-out/log") == 0);
        gf_config_free(config);
    }
}

/* With GF_UPDATE_DOCS set, the page is written instead of compared. */
static void
test_docs_are_printed_from_the_rows(void **state)
{
    (void)state;
    static const char path[] = "docs/configuration.md";
    char *wanted = NULL;
    size_t size = 0;
    FILE *const memory = open_memstream(&wanted, &size);
    assert_non_null(memory);
    gf_config_print_docs(memory);
    fclose(memory);
    if (getenv("GF_UPDATE_DOCS") != NULL) {
        FILE *const file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(wanted, 1, size, file), size);
        fclose(file);
    }
    char *const there = calloc(1, size + 2);
    assert_non_null(there);
    FILE *const file = fopen(path, "r");
    assert_non_null(file);
    const size_t there_size = fread(there, 1, size + 1, file);
    fclose(file);
    if (there_size != size || memcmp(there, wanted, size) != 0) {
        fail_msg("%s is not what the program prints; run this test with GF_UPDATE_DOCS=1", path);
    }
    for (uint32_t index = 0; index < gf_operator_count; index++) {
        for (uint32_t row = 0; row < gf_operators[index]->param_count; row++) {
            char cell[128];
            snprintf(cell, sizeof(cell), "| `%s` |", gf_operators[index]->params[row].name);
            assert_non_null(strstr(wanted, cell));
        }
    }
    free(there);
    free(wanted);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_shortest_file),
        cmocka_unit_test(test_a_kafka_file),
        cmocka_unit_test(test_overrides_win),
        cmocka_unit_test(test_effective_text_round_trips),
        cmocka_unit_test(test_only_the_fold_is_in_the_hash),
        cmocka_unit_test(test_a_foreign_effective_text_is_refused),
        cmocka_unit_test(test_fold_gets_what_it_needs),
        cmocka_unit_test(test_shipped_files_are_good),
        cmocka_unit_test(test_docs_are_printed_from_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
