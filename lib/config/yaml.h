/* YAML files as a small tree in which every node knows its line and column.
 *
 * The part of YAML that people write by hand: mappings with text keys, sequences, scalars, anchors
 * and aliases. Scalars are text; what they mean is decided where they are read, so `no` and `1.10`
 * stay as written. Refused, with their place: a key that comes twice, tabs as indentation, tags,
 * more than one document, nesting deeper than 32, a file above 1 MiB, more than 65,536 nodes with
 * aliases written out, a NUL inside a scalar. */
#ifndef GF_CONFIG_YAML_H
#define GF_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/complaint.h"

#define GF_YAML_DEPTH_MAX      32
#define GF_YAML_SIZE_MAX       (1024 * 1024)
#define GF_YAML_NODE_COUNT_MAX 65536
#define GF_YAML_KEY_COUNT_MAX  1024 /* of one mapping */

enum gf_yaml_kind { GF_YAML_SCALAR, GF_YAML_SEQUENCE, GF_YAML_MAPPING };

struct gf_yaml_node;

/* A member of a mapping, or an item of a sequence (`key` is NULL, its place that of the value). */
struct gf_yaml_item {
    const char *key;
    uint32_t line, column; /* of the key */
    const struct gf_yaml_node *value;
};

struct gf_yaml_node {
    enum gf_yaml_kind kind;
    bool is_plain;                    /* a scalar without quotes */
    uint32_t line, column;            /* from 1; column in characters */
    uint32_t size, count;             /* bytes of `text`; number of items */
    const char *text;                 /* SCALAR: NUL-terminated */
    const struct gf_yaml_item *items; /* SEQUENCE, MAPPING: in the order of the file */
    uint32_t weight;                  /* nodes below and this one, aliases written out */
};

/* A document; it owns its nodes and texts. */
struct gf_yaml;

/* Reads a file, or a text in memory (`name` stands for the file in complaints; both are copied). An
 * empty document is an empty mapping. Errors: GF_E_CONFIG, with a complaint; the parser stops at
 * its first. GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_yaml_load(const char *path, struct gf_yaml **out,
                                    struct gf_complaints *complaints);
GF_MUST_USE enum gf_rc gf_yaml_parse(const char *name, const char *text, size_t size,
                                     struct gf_yaml **out, struct gf_complaints *complaints);
void gf_yaml_free(struct gf_yaml *yaml); /* accepts NULL */

const struct gf_yaml_node *gf_yaml_root(const struct gf_yaml *yaml);

/* Member of a mapping; NULL when it is not there or `node` is no mapping. */
const struct gf_yaml_node *gf_yaml_get(const struct gf_yaml_node *node, const char *key);
const struct gf_yaml_item *gf_yaml_item(const struct gf_yaml_node *node, const char *key);

/* Empty without quotes, `~` or `null`: no value. */
bool gf_yaml_is_null(const struct gf_yaml_node *node);
/* "a mapping", "a list", "a value". */
const char *gf_yaml_kind_name(const struct gf_yaml_node *node);

/* For gf_complain: the place of a node, or any line and column of the file. */
struct gf_place gf_yaml_place(const struct gf_yaml *yaml, const struct gf_yaml_node *node);
struct gf_place gf_yaml_place_at(const struct gf_yaml *yaml, uint32_t line, uint32_t column);

#endif
