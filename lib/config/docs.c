#include <string.h>

#include "config/tree.h"
#include "config/value.h"

/* docs/configuration.md, out of the same rows that read the file. */

static void
cell_print(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

static void
row_doc(const struct gf_param *row, FILE *out)
{
    char limits[200];
    gf_value_limits(row, limits, sizeof(limits));
    fprintf(out, "| `%s` | %s", row->name, gf_value_type_name(row->type));
    if (row->unit != NULL) {
        fprintf(out, " (%s)", row->unit);
    }
    fputs(" | ", out);
    if (row->initial == NULL) {
        fputs("must be given", out);
    } else if (row->type == GF_PARAM_TABLE) {
        fputs("see below", out);
    } else if (row->initial[0] == '\0') {
        fputs("empty", out);
    } else {
        fprintf(out, "`%s`", row->initial);
    }
    fprintf(out, " | %s | ", limits);
    cell_print(row->doc, out);
    fputs(" |\n", out);
}

static void
table_doc(const struct gf_param *row, FILE *out)
{
    fprintf(out, "\n`%s` is a list of at most %u mappings:\n\n", row->name, row->rows_max);
    fputs("| key | value | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n", out);
    for (uint32_t index = 0; index < row->row_param_count; index++) {
        row_doc(&row->rows[index], out);
    }
    if (row->initial != NULL) {
        fprintf(out, "\nDefault:\n\n```yaml\n%s: %s\n```\n", row->name, row->initial);
    }
}

static void
rows_doc(const struct gf_section *section, FILE *out)
{
    if (section->row_count > 0) {
        fputs("| key | value | default | allowed | meaning |\n| --- | --- | --- | --- | --- |\n",
              out);
    }
    for (uint32_t index = 0; index < section->row_count; index++) {
        row_doc(&section->rows[index], out);
    }
    for (uint32_t index = 0; index < section->row_count; index++) {
        if (section->rows[index].type == GF_PARAM_TABLE) {
            table_doc(&section->rows[index], out);
        }
    }
}

static void
section_doc(const struct gf_section *section, const char *prefix, FILE *out)
{
    char path[GF_PARAM_PATH_SIZE];
    snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", section->name);
    fprintf(out, "\n## `%s:`\n\n%s\n\n", path, section->doc);
    rows_doc(section, out);
    for (uint32_t index = 0; index < section->section_count; index++) {
        section_doc(&section->sections[index], path, out);
    }
}

void
gf_config_print_docs(FILE *out)
{
    /* The rows say all that is printed here; the values behind them are not looked at. */
    static struct gf_config config;
    static struct gf_config_tree tree;
    tree.origin_count = 0;
    gf_config_tree_build(&tree, &config);
    fputs(
        "# Configuration\n\n"
        "This page is printed by the program from the tables that read the file; a test compares "
        "the two.\n\n"
        "A configuration is one YAML file (`gridfold run -c FILE`); `gridfold validate -c FILE` "
        "shows all "
        "its errors "
        "at once.\nThe order of precedence is `--set a.b.c=VALUE`, then the file, then the "
        "default.\n\n"
        "- Durations: `250ms`, `90s`, `15m`, `48h`, `30d`, `1h30m`; `off` for zero. Sizes: "
        "`64KiB`, `64MiB`, "
        "`2GiB`.\n"
        "- Numbers may carry the unit of their row: `0.25 currency/kWh`.\n"
        "- Paths are relative to the folder of the file; those of `--set` to the current folder.\n"
        "- `${NAME}`, `${NAME:-default}` and `${NAME:?message}` stand for environment variables, "
        "in values "
        "only; "
        "`$$` is a `$`.\n"
        "- Secrets never stand in the file: `password: {file: PATH}` or `password: \"${NAME}\"`.\n"
        "- Some parameters decide what a fold gives: they are journalled, and a change takes "
        "effect at a "
        "batch.\n  Everything under `features:` and `operators:` is one; of the others, those in "
        "the list at "
        "the "
        "end.\n\n## At the top of the file\n\n",
        out);
    rows_doc(&tree.root, out);
    for (uint32_t index = 0; index < tree.root.section_count; index++) {
        section_doc(&tree.sections[index], "", out);
    }
    fputs("\n## Part of the fold, besides features and operators\n\n", out);
    for (uint32_t index = 0; index < tree.root.row_count; index++) {
        if (tree.root.rows[index].is_fold) {
            fprintf(out, "- `%s`\n", tree.root.rows[index].name);
        }
    }
    for (uint32_t index = 0; index < tree.root.section_count; index++) {
        const struct gf_section *const section = &tree.sections[index];
        for (uint32_t row = 0; row < section->row_count && !section->is_fold; row++) {
            if (section->rows[row].is_fold) {
                fprintf(out, "- `%s.%s`\n", section->name, section->rows[row].name);
            }
        }
    }
}
