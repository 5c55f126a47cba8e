#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "order/merge.h"

#define SEED            UINT64_C(20260116)
#define ROUND_COUNT     300
#define INPUT_COUNT_MAX 12
#define RECORD_MAX      20

struct record {
    uint32_t input, rank, partition;
    int64_t offset;
    struct gf_time time;
    bool is_first;
};

struct input {
    struct record records[RECORD_MAX];
    uint32_t count, at;
};

struct world {
    struct input inputs[INPUT_COUNT_MAX];
    uint32_t count;
    struct gf_merge merge;
};

/* Within a partition times go down as well as up. */
static uint32_t
world_init(struct world *world, struct gf_random *random)
{
    memset(world, 0, sizeof(*world));
    world->count = 1 + (uint32_t)(gf_random_next(random) % INPUT_COUNT_MAX);
    world->merge.count = world->count;
    uint32_t total = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        struct input *input = &world->inputs[i];
        input->count = (uint32_t)(gf_random_next(random) % (RECORD_MAX + 1));
        total += input->count;
        int64_t offset = (int64_t)(gf_random_next(random) % 1000);
        for (uint32_t at = 0; at < input->count; at++) {
            input->records[at] =
                (struct record){.input = i,
                                .rank = (world->count - i) / 3, /* several partitions of a topic */
                                .partition = i * 7 % 5 + i / 5 * 16,
                                .offset = offset,
                                .time = {(int64_t)(gf_random_next(random) % 30)},
                                .is_first = gf_random_next(random) % 8 == 0};
            offset += 1 + (int64_t)(gf_random_next(random) % 3);
        }
    }
    return total;
}

static void
head_set(struct world *world, uint32_t index)
{
    const struct input *input = &world->inputs[index];
    if (input->at == input->count) {
        gf_merge_end(&world->merge, index);
        return;
    }
    const struct record *record = &input->records[input->at];
    gf_merge_set(&world->merge, index, record->rank, record->partition, record->offset,
                 record->time, record->is_first);
}

/* The oracle: the rule of the header, word for word, over records instead of heads. */
static int
record_compare(const void *left, const void *right)
{
    const struct record *a = *(const struct record *const *)left,
                        *b = *(const struct record *const *)right;
    if (a->is_first != b->is_first) {
        return a->is_first ? -1 : 1;
    }
    if (!a->is_first && a->time.us != b->time.us) {
        return a->time.us < b->time.us ? -1 : 1;
    }
    if (a->rank != b->rank) {
        return a->rank < b->rank ? -1 : 1;
    }
    if (a->partition != b->partition) {
        return a->partition < b->partition ? -1 : 1;
    }
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static const struct record *
oracle_next(const struct world *world)
{
    const struct record *heads[INPUT_COUNT_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        if (world->inputs[i].at < world->inputs[i].count) {
            heads[count++] = &world->inputs[i].records[world->inputs[i].at];
        }
    }
    if (count == 0) {
        return NULL;
    }
    qsort(heads, count, sizeof(heads[0]), record_compare);
    return heads[0];
}

static void
any_partitions_merge_as_the_rule_says(void **state)
{
    (void)state;
    printf("seed %llu\n", (unsigned long long)SEED);
    struct gf_random random = {.seed = SEED};
    for (uint32_t round = 0; round < ROUND_COUNT; round++) {
        struct world world;
        uint32_t left = world_init(&world, &random);
        for (uint32_t i = 0; i < world.count; i++) {
            head_set(&world, i);
        }
        for (; left > 0; left--) {
            const struct record *wanted = oracle_next(&world);
            const uint32_t next = gf_merge_next(&world.merge);
            assert_non_null(wanted);
            assert_int_equal(next, wanted->input);
            world.inputs[next].at++;
            head_set(&world, next);
        }
        assert_int_equal(gf_merge_next(&world.merge), UINT32_MAX);
    }
}

/* Taking a run of one input up to the bound gives the same order as asking for every record. */
static void
runs_up_to_the_bound_change_nothing(void **state)
{
    (void)state;
    struct gf_random random = {.seed = SEED, .stream = 1};
    for (uint32_t round = 0; round < ROUND_COUNT; round++) {
        struct world world;
        uint32_t left = world_init(&world, &random);
        for (uint32_t i = 0; i < world.count; i++) {
            head_set(&world, i);
        }
        while (left > 0) {
            const uint32_t next = gf_merge_next(&world.merge);
            struct gf_merge_head bound;
            const bool has_bound = gf_merge_bound(&world.merge, next, &bound);
            do {
                const struct record *wanted = oracle_next(&world);
                assert_non_null(wanted);
                assert_int_equal(wanted->input, next);
                world.inputs[next].at++;
                head_set(&world, next);
                left--;
            } while (world.merge.heads[next].is_there &&
                     (!has_bound || gf_merge_is_before(&world.merge.heads[next], &bound)));
        }
    }
}

static void
a_refused_head_comes_before_all_times(void **state)
{
    (void)state;
    struct gf_merge merge = {.count = 3};
    gf_merge_set(&merge, 0, 0, 0, 10, (struct gf_time){0}, false);
    gf_merge_set(&merge, 1, 5, 3, 99, (struct gf_time){GF_TIME_US_MAX - 1}, true);
    gf_merge_end(&merge, 2);
    assert_int_equal(gf_merge_next(&merge), 1);
    /* Two of them: by rank, partition and offset; what they say about time does not count. */
    gf_merge_set(&merge, 2, 5, 2, 100, (struct gf_time){7}, true);
    assert_int_equal(gf_merge_next(&merge), 2);
}

/* Under arrival order the loop marks `control` as first. */
static void
a_control_record_does_not_queue(void **state)
{
    (void)state;
    enum { READINGS, CONTROL };
    struct gf_merge merge = {.count = 2};
    gf_merge_set(&merge, READINGS, 0, 0, 1, (struct gf_time){1000}, false);
    gf_merge_set(&merge, CONTROL, 200, 0, 1, (struct gf_time){900000}, false);
    assert_int_equal(gf_merge_next(&merge), READINGS);
    gf_merge_set(&merge, CONTROL, 200, 0, 1, (struct gf_time){900000}, true);
    assert_int_equal(gf_merge_next(&merge), CONTROL);
}

static void
the_last_input_has_no_bound(void **state)
{
    (void)state;
    struct gf_merge merge = {.count = 2};
    struct gf_merge_head bound = {.offset = -7};
    gf_merge_set(&merge, 0, 1, 0, 1, (struct gf_time){1}, false);
    gf_merge_end(&merge, 1);
    assert_false(gf_merge_bound(&merge, 0, &bound));
    assert_int_equal(bound.offset, -7);
    gf_merge_set(&merge, 1, 255, (1u << 24) - 1, 5, (struct gf_time){9}, false);
    assert_true(gf_merge_bound(&merge, 0, &bound));
    assert_int_equal(bound.offset, 5);
    assert_true(gf_merge_is_before(&merge.heads[0], &bound));
    assert_false(gf_merge_is_before(&bound, &bound));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_partitions_merge_as_the_rule_says),
        cmocka_unit_test(runs_up_to_the_bound_change_nothing),
        cmocka_unit_test(a_refused_head_comes_before_all_times),
        cmocka_unit_test(a_control_record_does_not_queue),
        cmocka_unit_test(the_last_input_has_no_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
