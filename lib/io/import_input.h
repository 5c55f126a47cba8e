/* Bytes of a file: plain, gzip or zstd, told apart by what is in it and not by its name; `-` is the
 * standard input. */
#ifndef GF_IO_IMPORT_INPUT_H
#define GF_IO_IMPORT_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct gf_import_input;

/* Errors: GF_E_NOT_FOUND, GF_E_IO, GF_E_NO_MEMORY. */
GF_MUST_USE enum gf_rc gf_import_input_open(const char *path, struct gf_import_input **out,
                                            struct gf_error *error);

/* Up to `size` bytes, unpacked; 0 at the end. Errors: GF_E_IO, GF_E_BAD_DATA (damaged, or cut off
 * in the middle). */
GF_MUST_USE enum gf_rc gf_import_input_read(struct gf_import_input *input, void *data, size_t size,
                                            size_t *size_out, struct gf_error *error);

/* Bytes of the file read so far, and all there are (0: not known). Packed ones, where it is packed.
 */
uint64_t gf_import_input_done(const struct gf_import_input *input);
uint64_t gf_import_input_total(const struct gf_import_input *input);

void gf_import_input_close(struct gf_import_input *input); /* accepts NULL */

#endif
