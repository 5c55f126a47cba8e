/* Our codec against Avro C: the same bytes mean the same values to both, and both write them alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <avro.h>
#include <cmocka.h>

#include "codec/records.h"
#include "codec_random.h"

#define SEED            7
#define RECORD_COUNT    2000
#define RECORD_SIZE_MAX 65536

static uint8_t made_memory[1 << 17], read_memory[GF_DECODE_ARENA_MULTIPLE * RECORD_SIZE_MAX];

static void avro_check(avro_value_t *avro, const struct gf_type *type, const void *value);
static void avro_fill(avro_value_t *avro, const struct gf_type *type, const void *value);

/* Enters ["null", X]; false at a null. */
static bool
branch_check(avro_value_t *avro, const struct gf_field *field, const uint8_t *record,
             avro_value_t *out)
{
    if (field->has_offset < 0) {
        *out = *avro;
        return true;
    }
    int branch = -1;
    assert_int_equal(avro_value_get_discriminant(avro, &branch), 0);
    assert_int_equal(branch, record[field->has_offset]);
    assert_int_equal(avro_value_get_current_branch(avro, out), 0);
    return branch == 1;
}

static void
record_check(avro_value_t *avro, const struct gf_type *type, const uint8_t *value)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        avro_value_t field = {0}, inner;
        const char *name = NULL;
        assert_int_equal(avro_value_get_by_index(avro, i, &field, &name), 0);
        assert_string_equal(name, type->fields[i].name);
        if (branch_check(&field, &type->fields[i], value, &inner)) {
            avro_check(&inner, type->fields[i].type, value + type->fields[i].offset);
        }
    }
}

static void
array_check(avro_value_t *avro, const struct gf_type *type, const struct gf_array *array)
{
    size_t count = 0;
    assert_int_equal(avro_value_get_size(avro, &count), 0);
    assert_int_equal(count, array->count);
    for (uint32_t i = 0; i < array->count; i++) {
        avro_value_t item = {0};
        assert_int_equal(avro_value_get_by_index(avro, i, &item, NULL), 0);
        avro_check(&item, type->item, (const uint8_t *)array->items + (size_t)i * type->item->size);
    }
}

static void
avro_check(avro_value_t *avro, const struct gf_type *type, const void *value)
{
    int number = 0;
    int64_t large = 0;
    double real = 0;
    const void *data = NULL;
    const char *text = NULL;
    size_t size = 0;
    const struct gf_span *const span = value;
    switch (type->kind) {
    case GF_KIND_BOOL:
        assert_int_equal(avro_value_get_boolean(avro, &number), 0);
        assert_int_equal(number, *(const bool *)value);
        break;
    case GF_KIND_INT:
        assert_int_equal(avro_value_get_int(avro, &number), 0);
        assert_int_equal(number, *(const int32_t *)value);
        break;
    case GF_KIND_ENUM:
        assert_int_equal(avro_value_get_enum(avro, &number), 0);
        assert_int_equal(number, *(const int32_t *)value);
        assert_string_equal(avro_schema_enum_get(avro_value_get_schema(avro), number),
                            type->symbols[number]);
        break;
    case GF_KIND_LONG:
        assert_int_equal(avro_value_get_long(avro, &large), 0);
        assert_true(large == *(const int64_t *)value);
        break;
    case GF_KIND_DOUBLE:
        assert_int_equal(avro_value_get_double(avro, &real), 0);
        assert_memory_equal(&real, value, sizeof real);
        break;
    case GF_KIND_STRING:
        assert_int_equal(avro_value_get_string(avro, &text, &size), 0);
        assert_true(gf_span_equal(gf_span_of(text, size - 1), *span)); /* Avro C counts a NUL */
        break;
    case GF_KIND_BYTES:
        assert_int_equal(avro_value_get_bytes(avro, &data, &size), 0);
        assert_true(gf_span_equal(gf_span_of(data, size), *span));
        break;
    case GF_KIND_FIXED:
        assert_int_equal(avro_value_get_fixed(avro, &data, &size), 0);
        assert_int_equal(size, type->size);
        assert_memory_equal(data, value, size);
        break;
    case GF_KIND_RECORD:
        record_check(avro, type, value);
        break;
    case GF_KIND_ARRAY:
        array_check(avro, type, value);
        break;
    }
}

static void
record_fill(avro_value_t *avro, const struct gf_type *type, const uint8_t *value)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct gf_field *const field = &type->fields[i];
        avro_value_t child = {0}, inner;
        assert_int_equal(avro_value_get_by_index(avro, i, &child, NULL), 0);
        inner = child;
        if (field->has_offset >= 0) {
            assert_int_equal(avro_value_set_branch(&child, value[field->has_offset], &inner), 0);
            if (value[field->has_offset] == 0) {
                assert_int_equal(avro_value_set_null(&inner), 0);
                continue;
            }
        }
        avro_fill(&inner, field->type, value + field->offset);
    }
}

