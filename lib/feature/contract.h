/* Contract: the newest contract of a customer, as much of it as the fold needs. A contract applies
 * from its arrival; versions that come out of order (a lower version than the one known) are
 * ignored. */
#ifndef GF_FEATURE_CONTRACT_H
#define GF_FEATURE_CONTRACT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/civil.h"
#include "base/unit.h"
#include "model/records.h"

#define GF_CONTRACT_METER_COUNT_MAX      3
#define GF_CONTRACT_PROTECTION_COUNT_MAX 3
#define GF_METER_ID_SIZE                 24

struct gf_contract_protection {
    uint32_t kind;         /* enum gf_protection_kind */
    uint32_t from_s, to_s; /* seconds since 1970; to_s UINT32_MAX when open */
};

struct gf_meter {
    char id[GF_METER_ID_SIZE]; /* NUL-padded */
    uint32_t multiplier;
    uint32_t lsb_micro_kwh;
    uint32_t from_s, to_s;
    uint8_t digits;
    uint8_t reserved[3];
};

struct gf_contract {
    int64_t valid_from_us, valid_to_us; /* valid_to_us GF_TIME_US_MAX when open */
    int64_t capacity_w;                 /* 0: not contracted */
    int32_t version;
    uint8_t is_known;       /* a contract has arrived */
    uint8_t customer_class; /* enum gf_customer_class */
    uint8_t meter_count, protection_count;
    char tariff_id[16], area_id[16], zone[12], currency[4]; /* NUL-padded */
    uint32_t time_zone_hash; /* low half of gf_hash64 of the IANA name, 0 unknown */
    uint8_t export_permit;
    uint8_t in_area; /* operator `area`'s: the area stage counts this customer in area_id */
    uint8_t reserved[2];
    struct gf_contract_protection protections[GF_CONTRACT_PROTECTION_COUNT_MAX];
    struct gf_meter meters[GF_CONTRACT_METER_COUNT_MAX];
};
static_assert(sizeof(struct gf_contract) <= 256, "contract part of the state record");

struct gf_change;

/* Takes a contract record. Lower versions than the one known are ignored. Where the new one begins
 * later but joins the old one without a gap, supply counts as begun with the old one: the new terms
 * apply from their arrival. Errors: GF_E_BAD_FIELD (a text too long or empty, a time or number out
 * of range), GF_E_FULL (more meters or protections than fit). */
GF_MUST_USE enum gf_rc gf_contract_apply(struct gf_contract *contract,
                                         const struct gf_customer_contract *record,
                                         struct gf_change *change, struct gf_error *error);
/* Announced exchange of a meter: where the contract does not name the new one yet, it takes over
 * digits and multiplier of the old one from `at` on. False when the contract does not name the old
 * one either. */
bool gf_contract_exchange(struct gf_contract *contract, struct gf_span old_id,
                          struct gf_span new_id, struct gf_time at);

/* A contract is known and in force at `time`. */
bool gf_contract_is_valid(const struct gf_contract *contract, struct gf_time time);
/* A protection of `kind` is in force at `time`. */
bool gf_contract_is_protected(const struct gf_contract *contract, int32_t kind,
                              struct gf_time time);
/* Index of the meter, -1 when the contract does not name it at `time`. */
int32_t gf_contract_meter(const struct gf_contract *contract, struct gf_span meter_id,
                          struct gf_time time);

#endif
