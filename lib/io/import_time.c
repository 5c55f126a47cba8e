#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "io/import_number.h"
#include "io/import_time.h"

/* A wall time, as read. */
struct wall {
    int32_t day; /* since 1970-01-01, local calendar */
    int64_t us;  /* of the day; 24:00 is allowed */
};

struct parts {
    int year, month, day, hour, minute, second, us;
    bool has_year, has_month, has_day, has_hour, has_minute;
};

static bool
digits_take(const char **text, const char *end, int count, int *out)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (*text == end || !isdigit((unsigned char)**text)) {
            return false;
        }
        value = 10 * value + (*(*text)++ - '0');
    }
    *out = value;
    return true;
}

/* The element that `pattern` starts with: its letters, or 0 for a character that stands for itself.
 */
static int
element_size(const char *pattern)
{
    static const char *const elements[] = {"YYYY", "MM", "DD", "HH", "SS"};
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
        if (strncmp(pattern, elements[i], strlen(elements[i])) == 0) {
            return (int)strlen(elements[i]);
        }
    }
    return 0;
}

static int *
element_place(const char *pattern, struct parts *parts)
{
    switch (pattern[0]) {
    case 'Y':
        parts->has_year = true;
        return &parts->year;
    case 'D':
        parts->has_day = true;
        return &parts->day;
    case 'H':
        parts->has_hour = true;
        return &parts->hour;
    case 'S':
        return &parts->second;
    default:
        break;
    }
    if (parts->has_hour) {
        parts->has_minute = true;
        return &parts->minute;
    }
    parts->has_month = true;
    return &parts->month;
}

bool
gf_import_pattern_is_valid(const char *pattern)
{
    struct parts parts = {.year = 0};
    while (*pattern != '\0') {
        const int size = element_size(pattern);
        if (size > 0) {
            element_place(pattern, &parts);
        } else if (isalnum((unsigned char)*pattern) && *pattern != 'T') {
            return false;
        }
        pattern += size > 0 ? size : 1;
    }
    return parts.has_year && parts.has_month && parts.has_day;
}

/* Decimals of the last second: ".5000000". */
static bool
fraction_take(const char **text, const char *end, int *us_out)
{
    int us = 0, scale = 100000;
    const char *at = *text + 1;
    for (; at < end && isdigit((unsigned char)*at); at++, scale /= 10) {
        us += (*at - '0') * scale;
    }
    const bool is_good = at > *text + 1 && at == end;
    *text = at;
    *us_out = us;
    return is_good;
}

static bool
wall_parse(const char *pattern, const char *text, size_t size, struct wall *out)
{
    struct parts parts = {.year = 0};
    const char *const end = text + size;
    while (*pattern != '\0') {
        const int element = element_size(pattern);
        if (element > 0 && !digits_take(&text, end, element, element_place(pattern, &parts))) {
            return false;
        }
        if (element == 0 && (text == end || *text++ != *pattern)) {
            return false;
        }
        pattern += element > 0 ? element : 1;
    }
    if (text < end && *text == '.' && pattern[-1] == 'S' && !fraction_take(&text, end, &parts.us)) {
        return false;
    }
    if (text != end || parts.month < 1 || parts.month > 12 || parts.day < 1 || parts.minute > 59 ||
        parts.second > 59) {
        return false;
    }
    int32_t year = 0;
    uint32_t month = 0, day = 0;
    out->day = gf_days_from_date(parts.year, (uint32_t)parts.month, (uint32_t)parts.day);
    gf_date_from_days(out->day, &year, &month, &day);
    out->us = parts.hour * GF_US_PER_HOUR + parts.minute * GF_US_PER_MINUTE +
              parts.second * GF_US_PER_S + parts.us;
    return month == (uint32_t)parts.month && day == (uint32_t)parts.day && out->us <= GF_US_PER_DAY;
}

static struct wall
wall_of(const struct gf_zone *zone, struct gf_time time)
{
    const int64_t local_us = time.us + gf_zone_offset(zone, time) * GF_US_PER_S;
    int64_t us = local_us % GF_US_PER_DAY;
    us += us < 0 ? GF_US_PER_DAY : 0;
    return (struct wall){.day = (int32_t)((local_us - us) / GF_US_PER_DAY), .us = us};
}

/* Which of the two instants of a wall time that happens twice. */
static enum gf_import_outcome
sequence_choose(const struct gf_import_time *rule, const struct gf_import_row *row,
                struct wall wall, bool *later_out, struct gf_error *error)
{
    struct {
        int64_t day, us, id;
        struct gf_digest key;
    } mark = {wall.day, wall.us, (int64_t)rule->id * 4, gf_digest_of(row->key.data, row->key.size)};
    for (int pass = 0; pass < 2; pass++, mark.id++) {
        bool is_new = false;
        if (row->seen == NULL ||
            gf_import_seen_add(row->seen, &mark, sizeof mark, &is_new) != GF_OK) {
            return GF_IMPORT_REJECT(error, "no memory to remember times that happen twice");
        }
        if (is_new) {
            *later_out = pass == 1;
            return GF_IMPORT_RECORD;
        }
    }
    return GF_IMPORT_REJECT(error, "local time comes a third time, and it happened twice");
}

