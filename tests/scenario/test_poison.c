/* A hundred thousand records of which one in eight is bad, of twelve kinds: dead letters are
 * exactly the bad ones, each with its code and byte for byte as it came, and what comes out for the
 * good ones is what comes out without the bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "codec/records.h"
#include "lab_world.h"

#define SEED           UINT64_C(20260130)
#define PARTITIONS     2
#define CUSTOMERS      100
#define HOURS          880
#define BAD_ONE_IN     22 /* readings: three bad ones after one in 22 */
#define BAD_AT_ONCE    3
#define OVERSIZE_MAX   12 /* of a mebibyte each; the rest of that kind is cut off instead */
#define PLACES_MAX     80000
#define VALUE_SIZE     512
#define OVERSIZE_BYTES ((UINT32_C(1) << 20) + 1)

enum kind {
    BAD_MAGIC,
    UNKNOWN_ID,
    TRUNCATED,
    BAD_UTF8,
    NEGATIVE,
    FAR_FUTURE,
    OVERSIZE,
    NULL_KEY,
    TOMBSTONE,
    WRONG_BRANCH,
    DEEP,
    WRONG_PARTITION,
    TOO_LATE,
    KIND_COUNT,
};

static const char *const codes[KIND_COUNT] = {
    [BAD_MAGIC] = "BAD_DATA", [UNKNOWN_ID] = "UNKNOWN_SCHEMA",
    [TRUNCATED] = "BAD_DATA", [BAD_UTF8] = "BAD_DATA",
    [NEGATIVE] = "BAD_FIELD", [FAR_FUTURE] = "FUTURE",
    [OVERSIZE] = "BAD_DATA",  [NULL_KEY] = "BAD_FIELD",
    [TOMBSTONE] = "BAD_DATA", [WRONG_BRANCH] = "BAD_DATA",
    [DEEP] = "BAD_DATA",      [WRONG_PARTITION] = "MISPLACED",
    [TOO_LATE] = "LATE",
};

static const char config[] = "partitions: 2\nbatch_records: 1000\n";

/* What lies at each place of an input: the code of a bad record, NULL for a good one. */
struct poison {
    struct lab *good, *mixed;
    const char *code[GF_TOPIC_INPUT_COUNT][PARTITIONS][PLACES_MAX];
    uint32_t counts[KIND_COUNT], bad_count, oversize_count;
    struct gf_random random;
};

static struct poison poison;

static struct gf_time
hour(int64_t number)
{
    return (struct gf_time){LAB_WORLD_START.us + number * GF_US_PER_HOUR};
}

static void
bad_put(enum kind kind, enum gf_topic topic, uint32_t partition, struct gf_span key,
        struct gf_time time, struct gf_span value)
{
    const struct gf_header headers[] = {
        {gf_span_text("trace"), gf_span_of("\0\377\1", 3)},
        {gf_span_text("kind"), gf_span_text(codes[kind])},
    };
    const struct gf_record record = {.topic = (int32_t)topic,
                                     .partition = partition,
                                     .offset = -1,
                                     .timestamp = time,
                                     .has_key = key.data != NULL,
                                     .has_value = value.data != NULL,
                                     .key = key,
                                     .is_framed = true,
                                     .value = value,
                                     .headers = headers,
                                     .header_count = poison.bad_count % 3};
    const int64_t offset = gf_memory_log_add(poison.mixed->log, &record);
    assert_true(offset < PLACES_MAX);
    poison.code[topic][partition][offset] = codes[kind];
    poison.counts[kind]++;
    poison.bad_count++;
}

/* A contract whose first optional field says that it is of a branch that there is not. */
static void
wrong_branch_put(const char *customer, struct gf_time time)
{
    uint8_t with[VALUE_SIZE], without[VALUE_SIZE];
    struct gf_customer_contract contract = {.contract_id = gf_span_text(customer),
                                            .version = 9,
                                            .customer_class = GF_CUSTOMER_CLASS_RESIDENTIAL,
                                            .has_capacity_w = true,
                                            .capacity_w = 1,
                                            .tariff_id = gf_span_text("T1"),
                                            .area_id = gf_span_text("A1"),
                                            .zone = gf_span_text("Z1"),
                                            .time_zone = gf_span_text("Europe/Berlin"),
                                            .currency = gf_span_text("EUR"),
                                            .valid_from = time,
                                            .issued_at = time};
    const uint32_t size = lab_encode(GF_TOPIC_CUSTOMER_CONTRACTS, &contract, with, sizeof(with));
    contract.has_capacity_w = false;
    lab_encode(GF_TOPIC_CUSTOMER_CONTRACTS, &contract, without, sizeof(without));
    uint32_t at = 0;
    while (with[at] == without[at]) {
        at++;
    }
    with[at] = 10; /* branch 5 */
    bad_put(WRONG_BRANCH, GF_TOPIC_CUSTOMER_CONTRACTS, lab_partition(poison.mixed, customer),
            gf_span_text(customer), time, gf_span_of(with, size));
}

