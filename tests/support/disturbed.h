/* What tests of faults share: one input, folded once and undisturbed on a folder; installations on
 * the test's broker (sites) that must come to the same, whatever befell them on the way; and the
 * instances of gridfold that run there. Tests are repeated in lanes, which are processes of their
 * own. Each function ends its lane with a message when something is not as it should be. */
#ifndef GF_TEST_DISTURBED_H
#define GF_TEST_DISTURBED_H

#include "base/random.h"
#include "journal_history.h"
#include "kafka_site.h"

#define DISTURBED_COUNTERS 64

extern struct disturbed {
    uint64_t seed;
    int repeats; /* what each case is done */
    char input[256];
    const char *addresses; /* what instances are told; NULL: those of site_broker */
    struct topic_records outputs[GF_TOPIC_COUNT];
    struct history history;
    int64_t *counters; /* DISTURBED_COUNTERS, shared by the lanes; added to by disturbed_count */
} disturbed;

/* An instance of a site: its own store, and with a group its own name. */
struct instance {
    struct site site; /* with a log of its own */
    struct test_program program;
    char words[800]; /* what every start of it is told */
};

/* `arguments`: GRIDFOLD PUBLISH [REPEATS]. Must be called before begin, which needs a broker that
 * runs: makes the input and the undisturbed run. The seed is GF_TEST_SEED, or a random one that is
 * printed. */
void disturbed_arguments(int count, char **arguments, int repeats);
void disturbed_begin(void);
/* Removes the broker if all went well. */
void disturbed_end(int failed);
/* Runs `lane` in `count` processes, each with its own random numbers; the number that failed. */
int disturbed_lanes(int count, void (*lane)(int index, struct gf_random *random));
void disturbed_count(int counter, int64_t by);
int disturbed_below(struct gf_random *random, int limit);
int64_t disturbed_now_ms(void);

/* A site with its topics, fed with the whole input unless `is_empty`. Its configuration:
 * canonical order and small batches, then `kafka` and `more` as site_make has them. */
void disturbed_site(struct site *site, const char *name, const char *kafka, const char *more,
                    bool is_empty);
/* Instance `letter` of the site. With `is_named` it has a transactional id and a place in the group
 * of its own; otherwise it claims to be the same as the others. */
void instance_make(struct instance *instance, const struct site *site, char letter, bool is_named);
/* Starts it; `point` as in GRIDFOLD_POINT, or NULL. */
void instance_start(struct instance *instance, const char *words, const char *point);
/* Waits until it is stopped at its point; false when it ended instead. */
bool instance_wait_stop(struct instance *instance);
/* Waits for an end with this exit code. */
void instance_expect(struct instance *instance, int code);
/* Waits until its log has so many lines with `text`; false when it ended, or after `ms`. */
bool instance_wait_lines(struct instance *instance, const char *text, int count, int ms);
int instance_lines(const struct instance *instance, const char *text);
void instance_fail(const struct instance *instance, const char *what);

/* Lets the instance run to the end of all shards, in as many starts as it takes until those of lost
 * ones are its own; then expects all outputs, their order, the journals' batches and the state to
 * be those of the undisturbed run. Removes the topics and stores. */
void disturbed_settle(struct instance *instance);
/* As above without the run: of a site that has come to its end. */
void disturbed_expect(const struct site *site);
void disturbed_remove(const struct site *site);

#endif
