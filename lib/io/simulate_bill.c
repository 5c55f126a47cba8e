/* Bills: an invoice for each month, priced by the tariff plan in exact integers, and the payments
 * it brings. */
#include <assert.h>
#include <string.h>

#include "codec/records.h"
#include "io/simulate_private.h"

#define DUE_DAYS_HOME     14
#define DUE_DAYS_BUSINESS 30

/* Prices of a plan include tax, so an invoice is the sum of its bands, rounded to the cent once. */
static enum gf_rc
amount_of(struct sim *sim, const struct sim_customer *customer, int64_t *amount_out,
          int64_t *energy_out)
{
    struct gf_money sum = {0};
    int64_t energy = 0;
    for (uint32_t band = 0; band < SIM_BAND_COUNT_MAX; band++) {
        const struct gf_energy used = {customer->used_micro[band]};
        struct gf_money part = {0};
        if (gf_price_apply(sim_plan_price((enum sim_plan)customer->plan, band), used, &part) !=
                GF_OK ||
            gf_money_add(sum, part, &sum) != GF_OK) {
            return gf_fail(sim->error, GF_E_RANGE, "C%08u: an invoice out of range",
                           customer->number);
        }
        energy += used.micro_kwh;
    }
    *amount_out = gf_money_round_cent(sum).micro;
    *energy_out = energy;
    return GF_OK;
}

/* A moment of a local day, the same on the day a clock changes. */
static struct gf_time
moment_of(const struct sim *sim, int32_t day, uint32_t hour, uint32_t minute)
{
    const struct gf_time start = gf_day_start(sim->options->zone, day);
    return (struct gf_time){start.us + hour * GF_US_PER_HOUR + minute * GF_US_PER_MINUTE};
}

/* An invoice that is being paid, or is not. */
struct bill {
    struct sim_item item; /* of the invoice */
    int32_t due_day;
    uint64_t bits; /* a draw of this customer and month */
};

static enum gf_rc
payment_put(struct sim *sim, uint32_t partition, const struct bill *bill, int32_t day,
            int64_t amount, uint32_t part, enum gf_payment_method method)
{
    if (amount <= 0) {
        return GF_OK;
    }
    const struct sim_item item = {
        .time = moment_of(sim, day, 9 + (uint32_t)(bill->bits >> 52) % 8,
                          (uint32_t)(bill->bits >> 40) % 60),
        .place = bill->item.place,
        .kind = SIM_ITEM_PAYMENT,
        .code = (uint8_t)method,
        .part = (uint8_t)part,
        .since = bill->item.since,
        .about = bill->item.about,
        .a = amount,
    };
    return sim_put_off(sim, partition, &item);
}

static void
bill_tell(struct sim *sim, enum gf_simulate_fact fact, const struct sim_customer *customer,
          const struct bill *bill, int32_t days, int64_t paid)
{
    struct gf_civil civil;
    gf_civil_of(sim->options->zone, bill->item.since, &civil);
    sim_truth(sim, fact, customer, moment_of(sim, bill->due_day, 0, 0),
              ",\"invoice\":\"I%08u-%04d-%02d\",\"amount_micro\":%lld,\"paid_micro\":%lld,\"days_"
              "late\":%d",
              customer->number, (int)civil.year, civil.month, (long long)bill->item.a,
              (long long)paid, days);
}

/* Taken back by the bank some days after the due date; half of them are paid after all. */
static enum gf_rc
reverse(struct sim *sim, uint32_t partition, const struct sim_customer *customer,
        const struct bill *bill)
{
    const int32_t back_day = bill->due_day + 3 + (int32_t)(bill->bits % 6);
    const bool is_repaid = (bill->bits >> 8) % 2 == 0;
    bill_tell(sim, GF_FACT_REVERSED, customer, bill, back_day - bill->due_day,
              is_repaid ? bill->item.a : 0);
    enum gf_rc rc = payment_put(sim, partition, bill, bill->due_day, bill->item.a, 1,
                                GF_PAYMENT_METHOD_DIRECT_DEBIT);
    struct sim_item item = bill->item;
    item.time = moment_of(sim, back_day, 7, 30);
    item.kind = SIM_ITEM_REVERSAL;
    item.code = GF_PAYMENT_METHOD_DIRECT_DEBIT;
    item.part = 1;
    if (rc == GF_OK && bill->item.a > 0) {
        rc = sim_put_off(sim, partition, &item);
    }
    return rc != GF_OK || !is_repaid ? rc
                                     : payment_put(sim, partition, bill, back_day + 12,
                                                   bill->item.a, 2, GF_PAYMENT_METHOD_TRANSFER);
}

