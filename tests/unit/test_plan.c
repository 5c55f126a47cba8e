/* Plans by cases: every legal difference of codec/plan.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "io/schema.h"

/* One value, wherever its kind needs it. */
struct probe {
    bool has_value;
    union {
        bool truth;
        int32_t narrow;
        int64_t wide;
        double real;
        struct gf_span span;
        uint8_t fixed[4];
        struct gf_array array;
        int64_t pair[3];
    } value;
};

struct point {
    int64_t x;
    struct gf_span label;
    bool has_y;
    int32_t y;
    struct gf_array path; /* of long */
};

static const char *const colors[] = {"UNKNOWN", "RED", "GREEN"};
static const struct gf_type type_bool = {
    .kind = GF_KIND_BOOL, .name = "boolean", .size = sizeof(bool)};
static const struct gf_type type_int = {.kind = GF_KIND_INT, .name = "int", .size = 4};
static const struct gf_type type_long = {.kind = GF_KIND_LONG, .name = "long", .size = 8};
static const struct gf_type type_time = {
    .kind = GF_KIND_LONG, .name = "long", .size = 8, .unit = "timestamp-micros"};
static const struct gf_type type_kwh = {
    .kind = GF_KIND_LONG, .name = "long", .size = 8, .unit = "kWh", .scale = 6};
static const struct gf_type type_double = {.kind = GF_KIND_DOUBLE, .name = "double", .size = 8};
static const struct gf_type type_text = {
    .kind = GF_KIND_STRING, .name = "string", .size = sizeof(struct gf_span)};
static const struct gf_type type_bytes = {
    .kind = GF_KIND_BYTES, .name = "bytes", .size = sizeof(struct gf_span)};
static const struct gf_type type_fixed = {.kind = GF_KIND_FIXED, .name = "Four", .size = 4};
static const struct gf_type type_color = {
    .kind = GF_KIND_ENUM, .name = "Color", .size = 4, .symbol_count = 3, .symbols = colors};
static const struct gf_type type_longs = {
    .kind = GF_KIND_ARRAY, .name = "array", .size = sizeof(struct gf_array), .item = &type_long};
static const char *const label_aliases[] = {"old_label", "older_label", NULL};
static const struct gf_field point_fields[] = {
    {.name = "x", .type = &type_long, .offset = offsetof(struct point, x), .has_offset = -1},
    {.name = "label",
     .type = &type_text,
     .offset = offsetof(struct point, label),
     .has_offset = -1,
     .aliases = label_aliases},
    {.name = "y",
     .type = &type_int,
     .offset = offsetof(struct point, y),
     .has_offset = offsetof(struct point, has_y),
     .has_default = true},
    {.name = "path",
     .type = &type_longs,
     .offset = offsetof(struct point, path),
     .has_offset = -1,
     .has_default = true},
};
static const struct gf_type type_point = {.kind = GF_KIND_RECORD,
                                          .name = "Point",
                                          .size = sizeof(struct point),
                                          .field_count = 4,
                                          .fields = point_fields};
static const struct gf_type type_points = {
    .kind = GF_KIND_ARRAY, .name = "array", .size = sizeof(struct gf_array), .item = &type_point};

/* Writes a value as text, so that a case can say what it expects. */
static void
print_value(const struct gf_type *type, const uint8_t *at, char *out, size_t size)
{
    size_t used = strlen(out);
    struct gf_span span;
    struct gf_array array;
    int32_t narrow;
    int64_t wide;
    double real;
    switch (type->kind) {
    case GF_KIND_BOOL:
        snprintf(out + used, size - used, *at != 0 ? "true" : "false");
        return;
    case GF_KIND_INT:
        memcpy(&narrow, at, 4);
        snprintf(out + used, size - used, "%" PRId32, narrow);
        return;
    case GF_KIND_ENUM:
        memcpy(&narrow, at, 4);
        snprintf(out + used, size - used, "%s", type->symbols[narrow]);
        return;
    case GF_KIND_LONG:
        memcpy(&wide, at, 8);
        snprintf(out + used, size - used, "%" PRId64, wide);
        return;
    case GF_KIND_DOUBLE:
        memcpy(&real, at, 8);
        snprintf(out + used, size - used, "%g", real);
        return;
    case GF_KIND_STRING:
    case GF_KIND_BYTES:
        memcpy(&span, at, sizeof(span));
        snprintf(out + used, size - used, "'%.*s'", GF_SPAN_PRINT(span));
        return;
    case GF_KIND_FIXED:
        snprintf(out + used, size - used, "<%.*s>", (int)type->size, (const char *)at);
        return;
    case GF_KIND_ARRAY:
        memcpy(&array, at, sizeof(array));
        for (uint32_t index = 0; index < array.count; index++) {
            snprintf(out + strlen(out), size - strlen(out), index == 0 ? "[" : " ");
            print_value(type->item, (const uint8_t *)array.items + index * type->item->size, out,
                        size);
        }
        snprintf(out + strlen(out), size - strlen(out), array.count == 0 ? "[]" : "]");
        return;
    case GF_KIND_RECORD:
        for (uint32_t index = 0; index < type->field_count; index++) {
            const struct gf_field *field = &type->fields[index];
            snprintf(out + strlen(out), size - strlen(out), "%s%s=", index == 0 ? "{" : " ",
                     field->name);
            if (field->has_offset >= 0 && at[field->has_offset] == 0) {
                snprintf(out + strlen(out), size - strlen(out), "-");
            } else {
                print_value(field->type, at + field->offset, out, size);
            }
        }
        snprintf(out + strlen(out), size - strlen(out), "}");
        return;
    }
}

