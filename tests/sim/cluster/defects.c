#include "defects.h"

const struct sim_defect sim_defects[] = {
    {"fence", 4},           {"flush", 436},          {"offsets", 1},
    {"read-to-end", 1},     {"unknown-reopens", 25}, {"keep", 4},
    {"abort-drops", 13},    {"ack-before-sweep", 1}, {"slice-numbers", 13},
    {"time-of-record", 44}, {"end-after-store", 8},  {"mark", 1},
    {"renew", 4},           {"slice-check", 175},
};
const uint32_t sim_defect_count = sizeof(sim_defects) / sizeof(sim_defects[0]);
