/* Civil time: dates, local days and time zones, without a clock and without a file.
 *
 * A zone is a table of transitions made from the bytes of a TZif file (RFC 8536, versions 2 to 4,
 * with its POSIX footer for times after the table). Local days have 23, 24 or 25 hours; slots are
 * counted on local days, stored in UTC. */
#ifndef GF_BASE_CIVIL_H
#define GF_BASE_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/unit.h"

struct gf_civil {
    int32_t year;
    uint8_t month, day; /* from 1 */
    uint8_t hour, minute, second;
    uint32_t us;
    int32_t offset_s; /* local minus UTC, seconds */
};

/* Days since 1970-01-01 of a proleptic Gregorian date, and back. */
int32_t gf_days_from_date(int32_t year, uint32_t month, uint32_t day);
void gf_date_from_days(int32_t days, int32_t *year, uint32_t *month, uint32_t *day);
/* 0 Monday … 6 Sunday. */
uint32_t gf_weekday_of(int32_t days);

/* RFC 3339 "2016-01-02T03:04:05.678Z" (also "+01:00", a space for T, or a date alone, which is
 * midnight UTC). Errors: GF_E_BAD_FIELD. */
GF_MUST_USE enum gf_rc gf_time_parse(const char *text, size_t size, struct gf_time *out);
/* RFC 3339 in UTC; seconds, and microseconds only when they are not 0. "never" for GF_TIME_NONE. */
#define GF_TIME_TEXT_SIZE 40
void gf_time_print(struct gf_time time, char out[GF_TIME_TEXT_SIZE]);

#define GF_ZONE_NAME_SIZE            48
#define GF_ZONE_TRANSITION_COUNT_MAX 512
#define GF_ZONE_TYPE_COUNT_MAX       64

/* One rule of a POSIX TZ footer: "M3.5.0/2" and its like. */
struct gf_zone_rule {
    uint8_t kind;                 /* 'M', 'J' or 'N' (zero-based day) */
    uint8_t month, week, weekday; /* weekday 0 is Sunday, as in POSIX */
    uint16_t day;
    int32_t time_s;
};

struct gf_zone {
    char name[GF_ZONE_NAME_SIZE];
    uint32_t transition_count;
    int64_t at_s[GF_ZONE_TRANSITION_COUNT_MAX];     /* ascending */
    int32_t offset_s[GF_ZONE_TRANSITION_COUNT_MAX]; /* from at_s[i] on */
    int32_t offset_first_s;                         /* before at_s[0] */
    bool has_footer, has_daylight;
    int32_t standard_offset_s, daylight_offset_s;
    struct gf_zone_rule daylight_start, daylight_end;
};

/* Makes `out` from the bytes of a TZif file. Errors: GF_E_BAD_DATA (names the byte). */
GF_MUST_USE enum gf_rc gf_zone_parse(const char *name, const uint8_t *data, size_t size,
                                     struct gf_zone *out, struct gf_error *error);

/* UTC, always there. */
const struct gf_zone *gf_zone_utc(void);

/* Local minus UTC at `time`, in seconds. */
int32_t gf_zone_offset(const struct gf_zone *zone, struct gf_time time);

/* The same, with the half-open range of times over which the answer stays the same, so that a
 * caller can keep it. */
int32_t gf_zone_offset_range(const struct gf_zone *zone, struct gf_time time, struct gf_time *from,
                             struct gf_time *to);

void gf_civil_of(const struct gf_zone *zone, struct gf_time time, struct gf_civil *out);

/* The first instant of a local day (days since 1970-01-01 on the local calendar). */
struct gf_time gf_day_start(const struct gf_zone *zone, int32_t local_day);
/* The local day that `time` falls in. */
int32_t gf_day_of(const struct gf_zone *zone, struct gf_time time);

/* Local wall time to UTC. `ambiguous` is set where the wall time happens twice (the earlier instant
 * is given, or the later one with `later`). Errors: GF_E_BAD_FIELD where the wall time does not
 * exist (spring gap). */
GF_MUST_USE enum gf_rc gf_time_from_local(const struct gf_zone *zone, int32_t local_day,
                                          int64_t us_of_day, bool later, struct gf_time *out,
                                          bool *ambiguous);

#endif
