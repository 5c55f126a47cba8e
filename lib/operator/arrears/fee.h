/* Late fees of an account, from its ledger alone.
 *
 * Each open, overdue, undisputed invoice costs so many thousandths of its open amount for each
 * whole local day it is overdue and the customer was not under a protection or payment plan (of
 * those the contract still names). Other customers than residential ones pay a higher rate from the
 * first of January after the due date. The sum over all invoices is made exactly and rounded once,
 * half to even, to hundredths of the currency; then the minimum applies when there is any fee, and
 * the cap last. What was paid late before is the billing system's to charge: the ledger has
 * forgotten it. */
#ifndef GF_OPERATOR_ARREARS_FEE_H
#define GF_OPERATOR_ARREARS_FEE_H

#include "operator/arrears/arrears.h"

#define GF_ARREARS_FEE_DAYS_MAX 3650 /* no fee grows after ten years */

/* Errors: GF_E_RANGE when the fee leaves int64; `out` is then untouched. */
GF_MUST_USE enum gf_rc gf_arrears_fee(const struct gf_arrears_params *params,
                                      const struct gf_features *features,
                                      const struct gf_zone *zone, struct gf_time now,
                                      struct gf_money *out);

#endif
