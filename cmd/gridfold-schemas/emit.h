/* Writing C. Every function adds to `out` and depends on the model alone, so that the same schemas
 * give the same bytes. */
#ifndef GF_SCHEMAS_EMIT_H
#define GF_SCHEMAS_EMIT_H

#include "schema.h"
#include "text.h"

void emit_model_header(struct text *out,
                       const struct model *model); /* model/records.h (emit_model.c) */
void emit_codec_header(struct text *out,
                       const struct model *model); /* codec/records.h (emit_codec.c) */
void emit_codec_source(struct text *out,
                       const struct model *model); /* codec/records.c (emit_codec.c) */
void emit_type_tables(struct text *out, const struct model *model); /* descriptors (emit_table.c) */
void emit_topic_table(struct text *out, const struct model *model); /* gf_topics (emit_table.c) */

#define EMIT_NOTE "Made by gridfold-schemas from schemas/. Change those, not this."

#endif
