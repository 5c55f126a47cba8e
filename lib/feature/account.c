#include <string.h>

#include "base/hash.h"
#include "feature/account.h"
#include "feature/change.h"

#define ACCOUNT_ALPHA   0.2f   /* about the last nine invoices */
#define DAYS_LATE_LIMIT 365.0f /* one forgotten invoice must not stand for a life of paying */
#define MICRO_PER_UNIT  1e6f

static uint32_t
second_of(struct gf_time time)
{
    const int64_t second = time.us / GF_US_PER_S;
    return second < UINT32_MAX ? (uint32_t)second : UINT32_MAX;
}

static uint16_t
count_up(uint16_t count)
{
    return count < UINT16_MAX ? (uint16_t)(count + 1) : count;
}

uint32_t
gf_account_hash(struct gf_span id)
{
    return (uint32_t)(gf_hash64(id.data, id.size, 0) >> 33);
}

/* ---- The open and the closed invoices ---- */

static int32_t
open_find(const struct gf_account *account, uint32_t id_hash)
{
    assert(account->invoice_count <= GF_OPEN_INVOICE_COUNT_MAX);
    for (int32_t i = 0; i < account->invoice_count; i++) {
        if (account->invoices[i].id_hash == id_hash) {
            return i;
        }
    }
    return -1;
}

static int32_t
closed_find(const struct gf_account *account, uint32_t id_hash)
{
    for (int32_t i = 0; i < GF_CLOSED_INVOICE_COUNT; i++) {
        if (account->closed[i].paid_micro > 0 && account->closed[i].id_hash == id_hash) {
            return i;
        }
    }
    return -1;
}

static void
open_remove(struct gf_account *account, int32_t index)
{
    assert(index >= 0 && index < account->invoice_count);
    account->invoice_count--;
    memmove(&account->invoices[index], &account->invoices[index + 1],
            (size_t)(account->invoice_count - index) * sizeof account->invoices[0]);
    memset(&account->invoices[account->invoice_count], 0, sizeof account->invoices[0]);
}

static enum gf_rc
open_insert(struct gf_account *account, struct gf_open_invoice invoice, struct gf_error *error)
{
    if (account->invoice_count == GF_OPEN_INVOICE_COUNT_MAX) {
        return gf_fail(error, GF_E_FULL, "a ninth open invoice: %d fit; settle or cancel one",
                       GF_OPEN_INVOICE_COUNT_MAX);
    }
    assert(invoice.open_micro > 0);
    uint32_t place = account->invoice_count;
    while (place > 0) {
        const struct gf_open_invoice *const before = &account->invoices[place - 1];
        if (before->due_s < invoice.due_s ||
            (before->due_s == invoice.due_s && before->id_hash <= invoice.id_hash)) {
            break;
        }
        account->invoices[place] = *before;
        place--;
    }
    account->invoices[place] = invoice;
    account->invoice_count++;
    return GF_OK;
}

static void
closed_remove(struct gf_account *account, int32_t index)
{
    assert(index >= 0 && index < GF_CLOSED_INVOICE_COUNT);
    memmove(&account->closed[index], &account->closed[index + 1],
            (size_t)(GF_CLOSED_INVOICE_COUNT - 1 - index) * sizeof account->closed[0]);
    memset(&account->closed[GF_CLOSED_INVOICE_COUNT - 1], 0, sizeof account->closed[0]);
}

static void
closed_insert(struct gf_account *account, int64_t paid_micro, uint32_t due_s, uint32_t id_hash)
{
    memmove(&account->closed[1], &account->closed[0],
            (GF_CLOSED_INVOICE_COUNT - 1) * sizeof account->closed[0]);
    account->closed[0] =
        (struct gf_closed_invoice){.paid_micro = paid_micro, .due_s = due_s, .id_hash = id_hash};
}

static enum gf_rc
credit_add(struct gf_account *account, int64_t micro, struct gf_error *error)
{
    struct gf_money sum = {0};
    if (gf_money_add((struct gf_money){account->credit_micro}, (struct gf_money){micro}, &sum) !=
        GF_OK) {
        return gf_fail(error, GF_E_RANGE, "credit grows beyond what can be counted");
    }
    account->credit_micro = sum.micro;
    return GF_OK;
}

/* How late the customer paid an invoice in full; behaviour only, never an amount. */
static void
behaviour_learn(struct gf_account *account, uint32_t due_s, struct gf_time paid_at)
{
    const double exact = (double)(paid_at.us - due_s * GF_US_PER_S) / (double)GF_US_PER_DAY;
    float days = (float)exact;
    days = days > DAYS_LATE_LIMIT    ? DAYS_LATE_LIMIT
           : days < -DAYS_LATE_LIMIT ? -DAYS_LATE_LIMIT
                                     : days;
    account->days_late_mean += ACCOUNT_ALPHA * (days - account->days_late_mean);
    if (exact > 0) {
        account->payments_late = count_up(account->payments_late);
    }
}

