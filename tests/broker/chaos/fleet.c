/* The instances, and who looks after them: started, watched by what they log, started again. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/civil.h"
#include "base/error.h"
#include "chaos.h"
#include "io/watchdog_look.h"

#define TICK_MS      20
#define UNWELL_MS    20000 /* after a broker or the network was not well, an instance may give up */
#define STOP_SECONDS 120

static void
shards_forget(struct chaos_instance *instance)
{
    instance->is_told = false;
    memset(instance->shards, 0, sizeof(instance->shards));
}

static void
config_write(struct chaos_instance *instance, int number)
{
    FILE *file = fopen(instance->config, "w");
    if (file == NULL) {
        chaos_die("%s", instance->config);
    }
    fprintf(file,
            "version: 1\nlog: kafka:%s\nstore: %s/state\npartitions: %d\nassignment: group\n"
            "standby: %s\nbatch_records: 128\nsweep: {records: 5000}\n"
            "snapshot: {folder: %s/snapshots-%d, interval: 5s}\n"
            "logging: {format: logfmt}\n",
            chaos.cluster.proxied, instance->store, CHAOS_SHARDS, number == 2 ? "true" : "false",
            chaos.work, chaos.round);
    fprintf(file, chaos.is_live ? "order: arrival\ncommit: {interval: 50ms, batches: 8}\n"
                                : "order: canonical\ncommit: {batches: 2}\n");
    fprintf(file,
            "kafka:\n  transactional_id: %s\n  client_id: %s\n  group: round-%d\n"
            "  topic_prefix: \"%s\"\n  replication: %d\n  session_timeout: %dms\n"
            "  transaction_timeout: %dms\n  request_timeout: 5s\n",
            instance->name, instance->name, chaos.round, chaos.prefix, chaos.brokers,
            CHAOS_SESSION_MS, CHAOS_TXN_MS);
    fclose(file);
}

/* A disk of its own, for the fault that fills it. */
static void
disk_mount(struct chaos_instance *instance)
{
    instance->has_mount = mount("tmpfs", instance->store, "tmpfs", 0, "size=256m,mode=0700") == 0;
}

void
fleet_make(void)
{
    for (int i = 0; i < CHAOS_SEATS; i++) {
        struct chaos_instance *instance = &chaos.instances[i];
        if (instance->has_mount) {
            umount2(instance->store, MNT_DETACH);
        }
        *instance = (struct chaos_instance){0};
        snprintf(instance->name, sizeof(instance->name), "r%d-%c", chaos.round, 'a' + i);
        char path[sizeof(instance->config)];
        snprintf(path, sizeof(path), "%s/r%d-%c.yaml", chaos.work, chaos.round, 'a' + i);
        memcpy(instance->config, path, sizeof(path));
        snprintf(path, sizeof(path), "%s/r%d-%c.disk", chaos.work, chaos.round, 'a' + i);
        memcpy(instance->store, path, sizeof(instance->store));
        if (mkdir(instance->store, 0700) != 0 && errno != EEXIST) {
            chaos_die("%s", instance->store);
        }
        if (i == 0) {
            disk_mount(instance);
        }
        config_write(instance, i);
    }
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        chaos.owner[shard] = -1;
        chaos.orphan_us[shard] = 0;
        chaos.still_us[shard] = 0;
    }
}

void
fleet_program_start(struct test_program *program, const char *log, const char *const arguments[])
{
    if (chaos.without != NULL) {
        setenv("GRIDFOLD_RULE_OFF", chaos.without, 1);
    }
    test_program_start(program, log, arguments);
    unsetenv("GRIDFOLD_RULE_OFF");
}

void
fleet_start(struct chaos_instance *instance)
{
    if (instance->tail != NULL) {
        fclose(instance->tail);
    }
    snprintf(instance->log, sizeof(instance->log), "%s/%s-%03d.log", chaos.work, instance->name,
             ++instance->starts);
    const char *const arguments[] = {chaos.gridfold, "run", "-c", instance->config, NULL};
    FILE *file = fopen(instance->log, "w"); /* so that it can be followed from its beginning */
    if (file != NULL) {
        fclose(file);
    }
    fleet_program_start(&instance->program, instance->log, arguments);
    instance->tail = fopen(instance->log, "r");
    instance->signal = 0;
    instance->start_at_ms = 0;
    shards_forget(instance);
    chaos.starts++;
}

/* ---- what they log ---- */

static void
sample_add(enum chaos_takeover by, uint32_t fault, int64_t us)
{
    struct chaos_samples *samples = &chaos.takeovers[by];
    if (fault != chaos.fault_number) {
        samples->disturbed++;
    } else if (samples->count < CHAOS_SAMPLES) {
        samples->us[samples->count++] = us;
    }
}

