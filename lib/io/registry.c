#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "io/registry.h"
#include "io/registry_http.h"
#include "io/schema.h"
#include "io/schema_json.h"

struct gf_registry {
    enum gf_registry_kind kind;
    char *folder;
    struct gf_registry_http *http;
    struct gf_schema_entry *entries;
    uint32_t capacity;
    struct gf_schemas schemas;
};

static enum gf_rc
registry_no_memory(struct gf_error *error)
{
    return gf_fail(error, GF_E_NO_MEMORY, "no memory left for a schema");
}

static void
registry_free_entry(struct gf_schema_entry *entry)
{
    gf_schema_entry_fini(entry);
    free((void *)entry->refusal);
}

/* Puts `entry` in its place by (topic, id) and takes what it owns, on error too. */
static enum gf_rc
registry_add(struct gf_registry *registry, struct gf_schema_entry entry, struct gf_error *error)
{
    if (registry->schemas.count == registry->capacity) {
        const uint32_t capacity = 2 * registry->capacity + 16;
        struct gf_schema_entry *entries = realloc(registry->entries, capacity * sizeof(*entries));
        if (entries == NULL) {
            registry_free_entry(&entry);
            return registry_no_memory(error);
        }
        registry->entries = entries;
        registry->capacity = capacity;
        registry->schemas.entries = entries;
    }
    uint32_t at = registry->schemas.count;
    while (at > 0 && (registry->entries[at - 1].topic > entry.topic ||
                      (registry->entries[at - 1].topic == entry.topic &&
                       registry->entries[at - 1].id > entry.id))) {
        registry->entries[at] = registry->entries[at - 1];
        at--;
    }
    registry->entries[at] = entry;
    registry->schemas.count++;
    return GF_OK;
}

/* The whole of a file, NUL-terminated; `size` of more than GF_SCHEMA_SIZE_MAX means that it is
 * longer. */
static enum gf_rc
registry_read_file(const char *path, char **text_out, size_t *size_out, struct gf_error *error)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        const enum gf_rc rc = errno == ENOENT ? GF_E_UNKNOWN_SCHEMA : GF_E_IO;
        return gf_fail(error, rc, "schema file %.300s: %s", path, strerror(errno));
    }
    char *text = malloc(GF_SCHEMA_SIZE_MAX + 2);
    if (text == NULL) {
        (void)fclose(file);
        return registry_no_memory(error);
    }
    const size_t size = fread(text, 1, GF_SCHEMA_SIZE_MAX + 1, file);
    const bool is_read = ferror(file) == 0;
    (void)fclose(file);
    if (!is_read) {
        free(text);
        return gf_fail(error, GF_E_IO, "schema file %.300s cannot be read", path);
    }
    text[size] = '\0';
    *text_out = text;
    *size_out = size;
    return GF_OK;
}

static enum gf_rc
registry_fetch_file(const struct gf_registry *registry, uint32_t id, char **text_out,
                    size_t *size_out, struct gf_error *error)
{
    char path[4096];
    const int length = snprintf(path, sizeof(path), "%s/%" PRIu32 ".avsc", registry->folder, id);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return gf_fail(error, GF_E_IO, "schema folder %.100s…: the path is too long",
                       registry->folder);
    }
    /* A folder that is gone says nothing about an id. */
    DIR *folder = opendir(registry->folder);
    if (folder == NULL) {
        return gf_fail(error, GF_E_IO, "schema folder %.300s: %s", registry->folder,
                       strerror(errno));
    }
    (void)closedir(folder);
    return registry_read_file(path, text_out, size_out, error);
}

/* The text of schema `id`; the caller frees it. */
static enum gf_rc
registry_fetch(struct gf_registry *registry, uint32_t id, char **text_out, size_t *size_out,
               struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    switch (registry->kind) {
    case GF_REGISTRY_BUILT_IN:
        for (uint32_t topic = 0; topic < GF_TOPIC_COUNT; topic++) {
            if (gf_topics[topic].schema_id == id) {
                *text_out = strdup(gf_topics[topic].schema);
                *size_out = strlen(gf_topics[topic].schema);
                return *text_out == NULL ? registry_no_memory(error) : GF_OK;
            }
        }
        return gf_fail(error, GF_E_UNKNOWN_SCHEMA,
                       "schema id %" PRIu32 " is none of the built-in schemas", id);
    case GF_REGISTRY_FOLDER:
        return registry_fetch_file(registry, id, text_out, size_out, error);
    case GF_REGISTRY_HTTP:
        rc = gf_registry_http_fetch(registry->http, id, text_out, error);
        *size_out = rc == GF_OK ? strlen(*text_out) : 0;
        return rc;
    }
    assert(false);
    return GF_E_CONFIG;
}

