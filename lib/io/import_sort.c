#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/import_sort.h"

#define RUN_BUFFER_SIZE (256u << 10)
#define PATH_SIZE       4096

/* In memory and in a run: this, then key and value, filled up to 8 bytes. */
struct head {
    int64_t time_us;
    uint16_t topic, partition;
    uint32_t key_size, value_size, size; /* size: of all of it */
};

struct entry {
    uint32_t place; /* topic and partition */
    int64_t time_us;
    size_t at; /* rises with arrival, which makes the order total */
};

struct run {
    FILE *file;
    uint8_t *item; /* of the merge: the head that is next, and its bytes */
    size_t room;
    bool is_end;
};

struct gf_import_sort {
    char folder[PATH_SIZE];
    uint64_t memory;
    uint8_t *data;
    size_t size, room;
    struct entry *entries;
    size_t count, entry_room;
    struct run runs[GF_IMPORT_SORT_RUN_COUNT_MAX];
    uint32_t run_count, runs_written;
};

enum gf_rc
gf_import_sort_new(const char *folder, uint64_t memory, struct gf_import_sort **out,
                   struct gf_error *error)
{
    struct gf_import_sort *const sort = calloc(1, sizeof *sort);
    if (sort == NULL || strlen(folder) >= sizeof sort->folder) {
        free(sort);
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to sort", folder);
    }
    memcpy(sort->folder, folder, strlen(folder) + 1);
    sort->memory = memory == 0 ? GF_IMPORT_SORT_MEMORY : memory;
    *out = sort;
    return GF_OK;
}

static void
run_fini(struct run *run)
{
    if (run->file != NULL) {
        fclose(run->file);
    }
    free(run->item);
    *run = (struct run){.file = NULL};
}

void
gf_import_sort_free(struct gf_import_sort *sort)
{
    if (sort == NULL) {
        return;
    }
    for (uint32_t i = 0; i < sort->run_count; i++) {
        run_fini(&sort->runs[i]);
    }
    free(sort->data);
    free(sort->entries);
    free(sort);
}

uint32_t
gf_import_sort_run_count(const struct gf_import_sort *sort)
{
    return sort->runs_written;
}

/* ---- order ---- */

static int
place_compare(uint32_t place_a, int64_t time_a, uint32_t place_b, int64_t time_b)
{
    return place_a != place_b ? (place_a > place_b) - (place_a < place_b)
                              : (time_a > time_b) - (time_a < time_b);
}

static int
entry_compare(const void *left, const void *right)
{
    const struct entry *const a = left, *const b = right;
    const int order = place_compare(a->place, a->time_us, b->place, b->time_us);
    return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static uint32_t
head_place(const struct head *head)
{
    return (uint32_t)head->topic << 16 | head->partition;
}

static struct gf_import_item
item_of(const struct head *head)
{
    const uint8_t *const bytes = (const uint8_t *)(head + 1);
    return (struct gf_import_item){.topic = head->topic,
                                   .partition = head->partition,
                                   .time = {head->time_us},
                                   .key = gf_span_of(bytes, head->key_size),
                                   .value = gf_span_of(bytes + head->key_size, head->value_size)};
}

/* ---- runs ---- */

static enum gf_rc
run_fail(const struct gf_import_sort *sort, struct gf_error *error)
{
    const enum gf_rc rc = errno == ENOSPC || errno == EDQUOT ? GF_E_NO_SPACE : GF_E_IO;
    return gf_fail(error, rc, "%s: cannot sort there: %s", sort->folder, strerror(errno));
}

/* A file without a name: a crash leaves nothing behind. */
static FILE *
run_create(const struct gf_import_sort *sort)
{
    int fd = open(sort->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        char path[PATH_SIZE + 32];
        snprintf(path, sizeof path, "%s/.import-XXXXXX", sort->folder);
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0) {
            return NULL;
        }
        unlink(path);
    }
    FILE *const file = fdopen(fd, "w+b");
    if (file == NULL) {
        close(fd);
        return NULL;
    }
    setvbuf(file, NULL, _IOFBF, RUN_BUFFER_SIZE);
    return file;
}

