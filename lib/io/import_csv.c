#include <string.h>

#include "io/import_cells.h"

/* A quoted cell from its opening quote; the content moves to the front. Returns where the cell
 * ends. */
static size_t
quoted_split(char *text, size_t size, size_t at, char delimiter, struct gf_span *out)
{
    const size_t start = at + 1;
    size_t to = start;
    for (at = start; at < size; at++) {
        if (text[at] == '"') {
            if (at + 1 >= size || text[at + 1] != '"') {
                at++;
                break;
            }
            at++;
        }
        text[to++] = text[at];
    }
    /* What stands between the closing quote and the delimiter belongs to the cell: programs write
     * such things. */
    while (at < size && text[at] != delimiter) {
        text[to++] = text[at++];
    }
    *out = gf_span_of(text + start, to - start);
    return at;
}

uint32_t
gf_import_csv_split(char *text, size_t size, char delimiter, struct gf_span *cells,
                    uint32_t count_max)
{
    uint32_t count = 0;
    size_t at = 0;
    for (;;) {
        struct gf_span cell;
        if (at < size && text[at] == '"') {
            at = quoted_split(text, size, at, delimiter, &cell);
        } else {
            const char *const next = memchr(text + at, delimiter, size - at);
            const size_t end = next == NULL ? size : (size_t)(next - text);
            cell = gf_span_of(text + at, end - at);
            at = end;
        }
        if (count < count_max) {
            cells[count] = cell;
        }
        count++;
        if (at >= size) {
            return count;
        }
        at++;
    }
}

/* Every byte below 0x80, none of them NUL? Eight at a time. */
static bool
is_plain(struct gf_span text)
{
    const uint64_t high = UINT64_C(0x8080808080808080), one = UINT64_C(0x0101010101010101);
    uint32_t at = 0;
    for (; at + 8 <= text.size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, text.data + at, sizeof word);
        if ((word & high) != 0 || ((word - one) & ~word & high) != 0) {
            return false;
        }
    }
    for (; at < text.size; at++) {
        if (text.data[at] >= 0x80 || text.data[at] == 0) {
            return false;
        }
    }
    return true;
}

/* Bytes of the UTF-8 character at `at`; 0 when it is none. Overlong forms and surrogates are none.
 */
static uint32_t
character_size(const uint8_t *at, size_t left)
{
    const uint8_t first = at[0];
    const uint32_t size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first == 0 || (first >= 0x80 && first < 0xc2) || first > 0xf4 || left < size) {
        return 0;
    }
    for (uint32_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool is_bad = (first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) ||
                        (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f);
    return is_bad ? 0 : size;
}

bool
gf_import_text_is_valid(struct gf_span text)
{
    if (is_plain(text)) {
        return true;
    }
    for (uint32_t at = 0; at < text.size;) {
        const uint32_t size = character_size(text.data + at, text.size - at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}
