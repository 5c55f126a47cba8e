#include "loop/fault.h"

#ifdef GF_WITH_FAULTS
#include <string.h>

void (*gf_point_hook)(enum gf_point point);
unsigned gf_rules_off;
const unsigned gf_rules_all = 0
#define GF_RULE_OR(code, number, text) | 1u << number
    GF_RULES(GF_RULE_OR)
#undef GF_RULE_OR
    ;

const char *
gf_point_name(enum gf_point point)
{
    static const char *const names[] = {
#define GF_POINT_NAME(name, text) [GF_POINT_##name] = text,
        GF_POINTS(GF_POINT_NAME)
#undef GF_POINT_NAME
    };
    return names[point];
}

unsigned
gf_rule_bit(const char *name)
{
#define GF_RULE_BIT(code, number, text)                                                            \
    if (strcmp(name, text) == 0) {                                                                 \
        return 1u << number;                                                                       \
    }
    GF_RULES(GF_RULE_BIT)
#undef GF_RULE_BIT
    return 0;
}
#else
typedef int gf_fault_is_compiled_out; /* a file must not be empty */
#endif
