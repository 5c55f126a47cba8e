#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "state/hot.h"
#include "state/timer.h"

#define SEED       UINT64_C(20260115)
#define CAPACITY   60
#define NAME_COUNT 40
#define ID_COUNT   3
#define STEP_COUNT 40000

/* The model: every timer there could be, in a plain array. */
struct model {
    struct gf_timer timers[NAME_COUNT * ID_COUNT];
    bool is_set[NAME_COUNT * ID_COUNT];
    bool is_seen[NAME_COUNT * ID_COUNT];
    uint32_t count;
};

struct world {
    struct gf_timers timers;
    void *memory;
    struct model model;
};

static void *
memory_for(uint32_t capacity)
{
    const size_t size = (gf_timers_size(capacity) + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    return memory;
}

static void
world_init(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->memory = memory_for(CAPACITY);
    gf_timers_init(&world->timers, world->memory, CAPACITY);
    for (uint32_t i = 0; i < NAME_COUNT * ID_COUNT; i++) {
        struct gf_timer *timer = &world->model.timers[i];
        timer->key_size =
            (uint8_t)snprintf((char *)timer->key, sizeof(timer->key), "c%u", i / ID_COUNT / 2);
        timer->kind = i / ID_COUNT % 2 == 0 ? GF_ENTITY_CUSTOMER : GF_ENTITY_TARIFF_AREA;
        timer->id = (uint8_t)(i % ID_COUNT * GF_TIMERS_PER_OPERATOR);
        timer->key_hash = gf_entity_hash(timer->kind, gf_span_of(timer->key, timer->key_size));
    }
}

static struct gf_span
key_of(const struct gf_timer *timer)
{
    return gf_span_of(timer->key, timer->key_size);
}

static void
world_step(struct world *world, struct gf_random *random)
{
    struct model *model = &world->model;
    const uint32_t index = (uint32_t)(gf_random_next(random) % (NAME_COUNT * ID_COUNT));
    struct gf_timer *timer = &model->timers[index];
    if (gf_random_next(random) % 3 == 0) {
        gf_timers_clear(&world->timers, timer->kind, key_of(timer), timer->key_hash, timer->id);
        model->count -= model->is_set[index];
        model->is_set[index] = false;
        return;
    }
    const struct gf_time due = {(int64_t)(gf_random_next(random) % 50) * 10}; /* many meet */
    const enum gf_rc rc =
        gf_timers_set(&world->timers, timer->kind, key_of(timer), timer->key_hash, timer->id, due);
    if (!model->is_set[index] && model->count == CAPACITY) {
        assert_int_equal(rc, GF_E_FULL);
        return;
    }
    assert_int_equal(rc, GF_OK);
    model->count += !model->is_set[index];
    model->is_set[index] = true;
    timer->due = due;
}

static const struct gf_timer *
model_first(const struct model *model)
{
    const struct gf_timer *first = NULL;
    for (uint32_t i = 0; i < NAME_COUNT * ID_COUNT; i++) {
        if (model->is_set[i] && (first == NULL || gf_timer_compare(&model->timers[i], first) < 0)) {
            first = &model->timers[i];
        }
    }
    return first;
}

static void
due_visit(void *context, const struct gf_timer *timer)
{
    struct model *model = context;
    for (uint32_t i = 0; i < NAME_COUNT * ID_COUNT; i++) {
        if (model->is_set[i] && gf_timer_compare(&model->timers[i], timer) == 0) {
            assert_false(model->is_seen[i]); /* once each */
            model->is_seen[i] = true;
            return;
        }
    }
    fail_msg("a timer was visited that is not set");
}

static void
world_check(struct world *world, struct gf_time before)
{
    struct model *model = &world->model;
    assert_int_equal(world->timers.count, model->count);
    const struct gf_timer *first = gf_timers_first(&world->timers), *wanted = model_first(model);
    assert_int_equal(first == NULL, wanted == NULL);
    if (first != NULL) {
        assert_int_equal(gf_timer_compare(first, wanted), 0);
    }
    memset(model->is_seen, 0, sizeof(model->is_seen));
    gf_timers_due(&world->timers, before, due_visit, model);
    for (uint32_t i = 0; i < NAME_COUNT * ID_COUNT; i++) {
        const struct gf_timer *timer = &model->timers[i];
        assert_int_equal(model->is_seen[i], model->is_set[i] && timer->due.us < before.us);
        struct gf_time due = {-1};
        assert_int_equal(gf_timers_find(&world->timers, timer->kind, key_of(timer), timer->key_hash,
                                        timer->id, &due),
                         model->is_set[i]);
        assert_int_equal(due.us, model->is_set[i] ? timer->due.us : -1);
    }
}

static void
any_order_of_sets_and_clears_equals_a_list(void **state)
{
    (void)state;
    printf("seed %llu\n", (unsigned long long)SEED);
    struct world world;
    world_init(&world);
    struct gf_random random = {.seed = SEED};
    for (uint32_t step = 0; step < STEP_COUNT; step++) {
        world_step(&world, &random);
        if (step % 23 == 0) {
            world_check(&world, (struct gf_time){(int64_t)(gf_random_next(&random) % 520)});
        }
    }
    /* Nothing set, one set, all due. */
    gf_timers_reset(&world.timers);
    memset(world.model.is_set, 0, sizeof(world.model.is_set));
    world.model.count = 0;
    world_check(&world, (struct gf_time){INT64_MAX});
    for (uint32_t step = 0; step < 300; step++) {
        world_step(&world, &random);
        world_check(&world, (struct gf_time){INT64_MAX});
    }
    free(world.memory);
}

static void
timers_come_out_in_order(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct gf_random random = {.seed = SEED, .stream = 1};
    for (uint32_t step = 0; step < 500; step++) {
        world_step(&world, &random);
    }
    struct gf_timer last = {.due = {INT64_MIN}};
    uint32_t count = world.timers.count;
    assert_true(count > CAPACITY / 2);
    for (; count > 0; count--) {
        const struct gf_timer first = *gf_timers_first(&world.timers);
        assert_true(gf_timer_compare(&last, &first) < 0);
        last = first;
        gf_timers_clear(&world.timers, first.kind, key_of(&first), first.key_hash, first.id);
    }
    assert_null(gf_timers_first(&world.timers));
    free(world.memory);
}

/* Packs all slices of `from` into `to`; checks order and sizes on the way. */
static void
slices_move(const struct gf_timers *from, struct gf_timers *to)
{
    uint32_t scratch[CAPACITY];
    uint8_t packed[CAPACITY * (12 + GF_ENTITY_KEY_SIZE_MAX)];
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT; slice++) {
        packed[0] = 0xa5;
        const size_t need = gf_timers_pack(from, slice, scratch, packed, 0);
        assert_int_equal(packed[0], 0xa5); /* nothing is written where it does not fit */
        assert_int_equal(gf_timers_pack(from, slice, scratch, packed, sizeof(packed)), need);
        struct gf_timer last = {.due = {INT64_MIN}};
        for (size_t at = 0; at < need;) {
            struct gf_timer timer = {
                .id = packed[at + 8], .kind = packed[at + 9], .key_size = packed[at + 10]};
            memcpy(&timer.due.us, packed + at, 8);
            memcpy(timer.key, packed + at + 12, timer.key_size);
            assert_int_equal(gf_slice_of(gf_entity_hash(timer.kind, key_of(&timer))), slice);
            assert_true(gf_timer_compare(&last, &timer) < 0);
            last = timer;
            at += 12u + timer.key_size;
        }
        assert_int_equal(gf_timers_unpack(to, gf_span_of(packed, need)), GF_OK);
        if (need > 0) {
            struct gf_timers none = {0};
            void *memory = memory_for(CAPACITY);
            gf_timers_init(&none, memory, CAPACITY);
            assert_int_equal(gf_timers_unpack(&none, gf_span_of(packed, need - 1)), GF_E_DAMAGED);
            packed[9] = GF_ENTITY_KIND_COUNT;
            assert_int_equal(gf_timers_unpack(&none, gf_span_of(packed, need)), GF_E_DAMAGED);
            free(memory);
        }
    }
}

