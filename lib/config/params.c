#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/params.h"
#include "config/value.h"

/* Longer than any TEXT or map value. */
#define VALUE_SIZE 4096

/* Steps into a member of a mapping; returns how long the path was, for path_pop. */
static size_t path_push(struct gf_param_reader *reader, const char *format, ...) GF_PRINTF(2, 3);

static size_t
path_push(struct gf_param_reader *reader, const char *format, ...)
{
    const size_t used = strlen(reader->path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->path + used, sizeof(reader->path) - used, format, arguments);
    va_end(arguments);
    return used;
}

static void
path_pop(struct gf_param_reader *reader, size_t used)
{
    reader->path[used] = '\0';
}

static const char *
path_dot(const struct gf_param_reader *reader)
{
    return reader->path[0] != '\0' ? "." : "";
}

static void
complain_value(struct gf_param_reader *reader, const struct gf_yaml_node *node, const char *name,
               const struct gf_value_fault *fault)
{
    gf_complain(reader->complaints, gf_yaml_place(reader->yaml, node), "%s%s%s %s", reader->path,
                path_dot(reader), name, fault->text);
    if (fault->help[0] != '\0') {
        gf_complain_help(reader->complaints, "%s", fault->help);
    }
}

/* ---- unknown keys ---- */

/* Sections that have a key of this name: up to two, as "kafka: or status:". */
static uint32_t
homes_find(const struct gf_section *section, const char *path, const char *name, char *out,
           size_t size)
{
    bool is_here = false;
    for (uint32_t index = 0; index < section->row_count; index++) {
        is_here = is_here || strcmp(section->rows[index].name, name) == 0;
    }
    for (uint32_t index = 0; index < section->section_count; index++) {
        is_here = is_here || strcmp(section->sections[index].name, name) == 0;
    }
    uint32_t found = 0;
    if (is_here && section->name != NULL) {
        const size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s:", used > 0 ? " or " : "", path);
        found++;
    }
    for (uint32_t index = 0; index < section->section_count; index++) {
        const struct gf_section *const inner = &section->sections[index];
        char inner_path[GF_PARAM_PATH_SIZE];
        snprintf(inner_path, sizeof(inner_path), "%s%s%s", path, path[0] != '\0' ? "." : "",
                 inner->name);
        found += homes_find(inner, inner_path, name, out, size);
    }
    return found;
}

static bool
is_at_top(const struct gf_section *root, const char *name)
{
    bool found = false;
    for (uint32_t index = 0; index < root->row_count; index++) {
        found = found || strcmp(root->rows[index].name, name) == 0;
    }
    for (uint32_t index = 0; index < root->section_count; index++) {
        found = found || strcmp(root->sections[index].name, name) == 0;
    }
    return found;
}

/* Names of the whole file, for a key that is both misspelt and in the wrong place. */
static void
offer_all(struct gf_suggestion *suggestion, const struct gf_section *section)
{
    for (uint32_t index = 0; index < section->row_count; index++) {
        gf_suggestion_offer(suggestion, section->rows[index].name);
    }
    for (uint32_t index = 0; index < section->section_count; index++) {
        gf_suggestion_offer(suggestion, section->sections[index].name);
        offer_all(suggestion, &section->sections[index]);
    }
}

/* One edit in the same mapping, else the same name elsewhere, else two edits here, else near
 * elsewhere. */
static void
help_unknown(struct gf_param_reader *reader, const struct gf_section *section, const char *key)
{
    struct gf_suggestion here = {.wrong = key}, there = {.wrong = key};
    for (uint32_t index = 0; index < section->row_count; index++) {
        gf_suggestion_offer(&here, section->rows[index].name);
    }
    for (uint32_t index = 0; index < section->section_count; index++) {
        gf_suggestion_offer(&here, section->sections[index].name);
    }
    if (here.best != NULL && here.distance <= 1) {
        gf_complain_help(reader->complaints, "did you mean \"%s\"?", here.best);
        return;
    }
    char homes[160] = "";
    const struct gf_section *const root = reader->root;
    const uint32_t home_count = root != NULL ? homes_find(root, "", key, homes, sizeof(homes)) : 0;
    if (root != NULL && section != root && is_at_top(root, key)) {
        gf_complain_help(reader->complaints, "\"%s\" belongs at the top of the file", key);
    } else if (home_count > 0 && home_count <= 3) {
        gf_complain_help(reader->complaints, "\"%s\" belongs under %s", key, homes);
    } else if (here.best != NULL) {
        gf_complain_help(reader->complaints, "did you mean \"%s\"?", here.best);
    } else if (root != NULL) {
        offer_all(&there, root);
        homes[0] = '\0';
        if (there.best != NULL && homes_find(root, "", there.best, homes, sizeof(homes)) > 0) {
            gf_complain_help(reader->complaints, "did you mean \"%s\"? it belongs under %s",
                             there.best, homes);
        } else if (there.best != NULL) {
            gf_complain_help(reader->complaints,
                             "did you mean \"%s\"? it belongs at the top of the file", there.best);
        }
    }
}

