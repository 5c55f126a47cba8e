/* Any split of the same input into canonical batches gives the same effects, batch numbers aside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lab_world.h"

static void
run_split(struct lab *lab, const struct lab *inputs, const struct lab_world *world,
          uint32_t batch_records)
{
    char text[256];
    snprintf(text, sizeof(text),
             "partitions: 2\nbatch_records: %u\ncommit: {batches: %u}\nsweep: {records: 700}\n",
             batch_records, batch_records % 5 + 1);
    lab_open(lab, text);
    if (inputs == NULL) {
        lab_world_add(lab, world);
    } else {
        lab_copy_inputs(lab, inputs);
    }
    const enum gf_rc rc = lab_run(lab);
    if (rc != GF_OK) {
        fail_msg("batches of %u: %s: %s", batch_records, gf_rc_name(rc), lab->error.text);
    }
    lab_assert_conserved(lab);
}

static void
any_split_gives_the_same_effects(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {4096, 1, 7, 100, 333};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        const struct lab_world world = {.seed = seed,
                                        .customers = 6 + (uint32_t)seed,
                                        .days = 12,
                                        .interval_s = seed == 2 ? 900 : 3600,
                                        .has_trouble = true};
        struct lab first;
        run_split(&first, NULL, &world, sizes[0]);
        assert_true(lab_count(&first, GF_TOPIC_ARREARS_ALERTS) > 0);
        assert_true(lab_count(&first, GF_TOPIC_TARIFF_ADJUSTMENTS) > 0);
        assert_true(lab_count(&first, GF_TOPIC_DATA_QUALITY) > 0);
        for (uint32_t i = 1; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct lab lab;
            run_split(&lab, &first, &world, sizes[i]);
            lab_assert_same_outputs(&lab, &first, LAB_LINEAGE_ASIDE);
            lab_assert_same_state(&lab, &first);
            lab_close(&lab);
        }
        lab_close(&first);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_split_gives_the_same_effects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