static enum gf_rc
run_finish(struct gf_import_sort *sort, FILE *file, struct gf_error *error)
{
    if (fflush(file) != 0 || fseek(file, 0, SEEK_SET) != 0) {
        const enum gf_rc rc = run_fail(sort, error);
        fclose(file);
        return rc;
    }
    sort->runs[sort->run_count++] = (struct run){.file = file};
    sort->runs_written++;
    return GF_OK;
}

static void
memory_sort(struct gf_import_sort *sort)
{
    if (sort->count > 0) {
        qsort(sort->entries, sort->count, sizeof *sort->entries, entry_compare);
    }
}

static const struct head *
head_at(const struct gf_import_sort *sort, size_t index)
{
    return (const struct head *)(sort->data + sort->entries[index].at);
}

static enum gf_rc
memory_spill(struct gf_import_sort *sort, struct gf_error *error)
{
    FILE *const file = run_create(sort);
    if (file == NULL) {
        return run_fail(sort, error);
    }
    memory_sort(sort);
    for (size_t i = 0; i < sort->count; i++) {
        const struct head *const head = head_at(sort, i);
        if (fwrite(head, head->size, 1, file) != 1) {
            const enum gf_rc rc = run_fail(sort, error);
            fclose(file);
            return rc;
        }
    }
    sort->count = sort->size = 0;
    return run_finish(sort, file, error);
}

/* The next item of a run into its buffer. */
static enum gf_rc
run_next(struct gf_import_sort *sort, struct run *run, struct gf_error *error)
{
    struct head head;
    if (fread(&head, sizeof head, 1, run->file) != 1) {
        run->is_end = true;
        return ferror(run->file) ? run_fail(sort, error) : GF_OK;
    }
    if (head.size > run->room) {
        uint8_t *const grown = realloc(run->item, head.size);
        if (grown == NULL) {
            return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to sort", sort->folder);
        }
        run->item = grown;
        run->room = head.size;
    }
    memcpy(run->item, &head, sizeof head);
    if (fread(run->item + sizeof head, head.size - sizeof head, 1, run->file) != 1) {
        return run_fail(sort, error);
    }
    return GF_OK;
}

static bool
run_is_before(const struct gf_import_sort *sort, uint32_t a, uint32_t b)
{
    const struct head *const left = (const struct head *)sort->runs[a].item;
    const struct head *const right = (const struct head *)sort->runs[b].item;
    const int order =
        place_compare(head_place(left), left->time_us, head_place(right), right->time_us);
    return order != 0 ? order < 0 : a < b; /* a lower run came earlier */
}

static void
heap_sink(const struct gf_import_sort *sort, uint32_t *heap, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            least = run_is_before(sort, heap[child], heap[least]) ? child : least;
        }
        if (least == at) {
            return;
        }
        const uint32_t run = heap[at];
        heap[at] = heap[least];
        heap[least] = run;
        at = least;
    }
}

static enum gf_rc
runs_merge(struct gf_import_sort *sort, gf_import_give give, void *context, struct gf_error *error)
{
    uint32_t heap[GF_IMPORT_SORT_RUN_COUNT_MAX], count = 0;
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < sort->run_count; i++) {
        rc = run_next(sort, &sort->runs[i], error);
        if (rc == GF_OK && !sort->runs[i].is_end) {
            heap[count++] = i;
        }
    }
    for (uint32_t i = count / 2; i > 0; i--) {
        heap_sink(sort, heap, count, i - 1);
    }
    while (rc == GF_OK && count > 0) {
        struct run *const run = &sort->runs[heap[0]];
        const struct gf_import_item item = item_of((const struct head *)run->item);
        rc = give(context, &item, error);
        if (rc == GF_OK && (rc = run_next(sort, run, error)) == GF_OK) {
            heap[0] = run->is_end ? heap[--count] : heap[0];
            heap_sink(sort, heap, count, 0);
        }
    }
    for (uint32_t i = 0; i < sort->run_count; i++) {
        run_fini(&sort->runs[i]);
    }
    sort->run_count = 0;
    return rc;
}

struct rewrite {
    const struct gf_import_sort *sort;
    FILE *file;
};

