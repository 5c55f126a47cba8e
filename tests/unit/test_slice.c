#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/slice.h"
#include "memory_store.h"
#include "state/entity.h"
#include "state/hot.h"

#define CUSTOMERS 4
#define SLICE     9

static struct gf_entity customers[CUSTOMERS];
static struct gf_slice_meta meta;

static struct gf_digest
sum_of(const struct gf_digest *parts, uint32_t count)
{
    uint64_t lanes[2] = {0};
    for (uint32_t i = 0; i < count; i++) {
        uint64_t part[2];
        memcpy(part, parts[i].bytes, sizeof(part));
        lanes[0] += part[0];
        lanes[1] += part[1];
    }
    struct gf_digest digest;
    memcpy(digest.bytes, lanes, sizeof(digest.bytes));
    return digest;
}

/* Customers that the hash puts into one slice, with timers of nobody. */
static struct gf_store *
slice_make(void)
{
    static const char timers[] = "timers, which nobody reads here";
    struct gf_digest parts[CUSTOMERS + 1];
    struct gf_store_block blocks[CUSTOMERS + 1];
    uint32_t count = 0;
    for (uint32_t number = 1000; count < CUSTOMERS; number++) {
        struct gf_entity *entity = &customers[count];
        *entity = (struct gf_entity){.header = {.kind = GF_ENTITY_CUSTOMER, .version = 1}};
        entity->header.key_size = (uint8_t)snprintf((char *)entity->header.key,
                                                    GF_ENTITY_KEY_SIZE_MAX, "home-%u", number);
        const struct gf_span key = gf_entity_key(entity);
        if (gf_slice_of(gf_entity_hash(GF_ENTITY_CUSTOMER, key)) != SLICE) {
            continue;
        }
        memset(entity->body, (int)number, sizeof(entity->body));
        parts[count] = gf_digest_of(entity, sizeof(*entity));
        memcpy(&entity->header.checksum, parts[count].bytes, sizeof(entity->header.checksum));
        blocks[count++] = (struct gf_store_block){
            .kind = GF_ENTITY_CUSTOMER, .key = key, .bytes = gf_span_of(entity, sizeof(*entity))};
    }
    parts[count] = gf_digest_of(timers, sizeof(timers));
    blocks[count] = (struct gf_store_block){.kind = GF_BLOCK_TIMERS,
                                            .bytes = gf_span_of(timers, sizeof(timers))};
    meta = (struct gf_slice_meta){
        .batch = 77, .entity_count = CUSTOMERS, .digest = sum_of(parts, CUSTOMERS + 1)};
    struct gf_store *store = gf_memory_store_new();
    struct gf_error error;
    assert_int_equal(store->ops->put_slice(store, 0, SLICE, &meta, blocks, CUSTOMERS + 1, &error),
                     GF_OK);
    return store;
}

static void
expect_damage(struct gf_store *store, const char *text)
{
    struct gf_error error = {{0}};
    assert_int_equal(gf_slice_check(store, 0, SLICE, &meta, &error), GF_E_STATE);
    if (strstr(error.text, text) == NULL || strstr(error.text, "slice 9") == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.text, text);
    }
    store->ops->close(store);
}

static void
a_whole_slice_is_good(void **state)
{
    (void)state;
    struct gf_store *store = slice_make();
    struct gf_error error = {{0}};
    struct gf_slice_sum sum = {0};
    assert_int_equal(gf_slice_check(store, 0, SLICE, &meta, &error), GF_OK);
    assert_int_equal(gf_slice_scan(store, 0, SLICE, &sum, &error), GF_OK);
    assert_int_equal(sum.entity_count, CUSTOMERS);
    assert_int_equal(sum.block_count, CUSTOMERS + 1);
    assert_int_equal(gf_slice_scan(store, 0, SLICE + 1, &sum, &error), GF_OK);
    assert_int_equal(sum.block_count, 0);
    const struct gf_slice_meta never = {0};
    assert_int_equal(gf_slice_check(store, 0, SLICE + 1, &never, &error), GF_OK);
    store->ops->close(store);
}

static void
every_bit_counts(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < 8 * GF_ENTITY_SIZE; bit += 61) {
        struct gf_store *store = slice_make();
        assert_true(gf_memory_store_damage(store, 0, SLICE, GF_ENTITY_CUSTOMER,
                                           gf_entity_key(&customers[bit % CUSTOMERS]), bit));
        expect_damage(store, "checksum");
    }
    struct gf_store *store = slice_make();
    assert_true(gf_memory_store_damage(store, 0, SLICE, GF_BLOCK_TIMERS, (struct gf_span){0}, 100));
    expect_damage(store, "its digest is");
}

/* Whole records, but not those that were written: an older one, one too few, one of a neighbour. */
static void
other_records_are_seen(void **state)
{
    (void)state;
    struct gf_error error = {{0}};
    struct gf_store *store = slice_make();
    struct gf_entity other = customers[1];
    other.header.checksum = 0;
    other.body[0] ^= 1;
    const struct gf_digest digest = gf_digest_of(&other, sizeof(other));
    memcpy(&other.header.checksum, digest.bytes, sizeof(other.header.checksum));
    struct gf_store_block block = {.kind = GF_ENTITY_CUSTOMER,
                                   .key = gf_entity_key(&customers[1]),
                                   .bytes = gf_span_of(&other, sizeof(other))};
    assert_int_equal(store->ops->put_slice(store, 0, SLICE, &meta, &block, 1, &error), GF_OK);
    expect_damage(store, "its digest is");

    store = slice_make();
    block.bytes = (struct gf_span){0};
    assert_int_equal(store->ops->put_slice(store, 0, SLICE, &meta, &block, 1, &error), GF_OK);
    expect_damage(store, "it has 3 entities, not the 4");

    store = slice_make();
    block.bytes = gf_span_of(&customers[2], sizeof(customers[2]));
    assert_int_equal(store->ops->put_slice(store, 0, SLICE, &meta, &block, 1, &error), GF_OK);
    expect_damage(store, "in the wrong place");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_slice_is_good),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(other_records_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
