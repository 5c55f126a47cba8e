/* A history for tests of the RocksDB store: write n changes one record and the timers of one slice,
 * so the number of a slice tells what each of its blocks must be. Written here, or by a process
 * that may be killed. */
#ifndef GF_TEST_STORE_HISTORY_H
#define GF_TEST_STORE_HISTORY_H

#include <sys/types.h>

#include "state/store.h"

#define HISTORY_SEGMENT_BYTES 8192 /* small, so that a few dozen writes make tables */

/* All of these fail the running test on errors they do not return. */
struct gf_store *history_open(const char *path);

enum gf_rc history_write(struct gf_store *store, int64_t number, struct gf_error *error);

/* Every block must be of the write its slice's number says. Returns errors of the store. */
enum gf_rc history_check(struct gf_store *store, int64_t *newest_out, struct gf_error *error);

/* Opens, checks, and wants write `newest` or a later one to be there. */
void history_check_whole(const char *path, int64_t newest);

struct writer {
    pid_t process;
    int ask, answer;
};

/* Starts this program again as a writer that goes on with `number`, and waits until it has the
 * store open. Its main() must begin with `if (strcmp(arguments[0], "writer") == 0) return
 * writer_main(arguments + 1)`. */
struct writer writer_start(const char *path, int64_t number);
int writer_main(char **arguments);
/* Asks for `count` writes and waits for all but `running` of them. */
void writer_ask(const struct writer *writer, uint32_t count, uint32_t running);
void writer_kill(const struct writer *writer);

/* A fresh folder as `state` of each test. */
int store_folder_make(void **state);
int store_folder_remove(void **state);

#endif