static void
complain_unknown(struct gf_param_reader *reader, const struct gf_section *section,
                 const struct gf_yaml_item *item)
{
    gf_complain(reader->complaints, gf_yaml_place_at(reader->yaml, item->line, item->column),
                "unknown key \"%.80s\"%s%s", item->key, reader->path[0] != '\0' ? " in " : "",
                reader->path);
    help_unknown(reader, section, item->key);
}

/* ---- values ---- */

bool
gf_name_is_secret(const char *name)
{
    return strstr(name, "password") != NULL || strstr(name, "secret") != NULL ||
           strstr(name, "key.pem") != NULL || strstr(name, "oauthbearer.config") != NULL;
}

/* The text that stands for a scalar: expanded, or out of a secret's file. */
static bool
text_take(struct gf_param_reader *reader, const struct gf_yaml_node *node, const char *name,
          char *out, size_t size)
{
    struct gf_value_fault fault = {.text = ""};
    const bool is_secret = gf_name_is_secret(name);
    const struct gf_yaml_node *const file = is_secret ? gf_yaml_get(node, "file") : NULL;
    bool has_reference = false, is_good = false;
    if (file != NULL && file->kind == GF_YAML_SCALAR && node->count == 1) {
        is_good =
            gf_secret_read(file->text, reader->folder, out, size, fault.text, sizeof(fault.text));
    } else if (node->kind != GF_YAML_SCALAR) {
        snprintf(fault.text, sizeof(fault.text), "must be a value, not %s",
                 gf_yaml_kind_name(node));
    } else if (gf_yaml_is_null(node) && reader->origin != GF_ORIGIN_SET) {
        snprintf(fault.text, sizeof(fault.text), "has no value");
        snprintf(fault.help, sizeof(fault.help),
                 "leave the line out for the default, write \"\" for an empty text");
    } else if (node->size >= size) {
        snprintf(fault.text, sizeof(fault.text), "is longer than %zu bytes", size - 1);
    } else if (reader->is_literal) {
        memcpy(out, node->text, node->size + 1);
        is_good = true;
    } else {
        is_good =
            gf_text_expand(node->text, out, size, &has_reference, fault.text, sizeof(fault.text));
        if (is_good && is_secret && !has_reference && node->size > 0) {
            snprintf(fault.text, sizeof(fault.text), "is a secret and must not stand here");
            snprintf(fault.help, sizeof(fault.help), "write {file: PATH} or \"${NAME}\"");
            is_good = false;
        }
    }
    if (!is_good) {
        complain_value(reader, node, name, &fault);
    }
    return is_good;
}

static void row_read(struct gf_param_reader *reader, const struct gf_param *row, void *base,
                     const struct gf_yaml_node *node);

/* A table is replaced as a whole: half a ladder on top of the old one is nobody's wish. */
static void
table_read(struct gf_param_reader *reader, const struct gf_param *row, void *base,
           const struct gf_yaml_node *node)
{
    struct gf_value_fault fault = {.text = ""};
    if (node->kind != GF_YAML_SEQUENCE) {
        snprintf(fault.text, sizeof(fault.text), "must be a list, not %s", gf_yaml_kind_name(node));
    } else if (node->count > row->rows_max) {
        snprintf(fault.text, sizeof(fault.text), "has %u items; at most %u are possible",
                 node->count, row->rows_max);
    }
    if (fault.text[0] != '\0') {
        complain_value(reader, node, row->name, &fault);
        return;
    }
    memset((char *)base + row->offset, 0, (size_t)row->size * row->rows_max);
    for (uint32_t index = 0; index < node->count; index++) {
        const size_t used = path_push(reader, "%s%s[%u]", path_dot(reader), row->name, index);
        gf_params_read(reader, row->rows, row->row_param_count,
                       (char *)base + row->offset + (size_t)row->size * index,
                       node->items[index].value);
        path_pop(reader, used);
    }
    *(uint32_t *)(void *)((char *)base + row->count_offset) = node->count;
}

