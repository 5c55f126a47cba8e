#include "bad_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <math.h>

#include "codec/records.h"

#define OVERSIZE ((UINT32_C(1) << 20) + 1)

struct gf_time
bad_noon(int64_t day)
{
    return (struct gf_time){LAB_WORLD_START.us + day * GF_US_PER_DAY + 12 * GF_US_PER_HOUR};
}

static struct place
bytes_add(struct lab *lab, const char *key, struct gf_span value)
{
    const uint32_t partition = lab_partition(lab, BAD_CUSTOMER);
    return (struct place){
        GF_TOPIC_METER_READINGS, partition,
        lab_add_bytes(lab, GF_TOPIC_METER_READINGS, partition, key, bad_noon(BAD_DAYS), value)};
}

/* The reading of an hour that is not yet there: alice's stop at noon of the last day. */
static struct gf_meter_reading
next_reading(void)
{
    return lab_reading(BAD_METER, bad_noon(BAD_DAYS - 1), 3600, 400000);
}

static struct place
reading_add(struct lab *lab, const struct gf_meter_reading *reading)
{
    const uint32_t partition = lab_partition(lab, BAD_CUSTOMER);
    const struct gf_time end = {reading->interval_start.us + reading->interval_s * GF_US_PER_S};
    return (struct place){GF_TOPIC_METER_READINGS, partition,
                          lab_add(lab, GF_TOPIC_METER_READINGS, BAD_CUSTOMER, end, reading)};
}

static uint32_t
next_bytes(uint8_t *out, size_t size)
{
    const struct gf_meter_reading reading = next_reading();
    return lab_encode(GF_TOPIC_METER_READINGS, &reading, out, size);
}

/* ---- bytes ---- */

static struct place
wrong_magic(struct lab *lab)
{
    uint8_t bytes[512];
    const uint32_t size = next_bytes(bytes, sizeof(bytes));
    bytes[0] = 1;
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of(bytes, size));
}

static struct place
unknown_schema(struct lab *lab)
{
    uint8_t bytes[512];
    const uint32_t size = next_bytes(bytes, sizeof(bytes));
    gf_frame_write(9999, bytes);
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of(bytes, size));
}

static struct place
truncated(struct lab *lab)
{
    uint8_t bytes[512];
    const uint32_t size = next_bytes(bytes, sizeof(bytes));
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of(bytes, size - 3));
}

static struct place
no_frame(struct lab *lab)
{
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of("\0\0", 2));
}

static struct place
no_bytes(struct lab *lab)
{
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of("", 0));
}

static struct place
trailing(struct lab *lab)
{
    uint8_t bytes[512] = {0};
    const uint32_t size = next_bytes(bytes, sizeof(bytes));
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of(bytes, size + 2));
}

static struct place
tombstone(struct lab *lab)
{
    return bytes_add(lab, BAD_CUSTOMER, (struct gf_span){0});
}

static struct place
oversize(struct lab *lab)
{
    uint8_t *bytes = calloc(1, OVERSIZE);
    assert_non_null(bytes);
    next_bytes(bytes, OVERSIZE);
    const struct place place = bytes_add(lab, BAD_CUSTOMER, gf_span_of(bytes, OVERSIZE));
    free(bytes);
    return place;
}

/* The array of phases is last: its end becomes the start of a block of 2^40 items. */
static struct place
array_bomb(struct lab *lab)
{
    uint8_t bytes[512];
    const uint32_t size = next_bytes(bytes, sizeof(bytes));
    struct gf_writer writer = gf_writer_of(bytes + size - 1, 16);
    gf_write_long(&writer, INT64_C(1) << 40);
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of(bytes, size - 1 + gf_writer_size(&writer)));
}

/* As many items as the bytes can hold: decoded, and then refused. */
static struct place
array_large(struct lab *lab)
{
    static struct gf_phase phases[20000];
    static uint8_t bytes[sizeof(phases) + 512];
    struct gf_meter_reading reading = next_reading();
    reading.phases.items = phases;
    reading.phases.count = sizeof(phases) / sizeof(phases[0]);
    const uint32_t size = lab_encode(GF_TOPIC_METER_READINGS, &reading, bytes, sizeof(bytes));
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of(bytes, size));
}

static struct place
reference_garbage(struct lab *lab)
{
    return (struct place){GF_TOPIC_MARKET_PRICES, 0,
                          lab_add_bytes(lab, GF_TOPIC_MARKET_PRICES, 0, "Z1", bad_noon(1),
                                        gf_span_of("\0\0\0\0\3ab", 7))};
}

