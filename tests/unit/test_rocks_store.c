#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "io/rocks_private.h"
#include "store_files.h"

#define SEED          UINT64_C(20260117)
#define SHARD         3
#define SLICE_USED    3
#define KEY_COUNT     8
#define SEGMENT_BYTES 8192

static struct gf_store *
store_open(const char *path)
{
    const struct gf_rocks_store_options options = {
        .path = path, .block_cache_bytes = 1 << 20, .segment_bytes = SEGMENT_BYTES};
    struct gf_store *store = NULL;
    struct gf_error error = {{0}};
    if (gf_rocks_store_open(&options, &store, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
    return store;
}

/* ---- a history: write n changes one record and the timers of one slice, so a slice's number tells all of its blocks ---- */

struct content {
    int64_t number;
    uint8_t filler[192];
};

static struct content
content_of(int64_t number)
{
    struct content content = {.number = number};
    memset(content.filler, (int)(number * 37 % 251), sizeof(content.filler));
    return content;
}

static enum gf_rc
history_write(struct gf_store *store, int64_t number, struct gf_error *error)
{
    const uint32_t slice = (uint32_t)(number % SLICE_USED);
    const char key[2] = {'c', (char)('0' + number / SLICE_USED % KEY_COUNT)};
    const struct content content = content_of(number);
    const struct gf_store_block blocks[] = {
        {.kind = GF_ENTITY_CUSTOMER, .key = gf_span_of(key, 2), .bytes = gf_span_of(&content, sizeof(content))},
        {.kind = GF_BLOCK_TIMERS, .bytes = gf_span_of(&content, sizeof(content))},
    };
    struct gf_slice_meta meta = {.batch = number, .journal_offset = number * 10, .entity_count = (uint64_t)number};
    memset(meta.digest.bytes, (int)(number & 0xff), sizeof(meta.digest.bytes));
    return store->ops->put_slice(store, SHARD, slice, &meta, blocks, 2, error);
}

struct check {
    int64_t batch;
    uint32_t slice, count;
};

/* The write that a block must come from when its slice has number `batch`; 0: the block is not there. */
static int64_t
history_number(uint32_t slice, int64_t batch, uint32_t key)
{
    for (int64_t number = batch; number > 0; number--) {
        if (number % SLICE_USED == slice && number / SLICE_USED % KEY_COUNT == key) {
            return number;
        }
    }
    return 0;
}

static enum gf_rc
block_check(void *context, const struct gf_store_block *block, struct gf_error *error)
{
    (void)error;
    struct check *check = context;
    struct content content;
    assert_int_equal(block->bytes.size, sizeof(content));
    memcpy(&content, block->bytes.data, sizeof(content));
    int64_t wanted = check->batch;
    if (block->kind == GF_ENTITY_CUSTOMER) {
        wanted = history_number(check->slice, check->batch, (uint32_t)(block->key.data[1] - '0'));
    }
    const struct content right = content_of(wanted);
    assert_int_equal(content.number, wanted);
    assert_memory_equal(&content, &right, sizeof(content));
    check->count++;
    return GF_OK;
}

/* Every block must be of the write its slice's number says. Returns an error the store reports, and the newest number. */
static enum gf_rc
history_check(struct gf_store *store, int64_t *newest_out, struct gf_error *error)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    enum gf_rc rc = store->ops->metas(store, SHARD, metas, error);
    *newest_out = 0;
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT && rc == GF_OK; slice++) {
        struct check check = {.batch = metas[slice].batch, .slice = slice};
        rc = store->ops->scan(store, SHARD, slice, block_check, &check, error);
        if (rc != GF_OK) {
            break;
        }
        uint32_t count = check.batch > 0;
        for (uint32_t key = 0; key < KEY_COUNT; key++) {
            count += history_number(slice, check.batch, key) > 0;
        }
        assert_int_equal(check.count, count);
        assert_int_equal(metas[slice].journal_offset, check.batch * 10);
        assert_int_equal(metas[slice].entity_count, check.batch);
        assert_int_equal(metas[slice].digest.bytes[5], check.batch & 0xff);
        *newest_out = check.batch > *newest_out ? check.batch : *newest_out;
    }
    return rc;
}

