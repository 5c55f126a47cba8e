#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "io/rocks_store.h"
#include "store_files.h"
#include "store_history.h"

#define SEED UINT64_C(20260117)

static void
a_killed_writer_leaves_whole_slices(void **state)
{
    const char *path = *state;
    printf("seed %llu\n", (unsigned long long)SEED);
    struct gf_random random = {.seed = SEED};
    int64_t number = 1;
    for (uint32_t round = 0; round < 12; round++) {
        const struct writer writer = writer_start(path, number);
        const uint32_t count = 1 + (uint32_t)(gf_random_next(&random) % 120),
                       running = count < 20 ? 0 : 20;
        writer_ask(&writer, count, running);
        writer_kill(&writer);
        history_check_whole(path, number + count - running - 1);
        struct gf_store *store = history_open(path);
        struct gf_error error = {{0}};
        int64_t newest = 0;
        assert_int_equal(history_check(store, &newest, &error), GF_OK);
        store->ops->close(store);
        number = newest + 1;
    }
}

/* An error, or slices with older numbers: never blocks that differ from what their slice's number
 * says. */
static bool
damage_is_seen_or_harmless(const char *path, int64_t *newest_out)
{
    const struct gf_rocks_store_options options = {.path = path,
                                                   .segment_bytes = HISTORY_SEGMENT_BYTES};
    struct gf_store *store = NULL;
    struct gf_error error = {{0}};
    enum gf_rc rc = gf_rocks_store_open(&options, &store, &error);
    if (rc == GF_OK) {
        rc = history_check(store, newest_out, &error);
        store->ops->close(store);
    }
    if (rc != GF_OK && rc != GF_E_STATE) {
        fail_msg("%s: %s", gf_rc_name(rc), error.text);
    }
    return rc != GF_OK;
}

static void
damage_is_never_silent(void **state)
{
    const char *path = *state;
    char copy[400];
    snprintf(copy, sizeof(copy), "%s-copy", path);
    const struct writer writer = writer_start(path, 1);
    writer_ask(&writer, 130, 0); /* tables, a manifest and a log with writes in it */
    writer_kill(&writer);
    struct gf_random random = {.seed = SEED, .stream = 1};
    uint32_t seen = 0, older = 0, newest_kept = 0;
    for (uint32_t round = 0; round < 120; round++) {
        files_copy(path, copy);
        files_damage(copy, &random);
        int64_t newest = 0;
        if (damage_is_seen_or_harmless(copy, &newest)) {
            seen++;
        } else if (newest < 130) {
            older++;
        } else {
            newest_kept++;
        }
        files_remove(copy);
    }
    printf("refused %u, older %u, all there %u\n", seen, older, newest_kept);
    assert_true(seen > 10);
    assert_true(older > 10);
}

/* Writes of a later log file over tables that have not seen those of the log file before it. */
static void
a_hole_is_refused(void **state)
{
    const char *path = *state;
    char copy[400], log[400];
    snprintf(copy, sizeof(copy), "%s-copy", path);
    struct gf_store *store = history_open(path);
    struct gf_error error = {{0}};
    for (int64_t number = 1; number <= 5; number++) {
        assert_int_equal(history_write(store, number, &error), GF_OK);
    }
    store->ops->close(store);
    const struct writer writer = writer_start(path, 6); /* its start moves the five into a table */
    files_copy(path, copy);
    writer_ask(&writer, 100, 0);
    writer_kill(&writer);

    while (files_newest_log(copy, log, sizeof(log))) {
        assert_int_equal(unlink(log), 0);
    }
    history_check_whole(copy, 5);
    while (files_newest_log(copy, log, sizeof(log))) {
        assert_int_equal(unlink(log), 0);
    }
    assert_true(files_newest_log(path, log, sizeof(log)));
    file_copy_into(log, copy);
    const struct gf_rocks_store_options options = {.path = copy};
    assert_int_equal(gf_rocks_store_open(&options, &store, &error), GF_E_STATE);
    assert_non_null(strstr(error.text, "are missing"));
    files_remove(copy);
}

#define STORE_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, store_folder_make, store_folder_remove)

int
main(int count, char **arguments)
{
    if (strcmp(arguments[0], "writer") == 0) {
        return count == 5 ? writer_main(arguments + 1) : 1;
    }
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_killed_writer_leaves_whole_slices),
        STORE_TEST(damage_is_never_silent),
        STORE_TEST(a_hole_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
