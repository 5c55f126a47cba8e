/* Entity: a customer, a `tariff|area`, a grid area or a meter, as one state record of 2,048 bytes.
 * The bytes in memory are the bytes in the store (little endian, no pointers). The engine owns the
 * header; features and operators own their parts. */
#ifndef GF_STATE_ENTITY_H
#define GF_STATE_ENTITY_H

#include <assert.h>
#include <stdint.h>

#include "base/span.h"

enum gf_entity_kind {
    GF_ENTITY_NONE,
    GF_ENTITY_CUSTOMER,
    GF_ENTITY_TARIFF_AREA,
    GF_ENTITY_GRID_AREA, /* of the area stage: a transformer's district */
    GF_ENTITY_METER,     /* of the intake stage */
    GF_ENTITY_KIND_COUNT
};

#define GF_ENTITY_SIZE         2048
#define GF_ENTITY_KEY_SIZE_MAX 40
#define GF_ENTITY_VERSION      1

struct gf_entity_header {
    uint32_t checksum; /* of the rest, set when it is written, checked when it is loaded */
    uint16_t version;  /* of the layout */
    uint8_t kind;      /* enum gf_entity_kind */
    uint8_t key_size;
    uint8_t key[GF_ENTITY_KEY_SIZE_MAX];
    uint8_t operator_versions[8]; /* of each operator's state, by its place among its kind's */
};
static_assert(sizeof(struct gf_entity_header) == 56, "no padding: its bytes are checksummed");

struct gf_entity {
    struct gf_entity_header header;
    uint8_t body[GF_ENTITY_SIZE - sizeof(struct gf_entity_header)];
};
static_assert(sizeof(struct gf_entity) == GF_ENTITY_SIZE, "a state record");

static inline struct gf_span
gf_entity_key(const struct gf_entity *entity)
{
    return gf_span_of(entity->header.key, entity->header.key_size);
}

#endif
