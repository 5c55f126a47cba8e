/* Spans: bytes that somebody else owns. A span is valid as long as its owner says, usually until
 * the end of a batch. */
#ifndef GF_BASE_SPAN_H
#define GF_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct gf_span {
    const uint8_t *data; /* NULL only when size is 0 */
    uint32_t size;
};

static inline struct gf_span
gf_span_of(const void *data, size_t size)
{
    return (struct gf_span){.data = data, .size = (uint32_t)size};
}

/* A NUL-terminated text without its NUL. */
static inline struct gf_span
gf_span_text(const char *text)
{
    return gf_span_of(text, strlen(text));
}

static inline bool
gf_span_equal(struct gf_span a, struct gf_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Order of bytes, a shorter one before its extensions. */
static inline int
gf_span_compare(struct gf_span a, struct gf_span b)
{
    const uint32_t size = a.size < b.size ? a.size : b.size;
    const int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* printf("%.*s", GF_SPAN_PRINT(span)) */
#define GF_SPAN_PRINT(span) (int)(span).size, (const char *)(span).data

#endif