static void
history_check_whole(const char *path, int64_t newest)
{
    struct gf_store *store = store_open(path);
    struct gf_error error = {{0}};
    int64_t found = 0;
    if (history_check(store, &found, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
    assert_true(found >= newest);
    store->ops->close(store);
}

/* ---- a process to be killed: writes for each byte it is sent, and answers each write with a byte ---- */

struct writer {
    pid_t process;
    int ask, answer;
};

static void
writer_run(const char *path, int64_t number, int ask, int answer)
{
    const struct gf_rocks_store_options options = {.path = path, .segment_bytes = SEGMENT_BYTES};
    struct gf_store *store = NULL;
    struct gf_error error;
    char byte = 0;
    if (gf_rocks_store_open(&options, &store, &error) != GF_OK || write(answer, &byte, 1) != 1) {
        _exit(1);
    }
    while (read(ask, &byte, 1) == 1) {
        if (history_write(store, number++, &error) != GF_OK || write(answer, &byte, 1) != 1) {
            _exit(1);
        }
    }
    _exit(0);
}

static struct writer
writer_start(const char *path, int64_t number)
{
    int ask[2], answer[2];
    assert_int_equal(pipe(ask), 0);
    assert_int_equal(pipe(answer), 0);
    const pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        close(ask[1]);
        close(answer[0]);
        writer_run(path, number, ask[0], answer[1]);
    }
    close(ask[0]);
    close(answer[1]);
    char byte = 0;
    assert_int_equal(read(answer[0], &byte, 1), 1); /* it is open */
    return (struct writer){.process = process, .ask = ask[1], .answer = answer[0]};
}

/* `count` writes are asked for, `count - running` waited for. */
static void
writer_ask(const struct writer *writer, uint32_t count, uint32_t running)
{
    char byte = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(write(writer->ask, &byte, 1), 1);
    }
    for (uint32_t i = running; i < count; i++) {
        assert_int_equal(read(writer->answer, &byte, 1), 1);
    }
}

static void
writer_kill(const struct writer *writer)
{
    int status = 0;
    kill(writer->process, SIGKILL);
    assert_int_equal(waitpid(writer->process, &status, 0), writer->process);
    close(writer->ask);
    close(writer->answer);
}

/* ---- the contract ---- */

static enum gf_rc
order_check(void *context, const struct gf_store_block *block, struct gf_error *error)
{
    char *text = context;
    (void)error;
    const size_t size = strlen(text);
    snprintf(text + size, 200 - size, "%u:%.*s=%.*s ", block->kind, GF_SPAN_PRINT(block->key),
             GF_SPAN_PRINT(block->bytes));
    return GF_OK;
}

static struct gf_store_block
block_of(uint8_t kind, const char *key, const char *bytes)
{
    return (struct gf_store_block){.kind = kind, .key = gf_span_text(key), .bytes = gf_span_text(bytes)};
}

static void
assert_scan(struct gf_store *store, uint32_t shard, uint32_t slice, const char *wanted)
{
    char text[200] = "";
    assert_int_equal(store->ops->scan(store, shard, slice, order_check, text, NULL), GF_OK);
    assert_string_equal(text, wanted);
}

