#include "emit.h"

#include <string.h>

static void
enum_add(struct text *out, const struct type *type)
{
    const char *const upper = text_upper_snake(type->name);
    text_add(out, "/* %s */\nenum gf_%s {\n", type->doc, type->id);
    for (uint32_t i = 0; i < type->symbol_count; i++) {
        text_add(out, "    GF_%s_%s = %u,\n", upper, type->symbols[i], i);
    }
    text_add(out, "    GF_%s_COUNT = %u,\n};\n", upper, type->symbol_count);
    text_add(out, "/* \"%s\" and so on, as in the schema; that of UNKNOWN for other values. */\n",
             type->symbols[type->symbol_count - 1]);
    text_add(out, "const char *gf_%s_name(int value);\n\n", type->id);
}

static void
member_add(struct text *out, const struct field *field)
{
    const struct type *const type = field->type;
    text_add(out, "    /* %s", field->doc);
    if (type->kind == GF_KIND_ENUM) {
        text_add(out, " (enum gf_%s)", type->id);
    } else if (type->unit != NULL && type->scale > 0 &&
               strcmp(type->unit, "timestamp-micros") != 0) {
        text_add(out, " (1e-%d %s)", type->scale, type->unit);
    } else if (type->unit != NULL && strcmp(type->unit, "timestamp-micros") != 0) {
        text_add(out, " (%s)", type->unit);
    }
    text_add(out, " */\n");
    if (field->is_nullable) {
        text_add(out, "    bool has_%s;\n", field->name);
    }
    if (type->kind == GF_KIND_ARRAY) {
        text_add(out,
                 "    struct {\n        const %s *items;\n        uint32_t count;\n    } %s;\n",
                 type_c_name(type->item), field->name);
    } else if (type->kind == GF_KIND_FIXED) {
        text_add(out, "    uint8_t %s[%u];\n", field->name, type->size);
    } else {
        text_add(out, "    %s %s;\n", type_c_name(type), field->name);
    }
}

static void
struct_add(struct text *out, const struct type *type)
{
    text_add(out, "/* %s */\nstruct gf_%s {\n", type->doc, type->id);
    for (uint32_t i = 0; i < type->field_count; i++) {
        member_add(out, &type->fields[i]);
    }
    text_add(out, "};\n\n");
}

static void
topics_add(struct text *out, const struct model *model)
{
    uint32_t read_count = 0;
    for (uint32_t i = 0; i < model->topic_count; i++) {
        read_count += model->topics[i].rank >= 0;
    }
    text_add(out,
             "/* Topics: inputs in the order of the merge (their rank), then internal topics, then "
             "outputs by name. */\nenum "
             "gf_topic {\n");
    for (uint32_t i = 0; i < model->topic_count; i++) {
        text_add(out, "    GF_TOPIC_%s = %u,\n", text_upper_snake(model->topics[i].name), i);
    }
    text_add(out,
             "    GF_TOPIC_COUNT = %u,\n};\n#define GF_TOPIC_INPUT_COUNT %u\n"
             "/* With the internal topics, which we both write and read. */\n"
             "#define GF_TOPIC_READ_COUNT %u\n\n",
             model->topic_count, model->input_count, read_count);
}

static void
union_add(struct text *out, const struct model *model)
{
    text_add(out, "/* Room for the record of any topic. */\nunion gf_record_body {\n");
    for (uint32_t i = 0; i < model->topic_count; i++) {
        const struct type *const type = model->topics[i].type;
        text_add(out, "    struct gf_%s %s;\n", type->id, type->id);
    }
    text_add(out, "};\n#define GF_RECORD_STRUCT_SIZE_MAX sizeof(union gf_record_body)\n\n");
}

void
emit_model_header(struct text *out, const struct model *model)
{
    text_add(
        out,
        "/* Records of all topics. " EMIT_NOTE "\n *\n"
        " * Strings, bytes and arrays are views: they live as long as the input and the arena they "
        "were decoded\n"
        " * from. A member behind `has_x` holds zeros where `has_x` is false. */\n"
        "#ifndef GF_MODEL_RECORDS_H\n#define GF_MODEL_RECORDS_H\n\n#include <stdbool.h>\n#include "
        "<stdint.h>\n\n"
        "#include \"base/span.h\"\n#include \"base/unit.h\"\n\n");
    topics_add(out, model);
    for (uint32_t i = 0; i < model->type_count; i++) {
        const struct type *const type = model->types[i];
        if (type->kind == GF_KIND_ENUM) {
            enum_add(out, type);
        } else if (type->kind == GF_KIND_RECORD) {
            struct_add(out, type);
        } else if (type->kind == GF_KIND_FIXED) {
            text_add(out, "#define GF_%s_SIZE %u\n\n", text_upper_snake(type->name), type->size);
        }
    }
    union_add(out, model);
    text_add(out, "#endif\n");
}
