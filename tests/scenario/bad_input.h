/* Bad records by name, each with the answer that it must get. They go into a story of ten good days
 * of one customer. */
#ifndef GF_TEST_BAD_INPUT_H
#define GF_TEST_BAD_INPUT_H

#include "lab_world.h"

#define BAD_CUSTOMER "alice"
#define BAD_METER    "M-alice"
#define BAD_DAYS     10 /* alice's readings end at noon of the last of them */

/* Noon of a day of the story. */
struct gf_time bad_noon(int64_t day);

/* Where the bad record went. */
struct place {
    enum gf_topic topic;
    uint32_t partition;
    int64_t offset;
};

struct bad {
    const char *name;
    struct place (*add)(struct lab *lab);
    const char *code;    /* of the one dead letter; NULL: there is none */
    const char *message; /* a part of it */
    int32_t rule;        /* of the one more finding; UNKNOWN: there is none */
};

extern const struct bad bads[];
extern const size_t bad_count;

#endif
