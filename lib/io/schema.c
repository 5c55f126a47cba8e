#include <assert.h>
#include <avro.h>
#include <pthread.h>
#include <stdlib.h>

#include "io/schema.h"
#include "io/schema_resolve.h"
#include "io/schema_tree.h"

/* Avro C keeps the message of a failure in memory of the whole process, without a lock. Every loop
 * has a registry of its own, and the message becomes the reason of dead letters. */
static pthread_mutex_t avro_lock = PTHREAD_MUTEX_INITIALIZER;

/* Avro C's opinion, asked last: by now the text is bounded in size and depth and does not recurse.
 */
static enum gf_rc
schema_ask_avro(const char *json, size_t size, struct gf_error *error)
{
    avro_schema_t schema = NULL;
    enum gf_rc rc = GF_OK;
    pthread_mutex_lock(&avro_lock);
    avro_set_error("%s", ""); /* it appends to the message of the failure before */
    if (avro_schema_from_json_length(json, size, &schema) != 0) {
        rc = gf_fail(error, GF_E_UNKNOWN_SCHEMA, "Avro cannot read the schema: %.300s",
                     avro_strerror());
    }
    pthread_mutex_unlock(&avro_lock);
    if (rc == GF_OK) {
        avro_schema_decref(schema);
    }
    return rc;
}

static enum gf_rc
schema_compile_tree(const struct gf_topic_info *topic, const struct gf_schema_tree *tree,
                    struct gf_schema_entry *out, struct gf_error *error)
{
    uint64_t fingerprint = 0;
    enum gf_rc rc = gf_schema_tree_fingerprint(tree, &fingerprint);
    if (rc != GF_OK) {
        return gf_fail(error, rc, "no memory left for a schema");
    }
    struct gf_plan plan = {.type = topic->type};
    rc = gf_schema_resolve(gf_schema_tree_root(tree), topic->type, &plan, error);
    if (rc != GF_OK) {
        return rc;
    }
    /* The same canonical form is the same bytes; that they mean the same was checked on the way to
     * the plan.
     */
    out->is_own = fingerprint == topic->fingerprint;
    if (out->is_own) {
        free((void *)plan.ops);
        plan = (struct gf_plan){.type = topic->type};
    }
    out->plan = plan;
    out->refusal = NULL;
    return GF_OK;
}

enum gf_rc
gf_schema_compile(const struct gf_topic_info *topic, const char *writer_json, size_t size,
                  struct gf_schema_entry *out, struct gf_error *error)
{
    assert(topic->type->kind == GF_KIND_RECORD);
    struct gf_schema_tree *tree = NULL;
    enum gf_rc rc = gf_schema_tree_new(writer_json, size, &tree, error);
    if (rc == GF_OK) {
        rc = schema_ask_avro(writer_json, size, error);
    }
    if (rc == GF_OK) {
        rc = schema_compile_tree(topic, tree, out, error);
    }
    gf_schema_tree_free(tree);
    return rc == GF_OK ? rc : gf_fail_prefix(error, rc, "%s", topic->name);
}

void
gf_schema_entry_fini(struct gf_schema_entry *entry)
{
    free((void *)entry->plan.ops);
    entry->plan = (struct gf_plan){.ops = NULL};
}
