/* The features in words and units, for people and for `gridfold state get`. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "feature/feature.h"

/* A JSON object being written; counts what did not fit, as snprintf does. */
struct json_text {
    char *out;
    size_t size, length;
    bool is_first;
};

GF_PRINTF(2, 3) static void text_add(struct json_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const bool has_room = text->length < text->size;
    const int length = vsnprintf(has_room ? text->out + text->length : NULL,
                                 has_room ? text->size - text->length : 0, format, arguments);
    va_end(arguments);
    text->length += length > 0 ? (size_t)length : 0;
}

static void
name_add(struct json_text *text, const char *name)
{
    text_add(text, "%s\"%s\": ", text->is_first ? "" : ", ", name);
    text->is_first = false;
}

static void
object_open(struct json_text *text, const char *name)
{
    name_add(text, name);
    text_add(text, "{");
    text->is_first = true;
}

static void
object_close(struct json_text *text)
{
    text_add(text, "}");
    text->is_first = false;
}

static void
real_add(struct json_text *text, const char *name, double value)
{
    name_add(text, name);
    text_add(text, isfinite(value) ? "%.6g" : "null", value);
}

static void
count_add(struct json_text *text, const char *name, int64_t value)
{
    name_add(text, name);
    text_add(text, "%lld", (long long)value);
}

static void
flag_add(struct json_text *text, const char *name, bool value)
{
    name_add(text, name);
    text_add(text, value ? "true" : "false");
}

static void
bytes_add(struct json_text *text, const char *bytes, size_t size)
{
    text_add(text, "\"");
    for (size_t i = 0; i < size && bytes[i] != 0; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        text_add(text, byte < 0x20 || byte == '"' || byte == '\\' ? "\\u%04x" : "%c", byte);
    }
    text_add(text, "\"");
}

static void
string_add(struct json_text *text, const char *name, const char *bytes, size_t size)
{
    name_add(text, name);
    bytes_add(text, bytes, size);
}

/* An exact decimal, as a string: a JSON number would be read as a float. */
static void
decimal_add(struct json_text *text, const char *name, int64_t value, int decimals_min)
{
    char decimal[GF_DECIMAL_SIZE];
    (void)gf_decimal_print(value, 6, decimals_min, decimal, sizeof decimal);
    string_add(text, name, decimal, sizeof decimal);
}

static void
time_add(struct json_text *text, const char *name, int64_t us)
{
    char printed[GF_TIME_TEXT_SIZE];
    name_add(text, name);
    if (us < 0 || us >= GF_TIME_US_MAX) {
        text_add(text, "null");
        return;
    }
    gf_time_print((struct gf_time){us}, printed);
    text_add(text, "\"%s\"", printed);
}

static void
second_add(struct json_text *text, const char *name, uint32_t second)
{
    time_add(text, name, second == UINT32_MAX ? -1 : second * GF_US_PER_S);
}

static void
day_add(struct json_text *text, const char *name, int32_t day)
{
    int32_t year = 0;
    uint32_t month = 0, date = 0;
    name_add(text, name);
    if (day == INT32_MIN) {
        text_add(text, "null");
        return;
    }
    gf_date_from_days(day, &year, &month, &date);
    text_add(text, "\"%04d-%02u-%02u\"", year, month, date);
}

/* ---- Parts ---- */

static const char *const class_names[] = {"unknown", "residential", "commercial", "industrial"};
static const char *const protection_names[] = {"unknown", "vulnerable",   "medical",
                                               "winter",  "payment plan", "collection hold"};

static void
contract_add(struct json_text *text, const struct gf_contract *contract, struct gf_time now)
{
    object_open(text, "contract");
    flag_add(text, "known", contract->is_known != 0);
    if (contract->is_known) {
        const uint32_t class =
            contract->customer_class < GF_CUSTOMER_CLASS_COUNT ? contract->customer_class : 0;
        flag_add(text, "in_force", gf_contract_is_valid(contract, now));
        count_add(text, "version", contract->version);
        string_add(text, "class", class_names[class], 32);
        string_add(text, "tariff", contract->tariff_id, sizeof contract->tariff_id);
        string_add(text, "area", contract->area_id, sizeof contract->area_id);
        string_add(text, "market_zone", contract->zone, sizeof contract->zone);
        string_add(text, "currency", contract->currency, sizeof contract->currency);
        real_add(text, "capacity_kw",
                 contract->capacity_w > 0 ? (double)contract->capacity_w / 1000 : (double)NAN);
        flag_add(text, "export_permit", contract->export_permit != 0);
        time_add(text, "valid_from", contract->valid_from_us);
        time_add(text, "valid_to", contract->valid_to_us);
        name_add(text, "protections");
        text_add(text, "[");
        for (uint32_t i = 0; i < contract->protection_count; i++) {
            const struct gf_contract_protection *const protection = &contract->protections[i];
            const uint32_t kind =
                protection->kind < GF_PROTECTION_KIND_COUNT ? protection->kind : 0;
            text_add(text, "%s{", i == 0 ? "" : ", ");
            text->is_first = true;
            string_add(text, "kind", protection_names[kind], 32);
            second_add(text, "from", protection->from_s);
            second_add(text, "to", protection->to_s);
            object_close(text);
        }
        text_add(text, "]");
        name_add(text, "meters");
        text_add(text, "[");
        for (uint32_t i = 0; i < contract->meter_count; i++) {
            const struct gf_meter *const meter = &contract->meters[i];
            text_add(text, "%s{", i == 0 ? "" : ", ");
            text->is_first = true;
            string_add(text, "id", meter->id, sizeof meter->id);
            count_add(text, "digits", meter->digits);
            count_add(text, "multiplier", meter->multiplier);
            decimal_add(text, "lsb_kwh", meter->lsb_micro_kwh, 0);
            second_add(text, "from", meter->from_s);
            second_add(text, "to", meter->to_s);
            object_close(text);
        }
        text_add(text, "]");
    }
    object_close(text);
}

