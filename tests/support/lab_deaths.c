#include "lab_deaths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lab_journal.h"

#define COPY_COUNT_MAX 8
#define RUN_COUNT_MAX  40
#define FAULT_RUNS     6 /* faults stay set where a run does not get to them */

/* The loop's own cure: a sink that aborts or does not know recovers in the same process. */
static void
fault_set(struct lab *lab, struct gf_random *random)
{
    static const struct {
        enum gf_memory_call call;
        enum gf_rc rc;
        bool is_applied;
        uint32_t within;
    } faults[] = {
        {GF_MEMORY_COMMIT, GF_E_TXN, false, 20},
        {GF_MEMORY_COMMIT, GF_E_UNKNOWN_OUTCOME, false, 20},
        {GF_MEMORY_COMMIT, GF_E_UNKNOWN_OUTCOME, true, 20},
        {GF_MEMORY_APPEND, GF_E_TXN, false, 200},
        {GF_MEMORY_BEGIN, GF_E_TXN, false, 20},
        {GF_MEMORY_READ, GF_E_UNAVAILABLE, false, 200},
    };
    const uint64_t which = gf_random_next(random) % (sizeof(faults) / sizeof(faults[0]));
    const uint32_t nth = 1 + (uint32_t)(gf_random_next(random) % faults[which].within);
    gf_memory_log_fail(lab->log, faults[which].call, nth, faults[which].rc,
                       faults[which].is_applied);
}

/* What a process that dies looks like from inside: an error that stops, here, with or without the
 * work done. */
static void
death_set(struct lab *lab, struct gf_random *random)
{
    const uint32_t nth = 1 + (uint32_t)(gf_random_next(random) % 12);
    switch (gf_random_next(random) % 6) {
    case 0:
        gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, nth, GF_E_IO, false);
        break;
    case 1:
        gf_memory_log_fail(lab->log, GF_MEMORY_COMMIT, nth, GF_E_IO, true);
        break;
    case 2:
        gf_memory_log_fail(lab->log, GF_MEMORY_APPEND, nth * 16, GF_E_IO, false);
        break;
    case 3:
        gf_memory_log_fail(lab->log, GF_MEMORY_READ, nth * 16, GF_E_IO, false);
        break;
    case 4:
        gf_memory_store_fail(lab->store, GF_STORE_PUT_SLICE, nth * 8, GF_E_IO, false);
        break;
    default:
        gf_memory_store_fail(lab->store, GF_STORE_PUT_SLICE, nth * 8, GF_E_IO, true);
        break;
    }
}

uint32_t
lab_run_through_deaths(struct lab *lab, struct gf_random *random)
{
    struct gf_store *copies[COPY_COUNT_MAX] = {NULL};
    uint32_t copy_count = 0, deaths = 0;
    enum gf_rc rc = GF_E_IO;
    for (uint32_t run = 0; rc != GF_OK; run++) {
        assert_true(run < RUN_COUNT_MAX);
        if (run < FAULT_RUNS) {
            fault_set(lab, random);
            death_set(lab, random);
        }
        rc = lab_run(lab);
        if (rc != GF_OK && rc != GF_E_IO) {
            fail_msg("run %u: %s: %s", run, gf_rc_name(rc), lab->error.text);
        }
        if (rc == GF_OK) {
            break;
        }
        deaths++;
        /* The disk may show any moment that it has had. */
        if (copy_count < COPY_COUNT_MAX) {
            copies[copy_count++] = gf_memory_store_copy(lab->store);
        }
        lab_crash(lab, gf_memory_store_copy(copies[gf_random_next(random) % copy_count]));
    }
    for (uint32_t i = 0; i < copy_count; i++) {
        copies[i]->ops->close(copies[i]);
    }
    return deaths;
}

void
lab_assert_undisturbed(const struct lab *lab, const struct lab *undisturbed)
{
    const struct gf_tally tally = lab_tally(lab), wanted = lab_tally(undisturbed);
    assert_memory_equal(&tally, &wanted, sizeof(tally));
    lab_assert_conserved(lab);
    lab_journal_assert_conserved(lab);
    lab_assert_same_outputs(lab, undisturbed, LAB_LINEAGE_SAME);
    lab_assert_same_state(lab, undisturbed);
}
