/* A writer's schema as a tree: Avro JSON, checked and with its names resolved.
 *
 * jansson reads the text, not Avro C: Avro C 1.11 drops aliases, defaults, logical types, units and
 * scales, and the last three are how a schema says that its numbers mean something else than ours.
 * Avro C still has the last word on whether the text is a schema, after the checks here have made
 * it harmless (bounded in size and depth, not recursive). */
#ifndef GF_IO_SCHEMA_TREE_H
#define GF_IO_SCHEMA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define GF_SCHEMA_DEPTH_MAX      64    /* types inside each other, names followed */
#define GF_SCHEMA_NAMES_MAX      1024  /* named types: looking one up is a walk over them */
#define GF_SCHEMA_NODES_MAX      65536 /* types in all */
#define GF_SCHEMA_FIXED_SIZE_MAX (1024 * 1024)

enum gf_schema_kind {
    GF_SCHEMA_NULL,
    GF_SCHEMA_BOOLEAN,
    GF_SCHEMA_INT,
    GF_SCHEMA_LONG,
    GF_SCHEMA_FLOAT,
    GF_SCHEMA_DOUBLE,
    GF_SCHEMA_BYTES,
    GF_SCHEMA_STRING,
    GF_SCHEMA_FIXED,
    GF_SCHEMA_ENUM,
    GF_SCHEMA_RECORD,
    GF_SCHEMA_ARRAY,
    GF_SCHEMA_MAP,
    GF_SCHEMA_UNION,
};

/* A type. Named types are one node however often they are used. All texts live as long as the tree.
 */
struct gf_schema_node {
    enum gf_schema_kind kind;
    const char *full_name; /* RECORD, ENUM, FIXED: with its namespace */
    uint32_t size;         /* FIXED: bytes */
    uint32_t count;        /* RECORD fields, ENUM symbols, UNION branches; 1 for ARRAY and MAP */
    const struct gf_schema_node **children; /* types of fields, branches, items; NULL for ENUM */
    const char **names;                     /* of fields or symbols */
    const char *logical_type, *unit;        /* NULL: the schema does not say */
    bool has_scale;
    int64_t scale;
    uint32_t depth;    /* of the deepest type inside, plus 1 */
    uint32_t size_min; /* bytes on the wire at least */
    bool is_open;      /* its definition is still being read: using it now is recursion */
};

struct gf_schema_tree; /* owns the nodes */

/* Reads `json`. Free with gf_schema_tree_free. Errors: GF_E_UNKNOWN_SCHEMA (what is wrong with it,
 * and where), GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_schema_tree_new(const char *json, size_t size,
                                          struct gf_schema_tree **out, struct gf_error *error);
void gf_schema_tree_free(struct gf_schema_tree *tree);

const struct gf_schema_node *gf_schema_tree_root(const struct gf_schema_tree *tree);

/* "long", "record", … */
const char *gf_schema_kind_name(enum gf_schema_kind kind);
/* The part of a full name after its namespace. */
const char *gf_schema_short_name(const char *full_name);

/* [A-Za-z_][A-Za-z0-9_]*, and the same with dots between. */
bool gf_schema_name_is_valid(const char *text, size_t size);
bool gf_schema_full_name_is_valid(const char *text);

/* Fingerprint (gf_rabin64) of the schema's Parsing Canonical Form. Errors: GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_schema_tree_fingerprint(const struct gf_schema_tree *tree, uint64_t *out);

#endif
