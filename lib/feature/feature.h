/* Features: what is remembered of one customer, in place, in 1,864 bytes of a 2,048-byte state
 * record. Fixed layout, little endian, no pointers: the bytes in memory are the bytes in the store.
 * docs/features.md is the table of it.
 *
 * gf_features_apply is called once for every event of the customer, before any operator sees it. It
 * updates the parts below and reports in `struct gf_change` what happened, so that operators decide
 * on facts and never parse twice. */
#ifndef GF_FEATURE_FEATURE_H
#define GF_FEATURE_FEATURE_H

#include "base/civil.h"
#include "base/param.h"
#include "feature/account.h"
#include "feature/change.h"
#include "feature/contract.h"
#include "feature/load.h"
#include "feature/recent.h"
#include "model/event.h"
#include "state/reference.h"

struct gf_features {
    struct gf_contract contract; /* 256 B */
    struct gf_load load;         /* 944 B */
    struct gf_recent recent;     /* 400 B */
    struct gf_account account;   /* 264 B */
};
static_assert(sizeof(struct gf_features) <= 1864,
              "features leave room for header and operators in 2,048 bytes");

/* Parameters of the features (YAML `features:`), journalled. */
struct gf_feature_params {
    double profile_alpha;        /* weight of a new day in the exponentially weighted profile */
    double baseline_alpha;       /* weight of a new residual in baseline level and scale */
    double cusum_k, cusum_h;     /* in residual scales */
    double zero_kwh_per_day;     /* below: the day counts as zero use */
    struct gf_duration lateness; /* what may still be corrected: 48h */
    char default_zone[GF_ZONE_NAME_SIZE]; /* time zone of a customer without a contract */
    int64_t night_from_minute, night_to_minute;
};
extern const struct gf_param gf_feature_param_rows[];
extern const uint32_t gf_feature_param_count;

struct gf_feature_context {
    const struct gf_feature_params *params;
    const struct gf_reference *reference;
    const struct gf_zone *zone; /* of the contract in force, or the default */
    struct gf_time shard_time;
};

/* The features of a customer of whom nothing is known; `features` is zero before. */
void gf_features_init(struct gf_features *features);

/* A JSON object of all features in words and units; returns the length as snprintf does. */
size_t gf_features_describe(const struct gf_features *features, const struct gf_zone *zone,
                            struct gf_time now, char *out, size_t size);

/* Errors (SKIP: the features are then as before or half changed; the engine puts them back):
 * GF_E_LATE, GF_E_RANGE, GF_E_BAD_FIELD, GF_E_FULL. */
GF_MUST_USE enum gf_rc gf_features_apply(struct gf_features *features,
                                         const struct gf_feature_context *context,
                                         const struct gf_event *event, struct gf_change *change_out,
                                         struct gf_error *error);

#endif
