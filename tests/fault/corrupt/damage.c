#include "damage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/rocks_store.h"
#include "state/entity.h"

#define BLOCKS_MAX 512
#define PIECE_SIZE 4096

static uint32_t
chance(struct gf_random *random, uint32_t count)
{
    return (uint32_t)(gf_random_next(random) % count);
}

static void
check(enum gf_rc rc, const struct gf_error *error)
{
    if (rc != GF_OK) {
        fprintf(stderr, "damage: %s: %s\n", gf_rc_name(rc), error->text);
        exit(1);
    }
}

/* ---- files ---- */

static const char *
kind_of(const char *path)
{
    static const char *const kinds[][2] = {{".sst", "SST"},           {".log", "WAL"},
                                           {"MANIFEST", "MANIFEST"},  {"CURRENT", "CURRENT"},
                                           {"OPTIONS", "OPTIONS"},    {"IDENTITY", "IDENTITY"},
                                           {".snapshot", "manifest"}, {"/files/", "content"}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strstr(path, kinds[i][0]) != NULL) {
            return kinds[i][1];
        }
    }
    return "other";
}

static const char *
file_break(const char *path, long size, struct gf_random *random)
{
    static const char zeros[PIECE_SIZE];
    const uint32_t way = chance(random, 6);
    if (way == 0) {
        unlink(path);
        return "deleted";
    }
    FILE *file = fopen(path, "r+b");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    const long at = size == 0 ? 0 : (long)chance(random, (uint32_t)size);
    const char *done = "bits flipped";
    if (way == 1) {
        done = ftruncate(fileno(file), at) == 0 ? "cut" : "not cut";
    } else if (way == 2) {
        const long from = at / PIECE_SIZE * PIECE_SIZE;
        fseek(file, from, SEEK_SET);
        fwrite(zeros, 1, (size_t)(size - from < PIECE_SIZE ? size - from : PIECE_SIZE), file);
        done = "4 KiB zeroed";
    } else {
        const uint32_t flips = way == 3 ? 1 + chance(random, 64) : 1;
        for (uint32_t i = 0; i < flips && size > 0; i++) {
            const long place = (long)chance(random, (uint32_t)size);
            fseek(file, place, SEEK_SET);
            const int byte = fgetc(file);
            fseek(file, place, SEEK_SET);
            fputc(byte ^ 1 << chance(random, 8), file);
        }
    }
    fclose(file);
    return done;
}

/* First the kind, so that small ones get their share; then the file. */
static void
one_break(const char *folder, const char *const kinds[], uint32_t kind_count, const char *of,
          struct gf_random *random, struct damage *out)
{
    static struct tree_files files;
    tree_list(folder, &files);
    for (;;) {
        const char *kind = kinds[chance(random, kind_count)];
        const char *path = files.paths[chance(random, files.count)];
        struct stat about;
        if (strcmp(kind_of(path), kind) != 0 || stat(path, &about) != 0 ||
            (about.st_size == 0 && chance(random, 8) != 0)) {
            continue;
        }
        snprintf(out->kind, sizeof(out->kind), "%s%s", of, kind);
        snprintf(out->what, sizeof(out->what), "%s: %s", path,
                 file_break(path, (long)about.st_size, random));
        return;
    }
}

void
damage_store_file(const char *state, struct gf_random *random, struct damage *out)
{
    static const char *const kinds[] = {"SST",     "SST",     "WAL",      "WAL",     "MANIFEST",
                                        "CURRENT", "OPTIONS", "IDENTITY", "MANIFEST"};
    one_break(state, kinds, sizeof(kinds) / sizeof(kinds[0]), "store ", random, out);
}

void
damage_snapshot_file(const char *snapshots, struct gf_random *random, struct damage *out)
{
    static const char *const kinds[] = {"manifest", "content"};
    one_break(snapshots, kinds, sizeof(kinds) / sizeof(kinds[0]), "snapshot ", random, out);
}

/* ---- through RocksDB ---- */

struct blocks {
    struct gf_store_block items[BLOCKS_MAX];
    uint8_t keys[BLOCKS_MAX][GF_ENTITY_KEY_SIZE_MAX];
    uint8_t *bytes[BLOCKS_MAX];
    uint32_t count;
};

static enum gf_rc
block_keep(void *context, const struct gf_store_block *block, struct gf_error *error)
{
    struct blocks *blocks = context;
    if (blocks->count == BLOCKS_MAX) {
        return gf_fail(error, GF_E_FULL, "more than %d blocks", BLOCKS_MAX);
    }
    const uint32_t at = blocks->count++;
    blocks->bytes[at] = malloc(block->bytes.size + 1u);
    memcpy(blocks->bytes[at], block->bytes.data, block->bytes.size);
    memcpy(blocks->keys[at], block->key.data, block->key.size);
    blocks->items[at] =
        (struct gf_store_block){.kind = block->kind,
                                .key = gf_span_of(blocks->keys[at], block->key.size),
                                .bytes = gf_span_of(blocks->bytes[at], block->bytes.size)};
    return GF_OK;
}

static void
blocks_read(struct gf_store *store, uint32_t shard, uint32_t slice, struct blocks *out)
{
    struct gf_error error = {{0}};
    out->count = 0;
    check(store->ops->scan(store, shard, slice, block_keep, out, &error), &error);
}

