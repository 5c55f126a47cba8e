#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void
test_every_code_has_a_row(void **state)
{
    (void)state;
    static const enum gf_rc codes[] = {
#define CODE(name, action, text) GF_E_##name,
        GF_ERRORS(CODE)
#undef CODE
    };
    for (size_t index = 0; index < sizeof(codes) / sizeof(codes[0]); index++) {
        assert_true(strlen(gf_rc_name(codes[index])) > 0);
        assert_true(strlen(gf_rc_text(codes[index])) > 0);
        assert_int_not_equal(gf_rc_action(codes[index]), GF_ACTION_NONE);
        assert_int_not_equal(gf_rc_exit_code(codes[index]), 0);
    }
    assert_string_equal(gf_rc_name(GF_E_FENCED), "FENCED");
    assert_string_equal(gf_rc_text(GF_E_NO_SPACE), "disk is full");
    assert_int_equal(gf_rc_action(GF_OK), GF_ACTION_NONE);
    assert_int_equal(gf_rc_action(GF_E_LATE), GF_ACTION_SKIP);
    assert_int_equal(gf_rc_action(GF_E_BUSY), GF_ACTION_RETRY);
    assert_int_equal(gf_rc_action(GF_E_TXN), GF_ACTION_ABORT);
    assert_int_equal(gf_rc_action(GF_E_CONFIG), GF_ACTION_STOP);
}

static void
test_exit_codes_are_those_of_sysexits(void **state)
{
    (void)state;
    static const struct {
        enum gf_rc rc;
        int exit_code;
    } cases[] = {
        {GF_OK, 0},          {GF_E_USAGE, 64},       {GF_E_DAMAGED, 65},
        {GF_E_BAD_DATA, 65}, {GF_E_UNAVAILABLE, 69}, {GF_E_IO, 74},
        {GF_E_NO_SPACE, 74}, {GF_E_FENCED, 76},      {GF_E_CONFIG, 78},
        {GF_E_DIFFERENT, 1}, {GF_E_NOT_FOUND, 66},   {GF_E_NO_MEMORY, 71},
        {GF_E_LOST, 65},     {GF_E_VERSION, 65},     {GF_E_BUSY, 75},
    };
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        assert_int_equal(gf_rc_exit_code(cases[index].rc), cases[index].exit_code);
    }
}

static void
test_messages_are_set_and_prefixed(void **state)
{
    (void)state;
    struct gf_error error;
    assert_int_equal(gf_fail(&error, GF_E_RANGE, "line %d", 7), GF_E_RANGE);
    assert_string_equal(error.text, "line 7");
    assert_int_equal(gf_fail_prefix(&error, GF_E_CONFIG, "file %s", "a.toml"), GF_E_CONFIG);
    assert_string_equal(error.text, "file a.toml: line 7");
    assert_int_equal(gf_fail(&error, GF_E_IO, "again: %s", error.text), GF_E_IO);
    assert_string_equal(error.text, "again: file a.toml: line 7");
    assert_int_equal(gf_fail(NULL, GF_E_BUSY, "nobody reads %s", "this"), GF_E_BUSY);
    assert_int_equal(gf_fail_prefix(NULL, GF_E_BUSY, "nor this"), GF_E_BUSY);
}

static void
test_long_messages_are_cut(void **state)
{
    (void)state;
    char text[2 * GF_ERROR_TEXT_SIZE];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct gf_error error;
    (void)gf_fail(&error, GF_E_RANGE, "%s", text);
    assert_int_equal(strlen(error.text), GF_ERROR_TEXT_SIZE - 1);
    (void)gf_fail_prefix(&error, GF_E_RANGE, "a");
    assert_int_equal(strlen(error.text), GF_ERROR_TEXT_SIZE - 1);
    assert_memory_equal(error.text, "a: xxx", 6);
    (void)gf_fail_prefix(&error, GF_E_RANGE, "%s", text);
    assert_int_equal(strlen(error.text), GF_ERROR_TEXT_SIZE - 1);
    assert_memory_equal(error.text, "xxxxxx", 6);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_a_row),
        cmocka_unit_test(test_exit_codes_are_those_of_sysexits),
        cmocka_unit_test(test_messages_are_set_and_prefixed),
        cmocka_unit_test(test_long_messages_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
