/* Plans at random: writer schemas derived from ours by legal changes, values written by Avro C, and
 * the plan's record compared with the value that was written, and with Avro C's own resolution
 * where it has one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <avro.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "io/schema.h"
#include "plan_random.h"

#define SCHEMAS_A_TOPIC 30
#define VALUES_A_SCHEMA 8
#define BYTES_MAX       (1 << 18)
#define ARENA_SIZE      (1 << 20)

static uint8_t *arena_block;

/* What a walk over a written value and our record finds. */
enum found { FOUND_EQUAL, FOUND_DIFFERENT, FOUND_UNREADABLE };

static enum found walk(const avro_value_t *written, const struct gf_type *type, const uint8_t *at);

static enum found
same_if(bool is_same)
{
    return is_same ? FOUND_EQUAL : FOUND_DIFFERENT;
}

/* `record` is NULL when only the value is looked at: can it be read at all? */
static enum found
walk_field(const avro_value_t *written, const struct gf_field *field, const uint8_t *record)
{
    static const uint8_t zeros[512] = {0};
    const uint8_t *at = record == NULL ? NULL : record + field->offset;
    avro_value_t branch = *written;
    if (written->iface == NULL) {
        assert_true(field->has_default);
        assert_true(field->type->size <= sizeof(zeros));
        return same_if(record == NULL ||
                       (memcmp(at, zeros, field->type->size) == 0 &&
                        (field->has_offset < 0 || record[field->has_offset] == 0)));
    }
    if (avro_value_get_type(written) == AVRO_UNION) {
        avro_value_get_current_branch(written, &branch);
    }
    if (avro_value_get_type(&branch) == AVRO_NULL) {
        if (field->has_offset < 0) {
            return FOUND_UNREADABLE;
        }
        return same_if(record == NULL || record[field->has_offset] == 0);
    }
    if (record != NULL && field->has_offset >= 0 && record[field->has_offset] != 1) {
        return FOUND_DIFFERENT;
    }
    return walk(&branch, field->type, at);
}

static enum found
walk_record(const avro_value_t *written, const struct gf_type *type, const uint8_t *at)
{
    enum found worst = FOUND_EQUAL;
    for (uint32_t index = 0; index < type->field_count; index++) {
        avro_value_t child = {.iface = NULL};
        if (avro_value_get_by_name(written, type->fields[index].name, &child, NULL) != 0) {
            child.iface = NULL;
        }
        const enum found found = walk_field(&child, &type->fields[index], at);
        worst = found > worst ? found : worst;
    }
    return worst;
}

static enum found
walk_array(const avro_value_t *written, const struct gf_type *type, const uint8_t *at)
{
    size_t count = 0;
    struct gf_array array = {.items = NULL};
    enum found worst = FOUND_EQUAL;
    avro_value_get_size(written, &count);
    if (at != NULL) {
        memcpy(&array, at, sizeof(array));
        if (array.count != count) {
            return FOUND_DIFFERENT;
        }
    }
    for (size_t index = 0; index < count; index++) {
        avro_value_t child;
        const struct gf_field item = {.type = type->item, .has_offset = -1};
        avro_value_get_by_index(written, index, &child, NULL);
        const uint8_t *item_at =
            at == NULL ? NULL : (const uint8_t *)array.items + index * type->item->size;
        const enum found found = walk_field(&child, &item, item_at);
        worst = found > worst ? found : worst;
    }
    return worst;
}

/* A number of any width, as long and as double. */
static bool
get_number(const avro_value_t *value, int64_t *wide, double *real)
{
    int32_t narrow = 0;
    float small = 0;
    switch (avro_value_get_type(value)) {
    case AVRO_INT32:
        avro_value_get_int(value, &narrow);
        *wide = narrow;
        *real = narrow;
        return true;
    case AVRO_INT64:
        avro_value_get_long(value, wide);
        *real = (double)*wide;
        return true;
    case AVRO_FLOAT:
        avro_value_get_float(value, &small);
        *real = (double)small;
        return true;
    case AVRO_DOUBLE:
        avro_value_get_double(value, real);
        return true;
    default:
        return false;
    }
}

