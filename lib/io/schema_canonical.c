/* Parsing Canonical Form (Avro 1.11, "Transforming into Parsing Canonical Form"): full names,
 * nothing but the attributes that decide how bytes are read, in a fixed order, without spaces. A
 * named type is written out once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/wire.h"
#include "io/schema_tree.h"

struct canonical {
    char *text;
    size_t size, capacity;
    bool is_out_of_memory;
    const struct gf_schema_node **seen; /* named types that were written out */
    uint32_t seen_count;
};

static void
canonical_put(struct canonical *form, const char *text)
{
    const size_t size = strlen(text);
    if (form->is_out_of_memory) {
        return;
    }
    if (size > form->capacity - form->size) {
        const size_t capacity = 2 * form->capacity + size + 256;
        char *grown = realloc(form->text, capacity);
        if (grown == NULL) {
            form->is_out_of_memory = true;
            return;
        }
        form->text = grown;
        form->capacity = capacity;
    }
    memcpy(form->text + form->size, text, size);
    form->size += size;
}

static void
canonical_put_quoted(struct canonical *form, const char *text)
{
    canonical_put(form, "\"");
    canonical_put(form, text);
    canonical_put(form, "\"");
}

/* True the second time. */
static bool
canonical_was_seen(struct canonical *form, const struct gf_schema_node *node)
{
    for (uint32_t index = 0; index < form->seen_count; index++) {
        if (form->seen[index] == node) {
            return true;
        }
    }
    if (form->seen_count < GF_SCHEMA_NAMES_MAX) {
        form->seen[form->seen_count++] = node;
    }
    return false;
}

static void canonical_put_type(struct canonical *form, const struct gf_schema_node *node);

static void
canonical_put_fields(struct canonical *form, const struct gf_schema_node *node)
{
    canonical_put(form, ",\"fields\":[");
    for (uint32_t index = 0; index < node->count; index++) {
        canonical_put(form, index == 0 ? "{\"name\":" : ",{\"name\":");
        canonical_put_quoted(form, node->names[index]);
        canonical_put(form, ",\"type\":");
        canonical_put_type(form, node->children[index]);
        canonical_put(form, "}");
    }
    canonical_put(form, "]");
}

static void
canonical_put_symbols(struct canonical *form, const struct gf_schema_node *node)
{
    canonical_put(form, ",\"symbols\":[");
    for (uint32_t index = 0; index < node->count; index++) {
        canonical_put(form, index == 0 ? "" : ",");
        canonical_put_quoted(form, node->names[index]);
    }
    canonical_put(form, "]");
}

static void
canonical_put_named(struct canonical *form, const struct gf_schema_node *node)
{
    if (canonical_was_seen(form, node)) {
        canonical_put_quoted(form, node->full_name);
        return;
    }
    canonical_put(form, "{\"name\":");
    canonical_put_quoted(form, node->full_name);
    canonical_put(form, ",\"type\":");
    canonical_put_quoted(form, gf_schema_kind_name(node->kind));
    if (node->kind == GF_SCHEMA_RECORD) {
        canonical_put_fields(form, node);
    } else if (node->kind == GF_SCHEMA_ENUM) {
        canonical_put_symbols(form, node);
    } else {
        char size[32];
        (void)snprintf(size, sizeof(size), ",\"size\":%u", node->size);
        canonical_put(form, size);
    }
    canonical_put(form, "}");
}

static void
canonical_put_type(struct canonical *form, const struct gf_schema_node *node)
{
    if (node->full_name != NULL) {
        canonical_put_named(form, node);
    } else if (node->kind == GF_SCHEMA_ARRAY || node->kind == GF_SCHEMA_MAP) {
        const bool is_array = node->kind == GF_SCHEMA_ARRAY;
        canonical_put(form, is_array ? "{\"type\":\"array\",\"items\":"
                                     : "{\"type\":\"map\",\"values\":");
        canonical_put_type(form, node->children[0]);
        canonical_put(form, "}");
    } else if (node->kind == GF_SCHEMA_UNION) {
        for (uint32_t index = 0; index < node->count; index++) {
            canonical_put(form, index == 0 ? "[" : ",");
            canonical_put_type(form, node->children[index]);
        }
        canonical_put(form, "]");
    } else {
        canonical_put_quoted(form, gf_schema_kind_name(node->kind));
    }
}

enum gf_rc
gf_schema_tree_fingerprint(const struct gf_schema_tree *tree, uint64_t *out)
{
    struct canonical form = {.seen = calloc(GF_SCHEMA_NAMES_MAX, sizeof(struct gf_schema_node *))};
    if (form.seen == NULL) {
        return GF_E_NO_MEMORY;
    }
    canonical_put_type(&form, gf_schema_tree_root(tree));
    const bool is_whole = !form.is_out_of_memory;
    if (is_whole) {
        *out = gf_rabin64(form.text, form.size);
    }
    free(form.text);
    free(form.seen);
    return is_whole ? GF_OK : GF_E_NO_MEMORY;
}
