#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/wire.h"
#include "schema.h"
#include "text.h"

enum gf_rc
place_fail(const struct place *place, struct gf_error *error, const char *format, ...)
{
    char message[128];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(message, sizeof message, format, list);
    va_end(list);
    const char *const where = place->path[0] == '\0' ? "record" : place->path;
    (void)snprintf(error->text, sizeof error->text, "%.120s: %s: %s", place->file, where, message);
    return GF_E_CONFIG;
}

struct place
place_in(const struct place *place, const char *format, ...)
{
    char part[SCHEMA_PATH_SIZE];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(part, sizeof part, format, list);
    va_end(list);
    struct place inner = {.file = place->file};
    const char *const dot = place->path[0] == '\0' ? "" : ".";
    if (snprintf(inner.path, sizeof inner.path, "%s%s%s", place->path, dot, part) >=
        (int)sizeof inner.path) {
        memcpy(inner.path + sizeof inner.path - 4, "...", 4);
    }
    return inner;
}

static enum gf_rc
topic_text(const struct topic *topic, const char *attribute, const char **out,
           struct gf_error *error)
{
    const struct place place = {.file = topic->path};
    const char *const value = json_string_value(json_object_get(topic->root, attribute));
    if (value == NULL || value[0] == '\0') {
        return place_fail(&place, error, "attribute \"%s\" is missing", attribute);
    }
    *out = value;
    return GF_OK;
}

static bool
stage_is_known(const char *name)
{
    return strcmp(name, "customer") == 0 || strcmp(name, "area") == 0 ||
           strcmp(name, "intake") == 0;
}

/* Who reads and who writes the topic, and its id where it has one of its own. */
static enum gf_rc
stage_read(struct topic *topic, struct gf_error *error)
{
    const struct place place = {.file = topic->path};
    const char *const stage = json_string_value(json_object_get(topic->root, "stage"));
    topic->stage = stage == NULL ? "customer" : stage;
    topic->from = json_string_value(json_object_get(topic->root, "from"));
    if (!stage_is_known(topic->stage) || (topic->from != NULL && !stage_is_known(topic->from))) {
        return place_fail(&place, error,
                          "attributes \"stage\" and \"from\" are customer, area or intake");
    }
    if (topic->from != NULL && json_object_get(topic->root, "rank") == NULL) {
        return place_fail(&place, error,
                          "attribute \"from\" is for topics that are read too: "
                          "give a \"rank\"");
    }
    const json_t *id = json_object_get(topic->root, "id");
    if (id != NULL && (!json_is_integer(id) || json_integer_value(id) < 1 ||
                       json_integer_value(id) > SCHEMA_TOPIC_COUNT_MAX)) {
        return place_fail(&place, error, "attribute \"id\" must be a number from 1 to %d",
                          SCHEMA_TOPIC_COUNT_MAX);
    }
    topic->id = id == NULL ? 0 : (uint32_t)json_integer_value(id);
    return GF_OK;
}

