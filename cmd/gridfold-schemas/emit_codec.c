#include "emit.h"

#include <string.h>

static bool
is_topic_record(const struct model *model, const struct type *type)
{
    for (uint32_t i = 0; i < model->topic_count; i++) {
        if (model->topics[i].type == type) {
            return true;
        }
    }
    return false;
}

static const char *
wire_name(const struct type *type)
{
    switch (type->kind) {
    case GF_KIND_BOOL:
        return "bool";
    case GF_KIND_INT:
        return "int";
    case GF_KIND_LONG:
        return "long";
    case GF_KIND_DOUBLE:
        return "double";
    case GF_KIND_STRING:
        return "string";
    case GF_KIND_BYTES:
        return "bytes";
    case GF_KIND_FIXED:
        return "fixed";
    case GF_KIND_ENUM:
        return "enum";
    case GF_KIND_RECORD:
    case GF_KIND_ARRAY:
        break;
    }
    return NULL;
}

/* The one member of a unit struct: ".us". */
static const char *
unit_member(const struct type *type)
{
    const char *const name = type->kind == GF_KIND_LONG ? type_c_name(type) : "";
    return strcmp(name, "struct gf_time") == 0     ? ".us"
           : strcmp(name, "struct gf_energy") == 0 ? ".micro_kwh"
           : strcmp(name, "struct gf_price") == 0  ? ".e8_per_kwh"
           : strcmp(name, "struct gf_money") == 0  ? ".micro"
                                                   : "";
}

static void
check_add(struct text *out, const char *pad)
{
    text_add(out, "%sif (at == NULL) {\n%s    return NULL;\n%s}\n", pad, pad, pad);
}

/* `target` is the value's place in C; NULL to move past it. */
static void
value_read_add(struct text *out, const struct type *type, const char *target, const char *pad)
{
    const bool skips = target == NULL;
    switch (type->kind) {
    case GF_KIND_RECORD:
        text_add(out,
                 skips ? "%sat = %s_pass(at, end);\n" : "%sat = %s_read(at, end, arena, &%s);\n",
                 pad, type->id, target);
        break;
    case GF_KIND_ARRAY:
        if (skips) {
            text_add(out, "%sat = %s_pass(at, end, &(uint64_t){0});\n", pad, type->id);
        } else {
            text_add(out, "%sat = %s_read(at, end, arena, &%s.items, &%s.count);\n", pad, type->id,
                     target, target);
        }
        break;
    case GF_KIND_ENUM:
        text_add(out,
                 skips ? "%sat = gf_wire_enum(at, end, %u, &(int32_t){0});\n"
                       : "%sat = gf_wire_enum(at, end, %u, &%s);\n",
                 pad, type->symbol_count, target);
        break;
    case GF_KIND_FIXED:
        text_add(out,
                 skips ? "%sat = gf_wire_pass(at, end, %u);\n"
                       : "%sat = gf_wire_fixed(at, end, %u, %s);\n",
                 pad, type->size, target);
        break;
    case GF_KIND_BOOL:
    case GF_KIND_INT:
    case GF_KIND_LONG:
    case GF_KIND_DOUBLE:
    case GF_KIND_STRING:
    case GF_KIND_BYTES:
        if (skips) {
            const char *const plain = type->kind == GF_KIND_LONG ? "int64_t" : type_c_name(type);
            text_add(out, "%sat = gf_wire_%s(at, end, &(%s){0});\n", pad, wire_name(type), plain);
        } else {
            text_add(out, "%sat = gf_wire_%s(at, end, &%s%s);\n", pad, wire_name(type), target,
                     unit_member(type));
        }
        break;
    }
    check_add(out, pad);
}

