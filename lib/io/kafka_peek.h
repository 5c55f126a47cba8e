/* Peek: one look at records of a partition on which nothing has been decided yet. */
#ifndef GF_IO_KAFKA_PEEK_H
#define GF_IO_KAFKA_PEEK_H

#include "io/kafka_client.h"
#include "io/kafka_window.h"

/* Takes what the window's partition has from `offset` on and below `end`, as far as that comes
 * within a second. `window` is empty and holds the records from then on. `client` reads uncommitted
 * and fetches nothing besides; nor does it afterwards. Errors: GF_E_UNAVAILABLE, GF_E_NOT_FOUND,
 * GF_E_CONFIG, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_kafka_peek(struct gf_kafka_client *client, struct gf_kafka_window *window,
                                     int64_t offset, int64_t end, struct gf_record *records_out,
                                     uint32_t count_max, uint32_t *count_out,
                                     struct gf_error *error);

#endif
