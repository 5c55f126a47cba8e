#include <stdio.h>

#include "engine/parts.h"

/* snprintf that goes on where the last one ended; `at` may run past `size`, as snprintf's own count
 * does. */
static void text_add(char *out, size_t size, size_t *at, const char *format, ...) GF_PRINTF(4, 5);

static void
text_add(char *out, size_t size, size_t *at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length =
        vsnprintf(*at < size ? out + *at : NULL, *at < size ? size - *at : 0, format, arguments);
    va_end(arguments);
    *at += length > 0 ? (size_t)length : 0;
}

size_t
gf_engine_describe(const struct gf_engine *engine, const struct gf_entity *entity, char *out,
                   size_t size)
{
    const struct gf_features *features = NULL;
    const struct gf_zone *zone = engine->config->default_zone;
    if (entity->header.kind == GF_ENTITY_CUSTOMER) {
        features = (const struct gf_features *)(const void *)entity->body;
        const struct gf_zone *known =
            zone_by_hash(engine->config, features->contract.time_zone_hash);
        zone = known != NULL ? known : zone;
    }
    char time[GF_TIME_TEXT_SIZE];
    gf_time_print(engine->shard_time, time);
    size_t at = 0;
    text_add(out, size, &at, "{\"entity\": \"%.*s\", \"shard\": %u, \"shard_time\": \"%s\"",
             GF_SPAN_PRINT(gf_entity_key(entity)), engine->options.shard, time);
    if (features != NULL) {
        text_add(out, size, &at, ", \"features\": ");
        at += gf_features_describe(features, zone, engine->shard_time, at < size ? out + at : NULL,
                                   at < size ? size - at : 0);
    }
    for (uint32_t i = 0; i < gf_operator_count; i++) {
        const struct gf_operator *logic = gf_operators[i];
        if (logic->entity != (enum gf_entity_kind)entity->header.kind || logic->describe == NULL ||
            !engine->config->operator_enabled[i]) {
            continue;
        }
        const struct gf_view view = {.now = engine->shard_time,
                                     .shard_time = engine->shard_time,
                                     .entity = gf_entity_key(entity),
                                     .features = features,
                                     .zone = zone,
                                     .reference = engine->reference,
                                     .params = engine->config->operator_params[i]};
        text_add(out, size, &at, ", \"%s\": {", logic->name);
        at += logic->describe(&view, entity->body + engine->state_offset[i],
                              at < size ? out + at : NULL, at < size ? size - at : 0);
        text_add(out, size, &at, "}");
    }
    text_add(out, size, &at, "}");
    return at;
}
