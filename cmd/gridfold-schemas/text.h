/* Text that grows, and memory that lives as long as the program: the generator runs once and ends.
 */
#ifndef GF_SCHEMAS_TEXT_H
#define GF_SCHEMAS_TEXT_H

#include <stddef.h>

#include "base/error.h"

struct text {
    char *data; /* NUL-terminated; NULL while empty */
    size_t size, room;
};

void text_add(struct text *text, const char *format, ...) GF_PRINTF(2, 3);
void text_add_bytes(struct text *text, const char *data, size_t size);
/* `value` as a C string literal with its quotes. */
void text_add_literal(struct text *text, const char *value);

/* Cleared memory, never freed before the end; ends the program with a message when there is none.
 */
void *keep(size_t size);
/* printf into kept memory. */
const char *keep_text(const char *format, ...) GF_PRINTF(1, 2);
void keep_end(void);

/* "MeterReading" to "meter_reading"; "currency/kWh" to "currency_per_k_wh"; "meter.readings" to
 * "meter_readings". */
const char *text_snake(const char *name);
/* The same in capitals. */
const char *text_upper_snake(const char *name);

/* A whole file, NUL-terminated; NULL with a message in `error` when it cannot be read. */
const char *text_file_read(const char *path, struct gf_error *error);
GF_MUST_USE enum gf_rc text_file_write(const char *path, const struct text *text,
                                       struct gf_error *error);

#endif