static enum gf_rc
pay(struct sim *sim, uint32_t partition, const struct sim_customer *customer,
    const struct bill *bill)
{
    const int64_t amount = bill->item.a;
    const uint32_t draw = (uint32_t)(bill->bits & 0xffff);
    const enum gf_payment_method method = customer->pay == SIM_PAY_DEBIT
                                              ? GF_PAYMENT_METHOD_DIRECT_DEBIT
                                              : GF_PAYMENT_METHOD_TRANSFER;
    const bool is_bad = sim->today.day >= customer->arrears_day && draw % 100 < 85;
    if (!is_bad) {
        /* Also good customers forget a transfer at times. */
        const bool is_slow = customer->pay == SIM_PAY_TRANSFER && draw % 100 < 3;
        const int32_t late = is_slow                          ? 1 + (int32_t)(draw / 100 % 6)
                             : customer->pay == SIM_PAY_DEBIT ? 0
                                                              : -1 - (int32_t)(draw / 100 % 9);
        if (is_slow) {
            bill_tell(sim, GF_FACT_PAID_LATE, customer, bill, late, amount);
        }
        return payment_put(sim, partition, bill, bill->due_day + late, amount, 1, method);
    }
    switch ((enum sim_pay)customer->pay) {
    case SIM_PAY_LATE: {
        const int32_t late = 10 + (int32_t)(draw / 100 % 70);
        bill_tell(sim, GF_FACT_PAID_LATE, customer, bill, late, amount);
        return payment_put(sim, partition, bill, bill->due_day + late, amount, 1, method);
    }
    case SIM_PAY_PARTLY: {
        const int64_t part =
            amount / 10000 * (35 + draw / 100 % 50) / 100 * 10000; /* whole cents */
        bill_tell(sim, GF_FACT_PAID_PARTLY, customer, bill, 0, part);
        return payment_put(sim, partition, bill, bill->due_day, part, 1, method);
    }
    case SIM_PAY_REVERSED:
        return reverse(sim, partition, customer, bill);
    case SIM_PAY_NEVER:
    case SIM_PAY_DEBIT:
    case SIM_PAY_TRANSFER:
        break;
    }
    bill_tell(sim, GF_FACT_UNPAID, customer, bill, 0, 0);
    return GF_OK;
}

enum gf_rc
sim_bill_month(struct sim *sim, uint32_t partition, struct sim_customer *customer)
{
    const bool is_home = customer->customer_class == GF_CUSTOMER_CLASS_RESIDENTIAL;
    struct bill bill = {
        .due_day = sim->today.day + (is_home ? DUE_DAYS_HOME : DUE_DAYS_BUSINESS),
        .bits = sim_draw(sim, SIM_STREAM_PAY, customer->number, (uint64_t)sim->today.day),
        .item =
            {
                .time = moment_of(sim, sim->today.day, 6 + customer->number % 12,
                                  customer->number / 12 % 60),
                .place = (uint32_t)(customer - sim->customers),
                .kind = SIM_ITEM_INVOICE,
                .since = sim->bill_from,
                .about = sim->today.start,
                .d = customer->estimated_micro,
            },
    };
    bill.item.c = moment_of(sim, bill.due_day + 1, 0, 0).us; /* who pays on the day pays in time */
    enum gf_rc rc = amount_of(sim, customer, &bill.item.a, &bill.item.b);
    memset(customer->used_micro, 0, sizeof customer->used_micro);
    customer->estimated_micro = 0;
    if (rc != GF_OK || bill.item.a == 0) { /* nothing used: no invoice */
        return rc;
    }
    if ((rc = sim_put_off(sim, partition, &bill.item)) == GF_OK) {
        rc = pay(sim, partition, customer, &bill);
    }
    return rc;
}
