#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/schema_json.h"
#include "io/schema_tree.h"

struct gf_schema_tree {
    json_t *json;
    struct tree_chunk *chunks;
    const struct gf_schema_node *root;
    struct gf_schema_node **named; /* named types in the order of their definitions */
    uint32_t named_count, named_capacity;
    uint32_t node_count;
    struct gf_error *error;
};

/* Everything but the JSON is in chunks, freed together. */
struct tree_chunk {
    struct tree_chunk *next;
    max_align_t data[];
};

static enum gf_rc tree_read(struct gf_schema_tree *tree, const json_t *json, const char *space,
                            const struct gf_schema_node **out);

static const uint32_t kind_size_min[] = {
    [GF_SCHEMA_BOOLEAN] = 1, [GF_SCHEMA_INT] = 1,   [GF_SCHEMA_LONG] = 1,   [GF_SCHEMA_FLOAT] = 4,
    [GF_SCHEMA_DOUBLE] = 8,  [GF_SCHEMA_BYTES] = 1, [GF_SCHEMA_STRING] = 1, [GF_SCHEMA_ENUM] = 1,
    [GF_SCHEMA_ARRAY] = 1,   [GF_SCHEMA_MAP] = 1,   [GF_SCHEMA_UNION] = 1,
};

const struct gf_schema_node *
gf_schema_tree_root(const struct gf_schema_tree *tree)
{
    return tree->root;
}

/* Cleared memory of the tree; NULL when there is none. */
static void *
tree_take(struct gf_schema_tree *tree, size_t count, size_t size)
{
    if (count > 0 && size > (SIZE_MAX / 2) / count) {
        return NULL;
    }
    struct tree_chunk *chunk = calloc(1, sizeof(*chunk) + count * size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->next = tree->chunks;
    tree->chunks = chunk;
    return chunk->data;
}

static enum gf_rc
tree_no_memory(struct gf_schema_tree *tree)
{
    return gf_fail(tree->error, GF_E_NO_MEMORY, "no memory left for a schema");
}

static struct gf_schema_node *
tree_node(struct gf_schema_tree *tree, enum gf_schema_kind kind, size_t count)
{
    struct gf_schema_node *node = tree_take(tree, 1, sizeof(*node));
    if (node == NULL) {
        return NULL;
    }
    tree->node_count++;
    node->kind = kind;
    node->depth = 1;
    node->count = (uint32_t)count;
    node->size_min =
        kind < sizeof(kind_size_min) / sizeof(kind_size_min[0]) ? kind_size_min[kind] : 0;
    if (count > 0) {
        node->children = tree_take(tree, count, sizeof(*node->children));
        node->names = tree_take(tree, count, sizeof(*node->names));
        if (node->children == NULL || node->names == NULL) {
            return NULL;
        }
    }
    return node;
}

/* The full name of `name` in `space`, copied. */
static const char *
tree_full_name(struct gf_schema_tree *tree, const char *name, const char *space)
{
    const bool is_full = strchr(name, '.') != NULL || space == NULL || space[0] == '\0';
    const size_t space_size = is_full ? 0 : strlen(space) + 1;
    char *full = tree_take(tree, space_size + strlen(name) + 1, 1);
    if (full != NULL && space_size > 0) {
        memcpy(full, space, space_size - 1);
        full[space_size - 1] = '.';
    }
    if (full != NULL) {
        memcpy(full + space_size, name, strlen(name) + 1);
    }
    return full;
}

/* The namespace of a full name, copied: what short names inside it belong to. */
static const char *
tree_space_of(struct gf_schema_tree *tree, const char *full_name)
{
    const char *dot = strrchr(full_name, '.');
    const size_t size = dot == NULL ? 0 : (size_t)(dot - full_name);
    char *space = tree_take(tree, size + 1, 1);
    if (space != NULL) {
        memcpy(space, full_name, size);
    }
    return space;
}

static struct gf_schema_node *
tree_find(const struct gf_schema_tree *tree, const char *full_name)
{
    for (uint32_t index = 0; index < tree->named_count; index++) {
        if (strcmp(tree->named[index]->full_name, full_name) == 0) {
            return tree->named[index];
        }
    }
    return NULL;
}

/* "long", or the name of a type that was defined before. */
static enum gf_rc
tree_read_name(struct gf_schema_tree *tree, const char *name, const char *space,
               const struct gf_schema_node **out)
{
    for (uint32_t kind = GF_SCHEMA_NULL; kind <= GF_SCHEMA_STRING; kind++) {
        if (strcmp(name, gf_schema_kind_name((enum gf_schema_kind)kind)) == 0) {
            *out = tree_node(tree, (enum gf_schema_kind)kind, 0);
            return *out == NULL ? tree_no_memory(tree) : GF_OK;
        }
    }
    const char *full_name = tree_full_name(tree, name, space);
    if (full_name == NULL) {
        return tree_no_memory(tree);
    }
    const struct gf_schema_node *node = tree_find(tree, full_name);
    if (node == NULL) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA,
                       "type %.200s is not defined before its use", full_name);
    }
    if (node->is_open) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA,
                       "type %.200s contains itself: recursion is not supported", full_name);
    }
    *out = node;
    return GF_OK;
}

