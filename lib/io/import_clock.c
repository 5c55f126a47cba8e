/* The time keys of a mapping: format, time zone, what to do where clocks are turned, shifts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/zones.h"
#include "io/import_compile.h"

/* "+10:00": a clock that is never turned. */
static bool
offset_parse(const char *text, int32_t *out)
{
    int hours = 0, minutes = 0, size = 0;
    if ((text[0] != '+' && text[0] != '-') ||
        sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &size) != 2 || strlen(text) != 6 ||
        size != 5 || hours > 15 || hours < 0 || minutes > 59 || minutes < 0) {
        return false;
    }
    *out = (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

/* Reads one zone of the system's; all of them are looked through only for a suggestion. */
static bool
zone_load(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
          struct gf_zone *zone)
{
    struct gf_zones zones = {.count = 0};
    struct gf_error error = {.text = ""};
    if (gf_zones_load(NULL, &zones, &error) != GF_OK) {
        gf_import_complain(compiler, node, "%s", error.text);
        return false;
    }
    const struct gf_zone *const found = gf_zones_find(&zones, node->text);
    if (found != NULL) {
        *zone = *found;
    } else {
        struct gf_suggestion suggestion = {.wrong = node->text};
        for (uint32_t i = 0; i < zones.count; i++) {
            gf_suggestion_offer(&suggestion, zones.items[i].name);
        }
        gf_import_complain(compiler, node, "there is no time zone \"%s\"", node->text);
        gf_complain_help(
            compiler->complaints, "%s%s%s", suggestion.best != NULL ? "did you mean \"" : "",
            suggestion.best != NULL ? suggestion.best
                                    : "an IANA name (Europe/London), UTC, or an offset (+10:00)",
            suggestion.best != NULL ? "\"?" : "");
    }
    gf_zones_free(&zones);
    return found != NULL;
}

const struct gf_zone *
gf_import_zone_get(struct gf_import_compiler *compiler, const struct gf_yaml_node *node)
{
    if (node->kind != GF_YAML_SCALAR) {
        gf_import_complain(compiler, node, "time_zone must be a value");
        return gf_zone_utc();
    }
    if (strcmp(node->text, "UTC") == 0) {
        return gf_zone_utc();
    }
    struct gf_zone *const zone = gf_import_compiler_take(compiler, sizeof *zone);
    int32_t offset_s = 0;
    if (zone == NULL) {
        return gf_zone_utc();
    }
    if (offset_parse(node->text, &offset_s)) {
        zone->offset_first_s = offset_s;
        snprintf(zone->name, sizeof zone->name, "%s", node->text);
        return zone;
    }
    return zone_load(compiler, node, zone) ? zone : gf_zone_utc();
}

void
gf_import_defaults_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                           struct gf_import_defaults *out)
{
    static const char *const ambiguous[] = {"reject", "earlier", "later", "sequence", NULL};
    static const char *const nonexistent[] = {"reject", "filter", NULL};
    const struct gf_yaml_node *const zone = gf_yaml_get(node, "time_zone");
    if (zone != NULL) {
        out->zone = gf_import_zone_get(compiler, zone);
    }
    out->ambiguous = (enum gf_import_ambiguous)gf_import_member_choice(
        compiler, node, "ambiguous", ambiguous, (int)out->ambiguous);
    out->nonexistent_is_filtered =
        gf_import_member_choice(compiler, node, "nonexistent", nonexistent,
                                out->nonexistent_is_filtered) == 1;
}

