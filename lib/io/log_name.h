/* Names of logs, as users write them: `folder:PATH` or `kafka:HOST:PORT[,HOST:PORT]…`. */
#ifndef GF_IO_LOG_NAME_H
#define GF_IO_LOG_NAME_H

#include "base/error.h"

enum gf_log_kind { GF_LOG_FOLDER, GF_LOG_KAFKA };

struct gf_log_name {
    enum gf_log_kind kind;
    const char *rest; /* PATH, or the list of brokers: the end of the text that was parsed */
};

/* A host is a name, an IPv4 address or an IPv6 address in brackets. Errors: GF_E_USAGE; the message
 * says what is wrong and shows how a name looks. */
GF_MUST_USE enum gf_rc gf_log_name_parse(const char *text, struct gf_log_name *out,
                                         struct gf_error *error);

#endif
