/* Zones from the bytes of a TZif file, RFC 8536. */
#include <string.h>

#include "base/civil.h"

#define ZONE_HEADER_SIZE 44
#define ZONE_TYPE_SIZE   6
/* RFC 8536, 3.2: an offset is more than -25 hours and less than 26. */
#define ZONE_OFFSET_S_MIN (-25 * 3600)
#define ZONE_OFFSET_S_MAX (26 * 3600)
/* Footer rules are written out as transitions up to this time (2100-01-01), where the table has
 * room: searching is much cheaper than working the rules out for each meter reading. */
#define ZONE_TABLE_END_S INT64_C(4102444800)

/* A file while it is read. Nothing is read before `reader_has` said yes. */
struct reader {
    const char *name;
    const uint8_t *data;
    size_t size, at;
    struct gf_error *error;
};

static enum gf_rc
reader_fail(const struct reader *reader, const char *what)
{
    return gf_fail(reader->error, GF_E_BAD_DATA, "zone %s: byte %zu: %s", reader->name, reader->at,
                   what);
}

static bool
reader_has(const struct reader *reader, uint64_t size)
{
    return size <= reader->size - reader->at;
}

static uint64_t
big_endian(const uint8_t *data, size_t size)
{
    uint64_t value = 0;
    for (size_t index = 0; index < size; index++) {
        value = value << 8 | data[index];
    }
    return value;
}

struct header {
    uint8_t version;
    uint32_t ut_count, standard_count, leap_count, transition_count, type_count, char_count;
};

static enum gf_rc
header_read(struct reader *reader, struct header *header)
{
    if (!reader_has(reader, ZONE_HEADER_SIZE)) {
        return reader_fail(reader, "the file ends inside a header");
    }
    const uint8_t *data = reader->data + reader->at;
    if (memcmp(data, "TZif", 4) != 0) {
        return reader_fail(reader, "not a TZif header");
    }
    *header = (struct header){
        .version = data[4],
        .ut_count = (uint32_t)big_endian(data + 20, 4),
        .standard_count = (uint32_t)big_endian(data + 24, 4),
        .leap_count = (uint32_t)big_endian(data + 28, 4),
        .transition_count = (uint32_t)big_endian(data + 32, 4),
        .type_count = (uint32_t)big_endian(data + 36, 4),
        .char_count = (uint32_t)big_endian(data + 40, 4),
    };
    reader->at += ZONE_HEADER_SIZE;
    return GF_OK;
}

/* Size of the body behind a header; six 32-bit counts cannot overflow 64 bits. */
static uint64_t
body_size(const struct header *header, uint64_t time_size)
{
    return header->transition_count * (time_size + 1) + header->type_count * UINT64_C(6) +
           header->char_count + header->leap_count * (time_size + 4) + header->standard_count +
           header->ut_count;
}

static enum gf_rc
body_check(const struct reader *reader, const struct header *header)
{
    if (header->version < '2') {
        return reader_fail(reader, "version 1 has no 64-bit times; make it with a newer zic");
    }
    if (header->leap_count != 0) {
        return reader_fail(reader,
                           "leap seconds are not supported; use the zone without \"right/\"");
    }
    if (header->transition_count > GF_ZONE_TRANSITION_COUNT_MAX) {
        return reader_fail(reader, "more transitions than there is room for");
    }
    if (header->type_count == 0 || header->type_count > GF_ZONE_TYPE_COUNT_MAX) {
        return reader_fail(reader, "the number of local time types is not in 1..64");
    }
    if (!reader_has(reader, body_size(header, 8))) {
        return reader_fail(reader, "the file ends inside its table");
    }
    return GF_OK;
}

