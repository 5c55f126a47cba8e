/* Sorts records by (topic, partition, time, arrival) in bounded memory: what does not fit goes to a
 * file without a name in the log's folder, sorted, and is merged at the end. Records of equal time
 * stay in the order in which they came. */
#ifndef GF_IO_IMPORT_SORT_H
#define GF_IO_IMPORT_SORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/unit.h"

#define GF_IMPORT_SORT_MEMORY        (UINT64_C(256) << 20)
#define GF_IMPORT_SORT_RUN_COUNT_MAX 64 /* more are merged into one first */

struct gf_import_item {
    uint16_t topic, partition;
    struct gf_time time;
    struct gf_span key, value; /* valid until the next */
};

struct gf_import_sort;

/* `folder` is where runs go; `memory` in bytes, 0: GF_IMPORT_SORT_MEMORY. Errors: GF_E_NO_MEMORY.
 */
GF_MUST_USE enum gf_rc gf_import_sort_new(const char *folder, uint64_t memory,
                                          struct gf_import_sort **out, struct gf_error *error);
void gf_import_sort_free(struct gf_import_sort *sort); /* accepts NULL */

/* Copies the item. Errors: GF_E_NO_MEMORY, GF_E_IO, GF_E_NO_SPACE. */
GF_MUST_USE enum gf_rc gf_import_sort_add(struct gf_import_sort *sort,
                                          const struct gf_import_item *item,
                                          struct gf_error *error);

/* Gives all of them in order to `give`, and leaves the sort empty. Errors: as add, and those of
 * `give`. */
typedef enum gf_rc (*gf_import_give)(void *context, const struct gf_import_item *item,
                                     struct gf_error *error);
GF_MUST_USE enum gf_rc gf_import_sort_drain(struct gf_import_sort *sort, gf_import_give give,
                                            void *context, struct gf_error *error);

/* Runs written so far: for messages and tests. */
uint32_t gf_import_sort_run_count(const struct gf_import_sort *sort);

#endif
