/* The wire: every bound holds, every number goes there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "codec/wire.h"

#define SEED 20160102

/* In a block of exactly that size, so that a sanitizer sees a step over its end. */
static struct gf_span
exact(const void *data, size_t size)
{
    uint8_t *const copy = malloc(size + (size == 0));
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, data, size);
    }
    return gf_span_of(copy, size);
}

static void
test_long_there_and_back(void **state)
{
    (void)state;
    struct gf_random random = {.seed = SEED};
    print_message("seed %d\n", SEED);
    for (uint32_t i = 0; i < 20000; i++) {
        const int64_t edges[] = {0,    -1,   1,         63,        64,        -64,      -65,
                                 8191, 8192, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN};
        const uint64_t bits = gf_random_next(&random);
        const int64_t value = i < 13 ? edges[i] : (int64_t)(bits >> (bits & 63));
        uint8_t bytes[10];
        struct gf_writer writer = gf_writer_of(bytes, sizeof bytes);
        gf_write_long(&writer, value);
        assert_false(writer.overflowed);
        const struct gf_span span = exact(bytes, gf_writer_size(&writer));
        struct gf_reader reader = gf_reader_of(span);
        int64_t read = 0;
        assert_int_equal(gf_read_long(&reader, &read), GF_OK);
        assert_true(read == value);
        assert_int_equal(gf_reader_left(&reader), 0);
        int32_t small = 7;
        reader = gf_reader_of(span);
        const bool fits = value >= INT32_MIN && value <= INT32_MAX;
        assert_int_equal(gf_read_int(&reader, &small), fits ? GF_OK : GF_E_BAD_DATA);
        assert_int_equal(small, fits ? (int32_t)value : 7);
        for (size_t cut = 0; cut < span.size; cut++) {
            const struct gf_span part = exact(bytes, cut);
            reader = gf_reader_of(part);
            assert_int_equal(gf_read_long(&reader, &read), GF_E_BAD_DATA);
            free((void *)part.data);
        }
        free((void *)span.data);
    }
}

static void
test_varints_of_other_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        enum gf_rc rc;
        int64_t value;
    } cases[] = {
        {"\x80\x00", 2, GF_OK, 0}, /* longer than it must be */
        {"\x82\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10, GF_OK, 1},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, GF_OK, INT64_MIN},
        {"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, GF_OK, INT64_MAX},
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 10, GF_E_BAD_DATA, 0}, /* a 65th bit */
        {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, GF_E_BAD_DATA,
         0},                                                           /* an eleventh byte */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, GF_E_BAD_DATA, 0}, /* no end */
        {"", 0, GF_E_BAD_DATA, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct gf_span span = exact(cases[i].bytes, cases[i].size);
        struct gf_reader reader = gf_reader_of(span);
        int64_t value = 0;
        assert_int_equal(gf_read_long(&reader, &value), cases[i].rc);
        assert_true(value == cases[i].value);
        free((void *)span.data);
    }
}

static void
test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_utf8;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"exactly8", true},
        {"a longer text than one word", true},
        {"caf\xc3\xa9", true},
        {"\xe4\xb8\xad\xe6\x96\x87 and more text", true},
        {"plug \xf0\x9f\x94\x8c", true},
        {"\xf4\x8f\xbf\xbf", true},  /* U+10FFFF */
        {"\xf4\x90\x80\x80", false}, /* above it */
        {"\xed\xa0\x80", false},     /* surrogate */
        {"\xed\x9f\xbf", true},
        {"\xc0\x80", false}, /* long form of NUL */
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\x80", false},
        {"12345678\xff", false},
        {"1234567\xff", false},
        {"\xff"
         "2345678",
         false},
        {"123456\xc3", false}, /* cut */
        {"\xe4\xb8", false},
        {"\xf0\x9f\x94", false},
        {"\xc3\xc3", false},
        {"\xf5\x80\x80\x80", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t tail = 0; tail < 12; tail += 11) { /* with and without bytes after the string */
            uint8_t bytes[64] = {0};
            struct gf_writer writer = gf_writer_of(bytes, sizeof bytes);
            gf_write_bytes(&writer, gf_span_text(cases[i].text));
            const size_t size = gf_writer_size(&writer);
            memset(bytes + size, 0xff, tail);
            const struct gf_span span = exact(bytes, size + tail);
            struct gf_reader reader = gf_reader_of(span);
            struct gf_span read = {0};
            assert_int_equal(gf_read_string(&reader, &read),
                             cases[i].is_utf8 ? GF_OK : GF_E_BAD_DATA);
            reader = gf_reader_of(span);
            assert_int_equal(gf_read_bytes(&reader, &read), GF_OK);
            assert_true(gf_span_equal(read, gf_span_text(cases[i].text)));
            assert_int_equal(gf_reader_left(&reader), tail);
            free((void *)span.data);
        }
    }
}