/* ---- times ---- */

static struct place
far_future(struct lab *lab)
{
    uint8_t bytes[512];
    struct gf_meter_reading reading = next_reading();
    reading.interval_start = (struct gf_time){bad_noon(0).us + 30000 * GF_US_PER_DAY};
    const uint32_t size = lab_encode(GF_TOPIC_METER_READINGS, &reading, bytes, sizeof(bytes));
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of(bytes, size));
}

static struct place
no_time(struct lab *lab)
{
    struct gf_meter_reading reading = next_reading();
    reading.interval_start = (struct gf_time){GF_TIME_US_MAX};
    return reading_add(lab, &reading);
}

static struct place
odd_interval(struct lab *lab)
{
    struct gf_meter_reading reading = next_reading();
    reading.interval_s = 3601;
    return reading_add(lab, &reading);
}

static struct place
too_late(struct lab *lab)
{
    uint8_t bytes[512];
    struct gf_meter_reading reading = next_reading();
    reading.interval_start.us -= 5 * GF_US_PER_DAY;
    reading.energy_micro_kwh.micro_kwh = 1;
    const uint32_t size = lab_encode(GF_TOPIC_METER_READINGS, &reading, bytes, sizeof(bytes));
    return bytes_add(lab, BAD_CUSTOMER, gf_span_of(bytes, size));
}

/* ---- keys ---- */

static struct place
null_key(struct lab *lab)
{
    uint8_t bytes[512];
    const uint32_t size = next_bytes(bytes, sizeof(bytes));
    return bytes_add(lab, NULL, gf_span_of(bytes, size));
}

static struct place
long_key(struct lab *lab)
{
    uint8_t bytes[512];
    const uint32_t size = next_bytes(bytes, sizeof(bytes));
    return bytes_add(lab, "a-customer-whose-name-is-longer-than-40-b", gf_span_of(bytes, size));
}

static struct place
wrong_partition(struct lab *lab)
{
    uint8_t bytes[512];
    const uint32_t size = next_bytes(bytes, sizeof(bytes));
    const uint32_t partition = 1 - lab_partition(lab, BAD_CUSTOMER);
    return (struct place){GF_TOPIC_METER_READINGS, partition,
                          lab_add_bytes(lab, GF_TOPIC_METER_READINGS, partition, BAD_CUSTOMER,
                                        bad_noon(BAD_DAYS), gf_span_of(bytes, size))};
}

/* ---- fields ---- */

static struct place
not_a_number(struct lab *lab)
{
    const struct gf_phase phases[] = {
        {.voltage_v = 230, .current_a = 2, .power_factor = (double)NAN}};
    struct gf_meter_reading reading = next_reading();
    reading.phases.items = phases;
    reading.phases.count = 1;
    return reading_add(lab, &reading);
}

static struct place
negative_import(struct lab *lab)
{
    struct gf_meter_reading reading = next_reading();
    reading.energy_micro_kwh.micro_kwh = -1;
    return reading_add(lab, &reading);
}

static struct place
wrong_currency(struct lab *lab)
{
    lab_add_invoice(lab, BAD_CUSTOMER, "I-1", bad_noon(3), "USD");
    return (struct place){GF_TOPIC_BILLING_INVOICES, lab_partition(lab, BAD_CUSTOMER), 0};
}

static struct place
unknown_zone(struct lab *lab)
{
    const struct gf_customer_contract contract = {.contract_id = gf_span_text("bob"),
                                                  .version = 1,
                                                  .customer_class = GF_CUSTOMER_CLASS_RESIDENTIAL,
                                                  .tariff_id = gf_span_text("T1"),
                                                  .area_id = gf_span_text("A1"),
                                                  .zone = gf_span_text("Z1"),
                                                  .time_zone = gf_span_text("Europe/Atlantis"),
                                                  .currency = gf_span_text("EUR"),
                                                  .valid_from = bad_noon(1),
                                                  .issued_at = bad_noon(1)};
    return (struct place){GF_TOPIC_CUSTOMER_CONTRACTS, lab_partition(lab, "bob"),
                          lab_add(lab, GF_TOPIC_CUSTOMER_CONTRACTS, "bob", bad_noon(1), &contract)};
}

/* ---- findings: folded, and told ---- */

static struct place
nowhere(void)
{
    return (struct place){.offset = -1};
}

