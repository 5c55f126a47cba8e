#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/complaint.h"
#include "config/value.h"
#include "config/value_unit.h"

#define DIGITS "0123456789"

/* Read, never printed. */
static const struct gf_unit decimal_size_units[] = {
    {"TB", INT64_C(1000000000000)}, {"GB", 1000000000}, {"MB", 1000000}, {"kB", 1000}, {NULL, 0},
};

static bool
fault_set(struct gf_value_fault *fault, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof(fault->text), format, arguments);
    va_end(arguments);
    return false;
}

static const struct gf_unit *
unit_find(const struct gf_unit *units, const char *name, size_t size)
{
    for (const struct gf_unit *unit = units; unit->name != NULL; unit++) {
        if (strlen(unit->name) == size && memcmp(unit->name, name, size) == 0) {
            return unit;
        }
    }
    return NULL;
}

/* `value` in the unit of the limits. */
static bool
limits_hold(const struct gf_param *row, double value, struct gf_value_fault *fault)
{
    if (!gf_value_is_limited(row) || (value >= row->min && value <= row->max)) {
        return true;
    }
    char limits[120];
    gf_value_limits(row, limits, sizeof(limits));
    return fault_set(fault, "is out of range: %s", limits);
}

/* ---- numbers ---- */

/* Length of "-12.34" at the start of `text`, and how many decimals; 0 when there is no number. */
static size_t
number_length(const char *text, size_t *decimals_out)
{
    const size_t sign = text[0] == '-' || text[0] == '+';
    const size_t whole = strspn(text + sign, DIGITS);
    size_t length = sign + whole;
    *decimals_out = 0;
    if (whole > 0 && text[length] == '.') {
        const size_t decimals = strspn(text + length + 1, DIGITS);
        size_t used = decimals;
        while (used > 0 && text[length + used] == '0') {
            used--;
        }
        *decimals_out = used;
        length += decimals > 0 ? 1 + decimals : 0;
    }
    return whole > 0 ? length : 0;
}

/* A decimal scaled by 10^scale; exact or a fault. */
static bool
decimal_read(const char *text, size_t length, size_t decimals, int scale, int64_t *out,
             struct gf_value_fault *fault)
{
    if (decimals > (size_t)scale) {
        return scale == 0 ? fault_set(fault, "must be a whole number")
                          : fault_set(fault, "has more than %d decimals", scale);
    }
    const size_t plus = text[0] == '+';
    return gf_decimal_parse(text + plus, length - plus, scale, out) == GF_OK ||
           fault_set(fault, "is too large");
}

/* What follows a number: nothing, or the unit of the row after a space or directly. */
static bool
unit_holds(const struct gf_param *row, const char *rest, struct gf_value_fault *fault)
{
    rest += strspn(rest, " ");
    if (rest[0] == '\0' || (row->unit != NULL && strcmp(rest, row->unit) == 0)) {
        return true;
    }
    if (row->unit != NULL) {
        return fault_set(fault, "has the unit \"%.40s\", but is counted in %s", rest, row->unit);
    }
    return fault_set(fault, "must be %s; \"%.40s\" is not part of one",
                     gf_value_type_name(row->type), rest);
}

static bool
scaled_read(const struct gf_param *row, const char *text, int scale, int64_t *out,
            struct gf_value_fault *fault)
{
    size_t decimals = 0;
    const size_t length = number_length(text, &decimals);
    if (length == 0) {
        return fault_set(fault, "must be %s, not \"%.40s\"", gf_value_type_name(row->type), text);
    }
    int64_t value = 0;
    if (!unit_holds(row, text + length, fault) ||
        !decimal_read(text, length, decimals, scale, &value, fault) ||
        !limits_hold(row, (double)value / pow(10, scale), fault)) {
        return false;
    }
    *out = value;
    return true;
}

static bool
real_read(const struct gf_param *row, const char *text, double *out, struct gf_value_fault *fault)
{
    const size_t length = strspn(text, DIGITS "+-.eE");
    char *end = NULL;
    errno = 0;
    const double value = strtod(text, &end);
    /* Only the decimal form: strtod would take "inf", "nan" and hexadecimals too. */
    if (end == text || (size_t)(end - text) > length || !isfinite(value)) {
        return fault_set(fault, "must be a number, not \"%.40s\"", text);
    }
    if (!unit_holds(row, end, fault) || !limits_hold(row, value, fault)) {
        return false;
    }
    *out = value;
    return true;
}