static void
row_read(struct gf_param_reader *reader, const struct gf_param *row, void *base,
         const struct gf_yaml_node *node)
{
    if (row->type == GF_PARAM_TABLE) {
        table_read(reader, row, base, node);
        return;
    }
    char text[VALUE_SIZE];
    struct gf_value_fault fault;
    if (text_take(reader, node, row->name, text, sizeof(text)) &&
        !gf_value_read(row, text, base, &fault)) {
        if (gf_name_is_secret(row->name)) {
            snprintf(fault.text, sizeof(fault.text), "is not a text that can be used");
        }
        complain_value(reader, node, row->name, &fault);
    }
}

static bool
is_key(const char *key)
{
    size_t size = 0;
    while (key[size] > ' ' && key[size] <= '~') {
        size++;
    }
    return size > 0 && size < GF_MAP_KEY_SIZE && key[size] == '\0';
}

static void
map_put(struct gf_param_reader *reader, struct gf_map *map, const char *key,
        const struct gf_yaml_node *node)
{
    struct gf_value_fault fault = {.text = ""};
    uint32_t index = 0;
    while (index < map->count && strcmp(map->items[index].key, key) != 0) {
        index++;
    }
    if (index == GF_MAP_COUNT_MAX || !is_key(key)) {
        snprintf(fault.text, sizeof(fault.text), "%s",
                 index == GF_MAP_COUNT_MAX ? "is one key too many" : "is no possible key");
        complain_value(reader, node, key, &fault);
        return;
    }
    struct gf_map_item item = {.origin = {reader->origin, node->line, node->column}};
    memcpy(item.key, key, strlen(key) + 1);
    const struct gf_param row = {
        .name = item.key, .type = GF_PARAM_TEXT, .size = sizeof(item.value)};
    char text[VALUE_SIZE];
    if (!text_take(reader, node, key, text, sizeof(text))) {
        return;
    }
    if (!gf_name_is_secret(key) && !gf_value_read(&row, text, item.value, &fault)) {
        complain_value(reader, node, key, &fault);
        return;
    }
    if (gf_name_is_secret(key)) {
        /* A key in PEM form has many lines. */
        snprintf(item.value, sizeof(item.value), "%.*s", (int)sizeof(item.value) - 1, text);
    }
    map->items[index] = item;
    map->count += index == map->count;
}

/* ---- sections ---- */

void
gf_section_default(const struct gf_section *section, struct gf_complaints *complaints)
{
    assert(section->row_count <= GF_SECTION_ROW_COUNT_MAX);
    for (uint32_t index = 0; index < section->row_count; index++) {
        const struct gf_param *const row = &section->rows[index];
        section->origins[index] = (struct gf_origin){.kind = GF_ORIGIN_DEFAULT};
        if (row->initial == NULL) {
            continue;
        }
        struct gf_value_fault fault;
        if (row->type == GF_PARAM_TABLE) {
            struct gf_yaml *yaml = NULL;
            if (gf_yaml_parse(row->name, row->initial, strlen(row->initial), &yaml, complaints) ==
                GF_OK) {
                /* Its columns are given, if not by the file: none is missing. */
                struct gf_param_reader reader = {.complaints = complaints,
                                                 .yaml = yaml,
                                                 .is_literal = true,
                                                 .origin = GF_ORIGIN_FILE};
                table_read(&reader, row, section->base, gf_yaml_root(yaml));
                gf_yaml_free(yaml);
            }
        } else if (!gf_value_read(row, row->initial, section->base, &fault)) {
            gf_complain(complaints, (struct gf_place){.file = "built-in default"}, "%s %s",
                        row->name, fault.text);
        }
    }
    for (uint32_t index = 0; index < section->section_count; index++) {
        gf_section_default(&section->sections[index], complaints);
    }
}

