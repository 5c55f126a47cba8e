/* gridfold-schemas [--only FOLDER] OUTDIR FILE...: makes our records' C from Avro schemas, at build
 * time.
 *
 * With --only, just the files in that folder: a build tool wants to know which command makes which
 * file.
 *
 *   OUTDIR/model/records.h   structs and enums
 *   OUTDIR/codec/records.h   decode, skip, encode, type tables, topics
 *   OUTDIR/codec/records.c */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "emit.h"

static const struct {
    const char *folder, *path;
    void (*emit)(struct text *out, const struct model *model);
} files[] = {
    {"model", "model/records.h", emit_model_header},
    {"codec", "codec/records.h", emit_codec_header},
    {"codec", "codec/records.c", emit_codec_source},
};

static enum gf_rc
files_write(const char *folder, const char *only, const struct model *model, struct gf_error *error)
{
    (void)mkdir(folder, 0777); /* may be there; if not, the file below says so */
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct text text = {0};
        if (only != NULL && strcmp(files[i].folder, only) != 0) {
            continue;
        }
        files[i].emit(&text, model);
        (void)mkdir(keep_text("%s/%s", folder, files[i].folder), 0777);
        const enum gf_rc rc =
            text_file_write(keep_text("%s/%s", folder, files[i].path), &text, error);
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

int
main(int argument_count, char **arguments)
{
    const char *only = NULL;
    int first = 1;
    if (argument_count > 2 && strcmp(arguments[1], "--only") == 0) {
        only = arguments[2];
        first = 3;
    }
    if (argument_count < first + 2) {
        (void)fprintf(stderr, "usage: gridfold-schemas [--only model|codec] OUTDIR FILE...\n");
        return 64;
    }
    struct gf_error error = {0};
    struct model *const model = keep(sizeof *model);
    const char *const *const paths = (const char *const *)arguments + first + 1;
    enum gf_rc rc = model_read(model, paths, (uint32_t)(argument_count - first - 1), &error);
    if (rc == GF_OK) {
        rc = files_write(arguments[first], only, model, &error);
    }
    if (rc != GF_OK) {
        (void)fprintf(stderr, "gridfold-schemas: %s\n", error.text);
    }
    model_fini(model);
    keep_end();
    return rc == GF_OK ? 0 : 1;
}
