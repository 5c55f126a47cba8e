#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/tree.h"

/* Everything at its default; NULL without memory. */
static struct gf_config *
config_new(struct gf_complaints *complaints)
{
    struct gf_config *const config = calloc(1, sizeof(*config));
    if (config == NULL) {
        return NULL;
    }
    config->tree = calloc(1, sizeof(*config->tree));
    bool has_memory = config->tree != NULL;
    for (uint32_t index = 0; index < gf_operator_count; index++) {
        config->operator_params[index] = calloc(1, gf_config_operator_size(gf_operators[index]));
        has_memory = has_memory && config->operator_params[index] != NULL;
    }
    if (!has_memory) {
        gf_config_free(config);
        return NULL;
    }
    gf_config_tree_build(config->tree, config);
    gf_section_default(&config->tree->root, complaints);
    return config;
}

void
gf_config_free(struct gf_config *config)
{
    if (config == NULL) {
        return;
    }
    for (uint32_t index = 0; index < GF_OPERATOR_COUNT_MAX; index++) {
        free(config->operator_params[index]);
    }
    free(config->tree);
    /* It may hold passwords. */
    explicit_bzero(config, sizeof(*config));
    free(config);
}

uint32_t
gf_config_stages(const struct gf_config *config)
{
    return GF_STAGES_CUSTOMER | (config->stages.area ? GF_STAGE_BIT(GF_STAGE_AREA) : 0) |
           (config->stages.intake ? GF_STAGE_BIT(GF_STAGE_INTAKE) : 0);
}

/* Fields that rows cannot reach. */
static void
config_derive(struct gf_config *config)
{
    static_assert(sizeof(config->features.default_zone) == sizeof(config->time.default_zone),
                  "both hold a zone name");
    memcpy(config->features.default_zone, config->time.default_zone,
           sizeof(config->time.default_zone));
    for (uint32_t index = 0; index < gf_operator_count; index++) {
        const char *const params = config->operator_params[index];
        const struct gf_operator *const logic = gf_operators[index];
        bool is_enabled = logic->is_carrier;
        if (!is_enabled) {
            memcpy(&is_enabled, params + logic->params_size, sizeof(bool));
        }
        const bool has_stage = (gf_config_stages(config) & GF_STAGE_BIT(logic->stage)) != 0;
        config->operator_enabled[index] = is_enabled && has_stage;
    }
}

static void
names_set(struct gf_config *config, const char *path)
{
    snprintf(config->path, sizeof(config->path), "%s", path);
    const char *const slash = strrchr(path, '/');
    const size_t size = slash != NULL ? (size_t)(slash - path) : 0;
    snprintf(config->folder, sizeof(config->folder), "%.*s", (int)size, size > 0 ? path : "");
    if (slash == path) {
        snprintf(config->folder, sizeof(config->folder), "/");
    }
}

/* Fills, overrides and checks; `yaml` is the file. */
static void
config_fill(struct gf_config *config, const struct gf_yaml *yaml, const char *const *overrides,
            uint32_t override_count, struct gf_complaints *complaints)
{
    struct gf_section *const root = &config->tree->root;
    struct gf_param_reader reader = {.complaints = complaints,
                                     .yaml = yaml,
                                     .root = root,
                                     .folder = config->folder,
                                     .origin = GF_ORIGIN_FILE};
    gf_section_fill(&reader, root, gf_yaml_root(yaml));
    for (uint32_t index = 0; index < override_count; index++) {
        gf_section_set(&reader, root, overrides[index]);
    }
    gf_section_require(&reader, root, false);
    config_derive(config);
    gf_config_check(config, &reader);
}

static enum gf_rc
config_make(const char *name, struct gf_yaml *yaml, const char *const *overrides,
            uint32_t override_count, struct gf_config **out, struct gf_complaints *complaints)
{
    struct gf_config *const config = config_new(complaints);
    if (config == NULL) {
        return GF_E_NO_MEMORY;
    }
    names_set(config, name);
    config_fill(config, yaml, overrides, override_count, complaints);
    if (complaints->count > 0 || complaints->has_no_memory) {
        gf_config_free(config);
        return complaints->has_no_memory ? GF_E_NO_MEMORY : GF_E_CONFIG;
    }
    *out = config;
    return GF_OK;
}