enum gf_rc
gf_registry_resolve(struct gf_registry *registry, enum gf_topic topic, uint32_t id,
                    struct gf_error *error)
{
    assert((uint32_t)topic < GF_TOPIC_COUNT);
    const struct gf_schema_entry *known = gf_schemas_find(&registry->schemas, topic, id);
    if (known != NULL) {
        return known->refusal == NULL ? GF_OK
                                      : gf_fail(error, GF_E_UNKNOWN_SCHEMA, "%s", known->refusal);
    }
    struct gf_error problem = {.text = ""};
    struct gf_schema_entry entry = {.id = id, .topic = (int32_t)topic};
    char *text = NULL;
    size_t size = 0;
    enum gf_rc rc = registry_fetch(registry, id, &text, &size, &problem);
    if (rc == GF_OK) {
        rc = gf_schema_compile(&gf_topics[topic], text, size, &entry, &problem);
        if (rc != GF_OK) {
            rc = gf_fail_prefix(&problem, rc, "schema id %" PRIu32, id);
        }
    }
    free(text);
    if (rc != GF_OK && rc != GF_E_UNKNOWN_SCHEMA) {
        return gf_fail(error, rc, "%s", problem.text);
    }
    if (rc == GF_E_UNKNOWN_SCHEMA) {
        entry.plan = (struct gf_plan){.type = gf_topics[topic].type};
        entry.refusal = strdup(problem.text);
        if (entry.refusal == NULL) {
            return registry_no_memory(error);
        }
    }
    const enum gf_rc added = registry_add(registry, entry, error);
    if (added != GF_OK) {
        return added;
    }
    return rc == GF_OK ? GF_OK : gf_fail(error, rc, "%s", problem.text);
}

/* The id in "<id>.avsc", or -1. */
static int64_t
file_id(const char *name)
{
    char *end = NULL;
    if (name[0] < '0' || name[0] > '9') {
        return -1;
    }
    const unsigned long long id = strtoull(name, &end, 10);
    return strcmp(end, ".avsc") == 0 && id <= UINT32_MAX ? (int64_t)id : -1;
}

/* The smallest id in the folder whose schema is ours. */
static enum gf_rc
registry_find_own(struct gf_registry *registry, enum gf_topic topic, uint32_t *id_out,
                  struct gf_error *error)
{
    DIR *folder = opendir(registry->folder);
    if (folder == NULL) {
        return gf_fail(error, GF_E_IO, "schema folder %.300s: %s", registry->folder,
                       strerror(errno));
    }
    int64_t found = -1;
    const struct dirent *file = NULL;
    while ((file = readdir(folder)) != NULL) {
        const int64_t id = file_id(file->d_name);
        struct gf_schema_entry entry = {.id = 0};
        char *text = NULL;
        size_t size = 0;
        if (id >= 0 && (found < 0 || id < found) &&
            registry_fetch_file(registry, (uint32_t)id, &text, &size, NULL) == GF_OK &&
            gf_schema_compile(&gf_topics[topic], text, size, &entry, NULL) == GF_OK) {
            found = entry.is_own ? id : found;
            gf_schema_entry_fini(&entry);
        }
        free(text);
    }
    (void)closedir(folder);
    if (found < 0) {
        return gf_fail(error, GF_E_CONFIG,
                       "schema folder %.300s does not have our schema of %s: save it as <id>.avsc",
                       registry->folder, gf_topics[topic].name);
    }
    *id_out = (uint32_t)found;
    return GF_OK;
}

enum gf_rc
gf_registry_own_id(struct gf_registry *registry, enum gf_topic topic, uint32_t *id_out,
                   struct gf_error *error)
{
    assert((uint32_t)topic < GF_TOPIC_COUNT);
    const struct gf_topic_info *info = &gf_topics[topic];
    uint32_t id = info->schema_id;
    enum gf_rc rc = GF_OK;
    if (registry->kind == GF_REGISTRY_FOLDER) {
        rc = registry_find_own(registry, topic, &id, error);
    } else if (registry->kind == GF_REGISTRY_HTTP) {
        rc = gf_registry_http_own_id(registry->http, info->name, info->schema, &id, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    if (gf_schemas_find(&registry->schemas, topic, id) == NULL) {
        const struct gf_schema_entry entry = {
            .id = id, .topic = (int32_t)topic, .is_own = true, .plan = {.type = info->type}};
        rc = registry_add(registry, entry, error);
    }
    if (rc == GF_OK) {
        *id_out = id;
    }
    return rc;
}

const struct gf_schemas *
gf_registry_schemas(const struct gf_registry *registry)
{
    return &registry->schemas;
}

enum gf_rc
gf_registry_open(const struct gf_registry_options *options, struct gf_registry **out,
                 struct gf_error *error)
{
    if (options->kind == GF_REGISTRY_FOLDER && options->folder == NULL) {
        return gf_fail(error, GF_E_CONFIG, "registry: no folder of schemas is given");
    }
    struct gf_registry *registry = calloc(1, sizeof(*registry));
    if (registry == NULL) {
        return registry_no_memory(error);
    }
    registry->kind = options->kind;
    enum gf_rc rc = GF_OK;
    if (options->kind == GF_REGISTRY_FOLDER) {
        registry->folder = strdup(options->folder);
        rc = registry->folder == NULL ? registry_no_memory(error) : GF_OK;
    } else if (options->kind == GF_REGISTRY_HTTP) {
        rc = gf_registry_http_open(options, &registry->http, error);
    }
    if (rc != GF_OK) {
        gf_registry_close(registry);
        return rc;
    }
    *out = registry;
    return GF_OK;
}

void
gf_registry_close(struct gf_registry *registry)
{
    if (registry == NULL) {
        return;
    }
    for (uint32_t index = 0; index < registry->schemas.count; index++) {
        registry_free_entry(&registry->entries[index]);
    }
    free(registry->entries);
    free(registry->folder);
    gf_registry_http_close(registry->http);
    free(registry);
}