static void
field_read_add(struct text *out, const struct field *field, bool skips)
{
    const char *const target = skips ? NULL : keep_text("out->%s", field->name);
    const struct type *const type = field->type;
    if (!field->is_nullable) {
        value_read_add(out, type, target, "    ");
        return;
    }
    const char *const has = skips ? "has" : keep_text("out->has_%s", field->name);
    text_add(out, "    at = gf_wire_has(at, end, &%s);\n", has);
    check_add(out, "    ");
    if (!skips) { /* also keeps a null from carrying what was there before */
        if (type->kind == GF_KIND_ARRAY) {
            text_add(out, "    %s.items = NULL;\n    %s.count = 0;\n", target, target);
        } else if (type->kind == GF_KIND_FIXED) {
            text_add(out, "    memset(%s, 0, sizeof %s);\n", target, target);
        } else if (type_c_name(type)[0] == 's') {
            text_add(out, "    %s = (%s){0};\n", target, type_c_name(type));
        } else {
            text_add(out, "    %s = 0;\n", target);
        }
    }
    text_add(out, "    if (%s) {\n", has);
    value_read_add(out, type, target, "        ");
    text_add(out, "    }\n");
}

static void
record_read_add(struct text *out, const struct type *type)
{
    bool uses_arena = false, has_null = false;
    for (uint32_t i = 0; i < type->field_count; i++) {
        uses_arena |= type->fields[i].type->kind == GF_KIND_RECORD ||
                      type->fields[i].type->kind == GF_KIND_ARRAY;
        has_null |= type->fields[i].is_nullable;
    }
    text_add(out,
             "static inline const uint8_t *\n%s_read(const uint8_t *at, const uint8_t *end, struct "
             "gf_arena "
             "*arena, struct gf_%s *out)\n{\n",
             type->id, type->id);
    text_add(out, "%s", uses_arena ? "" : "    (void)arena;\n");
    for (uint32_t i = 0; i < type->field_count; i++) {
        field_read_add(out, &type->fields[i], false);
    }
    text_add(out, "    return at;\n}\n\n");
    text_add(out,
             "static inline const uint8_t *\n%s_pass(const uint8_t *at, const uint8_t *end)\n{\n",
             type->id);
    text_add(out, "%s", has_null ? "    bool has = false;\n" : "");
    for (uint32_t i = 0; i < type->field_count; i++) {
        field_read_add(out, &type->fields[i], true);
    }
    text_add(out, "    return at;\n}\n\n");
}

static void
array_read_add(struct text *out, const struct type *type)
{
    const char *const id = type->id, *const item = type_c_name(type->item);
    const uint32_t size = type_wire_size_min(type->item);
    text_add(
        out,
        "/* Every item of the array whose first block starts at `at`; `count_out` grows by their "
        "number. */\n"
        "static const uint8_t *\n%s_pass(const uint8_t *at, const uint8_t *end, uint64_t "
        "*count_out)\n{\n"
        "    uint64_t block = 0;\n    at = gf_wire_block(at, end, %u, &block);\n"
        "    while (at != NULL && block > 0) {\n        for (uint64_t i = 0; i < block; i++) {\n",
        id, size);
    value_read_add(out, type->item, NULL, "            ");
    text_add(out,
             "        }\n        *count_out += block;\n        at = gf_wire_block(at, end, %u, "
             "&block);\n    "
             "}\n    return at;\n}\n\n",
             size);

    text_add(out,
             "/* Twice, because a second block may have the array copied. */\n"
             "static_assert(2 * sizeof(%s) <= GF_DECODE_ARENA_MULTIPLE * %u, \"arena\");\n",
             item, size);
    text_add(out,
             "/* The first block gets room as it comes, the rest all at once: a second block is "
             "counted to "
             "the end first. */\n"
             "static const uint8_t *\n%s_read(const uint8_t *at, const uint8_t *end, struct "
             "gf_arena *arena, "
             "%s const **items_out, uint32_t *count_out)\n{\n",
             id, item);
    text_add(
        out,
        "    %s *items = NULL;\n    uint64_t block = 0, count = 0, room = 0;\n    const uint8_t "
        "*start "
        "= at;\n"
        "    at = gf_wire_block(at, end, %u, &block);\n    while (at != NULL && block > 0) {\n"
        "        if (count + block > room) {\n            room = count;\n"
        "            if (count == 0) {\n                room = block;\n"
        "            } else if (%s_pass(start, end, &room) == NULL) {\n                return "
        "NULL;\n   "
        "         }\n"
        "            items = gf_wire_grow(arena, items, count, room, sizeof *items);\n"
        "            if (items == NULL) {\n                return NULL;\n            }\n        }\n"
        "        for (uint64_t i = 0; i < block; i++) {\n",
        item, size, id);
    value_read_add(out, type->item, "items[count]", "            ");
    text_add(out,
             "            count++;\n        }\n        start = at;\n        at = gf_wire_block(at, "
             "end, %u, "
             "&block);\n    }\n"
             "    *items_out = items;\n    *count_out = (uint32_t)count;\n    return at;\n}\n\n",
             size);
}