struct plan_case {
    const char *theirs; /* the type of the field */
    const struct gf_type *ours;
    bool is_nullable;
    const char *bytes;
    size_t size;
    const char *expected; /* NULL: GF_E_BAD_DATA; "!…": schema refused, with this in the message */
};
#define BYTES(text) text, sizeof(text) - 1

static const struct plan_case cases[] = {
    {"\"boolean\"", &type_bool, false, BYTES("\1"), "{value=true}"},
    {"\"boolean\"", &type_bool, false, BYTES("\2"), NULL},
    {"\"int\"", &type_int, false, BYTES("\x03"), "{value=-2}"},
    {"\"int\"", &type_int, false, BYTES("\xff\xff\xff\xff\x1f"), NULL},
    {"\"int\"", &type_long, false, BYTES("\x03"), "{value=-2}"},
    {"\"int\"", &type_double, false, BYTES("\x03"), "{value=-2}"},
    {"\"long\"", &type_long, false, BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
     "{value=9223372036854775807}"},
    {"\"long\"", &type_double, false, BYTES("\x03"), "{value=-2}"},
    {"\"float\"", &type_double, false, BYTES("\0\0\0\x3f"), "{value=0.5}"},
    {"\"double\"", &type_double, false, BYTES("\0\0\0\0\0\0\xe0\x3f"), "{value=0.5}"},
    {"\"double\"", &type_double, false, BYTES("\0\0\0\0\0\0\xe0"), NULL},
    {"\"string\"", &type_text, false, BYTES("\4ab"), "{value='ab'}"},
    {"\"bytes\"", &type_text, false, BYTES("\4ab"), "{value='ab'}"},
    {"\"bytes\"", &type_text, false, BYTES("\4a\xff"), NULL},
    {"\"string\"", &type_bytes, false, BYTES("\4ab"), "{value='ab'}"},
    {"\"bytes\"", &type_bytes, false, BYTES("\2"), NULL},
    {"\"bytes\"", &type_bytes, false, BYTES("\1"), NULL},
    {"{\"type\":\"fixed\",\"name\":\"a.Four\",\"size\":4}", &type_fixed, false, BYTES("abcd"),
     "{value=<abcd>}"},
    {"{\"type\":\"fixed\",\"name\":\"Four\",\"size\":3}", &type_fixed, false, BYTES(""),
     "!probe: field value: written as fixed of 3 bytes, read as fixed of 4"},
    {"{\"type\":\"fixed\",\"name\":\"Five\",\"size\":4}", &type_fixed, false, BYTES(""),
     "!read as Four"},
    /* Enums: by symbol; unknown ones are UNKNOWN; indexes outside are bad. */
    {"{\"type\":\"enum\",\"name\":\"Color\",\"symbols\":[\"GREEN\",\"BLUE\",\"RED\"]}", &type_color,
     false, BYTES("\0"), "{value=GREEN}"},
    {"{\"type\":\"enum\",\"name\":\"Color\",\"symbols\":[\"GREEN\",\"BLUE\",\"RED\"]}", &type_color,
     false, BYTES("\2"), "{value=UNKNOWN}"},
    {"{\"type\":\"enum\",\"name\":\"Color\",\"symbols\":[\"GREEN\",\"BLUE\",\"RED\"]}", &type_color,
     false, BYTES("\6"), NULL},
    {"{\"type\":\"enum\",\"name\":\"Color\",\"symbols\":[\"GREEN\"]}", &type_color, false,
     BYTES("\1"), NULL},
    {"{\"type\":\"enum\",\"name\":\"Hue\",\"symbols\":[\"GREEN\"]}", &type_color, false, BYTES(""),
     "!enum Hue"},
    /* Unions: other orders, around what we have plain, and the other way round. */
    {"[\"null\",\"long\"]", &type_long, true, BYTES("\0"), "{value=-}"},
    {"[\"null\",\"long\"]", &type_long, true, BYTES("\2\2"), "{value=1}"},
    {"[\"null\",\"long\"]", &type_long, true, BYTES("\4\2"), NULL},
    {"[\"null\",\"long\"]", &type_long, true, BYTES("\1\2"), NULL},
    {"[\"long\",\"null\"]", &type_long, true, BYTES("\0\2"), "{value=1}"},
    {"[\"long\",\"null\"]", &type_long, true, BYTES("\2"), "{value=-}"},
    {"\"long\"", &type_long, true, BYTES("\2"), "{value=1}"},
    {"\"null\"", &type_long, true, BYTES(""), "{value=-}"},
    {"[\"null\"]", &type_long, true, BYTES("\0"), "{value=-}"},
    {"[\"null\",\"long\"]", &type_long, false, BYTES("\2\2"), "{value=1}"},
    {"[\"null\",\"long\"]", &type_long, false, BYTES("\0"), NULL},
    {"[\"string\",\"int\",\"long\"]", &type_long, false, BYTES("\2\2"), "{value=1}"},
    {"[\"string\",\"int\",\"long\"]", &type_long, false, BYTES("\4\2"), "{value=1}"},
    {"[\"string\",\"int\",\"long\"]", &type_long, false, BYTES("\0\2a"), NULL},
    {"\"null\"", &type_long, false, BYTES(""), "!field value: written as null"},
    {"[\"null\",\"string\"]", &type_long, true, BYTES(""), "!field value: written as string"},
    {"[]", &type_long, true, BYTES(""), "!union without branches"},
    {"[\"null\",\"null\"]", &type_long, true, BYTES(""), "!twice"},
    /* Arrays: in one block, in many, with byte sizes, and lies. */
    {"{\"type\":\"array\",\"items\":\"int\"}", &type_longs, false, BYTES("\4\2\4\0"),
     "{value=[1 2]}"},
    {"{\"type\":\"array\",\"items\":\"long\"}", &type_longs, false, BYTES("\2\2\1\2\4\4\6\x8\0"),
     "{value=[1 2 3 4]}"},
    {"{\"type\":\"array\",\"items\":\"long\"}", &type_longs, false, BYTES("\3\4\2\4\0"),
     "{value=[1 2]}"},
    {"{\"type\":\"array\",\"items\":\"long\"}", &type_longs, false, BYTES("\0"), "{value=[]}"},
    {"{\"type\":\"array\",\"items\":\"long\"}", &type_longs, false, BYTES("\x7e\2\2\0"), NULL},
    {"{\"type\":\"array\",\"items\":\"long\"}", &type_longs, false, BYTES("\2\2"), NULL},
    {"{\"type\":\"array\",\"items\":\"string\"}", &type_longs, false, BYTES(""),
     "!field value[]: written as string , which cannot be read as long"},
    {"{\"type\":\"map\",\"values\":\"long\"}", &type_longs, false, BYTES(""), "!written as map"},
    /* Narrowing is refused. */
    {"\"long\"", &type_int, false, BYTES(""),
     "!field value: written as long , which cannot be read as int"},
    {"\"float\"", &type_long, false, BYTES(""), "!written as float"},
    {"\"double\"", &type_int, false, BYTES(""), "!written as double"},
    {"\"string\"", &type_color, false, BYTES(""), "!written as string"},
    {"\"boolean\"", &type_int, false, BYTES(""), "!written as boolean"},
    /* The same bytes with another meaning. */
    {"{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", &type_time, false, BYTES("\2"),
     "{value=1}"},
    {"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", &type_time, false, BYTES(""),
     "!timestamp-millis"},
    {"{\"type\":\"int\",\"logicalType\":\"date\"}", &type_time, false, BYTES(""), "!date"},
    {"{\"type\":\"long\",\"unit\":\"kWh\",\"scale\":6}", &type_kwh, false, BYTES("\2"),
     "{value=1}"},
    {"\"long\"", &type_kwh, false, BYTES("\2"), "{value=1}"},
    {"{\"type\":\"long\",\"unit\":\"kWh\",\"scale\":3}", &type_kwh, false, BYTES(""), "!scale 3"},
    {"{\"type\":\"long\",\"unit\":\"MWh\",\"scale\":6}", &type_kwh, false, BYTES(""), "!MWh"},
    {"{\"type\":\"bytes\",\"logicalType\":\"decimal\"}", &type_bytes, false, BYTES(""), "!decimal"},
    {"{\"type\":\"string\",\"logicalType\":\"uuid\"}", &type_text, false, BYTES("\2a"),
     "{value='a'}"},
    /* Records, by name: reordered, added, missing and renamed fields. */
    {"{\"type\":\"record\",\"name\":\"Point\",\"fields\":[{\"name\":\"label\",\"type\":\"string\"},"
     "{\"name\":\"x\",\"type\":\"int\"}]}",
     &type_point, true, BYTES("\2a\2"), "{value={x=1 label='a' y=- path=[]}}"},
    {"{\"type\":\"record\",\"name\":\"Point\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"},"
     "{\"name\":\"older_label\",\"type\":\"string\"},{\"name\":\"y\",\"type\":\"int\"}]}",
     &type_point, false, BYTES("\2\2a\4"), "{value={x=1 label='a' y=2 path=[]}}"},
    {"{\"type\":\"record\",\"name\":\"Point\",\"fields\":[{\"name\":\"old_label\",\"type\":"
     "\"string\"},"
     "{\"name\":\"label\",\"type\":\"string\"},{\"name\":\"x\",\"type\":\"int\"}]}",
     &type_point, false, BYTES("\2b\2a\2"), "{value={x=1 label='a' y=- path=[]}}"},
    {"{\"type\":\"record\",\"name\":\"Point\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}",
     &type_point, false, BYTES(""),
     "!field value.label: not written, and our string has no default"},
    {"{\"type\":\"record\",\"name\":\"Line\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}",
     &type_point, false, BYTES(""), "!record Line"},
    /* Added fields of every kind are skipped. */
    {"{\"type\":\"record\",\"name\":\"Point\",\"fields\":[{\"name\":\"n\",\"type\":\"null\"},"
     "{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\","
     "\"type\":"
     "\"double\"},"
     "{\"name\":\"i\",\"type\":\"int\"},{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"x\","
     "\"type\":"
     "\"long\"},"
     "{\"name\":\"q\",\"type\":{\"type\":\"fixed\",\"name\":\"Q\",\"size\":2}},"
     "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"Q\"]}},"
     "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"R\","
     "\"fields\":["
     "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}}]}}},"
     "{\"name\":\"label\",\"type\":\"string\"}]}",
     &type_point, false,
     BYTES("\1"
           "ffff"
           "dddddddd"
           "\2"
           "\2s"
           "\4"
           "qq"
           "\4\2k\0\2k\2qq\0"
           "\4\0\0\0"
           "\2z"),
     "{value={x=2 label='z' y=- path=[]}}"},
    /* Arrays inside arrays of records, in blocks. */
    {"{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"Point\",\"fields\":["
     "{\"name\":\"path\",\"type\":{\"type\":\"array\",\"items\":\"int\"}},{\"name\":\"x\",\"type\":"
     "\"int\"},"
     "{\"name\":\"label\",\"type\":\"bytes\"},{\"name\":\"y\",\"type\":[\"int\",\"null\"]}]}}",
     &type_points, false,
     BYTES("\2"
           "\4\2\4\0"
           "\2"
           "\2a"
           "\0\6"
           "\2"
           "\2\2\2\4\0"
           "\4"
           "\2b"
           "\2"
           "\0"),
     "{value=[{x=1 label='a' y=3 path=[1 2]} {x=2 label='b' y=- path=[1 2]}]}"},
};