static enum gf_rc
rewrite_give(void *context, const struct gf_import_item *item, struct gf_error *error)
{
    const struct rewrite *const rewrite = context;
    const struct head *const head = (const struct head *)(item->key.data - sizeof(struct head));
    return fwrite(head, head->size, 1, rewrite->file) == 1 ? GF_OK : run_fail(rewrite->sort, error);
}

/* Many runs become one, so that the number of open files stays small however much there is. */
static enum gf_rc
runs_join(struct gf_import_sort *sort, struct gf_error *error)
{
    struct rewrite rewrite = {.sort = sort, .file = run_create(sort)};
    if (rewrite.file == NULL) {
        return run_fail(sort, error);
    }
    const enum gf_rc rc = runs_merge(sort, rewrite_give, &rewrite, error);
    if (rc != GF_OK) {
        fclose(rewrite.file);
        return rc;
    }
    return run_finish(sort, rewrite.file, error);
}

/* ---- adding ---- */

static bool
room_make(struct gf_import_sort *sort, size_t size)
{
    if (sort->size + size > sort->room) {
        const size_t room = (sort->room == 0 ? 1u << 20 : 2 * sort->room) + size;
        uint8_t *const grown = realloc(sort->data, room);
        if (grown == NULL) {
            return false;
        }
        sort->data = grown;
        sort->room = room;
    }
    if (sort->count == sort->entry_room) {
        const size_t room = sort->entry_room == 0 ? 4096 : 2 * sort->entry_room;
        struct entry *const grown = realloc(sort->entries, room * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        sort->entries = grown;
        sort->entry_room = room;
    }
    return true;
}

enum gf_rc
gf_import_sort_add(struct gf_import_sort *sort, const struct gf_import_item *item,
                   struct gf_error *error)
{
    const size_t bytes = (size_t)item->key.size + item->value.size;
    const size_t size = (sizeof(struct head) + bytes + 7) & ~(size_t)7;
    /* Twice the entries: qsort takes as much again. */
    const uint64_t used = sort->size + size + 2 * (sort->count + 1) * sizeof *sort->entries;
    if (used > sort->memory && sort->count > 0) {
        enum gf_rc rc = GF_OK;
        if (sort->run_count == GF_IMPORT_SORT_RUN_COUNT_MAX) {
            rc = runs_join(sort, error);
        }
        if (rc != GF_OK || (rc = memory_spill(sort, error)) != GF_OK) {
            return rc;
        }
    }
    if (!room_make(sort, size)) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to sort", sort->folder);
    }
    struct head *const head = (struct head *)(sort->data + sort->size);
    *head = (struct head){.time_us = item->time.us,
                          .topic = item->topic,
                          .partition = item->partition,
                          .key_size = item->key.size,
                          .value_size = item->value.size,
                          .size = (uint32_t)size};
    uint8_t *const to = (uint8_t *)(head + 1);
    memset(to + bytes, 0, size - sizeof *head - bytes);
    if (item->key.size > 0) {
        memcpy(to, item->key.data, item->key.size);
    }
    if (item->value.size > 0) {
        memcpy(to + item->key.size, item->value.data, item->value.size);
    }
    sort->entries[sort->count++] =
        (struct entry){.place = head_place(head), .time_us = head->time_us, .at = sort->size};
    sort->size += size;
    return GF_OK;
}

enum gf_rc
gf_import_sort_drain(struct gf_import_sort *sort, gf_import_give give, void *context,
                     struct gf_error *error)
{
    enum gf_rc rc = GF_OK;
    if (sort->run_count == 0) {
        memory_sort(sort);
        for (size_t i = 0; rc == GF_OK && i < sort->count; i++) {
            const struct gf_import_item item = item_of(head_at(sort, i));
            rc = give(context, &item, error);
        }
        sort->count = sort->size = 0;
        return rc;
    }
    if (sort->run_count == GF_IMPORT_SORT_RUN_COUNT_MAX && (rc = runs_join(sort, error)) != GF_OK) {
        return rc;
    }
    if (sort->count > 0 && (rc = memory_spill(sort, error)) != GF_OK) {
        return rc;
    }
    return runs_merge(sort, give, context, error);
}
