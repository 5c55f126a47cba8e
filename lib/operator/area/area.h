/* Area: sends what a customer adds to the balance of the area to the area stage, on
 * `internal.area.readings`: each accepted value once, corrections as differences, and the customer
 * itself while its contract is in force.
 *
 * It remembers one thing, whether the area counts the customer, in the contract's `in_area`: the
 * record has no room for a state of its own. */
#ifndef GF_OPERATOR_AREA_AREA_H
#define GF_OPERATOR_AREA_AREA_H

#include "operator/operator.h"

extern const struct gf_operator gf_op_area;

#endif
