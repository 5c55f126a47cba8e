/* The schema generator: what it cannot turn into C it refuses, with the file and the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "emit.h"

static char folder[64];

static int
folder_make(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/gridfold-schemas-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
folder_remove(void **state)
{
    (void)state;
    keep_end();
    return rmdir(folder);
}

static const char *
file_make(const char *name, const char *text)
{
    const char *const path = keep_text("%s/%s", folder, name);
    struct text content = {0};
    struct gf_error error;
    text_add_bytes(&content, text, strlen(text));
    assert_int_equal(text_file_write(path, &content, &error), GF_OK);
    return path;
}

static enum gf_rc
model_of(const char *const *texts, uint32_t count, struct model *out, struct gf_error *error)
{
    const char *paths[4] = {0};
    for (uint32_t i = 0; i < count; i++) {
        paths[i] = file_make(keep_text("%u.avsc", i), texts[i]);
    }
    const enum gf_rc rc = model_read(out, paths, count, error);
    for (uint32_t i = 0; i < count; i++) {
        (void)unlink(paths[i]);
    }
    return rc;
}

#define HEAD                                                                                       \
    "{\"type\":\"record\",\"name\":\"%s\",\"namespace\":\"gridfold\",\"doc\":\"D.\",\"topic\":\"%" \
    "s\","                                                                                         \
    "\"key\":\"customer\",\"fields\":[%s]}"
#define FIELD(type) "{\"name\":\"x\",\"doc\":\"D.\",\"type\":" type "}"
#define ENUM_OF(symbols, rest)                                                                     \
    "{\"type\":\"enum\",\"name\":\"E\",\"doc\":\"D.\",\"symbols\":" symbols rest "}"

static const struct {
    const char *fields, *place, *message;
} refusals[] = {
    {FIELD("[\"null\",\"int\",\"long\"]"), "fields[0].type", "only [\"null\", X]"},
    {FIELD("[\"int\",\"null\"]"), "fields[0].type", "only [\"null\", X]"},
    {FIELD("{\"type\":\"map\",\"values\":\"int\"}"), "fields[0].type", "\"map\" is not supported"},
    {FIELD("\"float\""), "fields[0].type", "\"float\""},
    {FIELD("\"Later\""), "fields[0].type", "\"Later\""},
    {FIELD("\"T\""), "fields[0].type", "recursion"},
    {FIELD("{\"type\":\"array\",\"items\":\"gridfold.T\"}"), "fields[0].type.items", "recursion"},
    {FIELD("{\"type\":\"array\",\"items\":[\"null\",\"int\"]}"), "fields[0].type.items", "union"},
    {FIELD("{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":\"int\"}}"),
     "fields[0].type.items", "array of arrays"},
    {FIELD(ENUM_OF("[\"A\",\"UNKNOWN\"]", ",\"default\":\"UNKNOWN\"")), "fields[0].type",
     "starts with the symbol UNKNOWN"},
    {FIELD(ENUM_OF("[\"UNKNOWN\",\"A\"]", "")), "fields[0].type", "has it as its default"},
    {FIELD(ENUM_OF("[\"UNKNOWN\",\"COUNT\"]", ",\"default\":\"UNKNOWN\"")), "fields[0].type",
     "symbols[1]"},
    {FIELD(ENUM_OF("[\"UNKNOWN\",\"a\"]", ",\"default\":\"UNKNOWN\"")), "fields[0].type",
     "symbols[1]"},
    {FIELD("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"UNKNOWN\"],\"default\":\"UNKNOWN\"}"),
     "fields[0].type", "\"doc\" is missing"},
    {"{\"name\":\"x\",\"type\":\"int\"}", "fields[0]", "\"doc\" is missing"},
    {"{\"name\":\"x\",\"doc\":\"*/ int\",\"type\":\"int\"}", "fields[0]", "without \"*/\""},
    {"{\"name\":\"int\",\"doc\":\"D.\",\"type\":\"int\"}", "fields[0]", "not a name C can use"},
    {"{\"name\":\"x\",\"doc\":\"D.\",\"type\":\"int\",\"defualt\":0}", "fields[0]",
     "\"defualt\" is not supported"},
    {"{\"name\":\"x\",\"doc\":\"D.\",\"type\":\"int\",\"default\":3}", "fields[0]",
     "\"default\" may only be"},
    {FIELD("\"int\"") "," FIELD("\"int\""), "fields[1]", "field \"x\" is there twice"},
    {FIELD("{\"type\":\"long\",\"unit\":\"kWh\",\"scale\":3}"), "fields[0].type",
     "unit \"kWh\" has scale 6"},
    {FIELD("{\"type\":\"int\",\"logicalType\":\"date\"}"), "fields[0].type", "timestamp-micros"},
    {FIELD("{\"type\":\"fixed\",\"name\":\"F\",\"size\":0}"), "fields[0].type", "\"size\""},
    {FIELD("{\"type\":\"record\",\"name\":\"R\",\"doc\":\"D.\",\"fields\":[]}"), "fields[0].type",
     "needs \"fields\""},
    {"", "record", "needs \"fields\""},
};

