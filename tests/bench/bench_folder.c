/* How fast the folder log is read: `bench_folder [records] [null|deflate|zstandard]`. Prints
 * records and bytes a second, of the best of five runs over a log in the page cache. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "codec/records.h"
#include "io/folder.h"

#define READ_COUNT 1024

static void
check(enum gf_rc rc, const struct gf_error *error)
{
    if (rc != GF_OK) {
        fprintf(stderr, "bench_folder: %s: %s\n", gf_rc_name(rc), error->text);
        exit(1);
    }
}

static double
seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t
log_fill(const char *path, int64_t count, enum gf_folder_codec codec)
{
    struct gf_error error = {{0}};
    struct gf_folder_writer *writer = NULL;
    const struct gf_folder_options options = {
        .path = path, .partitions = 1, .codec = codec, .no_sync = true};
    check(gf_folder_writer_open(&options, &writer, &error), &error);
    uint64_t size = 0;
    for (int64_t i = 0; i < count; i++) {
        char key[16], meter[24];
        const int key_size = snprintf(key, sizeof key, "C%07" PRId64, i % 20000);
        const int meter_size = snprintf(meter, sizeof meter, "M%09" PRId64, i % 20000);
        const struct gf_meter_reading reading = {
            .meter_id = gf_span_of(meter, (size_t)meter_size),
            .obis = gf_span_text("1-0:1.8.0"),
            .kind = 1,
            .interval_start = {(1767225600 + i / 20000 * 900) * GF_US_PER_S},
            .interval_s = 900,
            .energy_micro_kwh = {(int64_t)(gf_hash64(&i, sizeof i, 0) % 400000)},
            .quality = 1,
            .source = 1,
        };
        uint8_t body[256];
        struct gf_writer out = gf_writer_of(body, sizeof body);
        gf_meter_reading_encode(&out, &reading);
        const struct gf_record record = {
            .topic = GF_TOPIC_METER_READINGS,
            .offset = -1,
            .timestamp = {reading.interval_start.us + 900 * GF_US_PER_S},
            .has_key = true,
            .has_value = true,
            .key = gf_span_of(key, (size_t)key_size),
            .schema_id = gf_topics[GF_TOPIC_METER_READINGS].schema_id,
            .value = gf_span_of(body, gf_writer_size(&out)),
        };
        size += record.key.size + record.value.size;
        check(gf_folder_writer_append(writer, &record, &error), &error);
    }
    check(gf_folder_writer_close(writer, &error), &error);
    return size;
}

static double
log_read(const char *path, int64_t count)
{
    struct gf_error error = {{0}};
    struct gf_source *source = NULL;
    check(gf_folder_source_open(path, NULL, &source, &error), &error);
    static struct gf_record records[READ_COUNT];
    int64_t offset = 0, seen = 0;
    const double start = seconds_now();
    while (offset < count) {
        uint32_t got = 0;
        check(source->ops->read(source, 0, GF_TOPIC_METER_READINGS, 0, offset, count,
                                (struct gf_duration){0}, records, READ_COUNT, &got, &offset,
                                &error),
              &error);
        seen += got;
        source->ops->release(source, 0, GF_TOPIC_METER_READINGS, 0, offset);
    }
    const double seconds = seconds_now() - start;
    source->ops->close(source);
    if (seen != count) {
        fprintf(stderr, "bench_folder: read %" PRId64 " of %" PRId64 " records\n", seen, count);
        exit(1);
    }
    return seconds;
}

int
main(int argc, char **argv)
{
    const int64_t count = argc > 1 ? atoll(argv[1]) : 2000000;
    const char *codec_name = argc > 2 ? argv[2] : "null";
    const enum gf_folder_codec codec = strcmp(codec_name, "deflate") == 0 ? GF_FOLDER_CODEC_DEFLATE
                                       : strcmp(codec_name, "zstandard") == 0
                                           ? GF_FOLDER_CODEC_ZSTANDARD
                                           : GF_FOLDER_CODEC_NULL;
    char path[] = "/tmp/gridfold-bench-XXXXXX";
    if (mkdtemp(path) == NULL) {
        perror("bench_folder");
        return 1;
    }
    const double started = seconds_now();
    const uint64_t size = log_fill(path, count, codec);
    const double filled = seconds_now() - started;
    double best = 1e9;
    for (int run = 0; run < 5; run++) {
        const double seconds = log_read(path, count);
        best = seconds < best ? seconds : best;
    }
    printf("folder read  %s: %.1f M records/s, %.0f ns a record of %.0f bytes (key and value)\n",
           codec_name, (double)count / best / 1e6, best / (double)count * 1e9,
           (double)size / (double)count);
    printf("folder write %s: %.1f M records/s\n", codec_name, (double)count / filled / 1e6);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", path);
    return system(command) == 0 ? 0 : 1;
}
