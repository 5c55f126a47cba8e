#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "io/import_cells.h"

#define DEPTH_MAX 32
#define PATH_SIZE 256

struct json {
    const char *start, *at, *end;
    const char *const *names;
    uint32_t count;
    struct gf_span *cells;
    struct gf_arena *arena;
    char path[PATH_SIZE]; /* of the member at hand: "a.b" */
    const char *why;
};

static bool value_read(struct json *json, size_t path_size, uint32_t depth, bool is_named);

static bool
fail(struct json *json, const char *why)
{
    json->why = json->why == NULL ? why : json->why;
    return false;
}

static void
space_skip(struct json *json)
{
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\t' || *json->at == '\r' || *json->at == '\n')) {
        json->at++;
    }
}

static bool
letter_take(struct json *json, char letter)
{
    space_skip(json);
    if (json->at < json->end && *json->at == letter) {
        json->at++;
        return true;
    }
    return false;
}

static bool
hex_take(const char **at, const char *end, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++, ++*at) {
        if (*at >= end || !isxdigit((unsigned char)**at)) {
            return false;
        }
        const char letter = (char)tolower((unsigned char)**at);
        value = value * 16 + (uint32_t)(letter <= '9' ? letter - '0' : letter - 'a' + 10);
    }
    *out = value;
    return true;
}

static size_t
utf8_put(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* "\u00e9", or two of them for one character. */
static bool
unicode_take(struct json *json, char **to)
{
    uint32_t code = 0, low = 0;
    if (!hex_take(&json->at, json->end, &code)) {
        return fail(json, "a \\u without four digits");
    }
    if (code >= 0xd800 && code < 0xdc00) {
        if (json->end - json->at < 6 || json->at[0] != '\\' || json->at[1] != 'u') {
            return fail(json, "half a surrogate pair");
        }
        json->at += 2;
        if (!hex_take(&json->at, json->end, &low) || low < 0xdc00 || low > 0xdfff) {
            return fail(json, "half a surrogate pair");
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code == 0 || (code >= 0xdc00 && code < 0xe000)) {
        return fail(json, "a character that is none");
    }
    *to += utf8_put(code, *to);
    return true;
}

/* A text from its opening quote. An escape is never shorter than what it stands for. */
static bool
text_read(struct json *json, struct gf_span *out)
{
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *const start = ++json->at;
    const char *close = start;
    bool has_escape = false;
    for (; close < json->end && *close != '"'; close++) {
        if ((unsigned char)*close < 0x20) {
            return fail(json, "a control character in a text");
        }
        if (*close == '\\') {
            has_escape = true;
            close++;
        }
    }
    if (close >= json->end) {
        return fail(json, "a text that does not end");
    }
    if (!has_escape) {
        json->at = close + 1;
        *out = gf_span_of(start, (size_t)(close - start));
        return true;
    }
    char *const copy = gf_arena_take(json->arena, (size_t)(close - start));
    char *to = copy;
    if (copy == NULL) {
        return fail(json, "too much of it");
    }
    while (json->at < close) {
        if (*json->at != '\\') {
            *to++ = *json->at++;
            continue;
        }
        const char letter = json->at[1];
        json->at += 2;
        const char *const found = letter == '\0' ? NULL : strchr(letters, letter);
        if (letter == 'u') {
            if (!unicode_take(json, &to)) {
                return false;
            }
        } else if (found != NULL) {
            *to++ = values[found - letters];
        } else {
            return fail(json, "an unknown escape");
        }
    }
    json->at = close + 1;
    *out = gf_span_of(copy, (size_t)(to - copy));
    return true;
}

/* A number as JSON has it; its text is kept. */
static bool
number_read(struct json *json, struct gf_span *out)
{
    const char *const start = json->at;
    const char *at = start + (*start == '-');
    const char *const whole = at;
    while (at < json->end && isdigit((unsigned char)*at)) {
        at++;
    }
    bool is_good = at > whole;
    if (at < json->end && *at == '.') {
        const char *const fraction = ++at;
        while (at < json->end && isdigit((unsigned char)*at)) {
            at++;
        }
        is_good &= at > fraction;
    }
    if (is_good && at < json->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < json->end && (*at == '-' || *at == '+');
        const char *const exponent = at;
        while (at < json->end && isdigit((unsigned char)*at)) {
            at++;
        }
        is_good &= at > exponent;
    }
    json->at = at;
    *out = gf_span_of(start, (size_t)(at - start));
    return is_good ? true : fail(json, "not a value");
}

static bool
word_read(struct json *json, struct gf_span *out)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const size_t size = strlen(words[i]);
        if ((size_t)(json->end - json->at) >= size && memcmp(json->at, words[i], size) == 0) {
            *out = i == 2 ? (struct gf_span){.size = 0} : gf_span_of(json->at, size);
            json->at += size;
            return true;
        }
    }
    return number_read(json, out);
}

