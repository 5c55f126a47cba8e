/* Defects: rules of the protocol that can be switched off (loop/fault.h), and a seed of the
 * simulation that catches each. */
#ifndef GF_SIM_DEFECTS_H
#define GF_SIM_DEFECTS_H

#include <stdint.h>

struct sim_defect {
    const char *rule;
    uint64_t seed; /* catches it; may have moved: then the seeds from 1 on are searched */
};

extern const struct sim_defect sim_defects[];
extern const uint32_t sim_defect_count;

#endif
