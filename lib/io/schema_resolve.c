#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "io/schema_resolve.h"
#include "io/schema_steps.h"

#define JUMP_OPEN UINT32_MAX
/* Types looked at in all. Named types may be used often, so a small schema can stand for a huge
 * one. */
#define STEPS_MAX  65536
#define PATH_SIZE  256
#define FIELDS_MAX 128 /* of a record of ours */

struct compiler {
    struct gf_schema_steps out;
    uint32_t seen;  /* types looked at */
    uint32_t loops; /* open around the step to come */
    char path[PATH_SIZE];
    struct gf_error *error;
};

/* Where a value goes; `has` is -1 where null has no place. */
struct place {
    uint32_t to;
    int32_t has;
};

static enum gf_rc compile_value(struct compiler *c, const struct gf_schema_node *theirs,
                                const struct gf_type *ours, struct place place);
static enum gf_rc compile_skip(struct compiler *c, const struct gf_schema_node *theirs);

static enum gf_rc
compile_emit(struct compiler *c, struct gf_plan_op op)
{
    return gf_schema_steps_add(&c->out, op, c->error);
}

static enum gf_rc
compile_count_step(struct compiler *c)
{
    if (++c->seen > STEPS_MAX) {
        return gf_fail(c->error, GF_E_UNKNOWN_SCHEMA, "schema stands for more than %d types",
                       STEPS_MAX);
    }
    return GF_OK;
}

/* The path is longer while a field is compiled. Returns what path_leave wants. */
static size_t
path_enter(struct compiler *c, const char *dot, const char *name)
{
    const size_t size = strlen(c->path);
    (void)snprintf(c->path + size, PATH_SIZE - size, "%s%s", size == 0 ? "" : dot, name);
    return size;
}

static void
path_leave(struct compiler *c, size_t size)
{
    c->path[size] = '\0';
}

static enum gf_rc
compile_mismatch(struct compiler *c, const struct gf_schema_node *theirs,
                 const struct gf_type *ours)
{
    return gf_fail(
        c->error, GF_E_UNKNOWN_SCHEMA, "%s%s: written as %s %.100s, which cannot be read as %.100s",
        c->path[0] == '\0' ? "the record" : "field ", c->path, gf_schema_kind_name(theirs->kind),
        theirs->full_name != NULL ? theirs->full_name : "", ours->name);
}

static bool
is_time_or_decimal(const char *logical_type)
{
    static const char *const known[] = {"decimal",
                                        "date",
                                        "time-millis",
                                        "time-micros",
                                        "timestamp-millis",
                                        "timestamp-micros",
                                        "timestamp-nanos",
                                        "duration",
                                        "local-timestamp-millis",
                                        "local-timestamp-micros"};
    for (size_t index = 0; index < sizeof(known) / sizeof(known[0]); index++) {
        if (strcmp(known[index], logical_type) == 0) {
            return true;
        }
    }
    return false;
}

/* Same bytes, other meaning. */
static enum gf_rc
compile_check_meaning(struct compiler *c, const struct gf_schema_node *theirs,
                      const struct gf_type *ours)
{
    const char *our_unit = ours->unit != NULL ? ours->unit : "none";
    if (theirs->logical_type != NULL && is_time_or_decimal(theirs->logical_type) &&
        strcmp(theirs->logical_type, our_unit) != 0) {
        return gf_fail(
            c->error, GF_E_UNKNOWN_SCHEMA, "field %s: written as %s %.40s, read as %s of unit %s",
            c->path, gf_schema_kind_name(theirs->kind), theirs->logical_type, ours->name, our_unit);
    }
    if (theirs->unit != NULL && ours->unit != NULL && strcmp(theirs->unit, ours->unit) != 0) {
        return gf_fail(c->error, GF_E_UNKNOWN_SCHEMA,
                       "field %s: written as %s in %.40s, read as %s in %s", c->path,
                       gf_schema_kind_name(theirs->kind), theirs->unit, ours->name, ours->unit);
    }
    if (theirs->has_scale && ours->unit != NULL && theirs->scale != ours->scale) {
        return gf_fail(c->error, GF_E_UNKNOWN_SCHEMA,
                       "field %s: written as %s of scale %" PRId64 ", read as %s of scale %d",
                       c->path, gf_schema_kind_name(theirs->kind), theirs->scale, ours->name,
                       ours->scale);
    }
    return GF_OK;
}

