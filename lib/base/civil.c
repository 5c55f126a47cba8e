#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/civil.h"

#define DAYS_PER_ERA 146097 /* 400 years */
#define DAYS_TO_ERA  719468 /* from 0000-03-01 to 1970-01-01 */

static int64_t
floor_divide(int64_t value, int64_t divisor)
{
    const int64_t quotient = value / divisor;
    return value % divisor < 0 ? quotient - 1 : quotient;
}

/* Years start on 1 March here, so that the leap day is the last day of a year. */
int32_t
gf_days_from_date(int32_t year, uint32_t month, uint32_t day)
{
    assert(month >= 1);
    assert(month <= 12);
    const int64_t march_year = (int64_t)year - (month <= 2 ? 1 : 0);
    const int64_t era = floor_divide(march_year, 400);
    const int64_t year_of_era = march_year - era * 400;
    const int64_t march_month = month > 2 ? month - 3 : month + 9;
    const int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int32_t)(era * DAYS_PER_ERA + day_of_era - DAYS_TO_ERA);
}

void
gf_date_from_days(int32_t days, int32_t *year, uint32_t *month, uint32_t *day)
{
    const int64_t shifted = (int64_t)days + DAYS_TO_ERA;
    const int64_t era = floor_divide(shifted, DAYS_PER_ERA);
    const int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = (uint32_t)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *month = (uint32_t)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (int32_t)(year_of_era + era * 400 + (*month <= 2 ? 1 : 0));
}

uint32_t
gf_weekday_of(int32_t days)
{
    /* 1970-01-01 was a Thursday. */
    const int64_t shifted = (int64_t)days + 3;
    return (uint32_t)(shifted - floor_divide(shifted, 7) * 7);
}

static uint32_t
month_day_count(int32_t year, uint32_t month)
{
    static const uint8_t counts[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : counts[month - 1];
}

/* A text while it is read; once `failed`, all reads give 0. */
struct reader {
    const char *text;
    size_t size, at;
    bool failed;
};

static char
reader_peek(const struct reader *reader)
{
    return reader->at < reader->size ? reader->text[reader->at] : '\0';
}

static bool
reader_accept(struct reader *reader, char wanted)
{
    if (reader->at < reader->size && reader->text[reader->at] == wanted) {
        reader->at++;
        return true;
    }
    return false;
}

static void
reader_expect(struct reader *reader, char wanted)
{
    reader->failed |= !reader_accept(reader, wanted);
}

static uint32_t
reader_number(struct reader *reader, uint32_t digit_count, uint32_t min, uint32_t max)
{
    uint32_t number = 0;
    for (uint32_t index = 0; index < digit_count; index++) {
        const char digit = reader_peek(reader);
        if (digit < '0' || digit > '9') {
            reader->failed = true;
            return min;
        }
        number = number * 10 + (uint32_t)(digit - '0');
        reader->at++;
    }
    if (number < min || number > max) {
        reader->failed = true;
        return min;
    }
    return number;
}

/* Digits after the point, as microseconds; finer ones are cut off. */
static int64_t
reader_fraction_us(struct reader *reader)
{
    int64_t us = 0;
    int64_t unit = GF_US_PER_S / 10;
    const size_t start = reader->at;
    while (reader_peek(reader) >= '0' && reader_peek(reader) <= '9') {
        us += (reader->text[reader->at] - '0') * unit;
        unit /= 10;
        reader->at++;
    }
    reader->failed |= reader->at == start;
    return us;
}

static int64_t
reader_offset_s(struct reader *reader)
{
    if (reader_accept(reader, 'Z') || reader_accept(reader, 'z')) {
        return 0;
    }
    const bool west = reader_accept(reader, '-');
    if (!west) {
        reader_expect(reader, '+');
    }
    const int64_t hours = reader_number(reader, 2, 0, 23);
    reader_expect(reader, ':');
    const int64_t minutes = reader_number(reader, 2, 0, 59);
    const int64_t offset_s = hours * 3600 + minutes * 60;
    return west ? -offset_s : offset_s;
}

enum gf_rc
gf_time_parse(const char *text, size_t size, struct gf_time *out)
{
    struct reader reader = {.text = text, .size = size};
    const int32_t year = (int32_t)reader_number(&reader, 4, 0, 9999);
    reader_expect(&reader, '-');
    const uint32_t month = reader_number(&reader, 2, 1, 12);
    reader_expect(&reader, '-');
    const uint32_t day = reader_number(&reader, 2, 1, month_day_count(year, month));
    int64_t us = gf_days_from_date(year, month, day) * GF_US_PER_DAY;

    if (!reader.failed && reader.at < reader.size) {
        if (!reader_accept(&reader, 'T') && !reader_accept(&reader, 't')) {
            reader_expect(&reader, ' ');
        }
        us += reader_number(&reader, 2, 0, 23) * GF_US_PER_HOUR;
        reader_expect(&reader, ':');
        us += reader_number(&reader, 2, 0, 59) * GF_US_PER_MINUTE;
        reader_expect(&reader, ':');
        us += reader_number(&reader, 2, 0, 59) * GF_US_PER_S;
        if (reader_accept(&reader, '.')) {
            us += reader_fraction_us(&reader);
        }
        us -= reader_offset_s(&reader) * GF_US_PER_S;
    }
    if (reader.failed || reader.at != reader.size) {
        return GF_E_BAD_FIELD;
    }
    *out = (struct gf_time){us};
    return GF_OK;
}

void
gf_time_print(struct gf_time time, char out[GF_TIME_TEXT_SIZE])
{
    if (gf_time_is_none(time)) {
        snprintf(out, GF_TIME_TEXT_SIZE, "never");
        return;
    }
    struct gf_civil civil;
    gf_civil_of(gf_zone_utc(), time, &civil);
    const int printed =
        snprintf(out, GF_TIME_TEXT_SIZE, "%04" PRId32 "-%02u-%02uT%02u:%02u:%02u", civil.year,
                 civil.month, civil.day, civil.hour, civil.minute, civil.second);
    assert(printed > 0);
    assert(printed < GF_TIME_TEXT_SIZE - 8);
    const size_t used = (size_t)printed;
    if (civil.us != 0) {
        snprintf(out + used, GF_TIME_TEXT_SIZE - used, ".%06" PRIu32 "Z", civil.us % 1000000);
    } else {
        snprintf(out + used, GF_TIME_TEXT_SIZE - used, "Z");
    }
}