static void
test_lengths_are_not_believed(void **state)
{
    (void)state;
    const int64_t sizes[] = {2, 3, 16 << 20, -1, INT64_MAX, INT64_MIN, (int64_t)UINT32_MAX + 2};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[16];
        struct gf_writer writer = gf_writer_of(bytes, sizeof bytes);
        gf_write_long(&writer, sizes[i]);
        gf_write_bool(&writer, true); /* one byte is there */
        const struct gf_span span = exact(bytes, gf_writer_size(&writer));
        struct gf_reader reader = gf_reader_of(span);
        struct gf_span read = {0};
        assert_int_equal(gf_read_bytes(&reader, &read), GF_E_BAD_DATA);
        reader = gf_reader_of(span);
        assert_int_equal(gf_read_string(&reader, &read), GF_E_BAD_DATA);
        assert_null(read.data);
        uint8_t fixed[17];
        reader = gf_reader_of(span);
        assert_int_equal(gf_read_fixed(&reader, fixed, sizeof fixed), GF_E_BAD_DATA);
        free((void *)span.data);
    }
}

static void
test_blocks(void **state)
{
    (void)state;
    static const struct {
        int64_t count, size; /* size: only written after a negative count */
        uint32_t left, item_size_min;
        enum gf_rc rc;
        uint64_t count_out;
    } cases[] = {
        {0, 0, 0, 1, GF_OK, 0},
        {3, 0, 3, 1, GF_OK, 3},
        {4, 0, 3, 1, GF_E_BAD_DATA, 0},
        {3, 0, 5, 2, GF_E_BAD_DATA, 0},
        {-3, 3, 3, 1, GF_OK, 3},
        {-3, 4, 3, 1, GF_E_BAD_DATA, 0},
        {-3, -1, 3, 1, GF_E_BAD_DATA, 0},
        {-4, 3, 3, 1, GF_E_BAD_DATA, 0},
        {3, 0, 3, 0, GF_OK, 3}, /* items of nothing still count a byte each */
        {INT64_MAX, 0, 3, 0, GF_E_BAD_DATA, 0},
        {INT64_MIN, 0, 3, 0, GF_E_BAD_DATA, 0},
        {-INT64_MAX, 3, 3, 0, GF_E_BAD_DATA, 0},
        {1 << 30, 0, 8, 4, GF_E_BAD_DATA, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[40] = {0};
        struct gf_writer writer = gf_writer_of(bytes, sizeof bytes);
        gf_write_long(&writer, cases[i].count);
        if (cases[i].count < 0) {
            gf_write_long(&writer, cases[i].size);
        }
        const struct gf_span span = exact(bytes, gf_writer_size(&writer) + cases[i].left);
        struct gf_reader reader = gf_reader_of(span);
        uint64_t count = 0;
        assert_int_equal(gf_read_block(&reader, cases[i].item_size_min, &count), cases[i].rc);
        assert_true(count == cases[i].count_out);
        free((void *)span.data);
    }
}

static void
test_bool_and_reals(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const uint8_t bytes[] = {(uint8_t)byte};
        struct gf_reader reader = {bytes, bytes + 1};
        bool value = byte == 0;
        assert_int_equal(gf_read_bool(&reader, &value), byte < 2 ? GF_OK : GF_E_BAD_DATA);
        assert_true(byte > 1 || value == (byte == 1));
    }
    uint8_t bytes[12];
    struct gf_writer writer = gf_writer_of(bytes, sizeof bytes);
    gf_write_float(&writer, -1.5f);
    gf_write_double(&writer, 0x1.23456789abcdep-7);
    assert_memory_equal(bytes, "\x00\x00\xc0\xbf", 4);
    struct gf_reader reader = {bytes, bytes + sizeof bytes};
    float small = 0;
    double large = 0;
    assert_int_equal(gf_read_float(&reader, &small), GF_OK);
    assert_int_equal(gf_read_double(&reader, &large), GF_OK);
    assert_true(small == -1.5f && large == 0x1.23456789abcdep-7);
    assert_int_equal(gf_read_float(&reader, &small), GF_E_BAD_DATA);
    assert_int_equal(gf_read_double(&reader, &large), GF_E_BAD_DATA);
}