static enum gf_rc
topic_read(struct topic *topic, struct gf_error *error)
{
    topic->text = text_file_read(topic->path, error);
    if (topic->text == NULL) {
        return GF_E_IO;
    }
    json_error_t problem = {0};
    topic->root = json_loads(topic->text, JSON_REJECT_DUPLICATES, &problem);
    if (topic->root == NULL) {
        (void)snprintf(error->text, sizeof error->text, "%s:%d: not JSON: %s", topic->path,
                       problem.line, problem.text);
        return GF_E_CONFIG;
    }
    const struct place place = {.file = topic->path};
    if (!json_is_object(topic->root)) {
        return place_fail(&place, error, "a schema file holds one record");
    }
    enum gf_rc rc = topic_text(topic, "topic", &topic->name, error);
    if (rc == GF_OK) {
        rc = topic_text(topic, "key", &topic->key, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    rc = stage_read(topic, error);
    if (rc != GF_OK) {
        return rc;
    }
    const json_t *rank = json_object_get(topic->root, "rank");
    topic->rank = -1;
    if (rank != NULL) { /* an input */
        if (!json_is_integer(rank) || json_integer_value(rank) < 0 ||
            json_integer_value(rank) > UINT8_MAX) {
            return place_fail(&place, error, "attribute \"rank\" must be a number from 0 to 255");
        }
        topic->rank = (int)json_integer_value(rank);
        return topic_text(topic, "event_time", &topic->event_time, error);
    }
    if (json_object_get(topic->root, "event_time") != NULL) {
        return place_fail(
            &place, error,
            "attribute \"event_time\" is for inputs: give a \"rank\" too, or neither");
    }
    return GF_OK;
}

static int
topic_group(const struct topic *topic)
{
    return topic->rank < 0 ? 2 : topic->from != NULL ? 1 : 0;
}

static int
topic_compare(const void *left, const void *right)
{
    const struct topic *const a = left, *const b = right;
    if (topic_group(a) != topic_group(b)) {
        return topic_group(a) - topic_group(b);
    }
    return a->rank != b->rank ? (a->rank > b->rank) - (a->rank < b->rank)
                              : strcmp(a->name, b->name);
}

/* Two files never speak for the same topic, nor two inputs for the same rank: the order of a merge
 * would be open. */
static enum gf_rc
topics_check(const struct model *model, struct gf_error *error)
{
    for (uint32_t i = 0; i < model->topic_count; i++) {
        const struct topic *const topic = &model->topics[i];
        const struct place place = {.file = topic->path};
        for (uint32_t j = 0; j < i; j++) {
            const struct topic *const other = &model->topics[j];
            if (strcmp(topic->name, other->name) == 0) {
                return place_fail(&place, error, "topic \"%s\" is in %s too", topic->name,
                                  other->path);
            }
            if (topic->rank >= 0 && topic->rank == other->rank) {
                return place_fail(&place, error, "rank %d is in %s too", topic->rank, other->path);
            }
            if (topic->id == other->id) {
                return place_fail(&place, error, "id %u is in %s too", topic->id, other->path);
            }
        }
    }
    return GF_OK;
}

/* Ids are on the wire and stay what they are: a topic that came later has one of its own, and the
 * first ones are numbered in their order. */
static void
ids_number(struct model *model)
{
    uint32_t next = 1;
    for (uint32_t i = 0; i < model->topic_count; i++) {
        model->topics[i].id = model->topics[i].id != 0 ? model->topics[i].id : next++;
    }
}

enum gf_rc
model_read(struct model *out, const char *const *paths, uint32_t path_count, struct gf_error *error)
{
    memset(out, 0, sizeof *out);
    if (path_count > SCHEMA_TOPIC_COUNT_MAX) {
        (void)snprintf(error->text, sizeof error->text, "more than %d schema files",
                       SCHEMA_TOPIC_COUNT_MAX);
        return GF_E_CONFIG;
    }
    for (uint32_t i = 0; i < path_count; i++) {
        struct topic *const topic = &out->topics[out->topic_count++];
        topic->path = paths[i];
        const enum gf_rc rc = topic_read(topic, error);
        if (rc != GF_OK) {
            return rc;
        }
        out->input_count += topic->rank >= 0 && topic->from == NULL;
    }
    qsort(out->topics, out->topic_count, sizeof out->topics[0], topic_compare);
    ids_number(out);
    enum gf_rc rc = topics_check(out, error);
    for (uint32_t i = 0; rc == GF_OK && i < out->topic_count; i++) {
        struct topic *const topic = &out->topics[i];
        rc = type_read_root(out, topic, &topic->type, error);
        if (rc == GF_OK) {
            topic->canonical = schema_canonical(topic->root);
            topic->fingerprint = gf_rabin64(topic->canonical, strlen(topic->canonical));
        }
    }
    return rc;
}

void
model_fini(struct model *model)
{
    for (uint32_t i = 0; i < model->topic_count; i++) {
        json_decref(model->topics[i].root);
    }
    model->topic_count = 0;
}
