/* The sink of the folder log: a commit counts whole or not at all, whatever stops the process or
 * the disk. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "codec/records.h"
#include "folder_log.h"
#include "loop/commit.h"

/* Topics that are written while only the customer stage is on. */
#define OUTPUT_COUNT 6
#define FLAGS        GF_TOPIC_FRAUD_FLAGS
#define JOURNAL      GF_TOPIC_JOURNAL
#define FIRST_FILE   "00000000000000000000.avro"

static int
setup(void **state)
{
    static char path[FOLDER_PATH_SIZE];
    folder_make(path);
    *state = path;
    return 0;
}

static int
teardown(void **state)
{
    folder_remove(*state);
    return 0;
}

static struct gf_sink *
sink_open(const struct gf_folder_options *options)
{
    struct gf_error error = {{0}};
    struct gf_sink *sink = NULL;
    assert_ok(gf_folder_sink_open(options, &sink, &error));
    return sink;
}

/* Opening must refuse, and must leave everything as it was. */
static void
refuse_open(const struct gf_folder_options *options, enum gf_rc wanted)
{
    struct gf_error error = {{0}};
    struct gf_sink *sink = NULL;
    assert_rc(gf_folder_sink_open(options, &sink, &error), wanted);
    assert_true(strlen(error.text) > 20);
}

static enum gf_rc
append(struct gf_sink *sink, enum gf_topic topic, uint32_t partition, int64_t number)
{
    struct gf_error error = {{0}};
    const struct gf_output output = output_of(topic, partition, number);
    return sink->ops->append(sink, &output, &error);
}

/* Commit `number`: a journal record of that number in partition 0, and flags in it and, each second
 * commit, in 1. */
static enum gf_rc
commit(struct gf_sink *sink, int64_t number, struct gf_error *error)
{
    enum gf_rc rc = sink->ops->begin(sink, error);
    rc = rc != GF_OK ? rc : append(sink, JOURNAL, 0, number);
    rc = rc != GF_OK ? rc : append(sink, FLAGS, 0, 2 * number);
    rc = rc != GF_OK ? rc : append(sink, FLAGS, 0, 2 * number + 1);
    if (rc == GF_OK && number % 2 == 0) {
        rc = append(sink, FLAGS, 1, number / 2);
    }
    return rc != GF_OK ? rc : gf_commit(sink, NULL, 0, NULL, error);
}

static void
commits(const struct gf_folder_options *options, int64_t from, int64_t to)
{
    struct gf_error error = {{0}};
    struct gf_sink *sink = sink_open(options);
    for (int64_t i = from; i < to; i++) {
        assert_ok(commit(sink, i, &error));
    }
    sink->ops->close(sink);
}

/* The log holds commits 0 … count - 1 and nothing else. */
static void
commits_assert(const char *log, int64_t count)
{
    log_assert(log, JOURNAL, 0, count, 64, output_assert);
    log_assert(log, FLAGS, 0, 2 * count, 64, output_assert);
    log_assert(log, FLAGS, 1, (count + 1) / 2, 64, output_assert);
    log_assert(log, FLAGS, 2, 0, 64, output_assert);
}

