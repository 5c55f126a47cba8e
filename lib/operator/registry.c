#include "operator/area/area.h"
#include "operator/arrears/arrears.h"
#include "operator/balance/balance.h"
#include "operator/fraud/fraud.h"
#include "operator/intake/intake.h"
#include "operator/quality/quality.h"
#include "operator/tariff/tariff.h"

/* The place in this table names an operator in state records and timers: new ones go to the end. */
const struct gf_operator *const gf_operators[] = {
    &gf_op_quality, &gf_op_fraud,  &gf_op_arrears, &gf_op_tariff,
    &gf_op_area,    &gf_op_intake, &gf_op_balance,
};
const uint32_t gf_operator_count = sizeof gf_operators / sizeof gf_operators[0];