/* Puts up to `micro` on an open invoice and returns what is left; a full payment closes it. */
static int64_t
open_pay(struct gf_account *account, int32_t index, int64_t micro, struct gf_time paid_at,
         bool *is_partial)
{
    struct gf_open_invoice *const invoice = &account->invoices[index];
    const int64_t part = micro < invoice->open_micro ? micro : invoice->open_micro;
    invoice->open_micro -= part;
    invoice->paid_micro += part; /* open + paid is the invoice's amount and stays it */
    *is_partial = invoice->open_micro > 0;
    if (invoice->open_micro == 0) {
        behaviour_learn(account, invoice->due_s, paid_at);
        closed_insert(account, invoice->paid_micro, invoice->due_s, invoice->id_hash);
        open_remove(account, index);
    }
    return micro - part;
}

/* Credit pays the oldest invoices. */
static void
credit_spend(struct gf_account *account, struct gf_time at)
{
    bool is_partial = false;
    while (account->credit_micro > 0 && account->invoice_count > 0) {
        account->credit_micro = open_pay(account, 0, account->credit_micro, at, &is_partial);
    }
}

/* ---- Invoices ---- */

static enum gf_rc
currency_check(struct gf_span contract, struct gf_span record, struct gf_change *change,
               struct gf_error *error)
{
    if (contract.size > 0 && !gf_span_equal(contract, record)) {
        change->currency_differs = true;
        return gf_fail(error, GF_E_BAD_FIELD, "currency: %.*s, but the contract is in %.*s",
                       GF_SPAN_PRINT(record), GF_SPAN_PRINT(contract));
    }
    return GF_OK;
}

/* Takes an invoice out of the ledger; what was paid on it is credit. */
static enum gf_rc
invoice_cancel(struct gf_account *account, uint32_t id_hash, struct gf_change *change,
               struct gf_error *error)
{
    int64_t paid_micro = 0;
    const int32_t open = open_find(account, id_hash);
    const int32_t closed = closed_find(account, id_hash);
    if (open >= 0) {
        paid_micro = account->invoices[open].paid_micro;
        open_remove(account, open);
    } else if (closed >= 0) {
        paid_micro = account->closed[closed].paid_micro;
        closed_remove(account, closed);
    } else {
        return GF_OK;
    }
    change->account_changed = true;
    return credit_add(account, paid_micro, error);
}

static void
invoice_learn(struct gf_account *account, const struct gf_invoice *invoice)
{
    const float amount = (float)invoice->amount_micro.micro / MICRO_PER_UNIT;
    const bool is_first = account->invoices_seen == 0;
    account->invoice_mean += (is_first ? 1.0f : ACCOUNT_ALPHA) * (amount - account->invoice_mean);
    if (invoice->energy_micro_kwh.micro_kwh > 0) {
        const float share = (float)invoice->estimated_micro_kwh.micro_kwh /
                            (float)invoice->energy_micro_kwh.micro_kwh;
        const float bounded = share < 0 ? 0 : share > 1 ? 1 : share;
        account->estimated_share +=
            (is_first ? 1.0f : ACCOUNT_ALPHA) * (bounded - account->estimated_share);
    }
    account->invoices_seen = count_up(account->invoices_seen);
    account->first_seen_s =
        account->first_seen_s == 0 ? second_of(invoice->issued_at) : account->first_seen_s;
}

static enum gf_rc
invoice_issue(struct gf_account *account, const struct gf_invoice *invoice,
              struct gf_change *change, struct gf_error *error)
{
    const uint32_t id_hash = gf_account_hash(invoice->invoice_id);
    if (open_find(account, id_hash) >= 0 || closed_find(account, id_hash) >= 0) {
        return GF_OK;
    }
    enum gf_rc rc = GF_OK;
    if (invoice->has_corrects && !gf_span_equal(invoice->corrects, invoice->invoice_id)) {
        rc = invoice_cancel(account, gf_account_hash(invoice->corrects), change, error);
    }
    const int64_t amount = invoice->amount_micro.micro;
    if (rc == GF_OK && amount < 0) {
        rc = amount == INT64_MIN ? gf_fail(error, GF_E_RANGE, "amount_micro: out of range")
                                 : credit_add(account, -amount, error);
    } else if (rc == GF_OK && amount > 0) {
        struct gf_open_invoice open = {.open_micro = amount,
                                       .due_s = second_of(invoice->due_at),
                                       .id_hash = id_hash & 0x7fffffff};
        /* Credit pays before a place is taken, so that a paid account has room. */
        const int64_t part = account->invoice_count > 0       ? 0
                             : account->credit_micro < amount ? account->credit_micro
                                                              : amount;
        account->credit_micro -= part;
        open.open_micro -= part;
        open.paid_micro += part;
        if (open.open_micro == 0) {
            behaviour_learn(account, open.due_s, invoice->issued_at);
            closed_insert(account, amount, open.due_s, id_hash);
        } else {
            rc = open_insert(account, open, error);
        }
    }
    if (rc == GF_OK) {
        invoice_learn(account, invoice);
        credit_spend(account, invoice->issued_at);
        change->account_changed = true;
    }
    return rc;
}