static void
commit_is_seen_and_abort_is_not(void **state)
{
    struct gf_error error = {{0}};
    struct gf_source *source = NULL;
    const struct gf_folder_options options = {.path = *state};
    struct gf_sink *sink = sink_open(&options);
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    ends_assert(source, FLAGS, 0, 0, 0);
    assert_ok(commit(sink, 0, &error));
    ends_assert(source, FLAGS, 0, 0, 2);
    assert_ok(sink->ops->begin(sink, &error));
    assert_int_equal(append(sink, FLAGS, 0, 99), GF_OK);
    ends_assert(source, FLAGS, 0, 0, 2);
    assert_ok(sink->ops->abort(sink, &error));
    assert_ok(sink->ops->begin(sink, &error));
    assert_ok(gf_commit(sink, NULL, 0, NULL, &error)); /* of nothing */
    ends_assert(source, FLAGS, 0, 0, 2);
    assert_ok(commit(sink, 1, &error));
    ends_assert(source, FLAGS, 0, 0, 4);
    ends_assert(source, FLAGS, 1, 0, 1);
    assert_ok(sink->ops->begin(sink, &error));
    const struct gf_output bad = {.topic = FLAGS, .body = gf_span_of("\xff", 1)};
    assert_rc(sink->ops->append(sink, &bad, &error), GF_E_BAD_DATA);
    assert_int_equal(append(sink, FLAGS, 4, 0), GF_E_NOT_FOUND);
    sink->ops->close(sink); /* ends the open one */
    source->ops->close(source);
    commits_assert(*state, 2);
    commits(&options, 2, 5);
    commits_assert(*state, 5);
    const struct gf_folder_options other = {.path = *state, .partitions = 5};
    refuse_open(&other, GF_E_CONFIG);
}

static void
starts_do_not_show_in_the_files(void **state)
{
    char left[FOLDER_PATH_SIZE + 8], right[FOLDER_PATH_SIZE + 8], path[FOLDER_PATH_SIZE];
    snprintf(left, sizeof left, "%s/left", (const char *)*state);
    snprintf(right, sizeof right, "%s/right", (const char *)*state);
    struct gf_folder_options options = {.path = left, .file_size_max = 6000, .no_sync = true};
    commits(&options, 0, 200);
    options.path = right;
    commits(&options, 0, 90);
    commits(&options, 90, 91);
    commits(&options, 91, 200);
    folder_assert_equal(left, right);
    uint32_t open_count = 0;
    assert_true(file_count(left, "fraud.flags", 0, &open_count) > 2);
    assert_int_equal(open_count, 0);
    commits_assert(left, 200);
    /* A crash in between: what is not committed goes, and the files are the same in the end. */
    file_path(path, right, "commit");
    const int64_t record = 8 + 24 * 4 * OUTPUT_COUNT + 8;
    file_cut(path, file_size(path) - 60 * record - 1);
    commits(&options, 139, 200);
    folder_assert_equal(left, right);
}

static void
commit_file_is_compacted(void **state)
{
    const struct gf_folder_options options = {.path = *state, .no_sync = true};
    char path[FOLDER_PATH_SIZE];
    file_path(path, *state, "commit");
    commits(&options, 0, 1700);
    const int64_t before = file_size(path);
    assert_true(before > 900000 && before <= 1 << 20);
    commits(&options, 1700, 1900);
    assert_true(file_size(path) < before / 2);
    commits_assert(*state, 1900);
}

/* Cut at every byte of its last record, the commit file says what it said before that record. */
static void
torn_commit_did_not_happen(void **state)
{
    struct gf_error error = {{0}};
    char log[FOLDER_PATH_SIZE + 8], torn[FOLDER_PATH_SIZE + 8], path[FOLDER_PATH_SIZE];
    snprintf(log, sizeof log, "%s/log", (const char *)*state);
    snprintf(torn, sizeof torn, "%s/torn", (const char *)*state);
    const struct gf_folder_options options = {.path = log, .no_sync = true};
    const struct gf_folder_options torn_options = {.path = torn, .no_sync = true};
    commits(&options, 0, 3);
    file_path(path, log, "commit");
    const int64_t before = file_size(path);
    commits(&options, 3, 4);
    const int64_t after = file_size(path);
    folder_copy(log, torn);
    file_path(path, torn, "commit");
    for (int64_t cut = after - 1; cut >= before; cut--) {
        struct gf_source *source = NULL;
        file_cut(path, cut);
        assert_ok(gf_folder_source_open(torn, NULL, &source, &error));
        ends_assert(source, JOURNAL, 0, 0, 3);
        ends_assert(source, FLAGS, 0, 0, 6);
        source->ops->close(source);
    }
    for (int64_t cut = after - 1; cut >= before; cut -= 97) {
        folder_copy(log, torn);
        file_cut(path, cut);
        commits(&torn_options, 3, 3);
        commits_assert(torn, 3);
        commits(&torn_options, 3, 4);
        folder_assert_equal(log, torn);
    }
    /* A whole last record with a wrong bit is torn too; a wrong bit before it is damage. */
    folder_copy(log, torn);
    file_flip(path, after - 100);
    commits(&torn_options, 3, 3);
    commits_assert(torn, 3);
    folder_copy(log, torn);
    file_flip(path, before - 100);
    file_cut(path, after - 1);
    refuse_open(&torn_options, GF_E_DAMAGED);
    for (int64_t cut = 0; cut < 500; cut += 13) {
        folder_copy(log, torn);
        file_cut(path, cut);
        refuse_open(&torn_options, GF_E_DAMAGED);
    }
    folder_copy(log, torn);
    assert_int_equal(unlink(path), 0);
    refuse_open(&torn_options, GF_E_DAMAGED);
}

