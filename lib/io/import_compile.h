/* Private to the compiler of mappings (import_mapping.c, import_rule.c, import_template.c). */
#ifndef GF_IO_IMPORT_COMPILE_H
#define GF_IO_IMPORT_COMPILE_H

#include "config/yaml.h"
#include "io/import_mapping.h"

#define GF_IMPORT_REFERENCE_COUNT_MAX 256
#define GF_IMPORT_CURRENCY_COUNT_MAX  16

/* Memory of a mapping: blocks that go with it. Never fails half-way: what cannot be had ends the
 * compilation. */
struct gf_import_memory;
struct gf_import_memory *gf_import_memory_new(void);
/* `size` zeroed bytes, or NULL. */
void *gf_import_memory_take(struct gf_import_memory *memory, size_t size);
char *gf_import_memory_text(struct gf_import_memory *memory, const char *text, size_t size);
void gf_import_memory_free(struct gf_import_memory *memory); /* accepts NULL */

/* What time rules have where they say nothing; set at the top of the mapping. */
struct gf_import_defaults {
    const struct gf_zone *zone;
    enum gf_import_ambiguous ambiguous;
    bool nonexistent_is_filtered;
};

struct gf_import_compiler {
    const struct gf_yaml *yaml;
    struct gf_complaints *complaints;
    struct gf_import_mapping *mapping;
    struct gf_import_memory *memory;
    struct gf_arena constants; /* arrays of constants */
    bool is_out_of_memory;
    struct gf_import_defaults defaults;
    uint32_t time_count;
    /* Of the target at hand: */
    const char *each_name; /* NULL: it has no `each` */
    struct gf_import_reference *references;
    uint32_t reference_count;
    struct {
        char code[GF_IMPORT_CURRENCY_SIZE];
        const struct gf_yaml_node *node;
    } currencies[GF_IMPORT_CURRENCY_COUNT_MAX]; /* that units name */
    uint32_t currency_count;
};

/* All functions below complain and go on; what they leave behind is then not to be used. */

void *gf_import_compiler_take(struct gf_import_compiler *compiler,
                              size_t size); /* NULL only when out of memory */
void gf_import_complain(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                        const char *format, ...) GF_PRINTF(3, 4);
/* Complains of members that are not in `names` (ends with NULL). False when `node` is no mapping.
 */
bool gf_import_keys_check(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                          const char *const *names, const char *what);
/* Text of a scalar member; NULL when it is not there (or no scalar, which is a complaint). */
const char *gf_import_member_text(struct gf_import_compiler *compiler,
                                  const struct gf_yaml_node *node, const char *key);
/* The index of the member's text in `names`, `otherwise` when there is no such member. */
int gf_import_member_choice(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                            const char *key, const char *const *names, int otherwise);

/* `text` with {columns}; `{each}` too. A column alone is made by gf_import_column_compile. */
void gf_import_text_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                            const char *text, struct gf_import_text *out);
void gf_import_column_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                              const char *name, struct gf_import_text *out);
bool gf_import_text_is_constant(const struct gf_import_text *text);

/* The time keys of a mapping node: at the top of the file, or of a rule. */
const struct gf_zone *gf_import_zone_get(struct gf_import_compiler *compiler,
                                         const struct gf_yaml_node *node);
void gf_import_defaults_compile(struct gf_import_compiler *compiler,
                                const struct gf_yaml_node *node, struct gf_import_defaults *out);
void gf_import_time_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                            struct gf_import_time *out);
#define GF_IMPORT_TIME_KEYS                                                                        \
    "format", "time_zone", "ambiguous", "nonexistent", "shift", "at", "marks", "interval", "row"

/* The fields of a record, from a YAML mapping. */
void gf_import_rules_compile(struct gf_import_compiler *compiler, const struct gf_yaml_node *node,
                             const struct gf_type *type, const struct gf_import_rule **rules_out,
                             uint32_t *count_out);

#endif
