#include <assert.h>

#include "base/civil.h"

#define ZONE_S_PER_DAY INT64_C(86400)
/* RFC 8536, 3.2: an offset is more than -25 hours and less than 26. */
#define ZONE_OFFSET_S_MIN (-25 * 3600)
#define ZONE_OFFSET_S_MAX (26 * 3600)
/* Times that a `struct gf_time` can hold, in whole seconds. */
#define ZONE_TIME_S_MIN (INT64_MIN / GF_US_PER_S)
#define ZONE_TIME_S_MAX (INT64_MAX / GF_US_PER_S)

static const struct gf_zone zone_utc = {.name = "UTC"};

const struct gf_zone *
gf_zone_utc(void)
{
    return &zone_utc;
}

static int64_t
floor_divide(int64_t value, int64_t divisor)
{
    const int64_t quotient = value / divisor;
    return value % divisor < 0 ? quotient - 1 : quotient;
}

static int64_t
time_s_of(struct gf_time time)
{
    return floor_divide(time.us, GF_US_PER_S);
}

static struct gf_time
time_of_s(int64_t time_s)
{
    int64_t us = 0;
    if (__builtin_mul_overflow(time_s, GF_US_PER_S, &us)) {
        us = time_s < 0 ? INT64_MIN : INT64_MAX;
    }
    return (struct gf_time){us};
}

/* ---- Offsets ---- */

/* A stretch of time with one offset: [from_s, to_s). */
struct stretch {
    int64_t from_s, to_s;
    int32_t offset_s;
};

/* Day of a rule in `year`, in days since 1970-01-01. */
static int64_t
rule_day(const struct gf_zone_rule *rule, int32_t year)
{
    const int64_t new_year = gf_days_from_date(year, 1, 1);
    if (rule->kind == 'N') {
        return new_year + rule->day;
    }
    if (rule->kind == 'J') {
        /* Day 60 is 1 March in every year: 29 February is never counted. */
        const bool leap = gf_days_from_date(year, 3, 1) - new_year == 60;
        return new_year + rule->day - 1 + (leap && rule->day >= 60 ? 1 : 0);
    }
    assert(rule->kind == 'M');
    const int32_t first = gf_days_from_date(year, rule->month, 1);
    const uint32_t first_weekday = (gf_weekday_of(first) + 1) % 7; /* 0 is Sunday */
    const uint32_t to_weekday = (rule->weekday + 7 - first_weekday) % 7;
    const int64_t day = (int64_t)first + to_weekday + 7 * (rule->week - 1);
    const int64_t next_month = rule->month == 12 ? gf_days_from_date(year + 1, 1, 1)
                                                 : gf_days_from_date(year, rule->month + 1u, 1);
    /* Week 5 is the last one, which may be the fourth. */
    return day < next_month ? day : day - 7;
}

static struct stretch
footer_stretch(const struct gf_zone *zone, int64_t time_s)
{
    struct stretch stretch = {
        .from_s = INT64_MIN, .to_s = INT64_MAX, .offset_s = zone->standard_offset_s};
    if (!zone->has_daylight) {
        return stretch;
    }
    int32_t year = 0;
    uint32_t month = 0, day = 0;
    gf_date_from_days((int32_t)floor_divide(time_s, ZONE_S_PER_DAY), &year, &month, &day);
    /* A year's change may fall in the UTC year next to it, so both neighbours are looked at too. On
     * a tie the later candidate wins: daylight time that ends as it starts anew goes on. */
    for (int32_t rule_year = year - 1; rule_year <= year + 1; rule_year++) {
        const int64_t starts_s = rule_day(&zone->daylight_start, rule_year) * ZONE_S_PER_DAY +
                                 zone->daylight_start.time_s - zone->standard_offset_s;
        const int64_t ends_s = rule_day(&zone->daylight_end, rule_year) * ZONE_S_PER_DAY +
                               zone->daylight_end.time_s - zone->daylight_offset_s;
        const bool start_first = starts_s <= ends_s;
        const struct stretch changes[2] = {
            {.from_s = start_first ? starts_s : ends_s,
             .offset_s = start_first ? zone->daylight_offset_s : zone->standard_offset_s},
            {.from_s = start_first ? ends_s : starts_s,
             .offset_s = start_first ? zone->standard_offset_s : zone->daylight_offset_s},
        };
        for (size_t index = 0; index < 2; index++) {
            if (changes[index].from_s > time_s) {
                stretch.to_s =
                    changes[index].from_s < stretch.to_s ? changes[index].from_s : stretch.to_s;
            } else if (changes[index].from_s >= stretch.from_s) {
                stretch.from_s = changes[index].from_s;
                stretch.offset_s = changes[index].offset_s;
            }
        }
    }
    return stretch;
}

