/* One process writes to a log. flock goes away with its process, however that ends, so no lock is
 * ever left behind. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/folder.h"
#include "io/folder_path.h"

struct gf_folder_lock {
    int fd;
};

static enum gf_rc
lock_fail_busy(int fd, const char *path, struct gf_error *error)
{
    char owner[24] = {0};
    const ssize_t size = pread(fd, owner, sizeof owner - 1, 0);
    const long pid = size > 0 ? strtol(owner, NULL, 10) : 0;
    if (pid > 0) {
        return gf_fail(error, GF_E_BUSY,
                       "%s: process %ld writes to this log; stop it first, or use another log",
                       path, pid);
    }
    return gf_fail(error, GF_E_BUSY,
                   "%s: another process writes to this log; stop it first, or use another log",
                   path);
}

enum gf_rc
gf_folder_lock_take(const char *path, struct gf_folder_lock **out, struct gf_error *error)
{
    char file[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = gf_folder_path(error, file, "%s/lock", path);
    if (rc != GF_OK || (rc = gf_folder_make(path, true, error)) != GF_OK) {
        return rc;
    }
    const int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        return gf_folder_fail(error, "open", file);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        rc = errno == EWOULDBLOCK ? lock_fail_busy(fd, path, error)
                                  : gf_folder_fail(error, "lock", file);
        close(fd);
        return rc;
    }
    char owner[24];
    const int size = snprintf(owner, sizeof owner, "%ld\n", (long)getpid());
    struct gf_folder_lock *lock = malloc(sizeof *lock);
    if (lock == NULL) {
        rc = gf_fail(error, GF_E_NO_MEMORY, "%s: no memory for a lock", file);
    } else if (ftruncate(fd, 0) != 0) {
        rc = gf_folder_fail(error, "write", file);
    } else {
        rc = gf_folder_pwrite(fd, owner, (size_t)size, 0, file, error);
    }
    if (rc != GF_OK) {
        free(lock);
        close(fd);
        return rc;
    }
    lock->fd = fd;
    *out = lock;
    return GF_OK;
}

void
gf_folder_lock_release(struct gf_folder_lock *lock)
{
    if (lock != NULL) {
        close(lock->fd);
        free(lock);
    }
}
