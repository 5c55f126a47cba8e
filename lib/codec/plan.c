#include <assert.h>
#include <string.h>

#include "codec/plan.h"
#include "codec/plan_op.h"

/* One array or map that is being read. */
struct plan_loop {
    const struct gf_plan_op *op;
    uint8_t *base; /* of the struct that the loop is in */
    uint64_t left; /* items of the block that are still to come */
    uint8_t *items;
    uint32_t count, capacity;
};

struct plan_run {
    const struct gf_plan *plan;
    struct gf_reader *reader;
    struct gf_arena *arena;
    uint8_t *base;  /* the struct that is being filled; NULL: nothing is kept */
    uint32_t at;    /* the next step */
    uint32_t depth; /* loops that are open */
    /* Items of no bytes are legal (an array of empty records), and blocks of them cost two bytes
     * each; without a budget, a small record could keep the loop busy for hours. */
    uint64_t items_left;
    struct plan_loop loops[GF_PLAN_DEPTH_MAX];
};

static enum gf_rc
plan_read_number(enum gf_plan_code code, struct gf_reader *reader, void *to)
{
    int32_t narrow = 0;
    int64_t wide = 0;
    float small = 0;
    double big = 0;
    enum gf_rc rc = GF_OK;
    if (code == GF_PLAN_FLOAT_DOUBLE) {
        rc = gf_read_float(reader, &small);
        big = (double)small;
    } else if (code == GF_PLAN_LONG_DOUBLE) {
        rc = gf_read_long(reader, &wide);
        big = (double)wide;
    } else {
        assert(code == GF_PLAN_INT_LONG || code == GF_PLAN_INT_DOUBLE);
        rc = gf_read_int(reader, &narrow);
        wide = narrow;
        big = (double)narrow;
    }
    if (rc != GF_OK) {
        return rc;
    }
    memcpy(to, code == GF_PLAN_INT_LONG ? (const void *)&wide : (const void *)&big, 8);
    return GF_OK;
}

static enum gf_rc
plan_read_enum(const struct gf_plan_op *op, struct gf_reader *reader, int32_t *to)
{
    int32_t symbol = 0;
    const enum gf_rc rc = gf_read_int(reader, &symbol);
    if (rc != GF_OK) {
        return rc;
    }
    if (symbol < 0 || (uint32_t)symbol >= op->size) {
        return GF_E_BAD_DATA;
    }
    *to = op->table[symbol];
    return GF_OK;
}

static enum gf_rc
plan_skip_size(struct gf_reader *reader, uint32_t size)
{
    if (size > gf_reader_left(reader)) {
        return GF_E_BAD_DATA;
    }
    reader->at += size;
    return GF_OK;
}

static enum gf_rc
plan_take_branch(struct plan_run *run, const struct gf_plan_op *op)
{
    int64_t branch = 0;
    const enum gf_rc rc = gf_read_long(run->reader, &branch);
    if (rc != GF_OK) {
        return rc;
    }
    if (branch < 0 || branch >= (int64_t)op->size) {
        return GF_E_BAD_DATA;
    }
    assert((uint32_t)op->table[branch] >= run->at);
    run->at = (uint32_t)op->table[branch];
    return GF_OK;
}

/* Makes room for `count` more items. Capacity doubles, so an array in many small blocks costs the
 * arena at most four times its size. */
static enum gf_rc
plan_loop_reserve(struct plan_loop *loop, struct gf_arena *arena, uint64_t count)
{
    if (count > UINT32_MAX / 2 - loop->count) {
        return GF_E_BAD_DATA;
    }
    const uint32_t needed = loop->count + (uint32_t)count;
    if (needed <= loop->capacity) {
        return GF_OK;
    }
    const uint32_t capacity = needed > 2 * loop->capacity ? needed : 2 * loop->capacity;
    uint8_t *items = gf_arena_take(arena, (size_t)capacity * loop->op->size);
    if (items == NULL) {
        return GF_E_FULL;
    }
    if (loop->count > 0) {
        memcpy(items, loop->items, (size_t)loop->count * loop->op->size);
    }
    loop->items = items;
    loop->capacity = capacity;
    return GF_OK;
}

static void
plan_loop_open(struct plan_run *run, const struct gf_plan_op *op)
{
    assert(run->depth < GF_PLAN_DEPTH_MAX);
    assert(op->jump >= run->at);
    run->loops[run->depth++] = (struct plan_loop){.op = op, .base = run->base};
    run->at = op->jump;
}

static void
plan_loop_close(struct plan_run *run)
{
    const struct plan_loop *loop = &run->loops[--run->depth];
    run->base = loop->base;
    if (loop->items != NULL) {
        const struct gf_array array = {.items = loop->items, .count = loop->count};
        memcpy(run->base + loop->op->to, &array, sizeof(array));
    }
}

