/* JSON of records: always JSON, always inside its buffer, and what a person needs to see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/unit.h"
#include "codec/json.h"
#include "codec/records.h"
#include "codec_random.h"

#define SEED 11

static uint8_t made_memory[1 << 17];
static char text[1 << 18];

static const struct gf_type *const reading_type = &gf_meter_reading_type;

static struct gf_meter_reading
reading_example(void)
{
    static const struct gf_phase phase = {
        .voltage_v = 230.1, .current_a = 1e300 * 1e10, .power_factor = -0.5};
    return (struct gf_meter_reading){
        .meter_id = gf_span_text("M \"1\"\\\n\xc3\xa9"),
        .obis = gf_span_of("a\xff"
                           "b\xe4\xb8",
                           5),
        .kind = GF_READING_KIND_INTERVAL,
        .interval_start = {INT64_C(1451606400000000)},
        .interval_s = 900,
        .energy_micro_kwh = {-1250000},
        .quality = 99,
        .source = GF_READING_SOURCE_UNKNOWN,
        .phases = {.items = &phase, .count = 1},
    };
}

static void
test_raw(void **state)
{
    (void)state;
    const struct gf_meter_reading reading = reading_example();
    const char *const wanted =
        "{\"meter_id\":\"M "
        "\\\"1\\\"\\\\\\u000a\xc3\xa9\",\"obis\":\"a\\ufffdb\\ufffd\\ufffd\",\"kind\":\"INTERVAL\","
        "\"interval_start\":\"2016-01-01T00:00:00Z\",\"interval_s\":900,\"energy_micro_kwh\":-"
        "1250000,"
        "\"quality\":99,"
        "\"status_bits\":0,\"source\":\"UNKNOWN\",\"phases\":[{\"voltage_v\":230.1,\"current_a\":"
        "null,"
        "\"power_factor\":-0.5}]}";
    assert_int_equal(gf_json_print(reading_type, &reading, text, sizeof text), strlen(wanted));
    assert_string_equal(text, wanted);
}

static void
test_human(void **state)
{
    (void)state;
    const struct gf_meter_reading reading = reading_example();
    (void)gf_json_print_human(reading_type, &reading, text, sizeof text);
    assert_non_null(strstr(text, "\"interval_s\":\"900 s\",\"energy_micro_kwh\":\"-1.25 kWh\""));
    assert_non_null(
        strstr(text, "\"voltage_v\":\"230.1 V\",\"current_a\":null,\"power_factor\":-0.5"));
    const struct gf_invoice invoice = {.amount_micro = {120000000},
                                       .currency = gf_span_text("EUR")};
    (void)gf_json_print_human(&gf_invoice_type, &invoice, text, sizeof text);
    assert_non_null(strstr(text, "\"amount_micro\":\"120.00\",\"currency\":\"EUR\""));
    assert_non_null(strstr(text, "\"corrects\":null"));
    const struct gf_market_price price = {.price_e8_per_kwh = {12500000}};
    (void)gf_json_print_human(&gf_market_price_type, &price, text, sizeof text);
    assert_non_null(strstr(text, "\"price_e8_per_kwh\":\"0.125 per kWh\""));
}

static void
test_times_and_bytes(void **state)
{
    (void)state;
    struct gf_journal journal = {.shard_time = GF_TIME_NONE, .effects_digest = {0x01, 0xab}};
    journal.has_advance_to = true;
    journal.advance_to = (struct gf_time){INT64_MAX};
    journal.has_config = true;
    journal.config.body = gf_span_of("\x00\xff", 2);
    (void)gf_json_print(&gf_journal_type, &journal, text, sizeof text);
    assert_non_null(
        strstr(text, "\"shard_time\":null,\"advance_to\":9223372036854775807,\"inputs\":[]"));
    assert_non_null(strstr(text, "\"effects_digest\":\"01ab0000000000000000000000000000\""));
    assert_non_null(strstr(text, "\"claim\":null,\"config\":{\"body\":\"00ff\""));
}

static void
test_every_size_is_bounded(void **state)
{
    (void)state;
    const struct gf_meter_reading reading = reading_example();
    const size_t length = gf_json_print(reading_type, &reading, NULL, 0);
    (void)gf_json_print(reading_type, &reading, text, sizeof text);
    for (size_t size = 1; size <= length + 2; size++) {
        char *const cut = malloc(size);
        assert_non_null(cut);
        memset(cut, 'x', size);
        assert_int_equal(gf_json_print(reading_type, &reading, cut, size), length);
        const size_t written = strnlen(cut, size);
        assert_true(written < size);
        assert_memory_equal(cut, text, written);
        assert_int_not_equal((unsigned char)cut[written == 0 ? 0 : written - 1],
                             0xc3); /* no half of a character */
        assert_true(size <= length || written == length);
        free(cut);
    }
}

static void
test_random_records_are_json(void **state)
{
    (void)state;
    print_message("seed %d\n", SEED);
    for (int t = 0; t < GF_TOPIC_COUNT; t++) {
        struct gf_random random = {.seed = SEED, .stream = (uint64_t)t};
        for (int i = 0; i < 300; i++) {
            union gf_record_body body;
            struct gf_arena arena = gf_arena_of(made_memory, sizeof made_memory);
            const struct gf_type *const type = gf_topics[t].type;
            codec_random_fill(type, &random, &arena, &body);
            const size_t length = i % 2 == 0 ? gf_json_print(type, &body, text, sizeof text)
                                             : gf_json_print_human(type, &body, text, sizeof text);
            assert_true(length < sizeof text);
            json_error_t error;
            json_t *const json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
            assert_non_null(json);
            assert_int_equal(json_object_size(json), type->field_count);
            json_decref(json);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_human),
        cmocka_unit_test(test_times_and_bytes),
        cmocka_unit_test(test_every_size_is_bounded),
        cmocka_unit_test(test_random_records_are_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
