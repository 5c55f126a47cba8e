/* Straight codecs of every topic: what they write they read, and no bytes make them read, or take,
 * what they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#undef skip /* a macro of cmocka, a member of ours */

#include "codec/records.h"
#include "codec_random.h"

#define SEED            42
#define RECORD_SIZE_MAX 65536

static uint8_t made_memory[1 << 17], read_memory[GF_DECODE_ARENA_MULTIPLE * RECORD_SIZE_MAX];

/* Encodes a random record of the topic into `out`, which has RECORD_SIZE_MAX bytes. */
static size_t
random_record(const struct gf_topic_info *topic, struct gf_random *random,
              union gf_record_body *body, uint8_t *out)
{
    struct gf_arena arena = gf_arena_of(made_memory, sizeof made_memory);
    codec_random_fill(topic->type, random, &arena, body);
    struct gf_writer writer = gf_writer_of(out, RECORD_SIZE_MAX);
    topic->encode(&writer, body);
    assert_false(writer.overflowed);
    return gf_writer_size(&writer);
}

/* Decode and skip agree, stay inside `data` (a sanitizer looks on) and within the promised share of
 * the arena. */
static int
decode_checked(const struct gf_topic_info *topic, const uint8_t *data, size_t size,
               union gf_record_body *out)
{
    uint8_t *const copy = malloc(size + (size == 0));
    assert_non_null(copy);
    memcpy(copy, data, size);
    struct gf_arena arena = gf_arena_of(read_memory, GF_DECODE_ARENA_MULTIPLE * size);
    struct gf_reader reader = gf_reader_of(gf_span_of(copy, size)), skipping = reader;
    const int rc = topic->decode(&reader, &arena, out);
    assert_int_equal(topic->skip(&skipping), rc);
    assert_int_not_equal(rc, GF_E_FULL);
    if (rc == GF_OK) {
        assert_ptr_equal(reader.at, skipping.at);
    }
    free(copy);
    return rc;
}

static void
test_there_and_back(void **state)
{
    (void)state;
    static uint8_t bytes[RECORD_SIZE_MAX], again[RECORD_SIZE_MAX];
    print_message("seed %d\n", SEED);
    for (int t = 0; t < GF_TOPIC_COUNT; t++) {
        const struct gf_topic_info *const topic = &gf_topics[t];
        struct gf_random random = {.seed = SEED, .stream = (uint64_t)t};
        for (int i = 0; i < 2000; i++) {
            union gf_record_body made, read;
            const size_t size = random_record(topic, &random, &made, bytes);
            memset(&read, 0xaa, sizeof read);
            struct gf_arena arena = gf_arena_of(read_memory, sizeof read_memory);
            struct gf_reader reader = gf_reader_of(gf_span_of(bytes, size));
            assert_int_equal(topic->decode(&reader, &arena, &read), GF_OK);
            assert_int_equal(gf_reader_left(&reader), 0);
            assert_true(codec_random_equal(topic->type, &made, &read));
            struct gf_writer writer = gf_writer_of(again, sizeof again);
            topic->encode(&writer, &read);
            assert_int_equal(gf_writer_size(&writer), size);
            assert_memory_equal(again, bytes, size);
        }
    }
}

static void
test_every_cut_fails(void **state)
{
    (void)state;
    static uint8_t bytes[RECORD_SIZE_MAX];
    print_message("seed %d\n", SEED + 1);
    for (int t = 0; t < GF_TOPIC_COUNT; t++) {
        struct gf_random random = {.seed = SEED + 1, .stream = (uint64_t)t};
        for (int i = 0; i < 30; i++) {
            union gf_record_body body;
            const size_t size = random_record(&gf_topics[t], &random, &body, bytes);
            for (size_t cut = 0; cut < size; cut++) {
                assert_int_equal(decode_checked(&gf_topics[t], bytes, cut, &body), GF_E_BAD_DATA);
            }
        }
    }
}

