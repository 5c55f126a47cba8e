#include "io/folder_schemas.h"

#include <stdlib.h>
#include <string.h>

#include "codec/records.h"
#include "io/schema.h"

#define FOREIGN_ID_FIRST 1000000 /* above every built-in id, and unlike a registry's */

/* A foreign writer schema. The source keeps its address, so each is an allocation of its own. */
struct foreign {
    struct gf_schema_entry entry;
    char *text;
    size_t size;
    struct foreign *next;
};

struct gf_folder_schemas {
    struct gf_folder_resolver resolver;
    struct gf_schema_entry *entries; /* sorted by (topic, id) */
    uint32_t count, capacity;
    struct gf_schemas table;
    struct foreign *foreigns;
    uint32_t foreign_count;
};

static enum gf_rc
entry_add(struct gf_folder_schemas *schemas, const struct gf_schema_entry *entry,
          struct gf_error *error)
{
    if (schemas->count == schemas->capacity) {
        const uint32_t capacity = schemas->capacity == 0 ? 32 : schemas->capacity * 2;
        struct gf_schema_entry *entries = realloc(schemas->entries, capacity * sizeof(*entries));
        if (entries == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
        }
        schemas->entries = entries;
        schemas->capacity = capacity;
    }
    uint32_t at = schemas->count;
    while (at > 0 && (schemas->entries[at - 1].topic > entry->topic ||
                      (schemas->entries[at - 1].topic == entry->topic &&
                       schemas->entries[at - 1].id > entry->id))) {
        schemas->entries[at] = schemas->entries[at - 1];
        at--;
    }
    schemas->entries[at] = *entry;
    schemas->count++;
    schemas->table = (struct gf_schemas){.entries = schemas->entries, .count = schemas->count};
    return GF_OK;
}

static enum gf_rc
foreign_resolve(void *context, enum gf_topic topic, struct gf_span text,
                struct gf_folder_schema *out, struct gf_error *error)
{
    struct gf_folder_schemas *schemas = context;
    struct foreign *foreign = schemas->foreigns;
    while (foreign != NULL &&
           (foreign->entry.topic != (int32_t)topic || foreign->size != text.size ||
            memcmp(foreign->text, text.data, text.size) != 0)) {
        foreign = foreign->next;
    }
    if (foreign == NULL) {
        foreign = calloc(1, sizeof(*foreign));
        if (foreign == NULL || (foreign->text = malloc(text.size + 1)) == NULL) {
            free(foreign);
            return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
        }
        memcpy(foreign->text, text.data, text.size);
        foreign->size = text.size;
        enum gf_rc rc = gf_schema_compile(&gf_topics[topic], foreign->text, foreign->size,
                                          &foreign->entry, error);
        foreign->entry.topic = (int32_t)topic;
        foreign->entry.id = FOREIGN_ID_FIRST + schemas->foreign_count;
        if (rc == GF_OK) {
            rc = entry_add(schemas, &foreign->entry, error);
        }
        if (rc != GF_OK) {
            free(foreign->text);
            free(foreign);
            return rc;
        }
        schemas->foreign_count++;
        foreign->next = schemas->foreigns;
        schemas->foreigns = foreign;
    }
    *out = (struct gf_folder_schema){.id = foreign->entry.id,
                                     .is_own = foreign->entry.is_own,
                                     .plan = foreign->entry.is_own ? NULL : &foreign->entry.plan};
    return GF_OK;
}

static const struct gf_schemas *
lookup_schemas(void *context)
{
    return &((struct gf_folder_schemas *)context)->table;
}

/* Every id that a folder's record can have was entered when its file was opened. */
static enum gf_rc
lookup_resolve(void *context, enum gf_topic topic, uint32_t id, struct gf_error *error)
{
    (void)context;
    return gf_fail(error, GF_E_UNKNOWN_SCHEMA, "schema id %u of %s is not known", id,
                   gf_topics[topic].name);
}

enum gf_rc
gf_folder_schemas_new(struct gf_folder_schemas **out, struct gf_error *error)
{
    struct gf_folder_schemas *schemas = calloc(1, sizeof(*schemas));
    if (schemas == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s", gf_rc_text(GF_E_NO_MEMORY));
    }
    schemas->resolver = (struct gf_folder_resolver){.context = schemas, .resolve = foreign_resolve};
    for (int topic = 0; topic < GF_TOPIC_COUNT; topic++) {
        const struct gf_schema_entry entry = {
            .id = gf_topics[topic].schema_id, .topic = topic, .is_own = true};
        const enum gf_rc rc = entry_add(schemas, &entry, error);
        if (rc != GF_OK) {
            gf_folder_schemas_free(schemas);
            return rc;
        }
    }
    *out = schemas;
    return GF_OK;
}

void
gf_folder_schemas_free(struct gf_folder_schemas *schemas)
{
    if (schemas == NULL) {
        return;
    }
    while (schemas->foreigns != NULL) {
        struct foreign *foreign = schemas->foreigns;
        schemas->foreigns = foreign->next;
        gf_schema_entry_fini(&foreign->entry);
        free(foreign->text);
        free(foreign);
    }
    free(schemas->entries);
    free(schemas);
}

const struct gf_folder_resolver *
gf_folder_schemas_resolver(struct gf_folder_schemas *schemas)
{
    return &schemas->resolver;
}

struct gf_lookup
gf_folder_schemas_lookup(struct gf_folder_schemas *schemas)
{
    return (struct gf_lookup){
        .context = schemas, .schemas = lookup_schemas, .resolve = lookup_resolve};
}
