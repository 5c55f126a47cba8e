#include <stdlib.h>
#include <string.h>

#include "io/schema_steps.h"

#define ROWS_MAX (1024 * 1024)

enum gf_rc
gf_schema_steps_add(struct gf_schema_steps *steps, struct gf_plan_op op, struct gf_error *error)
{
    if (steps->op_count == GF_PLAN_OPS_MAX) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "plan of more than %d steps", GF_PLAN_OPS_MAX);
    }
    if (steps->op_count == steps->op_capacity) {
        const uint32_t capacity = 2 * steps->op_capacity + 64;
        struct gf_plan_op *ops = realloc(steps->ops, capacity * sizeof(*ops));
        if (ops == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "no memory left for a plan");
        }
        steps->ops = ops;
        steps->op_capacity = capacity;
    }
    steps->ops[steps->op_count++] = op;
    return GF_OK;
}

enum gf_rc
gf_schema_steps_add_rows(struct gf_schema_steps *steps, uint32_t count, struct gf_error *error)
{
    if (count > ROWS_MAX - steps->row_count) {
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "more than %d symbols and branches", ROWS_MAX);
    }
    if (count > steps->row_capacity - steps->row_count) {
        const uint32_t capacity = 2 * steps->row_capacity + count;
        int32_t *rows = realloc(steps->rows, capacity * sizeof(*rows));
        if (rows == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "no memory left for a plan");
        }
        steps->rows = rows;
        steps->row_capacity = capacity;
    }
    memset(steps->rows + steps->row_count, 0, count * sizeof(*steps->rows));
    steps->row_count += count;
    return GF_OK;
}

enum gf_rc
gf_schema_steps_finish(const struct gf_schema_steps *steps, const struct gf_type *type,
                       struct gf_plan *out, struct gf_error *error)
{
    const size_t ops_size = steps->op_count * sizeof(struct gf_plan_op);
    const size_t table_size = steps->row_count * sizeof(int32_t);
    uint8_t *block = calloc(1, ops_size + table_size + 1);
    if (block == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory left for a plan");
    }
    struct gf_plan_op *ops = (struct gf_plan_op *)(void *)block;
    int32_t *table = (int32_t *)(void *)(block + ops_size);
    if (ops_size > 0) {
        memcpy(ops, steps->ops, ops_size);
    }
    if (table_size > 0) {
        memcpy(table, steps->rows, table_size);
    }
    for (uint32_t at = 0; at < steps->op_count; at++) {
        if (ops[at].code == GF_PLAN_ENUM || ops[at].code == GF_PLAN_UNION) {
            ops[at].table = table + ops[at].jump;
            ops[at].jump = 0;
        }
    }
    *out = (struct gf_plan){.type = type, .ops = ops, .op_count = steps->op_count};
    return GF_OK;
}

void
gf_schema_steps_fini(struct gf_schema_steps *steps)
{
    free(steps->ops);
    free(steps->rows);
    *steps = (struct gf_schema_steps){.op_count = 0};
}
