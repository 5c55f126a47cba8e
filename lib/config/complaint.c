#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/complaint.h"

#define EDITS_MAX     2
#define WORD_SIZE_MAX 64

/* Length of the line break at `text`, 0 where there is none: those that libyaml counts. */
static size_t
break_length(const unsigned char *text, size_t size)
{
    if (size >= 2 && text[0] == '\r' && text[1] == '\n') {
        return 2;
    }
    if (text[0] == '\n' || text[0] == '\r') {
        return 1;
    }
    if (size >= 2 && text[0] == 0xC2 && text[1] == 0x85) {
        return 2;
    }
    if (size >= 3 && text[0] == 0xE2 && text[1] == 0x80 && (text[2] == 0xA8 || text[2] == 0xA9)) {
        return 3;
    }
    return 0;
}

static bool
is_character_start(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

/* Copies the line of the place, or so much of it that the caret is inside. */
static void
source_copy(struct gf_complaint *complaint, struct gf_place place)
{
    const char *at = place.text;
    const char *const end = place.text + place.size;
    for (uint32_t line = 1; line < place.line && at < end;) {
        const size_t length = break_length((const unsigned char *)at, (size_t)(end - at));
        line += length > 0;
        at += length > 0 ? length : 1;
    }
    const char *line_end = at;
    while (line_end < end &&
           break_length((const unsigned char *)line_end, (size_t)(end - line_end)) == 0) {
        line_end++;
    }
    uint32_t caret = place.column > 0 ? place.column - 1 : 0;
    const size_t room = sizeof(complaint->source) - 1;
    const uint32_t context = 40;
    while ((size_t)(line_end - at) > room && caret > context) {
        do {
            at++;
        } while (at < line_end && !is_character_start(*at));
        caret--;
    }
    size_t length = (size_t)(line_end - at);
    if (length > room) {
        length = room;
        while (length > 0 && !is_character_start(at[length])) {
            length--;
        }
    }
    for (size_t index = 0; index < length; index++) {
        const bool is_control = (unsigned char)at[index] < 0x20 && at[index] != '\t';
        complaint->source[index] = is_control ? '?' : at[index];
    }
    complaint->source[length] = '\0';
    complaint->caret = caret;
}

enum gf_rc
gf_complain(struct gf_complaints *complaints, struct gf_place place, const char *format, ...)
{
    if (complaints->count == GF_COMPLAINT_COUNT_MAX) {
        complaints->dropped++;
        return GF_E_CONFIG;
    }
    struct gf_complaint *const complaint = &complaints->items[complaints->count++];
    *complaint = (struct gf_complaint){.line = place.line, .column = place.column};
    snprintf(complaint->file, sizeof(complaint->file), "%s", place.file != NULL ? place.file : "");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(complaint->text, sizeof(complaint->text), format, arguments);
    va_end(arguments);
    if (place.text != NULL && place.line > 0) {
        source_copy(complaint, place);
    }
    return GF_E_CONFIG;
}

void
gf_complain_help(struct gf_complaints *complaints, const char *format, ...)
{
    assert(complaints->count > 0);
    if (complaints->dropped > 0) {
        return; /* the help of one that was not kept */
    }
    struct gf_complaint *const complaint = &complaints->items[complaints->count - 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(complaint->help, sizeof(complaint->help), format, arguments);
    va_end(arguments);
}

static void
complaint_print(const struct gf_complaint *complaint, FILE *out)
{
    if (complaint->line > 0) {
        fprintf(out, "%s:%u:%u: error: %s\n", complaint->file, complaint->line, complaint->column,
                complaint->text);
    } else {
        fprintf(out, "%s: error: %s\n", complaint->file, complaint->text);
    }
    if (complaint->source[0] != '\0') {
        fprintf(out, "    %s\n    ", complaint->source);
        const char *at = complaint->source;
        for (uint32_t index = 0; index < complaint->caret; index++) {
            fputc(*at == '\t' ? '\t' : ' ', out);
            do {
                at += *at != '\0';
            } while (!is_character_start(*at));
        }
        fputs("^\n", out);
    }
    if (complaint->help[0] != '\0') {
        fprintf(out, "    help: %s\n", complaint->help);
    }
}

static bool
is_before(const struct gf_complaint *a, const struct gf_complaint *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

void
gf_complaints_print(const struct gf_complaints *complaints, FILE *out)
{
    uint8_t order[GF_COMPLAINT_COUNT_MAX];
    for (uint32_t index = 0; index < complaints->count; index++) {
        uint32_t at = index;
        for (; at > 0 && is_before(&complaints->items[index], &complaints->items[order[at - 1]]);
             at--) {
            order[at] = order[at - 1];
        }
        order[at] = (uint8_t)index;
    }
    for (uint32_t index = 0; index < complaints->count; index++) {
        complaint_print(&complaints->items[order[index]], out);
    }
    if (complaints->dropped > 0) {
        fprintf(out, "and %u more\n", complaints->dropped);
    }
}

enum gf_rc
gf_complaints_error(const struct gf_complaints *complaints, struct gf_error *error)
{
    if (complaints->count == 0) {
        return GF_OK;
    }
    const struct gf_complaint *const first = &complaints->items[0];
    const uint32_t others = complaints->count - 1 + complaints->dropped;
    char more[32] = "";
    if (others > 0) {
        snprintf(more, sizeof(more), " (and %u more)", others);
    }
    if (first->line == 0) {
        return gf_fail(error, GF_E_CONFIG, "%s: %s%s", first->file, first->text, more);
    }
    return gf_fail(error, GF_E_CONFIG, "%s:%u:%u: %s%s", first->file, first->line, first->column,
                   first->text, more);
}

uint32_t
gf_edit_distance(const char *a, const char *b, uint32_t limit)
{
    const size_t a_size = strlen(a), b_size = strlen(b);
    const size_t difference = a_size > b_size ? a_size - b_size : b_size - a_size;
    if (difference > limit || a_size >= WORD_SIZE_MAX || b_size >= WORD_SIZE_MAX) {
        return limit + 1;
    }
    uint32_t rows[3][WORD_SIZE_MAX + 1] = {{0}};
    for (size_t column = 0; column <= b_size; column++) {
        rows[0][column] = (uint32_t)column;
    }
    for (size_t row = 1; row <= a_size; row++) {
        const uint32_t *const before = rows[(row - 1) % 3];
        uint32_t *const current = rows[row % 3];
        current[0] = (uint32_t)row;
        for (size_t column = 1; column <= b_size; column++) {
            uint32_t best = before[column - 1] + (a[row - 1] != b[column - 1]);
            best = before[column] + 1 < best ? before[column] + 1 : best;
            best = current[column - 1] + 1 < best ? current[column - 1] + 1 : best;
            if (row > 1 && column > 1 && a[row - 1] == b[column - 2] &&
                a[row - 2] == b[column - 1]) {
                const uint32_t swapped = rows[(row - 2) % 3][column - 2] + 1;
                best = swapped < best ? swapped : best;
            }
            current[column] = best;
        }
    }
    const uint32_t distance = rows[a_size % 3][b_size];
    return distance <= limit ? distance : limit + 1;
}

void
gf_suggestion_offer(struct gf_suggestion *suggestion, const char *word)
{
    const uint32_t limit = suggestion->best != NULL ? suggestion->distance - 1 : EDITS_MAX;
    if (suggestion->best != NULL && suggestion->distance == 0) {
        return;
    }
    const uint32_t distance = gf_edit_distance(suggestion->wrong, word, limit);
    const size_t wrong_size = strlen(suggestion->wrong), word_size = strlen(word);
    if (distance <= limit && distance * 2 <= (wrong_size > word_size ? wrong_size : word_size)) {
        suggestion->best = word;
        suggestion->distance = distance;
    }
}
