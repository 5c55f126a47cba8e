#include "store_history.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/rocks_store.h"
#include "state/entity.h"
#include "store_files.h"

#define SHARD      3
#define SLICE_USED 3
#define KEY_COUNT  8

struct gf_store *
history_open(const char *path)
{
    const struct gf_rocks_store_options options = {
        .path = path, .block_cache_bytes = 1 << 20, .segment_bytes = HISTORY_SEGMENT_BYTES};
    struct gf_store *store = NULL;
    struct gf_error error = {{0}};
    if (gf_rocks_store_open(&options, &store, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
    return store;
}

struct content {
    int64_t number;
    uint8_t filler[192];
};

static struct content
content_of(int64_t number)
{
    struct content content = {.number = number};
    memset(content.filler, (int)(number * 37 % 251), sizeof(content.filler));
    return content;
}

enum gf_rc
history_write(struct gf_store *store, int64_t number, struct gf_error *error)
{
    const uint32_t slice = (uint32_t)(number % SLICE_USED);
    const char key[2] = {'c', (char)('0' + number / SLICE_USED % KEY_COUNT)};
    const struct content content = content_of(number);
    const struct gf_store_block blocks[] = {
        {.kind = GF_ENTITY_CUSTOMER,
         .key = gf_span_of(key, 2),
         .bytes = gf_span_of(&content, sizeof(content))},
        {.kind = GF_BLOCK_TIMERS, .bytes = gf_span_of(&content, sizeof(content))},
    };
    struct gf_slice_meta meta = {
        .batch = number, .journal_offset = number * 10, .entity_count = (uint64_t)number};
    memset(meta.digest.bytes, (int)(number & 0xff), sizeof(meta.digest.bytes));
    return store->ops->put_slice(store, SHARD, slice, &meta, blocks, 2, error);
}

struct check {
    int64_t batch;
    uint32_t slice, count;
};

/* The write that a block must come from when its slice has number `batch`; 0: the block is not
 * there. */
static int64_t
history_number(uint32_t slice, int64_t batch, uint32_t key)
{
    for (int64_t number = batch; number > 0; number--) {
        if (number % SLICE_USED == slice && number / SLICE_USED % KEY_COUNT == key) {
            return number;
        }
    }
    return 0;
}

static enum gf_rc
block_check(void *context, const struct gf_store_block *block, struct gf_error *error)
{
    (void)error;
    struct check *check = context;
    struct content content;
    assert_int_equal(block->bytes.size, sizeof(content));
    memcpy(&content, block->bytes.data, sizeof(content));
    int64_t wanted = check->batch;
    if (block->kind == GF_ENTITY_CUSTOMER) {
        wanted = history_number(check->slice, check->batch, (uint32_t)(block->key.data[1] - '0'));
    }
    const struct content right = content_of(wanted);
    assert_int_equal(content.number, wanted);
    assert_memory_equal(&content, &right, sizeof(content));
    check->count++;
    return GF_OK;
}

enum gf_rc
history_check(struct gf_store *store, int64_t *newest_out, struct gf_error *error)
{
    struct gf_slice_meta metas[GF_SLICE_COUNT];
    enum gf_rc rc = store->ops->metas(store, SHARD, metas, error);
    *newest_out = 0;
    for (uint32_t slice = 0; slice < GF_SLICE_COUNT && rc == GF_OK; slice++) {
        struct check check = {.batch = metas[slice].batch, .slice = slice};
        rc = store->ops->scan(store, SHARD, slice, block_check, &check, error);
        if (rc != GF_OK) {
            break;
        }
        uint32_t count = check.batch > 0;
        for (uint32_t key = 0; key < KEY_COUNT; key++) {
            count += history_number(slice, check.batch, key) > 0;
        }
        assert_int_equal(check.count, count);
        assert_int_equal(metas[slice].journal_offset, check.batch * 10);
        assert_int_equal(metas[slice].entity_count, check.batch);
        assert_int_equal(metas[slice].digest.bytes[5], check.batch & 0xff);
        *newest_out = check.batch > *newest_out ? check.batch : *newest_out;
    }
    return rc;
}

void
history_check_whole(const char *path, int64_t newest)
{
    struct gf_store *store = history_open(path);
    struct gf_error error = {{0}};
    int64_t found = 0;
    if (history_check(store, &found, &error) != GF_OK) {
        fail_msg("%s", error.text);
    }
    assert_true(found >= newest);
    store->ops->close(store);
}

/* Writes for each byte it is sent, and answers each write with a byte. A program of its own, since
 * a fork alone would lack the threads that RocksDB keeps for the whole process. */
int
writer_main(char **arguments)
{
    const struct gf_rocks_store_options options = {.path = arguments[0],
                                                   .segment_bytes = HISTORY_SEGMENT_BYTES};
    int64_t number = atoll(arguments[1]);
    const int ask = atoi(arguments[2]), answer = atoi(arguments[3]);
    struct gf_store *store = NULL;
    struct gf_error error;
    char byte = 0;
    if (gf_rocks_store_open(&options, &store, &error) != GF_OK || write(answer, &byte, 1) != 1) {
        return 1;
    }
    while (read(ask, &byte, 1) == 1) {
        if (history_write(store, number++, &error) != GF_OK || write(answer, &byte, 1) != 1) {
            return 1;
        }
    }
    return 0;
}

struct writer
writer_start(const char *path, int64_t number)
{
    int ask[2], answer[2];
    assert_int_equal(pipe(ask), 0);
    assert_int_equal(pipe(answer), 0);
    const pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test must not leave it behind */
        close(ask[1]);
        close(answer[0]);
        char texts[3][24];
        snprintf(texts[0], sizeof(texts[0]), "%lld", (long long)number);
        snprintf(texts[1], sizeof(texts[1]), "%d", ask[0]);
        snprintf(texts[2], sizeof(texts[2]), "%d", answer[1]);
        execl("/proc/self/exe", "writer", path, texts[0], texts[1], texts[2], NULL);
        _exit(1);
    }
    close(ask[0]);
    close(answer[1]);
    char byte = 0;
    assert_int_equal(read(answer[0], &byte, 1), 1); /* it is open */
    return (struct writer){.process = process, .ask = ask[1], .answer = answer[0]};
}

void
writer_ask(const struct writer *writer, uint32_t count, uint32_t running)
{
    char byte = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(write(writer->ask, &byte, 1), 1);
    }
    for (uint32_t i = running; i < count; i++) {
        assert_int_equal(read(writer->answer, &byte, 1), 1);
    }
}

void
writer_kill(const struct writer *writer)
{
    int status = 0;
    kill(writer->process, SIGKILL);
    assert_int_equal(waitpid(writer->process, &status, 0), writer->process);
    close(writer->ask);
    close(writer->answer);
}

int
store_folder_make(void **state)
{
    static char path[64];
    strcpy(path, "/tmp/gridfold-store-XXXXXX");
    *state = path;
    return mkdtemp(path) == NULL ? -1 : 0;
}

int
store_folder_remove(void **state)
{
    files_remove(*state);
    return 0;
}