static enum gf_rc
body_read(struct reader *reader, const struct header *header, struct gf_zone *zone)
{
    const uint64_t size = body_size(header, 8);
    const uint8_t *times = reader->data + reader->at;
    const uint8_t *indexes = times + (size_t)header->transition_count * 8;
    const uint8_t *types = indexes + header->transition_count;
    int32_t offsets_s[GF_ZONE_TYPE_COUNT_MAX] = {0};
    for (uint32_t index = 0; index < header->type_count; index++) {
        const int32_t offset_s = (int32_t)big_endian(types + (size_t)index * ZONE_TYPE_SIZE, 4);
        if (offset_s <= ZONE_OFFSET_S_MIN || offset_s >= ZONE_OFFSET_S_MAX) {
            reader->at = (size_t)(types - reader->data) + (size_t)index * ZONE_TYPE_SIZE;
            return reader_fail(reader, "an offset of more than a day");
        }
        offsets_s[index] = offset_s;
    }
    zone->offset_first_s = offsets_s[0];
    zone->transition_count = header->transition_count;
    for (uint32_t index = 0; index < header->transition_count; index++) {
        zone->at_s[index] = (int64_t)big_endian(times + (size_t)index * 8, 8);
        if (index > 0 && zone->at_s[index] <= zone->at_s[index - 1]) {
            reader->at += (size_t)index * 8;
            return reader_fail(reader, "transitions are not in ascending order");
        }
        if (indexes[index] >= header->type_count) {
            reader->at = (size_t)(indexes - reader->data) + index;
            return reader_fail(reader, "a transition to a local time type that is not there");
        }
        zone->offset_s[index] = offsets_s[indexes[index]];
    }
    reader->at += (size_t)size;
    return GF_OK;
}

static bool
footer_accept(struct reader *reader, char wanted)
{
    if (reader_has(reader, 1) && reader->data[reader->at] == (uint8_t)wanted) {
        reader->at++;
        return true;
    }
    return false;
}

/* One or more digits, at most `max`. */
static bool
footer_number(struct reader *reader, uint32_t max, uint32_t *out)
{
    uint32_t number = 0;
    const size_t start = reader->at;
    while (reader_has(reader, 1) && reader->data[reader->at] >= '0' &&
           reader->data[reader->at] <= '9') {
        number = number * 10 + (reader->data[reader->at] - '0');
        reader->at++;
        if (number > max) {
            return false;
        }
    }
    *out = number;
    return reader->at > start;
}