enum gf_rc
gf_account_invoice(struct gf_account *account, const struct gf_invoice *invoice,
                   struct gf_span currency, struct gf_change *change, struct gf_error *error)
{
    const uint32_t id_hash = gf_account_hash(invoice->invoice_id);
    const enum gf_rc rc = currency_check(currency, invoice->currency, change, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (invoice->invoice_id.size == 0 || !gf_time_is_valid(invoice->due_at)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "invoice_id is empty or due_at is outside [1970, 2200)");
    }
    const int32_t open = open_find(account, id_hash);
    switch (invoice->status) {
    case GF_INVOICE_STATUS_ISSUED:
        return invoice_issue(account, invoice, change, error);
    case GF_INVOICE_STATUS_CANCELLED: {
        const enum gf_rc cancelled = invoice_cancel(account, id_hash, change, error);
        credit_spend(account, invoice->issued_at);
        return cancelled;
    }
    case GF_INVOICE_STATUS_DISPUTED:
    case GF_INVOICE_STATUS_DISPUTE_CLOSED:
        if (open >= 0) {
            const bool is_disputed = invoice->status == GF_INVOICE_STATUS_DISPUTED;
            change->account_changed = account->invoices[open].is_disputed != is_disputed;
            account->invoices[open].is_disputed = is_disputed;
        }
        return GF_OK;
    default:
        return gf_fail(error, GF_E_BAD_FIELD, "status: %d is none of an invoice", invoice->status);
    }
}

/* ---- Payments ---- */

/* Takes up to `micro` back from an open or a closed invoice, as its original; returns what is left.
 */
static enum gf_rc
invoice_reopen(struct gf_account *account, uint32_t id_hash, int64_t *micro, struct gf_error *error)
{
    const int32_t open = open_find(account, id_hash);
    if (open >= 0) {
        struct gf_open_invoice *const invoice = &account->invoices[open];
        const int64_t part = *micro < invoice->paid_micro ? *micro : invoice->paid_micro;
        invoice->paid_micro -= part;
        invoice->open_micro += part;
        *micro -= part;
        return GF_OK;
    }
    const int32_t closed = closed_find(account, id_hash);
    if (closed < 0) {
        return GF_OK;
    }
    const struct gf_closed_invoice was = account->closed[closed];
    const int64_t part = *micro < was.paid_micro ? *micro : was.paid_micro;
    closed_remove(account, closed);
    *micro -= part;
    return open_insert(account,
                       (struct gf_open_invoice){.open_micro = part,
                                                .paid_micro = was.paid_micro - part,
                                                .due_s = was.due_s,
                                                .id_hash = was.id_hash & 0x7fffffff},
                       error);
}

/* Without a name: the most recently due open invoice something was paid on, then those paid last.
 */
static enum gf_rc
newest_reopen(struct gf_account *account, int64_t *micro, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    for (int32_t i = account->invoice_count; *micro > 0 && i-- > 0;) {
        rc = invoice_reopen(account, account->invoices[i].id_hash, micro, error);
        assert(rc == GF_OK);
    }
    while (rc == GF_OK && *micro > 0 && account->closed[0].paid_micro > 0) {
        rc = invoice_reopen(account, account->closed[0].id_hash, micro, error);
    }
    return rc;
}