static void
test_refusals_name_the_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct model *const model = keep(sizeof *model);
        struct gf_error error = {{0}};
        const char *const text = keep_text(HEAD, "T", "t", refusals[i].fields);
        assert_int_equal(model_of(&text, 1, model, &error), GF_E_CONFIG);
        const char *const place = keep_text("0.avsc: %s: ", refusals[i].place);
        if (strstr(error.text, place) == NULL || strstr(error.text, refusals[i].message) == NULL) {
            fail_msg("case %zu: \"%s\" lacks \"%s\" or \"%s\"", i, error.text, place,
                     refusals[i].message);
        }
        model_fini(model);
    }
}

static void
test_refusals_of_files(void **state)
{
    (void)state;
    const char *const plain = keep_text(HEAD, "T", "t", FIELD("\"int\""));
    const char *const f16 =
        keep_text(HEAD, "A", "a", FIELD("{\"type\":\"fixed\",\"name\":\"F\",\"size\":16}"));
    const char *const f8 =
        keep_text(HEAD, "B", "b", FIELD("{\"type\":\"fixed\",\"name\":\"F\",\"size\":8}"));
    const struct {
        const char *texts[2];
        uint32_t count;
        const char *message;
    } cases[] = {
        {{"{\"a\":1,\"a\":2}"}, 1, "not JSON"},
        {{"{"}, 1, "0.avsc:1: not JSON"},
        {{"[]"}, 1, "one record"},
        {{"{\"type\":\"record\"}"}, 1, "\"topic\" is missing"},
        {{plain, plain}, 2, "topic \"t\" is in"},
        {{f16, f8}, 2, "1.avsc: fields[0].type: \"F\" differs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model *const model = keep(sizeof *model);
        struct gf_error error = {{0}};
        assert_int_equal(model_of(cases[i].texts, cases[i].count, model, &error), GF_E_CONFIG);
        assert_non_null(strstr(error.text, cases[i].message));
        model_fini(model);
    }
    struct model *const model = keep(sizeof *model);
    struct gf_error error = {{0}};
    const char *const path = "/nonexistent/x.avsc";
    assert_int_equal(model_read(model, &path, 1, &error), GF_E_IO);
    assert_non_null(strstr(error.text, path));
    model_fini(model);
}

static void
test_output_does_not_depend_on_the_order_of_files(void **state)
{
    (void)state;
    const char *const a = keep_text(
        HEAD, "A", "a", FIELD("[\"null\",{\"type\":\"fixed\",\"name\":\"F\",\"size\":16}]"));
    const char *const b =
        keep_text(HEAD, "B", "b", FIELD("{\"type\":\"fixed\",\"name\":\"F\",\"size\":16}"));
    const char *const orders[2][2] = {{a, b}, {b, a}};
    struct text outputs[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        struct model *const model = keep(sizeof *model);
        struct gf_error error = {{0}};
        assert_int_equal(model_of(orders[i], 2, model, &error), GF_OK);
        assert_int_equal(model->type_count, 3);
        emit_model_header(&outputs[i], model);
        emit_codec_header(&outputs[i], model);
        emit_codec_source(&outputs[i], model);
        model_fini(model);
    }
    assert_string_equal(outputs[0].data, outputs[1].data);
}

static void
test_names(void **state)
{
    (void)state;
    assert_string_equal(text_snake("MeterReading"), "meter_reading");
    assert_string_equal(text_snake("currency/kWh"), "currency_per_k_wh");
    assert_string_equal(text_upper_snake("meter.readings"), "METER_READINGS");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_name_the_place),
        cmocka_unit_test(test_refusals_of_files),
        cmocka_unit_test(test_output_does_not_depend_on_the_order_of_files),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
