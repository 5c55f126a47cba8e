#include "operator/arrears/scorecard.h"

#include <math.h>
#include <stddef.h>

#define BIN_COUNT_MAX   6
#define SECONDS_PER_DAY 86400.0

/* What is asked of an account: how it paid before, what is overdue now, what is known of it. */
enum question {
    DAYS_LATE,
    LATE_SHARE,
    PARTIAL_SHARE,
    REVERSALS,
    OVERDUE_DAYS,
    OVERDUE_INVOICES,
    OVERDUE_RATIO,
    SHORT_TENURE,
    ESTIMATED_SHARE,
    QUESTION_COUNT
};

/* A value up to `to` gives `points`; the last bin has no end. Points fall from bin to bin. The past
 * and the present weigh the same, 230 points each, so that neither a good past hides a debt of
 * three months nor an empty ledger a past of late payments. */
static const struct {
    const char *code;
    bool needs_history; /* asked of the payments; with too few of them half the points are given */
    struct {
        double to;
        int32_t points;
    } bins[BIN_COUNT_MAX];
} questions[QUESTION_COUNT] = {
    [DAYS_LATE] = {"DAYS_LATE",
                   true,
                   {{0, 95}, {3, 80}, {7, 62}, {14, 38}, {30, 16}, {INFINITY, 0}}},
    [LATE_SHARE] = {"LATE_SHARE",
                    true,
                    {{0.05, 70}, {0.15, 57}, {0.3, 38}, {0.5, 19}, {INFINITY, 0}}},
    [PARTIAL_SHARE] = {"PARTIAL_SHARE", true, {{0.02, 30}, {0.1, 20}, {0.3, 8}, {INFINITY, 0}}},
    [REVERSALS] = {"REVERSALS", true, {{0, 35}, {0.05, 20}, {0.15, 6}, {INFINITY, 0}}},
    [OVERDUE_DAYS] = {"OVERDUE_DAYS",
                      false,
                      {{0, 115}, {7, 95}, {30, 60}, {60, 25}, {INFINITY, 0}}},
    [OVERDUE_INVOICES] = {"OVERDUE_INVOICES",
                          false,
                          {{0, 55}, {1, 40}, {2, 20}, {3, 5}, {INFINITY, 0}}},
    [OVERDUE_RATIO] = {"OVERDUE_RATIO",
                       false,
                       {{0, 60}, {0.5, 45}, {1, 30}, {2, 15}, {INFINITY, 0}}},
    /* Days missing to three years, so that less is better here too. */
    [SHORT_TENURE] = {"SHORT_TENURE", false, {{0, 20}, {730, 14}, {915, 7}, {INFINITY, 0}}},
    [ESTIMATED_SHARE] = {"ESTIMATED_SHARE", false, {{0.1, 20}, {0.3, 14}, {0.6, 7}, {INFINITY, 0}}},
};
#define TENURE_DAYS_FULL 1095.0

static double
share(uint16_t part, uint16_t whole)
{
    return whole == 0 ? 0 : part >= whole ? 1 : (double)part / whole;
}

/* The invoices due before `now`: how many, and whole days since the oldest was. Like the ledger's
 * sum they count disputed ones. */
static uint32_t
overdue_of(const struct gf_account *account, struct gf_time now, double *days_out)
{
    uint32_t count = 0;
    while (count < account->invoice_count &&
           (int64_t)account->invoices[count].due_s * GF_US_PER_S < now.us) {
        count++;
    }
    const int64_t us = count > 0 ? now.us - (int64_t)account->invoices[0].due_s * GF_US_PER_S : 0;
    *days_out = (double)(us / GF_US_PER_DAY);
    return count;
}

static void
answers_of(const struct gf_account *account, struct gf_time now, double answers[QUESTION_COUNT])
{
    struct gf_money owed = {0}, overdue = {0};
    gf_account_owed(account, now, &owed, &overdue);
    const double mean = (double)account->invoice_mean;
    const double overdue_units = (double)overdue.micro / 1e6;
    const double tenure_days =
        account->first_seen_s == 0
            ? 0
            : ((double)(now.us / GF_US_PER_S) - account->first_seen_s) / SECONDS_PER_DAY;
    answers[DAYS_LATE] = (double)account->days_late_mean;
    answers[LATE_SHARE] = share(account->payments_late, account->payments_seen);
    answers[PARTIAL_SHARE] = share(account->payments_partial, account->payments_seen);
    answers[REVERSALS] = share(account->payments_reversed, account->payments_seen);
    answers[OVERDUE_INVOICES] = overdue_of(account, now, &answers[OVERDUE_DAYS]);
    answers[OVERDUE_RATIO] = mean > 0 ? overdue_units / mean : overdue_units;
    answers[SHORT_TENURE] = tenure_days < TENURE_DAYS_FULL ? TENURE_DAYS_FULL - tenure_days : 0;
    answers[ESTIMATED_SHARE] = (double)account->estimated_share;
}

static int32_t
points_of(size_t question, double answer)
{
    size_t bin = 0;
    while (answer > questions[question].bins[bin].to) {
        bin++;
        assert(bin < BIN_COUNT_MAX);
    }
    return questions[question].bins[bin].points;
}

static int32_t
grade_of(const struct gf_arrears_params *params, int32_t points)
{
    return points >= params->grade_a   ? GF_RISK_GRADE_A
           : points >= params->grade_b ? GF_RISK_GRADE_B
           : points >= params->grade_c ? GF_RISK_GRADE_C
           : points >= params->grade_d ? GF_RISK_GRADE_D
                                       : GF_RISK_GRADE_E;
}

/* Keeps the costliest reasons in order; of equals the one asked first. */
static void
reason_add(struct gf_arrears_score *score, struct gf_reason reason)
{
    uint32_t place = score->reason_count;
    while (place > 0 && score->reasons[place - 1].weight < reason.weight) {
        place--;
    }
    if (place == GF_ARREARS_REASON_COUNT_MAX) {
        return;
    }
    score->reason_count += score->reason_count < GF_ARREARS_REASON_COUNT_MAX;
    for (uint32_t i = score->reason_count - 1; i > place; i--) {
        score->reasons[i] = score->reasons[i - 1];
    }
    score->reasons[place] = reason;
}

void
gf_arrears_score(const struct gf_arrears_params *params, const struct gf_account *account,
                 struct gf_time now, struct gf_arrears_score *out)
{
    double answers[QUESTION_COUNT];
    answers_of(account, now, answers);
    *out = (struct gf_arrears_score){.points = 0};
    const bool has_history = account->payments_seen >= params->history_min;
    int32_t history_cost = 0;
    for (size_t question = 0; question < QUESTION_COUNT; question++) {
        const int32_t most = questions[question].bins[0].points;
        if (questions[question].needs_history && !has_history) {
            out->points += most / 2;
            history_cost += most - most / 2;
            continue;
        }
        const int32_t points = points_of(question, answers[question]);
        out->points += points;
        if (points < most) {
            reason_add(out, (struct gf_reason){.code = gf_span_text(questions[question].code),
                                               .value = answers[question],
                                               .limit = questions[question].bins[0].to,
                                               .weight = most - points});
        }
    }
    if (history_cost > 0) {
        reason_add(out, (struct gf_reason){.code = gf_span_text("SHORT_HISTORY"),
                                           .value = account->payments_seen,
                                           .limit = (double)params->history_min,
                                           .weight = history_cost});
    }
    assert(out->points >= 0);
    assert(out->points <= GF_ARREARS_POINTS_MAX);
    out->grade = grade_of(params, out->points);
}