static void
blocks_come_back_in_order_and_go_when_deleted(void **state)
{
    const char *path = *state;
    struct gf_store *store = store_open(path);
    const struct gf_store_block first[] = {block_of(1, "b", "one"), block_of(1, "ba", "two"), block_of(2, "a", "three"),
                                           block_of(GF_BLOCK_TIMERS, "", "timers")};
    const struct gf_store_block other[] = {block_of(1, "z", "other")};
    const struct gf_slice_meta meta = {.batch = 7, .journal_offset = -1, .entity_count = 3, .digest = {{1, 2, 3}}};
    assert_int_equal(store->ops->put_slice(store, 258, 63, &meta, first, 4, NULL), GF_OK);
    assert_int_equal(store->ops->put_slice(store, 258, 62, &meta, other, 1, NULL), GF_OK);
    assert_int_equal(store->ops->put_slice(store, 259, 0, &meta, other, 1, NULL), GF_OK);
    assert_scan(store, 258, 63, "1:b=one 1:ba=two 2:a=three 255:=timers ");
    assert_scan(store, 258, 61, "");

    const struct gf_store_block second[] = {block_of(1, "b", ""), block_of(1, "c", "new"),
                                            block_of(GF_BLOCK_TIMERS, "", "")};
    assert_int_equal(store->ops->put_slice(store, 258, 63, &meta, second, 3, NULL), GF_OK);
    store->ops->close(store);
    store = store_open(path);
    assert_scan(store, 258, 63, "1:ba=two 1:c=new 2:a=three ");
    assert_scan(store, 258, 62, "1:z=other ");

    struct gf_slice_meta metas[GF_SLICE_COUNT];
    assert_int_equal(store->ops->metas(store, 258, metas, NULL), GF_OK);
    assert_int_equal(metas[61].batch, 0);
    assert_int_equal(metas[63].batch, 7);
    assert_int_equal(metas[63].journal_offset, -1);
    assert_memory_equal(&metas[63], &meta, sizeof(meta));
    store->ops->close(store);
}

static void
many_blocks_are_got_at_once(void **state)
{
    enum { COUNT = 1000 };
    struct gf_store *store = store_open(*state);
    static struct gf_store_block blocks[COUNT], wanted[2 * COUNT], found[2 * COUNT];
    static uint32_t slices[2 * COUNT];
    static char keys[2 * COUNT][16];
    static uint8_t bytes[COUNT][100];
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%05u", 2 * i);
        memset(bytes[i], (int)i, sizeof(bytes[i]));
        blocks[i] = (struct gf_store_block){
            .kind = 1, .key = gf_span_text(keys[i]), .bytes = gf_span_of(bytes[i], 1 + i % sizeof(bytes[i]))};
    }
    const struct gf_slice_meta meta = {.batch = 1};
    assert_int_equal(store->ops->put_slice(store, 0, 9, &meta, blocks, COUNT, NULL), GF_OK);
    for (uint32_t i = 0; i < 2 * COUNT; i++) { /* every second is not there; not in order; one twice */
        const uint32_t number = i == 0 ? 997 : i * 997 % (2 * COUNT);
        snprintf(keys[i], sizeof(keys[i]), "k%05u", number);
        wanted[i] = (struct gf_store_block){.kind = 1, .key = gf_span_text(keys[i])};
        slices[i] = 9;
    }
    assert_int_equal(store->ops->get(store, 0, slices, wanted, 2 * COUNT, found, NULL), GF_OK);
    for (uint32_t i = 0; i < 2 * COUNT; i++) {
        const uint32_t number = (uint32_t)atoi(keys[i] + 1);
        assert_true(gf_span_equal(found[i].key, wanted[i].key));
        if (number % 2 == 1) {
            assert_int_equal(found[i].bytes.size, 0);
            continue;
        }
        const struct gf_span right = gf_span_of(bytes[number / 2], 1 + number / 2 % sizeof(bytes[0]));
        assert_true(gf_span_equal(found[i].bytes, right));
    }
    assert_int_equal(store->ops->get(store, 0, slices, wanted, 0, found, NULL), GF_OK);
    store->ops->close(store);
}