static void
run_case(const struct plan_case *test, size_t index)
{
    const struct gf_field field = {
        .name = "value",
        .type = test->ours,
        .offset = offsetof(struct probe, value),
        .has_offset = test->is_nullable ? (int32_t)offsetof(struct probe, has_value) : -1};
    struct {
        struct probe probe;
        uint8_t more[64]; /* a record in place is longer than the others */
    } out;
    const struct gf_type ours = {.kind = GF_KIND_RECORD,
                                 .name = "Probe",
                                 .size = sizeof(out),
                                 .field_count = 1,
                                 .fields = &field};
    const struct gf_topic_info topic = {.name = "probe", .type = &ours};
    char json[2048], text[512] = "";
    snprintf(
        json, sizeof(json),
        "{\"type\":\"record\",\"name\":\"Probe\",\"fields\":[{\"name\":\"value\",\"type\":%s}]}",
        test->theirs);
    struct gf_schema_entry entry = {.id = 7};
    struct gf_error error = {.text = ""};
    const enum gf_rc rc = gf_schema_compile(&topic, json, strlen(json), &entry, &error);
    if (test->expected != NULL && test->expected[0] == '!') {
        if (rc != GF_E_UNKNOWN_SCHEMA || strstr(error.text, test->expected + 1) == NULL) {
            fail_msg("case %zu: %s: got %s \"%s\"", index, test->theirs, gf_rc_name(rc),
                     error.text);
        }
        return;
    }
    if (rc != GF_OK) {
        fail_msg("case %zu: %s: %s", index, test->theirs, error.text);
    }
    static uint8_t block[4096];
    struct gf_arena arena = gf_arena_of(block, sizeof(block));
    memset(block, 0xaa, sizeof(block));
    struct gf_reader reader = gf_reader_of(gf_span_of(test->bytes, test->size)), skipper = reader;
    const enum gf_rc read = gf_plan_decode(&entry.plan, &reader, &arena, &out);
    const enum gf_rc skipped = gf_plan_skip(&entry.plan, &skipper);
    assert_int_equal(read, skipped);
    if (read == GF_OK) {
        print_value(&ours, (const uint8_t *)&out, text, sizeof(text));
        assert_ptr_equal(reader.at, reader.end);
        assert_ptr_equal(skipper.at, skipper.end);
    }
    if ((test->expected == NULL) != (read == GF_E_BAD_DATA) ||
        (test->expected != NULL && strcmp(test->expected, text) != 0)) {
        fail_msg("case %zu: %s: got %s %s", index, test->theirs, gf_rc_name(read), text);
    }
    gf_schema_entry_fini(&entry);
}

