#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"
#include "config/value_unit.h"

const struct gf_unit gf_duration_units[] = {
    {"d", GF_US_PER_DAY},
    {"h", GF_US_PER_HOUR},
    {"m", GF_US_PER_MINUTE},
    {"s", GF_US_PER_S},
    {"ms", 1000},
    {"us", 1},
    {NULL, 0},
};
const struct gf_unit gf_size_units[] = {
    {"TiB", INT64_C(1) << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20},
    {"KiB", 1 << 10},          {"B", 1},         {NULL, 0},
};
const char *
gf_value_type_name(enum gf_param_type type)
{
    static const char *const names[] = {
        [GF_PARAM_BOOL] = "true or false",
        [GF_PARAM_INT] = "a whole number",
        [GF_PARAM_REAL] = "a number",
        [GF_PARAM_DURATION] = "a duration",
        [GF_PARAM_MONEY] = "an amount of money",
        [GF_PARAM_PRICE] = "a price",
        [GF_PARAM_ENERGY] = "an energy",
        [GF_PARAM_SIZE] = "a size",
        [GF_PARAM_TEXT] = "a text",
        [GF_PARAM_CHOICE] = "a choice",
        [GF_PARAM_TABLE] = "a list",
    };
    return names[type];
}

static void
duration_print(int64_t us, FILE *out)
{
    const struct gf_unit *unit = gf_duration_units;
    while (us % unit->factor != 0) {
        unit++;
    }
    fprintf(out, "%" PRId64 "%s", us == 0 ? 0 : us / unit->factor, us == 0 ? "s" : unit->name);
}

static void
size_print(int64_t bytes, FILE *out)
{
    const struct gf_unit *unit = gf_size_units;
    while (bytes % unit->factor != 0) {
        unit++;
    }
    if (bytes == 0 || unit->factor == 1) {
        fprintf(out, "%" PRId64, bytes);
    } else {
        fprintf(out, "%" PRId64 "%s", bytes / unit->factor, unit->name);
    }
}

bool
gf_value_is_limited(const struct gf_param *row)
{
    return row->min != 0 || row->max != 0;
}

/* A limit as it would be written. */
static void
limit_print(const struct gf_param *row, double limit, char *out, size_t size)
{
    FILE *const file = fmemopen(out, size, "w");
    if (file == NULL) {
        snprintf(out, size, "%.15g", limit);
        return;
    }
    if (row->type == GF_PARAM_DURATION) {
        duration_print(llround(limit * (double)GF_US_PER_S), file);
    } else if (row->type == GF_PARAM_SIZE) {
        size_print((int64_t)limit, file);
    } else {
        fprintf(file, "%.15g", limit);
    }
    fclose(file);
    out[size - 1] = '\0';
}

void
gf_value_limits(const struct gf_param *row, char *out, size_t size)
{
    out[0] = '\0';
    if (row->type == GF_PARAM_CHOICE) {
        size_t used = 0;
        for (uint32_t index = 0; row->choices[index] != NULL && used < size; index++) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", index > 0 ? ", " : "",
                                     row->choices[index]);
        }
    } else if (gf_value_is_limited(row)) {
        char low[48], high[48];
        limit_print(row, row->min, low, sizeof(low));
        limit_print(row, row->max, high, sizeof(high));
        snprintf(out, size, "%s to %s%s%s", low, high, row->unit != NULL ? " " : "",
                 row->unit != NULL ? row->unit : "");
    }
}

void
gf_text_print(const char *text, FILE *out)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    const bool is_plain = text[0] != '\0' && text[0] != '-' && strspn(text, safe) == strlen(text) &&
                          strcmp(text, "null") != 0;
    if (is_plain) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            fputc('\\', out);
        }
        fputc(*at, out);
    }
    fputc('"', out);
}

/* The shortest decimal that reads back as the same double. */
static void
real_print(double value, FILE *out)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    fputs(text, out);
}

static void
scaled_print(int64_t value, int scale, int decimals_min, FILE *out)
{
    char text[GF_DECIMAL_SIZE];
    const size_t length = gf_decimal_print(value, scale, decimals_min, text, sizeof(text));
    assert(length > 0);
    fputs(text, out);
}

void
gf_value_print(const struct gf_param *row, const void *base, FILE *out)
{
    const void *const field = (const char *)base + row->offset;
    switch (row->type) {
    case GF_PARAM_BOOL:
        fputs(*(const bool *)field ? "true" : "false", out);
        break;
    case GF_PARAM_INT:
        fprintf(out, "%" PRId64, *(const int64_t *)field);
        break;
    case GF_PARAM_REAL:
        real_print(*(const double *)field, out);
        break;
    case GF_PARAM_DURATION:
        duration_print(((const struct gf_duration *)field)->us, out);
        break;
    case GF_PARAM_MONEY:
        scaled_print(((const struct gf_money *)field)->micro, 6, 2, out);
        break;
    case GF_PARAM_PRICE:
        scaled_print(((const struct gf_price *)field)->e8_per_kwh, 8, 2, out);
        break;
    case GF_PARAM_ENERGY:
        scaled_print(((const struct gf_energy *)field)->micro_kwh, 6, 0, out);
        break;
    case GF_PARAM_SIZE:
        size_print(*(const int64_t *)field, out);
        break;
    case GF_PARAM_TEXT:
        gf_text_print(field, out);
        break;
    case GF_PARAM_CHOICE:
        fputs(row->choices[*(const int32_t *)field], out);
        break;
    case GF_PARAM_TABLE:
        break;
    }
}
