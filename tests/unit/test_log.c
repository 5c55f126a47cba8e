#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/random.h"
#include "io/log.h"

#define SEED UINT64_C(20260118)

struct output {
    char text[3 * GF_LOG_LINE_SIZE_MAX];
    size_t size;
    uint32_t write_count;
};

static void
output_write(void *context, const char *text, size_t size)
{
    struct output *output = context;
    assert_true(output->size + size < sizeof(output->text));
    memcpy(output->text + output->size, text, size);
    output->size += size;
    output->text[output->size] = '\0';
    output->write_count++;
}

static struct gf_time
clock_now(struct gf_clock *clock)
{
    (void)clock;
    return (struct gf_time){INT64_C(1768378502120481)};
}

static struct gf_clock clock_fixed = {.now = clock_now};

static struct gf_logger
logger_to(struct output *output, enum gf_logger_format format)
{
    *output = (struct output){.size = 0};
    return (struct gf_logger){.clock = &clock_fixed,
                              .sink = {.write = output_write, .context = output},
                              .level = GF_LEVEL_INFO,
                              .format = format};
}

static void
a_line_says_when_what_and_the_fields(void **state)
{
    (void)state;
    static struct output output;
    struct gf_logger logger = logger_to(&output, GF_FORMAT_LOGFMT);
    gf_logger_say(&logger, GF_LEVEL_WARN, "commit_slow", gf_field_u64("shard", UINT64_MAX),
                  gf_field_i64("lag", INT64_MIN), gf_field_real("ms", 81.5),
                  gf_field_bool("is_first", true), gf_field_text("topic", "meter.readings"),
                  gf_field_text("what", "two words"), gf_field_text("none", NULL),
                  gf_field_time("from", (struct gf_time){0}));
    assert_string_equal(
        output.text,
        "time=2026-01-14T08:15:02.120481Z level=warn event=commit_slow "
        "shard=18446744073709551615 lag=-9223372036854775808 ms=81.5 is_first=true "
        "topic=meter.readings what=\"two words\" none=\"\" from=1970-01-01T00:00:00Z\n");
    assert_int_equal(output.write_count, 1);

    logger = logger_to(&output, GF_FORMAT_JSON);
    gf_logger_say(&logger, GF_LEVEL_ERROR, "stopped", gf_field_real("rate", NAN),
                  gf_field_text("why", "a \"b\"\n"));
    assert_string_equal(output.text,
                        "{\"time\":\"2026-01-14T08:15:02.120481Z\",\"level\":\"error\","
                        "\"event\":\"stopped\",\"rate\":null,\"why\":\"a \\\"b\\\"\\n\"}\n");
}

static void
lower_levels_are_not_written(void **state)
{
    (void)state;
    static struct output output;
    struct gf_logger logger = logger_to(&output, GF_FORMAT_LOGFMT);
    gf_logger_write(&logger, GF_LEVEL_DEBUG, "detail", NULL, 0);
    assert_int_equal(output.write_count, 0);
    gf_logger_write(&logger, GF_LEVEL_INFO, "detail", NULL, 0);
    assert_int_equal(output.write_count, 1);
    enum gf_logger_level level = GF_LEVEL_ERROR;
    assert_true(gf_logger_level_parse("debug", &level));
    assert_int_equal(level, GF_LEVEL_DEBUG);
    assert_false(gf_logger_level_parse("loud", &level));
}

static void
hostile_text_stays_one_line_and_one_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"x\nlevel=error", "\"x\\nlevel=error\""},
        {"\033[2J", "\"\\u001b[2J\""},
        {"\xc2\x9b"
         "2J",
         "\"\\u009b2J\""},               /* the one-byte start of a terminal command */
        {"\xe2\x80\xa8", "\"\\u2028\""}, /* line separator */
        {"\xff\xc0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* not UTF-8 */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* half a surrogate pair */
        {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
        {"C:\\x", "\"C:\\\\x\""},
        {"\xc3", "\"\\ufffd\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct output output;
        struct gf_logger logger = logger_to(&output, GF_FORMAT_LOGFMT);
        gf_logger_say(&logger, GF_LEVEL_INFO, "e", gf_field_text("v", cases[i].text));
        char wanted[128];
        snprintf(wanted, sizeof(wanted), "v=%s\n", cases[i].wanted);
        assert_string_equal(
            strstr(output.text, "v=\"") == NULL ? "" : strstr(output.text, " v=") + 1, wanted);
    }
}

/* Any bytes, any length: one line, and a JSON reader takes it. */
static void
every_json_line_can_be_read(void **state)
{
    (void)state;
    printf("seed %llu\n", (unsigned long long)SEED);
    struct gf_random random = {.seed = SEED};
    uint32_t cut_count = 0, same_count = 0;
    for (uint32_t round = 0; round < 2000; round++) {
        uint8_t bytes[3000];
        const uint32_t size =
            (uint32_t)(gf_random_next(&random) % (round % 2 == 0 ? 40 : sizeof(bytes)));
        const bool is_ascii = round % 3 == 0;
        for (uint32_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)(gf_random_next(&random) & (is_ascii ? 0x7f : 0xff));
        }
        static struct output output;
        struct gf_logger logger = logger_to(&output, GF_FORMAT_JSON);
        gf_logger_say(&logger, GF_LEVEL_INFO, "e", gf_field_span("v", gf_span_of(bytes, size)),
                      gf_field_i64("n", 1));
        assert_true(output.size <= GF_LOG_LINE_SIZE_MAX);
        assert_ptr_equal(strchr(output.text, '\n'), output.text + output.size - 1);
        json_t *line = json_loadb(output.text, output.size, JSON_ALLOW_NUL, NULL);
        assert_non_null(line);
        json_t *value = json_object_get(line, "v");
        const bool is_cut = json_is_true(json_object_get(line, "cut"));
        assert_int_equal(is_cut, value == NULL);
        cut_count += is_cut;
        if (is_ascii && !is_cut) {
            assert_int_equal(json_string_length(value), size);
            assert_memory_equal(json_string_value(value), bytes, size);
            same_count++;
        }
        json_decref(line);
    }
    assert_true(cut_count > 0);
    assert_true(same_count > 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_when_what_and_the_fields),
        cmocka_unit_test(lower_levels_are_not_written),
        cmocka_unit_test(hostile_text_stays_one_line_and_one_value),
        cmocka_unit_test(every_json_line_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
