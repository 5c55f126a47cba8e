/* The journals of a lab, record by record. */
#ifndef GF_TEST_LAB_JOURNAL_H
#define GF_TEST_LAB_JOURNAL_H

#include "lab.h"

/* Looks at every BATCH record of every shard: batches are 1, 2, 3, …; each input goes on where it
 * ended, takes what it counts and no more than was frozen; the records in are the sum of the counts
 * and every one of them is told. Fails the test with the first that breaks it; returns how many
 * batches there are. */
uint32_t lab_journal_assert_conserved(const struct lab *lab);

/* Copies a lab's log into another of the same configuration, inputs and outputs, with `fold_version
 * N` in the place of ours in every configuration of the journals, hashes and all: the log of
 * another program. */
void lab_journal_copy_as_version(struct lab *to, const struct lab *from, int32_t fold_version);

#endif
