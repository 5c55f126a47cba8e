#include "defects.h"

const struct sim_defect sim_defects[] = {
    {"fence", GF_RULE_FENCE, 4},
    {"flush", GF_RULE_FLUSH, 144},
    {"offsets", GF_RULE_OFFSETS, 1},
    {"read-to-end", GF_RULE_READ_TO_END, 1},
    {"unknown-reopens", GF_RULE_UNKNOWN_REOPENS, 25},
    {"keep", GF_RULE_KEEP, 153},
    {"abort-drops", GF_RULE_ABORT_DROPS, 4},
    {"ack-before-sweep", GF_RULE_ACK_BEFORE_SWEEP, 1},
    {"slice-numbers", GF_RULE_SLICE_NUMBERS, 13},
    {"time-of-record", GF_RULE_TIME_OF_RECORD, 44},
    {"end-after-store", GF_RULE_END_AFTER_STORE, 8},
    {"mark", GF_RULE_MARK, 1},
    {"renew", GF_RULE_RENEW, 4},
    {"slice-check", GF_RULE_SLICE_CHECK, 175},
};
const uint32_t sim_defect_count = sizeof(sim_defects) / sizeof(sim_defects[0]);