/* Values without parts. Rows that are not there are not legal. */
static enum gf_rc
compile_scalar(struct compiler *c, const struct gf_schema_node *theirs, const struct gf_type *ours,
               uint32_t to)
{
    static const struct {
        enum gf_kind ours;
        enum gf_schema_kind theirs;
        enum gf_plan_code code;
    } rows[] = {
        {GF_KIND_BOOL, GF_SCHEMA_BOOLEAN, GF_PLAN_BOOL},
        {GF_KIND_INT, GF_SCHEMA_INT, GF_PLAN_INT},
        {GF_KIND_LONG, GF_SCHEMA_LONG, GF_PLAN_LONG},
        {GF_KIND_LONG, GF_SCHEMA_INT, GF_PLAN_INT_LONG},
        {GF_KIND_DOUBLE, GF_SCHEMA_DOUBLE, GF_PLAN_DOUBLE},
        {GF_KIND_DOUBLE, GF_SCHEMA_INT, GF_PLAN_INT_DOUBLE},
        {GF_KIND_DOUBLE, GF_SCHEMA_LONG, GF_PLAN_LONG_DOUBLE},
        {GF_KIND_DOUBLE, GF_SCHEMA_FLOAT, GF_PLAN_FLOAT_DOUBLE},
        {GF_KIND_STRING, GF_SCHEMA_STRING, GF_PLAN_STRING},
        {GF_KIND_STRING, GF_SCHEMA_BYTES, GF_PLAN_STRING},
        {GF_KIND_BYTES, GF_SCHEMA_BYTES, GF_PLAN_BYTES},
        {GF_KIND_BYTES, GF_SCHEMA_STRING, GF_PLAN_BYTES},
    };
    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        if (rows[index].ours == ours->kind && rows[index].theirs == theirs->kind) {
            const enum gf_rc rc = compile_check_meaning(c, theirs, ours);
            return rc != GF_OK
                       ? rc
                       : compile_emit(c, (struct gf_plan_op){.code = rows[index].code, .to = to});
        }
    }
    return compile_mismatch(c, theirs, ours);
}

/* Names of types are compared without their namespaces (Avro 1.11). */
static bool
is_same_name(const struct gf_schema_node *theirs, const struct gf_type *ours)
{
    return strcmp(gf_schema_short_name(theirs->full_name), gf_schema_short_name(ours->name)) == 0;
}

static enum gf_rc
compile_fixed(struct compiler *c, const struct gf_schema_node *theirs, const struct gf_type *ours,
              uint32_t to)
{
    if (theirs->kind != GF_SCHEMA_FIXED || !is_same_name(theirs, ours)) {
        return compile_mismatch(c, theirs, ours);
    }
    if (theirs->size != ours->size) {
        return gf_fail(c->error, GF_E_UNKNOWN_SCHEMA,
                       "field %s: written as fixed of %u bytes, read as fixed of %u", c->path,
                       theirs->size, ours->size);
    }
    const enum gf_rc rc = compile_check_meaning(c, theirs, ours);
    return rc != GF_OK ? rc
                       : compile_emit(c, (struct gf_plan_op){
                                             .code = GF_PLAN_FIXED, .to = to, .size = ours->size});
}

