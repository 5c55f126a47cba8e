#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config_text.h"

struct gf_complaints complaints;

struct gf_config *
config_read(const char *text, const char *const *overrides, uint32_t override_count)
{
    complaints = (struct gf_complaints){.count = 0};
    struct gf_config *config = NULL;
    const enum gf_rc rc = gf_config_parse("etc/f.yaml", text, strlen(text), overrides,
                                          override_count, &config, &complaints);
    assert_int_equal(rc == GF_OK, complaints.count == 0);
    return config;
}

char *
complaints_text(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const file = open_memstream(&text, &size);
    assert_non_null(file);
    gf_complaints_print(&complaints, file);
    fclose(file);
    return text;
}

struct gf_config *
config_good(const char *text, const char *const *overrides, uint32_t override_count)
{
    struct gf_config *const config = config_read(text, overrides, override_count);
    if (config == NULL) {
        fail_msg("%s", complaints_text());
    }
    return config;
}
