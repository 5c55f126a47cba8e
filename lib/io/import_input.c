#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "io/import_input.h"

#define PACKED_SIZE (256u << 10)
/* `zstd --long=31` needs 2 GiB to be read; its makers' own limit of 27 would refuse real files. */
#define WINDOW_LOG_MAX 31

enum packing { PLAIN, GZIP, ZSTD };

struct gf_import_input {
    char *path;
    int fd;
    bool is_end;     /* of the file */
    bool is_between; /* packed: a frame has ended, another may follow */
    enum packing packing;
    uint8_t *data; /* PACKED_SIZE */
    size_t at, size;
    uint64_t done, total;
    z_stream gzip;
    ZSTD_DStream *zstd;
};

static enum gf_rc
fill(struct gf_import_input *input, struct gf_error *error)
{
    assert(input->at == input->size);
    input->at = input->size = 0;
    while (!input->is_end && input->size == 0) {
        const ssize_t size = read(input->fd, input->data, PACKED_SIZE);
        if (size < 0 && errno != EINTR) {
            return gf_fail(error, GF_E_IO, "%s: cannot be read: %s", input->path, strerror(errno));
        }
        input->is_end = size == 0;
        input->size = size > 0 ? (size_t)size : 0;
        input->done += input->size;
    }
    return GF_OK;
}

static enum packing
packing_of(const uint8_t *data, size_t size)
{
    if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b) {
        return GZIP;
    }
    const bool is_zstd = size >= 4 && memcmp(data, "\x28\xb5\x2f\xfd", 4) == 0;
    const bool is_skippable =
        size >= 4 && (data[0] & 0xf0) == 0x50 && memcmp(data + 1, "\x2a\x4d\x18", 3) == 0;
    return is_zstd || is_skippable ? ZSTD : PLAIN;
}

static enum gf_rc
unpacker_start(struct gf_import_input *input, struct gf_error *error)
{
    input->packing = packing_of(input->data, input->size);
    input->is_between = true;
    if (input->packing == GZIP && inflateInit2(&input->gzip, MAX_WBITS + 16) != Z_OK) {
        input->packing = PLAIN;
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to unpack", input->path);
    }
    if (input->packing == ZSTD) {
        input->zstd = ZSTD_createDStream();
        if (input->zstd == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to unpack", input->path);
        }
        ZSTD_DCtx_setParameter(input->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    }
    return GF_OK;
}

enum gf_rc
gf_import_input_open(const char *path, struct gf_import_input **out, struct gf_error *error)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    struct gf_import_input *const input = calloc(1, sizeof *input);
    if (input != NULL) {
        input->fd = -1;
        input->path = strdup(is_stdin ? "standard input" : path);
        input->data = malloc(PACKED_SIZE);
    }
    if (input == NULL || input->path == NULL || input->data == NULL) {
        gf_import_input_close(input);
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read", path);
    }
    input->fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat status = {.st_size = 0};
    if (input->fd < 0 || fstat(input->fd, &status) != 0) {
        const enum gf_rc rc = errno == ENOENT ? GF_E_NOT_FOUND : GF_E_IO;
        gf_fail(error, rc, "%s: cannot be opened: %s", path, strerror(errno));
        gf_import_input_close(input);
        return rc;
    }
    input->total = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    enum gf_rc rc = fill(input, error);
    if (rc == GF_OK) {
        rc = unpacker_start(input, error);
    }
    if (rc != GF_OK) {
        gf_import_input_close(input);
        return rc;
    }
    *out = input;
    return GF_OK;
}

static enum gf_rc
gzip_step(struct gf_import_input *input, uint8_t *data, size_t size, size_t *size_out,
          struct gf_error *error)
{
    z_stream *const stream = &input->gzip;
    stream->next_in = input->data + input->at;
    stream->avail_in = (uInt)(input->size - input->at);
    stream->next_out = data;
    stream->avail_out = (uInt)size;
    const int status = inflate(stream, Z_NO_FLUSH);
    input->at = input->size - stream->avail_in;
    *size_out = size - stream->avail_out;
    input->is_between = status == Z_STREAM_END;
    if (status == Z_STREAM_END) {
        inflateReset(stream);
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
        return gf_fail(error, GF_E_BAD_DATA, "%s: gzip data is damaged near byte %llu", input->path,
                       (unsigned long long)(input->done - stream->avail_in));
    }
    return GF_OK;
}

static enum gf_rc
zstd_step(struct gf_import_input *input, uint8_t *data, size_t size, size_t *size_out,
          struct gf_error *error)
{
    ZSTD_inBuffer in = {.src = input->data, .size = input->size, .pos = input->at};
    ZSTD_outBuffer out = {.dst = data, .size = size};
    const size_t status = ZSTD_decompressStream(input->zstd, &out, &in);
    input->at = in.pos;
    *size_out = out.pos;
    if (ZSTD_isError(status)) {
        return gf_fail(error, GF_E_BAD_DATA, "%s: zstd data is damaged: %s", input->path,
                       ZSTD_getErrorName(status));
    }
    input->is_between = status == 0;
    return GF_OK;
}

enum gf_rc
gf_import_input_read(struct gf_import_input *input, void *data, size_t size, size_t *size_out,
                     struct gf_error *error)
{
    *size_out = 0;
    enum gf_rc rc = GF_OK;
    while (rc == GF_OK && *size_out == 0) {
        if (input->at == input->size && (rc = fill(input, error)) != GF_OK) {
            return rc;
        }
        const bool is_drained = input->at == input->size;
        if (input->packing == PLAIN) {
            *size_out = input->size - input->at < size ? input->size - input->at : size;
            memcpy(data, input->data + input->at, *size_out);
            input->at += *size_out;
        } else if (!is_drained || !input->is_between) {
            rc = input->packing == GZIP ? gzip_step(input, data, size, size_out, error)
                                        : zstd_step(input, data, size, size_out, error);
        }
        if (is_drained && *size_out == 0) {
            break;
        }
    }
    if (rc == GF_OK && *size_out == 0 && input->packing != PLAIN && !input->is_between) {
        return gf_fail(error, GF_E_BAD_DATA, "%s: ends in the middle of its packed data",
                       input->path);
    }
    return rc;
}

uint64_t
gf_import_input_done(const struct gf_import_input *input)
{
    return input->done;
}

uint64_t
gf_import_input_total(const struct gf_import_input *input)
{
    return input->total;
}

void
gf_import_input_close(struct gf_import_input *input)
{
    if (input == NULL) {
        return;
    }
    if (input->packing == GZIP) {
        inflateEnd(&input->gzip);
    }
    ZSTD_freeDStream(input->zstd);
    if (input->fd >= 0) {
        close(input->fd);
    }
    free(input->data);
    free(input->path);
    free(input);
}