/* Enters the name of a record, enum or fixed. */
static enum gf_rc
tree_define(struct gf_schema_tree *tree, const json_t *json, const char *space,
            struct gf_schema_node *node)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    if (name == NULL || !gf_schema_full_name_is_valid(name)) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "a %s without a valid name",
                       gf_schema_kind_name(node->kind));
    }
    const char *own_space = json_string_value(json_object_get(json, "namespace"));
    if (own_space != NULL && own_space[0] != '\0' && !gf_schema_full_name_is_valid(own_space)) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "%s %.100s has an invalid namespace",
                       gf_schema_kind_name(node->kind), name);
    }
    node->full_name = tree_full_name(tree, name, own_space != NULL ? own_space : space);
    if (node->full_name == NULL) {
        return tree_no_memory(tree);
    }
    if (tree_find(tree, node->full_name) != NULL) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "type %.200s is defined twice",
                       node->full_name);
    }
    if (tree->named_count == GF_SCHEMA_NAMES_MAX) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "more than %d named types",
                       GF_SCHEMA_NAMES_MAX);
    }
    if (tree->named_count == tree->named_capacity) {
        const uint32_t capacity = 2 * tree->named_capacity + 16;
        struct gf_schema_node **named =
            realloc(tree->named, capacity * sizeof(struct gf_schema_node *));
        if (named == NULL) {
            return tree_no_memory(tree);
        }
        tree->named = named;
        tree->named_capacity = capacity;
    }
    tree->named[tree->named_count++] = node;
    node->is_open = true;
    return GF_OK;
}

/* Child `index` of `node` has been read. */
static enum gf_rc
tree_adopt(struct gf_schema_tree *tree, struct gf_schema_node *node, uint32_t index)
{
    const struct gf_schema_node *child = node->children[index];
    node->depth = child->depth + 1 > node->depth ? child->depth + 1 : node->depth;
    if (node->depth > GF_SCHEMA_DEPTH_MAX) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "types are nested deeper than %d",
                       GF_SCHEMA_DEPTH_MAX);
    }
    if (node->kind == GF_SCHEMA_RECORD) {
        const uint32_t sum = node->size_min + child->size_min;
        node->size_min = sum < node->size_min ? UINT32_MAX : sum;
    }
    return GF_OK;
}

static int
text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Refuses names that are not valid, and the same name twice. */
static enum gf_rc
tree_check_names(struct gf_schema_tree *tree, const struct gf_schema_node *node)
{
    const char **sorted = tree_take(tree, node->count, sizeof(*sorted));
    if (sorted == NULL) {
        return tree_no_memory(tree);
    }
    for (uint32_t index = 0; index < node->count; index++) {
        if (node->names[index] == NULL ||
            !gf_schema_name_is_valid(node->names[index], strlen(node->names[index]))) {
            return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA,
                           "%s %.200s: name %u of its fields or symbols is not valid",
                           gf_schema_kind_name(node->kind), node->full_name, index + 1);
        }
        sorted[index] = node->names[index];
    }
    qsort(sorted, node->count, sizeof(*sorted), text_compare);
    for (uint32_t index = 1; index < node->count; index++) {
        if (strcmp(sorted[index - 1], sorted[index]) == 0) {
            return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "%s %.200s has %.100s twice",
                           gf_schema_kind_name(node->kind), node->full_name, sorted[index]);
        }
    }
    return GF_OK;
}

