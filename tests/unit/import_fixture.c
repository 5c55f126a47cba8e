/* The fixture of the import tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/json.h"
#include "import_fixture.h"

int
import_setup(void **state)
{
    struct import_fixture *const fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->dir, "/tmp/test_import.XXXXXX");
    if (fixture == NULL || mkdtemp(fixture->dir) == NULL) {
        return -1;
    }
    snprintf(fixture->log, sizeof fixture->log, "%s/log", fixture->dir);
    snprintf(fixture->file, sizeof fixture->file, "%s/in", fixture->dir);
    *state = fixture;
    return 0;
}

int
import_teardown(void **state)
{
    struct import_fixture *const fixture = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", fixture->dir);
    const int status = system(command);
    free(fixture);
    return status;
}

void
import_file_write(const struct import_fixture *fixture, const void *data, size_t size)
{
    FILE *const file = fopen(fixture->file, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void
reject_note(void *context, const char *file, uint64_t line, const char *reason)
{
    struct import_fixture *const fixture = context;
    (void)file;
    fixture->reject_count++;
    fixture->reject_line = line;
    snprintf(fixture->reason, sizeof fixture->reason, "%s", reason);
}

static void
warning_note(void *context, const char *text)
{
    struct import_fixture *const fixture = context;
    snprintf(fixture->warning, sizeof fixture->warning, "%s", text);
}

enum gf_rc
import_with(struct import_fixture *fixture, const char *mapping_text,
            struct gf_import_options options, struct gf_import_summary *summary)
{
    static struct gf_complaints complaints;
    struct gf_import_mapping mapping;
    struct gf_error error = {.text = ""};
    memset(&complaints, 0, sizeof complaints);
    enum gf_rc rc = gf_import_mapping_parse("m.yaml", mapping_text, strlen(mapping_text), &mapping,
                                            &complaints, &error);
    if (rc != GF_OK) {
        fail_msg("%s", error.text);
    }
    const char *const files[] = {fixture->file};
    options.mapping = &mapping;
    char to[sizeof fixture->log + 8];
    snprintf(to, sizeof to, "folder:%s", fixture->log);
    options.to = to;
    options.files = files;
    options.file_count = 1;
    options.log.no_sync = true;
    options.context = fixture;
    options.reject = reject_note;
    options.warn = warning_note;
    fixture->reject_count = 0;
    fixture->warning[0] = '\0';
    rc = gf_import_run(&options, summary, &error);
    print_message("%s\n", error.text);
    assert_int_equal(summary->all.rows,
                     summary->all.records + summary->all.filtered + summary->all.rejected);
    gf_import_mapping_free(&mapping);
    return rc;
}

enum gf_rc
import_text(struct import_fixture *fixture, const char *mapping, const char *text,
            struct gf_import_summary *summary)
{
    import_file_write(fixture, text, strlen(text));
    return import_with(fixture, mapping, (struct gf_import_options){.log.partitions = 2}, summary);
}

/* The records of a partition, as "key json" lines. */
void
import_log_print(const struct import_fixture *fixture, enum gf_topic topic, uint32_t partition,
                 char *out, size_t size)
{
    struct gf_source *source = NULL;
    struct gf_error error;
    int64_t first = 0, end = 0, next = 0;
    size_t at = 0;
    out[0] = '\0';
    assert_int_equal(gf_folder_source_open(fixture->log, NULL, &source, &error), GF_OK);
    assert_int_equal(source->ops->ends(source, topic, partition, &first, &end, &error), GF_OK);
    for (int64_t offset = first; offset < end; offset = next) {
        struct gf_record record;
        uint32_t count = 0;
        static uint8_t memory[8192];
        _Alignas(16) uint8_t body[1024];
        assert_int_equal(source->ops->read(source, 0, topic, partition, offset, end,
                                           (struct gf_duration){0}, &record, 1, &count, &next,
                                           &error),
                         GF_OK);
        assert_int_equal(count, 1);
        struct gf_arena arena = gf_arena_of(memory, sizeof memory);
        struct gf_reader reader = gf_reader_of(record.value);
        assert_int_equal(gf_topics[topic].decode(&reader, &arena, body), GF_OK);
        at += (size_t)snprintf(out + at, size - at, "%.*s ", GF_SPAN_PRINT(record.key));
        at += gf_json_print_human(gf_topics[topic].type, body, out + at, size - at);
        at += (size_t)snprintf(out + at, size - at, "\n");
        assert_true(at < size);
    }
    source->ops->close(source);
}

uint64_t
import_log_count(const struct import_fixture *fixture, enum gf_topic topic)
{
    struct gf_source *source = NULL;
    struct gf_error error;
    uint32_t count = 0;
    uint64_t records = 0;
    assert_int_equal(gf_folder_source_open(fixture->log, NULL, &source, &error), GF_OK);
    assert_int_equal(source->ops->partitions(source, topic, &count, &error), GF_OK);
    for (uint32_t i = 0; i < count; i++) {
        int64_t first = 0, end = 0;
        assert_int_equal(source->ops->ends(source, topic, i, &first, &end, &error), GF_OK);
        records += (uint64_t)(end - first);
    }
    source->ops->close(source);
    return records;
}
