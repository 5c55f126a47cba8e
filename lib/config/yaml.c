#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "config/yaml.h"

#define CHUNK_SIZE       16384
#define ANCHOR_COUNT_MAX 256

struct chunk {
    struct chunk *next;
    size_t used, size;
    max_align_t data[];
};

struct gf_yaml {
    struct chunk *chunks;
    const char *name;
    const char *text;
    size_t size;
    const struct gf_yaml_node *root;
};

/* A mapping or sequence that is still open. */
struct frame {
    struct gf_yaml_node *node;
    const char *anchor;
    uint32_t first;  /* of its items in `items` */
    const char *key; /* waits for its value */
    uint32_t key_line, key_column;
};

struct builder {
    struct gf_yaml *yaml;
    struct gf_complaints *complaints;
    struct frame frames[GF_YAML_DEPTH_MAX];
    uint32_t depth;
    struct gf_yaml_item *items; /* of all open frames, one after the other */
    uint32_t item_count, item_room;
    struct {
        const char *name;
        const struct gf_yaml_node *node;
    } anchors[ANCHOR_COUNT_MAX];
    uint32_t anchor_count;
    uint32_t node_count;
    bool is_done;
};

static void *
yaml_take(struct gf_yaml *yaml, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct chunk *chunk = yaml->chunks;
    if (chunk == NULL || size > chunk->size - chunk->used) {
        const size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = malloc(sizeof(*chunk) + room);
        if (chunk == NULL) {
            return NULL;
        }
        *chunk = (struct chunk){.next = yaml->chunks, .size = room};
        yaml->chunks = chunk;
    }
    void *const out = (char *)chunk->data + chunk->used;
    chunk->used += size;
    return out;
}

static char *
yaml_copy(struct gf_yaml *yaml, const void *text, size_t size)
{
    char *const out = yaml_take(yaml, size + 1);
    if (out != NULL) {
        memcpy(out, text, size);
        out[size] = '\0';
    }
    return out;
}

static enum gf_rc
complain_at(const struct builder *builder, yaml_mark_t mark, const char *text)
{
    return gf_complain(
        builder->complaints,
        gf_yaml_place_at(builder->yaml, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1), "%s",
        text);
}

static enum gf_rc
key_add(struct builder *builder, struct frame *frame, const char *key, yaml_mark_t mark)
{
    const uint32_t line = (uint32_t)mark.line + 1, column = (uint32_t)mark.column + 1;
    if (builder->item_count - frame->first >= GF_YAML_KEY_COUNT_MAX) {
        return complain_at(builder, mark, "too many keys in one mapping");
    }
    for (uint32_t index = frame->first; index < builder->item_count; index++) {
        const struct gf_yaml_item *const item = &builder->items[index];
        if (strcmp(item->key, key) == 0) {
            return gf_complain(builder->complaints, gf_yaml_place_at(builder->yaml, line, column),
                               "key \"%.60s\" comes twice; the first is in line %u", key,
                               item->line);
        }
    }
    frame->key = key;
    frame->key_line = line;
    frame->key_column = column;
    return GF_OK;
}

/* Puts a finished node where it belongs: into the open frame, or at the root. */
static enum gf_rc
node_add(struct builder *builder, const struct gf_yaml_node *node, yaml_mark_t mark)
{
    builder->node_count += node->weight;
    if (builder->node_count > GF_YAML_NODE_COUNT_MAX) {
        return complain_at(builder, mark, "the file has too many values (aliases count each time)");
    }
    if (builder->depth == 0) {
        builder->yaml->root = node;
        builder->is_done = true;
        return GF_OK;
    }
    struct frame *const frame = &builder->frames[builder->depth - 1];
    struct gf_yaml_item item = {.line = node->line, .column = node->column, .value = node};
    if (frame->node->kind == GF_YAML_MAPPING) {
        if (frame->key == NULL) {
            if (node->kind != GF_YAML_SCALAR) {
                return complain_at(builder, mark, "a key must be a text, not a list or a mapping");
            }
            return key_add(builder, frame, node->text, mark);
        }
        item = (struct gf_yaml_item){frame->key, frame->key_line, frame->key_column, node};
        frame->key = NULL;
    }
    if (builder->item_count == builder->item_room) {
        const uint32_t room = builder->item_room == 0 ? 64 : 2 * builder->item_room;
        struct gf_yaml_item *const items = realloc(builder->items, room * sizeof(*items));
        if (items == NULL) {
            return GF_E_NO_MEMORY;
        }
        builder->items = items;
        builder->item_room = room;
    }
    builder->items[builder->item_count++] = item;
    frame->node->weight += node->weight;
    return GF_OK;
}

