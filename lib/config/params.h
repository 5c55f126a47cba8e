/* Parameters: structs filled from YAML by their rows (base/param.h), and printed back.
 *
 * A section is a mapping of the file: rows that fill one struct, sections inside it, or a map of
 * free keys. The same rows make the parser, the checks, the printed configuration and
 * docs/configuration.md, so that these cannot disagree.
 *
 *     gf_section_default    every field its `initial`
 *     gf_section_fill       what the file says
 *     gf_section_set        what the command line says
 *     gf_section_require    what is still missing
 *
 * Errors are complaints; each call goes on after them, so that one run shows them all. A field with
 * an error keeps the value it had. */
#ifndef GF_CONFIG_PARAMS_H
#define GF_CONFIG_PARAMS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/param.h"
#include "config/complaint.h"
#include "config/yaml.h"

#define GF_SECTION_ROW_COUNT_MAX 64
#define GF_MAP_COUNT_MAX         64
#define GF_MAP_KEY_SIZE          96
#define GF_MAP_VALUE_SIZE        1024
#define GF_PARAM_PATH_SIZE       200

enum gf_origin_kind { GF_ORIGIN_DEFAULT, GF_ORIGIN_FILE, GF_ORIGIN_SET };

/* Where a value came from. */
struct gf_origin {
    enum gf_origin_kind kind;
    uint32_t line, column; /* of the value in the file */
};

/* Free keys with their values, in the order given. */
struct gf_map_item {
    char key[GF_MAP_KEY_SIZE];
    char value[GF_MAP_VALUE_SIZE];
    struct gf_origin origin;
};
struct gf_map {
    struct gf_map_item items[GF_MAP_COUNT_MAX];
    uint32_t count;
};

struct gf_section {
    const char *name; /* NULL: the top of the file */
    const char *doc;
    const struct gf_param *rows;
    uint32_t row_count;
    void *base;                /* the struct, zeroed by the owner */
    struct gf_origin *origins; /* one a row; never NULL where there are rows */
    struct gf_section *sections;
    uint32_t section_count;
    struct gf_map *map;    /* instead of all of the above: free keys */
    bool is_fold;          /* all of it is part of the fold */
    uint32_t line, column; /* of the mapping in the file; 0 until then */
};

/* How a file is read. */
struct gf_param_reader {
    struct gf_complaints *complaints;
    const struct gf_yaml *yaml;
    const struct gf_section *root; /* where "belongs under" looks; may be NULL */
    const char *folder;            /* {file: …} is relative to it; NULL: to the current one */
    bool is_literal;               /* `${…}` stays as it is, secrets may stand in the text */
    enum gf_origin_kind origin;
    char path[GF_PARAM_PATH_SIZE]; /* of the mapping that is being read; starts empty */
};

void gf_section_default(const struct gf_section *section, struct gf_complaints *complaints);
void gf_section_fill(struct gf_param_reader *reader, struct gf_section *section,
                     const struct gf_yaml_node *node);
/* "a.b.c=value"; the value is YAML (a list for a table). */
void gf_section_set(struct gf_param_reader *reader, struct gf_section *root,
                    const char *assignment);
/* Complains of every row without default that got no value; of those with is_fold alone where
 * `is_fold_only`.
 */
void gf_section_require(struct gf_param_reader *reader, const struct gf_section *section,
                        bool is_fold_only);

/* One struct by its rows, no sections: all four steps in one. For other YAML files and for tests.
 */
void gf_params_read(struct gf_param_reader *reader, const struct gf_param *rows, uint32_t row_count,
                    void *base, const struct gf_yaml_node *node);

enum gf_print_mode {
    GF_PRINT_FOLD,   /* what is part of the fold, and nothing else: canonical, read back with
                        is_literal */
    GF_PRINT_PEOPLE, /* everything, with origins; secrets hidden */
};
void gf_section_print(const struct gf_section *section, enum gf_print_mode mode,
                      const char *file_name, FILE *out);

/* A name whose value must not stand in a configuration file: passwords, keys. */
bool gf_name_is_secret(const char *name);

/* Origin of the row called `name`; NULL when the section has no such row. */
const struct gf_origin *gf_section_origin(const struct gf_section *section, const char *name);

/* ---- texts of the file before they are values ---- */

/* Writes `text` with ${NAME}, ${NAME:-default} and ${NAME:?message} replaced; `$$` is a `$`. On a
 * fault `why_out` (of `why_size` bytes) says which. `has_reference_out` may be NULL. */
GF_MUST_USE bool gf_text_expand(const char *text, char *out, size_t size, bool *has_reference_out,
                                char *why_out, size_t why_size);
/* Reads a secret from a file, without its last line break; relative to `folder` (NULL: current
 * one). */
GF_MUST_USE bool gf_secret_read(const char *path, const char *folder, char *out, size_t size,
                                char *why_out, size_t why_size);

#endif
