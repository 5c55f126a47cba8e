/* How it goes, and how it went. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "chaos.h"

#define PROGRESS_MS 10000

static const char *const takeover_names[CHAOS_TAKEOVERS] = {
    [CHAOS_SUCCESSOR] = "kill -9, by a successor",
    [CHAOS_BACK] = "kill -9, by itself again",
    [CHAOS_AFTER_STOP] = "SIGTERM, by itself again",
    [CHAOS_AFTER_LEAVING] = "SIGTERM, by a successor",
    [CHAOS_TOLD_STANDBY] = "being told, by a standby",
    [CHAOS_TOLD_OTHER] = "being told, by others",
    [CHAOS_MOVED] = "its owner gave it up",
};
static const char *const takeover_keys[CHAOS_TAKEOVERS] = {
    [CHAOS_SUCCESSOR] = "successor",           [CHAOS_BACK] = "restart_after_kill",
    [CHAOS_AFTER_STOP] = "restart_after_stop", [CHAOS_AFTER_LEAVING] = "successor_after_leaving",
    [CHAOS_TOLD_STANDBY] = "told_standby",     [CHAOS_TOLD_OTHER] = "told_other",
    [CHAOS_MOVED] = "moved_by_scaling",
};

void
report_progress(void)
{
    static int64_t shown_ms;
    const int64_t now = chaos_now_ms();
    if (now - shown_ms >= PROGRESS_MS) {
        shown_ms = now;
        chaos_say("round %d: %u kills, %u faults; %lld records folded, %lld batches", chaos.round,
                  fault_kills(), chaos.fault_number, (long long)watch_records(),
                  (long long)chaos.batches);
    }
}

static int
us_compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static double
quantile(const struct chaos_samples *samples, double share)
{
    if (samples->count == 0) {
        return 0;
    }
    return (double)samples->us[(uint32_t)(share * (samples->count - 1))] / 1e6;
}

static void
text_print(double seconds)
{
    printf("seed %llu, Kafka %s, %d node%s, %s, %d rounds, %.0f s\n\n",
           (unsigned long long)chaos.random.seed, chaos.version == NULL ? "3.9.1" : chaos.version,
           chaos.brokers, chaos.brokers == 1 ? "" : "s", chaos.is_live ? "live" : "preloaded",
           chaos.round, seconds);
    printf("kill -9 survived           %8u\nstarts                     %8u\n", fault_kills(),
           chaos.starts);
    for (int fault = 0; fault < CHAOS_FAULTS; fault++) {
        printf("  %-24s %8u", chaos_fault_names[fault], chaos.faults[fault]);
        printf(chaos.faults_skipped[fault] > 0 ? "   (%u more hit nothing or were not possible)\n"
                                               : "\n",
               chaos.faults_skipped[fault]);
    }
    printf("given up, started again    %8u   (no broker for too long: 69, or a call that waits "
           "for one: 70)\n",
           chaos.exits[69] + chaos.exits[70]);
    printf("fenced, started again      %8u   (76; one for each twin)\n", chaos.exits[76]);
    printf("transactions ended by name %8u\nbeginnings anew            %8u\n", chaos.fencings,
           chaos.recoveries);
    printf("rebalances seen by others in rolling restarts: %u\n\n", chaos.roll_assignments);
    for (int by = 0; by < CHAOS_TAKEOVERS; by++) {
        const struct chaos_samples *samples = &chaos.takeovers[by];
        printf("shard live after %-26s %5u", takeover_names[by], samples->count);
        if (samples->count > 0) {
            printf(": half within %.2f s, all within %.2f s", quantile(samples, 0.5),
                   quantile(samples, 1));
        }
        printf(" (%u more with another fault in between)\n", samples->disturbed);
    }
    printf("session time-out %.1f s\n\n", CHAOS_SESSION_MS / 1e3);
    printf("%lld batches of %lld records: conserved at every commit\n", (long long)chaos.batches,
           (long long)chaos.records);
    printf("%llu outputs: 0 lost, 0 doubled, 0 different%s\n", (unsigned long long)chaos.compared,
           chaos.is_live ? " from the replay of the journal"
                         : " from the undisturbed run, order included");
    printf("dead letters: exactly the %u bad records of each round\n", chaos.bad_count);
}

static void
json_print(double seconds)
{
    printf("{\"seed\": %llu, \"kafka\": \"%s\", \"brokers\": %d, \"mode\": \"%s\", \"rounds\": %d, "
           "\"seconds\": %.0f, \"kills\": %u, \"starts\": %u, \"faults\": {",
           (unsigned long long)chaos.random.seed, chaos.version == NULL ? "3.9.1" : chaos.version,
           chaos.brokers, chaos.is_live ? "live" : "preloaded", chaos.round, seconds, fault_kills(),
           chaos.starts);
    for (int fault = 0; fault < CHAOS_FAULTS; fault++) {
        printf("%s\"%s\": %u", fault == 0 ? "" : ", ", chaos_fault_names[fault],
               chaos.faults[fault]);
    }
    printf("}, \"takeover_s\": {");
    for (int by = 0; by < CHAOS_TAKEOVERS; by++) {
        const struct chaos_samples *samples = &chaos.takeovers[by];
        printf("%s\"%s\": {\"count\": %u, \"p50\": %.3f, \"max\": %.3f}", by == 0 ? "" : ", ",
               takeover_keys[by], samples->count, quantile(samples, 0.5), quantile(samples, 1));
    }
    printf("}, \"session_timeout_s\": %.1f, \"rolling_rebalances\": %u, \"batches\": %lld, "
           "\"records\": %lld, \"outputs\": %llu, \"lost\": 0, \"doubled\": 0, \"different\": 0}\n",
           CHAOS_SESSION_MS / 1e3, chaos.roll_assignments, (long long)chaos.batches,
           (long long)chaos.records, (unsigned long long)chaos.compared);
}

void
report_print(double seconds)
{
    for (int by = 0; by < CHAOS_TAKEOVERS; by++) {
        qsort(chaos.takeovers[by].us, chaos.takeovers[by].count, sizeof(int64_t), us_compare);
    }
    (chaos.as_json ? json_print : text_print)(seconds);
}
