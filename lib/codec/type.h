/* Types: what the generator knows about our records, as tables. The straight decoders need none of
 * it; decode plans (for writer schemas that differ from ours) and printers (JSON for `tap`) walk
 * these tables instead of special cases. */
#ifndef GF_CODEC_TYPE_H
#define GF_CODEC_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gf_kind {
    GF_KIND_BOOL,   /* bool */
    GF_KIND_INT,    /* int32_t */
    GF_KIND_LONG,   /* int64_t, or a one-field struct of base/unit.h over it */
    GF_KIND_DOUBLE, /* double */
    GF_KIND_STRING, /* struct gf_span, UTF-8 */
    GF_KIND_BYTES,  /* struct gf_span */
    GF_KIND_FIXED,  /* uint8_t[size] */
    GF_KIND_ENUM,   /* int32_t holding the index of our symbol */
    GF_KIND_RECORD, /* the struct, in place */
    GF_KIND_ARRAY,  /* struct gf_array */
};

/* An array in an arena. The generated structs hold typed twins of this with the same layout:
 * `struct { const struct gf_band *items; uint32_t count; } bands;` */
struct gf_array {
    const void *items;
    uint32_t count;
};

struct gf_type {
    enum gf_kind kind;
    const char *name;              /* Avro name of records, enums, fixeds; else the primitive's */
    uint32_t size;                 /* sizeof the C value; of a fixed, its bytes */
    uint32_t field_count;          /* RECORD */
    const struct gf_field *fields; /* RECORD, in schema order */
    uint32_t symbol_count;         /* ENUM */
    const char *const *symbols;    /* ENUM; symbol 0 is UNKNOWN, the default */
    const struct gf_type *item;    /* ARRAY */
    const char
        *unit; /* "kWh", "currency", …; "timestamp-micros" for times; NULL where there is none */
    int scale; /* decimal places of the scaled integer */
};

struct gf_field {
    const char *name;
    const char *doc;
    const struct gf_type *type; /* of the value, without the null */
    uint32_t offset;            /* of the value in the struct */
    int32_t has_offset;         /* of `bool has_<name>`; -1 where the field is not nullable */
    bool has_default; /* nullable fields default to null, arrays to empty, enums to UNKNOWN, bools
                         to 0 */
    const char *const *aliases; /* NULL-terminated, or NULL */
};

struct gf_arena;
struct gf_reader;
struct gf_writer;

/* Stages, by what their shards are keyed by. Their numbers are in shard numbers: new ones go to the
 * end. */
enum gf_stage { GF_STAGE_CUSTOMER, GF_STAGE_AREA, GF_STAGE_INTAKE, GF_STAGE_COUNT };

/* One topic with its record, from schemas/ (generated table gf_topics, indexed by enum gf_topic).
 */
struct gf_topic_info {
    const char *name;    /* "meter.readings" */
    const char *key;     /* "customer", "reference", … as in the schema */
    enum gf_stage stage; /* whose shards read it; see codec/stage.h */
    bool is_internal;    /* written by the stage `from` and read by `stage` */
    enum gf_stage from;
    bool is_input;              /* written by others, read by us */
    bool is_reference;          /* input that every shard of the customer stage reads */
    uint8_t rank;               /* of inputs in the merge */
    const char *schema;         /* the schema file's text, NUL-terminated */
    const char *canonical;      /* its Parsing Canonical Form */
    uint64_t fingerprint;       /* gf_rabin64 of that */
    uint32_t schema_id;         /* built-in id, from 1; never changes */
    const struct gf_type *type; /* the record */
    int (*decode)(struct gf_reader *reader, struct gf_arena *arena, void *out); /* enum gf_rc */
    int (*skip)(struct gf_reader *reader);                                      /* enum gf_rc */
    void (*encode)(struct gf_writer *writer, const void *in);
};

#endif
