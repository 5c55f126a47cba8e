#include "io/snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "io/folder_path.h"

#define PIECE_SIZE (1u << 20)

/* One file read in pieces, hashed, and written on where `out` is a file. */
struct stream {
    const char *from, *to;
    int in, out; /* -1: not written */
    uint8_t *piece;
    uint64_t size;
    XXH3_state_t *state;
};

static enum gf_rc
file_open(const char *path, int *out, struct gf_error *error)
{
    *out = open(path, O_RDONLY | O_CLOEXEC);
    if (*out >= 0) {
        return GF_OK;
    }
    return errno == ENOENT ? gf_fail(error, GF_E_NOT_FOUND, "%s is missing", path)
                           : gf_folder_fail(error, "open", path);
}

static enum gf_rc
stream_run(struct stream *stream, struct gf_error *error)
{
    for (;;) {
        const ssize_t size = read(stream->in, stream->piece, PIECE_SIZE);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return gf_folder_fail(error, "read", stream->from);
        }
        if (size == 0) {
            return GF_OK;
        }
        XXH3_128bits_update(stream->state, stream->piece, (size_t)size);
        if (stream->out >= 0) {
            const enum gf_rc rc = gf_folder_pwrite(stream->out, stream->piece, (size_t)size,
                                                   stream->size, stream->to, error);
            if (rc != GF_OK) {
                return rc;
            }
        }
        stream->size += (uint64_t)size;
    }
}

static enum gf_rc
stream_file(const char *from, const char *to, int out, uint64_t *size_out,
            struct gf_digest *digest_out, struct gf_error *error)
{
    struct stream stream = {.from = from, .to = to, .in = -1, .out = out};
    enum gf_rc rc = file_open(from, &stream.in, error);
    if (rc != GF_OK) {
        return rc;
    }
    stream.piece = malloc(PIECE_SIZE);
    stream.state = XXH3_createState();
    if (stream.piece == NULL || stream.state == NULL) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", from);
    } else {
        XXH3_128bits_reset(stream.state);
        rc = stream_run(&stream, error);
    }
    if (rc == GF_OK) {
        XXH128_canonical_t canonical;
        XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(stream.state));
        memcpy(digest_out->bytes, canonical.digest, sizeof(digest_out->bytes));
        *size_out = stream.size;
    }
    free(stream.piece);
    if (stream.state != NULL) {
        XXH3_freeState(stream.state);
    }
    close(stream.in);
    return rc;
}

enum gf_rc
gf_snapshot_file_sum(const char *path, uint64_t *size_out, struct gf_digest *digest_out,
                     struct gf_error *error)
{
    return stream_file(path, NULL, -1, size_out, digest_out, error);
}

static enum gf_rc
file_create(const char *path, int *out, struct gf_error *error)
{
    *out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return *out >= 0 ? GF_OK : gf_folder_fail(error, "make", path);
}

/* Syncs and closes. */
static enum gf_rc
file_finish(int file, const char *path, enum gf_rc rc, struct gf_error *error)
{
    if (rc == GF_OK && fsync(file) != 0) {
        rc = gf_folder_fail(error, "sync", path);
    }
    if (close(file) != 0 && rc == GF_OK) {
        rc = gf_folder_fail(error, "close", path);
    }
    return rc;
}

enum gf_rc
gf_snapshot_file_copy(const char *from, const char *to, const struct gf_snapshot_file *file,
                      struct gf_error *error)
{
    int out = -1;
    uint64_t size = 0;
    struct gf_digest digest;
    enum gf_rc rc = file_create(to, &out, error);
    if (rc != GF_OK) {
        return rc;
    }
    rc = stream_file(from, to, out, &size, &digest, error);
    if (rc == GF_OK && (size != file->size ||
                        memcmp(digest.bytes, file->digest.bytes, sizeof(digest.bytes)) != 0)) {
        char wanted[33], found[33];
        gf_digest_print(&file->digest, wanted);
        gf_digest_print(&digest, found);
        rc =
            gf_fail(error, GF_E_STATE, "%s is damaged: %llu bytes with digest %s, not %llu with %s",
                    from, (unsigned long long)size, found, (unsigned long long)file->size, wanted);
    }
    rc = file_finish(out, to, rc, error);
    if (rc != GF_OK) {
        (void)unlink(to);
    }
    return rc;
}

enum gf_rc
gf_snapshot_text_write(const char *path, const char *text, size_t size, struct gf_error *error)
{
    char beside[GF_FOLDER_PATH_SIZE], folder[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, beside, "%s.tmp", path);
    if (rc == GF_OK) {
        rc = gf_folder_path(error, folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    }
    int file = -1;
    if (rc == GF_OK) {
        rc = file_create(beside, &file, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    rc = gf_folder_pwrite(file, text, size, 0, beside, error);
    rc = file_finish(file, beside, rc, error);
    if (rc == GF_OK && rename(beside, path) != 0) {
        rc = gf_folder_fail(error, "rename", beside);
    }
    if (rc != GF_OK) {
        (void)unlink(beside);
        return rc;
    }
    return gf_folder_sync(folder, error);
}