/* A symbol that we do not have reads as our symbol 0, UNKNOWN. */
static enum gf_rc
compile_enum(struct compiler *c, const struct gf_schema_node *theirs, const struct gf_type *ours,
             uint32_t to)
{
    if (theirs->kind != GF_SCHEMA_ENUM || !is_same_name(theirs, ours)) {
        return compile_mismatch(c, theirs, ours);
    }
    const uint32_t first = c->out.row_count;
    const enum gf_rc rc = gf_schema_steps_add_rows(&c->out, theirs->count, c->error);
    if (rc != GF_OK) {
        return rc;
    }
    for (uint32_t symbol = 0; symbol < theirs->count; symbol++) {
        for (uint32_t our_symbol = 0; our_symbol < ours->symbol_count; our_symbol++) {
            if (strcmp(theirs->names[symbol], ours->symbols[our_symbol]) == 0) {
                c->out.rows[first + symbol] = (int32_t)our_symbol;
            }
        }
    }
    return compile_emit(
        c,
        (struct gf_plan_op){.code = GF_PLAN_ENUM, .to = to, .size = theirs->count, .jump = first});
}

/* An array (`ours` is then its item) or something that is skipped (`ours` is NULL). */
static enum gf_rc
compile_loop(struct compiler *c, const struct gf_schema_node *theirs, const struct gf_type *ours,
             uint32_t to)
{
    if (c->loops == GF_PLAN_DEPTH_MAX) {
        return gf_fail(c->error, GF_E_UNKNOWN_SCHEMA,
                       "field %s: arrays and maps are nested deeper than %d", c->path,
                       GF_PLAN_DEPTH_MAX);
    }
    const struct gf_schema_node *item = theirs->children[0];
    const bool is_map = theirs->kind == GF_SCHEMA_MAP;
    const uint32_t start = c->out.op_count;
    enum gf_rc rc = compile_emit(
        c, (struct gf_plan_op){
               .code = ours != NULL ? GF_PLAN_ARRAY : GF_PLAN_LOOP,
               .to = to,
               .size = ours != NULL ? ours->size : 0,
               .item_size_min = item->size_min + (is_map && item->size_min < UINT32_MAX),
           });
    if (rc == GF_OK && is_map) {
        rc = compile_emit(c, (struct gf_plan_op){.code = GF_PLAN_SKIP_BYTES});
    }
    if (rc != GF_OK) {
        return rc;
    }
    c->loops++;
    const size_t path = path_enter(c, "", "[]");
    rc = ours != NULL ? compile_value(c, item, ours, (struct place){.to = 0, .has = -1})
                      : compile_skip(c, item);
    path_leave(c, path);
    c->loops--;
    if (rc != GF_OK) {
        return rc;
    }
    c->out.ops[start].jump = c->out.op_count;
    return compile_emit(c, (struct gf_plan_op){.code = GF_PLAN_NEXT, .jump = start + 1});
}

static int32_t
find_name(const struct gf_schema_node *theirs, const char *name)
{
    for (uint32_t index = 0; index < theirs->count; index++) {
        if (strcmp(theirs->names[index], name) == 0) {
            return (int32_t)index;
        }
    }
    return -1;
}

static bool
is_taken(const int32_t *written, uint32_t count, int32_t index)
{
    for (uint32_t field = 0; field < count; field++) {
        if (written[field] == index) {
            return true;
        }
    }
    return false;
}

/* For each of our fields, the writer's field that it is read from, or -1. A field of the same name
 * comes before one of an alias. */
static void
find_written(const struct gf_schema_node *theirs, const struct gf_type *ours,
             int32_t written[FIELDS_MAX])
{
    assert(ours->field_count <= FIELDS_MAX);
    for (uint32_t field = 0; field < ours->field_count; field++) {
        written[field] = find_name(theirs, ours->fields[field].name);
    }
    for (uint32_t field = 0; field < ours->field_count; field++) {
        const char *const *alias = ours->fields[field].aliases;
        for (; written[field] < 0 && alias != NULL && *alias != NULL; alias++) {
            const int32_t index = find_name(theirs, *alias);
            written[field] = index >= 0 && is_taken(written, ours->field_count, index) ? -1 : index;
        }
    }
}

