/* Where schemas come from by their id, and the table of what is known.
 *
 * The core looks ids up in the table (codec/schemas.h) and never waits. When it meets an id that is
 * not there, the loop asks here, between batches, and goes on. What a registry says about an id is
 * kept for the life of the process, a refusal too. Three kinds, and no kind falls back to another:
 * an id that two of them give to different schemas would be read wrongly. BUILT_IN  our own schemas
 * under their built-in ids FOLDER DIR/<id>.avsc, any id HTTP      a registry with Confluent's
 * interface; schema references are not supported
 */
#ifndef GF_IO_REGISTRY_H
#define GF_IO_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "codec/schemas.h"

enum gf_registry_kind { GF_REGISTRY_BUILT_IN, GF_REGISTRY_FOLDER, GF_REGISTRY_HTTP };

/* Texts are copied. NULL and 0 mean the default. */
struct gf_registry_options {
    enum gf_registry_kind kind;
    const char *folder;          /* FOLDER */
    const char *url;             /* HTTP: http(s)://[user:password@]host[:port][/path] */
    const char *user, *password; /* HTTP: instead of those in the URL */
    const char *ca_path;         /* HTTP: file or folder of certificates; default: the system's */
    const char *subject_prefix;  /* HTTP: of "<prefix><topic>-value"; default: none */
    bool may_register;           /* HTTP: our schemas that are not there yet */
    uint32_t connect_timeout_ms; /* default 3000 */
    uint32_t timeout_ms;         /* of a whole request; default 10000 */
    uint32_t attempts;           /* of a request that fails for want of a service; default 3 */
    uint32_t
        backoff_ms; /* before the second attempt, doubled after each, at most 2 s; default 100 */
};

struct gf_registry;

/* Reaches nothing yet. Close with gf_registry_close. Errors: GF_E_CONFIG, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_registry_open(const struct gf_registry_options *options,
                                        struct gf_registry **out, struct gf_error *error);
void gf_registry_close(struct gf_registry *registry);

/* Puts (topic, id) into the table if it is not there. May wait for the network.
 * Errors: GF_E_UNKNOWN_SCHEMA: the id is not known or cannot be resolved; the table then has an
 * entry with the refusal, so the records become dead letters. Every other error leaves the table as
 * it was, and asking again may help: GF_E_UNAVAILABLE (no answer, or none a registry would give;
 * credentials refused), GF_E_IO (a file that cannot be read), GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_registry_resolve(struct gf_registry *registry, enum gf_topic topic,
                                           uint32_t id, struct gf_error *error);

/* The id under which the registry knows our own schema of `topic`; registers it where that is
 * allowed. The id is then in the table as ours. Errors: GF_E_CONFIG (not there and not allowed to
 * register, or refused as incompatible), GF_E_UNAVAILABLE, GF_E_IO, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_registry_own_id(struct gf_registry *registry, enum gf_topic topic,
                                          uint32_t *id_out, struct gf_error *error);

/* The table. Entries move when it grows: only gf_registry_resolve and gf_registry_own_id make it
 * grow. */
const struct gf_schemas *gf_registry_schemas(const struct gf_registry *registry);

#endif