static void
oversize_put(struct gf_span key, uint32_t partition, struct gf_time time)
{
    uint8_t *bytes = calloc(1, OVERSIZE_BYTES);
    assert_non_null(bytes);
    bad_put(OVERSIZE, GF_TOPIC_METER_READINGS, partition, key, time,
            gf_span_of(bytes, OVERSIZE_BYTES));
    free(bytes);
    poison.oversize_count++;
}

/* Bad bytes out of a reading that would have been good. */
static void
bad_bytes_put(enum kind kind, const char *customer, const struct gf_meter_reading *good,
              struct gf_time time)
{
    uint8_t bytes[VALUE_SIZE] = {0};
    struct gf_meter_reading reading = *good;
    uint32_t partition = lab_partition(poison.mixed, customer);
    struct gf_span key = gf_span_text(customer);
    if (kind == NEGATIVE) {
        reading.energy_micro_kwh.micro_kwh = -1 - (int64_t)(gf_random_next(&poison.random) % 9999);
    } else if (kind == FAR_FUTURE) {
        reading.interval_start.us += 30000 * GF_US_PER_DAY;
    } else if (kind == TOO_LATE) {
        reading.interval_start.us -= 5 * GF_US_PER_DAY;
    } else if (kind == BAD_UTF8) {
        reading.meter_id = gf_span_of("M-\xc3\x28", 4);
    }
    uint32_t size = lab_encode(GF_TOPIC_METER_READINGS, &reading, bytes, sizeof(bytes) - 16);
    if (kind == BAD_MAGIC) {
        bytes[0] = 1;
    } else if (kind == UNKNOWN_ID) {
        gf_frame_write(9999, bytes);
    } else if (kind == TRUNCATED) {
        size -= 1 + (uint32_t)(gf_random_next(&poison.random) % 8);
    } else if (kind == DEEP) { /* the array at the end says that it holds 2^40 items */
        struct gf_writer writer = gf_writer_of(bytes + size - 1, 16);
        gf_write_long(&writer, INT64_C(1) << 40);
        size = size - 1 + (uint32_t)gf_writer_size(&writer);
    } else if (kind == NULL_KEY) {
        key = (struct gf_span){0};
    } else if (kind == WRONG_PARTITION) {
        partition = 1 - partition;
    }
    const struct gf_span value = kind == TOMBSTONE ? (struct gf_span){0} : gf_span_of(bytes, size);
    bad_put(kind, GF_TOPIC_METER_READINGS, partition, key, time, value);
}

static void
bad_add(const char *customer, const struct gf_meter_reading *good, struct gf_time time,
        bool has_past)
{
    enum kind kind = (enum kind)(gf_random_next(&poison.random) % KIND_COUNT);
    kind = kind == OVERSIZE && poison.oversize_count == OVERSIZE_MAX ? TRUNCATED : kind;
    kind = kind == TOO_LATE && !has_past ? NEGATIVE : kind;
    if (kind == WRONG_BRANCH) {
        wrong_branch_put(customer, time);
    } else if (kind == OVERSIZE) {
        oversize_put(gf_span_text(customer), lab_partition(poison.mixed, customer), time);
    } else {
        bad_bytes_put(kind, customer, good, time);
    }
}

static void
reference_add(struct lab *lab)
{
    lab_add_plan(lab, hour(-48));
    for (uint32_t i = 0; i < CUSTOMERS; i++) {
        char customer[16];
        snprintf(customer, sizeof(customer), "c%u", i);
        lab_add_contract(lab, customer, hour(-24));
    }
    for (int64_t at = 0; at < HOURS + 24; at++) {
        lab_add_price(lab, hour(at / 24 * 24 - 12), hour(at), (at * 37 % 11 - 2) * 3000000);
        lab_add_supply(lab, hour(at / 24 * 24 - 12), hour(at), at * 53 % 7 * 10000);
    }
}

/* One hour of one customer: some readings are missing, some customers steal, some have bills. */
static void
hour_add(uint32_t customer_number, int64_t at)
{
    char customer[16], meter[20], invoice[32];
    snprintf(customer, sizeof(customer), "c%u", customer_number);
    snprintf(meter, sizeof(meter), "M-%s", customer);
    const bool is_thief = customer_number % 7 == 3 && at > HOURS / 2;
    const int64_t energy = 300000 + (at * 7 + (int64_t)customer_number * 13) % 1000 * 100;
    const struct gf_meter_reading reading =
        lab_reading(meter, hour(at), 3600, is_thief ? 0 : energy);
    if ((at * CUSTOMERS + customer_number) % 499 != 0) {
        lab_add_reading(poison.good, customer, &reading);
        lab_add_reading(poison.mixed, customer, &reading);
    }
    if (at % 240 == customer_number) {
        snprintf(invoice, sizeof(invoice), "I-%u-%u", customer_number, (unsigned)at);
        lab_add_invoice(poison.good, customer, invoice, hour(at), "EUR");
        lab_add_invoice(poison.mixed, customer, invoice, hour(at), "EUR");
    }
    const bool is_bad = gf_random_next(&poison.random) % BAD_ONE_IN == 0;
    for (int k = 0; is_bad && k < BAD_AT_ONCE; k++) {
        bad_add(customer, &reading, hour(at + 1), at > 10 * 24);
    }
}