static void
day_in_progress_add(struct json_text *text, const struct gf_load *load)
{
    object_open(text, "day_in_progress");
    day_add(text, "local_day", load->day);
    decimal_add(text, "kwh", load->day_micro_kwh, 0);
    real_add(text, "covered_h", load->day_covered_s / 3600.0);
    real_add(text, "masked_h", load->day_masked_s / 3600.0);
    real_add(text, "clean_kwh", (double)load->day_clean_kwh);
    real_add(text, "peak_band_kwh", (double)load->day_peak_kwh);
    real_add(text, "valley_band_kwh", (double)load->day_valley_kwh);
    real_add(text, "with_band_kwh", (double)load->day_band_kwh);
    real_add(text, "night_kwh", (double)load->day_night_kwh);
    real_add(text, "maximum_kw", (double)load->day_max_kw);
    object_close(text);
}

static void
windows_add(struct json_text *text, const struct gf_load *load)
{
    static const char *const names[GF_WINDOW_COUNT] = {"1d", "7d", "30d", "90d"};
    object_open(text, "window_mean_kwh_per_day");
    for (uint32_t i = 0; i < GF_WINDOW_COUNT; i++) {
        real_add(text, names[i], (double)load->window_mean[i]);
    }
    object_close(text);
    object_open(text, "window_deviation_kwh_per_day");
    for (uint32_t i = 0; i < GF_WINDOW_COUNT; i++) {
        real_add(text, names[i], (double)gf_half_value(load->window_deviation[i]));
    }
    object_close(text);
}

static void
profile_add(struct json_text *text, const struct gf_load *load)
{
    static const char *const types[GF_PROFILE_DAY_TYPE_COUNT] = {"working_day", "weekend"};
    for (uint32_t scale = 0; scale < 2; scale++) {
        object_open(text, scale == 0 ? "profile_kwh_per_half_hour"
                                     : "profile_deviation_kwh_per_half_hour");
        for (uint32_t type = 0; type < GF_PROFILE_DAY_TYPE_COUNT; type++) {
            name_add(text, types[type]);
            for (uint32_t half = 0; half < GF_PROFILE_SLOT_COUNT; half++) {
                const uint16_t deviation = load->profile_scale[type][half];
                const double value = (double)(scale == 0 ? load->profile_mean[type][half]
                                                         : gf_half_value(deviation));
                text_add(text, "%s", half == 0 ? "[" : ", ");
                text_add(text, deviation == GF_HALF_MISSING ? "null" : "%.4g", value);
            }
            text_add(text, "]");
        }
        object_close(text);
    }
}

