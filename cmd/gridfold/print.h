/* Print: values of records for people and as JSON, for the verbs that explain. */
#ifndef GF_CMD_PRINT_H
#define GF_CMD_PRINT_H

#include <stdio.h>

#include "base/arena.h"
#include "base/span.h"
#include "base/unit.h"
#include "codec/type.h"
#include "model/record.h"
#include "model/records.h"
#include "order/batch.h"

/* JSON of a value, NULL as null; `is_human`: amounts with their units. */
void print_value(FILE *out, const struct gf_type *type, const void *value, bool is_human);
/* For people: a text, a time or an amount without quotes. */
void print_plain(FILE *out, const struct gf_type *type, const void *value);
/* A quoted JSON string. */
void print_text(FILE *out, struct gf_span text);
/* As it is where it is printable ASCII, else in hex: keys and texts for people. */
void print_bytes(FILE *out, struct gf_span bytes);

/* Every field of a record on a line of its own, amounts with their units; `skip` is left out. */
void print_fields(FILE *out, const struct gf_type *type, const void *record, const char *indent,
                  const char *skip);

/* The struct of an Avro body in our schema; NULL when it is none. */
const void *print_decode(enum gf_topic topic, struct gf_span body, struct gf_arena *arena);

/* "meter.readings/2  10 to 250, 240 records" for every input that the batch took from; as JSON: an
 * array. */
void print_ranges(FILE *out, const struct gf_batch *batch, bool as_json);

/* A position: "meter.readings/2/1041". */
#define POSITION_SIZE 96
void position_print(char out[POSITION_SIZE], const char *topic, int64_t partition, int64_t offset);
/* Reads one of any topic; false when it is none. */
bool position_parse(const char *text, enum gf_topic *topic_out, uint32_t *partition_out,
                    int64_t *offset_out);

#endif
