/* Kafka source: input partitions read at explicit offsets (no group), read_committed, without a
 * copy.
 *
 * A partition is fetched from where it was first read; a read outside what is held (see
 * io/kafka_window.h) seeks, and ends every span of that partition. Reference topics are fetched
 * from offset 0 and kept whole, so that each shard of a process reads them at its own pace; their
 * spans live until close.
 *
 * The end of the journal is its high watermark, not the last stable offset: whoever reads up to it
 * has waited for every transaction that was open, which is what a take-over needs. `read` stops
 * below an open transaction, so there `next_out` reaches that end only when the transaction has
 * ended.
 *
 * Brokers that cannot be reached: `read` gives nothing, and GF_E_UNAVAILABLE once that has lasted
 * for the request timeout; the other calls wait for that long themselves. A broker that comes back
 * within it is not noticed. */
#ifndef GF_IO_KAFKA_SOURCE_H
#define GF_IO_KAFKA_SOURCE_H

#include "io/kafka_conf.h"
#include "loop/source.h"

/* `config` is lent until close. Does not wait for a broker.
 * Errors: GF_E_CONFIG, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_kafka_source_open(const struct gf_kafka_config *config,
                                            struct gf_source **out, struct gf_error *error);

#endif
