/* Whom a successor may fence for a transaction that is open in front of it: owners from before it,
 * and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"
#include "loop/journal.h"

#define GENERATION 5
#define NAMES_MAX  4

static struct lab lab;
static uint8_t memory[64 << 10];

/* All of the log's records are open ones. */
static enum gf_rc
peek(struct gf_source *source, enum gf_topic topic, uint32_t partition, int64_t offset, int64_t end,
     struct gf_record *records_out, uint32_t count_max, uint32_t *count_out, struct gf_error *error)
{
    (void)source, (void)error;
    *count_out = 0;
    for (int64_t at = offset; at < end && *count_out < count_max; at++) {
        records_out[(*count_out)++] = *gf_memory_log_get(lab.log, topic, partition, (uint32_t)at);
    }
    return GF_OK;
}

static void
record_add(int32_t generation, const char *name, bool has_claim)
{
    uint8_t bytes[1024];
    const struct gf_journal journal = {.kind = has_claim ? GF_JOURNAL_KIND_CLAIM
                                                         : GF_JOURNAL_KIND_HEARTBEAT,
                                       .has_claim = has_claim,
                                       .claim = {.instance = gf_span_text("host"),
                                                 .transactional_id = gf_span_text(name),
                                                 .generation = generation}};
    const uint32_t size = lab_encode(GF_TOPIC_JOURNAL, &journal, bytes, sizeof(bytes));
    lab_add_bytes(&lab, GF_TOPIC_JOURNAL, 0, "0", (struct gf_time){0}, gf_span_of(bytes, size));
}

static uint32_t
names_look(char (*names)[GF_JOURNAL_NAME_SIZE], bool can_peek)
{
    struct gf_source_ops ops = *lab.source->ops;
    const struct gf_source_ops *before = lab.source->ops;
    ops.peek = can_peek ? peek : NULL;
    lab.source->ops = &ops;
    struct gf_journal_reader reader;
    uint32_t count = NAMES_MAX;
    assert_int_equal(
        gf_journal_open(&reader, lab.source, &lab.lookup, 0, 0, memory, sizeof(memory), &lab.error),
        GF_OK);
    assert_int_equal(
        gf_journal_open_claims(&reader, GENERATION, "own", names, NAMES_MAX, &count, &lab.error),
        GF_OK);
    lab.source->ops = before;
    return count;
}

static void
owners_from_before_are_named_once(void **state)
{
    (void)state;
    char names[NAMES_MAX][GF_JOURNAL_NAME_SIZE];
    char long_name[GF_JOURNAL_NAME_SIZE + 1];
    memset(long_name, 'x', GF_JOURNAL_NAME_SIZE);
    long_name[GF_JOURNAL_NAME_SIZE] = '\0';
    lab_open(&lab, "partitions: 1\n");
    assert_int_equal(names_look(names, true), 0); /* an empty journal */

    record_add(3, "dead", true);
    lab_add_bytes(&lab, GF_TOPIC_JOURNAL, 0, "0", (struct gf_time){0}, gf_span_text("\1rubbish"));
    record_add(4, "own", true);
    record_add(0, "", false);
    record_add(3, "dead", true);
    record_add(2, "", true);
    record_add(2, long_name, true);
    record_add(GENERATION, "same", true);
    record_add(GENERATION + 1, "newer", true);
    record_add(-1, "of a slot", true);
    assert_int_equal(names_look(names, true), 2);
    assert_string_equal(names[0], "dead");
    assert_string_equal(names[1], "of a slot");

    assert_int_equal(names_look(names, false), 0); /* a source that cannot look */
    for (int i = 0; i < NAMES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof(name), "more-%d", i);
        record_add(1, name, true);
    }
    assert_int_equal(names_look(names, true), NAMES_MAX);
    lab_close(&lab);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(owners_from_before_are_named_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