static void
shard_is_live(struct chaos_instance *instance, int shard, bool is_standby, int64_t us)
{
    if (shard < 0 || shard >= CHAOS_SHARDS) {
        chaos_die("%s: shard %d", instance->name, shard);
    }
    if (instance->shards[shard].told_us != 0) {
        sample_add(is_standby ? CHAOS_TOLD_STANDBY : CHAOS_TOLD_OTHER,
                   instance->shards[shard].told_fault, us - instance->shards[shard].told_us);
        instance->shards[shard].told_us = 0;
    }
    instance->shards[shard].is_live = true;
    if (chaos.still_us[shard] != 0 && us >= chaos.still_us[shard]) {
        sample_add(CHAOS_MOVED, chaos.still_fault[shard], us - chaos.still_us[shard]);
        chaos.still_us[shard] = 0;
    }
    if (chaos.orphan_us[shard] != 0 && us >= chaos.orphan_us[shard]) {
        sample_add(chaos.orphan_by[shard], chaos.orphan_fault[shard], us - chaos.orphan_us[shard]);
        chaos.orphan_us[shard] = 0;
    }
    chaos.owner[shard] = (int)(instance - chaos.instances);
}

/* They have to become live again, here or elsewhere. */
static void
shards_leave(const struct chaos_instance *instance)
{
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        if (chaos.owner[shard] == instance - chaos.instances) {
            chaos.owner[shard] = -1;
        }
    }
}

/* Those that are live move on, or come back in a moment without a word; those of a membership that
 * was lost begin anew. */
static void
shards_are_revoked(struct chaos_instance *instance, bool is_lost, int64_t us)
{
    instance->is_told = false;
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        if (chaos.is_scaling && instance->shards[shard].is_live) {
            chaos.still_us[shard] = us;
            chaos.still_fault[shard] = chaos.fault_number;
        }
        instance->shards[shard].is_live = instance->shards[shard].is_live && !is_lost;
    }
}

/* `names` as "0,4,8", or in quotes. */
static void
shards_are_told(struct chaos_instance *instance, const char *names, int64_t us)
{
    bool is_own[CHAOS_SHARDS] = {false};
    for (const char *at = names + strspn(names, "\""); *at >= '0' && *at <= '9';) {
        char *end = NULL;
        const long shard = strtol(at, &end, 10);
        if (shard >= CHAOS_SHARDS) {
            chaos_die("%s: shard %ld", instance->name, shard);
        }
        is_own[shard] = true;
        at = end + (*end == ',');
    }
    instance->is_told = true;
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        if (!is_own[shard]) {
            instance->shards[shard].is_own = instance->shards[shard].is_live = false;
            instance->shards[shard].told_us = 0;
        } else if (!instance->shards[shard].is_own) {
            instance->shards[shard].is_own = true;
            instance->shards[shard].told_us = us;
            instance->shards[shard].told_fault = chaos.fault_number;
        } else if (instance->shards[shard].is_live) {
            chaos.still_us[shard] = 0; /* it has never left */
        }
    }
}

static void
line_take(struct chaos_instance *instance, const char *line)
{
    const char *event = strstr(line, " event="), *shard = strstr(line, " shard=");
    struct gf_time time = {0};
    const char *end = strchr(line, ' ');
    if (event == NULL || strncmp(line, "time=", 5) != 0 ||
        gf_time_parse(line + 5, (size_t)(end - line) - 5, &time) != GF_OK) {
        return;
    }
    event += 7;
    if (strncmp(event, "shard_live ", 11) == 0 && shard != NULL) {
        shard_is_live(instance, atoi(shard + 7), strstr(line, " text=standby") != NULL, time.us);
    } else if (strncmp(event, "revoked ", 8) == 0) {
        shards_are_revoked(instance, strstr(line, " text=lost") != NULL, time.us);
    } else if (strncmp(event, "assigned ", 9) == 0) {
        const char *shards = strstr(line, " text=");
        shards_are_told(instance, shards == NULL ? "" : shards + 6, time.us);
        chaos.assignments++;
    } else if (strncmp(event, "transaction_ended ", 18) == 0) {
        chaos.fencings++;
    } else if (strncmp(event, "recovering ", 11) == 0) {
        chaos.recoveries++;
        shards_leave(instance);
        for (int i = 0; i < CHAOS_SHARDS; i++) {
            instance->shards[i].is_live = false;
        }
    }
}

static void
tail_read(struct chaos_instance *instance)
{
    char line[2048];
    for (;;) {
        const long at = ftell(instance->tail);
        if (fgets(line, sizeof(line), instance->tail) == NULL) {
            break;
        }
        if (strchr(line, '\n') == NULL && strlen(line) < sizeof(line) - 1) {
            fseek(instance->tail, at, SEEK_SET); /* the rest of it is still to come */
            break;
        }
        line_take(instance, line);
    }
    clearerr(instance->tail);
}

