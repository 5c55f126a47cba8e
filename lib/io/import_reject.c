#include <errno.h>
#include <string.h>

#include "io/import_cells.h"
#include "io/import_reject.h"

static enum gf_rc
reject_fail(const struct gf_import_rejects *rejects, struct gf_error *error)
{
    const enum gf_rc rc = errno == ENOSPC || errno == EDQUOT ? GF_E_NO_SPACE : GF_E_IO;
    return gf_fail(error, rc, "%s: rejects cannot be written: %s", rejects->path, strerror(errno));
}

static void
text_write(FILE *file, struct gf_span text)
{
    fputc('"', file);
    for (uint32_t at = 0; at < text.size;) {
        const uint8_t letter = text.data[at];
        uint32_t size = 1;
        if (letter == '"' || letter == '\\') {
            fprintf(file, "\\%c", letter);
        } else if (letter == '\t' || letter == '\n' || letter == '\r') {
            fputs(letter == '\t' ? "\\t" : letter == '\n' ? "\\n" : "\\r", file);
        } else if (letter < 0x20 || letter == 0x7f) {
            fprintf(file, "\\u%04x", letter);
        } else if (letter < 0x80) {
            fputc(letter, file);
        } else {
            /* One character at a time: what is no UTF-8 becomes U+FFFD, byte by byte. */
            const uint32_t left = text.size - at;
            bool is_valid = false;
            for (size = 2; size <= 4 && size <= left && !is_valid; size++) {
                is_valid = gf_import_text_is_valid(gf_span_of(text.data + at, size));
            }
            size = is_valid ? size - 1 : 1;
            fwrite(is_valid ? (const char *)text.data + at : "\xef\xbf\xbd", is_valid ? size : 3, 1,
                   file);
        }
        at += size;
    }
    fputc('"', file);
}

enum gf_rc
gf_import_rejects_add(struct gf_import_rejects *rejects, const char *file, uint64_t line,
                      const char *topic, const char *reason, struct gf_span text,
                      struct gf_error *error)
{
    if (rejects->file == NULL) {
        rejects->file = fopen(rejects->path, "ae");
        if (rejects->file == NULL) {
            return reject_fail(rejects, error);
        }
    }
    const bool is_cut = text.size > GF_IMPORT_REJECT_TEXT_SIZE_MAX;
    text.size = is_cut ? GF_IMPORT_REJECT_TEXT_SIZE_MAX : text.size;
    fputs("{\"file\":", rejects->file);
    text_write(rejects->file, gf_span_text(file));
    fprintf(rejects->file, ",\"line\":%llu,", (unsigned long long)line);
    if (topic != NULL) {
        fprintf(rejects->file, "\"topic\":\"%s\",", topic);
    }
    fputs("\"reason\":", rejects->file);
    text_write(rejects->file, gf_span_text(reason));
    fputs(",\"text\":", rejects->file);
    text_write(rejects->file, text);
    fprintf(rejects->file, "%s}\n", is_cut ? ",\"cut\":true" : "");
    rejects->count++;
    return ferror(rejects->file) ? reject_fail(rejects, error) : GF_OK;
}

enum gf_rc
gf_import_rejects_close(struct gf_import_rejects *rejects, struct gf_error *error)
{
    FILE *const file = rejects->file;
    rejects->file = NULL;
    return file != NULL && fclose(file) != 0 ? reject_fail(rejects, error) : GF_OK;
}
