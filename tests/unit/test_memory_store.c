#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "memory_store.h"

static const struct gf_slice_meta meta_one = {.batch = 1, .journal_offset = 4, .entity_count = 2};

static enum gf_rc
put(struct gf_store *store, const char *key, const char *bytes)
{
    const struct gf_store_block block = {
        .kind = 1, .key = gf_span_text(key), .bytes = gf_span_text(bytes)};
    struct gf_error error;
    return store->ops->put_slice(store, 0, 5, &meta_one, &block, 1, &error);
}

static void
assert_block(struct gf_store *store, const char *key, const char *bytes)
{
    const struct gf_store_block wanted = {.kind = 1, .key = gf_span_text(key)};
    const uint32_t slice = 5;
    struct gf_store_block found;
    assert_int_equal(store->ops->get(store, 0, &slice, &wanted, 1, &found, NULL), GF_OK);
    assert_true(gf_span_equal(found.bytes, gf_span_text(bytes)));
}

static enum gf_rc
keys_join(void *context, const struct gf_store_block *block, struct gf_error *error)
{
    char *text = context;
    (void)error;
    strncat(text, (const char *)block->key.data, block->key.size);
    return strlen(text) < 3 ? GF_OK : GF_E_LATE;
}

static void
blocks_are_kept_in_order(void **state)
{
    (void)state;
    struct gf_store *store = gf_memory_store_new();
    assert_int_equal(put(store, "b", "1"), GF_OK);
    assert_int_equal(put(store, "a", "2"), GF_OK);
    assert_block(store, "b", "1");
    assert_block(store, "c", "");
    char keys[8] = "";
    assert_int_equal(store->ops->scan(store, 0, 5, keys_join, keys, NULL), GF_OK);
    assert_string_equal(keys, "ab");
    assert_int_equal(put(store, "c", "3"), GF_OK);
    assert_int_equal(put(store, "d", "4"), GF_OK);
    keys[0] = '\0';
    assert_int_equal(store->ops->scan(store, 0, 5, keys_join, keys, NULL),
                     GF_E_LATE); /* stops where it is told */
    assert_string_equal(keys, "abc");
    assert_int_equal(put(store, "b", ""), GF_OK);
    assert_block(store, "b", "");
    assert_int_equal(gf_memory_store_count(store), 3);
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    assert_int_equal(store->ops->metas(store, 0, metas, NULL), GF_OK);
    assert_int_equal(metas[5].batch, 1);
    assert_int_equal(metas[4].batch, 0);
    store->ops->close(store);
}

static void
a_copy_is_what_a_crash_leaves(void **state)
{
    (void)state;
    struct gf_store *store = gf_memory_store_new();
    assert_int_equal(put(store, "a", "old"), GF_OK);
    assert_int_equal(store->ops->put_named(store, "n", gf_span_text("v"), NULL), GF_OK);
    struct gf_store *copy = gf_memory_store_copy(store);
    assert_int_equal(put(store, "a", "new"), GF_OK);
    assert_block(copy, "a", "old");
    assert_block(store, "a", "new");
    struct gf_span value;
    assert_int_equal(copy->ops->get_named(copy, "n", &value, NULL), GF_OK);
    assert_true(gf_span_equal(value, gf_span_text("v")));
    copy->ops->close(copy);
    store->ops->close(store);
}

static void
the_nth_call_fails_once(void **state)
{
    (void)state;
    struct gf_store *store = gf_memory_store_new();
    gf_memory_store_fail(store, GF_STORE_PUT_SLICE, 2, GF_E_NO_SPACE, false);
    assert_int_equal(put(store, "a", "1"), GF_OK);
    assert_int_equal(put(store, "a", "2"), GF_E_NO_SPACE);
    assert_block(store, "a", "1");
    assert_int_equal(put(store, "a", "3"), GF_OK);
    gf_memory_store_fail(store, GF_STORE_PUT_SLICE, 1, GF_E_IO, true);
    assert_int_equal(put(store, "a", "4"), GF_E_IO);
    assert_block(store, "a", "4");
    assert_int_equal(gf_memory_store_calls(store, GF_STORE_PUT_SLICE), 4);
    assert_true(gf_memory_store_damage(store, 0, 5, 1, gf_span_text("a"), 0));
    assert_block(store, "a", "5");
    assert_false(gf_memory_store_damage(store, 0, 6, 1, gf_span_text("a"), 0));
    store->ops->close(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_kept_in_order),
        cmocka_unit_test(a_copy_is_what_a_crash_leaves),
        cmocka_unit_test(the_nth_call_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
