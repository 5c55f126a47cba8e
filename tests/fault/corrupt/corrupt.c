/* Damage to stores and snapshots is never silent.
 *
 *   corrupt GRIDFOLD [--count N] [--seed S] [--first I]
 *
 * Once: a run that is killed three times between sweeps, with snapshots between; then, for each
 * injection, a copy of that is damaged and started again with the rest of its input. It must end
 * with the same output files, byte for byte, and the same digests of all slices as a run that
 * nobody disturbed; or refuse (65) and say what to do, and doing so must lead there. An injection
 * is made from the seed and its number: `--seed S --first I --count 1` repeats it. GRIDFOLD must be
 * built with -Dfaults=true. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "damage.h"
#include "engine/slice.h"
#include "io/rocks_store.h"
#include "program.h"

#define SHARDS    3
#define KINDS_MAX 64
#define WAIT_MS   60000
#define KILLS     3

enum outcome { HARMLESS, FROM_JOURNAL, FROM_SNAPSHOT, REFUSED, OUTCOME_COUNT };

struct row {
    char kind[DAMAGE_KIND_SIZE];
    uint32_t counts[OUTCOME_COUNT];
};

struct campaign {
    const char *gridfold;
    char work[TREE_PATH_SIZE];
    uint64_t seed;
    struct gf_slice_meta calm[SHARDS][GF_SLICE_COUNT];
    struct row rows[KINDS_MAX];
    uint32_t row_count;
    uint64_t at;                 /* the injection at hand, */
    const struct damage *damage; /* NULL before the first */
};

static void
path_of(const struct campaign *it, char out[TREE_PATH_SIZE], const char *name)
{
    tree_path(out, "%s/%s", it->work, name);
}

static void
fail(const struct campaign *it, const char *what, const char *text)
{
    char log[TREE_PATH_SIZE];
    path_of(it, log, "out");
    printf("FAILED: %s: %s\nkept: %s\n", what, text, it->work);
    if (it->damage != NULL) {
        printf("injection %llu of seed %llu: %s\n", (unsigned long long)it->at,
               (unsigned long long)it->seed, it->damage->what);
    }
    test_file_show(log);
    exit(1);
}

/* ---- the program ---- */

static void
config_write(const struct campaign *it)
{
    char path[TREE_PATH_SIZE];
    path_of(it, path, "try.yaml");
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fail(it, "config", path);
    }
    fprintf(file,
            "version: 1\nlog: folder:%s/try\nstore: %s/try.state\norder: canonical\n"
            "batch_records: 128\ncommit: {batches: 2}\nsweep: {records: 1000}\n"
            "snapshot: {folder: %s/try.snaps, interval: 0s, keep: 3}\n",
            it->work, it->work, it->work);
    fclose(file);
}

/* The exit code; ends the test when the program does not end. */
static int
gridfold(const struct campaign *it, const char *verb, const char *option)
{
    char log[TREE_PATH_SIZE], config[TREE_PATH_SIZE];
    path_of(it, log, "out");
    path_of(it, config, "try.yaml");
    const char *const arguments[] = {it->gridfold, verb, "-c", config, option, NULL};
    struct test_program program;
    test_program_start(&program, log, arguments);
    const int code = test_program_wait_ms(&program, WAIT_MS);
    if (code < 0) {
        test_program_signal(&program, 9);
        fail(it, verb, "it does not end");
    }
    return code;
}

static void
must(const struct campaign *it, int code, int wanted, const char *what)
{
    if (code != wanted) {
        char text[64];
        snprintf(text, sizeof(text), "exit %d, not %d", code, wanted);
        fail(it, what, text);
    }
}

/* ---- what everything is compared with ---- */

static void
state_read(const struct campaign *it, struct gf_slice_meta metas[SHARDS][GF_SLICE_COUNT])
{
    for (uint32_t shard = 0; shard < SHARDS; shard++) {
        char path[TREE_PATH_SIZE];
        tree_path(path, "%s/try.state/shard-%04u", it->work, shard);
        const struct gf_rocks_store_options options = {.path = path, .is_read_only = true};
        struct gf_store *store = NULL;
        struct gf_error error = {{0}};
        enum gf_rc rc = gf_rocks_store_open(&options, &store, &error);
        if (rc == GF_OK) {
            rc = store->ops->metas(store, shard, metas[shard], &error);
        }
        for (uint32_t slice = 0; rc == GF_OK && slice < GF_SLICE_COUNT; slice++) {
            rc = gf_slice_check(store, shard, slice, &metas[shard][slice], &error);
        }
        if (rc != GF_OK) {
            fail(it, "state after the run", error.text);
        }
        store->ops->close(store);
    }
}

