/* Ownership against a real broker: who gets which shard and when it is taken away, and that what an
 * owner of yesterday commits is either read by its successor or does not exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "io/kafka_admin.h"
#include "io/kafka_group.h"
#include "kafka_lab.h"
#include "loop/commit.h"

#define SHARDS   4
#define TICK     ((struct gf_duration){50000})
#define TICK_MAX 1200
#define LIVE_S   10 /* longer than any pause of a busy machine */
#define LOST_S   2

struct member {
    struct gf_kafka_group_config config;
    struct gf_group *group;
    int32_t generation; /* -1: owns nothing */
    uint32_t shards[SHARDS], shard_count;
    const void *fence;
    uint32_t assigned, revoked, lost; /* events */
};

/* The journal has four partitions here; all else is as in every lab. */
static void
group_lab_open(struct lab *lab, const char *prefix)
{
    const struct gf_kafka_config config = {.brokers = lab_broker.address, .topic_prefix = prefix};
    const struct gf_kafka_wish wish = {
        .shard_count = SHARDS, .replication = 1, .retention_ms = 86400000};
    struct gf_kafka_topic wanted[GF_TOPIC_COUNT];
    struct gf_error error;
    lab_expect_ok(gf_kafka_topics_wanted(&config, &wish, wanted, &error), &error, "wanted");
    lab_expect_ok(gf_kafka_admin_create(&config, &wanted[GF_TOPIC_JOURNAL], 1, &error), &error,
                  "journal");
    lab_open(lab, prefix, (struct gf_duration){0});
    lab->sink_config.group = NULL;
    lab->sink_config.needs_fence = true;
}

static void
member_open(struct member *member, const struct lab *lab, const char *group, const char *instance,
            int session_s)
{
    struct gf_error error;
    *member = (struct member){.config = {.kafka = &lab->config,
                                         .group = group,
                                         .instance = instance,
                                         .session_timeout = {session_s * GF_US_PER_S},
                                         .journal = GF_TOPIC_JOURNAL},
                              .generation = -1};
    lab_expect_ok(gf_kafka_group_open(&member->config, &member->group, &error), &error, "group");
}

/* As it is for the group when the process is killed: a static member says no goodbye. */
static void
member_close(struct member *member)
{
    member->group->ops->close(member->group);
    member->group = NULL;
}

static enum gf_rc
member_poll(struct member *member, struct gf_error *error)
{
    struct gf_group_event event = {0};
    const enum gf_rc rc = member->group->ops->poll(member->group, TICK, &event, error);
    if (rc != GF_OK || event.kind == GF_GROUP_QUIET) {
        return rc;
    }
    member->generation = -1;
    member->shard_count = 0;
    if (event.kind != GF_GROUP_ASSIGNED) {
        member->revoked += event.kind == GF_GROUP_REVOKED;
        member->lost += event.kind == GF_GROUP_LOST;
        return GF_OK;
    }
    assert_in_range(event.shard_count, 0, SHARDS);
    assert_true(event.generation >= 0);
    memcpy(member->shards, event.shards, event.shard_count * sizeof(uint32_t));
    member->shard_count = event.shard_count;
    member->generation = event.generation;
    member->fence = event.fence;
    member->assigned++;
    return GF_OK;
}

static void
member_expect(const struct member *member, uint32_t first, uint32_t step)
{
    assert_int_equal(member->shard_count, SHARDS / step);
    for (uint32_t index = 0; index < member->shard_count; index++) {
        assert_int_equal(member->shards[index], first + index * step);
    }
}

/* Until all shards are owned, every one by somebody of `members`, in one generation. */
static void
members_settle(struct member *const *members, size_t count)
{
    struct gf_error error;
    for (int tick = 0; tick < TICK_MAX; tick++) {
        uint32_t owned = 0;
        bool is_one = true;
        for (size_t index = 0; index < count; index++) {
            lab_expect_ok(member_poll(members[index], &error), &error, "poll");
        }
        for (size_t index = 0; index < count; index++) {
            owned += members[index]->shard_count;
            is_one = is_one && members[index]->generation == members[0]->generation;
        }
        if (owned == SHARDS && is_one && members[0]->generation >= 0) {
            return;
        }
    }
    fail_msg("no agreement about the shards");
}

static void
member_settle(struct member *member)
{
    struct member *const members[] = {member};
    members_settle(members, 1);
}