static void
test_every_flip_is_bounded(void **state)
{
    (void)state;
    static uint8_t bytes[RECORD_SIZE_MAX];
    print_message("seed %d\n", SEED + 2);
    uint32_t refused = 0, accepted = 0;
    for (int t = 0; t < GF_TOPIC_COUNT; t++) {
        struct gf_random random = {.seed = SEED + 2, .stream = (uint64_t)t};
        for (int i = 0; i < 12; i++) {
            union gf_record_body body;
            const size_t size = random_record(&gf_topics[t], &random, &body, bytes);
            for (size_t at = 0; at < size; at++) {
                const uint8_t was = bytes[at];
                for (int change = 0; change < 9; change++) {
                    bytes[at] = change == 8 ? (uint8_t)~was : (uint8_t)(was ^ 1 << change);
                    const int rc = decode_checked(&gf_topics[t], bytes, size, &body);
                    refused += rc != GF_OK;
                    accepted += rc == GF_OK;
                }
                bytes[at] = was;
            }
        }
    }
    assert_true(refused > 1000 && accepted > 1000); /* both roads were taken */
}

static void
test_noise_is_bounded(void **state)
{
    (void)state;
    print_message("seed %d\n", SEED + 3);
    for (int t = 0; t < GF_TOPIC_COUNT; t++) {
        struct gf_random random = {.seed = SEED + 3, .stream = (uint64_t)t};
        for (int i = 0; i < 3000; i++) {
            uint8_t bytes[96];
            const size_t size = gf_random_next(&random) % sizeof bytes;
            const bool is_small = gf_random_next(&random) % 2 == 0; /* small bytes get further in */
            for (size_t at = 0; at < size; at++) {
                bytes[at] = (uint8_t)(gf_random_next(&random) % (is_small ? 5 : 256));
            }
            union gf_record_body body;
            (void)decode_checked(&gf_topics[t], bytes, size, &body);
        }
    }
}

static void
test_five_bytes_that_claim_sixteen_mebibytes(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x80, 0x80, 0x80, 0x10, 'a'};
    for (int t = 0; t < GF_TOPIC_COUNT; t++) {
        union gf_record_body body;
        assert_int_equal(decode_checked(&gf_topics[t], bytes, sizeof bytes, &body), GF_E_BAD_DATA);
    }
}

/* A reading without its phases. */
static size_t
reading_head(uint8_t *out, size_t size)
{
    const struct gf_meter_reading reading = {
        .meter_id = gf_span_text("M1"),
        .obis = gf_span_text("1-0:1.8.0"),
        .kind = GF_READING_KIND_INTERVAL,
        .interval_start = {INT64_C(1451606400000000)},
        .interval_s = 900,
        .energy_micro_kwh = {250000},
        .quality = GF_READING_QUALITY_ACTUAL,
        .source = GF_READING_SOURCE_HEADEND,
    };
    struct gf_writer writer = gf_writer_of(out, size);
    gf_meter_reading_encode(&writer, &reading);
    assert_false(writer.overflowed);
    return gf_writer_size(&writer) - 1; /* without the 0 that ends the phases */
}

static void
phases_write(struct gf_writer *writer, int64_t count, bool has_size, double first)
{
    gf_write_long(writer, has_size ? -count : count);
    if (has_size) {
        gf_write_long(writer, 24 * count);
    }
    for (int64_t i = 0; i < count; i++) {
        gf_write_double(writer, first + (double)i);
        gf_write_double(writer, 5.0);
        gf_write_double(writer, 0.9);
    }
}