static struct stretch
zone_stretch(const struct gf_zone *zone, int64_t time_s)
{
    const uint32_t count = zone->transition_count;
    assert(count <= GF_ZONE_TRANSITION_COUNT_MAX);
    /* How many transitions are at or before the time. */
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (zone->at_s[middle] <= time_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == count && zone->has_footer) {
        struct stretch stretch = footer_stretch(zone, time_s);
        if (count > 0 && stretch.from_s < zone->at_s[count - 1]) {
            stretch.from_s = zone->at_s[count - 1];
        }
        return stretch;
    }
    return (struct stretch){
        .from_s = low == 0 ? INT64_MIN : zone->at_s[low - 1],
        .to_s = low == count ? INT64_MAX : zone->at_s[low],
        .offset_s = low == 0 ? zone->offset_first_s : zone->offset_s[low - 1],
    };
}

int32_t
gf_zone_offset(const struct gf_zone *zone, struct gf_time time)
{
    return zone_stretch(zone, time_s_of(time)).offset_s;
}

int32_t
gf_zone_offset_range(const struct gf_zone *zone, struct gf_time time, struct gf_time *from,
                     struct gf_time *to)
{
    const struct stretch stretch = zone_stretch(zone, time_s_of(time));
    *from = time_of_s(stretch.from_s);
    *to = time_of_s(stretch.to_s);
    return stretch.offset_s;
}

/* ---- Local days ---- */

void
gf_civil_of(const struct gf_zone *zone, struct gf_time time, struct gf_civil *out)
{
    const int64_t time_s = time_s_of(time);
    const int32_t offset_s = zone_stretch(zone, time_s).offset_s;
    const int64_t local_s = time_s + offset_s;
    const int64_t local_day = floor_divide(local_s, ZONE_S_PER_DAY);
    const int64_t second_of_day = local_s - local_day * ZONE_S_PER_DAY;
    int32_t year = 0;
    uint32_t month = 0, day = 0;
    gf_date_from_days((int32_t)local_day, &year, &month, &day);
    *out = (struct gf_civil){
        .year = year,
        .month = (uint8_t)month,
        .day = (uint8_t)day,
        .hour = (uint8_t)(second_of_day / 3600),
        .minute = (uint8_t)(second_of_day / 60 % 60),
        .second = (uint8_t)(second_of_day % 60),
        .us = (uint32_t)((uint64_t)time.us - (uint64_t)time_s * (uint64_t)GF_US_PER_S),
        .offset_s = offset_s,
    };
}

static int64_t
clamp_time_s(int64_t time_s)
{
    time_s = time_s < ZONE_TIME_S_MIN ? ZONE_TIME_S_MIN : time_s;
    return time_s > ZONE_TIME_S_MAX ? ZONE_TIME_S_MAX : time_s;
}

/* The first instant whose wall clock shows this day or a later one: midnight may be in a gap (then
 * the day starts at 01:00) or happen twice (then the first counts); a day that was skipped starts
 * where the next one does. */
struct gf_time
gf_day_start(const struct gf_zone *zone, int32_t local_day)
{
    const int64_t local_s = clamp_time_s(local_day * ZONE_S_PER_DAY);
    int64_t time_s = local_s - ZONE_OFFSET_S_MAX;
    struct stretch stretch = zone_stretch(zone, time_s);
    while (local_s - stretch.offset_s >= stretch.to_s) {
        time_s = stretch.to_s;
        stretch = zone_stretch(zone, time_s);
    }
    const int64_t reached_s = local_s - stretch.offset_s;
    return time_of_s(reached_s > time_s ? reached_s : time_s);
}

int32_t
gf_day_of(const struct gf_zone *zone, struct gf_time time)
{
    const int64_t time_s = time_s_of(time);
    return (int32_t)floor_divide(time_s + zone_stretch(zone, time_s).offset_s, ZONE_S_PER_DAY);
}

enum gf_rc
gf_time_from_local(const struct gf_zone *zone, int32_t local_day, int64_t us_of_day, bool later,
                   struct gf_time *out, bool *ambiguous)
{
    if (us_of_day < 0 || us_of_day > GF_US_PER_DAY) {
        return GF_E_BAD_FIELD;
    }
    const int64_t local_s = local_day * ZONE_S_PER_DAY + us_of_day / GF_US_PER_S;
    const int64_t edge_s = ZONE_S_PER_DAY * 3;
    if (local_s < ZONE_TIME_S_MIN + edge_s || local_s > ZONE_TIME_S_MAX - edge_s) {
        return GF_E_BAD_FIELD;
    }
    /* Every stretch that an instant with this wall time can lie in. */
    uint32_t found_count = 0;
    int64_t found_s = 0;
    int64_t at_s = local_s - ZONE_OFFSET_S_MAX;
    while (at_s < local_s - ZONE_OFFSET_S_MIN) {
        const struct stretch stretch = zone_stretch(zone, at_s);
        const int64_t time_s = local_s - stretch.offset_s;
        if (time_s >= stretch.from_s && time_s < stretch.to_s) {
            found_s = found_count == 0 || later ? time_s : found_s;
            found_count++;
        }
        at_s = stretch.to_s;
    }
    if (found_count == 0) {
        return GF_E_BAD_FIELD;
    }
    *out = (struct gf_time){found_s * GF_US_PER_S + us_of_day % GF_US_PER_S};
    if (ambiguous != NULL) {
        *ambiguous = found_count > 1;
    }
    return GF_OK;
}