static void
format_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
               struct gf_import_time *out)
{
    static const struct {
        const char *name;
        enum gf_import_time_format format;
        const char *pattern;
        int shift;
    } formats[] = {
        {"rfc3339", GF_IMPORT_TIME_RFC3339, NULL, 0},
        {"date", GF_IMPORT_TIME_PATTERN, "YYYY-MM-DD", 0},
        {"epoch_s", GF_IMPORT_TIME_EPOCH, NULL, 6},
        {"epoch_ms", GF_IMPORT_TIME_EPOCH, NULL, 3},
        {"epoch_us", GF_IMPORT_TIME_EPOCH, NULL, 0},
    };
    const char *const text = gf_import_member_text(compiler, node, "format");
    out->format = GF_IMPORT_TIME_RFC3339;
    if (text == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(formats[i].name, text) == 0) {
            out->format = formats[i].format;
            out->pattern = formats[i].pattern;
            out->epoch_shift = formats[i].shift;
            return;
        }
    }
    if (!gf_import_pattern_is_valid(text)) {
        gf_import_complain(compiler, gf_yaml_get(node, "format"), "\"%s\" is not a time format",
                           text);
        gf_complain_help(
            compiler->complaints,
            "rfc3339, date, epoch_s, epoch_ms, epoch_us, or a pattern like YYYY-MM-DD HH:MM:SS");
        return;
    }
    out->format = GF_IMPORT_TIME_PATTERN;
    out->pattern = gf_import_memory_text(compiler->memory, text, strlen(text));
}

/* row: {start: 2016-08-01T00:00:00Z, step: 1h} */
static void
row_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
            struct gf_import_time *out)
{
    static const char *const keys[] = {"start", "step", NULL};
    const struct gf_yaml_node *const row = gf_yaml_get(node, "row");
    if (row == NULL || !gf_import_keys_check(compiler, row, keys, "row")) {
        return;
    }
    const char *const start = gf_import_member_text(compiler, row, "start");
    const char *const step = gf_import_member_text(compiler, row, "step");
    int32_t days = 0;
    if (start == NULL || gf_time_parse(start, strlen(start), &out->row_start) != GF_OK) {
        gf_import_complain(compiler, row, "row.start must be a time like 2016-08-01T00:00:00Z");
    }
    if (step == NULL || gf_import_duration_parse(step, &days, &out->row_step) != GF_OK) {
        gf_import_complain(compiler, row, "row.step must be a duration like 1h");
    }
    out->row_step.us += days * GF_US_PER_DAY;
    out->format = GF_IMPORT_TIME_ROW;
}

void
gf_import_time_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                       struct gf_import_time *out)
{
    static const char *const marks[] = {"interval_start", "interval_end", NULL};
    struct gf_import_defaults own = compiler->defaults;
    gf_import_defaults_compile(compiler, node, &own);
    *out = (struct gf_import_time){.zone = own.zone,
                                   .ambiguous = own.ambiguous,
                                   .nonexistent_is_filtered = own.nonexistent_is_filtered,
                                   .id = compiler->time_count++};
    format_compile(compiler, node, out);
    row_compile(compiler, node, out);
    const char *const shift = gf_import_member_text(compiler, node, "shift");
    if (shift != NULL && gf_import_duration_parse(shift, &out->shift_days, &out->shift) != GF_OK) {
        gf_import_complain(compiler, gf_yaml_get(node, "shift"),
                           "\"%s\" is not a duration like -364d, 30m or 10s", shift);
    }
    const char *const at = gf_import_member_text(compiler, node, "at");
    out->has_at = at != NULL;
    if (at != NULL && gf_import_day_time_parse(at, &out->at_us) != GF_OK) {
        gf_import_complain(compiler, gf_yaml_get(node, "at"),
                           "\"%s\" is not a time of day like 12:45", at);
    }
    struct gf_duration interval = {0};
    int32_t days = 0;
    const char *const length = gf_import_member_text(compiler, node, "interval");
    if (length != NULL &&
        (gf_import_duration_parse(length, &days, &interval) != GF_OK || days != 0)) {
        gf_import_complain(compiler, gf_yaml_get(node, "interval"),
                           "\"%s\" is not an interval like 30m", length);
    }
    if (gf_import_member_choice(compiler, node, "marks", marks, 0) == 1) {
        if (length == NULL) {
            gf_import_complain(compiler, gf_yaml_get(node, "marks"),
                               "interval_end needs `interval`, its length");
        }
        out->shift.us -= interval.us;
    }
}
