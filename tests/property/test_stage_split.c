/* Any split of the same input into canonical batches gives the same effects in all stages, batch
 * numbers aside: what one shard writes for another is in an order of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "stage_world.h"

static void
run_split(struct lab *lab, const struct lab *inputs, const struct stage_world *world,
          uint32_t partitions, uint32_t batch_records)
{
    char text[256];
    snprintf(text, sizeof(text),
             "partitions: %u\nbatch_records: %u\ncommit: {batches: %u}\nsweep: {records: "
             "700}\n" STAGE_CONFIG "operators: {balance: {interval: %s}}\n",
             partitions, batch_records, batch_records % 5 + 1,
             world->interval_s == 900 ? "15m" : "1h");
    lab_open(lab, text);
    if (inputs == NULL) {
        stage_world_add(lab, world);
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
        const struct stage_world world = {.seed = seed,
                                          .customers = 9,
                                          .areas = 3,
                                          .days = 4,
                                          .interval_s = seed == 2 ? 900 : 3600};
        const uint32_t partitions = 1 + (uint32_t)seed;
        struct lab first;
        run_split(&first, NULL, &world, partitions, sizes[0]);
        assert_true(lab_count(&first, GF_TOPIC_AREA_BALANCE) > 3 * 4 * 20);
        assert_true(lab_count(&first, GF_TOPIC_INTERNAL_READINGS) > 0);
        for (uint32_t i = 1; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct lab lab;
            run_split(&lab, &first, &world, partitions, sizes[i]);
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