static enum gf_rc
tree_read_record(struct gf_schema_tree *tree, const json_t *json, const char *space,
                 const struct gf_schema_node **out)
{
    const json_t *fields = json_object_get(json, "fields");
    struct gf_schema_node *node = tree_node(tree, GF_SCHEMA_RECORD, json_array_size(fields));
    if (node == NULL) {
        return tree_no_memory(tree);
    }
    enum gf_rc rc = tree_define(tree, json, space, node);
    if (rc != GF_OK) {
        return rc;
    }
    if (!json_is_array(fields)) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "record %.200s has no fields",
                       node->full_name);
    }
    const char *inner_space = tree_space_of(tree, node->full_name);
    if (inner_space == NULL) {
        return tree_no_memory(tree);
    }
    for (uint32_t index = 0; index < node->count; index++) {
        const json_t *field = json_array_get(fields, index);
        node->names[index] = json_string_value(json_object_get(field, "name"));
        rc = tree_read(tree, json_object_get(field, "type"), inner_space, &node->children[index]);
        if (rc == GF_OK) {
            rc = tree_adopt(tree, node, index);
        }
        if (rc != GF_OK) {
            return rc;
        }
    }
    node->is_open = false;
    *out = node;
    return tree_check_names(tree, node);
}

static enum gf_rc
tree_read_enum(struct gf_schema_tree *tree, const json_t *json, const char *space,
               const struct gf_schema_node **out)
{
    const json_t *symbols = json_object_get(json, "symbols");
    struct gf_schema_node *node = tree_node(tree, GF_SCHEMA_ENUM, json_array_size(symbols));
    if (node == NULL) {
        return tree_no_memory(tree);
    }
    const enum gf_rc rc = tree_define(tree, json, space, node);
    if (rc != GF_OK) {
        return rc;
    }
    if (node->count == 0) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "enum %.200s has no symbols",
                       node->full_name);
    }
    for (uint32_t index = 0; index < node->count; index++) {
        node->names[index] = json_string_value(json_array_get(symbols, index));
    }
    node->is_open = false;
    *out = node;
    return tree_check_names(tree, node);
}

static enum gf_rc
tree_read_fixed(struct gf_schema_tree *tree, const json_t *json, const char *space,
                struct gf_schema_node **out)
{
    struct gf_schema_node *node = tree_node(tree, GF_SCHEMA_FIXED, 0);
    if (node == NULL) {
        return tree_no_memory(tree);
    }
    const enum gf_rc rc = tree_define(tree, json, space, node);
    if (rc != GF_OK) {
        return rc;
    }
    const json_t *size = json_object_get(json, "size");
    if (!json_is_integer(size) || json_integer_value(size) < 1 ||
        json_integer_value(size) > GF_SCHEMA_FIXED_SIZE_MAX) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA,
                       "fixed %.200s: its size is not from 1 to %d", node->full_name,
                       GF_SCHEMA_FIXED_SIZE_MAX);
    }
    node->size = (uint32_t)json_integer_value(size);
    node->size_min = node->size;
    node->is_open = false;
    *out = node;
    return GF_OK;
}

/* An array or a map: its one child is under `key`. */
static enum gf_rc
tree_read_loop(struct gf_schema_tree *tree, enum gf_schema_kind kind, const json_t *json,
               const char *space, const struct gf_schema_node **out)
{
    struct gf_schema_node *node = tree_node(tree, kind, 1);
    if (node == NULL) {
        return tree_no_memory(tree);
    }
    const json_t *child = json_object_get(json, kind == GF_SCHEMA_ARRAY ? "items" : "values");
    const enum gf_rc rc = tree_read(tree, child, space, &node->children[0]);
    if (rc != GF_OK) {
        return rc;
    }
    *out = node;
    return tree_adopt(tree, node, 0);
}