/* A fence outlives its assignment only where somebody keeps it against the rules. */
static rd_kafka_consumer_group_metadata_t *
fence_keep(const void *fence)
{
    rd_kafka_consumer_group_metadata_t *kept = NULL;
    void *bytes = NULL;
    size_t size = 0;
    assert_null(rd_kafka_consumer_group_metadata_write(fence, &bytes, &size));
    assert_null(rd_kafka_consumer_group_metadata_read(&kept, bytes, size));
    rd_kafka_mem_free(NULL, bytes);
    return kept;
}

static void
shards_are_dealt_in_turn_and_a_restart_moves_none(void **state)
{
    (void)state;
    struct lab lab;
    struct member a, b;
    struct member *const both[] = {&a, &b};
    group_lab_open(&lab, "deal.");
    member_open(&b, &lab, "deal", "b", LOST_S);
    member_settle(&b);
    member_expect(&b, 0, 1);
    member_open(&a, &lab, "deal", "a", LIVE_S);
    members_settle(both, 2);
    member_expect(&a, 0, 2); /* by name, whoever came first */
    member_expect(&b, 1, 2);
    assert_int_equal(b.revoked, 1);
    assert_int_equal(b.lost, 0);
    const int32_t generation = a.generation;
    const uint32_t assigned = a.assigned;

    member_close(&b);
    member_open(&b, &lab, "deal", "b", LOST_S);
    members_settle(both, 2);
    member_expect(&b, 1, 2);
    assert_int_equal(b.generation, generation);
    assert_int_equal(a.assigned, assigned);
    assert_int_equal(a.revoked, 0);

    member_close(&b); /* and does not come back */
    member_settle(&a);
    member_expect(&a, 0, 1);
    assert_true(a.generation > generation);
    assert_int_equal(a.revoked, 1);
    member_close(&a);
    lab_close(&lab);
}

static void
of_two_with_one_id_the_newer_goes_on(void **state)
{
    (void)state;
    struct lab lab;
    struct member older, newer;
    struct gf_error error = {""};
    group_lab_open(&lab, "twice.");
    member_open(&older, &lab, "twice", "same", LIVE_S);
    member_settle(&older);
    member_open(&newer, &lab, "twice", "same", LIVE_S);
    member_settle(&newer);
    assert_int_equal(newer.generation, older.generation);
    enum gf_rc rc = GF_OK;
    for (int tick = 0; rc == GF_OK && tick < TICK_MAX; tick++) {
        rc = member_poll(&older, &error);
    }
    lab_expect_rc(rc, GF_E_FENCED, &error);
    assert_non_null(strstr(error.text, "'same'"));
    assert_non_null(strstr(error.text, "an id of its own"));
    member_close(&older);
    for (int tick = 0; tick < 20; tick++) {
        lab_expect_ok(member_poll(&newer, &error), &error, "the newer one");
    }
    member_expect(&newer, 0, 1);
    member_close(&newer);
    lab_close(&lab);
}

enum move { MOVE_BY_JOIN, MOVE_BY_RESTART, MOVE_BY_LOSS };

/* The shards of `owner` get another owner in one of three ways; `other` is closed by the caller. */
static void
shards_move(struct member *owner, struct member *other, const struct lab *lab, const char *group,
            enum move move)
{
    if (move == MOVE_BY_RESTART) {
        member_open(other, lab, group, "z", LIVE_S);
        member_settle(other);
        return;
    }
    member_open(other, lab, group, "a", LIVE_S);
    if (move == MOVE_BY_JOIN) {
        struct member *const both[] = {owner, other};
        members_settle(both, 2);
        member_expect(other, 0, 2);
        return;
    }
    member_close(owner);
    member_settle(other);
    member_expect(other, 0, 1);
}

