/* When snapshots are due, and the thread that copies them. The loop's thread makes links; all else
 * is done here. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/scratch.h"
#include "io/store_folder_private.h"
#include "loop/fault.h"

#define RETRY_US (60 * GF_US_PER_S) /* after a snapshot that failed */
#define LOOK_US  GF_US_PER_S        /* for a request */

static int64_t
wall_us(const struct store_folder *folder)
{
    return folder->options.clock->now(folder->options.clock).us;
}

/* ---- requests ---- */

static enum gf_rc
request_path(const char *path, char out[GF_FOLDER_PATH_SIZE], struct gf_error *error)
{
    return gf_folder_path(error, out, "%s/snapshot.request", path);
}

enum gf_rc
gf_store_folder_ask(const char *path, const char *request, struct gf_error *error)
{
    char file[GF_FOLDER_PATH_SIZE];
    const enum gf_rc rc = request_path(path, file, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (request != NULL) {
        return gf_snapshot_text_write(file, request, strlen(request), error);
    }
    return unlink(file) == 0 || errno == ENOENT ? GF_OK : gf_folder_fail(error, "remove", file);
}

/* At most once a second; the mutex is held. */
static void
request_look(struct store_folder *folder)
{
    struct gf_clock *clock = folder->options.clock;
    const int64_t now = clock->monotonic_us(clock);
    if (folder->looked_us != 0 && now - folder->looked_us < LOOK_US) {
        return;
    }
    folder->looked_us = now;
    char path[GF_FOLDER_PATH_SIZE], text[GF_SNAPSHOT_TEXT_SIZE] = {0};
    const int file =
        request_path(folder->path, path, NULL) == GF_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    folder->request[0] = '\0';
    if (file < 0) {
        return;
    }
    const ssize_t size = read(file, text, sizeof(text) - 1);
    close(file);
    const size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (size > 0 && word == (size_t)size) {
        memcpy(folder->request, text, sizeof(text));
    }
}

/* ---- the thread ---- */

static bool
must_stop(void *context)
{
    return atomic_load(&((struct store_folder *)context)->must_stop);
}

static void
report_note(struct store_folder *folder, uint32_t shard, const struct gf_snapshot_report *report,
            int64_t copy_us, int64_t links_us)
{
    const double seconds = (double)copy_us / 1e6;
    folder_note(folder, GF_LEVEL_INFO, "snapshot_taken", shard,
                "batch %" PRId64 ": %" PRIu32 " files, %" PRIu32 " new, %" PRIu32
                " shared; %.1f MB copied in %.2f s, %.0f MB/s; the shard stood still for %.1f ms",
                report->batch, report->file_count, report->copied_count,
                report->file_count - report->copied_count, (double)report->copied_bytes / 1e6,
                seconds, seconds > 0 ? (double)report->copied_bytes / 1e6 / seconds : 0,
                (double)links_us / 1e3);
}

/* Makes a snapshot of the links of a shard, and takes the links away. */
static enum gf_rc
links_copy(struct store_folder *folder, uint32_t shard, const char *request, int64_t links_us,
           struct gf_error *error)
{
    struct gf_clock *clock = folder->options.clock;
    char links[GF_FOLDER_PATH_SIZE];
    enum gf_rc rc = folder_shard_path(folder, shard, ".links", links, error);
    if (rc != GF_OK) {
        return rc;
    }
    const struct gf_snapshot_take take = {.folder = folder->options.snapshots,
                                          .links = links,
                                          .shard = shard,
                                          .keep = folder->options.snapshot_keep,
                                          .taken = clock->now(clock),
                                          .request = request[0] == '\0' ? NULL : request,
                                          .must_stop = must_stop,
                                          .context = folder};
    struct gf_snapshot_report report = {0};
    const int64_t started = clock->monotonic_us(clock);
    gf_point(GF_POINT_IN_SNAPSHOT);
    rc = gf_snapshot_take(&take, &report, error);
    gf_scratch_remove(links);
    if (rc == GF_OK) {
        report_note(folder, shard, &report, clock->monotonic_us(clock) - started, links_us);
    } else if (rc != GF_E_TXN) {
        folder_note(folder, GF_LEVEL_WARN, "snapshot_failed", shard, "%s", error->text);
    }
    return rc;
}

static uint32_t
waiting_find(const struct store_folder *folder)
{
    uint32_t shard = 0;
    while (shard < GF_STORE_FOLDER_SHARDS_MAX && !folder->shards[shard].is_waiting) {
        shard++;
    }
    return shard;
}

/* When the next is due, given how the last went; the mutex is held. */
static int64_t
due_after(const struct store_folder *folder, enum gf_rc rc)
{
    const int64_t interval = folder->options.snapshot_interval.us;
    const int64_t wait =
        rc != GF_OK && (interval == 0 || interval > RETRY_US) ? RETRY_US : interval;
    return interval == 0 ? INT64_MAX : wall_us(folder) + wait;
}

static void *
thread_run(void *context)
{
    struct store_folder *folder = context;
    pthread_mutex_lock(&folder->mutex);
    while (!must_stop(folder)) {
        const uint32_t index = waiting_find(folder);
        if (index == GF_STORE_FOLDER_SHARDS_MAX) {
            pthread_cond_wait(&folder->changed, &folder->mutex);
            continue;
        }
        struct folder_shard *shard = &folder->shards[index];
        struct gf_error error = {{0}};
        shard->is_waiting = false;
        shard->is_copying = true;
        const int64_t links_us = shard->links_us;
        pthread_mutex_unlock(&folder->mutex);
        const enum gf_rc rc = links_copy(folder, index, shard->request, links_us, &error);
        pthread_mutex_lock(&folder->mutex);
        shard->is_copying = false;
        shard->rc = rc;
        memcpy(shard->text, error.text, sizeof(shard->text));
        shard->due_us = due_after(folder, rc);
        pthread_cond_broadcast(&folder->changed);
    }
    pthread_mutex_unlock(&folder->mutex);
    return NULL;
}

void
folder_snapshot_stop(struct store_folder *folder)
{
    pthread_mutex_lock(&folder->mutex);
    atomic_store(&folder->must_stop, true);
    pthread_cond_broadcast(&folder->changed);
    pthread_mutex_unlock(&folder->mutex);
    if (folder->has_thread) {
        pthread_join(folder->thread, NULL);
    }
    for (uint32_t shard = 0; shard < GF_STORE_FOLDER_SHARDS_MAX; shard++) {
        char links[GF_FOLDER_PATH_SIZE];
        if (folder->shards[shard].is_waiting &&
            folder_shard_path(folder, shard, ".links", links, NULL) == GF_OK) {
            gf_scratch_remove(links);
        }
    }
}

/* ---- the loop's side ---- */

enum snapshot_when {
    WHEN_ASKED, /* by a request: nothing has been folded yet */
    WHEN_DUE,   /* or asked */
    WHEN_CALLED
};

void
folder_snapshot_plan(struct store_folder *folder, uint32_t shard)
{
    const int64_t interval = folder->options.snapshot_interval.us;
    int64_t *batches = NULL, taken = 0;
    uint32_t count = 0;
    struct gf_snapshot newest = {0};
    if (folder->options.snapshots == NULL) {
        return;
    }
    if (interval > 0 &&
        gf_snapshot_batches(folder->options.snapshots, shard, &batches, &count, NULL) == GF_OK &&
        count > 0 &&
        gf_snapshot_read(folder->options.snapshots, shard, batches[0], &newest, NULL) == GF_OK) {
        taken = newest.taken.us;
    }
    gf_snapshot_fini(&newest);
    free(batches);
    pthread_mutex_lock(&folder->mutex);
    folder->shards[shard].due_us = interval == 0 ? INT64_MAX : taken + interval;
    pthread_mutex_unlock(&folder->mutex);
}

/* Whether a snapshot is to be taken now, and for whom; the mutex is held. */
static bool
is_due(struct store_folder *folder, struct folder_shard *shard, const char *request,
       enum snapshot_when when)
{
    if (shard->is_waiting || shard->is_copying) {
        return false;
    }
    request_look(folder);
    const char *wanted = request != NULL ? request : folder->request;
    const bool is_asked = wanted[0] != '\0' && strcmp(wanted, shard->answered) != 0;
    const bool is_time = when == WHEN_DUE && wall_us(folder) >= shard->due_us;
    if (when != WHEN_CALLED && !is_asked && !is_time) {
        return false;
    }
    /* A later one answers it too, as long as it stands: it may replace the one that did. */
    memset(shard->request, 0, sizeof(shard->request));
    memcpy(shard->request, wanted, strnlen(wanted, sizeof(shard->request) - 1));
    memcpy(shard->answered, shard->request, sizeof(shard->answered));
    return true;
}

/* What cannot be done for a snapshot's sake does not stop the shard. */
static enum gf_rc
links_make(struct store_folder *folder, uint32_t shard, struct gf_store *store,
           struct gf_error *error)
{
    struct gf_clock *clock = folder->options.clock;
    char links[GF_FOLDER_PATH_SIZE];
    const int64_t started = clock->monotonic_us(clock);
    enum gf_rc rc = folder_shard_path(folder, shard, ".links", links, error);
    if (rc == GF_OK) {
        gf_scratch_remove(links);
        rc = gf_rocks_store_link(store, links, error);
    }
    folder->shards[shard].links_us = clock->monotonic_us(clock) - started;
    return rc;
}

static enum gf_rc
copy_start(struct store_folder *folder, struct folder_shard *shard, struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    pthread_mutex_lock(&folder->mutex);
    if (!folder->has_thread) {
        const int code = pthread_create(&folder->thread, NULL, thread_run, folder);
        folder->has_thread = code == 0;
        rc = code == 0
                 ? GF_OK
                 : gf_fail(error, GF_E_NO_MEMORY, "no thread for snapshots: %s", strerror(code));
    }
    shard->is_waiting = rc == GF_OK;
    pthread_cond_broadcast(&folder->changed);
    pthread_mutex_unlock(&folder->mutex);
    return rc;
}

static enum gf_rc
snapshot_start(struct store_folder *folder, uint32_t index, struct gf_store *store,
               const char *request, enum snapshot_when when, bool *is_started_out,
               struct gf_error *error)
{
    struct folder_shard *shard = &folder->shards[index];
    pthread_mutex_lock(&folder->mutex);
    const bool due = is_due(folder, shard, request, when);
    pthread_mutex_unlock(&folder->mutex);
    *is_started_out = due;
    if (!due) {
        return GF_OK;
    }
    enum gf_rc rc = links_make(folder, index, store, error);
    if (rc == GF_OK) {
        rc = copy_start(folder, shard, error);
    }
    if (rc != GF_OK) {
        pthread_mutex_lock(&folder->mutex);
        shard->due_us = due_after(folder, rc);
        pthread_mutex_unlock(&folder->mutex);
        folder_note(folder, GF_LEVEL_WARN, "snapshot_failed", index, "%s",
                    error == NULL ? gf_rc_text(rc) : error->text);
    }
    return rc;
}

enum gf_rc
folder_snapshot(struct gf_stores *stores, uint32_t shard, struct gf_store *store, int64_t batch,
                struct gf_error *error)
{
    struct store_folder *folder = (struct store_folder *)stores;
    assert(shard < GF_STORE_FOLDER_SHARDS_MAX);
    if (folder->options.snapshots == NULL || folder->options.is_read_only) {
        return GF_OK;
    }
    struct folder_shard *known = &folder->shards[shard];
    bool is_started = false;
    pthread_mutex_lock(&folder->mutex);
    known->restored = 0; /* it was good enough to come here */
    const bool is_bad = known->rc == GF_E_STATE;
    if (is_bad) {
        known->rc = GF_OK;
        gf_fail(error, GF_E_STATE, "%s", known->text);
    }
    pthread_mutex_unlock(&folder->mutex);
    if (is_bad) {
        return GF_E_STATE;
    }
    const enum gf_rc rc = snapshot_start(folder, shard, store, NULL,
                                         batch == 0 ? WHEN_ASKED : WHEN_DUE, &is_started, error);
    return rc == GF_E_STATE ? rc : GF_OK;
}

enum gf_rc
gf_store_folder_snapshot_now(struct gf_stores *stores, uint32_t shard, struct gf_store *store,
                             const char *request, struct gf_error *error)
{
    struct store_folder *folder = (struct store_folder *)stores;
    assert(shard < GF_STORE_FOLDER_SHARDS_MAX);
    if (folder->options.snapshots == NULL) {
        return gf_fail(error, GF_E_CONFIG, "there is no folder for snapshots: set snapshot.folder");
    }
    struct folder_shard *known = &folder->shards[shard];
    bool is_started = false;
    enum gf_rc rc = GF_OK;
    while (rc == GF_OK && !is_started) {
        pthread_mutex_lock(&folder->mutex);
        while (known->is_waiting || known->is_copying) {
            pthread_cond_wait(&folder->changed, &folder->mutex);
        }
        pthread_mutex_unlock(&folder->mutex);
        rc = snapshot_start(folder, shard, store, request, WHEN_CALLED, &is_started, error);
    }
    if (rc != GF_OK) {
        return rc;
    }
    pthread_mutex_lock(&folder->mutex);
    while (known->is_waiting || known->is_copying) {
        pthread_cond_wait(&folder->changed, &folder->mutex);
    }
    rc = known->rc == GF_OK ? GF_OK : gf_fail(error, known->rc, "%s", known->text);
    pthread_mutex_unlock(&folder->mutex);
    return rc;
}
