/* sim_cluster [--seeds N] [--seed S] [--trace] [--off RULE]: simulates a cluster, seed by seed
 * (tests/sim/cluster/sim.h). A line for each seed that failed; exit 1 when one has. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/defects.h"
#include "cluster/sim.h"
#include "loop/fault.h"

static const char *const counter_texts[] = {
#define COUNTER_TEXT(name, text) [SIM_##name] = text,
    SIM_COUNTERS(COUNTER_TEXT)
#undef COUNTER_TEXT
};

struct arguments {
    uint64_t first, count;
    bool is_traced;
};

static int
usage(void)
{
    fprintf(stderr, "usage: sim_cluster [--seeds N] [--seed S] [--trace] [--off RULE]\n"
                    "  --seeds N   so many seeds, from S or 1 on (default 1000)\n"
                    "  --seed S    this seed alone\n"
                    "  --trace     what happens, in words\n"
                    "  --off RULE  switches a rule of the protocol off:");
    for (uint32_t i = 0; i < sim_defect_count; i++) {
        fprintf(stderr, " %s", sim_defects[i].rule);
    }
    fprintf(stderr, "\n");
    return 64;
}

static bool
rule_off(const char *name)
{
    gf_rules_off |= gf_rule_bit(name);
    return gf_rule_bit(name) != 0;
}

static bool
arguments_read(int argc, char **argv, struct arguments *out)
{
    bool has_seeds = false, has_seed = false;
    *out = (struct arguments){.first = 1, .count = 1000};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            out->is_traced = true;
            continue;
        }
        char *end = NULL;
        const uint64_t number = strtoull(value, &end, 10);
        const bool is_number = *value != '\0' && *end == '\0';
        if (strcmp(argv[i], "--seeds") == 0 && is_number) {
            out->count = number;
            has_seeds = true;
        } else if (strcmp(argv[i], "--seed") == 0 && is_number) {
            out->first = number;
            has_seed = true;
        } else if (strcmp(argv[i], "--off") != 0 || !rule_off(value)) {
            return false;
        }
        i++;
    }
    out->count = has_seed && !has_seeds ? 1 : out->count;
    return true;
}

int
main(int argc, char **argv)
{
    struct arguments arguments;
    if (!arguments_read(argc, argv, &arguments)) {
        return usage();
    }
    struct sim_result sum = {.is_ok = true};
    uint64_t failed = 0;
    printf("seeds %" PRIu64 " to %" PRIu64 "\n", arguments.first,
           arguments.first + arguments.count - 1);
    for (uint64_t i = 0; i < arguments.count; i++) {
        const uint64_t seed = arguments.first + i;
        const struct sim_result result = sim_run(seed, arguments.is_traced);
        if (!result.is_ok) {
            printf("seed %" PRIu64 ": %s\n", seed, result.failure);
            fflush(stdout);
            failed++;
        }
        for (int k = 0; k < SIM_COUNTER_COUNT; k++) {
            sum.counts[k] += result.counts[k];
        }
        sum.simulated_us += result.simulated_us;
        sum.calls += result.calls;
    }
    sim_end();
    printf("%" PRIu64 " seeds, %" PRIu64 " failed: %.0f hours, %" PRIu64 " calls", arguments.count,
           failed, (double)sum.simulated_us / 3.6e9, sum.calls);
    for (int k = 0; k < SIM_COUNTER_COUNT; k++) {
        printf(", %" PRIu64 " %s", sum.counts[k], counter_texts[k]);
    }
    printf("\n");
    return failed > 0;
}
