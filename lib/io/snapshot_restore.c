#include <stdlib.h>

#include "io/folder_path.h"
#include "io/snapshot.h"
#include "loop/fault.h"

/* A file that is missing, or shorter than a moment ago, is damage of the snapshot. */
static enum gf_rc
as_damage(enum gf_rc rc)
{
    return rc == GF_E_NOT_FOUND || rc == GF_E_DAMAGED ? GF_E_STATE : rc;
}

static enum gf_rc
files_restore(const char *folder, const struct gf_snapshot *snapshot, const char *to,
              struct gf_error *error)
{
    enum gf_rc rc = gf_folder_make(to, true, error);
    for (uint32_t i = 0; rc == GF_OK && i < snapshot->file_count; i++) {
        const struct gf_snapshot_file *file = &snapshot->files[i];
        char source[GF_FOLDER_PATH_SIZE], target[GF_FOLDER_PATH_SIZE];
        rc = gf_snapshot_file_path(folder, snapshot->shard, file, source, error);
        if (rc == GF_OK) {
            rc = gf_folder_path(error, target, "%s/%s", to, file->name);
        }
        if (rc == GF_OK) {
            rc = as_damage(gf_snapshot_file_copy(source, target, file, error));
        }
        gf_point(GF_POINT_IN_RESTORE);
    }
    return rc == GF_OK ? gf_folder_sync(to, error) : rc;
}

enum gf_rc
gf_snapshot_restore(const char *folder, uint32_t shard, int64_t batch, const char *to,
                    struct gf_error *error)
{
    struct gf_snapshot snapshot = {0};
    enum gf_rc rc = as_damage(gf_snapshot_read(folder, shard, batch, &snapshot, error));
    if (rc == GF_OK) {
        rc = files_restore(folder, &snapshot, to, error);
    }
    gf_snapshot_fini(&snapshot);
    return rc;
}

enum gf_rc
gf_snapshot_verify(const char *folder, const struct gf_snapshot *snapshot, uint64_t *bytes_out,
                   struct gf_error *error)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < snapshot->file_count; i++) {
        const struct gf_snapshot_file *file = &snapshot->files[i];
        char path[GF_FOLDER_PATH_SIZE];
        uint64_t size = 0;
        struct gf_digest digest;
        enum gf_rc rc = gf_snapshot_file_path(folder, snapshot->shard, file, path, error);
        if (rc == GF_OK) {
            rc = as_damage(gf_snapshot_file_sum(path, &size, &digest, error));
        }
        if (rc == GF_OK && (size != file->size ||
                            __builtin_memcmp(digest.bytes, file->digest.bytes, GF_DIGEST_SIZE))) {
            rc = gf_fail(error, GF_E_STATE,
                         "%s (%s of the store) is damaged; remove it, and the next snapshot brings "
                         "it anew where the store still has it",
                         path, file->name);
        }
        if (rc != GF_OK) {
            return rc;
        }
        bytes += size;
    }
    *bytes_out = bytes;
    return GF_OK;
}
