#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/import_bind.h"

#define NAME_SIZE 256

/* What `{name}` of `each` stands for in a column's name. */
static bool
each_match(const struct gf_import_target *target, struct gf_span name, struct gf_span *out)
{
    const size_t prefix = strlen(target->each_prefix), suffix = strlen(target->each_suffix);
    if (name.size <= prefix + suffix || memcmp(name.data, target->each_prefix, prefix) != 0 ||
        memcmp(name.data + name.size - suffix, target->each_suffix, suffix) != 0) {
        return false;
    }
    *out = gf_span_of(name.data + prefix, name.size - prefix - suffix);
    return true;
}

/* The name of a reference in one expansion: "pv_b{home}" is "pv_b7". */
static bool
reference_name(const struct gf_import_reference *reference, struct gf_span each,
               char out[NAME_SIZE])
{
    const char *const open = strchr(reference->name, '{');
    if (!reference->has_each) {
        return snprintf(out, NAME_SIZE, "%s", reference->name) < NAME_SIZE;
    }
    return snprintf(out, NAME_SIZE, "%.*s%.*s%s", (int)(open - reference->name), reference->name,
                    GF_SPAN_PRINT(each), strchr(open, '}') + 1) < NAME_SIZE;
}

static enum gf_rc
missing(const struct gf_import_mapping *mapping, const char *file,
        const struct gf_import_reference *reference, const char *name, const struct gf_span *header,
        uint32_t count, struct gf_error *error)
{
    struct gf_suggestion suggestion = {.wrong = name};
    char names[128][NAME_SIZE];
    for (uint32_t i = 0; i < count && i < 128; i++) {
        snprintf(names[i], NAME_SIZE, "%.*s", GF_SPAN_PRINT(header[i]));
        gf_suggestion_offer(&suggestion, names[i]);
    }
    const bool has_one = suggestion.best != NULL;
    return gf_fail(error, GF_E_BAD_DATA, "%s: has no column \"%s\", which %s:%u:%u asks for%s%s%s",
                   file, name, mapping->path, reference->line, reference->column,
                   has_one ? "; did you mean \"" : "", has_one ? suggestion.best : "",
                   has_one ? "\"?" : "");
}

static enum gf_rc
instance_add(struct gf_import_binding *binding, const struct gf_import_target *target,
             struct gf_span each, struct gf_error *error)
{
    struct gf_import_instance *const grown =
        realloc(binding->instances, (binding->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for columns");
    }
    binding->instances = grown;
    int32_t *const columns = malloc((target->reference_count + 1) * sizeof *columns);
    if (columns == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for columns");
    }
    binding->instances[binding->count++] =
        (struct gf_import_instance){.target = target, .columns = columns, .each = each};
    return GF_OK;
}

static enum gf_rc
csv_columns_find(const struct gf_import_mapping *mapping, const char *file,
                 const struct gf_span *header, uint32_t count, struct gf_import_instance *instance,
                 struct gf_error *error)
{
    for (uint32_t i = 0; i < instance->target->reference_count; i++) {
        const struct gf_import_reference *const reference = &instance->target->references[i];
        char name[NAME_SIZE];
        int32_t found = -1;
        const bool fits = reference_name(reference, instance->each, name);
        for (uint32_t j = 0; fits && found < 0 && j < count; j++) {
            found = gf_span_equal(header[j], gf_span_text(name)) ? (int32_t)j : -1;
        }
        if (found < 0) {
            return missing(mapping, file, reference, fits ? name : reference->name, header, count,
                           error);
        }
        instance->columns[i] = found;
    }
    return GF_OK;
}

static enum gf_rc
csv_bind(const struct gf_import_mapping *mapping, const char *file, const struct gf_span *header,
         uint32_t count, struct gf_import_binding *out, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    out->cell_count = count;
    for (uint32_t i = 0; rc == GF_OK && i < mapping->target_count; i++) {
        const struct gf_import_target *const target = &mapping->targets[i];
        const uint32_t first = out->count;
        if (!target->has_each) {
            rc = instance_add(out, target, (struct gf_span){.size = 0}, error);
        }
        for (uint32_t j = 0; rc == GF_OK && target->has_each && j < count; j++) {
            struct gf_span each;
            rc = each_match(target, header[j], &each) ? instance_add(out, target, each, error)
                                                      : GF_OK;
        }
        if (rc == GF_OK && out->count == first) {
            return gf_fail(error, GF_E_BAD_DATA, "%s: has no column like %s…%s", file,
                           target->each_prefix, target->each_suffix);
        }
        for (uint32_t j = first; rc == GF_OK && j < out->count; j++) {
            rc = csv_columns_find(mapping, file, header, count, &out->instances[j], error);
        }
    }
    return rc;
}

/* The cells of an NDJSON row are the names that are asked for, each once. */
static enum gf_rc
ndjson_bind(const struct gf_import_mapping *mapping, struct gf_import_binding *out,
            struct gf_error *error)
{
    uint32_t room = 1;
    for (uint32_t i = 0; i < mapping->target_count; i++) {
        room += mapping->targets[i].reference_count;
    }
    out->names = malloc(room * sizeof *out->names);
    if (out->names == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "no memory for columns");
    }
    for (uint32_t i = 0; i < mapping->target_count; i++) {
        const struct gf_import_target *const target = &mapping->targets[i];
        const enum gf_rc rc = instance_add(out, target, (struct gf_span){.size = 0}, error);
        if (rc != GF_OK) {
            return rc;
        }
        for (uint32_t j = 0; j < target->reference_count; j++) {
            uint32_t at = 0;
            while (at < out->cell_count &&
                   strcmp(out->names[at], target->references[j].name) != 0) {
                at++;
            }
            out->names[at] = target->references[j].name;
            out->cell_count = at == out->cell_count ? at + 1 : out->cell_count;
            out->instances[i].columns[j] = (int32_t)at;
        }
    }
    return GF_OK;
}

enum gf_rc
gf_import_bind(const struct gf_import_mapping *mapping, const char *file,
               const struct gf_span *header, uint32_t header_count, struct gf_import_binding *out,
               struct gf_error *error)
{
    *out = (struct gf_import_binding){.count = 0};
    return mapping->format == GF_IMPORT_NDJSON
               ? ndjson_bind(mapping, out, error)
               : csv_bind(mapping, file, header, header_count, out, error);
}

void
gf_import_binding_fini(struct gf_import_binding *binding)
{
    for (uint32_t i = 0; i < binding->count; i++) {
        free(binding->instances[i].columns);
    }
    free(binding->instances);
    free(binding->names);
    *binding = (struct gf_import_binding){.count = 0};
}
