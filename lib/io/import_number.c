#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "io/import_number.h"

/* 10^38 fits in 128 bits: 20 digits of the text, 18 of the factor. Digits beyond are remembered as
 * "not zero". */
#define DIGIT_COUNT_MAX 20
#define SHIFT_MAX       18

struct digits {
    unsigned __int128 magnitude;
    int decimals; /* digits of magnitude after the point, less those cut before it */
    bool is_negative, has_rest, has_digit;
};

/* The exponent, "e-05". False: garbage, or so large that nothing here could mean it. */
static bool
exponent_scan(const char *text, size_t size, int *out)
{
    size_t at = size > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    int value = 0;
    if (at == size || size - at > 3) {
        return false;
    }
    for (; at < size; at++) {
        if (!isdigit((unsigned char)text[at])) {
            return false;
        }
        value = 10 * value + (text[at] - '0');
    }
    *out = text[0] == '-' ? -value : value;
    return true;
}

static bool
digits_scan(const char *text, size_t size, char mark, struct digits *out)
{
    struct digits digits = {.is_negative = size > 0 && text[0] == '-'};
    int count = 0, exponent = 0;
    bool has_point = false;
    for (size_t at = size > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0; at < size; at++) {
        const char letter = text[at];
        if (letter == mark && !has_point) {
            has_point = true;
        } else if ((letter == 'e' || letter == 'E') && digits.has_digit) {
            if (!exponent_scan(text + at + 1, size - at - 1, &exponent)) {
                return false;
            }
            break;
        } else if (!isdigit((unsigned char)letter)) {
            return false;
        } else {
            digits.has_digit = true;
            if (count < DIGIT_COUNT_MAX) {
                digits.magnitude = digits.magnitude * 10 + (unsigned)(letter - '0');
                count += digits.magnitude != 0;
                digits.decimals += has_point;
            } else {
                digits.has_rest |= letter != '0';
                digits.decimals -= !has_point;
            }
        }
    }
    digits.decimals -= exponent;
    *out = digits;
    return digits.has_digit;
}

/* magnitude / 10^down, half to even; `has_rest`: a little more than the magnitude says. */
static unsigned __int128
round_down(unsigned __int128 magnitude, int down, bool has_rest, bool *is_exact_out)
{
    unsigned cut = 0;
    for (; down > 0 && (magnitude != 0 || cut != 0); down--) {
        has_rest |= cut != 0;
        cut = (unsigned)(magnitude % 10);
        magnitude /= 10;
    }
    *is_exact_out = cut == 0 && !has_rest;
    const bool up = cut > 5 || (cut == 5 && (has_rest || magnitude % 2 != 0));
    return magnitude + (up ? 1 : 0);
}

enum gf_rc
gf_import_number_parse(const struct gf_import_number *number, const char *text, size_t size,
                       int64_t *out)
{
    assert(number->factor > 0);
    struct digits digits = {.magnitude = 0};
    if (!digits_scan(text, size, number->decimal_mark, &digits)) {
        return GF_E_BAD_FIELD;
    }
    unsigned __int128 magnitude = digits.magnitude * (unsigned __int128)number->factor;
    int shift = number->shift - digits.decimals;
    for (; shift > 0 && magnitude != 0; shift--) {
        if (magnitude > (unsigned __int128)INT64_MAX) {
            return GF_E_RANGE;
        }
        magnitude *= 10;
    }
    bool is_exact = true;
    magnitude = round_down(magnitude, shift < 0 ? -shift : 0, digits.has_rest, &is_exact);
    if (number->must_be_whole && !is_exact) {
        return GF_E_BAD_FIELD;
    }
    if (magnitude > (unsigned __int128)INT64_MAX) {
        return GF_E_RANGE;
    }
    *out = digits.is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return GF_OK;
}

enum gf_rc
gf_import_number_scale(struct gf_import_number *number, const char *text, size_t size)
{
    struct digits digits = {.magnitude = 0};
    if (!digits_scan(text, size, '.', &digits) || digits.is_negative || digits.magnitude == 0 ||
        digits.has_rest) {
        return GF_E_BAD_FIELD;
    }
    for (; digits.magnitude % 10 == 0; digits.decimals--) {
        digits.magnitude /= 10;
    }
    const unsigned __int128 factor = digits.magnitude * (unsigned __int128)number->factor;
    const int shift = number->shift - digits.decimals;
    if (factor > (unsigned __int128)1000000000000000000 || shift > SHIFT_MAX ||
        shift < -2 * SHIFT_MAX) {
        return GF_E_RANGE;
    }
    number->factor = (int64_t)factor;
    number->shift = shift;
    return GF_OK;
}