/* The writer's field `index`: into the field of ours that takes it, or past it. */
static enum gf_rc
compile_field(struct compiler *c, const struct gf_schema_node *theirs, uint32_t index,
              const struct gf_type *ours, const int32_t *written, uint32_t to)
{
    const size_t path = path_enter(c, ".", theirs->names[index]);
    enum gf_rc rc = GF_OK;
    uint32_t at = 0;
    while (at < ours->field_count && written[at] != (int32_t)index) {
        at++;
    }
    if (at == ours->field_count) {
        rc = compile_skip(c, theirs->children[index]);
    } else {
        const struct gf_field *field = &ours->fields[at];
        const struct place place = {.to = to + field->offset,
                                    .has = field->has_offset < 0 ? -1
                                                                 : (int32_t)to + field->has_offset};
        rc = compile_value(c, theirs->children[index], field->type, place);
    }
    path_leave(c, path);
    return rc;
}

static enum gf_rc
compile_record(struct compiler *c, const struct gf_schema_node *theirs, const struct gf_type *ours,
               uint32_t to)
{
    if (theirs->kind != GF_SCHEMA_RECORD || !is_same_name(theirs, ours)) {
        return compile_mismatch(c, theirs, ours);
    }
    int32_t written[FIELDS_MAX];
    find_written(theirs, ours, written);
    for (uint32_t index = 0; index < ours->field_count; index++) {
        const struct gf_field *field = &ours->fields[index];
        if (written[index] < 0 && !field->has_default) {
            return gf_fail(c->error, GF_E_UNKNOWN_SCHEMA,
                           "field %s%s%s: not written, and our %.100s has no default", c->path,
                           c->path[0] == '\0' ? "" : ".", field->name, field->type->name);
        }
    }
    for (uint32_t index = 0; index < theirs->count; index++) {
        const enum gf_rc rc = compile_field(c, theirs, index, ours, written, to);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

/* Points the jumps that branches of a union ended with to here. Those of unions inside have been
 * closed. */
static void
compile_close_jumps(struct compiler *c, uint32_t from)
{
    for (uint32_t at = from; at < c->out.op_count; at++) {
        if (c->out.ops[at].code == GF_PLAN_JUMP && c->out.ops[at].jump == JUMP_OPEN) {
            c->out.ops[at].jump = c->out.op_count;
        }
    }
}

/* One branch of the writer's union; one that is not ours is refused when a record takes it. */
static enum gf_rc
compile_branch(struct compiler *c, const struct gf_schema_node *branch, const struct gf_type *ours,
               struct place place, bool *is_ours_out)
{
    const uint32_t op_count = c->out.op_count, table_count = c->out.row_count, loops = c->loops;
    const size_t path = strlen(c->path);
    const enum gf_rc rc = compile_value(c, branch, ours, place);
    *is_ours_out = rc == GF_OK;
    if (rc != GF_E_UNKNOWN_SCHEMA) {
        return rc;
    }
    c->out.op_count = op_count;
    c->out.row_count = table_count;
    c->loops = loops;
    path_leave(c, path);
    return compile_emit(c, (struct gf_plan_op){.code = GF_PLAN_REFUSE});
}

/* `ours` is NULL where the union is skipped. */
static enum gf_rc
compile_union(struct compiler *c, const struct gf_schema_node *theirs, const struct gf_type *ours,
              struct place place)
{
    const uint32_t table = c->out.row_count, start = c->out.op_count;
    enum gf_rc rc = gf_schema_steps_add_rows(&c->out, theirs->count, c->error);
    if (rc == GF_OK) {
        rc = compile_emit(
            c, (struct gf_plan_op){.code = GF_PLAN_UNION, .size = theirs->count, .jump = table});
    }
    struct gf_error *error = c->error;
    struct gf_error first = {.text = ""}, other = {.text = ""};
    bool is_resolved = ours == NULL;
    for (uint32_t index = 0; rc == GF_OK && index < theirs->count; index++) {
        const struct gf_schema_node *branch = theirs->children[index];
        bool is_ours = true;
        c->out.rows[table + index] = (int32_t)c->out.op_count;
        if (ours == NULL) {
            rc = compile_skip(c, branch);
        } else {
            c->error = branch->kind != GF_SCHEMA_NULL && first.text[0] == '\0' ? &first : &other;
            rc = compile_branch(c, branch, ours, place, &is_ours);
            is_resolved |= is_ours && (branch->kind != GF_SCHEMA_NULL || theirs->count == 1);
            c->error = error;
            if (rc != GF_OK) {
                return gf_fail(error, rc, "no memory left for a plan");
            }
        }
        if (rc == GF_OK) {
            rc = compile_emit(c, (struct gf_plan_op){.code = GF_PLAN_JUMP, .jump = JUMP_OPEN});
        }
    }
    if (rc == GF_OK && !is_resolved) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "%s (no branch of the union can be read)",
                       first.text[0] != '\0' ? first.text : other.text);
    }
    if (rc == GF_OK) {
        compile_close_jumps(c, start);
    }
    return rc;
}