/* At the end of an item, and before the first. */
static enum gf_rc
plan_loop_next(struct plan_run *run, const struct gf_plan_op *op)
{
    assert(run->depth > 0);
    struct plan_loop *loop = &run->loops[run->depth - 1];
    const bool is_kept = loop->op->code == GF_PLAN_ARRAY && loop->base != NULL;
    if (loop->left == 0) {
        enum gf_rc rc = gf_read_block(run->reader, loop->op->item_size_min, &loop->left);
        if (rc == GF_OK && loop->left > run->items_left) {
            rc = GF_E_BAD_DATA;
        }
        if (rc == GF_OK && is_kept) {
            rc = plan_loop_reserve(loop, run->arena, loop->left);
        }
        if (rc != GF_OK) {
            return rc;
        }
        if (loop->left == 0) {
            plan_loop_close(run);
            return GF_OK;
        }
    }
    loop->left--;
    run->items_left--;
    if (is_kept) {
        assert(loop->count < loop->capacity);
        run->base = loop->items + (size_t)loop->count * loop->op->size;
        memset(run->base, 0, loop->op->size);
        loop->count++;
    }
    run->at = op->jump;
    return GF_OK;
}

/* The place of a value; what is not kept goes to `spare`. */
static inline void *
plan_place(const struct plan_run *run, const struct gf_plan_op *op, void *spare)
{
    return run->base == NULL ? spare : run->base + op->to;
}

static enum gf_rc
plan_step(struct plan_run *run, const struct gf_plan_op *op)
{
    union {
        bool truth;
        int32_t narrow;
        int64_t wide;
        double real;
        struct gf_span span;
    } spare;
    void *to = plan_place(run, op, &spare);
    struct gf_reader *reader = run->reader;
    switch (op->code) {
    case GF_PLAN_BOOL:
        return gf_read_bool(reader, to);
    case GF_PLAN_INT:
        return gf_read_int(reader, to);
    case GF_PLAN_LONG:
        return gf_read_long(reader, to);
    case GF_PLAN_DOUBLE:
        return gf_read_double(reader, to);
    case GF_PLAN_INT_LONG:
    case GF_PLAN_INT_DOUBLE:
    case GF_PLAN_LONG_DOUBLE:
    case GF_PLAN_FLOAT_DOUBLE:
        return plan_read_number(op->code, reader, to);
    case GF_PLAN_STRING:
        return gf_read_string(reader, to);
    case GF_PLAN_BYTES:
        return gf_read_bytes(reader, to);
    case GF_PLAN_FIXED:
        return run->base == NULL ? plan_skip_size(reader, op->size)
                                 : gf_read_fixed(reader, to, op->size);
    case GF_PLAN_ENUM:
        return plan_read_enum(op, reader, to);
    case GF_PLAN_HAS:
        *(bool *)to = true;
        return GF_OK;
    case GF_PLAN_SKIP_LONG:
        return gf_read_long(reader, &spare.wide);
    case GF_PLAN_SKIP_SIZE:
        return plan_skip_size(reader, op->size);
    case GF_PLAN_SKIP_BYTES:
        return gf_read_bytes(reader, &spare.span);
    case GF_PLAN_ARRAY:
    case GF_PLAN_LOOP:
        plan_loop_open(run, op);
        return GF_OK;
    case GF_PLAN_NEXT:
        return plan_loop_next(run, op);
    case GF_PLAN_UNION:
        return plan_take_branch(run, op);
    case GF_PLAN_JUMP:
        assert(op->jump >= run->at);
        run->at = op->jump;
        return GF_OK;
    case GF_PLAN_REFUSE:
        return GF_E_BAD_DATA;
    }
    assert(false);
    return GF_E_BAD_DATA;
}

static enum gf_rc
plan_run(const struct gf_plan *plan, struct gf_reader *reader, struct gf_arena *arena, void *out)
{
    assert(plan->op_count <= GF_PLAN_OPS_MAX);
    struct plan_run run = {.plan = plan,
                           .reader = reader,
                           .arena = arena,
                           .base = out,
                           .items_left = (uint64_t)gf_reader_left(reader)};
    while (run.at < plan->op_count) {
        const enum gf_rc rc = plan_step(&run, &plan->ops[run.at++]);
        if (rc != GF_OK) {
            return rc;
        }
    }
    assert(run.depth == 0);
    assert(run.base == out);
    return GF_OK;
}

enum gf_rc
gf_plan_decode(const struct gf_plan *plan, struct gf_reader *reader, struct gf_arena *arena,
               void *out)
{
    assert(plan->type->kind == GF_KIND_RECORD);
    assert(out != NULL);
    memset(out, 0, plan->type->size);
    return plan_run(plan, reader, arena, out);
}

enum gf_rc
gf_plan_skip(const struct gf_plan *plan, struct gf_reader *reader)
{
    return plan_run(plan, reader, NULL, NULL);
}
