/* The tree of sections that describes a struct gf_config: inside config/ only. */
#ifndef GF_CONFIG_TREE_H
#define GF_CONFIG_TREE_H

#include "config/config.h"
#include "config/params.h"

#define GF_CONFIG_SECTION_COUNT_MAX 16

struct gf_config_tree {
    struct gf_section root;
    struct gf_section sections[GF_CONFIG_SECTION_COUNT_MAX];
    struct gf_section kafka_sections[1];
    struct gf_section operators[GF_OPERATOR_COUNT_MAX];
    uint32_t operator_count; /* those that are configured */
    /* `enabled` and the operator's own rows; the flag lies behind its parameters. */
    struct gf_param operator_rows[GF_OPERATOR_COUNT_MAX][GF_SECTION_ROW_COUNT_MAX];
    /* Features but for the default zone, which is that of `time:`. */
    struct gf_param feature_rows[GF_SECTION_ROW_COUNT_MAX];
    struct gf_origin origins[GF_CONFIG_SECTION_COUNT_MAX + GF_OPERATOR_COUNT_MAX + 1]
                            [GF_SECTION_ROW_COUNT_MAX];
    uint32_t origin_count;
};

/* Describes `config`, whose operator parameters are already allocated with a byte for `enabled`
 * behind them.
 */
void gf_config_tree_build(struct gf_config_tree *tree, struct gf_config *config);

/* Bytes of an operator's parameters as config/ allocates them, and where its `enabled` lies. */
size_t gf_config_operator_size(const struct gf_operator *logic);

struct gf_section *gf_config_section(const struct gf_config *config, const char *name);

/* What one row alone cannot say: names, paths, limits between two parameters. Fills the derived
 * fields. */
void gf_config_check(struct gf_config *config, struct gf_param_reader *reader);

#endif