/* "CET" or "<+0330>"; only its end matters here. */
static bool
footer_name(struct reader *reader)
{
    const bool quoted = footer_accept(reader, '<');
    const size_t start = reader->at;
    while (reader_has(reader, 1)) {
        const uint8_t letter = reader->data[reader->at];
        const bool alphabetic =
            (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z');
        const bool in_quotes = (letter >= '0' && letter <= '9') || letter == '+' || letter == '-';
        if (!alphabetic && !(quoted && in_quotes)) {
            break;
        }
        reader->at++;
    }
    return reader->at - start >= 3 && (!quoted || footer_accept(reader, '>'));
}

/* "[+-]h[h][:mm[:ss]]" in seconds. */
static bool
footer_time(struct reader *reader, uint32_t hours_max, int32_t *out_s)
{
    const bool negative = footer_accept(reader, '-');
    if (!negative) {
        footer_accept(reader, '+');
    }
    uint32_t hours = 0, minutes = 0, seconds = 0;
    if (!footer_number(reader, hours_max, &hours)) {
        return false;
    }
    if (footer_accept(reader, ':')) {
        if (!footer_number(reader, 59, &minutes)) {
            return false;
        }
        if (footer_accept(reader, ':') && !footer_number(reader, 59, &seconds)) {
            return false;
        }
    }
    const int32_t total_s = (int32_t)(hours * 3600 + minutes * 60 + seconds);
    *out_s = negative ? -total_s : total_s;
    return true;
}

/* ",M3.5.0/2", ",J60" or ",59/-1". */
static bool
footer_rule(struct reader *reader, struct gf_zone_rule *rule)
{
    uint32_t month = 0, week = 0, weekday = 0, day = 0;
    if (!footer_accept(reader, ',')) {
        return false;
    }
    *rule = (struct gf_zone_rule){.kind = 'N', .time_s = 2 * 3600};
    if (footer_accept(reader, 'M')) {
        rule->kind = 'M';
        if (!footer_number(reader, 12, &month) || month < 1 || !footer_accept(reader, '.') ||
            !footer_number(reader, 5, &week) || week < 1 || !footer_accept(reader, '.') ||
            !footer_number(reader, 6, &weekday)) {
            return false;
        }
    } else if (footer_accept(reader, 'J')) {
        rule->kind = 'J';
        if (!footer_number(reader, 365, &day) || day < 1) {
            return false;
        }
    } else if (!footer_number(reader, 365, &day)) {
        return false;
    }
    rule->month = (uint8_t)month;
    rule->week = (uint8_t)week;
    rule->weekday = (uint8_t)weekday;
    rule->day = (uint16_t)day;
    /* RFC 8536, 3.3.1 widens the hours of POSIX to a week either way. */
    return !footer_accept(reader, '/') || footer_time(reader, 167, &rule->time_s);
}

static enum gf_rc
footer_read(struct reader *reader, struct gf_zone *zone)
{
    if (!footer_accept(reader, '\n')) {
        return reader_fail(reader, "the footer is missing");
    }
    if (footer_accept(reader, '\n')) {
        return GF_OK;
    }
    /* POSIX counts west of Greenwich, the rest of the world east. */
    int32_t west_s = 0;
    if (!footer_name(reader) || !footer_time(reader, 24, &west_s)) {
        return reader_fail(reader, "the footer has no standard time");
    }
    zone->has_footer = true;
    zone->standard_offset_s = -west_s;
    if (footer_accept(reader, '\n')) {
        return GF_OK;
    }
    zone->has_daylight = true;
    if (!footer_name(reader)) {
        return reader_fail(reader, "the footer has no name for daylight time");
    }
    west_s = -(zone->standard_offset_s + 3600);
    if (reader_has(reader, 1) && reader->data[reader->at] != ',' &&
        !footer_time(reader, 24, &west_s)) {
        return reader_fail(reader, "the footer has no offset of daylight time");
    }
    zone->daylight_offset_s = -west_s;
    if (!footer_rule(reader, &zone->daylight_start) || !footer_rule(reader, &zone->daylight_end)) {
        return reader_fail(reader, "the footer has no rule that can be used");
    }
    if (!footer_accept(reader, '\n')) {
        return reader_fail(reader, "the footer does not end");
    }
    return GF_OK;
}

/* The answers of the zone stay what they were: from its last transition on, they are the footer's.
 */
static void
zone_extend_table(struct gf_zone *zone)
{
    while (zone->has_footer && zone->transition_count > 0 &&
           zone->transition_count < GF_ZONE_TRANSITION_COUNT_MAX) {
        const uint32_t count = zone->transition_count;
        const int64_t last_s = zone->at_s[count - 1];
        if (last_s < -ZONE_TABLE_END_S || last_s >= ZONE_TABLE_END_S) {
            return;
        }
        struct gf_time from, to, beyond;
        const struct gf_time last = {last_s * GF_US_PER_S};
        const int32_t last_offset_s = gf_zone_offset_range(zone, last, &from, &to);
        if (to.us >= ZONE_TABLE_END_S * GF_US_PER_S) {
            return;
        }
        const int32_t next_offset_s = gf_zone_offset_range(zone, to, &from, &beyond);
        zone->offset_s[count - 1] = last_offset_s;
        zone->at_s[count] = to.us / GF_US_PER_S;
        zone->offset_s[count] = next_offset_s;
        zone->transition_count++;
    }
}

enum gf_rc
gf_zone_parse(const char *name, const uint8_t *data, size_t size, struct gf_zone *out,
              struct gf_error *error)
{
    struct reader reader = {.name = name, .data = data, .size = size, .error = error};
    struct gf_zone zone = {.transition_count = 0};
    if (strlen(name) >= sizeof(zone.name)) {
        return reader_fail(&reader, "the name is too long");
    }
    memcpy(zone.name, name, strlen(name) + 1);

    /* The first header and body have 32-bit times, for readers of version 1: they are jumped over.
     */
    struct header header;
    enum gf_rc rc = header_read(&reader, &header);
    if (rc != GF_OK) {
        return rc;
    }
    if (!reader_has(&reader, body_size(&header, 4))) {
        return reader_fail(&reader, "the file ends inside its 32-bit table");
    }
    reader.at += (size_t)body_size(&header, 4);
    if (header.version < '2') {
        return reader_fail(&reader, "version 1 has no 64-bit times; make it with a newer zic");
    }
    rc = header_read(&reader, &header);
    rc = rc != GF_OK ? rc : body_check(&reader, &header);
    rc = rc != GF_OK ? rc : body_read(&reader, &header, &zone);
    rc = rc != GF_OK ? rc : footer_read(&reader, &zone);
    if (rc != GF_OK) {
        return rc;
    }
    zone_extend_table(&zone);
    *out = zone;
    return GF_OK;
}
