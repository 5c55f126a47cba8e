/* A folder log, an input file and what an import says about it: for the import tests. */
#ifndef GF_TEST_IMPORT_FIXTURE_H
#define GF_TEST_IMPORT_FIXTURE_H

#include "io/import.h"

struct import_fixture {
    char dir[64], log[80], file[80];
    char warning[256];
    uint32_t reject_count;
    uint64_t reject_line;
    char reason[256];
};

int import_setup(void **state);
int import_teardown(void **state);
/* Makes the input file. */
void import_file_write(const struct import_fixture *fixture, const void *data, size_t size);
/* Imports the input file by a mapping; checks that the sum of the outcomes is that of the rows. */
enum gf_rc import_with(struct import_fixture *fixture, const char *mapping_text,
                       struct gf_import_options options, struct gf_import_summary *summary);
/* The same for a text, into two partitions. */
enum gf_rc import_text(struct import_fixture *fixture, const char *mapping, const char *text,
                       struct gf_import_summary *summary);
/* The records of a partition as lines of key and JSON. */
void import_log_print(const struct import_fixture *fixture, enum gf_topic topic, uint32_t partition,
                      char *out, size_t size);
/* Records of a topic. */
uint64_t import_log_count(const struct import_fixture *fixture, enum gf_topic topic);

/* A mapping of home,t,kwh; `energy`: more about kwh, `more`: lines at the top. */
#define READINGS(energy, more)                                                                     \
    more "targets:\n"                                                                              \
         "  - topic: meter.readings\n"                                                             \
         "    key: \"C{home:03}\"\n"                                                               \
         "    filter: [{column: home, is: [total]}]\n"                                             \
         "    fields:\n"                                                                           \
         "      meter_id: \"M{home}\"\n"                                                           \
         "      obis: \"1-0:1.8.0\"\n"                                                             \
         "      kind: INTERVAL\n"                                                                  \
         "      interval_start: {column: t, format: \"YYYY-MM-DD HH:MM\"}\n"                       \
         "      interval_s: 1800\n"                                                                \
         "      energy_micro_kwh: {column: kwh, " energy "}\n"                                     \
         "      quality: ACTUAL\n"                                                                 \
         "      status_bits: 0\n"                                                                  \
         "      source: HEADEND\n"
#define LONDON READINGS("unit: kWh", "time_zone: Europe/London\n")

#endif
