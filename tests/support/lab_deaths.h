/* Deaths: a lab that is killed and started again until it comes to the end. */
#ifndef GF_TEST_LAB_DEATHS_H
#define GF_TEST_LAB_DEATHS_H

#include "base/random.h"
#include "lab.h"

/* Runs with faults and deaths at random calls of the log and of the store; after each death the
 * disk shows any moment that it has had. Returns how often it died; faults that no run came to may
 * still be set. Fails the test with an error that is no death. */
uint32_t lab_run_through_deaths(struct lab *lab, struct gf_random *random);

/* Tallies, conservation, outputs with their lineage, and states are those of the other lab. */
void lab_assert_undisturbed(const struct lab *lab, const struct lab *undisturbed);

#endif
