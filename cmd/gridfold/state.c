/* gridfold state get: what is remembered of one customer, in words and units. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "job.h"

static const struct verb_option state_options[] = {
    {"config", 'c', "CONFIG", "configuration file"},
    {"set", 0, "KEY=VALUE", "overrides one parameter; may be given often"},
    {"area", 0, NULL, "the key is a tariff|area, not a customer"},
    {"grid-area", 0, NULL, "the key is an area of the area stage"},
    {"meter", 0, NULL, "the key is a meter of the intake stage"},
    {NULL, 0, NULL, NULL},
};

enum { OPTION_CONFIG, OPTION_SET, OPTION_AREA, OPTION_GRID_AREA, OPTION_METER };

#define TEXT_SIZE (1 << 18)

static enum gf_stage
stage_of(enum gf_entity_kind kind)
{
    return kind == GF_ENTITY_GRID_AREA ? GF_STAGE_AREA
           : kind == GF_ENTITY_METER   ? GF_STAGE_INTAKE
                                       : GF_STAGE_CUSTOMER;
}

/* The state at the journal's end: what the store has, brought forward in memory as a recovery
 * would. */
static enum gf_rc
state_print(struct job *job, enum gf_entity_kind kind, const char *key, struct gf_error *error)
{
    const struct gf_span span = gf_span_text(key);
    const uint32_t stages = gf_config_stages(job->config);
    const enum gf_stage stage = stage_of(kind);
    if ((stages & GF_STAGE_BIT(stage)) == 0) {
        return gf_fail(error, GF_E_CONFIG, "the %s stage is off; set stages.%s to true",
                       gf_stage_name(stage), gf_stage_name(stage));
    }
    struct gf_shard *shard =
        job->shards[(uint32_t)stage * job->partitions + gf_partition_of(span, job->partitions)];
    const struct gf_entity *entity = NULL;
    enum gf_rc rc = gf_shard_recover(shard, NULL, error);
    if (rc == GF_OK) {
        rc = gf_shard_look(shard, kind, span, &entity, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    if (entity == NULL) {
        return gf_fail(error, GF_E_NOT_FOUND,
                       "%s is not known; names are case sensitive, and `gridfold tap` shows them",
                       key);
    }
    char *text = malloc(TEXT_SIZE);
    if (text == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    gf_engine_describe(gf_shard_engine(shard), entity, text, TEXT_SIZE);
    puts(text);
    free(text);
    return GF_OK;
}

static int
state_run(const struct verb *verb, int argc, char **argv)
{
    struct job_flags flags = {0};
    enum gf_entity_kind kind = GF_ENTITY_CUSTOMER;
    int option, exit_code = 0;
    while ((option = job_next_option(verb, argc, argv, &flags, &exit_code)) >= 0) {
        switch (option) {
        case OPTION_AREA:
            kind = GF_ENTITY_TARIFF_AREA;
            break;
        case OPTION_GRID_AREA:
            kind = GF_ENTITY_GRID_AREA;
            break;
        case OPTION_METER:
            kind = GF_ENTITY_METER;
            break;
        }
    }
    if (option == -2) {
        return exit_code;
    }
    if (optind + 1 != argc) {
        return verb_usage(verb, "one CUSTOMER is needed");
    }
    struct job job;
    struct gf_error error = {{0}};
    enum gf_rc rc = job_configure(verb, &flags, &job);
    if (rc != GF_OK) {
        return gf_rc_exit_code(rc);
    }
    rc = job_open(&job, false, JOB_STORE_READ_ONLY, NULL, false, &error);
    if (rc == GF_OK) {
        rc = state_print(&job, kind, argv[optind], &error);
    }
    exit_code = rc == GF_OK ? 0 : verb_fail(verb, rc, &error);
    job_close(&job);
    return exit_code;
}

const struct verb verb_state_get = {
    .name = "state get",
    .arguments = "-c CONFIG CUSTOMER",
    .doc = "Shows one customer's features and operator state, in words and units, as JSON.",
    .examples = "  gridfold state get -c config/gridfold.yaml home-07\n"
                "  gridfold state get -c config/gridfold.yaml --area 'DEMO|north'\n",
    .options = state_options,
    .run = state_run,
};
