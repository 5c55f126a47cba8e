/* A client of a schema registry with Confluent's interface. */
#ifndef GF_IO_REGISTRY_HTTP_H
#define GF_IO_REGISTRY_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "io/registry.h"

struct gf_registry_http;

/* Errors: GF_E_CONFIG (URL), GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_registry_http_open(const struct gf_registry_options *options,
                                             struct gf_registry_http **out, struct gf_error *error);
void gf_registry_http_close(struct gf_registry_http *http);

/* The text of the schema `id`, NUL-terminated; the caller frees it.
 * Errors: GF_E_UNKNOWN_SCHEMA (the registry does not know it, or it is no Avro, has references or
 * is too long), GF_E_UNAVAILABLE (anything else), GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_registry_http_fetch(struct gf_registry_http *http, uint32_t id,
                                              char **text_out, struct gf_error *error);

/* The id of the schema `text` under `topic`'s subject, registered if that is allowed.
 * Errors: GF_E_CONFIG (refused, or not there and not allowed), GF_E_UNAVAILABLE, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_registry_http_own_id(struct gf_registry_http *http, const char *topic,
                                               const char *text, uint32_t *id_out,
                                               struct gf_error *error);

#endif
