#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "io/rocks_private.h"
#include "store_history.h"

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
    return (struct gf_store_block){
        .kind = kind, .key = gf_span_text(key), .bytes = gf_span_text(bytes)};
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
    struct gf_store *store = history_open(path);
    const struct gf_store_block first[] = {block_of(1, "b", "one"), block_of(1, "ba", "two"),
                                           block_of(2, "a", "three"),
                                           block_of(GF_BLOCK_TIMERS, "", "timers")};
    const struct gf_store_block other[] = {block_of(1, "z", "other")};
    const struct gf_slice_meta meta = {
        .batch = 7, .journal_offset = -1, .entity_count = 3, .digest = {{1, 2, 3}}};
    assert_int_equal(store->ops->put_slice(store, 258, 63, &meta, first, 4, NULL), GF_OK);
    assert_int_equal(store->ops->put_slice(store, 258, 62, &meta, other, 1, NULL), GF_OK);
    assert_int_equal(store->ops->put_slice(store, 259, 0, &meta, other, 1, NULL), GF_OK);
    assert_scan(store, 258, 63, "1:b=one 1:ba=two 2:a=three 255:=timers ");
    assert_scan(store, 258, 61, "");

    const struct gf_store_block second[] = {block_of(1, "b", ""), block_of(1, "c", "new"),
                                            block_of(GF_BLOCK_TIMERS, "", "")};
    assert_int_equal(store->ops->put_slice(store, 258, 63, &meta, second, 3, NULL), GF_OK);
    store->ops->close(store);
    store = history_open(path);
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
    struct gf_store *store = history_open(*state);
    static struct gf_store_block blocks[COUNT], wanted[2 * COUNT], found[2 * COUNT];
    static uint32_t slices[2 * COUNT];
    static char keys[2 * COUNT][16];
    static uint8_t bytes[COUNT][100];
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%05u", 2 * i);
        memset(bytes[i], (int)i, sizeof(bytes[i]));
        blocks[i] =
            (struct gf_store_block){.kind = 1,
                                    .key = gf_span_text(keys[i]),
                                    .bytes = gf_span_of(bytes[i], 1 + i % sizeof(bytes[i]))};
    }
    const struct gf_slice_meta meta = {.batch = 1};
    assert_int_equal(store->ops->put_slice(store, 0, 9, &meta, blocks, COUNT, NULL), GF_OK);
    for (uint32_t i = 0; i < 2 * COUNT;
         i++) { /* every second is not there; not in order; one twice */
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
        const struct gf_span right =
            gf_span_of(bytes[number / 2], 1 + number / 2 % sizeof(bytes[0]));
        assert_true(gf_span_equal(found[i].bytes, right));
    }
    assert_int_equal(store->ops->get(store, 0, slices, wanted, 0, found, NULL), GF_OK);
    store->ops->close(store);
}

static void
named_values_come_back(void **state)
{
    struct gf_store *store = history_open(*state);
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
    struct gf_store *store = history_open(path);
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
    if (gf_rocks_store_open(&options, &store, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
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
    struct gf_store *store = history_open(*state);
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
    assert_int_equal(open_fails(path, true, &error), GF_E_NOT_FOUND);
}

/* On the disk, with what is reserved. */
static int64_t
folder_bytes(const char *path)
{
    int64_t bytes = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat facts;
        assert_int_equal(fstatat(dirfd(folder), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW), 0);
        bytes += facts.st_blocks * 512;
    }
    closedir(folder);
    return bytes;
}

static void
a_small_store_takes_little_disk(void **state)
{
    const char *path = *state;
    const struct gf_rocks_store_options options = {
        .path = path, .block_cache_bytes = 1 << 20, .segment_bytes = 4 << 20};
    struct gf_store *store = NULL;
    assert_int_equal(gf_rocks_store_open(&options, &store, NULL), GF_OK);
    const struct gf_store_block block[] = {block_of(1, "a", "one")};
    const struct gf_slice_meta meta = {.batch = 1, .journal_offset = -1, .entity_count = 1};
    assert_int_equal(store->ops->put_slice(store, 0, 0, &meta, block, 1, NULL), GF_OK);
    assert_in_range(folder_bytes(path), 1, 4 << 20);
    store->ops->close(store);
}

static void
a_status_tells_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *status, *text;
        enum gf_rc rc;
    } cases[] = {
        {"IO error: No space left on device: While appending to file: /s/1.log", "make room",
         GF_E_NO_SPACE},
        {"Corruption: block checksum mismatch", "move it away", GF_E_STATE},
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

#define STORE_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, store_folder_make, store_folder_remove)

int
main(int count, char **arguments)
{
    if (strcmp(arguments[0], "writer") == 0) {
        return count == 5 ? writer_main(arguments + 1) : 1;
    }
    const struct CMUnitTest tests[] = {
        STORE_TEST(blocks_come_back_in_order_and_go_when_deleted),
        STORE_TEST(many_blocks_are_got_at_once),
        STORE_TEST(named_values_come_back),
        STORE_TEST(a_store_that_is_open_elsewhere_is_busy),
        STORE_TEST(a_store_may_be_read_beside_its_owner),
        STORE_TEST(a_newer_format_is_refused),
        STORE_TEST(a_place_that_cannot_be_is_an_error),
        STORE_TEST(a_small_store_takes_little_disk),
        STORE_TEST(a_status_tells_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