static void
avro_fill(avro_value_t *avro, const struct gf_type *type, const void *value)
{
    const struct gf_span *const span = value;
    const struct gf_array *const array = value;
    char text[512] = {0};
    switch (type->kind) {
    case GF_KIND_BOOL:
        assert_int_equal(avro_value_set_boolean(avro, *(const bool *)value), 0);
        break;
    case GF_KIND_INT:
        assert_int_equal(avro_value_set_int(avro, *(const int32_t *)value), 0);
        break;
    case GF_KIND_ENUM:
        assert_int_equal(avro_value_set_enum(avro, *(const int32_t *)value), 0);
        break;
    case GF_KIND_LONG:
        assert_int_equal(avro_value_set_long(avro, *(const int64_t *)value), 0);
        break;
    case GF_KIND_DOUBLE:
        assert_int_equal(avro_value_set_double(avro, *(const double *)value), 0);
        break;
    case GF_KIND_STRING:
        assert_true(span->size < sizeof text);
        memcpy(text, span->data, span->size);
        assert_int_equal(avro_value_set_string_len(avro, text, span->size + 1), 0);
        break;
    case GF_KIND_BYTES:
        assert_int_equal(avro_value_set_bytes(avro, (void *)span->data, span->size), 0);
        break;
    case GF_KIND_FIXED:
        assert_int_equal(avro_value_set_fixed(avro, (void *)value, type->size), 0);
        break;
    case GF_KIND_RECORD:
        record_fill(avro, type, value);
        break;
    case GF_KIND_ARRAY:
        for (uint32_t i = 0; i < array->count; i++) {
            avro_value_t item = {0};
            assert_int_equal(avro_value_append(avro, &item, NULL), 0);
            avro_fill(&item, type->item,
                      (const uint8_t *)array->items + (size_t)i * type->item->size);
        }
        break;
    }
}

static size_t
avro_encode(avro_value_t *avro, uint8_t *out, size_t size)
{
    avro_writer_t writer = avro_writer_memory((const char *)out, (int64_t)size);
    assert_int_equal(avro_value_write(writer, avro), 0);
    const int64_t written = avro_writer_tell(writer);
    avro_writer_free(writer);
    return (size_t)written;
}

/* Ours to theirs, theirs to ours. */
static void
record_compare(const struct gf_topic_info *topic, avro_value_t *avro,
               const union gf_record_body *made)
{
    static uint8_t ours[RECORD_SIZE_MAX], theirs[RECORD_SIZE_MAX];
    struct gf_writer writer = gf_writer_of(ours, sizeof ours);
    topic->encode(&writer, made);
    assert_false(writer.overflowed);
    const size_t size = gf_writer_size(&writer);

    avro_reader_t reader = avro_reader_memory((const char *)ours, (int64_t)size);
    assert_int_equal(avro_value_reset(avro), 0);
    assert_int_equal(avro_value_read(reader, avro), 0);
    avro_reader_free(reader);
    avro_check(avro, topic->type, made);
    assert_int_equal(avro_encode(avro, theirs, sizeof theirs), size);
    assert_memory_equal(theirs, ours, size);

    memset(theirs, 0, size);
    assert_int_equal(avro_value_reset(avro), 0);
    avro_fill(avro, topic->type, made);
    assert_int_equal(avro_encode(avro, theirs, sizeof theirs), size);
    struct gf_arena arena = gf_arena_of(read_memory, sizeof read_memory);
    struct gf_reader back = gf_reader_of(gf_span_of(theirs, size));
    union gf_record_body read;
    assert_int_equal(topic->decode(&back, &arena, &read), GF_OK);
    assert_int_equal(gf_reader_left(&back), 0);
    assert_true(codec_random_equal(topic->type, made, &read));
}

static void
test_same_as_avro_c(void **state)
{
    (void)state;
    print_message("seed %d\n", SEED);
    for (int t = 0; t < GF_TOPIC_COUNT; t++) {
        const struct gf_topic_info *const topic = &gf_topics[t];
        avro_schema_t schema;
        assert_int_equal(
            avro_schema_from_json_length(topic->schema, strlen(topic->schema), &schema), 0);
        avro_value_iface_t *const iface = avro_generic_class_from_schema(schema);
        assert_non_null(iface);
        avro_value_t avro;
        assert_int_equal(avro_generic_value_new(iface, &avro), 0);
        struct gf_random random = {.seed = SEED, .stream = (uint64_t)t};
        for (int i = 0; i < RECORD_COUNT; i++) {
            struct gf_arena arena = gf_arena_of(made_memory, sizeof made_memory);
            union gf_record_body made;
            codec_random_fill(topic->type, &random, &arena, &made);
            record_compare(topic, &avro, &made);
        }
        avro_value_decref(&avro);
        avro_value_iface_decref(iface);
        avro_schema_decref(schema);
    }
}

/* A reader of the canonical form alone must see the same schema: the same bytes again. */
static void
test_canonical_form_is_a_schema(void **state)
{
    (void)state;
    for (int t = 0; t < GF_TOPIC_COUNT; t++) {
        avro_schema_t full, canonical;
        assert_int_equal(
            avro_schema_from_json_length(gf_topics[t].schema, strlen(gf_topics[t].schema), &full),
            0);
        assert_int_equal(avro_schema_from_json_length(gf_topics[t].canonical,
                                                      strlen(gf_topics[t].canonical), &canonical),
                         0);
        assert_true(avro_schema_equal(full, canonical));
        avro_schema_decref(full);
        avro_schema_decref(canonical);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_avro_c),
        cmocka_unit_test(test_canonical_form_is_a_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
