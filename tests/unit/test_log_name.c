#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "io/log_name.h"

static void
names_are_read(void **state)
{
    (void)state;
    const struct {
        const char *text;
        enum gf_log_kind kind;
        const char *rest;
    } cases[] = {
        {"folder:log", GF_LOG_FOLDER, "log"},
        {"folder:/var/lib/a b:c", GF_LOG_FOLDER, "/var/lib/a b:c"},
        {"kafka:localhost:9092", GF_LOG_KAFKA, "localhost:9092"},
        {"kafka:a:1,b.example:65535", GF_LOG_KAFKA, "a:1,b.example:65535"},
        {"kafka:[::1]:9092,10.0.0.1:9093", GF_LOG_KAFKA, "[::1]:9092,10.0.0.1:9093"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gf_error error;
        struct gf_log_name name;
        assert_int_equal(gf_log_name_parse(cases[i].text, &name, &error), GF_OK);
        assert_int_equal(name.kind, cases[i].kind);
        assert_string_equal(name.rest, cases[i].rest);
    }
}

static void
wrong_names_say_what_is_wrong(void **state)
{
    (void)state;
    const struct {
        const char *text, *says;
    } cases[] = {
        {"", "kind is missing"},
        {"log", "kind is missing"},
        {"Folder:log", "kind is missing"},
        {"/var/log", "kind is missing"},
        {"folder:", "path is missing"},
        {"kafka:", "broker is empty"},
        {"kafka:a:1,", "broker is empty"},
        {"kafka:,a:1", "broker is empty"},
        {"kafka:localhost", "no port"},
        {"kafka:[::1]", "no port"},
        {"kafka::9092", "no host"},
        {"kafka:a:", "port is not a number"},
        {"kafka:a:0", "port is not a number"},
        {"kafka:a:65536", "port is not a number"},
        {"kafka:a:99999999999999999999", "port is not a number"},
        {"kafka:a:9o92", "port is not a number"},
        {"kafka:::1:9092", "brackets"},
        {"kafka:http://a:9092", "brackets"},
        {"kafka:a b:9092", "character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gf_error error;
        struct gf_log_name name;
        assert_int_equal(gf_log_name_parse(cases[i].text, &name, &error), GF_E_USAGE);
        if (strstr(error.text, cases[i].says) == NULL ||
            strstr(error.text, "folder:./log") == NULL) {
            fail_msg("\"%s\" says: %s", cases[i].text, error.text);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read),
        cmocka_unit_test(wrong_names_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
