#include <stddef.h>

#include "operator/arrears/arrears.h"

const char *const gf_arrears_stage_choices[] = {"DUE",  "GRACE",     "OD30", "OD60",
                                                "OD90", "WRITE_OFF", NULL};
static const char *const reminded_choices[] = {"none", "risky", "all", NULL};

#define COLUMN(field)                                                                              \
    .name = #field, .offset = offsetof(struct gf_arrears_step, field), .is_fold = true
#define PARAM(field)                                                                               \
    .name = #field, .offset = offsetof(struct gf_arrears_params, field), .is_fold = true

static const struct gf_param ladder_columns[] = {
    {COLUMN(stage), .doc = "Stage the account is in after this step.", .type = GF_PARAM_CHOICE,
     .choices = gf_arrears_stage_choices},
    {COLUMN(after_days), .doc = "Days since the oldest open invoice was due.", .unit = "d",
     .type = GF_PARAM_INT, .min = 0, .max = 3650},
    {COLUMN(measure), .doc = "What the alert asks for.", .type = GF_PARAM_TEXT,
     .size = GF_ARREARS_MEASURE_SIZE},
};

const struct gf_param gf_arrears_param_rows[GF_ARREARS_PARAM_COUNT] = {
    {PARAM(ladder), .doc = "Steps of the ladder, mildest first.", .type = GF_PARAM_TABLE,
     .size = sizeof(struct gf_arrears_step), .rows = ladder_columns,
     .row_param_count = sizeof ladder_columns / sizeof ladder_columns[0],
     .rows_max = GF_ARREARS_LADDER_COUNT_MAX,
     .count_offset = offsetof(struct gf_arrears_params, ladder_count),
     .initial = "[{stage: DUE, after_days: 0, measure: REMINDER},"
                " {stage: GRACE, after_days: 7, measure: SECOND_REMINDER},"
                " {stage: OD30, after_days: 30, measure: WRITTEN_NOTICE},"
                " {stage: OD60, after_days: 60, measure: PLAN_OFFER},"
                " {stage: OD90, after_days: 90, measure: DISCONNECTION_REVIEW},"
                " {stage: WRITE_OFF, after_days: 180, measure: WRITE_OFF}]"},
    {PARAM(notice_days), .doc = "At least so many days between two steps.", .unit = "d",
     .type = GF_PARAM_INT, .initial = "7", .min = 0, .max = 365},
    {PARAM(pre_due_days), .doc = "A reminder so many days before an invoice is due.", .unit = "d",
     .type = GF_PARAM_INT, .initial = "5", .min = 0, .max = 90},
    {PARAM(pre_due_grades),
     .doc = "Who is reminded before the due date: none, risky (grades D and E) or all.",
     .type = GF_PARAM_CHOICE, .choices = reminded_choices, .initial = "risky"},
    {PARAM(pre_due_measure), .doc = "What the reminder before the due date asks for.",
     .type = GF_PARAM_TEXT, .size = GF_ARREARS_MEASURE_SIZE, .initial = "EARLY_REMINDER"},
    {PARAM(fee_permille_residential), .doc = "Late fee of residential customers, a day.",
     .unit = "1/1000", .type = GF_PARAM_INT, .initial = "1", .min = 0, .max = 1000},
    {PARAM(fee_permille_other), .doc = "Late fee of other customers, a day.", .unit = "1/1000",
     .type = GF_PARAM_INT, .initial = "2", .min = 0, .max = 1000},
    {PARAM(fee_permille_other_next_year),
     .doc = "Late fee of other customers from the next calendar year on, a day.", .unit = "1/1000",
     .type = GF_PARAM_INT, .initial = "3", .min = 0, .max = 1000},
    {PARAM(fee_min), .doc = "Smallest late fee, where there is one.", .unit = "currency",
     .type = GF_PARAM_MONEY, .initial = "1", .min = 0, .max = 1000},
    {PARAM(fee_cap_permille),
     .doc = "Largest late fee, of the overdue amount; it wins over the smallest.", .unit = "1/1000",
     .type = GF_PARAM_INT, .initial = "1000", .min = 0, .max = 10000},
    {PARAM(grade_a), .doc = "Grade A from so many points on.", .unit = "points",
     .type = GF_PARAM_INT, .initial = "450", .min = 0, .max = 500},
    {PARAM(grade_b), .doc = "Grade B from so many points on.", .unit = "points",
     .type = GF_PARAM_INT, .initial = "400", .min = 0, .max = 500},
    {PARAM(grade_c), .doc = "Grade C from so many points on.", .unit = "points",
     .type = GF_PARAM_INT, .initial = "350", .min = 0, .max = 500},
    {PARAM(grade_d), .doc = "Grade D from so many points on; below it is E.", .unit = "points",
     .type = GF_PARAM_INT, .initial = "200", .min = 0, .max = 500},
    {PARAM(history_min), .doc = "Fewer payments than this say nothing about how a customer pays.",
     .unit = "payments", .type = GF_PARAM_INT, .initial = "3", .min = 0, .max = 100},
};
