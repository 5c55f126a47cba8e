#include "operator/arrears/fee.h"

#include <stddef.h>

#define MICRO_PER_CENT 10000
#define PERMILLE       1000

__extension__ typedef __int128 wide;

static bool
is_protected(const struct gf_contract *contract, struct gf_time time)
{
    for (int32_t kind = GF_PROTECTION_KIND_UNKNOWN + 1; kind < GF_PROTECTION_KIND_COUNT; kind++) {
        if (gf_contract_is_protected(contract, kind, time)) {
            return true;
        }
    }
    return false;
}

/* Thousandths of the open amount that an invoice due at `due` has come to cost. */
static int64_t
rate_sum(const struct gf_arrears_params *params, const struct gf_contract *contract,
         const struct gf_zone *zone, struct gf_time due, struct gf_time now)
{
    int64_t days = gf_arrears_days_between(zone, due, now);
    days = days < GF_ARREARS_FEE_DAYS_MAX ? days : GF_ARREARS_FEE_DAYS_MAX;
    const int32_t due_day = gf_day_of(zone, due);
    int32_t year = 0;
    uint32_t month = 0, day_of_month = 0;
    gf_date_from_days(due_day, &year, &month, &day_of_month);
    const int32_t next_year_day = gf_days_from_date(year + 1, 1, 1);
    const bool is_residential = contract->customer_class == GF_CUSTOMER_CLASS_RESIDENTIAL ||
                                contract->customer_class == GF_CUSTOMER_CLASS_UNKNOWN;
    int64_t sum = 0;
    for (int64_t day = 1; day <= days; day++) {
        if (contract->protection_count > 0 &&
            is_protected(contract, gf_arrears_days_after(zone, due, day))) {
            continue;
        }
        sum += is_residential                   ? params->fee_permille_residential
               : due_day + day >= next_year_day ? params->fee_permille_other_next_year
                                                : params->fee_permille_other;
    }
    return sum;
}

/* `value` / `divisor`, half to even; both at least 0. */
static wide
divide_rounded(wide value, int64_t divisor)
{
    const wide quotient = value / divisor, twice = 2 * (value % divisor);
    return quotient + (twice > divisor || (twice == divisor && (quotient & 1) != 0));
}

enum gf_rc
gf_arrears_fee(const struct gf_arrears_params *params, const struct gf_features *features,
               const struct gf_zone *zone, struct gf_time now, struct gf_money *out)
{
    const struct gf_account *const account = &features->account;
    wide cost_permille = 0; /* micro of the currency, times 1000 */
    int64_t overdue_micro = 0;
    for (uint32_t i = 0; i < account->invoice_count; i++) {
        const struct gf_open_invoice *const invoice = &account->invoices[i];
        const struct gf_time due = {(int64_t)invoice->due_s * GF_US_PER_S};
        if (invoice->is_disputed || gf_time_compare(due, now) > 0) {
            continue;
        }
        cost_permille +=
            (wide)invoice->open_micro * rate_sum(params, &features->contract, zone, due, now);
        if (__builtin_add_overflow(overdue_micro, invoice->open_micro, &overdue_micro)) {
            return GF_E_RANGE;
        }
    }
    wide fee_micro =
        divide_rounded(cost_permille, (int64_t)PERMILLE * MICRO_PER_CENT) * MICRO_PER_CENT;
    int64_t cap_micro = 0;
    const enum gf_rc rc = gf_muldiv(overdue_micro, params->fee_cap_permille, PERMILLE, &cap_micro);
    if (rc != GF_OK) {
        return rc;
    }
    cap_micro -= cap_micro % MICRO_PER_CENT;
    fee_micro =
        cost_permille > 0 && fee_micro < params->fee_min.micro ? params->fee_min.micro : fee_micro;
    fee_micro = fee_micro > cap_micro ? cap_micro : fee_micro;
    assert(fee_micro >= 0);
    out->micro = (int64_t)fee_micro;
    return GF_OK;
}