static enum gf_import_outcome
wall_place(const struct gf_import_time *rule, const struct gf_import_row *row, struct wall wall,
           struct gf_span text, struct gf_time *out, struct gf_error *error)
{
    bool is_ambiguous = false, later = rule->ambiguous == GF_IMPORT_AMBIGUOUS_LATER;
    if (gf_time_from_local(rule->zone, wall.day, wall.us, later, out, &is_ambiguous) != GF_OK) {
        if (rule->nonexistent_is_filtered) {
            return GF_IMPORT_FILTERED;
        }
        return GF_IMPORT_REJECT(error, "local time \"%.*s\" does not exist in %s: clocks skip it",
                                GF_SPAN_PRINT(text), rule->zone->name);
    }
    if (is_ambiguous && rule->ambiguous == GF_IMPORT_AMBIGUOUS_REJECT) {
        return GF_IMPORT_REJECT(error, "local time \"%.*s\" happens twice in %s: set `ambiguous`",
                                GF_SPAN_PRINT(text), rule->zone->name);
    }
    if (is_ambiguous && rule->ambiguous == GF_IMPORT_AMBIGUOUS_SEQUENCE) {
        const enum gf_import_outcome outcome = sequence_choose(rule, row, wall, &later, error);
        if (outcome != GF_IMPORT_RECORD || !later) {
            return outcome;
        }
        const enum gf_rc rc = gf_time_from_local(rule->zone, wall.day, wall.us, true, out, NULL);
        assert(rc == GF_OK);
        (void)rc;
    }
    return GF_IMPORT_RECORD;
}

/* A text that is not a wall time, to an instant. */
static bool
instant_parse(const struct gf_import_time *rule, const struct gf_import_row *row,
              struct gf_span text, struct gf_time *out)
{
    if (rule->format == GF_IMPORT_TIME_ROW) {
        int64_t us = 0;
        if (__builtin_mul_overflow((int64_t)row->index, rule->row_step.us, &us)) {
            return false;
        }
        *out = gf_time_add(rule->row_start, (struct gf_duration){us});
        return true;
    }
    if (rule->format == GF_IMPORT_TIME_EPOCH) {
        const struct gf_import_number number = {
            .factor = 1, .shift = rule->epoch_shift, .decimal_mark = '.'};
        return gf_import_number_parse(&number, (const char *)text.data, text.size, &out->us) ==
               GF_OK;
    }
    return gf_time_parse((const char *)text.data, text.size, out) == GF_OK;
}

enum gf_import_outcome
gf_import_time_apply(const struct gf_import_time *rule, const struct gf_import_row *row,
                     struct gf_span text, struct gf_time *out, struct gf_error *error)
{
    struct wall wall = {.day = 0};
    bool is_wall = rule->format == GF_IMPORT_TIME_PATTERN;
    const bool is_read = is_wall
                             ? wall_parse(rule->pattern, (const char *)text.data, text.size, &wall)
                             : instant_parse(rule, row, text, out);
    if (!is_read || (!is_wall && !gf_time_is_valid(*out))) {
        return GF_IMPORT_REJECT(error, "\"%.*s\" is not a time like %s", GF_SPAN_PRINT(text),
                                is_wall ? rule->pattern
                                        : (rule->format == GF_IMPORT_TIME_EPOCH
                                               ? "a number since 1970"
                                               : "2016-01-02T03:04:05Z"));
    }
    if (!is_wall && (rule->shift_days != 0 || rule->has_at)) {
        wall = wall_of(rule->zone, *out);
        is_wall = true;
    }
    if (is_wall) {
        wall.day += rule->shift_days;
        wall.us = rule->has_at ? rule->at_us : wall.us;
        const enum gf_import_outcome outcome = wall_place(rule, row, wall, text, out, error);
        if (outcome != GF_IMPORT_RECORD) {
            return outcome;
        }
    }
    *out = gf_time_add(*out, rule->shift);
    if (!gf_time_is_valid(*out)) {
        return GF_IMPORT_REJECT(error, "time \"%.*s\" is outside [1970, 2200)",
                                GF_SPAN_PRINT(text));
    }
    return GF_IMPORT_RECORD;
}

enum gf_rc
gf_import_duration_parse(const char *text, int32_t *days_out, struct gf_duration *out)
{
    static const struct {
        char letter;
        int64_t us;
    } units[] = {{'s', GF_US_PER_S}, {'m', GF_US_PER_MINUTE}, {'h', GF_US_PER_HOUR}, {'d', 0}};
    const char *at = text + (text[0] == '-' || text[0] == '+');
    int64_t value = 0;
    int count = 0;
    for (; isdigit((unsigned char)*at) && count < 9; at++, count++) {
        value = 10 * value + (*at - '0');
    }
    value = text[0] == '-' ? -value : value;
    for (size_t i = 0; count > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (at[0] == units[i].letter && at[1] == '\0' &&
            !(at[0] == 'd' && (value > 100000 || value < -100000))) {
            *days_out = units[i].us == 0 ? (int32_t)value : 0;
            *out = (struct gf_duration){value * units[i].us};
            return GF_OK;
        }
    }
    return GF_E_BAD_FIELD;
}

enum gf_rc
gf_import_day_time_parse(const char *text, int64_t *us_out)
{
    struct wall wall;
    char whole[32] = "1970-01-01 ";
    const size_t size = strlen(text);
    if (size != 5 && size != 8) {
        return GF_E_BAD_FIELD;
    }
    memcpy(whole + 11, text, size + 1);
    if (!wall_parse(size == 5 ? "YYYY-MM-DD HH:MM" : "YYYY-MM-DD HH:MM:SS", whole, 11 + size,
                    &wall)) {
        return GF_E_BAD_FIELD;
    }
    *us_out = wall.us;
    return GF_OK;
}
