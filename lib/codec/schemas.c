#include "codec/schemas.h"

const struct gf_schema_entry *
gf_schemas_find(const struct gf_schemas *schemas, enum gf_topic topic, uint32_t id)
{
    uint32_t from = 0, to = schemas->count;
    while (from < to) {
        const uint32_t middle = from + (to - from) / 2;
        const struct gf_schema_entry *entry = &schemas->entries[middle];
        if (entry->topic == (int32_t)topic && entry->id == id) {
            return entry;
        }
        if (entry->topic < (int32_t)topic || (entry->topic == (int32_t)topic && entry->id < id)) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return NULL;
}
