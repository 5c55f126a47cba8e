#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loop/shard_parts.h"

/* The configuration of this start, as it would be journalled. */
enum gf_rc
shard_configured_make(struct gf_shard *shard, struct gf_error *error)
{
    const struct gf_shard_options *options = &shard->options;
    struct in_force *own = &shard->configured;
    own->is_arrival = options->is_arrival;
    snprintf(own->first_line, sizeof(own->first_line),
             "# fold_version %d time_zones %.64s order %s", GF_FOLD_VERSION,
             options->zones->version, options->is_arrival ? "arrival" : "canonical");
    const int line = snprintf(shard->config_text, CONFIG_TEXT_SIZE_MAX, "%s\n", own->first_line);
    const size_t size = gf_config_effective(options->config, shard->config_text + line,
                                            CONFIG_TEXT_SIZE_MAX - (size_t)line);
    if (size == 0) {
        return gf_fail(error, GF_E_NO_MEMORY, "configuration: out of memory");
    }
    shard->config_size = (size_t)line + size;
    assert(shard->config_size < CONFIG_TEXT_SIZE_MAX);
    own->hash = gf_hash64(shard->config_text, shard->config_size, 0);
    gf_config_fold(options->config, options->zones, &own->fold);
    return GF_OK;
}

enum gf_rc
shard_configure(struct gf_shard *shard, const struct in_force *wanted, struct gf_error *error)
{
    struct gf_config *before = shard->current.owned;
    const bool is_same = before != NULL && before == wanted->owned;
    shard->current = *wanted;
    shard->current.fold.config_hash = wanted->hash;
    shard->feed.is_arrival = wanted->is_arrival;
    const enum gf_rc rc = gf_engine_configure(shard->engine, &shard->current.fold, error);
    if (before != NULL && !is_same) {
        gf_config_free(before);
    }
    return rc;
}

enum gf_rc
shard_take_config(struct gf_shard *shard, struct gf_span text, uint64_t hash,
                  struct gf_error *error)
{
    if (hash == shard->configured.hash) {
        return shard_configure(shard, &shard->configured, error);
    }
    if (gf_hash64(text.data, text.size, 0) != hash) {
        return gf_fail(error, GF_E_DAMAGED,
                       "configuration %016" PRIx64 ": its text has another hash", hash);
    }
    struct in_force old = {.hash = hash};
    const uint8_t *newline = memchr(text.data, '\n', text.size);
    const size_t line = newline == NULL ? text.size : (size_t)(newline - text.data);
    snprintf(old.first_line, sizeof(old.first_line), "%.*s", (int)line, (const char *)text.data);
    old.is_arrival = strstr(old.first_line, " order arrival") != NULL;
    enum gf_rc rc = gf_config_from_effective((const char *)text.data, text.size, &old.owned, error);
    if (rc != GF_OK) {
        return gf_fail_prefix(error, GF_E_VERSION,
                              "configuration %016" PRIx64 " cannot be read by this program", hash);
    }
    gf_config_fold(old.owned, shard->options.zones, &old.fold);
    return shard_configure(shard, &old, error);
}

void
shard_config_name(uint64_t hash, char out[32])
{
    snprintf(out, 32, "config-%016" PRIx64, hash);
}

enum gf_rc
shard_find_config(struct gf_shard *shard, uint64_t hash, struct gf_error *error)
{
    if (shard->current.hash == hash && shard->current.fold.features != NULL) {
        return GF_OK;
    }
    char name[32];
    shard_config_name(hash, name);
    struct gf_span text = {0};
    const enum gf_rc rc = shard->store->ops->get_named(shard->store, name, &text, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (text.size == 0 && hash != shard->configured.hash) {
        return gf_fail(error, GF_E_LOST,
                       "configuration %016" PRIx64 " is in force in the journal, but its text is "
                       "neither in the store nor in the part of the journal that is left",
                       hash);
    }
    return shard_take_config(shard, text, hash, error);
}
