/* The watchdog: which calls it ends the process for, by a clock of the test's own; and that it does
 * end it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/system_clock.h"
#include "io/watchdog_look.h"

#define LIMIT ((struct gf_duration){16 * GF_US_PER_S}) /* so it looks every second */

static struct gf_watchdog_watch watch;
static int64_t now_us;

static const char *
look_after(int64_t seconds, struct gf_duration *inside)
{
    now_us += seconds * GF_US_PER_S;
    return gf_watchdog_look(&watch, now_us, inside);
}

static void
start(void)
{
    now_us = 5;
    gf_watchdog_watch_init(&watch, LIMIT, now_us);
}

static void
a_call_is_named_when_it_reaches_the_limit(void **state)
{
    (void)state;
    struct gf_duration inside = {0};
    start();
    gf_watchdog_slot_enter(&watch.slots[3], "commit");
    assert_null(look_after(1, &inside)); /* seen for the first time */
    for (int second = 1; second < 16; second++) {
        assert_null(look_after(1, &inside));
    }
    assert_string_equal(look_after(1, &inside), "commit");
    assert_int_equal(inside.us, LIMIT.us);
    gf_watchdog_slot_leave(&watch.slots[3]);
    assert_null(look_after(1, &inside));
}

static void
calls_that_return_are_never_added_up(void **state)
{
    (void)state;
    struct gf_duration inside = {0};
    start();
    for (int second = 0; second < 1000; second++) {
        gf_watchdog_slot_enter(&watch.slots[0], "poll");
        gf_watchdog_slot_enter(&watch.slots[1], "flush");
        assert_null(look_after(1, &inside));
        gf_watchdog_slot_leave(&watch.slots[0]);
        assert_null(look_after(second % 3, &inside));
        gf_watchdog_slot_leave(&watch.slots[1]);
    }
    assert_null(look_after(100, &inside)); /* nobody is inside */
    assert_null(look_after(100, &inside));
}

static void
one_slot_does_not_hide_another(void **state)
{
    (void)state;
    struct gf_duration inside = {0};
    const char *found = NULL;
    start();
    gf_watchdog_slot_enter(&watch.slots[GF_WATCHDOG_SLOTS_MAX - 1], "abort");
    for (int second = 0; second < 17 && found == NULL; second++) {
        gf_watchdog_slot_enter(&watch.slots[0], "poll");
        found = look_after(1, &inside);
        gf_watchdog_slot_leave(&watch.slots[0]);
    }
    assert_non_null(found);
    assert_string_equal(found, "abort");
}

static void
time_in_which_the_process_was_stopped_does_not_count(void **state)
{
    (void)state;
    struct gf_duration inside = {0};
    start();
    gf_watchdog_slot_enter(&watch.slots[0], "commit");
    assert_null(look_after(1, &inside));
    assert_null(look_after(3600, &inside)); /* counts as two looks */
    for (int second = 0; second < 13; second++) {
        assert_null(look_after(1, &inside));
    }
    assert_non_null(look_after(1, &inside));
}

/* Each question is a second later: the limit comes after 17 of them, however fast the machine. */
static int64_t
clock_that_runs(struct gf_clock *clock)
{
    (void)clock;
    static int64_t us;
    return us += GF_US_PER_S;
}

static void
the_process_ends_with_the_name_of_the_call(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        struct gf_clock clock = {.monotonic_us = clock_that_runs};
        struct gf_watchdog *watchdog = NULL;
        dup2(ends[1], STDERR_FILENO);
        alarm(60);
        if (gf_watchdog_start((struct gf_duration){20000}, &clock, &watchdog, NULL) != GF_OK) {
            _exit(1);
        }
        gf_watchdog_enter(watchdog, 2, "send offsets");
        for (;;) {
            pause();
        }
    }
    int status = 0;
    char text[512] = "";
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    close(ends[0]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), GF_WATCHDOG_EXIT);
    assert_non_null(strstr(text, "'send offsets' has not returned for"));
}

static void
it_stops_and_nobody_need_watch(void **state)
{
    (void)state;
    struct gf_watchdog *watchdog = NULL;
    struct gf_error error;
    assert_int_equal(gf_watchdog_start((struct gf_duration){3600 * GF_US_PER_S}, gf_system_clock(),
                                       &watchdog, &error),
                     GF_OK);
    gf_watchdog_enter(watchdog, 0, "commit");
    gf_watchdog_leave(watchdog, 0);
    gf_watchdog_stop(watchdog);
    gf_watchdog_enter(NULL, 0, "commit");
    gf_watchdog_leave(NULL, 0);
    gf_watchdog_stop(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_named_when_it_reaches_the_limit),
        cmocka_unit_test(calls_that_return_are_never_added_up),
        cmocka_unit_test(one_slot_does_not_hide_another),
        cmocka_unit_test(time_in_which_the_process_was_stopped_does_not_count),
        cmocka_unit_test(the_process_ends_with_the_name_of_the_call),
        cmocka_unit_test(it_stops_and_nobody_need_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