static enum found
walk(const avro_value_t *written, const struct gf_type *type, const uint8_t *at)
{
    const avro_type_t theirs = avro_value_get_type(written);
    const void *data = "";
    const char *text = "";
    size_t size = 0;
    int truth = 0, symbol = 0;
    int64_t wide = 0;
    double real = 0;
    if (theirs == AVRO_BOOLEAN && type->kind != GF_KIND_BOOL) {
        return FOUND_UNREADABLE; /* the branch that plan_random.c adds */
    }
    if (type->kind == GF_KIND_RECORD) {
        return walk_record(written, type, at);
    }
    if (type->kind == GF_KIND_ARRAY) {
        return walk_array(written, type, at);
    }
    if (at == NULL) {
        return FOUND_EQUAL;
    }
    if (type->kind == GF_KIND_BOOL) {
        avro_value_get_boolean(written, &truth);
        return same_if(*at == truth);
    }
    if (type->kind == GF_KIND_ENUM) {
        avro_value_get_enum(written, &symbol);
        text = avro_schema_enum_get(avro_value_get_schema(written), symbol);
        int32_t expected = 0;
        for (uint32_t index = 0; index < type->symbol_count; index++) {
            expected = strcmp(type->symbols[index], text) == 0 ? (int32_t)index : expected;
        }
        return same_if(memcmp(at, &expected, 4) == 0);
    }
    if (get_number(written, &wide, &real)) {
        const int32_t narrow = (int32_t)wide;
        return same_if(type->kind == GF_KIND_DOUBLE ? memcmp(at, &real, 8) == 0
                       : type->kind == GF_KIND_LONG ? memcmp(at, &wide, 8) == 0
                                                    : memcmp(at, &narrow, 4) == 0);
    }
    if (theirs == AVRO_STRING) {
        avro_value_get_string(written, &text, &size);
        data = text;
        size -= 1;
    } else if (theirs == AVRO_BYTES) {
        avro_value_get_bytes(written, &data, &size);
    } else {
        avro_value_get_fixed(written, &data, &size);
        return same_if(size == type->size && memcmp(at, data, size) == 0);
    }
    struct gf_span span;
    memcpy(&span, at, sizeof(span));
    return same_if(gf_span_equal(span, gf_span_of(data, size)));
}

/* Decodes and skips `bytes`, which are copied so that a byte outside is seen. */
static enum gf_rc
read_both(const struct gf_plan *plan, const uint8_t *bytes, size_t size, void *record)
{
    struct gf_arena arena = gf_arena_of(arena_block, ARENA_SIZE);
    struct gf_reader reader = gf_reader_of(gf_span_of(bytes, size)), skipper = reader;
    const enum gf_rc read = gf_plan_decode(plan, &reader, &arena, record);
    const enum gf_rc skipped = gf_plan_skip(plan, &skipper);
    assert_true(read == GF_OK || read == GF_E_BAD_DATA || read == GF_E_FULL);
    if (read != GF_E_FULL) {
        assert_int_equal(read, skipped);
    }
    if (read == GF_OK) {
        assert_ptr_equal(reader.at, skipper.at);
    }
    return read;
}

static void
read_damaged(const struct gf_plan *plan, const uint8_t *bytes, size_t size, void *record)
{
    for (int round = 0; round < 6; round++) {
        const size_t cut = round < 2 ? plan_below((uint32_t)size + 1) : size;
        uint8_t *copy = malloc(cut > 0 ? cut : 1);
        memcpy(copy, bytes, cut);
        for (uint32_t flips = round < 2 ? 0 : 1 + plan_below(4); cut > 0 && flips > 0; flips--) {
            copy[plan_below((uint32_t)cut)] = (uint8_t)gf_random_next(&plan_draws);
        }
        const enum gf_rc rc = read_both(plan, copy, cut, record);
        if (round < 2 && cut < size) {
            assert_true(rc != GF_OK);
        }
        free(copy);
    }
}

/* Avro C's resolution of the same bytes. False: it has none for this pair of schemas. */
static bool
compare_with_avro(avro_schema_t theirs, avro_schema_t ours, const uint8_t *bytes, size_t size,
                  const struct gf_type *type, const void *record)
{
    avro_value_iface_t *resolver = avro_resolved_writer_new(theirs, ours);
    if (resolver == NULL) {
        avro_set_error("%s", "");
        return false;
    }
    avro_value_iface_t *class = avro_generic_class_from_schema(ours);
    avro_value_t value, view;
    assert_int_equal(avro_generic_value_new(class, &value), 0);
    assert_int_equal(avro_resolved_writer_new_value(resolver, &view), 0);
    avro_resolved_writer_set_dest(&view, &value);
    avro_reader_t reader = avro_reader_memory((const char *)bytes, (int64_t)size);
    const bool is_read = avro_value_read(reader, &view) == 0;
    if (is_read) {
        assert_int_equal(walk(&value, type, record), FOUND_EQUAL);
    }
    avro_set_error("%s", "");
    avro_reader_free(reader);
    avro_value_decref(&view);
    avro_value_decref(&value);
    avro_value_iface_decref(class);
    avro_value_iface_decref(resolver);
    return is_read;
}

