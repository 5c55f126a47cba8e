#include "emit.h"

#include <inttypes.h>
#include <string.h>

static const char *
kind_name(enum gf_kind kind)
{
    switch (kind) {
    case GF_KIND_BOOL:
        return "GF_KIND_BOOL";
    case GF_KIND_INT:
        return "GF_KIND_INT";
    case GF_KIND_LONG:
        return "GF_KIND_LONG";
    case GF_KIND_DOUBLE:
        return "GF_KIND_DOUBLE";
    case GF_KIND_STRING:
        return "GF_KIND_STRING";
    case GF_KIND_BYTES:
        return "GF_KIND_BYTES";
    case GF_KIND_FIXED:
        return "GF_KIND_FIXED";
    case GF_KIND_ENUM:
        return "GF_KIND_ENUM";
    case GF_KIND_RECORD:
        return "GF_KIND_RECORD";
    case GF_KIND_ARRAY:
        return "GF_KIND_ARRAY";
    }
    return NULL;
}

static const char *
type_symbol(const struct type *type)
{
    return keep_text(type->kind == GF_KIND_RECORD ? "gf_%s_type" : "type_%s", type->id);
}

static void
enum_table_add(struct text *out, const struct type *type)
{
    text_add(out, "static const char *const symbols_%s[] = {\n", type->id);
    for (uint32_t i = 0; i < type->symbol_count; i++) {
        text_add(out, "    \"%s\",\n", type->symbols[i]);
    }
    text_add(out,
             "};\n\nconst char *\ngf_%s_name(int value)\n{\n    return symbols_%s[value >= 0 && "
             "value < %u ? "
             "value : 0];\n}\n\n",
             type->id, type->id, type->symbol_count);
}

static void
record_table_add(struct text *out, const struct type *type)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct field *const field = &type->fields[i];
        for (uint32_t j = 0; j < field->alias_count; j++) {
            if (j == 0) {
                text_add(out, "static const char *const aliases_%s_%s[] = {", type->id,
                         field->name);
            }
            text_add(out, "\"%s\", ", field->aliases[j]);
        }
        text_add(out, "%s", field->alias_count == 0 ? "" : "NULL};\n");
    }
    text_add(out, "static const struct gf_field fields_%s[] = {\n", type->id);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct field *const field = &type->fields[i];
        text_add(out, "    {.name = \"%s\",\n     .doc = ", field->name);
        text_add_literal(out, field->doc);
        text_add(out, ",\n     .type = &%s,\n     .offset = offsetof(struct gf_%s, %s),\n",
                 type_symbol(field->type), type->id, field->name);
        if (field->is_nullable) {
            text_add(out, "     .has_offset = offsetof(struct gf_%s, has_%s),\n", type->id,
                     field->name);
        } else {
            text_add(out, "     .has_offset = -1,\n");
        }
        text_add(out, "     .has_default = %s", field->has_default ? "true" : "false");
        text_add(out, field->alias_count > 0 ? ",\n     .aliases = aliases_%s_%s},\n" : "},\n",
                 type->id, field->name);
    }
    text_add(out, "};\n\n");
}

static const char *
size_text(const struct type *type)
{
    if (type->kind == GF_KIND_FIXED) {
        return keep_text("%u", type->size);
    }
    return keep_text("sizeof(%s)",
                     type->kind == GF_KIND_ARRAY ? "struct gf_array" : type_c_name(type));
}

