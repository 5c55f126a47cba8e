/* The envelope: how one record of a log lies inside a container block. */
#ifndef GF_IO_FOLDER_ENVELOPE_H
#define GF_IO_FOLDER_ENVELOPE_H

#include "base/error.h"
#include "codec/plan.h"
#include "codec/type.h"
#include "codec/wire.h"
#include "model/record.h"

/* How the values of a file are passed over: by our own straight code, or by a plan. */
struct gf_folder_value {
    uint32_t schema_id; /* reported with each record */
    int (*skip)(struct gf_reader *reader);
    const struct gf_plan *plan;
};

enum gf_folder_branch { GF_FOLDER_BRANCH_NULL, GF_FOLDER_BRANCH_RECORD, GF_FOLDER_BRANCH_BYTES };

/* Bytes an envelope takes at most beside the value. */
size_t gf_folder_envelope_size(const struct gf_record *record);

/* Writes it; `branch` says how `record->value` is to be taken. */
void gf_folder_envelope_write(struct gf_writer *writer, const struct gf_record *record,
                              enum gf_folder_branch branch);

/* Reads one into `record_out` (topic and partition are the caller's) with spans into the reader's
 * bytes. `headers_out` is set to the header items where there are any. Errors: GF_E_BAD_DATA. */
GF_MUST_USE enum gf_rc gf_folder_envelope_read(struct gf_reader *reader,
                                               const struct gf_folder_value *value,
                                               struct gf_record *record_out,
                                               struct gf_span *headers_out);

/* Reads the header items that an envelope has passed over. */
GF_MUST_USE enum gf_rc gf_folder_headers_read(struct gf_span headers, struct gf_header *out,
                                              uint32_t count);

/* True when `value` is exactly one record of the schema. */
bool gf_folder_value_fits(const struct gf_folder_value *value, struct gf_span bytes);

#endif
