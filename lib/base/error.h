/* Errors: a code that says what the caller must do, and a message that says what happened.
 *
 * Every code is one row of GF_ERRORS. Its second column is the action, and lib/loop alone acts on
 * it: SKIP   the record becomes a dead letter and the shard goes on RETRY  nothing happened; try
 * again ABORT  the open transaction is dropped and its input is read again STOP   the process ends
 * with an exit code; the next start recovers Functions return `enum gf_rc`; details go to a
 * caller's `struct gf_error`, which is prefixed on the way up and printed where it is handled. An
 * error message names the file, line or record position, and what to do next. */
#ifndef GF_BASE_ERROR_H
#define GF_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define GF_ERRORS(X)                                                                               \
    X(RANGE, SKIP, "number out of range")                                                          \
    X(BAD_DATA, SKIP, "record cannot be decoded")                                                  \
    X(BAD_FIELD, SKIP, "field has a value that is not allowed")                                    \
    X(FULL, SKIP, "no room left for this entity")                                                  \
    X(LATE, SKIP, "record came too late")                                                          \
    X(FUTURE, SKIP, "record is dated in the future")                                               \
    X(MISPLACED, SKIP, "key on the wrong partition")                                               \
    X(UNKNOWN_SCHEMA, SKIP, "schema id is not known")                                              \
    X(UNASSIGNED, SKIP, "no contract has this meter at that time")                                 \
    X(NOT_FOUND, SKIP, "not found")                                                                \
    X(BUSY, RETRY, "busy, try again")                                                              \
    X(TXN, ABORT, "transaction must be aborted and its input read again")                          \
    X(GENERATION, ABORT, "commit was refused: the shards are assigned anew")                       \
    X(UNKNOWN_OUTCOME, ABORT, "outcome of the commit is not known")                                \
    X(FENCED, STOP, "another instance owns this shard")                                            \
    X(USAGE, STOP, "command line cannot be understood")                                            \
    X(CONFIG, STOP, "configuration cannot be used")                                                \
    X(NO_MEMORY, STOP, "out of memory")                                                            \
    X(IO, STOP, "input or output failed")                                                          \
    X(NO_SPACE, STOP, "disk is full")                                                              \
    X(DAMAGED, STOP, "stored data is damaged")                                                     \
    X(STATE, STOP, "stored state is damaged; it can be made again from the log")                   \
    X(VERSION, STOP, "stored data has another version")                                            \
    X(LOST, STOP, "history that is needed is gone")                                                \
    X(UNAVAILABLE, STOP, "service cannot be reached")                                              \
    X(DIFFERENT, STOP, "a replay differs from its journal")

enum gf_rc {
    GF_OK = 0,
#define GF_ERROR_CODE(name, action, text) GF_E_##name,
    GF_ERRORS(GF_ERROR_CODE)
#undef GF_ERROR_CODE
};

enum gf_action { GF_ACTION_NONE, GF_ACTION_SKIP, GF_ACTION_RETRY, GF_ACTION_ABORT, GF_ACTION_STOP };

#define GF_ERROR_TEXT_SIZE 512

struct gf_error {
    char text[GF_ERROR_TEXT_SIZE];
};

#define GF_MUST_USE __attribute__((warn_unused_result))
#define GF_PRINTF(format_index, first_index)                                                       \
    __attribute__((format(printf, format_index, first_index)))
#define GF_CLEANUP(function) __attribute__((cleanup(function)))

/* Name of the code ("RANGE"), its fixed text, and what to do. */
const char *gf_rc_name(enum gf_rc rc);
const char *gf_rc_text(enum gf_rc rc);
enum gf_action gf_rc_action(enum gf_rc rc);

/* The sysexits code a program ends with because of `rc` (0 for GF_OK, 64 USAGE, 65
 * BAD_DATA/DAMAGED/STATE/LOST/VERSION, 66 NOT_FOUND, 69 UNAVAILABLE, 71 NO_MEMORY, 74 IO/NO_SPACE,
 * 75 BUSY, 76 FENCED, 78 CONFIG, 1 DIFFERENT, 70 otherwise). */
int gf_rc_exit_code(enum gf_rc rc);

/* Sets the message (cut at the size of `error`, which may be NULL) and returns `rc`, so that a
 * failing function can end with `return gf_fail(error, GF_E_RANGE, "...", ...)`. */
enum gf_rc gf_fail(struct gf_error *error, enum gf_rc rc, const char *format, ...) GF_PRINTF(3, 4);

/* Puts "prefix: " before the message that is there and returns `rc`. */
enum gf_rc gf_fail_prefix(struct gf_error *error, enum gf_rc rc, const char *format, ...)
    GF_PRINTF(3, 4);

#endif