static void
value_write_add(struct text *out, const struct type *type, const char *source, const char *pad)
{
    switch (type->kind) {
    case GF_KIND_RECORD:
        text_add(out, "%s%s_write(writer, &%s);\n", pad, type->id, source);
        break;
    case GF_KIND_ARRAY:
        text_add(out, "%sif (%s.count > 0) {\n%s    gf_wire_put_long(writer, %s.count);\n", pad,
                 source, pad, source);
        text_add(out, "%s    for (uint32_t i = 0; i < %s.count; i++) {\n", pad, source);
        value_write_add(out, type->item, keep_text("%s.items[i]", source),
                        keep_text("%s        ", pad));
        text_add(out, "%s    }\n%s}\n%sgf_wire_put_long(writer, 0);\n", pad, pad, pad);
        break;
    case GF_KIND_BOOL:
    case GF_KIND_DOUBLE:
        text_add(out, "%sgf_write_%s(writer, %s);\n", pad, wire_name(type), source);
        break;
    case GF_KIND_INT:
    case GF_KIND_ENUM:
    case GF_KIND_LONG:
        text_add(out, "%sgf_wire_put_long(writer, %s%s);\n", pad, source, unit_member(type));
        break;
    case GF_KIND_STRING:
    case GF_KIND_BYTES:
        text_add(out, "%sgf_wire_put_bytes(writer, %s);\n", pad, source);
        break;
    case GF_KIND_FIXED:
        text_add(out, "%sgf_write_fixed(writer, %s, %u);\n", pad, source, type->size);
        break;
    }
}

static void
record_write_add(struct text *out, const struct type *type)
{
    text_add(out,
             "static inline void\n%s_write(struct gf_writer *writer, const struct gf_%s *in)\n{\n",
             type->id, type->id);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct field *const field = &type->fields[i];
        const char *const source = keep_text("in->%s", field->name);
        if (field->is_nullable) {
            text_add(out, "    gf_wire_put_long(writer, in->has_%s);\n    if (in->has_%s) {\n",
                     field->name, field->name);
            value_write_add(out, field->type, source, "        ");
            text_add(out, "    }\n");
        } else {
            value_write_add(out, field->type, source, "    ");
        }
    }
    text_add(out, "}\n\n");
}

