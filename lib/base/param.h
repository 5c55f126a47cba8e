/* Parameters as data: a row makes the parser, the help, the printed effective configuration and the
 * manual. A struct of parameters is described by rows; config/ fills it from YAML, the owner only
 * reads it. */
#ifndef GF_BASE_PARAM_H
#define GF_BASE_PARAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/unit.h"

enum gf_param_type {
    GF_PARAM_BOOL,     /* bool: true, false */
    GF_PARAM_INT,      /* int64_t */
    GF_PARAM_REAL,     /* double; for features and scores only */
    GF_PARAM_DURATION, /* struct gf_duration: 90s, 15m, 48h, 30d */
    GF_PARAM_MONEY,    /* struct gf_money: 12.50 */
    GF_PARAM_PRICE,    /* struct gf_price: 0.25 (currency per kWh) */
    GF_PARAM_ENERGY,   /* struct gf_energy: 0.5 (kWh) */
    GF_PARAM_SIZE,     /* int64_t bytes: 64MiB, 2GiB */
    GF_PARAM_TEXT,     /* char[size], NUL-terminated */
    GF_PARAM_CHOICE,   /* int32_t: index into `choices` */
    GF_PARAM_TABLE, /* YAML sequence of mappings: rows of a struct, at most rows_max, their count at
                       count_offset */
};

struct gf_param {
    const char *name; /* snake_case */
    const char *doc;  /* one sentence */
    const char *unit; /* shown with the value; NULL where there is none */
    enum gf_param_type type;
    uint32_t offset;     /* in the owner's struct; of the first row for TABLE */
    uint32_t size;       /* TEXT: of the buffer. TABLE: of one row */
    const char *initial; /* default, as it would be written; NULL: must be given. TABLE: a YAML flow
                            sequence */
    double min,
        max; /* in the unit written (days of a DURATION count as seconds); both 0: no limit */
    bool
        is_fold; /* part of the fold: journalled as configuration, changes take effect at a batch */
    const char *const *choices;  /* CHOICE: NULL-terminated */
    const struct gf_param *rows; /* TABLE: the columns */
    uint32_t row_param_count;
    uint32_t rows_max;
    uint32_t count_offset; /* TABLE: of a uint32_t */
};

#endif