/* Number and unit, several times over where `is_chain`: "1h30m". `bare` is the factor of a number
 * without a unit, 0 where there must be one. */
static bool
measured_read(const char *text, const struct gf_unit *units, const struct gf_unit *more_units,
              int64_t bare, bool is_chain, int64_t *out, struct gf_value_fault *fault)
{
    const bool is_negative = text[0] == '-';
    const char *at = text + is_negative;
    int64_t sum = 0;
    do {
        size_t decimals = 0;
        const size_t length = at[0] == '-' || at[0] == '+' ? 0 : number_length(at, &decimals);
        const char *const name = at + length + strspn(at + length, " ");
        const size_t name_size = strcspn(name, DIGITS " ");
        const struct gf_unit *unit = unit_find(units, name, name_size);
        unit = unit == NULL && more_units != NULL ? unit_find(more_units, name, name_size) : unit;
        const bool is_zero = strspn(at, "0") == strlen(at);
        if (length == 0) {
            return fault_set(fault, "is not understood: \"%.40s\"", text);
        }
        if (unit == NULL && name_size > 0) {
            return fault_set(fault, "has an unknown unit \"%.*s\"",
                             name_size < 40 ? (int)name_size : 40, name);
        }
        if (unit == NULL && bare == 0 && !is_zero) {
            snprintf(fault->help, sizeof(fault->help),
                     "write %.20ss for seconds, %.20sm for minutes", text, text);
            return fault_set(fault, "needs a unit: 90s, 15m, 48h or 30d");
        }
        int64_t value = 0, part = 0;
        const int64_t factor = unit != NULL ? unit->factor : bare;
        /* Whole numbers keep all of int64. */
        const int scale = decimals > 0 ? 6 : 0;
        if (!decimal_read(at, length, decimals, scale, &value, fault)) {
            return false;
        }
        if (gf_muldiv(value, factor, scale > 0 ? 1000000 : 1, &part) != GF_OK ||
            __builtin_add_overflow(sum, part, &sum)) {
            return fault_set(fault, "is too large");
        }
        at = name + name_size;
    } while (is_chain && at[0] != '\0');
    if (at[0] != '\0') {
        return fault_set(fault, "is not understood: \"%.40s\"", text);
    }
    *out = is_negative ? -sum : sum;
    return true;
}

static bool
duration_read(const struct gf_param *row, const char *text, int64_t *out,
              struct gf_value_fault *fault)
{
    int64_t us = 0;
    const bool is_off = strcmp(text, "off") == 0;
    if ((!is_off && !measured_read(text, gf_duration_units, NULL, 0, true, &us, fault)) ||
        !limits_hold(row, (double)us / (double)GF_US_PER_S, fault)) {
        return false;
    }
    *out = us;
    return true;
}

static bool
size_read(const struct gf_param *row, const char *text, int64_t *out, struct gf_value_fault *fault)
{
    int64_t bytes = 0;
    if (!measured_read(text, gf_size_units, decimal_size_units, 1, false, &bytes, fault)) {
        if (fault->help[0] == '\0') {
            snprintf(fault->help, sizeof(fault->help),
                     "sizes are written 65536, 64KiB, 64MiB or 2GiB");
        }
        return false;
    }
    if (!limits_hold(row, (double)bytes, fault)) {
        return false;
    }
    *out = bytes;
    return true;
}

/* ---- words ---- */

