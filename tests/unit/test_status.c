#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/status.h"

struct output {
    char text[8192];
    size_t size;
};

static void
output_write(void *context, const char *text, size_t size)
{
    struct output *output = context;
    assert_true(output->size + size < sizeof(output->text));
    memcpy(output->text + output->size, text, size);
    output->size += size;
    output->text[output->size] = '\0';
}

struct hand_clock {
    struct gf_clock clock;
    int64_t us;
};

static struct gf_time
hand_now(struct gf_clock *clock)
{
    return (struct gf_time){((struct hand_clock *)clock)->us};
}

static int64_t
hand_monotonic(struct gf_clock *clock)
{
    return ((struct hand_clock *)clock)->us;
}

struct world {
    struct hand_clock clock;
    struct output output;
    struct gf_screen screen;
    struct gf_logger logger;
};

static void
world_init(struct world *world, bool is_terminal)
{
    memset(world, 0, sizeof(*world));
    world->clock = (struct hand_clock){.clock = {.now = hand_now, .monotonic_us = hand_monotonic}};
    const struct gf_text_sink sink = {.write = output_write, .context = &world->output};
    gf_screen_init(&world->screen, &world->clock.clock, sink, is_terminal);
    world->screen.width = 200;
    world->logger =
        (struct gf_logger){.clock = &world->clock.clock, .sink = gf_screen_sink(&world->screen)};
    world->screen.logger = &world->logger;
}

