/* Schemas that no plan can be made of: refused, with a message that says why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "io/schema.h"

struct point {
    int64_t x;
    struct gf_span label;
};

static const struct gf_type type_long = {.kind = GF_KIND_LONG, .name = "long", .size = 8};
static const struct gf_type type_text = {
    .kind = GF_KIND_STRING, .name = "string", .size = sizeof(struct gf_span)};
static const struct gf_field point_fields[] = {
    {.name = "x", .type = &type_long, .offset = offsetof(struct point, x), .has_offset = -1},
    {.name = "label",
     .type = &type_text,
     .offset = offsetof(struct point, label),
     .has_offset = -1},
};
static const struct gf_type type_point = {.kind = GF_KIND_RECORD,
                                          .name = "Point",
                                          .size = sizeof(struct point),
                                          .field_count = 2,
                                          .fields = point_fields};
static const struct gf_topic_info point_topic = {.name = "points", .type = &type_point};
#define POINT(more)                                                                                \
    "{\"type\":\"record\",\"name\":\"Point\",\"fields\":[{\"name\":\"x\",\"type\":\"long\"},"      \
    "{\"name\":\"label\",\"type\":\"string\"}" more "]}"
#define MORE(type)  POINT(",{\"name\":\"more\",\"type\":" type "}")
#define LIST(item)  "{\"type\":\"array\",\"items\":" item "}"
#define THREE(item) LIST(LIST(LIST(item)))

static void
expect_refusal(const char *json, size_t size, const char *part)
{
    struct gf_schema_entry entry = {.id = 1};
    struct gf_error error = {.text = ""};
    const enum gf_rc rc = gf_schema_compile(&point_topic, json, size, &entry, &error);
    if (rc != GF_E_UNKNOWN_SCHEMA || strstr(error.text, part) == NULL) {
        fail_msg("expected \"%s\", got %s \"%s\"", part, gf_rc_name(rc), error.text);
    }
}

static void
test_refused_schemas(void **state)
{
    (void)state;
    static const struct {
        const char *json, *part;
    } rows[] = {
        {"", "not JSON"},
        {"{", "not JSON"},
        {"17", "has no type"},
        {"{}", "without \"type\""},
        {"\"long\"", "points: the record: written as long"},
        {"\"Point\"", "not defined"},
        {"{\"type\":\"record\",\"name\":\"Point\"}", "no fields"},
        {"{\"type\":\"record\",\"name\":\"9\",\"fields\":[]}", "valid name"},
        {"{\"type\":\"record\",\"name\":\"Point\",\"name\":\"P\",\"fields\":[]}", "not JSON"},
        {POINT(",{\"name\":\"x\",\"type\":\"long\"}"), "has x twice"},
        {POINT(",{\"name\":\"next\",\"type\":[\"null\",\"Point\"]}"), "recursion"},
        {MORE("{\"type\":\"fixed\",\"name\":\"F\",\"size\":0}"), "its size"},
        {MORE("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"-\"]}"), "not valid"},
        {MORE("{\"type\":\"enum\",\"name\":\"Point\",\"symbols\":[\"A\"]}"), "twice"},
        {POINT(",{\"name\":\"more\"}"), "has no type"},
        {MORE("[{\"type\":\"fixed\",\"name\":\"F\",\"size\":1},\"F\"]"),
         "a union with fixed twice"},
    };
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        expect_refusal(rows[index].json, strlen(rows[index].json), rows[index].part);
    }
}

static void
test_schemas_that_are_too_much(void **state)
{
    (void)state;
    static char json[1100 * 1024];
    memset(json, ' ', sizeof(json));
    expect_refusal(json, sizeof(json), "bytes; at most");
    memset(json, '[', 100000);
    expect_refusal(json, 100000, "nested deeper");
    /* Thirty records, each with two fields of the one before: two to the thirtieth fields. */
    size_t size = (size_t)snprintf(json, sizeof(json),
                                   POINT(",{\"name\":\"more\",\"type\":["
                                         "{\"type\":\"record\",\"name\":\"R0\",\"fields\":[]}"));
    size -= 2;
    for (int index = 1; index <= 30; index++) {
        size += (size_t)snprintf(
            json + size, sizeof(json) - size,
            ",{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"a\",\"type\":\"R%d\"},"
            "{\"name\":\"b\",\"type\":\"R%d\"}]}",
            index, index - 1, index - 1);
    }
    size += (size_t)snprintf(json + size, sizeof(json) - size, "]}]}");
    expect_refusal(json, size, "stands for more than");
    /* Nine arrays inside each other, in brackets that are not too deep. */
#define THREE(item) LIST(LIST(LIST(item)))
#define LIST(item)  "{\"type\":\"array\",\"items\":" item "}"
    const char nine[] = MORE(THREE(THREE(THREE("\"int\""))));
    expect_refusal(nine, sizeof(nine) - 1, "arrays and maps are nested deeper than 8");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_schemas),
        cmocka_unit_test(test_schemas_that_are_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
