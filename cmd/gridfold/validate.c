/* gridfold validate: all that is wrong with a configuration, at once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/records.h"
#include "job.h"

static const struct verb_option validate_options[] = {
    {"config", 'c', "CONFIG", "configuration file"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"quiet", 'q', NULL, "say nothing when all is well"},
    {"effective", 0, NULL, "print every parameter with its origin, secrets hidden"},
    {"connect", 0, NULL, "open the log too, and name the topics that are missing"},
    {"docs", 0, NULL, "print docs/configuration.md; needs no configuration"},
    {NULL, 0, NULL, NULL},
};

enum { OPTION_CONFIG, OPTION_SET, OPTION_QUIET, OPTION_EFFECTIVE, OPTION_CONNECT, OPTION_DOCS };

/* Opens the log and asks for every topic. */
static enum gf_rc
log_check(struct job *job, struct gf_error *error)
{
    enum gf_rc rc = job_log_open(job, job->config->log, error);
    uint32_t missing = 0;
    for (int topic = 0; rc == GF_OK && topic < GF_TOPIC_COUNT; topic++) {
        struct gf_source *source = gf_log_source(job->log);
        uint32_t count = 0;
        if (!gf_stages_use(gf_config_stages(job->config), (enum gf_topic)topic)) {
            continue;
        }
        rc = source->ops->partitions(source, (enum gf_topic)topic, &count, error);
        /* A folder makes its output topics with their first commit. */
        const bool is_made_later =
            job->config->log_kind == GF_CONFIG_LOG_FOLDER && topic >= GF_TOPIC_INPUT_COUNT;
        if (rc == GF_E_NOT_FOUND) {
            rc = GF_OK;
            if (!is_made_later) {
                fprintf(stderr, "topic %s is missing\n", gf_topics[topic].name);
                missing++;
            }
        }
    }
    if (rc == GF_OK && missing > 0) {
        return gf_fail(error, GF_E_CONFIG,
                       "%u topics are missing in %s; `gridfold topics create` makes them", missing,
                       job->config->log);
    }
    return rc;
}

static enum gf_rc
hash_print(const struct gf_config *config)
{
    char *text = malloc(GF_CONFIG_EFFECTIVE_SIZE);
    if (text == NULL) {
        return GF_E_NO_MEMORY;
    }
    const size_t size = gf_config_effective(config, text, GF_CONFIG_EFFECTIVE_SIZE);
    if (size > 0) {
        printf("ok %016" PRIx64 "\n", gf_config_hash(text, size));
    }
    free(text);
    return size > 0 ? GF_OK : GF_E_NO_MEMORY;
}

static int
validate_run(const struct verb *verb, int argc, char **argv)
{
    struct job_flags flags = {0};
    bool is_quiet = false, is_effective = false, is_connect = false;
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &flags, &exit_code)) >= 0) {
        if (option == OPTION_DOCS) {
            gf_config_print_docs(stdout);
            return 0;
        }
        is_quiet = is_quiet || option == OPTION_QUIET;
        is_effective = is_effective || option == OPTION_EFFECTIVE;
        is_connect = is_connect || option == OPTION_CONNECT;
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind < argc) {
        return verb_usage(verb, "unexpected argument %s", argv[optind]);
    }
    struct job job;
    struct gf_error error = {{0}};
    enum gf_rc rc = job_configure(verb, &flags, &job);
    exit_code = gf_rc_exit_code(rc); /* what is wrong has been said */
    if (rc == GF_OK) {
        if (is_effective) {
            gf_config_print(job.config, stdout);
        }
        rc = is_connect ? log_check(&job, &error) : GF_OK;
        if (rc == GF_OK && !is_quiet && !is_effective) {
            rc = hash_print(job.config);
        }
        exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    }
    job_close(&job);
    return exit_code;
}

const struct verb verb_validate = {
    .name = "validate",
    .arguments = "-c CONFIG [--effective] [--connect] [-q]",
    .doc = "Checks a configuration: shows all errors at once, each with its place; exit 78 when "
           "there is one.",
    .examples = "  gridfold validate -c config/gridfold.yaml\n"
                "  gridfold validate -c my.yaml --set time.lateness=1h --effective\n",
    .options = validate_options,
    .run = validate_run,
};