/* ---- units ---- */

struct unit {
    const char *of;   /* the field's unit */
    const char *name; /* the file's */
    int64_t factor;
    int shift;
};

static const struct unit units[] = {
    {"kWh", "kWh", 1, 0}, {"kWh", "Wh", 1, -3}, {"kWh", "MWh", 1, 3}, {"kWh", "GWh", 1, 6},
    {"kW", "kW", 1, 0},   {"kW", "W", 1, -3},   {"kW", "MW", 1, 3},   {"kW", "GW", 1, 6},
    {"W", "W", 1, 0},     {"W", "kW", 1, 3},    {"W", "MW", 1, 6},    {"s", "s", 1, 0},
    {"s", "min", 60, 0},  {"s", "h", 3600, 0},  {"min", "min", 1, 0}, {"min", "h", 60, 0},
    {"V", "V", 1, 0},     {"V", "kV", 1, 3},    {"A", "A", 1, 0},     {"A", "mA", 1, -3},
};

static const char *const choices[][2] = {
    {"kWh", "kWh, Wh, MWh or GWh"},
    {"currency/kWh", "EUR/MWh, EUR/kWh, cent/kWh (or another currency, or the word currency)"},
    {"currency", "EUR, cent (or another currency, or the word currency)"},
    {"kW", "kW, W, MW or GW"},
    {"W", "W, kW or MW"},
    {"s", "s, min or h"},
    {"min", "min or h"},
    {"V", "V or kV"},
    {"A", "A or mA"},
};

const char *
gf_import_unit_choice(const struct gf_type *type)
{
    for (size_t i = 0; type->unit != NULL && i < sizeof(choices) / sizeof(choices[0]); i++) {
        if (strcmp(choices[i][0], type->unit) == 0) {
            return choices[i][1];
        }
    }
    return NULL;
}

/* "EUR", "currency" or "cent" of `size` letters. */
static bool
money_apply(const char *text, size_t size, struct gf_import_number *number,
            char currency[GF_IMPORT_CURRENCY_SIZE])
{
    if (size == 4 && memcmp(text, "cent", 4) == 0) {
        number->shift -= 2;
        return true;
    }
    if (size == 8 && memcmp(text, "currency", 8) == 0) {
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < 'A' || text[i] > 'Z') {
            return false;
        }
    }
    if (size != GF_IMPORT_CURRENCY_SIZE - 1) {
        return false;
    }
    memcpy(currency, text, size);
    return true;
}

enum gf_rc
gf_import_unit_apply(const struct gf_type *type, const char *unit, struct gf_import_number *number,
                     char currency_out[GF_IMPORT_CURRENCY_SIZE])
{
    assert(type->unit != NULL);
    memset(currency_out, 0, GF_IMPORT_CURRENCY_SIZE);
    if (strcmp(type->unit, "currency") == 0) {
        return money_apply(unit, strlen(unit), number, currency_out) ? GF_OK : GF_E_BAD_FIELD;
    }
    if (strcmp(type->unit, "currency/kWh") == 0) {
        const char *slash = strchr(unit, '/');
        if (slash == NULL || !money_apply(unit, (size_t)(slash - unit), number, currency_out)) {
            return GF_E_BAD_FIELD;
        }
        number->shift += strcmp(slash, "/MWh") == 0 ? -3 : strcmp(slash, "/Wh") == 0 ? 3 : 0;
        const bool is_known =
            strcmp(slash, "/MWh") == 0 || strcmp(slash, "/kWh") == 0 || strcmp(slash, "/Wh") == 0;
        return is_known ? GF_OK : GF_E_BAD_FIELD;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].of, type->unit) == 0 && strcmp(units[i].name, unit) == 0) {
            number->factor *= units[i].factor;
            number->shift += units[i].shift;
            return GF_OK;
        }
    }
    return GF_E_BAD_FIELD;
}