static uint32_t
count_of(const char *text, const char *part)
{
    uint32_t count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static void
a_terminal_line_is_drawn_ten_times_a_second(void **state)
{
    (void)state;
    static struct world world;
    world_init(&world, true);
    struct gf_status status;
    gf_status_init(&status, &world.screen);
    for (uint32_t i = 0; i < 1000; i++) { /* one second in steps of a millisecond */
        const struct gf_status_facts facts = {.record_count = i,
                                              .lag_records = GF_STATUS_UNKNOWN,
                                              .delay_us = GF_STATUS_UNKNOWN,
                                              .commit_us = GF_STATUS_UNKNOWN};
        gf_status_show(&status, &facts);
        world.clock.us += 1000;
    }
    assert_int_equal(count_of(world.output.text, "\r\033[K"), 10);
    assert_int_equal(count_of(world.output.text, "\n"), 0);
    assert_non_null(strstr(world.output.text, "1,000/s  900 records  0 outputs"));
    assert_null(strstr(world.output.text, "lag"));
}

static void
a_backlog_is_counted_down(void **state)
{
    (void)state;
    static struct world world;
    world_init(&world, true);
    struct gf_status status;
    gf_status_init(&status, &world.screen);
    for (uint32_t s = 0; s <= 20; s++) { /* 50,000 a second, while 10,000 a second come in */
        const struct gf_status_facts facts = {.record_count = s * 50000,
                                              .output_count = 1234,
                                              .lag_records = 4800000 - s * 40000,
                                              .delay_us = 192 * GF_US_PER_S,
                                              .commit_us = 41999};
        world.output.size = 0;
        gf_status_show(&status, &facts);
        world.clock.us += GF_US_PER_S;
    }
    assert_string_equal(world.output.text,
                        "\r\033[K50,000/s  lag 4,000,000  caught up in 1m40s  behind 3m12s  "
                        "commit 41 ms  1,000,000 records  1,234 outputs");
}

static void
without_a_terminal_a_log_line_comes_every_ten_seconds(void **state)
{
    (void)state;
    static struct world world;
    world_init(&world, false);
    struct gf_status status;
    gf_status_init(&status, &world.screen);
    for (uint32_t i = 0; i < 300; i++) { /* thirty seconds */
        const struct gf_status_facts facts = {.record_count = i * 100,
                                              .lag_records = 7,
                                              .delay_us = 1500000,
                                              .commit_us = 12500,
                                              .output_count = 3};
        gf_status_show(&status, &facts);
        world.clock.us += GF_US_PER_S / 10;
    }
    assert_int_equal(count_of(world.output.text, "\n"), 3);
    assert_int_equal(count_of(world.output.text, "event=status"), 3);
    assert_int_equal(count_of(world.output.text, "\033"), 0);
    assert_non_null(strstr(world.output.text,
                           "records=20000 records_per_s=1000 lag_records=7 behind_s=1 "
                           "commit_ms=12.5 outputs=3\n"));
}

static void
a_log_line_goes_above_the_status(void **state)
{
    (void)state;
    static struct world world;
    world_init(&world, true);
    gf_logger_write(&world.logger, GF_LEVEL_INFO, "before", NULL, 0);
    assert_null(strchr(world.output.text, '\033'));
    struct gf_bar bar;
    gf_bar_init(&bar, &world.screen);
    gf_bar_show(&bar, "import", 0, 10);
    world.output.size = 0;
    gf_logger_write(&world.logger, GF_LEVEL_WARN, "note", NULL, 0);
    assert_memory_equal(world.output.text, "\r\033[Ktime=", 9);
    const char *end = strstr(world.output.text, "event=note\n\r\033[Kimport");
    assert_non_null(end);
    gf_screen_end(&world.screen);
    assert_int_equal(world.output.text[world.output.size - 1], '\n');
}

static void
a_bar_shows_how_much_how_fast_and_how_long(void **state)
{
    (void)state;
    static struct world world;
    world_init(&world, true);
    struct gf_bar bar;
    gf_bar_init(&bar, &world.screen);
    for (int64_t s = 0; s <= 5; s++) {
        world.output.size = 0;
        gf_bar_progress(&bar, "replay", s * 1000, 20000);
        world.clock.us += GF_US_PER_S;
    }
    assert_string_equal(
        world.output.text,
        "\r\033[Kreplay  [######..................]  25%  5,000 of 20,000  1,000/s  15s left");
    world.clock.us -= GF_US_PER_S - 1; /* the end is shown at once */
    world.output.size = 0;
    gf_bar_show(&bar, "replay", 20000, 20000);
    assert_non_null(strstr(world.output.text, "[########################] 100%  20,000 of 20,000"));
    assert_null(strstr(world.output.text, "left"));
    world.output.size = 0;
    gf_bar_show(&bar, "check", 5, 0); /* another phase, of unknown length */
    assert_string_equal(world.output.text, "\n\r\033[Kcheck  5");
    world.output.size = 0;
    gf_bar_show(&bar, "check", 1, 0); /* the same again, from its beginning */
    assert_string_equal(world.output.text, "\n\r\033[Kcheck  1");
}

static void
a_line_is_cut_at_the_width(void **state)
{
    (void)state;
    static struct world world;
    world_init(&world, true);
    world.screen.width = 12;
    struct gf_bar bar;
    gf_bar_init(&bar, &world.screen);
    gf_bar_show(&bar, "recover", 1, 100);
    assert_string_equal(world.output.text, "\r\033[Krecover  [.");
}

static void
amounts_read_well(void **state)
{
    (void)state;
    char text[GF_AMOUNT_TEXT_SIZE];
    assert_string_equal(gf_count_text(0, text), "0");
    assert_string_equal(gf_count_text(999, text), "999");
    assert_string_equal(gf_count_text(1000, text), "1,000");
    assert_string_equal(gf_count_text(-123456, text), "-123,456");
    assert_string_equal(gf_count_text(INT64_MIN, text), "-9,223,372,036,854,775,808");
    assert_string_equal(gf_duration_text(59999999, text), "59s");
    assert_string_equal(gf_duration_text(-61 * GF_US_PER_S, text), "-1m01s");
    assert_string_equal(gf_duration_text(7500 * GF_US_PER_S, text), "2h05m");
    assert_string_equal(gf_duration_text(INT64_MAX, text), "106751991d04h");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_line_is_drawn_ten_times_a_second),
        cmocka_unit_test(a_backlog_is_counted_down),
        cmocka_unit_test(without_a_terminal_a_log_line_comes_every_ten_seconds),
        cmocka_unit_test(a_log_line_goes_above_the_status),
        cmocka_unit_test(a_bar_shows_how_much_how_fast_and_how_long),
        cmocka_unit_test(a_line_is_cut_at_the_width),
        cmocka_unit_test(amounts_read_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