static bool
member_fill(struct gf_param_reader *reader, struct gf_section *section,
            const struct gf_yaml_item *item)
{
    for (uint32_t index = 0; index < section->row_count; index++) {
        if (strcmp(section->rows[index].name, item->key) == 0) {
            section->origins[index] =
                (struct gf_origin){reader->origin, item->value->line, item->value->column};
            row_read(reader, &section->rows[index], section->base, item->value);
            return true;
        }
    }
    for (uint32_t index = 0; index < section->section_count; index++) {
        struct gf_section *const inner = &section->sections[index];
        if (strcmp(inner->name, item->key) == 0) {
            const size_t used = path_push(reader, "%s%s", path_dot(reader), inner->name);
            inner->line = item->line;
            inner->column = item->column;
            gf_section_fill(reader, inner, item->value);
            path_pop(reader, used);
            return true;
        }
    }
    return false;
}

void
gf_section_fill(struct gf_param_reader *reader, struct gf_section *section,
                const struct gf_yaml_node *node)
{
    if (gf_yaml_is_null(node)) {
        return; /* a heading whose lines are all commented out */
    }
    if (section->line == 0) {
        section->line = node->line;
        section->column = node->column;
    }
    if (node->kind != GF_YAML_MAPPING) {
        gf_complain(reader->complaints, gf_yaml_place(reader->yaml, node),
                    "%s must be a mapping, not %s",
                    reader->path[0] != '\0' ? reader->path : "the file", gf_yaml_kind_name(node));
        return;
    }
    for (uint32_t index = 0; index < node->count; index++) {
        const struct gf_yaml_item *const item = &node->items[index];
        if (section->map != NULL) {
            map_put(reader, section->map, item->key, item->value);
        } else if (!member_fill(reader, section, item)) {
            complain_unknown(reader, section, item);
        }
    }
}

void
gf_section_require(struct gf_param_reader *reader, const struct gf_section *section,
                   bool is_fold_only)
{
    for (uint32_t index = 0; index < section->row_count; index++) {
        const struct gf_param *const row = &section->rows[index];
        const bool is_wanted = !is_fold_only || row->is_fold || section->is_fold;
        if (row->initial != NULL || !is_wanted ||
            section->origins[index].kind != GF_ORIGIN_DEFAULT) {
            continue;
        }
        const uint32_t line = section->line > 0 ? section->line : 1;
        const uint32_t column = section->column > 0 ? section->column : 1;
        gf_complain(reader->complaints, gf_yaml_place_at(reader->yaml, line, column),
                    "%s%s%s is missing", reader->path, path_dot(reader), row->name);
        gf_complain_help(reader->complaints, "%s", row->doc);
    }
    for (uint32_t index = 0; index < section->section_count; index++) {
        const size_t used =
            path_push(reader, "%s%s", path_dot(reader), section->sections[index].name);
        gf_section_require(reader, &section->sections[index], is_fold_only);
        path_pop(reader, used);
    }
}

void
gf_params_read(struct gf_param_reader *reader, const struct gf_param *rows, uint32_t row_count,
               void *base, const struct gf_yaml_node *node)
{
    struct gf_origin origins[GF_SECTION_ROW_COUNT_MAX] = {{0}};
    struct gf_section section = {.rows = rows,
                                 .row_count = row_count,
                                 .base = base,
                                 .origins = origins,
                                 .line = node->line,
                                 .column = node->column};
    gf_section_default(&section, reader->complaints);
    /* A mistake in a column is not looked for in the rest of the file. */
    const struct gf_section *const root = reader->root;
    reader->root = NULL;
    gf_section_fill(reader, &section, node);
    if (node->kind == GF_YAML_MAPPING || gf_yaml_is_null(node)) {
        gf_section_require(reader, &section, false);
    }
    reader->root = root;
}

const struct gf_origin *
gf_section_origin(const struct gf_section *section, const char *name)
{
    for (uint32_t index = 0; index < section->row_count; index++) {
        if (strcmp(section->rows[index].name, name) == 0) {
            return &section->origins[index];
        }
    }
    return NULL;
}
