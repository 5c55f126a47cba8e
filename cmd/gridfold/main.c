/* gridfold: stateful stream processing for electricity retail. This file finds the verb; each verb
 * has its own. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/fault.h"
#include "verb.h"

static const struct verb *const verbs[] = {
    &verb_run,        &verb_replay,      &verb_import,        &verb_simulate,
    &verb_tap,        &verb_state_get,   &verb_state_verify,  &verb_snapshot_list,
    &verb_snapshot,   &verb_explain,     &verb_dlq_list,      &verb_dlq_show,
    &verb_dlq_replay, &verb_topics_plan, &verb_topics_create, &verb_validate,
};

#define VERB_COUNT       (sizeof(verbs) / sizeof(verbs[0]))
#define OPTION_COUNT_MAX 32

static void
help_print(FILE *out)
{
    fprintf(out, "gridfold folds meter readings, market prices and account events into tariff "
                 "adjustments, arrears alerts\n"
                 "and fraud flags: live, exactly once, and again to the same bytes.\n\n"
                 "  gridfold VERB [options]      gridfold VERB --help\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        fprintf(out, "  %-14s %s\n", verbs[i]->name, verbs[i]->doc);
    }
    fprintf(out,
            "\nLOG is folder:PATH or kafka:HOST:PORT[,HOST:PORT].\n"
            "Exit codes: 0 ok, 1 a replay differs, 64 usage, 65 bad or lost data, 66 not found, 69 "
            "unavailable, 70 internal,\n"
            "71 memory, 74 I/O or disk full, 75 in use, 76 another instance owns the slot, 78 bad "
            "configuration.\n");
}

static void
verb_help(const struct verb *verb, FILE *out)
{
    fprintf(out, "gridfold %s %s\n\n%s\n", verb->name, verb->arguments, verb->doc);
    if (verb->examples != NULL) {
        fprintf(out, "\nExamples:\n%s", verb->examples);
    }
    fprintf(out, "\nOptions:\n");
    for (const struct verb_option *option = verb->options; option->name != NULL; option++) {
        char text[64];
        snprintf(text, sizeof(text), "%c%c%s--%s%s%s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->letter ? ", " : "  ", option->name,
                 option->argument ? " " : "", option->argument ? option->argument : "");
        fprintf(out, "  %-28s %s\n", text, option->doc);
    }
    fprintf(out, "  %-28s %s\n", "-h, --help", "this text");
}

int
verb_usage(const struct verb *verb, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "gridfold %s: ", verb->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nusage: gridfold %s %s\n`gridfold %s --help` says more.\n", verb->name,
            verb->arguments, verb->name);
    return gf_rc_exit_code(GF_E_USAGE);
}

int
verb_fail(const struct verb *verb, enum gf_rc rc, const struct gf_error *error)
{
    fprintf(stderr, "gridfold %s: %s\n", verb->name,
            error->text[0] != '\0' ? error->text : gf_rc_text(rc));
    return gf_rc_exit_code(rc);
}

int
verb_next_option(const struct verb *verb, int argc, char **argv, int *exit_code)
{
    struct option table[OPTION_COUNT_MAX] = {{0}};
    char letters[2 * OPTION_COUNT_MAX] = ":";
    int count = 0;
    for (const struct verb_option *option = verb->options; option->name != NULL;
         option++, count++) {
        table[count] =
            (struct option){.name = option->name,
                            .has_arg = option->argument ? required_argument : no_argument,
                            .val = 256 + count};
        if (option->letter != 0) {
            strncat(letters, &option->letter, 1);
            strcat(letters, option->argument ? ":" : "");
        }
    }
    table[count] = (struct option){.name = "help", .val = 'h'};
    strcat(letters, "h");
    opterr = 0;
    const int found = getopt_long(argc, argv, letters, table, NULL);
    if (found == -1) {
        return -1;
    }
    if (found == 'h') {
        verb_help(verb, stdout);
        *exit_code = 0;
        return -2;
    }
    if (found == ':') {
        *exit_code = verb_usage(verb, "option %s needs a value", argv[optind - 1]);
        return -2;
    }
    if (found >= 256) {
        return found - 256;
    }
    for (int i = 0; i < count; i++) {
        if (verb->options[i].letter == found && found != '?') {
            return i;
        }
    }
    *exit_code = verb_usage(verb, "unknown option %s", argv[optind - 1]);
    return -2;
}

/* The verb named by the first one or two words; `words_out` says how many. */
static const struct verb *
verb_find(int argc, char **argv, int *words_out)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        const char *space = strchr(verbs[i]->name, ' ');
        if (space == NULL && strcmp(argv[1], verbs[i]->name) == 0) {
            *words_out = 1;
            return verbs[i];
        }
        if (space != NULL && argc > 2 &&
            strncmp(argv[1], verbs[i]->name, (size_t)(space - verbs[i]->name)) == 0 &&
            argv[1][space - verbs[i]->name] == '\0' && strcmp(argv[2], space + 1) == 0) {
            *words_out = 2;
            return verbs[i];
        }
    }
    return NULL;
}

#ifdef GF_WITH_FAULTS
/* GRIDFOLD_POINT=<name>[:<nth>][:stop]: the process dies (or stops) when it comes there. */
static struct {
    char name[64];
    long left;
    bool stops;
} wanted;

static void
point_reached(enum gf_point point)
{
    if (strcmp(gf_point_name(point), wanted.name) == 0 &&
        __atomic_sub_fetch(&wanted.left, 1, __ATOMIC_SEQ_CST) == 0) {
        raise(wanted.stops ? SIGSTOP : SIGKILL);
    }
}

static void
point_read(void)
{
    const char *const text = getenv("GRIDFOLD_POINT");
    if (text == NULL) {
        return;
    }
    wanted.left = 1;
    const size_t size = strcspn(text, ":");
    snprintf(wanted.name, sizeof(wanted.name), "%.*s", (int)size, text);
    for (const char *at = text + size; *at == ':'; at += 1 + strcspn(at + 1, ":")) {
        if (strncmp(at + 1, "stop", 4) == 0) {
            wanted.stops = true;
        } else {
            wanted.left = strtol(at + 1, NULL, 10);
        }
    }
    gf_point_hook = point_reached;
}

/* GRIDFOLD_RULE_OFF=<name>: this rule of the protocol is broken, so that tests see what catches it.
 */
static bool
rule_read(void)
{
    const char *const name = getenv("GRIDFOLD_RULE_OFF");
    gf_rules_off = name == NULL ? 0 : gf_rule_bit(name);
    if (name != NULL && gf_rules_off == 0) {
        fprintf(stderr, "gridfold: GRIDFOLD_RULE_OFF=%s: there is no such rule\n", name);
    }
    return name == NULL || gf_rules_off != 0;
}
#endif

int
main(int argc, char **argv)
{
#ifdef GF_WITH_FAULTS
    point_read();
    if (!rule_read()) {
        return gf_rc_exit_code(GF_E_USAGE);
    }
#endif
    if (argc < 2) {
        help_print(stderr);
        return gf_rc_exit_code(GF_E_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        help_print(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("gridfold %s\n", GF_PROGRAM_VERSION);
        return 0;
    }
    int words = 0;
    const struct verb *verb = verb_find(argc, argv, &words);
    if (verb == NULL) {
        fprintf(stderr, "gridfold: unknown verb %s; `gridfold --help` lists them\n", argv[1]);
        return gf_rc_exit_code(GF_E_USAGE);
    }
    return verb->run(verb, argc - words, argv + words);
}