/* A later anchor of the same name replaces the earlier one, as YAML has it. */
static enum gf_rc
anchor_add(struct builder *builder, const char *name, const struct gf_yaml_node *node,
           yaml_mark_t mark)
{
    if (name == NULL) {
        return GF_OK;
    }
    if (builder->anchor_count == ANCHOR_COUNT_MAX) {
        return complain_at(builder, mark, "too many anchors");
    }
    builder->anchors[builder->anchor_count].name = name;
    builder->anchors[builder->anchor_count++].node = node;
    return GF_OK;
}

/* Finds only finished nodes, so nothing contains itself. */
static enum gf_rc
alias_add(struct builder *builder, const char *name, yaml_mark_t mark)
{
    for (uint32_t index = builder->anchor_count; index-- > 0;) {
        if (strcmp(builder->anchors[index].name, name) == 0) {
            return node_add(builder, builder->anchors[index].node, mark);
        }
    }
    return complain_at(builder, mark, "alias of an anchor that is not there");
}

static struct gf_yaml_node *
node_new(struct builder *builder, enum gf_yaml_kind kind, yaml_mark_t mark)
{
    struct gf_yaml_node *const node = yaml_take(builder->yaml, sizeof(*node));
    if (node != NULL) {
        *node = (struct gf_yaml_node){.kind = kind,
                                      .line = (uint32_t)mark.line + 1,
                                      .column = (uint32_t)mark.column + 1,
                                      .weight = 1};
    }
    return node;
}

/* Copies an anchor's name; NULL stays NULL. */
static enum gf_rc
anchor_copy(struct builder *builder, const yaml_char_t *anchor, const char **out)
{
    if (anchor != NULL) {
        *out = yaml_copy(builder->yaml, anchor, strlen((const char *)anchor));
        return *out != NULL ? GF_OK : GF_E_NO_MEMORY;
    }
    *out = NULL;
    return GF_OK;
}

static enum gf_rc
scalar_add(struct builder *builder, const yaml_event_t *event)
{
    const char *const value = (const char *)event->data.scalar.value;
    const size_t size = event->data.scalar.length;
    if (event->data.scalar.tag != NULL) {
        return complain_at(builder, event->start_mark, "tags are not used here; leave it out");
    }
    if (memchr(value, 0, size) != NULL) {
        return complain_at(builder, event->start_mark, "a text must not contain a NUL character");
    }
    struct gf_yaml_node *const node = node_new(builder, GF_YAML_SCALAR, event->start_mark);
    if (node == NULL || (node->text = yaml_copy(builder->yaml, value, size)) == NULL) {
        return GF_E_NO_MEMORY;
    }
    node->size = (uint32_t)size;
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const char *anchor = NULL;
    enum gf_rc rc = anchor_copy(builder, event->data.scalar.anchor, &anchor);
    rc = rc != GF_OK ? rc : anchor_add(builder, anchor, node, event->start_mark);
    return rc != GF_OK ? rc : node_add(builder, node, event->start_mark);
}

static enum gf_rc
frame_open(struct builder *builder, const yaml_event_t *event, enum gf_yaml_kind kind)
{
    const bool is_mapping = kind == GF_YAML_MAPPING;
    const yaml_char_t *const tag =
        is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    if (tag != NULL) {
        return complain_at(builder, event->start_mark, "tags are not used here; leave it out");
    }
    if (builder->depth == GF_YAML_DEPTH_MAX) {
        return complain_at(builder, event->start_mark, "nested too deeply");
    }
    struct frame *const frame = &builder->frames[builder->depth];
    *frame = (struct frame){.node = node_new(builder, kind, event->start_mark),
                            .first = builder->item_count};
    if (frame->node == NULL) {
        return GF_E_NO_MEMORY;
    }
    builder->depth++;
    return anchor_copy(
        builder, is_mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
        &frame->anchor);
}

