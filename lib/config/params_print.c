#include <string.h>

#include "config/params.h"
#include "config/value.h"

/* The rows of a table, each as a flow mapping. */
static void
table_print(const struct gf_param *row, const void *base, const char *indent, FILE *out)
{
    const uint32_t count =
        *(const uint32_t *)(const void *)((const char *)base + row->count_offset);
    if (count == 0) {
        fputs(" []", out);
    }
    for (uint32_t index = 0; index < count; index++) {
        const char *const item = (const char *)base + row->offset + (size_t)row->size * index;
        fprintf(out, "\n%s  - {", indent);
        for (uint32_t column = 0; column < row->row_param_count; column++) {
            fprintf(out, "%s%s: ", column > 0 ? ", " : "", row->rows[column].name);
            gf_value_print(&row->rows[column], item, out);
        }
        fputc('}', out);
    }
}

static void
origin_print(const struct gf_origin *origin, const char *file_name, FILE *out)
{
    switch (origin->kind) {
    case GF_ORIGIN_DEFAULT:
        fputs("  # default", out);
        break;
    case GF_ORIGIN_FILE:
        fprintf(out, "  # %s:%u", file_name, origin->line);
        break;
    case GF_ORIGIN_SET:
        fputs("  # --set", out);
        break;
    }
}

static void
row_print(const struct gf_section *section, uint32_t index, enum gf_print_mode mode,
          const char *file_name, const char *indent, FILE *out)
{
    const struct gf_param *const row = &section->rows[index];
    fprintf(out, "%s%s:", indent, row->name);
    const bool is_people = mode == GF_PRINT_PEOPLE;
    if (row->type == GF_PARAM_TABLE) {
        if (is_people) {
            origin_print(&section->origins[index], file_name, out);
        }
        table_print(row, section->base, indent, out);
        fputc('\n', out);
        return;
    }
    fputc(' ', out);
    if (is_people && gf_name_is_secret(row->name) &&
        *((const char *)section->base + row->offset) != '\0') {
        fputs("(hidden)", out);
    } else {
        gf_value_print(row, section->base, out);
    }
    if (is_people) {
        origin_print(&section->origins[index], file_name, out);
    }
    fputc('\n', out);
}

static bool
is_printed(const struct gf_section *section, enum gf_print_mode mode)
{
    bool is_any = mode == GF_PRINT_PEOPLE || section->is_fold;
    for (uint32_t index = 0; index < section->row_count; index++) {
        is_any = is_any || section->rows[index].is_fold;
    }
    for (uint32_t index = 0; index < section->section_count; index++) {
        is_any = is_any || is_printed(&section->sections[index], mode);
    }
    return is_any;
}

static void
section_print(const struct gf_section *section, enum gf_print_mode mode, const char *file_name,
              uint32_t depth, FILE *out)
{
    char indent[64];
    snprintf(indent, sizeof(indent), "%*s", (int)(2 * depth), "");
    for (uint32_t index = 0; index < section->row_count; index++) {
        if (mode == GF_PRINT_PEOPLE || section->is_fold || section->rows[index].is_fold) {
            row_print(section, index, mode, file_name, indent, out);
        }
    }
    for (uint32_t index = 0; section->map != NULL && index < section->map->count; index++) {
        const struct gf_map_item *const item = &section->map->items[index];
        fputs(indent, out);
        gf_text_print(item->key, out);
        fputs(": ", out);
        gf_text_print(gf_name_is_secret(item->key) ? "(hidden)" : item->value, out);
        if (mode == GF_PRINT_PEOPLE) {
            origin_print(&item->origin, file_name, out);
        }
        fputc('\n', out);
    }
    for (uint32_t index = 0; index < section->section_count; index++) {
        const struct gf_section *const inner = &section->sections[index];
        if (is_printed(inner, mode)) {
            fprintf(out, "%s%s:\n", indent, inner->name);
            section_print(inner, mode, file_name, depth + 1, out);
        }
    }
}

void
gf_section_print(const struct gf_section *section, enum gf_print_mode mode, const char *file_name,
                 FILE *out)
{
    section_print(section, mode, file_name, 0, out);
}