static void
named_values_come_back(void **state)
{
    struct gf_store *store = store_open(*state);
    struct gf_span value = gf_span_text("left over");
    assert_int_equal(store->ops->get_named(store, "config/1f", &value, NULL), GF_OK);
    assert_int_equal(value.size, 0);
    assert_int_equal(store->ops->put_named(store, "config/1f", gf_span_text("a: 1"), NULL), GF_OK);
    assert_int_equal(store->ops->put_named(store, "config/1", gf_span_text("b: 2"), NULL), GF_OK);
    assert_int_equal(store->ops->get_named(store, "config/1f", &value, NULL), GF_OK);
    assert_true(gf_span_equal(value, gf_span_text("a: 1")));
    assert_int_equal(store->ops->put_named(store, "config/1f", (struct gf_span){0}, NULL), GF_OK);
    assert_int_equal(store->ops->get_named(store, "config/1f", &value, NULL), GF_OK);
    assert_int_equal(value.size, 0);
    assert_scan(store, 0, 0, "");
    store->ops->close(store);
}

/* ---- refusals ---- */

static enum gf_rc
open_fails(const char *path, bool is_read_only, struct gf_error *error)
{
    const struct gf_rocks_store_options options = {.path = path, .is_read_only = is_read_only};
    struct gf_store *store = NULL;
    const enum gf_rc rc = gf_rocks_store_open(&options, &store, error);
    assert_null(store);
    assert_non_null(strstr(error->text, path));
    return rc;
}

static void
a_store_that_is_open_elsewhere_is_busy(void **state)
{
    const char *path = *state;
    struct gf_error error;
    struct gf_store *store = store_open(path);
    assert_int_equal(open_fails(path, false, &error), GF_E_BUSY);
    assert_non_null(strstr(error.text, "this process"));
    store->ops->close(store);

    const struct writer writer = writer_start(path, 1);
    char name[32];
    snprintf(name, sizeof(name), "process %ld ", (long)writer.process);
    assert_int_equal(open_fails(path, false, &error), GF_E_BUSY);
    assert_non_null(strstr(error.text, name));
    writer_kill(&writer);
    history_check_whole(path, 0);
}

static void
a_store_may_be_read_beside_its_owner(void **state)
{
    const char *path = *state;
    const struct writer writer = writer_start(path, 1);
    writer_ask(&writer, 40, 0);
    const struct gf_rocks_store_options options = {.path = path, .is_read_only = true};
    struct gf_store *store = NULL;
    struct gf_error error = {{0}};
    assert_int_equal(gf_rocks_store_open(&options, &store, &error), GF_OK);
    int64_t newest = 0;
    assert_int_equal(history_check(store, &newest, &error), GF_OK);
    assert_int_equal(newest, 40);
    assert_int_equal(history_write(store, 41, &error), GF_E_IO);
    store->ops->close(store);
    writer_ask(&writer, 1, 0);
    writer_kill(&writer);
    history_check_whole(path, 41);
}

static void
a_newer_format_is_refused(void **state)
{
    struct gf_store *store = store_open(*state);
    struct rocks_store *rocks = (struct rocks_store *)store;
    const struct rocks_key key = rocks_key_own(ROCKS_OWN_FORMAT, 0, (struct gf_span){0});
    const uint8_t format[4] = {GF_ROCKS_STORE_FORMAT + 41};
    rocks_batch_put(rocks, &key, gf_span_of(format, 4));
    assert_int_equal(rocks_batch_write(rocks, "test", NULL), GF_OK);
    store->ops->close(store);
    struct gf_error error;
    assert_int_equal(open_fails(*state, false, &error), GF_E_VERSION);
    assert_non_null(strstr(error.text, "format 42"));
    assert_non_null(strstr(error.text, "up to 1"));
}

static void
a_place_that_cannot_be_is_an_error(void **state)
{
    char path[400];
    struct gf_error error;
    snprintf(path, sizeof(path), "%s/no/such/parent", (const char *)*state);
    assert_int_equal(open_fails(path, false, &error), GF_E_IO);
    snprintf(path, sizeof(path), "%s-none", (const char *)*state);
    assert_int_equal(open_fails(path, true, &error), GF_E_IO);
}

