/* The codes of docs/reasons.md and docs/operators/, in words. */
#ifndef GF_CMD_REASON_H
#define GF_CMD_REASON_H

#include "base/span.h"

/* A sentence; NULL when the code is not known. */
const char *reason_text(struct gf_span code);

/* What to do about a dead letter of this code. */
const char *remedy_text(struct gf_span code);

#endif
