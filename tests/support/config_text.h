/* Configurations out of texts, for tests. */
#ifndef GF_TESTS_CONFIG_TEXT_H
#define GF_TESTS_CONFIG_TEXT_H

#include "config/config.h"

/* Complaints of the last text that was read. */
extern struct gf_complaints complaints;

/* NULL when there are complaints. */
struct gf_config *config_read(const char *text, const char *const *overrides,
                              uint32_t override_count);
/* A good configuration, or the test fails with its complaints. */
struct gf_config *config_good(const char *text, const char *const *overrides,
                              uint32_t override_count);
/* The complaints as people see them; the caller frees. */
char *complaints_text(void);

#endif