static void
packed_timers_come_back(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    struct gf_random random = {.seed = SEED, .stream = 2};
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t step = 0; step < 100; step++) {
            world_step(&world, &random);
        }
        struct world other;
        world_init(&other);
        slices_move(&world.timers, &other.timers);
        other.model = world.model;
        world_check(&other, (struct gf_time){250});
        free(other.memory);
    }
    free(world.memory);
}

static void
unpacking_into_too_little_room_is_an_error(void **state)
{
    (void)state;
    struct world world;
    world_init(&world);
    const struct gf_timer *timer = &world.model.timers[0];
    for (uint32_t id = 0; id < 2; id++) {
        assert_int_equal(gf_timers_set(&world.timers, timer->kind, key_of(timer), timer->key_hash,
                                       (uint8_t)id, (struct gf_time){(int64_t)id}),
                         GF_OK);
    }
    uint32_t scratch[CAPACITY];
    uint8_t packed[256];
    const size_t size = gf_timers_pack(&world.timers, gf_slice_of(timer->key_hash), scratch, packed,
                                       sizeof(packed));
    struct gf_timers small = {0};
    void *memory = memory_for(1);
    gf_timers_init(&small, memory, 1);
    assert_int_equal(gf_timers_unpack(&small, gf_span_of(packed, size)), GF_E_FULL);
    free(memory);
    free(world.memory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_of_sets_and_clears_equals_a_list),
        cmocka_unit_test(timers_come_out_in_order),
        cmocka_unit_test(packed_timers_come_back),
        cmocka_unit_test(unpacking_into_too_little_room_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
