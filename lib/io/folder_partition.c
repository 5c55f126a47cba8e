#include "io/folder_partition.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "io/folder_commit.h"

#define LOAN_SIZE_MIN 8192

enum gf_rc
gf_folder_partition_init(struct gf_folder_partition *partition, const char *log,
                         enum gf_topic topic, uint32_t number,
                         const struct gf_folder_resolver *resolver, struct gf_error *error)
{
    *partition = (struct gf_folder_partition){
        .log = log,
        .resolver = resolver,
        .topic = topic,
        .partition = number,
    };
    return gf_folder_path(error, partition->dir, "%s/%s/%u", log, gf_topics[topic].name, number);
}

void
gf_folder_partition_fini(struct gf_folder_partition *partition)
{
    for (uint32_t i = 0; i < partition->slot_count; i++) {
        gf_folder_file_close(partition->slots[i].file);
    }
    free(partition->slots);
    while (partition->loans != NULL) {
        struct gf_folder_loan *loan = partition->loans;
        partition->loans = loan->next;
        free(loan->data);
        free(loan);
    }
    gf_readers_fini(&partition->readers);
    *partition = (struct gf_folder_partition){.log = NULL};
}

/* Takes a new listing over. A file that is open stays, listed or not: views point into it. */
static enum gf_rc
slots_merge(struct gf_folder_partition *partition, const struct gf_folder_names *names,
            struct gf_error *error)
{
    struct gf_folder_slot *slots =
        calloc((size_t)names->count + partition->slot_count + 1, sizeof *slots);
    if (slots == NULL) {
        return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", partition->dir);
    }
    uint32_t count = 0, old = 0;
    for (uint32_t i = 0; i <= names->count; i++) {
        const int64_t first = i < names->count ? names->items[i].first : INT64_MAX;
        struct gf_folder_file *file = NULL;
        for (; old < partition->slot_count && partition->slots[old].first <= first; old++) {
            if (partition->slots[old].first == first) {
                file = partition->slots[old].file;
            } else if (partition->slots[old].file != NULL) {
                slots[count++] = partition->slots[old];
            }
        }
        if (i < names->count) {
            slots[count++] = (struct gf_folder_slot){.first = first, .file = file};
        }
    }
    free(partition->slots);
    partition->slots = slots;
    partition->slot_count = count;
    return GF_OK;
}