static void
a_stale_owner_commits_nothing(void **state)
{
    (void)state;
    static const char *const groups[] = {"stale-join", "stale-restart", "stale-loss"};
    const struct gf_position position = {.topic = GF_TOPIC_METER_READINGS, .offset = 1};
    struct lab lab;
    group_lab_open(&lab, "stale.");
    for (unsigned move = MOVE_BY_JOIN; move <= MOVE_BY_LOSS; move++) {
        struct member owner, other;
        struct gf_error error;
        struct gf_record records[4];
        struct gf_sink *const sink = lab_sink_open(&lab);
        member_open(&owner, &lab, groups[move], "z", move == MOVE_BY_LOSS ? LOST_S : LIVE_S);
        member_settle(&owner);
        rd_kafka_consumer_group_metadata_t *const kept = fence_keep(owner.fence);
        lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
        lab_expect_ok(lab_append(sink, GF_TOPIC_FRAUD_FLAGS, "k", "stale", &error), &error,
                      "append");
        lab_expect_ok(sink->ops->flush(sink, &error), &error, "flush");
        shards_move(&owner, &other, &lab, groups[move], (enum move)move);
        lab_expect_rc(sink->ops->send_offsets(sink, &position, 1, kept, &error), GF_E_GENERATION,
                      &error);
        const int64_t end = lab_end_settled(&lab, GF_TOPIC_FRAUD_FLAGS);
        assert_true(end > 0);
        assert_int_equal(lab_read_until(lab.source, GF_TOPIC_FRAUD_FLAGS, 0, end, records, 4), 0);
        /* It is aborted already, and the sink goes on with the fence of today. */
        lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin again");
        lab_expect_ok(lab_append(sink, GF_TOPIC_JOURNAL, "0", "today", &error), &error, "append");
        lab_expect_ok(gf_commit(sink, &position, 1, other.fence, &error), &error, "commit");
        sink->ops->close(sink);
        rd_kafka_consumer_group_metadata_destroy(kept);
        if (owner.group != NULL) {
            member_close(&owner);
        }
        member_close(&other);
    }
    lab_close(&lab);
}

static void
what_was_accepted_before_the_move_is_read_by_the_successor(void **state)
{
    (void)state;
    const struct gf_position position = {.topic = GF_TOPIC_METER_READINGS, .offset = 1};
    struct lab lab;
    struct member owner, other;
    struct gf_error error;
    struct gf_record records[4];
    uint32_t count = 9;
    int64_t next = -1;
    group_lab_open(&lab, "moved.");
    struct gf_sink *const sink = lab_sink_open(&lab);
    member_open(&owner, &lab, "moved", "z", LIVE_S);
    member_settle(&owner);
    lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
    lab_expect_ok(lab_append(sink, GF_TOPIC_JOURNAL, "0", "batch", &error), &error, "append");
    lab_expect_ok(sink->ops->flush(sink, &error), &error, "flush");
    lab_expect_ok(sink->ops->send_offsets(sink, &position, 1, owner.fence, &error), &error,
                  "offsets");
    shards_move(&owner, &other, &lab, "moved", MOVE_BY_JOIN);
    /* The successor knows where it must read to, and cannot get there yet. */
    const int64_t end = lab_end_of(lab.source, GF_TOPIC_JOURNAL);
    assert_int_equal(end, 1);
    lab_expect_ok(lab.source->ops->read(lab.source, 0, GF_TOPIC_JOURNAL, 0, 0, end, LAB_WAIT,
                                        records, 4, &count, &next, &error),
                  &error, "read");
    assert_int_equal(count, 0);
    assert_int_equal(next, 0);
    lab_expect_ok(sink->ops->commit(sink, &error), &error, "commit");
    assert_int_equal(lab_read_until(lab.source, GF_TOPIC_JOURNAL, 0, end, records, 4), 1);
    assert_memory_equal(records[0].value.data + 5, "batch", 5);
    sink->ops->close(sink);
    member_close(&owner);
    member_close(&other);
    lab_close(&lab);
}

/* An open transaction of another instance: the journal ends behind it, inputs that transactions
 * write end before it; fencing its id ends it. */
static void
an_open_transaction_holds_up_the_journal_alone_and_is_ended_by_name(void **state)
{
    (void)state;
    struct lab lab;
    struct gf_error error;
    struct gf_record records[4];
    group_lab_open(&lab, "held.");
    lab.sink_config.needs_fence = false;
    struct gf_sink *const sink = lab_sink_open(&lab);
    struct gf_source *const source = lab.source;
    const enum gf_topic written[] = {GF_TOPIC_JOURNAL, GF_TOPIC_METER_READINGS, GF_TOPIC_CONTROL};
    lab_write_transaction(sink, GF_TOPIC_METER_READINGS, "before", 1, true);
    assert_int_equal(lab_end_after(source, GF_TOPIC_METER_READINGS, 2), 2);
    lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
    for (size_t index = 0; index < 3; index++) {
        lab_expect_ok(lab_append(sink, written[index], "k", "open", &error), &error, "append");
    }
    lab_expect_ok(sink->ops->flush(sink, &error), &error, "flush");

    const struct gf_source_place places[] = {
        {GF_TOPIC_METER_READINGS, 0}, {GF_TOPIC_METER_READINGS, 1}, {GF_TOPIC_CONTROL, 0}};
    int64_t ends[3] = {-1, -1, -1};
    lab_expect_ok(source->ops->ends_of(source, places, 3, ends, &error), &error, "ends of");
    assert_int_equal(ends[0], 2);
    assert_int_equal(ends[1], 0);
    assert_int_equal(ends[2], 0);
    assert_int_equal(lab_end_of(source, GF_TOPIC_METER_READINGS), 2);
    assert_int_equal(lab_end_of(source, GF_TOPIC_CONTROL), 0);
    assert_int_equal(lab_end_of(source, GF_TOPIC_JOURNAL), 1);
    assert_int_equal(lab_read_until(source, GF_TOPIC_METER_READINGS, 0, 2, records, 4), 1);

    lab_expect_ok(gf_kafka_fence(&lab.config, lab.sink_config.transactional_id, &error), &error,
                  "fence");
    assert_int_equal(lab_read_until(source, GF_TOPIC_JOURNAL, 0, 1, records, 4), 0);
    const struct gf_position position = {.topic = GF_TOPIC_METER_READINGS, .offset = 1};
    lab_expect_rc(gf_commit(sink, &position, 1, NULL, &error), GF_E_FENCED, &error);
    sink->ops->close(sink);
    lab_close(&lab);
}