static void
blocks_free(struct blocks *blocks)
{
    for (uint32_t i = 0; i < blocks->count; i++) {
        free(blocks->bytes[i]);
    }
}

static struct gf_store *
store_open(const char *folder, uint32_t shard, bool is_read_only)
{
    char path[TREE_PATH_SIZE];
    tree_path(path, "%s/shard-%04u", folder, shard);
    const struct gf_rocks_store_options options = {.path = path, .is_read_only = is_read_only};
    struct gf_store *store = NULL;
    struct gf_error error = {{0}};
    check(gf_rocks_store_open(&options, &store, &error), &error);
    return store;
}

/* The index of a block that differs between now and then, by chance; BLOCKS_MAX: none does. */
static uint32_t
changed_find(const struct blocks *now, const struct blocks *then, struct gf_random *random)
{
    uint32_t found = BLOCKS_MAX, count = 0;
    for (uint32_t i = 0; i < then->count; i++) {
        for (uint32_t k = 0; k < now->count; k++) {
            const bool is_changed = then->items[i].kind == now->items[k].kind &&
                                    gf_span_equal(then->items[i].key, now->items[k].key) &&
                                    !gf_span_equal(then->items[i].bytes, now->items[k].bytes);
            found = is_changed && chance(random, ++count) == 0 ? i : found;
        }
    }
    return found;
}

struct rewriting {
    struct gf_store *store;
    uint32_t shard, slice;
    struct gf_slice_meta meta, meta_then;
    struct blocks now, then;
};

/* Changes the slice; NULL when this way changes nothing in it. */
static const char *
slice_rewrite(struct rewriting *it, struct gf_random *random)
{
    const struct gf_store_ops *ops = it->store->ops;
    struct gf_store_block gone = {0};
    struct gf_error error = {{0}};
    const uint32_t changed = changed_find(&it->now, &it->then, random);
    const struct gf_slice_meta *meta = &it->meta;
    const struct gf_store_block *blocks = NULL;
    uint32_t count = 0;
    const char *what = NULL;
    switch (chance(random, 4)) {
    case 0:
        what = changed == BLOCKS_MAX                             ? NULL
               : it->then.items[changed].kind == GF_BLOCK_TIMERS ? "older timers"
                                                                 : "older version of a record";
        blocks = changed == BLOCKS_MAX ? NULL : &it->then.items[changed];
        count = 1;
        break;
    case 1:
        what = changed == BLOCKS_MAX ? NULL : "lost sweep under its number";
        blocks = it->then.items;
        count = it->then.count;
        break;
    case 2:
        if (it->now.count > 0) {
            gone = it->now.items[chance(random, it->now.count)];
            gone.bytes = (struct gf_span){0};
            what = gone.kind == GF_BLOCK_TIMERS ? "missing timers" : "missing record";
            blocks = &gone;
            count = 1;
        }
        break;
    default:
        what =
            changed == BLOCKS_MAX || it->meta_then.batch == it->meta.batch ? NULL : "older number";
        meta = &it->meta_then;
        break;
    }
    if (what != NULL) {
        check(ops->put_slice(it->store, it->shard, it->slice, meta, blocks, count, &error), &error);
    }
    return what;
}

static const char *
slice_try(struct gf_store *store, struct gf_store *older, uint32_t shard, struct gf_random *random,
          uint32_t *slice_out)
{
    static struct rewriting it;
    struct gf_slice_meta metas[GF_SLICE_COUNT], metas_then[GF_SLICE_COUNT];
    struct gf_error error = {{0}};
    it.store = store;
    it.shard = shard;
    it.slice = *slice_out = chance(random, GF_SLICE_COUNT);
    check(store->ops->metas(store, shard, metas, &error), &error);
    check(older->ops->metas(older, shard, metas_then, &error), &error);
    it.meta = metas[it.slice];
    it.meta_then = metas_then[it.slice];
    blocks_read(store, shard, it.slice, &it.now);
    blocks_read(older, shard, it.slice, &it.then);
    const char *what =
        it.meta.batch > 0 && it.meta_then.batch > 0 ? slice_rewrite(&it, random) : NULL;
    blocks_free(&it.now);
    blocks_free(&it.then);
    return what;
}

void
damage_through_rocks(const char *state, const char *older_state, struct gf_random *random,
                     struct damage *out)
{
    const uint32_t shard = chance(random, 3);
    struct gf_store *store = store_open(state, shard, false),
                    *older = store_open(older_state, shard, true);
    struct gf_error error = {{0}};
    const char *what = NULL;
    uint32_t slice = 0;
    if (chance(random, 16) == 0) {
        char name[32];
        snprintf(name, sizeof(name), GF_STORE_MARK_NAME, shard);
        const bool is_gone = chance(random, 2) == 0;
        check(store->ops->put_named(
                  store, name, is_gone ? (struct gf_span){0} : gf_span_text("nothing of the kind"),
                  &error),
              &error);
        what = is_gone ? "missing mark" : "mark of another kind";
    }
    while (what == NULL) {
        what = slice_try(store, older, shard, random, &slice);
    }
    store->ops->close(store);
    older->ops->close(older);
    snprintf(out->kind, sizeof(out->kind), "%s", what);
    snprintf(out->what, sizeof(out->what), "shard %u slice %u: %s", shard, slice, what);
}