static void
opening_cuts_what_is_not_committed(void **state)
{
    const struct gf_folder_options options = {.path = *state, .no_sync = true};
    char path[FOLDER_PATH_SIZE];
    commits(&options, 0, 3);
    file_path(path, *state, "fraud.flags/0/" FIRST_FILE);
    const int64_t size = file_size(path);
    file_append(path, "torn", 4);
    file_path(path, *state, "fraud.flags/0/00000000000000000006.avro.open");
    file_append(path, "Obj", 3);
    file_path(path, *state, "fraud.flags/3/00000000000000000000.avro.open");
    file_append(path, "Obj", 3);
    commits_assert(*state, 3);
    commits(&options, 3, 3);
    assert_int_equal(file_size(path), -1);
    file_path(path, *state, "fraud.flags/0/00000000000000000006.avro.open");
    assert_int_equal(file_size(path), -1);
    file_path(path, *state, "fraud.flags/0/" FIRST_FILE);
    assert_int_equal(file_size(path), size);
    commits(&options, 3, 9);
    commits_assert(*state, 9);
}

static void
missing_committed_byte_is_damage(void **state)
{
    const struct gf_folder_options options = {.path = *state, .no_sync = true};
    char path[FOLDER_PATH_SIZE];
    commits(&options, 0, 3);
    file_path(path, *state, "fraud.flags/1/" FIRST_FILE);
    file_cut(path, file_size(path) - 1);
    refuse_open(&options, GF_E_DAMAGED);
    assert_int_equal(unlink(path), 0);
    refuse_open(&options, GF_E_DAMAGED);
}

static void
missing_file_in_the_middle_is_damage(void **state)
{
    struct gf_error error = {{0}};
    struct gf_source *source = NULL;
    const struct gf_folder_options options = {.path = *state, .file_size_max = 1, .no_sync = true};
    char path[FOLDER_PATH_SIZE];
    commits(&options, 0, 5); /* a file for each block */
    file_path(path, *state, "fraud.flags/0/00000000000000000004.avro");
    assert_int_equal(unlink(path), 0);
    assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
    struct gf_record records[16];
    uint32_t got = 0;
    int64_t next = 0;
    assert_rc(source->ops->read(source, 0, FLAGS, 0, 0, 10, (struct gf_duration){0}, records, 16,
                                &got, &next, &error),
              GF_E_DAMAGED);
    source->ops->close(source);
}

static void
one_process_writes(void **state)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    struct gf_folder_options options = {.path = *state, .no_sync = true};
    struct gf_sink *sink = sink_open(&options);
    refuse_open(&options, GF_E_BUSY);
    assert_rc(gf_folder_writer_open(&options, &writer, &error), GF_E_BUSY);
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(error.text, pid));
    sink->ops->close(sink);
    /* With a lock of its own, one process may have both. */
    assert_ok(gf_folder_lock_take(*state, &options.lock, &error));
    sink = sink_open(&options);
    assert_ok(gf_folder_writer_open(&options, &writer, &error));
    struct gf_record record = reading_of(0, 0);
    assert_ok(gf_folder_writer_append(writer, &record, &error));
    record.topic = FLAGS;
    assert_rc(gf_folder_writer_append(writer, &record, &error), GF_E_USAGE);
    assert_ok(commit(sink, 0, &error));
    assert_ok(gf_folder_writer_close(writer, &error));
    sink->ops->close(sink);
    gf_folder_lock_release(options.lock);
    commits_assert(*state, 1);
}

