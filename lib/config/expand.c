#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/params.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

struct output {
    char *at, *end; /* one byte is kept for the NUL */
};

static bool
output_add(struct output *output, const char *text, size_t size)
{
    if (size > (size_t)(output->end - output->at)) {
        return false;
    }
    memcpy(output->at, text, size);
    output->at += size;
    return true;
}

/* `inner` is what stands between the braces. The value of the variable, or of what stands for it.
 */
static const char *
reference_value(char *inner, char *why_out, size_t why_size)
{
    const size_t name_size = strspn(inner, NAME_CHARACTERS);
    char *const rest = inner + name_size;
    const bool has_default = strncmp(rest, ":-", 2) == 0, has_message = strncmp(rest, ":?", 2) == 0;
    if (name_size == 0 || (rest[0] != '\0' && !has_default && !has_message)) {
        snprintf(why_out, why_size,
                 "\"${%.60s}\" is not understood; write ${NAME} or ${NAME:-default}", inner);
        return NULL;
    }
    const char *const argument = rest[0] != '\0' ? rest + 2 : "";
    rest[0] = '\0';
    const char *const value = getenv(inner);
    const bool is_there = value != NULL && (value[0] != '\0' || !has_default);
    if (!is_there && has_default) {
        return argument;
    }
    if (!is_there) {
        snprintf(why_out, why_size, "the environment variable %.60s is not set%s%.80s", inner,
                 argument[0] != '\0' ? ": " : "", argument);
        return NULL;
    }
    return value;
}

bool
gf_text_expand(const char *text, char *out, size_t size, bool *has_reference_out, char *why_out,
               size_t why_size)
{
    struct output output = {.at = out, .end = out + size - 1};
    bool has_reference = false, has_room = true;
    const char *at = text;
    while (*at != '\0' && has_room) {
        const size_t plain = strcspn(at, "$");
        has_room = output_add(&output, at, plain);
        at += plain;
        if (at[0] != '$') {
            continue;
        }
        if (at[1] != '{') {
            has_room = has_room && output_add(&output, "$", 1);
            at += at[1] == '$' ? 2 : 1;
            continue;
        }
        const char *const close = strchr(at, '}');
        char inner[256];
        if (close == NULL || (size_t)(close - at) >= sizeof(inner)) {
            snprintf(why_out, why_size, "\"${\" has no \"}\"");
            return false;
        }
        snprintf(inner, sizeof(inner), "%.*s", (int)(close - at - 2), at + 2);
        const char *const value = reference_value(inner, why_out, why_size);
        if (value == NULL) {
            return false;
        }
        has_reference = true;
        has_room = has_room && output_add(&output, value, strlen(value));
        at = close + 1;
    }
    if (!has_room) {
        snprintf(why_out, why_size, "the text is too long");
        return false;
    }
    *output.at = '\0';
    if (has_reference_out != NULL) {
        *has_reference_out = has_reference;
    }
    return true;
}

bool
gf_secret_read(const char *path, const char *folder, char *out, size_t size, char *why_out,
               size_t why_size)
{
    char full[2048];
    const bool is_relative = path[0] != '/' && folder != NULL && folder[0] != '\0';
    const int length = snprintf(full, sizeof(full), "%s%s%s", is_relative ? folder : "",
                                is_relative ? "/" : "", path);
    FILE *const file = length < (int)sizeof(full) ? fopen(full, "rb") : NULL;
    if (file == NULL) {
        snprintf(why_out, why_size, "%.100s cannot be opened: %s", path, strerror(errno));
        return false;
    }
    size_t used = fread(out, 1, size, file);
    const bool is_whole = used < size && !ferror(file);
    fclose(file);
    if (!is_whole) {
        snprintf(why_out, why_size, "%.100s cannot be read, or is larger than %zu bytes", path,
                 size - 1);
        return false;
    }
    used -= used > 0 && out[used - 1] == '\n';
    out[used] = '\0';
    return true;
}