static enum gf_rc
frame_close(struct builder *builder)
{
    assert(builder->depth > 0);
    const struct frame frame = builder->frames[--builder->depth];
    const uint32_t count = builder->item_count - frame.first;
    struct gf_yaml_item *const items = yaml_take(builder->yaml, (count + 1) * sizeof(*items));
    if (items == NULL) {
        return GF_E_NO_MEMORY;
    }
    if (count > 0) {
        memcpy(items, builder->items + frame.first, count * sizeof(*items));
    }
    builder->item_count = frame.first;
    frame.node->items = items;
    frame.node->count = count;
    /* Its items were counted one by one as they came. */
    const uint32_t weight = frame.node->weight;
    builder->node_count -= weight - 1;
    const yaml_mark_t start = {.line = frame.node->line - 1, .column = frame.node->column - 1};
    const enum gf_rc rc = anchor_add(builder, frame.anchor, frame.node, start);
    return rc != GF_OK ? rc : node_add(builder, frame.node, start);
}

static enum gf_rc
event_add(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (builder->is_done) {
            return complain_at(builder, event->start_mark, "only one document belongs in a file");
        }
        return GF_OK;
    case YAML_ALIAS_EVENT:
        return alias_add(builder, (const char *)event->data.alias.anchor, event->start_mark);
    case YAML_SCALAR_EVENT:
        return scalar_add(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return frame_open(builder, event, GF_YAML_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        return frame_open(builder, event, GF_YAML_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return frame_close(builder);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return GF_OK;
    }
    return GF_OK;
}

/* libyaml's own words, at the place where it lost the thread. */
static enum gf_rc
complain_syntax(const struct builder *builder, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return GF_E_NO_MEMORY;
    }
    const char *const problem = parser->problem != NULL ? parser->problem : "cannot be read";
    if (parser->error == YAML_READER_ERROR) {
        uint32_t line = 1;
        for (size_t at = 0; at < parser->problem_offset && at < builder->yaml->size; at++) {
            line += builder->yaml->text[at] == '\n';
        }
        gf_complain(builder->complaints, gf_yaml_place_at(builder->yaml, line, 1), "%s (byte %zu)",
                    problem, parser->problem_offset);
        gf_complain_help(builder->complaints, "files are UTF-8 without control characters");
        return GF_E_CONFIG;
    }
    complain_at(builder, parser->problem_mark, problem);
    if (strstr(problem, "cannot start any token") != NULL) {
        gf_complain_help(builder->complaints,
                         "indent with spaces, not tabs, and quote texts that start with %s",
                         "@ ` or %");
    } else if (strstr(problem, "mapping values are not allowed") != NULL) {
        gf_complain_help(builder->complaints,
                         "quote a text that has \": \" in it or \":\" at its end");
    } else if (parser->context != NULL) {
        gf_complain_help(builder->complaints, "%s that began in line %zu", parser->context,
                         parser->context_mark.line + 1);
    }
    return GF_E_CONFIG;
}

static enum gf_rc
builder_run(struct builder *builder, yaml_parser_t *parser)
{
    for (bool is_end = false; !is_end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            return complain_syntax(builder, parser);
        }
        const enum gf_rc rc = event_add(builder, &event);
        is_end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (rc != GF_OK) {
            return rc;
        }
    }
    if (builder->yaml->root == NULL || gf_yaml_is_null(builder->yaml->root)) {
        builder->yaml->root = node_new(builder, GF_YAML_MAPPING, (yaml_mark_t){0});
    }
    return builder->yaml->root != NULL ? GF_OK : GF_E_NO_MEMORY;
}

