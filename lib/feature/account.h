/* Account: the ledger of a customer's unpaid invoices and how the customer pays. Amounts are exact.
 * Payments go to the invoice they name, else to the oldest; what is left over is credit and pays
 * the next invoice; a reversal takes the money back and reopens. */
#ifndef GF_FEATURE_ACCOUNT_H
#define GF_FEATURE_ACCOUNT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/unit.h"
#include "model/records.h"

#define GF_OPEN_INVOICE_COUNT_MAX 8
#define GF_CLOSED_INVOICE_COUNT   2

struct gf_open_invoice {
    int64_t open_micro; /* still to be paid, > 0 */
    int64_t paid_micro; /* paid so far, >= 0: goes back to credit when the invoice is cancelled or
                           replaced */
    uint32_t due_s;     /* seconds since 1970 */
    uint32_t id_hash : 31; /* of the invoice id, gf_account_hash */
    uint32_t is_disputed : 1;
};
static_assert(sizeof(struct gf_open_invoice) == 24, "part of the state record");

struct gf_closed_invoice {
    int64_t paid_micro; /* 0: none */
    uint32_t due_s, id_hash;
};

struct gf_account {
    struct gf_open_invoice invoices[GF_OPEN_INVOICE_COUNT_MAX]; /* by (due_s, id_hash) ascending */
    struct gf_closed_invoice
        closed[GF_CLOSED_INVOICE_COUNT]; /* paid in full last, newest first: may reopen */
    int64_t credit_micro;                /* paid too much */
    uint8_t invoice_count;
    uint8_t reserved;
    uint16_t invoices_seen, payments_seen, payments_late, payments_partial,
        payments_reversed; /* saturate */
    float days_late_mean; /* exponentially weighted days between due date and full payment; early is
                             negative */
    float invoice_mean;   /* exponentially weighted amount, in the currency */
    float estimated_share; /* exponentially weighted share of estimated energy */
    uint32_t first_seen_s, last_payment_s;
};
static_assert(sizeof(struct gf_account) <= 264, "account part of the state record");

struct gf_change;

/* The 31 bits by which the ledger knows an invoice. */
uint32_t gf_account_hash(struct gf_span id);

/* Takes an invoice record. ISSUED opens it (credit pays first; an amount below 0 is credit; one
 * already open, or among the last ones paid, is a repetition and changes nothing); `corrects` first
 * cancels the invoice it replaces; CANCELLED takes it out and what was paid on it becomes credit;
 * DISPUTED and DISPUTE_CLOSED mark it. What is said of an invoice that is neither open nor among
 * the last ones paid changes nothing. `currency` is the contract's, empty when unknown. Errors:
 * GF_E_BAD_FIELD (status, time, currency: then also `currency_differs`), GF_E_FULL (a ninth open
 * invoice), GF_E_RANGE. */
GF_MUST_USE enum gf_rc gf_account_invoice(struct gf_account *account,
                                          const struct gf_invoice *invoice, struct gf_span currency,
                                          struct gf_change *change, struct gf_error *error);
/* Takes a payment or its reversal. A payment goes to the invoice it names, then to the oldest ones,
 * then to credit. A reversal takes credit back first, then reopens: the invoice it names (with its
 * due date while it is open or among the last ones paid, else due at once); without a name the most
 * recently due open invoice something was paid on, then the invoices paid last; what then is left
 * is a new open item under the reversed payment's id, due at once. Errors: as above. */
GF_MUST_USE enum gf_rc gf_account_payment(struct gf_account *account,
                                          const struct gf_payment *payment, struct gf_span currency,
                                          struct gf_change *change, struct gf_error *error);

/* Sum of the open invoices less credit (not below zero), and the part due before `now`. Disputed
 * invoices count in both. */
void gf_account_owed(const struct gf_account *account, struct gf_time now,
                     struct gf_money *owed_out, struct gf_money *overdue_out);
/* Due time of the oldest open invoice, GF_TIME_NONE when nothing is open. */
struct gf_time gf_account_oldest_due(const struct gf_account *account);
bool gf_account_is_disputed(const struct gf_account *account);
/* Ageing at `now`, whole days: open amounts not due, 1-30, 31-60, 61-90 and over 90 days overdue.
 */
void gf_account_ageing(const struct gf_account *account, struct gf_time now,
                       struct gf_money buckets_out[5]);

#endif