/* A file-size limit stands for a full disk: the write fails half way. */
static void
full_disk_stops_and_loses_nothing(void **state)
{
    struct gf_error error = {{0}};
    const struct gf_folder_options options = {.path = *state};
    char path[FOLDER_PATH_SIZE];
    commits(&options, 0, 3);
    file_path(path, *state, "fraud.flags/0/" FIRST_FILE);
    struct gf_sink *sink = sink_open(&options);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit limit = {.rlim_cur = (rlim_t)file_size(path) + 5,
                                 .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    const enum gf_rc rc = commit(sink, 3, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, GF_E_NO_SPACE);
    assert_non_null(strstr(error.text, *state));
    commits_assert(*state, 3);
    assert_rc(sink->ops->begin(sink, &error),
              GF_E_IO); /* dead: what reached the disk is not known */
    sink->ops->close(sink);
    commits_assert(*state, 3);
    commits(&options, 3, 6);
    commits_assert(*state, 6);
}

/* The child commits and says so; it is killed at whatever it does after some commits. */
static int64_t
child_kill_after(const struct gf_folder_options *options, int64_t from, int64_t said_count,
                 uint32_t spins)
{
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct gf_error error = {{0}};
        struct gf_sink *sink = NULL;
        close(pipe_ends[0]);
        if (gf_folder_sink_open(options, &sink, &error) != GF_OK) {
            _exit(2);
        }
        for (int64_t i = from;; i++) {
            if (commit(sink, i, &error) != GF_OK || write(pipe_ends[1], "c", 1) != 1) {
                _exit(3);
            }
        }
    }
    close(pipe_ends[1]);
    int64_t said = 0;
    char byte = 0;
    while (said < said_count && read(pipe_ends[0], &byte, 1) == 1) {
        said++;
    }
    for (volatile uint32_t spin = 0; spin < spins; spin = spin + 1) {
    }
    kill(child, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    while (read(pipe_ends[0], &byte, 1) == 1) {
        said++;
    }
    close(pipe_ends[0]);
    return said;
}

static void
killed_anywhere_keeps_the_committed_front(void **state)
{
    const uint64_t seed = (uint64_t)getpid();
    print_message("seed %llu\n", (unsigned long long)seed);
    const struct gf_folder_options options = {
        .path = *state, .file_size_max = 5000, .no_sync = true};
    int64_t count = 0;
    for (uint64_t run = 0; run < 25; run++) {
        const uint64_t draw = gf_hash64(&run, sizeof run, seed);
        const int64_t said = child_kill_after(&options, count, (int64_t)(draw % 13),
                                              (uint32_t)(draw >> 40) % 300000);
        struct gf_error error = {{0}};
        struct gf_source *source = NULL;
        int64_t first = 0, end = 0;
        commits(&options, 0, 0); /* recovers */
        assert_ok(gf_folder_source_open(*state, NULL, &source, &error));
        assert_ok(source->ops->ends(source, JOURNAL, 0, &first, &end, &error));
        source->ops->close(source);
        /* What was said to be committed is there; one more may be that was not said yet. */
        assert_in_range(end, count + said, count + said + 1);
        count = end;
        commits_assert(*state, count);
    }
    assert_true(count > 50);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commit_is_seen_and_abort_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(starts_do_not_show_in_the_files, setup, teardown),
        cmocka_unit_test_setup_teardown(commit_file_is_compacted, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_commit_did_not_happen, setup, teardown),
        cmocka_unit_test_setup_teardown(opening_cuts_what_is_not_committed, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_committed_byte_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_file_in_the_middle_is_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(one_process_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_stops_and_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_anywhere_keeps_the_committed_front, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