static bool
bool_read(const char *text, bool *out, struct gf_value_fault *fault)
{
    static const char *const yes[] = {"yes", "on", "True", "TRUE", "1", "y"};
    static const char *const no[] = {"no", "off", "False", "FALSE", "0", "n"};
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *out = text[0] == 't';
        return true;
    }
    struct gf_suggestion suggestion = {.wrong = text};
    gf_suggestion_offer(&suggestion, "true");
    gf_suggestion_offer(&suggestion, "false");
    for (size_t index = 0; index < sizeof(yes) / sizeof(yes[0]); index++) {
        suggestion.best = strcmp(text, yes[index]) == 0 ? "true" : suggestion.best;
        suggestion.best = strcmp(text, no[index]) == 0 ? "false" : suggestion.best;
    }
    if (suggestion.best != NULL) {
        snprintf(fault->help, sizeof(fault->help), "did you mean \"%s\"?", suggestion.best);
    }
    return fault_set(fault, "must be true or false, not \"%.40s\"", text);
}

static bool
choice_read(const struct gf_param *row, const char *text, int32_t *out,
            struct gf_value_fault *fault)
{
    struct gf_suggestion suggestion = {.wrong = text};
    for (int32_t index = 0; row->choices[index] != NULL; index++) {
        if (strcmp(row->choices[index], text) == 0) {
            *out = index;
            return true;
        }
        gf_suggestion_offer(&suggestion, row->choices[index]);
    }
    if (suggestion.best != NULL) {
        snprintf(fault->help, sizeof(fault->help), "did you mean \"%s\"?", suggestion.best);
    }
    char limits[120];
    gf_value_limits(row, limits, sizeof(limits));
    return fault_set(fault, "must be one of %s, not \"%.40s\"", limits, text);
}

/* Bytes of a well-formed character at `text` that may be printed; 0 for all else. */
static size_t
character_length(const unsigned char *text)
{
    if (text[0] < 0x80) {
        return text[0] >= 0x20 && text[0] != 0x7F;
    }
    const size_t length = text[0] >= 0xF0 ? 4 : text[0] >= 0xE0 ? 3 : 2;
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code = text[0] & (0xFFu >> (length + 1));
    for (size_t index = 1; index < length; index++) {
        if ((text[index] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[index] & 0x3F);
    }
    const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
    const bool is_invisible = code < 0xA0 || code == 0x2028 || code == 0x2029 || code == 0xFEFF ||
                              (code & 0xFFFE) == 0xFFFE;
    const bool is_bad = text[0] < 0xC2 || text[0] > 0xF4 || code < lowest[length] ||
                        code > 0x10FFFF || is_surrogate;
    return is_bad || is_invisible ? 0 : length;
}

static bool
text_read(const struct gf_param *row, const char *text, char *out, struct gf_value_fault *fault)
{
    const size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        const size_t step = character_length((const unsigned char *)text + at);
        if (step == 0) {
            return fault_set(
                fault, "has a line break, control character or invalid UTF-8 at byte %zu", at + 1);
        }
        at += step;
    }
    if (length >= row->size) {
        return fault_set(fault, "is longer than %u bytes", row->size - 1);
    }
    memset(out, 0, row->size);
    memcpy(out, text, length);
    return true;
}

/* ---- */

bool
gf_value_read(const struct gf_param *row, const char *text, void *base,
              struct gf_value_fault *fault)
{
    void *const field = (char *)base + row->offset;
    *fault = (struct gf_value_fault){.text = ""};
    switch (row->type) {
    case GF_PARAM_BOOL:
        return bool_read(text, field, fault);
    case GF_PARAM_INT:
        return scaled_read(row, text, 0, field, fault);
    case GF_PARAM_REAL:
        return real_read(row, text, field, fault);
    case GF_PARAM_DURATION:
        return duration_read(row, text, &((struct gf_duration *)field)->us, fault);
    case GF_PARAM_MONEY:
        return scaled_read(row, text, 6, &((struct gf_money *)field)->micro, fault);
    case GF_PARAM_PRICE:
        return scaled_read(row, text, 8, &((struct gf_price *)field)->e8_per_kwh, fault);
    case GF_PARAM_ENERGY:
        return scaled_read(row, text, 6, &((struct gf_energy *)field)->micro_kwh, fault);
    case GF_PARAM_SIZE:
        return size_read(row, text, field, fault);
    case GF_PARAM_TEXT:
        return text_read(row, text, field, fault);
    case GF_PARAM_CHOICE:
        return choice_read(row, text, field, fault);
    case GF_PARAM_TABLE:
        break;
    }
    return fault_set(fault, "must be a list");
}