enum gf_rc
gf_folder_partition_file(struct gf_folder_partition *partition, uint32_t slot,
                         struct gf_folder_file **out, struct gf_error *error)
{
    struct gf_folder_slot *entry = &partition->slots[slot];
    if (entry->file == NULL) {
        const enum gf_rc rc =
            gf_folder_file_open(partition->dir, partition->topic, partition->partition,
                                entry->first, partition->resolver, &entry->file, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    *out = entry->file;
    return GF_OK;
}

/* The end by whole blocks: of the last file that holds any. A crash may leave a file after it that
 * holds none. */
static enum gf_rc
end_measure(struct gf_folder_partition *partition, struct gf_error *error)
{
    for (uint32_t slot = partition->slot_count; slot > 0; slot--) {
        struct gf_folder_file *file = NULL;
        enum gf_rc rc = gf_folder_partition_file(partition, slot - 1, &file, error);
        if (rc == GF_E_BAD_DATA && slot == partition->slot_count) {
            continue;
        }
        if (rc == GF_E_BAD_DATA) {
            return GF_E_DAMAGED;
        }
        if (rc != GF_OK || (rc = gf_folder_file_refresh(file, error)) != GF_OK ||
            (rc = gf_folder_file_measure(file, error)) != GF_OK) {
            return rc;
        }
        if (file->whole_size > file->header.size) {
            partition->at = (struct gf_folder_end){file->end, file->first, file->whole_size};
            return GF_OK;
        }
        if (slot < partition->slot_count) {
            return gf_folder_file_damage(file, file->header.size, error);
        }
        /* Its writer will make it anew under the same name. */
        gf_folder_file_close(file);
        partition->slots[slot - 1].file = NULL;
    }
    partition->at = (struct gf_folder_end){.end = 0};
    return GF_OK;
}

/* Open files may have grown; those that may be read must be as long as the commit says. */
static enum gf_rc
files_refresh(struct gf_folder_partition *partition, struct gf_error *error)
{
    for (uint32_t i = 0; i < partition->slot_count; i++) {
        struct gf_folder_file *file = partition->slots[i].file;
        if (file != NULL && file->first <= partition->at.first) {
            const enum gf_rc rc = gf_folder_file_refresh(file, error);
            if (rc != GF_OK) {
                return rc;
            }
        }
    }
    return GF_OK;
}

static enum gf_rc
commit_look(struct gf_folder_partition *partition, struct gf_error *error)
{
    partition->is_committed = false;
    if (gf_topics[partition->topic].is_input) {
        return GF_OK;
    }
    struct gf_folder_commit commit;
    const enum gf_rc rc = gf_folder_commit_load(&commit, partition->log, error);
    if (rc != GF_OK) {
        return rc == GF_E_NOT_FOUND ? GF_OK : rc;
    }
    if (partition->partition < commit.counts[partition->topic]) {
        partition->is_committed = true;
        partition->at = commit.ends[partition->topic][partition->partition];
    }
    gf_folder_commit_fini(&commit);
    return GF_OK;
}

enum gf_rc
gf_folder_partition_refresh(struct gf_folder_partition *partition, struct gf_error *error)
{
    /* The commit before the listing: what it names is then listed. */
    enum gf_rc rc = commit_look(partition, error);
    struct gf_folder_names names = {.items = NULL};
    if (rc != GF_OK || (rc = gf_folder_list(partition->dir, &names, error)) != GF_OK) {
        return rc;
    }
    rc = slots_merge(partition, &names, error);
    free(names.items);
    if (rc == GF_OK && !partition->is_committed) {
        rc = end_measure(partition, error);
    }
    if (rc != GF_OK || (rc = files_refresh(partition, error)) != GF_OK) {
        return rc;
    }
    const bool has_files =
        partition->slot_count > 0 && partition->slots[0].first <= partition->at.first;
    if (partition->at.size > 0 && !has_files) {
        return gf_fail(error, GF_E_DAMAGED,
                       "%s: committed files are missing; restore them from a copy", partition->dir);
    }
    partition->first = partition->at.size > 0 ? partition->slots[0].first : partition->at.end;
    partition->is_known = true;
    return GF_OK;
}

uint64_t
gf_folder_partition_limit(const struct gf_folder_partition *partition,
                          const struct gf_folder_file *file)
{
    assert(file->first <= partition->at.first);
    return file->first == partition->at.first ? partition->at.size : file->size;
}

/* Lends nothing of the block any more than what has been handed out. */
static void
block_leave(struct gf_folder_partition *partition)
{
    if (partition->block_loan != NULL) {
        partition->block_loan->last = partition->next_offset - 1;
        partition->block_loan = NULL;
    }
    partition->left = 0;
}

static enum gf_rc
file_enter(struct gf_folder_partition *partition, uint32_t slot, struct gf_error *error)
{
    struct gf_folder_file *file = NULL;
    enum gf_rc rc = gf_folder_partition_file(partition, slot, &file, error);
    if (rc != GF_OK) {
        return rc == GF_E_BAD_DATA ? GF_E_DAMAGED : rc;
    }
    if (file->size < gf_folder_partition_limit(partition, file)) {
        return gf_fail(error, GF_E_DAMAGED,
                       "%s: is shorter than what was committed; restore it from a copy",
                       file->path);
    }
    block_leave(partition);
    partition->file = file;
    partition->next_block = file->header.size;
    return GF_OK;
}

/* The last slot at or below `offset`. */
static uint32_t
slot_find(const struct gf_folder_partition *partition, int64_t offset)
{
    uint32_t slot = 0;
    for (uint32_t low = 1, high = partition->slot_count; low < high;) {
        const uint32_t middle = low + (high - low) / 2;
        if (partition->slots[middle].first <= offset) {
            slot = middle;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return slot;
}

enum gf_rc
gf_folder_partition_seek(struct gf_folder_partition *partition, int64_t offset,
                         struct gf_error *error)
{
    assert(partition->is_known && partition->at.size > 0);
    const int64_t target = offset < partition->at.first ? offset : partition->at.first;
    partition->file = NULL;
    enum gf_rc rc = file_enter(partition, slot_find(partition, target), error);
    if (rc != GF_OK) {
        partition->file = NULL;
        return rc;
    }
    partition->next_offset = partition->file->first;
    return gf_folder_file_seek(partition->file, offset,
                               gf_folder_partition_limit(partition, partition->file),
                               &partition->next_block, error);
}

static enum gf_rc
block_enter(struct gf_folder_partition *partition, const struct gf_folder_block *block,
            struct gf_error *error)
{
    struct gf_span records;
    uint8_t *owned = NULL;
    const enum gf_rc rc = gf_folder_file_records(partition->file, block, &records, &owned, error);
    if (rc != GF_OK) {
        return rc;
    }
    if (owned != NULL) {
        struct gf_folder_loan *loan = malloc(sizeof *loan);
        if (loan == NULL) {
            free(owned);
            return gf_fail(error, GF_E_NO_MEMORY, "%s: no memory to read it", partition->dir);
        }
        *loan = (struct gf_folder_loan){
            .next = partition->loans,
            .last = INT64_MAX,
            .size = records.size,
            .used = records.size,
            .data = owned,
        };
        partition->loans = partition->block_loan = loan;
    }
    partition->reader = gf_reader_of(records);
    partition->left = block->count;
    partition->block = block->position;
    partition->next_block = block->next;
    return GF_OK;
}

enum gf_rc
gf_folder_partition_advance(struct gf_folder_partition *partition, bool *has_out,
                            struct gf_error *error)
{
    assert(partition->file != NULL && partition->left == 0);
    block_leave(partition);
    for (;;) {
        const uint64_t limit = gf_folder_partition_limit(partition, partition->file);
        struct gf_folder_block block;
        enum gf_rc rc = gf_folder_file_block(partition->file, partition->next_block, limit, has_out,
                                             &block, error);
        if (rc != GF_OK) {
            return rc;
        }
        if (*has_out) {
            return block_enter(partition, &block, error);
        }
        if (partition->file->first >= partition->at.first) {
            return GF_OK;
        }
        const uint32_t slot = slot_find(partition, partition->file->first) + 1;
        assert(slot < partition->slot_count);
        const int64_t first = partition->slots[slot].first;
        if (first < partition->next_offset ||
            (partition->is_committed && first != partition->next_offset)) {
            return gf_fail(error, GF_E_DAMAGED,
                           "%s: a file is missing after offset %lld; restore it from a copy",
                           partition->dir, (long long)partition->next_offset - 1);
        }
        if ((rc = file_enter(partition, slot, error)) != GF_OK) {
            return rc;
        }
    }
}

void *
gf_folder_partition_lend(struct gf_folder_partition *partition, size_t size, int64_t offset)
{
    size = (size + 7) & ~(size_t)7;
    struct gf_folder_loan *loan = partition->loans;
    if (loan == NULL || loan == partition->block_loan || loan->size - loan->used < size) {
        loan = malloc(sizeof *loan);
        const size_t loan_size = size > LOAN_SIZE_MIN ? size : LOAN_SIZE_MIN;
        uint8_t *data = malloc(loan_size);
        if (loan == NULL || data == NULL) {
            free(loan);
            free(data);
            return NULL;
        }
        *loan = (struct gf_folder_loan){
            .next = partition->loans, .last = offset, .size = loan_size, .data = data};
        partition->loans = loan;
    }
    void *out = loan->data + loan->used;
    loan->used += size;
    loan->last = offset > loan->last ? offset : loan->last;
    return out;
}

void
gf_folder_partition_release(struct gf_folder_partition *partition, int64_t offset)
{
    for (struct gf_folder_loan **at = &partition->loans; *at != NULL;) {
        struct gf_folder_loan *loan = *at;
        if (loan->last < offset) {
            *at = loan->next;
            free(loan->data);
            free(loan);
        } else {
            at = &loan->next;
        }
    }
    for (uint32_t i = 0; i + 1 < partition->slot_count && partition->slots[i + 1].first <= offset;
         i++) {
        struct gf_folder_slot *slot = &partition->slots[i];
        if (slot->file != NULL && slot->file != partition->file) {
            gf_folder_file_close(slot->file);
            slot->file = NULL;
        }
    }
}