enum gf_rc
gf_yaml_parse(const char *name, const char *text, size_t size, struct gf_yaml **out,
              struct gf_complaints *complaints)
{
    if (size > GF_YAML_SIZE_MAX) {
        return gf_complain(complaints, (struct gf_place){.file = name}, "larger than 1 MiB");
    }
    struct gf_yaml *const yaml = calloc(1, sizeof(*yaml));
    struct builder *const builder = calloc(1, sizeof(*builder));
    yaml_parser_t parser;
    if (yaml == NULL || builder == NULL || !yaml_parser_initialize(&parser)) {
        free(yaml);
        free(builder);
        complaints->has_no_memory = true;
        return GF_E_NO_MEMORY;
    }
    *builder = (struct builder){.yaml = yaml, .complaints = complaints};
    enum gf_rc rc = GF_E_NO_MEMORY;
    yaml->size = size;
    yaml->name = yaml_copy(yaml, name, strlen(name));
    yaml->text = yaml_copy(yaml, text, size);
    if (yaml->name != NULL && yaml->text != NULL) {
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser, (const unsigned char *)yaml->text, size);
        rc = builder_run(builder, &parser);
    }
    yaml_parser_delete(&parser);
    free(builder->items);
    free(builder);
    complaints->has_no_memory = complaints->has_no_memory || rc == GF_E_NO_MEMORY;
    if (rc != GF_OK) {
        gf_yaml_free(yaml);
        return rc;
    }
    *out = yaml;
    return GF_OK;
}

enum gf_rc
gf_yaml_load(const char *path, struct gf_yaml **out, struct gf_complaints *complaints)
{
    const struct gf_place place = {.file = path};
    FILE *const file = fopen(path, "rb");
    if (file == NULL) {
        return gf_complain(complaints, place, "cannot be opened: %s", strerror(errno));
    }
    char *const text = malloc(GF_YAML_SIZE_MAX + 1);
    const size_t size = text != NULL ? fread(text, 1, GF_YAML_SIZE_MAX + 1, file) : 0;
    enum gf_rc rc = GF_E_NO_MEMORY;
    if (text != NULL) {
        rc = ferror(file) ? gf_complain(complaints, place, "cannot be read: %s", strerror(errno))
                          : gf_yaml_parse(path, text, size, out, complaints);
    }
    free(text);
    fclose(file);
    return rc;
}

void
gf_yaml_free(struct gf_yaml *yaml)
{
    if (yaml == NULL) {
        return;
    }
    for (struct chunk *chunk = yaml->chunks; chunk != NULL;) {
        struct chunk *const next = chunk->next;
        free(chunk);
        chunk = next;
    }
    free(yaml);
}

const struct gf_yaml_node *
gf_yaml_root(const struct gf_yaml *yaml)
{
    return yaml->root;
}

const struct gf_yaml_item *
gf_yaml_item(const struct gf_yaml_node *node, const char *key)
{
    for (uint32_t index = 0; node->kind == GF_YAML_MAPPING && index < node->count; index++) {
        if (strcmp(node->items[index].key, key) == 0) {
            return &node->items[index];
        }
    }
    return NULL;
}

const struct gf_yaml_node *
gf_yaml_get(const struct gf_yaml_node *node, const char *key)
{
    const struct gf_yaml_item *const item = gf_yaml_item(node, key);
    return item != NULL ? item->value : NULL;
}

bool
gf_yaml_is_null(const struct gf_yaml_node *node)
{
    return node->kind == GF_YAML_SCALAR && node->is_plain &&
           (node->size == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

const char *
gf_yaml_kind_name(const struct gf_yaml_node *node)
{
    static const char *const names[] = {[GF_YAML_SCALAR] = "a value",
                                        [GF_YAML_SEQUENCE] = "a list",
                                        [GF_YAML_MAPPING] = "a mapping"};
    return names[node->kind];
}

struct gf_place
gf_yaml_place_at(const struct gf_yaml *yaml, uint32_t line, uint32_t column)
{
    return (struct gf_place){
        .file = yaml->name, .text = yaml->text, .size = yaml->size, .line = line, .column = column};
}

struct gf_place
gf_yaml_place(const struct gf_yaml *yaml, const struct gf_yaml_node *node)
{
    return gf_yaml_place_at(yaml, node->line, node->column);
}
