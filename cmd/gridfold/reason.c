#include "reason.h"

struct text {
    const char *code, *text;
};

static const struct text reasons[] = {
    /* fraud.flags */
    {"REGISTER_BACKWARDS", "the register stands lower than before, by so many kWh"},
    {"NO_CONTRACT", "energy is used without a contract: mean kWh a day of the last 7 days"},
    {"USE_WHILE_DISCONNECTED", "energy is used although the meter was disconnected, kWh a day"},
    {"ZERO_RUN", "days without any use, against the days that are suspicious for the class"},
    {"OVER_CAPACITY", "intervals above the contracted demand"},
    {"BASELINE_DROP", "use since the drop, as a share of the level before"},
    {"PROTECTED", "the customer is protected: no hard measure"},
    {"DISPUTED", "the customer disputes a bill"},
    {"EVIDENCE_GONE", "days without evidence, which close the case"},
    {"CONTRACT_ARRIVED", "a contract came, which closes the case"},
    {"CASE_DISPLACED", "a graver case took the place of this one"},
    /* arrears.alerts */
    {"DAYS_LATE", "days that payments come late, the newest count most"},
    {"LATE_SHARE", "share of payments that were late"},
    {"PARTIAL_SHARE", "share of payments that were partial"},
    {"REVERSALS", "share of payments that were taken back"},
    {"OVERDUE_DAYS", "days since the oldest open invoice was due"},
    {"OVERDUE_INVOICES", "invoices that are overdue"},
    {"OVERDUE_RATIO", "overdue amount over the mean invoice"},
    {"SHORT_TENURE", "days that are missing to three years as a customer"},
    {"ESTIMATED_SHARE", "share of the energy that was estimated"},
    {"SHORT_HISTORY", "payments seen so far, fewer than a score needs"},
    /* tariff.adjustments */
    {"RES_SURPLUS", "renewables over demand, against the share that counts as surplus"},
    {"WHOLESALE_LOW", "share of recent prices that were no dearer than this one"},
    {"WHOLESALE_HIGH", "share of recent prices that were cheaper than this one"},
    {"LOAD_PEAK", "demand over capacity, against the share that counts as peak"},
    {"RETURN_TO_BASE", "nothing asks for another price: back to the plan's"},
    {"PLAN_CHANGED", "a new version of the plan takes back what was announced"},
    {"KILL_SWITCH", "a KILL_SWITCH takes back what was announced"},
    /* area.balance */
    {"AREA_LOSS", "residual as a share of the total: the area lost more than is usual"},
    {"AREA_GAIN",
     "residual as a share of the total, downwards: customers took more than was given"},
    {"AREA_INCOMPLETE", "share of the customers' time that values cover"},
    {"AREA_NO_TOTAL", "values in the sum, but none of the transformer's meter"},
    {"AREA_INEXACT", "values in the sum, some of which are not of this interval alone"},
    /* guard-rails */
    {"FLOOR", "the price may not be lower per kWh"},
    {"CAP", "the price may not be higher per kWh"},
    {"BAND_RATIO", "dearest over cheapest price of the day stays within its limit"},
    {"RAMP", "from slot to slot the price moves by a part of the base price at most"},
    {"DWELL", "changes are at least so far apart"},
    {"DAY_CHANGES", "only so many changes a day"},
    {"NOTICE", "the slot starts too soon"},
    {"BAND_EDGE", "the plan's price or the clocks change inside the slot"},
    {"STOPPED", "a KILL_SWITCH or FREEZE is in force"},
    {"ROOM", "only so many slots are remembered"},
};

static const struct text remedies[] = {
    {"BAD_DATA", "the bytes are no record of their schema: mend the producer, and send the record "
                 "again from its source; these bytes will fail again"},
    {"BAD_FIELD", "a field has a value that is not allowed: mend the producer or the master data "
                  "that it stands on, then send it again; replay helps when the rule changed here"},
    {"RANGE", "a number is outside of what is allowed: mend the producer and send it again"},
    {"FULL", "the customer has more of these than fit: end what is over, then replay"},
    {"LATE",
     "it is older than what is still kept open (features.lateness, at most 2 days): correct "
     "the bill by hand; replayed, it is late again unless features.lateness was raised and "
     "covers it"},
    {"FUTURE", "it was dated ahead of its record's time: set the sender's clock; replayed, it is "
               "stamped with the time of the replay, so what was the future then is taken now"},
    {"MISPLACED", "the producer's partitioner is not Kafka's default (murmur2): mend it; replay "
                  "puts the record on the right partition"},
    {"UNKNOWN_SCHEMA", "register the writer's schema where gridfold looks for it (`schemas:`), "
                       "then replay"},
    {"NOT_FOUND", "what it refers to was not known: send that first, then replay"},
};

static const char *
text_find(const struct text *texts, size_t count, struct gf_span code)
{
    for (size_t i = 0; i < count; i++) {
        if (gf_span_equal(code, gf_span_text(texts[i].code))) {
            return texts[i].text;
        }
    }
    return NULL;
}

const char *
reason_text(struct gf_span code)
{
    return text_find(reasons, sizeof(reasons) / sizeof(reasons[0]), code);
}

const char *
remedy_text(struct gf_span code)
{
    const char *text = text_find(remedies, sizeof(remedies) / sizeof(remedies[0]), code);
    return text != NULL ? text : "see docs/reasons.md; once its cause is mended, replay it";
}
