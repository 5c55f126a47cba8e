#include "io/memory_map.h"

#include <assert.h>
#include <sys/mman.h>

#define HUGE_PAGE_SIZE (2u << 20)

void *
gf_memory_reserve(size_t size)
{
    assert(size > 0);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    if (size >= HUGE_PAGE_SIZE) {
        (void)madvise(
            memory, size,
            MADV_HUGEPAGE); /* a wish: kernels without huge pages refuse, and nothing is lost */
    }
    return memory;
}

void
gf_memory_release(void *memory, size_t size)
{
    if (memory == NULL) {
        return;
    }
    const int failed = munmap(memory, size);
    assert(failed == 0);
    (void)failed;
}
