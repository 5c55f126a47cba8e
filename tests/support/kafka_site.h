/* A site: one installation of gridfold on the test's broker, with topics of its own (a prefix), its
 * own store and its own configuration file; and the programs that are run on it. Functions fail the
 * running test when a program does not end as it should. */
#ifndef GF_TEST_KAFKA_SITE_H
#define GF_TEST_KAFKA_SITE_H

#include "broker.h"
#include "program.h"
#include "topic_reader.h"

#define SITE_PARTITIONS 4

/* Set by main before the tests. */
extern struct test_broker site_broker;
extern const char *site_gridfold, *site_publish; /* the programs */
extern char site_work[200];                      /* folder of everything, removed at the end */

struct site {
    char name[64], prefix[64];
    char config[256], log[256]; /* `log`: what the program said that was run last */
};

/* Finds and starts the broker, and makes the folder. What the test program ends with where there is
 * no broker (test_broker_find), or -1. */
int site_begin(void);
/* Kills the broker, and removes everything unless a test has failed: then it says where the logs
 * are. */
void site_end(int failed);

/* Writes the configuration: what all sites share, then `more` (lines of YAML, may be ""). `kafka`:
 * lines below `kafka:`. */
void site_make(struct site *site, const char *name, const char *kafka, const char *more);

/* Starts `gridfold WORDS… -c CONFIG`; `words` are separated by blanks. */
void site_start(struct site *site, struct test_program *program, const char *words);
/* The same, and waits: the exit code. */
int site_call(struct site *site, const char *words);
/* The same, and it must end with `code`. */
void site_expect(struct site *site, int code, const char *words);
/* What was said last has `text`. */
void site_said(const struct site *site, const char *text);

/* Makes the topics. Records of years ago live only where retention is longer than that. */
void site_create(struct site *site);
/* Deletes them, so that a broker can serve many sites. */
void site_delete(const struct site *site);
/* Publishes the folder log to the site's topics; `words`: more options, may be "". */
void site_feed_start(struct site *site, struct test_program *program, const char *folder,
                     const char *words);
void site_feed(struct site *site, const char *folder, const char *words);

void site_read(const struct site *site, struct topic_records out[GF_TOPIC_COUNT]);

#endif
