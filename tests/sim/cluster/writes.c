/* What a loss of power leaves of a store: the writes since it was last written through are kept in
 * their order, and the first so many of them happened. A log that keeps its order (RocksDB's does)
 * leaves nothing else; a disk that does not may leave any of them, or a part of one, which must be
 * found out. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static struct sim_write *
write_add(struct sim_disk *disk, size_t size, uint32_t count)
{
    if (disk->write_count == disk->write_capacity) {
        disk->write_capacity = disk->write_capacity * 2 + 64;
        disk->writes = realloc(disk->writes, disk->write_capacity * sizeof(disk->writes[0]));
    }
    struct gf_store_block *blocks = malloc(count * sizeof(*blocks) + size + 1);
    if (disk->writes == NULL || blocks == NULL) {
        abort();
    }
    struct sim_write *write = &disk->writes[disk->write_count++];
    *write =
        (struct sim_write){.count = count, .blocks = blocks, .bytes = (uint8_t *)(blocks + count)};
    return write;
}

static struct gf_span
keep(struct sim_write *write, struct gf_span span)
{
    uint8_t *to = write->bytes + write->size;
    if (span.size > 0) {
        memcpy(to, span.data, span.size);
    }
    write->size += span.size;
    return gf_span_of(to, span.size);
}

void
sim_write_slice(struct sim_disk *disk, uint32_t slice, const struct gf_slice_meta *meta,
                const struct gf_store_block *blocks, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += blocks[i].key.size + blocks[i].bytes.size;
    }
    struct sim_write *write = write_add(disk, size, count);
    write->slice = slice;
    write->meta = *meta;
    for (uint32_t i = 0; i < count; i++) {
        write->blocks[i] = (struct gf_store_block){.kind = blocks[i].kind,
                                                   .key = keep(write, blocks[i].key),
                                                   .bytes = keep(write, blocks[i].bytes)};
    }
}

void
sim_write_named(struct sim_disk *disk, const char *name, struct gf_span value)
{
    struct sim_write *write = write_add(disk, value.size, 0);
    snprintf(write->name, sizeof(write->name), "%s", name);
    (void)keep(write, value);
}

static void
write_apply(const struct sim_disk *disk, const struct sim_write *write)
{
    struct gf_store *to = disk->safe;
    if (write->name[0] != '\0') {
        (void)to->ops->put_named(to, write->name, gf_span_of(write->bytes, write->size), NULL);
    } else {
        (void)to->ops->put_slice(to, disk->shard, write->slice, &write->meta, write->blocks,
                                 write->count, NULL);
    }
}

void
sim_writes_drop(struct sim_disk *disk)
{
    for (uint32_t i = 0; i < disk->write_count; i++) {
        free(disk->writes[i].blocks);
    }
    disk->write_count = 0;
}

void
sim_writes_sync(struct sim_disk *disk)
{
    for (uint32_t i = 0; i < disk->write_count; i++) {
        write_apply(disk, &disk->writes[i]);
    }
    sim_writes_drop(disk);
}

/* A write that came apart: any of its blocks. Timers stay, which have no sum of their own. */
static void
blocks_lose(struct sim *sim, struct sim_write *write)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < write->count; i++) {
        if (write->blocks[i].kind == GF_BLOCK_TIMERS || sim_below(sim, 2) == 0) {
            write->blocks[left++] = write->blocks[i];
        }
    }
    write->count = left;
}

struct gf_store *
sim_writes_crash(struct sim_disk *disk, bool is_reordered)
{
    struct sim *sim = disk->instance->sim;
    const uint32_t left = (uint32_t)sim_below(sim, (uint64_t)disk->write_count + 1);
    for (uint32_t i = 0; i < disk->write_count; i++) {
        if (is_reordered && sim_below(sim, 4) == 0) {
            blocks_lose(sim, &disk->writes[i]);
        }
        if (is_reordered ? sim_below(sim, 2) == 0 : i < left) {
            write_apply(disk, &disk->writes[i]);
        }
    }
    return gf_memory_store_copy(disk->safe);
}
