/* Texts with columns in them, and the list of the columns that a target asks for. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "io/import_compile.h"

#define PART_COUNT_MAX 32
#define WIDTH_MAX      32

/* Does the name hold `{each}`? */
static bool
name_has_each(const struct gf_import_compiler *compiler, const char *name)
{
    const char *const open = strchr(name, '{');
    const size_t size = compiler->each_name == NULL ? 0 : strlen(compiler->each_name);
    return open != NULL && size > 0 && strncmp(open + 1, compiler->each_name, size) == 0 &&
           open[1 + size] == '}';
}

static uint32_t
reference_add(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
              const char *name)
{
    for (uint32_t i = 0; i < compiler->reference_count; i++) {
        if (strcmp(compiler->references[i].name, name) == 0) {
            return i;
        }
    }
    if (compiler->reference_count == GF_IMPORT_REFERENCE_COUNT_MAX) {
        gf_import_complain(compiler, node, "more than %d columns", GF_IMPORT_REFERENCE_COUNT_MAX);
        return 0;
    }
    struct gf_import_reference *const reference = &compiler->references[compiler->reference_count];
    *reference = (struct gf_import_reference){
        .name = gf_import_memory_text(compiler->memory, name, strlen(name)),
        .has_each = name_has_each(compiler, name),
        .line = node->line,
        .column = node->column,
    };
    if (reference->name == NULL) {
        compiler->is_out_of_memory = true;
        return 0;
    }
    return compiler->reference_count++;
}

void
gf_import_column_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                         const char *name, struct gf_import_text *out)
{
    struct gf_import_part *const part = gf_import_compiler_take(compiler, sizeof *part);
    if (part != NULL) {
        *part = (struct gf_import_part){.kind = GF_IMPORT_PART_COLUMN,
                                        .reference = reference_add(compiler, node, name)};
        *out = (struct gf_import_text){.parts = part, .count = 1};
    }
}

/* "{household:06}": what is between the braces. */
static bool
placeholder_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                    const char *text, size_t size, struct gf_import_part *out)
{
    const char *const colon = memchr(text, ':', size);
    const size_t name_size = colon == NULL ? size : (size_t)(colon - text);
    unsigned width = 0;
    for (size_t i = name_size + 1; i < size; i++) {
        if (!isdigit((unsigned char)text[i]) ||
            (width = 10 * width + (unsigned)(text[i] - '0')) > WIDTH_MAX) {
            gf_import_complain(compiler, node,
                               "\"{%.*s}\": after the colon goes a width from 1 to %d", (int)size,
                               text, WIDTH_MAX);
            return false;
        }
    }
    if (name_size == 0) {
        gf_import_complain(compiler, node, "\"{}\" names no column");
        return false;
    }
    char *const name = gf_import_memory_text(compiler->memory, text, name_size);
    if (name == NULL) {
        compiler->is_out_of_memory = true;
        return false;
    }
    const bool is_each = compiler->each_name != NULL && strcmp(name, compiler->each_name) == 0;
    *out = (struct gf_import_part){.kind = is_each ? GF_IMPORT_PART_EACH : GF_IMPORT_PART_COLUMN,
                                   .width = width};
    out->reference = is_each ? 0 : reference_add(compiler, node, name);
    return true;
}

void
gf_import_text_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                       const char *text, struct gf_import_text *out)
{
    struct gf_import_part parts[PART_COUNT_MAX];
    uint32_t count = 0;
    for (const char *at = text; *at != '\0' && count < PART_COUNT_MAX; count++) {
        const char *const close = at[0] == '{' ? strchr(at, '}') : NULL;
        if (at[0] == '{' && close == NULL) {
            gf_import_complain(compiler, node, "\"{\" without \"}\"");
            return;
        }
        if (close != NULL) {
            if (!placeholder_compile(compiler, node, at + 1, (size_t)(close - at) - 1,
                                     &parts[count])) {
                return;
            }
            at = close + 1;
            continue;
        }
        const size_t size = strcspn(at, "{");
        const char *const literal = gf_import_memory_text(compiler->memory, at, size);
        compiler->is_out_of_memory |= literal == NULL;
        parts[count] =
            (struct gf_import_part){.kind = GF_IMPORT_PART_LITERAL,
                                    .literal = gf_span_of(literal, literal == NULL ? 0 : size)};
        at += size;
    }
    if (count == PART_COUNT_MAX) {
        gf_import_complain(compiler, node, "a text of more than %d parts", PART_COUNT_MAX - 1);
    }
    struct gf_import_part *const copy =
        gf_import_compiler_take(compiler, (count + 1) * sizeof *copy);
    if (copy != NULL) {
        memcpy(copy, parts, count * sizeof *copy);
        *out = (struct gf_import_text){.parts = copy, .count = count};
    }
}

bool
gf_import_text_is_constant(const struct gf_import_text *text)
{
    for (uint32_t i = 0; i < text->count; i++) {
        if (text->parts[i].kind != GF_IMPORT_PART_LITERAL) {
            return false;
        }
    }
    return true;
}