static struct place
same_again(struct lab *lab)
{
    struct gf_meter_reading reading = next_reading();
    reading_add(lab, &reading);
    reading_add(lab, &reading);
    return nowhere();
}

static struct place
other_value(struct lab *lab)
{
    struct gf_meter_reading reading = next_reading();
    reading_add(lab, &reading);
    reading.energy_micro_kwh.micro_kwh += 100000;
    reading_add(lab, &reading);
    return nowhere();
}

static struct place
worse_value(struct lab *lab)
{
    struct gf_meter_reading reading = next_reading();
    reading_add(lab, &reading);
    reading.energy_micro_kwh.micro_kwh += 100000;
    reading.quality = GF_READING_QUALITY_ESTIMATED;
    reading_add(lab, &reading);
    return nowhere();
}

static struct place
unknown_meter(struct lab *lab)
{
    struct gf_meter_reading reading = next_reading();
    reading.meter_id = gf_span_text("M-of-nobody");
    reading_add(lab, &reading);
    return nowhere();
}

static struct place
gap(struct lab *lab)
{
    struct gf_meter_reading reading = next_reading();
    reading.interval_start.us += 2 * GF_US_PER_HOUR;
    reading_add(lab, &reading);
    return nowhere();
}

/* Readings whose contract does not come: taken in, and told after a week. */
static struct place
before_contract(struct lab *lab)
{
    for (int64_t hour = 0; hour < 8 * 24; hour++) {
        const struct gf_meter_reading reading = lab_reading(
            "M-carol", (struct gf_time){LAB_WORLD_START.us + hour * GF_US_PER_HOUR}, 3600, 300000);
        lab_add_reading(lab, "carol", &reading);
    }
    return nowhere();
}

const struct bad bads[] = {
    {"wrong magic", wrong_magic, "BAD_DATA", "starts with byte 0x01", 0},
    {"unknown schema id", unknown_schema, "UNKNOWN_SCHEMA", "9999", 0},
    {"truncated", truncated, "BAD_DATA", "cannot be decoded", 0},
    {"shorter than a frame", no_frame, "BAD_DATA", "", 0},
    {"no bytes at all", no_bytes, "BAD_DATA", "", 0},
    {"bytes behind the record", trailing, "BAD_DATA", "left behind", 0},
    {"tombstone", tombstone, "BAD_DATA", "no value", 0},
    {"oversize", oversize, "BAD_DATA", "1048577 bytes", 0},
    {"array bomb", array_bomb, "BAD_DATA", "cannot be decoded", 0},
    {"array as large as its bytes", array_large, "BAD_FIELD", "phases: 20000", 0},
    {"garbage in a reference topic", reference_garbage, "BAD_DATA", "cannot be decoded", 0},
    {"far future", far_future, "FUTURE", "more than 10 minutes after", 0},
    {"a time that is none", no_time, "BAD_FIELD", "outside [1970, 2200)", 0},
    {"interval that is no part of a day", odd_interval, "BAD_FIELD", "interval_s: 3601", 0},
    {"too late", too_late, "LATE", "", 0},
    {"null key", null_key, "BAD_FIELD", "no key", 0},
    {"long key", long_key, "BAD_FIELD", "41 bytes", 0},
    {"key on the wrong partition", wrong_partition, "MISPLACED", "belongs on partition", 0},
    {"not a number", not_a_number, "BAD_FIELD", "phases[0]", 0},
    {"negative import", negative_import, "BAD_FIELD", "negative", 0},
    {"wrong currency", wrong_currency, "BAD_FIELD", "currency: USD", 0},
    {"unknown time zone", unknown_zone, "BAD_FIELD", "Europe/Atlantis", 0},
    {"the same again", same_again, NULL, NULL, 0},
    {"duplicate with another value", other_value, NULL, NULL, GF_QUALITY_RULE_V25_REPLACED},
    {"duplicate with a worse value", worse_value, NULL, NULL, GF_QUALITY_RULE_V01_CONFLICT},
    {"unknown meter", unknown_meter, NULL, NULL, GF_QUALITY_RULE_UNKNOWN_METER},
    {"gap", gap, NULL, NULL, GF_QUALITY_RULE_V02_GAP},
    {"before the contract", before_contract, NULL, NULL, GF_QUALITY_RULE_V12_NO_CONTRACT},
};

const size_t bad_count = sizeof(bads) / sizeof(bads[0]);