void
emit_type_tables(struct text *out, const struct model *model)
{
    for (uint32_t i = 0; i < model->type_count; i++) {
        const struct type *const type = model->types[i];
        if (type->kind == GF_KIND_ENUM) {
            enum_table_add(out, type);
        } else if (type->kind == GF_KIND_RECORD) {
            record_table_add(out, type);
        }
        text_add(out, "%sconst struct gf_type %s = {\n",
                 type->kind == GF_KIND_RECORD ? "" : "static ", type_symbol(type));
        text_add(out, "    .kind = %s,\n    .name = \"%s\",\n    .size = %s,\n",
                 kind_name(type->kind), type->name, size_text(type));
        if (type->kind == GF_KIND_RECORD) {
            text_add(out, "    .field_count = %u,\n    .fields = fields_%s,\n", type->field_count,
                     type->id);
        } else if (type->kind == GF_KIND_ENUM) {
            text_add(out, "    .symbol_count = %u,\n    .symbols = symbols_%s,\n",
                     type->symbol_count, type->id);
        } else if (type->kind == GF_KIND_ARRAY) {
            text_add(out, "    .item = &%s,\n", type_symbol(type->item));
        }
        if (type->unit != NULL) {
            text_add(out, "    .unit = \"%s\",\n    .scale = %d,\n", type->unit, type->scale);
        }
        text_add(out, "};\n\n");
    }
}

static void
schema_add(struct text *out, const struct topic *topic)
{
    const char *const id = topic->type->id;
    text_add(out, "static const char schema_%s[] =\n", id);
    for (const char *line = topic->text; *line != '\0';) {
        const char *const stop = strchr(line, '\n');
        const size_t size = stop == NULL ? strlen(line) : (size_t)(stop - line) + 1;
        text_add(out, "    ");
        text_add_literal(out, keep_text("%.*s", (int)size, line));
        text_add(out, "\n");
        line += size;
    }
    text_add(out, "    ;\nstatic const char canonical_%s[] =\n", id);
    for (const char *part = topic->canonical; *part != '\0';) {
        const size_t size = strlen(part) < 90 ? strlen(part) : 90;
        text_add(out, "    ");
        text_add_literal(out, keep_text("%.*s", (int)size, part));
        text_add(out, "\n");
        part += size;
    }
    text_add(out, "    ;\n\n");
}

static const char *
stage_symbol(const char *name)
{
    return name == NULL ? "GF_STAGE_CUSTOMER" : keep_text("GF_STAGE_%s", text_upper_snake(name));
}

void
emit_topic_table(struct text *out, const struct model *model)
{
    for (uint32_t i = 0; i < model->topic_count; i++) {
        schema_add(out, &model->topics[i]);
    }
    text_add(out, "const struct gf_topic_info gf_topics[GF_TOPIC_COUNT] = {\n");
    for (uint32_t i = 0; i < model->topic_count; i++) {
        const struct topic *const topic = &model->topics[i];
        const char *const id = topic->type->id;
        text_add(out, "    [GF_TOPIC_%s] = {\n        .name = \"%s\",\n        .key = \"%s\",\n",
                 text_upper_snake(topic->name), topic->name, topic->key);
        text_add(out, "        .stage = %s,\n        .is_internal = %s,\n        .from = %s,\n",
                 stage_symbol(topic->stage), topic->from != NULL ? "true" : "false",
                 stage_symbol(topic->from));
        text_add(out, "        .is_input = %s,\n        .is_reference = %s,\n        .rank = %d,\n",
                 topic->rank >= 0 && topic->from == NULL ? "true" : "false",
                 topic->rank >= 0 && strcmp(topic->key, "reference") == 0 ? "true" : "false",
                 topic->rank >= 0 ? topic->rank : 0);
        text_add(out, "        .schema = schema_%s,\n        .canonical = canonical_%s,\n", id, id);
        text_add(out,
                 "        .fingerprint = UINT64_C(0x%016" PRIx64 "),\n        .schema_id = %u,\n",
                 topic->fingerprint, topic->id);
        text_add(out, "        .type = &gf_%s_type,\n        .decode = %s_decode_any,\n", id, id);
        text_add(out, "        .skip = %s_skip_any,\n        .encode = %s_encode_any,\n    },\n",
                 id, id);
    }
    text_add(out, "};\n\nint\ngf_topic_find(const char *name)\n{\n    for (int i = 0; i < "
                  "GF_TOPIC_COUNT; i++) {\n"
                  "        if (strcmp(gf_topics[i].name, name) == 0) {\n            return i;\n    "
                  "    }\n    }\n "
                  "   return -1;\n}\n");
}
