/* Schemas as the generator sees them: the types of all files, each once, children before parents,
 * and one topic for each file. What our C types cannot hold is refused here, so the emitters behind
 * can trust what they get. */
#ifndef GF_SCHEMAS_SCHEMA_H
#define GF_SCHEMAS_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "codec/type.h"

#define SCHEMA_NAMESPACE       "gridfold"
#define SCHEMA_TYPE_COUNT_MAX  256
#define SCHEMA_TOPIC_COUNT_MAX 64
#define SCHEMA_PATH_SIZE       256

struct type;

struct field {
    const char *name, *doc;
    const struct type *type; /* without the null */
    bool is_nullable, has_default;
    uint32_t alias_count;
    const char **aliases;
};

struct type {
    enum gf_kind kind;
    const char *id;   /* unique: "meter_reading", "long_kwh_6", "array_of_phase" */
    const char *name; /* Avro name without the namespace; the primitive's for the others */
    const char *doc;  /* RECORD, ENUM */
    uint32_t size;    /* FIXED */
    uint32_t field_count;
    struct field *fields;
    uint32_t symbol_count;
    const char **symbols;
    const struct type *item;
    const char *unit;
    int scale;
};

struct topic {
    const char *path, *text; /* file, and what is in it */
    json_t *root;
    const char *name, *key, *event_time;
    int rank;                 /* -1: output */
    const char *stage, *from; /* who reads it; who writes it, of an internal topic (else NULL) */
    uint32_t id;              /* built-in schema id; 0 until the others are numbered */
    const struct type *type;
    const char *canonical;
    uint64_t fingerprint;
};

struct model {
    uint32_t type_count;
    const struct type *types[SCHEMA_TYPE_COUNT_MAX];
    uint32_t topic_count, input_count;
    /* Inputs by rank, then internal topics by rank, then outputs by name. */
    struct topic topics[SCHEMA_TOPIC_COUNT_MAX];
};

/* Fills `out` from files. Errors name the file and the place in its JSON; the codes are GF_E_IO and
 * GF_E_CONFIG. */
GF_MUST_USE enum gf_rc model_read(struct model *out, const char *const *paths, uint32_t path_count,
                                  struct gf_error *error);
void model_fini(struct model *model);

/* A place in a file, for messages: "schemas/in/x.avsc: fields[3].type". */
struct place {
    const char *file;
    char path[SCHEMA_PATH_SIZE];
};
enum gf_rc place_fail(const struct place *place, struct gf_error *error, const char *format, ...)
    GF_PRINTF(3, 4);
struct place place_in(const struct place *place, const char *format, ...) GF_PRINTF(2, 3);

/* Reads the type of a topic's record, its parts first (type.c). */
GF_MUST_USE enum gf_rc type_read_root(struct model *model, const struct topic *topic,
                                      const struct type **out, struct gf_error *error);

/* Parsing Canonical Form of a schema that type_read_root has accepted (canonical.c). */
const char *schema_canonical(const json_t *root);

/* Bytes a value takes on the wire at least. */
uint32_t type_wire_size_min(const struct type *type);
/* "struct gf_time", "int32_t", …; not for FIXED and ARRAY, which need the member's name. */
const char *type_c_name(const struct type *type);
/* The scale that a unit with a C type of its own must have; false for other units. */
bool unit_scale(const char *unit, int *out);

#endif
