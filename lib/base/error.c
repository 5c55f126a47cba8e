#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

struct error_row {
    const char *name;
    const char *text;
    enum gf_action action;
};

static const struct error_row error_rows[] = {
    [GF_OK] = {.name = "OK", .text = "no error", .action = GF_ACTION_NONE},
#define ERROR_ROW(name_, action_, text_)                                                           \
    [GF_E_##name_] = {.name = #name_, .text = text_, .action = GF_ACTION_##action_},
    GF_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};

#define ERROR_ROW_COUNT (sizeof(error_rows) / sizeof(error_rows[0]))

static const struct error_row *
error_row(enum gf_rc rc)
{
    assert((size_t)rc < ERROR_ROW_COUNT);
    return &error_rows[rc];
}

const char *
gf_rc_name(enum gf_rc rc)
{
    return error_row(rc)->name;
}

const char *
gf_rc_text(enum gf_rc rc)
{
    return error_row(rc)->text;
}

enum gf_action
gf_rc_action(enum gf_rc rc)
{
    return error_row(rc)->action;
}

/* A code without a row here ends the process with EX_SOFTWARE. The numbers are those of sysexits.h,
 * written out because scripts and unit files outside this repository depend on them. */
int
gf_rc_exit_code(enum gf_rc rc)
{
    static const int exit_codes[ERROR_ROW_COUNT] = {
        [GF_E_USAGE] = 64,       [GF_E_BAD_DATA] = 65, [GF_E_DAMAGED] = 65,  [GF_E_NOT_FOUND] = 66,
        [GF_E_UNAVAILABLE] = 69, [GF_E_IO] = 74,       [GF_E_NO_SPACE] = 74, [GF_E_FENCED] = 76,
        [GF_E_CONFIG] = 78,      [GF_E_DIFFERENT] = 1, [GF_E_LOST] = 65,     [GF_E_VERSION] = 65,
        [GF_E_NO_MEMORY] = 71,   [GF_E_BUSY] = 75,     [GF_E_STATE] = 65,
    };
    assert((size_t)rc < ERROR_ROW_COUNT);
    if (rc == GF_OK) {
        return 0;
    }
    return exit_codes[rc] != 0 ? exit_codes[rc] : 70;
}

enum gf_rc
gf_fail(struct gf_error *error, enum gf_rc rc, const char *format, ...)
{
    assert(rc != GF_OK);
    if (error != NULL) {
        /* Through a copy, because an argument may be the text of this same error. */
        char text[GF_ERROR_TEXT_SIZE];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        memcpy(error->text, text, sizeof(text));
    }
    return rc;
}

enum gf_rc
gf_fail_prefix(struct gf_error *error, enum gf_rc rc, const char *format, ...)
{
    assert(rc != GF_OK);
    if (error == NULL) {
        return rc;
    }
    char text[GF_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    const int printed = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    const char separator[] = ": ";
    const char *const parts[] = {separator, error->text};
    size_t used = printed < 0 ? 0 : (size_t)printed;
    used = used < sizeof(text) ? used : sizeof(text) - 1;
    for (size_t index = 0; index < sizeof(parts) / sizeof(parts[0]); index++) {
        const size_t room = sizeof(text) - 1 - used;
        const size_t length = strlen(parts[index]);
        const size_t taken = length < room ? length : room;
        memcpy(text + used, parts[index], taken);
        used += taken;
    }
    text[used] = '\0';
    memcpy(error->text, text, used + 1);
    return rc;
}