static enum gf_rc
tree_read_union(struct gf_schema_tree *tree, const json_t *json, const char *space,
                const struct gf_schema_node **out)
{
    struct gf_schema_node *node = tree_node(tree, GF_SCHEMA_UNION, json_array_size(json));
    if (node == NULL) {
        return tree_no_memory(tree);
    }
    if (node->count == 0) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "a union without branches");
    }
    uint32_t seen = 0; /* kinds without a name: one of each may be there */
    for (uint32_t index = 0; index < node->count; index++) {
        enum gf_rc rc = tree_read(tree, json_array_get(json, index), space, &node->children[index]);
        if (rc == GF_OK) {
            rc = tree_adopt(tree, node, index);
        }
        if (rc != GF_OK) {
            return rc;
        }
        const struct gf_schema_node *child = node->children[index];
        bool is_twice = child->full_name == NULL && (seen >> child->kind & 1) != 0;
        for (uint32_t other = 0; child->full_name != NULL && other < index; other++) {
            is_twice |= node->children[other] == child;
        }
        if (child->kind == GF_SCHEMA_UNION || is_twice) {
            return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA,
                           "a union with %s twice or inside another union",
                           gf_schema_kind_name(child->kind));
        }
        seen |= child->full_name == NULL ? 1U << child->kind : 0;
    }
    *out = node;
    return GF_OK;
}

/* What the schema says its numbers mean. */
static void
tree_read_meaning(const json_t *json, struct gf_schema_node *node)
{
    node->logical_type = json_string_value(json_object_get(json, "logicalType"));
    node->unit = json_string_value(json_object_get(json, "unit"));
    const json_t *scale = json_object_get(json, "scale");
    node->has_scale = json_is_integer(scale);
    node->scale = json_integer_value(scale);
}

static enum gf_rc
tree_read_object(struct gf_schema_tree *tree, const json_t *json, const char *space,
                 const struct gf_schema_node **out)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    if (type == NULL) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA,
                       "a type without \"type\", or with one that is no text");
    }
    if (strcmp(type, "record") == 0) {
        return tree_read_record(tree, json, space, out);
    }
    if (strcmp(type, "enum") == 0) {
        return tree_read_enum(tree, json, space, out);
    }
    if (strcmp(type, "array") == 0) {
        return tree_read_loop(tree, GF_SCHEMA_ARRAY, json, space, out);
    }
    if (strcmp(type, "map") == 0) {
        return tree_read_loop(tree, GF_SCHEMA_MAP, json, space, out);
    }
    struct gf_schema_node *node = NULL;
    if (strcmp(type, "fixed") == 0) {
        const enum gf_rc rc = tree_read_fixed(tree, json, space, &node);
        if (rc != GF_OK) {
            return rc;
        }
        tree_read_meaning(json, node);
        *out = node;
        return GF_OK;
    }
    const struct gf_schema_node *named = NULL;
    const enum gf_rc rc = tree_read_name(tree, type, space, &named);
    if (rc != GF_OK || named->full_name != NULL) {
        *out = named;
        return rc;
    }
    node = tree_node(tree, named->kind, 0);
    if (node == NULL) {
        return tree_no_memory(tree);
    }
    tree_read_meaning(json, node);
    *out = node;
    return GF_OK;
}

static enum gf_rc
tree_read(struct gf_schema_tree *tree, const json_t *json, const char *space,
          const struct gf_schema_node **out)
{
    if (tree->node_count > GF_SCHEMA_NODES_MAX) {
        return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "more than %d types", GF_SCHEMA_NODES_MAX);
    }
    if (json_is_string(json)) {
        return tree_read_name(tree, json_string_value(json), space, out);
    }
    if (json_is_array(json)) {
        return tree_read_union(tree, json, space, out);
    }
    if (json_is_object(json)) {
        return tree_read_object(tree, json, space, out);
    }
    return gf_fail(tree->error, GF_E_UNKNOWN_SCHEMA, "a field, item or branch has no type");
}

enum gf_rc
gf_schema_tree_new(const char *json, size_t size, struct gf_schema_tree **out,
                   struct gf_error *error)
{
    struct gf_schema_tree *tree = calloc(1, sizeof(*tree));
    if (tree == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory left for a schema");
    }
    tree->error = error;
    enum gf_rc rc = gf_schema_json_load(json, size, &tree->json, error);
    if (rc == GF_OK) {
        rc = tree_read(tree, tree->json, "", &tree->root);
    }
    if (rc != GF_OK) {
        gf_schema_tree_free(tree);
        return rc;
    }
    tree->error = NULL;
    *out = tree;
    return GF_OK;
}

void
gf_schema_tree_free(struct gf_schema_tree *tree)
{
    if (tree == NULL) {
        return;
    }
    while (tree->chunks != NULL) {
        struct tree_chunk *next = tree->chunks->next;
        free(tree->chunks);
        tree->chunks = next;
    }
    free(tree->named);
    json_decref(tree->json);
    free(tree);
}
