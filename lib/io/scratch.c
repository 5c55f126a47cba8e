#include "io/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum gf_rc
gf_scratch_make(const char *wanted, const char *neighbour, char *path_out, size_t size,
                struct gf_error *error)
{
    path_out[0] = '\0';
    char path[4096];
    const int length = snprintf(path, sizeof(path), "%s%s", wanted != NULL ? wanted : neighbour,
                                wanted != NULL ? "" : ".scratch-XXXXXX");
    if (length < 0 || (size_t)length >= sizeof(path) || (size_t)length >= size) {
        return gf_fail(error, GF_E_USAGE, "the path of the scratch folder is too long");
    }
    if (wanted == NULL) {
        if (mkdtemp(path) == NULL) {
            return gf_fail(error, GF_E_IO, "%s: %s", path, strerror(errno));
        }
    } else if ((rmdir(path) != 0 && errno != ENOENT) || mkdir(path, 0777) != 0) {
        return gf_fail(error, GF_E_USAGE, "scratch folder %s: %s; it must not exist or be empty",
                       path, strerror(errno));
    }
    memcpy(path_out, path, (size_t)length + 1);
    return GF_OK;
}

static int
entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void
gf_scratch_remove(const char *path)
{
    if (path[0] != '\0') {
        (void)nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS); /* what stays is only litter */
    }
}
