/* Mappings: how the columns of a file become records of topics. A YAML file, compiled once;
 * docs/import.md lists its keys.
 *
 * A mapping has targets. A target makes records of one topic: a key, and a rule for every field of
 * the topic's record. Rules with nothing of the row in them are evaluated while the mapping is
 * read, into `prototype`, so a wrong constant is an error of the mapping, with its place, and costs
 * a row nothing. */
#ifndef GF_IO_IMPORT_MAPPING_H
#define GF_IO_IMPORT_MAPPING_H

#include "codec/records.h"
#include "config/complaint.h"
#include "io/import_number.h"
#include "io/import_row.h"
#include "io/import_time.h"

/* A column that a target asks for, by name; `{each}` in the name stands for what the expansion has
 * found. */
struct gf_import_reference {
    const char *name;
    bool has_each;
    uint32_t line, column; /* in the mapping */
};

enum gf_import_part_kind { GF_IMPORT_PART_LITERAL, GF_IMPORT_PART_COLUMN, GF_IMPORT_PART_EACH };

struct gf_import_part {
    enum gf_import_part_kind kind;
    struct gf_span literal;
    uint32_t reference; /* COLUMN */
    uint32_t width;     /* filled up with zeros on the left */
};

/* A text with columns in it: "MAC{household:06}". */
struct gf_import_text {
    const struct gf_import_part *parts;
    uint32_t count;
};

enum gf_import_empty { GF_IMPORT_EMPTY_REJECT, GF_IMPORT_EMPTY_FILTER, GF_IMPORT_EMPTY_NULL };

struct gf_import_pair {
    struct gf_span from, to;
};

struct gf_import_rule {
    const char *name;           /* of the field */
    const struct gf_type *type; /* of the field, or of an array's item */
    uint32_t offset;            /* in the record, or the item */
    int32_t has_offset;
    bool is_constant;
    struct gf_import_text text;
    enum gf_import_empty empty;
    bool negative_is_export, negative_is_allowed;
    const struct gf_import_pair *map;
    uint32_t map_count;
    bool has_map_default;
    struct gf_span map_default;
    struct gf_import_number number;
    struct gf_import_time time;
    const struct gf_import_rule *rules; /* RECORD: of its fields; ARRAY: of its items */
    uint32_t rule_count;
};

/* Rows to leave out: the column is empty, or (not) one of the values. */
struct gf_import_filter {
    struct gf_import_text text;
    bool is_empty, is_negated;
    const struct gf_span *values;
    uint32_t value_count;
};

struct gf_import_target {
    enum gf_topic topic;
    uint32_t index;
    struct gf_import_text key;
    bool has_each, is_distinct;
    const char *each_prefix, *each_suffix; /* columns to expand: prefix{name}suffix */
    const struct gf_import_filter *filters;
    uint32_t filter_count;
    const struct gf_import_rule *rules;
    uint32_t rule_count;
    const struct gf_import_reference *references;
    uint32_t reference_count;
    void *prototype;                   /* record with the constants filled in */
    const struct gf_import_rule *obis; /* readings: set to export where a value is */
};

enum gf_import_format { GF_IMPORT_CSV, GF_IMPORT_NDJSON };

struct gf_import_mapping {
    enum gf_import_format format;
    char delimiter, decimal_mark;
    const char *const *columns; /* names for a file without a header row, or NULL */
    uint32_t column_count;
    const struct gf_import_target *targets;
    uint32_t target_count;
    const char *path;
    struct gf_import_memory *memory;
};

/* Errors: GF_E_CONFIG with complaints, GF_E_NO_MEMORY. Free with gf_import_mapping_free. */
GF_MUST_USE enum gf_rc gf_import_mapping_load(const char *path, struct gf_import_mapping *out,
                                              struct gf_complaints *complaints,
                                              struct gf_error *error);
/* The same from a text; `name` stands for the file. */
GF_MUST_USE enum gf_rc gf_import_mapping_parse(const char *name, const char *text, size_t size,
                                               struct gf_import_mapping *out,
                                               struct gf_complaints *complaints,
                                               struct gf_error *error);
void gf_import_mapping_free(struct gf_import_mapping *mapping);

#endif