/* ---- how they end ---- */

static bool
is_expected(const struct chaos_instance *instance, int code)
{
    const bool was_unwell = chaos_now_ms() < chaos.unwell_until_ms + UNWELL_MS;
    if (code == gf_rc_exit_code(GF_E_UNAVAILABLE)) {
        return was_unwell;
    }
    if (code == GF_WATCHDOG_EXIT) { /* librdkafka waits for a broker, whatever its time-out is */
        return was_unwell && test_file_has(instance->log, "has not returned");
    }
    if (code == gf_rc_exit_code(GF_E_NO_SPACE)) {
        return instance->has_full_disk;
    }
    if (code == gf_rc_exit_code(GF_E_FENCED)) {
        return instance->is_fenced_wanted; /* whatever the network does */
    }
    return (code == 128 + SIGKILL && instance->signal == SIGKILL) ||
           (code == 0 && instance->signal == SIGTERM);
}

static void
ended(struct chaos_instance *instance, int code)
{
    tail_read(instance);
    if (!is_expected(instance, code)) {
        test_file_show(instance->log);
        chaos_die("%s ended with %d, unasked for", instance->log, code);
    }
    chaos.exits[code & 255]++;
    shards_leave(instance);
    shards_forget(instance);
    if (instance->signal == 0) { /* by itself: a supervisor waits a little */
        instance->start_at_ms = chaos_now_ms() + 200;
    }
}

void
fleet_tend(void)
{
    for (int i = 0; i < CHAOS_SEATS; i++) {
        struct chaos_instance *instance = &chaos.instances[i];
        if (instance->starts == 0) {
            continue;
        }
        tail_read(instance);
        if (instance->program.pid != 0) {
            const int code = test_program_wait_ms(&instance->program, 0);
            if (code >= 0) {
                ended(instance, code);
            }
        }
        if (instance->program.pid == 0 && chaos_now_ms() >= instance->start_at_ms) {
            fleet_start(instance);
        }
    }
}

static void
orphan(struct chaos_instance *instance, enum chaos_takeover by)
{
    tail_read(instance);
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        if (chaos.owner[shard] == instance - chaos.instances && chaos.orphan_us[shard] == 0) {
            chaos.orphan_us[shard] = chaos_wall_us();
            chaos.orphan_by[shard] = by;
            chaos.orphan_fault[shard] = chaos.fault_number;
        }
    }
}

void
fleet_kill(struct chaos_instance *instance, enum chaos_takeover by, int64_t away_ms)
{
    const int number = by == CHAOS_AFTER_STOP || by == CHAOS_AFTER_LEAVING ? SIGTERM : SIGKILL;
    if (instance->program.pid == 0) {
        return; /* it has just ended by itself */
    }
    instance->signal = number;
    instance->start_at_ms = away_ms > 0 ? chaos_now_ms() + away_ms : 0;
    orphan(instance, by);
    test_program_signal(&instance->program, number);
    const int code = test_program_wait_ms(&instance->program, STOP_SECONDS * 1000);
    if (code < 0) {
        chaos_die("%s does not end", instance->log);
    }
    ended(instance, code);
}

void
fleet_stop_all(void)
{
    for (int i = 0; i < CHAOS_SEATS; i++) {
        fleet_kill(&chaos.instances[i], CHAOS_AFTER_STOP, 0);
        chaos.instances[i].signal = SIGTERM;
    }
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        chaos.orphan_us[shard] = 0;
    }
}

/* ---- time ---- */

void
chaos_pass(int64_t ms)
{
    const int64_t until = chaos_now_ms() + ms;
    do {
        fleet_tend();
        watch_poll();
        report_progress();
        usleep(TICK_MS * 1000);
    } while (chaos_now_ms() < until);
}

/* Every shard is live at the one instance whose own it is. What was logged before the last word of
 * the group does not count: a shard may be live at one and another's already. */
static bool
is_settled(void)
{
    int owners[CHAOS_SHARDS] = {0};
    for (int i = 0; i < CHAOS_SEATS; i++) {
        const struct chaos_instance *instance = &chaos.instances[i];
        if (instance->program.pid == 0) {
            continue;
        }
        for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
            if (!instance->is_told ||
                instance->shards[shard].is_own != instance->shards[shard].is_live) {
                return false;
            }
            owners[shard] += instance->shards[shard].is_own;
        }
    }
    for (int shard = 0; shard < CHAOS_SHARDS; shard++) {
        if (owners[shard] != 1) {
            return false;
        }
    }
    return true;
}

bool
chaos_pass_settled(int64_t ms)
{
    const int64_t until = chaos_now_ms() + ms;
    while (!is_settled() && chaos_now_ms() < until) {
        chaos_pass(TICK_MS);
    }
    return is_settled();
}