static void
run(struct lab *lab)
{
    if (lab_run(lab) != GF_OK) {
        fail_msg("%s", lab->error.text);
    }
    lab_assert_conserved(lab);
    assert_int_equal(lab->warnings, 0);
}

static enum gf_topic
topic_of(struct gf_span name)
{
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        if (gf_span_equal(name, gf_span_text(gf_topics[topic].name))) {
            return (enum gf_topic)topic;
        }
    }
    fail_msg("no such topic: %.*s", GF_SPAN_PRINT(name));
    return GF_TOPIC_COUNT;
}

/* The letter holds the record whole; its place is crossed off. */
static void
letter_check(const struct gf_record *from, uint32_t number)
{
    static uint64_t memory[(1 << 18)];
    struct gf_arena arena = gf_arena_of(memory, sizeof(memory));
    struct gf_reader reader = gf_reader_of(from->value);
    struct gf_dead_letter letter;
    assert_int_equal(gf_topics[GF_TOPIC_DEAD_LETTERS].decode(&reader, &arena, &letter), GF_OK);
    const enum gf_topic topic = topic_of(letter.topic);
    assert_in_range(letter.partition, 0, PARTITIONS - 1);
    assert_in_range(letter.offset, 0, PLACES_MAX - 1);
    const char **code = &poison.code[topic][letter.partition][letter.offset];
    if (*code == NULL || !gf_span_equal(letter.code, gf_span_text(*code))) {
        fail_msg("letter %u: %s partition %d offset %lld: %.*s: %.*s; expected: %s", number,
                 gf_topics[topic].name, letter.partition, (long long)letter.offset,
                 GF_SPAN_PRINT(letter.code), GF_SPAN_PRINT(letter.message),
                 *code == NULL ? "none" : *code);
    }
    *code = NULL;
    const struct gf_record *record = gf_memory_log_get(
        poison.mixed->log, topic, (uint32_t)letter.partition, (uint32_t)letter.offset);
    assert_int_equal(letter.timestamp.us, record->timestamp.us);
    assert_int_equal(letter.has_key, record->has_key);
    assert_true(gf_span_equal(letter.key, record->key));
    assert_int_equal(letter.has_value, record->has_value);
    assert_true(gf_span_equal(letter.value, record->value));
    assert_int_equal(letter.headers.count, record->header_count);
    for (uint32_t i = 0; i < record->header_count; i++) {
        assert_true(gf_span_equal(letter.headers.items[i].name, record->headers[i].name));
        assert_true(letter.headers.items[i].has_value);
        assert_true(gf_span_equal(letter.headers.items[i].value, record->headers[i].value));
    }
}

static void
letters_are_the_bad_ones_and_the_good_are_untouched(void **state)
{
    (void)state;
    struct lab good, mixed;
    printf("seed %llu\n", (unsigned long long)SEED);
    lab_open(&good, config);
    lab_open(&mixed, config);
    poison = (struct poison){.good = &good, .mixed = &mixed, .random = {.seed = SEED}};
    reference_add(&good);
    reference_add(&mixed);
    for (int64_t at = 0; at < HOURS; at++) {
        for (uint32_t i = 0; i < CUSTOMERS; i++) {
            hour_add(i, at);
        }
    }
    run(&good);
    run(&mixed);
    assert_int_equal(lab_count(&good, GF_TOPIC_DEAD_LETTERS), 0);
    assert_int_equal(lab_count(&mixed, GF_TOPIC_DEAD_LETTERS), poison.bad_count);
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        const uint32_t count = gf_memory_log_count(mixed.log, GF_TOPIC_DEAD_LETTERS, i);
        for (uint32_t k = 0; k < count; k++) {
            letter_check(gf_memory_log_get(mixed.log, GF_TOPIC_DEAD_LETTERS, i, k), k);
        }
    }
    const struct gf_tally tally = lab_tally(&mixed);
    assert_int_equal(tally.late, poison.counts[TOO_LATE]);
    assert_int_equal(tally.dead + tally.late, poison.bad_count);
    for (int topic = GF_TOPIC_INPUT_COUNT; topic < GF_TOPIC_COUNT; topic++) {
        printf("%u %s\n", lab_count(&good, (enum gf_topic)topic), gf_topics[topic].name);
        assert_true(topic == GF_TOPIC_DEAD_LETTERS ||
                    !gf_stages_use(GF_STAGES_CUSTOMER, (enum gf_topic)topic) ||
                    lab_count(&good, (enum gf_topic)topic) > 10);
    }
    lab_assert_same_outputs(&good, &mixed, LAB_GOOD_ALONE);
    printf("%lld records, %u of them bad, of %d kinds\n", (long long)lab_input_count(&mixed),
           poison.bad_count, KIND_COUNT);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        assert_true(poison.counts[kind] >= OVERSIZE_MAX);
    }
    lab_close(&mixed);
    lab_close(&good);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_the_bad_ones_and_the_good_are_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
