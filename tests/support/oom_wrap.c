/* Allocations that fail on command: linked into a gridfold of the tests' own with --wrap, so that
 * the calls of our code come here, and those of the libraries do not.
 *
 *   GRIDFOLD_OOM=N      the Nth allocation fails, once
 *   GRIDFOLD_OOM=N+     the Nth and all after it fail
 *   GRIDFOLD_OOM_COUNT=FILE   how many there were, written at the end */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_ulong calls;
static unsigned long nth; /* 0: none fails */
static bool for_ever;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
FILE *__real_open_memstream(char **text, size_t *size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
FILE *__wrap_open_memstream(char **text, size_t *size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset);

__attribute__((constructor)) static void
oom_read(void)
{
    const char *text = getenv("GRIDFOLD_OOM");
    char *end = NULL;
    nth = text == NULL ? 0 : strtoul(text, &end, 10);
    for_ever = text != NULL && *end == '+';
}

__attribute__((destructor)) static void
oom_tell(void)
{
    const char *path = getenv("GRIDFOLD_OOM_COUNT");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file != NULL) {
        fprintf(file, "%lu\n", atomic_load(&calls));
        fclose(file);
    }
}

static bool
is_refused(void)
{
    const unsigned long call = atomic_fetch_add(&calls, 1) + 1;
    const bool refuses = nth > 0 && (for_ever ? call >= nth : call == nth);
    errno = refuses ? ENOMEM : errno;
    return refuses;
}

void *
__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *memory, size_t size)
{
    return is_refused() ? NULL : __real_realloc(memory, size);
}

char *
__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t size)
{
    return is_refused() ? NULL : __real_strndup(text, size);
}

FILE *
__wrap_open_memstream(char **text, size_t *size)
{
    return is_refused() ? NULL : __real_open_memstream(text, size);
}

void *
__wrap_mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    return is_refused() ? MAP_FAILED : __real_mmap(at, size, protection, flags, file, offset);
}
