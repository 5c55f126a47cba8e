/* Memory in large pieces from the operating system. Pages are zero and cost nothing until they are
 * touched, so pools are reserved at their limits. */
#ifndef GF_IO_MEMORY_MAP_H
#define GF_IO_MEMORY_MAP_H

#include <stddef.h>

/* `size` > 0 bytes of zeros, aligned to 4096; NULL when there is no room. */
void *gf_memory_reserve(size_t size);
/* Gives all of it back; `size` as it was reserved. Accepts NULL. */
void gf_memory_release(void *memory, size_t size);

#endif
