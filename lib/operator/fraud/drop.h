/* Drop: a step down in a customer's daily use that lasts. Seasons go down slowly, empty homes go
 * down to an even rest, and holidays end; who takes energy past the meter goes down in one day,
 * stays there, and keeps the ups and downs of a home that is lived in. */
#ifndef GF_OPERATOR_FRAUD_DROP_H
#define GF_OPERATOR_FRAUD_DROP_H

#include "operator/fraud/case.h"

/* At the close of a day: takes up a watch when CUSUM has alarmed, looks for the step while there is
 * one, and adds to `evidence` when it is found (with all the energy since the step) or goes on. */
void gf_fraud_drop_check(const struct gf_view *view, struct gf_fraud_state *state,
                         struct gf_fraud_evidence *evidence);

#endif
