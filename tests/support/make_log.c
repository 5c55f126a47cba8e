/* make_log PATH SEED CUSTOMERS DAYS PARTITIONS [stages]: a folder log with the world of lab_world.h
 * and its trouble, or with that of stage_world.h, for tests that run the program itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/records.h"
#include "io/folder.h"
#include "stage_world.h"

static int
complain(const struct gf_error *error)
{
    fprintf(stderr, "make_log: %s\n", error->text);
    return 1;
}

static enum gf_rc
inputs_write(const struct lab *lab, struct gf_folder_writer *writer, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        const struct gf_record *record = NULL;
        for (uint32_t i = 0;
             rc == GF_OK && (record = lab_record(lab, (enum gf_topic)topic, i)) != NULL; i++) {
            struct gf_record next = *record;
            next.offset = -1; /* the log may have records already */
            rc = gf_folder_writer_append(writer, &next, error);
        }
    }
    return rc;
}

int
main(int argc, char **argv)
{
    const bool has_stages = argc == 7 && strcmp(argv[6], "stages") == 0;
    if (argc != 6 && !has_stages) {
        fprintf(stderr, "usage: make_log PATH SEED CUSTOMERS DAYS PARTITIONS [stages]\n");
        return 64;
    }
    const struct lab_world world = {.seed = strtoull(argv[2], NULL, 10),
                                    .customers = (uint32_t)strtoul(argv[3], NULL, 10),
                                    .days = (uint32_t)strtoul(argv[4], NULL, 10),
                                    .interval_s = 3600,
                                    .has_trouble = true};
    char config[64];
    snprintf(config, sizeof(config), "partitions: %s\n%s", argv[5], has_stages ? STAGE_CONFIG : "");
    struct lab lab;
    lab_open(&lab, config);
    if (has_stages) {
        const struct stage_world stages = {.seed = world.seed,
                                           .customers = world.customers,
                                           .areas = 3,
                                           .days = world.days,
                                           .interval_s = world.interval_s};
        stage_world_add(&lab, &stages);
    } else {
        lab_world_add(&lab, &world);
    }
    const struct gf_folder_options options = {
        .path = argv[1], .partitions = lab.shard_count, .no_sync = true};
    struct gf_folder_writer *writer = NULL;
    struct gf_error error = {{0}};
    if (gf_folder_writer_open(&options, &writer, &error) != GF_OK) {
        return complain(&error);
    }
    const enum gf_rc rc = inputs_write(&lab, writer, &error);
    const enum gf_rc closed = gf_folder_writer_close(writer, rc == GF_OK ? &error : NULL);
    printf("%lld records\n", (long long)lab_input_count(&lab));
    lab_close(&lab);
    return rc == GF_OK && closed == GF_OK ? 0 : complain(&error);
}
