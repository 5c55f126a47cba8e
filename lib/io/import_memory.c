/* Helpers that every part of the mapping compiler uses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/import_compile.h"

struct block {
    struct block *next;
    _Alignas(16) uint8_t data[];
};

struct gf_import_memory {
    struct block *first;
};

struct gf_import_memory *
gf_import_memory_new(void)
{
    return calloc(1, sizeof(struct gf_import_memory));
}

void *
gf_import_memory_take(struct gf_import_memory *memory, size_t size)
{
    struct block *const block = calloc(1, sizeof *block + (size == 0 ? 1 : size));
    if (block == NULL) {
        return NULL;
    }
    block->next = memory->first;
    memory->first = block;
    return block->data;
}

char *
gf_import_memory_text(struct gf_import_memory *memory, const char *text, size_t size)
{
    char *const copy = gf_import_memory_take(memory, size + 1);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

void
gf_import_memory_free(struct gf_import_memory *memory)
{
    while (memory != NULL && memory->first != NULL) {
        struct block *const next = memory->first->next;
        free(memory->first);
        memory->first = next;
    }
    free(memory);
}

void *
gf_import_compiler_take(struct gf_import_compiler *compiler, size_t size)
{
    void *const memory = gf_import_memory_take(compiler->memory, size);
    compiler->is_out_of_memory |= memory == NULL;
    return memory;
}

void
gf_import_complain(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                   const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    gf_complain(compiler->complaints, gf_yaml_place(compiler->yaml, node), "%s", text);
}

bool
gf_import_keys_check(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                     const char *const *names, const char *what)
{
    if (node->kind != GF_YAML_MAPPING) {
        gf_import_complain(compiler, node, "%s must be a mapping, not %s", what,
                           gf_yaml_kind_name(node));
        return false;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        const struct gf_yaml_item *const item = &node->items[i];
        struct gf_suggestion suggestion = {.wrong = item->key};
        bool is_known = false;
        for (const char *const *name = names; *name != NULL; name++) {
            is_known |= strcmp(*name, item->key) == 0;
            gf_suggestion_offer(&suggestion, *name);
        }
        if (!is_known) {
            gf_complain(compiler->complaints,
                        gf_yaml_place_at(compiler->yaml, item->line, item->column),
                        "unknown key \"%s\" in %s", item->key, what);
            if (suggestion.best != NULL) {
                gf_complain_help(compiler->complaints, "did you mean \"%s\"?", suggestion.best);
            }
        }
    }
    return true;
}

const char *
gf_import_member_text(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                      const char *key)
{
    const struct gf_yaml_node *const member = gf_yaml_get(node, key);
    if (member == NULL) {
        return NULL;
    }
    if (member->kind != GF_YAML_SCALAR || member->size == 0) {
        gf_import_complain(compiler, member, "%s must be a value", key);
        return NULL;
    }
    return member->text;
}

int
gf_import_member_choice(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                        const char *key, const char *const *names, int otherwise)
{
    const char *const text = gf_import_member_text(compiler, node, key);
    if (text == NULL) {
        return otherwise;
    }
    struct gf_suggestion suggestion = {.wrong = text};
    char all[160] = "";
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0) {
            return i;
        }
        gf_suggestion_offer(&suggestion, names[i]);
        const size_t size = strlen(all);
        snprintf(all + size, sizeof all - size, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    gf_import_complain(compiler, gf_yaml_get(node, key), "%s: \"%s\" is none of %s", key, text,
                       all);
    if (suggestion.best != NULL) {
        gf_complain_help(compiler->complaints, "did you mean \"%s\"?", suggestion.best);
    }
    return otherwise;
}
