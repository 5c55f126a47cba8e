/* Verbs: `gridfold VERB …`. One row makes dispatch, help and usage errors; one file a verb holds
 * its flags and wiring. */
#ifndef GF_CMD_VERB_H
#define GF_CMD_VERB_H

#include <getopt.h>

#include "base/error.h"

struct verb_option {
    const char *name;     /* long, without dashes */
    char letter;          /* 0: none */
    const char *argument; /* "FILE"; NULL: a switch */
    const char *doc;
};

struct verb {
    const char *name;                  /* "run" or "state get" */
    const char *arguments;             /* "-c CONFIG [--exit-at-end]" */
    const char *doc;                   /* one sentence */
    const char *examples;              /* two lines, shown first */
    const struct verb_option *options; /* ends with name NULL */
    int (*run)(const struct verb *verb, int argc,
               char **argv); /* argv[0] is the verb; returns the exit code */
};

extern const struct verb verb_run, verb_replay, verb_import, verb_simulate, verb_tap, verb_snapshot,
    verb_snapshot_list, verb_state_get, verb_state_verify, verb_explain, verb_dlq_list,
    verb_dlq_show, verb_dlq_replay, verb_topics_plan, verb_topics_create, verb_validate;

/* getopt_long over the verb's table, `--help` handled. Returns the option's index in the table with
 * `optarg` set, -1 at the end (optind is the first argument), or -2: stop with `*exit_code` (help
 * shown, or an unknown option: 64). */
int verb_next_option(const struct verb *verb, int argc, char **argv, int *exit_code);

/* Prints "gridfold VERB: message" and how to get help; returns 64. */
int verb_usage(const struct verb *verb, const char *format, ...) GF_PRINTF(2, 3);

/* Prints "gridfold VERB: message" for an error and returns its exit code. */
int verb_fail(const struct verb *verb, enum gf_rc rc, const struct gf_error *error);

#endif