static void
load_add(struct json_text *text, const struct gf_load *load, int64_t capacity_w)
{
    object_open(text, "load");
    count_add(text, "interval_s", load->interval_s);
    time_add(text, "newest_slot", load->last_slot_start_us);
    day_in_progress_add(text, load);
    day_add(text, "newest_closed_day", load->ring_day);
    count_add(text, "clean_days_seen", load->days_seen);
    windows_add(text, load);
    real_add(text, "peak_share", (double)load->peak_share);
    real_add(text, "flat_share", (double)load->flat_share);
    real_add(text, "valley_share", (double)load->valley_share);
    real_add(text, "night_share", (double)load->night_share);
    real_add(text, "weekend_share", (double)load->weekend_share);
    real_add(text, "load_factor", (double)load->load_factor);
    real_add(text, "maximum_demand_kw", (double)load->max_kw_30d);
    real_add(text, "maximum_demand_of_capacity",
             capacity_w > 0 ? (double)load->max_kw_30d * 1000 / (double)capacity_w : (double)NAN);
    real_add(text, "baseline_kwh_per_day", (double)load->baseline_kwh);
    real_add(text, "residual_scale_kwh_per_day", (double)load->residual_scale);
    real_add(text, "expected_today_kwh",
             load->day == INT32_MIN ? (double)NAN : gf_load_expected_kwh(load, load->day));
    real_add(text, "season_cosine_kwh_per_day", (double)load->season_cos);
    real_add(text, "season_sine_kwh_per_day", (double)load->season_sin);
    real_add(text, "cusum_up_scales", (double)load->cusum_up);
    day_add(text, "cusum_up_since", load->cusum_up > 0 ? load->cusum_up_day : INT32_MIN);
    real_add(text, "cusum_down_scales", (double)load->cusum_down);
    day_add(text, "cusum_down_since", load->cusum_down > 0 ? load->cusum_down_day : INT32_MIN);
    real_add(text, "wholesale_price_per_kwh",
             load->price_kwh > 0 ? (double)load->price_cost / (double)load->price_kwh
                                 : (double)NAN);
    count_add(text, "zero_days", load->zero_days);
    count_add(text, "gap_days", load->gap_days);
    count_add(text, "export_readings", load->exports_seen);
    profile_add(text, load);
    object_close(text);
}

static void
register_add(struct json_text *text, const struct gf_load *load, const struct gf_contract *contract)
{
    object_open(text, "register");
    if (load->register_meter > 0 && load->register_meter <= contract->meter_count) {
        string_add(text, "meter", contract->meters[load->register_meter - 1].id, GF_METER_ID_SIZE);
        decimal_add(text, "stand_kwh", load->register_micro_kwh, 0);
        time_add(text, "at", (int64_t)load->register_s * GF_US_PER_S);
    }
    flag_add(text, "exchange_announced", load->exchange_new_start_micro_kwh != GF_EXCHANGE_NONE);
    object_close(text);
}

static void
account_add(struct json_text *text, const struct gf_account *account, struct gf_time now)
{
    static const char *const ages[5] = {"not_due", "days_1_to_30", "days_31_to_60", "days_61_to_90",
                                        "days_over_90"};
    struct gf_money owed = {0}, overdue = {0}, buckets[5] = {{0}};
    gf_account_owed(account, now, &owed, &overdue);
    gf_account_ageing(account, now, buckets);
    object_open(text, "account");
    decimal_add(text, "owed", owed.micro, 2);
    decimal_add(text, "overdue", overdue.micro, 2);
    decimal_add(text, "credit", account->credit_micro, 2);
    flag_add(text, "disputed", gf_account_is_disputed(account));
    object_open(text, "ageing");
    for (uint32_t i = 0; i < 5; i++) {
        decimal_add(text, ages[i], buckets[i].micro, 2);
    }
    object_close(text);
    name_add(text, "open_invoices");
    text_add(text, "[");
    for (uint32_t i = 0; i < account->invoice_count; i++) {
        const struct gf_open_invoice *const invoice = &account->invoices[i];
        text_add(text, "%s{", i == 0 ? "" : ", ");
        text->is_first = true;
        second_add(text, "due", invoice->due_s);
        decimal_add(text, "open", invoice->open_micro, 2);
        decimal_add(text, "paid", invoice->paid_micro, 2);
        flag_add(text, "disputed", invoice->is_disputed);
        object_close(text);
    }
    text_add(text, "]");
    count_add(text, "invoices_seen", account->invoices_seen);
    count_add(text, "payments_seen", account->payments_seen);
    count_add(text, "invoices_paid_late", account->payments_late);
    count_add(text, "payments_partial", account->payments_partial);
    count_add(text, "payments_reversed", account->payments_reversed);
    real_add(text, "days_late_mean", (double)account->days_late_mean);
    real_add(text, "invoice_mean", (double)account->invoice_mean);
    real_add(text, "estimated_share", (double)account->estimated_share);
    second_add(text, "first_seen", account->first_seen_s == 0 ? UINT32_MAX : account->first_seen_s);
    second_add(text, "last_payment",
               account->last_payment_s == 0 ? UINT32_MAX : account->last_payment_s);
    object_close(text);
}

size_t
gf_features_describe(const struct gf_features *features, const struct gf_zone *zone,
                     struct gf_time now, char *out, size_t size)
{
    struct json_text text = {.out = out, .size = size, .is_first = true};
    text_add(&text, "{");
    string_add(&text, "time_zone", zone->name, sizeof zone->name);
    contract_add(&text, &features->contract, now);
    load_add(&text, &features->load, features->contract.capacity_w);
    register_add(&text, &features->load, &features->contract);
    account_add(&text, &features->account, now);
    text_add(&text, "}");
    return text.length;
}
