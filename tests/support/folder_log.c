#include "folder_log.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/records.h"
#include "codec/wire.h"

void
rc_assert(enum gf_rc rc, enum gf_rc wanted, const struct gf_error *error, const char *file,
          int line)
{
    if (rc != wanted) {
        print_error("%s is not %s: %s\n", rc == GF_OK ? "OK" : gf_rc_name(rc),
                    wanted == GF_OK ? "OK" : gf_rc_name(wanted), rc == GF_OK ? "" : error->text);
        _fail(file, line);
    }
}

void
folder_make(char out[FOLDER_PATH_SIZE])
{
    const char *base = getenv("TMPDIR");
    snprintf(out, FOLDER_PATH_SIZE, "%s/gridfold-test-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(out));
}

void
folder_remove(const char *path)
{
    char command[FOLDER_PATH_SIZE + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

void
folder_copy(const char *from, const char *to)
{
    char command[2 * FOLDER_PATH_SIZE + 32];
    snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    assert_int_equal(system(command), 0);
}

void
folder_assert_equal(const char *left, const char *right)
{
    char command[2 * FOLDER_PATH_SIZE + 64];
    snprintf(command, sizeof command, "diff -r --exclude=lock '%s' '%s'", left, right);
    assert_int_equal(system(command), 0);
}

void
file_path(char out[FOLDER_PATH_SIZE], const char *log, const char *rest)
{
    snprintf(out, FOLDER_PATH_SIZE, "%s/%s", log, rest);
}

int64_t
file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

void
file_cut(const char *path, int64_t size)
{
    assert_int_equal(truncate(path, size), 0);
}

void
file_append(const char *path, const void *data, size_t size)
{
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
}

void
file_flip(const char *path, int64_t position)
{
    const int fd = open(path, O_RDWR);
    uint8_t byte = 0;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, position), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, position), 1);
    close(fd);
}

uint32_t
file_count(const char *log, const char *topic, uint32_t partition, uint32_t *open_out)
{
    char path[FOLDER_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s/%u", log, topic, partition);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    uint32_t count = 0;
    *open_out = 0;
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += strstr(entry->d_name, ".avro") != NULL;
        *open_out += strstr(entry->d_name, ".avro.open") != NULL;
    }
    closedir(dir);
    return count;
}

struct gf_record
reading_of(uint32_t partition, int64_t number)
{
    static char meter[24], key[24];
    static uint8_t body[256];
    snprintf(meter, sizeof meter, "M%lld", (long long)number % 97);
    snprintf(key, sizeof key, "C%lld", (long long)number % 97);
    const struct gf_meter_reading reading = {
        .meter_id = gf_span_text(meter),
        .obis = gf_span_text("1-0:1.8.0"),
        .kind = 1,
        .interval_start = {number * 900 * GF_US_PER_S},
        .interval_s = 900,
        .energy_micro_kwh = {number * 7919 % 500000},
        .quality = 1,
        .source = 1,
    };
    struct gf_writer writer = gf_writer_of(body, sizeof body);
    gf_meter_reading_encode(&writer, &reading);
    assert_false(writer.overflowed);
    return (struct gf_record){
        .topic = GF_TOPIC_METER_READINGS,
        .partition = partition,
        .offset = -1,
        .timestamp = {number * 1000},
        .has_key = true,
        .has_value = true,
        .key = gf_span_text(key),
        .schema_id = gf_topics[GF_TOPIC_METER_READINGS].schema_id,
        .value = gf_span_of(body, gf_writer_size(&writer)),
    };
}

static void
record_assert(const struct gf_record *record, const struct gf_record *wanted)
{
    assert_int_equal(record->topic, wanted->topic);
    assert_int_equal(record->partition, wanted->partition);
    assert_int_equal(record->timestamp.us, wanted->timestamp.us);
    assert_int_equal(record->has_key, wanted->has_key);
    assert_int_equal(record->has_value, wanted->has_value);
    assert_true(gf_span_equal(record->key, wanted->key));
    assert_int_equal(record->schema_id, wanted->schema_id);
    assert_true(gf_span_equal(record->value, wanted->value));
    assert_false(record->is_framed);
}

void
reading_assert(const struct gf_record *record, int64_t number)
{
    const struct gf_record wanted = reading_of(record->partition, number);
    record_assert(record, &wanted);
}

/* A record of the topic with every field at its default is valid Avro; the number is in key and
 * time. */
struct gf_output
output_of(enum gf_topic topic, uint32_t partition, int64_t number)
{
    static union gf_record_body blank;
    static uint8_t body[1024];
    static char key[24];
    struct gf_writer writer = gf_writer_of(body, sizeof body);
    gf_topics[topic].encode(&writer, &blank);
    assert_false(writer.overflowed);
    snprintf(key, sizeof key, "K%lld", (long long)number);
    return (struct gf_output){
        .topic = topic,
        .partition = partition,
        .timestamp = {number},
        .key = gf_span_text(key),
        .body = gf_span_of(body, gf_writer_size(&writer)),
    };
}

void
output_assert(const struct gf_record *record, int64_t number)
{
    const struct gf_output output =
        output_of((enum gf_topic)record->topic, record->partition, number);
    const struct gf_record wanted = {
        .topic = record->topic,
        .partition = record->partition,
        .timestamp = output.timestamp,
        .has_key = true,
        .has_value = true,
        .key = output.key,
        .schema_id = gf_topics[record->topic].schema_id,
        .value = output.body,
    };
    record_assert(record, &wanted);
}

void
ends_assert(struct gf_source *source, enum gf_topic topic, uint32_t partition, int64_t first,
            int64_t end)
{
    struct gf_error error = {{0}};
    int64_t got_first = -1, got_end = -1;
    assert_ok(source->ops->ends(source, topic, partition, &got_first, &got_end, &error));
    assert_int_equal(got_first, first);
    assert_int_equal(got_end, end);
}

void
log_assert(const char *log, enum gf_topic topic, uint32_t partition, int64_t count, uint32_t step,
           void (*assert_record)(const struct gf_record *, int64_t))
{
    struct gf_error error = {{0}};
    struct gf_source *source = NULL;
    struct gf_record records[64];
    assert_true(step <= 64);
    assert_ok(gf_folder_source_open(log, NULL, &source, &error));
    ends_assert(source, topic, partition, 0, count);
    for (int64_t offset = 0; offset < count;) {
        uint32_t got = 0;
        int64_t next = 0;
        assert_ok(source->ops->read(source, 0, topic, partition, offset, INT64_MAX,
                                    (struct gf_duration){0}, records, step, &got, &next, &error));
        assert_true(got > 0);
        for (uint32_t i = 0; i < got; i++) {
            assert_int_equal(records[i].offset, offset + i);
            assert_record(&records[i], offset + i);
        }
        assert_int_equal(next, offset + got);
        offset = next;
        source->ops->release(source, 0, topic, partition, offset);
    }
    source->ops->close(source);
}
