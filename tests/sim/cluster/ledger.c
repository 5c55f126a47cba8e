/* What each customer owes, worked out from invoices and payments by the book: the oldest debt is
 * paid first. The alerts of the cluster must say the same, at the same moments. */
#include <inttypes.h>
#include <string.h>

#include "model.h"

#define CUSTOMER_MAX 32
#define ENTRY_MAX    32

struct entry {
    int64_t at_us, due_us, amount; /* due: of an invoice; a payment's amount is negative */
};

struct book {
    struct gf_span customer;
    struct entry entries[ENTRY_MAX]; /* in order of time */
    uint32_t count;
};

struct debt {
    int64_t owed, overdue;
};

static struct book *
book_get(struct book *books, uint32_t *count, struct gf_span customer)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (gf_span_equal(books[i].customer, customer)) {
            return &books[i];
        }
    }
    books[*count] = (struct book){.customer = customer};
    return &books[(*count)++];
}

static void
book_put(struct book *book, struct entry entry)
{
    uint32_t at = book->count++;
    for (; at > 0 && book->entries[at - 1].at_us > entry.at_us; at--) {
        book->entries[at] = book->entries[at - 1];
    }
    book->entries[at] = entry;
}

static uint32_t
books_make(const struct sim *sim, uint32_t shard, struct book *books)
{
    const struct gf_memory_log *log = sim->world->lab.log;
    uint32_t count = 0;
    struct gf_invoice invoice;
    struct gf_payment payment;
    for (uint32_t i = 0; i < gf_memory_log_count(log, GF_TOPIC_BILLING_INVOICES, shard); i++) {
        const struct gf_record *record =
            gf_memory_log_get(log, GF_TOPIC_BILLING_INVOICES, shard, i);
        if (model_input(sim, GF_TOPIC_BILLING_INVOICES, shard, i, &invoice)) {
            book_put(book_get(books, &count, record->key),
                     (struct entry){.at_us = invoice.issued_at.us,
                                    .due_us = invoice.due_at.us,
                                    .amount = invoice.amount_micro.micro});
        }
    }
    for (uint32_t i = 0; i < gf_memory_log_count(log, GF_TOPIC_BILLING_PAYMENTS, shard); i++) {
        const struct gf_record *record =
            gf_memory_log_get(log, GF_TOPIC_BILLING_PAYMENTS, shard, i);
        if (model_input(sim, GF_TOPIC_BILLING_PAYMENTS, shard, i, &payment)) {
            book_put(book_get(books, &count, record->key),
                     (struct entry){.at_us = payment.received_at.us,
                                    .amount = -payment.amount_micro.micro});
        }
    }
    return count;
}

/* Invoices of this world come in order of their due dates. */
static struct debt
debt_at(const struct book *book, int64_t now_us)
{
    struct debt debt = {0};
    int64_t due = 0, paid = 0;
    for (uint32_t i = 0; i < book->count && book->entries[i].at_us <= now_us; i++) {
        const struct entry *entry = &book->entries[i];
        debt.owed += entry->amount;
        paid += entry->amount < 0 ? -entry->amount : 0;
        due += entry->amount > 0 && entry->due_us <= now_us ? entry->amount : 0;
    }
    debt.owed = debt.owed > 0 ? debt.owed : 0; /* a credit is no debt */
    debt.overdue = due > paid ? due - paid : 0;
    return debt;
}

/* The moments at which the account becomes overdue and stops being so. */
static uint32_t
turns_find(const struct book *book, int64_t end_us, int64_t *at_out, int32_t *kind_out)
{
    uint32_t count = 0;
    bool is_overdue = false;
    int64_t now_us = INT64_MIN;
    while (true) {
        int64_t next_us = INT64_MAX;
        for (uint32_t i = 0; i < book->count; i++) {
            const struct entry *entry = &book->entries[i];
            next_us = entry->at_us > now_us && entry->at_us < next_us ? entry->at_us : next_us;
            next_us = entry->amount > 0 && entry->due_us > now_us && entry->due_us < next_us
                          ? entry->due_us
                          : next_us;
        }
        if (next_us > end_us) {
            return count;
        }
        now_us = next_us;
        const bool is = debt_at(book, now_us).overdue > 0;
        if (is != is_overdue) {
            at_out[count] = now_us;
            kind_out[count++] = is ? GF_ARREARS_KIND_DUE : GF_ARREARS_KIND_RESOLVED;
            is_overdue = is;
        }
    }
}

static void
book_check(struct sim *sim, uint32_t shard, const struct book *book, int64_t end_us)
{
    int64_t at_us[2 * ENTRY_MAX];
    int32_t kinds[2 * ENTRY_MAX];
    const uint32_t count = turns_find(book, end_us, at_us, kinds);
    struct gf_arrears_alert alert;
    uint32_t at = 0, next = 0;
    while (model_output(sim, GF_TOPIC_ARREARS_ALERTS, shard, &at, &alert) != NULL) {
        if (!gf_span_equal(alert.customer_id, book->customer)) {
            continue;
        }
        const struct debt debt = debt_at(book, alert.decided_at.us);
        if (alert.owed_micro.micro != debt.owed || alert.overdue_micro.micro != debt.overdue) {
            sim_fail(sim,
                     "arrears.alerts/%u: %.*s owes %" PRId64 ", %" PRId64
                     " of it overdue; the model says %" PRId64 " and %" PRId64,
                     shard, GF_SPAN_PRINT(book->customer), alert.owed_micro.micro,
                     alert.overdue_micro.micro, debt.owed, debt.overdue);
        }
        if (alert.kind == GF_ARREARS_KIND_PRE_DUE) {
            continue;
        }
        if (next == count || alert.kind != kinds[next] || alert.decided_at.us != at_us[next]) {
            sim_fail(sim, "arrears.alerts/%u: alert %u of %.*s is not what the model says", shard,
                     next, GF_SPAN_PRINT(book->customer));
            return;
        }
        next++;
    }
    if (next != count) {
        sim_fail(sim, "arrears.alerts/%u: %.*s had %u alerts; the model says %u", shard,
                 GF_SPAN_PRINT(book->customer), next, count);
    }
}

/* How far the shard's time came: its newest record of any input. */
static int64_t
end_of(const struct sim *sim, uint32_t shard)
{
    const struct gf_memory_log *log = sim->world->lab.log;
    int64_t end_us = INT64_MIN;
    for (int topic = 0; topic < GF_TOPIC_INPUT_COUNT; topic++) {
        const uint32_t partition = gf_topics[topic].is_reference ? 0 : shard;
        const struct gf_record *record = NULL;
        for (uint32_t i = 0;
             (record = gf_memory_log_get(log, (enum gf_topic)topic, partition, i)) != NULL; i++) {
            end_us = record->timestamp.us > end_us ? record->timestamp.us : end_us;
        }
    }
    return end_us;
}

void
model_ledger_check(struct sim *sim, uint32_t shard)
{
    static struct book books[CUSTOMER_MAX];
    const uint32_t count = books_make(sim, shard, books);
    const int64_t end_us = end_of(sim, shard);
    for (uint32_t i = 0; i < count && !sim->is_failed; i++) {
        book_check(sim, shard, &books[i], end_us);
    }
}
