/* docs/features.md names every member of the structs of lib/feature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static char docs[65536], header[65536];

static void
file_read(const char *path, char *out, size_t size)
{
    FILE *const file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s: cannot be opened; run from the top of the project", path);
        return;
    }
    const size_t length = fread(out, 1, size - 1, file);
    assert_true(length > 0 && length < size - 1);
    out[length] = 0;
    (void)fclose(file);
}

/* Blanks out the comments of C text. */
static void
comments_blank(char *text)
{
    for (char *open = strstr(text, "/*"); open != NULL; open = strstr(text, "/*")) {
        const char *const close = strstr(open, "*/");
        assert_non_null(close);
        memset(open, ' ', (size_t)(close + 2 - open));
    }
}

/* The members of `struct name {…}` in `header`: the word before each ';', ',', '[' or ':'. Returns
 * how many.
 */
static uint32_t
members_check(const char *name)
{
    char opening[64], quoted[80];
    uint32_t count = 0;
    (void)snprintf(opening, sizeof opening, "struct %s {", name);
    const char *at = strstr(header, opening);
    assert_non_null(at);
    at += strlen(opening);
    const char *const end = strstr(at, "\n}");
    assert_non_null(end);
    for (int depth = 0; at < end; at++) {
        if ((*at == ';' || *at == ',' || *at == '[' || *at == ':') && depth == 0) {
            const char *last = at;
            while (isspace((unsigned char)last[-1])) {
                last--;
            }
            const char *first = last;
            while (isalnum((unsigned char)first[-1]) || first[-1] == '_') {
                first--;
            }
            if (first < last && !isdigit((unsigned char)*first)) {
                (void)snprintf(quoted, sizeof quoted, "`%.*s`", (int)(last - first), first);
                if (strstr(docs, quoted) == NULL) {
                    fail_msg("docs/features.md does not name %s of struct %s", quoted, name);
                }
                count++;
            }
        }
        depth += *at == '[';
        depth -= *at == ']';
    }
    return count;
}

static void
test_every_member_is_in_the_table(void **state)
{
    (void)state;
    const struct {
        const char *path, *name;
        uint32_t count_min;
    } structs[] = {
        {"lib/feature/load.h", "gf_load", 45},
        {"lib/feature/recent.h", "gf_recent", 4},
        {"lib/feature/account.h", "gf_account", 14},
        {"lib/feature/account.h", "gf_open_invoice", 5},
        {"lib/feature/account.h", "gf_closed_invoice", 3},
        {"lib/feature/contract.h", "gf_contract", 16},
        {"lib/feature/contract.h", "gf_meter", 6},
        {"lib/feature/contract.h", "gf_contract_protection", 3},
    };
    file_read("docs/features.md", docs, sizeof docs);
    for (size_t i = 0; i < sizeof structs / sizeof structs[0]; i++) {
        file_read(structs[i].path, header, sizeof header);
        comments_blank(header);
        assert_true(members_check(structs[i].name) >= structs[i].count_min);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_member_is_in_the_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