enum gf_rc
gf_config_parse(const char *name, const char *text, size_t size, const char *const *overrides,
                uint32_t override_count, struct gf_config **out, struct gf_complaints *complaints)
{
    struct gf_yaml *yaml = NULL;
    enum gf_rc rc = gf_yaml_parse(name, text, size, &yaml, complaints);
    rc = rc != GF_OK ? rc : config_make(name, yaml, overrides, override_count, out, complaints);
    gf_yaml_free(yaml);
    return rc;
}

enum gf_rc
gf_config_load(const char *path, const char *const *overrides, uint32_t override_count,
               struct gf_config **out, struct gf_complaints *complaints)
{
    struct gf_yaml *yaml = NULL;
    enum gf_rc rc = gf_yaml_load(path, &yaml, complaints);
    rc = rc != GF_OK ? rc : config_make(path, yaml, overrides, override_count, out, complaints);
    gf_yaml_free(yaml);
    return rc;
}

uint64_t
gf_config_hash(const char *text, size_t size)
{
    return gf_hash64(text, size, 0);
}

/* The effective text on the heap; NULL when there is no memory. */
static char *
effective_new(const struct gf_config *config, size_t *length_out)
{
    char *text = NULL;
    FILE *const file = open_memstream(&text, length_out);
    if (file != NULL) {
        gf_section_print(&config->tree->root, GF_PRINT_FOLD, "", file);
        fclose(file);
    }
    return text;
}

size_t
gf_config_effective(const struct gf_config *config, char *out, size_t size)
{
    size_t length = 0;
    char *const text = effective_new(config, &length);
    if (text == NULL) {
        return 0;
    }
    if (size > 0) {
        const size_t taken = length < size ? length : size - 1;
        memcpy(out, text, taken);
        out[taken] = '\0';
    }
    free(text);
    return length;
}

enum gf_rc
gf_config_from_effective(const char *text, size_t size, struct gf_config **out,
                         struct gf_error *error)
{
    struct gf_complaints complaints = {.count = 0};
    struct gf_yaml *yaml = NULL;
    struct gf_config *config = NULL;
    enum gf_rc rc = gf_yaml_parse("journalled configuration", text, size, &yaml, &complaints);
    if (rc == GF_OK && (config = config_new(&complaints)) == NULL) {
        rc = GF_E_NO_MEMORY;
    }
    if (rc == GF_OK) {
        struct gf_section *const root = &config->tree->root;
        struct gf_param_reader reader = {.complaints = &complaints,
                                         .yaml = yaml,
                                         .root = root,
                                         .is_literal = true,
                                         .origin = GF_ORIGIN_FILE};
        gf_section_fill(&reader, root, gf_yaml_root(yaml));
        gf_section_require(&reader, root, true);
        config_derive(config);
        rc = complaints.has_no_memory ? GF_E_NO_MEMORY : GF_OK;
    }
    gf_yaml_free(yaml);
    rc = rc != GF_OK && rc != GF_E_CONFIG ? gf_fail(error, rc, "configuration: out of memory")
                                          : gf_complaints_error(&complaints, error);
    if (rc != GF_OK) {
        gf_config_free(config);
        return rc;
    }
    *out = config;
    return GF_OK;
}

void
gf_config_fold(const struct gf_config *config, const struct gf_zones *zones,
               struct gf_fold_config *out)
{
    *out = (struct gf_fold_config){.features = &config->features,
                                   .lateness = config->time.lateness,
                                   .check_partition = config->check_partition,
                                   .zones = zones->items,
                                   .zone_hashes = zones->hashes,
                                   .zone_count = zones->count,
                                   .default_zone = gf_zones_find(zones, config->time.default_zone)};
    for (uint32_t index = 0; index < gf_operator_count; index++) {
        out->operator_params[index] = config->operator_params[index];
        out->operator_enabled[index] = config->operator_enabled[index];
    }
}

void
gf_config_print(const struct gf_config *config, FILE *out)
{
    gf_section_print(&config->tree->root, GF_PRINT_PEOPLE, config->path, out);
}