struct tally {
    uint32_t read, refused, compared;
};

static void
run_schema(const struct gf_topic_info *topic, const char *json, avro_schema_t ours,
           struct tally *tally)
{
    struct gf_schema_entry entry = {.id = 1};
    struct gf_error error = {.text = ""};
    if (gf_schema_compile(topic, json, strlen(json), &entry, &error) != GF_OK) {
        fail_msg("%s\n%s", error.text, json);
    }
    avro_schema_t schema = NULL;
    assert_int_equal(avro_schema_from_json_length(json, strlen(json), &schema), 0);
    avro_value_iface_t *class = avro_generic_class_from_schema(schema);
    uint8_t *bytes = malloc(BYTES_MAX);
    uint8_t *record = malloc(topic->type->size);
    for (int round = 0; !entry.is_own && round < VALUES_A_SCHEMA; round++) {
        avro_value_t value;
        assert_int_equal(avro_generic_value_new(class, &value), 0);
        plan_fill(&value);
        avro_writer_t writer = avro_writer_memory((char *)bytes, BYTES_MAX);
        assert_int_equal(avro_value_write(writer, &value), 0);
        const size_t size = (size_t)avro_writer_tell(writer);
        const enum gf_rc rc = read_both(&entry.plan, bytes, size, record);
        if (walk(&value, topic->type, NULL) == FOUND_UNREADABLE) {
            assert_int_equal(rc, GF_E_BAD_DATA);
            tally->refused++;
        } else {
            assert_int_equal(rc, GF_OK);
            if (walk(&value, topic->type, record) != FOUND_EQUAL) {
                fail_msg("%s: differs from what was written with %s", topic->name, json);
            }
            tally->read++;
            tally->compared +=
                plan_is_simple && compare_with_avro(schema, ours, bytes, size, topic->type, record);
        }
        read_damaged(&entry.plan, bytes, size, record);
        avro_writer_free(writer);
        avro_value_decref(&value);
    }
    free(record);
    free(bytes);
    avro_value_iface_decref(class);
    avro_schema_decref(schema);
    gf_schema_entry_fini(&entry);
}

static void
test_random_schemas(void **state)
{
    (void)state;
    struct tally tally = {.read = 0};
    print_message("seed %llu\n", (unsigned long long)PLAN_SEED);
    for (uint32_t topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        const struct gf_topic_info *info = &gf_topics[topic];
        avro_schema_t ours = NULL;
        assert_int_equal(avro_schema_from_json_length(info->schema, strlen(info->schema), &ours),
                         0);
        json_t *json = json_loads(info->schema, 0, NULL);
        /* A name must be defined before it is used. */
        const bool may_move = strstr(info->schema, "\"gridfold.") == NULL;
        for (int round = 0; round < SCHEMAS_A_TOPIC; round++) {
            plan_is_simple = round % 2 == 0;
            json_t *theirs = plan_changed_record(json, may_move);
            char *text = json_dumps(theirs, JSON_COMPACT);
            run_schema(info, text, ours, &tally);
            free(text);
            json_decref(theirs);
        }
        json_decref(json);
        avro_schema_decref(ours);
    }
    print_message("%u read, %u refused, %u compared with Avro C\n", tally.read, tally.refused,
                  tally.compared);
    assert_true(tally.read > 500);
    assert_true(tally.refused > 100);
    assert_true(tally.compared > 50);
}

/* Our own schema takes the straight decoder; its plan would read the same. */
static void
test_own_schemas(void **state)
{
    (void)state;
    for (uint32_t topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        const struct gf_topic_info *info = &gf_topics[topic];
        struct gf_schema_entry entry = {.id = 1};
        struct gf_error error = {.text = ""};
        if (gf_schema_compile(info, info->schema, strlen(info->schema), &entry, &error) != GF_OK) {
            fail_msg("%s", error.text);
        }
        assert_true(entry.is_own);
        assert_null(entry.plan.ops);
        assert_int_equal(
            gf_schema_compile(info, info->canonical, strlen(info->canonical), &entry, &error),
            GF_OK);
        assert_true(entry.is_own);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_schemas),
        cmocka_unit_test(test_own_schemas),
    };
    arena_block = malloc(ARENA_SIZE);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(arena_block);
    return failed;
}
