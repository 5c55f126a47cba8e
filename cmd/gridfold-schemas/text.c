#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    struct kept *next;
    max_align_t data[];
};

static struct kept *kept_first;

void *
keep(size_t size)
{
    struct kept *kept = calloc(1, sizeof *kept + size);
    if (kept == NULL) {
        (void)fprintf(stderr, "gridfold-schemas: out of memory\n");
        exit(70);
    }
    kept->next = kept_first;
    kept_first = kept;
    return kept->data;
}

void
keep_end(void)
{
    while (kept_first != NULL) {
        struct kept *next = kept_first->next;
        free(kept_first);
        kept_first = next;
    }
}

const char *
keep_text(const char *format, ...)
{
    char *made = NULL;
    va_list list;
    va_start(list, format);
    const int size = vasprintf(&made, format, list);
    va_end(list);
    char *const out = keep(size < 0 ? 1 : (size_t)size + 1);
    if (size < 0) {
        (void)fprintf(stderr, "gridfold-schemas: out of memory\n");
        exit(70);
    }
    memcpy(out, made, (size_t)size + 1);
    free(made);
    return out;
}

void
text_add_bytes(struct text *text, const char *data, size_t size)
{
    if (text->size + size + 1 > text->room) {
        const size_t room = 2 * text->room + size + 1024;
        char *grown = keep(room);
        if (text->size > 0) {
            memcpy(grown, text->data, text->size);
        }
        text->data = grown;
        text->room = room;
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void
text_add(struct text *text, const char *format, ...)
{
    char part[4096];
    va_list list;
    va_start(list, format);
    const int size = vsnprintf(part, sizeof part, format, list);
    va_end(list);
    if (size < 0 || (size_t)size >= sizeof part) {
        (void)fprintf(stderr, "gridfold-schemas: a line is longer than %zu bytes\n", sizeof part);
        exit(70);
    }
    text_add_bytes(text, part, (size_t)size);
}

void
text_add_literal(struct text *text, const char *value)
{
    text_add(text, "\"");
    for (const char *at = value; *at != '\0'; at++) {
        const unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\') {
            text_add(text, "\\%c", byte);
        } else if (byte == '?') {
            text_add(text, "\\?"); /* no trigraphs */
        } else if (byte < 0x20 || byte == 0x7f) {
            text_add(text, "\\%03o", byte);
        } else {
            text_add_bytes(text, at, 1);
        }
    }
    text_add(text, "\"");
}

const char *
text_snake(const char *name)
{
    char *out = keep(5 * strlen(name) + 1);
    size_t size = 0;
    for (const char *at = name; *at != '\0'; at++) {
        const unsigned char byte = (unsigned char)*at;
        const bool starts_word = isupper(byte) && at > name &&
                                 (islower((unsigned char)at[-1]) || isdigit((unsigned char)at[-1]));
        if (byte == '/') {
            memcpy(out + size, "_per_", 5);
            size += 5;
            continue;
        }
        if (starts_word) {
            out[size++] = '_';
        }
        out[size++] = isalnum(byte) ? (char)tolower(byte) : '_';
    }
    return out;
}

const char *
text_upper_snake(const char *name)
{
    const char *snake = text_snake(name);
    char *out = keep(strlen(snake) + 1);
    for (size_t i = 0; snake[i] != '\0'; i++) {
        out[i] = (char)toupper((unsigned char)snake[i]);
    }
    return out;
}

static enum gf_rc
file_fail(struct gf_error *error, const char *path, const char *verb)
{
    (void)snprintf(error->text, sizeof error->text, "%s: cannot be %s: %s", path, verb,
                   strerror(errno));
    return GF_E_IO;
}

const char *
text_file_read(const char *path, struct gf_error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)file_fail(error, path, "opened");
        return NULL;
    }
    struct text text = {0};
    char part[4096];
    size_t size = 0;
    while ((size = fread(part, 1, sizeof part, file)) > 0) {
        text_add_bytes(&text, part, size);
    }
    const bool is_bad = ferror(file) != 0;
    (void)fclose(file);
    if (is_bad) {
        (void)file_fail(error, path, "read");
        return NULL;
    }
    return text.data == NULL ? "" : text.data;
}

enum gf_rc
text_file_write(const char *path, const struct text *text, struct gf_error *error)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return file_fail(error, path, "created");
    }
    const bool is_written = fwrite(text->data, 1, text->size, file) == text->size;
    const bool is_closed = fclose(file) == 0;
    return is_written && is_closed ? GF_OK : file_fail(error, path, "written");
}
