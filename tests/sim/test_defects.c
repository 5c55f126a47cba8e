/* Defects: each rule of the protocol switched off in turn is caught by the simulation, by a seed
 * that passes with the rule on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "cluster/defects.h"
#include "cluster/sim.h"
#include "loop/fault.h"

#define SEEDS_MAX 400

/* The seed that catches the defect, 0 when none does: the recorded one first. */
static uint64_t
seed_find(const struct sim_defect *defect, struct sim_result *result_out)
{
    for (uint64_t seed = 0; seed <= SEEDS_MAX; seed++) {
        gf_rules_off = gf_rule_bit(defect->rule);
        *result_out = sim_run(seed == 0 ? defect->seed : seed, false);
        gf_rules_off = 0;
        if (!result_out->is_ok) {
            return seed == 0 ? defect->seed : seed;
        }
    }
    return 0;
}

static void
every_rule_is_needed(void **state)
{
    (void)state;
    uint32_t missed = 0;
    unsigned seen = 0;
    for (uint32_t i = 0; i < sim_defect_count; i++) {
        seen |= gf_rule_bit(sim_defects[i].rule);
        struct sim_result result;
        const uint64_t seed = seed_find(&sim_defects[i], &result);
        if (seed == 0) {
            print_message("%s off: not caught in %d seeds\n", sim_defects[i].rule, SEEDS_MAX);
            missed++;
            continue;
        }
        print_message("%s off: seed %u: %s\n", sim_defects[i].rule, (unsigned)seed, result.failure);
        result = sim_run(seed, false);
        if (!result.is_ok) {
            fail_msg("seed %u fails with every rule on: %s", (unsigned)seed, result.failure);
        }
    }
    assert_int_equal(missed, 0);
    assert_int_equal(seen, gf_rules_all);
}

/* The same seed gives the same run. */
static void
a_seed_is_a_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        const struct sim_result a = sim_run(seed, false), b = sim_run(seed, false);
        assert_int_equal(a.calls, b.calls);
        assert_int_equal(a.simulated_us, b.simulated_us);
        assert_int_equal(a.counts[SIM_COMMITS], b.counts[SIM_COMMITS]);
        assert_int_equal(a.counts[SIM_CRASHES], b.counts[SIM_CRASHES]);
    }
}

static int
end(void **state)
{
    (void)state;
    sim_end();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_is_a_run),
        cmocka_unit_test(every_rule_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
