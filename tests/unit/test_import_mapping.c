/* Mappings: what is wrong with one is said with its line and column; what is right is compiled
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/import_build.h"
#include "io/import_mapping.h"

#define HEAD                                                                                       \
    "targets:\n  - topic: market.prices\n    key: DE\n    fields:\n" /* fields begin on line 5 */
#define REST                                                                                       \
    "      zone: DE\n"                                                                             \
    "      product: DAY_AHEAD\n"                                                                   \
    "      interval_s: 3600\n"                                                                     \
    "      currency: EUR\n"                                                                        \
    "      version: 1\n"
#define PRICE "      price_e8_per_kwh: {column: p, unit: EUR/MWh}\n"
#define TIMES "      interval_start: {column: t}\n      published_at: {column: t}\n"

static enum gf_rc
parse(const char *text, struct gf_import_mapping *out, struct gf_complaints *complaints)
{
    struct gf_error error = {.text = ""};
    memset(complaints, 0, sizeof *complaints);
    return gf_import_mapping_parse("m.yaml", text, strlen(text), out, complaints, &error);
}

static void
errors_name_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *says, *help;
    } cases[] = {
        {"targetz: []\n", 1, 1, "unknown key \"targetz\"", "\"targets\""},
        {"format: cvs\n" HEAD REST PRICE TIMES, 1, 9, "none of csv, ndjson", "\"csv\""},
        {"time_zone: Europe/Lodnon\n" HEAD REST PRICE TIMES, 1, 12, "no time zone",
         "Europe/London"},
        {"targets:\n  - topic: market.price\n    key: DE\n    fields: {}\n", 2, 12,
         "not an input topic", "market.prices"},
        {"targets:\n  - topic: fraud.flags\n    key: DE\n    fields: {}\n", 2, 12,
         "not an input topic", ""},
        {HEAD REST PRICE "      interval_strat: {column: t}\n" TIMES, 11, 7,
         "no field \"interval_strat\"", "interval_start"},
        {HEAD REST PRICE "      published_at: {column: t}\n", 5, 7,
         "needs the field \"interval_start\"", "Start"},
        {HEAD REST TIMES "      price_e8_per_kwh: {column: p}\n", 12, 25, "needs a unit", ""},
        {HEAD REST TIMES "      price_e8_per_kwh: {column: p, unit: EUR/MW}\n", 12, 43,
         "unit \"EUR/MW\"", ""},
        {HEAD REST TIMES "      price_e8_per_kwh: {column: p, unit: GBP/MWh}\n", 12, 43,
         "unit is in GBP", ""},
        {HEAD REST TIMES "      price_e8_per_kwh: {column: p, value: 1, unit: EUR/MWh}\n", 12, 25,
         "exactly one of", ""},
        {HEAD REST PRICE
         "      interval_start: {column: t, format: YY-MM}\n      published_at: {column: t}\n",
         11, 43, "not a time format", "rfc3339"},
        {HEAD REST PRICE
         "      interval_start: {column: t, shift: 1y}\n      published_at: {column: t}\n",
         11, 42, "not a duration", ""},
        {HEAD REST PRICE "      interval_start: {column: t, marks: interval_end}\n      "
                         "published_at: {column: t}\n",
         11, 42, "needs `interval`", ""},
        {HEAD REST PRICE
         "      interval_start: {column: t, at: 25:00}\n      published_at: {column: t}\n",
         11, 39, "not a time of day", ""},
        {HEAD REST PRICE TIMES "      version: 2\n", 13, 7, "", ""},
        {"targets:\n  - topic: meter.readings\n    key: \"{home\"\n    fields: {}\n", 3, 10,
         "without \"}\"", ""},
        {"targets:\n  - topic: meter.readings\n    each: load_b\n    key: x\n    fields: {}\n", 3,
         11, "one {name}", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gf_import_mapping mapping;
        struct gf_complaints complaints;
        print_message("%s\n", cases[i].text);
        assert_int_equal(parse(cases[i].text, &mapping, &complaints), GF_E_CONFIG);
        bool is_found = false;
        for (uint32_t j = 0; j < complaints.count; j++) {
            const struct gf_complaint *const item = &complaints.items[j];
            print_message("  %u:%u %s (%s)\n", item->line, item->column, item->text, item->help);
            is_found |= item->line == cases[i].line && item->column == cases[i].column &&
                        strstr(item->text, cases[i].says) != NULL &&
                        strstr(item->help, cases[i].help) != NULL;
        }
        assert_true(is_found);
    }
}