static void
test_cases(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        run_case(&cases[index], index);
    }
}

static const struct gf_topic_info point_topic = {.name = "points", .type = &type_point};
#define POINT(more)                                                                                \
    "{\"type\":\"record\",\"name\":\"Point\",\"fields\":[{\"name\":\"x\",\"type\":\"long\"},"      \
    "{\"name\":\"label\",\"type\":\"string\"}" more "]}"
#define MORE(type) POINT(",{\"name\":\"more\",\"type\":" type "}")
#define LIST(item) "{\"type\":\"array\",\"items\":" item "}"

static void
compile_point(const char *json, struct gf_schema_entry *entry)
{
    struct gf_error error = {.text = ""};
    if (gf_schema_compile(&point_topic, json, strlen(json), entry, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
}

/* Blocks of items of no bytes cost two bytes each and may claim as many items as there are bytes
 * left: without a budget, a record of 1 MB could stand for 500 billion of them. */
static void
test_items_of_no_bytes_have_a_budget(void **state)
{
    (void)state;
    static uint8_t bytes[40003] = {0, 0};
    struct gf_schema_entry entry = {.id = 1};
    compile_point(MORE(LIST("\"null\"")), &entry);
    for (size_t at = 2; at + 1 < sizeof(bytes); at += 2) {
        bytes[at] = 0x80 | 0x40;
        bytes[at + 1] = 0x01;
    }
    struct gf_reader reader = gf_reader_of(gf_span_of(bytes, sizeof(bytes)));
    assert_int_equal(gf_plan_skip(&entry.plan, &reader), GF_E_BAD_DATA);
    assert_true(gf_reader_left(&reader) > 38000);
    gf_schema_entry_fini(&entry);
}

static void
test_a_small_arena_is_full(void **state)
{
    (void)state;
    struct gf_schema_entry entry = {.id = 1};
    compile_point(POINT(",{\"name\":\"path\",\"type\":" LIST("\"int\"") "}"), &entry);
    uint64_t block[4];
    struct gf_arena arena = gf_arena_of(block, sizeof(block));
    struct gf_reader reader = gf_reader_of(gf_span_of("\2\0\12aaaaa\0", 9)), again = reader;
    struct point point;
    assert_int_equal(gf_plan_decode(&entry.plan, &reader, &arena, &point), GF_E_FULL);
    assert_int_equal(gf_plan_skip(&entry.plan, &again), GF_OK);
    gf_schema_entry_fini(&entry);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_items_of_no_bytes_have_a_budget),
        cmocka_unit_test(test_a_small_arena_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