static enum gf_rc
payment_reverse(struct gf_account *account, const struct gf_payment *payment,
                struct gf_error *error)
{
    int64_t micro = payment->amount_micro.micro;
    const int64_t from_credit = micro < account->credit_micro ? micro : account->credit_micro;
    account->credit_micro -= from_credit;
    micro -= from_credit;
    account->payments_reversed = count_up(account->payments_reversed);
    if (micro == 0) {
        return GF_OK;
    }
    const struct gf_span name =
        payment->has_invoice_id ? payment->invoice_id : payment->reversal_of;
    const uint32_t id_hash = gf_account_hash(name);
    enum gf_rc rc = payment->has_invoice_id ? invoice_reopen(account, id_hash, &micro, error)
                                            : newest_reopen(account, &micro, error);
    if (rc != GF_OK || micro == 0) {
        return rc;
    }
    const int32_t open = open_find(account, id_hash);
    if (open >= 0) {
        struct gf_money sum = {0};
        if (gf_money_add((struct gf_money){account->invoices[open].open_micro},
                         (struct gf_money){micro}, &sum) != GF_OK) {
            return gf_fail(error, GF_E_RANGE, "open amount grows beyond what can be counted");
        }
        account->invoices[open].open_micro = sum.micro;
        return GF_OK;
    }
    return open_insert(account,
                       (struct gf_open_invoice){.open_micro = micro,
                                                .due_s = second_of(payment->received_at),
                                                .id_hash = id_hash & 0x7fffffff},
                       error);
}

static enum gf_rc
payment_take(struct gf_account *account, const struct gf_payment *payment, struct gf_error *error)
{
    int64_t micro = payment->amount_micro.micro;
    bool is_partial = false;
    account->payments_seen = count_up(account->payments_seen);
    const int32_t named =
        payment->has_invoice_id ? open_find(account, gf_account_hash(payment->invoice_id)) : -1;
    if (named >= 0) {
        micro = open_pay(account, named, micro, payment->received_at, &is_partial);
    }
    while (micro > 0 && account->invoice_count > 0) {
        micro = open_pay(account, 0, micro, payment->received_at, &is_partial);
    }
    account->payments_partial =
        is_partial ? count_up(account->payments_partial) : account->payments_partial;
    const uint32_t second = second_of(payment->received_at);
    account->last_payment_s = second > account->last_payment_s ? second : account->last_payment_s;
    account->first_seen_s = account->first_seen_s == 0 ? second : account->first_seen_s;
    return credit_add(account, micro, error);
}

enum gf_rc
gf_account_payment(struct gf_account *account, const struct gf_payment *payment,
                   struct gf_span currency, struct gf_change *change, struct gf_error *error)
{
    enum gf_rc rc = currency_check(currency, payment->currency, change, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (payment->amount_micro.micro <= 0 || !gf_time_is_valid(payment->received_at)) {
        return gf_fail(error, GF_E_BAD_FIELD,
                       "amount_micro must be above 0 and received_at in [1970, 2200)");
    }
    rc = payment->has_reversal_of ? payment_reverse(account, payment, error)
                                  : payment_take(account, payment, error);
    change->account_changed = rc == GF_OK;
    return rc;
}

/* ---- Questions ---- */

static int64_t
saturating_add(int64_t a, int64_t b)
{
    int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static bool
is_due(const struct gf_open_invoice *invoice, struct gf_time now)
{
    return (int64_t)invoice->due_s * GF_US_PER_S < now.us;
}

void
gf_account_owed(const struct gf_account *account, struct gf_time now, struct gf_money *owed_out,
                struct gf_money *overdue_out)
{
    int64_t owed = 0, overdue = 0;
    for (uint32_t i = 0; i < account->invoice_count; i++) {
        const struct gf_open_invoice *const invoice = &account->invoices[i];
        owed = saturating_add(owed, invoice->open_micro);
        overdue = is_due(invoice, now) ? saturating_add(overdue, invoice->open_micro) : overdue;
    }
    owed_out->micro = owed > account->credit_micro ? owed - account->credit_micro : 0;
    overdue_out->micro = overdue > account->credit_micro ? overdue - account->credit_micro : 0;
}

struct gf_time
gf_account_oldest_due(const struct gf_account *account)
{
    return account->invoice_count == 0 ? GF_TIME_NONE
                                       : (struct gf_time){account->invoices[0].due_s * GF_US_PER_S};
}

bool
gf_account_is_disputed(const struct gf_account *account)
{
    bool is_disputed = false;
    for (uint32_t i = 0; i < account->invoice_count; i++) {
        is_disputed |= account->invoices[i].is_disputed;
    }
    return is_disputed;
}

void
gf_account_ageing(const struct gf_account *account, struct gf_time now,
                  struct gf_money buckets_out[5])
{
    memset(buckets_out, 0, 5 * sizeof buckets_out[0]);
    for (uint32_t i = 0; i < account->invoice_count; i++) {
        const struct gf_open_invoice *const invoice = &account->invoices[i];
        const int64_t days = (now.us - (int64_t)invoice->due_s * GF_US_PER_S) / GF_US_PER_DAY;
        const uint32_t bucket = !is_due(invoice, now) ? 0
                                : days <= 30          ? 1
                                : days <= 60          ? 2
                                : days <= 90          ? 3
                                                      : 4;
        buckets_out[bucket].micro = saturating_add(buckets_out[bucket].micro, invoice->open_micro);
    }
}
