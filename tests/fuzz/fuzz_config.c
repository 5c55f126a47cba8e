/* Any text as a configuration file, and as an effective text out of a journal. What is taken must
 * print and read back as the same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
effective_check(const struct gf_config *config)
{
    static char text[GF_CONFIG_EFFECTIVE_SIZE], again[GF_CONFIG_EFFECTIVE_SIZE];
    const size_t size = gf_config_effective(config, text, sizeof(text));
    assert(size < sizeof(text));
    struct gf_config *copy = NULL;
    const enum gf_rc rc = gf_config_from_effective(text, size, &copy, NULL);
    assert(rc == GF_OK);
    gf_config_effective(copy, again, sizeof(again));
    assert(strcmp(text, again) == 0);
    gf_config_free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gf_complaints complaints = {.count = 0};
    struct gf_config *config = NULL;
    if (gf_config_parse("f.yaml", (const char *)data, size, NULL, 0, &config, &complaints) ==
        GF_OK) {
        effective_check(config);
        gf_config_free(config);
    } else {
        assert(complaints.count > 0 && complaints.count <= GF_COMPLAINT_COUNT_MAX);
        FILE *const sink = fopen("/dev/null", "w");
        assert(sink != NULL);
        gf_complaints_print(&complaints, sink);
        fclose(sink);
    }
    struct gf_error error = {.text = ""};
    config = NULL;
    if (gf_config_from_effective((const char *)data, size, &config, &error) == GF_OK) {
        effective_check(config);
        gf_config_free(config);
    } else {
        assert(error.text[0] != '\0');
    }
    return 0;
}