static enum gf_rc
compile_value(struct compiler *c, const struct gf_schema_node *theirs, const struct gf_type *ours,
              struct place place)
{
    enum gf_rc rc = compile_count_step(c);
    if (rc != GF_OK) {
        return rc;
    }
    if (theirs->kind == GF_SCHEMA_UNION) {
        return compile_union(c, theirs, ours, place);
    }
    if (theirs->kind == GF_SCHEMA_NULL && place.has >= 0) {
        return GF_OK;
    }
    if (ours->kind == GF_KIND_RECORD) {
        rc = compile_record(c, theirs, ours, place.to);
    } else if (ours->kind == GF_KIND_ARRAY && theirs->kind == GF_SCHEMA_ARRAY) {
        rc = compile_loop(c, theirs, ours->item, place.to);
    } else if (ours->kind == GF_KIND_FIXED) {
        rc = compile_fixed(c, theirs, ours, place.to);
    } else if (ours->kind == GF_KIND_ENUM) {
        rc = compile_enum(c, theirs, ours, place.to);
    } else {
        rc = compile_scalar(c, theirs, ours, place.to);
    }
    if (rc != GF_OK || place.has < 0) {
        return rc;
    }
    return compile_emit(c, (struct gf_plan_op){.code = GF_PLAN_HAS, .to = (uint32_t)place.has});
}

static enum gf_rc
compile_skip(struct compiler *c, const struct gf_schema_node *theirs)
{
    enum gf_rc rc = compile_count_step(c);
    if (rc != GF_OK) {
        return rc;
    }
    switch (theirs->kind) {
    case GF_SCHEMA_NULL:
        return GF_OK;
    case GF_SCHEMA_INT:
    case GF_SCHEMA_LONG:
    case GF_SCHEMA_ENUM:
        return compile_emit(c, (struct gf_plan_op){.code = GF_PLAN_SKIP_LONG});
    case GF_SCHEMA_BOOLEAN:
    case GF_SCHEMA_FLOAT:
    case GF_SCHEMA_DOUBLE:
    case GF_SCHEMA_FIXED:
        return compile_emit(
            c, (struct gf_plan_op){.code = GF_PLAN_SKIP_SIZE, .size = theirs->size_min});
    case GF_SCHEMA_BYTES:
    case GF_SCHEMA_STRING:
        return compile_emit(c, (struct gf_plan_op){.code = GF_PLAN_SKIP_BYTES});
    case GF_SCHEMA_RECORD:
        for (uint32_t index = 0; rc == GF_OK && index < theirs->count; index++) {
            rc = compile_skip(c, theirs->children[index]);
        }
        return rc;
    case GF_SCHEMA_ARRAY:
    case GF_SCHEMA_MAP:
        return compile_loop(c, theirs, NULL, 0);
    case GF_SCHEMA_UNION:
        return compile_union(c, theirs, NULL, (struct place){.has = -1});
    }
    assert(false);
    return GF_E_UNKNOWN_SCHEMA;
}

enum gf_rc
gf_schema_resolve(const struct gf_schema_node *theirs, const struct gf_type *ours,
                  struct gf_plan *out, struct gf_error *error)
{
    struct compiler c = {.error = error};
    enum gf_rc rc = compile_value(&c, theirs, ours, (struct place){.to = 0, .has = -1});
    if (rc == GF_OK) {
        rc = gf_schema_steps_finish(&c.out, ours, out, error);
    }
    gf_schema_steps_fini(&c.out);
    return rc;
}
