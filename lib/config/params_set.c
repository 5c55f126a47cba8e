#include <string.h>

#include "config/params.h"

/* Overrides of the command line. `kafka.properties.sasl.mechanism=PLAIN` becomes the nested mapping
 * it stands for and is read as if it stood in a file; only the origin differs, and names inside a
 * map keep their dots.
 */

static struct gf_section *
section_named(const struct gf_section *section, const char *name, size_t size)
{
    for (uint32_t index = 0; index < section->section_count; index++) {
        struct gf_section *const inner = &section->sections[index];
        if (strlen(inner->name) == size && memcmp(inner->name, name, size) == 0) {
            return inner;
        }
    }
    return NULL;
}

/* The title shows the whole assignment: line 1 of it says nothing more. */
static void
complaints_strip(struct gf_complaints *complaints, uint32_t from)
{
    for (uint32_t index = from; index < complaints->count; index++) {
        complaints->items[index].line = 0;
        complaints->items[index].source[0] = '\0';
    }
}

void
gf_section_set(struct gf_param_reader *reader, struct gf_section *root, const char *assignment)
{
    char title[160];
    snprintf(title, sizeof(title), "--set %.140s", assignment);
    const struct gf_place place = {.file = title};
    const char *const sign = strchr(assignment, '=');
    if (sign == NULL || sign == assignment || sign - assignment >= GF_PARAM_PATH_SIZE) {
        gf_complain(reader->complaints, place, "must be written NAME=VALUE");
        return;
    }
    struct gf_section *section = root;
    const char *name = assignment;
    while (section->map == NULL) {
        const char *const dot = memchr(name, '.', (size_t)(sign - name));
        struct gf_section *const inner =
            dot != NULL ? section_named(section, name, (size_t)(dot - name)) : NULL;
        if (inner == NULL) {
            break;
        }
        section = inner;
        name = dot + 1;
    }
    struct gf_yaml *yaml = NULL;
    const uint32_t before = reader->complaints->count;
    if (gf_yaml_parse(title, sign + 1, strlen(sign + 1), &yaml, reader->complaints) != GF_OK) {
        complaints_strip(reader->complaints, before);
        return;
    }
    /* A name with dots left can only be an unknown one. An empty document is an empty text here,
     * not a mapping. */
    char key[GF_PARAM_PATH_SIZE];
    snprintf(key, sizeof(key), "%.*s", (int)(sign - name), name);
    static const struct gf_yaml_node empty = {
        .kind = GF_YAML_SCALAR, .is_plain = true, .line = 1, .column = 1, .text = "", .weight = 1};
    const struct gf_yaml_node *const root_node = gf_yaml_root(yaml);
    const bool is_empty = root_node->kind == GF_YAML_MAPPING && root_node->count == 0;
    const struct gf_yaml_item item = {
        .key = key, .line = 1, .column = 1, .value = is_empty ? &empty : root_node};
    const struct gf_yaml_node mapping = {
        .kind = GF_YAML_MAPPING, .line = 1, .column = 1, .count = 1, .items = &item, .weight = 2};

    struct gf_param_reader inner = *reader;
    inner.yaml = yaml;
    inner.folder = NULL;
    inner.origin = GF_ORIGIN_SET;
    snprintf(inner.path, sizeof(inner.path), "%.*s",
             (int)(name > assignment ? name - assignment - 1 : 0), assignment);
    const uint32_t line = section->line, column = section->column;
    gf_section_fill(&inner, section, &mapping);
    complaints_strip(reader->complaints, before);
    section->line = line;
    section->column = column;
    gf_yaml_free(yaml);
}