static void
a_transaction_that_the_broker_ended_is_fenced(void **state)
{
    (void)state;
    struct lab lab;
    struct gf_error error;
    group_lab_open(&lab, "slow.");
    lab.sink_config.needs_fence = false;
    lab.sink_config.group = "slow";
    lab.sink_config.transaction_timeout = (struct gf_duration){GF_US_PER_S};
    struct gf_sink *sink = lab_sink_open(&lab);
    lab_expect_ok(sink->ops->begin(sink, &error), &error, "begin");
    lab_expect_ok(lab_append(sink, GF_TOPIC_FRAUD_FLAGS, "k", "slow", &error), &error, "append");
    lab_expect_ok(sink->ops->flush(sink, &error), &error, "flush");
    assert_int_equal(lab_end_settled(&lab, GF_TOPIC_FRAUD_FLAGS), 2); /* the record, the marker */
    const struct gf_position position = {.topic = GF_TOPIC_METER_READINGS, .offset = 1};
    lab_expect_rc(gf_commit(sink, &position, 1, NULL, &error), GF_E_FENCED, &error);
    assert_non_null(strstr(error.text, "open for too long"));
    sink->ops->close(sink);
    sink = lab_sink_open(&lab);
    lab_write_transaction(sink, GF_TOPIC_FRAUD_FLAGS, "next", 1, true);
    sink->ops->close(sink);
    lab_close(&lab);
}

static void
what_the_group_cannot_use_is_refused(void **state)
{
    (void)state;
    struct lab lab;
    struct member member;
    struct gf_error error = {""};
    group_lab_open(&lab, "refused.");
    struct gf_kafka_config missing = lab.config;
    missing.topic_prefix = "nowhere.";
    const struct gf_kafka_group_config config = {
        .kafka = &missing, .group = "g", .instance = "i", .journal = GF_TOPIC_JOURNAL};
    struct gf_group *group = NULL;
    lab_expect_rc(gf_kafka_group_open(&config, &group, &error), GF_E_NOT_FOUND, &error);
    assert_null(group);
    assert_non_null(strstr(error.text, "nowhere.journal"));
    assert_non_null(strstr(error.text, "gridfold topics create"));

    member_open(&member, &lab, "refused", "i", 3600);
    enum gf_rc rc = GF_OK;
    for (int tick = 0; rc == GF_OK && tick < TICK_MAX; tick++) {
        rc = member_poll(&member, &error);
    }
    lab_expect_rc(rc, GF_E_CONFIG, &error);
    assert_non_null(strstr(error.text, "group.max.session.timeout.ms"));
    member_close(&member);
    lab_close(&lab);
}

int
main(void)
{
    const int verdict = test_broker_find(&lab_broker);
    if (verdict >= 0) {
        return verdict;
    }
    test_broker_start(&lab_broker);
    cmocka_set_test_filter(getenv("GF_TEST_FILTER"));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_are_dealt_in_turn_and_a_restart_moves_none),
        cmocka_unit_test(of_two_with_one_id_the_newer_goes_on),
        cmocka_unit_test(a_stale_owner_commits_nothing),
        cmocka_unit_test(what_was_accepted_before_the_move_is_read_by_the_successor),
        cmocka_unit_test(an_open_transaction_holds_up_the_journal_alone_and_is_ended_by_name),
        cmocka_unit_test(a_transaction_that_the_broker_ended_is_fenced),
        cmocka_unit_test(what_the_group_cannot_use_is_refused),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_broker_fini(&lab_broker);
    return failed;
}
