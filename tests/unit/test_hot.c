#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "state/hot.h"

#define SEED       UINT64_C(20260114)
#define CAPACITY   96
#define NAME_COUNT 160 /* more than fit */
#define STEP_COUNT 60000

struct name {
    char text[24];
    struct gf_span key;
    enum gf_entity_kind kind;
    uint64_t hash;
    uint32_t slot; /* of the model: where it is, or GF_SLOT_NONE */
    bool is_dirty;
};

struct world {
    struct gf_hot hot;
    void *memory;
    struct name names[NAME_COUNT];
    uint32_t count;
};

/* `is_crowded`: hashes that meet in few buckets and tags, as an unlucky day would. */
static void
world_init(struct world *world, bool is_crowded)
{
    world->count = 0;
    world->memory = aligned_alloc(64, (gf_hot_size(CAPACITY) + 63) & ~(size_t)63);
    assert_non_null(world->memory);
    memset(world->memory, 0, gf_hot_size(CAPACITY));
    gf_hot_init(&world->hot, world->memory, CAPACITY);
    for (uint32_t i = 0; i < NAME_COUNT; i++) {
        struct name *name = &world->names[i];
        snprintf(name->text, sizeof(name->text), "customer-%u", i / 2);
        name->key = gf_span_text(name->text);
        name->kind = i % 2 == 0 ? GF_ENTITY_CUSTOMER
                                : GF_ENTITY_TARIFF_AREA; /* the same key under two kinds */
        name->hash = gf_entity_hash(name->kind, name->key);
        if (is_crowded) {
            const uint64_t few = gf_random_below(SEED, 7, i, 5);
            name->hash = few << 60 |
                         (world->hot.bucket_mask - few % 3); /* around the end of the table too */
        }
        name->slot = GF_SLOT_NONE;
        name->is_dirty = false;
    }
}

static void
world_check(const struct world *world)
{
    const struct gf_hot *hot = &world->hot;
    assert_int_equal(hot->count, world->count);
    uint32_t counts[GF_SLICE_COUNT] = {0}, dirty[GF_SLICE_COUNT] = {0};
    for (uint32_t i = 0; i < NAME_COUNT; i++) {
        const struct name *name = &world->names[i];
        assert_int_equal(gf_hot_find(hot, name->kind, name->key, name->hash), name->slot);
        if (name->slot != GF_SLOT_NONE) {
            assert_true(gf_span_equal(gf_entity_key(&hot->entities[name->slot]), name->key));
            assert_int_equal(hot->entities[name->slot].body[0], (uint8_t)i);
            counts[gf_slice_of(name->hash)]++;
            dirty[gf_slice_of(name->hash)] += name->is_dirty;
        }
    }
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        uint32_t walked = 0, previous = GF_SLOT_NONE;
        for (uint32_t slot = hot->slice_head[slice]; slot != GF_SLOT_NONE;
             slot = hot->sides[slot].next) {
            assert_int_equal(hot->sides[slot].previous, previous);
            assert_int_equal(gf_slice_of(hot->sides[slot].key_hash), slice);
            assert_int_equal(hot->sides[slot].is_used, 1);
            previous = slot;
            walked++;
            assert_true(walked <= CAPACITY);
        }
        assert_int_equal(walked, counts[slice]);
        assert_int_equal(hot->slice_count[slice], counts[slice]);
        assert_int_equal(hot->slice_dirty[slice], dirty[slice]);
    }
}

static void
world_step(struct world *world, struct gf_random *random)
{
    const uint32_t index = (uint32_t)(gf_random_next(random) % NAME_COUNT);
    struct name *name = &world->names[index];
    if (name->slot == GF_SLOT_NONE) {
        const uint32_t slot = gf_hot_add(&world->hot, name->kind, name->key, name->hash);
        if (world->count == CAPACITY) {
            assert_int_equal(slot, GF_SLOT_NONE);
            return;
        }
        assert_true(slot < CAPACITY);
        const struct gf_entity *entity = &world->hot.entities[slot];
        for (size_t i = 0; i < sizeof(entity->body); i++) {
            assert_int_equal(entity->body[i], 0);
        }
        world->hot.entities[slot].body[0] = (uint8_t)index;
        name->slot = slot;
        world->count++;
        return;
    }
    if (gf_random_next(random) % 4 == 0) {
        gf_hot_touch(&world->hot, name->slot);
        name->is_dirty = true;
    } else if (name->is_dirty) { /* as a sweep does */
        world->hot.sides[name->slot].is_dirty = 0;
        world->hot.slice_dirty[gf_slice_of(name->hash)]--;
        name->is_dirty = false;
    } else {
        gf_hot_drop(&world->hot, name->slot);
        name->slot = GF_SLOT_NONE;
        world->count--;
    }
}

static void
random_run(bool is_crowded)
{
    printf("seed %llu crowded %d\n", (unsigned long long)SEED, is_crowded);
    struct world world;
    world_init(&world, is_crowded);
    struct gf_random random = {.seed = SEED, .stream = is_crowded};
    for (uint32_t step = 0; step < STEP_COUNT; step++) {
        world_step(&world, &random);
        if (step % 97 == 0) {
            world_check(&world);
        }
    }
    world_check(&world);
    gf_hot_reset(&world.hot);
    for (uint32_t i = 0; i < NAME_COUNT; i++) {
        world.names[i].slot = GF_SLOT_NONE;
        world.names[i].is_dirty = false;
    }
    world.count = 0;
    world_check(&world);
    for (uint32_t step = 0; step < 1000; step++) {
        world_step(&world, &random);
    }
    world_check(&world);
    free(world.memory);
}

static void
any_order_of_adds_and_drops_equals_a_list(void **state)
{
    (void)state;
    random_run(false);
}

static void
hashes_that_meet_change_nothing(void **state)
{
    (void)state;
    random_run(true);
}

static void
a_key_of_another_kind_has_another_hash(void **state)
{
    (void)state;
    const struct gf_span key = gf_span_text("home|north");
    assert_true(gf_entity_hash(GF_ENTITY_CUSTOMER, key) !=
                gf_entity_hash(GF_ENTITY_TARIFF_AREA, key));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_of_adds_and_drops_equals_a_list),
        cmocka_unit_test(hashes_that_meet_change_nothing),
        cmocka_unit_test(a_key_of_another_kind_has_another_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
