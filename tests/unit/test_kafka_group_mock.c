/* What a fence says of itself, in the form in which this librdkafka writes it; and what the group
 * makes of a broker's refusals, on librdkafka's mock cluster. A real broker is in tests/broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "io/kafka_group.h"

enum { JOIN_GROUP = 11, HEARTBEAT = 12 };

static bool
read_new(const char *group, int32_t generation, const char *member, const char *instance,
         int32_t *generation_out)
{
    rd_kafka_consumer_group_metadata_t *const fence =
        rd_kafka_consumer_group_metadata_new_with_genid(group, generation, member, instance);
    const bool is_one = gf_kafka_fence_read(fence, generation_out);
    rd_kafka_consumer_group_metadata_destroy(fence);
    return is_one;
}

static void
a_fence_has_a_generation_and_a_member(void **state)
{
    (void)state;
    int32_t generation = -7;
    assert_true(read_new("group", 258, "member", "instance", &generation));
    assert_int_equal(generation, 258);
    assert_true(read_new("g", INT32_MAX, "m", NULL, &generation));
    assert_int_equal(generation, INT32_MAX);
    assert_true(read_new("g", 0, "m", NULL, &generation));
    assert_false(read_new("g", -1, "m", NULL, &generation));
    assert_false(read_new("g", 3, "", NULL, &generation));
    assert_false(read_new("g", 3, "", "instance", &generation));
    rd_kafka_consumer_group_metadata_t *const plain = rd_kafka_consumer_group_metadata_new("g");
    assert_false(gf_kafka_fence_read(plain, &generation));
    rd_kafka_consumer_group_metadata_destroy(plain);
}

/* A group on a cluster of its own. */
struct bench {
    rd_kafka_t *handle;
    rd_kafka_mock_cluster_t *cluster;
    struct gf_kafka_config kafka;
    struct gf_kafka_group_config config;
    struct gf_group *group;
};

static void
bench_open(struct bench *bench, rd_kafka_resp_err_t join_answer)
{
    char text[256];
    struct gf_error error = {""};
    rd_kafka_conf_t *const conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof(text));
    bench->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(bench->handle);
    bench->cluster = rd_kafka_handle_mock_cluster(bench->handle);
    assert_int_equal(rd_kafka_mock_topic_create(bench->cluster, "journal", 2, 1), 0);
    if (join_answer != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_mock_push_request_errors(bench->cluster, JOIN_GROUP, 1, join_answer);
    }
    bench->kafka =
        (struct gf_kafka_config){.brokers = rd_kafka_mock_cluster_bootstraps(bench->cluster),
                                 .request_timeout = {20 * GF_US_PER_S}};
    bench->config = (struct gf_kafka_group_config){.kafka = &bench->kafka,
                                                   .group = "g",
                                                   .instance = "i",
                                                   .session_timeout = {3 * GF_US_PER_S},
                                                   .journal = GF_TOPIC_JOURNAL};
    assert_int_equal(gf_kafka_group_open(&bench->config, &bench->group, &error), GF_OK);
}

static void
bench_close(struct bench *bench)
{
    bench->group->ops->close(bench->group);
    rd_kafka_destroy(bench->handle);
}

static enum gf_rc
next_event(struct bench *bench, struct gf_group_event *event, struct gf_error *error)
{
    const struct gf_duration wait = {100000};
    enum gf_rc rc = GF_OK;
    *event = (struct gf_group_event){.kind = GF_GROUP_QUIET};
    for (int tries = 0; rc == GF_OK && tries < 200 && event->kind == GF_GROUP_QUIET; tries++) {
        rc = bench->group->ops->poll(bench->group, wait, event, error);
    }
    return rc;
}

struct refusal {
    rd_kafka_resp_err_t code;
    enum gf_rc rc;
    const char *says;
};

static void
refusals_say_what_to_do(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, GF_E_FENCED, "give each instance an id of its own"},
        {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, GF_E_CONFIG, "rights"},
        {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, GF_E_CONFIG, "group.min.session.timeout.ms"},
        {RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, GF_E_CONFIG, "a group of its own"},
    };
    for (size_t index = 0; index < sizeof(refusals) / sizeof(refusals[0]); index++) {
        const struct refusal *const refusal = &refusals[index];
        struct bench bench;
        struct gf_group_event event;
        struct gf_error error = {""};
        bench_open(&bench, refusal->code);
        const enum gf_rc rc = next_event(&bench, &event, &error);
        if (rc != refusal->rc || strstr(error.text, refusal->says) == NULL) {
            fail_msg("join refused with %s: %s: %s", rd_kafka_err2name(refusal->code),
                     gf_rc_name(rc), error.text);
        }
        bench_close(&bench);
    }
}

/* A member that the group forgot, as one that was stopped for longer than its session. */
static void
an_assignment_that_is_gone_is_lost_and_another_one_comes(void **state)
{
    (void)state;
    struct bench bench;
    struct gf_group_event event;
    struct gf_error error = {""};
    bench_open(&bench, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(next_event(&bench, &event, &error), GF_OK);
    assert_int_equal(event.kind, GF_GROUP_ASSIGNED);
    assert_int_equal(event.shard_count, 2);
    assert_int_equal(event.shards[1], 1);
    const int32_t generation = event.generation;
    rd_kafka_mock_push_request_errors(bench.cluster, HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(next_event(&bench, &event, &error), GF_OK);
    assert_int_equal(event.kind, GF_GROUP_LOST);
    assert_int_equal(next_event(&bench, &event, &error), GF_OK);
    assert_int_equal(event.kind, GF_GROUP_ASSIGNED);
    assert_true(event.generation > generation);
    bench_close(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fence_has_a_generation_and_a_member),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(an_assignment_that_is_gone_is_lost_and_another_one_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
