/* A record: one message of a log, before it is decoded. */
#ifndef GF_MODEL_RECORD_H
#define GF_MODEL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/unit.h"

struct gf_header {
    struct gf_span name;
    struct gf_span value;
};

struct gf_record {
    int32_t topic; /* enum gf_topic */
    uint32_t partition;
    int64_t offset;
    struct gf_time timestamp; /* of the record, set by its producer or the broker */
    bool has_key, has_value;  /* a value that is not there is a tombstone */
    struct gf_span key;
    /* is_framed: as on Kafka, magic and schema id included; `schema_id` is then not yet read.
     * Else (folder): the Avro body alone, written with `schema_id`, or, with schema_id 0, bytes
     * that were no record. */
    bool is_framed;
    uint32_t schema_id;
    struct gf_span value;
    const struct gf_header *headers;
    uint32_t header_count;
};

#endif