static bool
object_read(struct json *json, size_t path_size, uint32_t depth, bool is_named)
{
    json->at++;
    if (letter_take(json, '}')) {
        return true;
    }
    do {
        struct gf_span name;
        space_skip(json);
        if (json->at >= json->end || *json->at != '"') {
            return fail(json, "a name in quotes is missing");
        }
        if (!text_read(json, &name)) {
            return false;
        }
        const size_t point = path_size == 0 ? 0 : 1;
        const bool fits = is_named && path_size + point + name.size < PATH_SIZE;
        if (fits) {
            json->path[path_size] = '.';
            memcpy(json->path + path_size + point, name.data, name.size);
        }
        if (!letter_take(json, ':')) {
            return fail(json, "\":\" is missing");
        }
        if (!value_read(json, path_size + point + name.size, depth + 1, fits)) {
            return false;
        }
    } while (letter_take(json, ','));
    return letter_take(json, '}') ? true : fail(json, "\",\" or \"}\" is missing");
}

static bool
array_read(struct json *json, uint32_t depth)
{
    json->at++;
    if (letter_take(json, ']')) {
        return true;
    }
    do {
        if (!value_read(json, 0, depth + 1, false)) {
            return false;
        }
    } while (letter_take(json, ','));
    return letter_take(json, ']') ? true : fail(json, "\",\" or \"]\" is missing");
}

static bool
value_read(struct json *json, size_t path_size, uint32_t depth, bool is_named)
{
    struct gf_span value = {.size = 0};
    space_skip(json);
    if (json->at >= json->end || depth > DEPTH_MAX) {
        return fail(json, depth > DEPTH_MAX ? "too deep" : "it ends too early");
    }
    if (*json->at == '{') {
        return object_read(json, path_size, depth, is_named);
    }
    if (*json->at == '[') {
        return array_read(json, depth);
    }
    if (*json->at == '"' ? !text_read(json, &value) : !word_read(json, &value)) {
        return false;
    }
    for (uint32_t i = 0; is_named && i < json->count; i++) {
        if (strlen(json->names[i]) == path_size &&
            memcmp(json->names[i], json->path, path_size) == 0) {
            json->cells[i] = value;
        }
    }
    return true;
}

enum gf_rc
gf_import_json_split(struct gf_span text, const char *const *names, uint32_t count,
                     struct gf_span *cells, struct gf_arena *arena, struct gf_error *error)
{
    const char *const start = (const char *)text.data;
    struct json json = {.start = start,
                        .at = start,
                        .end = start + text.size,
                        .names = names,
                        .count = count,
                        .cells = cells,
                        .arena = arena};
    memset(cells, 0, count * sizeof *cells);
    space_skip(&json);
    bool is_good = json.at < json.end && *json.at == '{';
    is_good = is_good ? value_read(&json, 0, 0, true) : fail(&json, "it is not an object");
    space_skip(&json);
    if (is_good && json.at != json.end) {
        is_good = fail(&json, "something follows the object");
    }
    return is_good ? GF_OK
                   : gf_fail(error, GF_E_BAD_FIELD, "not JSON at column %zu: %s",
                             (size_t)(json.at - start) + 1, json.why);
}