static void
test_writer_stops_at_its_end_for_good(void **state)
{
    (void)state;
    uint8_t bytes[6] = {9, 9, 9, 9, 9, 9};
    struct gf_writer writer = gf_writer_of(bytes, 5);
    gf_write_long(&writer, 1);
    gf_write_double(&writer, 1.0);
    assert_true(writer.overflowed);
    gf_write_long(&writer, 1); /* would fit */
    gf_write_bytes(&writer, gf_span_text("x"));
    gf_write_bool(&writer, true);
    assert_true(writer.overflowed);
    assert_int_equal(gf_writer_size(&writer), 1);
    assert_memory_equal(bytes, "\x02\x09\x09\x09\x09\x09", 6);
}

static void
test_frame(void **state)
{
    (void)state;
    uint8_t bytes[GF_FRAME_SIZE + 2] = {0};
    gf_frame_write(0x01020304, bytes);
    assert_memory_equal(bytes, "\x00\x01\x02\x03\x04", 5);
    uint32_t id = 0;
    struct gf_span body = {0};
    struct gf_error error = {{0}};
    assert_int_equal(gf_frame_read(gf_span_of(bytes, sizeof bytes), &id, &body, &error), GF_OK);
    assert_int_equal(id, 0x01020304);
    assert_true(body.data == bytes + GF_FRAME_SIZE && body.size == 2);
    assert_int_equal(gf_frame_read(gf_span_of(bytes, GF_FRAME_SIZE), &id, &body, &error), GF_OK);
    assert_int_equal(body.size, 0);
    assert_int_equal(gf_frame_read(gf_span_of(bytes, GF_FRAME_SIZE - 1), &id, &body, &error),
                     GF_E_BAD_DATA);
    assert_non_null(strstr(error.text, "4 bytes"));
    bytes[0] = '{';
    assert_int_equal(gf_frame_read(gf_span_of(bytes, sizeof bytes), &id, &body, &error),
                     GF_E_BAD_DATA);
    assert_non_null(strstr(error.text, "0x7b"));
}

/* Values of the Avro project's own test data (share/test/data/schema-tests.txt). */
static void
test_rabin(void **state)
{
    (void)state;
    assert_true(gf_rabin64("\"null\"", 6) == UINT64_C(7195948357588979594));
    assert_true((int64_t)gf_rabin64("\"boolean\"", 9) == INT64_C(-6970731678124411036));
    assert_true(gf_rabin64("\"int\"", 5) == UINT64_C(8247732601305521295));
    assert_true(gf_rabin64("", 0) == UINT64_C(0xc15d213aa4d7a795));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_there_and_back),
        cmocka_unit_test(test_varints_of_other_lengths),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_lengths_are_not_believed),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_bool_and_reals),
        cmocka_unit_test(test_writer_stops_at_its_end_for_good),
        cmocka_unit_test(test_frame),
        cmocka_unit_test(test_rabin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