static void
a_status_tells_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *status, *text;
        enum gf_rc rc;
    } cases[] = {
        {"IO error: No space left on device: While appending to file: /s/1.log", "make room", GF_E_NO_SPACE},
        {"Corruption: block checksum mismatch", "move it away", GF_E_DAMAGED},
        {"IO error: While fsync: /s/1.log: Input/output error", "Input/output error", GF_E_IO},
        {"IO error: lock hold by current process, acquire time 1", "this process", GF_E_BUSY},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gf_error error = {{0}};
        assert_int_equal(rocks_fail("/s", "write", strdup(cases[i].status), &error), cases[i].rc);
        assert_non_null(strstr(error.text, cases[i].text));
        assert_non_null(strstr(error.text, "store /s: "));
    }
}

/* ---- crashes and damage ---- */

static void
a_killed_writer_leaves_whole_slices(void **state)
{
    const char *path = *state;
    printf("seed %llu\n", (unsigned long long)SEED);
    struct gf_random random = {.seed = SEED};
    int64_t number = 1;
    for (uint32_t round = 0; round < 12; round++) {
        const struct writer writer = writer_start(path, number);
        const uint32_t count = 1 + (uint32_t)(gf_random_next(&random) % 120), running = count < 20 ? 0 : 20;
        writer_ask(&writer, count, running);
        writer_kill(&writer);
        history_check_whole(path, number + count - running - 1);
        struct gf_store *store = store_open(path);
        struct gf_error error = {{0}};
        int64_t newest = 0;
        assert_int_equal(history_check(store, &newest, &error), GF_OK);
        store->ops->close(store);
        number = newest + 1;
    }
}

/* An error, or slices with older numbers: never blocks that differ from what their slice's number says. */
static bool
damage_is_seen_or_harmless(const char *path, int64_t *newest_out)
{
    const struct gf_rocks_store_options options = {.path = path, .segment_bytes = SEGMENT_BYTES};
    struct gf_store *store = NULL;
    struct gf_error error = {{0}};
    enum gf_rc rc = gf_rocks_store_open(&options, &store, &error);
    if (rc == GF_OK) {
        rc = history_check(store, newest_out, &error);
        store->ops->close(store);
    }
    if (rc != GF_OK && rc != GF_E_DAMAGED && rc != GF_E_IO) {
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
    struct gf_store *store = store_open(path);
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
    files_copy(path, log); /* unused name check below */
    files_remove(log);
    assert_true(files_newest_log(path, log, sizeof(log)));
    while (files_newest_log(copy, log, sizeof(log))) {
        assert_int_equal(unlink(log), 0);
    }
    assert_true(files_newest_log(path, log, sizeof(log)));
    file_copy_into(log, copy);
    assert_int_equal(open_fails(copy, false, &error), GF_E_DAMAGED);
    assert_non_null(strstr(error.text, "are missing"));
    files_remove(copy);
}

static int
setup(void **state)
{
    static char path[64];
    strcpy(path, "/tmp/gridfold-store-XXXXXX");
    *state = path;
    return mkdtemp(path) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    files_remove(*state);
    return 0;
}

#define STORE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(blocks_come_back_in_order_and_go_when_deleted),
        STORE_TEST(many_blocks_are_got_at_once),
        STORE_TEST(named_values_come_back),
        STORE_TEST(a_store_that_is_open_elsewhere_is_busy),
        STORE_TEST(a_store_may_be_read_beside_its_owner),
        STORE_TEST(a_newer_format_is_refused),
        STORE_TEST(a_place_that_cannot_be_is_an_error),
        STORE_TEST(a_status_tells_what_to_do),
        STORE_TEST(a_killed_writer_leaves_whole_slices),
        STORE_TEST(damage_is_never_silent),
        STORE_TEST(a_hole_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