static const char *const outputs[] = {"tariff.adjustments", "arrears.alerts", "fraud.flags",
                                      "data.quality", "dead.letters"};

/* Whether outputs and state are those of the undisturbed run. */
static bool
is_same(const struct campaign *it, char differs[TREE_PATH_SIZE])
{
    static struct gf_slice_meta metas[SHARDS][GF_SLICE_COUNT];
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        char calm[TREE_PATH_SIZE], now[TREE_PATH_SIZE];
        tree_path(calm, "%s/calm/%s", it->work, outputs[i]);
        tree_path(now, "%s/try/%s", it->work, outputs[i]);
        if (!tree_is_same(calm, now, differs)) {
            return false;
        }
    }
    state_read(it, metas);
    for (uint32_t i = 0; i < SHARDS * GF_SLICE_COUNT; i++) {
        const struct gf_slice_meta *a = &it->calm[i / GF_SLICE_COUNT][i % GF_SLICE_COUNT];
        const struct gf_slice_meta *b = &metas[i / GF_SLICE_COUNT][i % GF_SLICE_COUNT];
        if (a->batch != b->batch || memcmp(&a->digest, &b->digest, sizeof(a->digest)) != 0) {
            tree_path(differs, "shard %u slice %u", i / GF_SLICE_COUNT, i % GF_SLICE_COUNT);
            return false;
        }
    }
    return true;
}

static const char *const parts[] = {"", ".state", ".snaps"};

static void
try_move(const struct campaign *it, const char *to)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char from[TREE_PATH_SIZE], target[TREE_PATH_SIZE];
        tree_path(from, "%s/try%s", it->work, parts[i]);
        tree_path(target, "%s/%s%s", it->work, to, parts[i]);
        if (access(from, F_OK) == 0 && rename(from, target) != 0) {
            fail(it, "rename", from);
        }
    }
}

static void
try_fresh(const struct campaign *it)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char from[TREE_PATH_SIZE], to[TREE_PATH_SIZE];
        tree_path(from, "%s/base%s", it->work, parts[i]);
        tree_path(to, "%s/try%s", it->work, parts[i]);
        tree_remove(to);
        tree_copy(from, to);
    }
}

static void
base_make(struct campaign *it)
{
    char input[TREE_PATH_SIZE], log[TREE_PATH_SIZE], to[TREE_PATH_SIZE + 8], seed[32];
    path_of(it, input, "input");
    path_of(it, log, "try");
    snprintf(to, sizeof(to), "folder:%s", input);
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)it->seed);
    char out[TREE_PATH_SIZE];
    path_of(it, out, "out");
    const char *const simulate[] = {
        it->gridfold,     "simulate",   "--to",         to,   "--days",       "12",
        "--customers",    "40",         "--seed",       seed, "--interval",   "1h",
        "--start",        "2024-03-01", "--partitions", "3",  "--theft-rate", "0.1",
        "--arrears-rate", "0.3",        "--no-sync",    NULL};
    must(it, test_program_run(out, simulate), 0, "simulate");
    config_write(it);
    tree_copy(input, log);
    must(it, gridfold(it, "run", "--exit-at-end"), 0, "the undisturbed run");
    state_read(it, it->calm);
    try_move(it, "calm");
    tree_copy(input, log);
    for (uint32_t kill = 0; kill < KILLS; kill++) {
        setenv("GRIDFOLD_POINT", "in_sweep:150", 1);
        must(it, gridfold(it, "run", "--exit-at-end"), 137, "a run that is killed");
        unsetenv("GRIDFOLD_POINT");
        if (kill + 1 < KILLS) {
            must(it, gridfold(it, "snapshot", NULL), 0, "snapshot");
        }
        if (kill == 0) { /* what is older than the rest */
            char state[TREE_PATH_SIZE], older[TREE_PATH_SIZE];
            path_of(it, state, "try.state");
            path_of(it, older, "older.state");
            tree_copy(state, older);
        }
    }
    try_move(it, "base");
}

/* ---- one injection ---- */

static void
store_lose(const struct campaign *it)
{
    char state[TREE_PATH_SIZE];
    path_of(it, state, "try.state");
    tree_remove(state);
}

static void
inject(const struct campaign *it, struct gf_random *random, struct damage *damage)
{
    char state[TREE_PATH_SIZE], snaps[TREE_PATH_SIZE], older[TREE_PATH_SIZE];
    path_of(it, state, "try.state");
    path_of(it, snaps, "try.snaps");
    path_of(it, older, "older.state");
    const uint64_t way = gf_random_next(random) % 20;
    if (way < 10) {
        damage_store_file(state, random, damage);
        if (way < 3) { /* there is no snapshot to fall back to */
            tree_remove(snaps);
        }
    } else if (way < 15) {
        damage_snapshot_file(snaps, random, damage);
        store_lose(it);
    } else {
        damage_through_rocks(state, older, random, damage);
        if (way == 15) {
            tree_remove(snaps);
        }
    }
}

