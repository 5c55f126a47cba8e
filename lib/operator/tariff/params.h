/* Rows of struct gf_tariff_params. */
#ifndef GF_OPERATOR_TARIFF_PARAMS_H
#define GF_OPERATOR_TARIFF_PARAMS_H

#include "base/param.h"

#define TARIFF_PARAM_COUNT 18

extern const struct gf_param tariff_params[TARIFF_PARAM_COUNT];

#endif