static void
test_arrays_of_many_blocks(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    const size_t head = reading_head(bytes, sizeof bytes);
    struct gf_writer writer = gf_writer_of(bytes + head, sizeof bytes - head);
    uint32_t count = 0;
    for (int64_t block = 1; block <= 10; block++) {
        phases_write(&writer, block, block % 2 == 0, count);
        count += (uint32_t)block;
    }
    gf_write_long(&writer, 0);
    assert_false(writer.overflowed);
    const size_t size = head + gf_writer_size(&writer);
    struct gf_arena arena = gf_arena_of(read_memory, sizeof read_memory);
    struct gf_reader reader = gf_reader_of(gf_span_of(bytes, size)), skipping = reader;
    struct gf_meter_reading reading;
    assert_int_equal(gf_meter_reading_decode(&reader, &arena, &reading), GF_OK);
    assert_int_equal(gf_reader_left(&reader), 0);
    assert_int_equal(gf_meter_reading_skip(&skipping), GF_OK);
    assert_ptr_equal(reader.at, skipping.at);
    assert_int_equal(reading.phases.count, 55);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(reading.phases.items[i].voltage_v == i);
    }
    assert_true(arena.used <= 56 * sizeof(struct gf_phase) +
                                  8); /* the first block, then all: not one array a block */
}

static void
test_blocks_that_lie(void **state)
{
    (void)state;
    const int64_t counts[] = {1,         2,  1000, 1 << 30,    INT64_MAX,
                              INT64_MIN, -1, -2,   -INT64_MAX, INT64_C(768614336404564651)};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint8_t bytes[256] = {0};
        const size_t head = reading_head(bytes, sizeof bytes);
        struct gf_writer writer = gf_writer_of(bytes + head, sizeof bytes - head);
        gf_write_long(&writer, counts[i]);
        if (counts[i] < 0) {
            gf_write_long(&writer, 3);
        }
        const size_t size = head + gf_writer_size(&writer) + 3;
        union gf_record_body body;
        assert_int_equal(decode_checked(&gf_topics[GF_TOPIC_METER_READINGS], bytes, size, &body),
                         GF_E_BAD_DATA);
    }
}

static void
test_symbols_and_branches_out_of_range(void **state)
{
    (void)state;
    uint8_t bytes[64];
    const struct gf_control control = {.kind = GF_CONTROL_KIND_FREEZE, .issuer = gf_span_text("x")};
    struct gf_writer writer = gf_writer_of(bytes, sizeof bytes);
    gf_control_encode(&writer, &control);
    const size_t size = gf_writer_size(&writer);
    union gf_record_body body;
    assert_int_equal(decode_checked(&gf_topics[GF_TOPIC_CONTROL], bytes, size, &body), GF_OK);
    assert_int_equal(body.control.kind, GF_CONTROL_KIND_FREEZE);
    for (uint32_t byte = 0; byte < 0x80;
         byte++) { /* byte 0 is the kind, byte 1 the branch of tariff_id */
        bytes[0] = (uint8_t)byte;
        const bool is_symbol = byte % 2 == 0 && byte / 2 < GF_CONTROL_KIND_COUNT;
        assert_int_equal(decode_checked(&gf_topics[GF_TOPIC_CONTROL], bytes, size, &body),
                         is_symbol ? GF_OK : GF_E_BAD_DATA);
    }
    bytes[0] = 0;
    bytes[1] = 4;
    assert_int_equal(decode_checked(&gf_topics[GF_TOPIC_CONTROL], bytes, size, &body),
                     GF_E_BAD_DATA);
    bytes[1] = 1;
    assert_int_equal(decode_checked(&gf_topics[GF_TOPIC_CONTROL], bytes, size, &body),
                     GF_E_BAD_DATA);
}

static void
test_full_arena(void **state)
{
    (void)state;
    uint8_t bytes[256];
    const size_t head = reading_head(bytes, sizeof bytes);
    struct gf_writer writer = gf_writer_of(bytes + head, sizeof bytes - head);
    phases_write(&writer, 3, false, 0);
    gf_write_long(&writer, 0);
    struct gf_arena arena = gf_arena_of(read_memory, 3 * sizeof(struct gf_phase) - 1);
    struct gf_reader reader = gf_reader_of(gf_span_of(bytes, head + gf_writer_size(&writer)));
    struct gf_meter_reading reading;
    assert_int_equal(gf_meter_reading_decode(&reader, &arena, &reading), GF_E_FULL);
    assert_true(arena.overflowed);
}