/* What a refusal says is done: the store is moved away, and the program started again. */
static void
told_and_done(const struct campaign *it)
{
    char log[TREE_PATH_SIZE], state[TREE_PATH_SIZE], away[TREE_PATH_SIZE];
    path_of(it, log, "out");
    if (!test_file_has(log, "move the store away") && !test_file_has(log, "move it away")) {
        fail(it, "a refusal", "it does not say what to do");
    }
    path_of(it, state, "try.state");
    path_of(it, away, "away");
    tree_remove(away);
    if (rename(state, away) != 0) {
        fail(it, "rename", state);
    }
    must(it, gridfold(it, "run", "--exit-at-end"), 0, "a run after what a refusal said");
}

static enum outcome
outcome_of(const struct campaign *it)
{
    char log[TREE_PATH_SIZE], differs[TREE_PATH_SIZE];
    path_of(it, log, "out");
    const int code = gridfold(it, "run", "--exit-at-end");
    if (code != 0 && code != 65) {
        must(it, code, 0, "a run over damage");
    }
    const bool is_from_snapshot = test_file_has(log, "event=store_restored");
    const bool is_told = is_from_snapshot || test_file_has(log, "event=store_put_away") ||
                         test_file_has(log, "event=snapshot_damaged");
    if (code == 65) {
        told_and_done(it);
    }
    if (!is_same(it, differs)) {
        fail(it, "SILENT: differs from the undisturbed run", differs);
    }
    return code == 65         ? REFUSED
           : is_from_snapshot ? FROM_SNAPSHOT
           : is_told          ? FROM_JOURNAL
                              : HARMLESS;
}

static void
count(struct campaign *it, const struct damage *damage, enum outcome outcome)
{
    uint32_t at = 0;
    while (at < it->row_count && strcmp(it->rows[at].kind, damage->kind) != 0) {
        at++;
    }
    if (at == it->row_count) {
        if (at == KINDS_MAX) {
            fail(it, "table", "too many kinds");
        }
        memcpy(it->rows[it->row_count++].kind, damage->kind, sizeof(damage->kind));
    }
    it->rows[at].counts[outcome]++;
}

static int
row_compare(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->kind, ((const struct row *)b)->kind);
}

static void
table_print(struct campaign *it)
{
    struct row sum = {.kind = "all"};
    qsort(it->rows, it->row_count, sizeof(it->rows[0]), row_compare);
    printf("%-28s %9s %12s %13s %8s\n", "damage to", "harmless", "from journal", "from snapshot",
           "refused");
    for (uint32_t i = 0; i <= it->row_count; i++) {
        const struct row *row = i < it->row_count ? &it->rows[i] : &sum;
        printf("%-28s %9u %12u %13u %8u\n", row->kind, row->counts[HARMLESS],
               row->counts[FROM_JOURNAL], row->counts[FROM_SNAPSHOT], row->counts[REFUSED]);
        for (int k = 0; i < it->row_count && k < OUTCOME_COUNT; k++) {
            sum.counts[k] += row->counts[k];
        }
    }
}

int
main(int argc, char **argv)
{
    static struct campaign it;
    uint64_t number_of = 2000, first = 0;
    static const struct option options[] = {{"count", required_argument, NULL, 'c'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"first", required_argument, NULL, 'f'},
                                            {NULL, 0, NULL, 0}};
    it.seed = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint64_t *value = option == 'c' ? &number_of : option == 's' ? &it.seed : &first;
        *value = option == '?' ? 0 : strtoull(optarg, NULL, 10);
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "usage: corrupt GRIDFOLD [--count N] [--seed S] [--first I]\n");
        return 64;
    }
    it.gridfold = argv[optind];
    const char *folder = getenv("TMPDIR");
    tree_path(it.work, "%s/gridfold-corrupt-XXXXXX", folder == NULL ? "/tmp" : folder);
    if (mkdtemp(it.work) == NULL) {
        perror(it.work);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("seed %llu\n", (unsigned long long)it.seed);
    base_make(&it);
    for (uint64_t i = first; i < first + number_of; i++) {
        struct gf_random random = {.seed = it.seed, .stream = i + 1};
        struct damage damage = {{0}, {0}};
        try_fresh(&it);
        inject(&it, &random, &damage);
        it.at = i;
        it.damage = &damage;
        const enum outcome outcome = outcome_of(&it);
        count(&it, &damage, outcome);
    }
    table_print(&it);
    printf("%llu injections, 0 silent\n", (unsigned long long)number_of);
    tree_remove(it.work);
    return 0;
}