static void
wrong_constants_are_errors_of_the_mapping(void **state)
{
    (void)state;
    struct gf_import_mapping mapping;
    struct gf_complaints complaints;
    const char *const text = "targets:\n"
                             "  - topic: market.prices\n"
                             "    key: DE\n"
                             "    fields:\n"
                             "      zone: DE\n"
                             "      product: DAY_AHED\n"
                             "      interval_s: 3600.5\n"
                             "      currency: EUR\n"
                             "      version: one\n"
                             "      interval_start: 2016-13-01T00:00:00Z\n"
                             "      published_at: {column: t}\n"
                             "      price_e8_per_kwh: {column: p, unit: EUR/MWh}\n";
    assert_int_equal(parse(text, &mapping, &complaints), GF_E_CONFIG);
    assert_int_equal(complaints.count, 3); /* 3600.5 s is rounded: seconds have a unit */
    assert_int_equal(complaints.items[0].line, 6);
    assert_int_equal(complaints.items[0].column, 16);
    assert_string_equal(complaints.items[0].help, "did you mean \"DAY_AHEAD\"?");
    assert_int_equal(complaints.items[1].line, 9);
    assert_int_equal(complaints.items[2].line, 10);
}

static void
constants_are_folded(void **state)
{
    (void)state;
    struct gf_import_mapping mapping;
    struct gf_complaints complaints;
    assert_int_equal(parse(HEAD REST PRICE TIMES, &mapping, &complaints), GF_OK);
    assert_int_equal(mapping.target_count, 1);
    const struct gf_import_target *const target = &mapping.targets[0];
    assert_int_equal(target->rule_count,
                     3); /* a price and two times; the rest is in the prototype */
    assert_int_equal(target->reference_count, 2);
    const struct gf_market_price *const price = target->prototype;
    assert_int_equal(price->product, GF_MARKET_PRODUCT_DAY_AHEAD);
    assert_int_equal(price->interval_s, 3600);
    assert_true(gf_span_equal(price->currency, gf_span_text("EUR")));
    gf_import_mapping_free(&mapping);
}

static void
contracts_have_meters(void **state)
{
    (void)state;
    struct gf_import_mapping mapping;
    struct gf_complaints complaints;
    const char *const text =
        "targets:\n"
        "  - topic: customer.contracts\n"
        "    key: \"{c}\"\n"
        "    fields:\n"
        "      contract_id: \"{c}\"\n"
        "      version: 1\n"
        "      customer_class: RESIDENTIAL\n"
        "      capacity_w: 9.2 kW\n"
        "      tariff_id: T\n"
        "      area_id: A\n"
        "      zone: DE\n"
        "      time_zone: Europe/Berlin\n"
        "      currency: EUR\n"
        "      protections: []\n"
        "      meters: [{meter_id: M1, digits: 6, lsb_micro_kwh: 0.001 kWh, multiplier: 1,\n"
        "                valid_from: 2016-01-01, valid_to: null}]\n"
        "      valid_from: 2016-01-01T00:00:00Z\n"
        "      issued_at: 2016-01-01T00:00:00Z\n";
    assert_int_equal(parse(text, &mapping, &complaints), GF_OK);
    const struct gf_customer_contract *const contract = mapping.targets[0].prototype;
    assert_true(contract->has_capacity_w);
    assert_int_equal(contract->capacity_w, 9200);
    assert_int_equal(contract->meters.count, 1);
    assert_true(gf_span_equal(contract->meters.items[0].meter_id, gf_span_text("M1")));
    assert_int_equal(contract->meters.items[0].lsb_micro_kwh.micro_kwh, 1000);
    assert_false(contract->meters.items[0].has_valid_to);
    assert_int_equal(contract->meters.items[0].valid_from.us, INT64_C(1451606400000000));
    gf_import_mapping_free(&mapping);
}

static void
shipped_mappings_compile(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "config/import/lcl-daily.yaml",  "config/import/aemo-5min.yaml",
        "config/import/aemo-30min.yaml", "config/import/epf-prices.yaml",
        "config/import/citylearn.yaml",  "config/import/demo-homes.yaml",
        "config/import/demo-supply.yaml"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct gf_import_mapping mapping;
        struct gf_complaints complaints = {.count = 0};
        struct gf_error error = {.text = ""};
        const enum gf_rc rc = gf_import_mapping_load(paths[i], &mapping, &complaints, &error);
        print_message("%s: %s\n", paths[i], error.text);
        assert_int_equal(rc, GF_OK);
        gf_import_mapping_free(&mapping);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_their_place),
        cmocka_unit_test(wrong_constants_are_errors_of_the_mapping),
        cmocka_unit_test(constants_are_folded),
        cmocka_unit_test(contracts_have_meters),
        cmocka_unit_test(shipped_mappings_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
