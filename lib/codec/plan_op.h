/* Steps of a plan: what the compiler (io/schema.c) writes and plan.c runs, and nobody else sees.
 *
 * Steps run one after the other over a cursor in the writer's bytes and a struct of ours. Only NEXT
 * goes back, and each time it does it takes an item from a budget of as many items as the record
 * has bytes. Defaults have no steps: they are all zero bytes, and every struct is cleared before it
 * is filled. */
#ifndef GF_CODEC_PLAN_OP_H
#define GF_CODEC_PLAN_OP_H

#include <stdint.h>

/* Arrays and maps inside each other, ours and skipped ones. */
#define GF_PLAN_DEPTH_MAX 8
#define GF_PLAN_OPS_MAX   16384

enum gf_plan_code {
    /* Read a value and store it at `to`. Named after the wire, then ours where that differs. */
    GF_PLAN_BOOL,
    GF_PLAN_INT,
    GF_PLAN_INT_LONG,
    GF_PLAN_INT_DOUBLE,
    GF_PLAN_LONG,
    GF_PLAN_LONG_DOUBLE,
    GF_PLAN_FLOAT_DOUBLE,
    GF_PLAN_DOUBLE,
    GF_PLAN_STRING, /* the wire may say bytes: it is checked to be UTF-8 */
    GF_PLAN_BYTES,  /* the wire may say string */
    GF_PLAN_FIXED,  /* `size` bytes */
    GF_PLAN_ENUM,   /* `table`: our symbol for each of the writer's `size` */

    GF_PLAN_HAS, /* reads nothing; sets the bool at `to` */

    /* Skip what we do not have. */
    GF_PLAN_SKIP_LONG, /* also ints and enums */
    GF_PLAN_SKIP_SIZE, /* `size` bytes */
    GF_PLAN_SKIP_BYTES,

    /* Loops: `jump` is the NEXT of the loop; `item_size_min` bytes an item takes on the wire at
       least. */
    GF_PLAN_ARRAY, /* stores a struct gf_array at `to`; items are of `size` bytes */
    GF_PLAN_LOOP,  /* stores nothing: an array or map that is skipped */
    GF_PLAN_NEXT,  /* `jump`: first step of an item */

    GF_PLAN_UNION,  /* `table`: where to go on for each of the writer's `size` branches */
    GF_PLAN_JUMP,   /* forward, to `jump` */
    GF_PLAN_REFUSE, /* a branch that our type cannot hold */
};

struct gf_plan_op {
    enum gf_plan_code code;
    uint32_t to;
    uint32_t size;
    uint32_t item_size_min;
    uint32_t jump;
    const int32_t *table;
};

#endif
