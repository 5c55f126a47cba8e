/* A fake of what an operator writes to, for stories and properties: linked instead of engine/out.c,
 * it implements gf_out_emit, gf_out_set_timer, gf_out_clear_timer, gf_out_fail and gf_record_id,
 * and keeps everything for the test to look at. Records are copied deeply, so an operator that
 * lends a span of its stack is caught by the sanitizer here. */
#ifndef GF_TESTS_FAKE_OUT_H
#define GF_TESTS_FAKE_OUT_H

#include "base/error.h"
#include "model/records.h"
#include "operator/operator.h"

#define FAKE_TIMER_COUNT 8

struct fake_record {
    int32_t topic;             /* enum gf_topic; says which member of `body` it is */
    union gf_record_body body; /* strings and arrays belong to the fake until fake_out_clear */
};

struct gf_out {
    struct fake_record *records; /* in the order they were emitted */
    uint32_t count, capacity;
    uint32_t count_max; /* gf_out_emit gives GF_E_FULL at this count; 0: no limit */
    struct {
        bool is_set;
        struct gf_time due;
    } timers[FAKE_TIMER_COUNT];
    struct gf_error error; /* of the last gf_out_fail */
    enum gf_rc failed_rc;
    void **blocks; /* what the copies live in */
    uint32_t block_count, block_capacity;
};

/* On the heap; aborts the test when there is none. */
struct gf_out *fake_out_new(void);
void fake_out_free(struct gf_out *out);

/* Forgets the records and the failure; timers stay. */
void fake_out_clear(struct gf_out *out);

/* What the engine does after an error: drops the records after the first `count`. Timers are the
 * test's to copy. */
void fake_out_truncate(struct gf_out *out, uint32_t count);

/* Number of records of `topic`, and the `index`th of them (NULL where there is none). */
uint32_t fake_out_count(const struct gf_out *out, enum gf_topic topic);
const union gf_record_body *fake_out_record(const struct gf_out *out, enum gf_topic topic,
                                            uint32_t index);

/* The timer that is due first, not after `until`; false when there is none. It is cleared: the test
 * then calls on_timer. */
bool fake_out_take_timer(struct gf_out *out, struct gf_time until, uint32_t *timer_out,
                         struct gf_time *due_out);

#endif