static void
test_topics(void **state)
{
    (void)state;
    assert_int_equal(GF_TOPIC_INPUT_COUNT, 11);
    assert_int_equal(GF_TOPIC_READ_COUNT, 13);
    for (int t = 0; t < GF_TOPIC_COUNT; t++) {
        const struct gf_topic_info *const topic = &gf_topics[t];
        assert_int_equal(gf_topic_find(topic->name), t);
        assert_int_equal(topic->is_input, t < GF_TOPIC_INPUT_COUNT);
        assert_int_equal(topic->is_internal, t >= GF_TOPIC_INPUT_COUNT && t < GF_TOPIC_READ_COUNT);
        assert_true(t >= GF_TOPIC_READ_COUNT || topic->rank == t);
        assert_true(!topic->is_reference ||
                    (topic->is_input && strcmp(topic->key, "reference") == 0));
        for (int other = 0; other < t; other++) {
            assert_int_not_equal(topic->schema_id, gf_topics[other].schema_id);
        }
        assert_true(topic->fingerprint == gf_rabin64(topic->canonical, strlen(topic->canonical)));
        assert_true(topic->type->size <= GF_RECORD_STRUCT_SIZE_MAX);
        assert_null(strchr(topic->canonical, ' '));
    }
    assert_int_equal(gf_topic_find("meter.reading"), -1);
    assert_string_equal(gf_topics[GF_TOPIC_METER_READINGS].name, "meter.readings");
    /* These are in logs. */
    assert_int_equal(gf_topics[GF_TOPIC_METER_READINGS].schema_id, 9);
    assert_int_equal(gf_topics[GF_TOPIC_ARREARS_ALERTS].schema_id, 10);
    assert_int_equal(gf_topics[GF_TOPIC_JOURNAL].schema_id, 14);
    assert_int_equal(gf_topics[GF_TOPIC_AREA_TOTALS].schema_id, 16);
    assert_int_equal(gf_topics[GF_TOPIC_AREA_BALANCE].schema_id, 20);
    assert_string_equal(gf_reading_kind_name(GF_READING_KIND_REGISTER), "REGISTER");
    assert_string_equal(gf_reading_kind_name(GF_READING_KIND_COUNT), "UNKNOWN");
    assert_string_equal(gf_reading_kind_name(-1), "UNKNOWN");
    assert_string_equal(gf_topics[GF_TOPIC_CONTROL].canonical,
                        "{\"name\":\"gridfold.Control\",\"type\":\"record\",\"fields\":[{\"name\":"
                        "\"kind\",\"type\":{"
                        "\"name\":"
                        "\"gridfold.ControlKind\",\"type\":\"enum\",\"symbols\":[\"UNKNOWN\","
                        "\"KILL_SWITCH\",\"FREEZE\","
                        "\"RESUME\"]}},{\"name\":\"tariff_id\",\"type\":[\"null\",\"string\"]},{"
                        "\"name\":\"area_id\","
                        "\"type\":"
                        "[\"null\",\"string\"]},{\"name\":\"issued_at\",\"type\":\"long\"},{"
                        "\"name\":\"issuer\",\"type\":"
                        "\"string\"},{\"name\":\"ticket\",\"type\":\"string\"}]}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_every_cut_fails),
        cmocka_unit_test(test_every_flip_is_bounded),
        cmocka_unit_test(test_noise_is_bounded),
        cmocka_unit_test(test_five_bytes_that_claim_sixteen_mebibytes),
        cmocka_unit_test(test_arrays_of_many_blocks),
        cmocka_unit_test(test_blocks_that_lie),
        cmocka_unit_test(test_symbols_and_branches_out_of_range),
        cmocka_unit_test(test_full_arena),
        cmocka_unit_test(test_topics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