/* The functions of a topic's record, and twins of them that fit into gf_topics. */
static void
record_public_add(struct text *out, const char *id)
{
    text_add(out,
             "enum gf_rc\ngf_%s_decode(struct gf_reader *reader, struct gf_arena *arena, struct "
             "gf_%s *out)\n{\n"
             "    const uint8_t *const at = %s_read(reader->at, reader->end, arena, out);\n"
             "    if (at == NULL) {\n        return arena->overflowed ? GF_E_FULL : "
             "GF_E_BAD_DATA;\n    }\n"
             "    reader->at = at;\n    return GF_OK;\n}\n\n",
             id, id, id);
    text_add(out,
             "enum gf_rc\ngf_%s_skip(struct gf_reader *reader)\n{\n"
             "    const uint8_t *const at = %s_pass(reader->at, reader->end);\n"
             "    if (at == NULL) {\n        return GF_E_BAD_DATA;\n    }\n"
             "    reader->at = at;\n    return GF_OK;\n}\n\n",
             id, id);
    text_add(out,
             "void\ngf_%s_encode(struct gf_writer *writer, const struct gf_%s *in)\n{\n    "
             "%s_write(writer, "
             "in);\n}\n\n",
             id, id, id);
    text_add(out,
             "static int\n%s_decode_any(struct gf_reader *reader, struct gf_arena *arena, void "
             "*out)\n{\n"
             "    return (int)gf_%s_decode(reader, arena, out);\n}\n\n",
             id, id);
    text_add(out,
             "static int\n%s_skip_any(struct gf_reader *reader)\n{\n    return "
             "(int)gf_%s_skip(reader);\n}\n\n",
             id, id);
    text_add(out,
             "static void\n%s_encode_any(struct gf_writer *writer, const void *in)\n{\n    "
             "%s_write(writer, "
             "in);\n}\n\n",
             id, id);
}

void
emit_codec_header(struct text *out, const struct model *model)
{
    text_add(
        out,
        "/* Straight codecs of all topics. " EMIT_NOTE "\n *\n"
        " * decode: reads one record written with our own schema. On an error `out` holds "
        "anything. Errors: GF_E_BAD_DATA,\n"
        " * GF_E_FULL (the arena is, or was, overflowed).\n"
        " * skip: moves past one record; it succeeds where decode would. Errors: GF_E_BAD_DATA.\n"
        " * encode: ask writer->overflowed at the end. */\n"
        "#ifndef GF_CODEC_RECORDS_H\n#define GF_CODEC_RECORDS_H\n\n"
        "#include \"base/arena.h\"\n#include \"base/error.h\"\n#include \"codec/type.h\"\n#include "
        "\"codec/wire.h\"\n#include \"model/records.h\"\n\n"
        "/* Decoding `size` bytes takes at most this many times `size` of the arena, whatever the "
        "bytes are. */\n"
        "#define GF_DECODE_ARENA_MULTIPLE 48\n\n"
        "extern const struct gf_topic_info gf_topics[GF_TOPIC_COUNT]; /* by enum gf_topic */\n\n"
        "/* The topic of that name, or -1. */\nint gf_topic_find(const char *name);\n\n");
    for (uint32_t i = 0; i < model->type_count; i++) {
        if (model->types[i]->kind == GF_KIND_RECORD) {
            text_add(out, "extern const struct gf_type gf_%s_type;\n", model->types[i]->id);
        }
    }
    for (uint32_t i = 0; i < model->topic_count; i++) {
        const char *const id = model->topics[i].type->id;
        text_add(out,
                 "\nGF_MUST_USE enum gf_rc\ngf_%s_decode(struct gf_reader *reader, struct gf_arena "
                 "*arena, "
                 "struct gf_%s *out);\n",
                 id, id);
        text_add(out, "GF_MUST_USE enum gf_rc gf_%s_skip(struct gf_reader *reader);\n", id);
        text_add(out, "void gf_%s_encode(struct gf_writer *writer, const struct gf_%s *in);\n", id,
                 id);
    }
    text_add(out, "\n#endif\n");
}

void
emit_codec_source(struct text *out, const struct model *model)
{
    text_add(out,
             "/* " EMIT_NOTE " */\n#include \"codec/records.h\"\n\n#include <assert.h>\n#include "
             "<stddef.h>\n#include <string.h>\n\n"
             "#include \"codec/wire_inline.h\"\n\n");
    for (uint32_t i = 0; i < model->type_count; i++) {
        const struct type *const type = model->types[i];
        if (type->kind == GF_KIND_RECORD) {
            record_read_add(out, type);
            record_write_add(out, type);
        } else if (type->kind == GF_KIND_ARRAY) {
            array_read_add(out, type);
        }
        if (is_topic_record(model, type)) {
            record_public_add(out, type->id);
        }
    }
    emit_type_tables(out, model);
    emit_topic_table(out, model);
}
