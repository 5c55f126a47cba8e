/* bench_feature: what folding one reading into the features costs, hot, per interval length. */
#include <time.h>

#include "feature_maker.h"
#include "reference_maker.h"

#define READING_COUNT 200000

static struct gf_reference *
reference_make(void)
{
    struct gf_reference *const reference = maker_reference();
    maker_plan(reference);
    return reference;
}

/* The prices of a day come as on a day-ahead market, so that those asked for are among the newest.
 */
static void
prices_add(struct gf_reference *reference, struct gf_time day)
{
    for (int64_t hour = 0; hour < 24; hour++) {
        maker_price(reference, (struct gf_time){day.us + hour * GF_US_PER_HOUR}, 3000000 + hour);
    }
}

static double
now_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double
run(struct gf_reference *reference, const struct gf_zone *zone, int32_t interval_s, bool with_days)
{
    static struct gf_features features;
    struct gf_change change;
    struct gf_feature_context context = {
        .params = &maker_params, .reference = reference, .zone = zone, .shard_time = GF_TIME_NONE};
    const struct gf_customer_contract contract = maker_contract();
    gf_features_init(&features);
    if (maker_apply(&features, &context, GF_TOPIC_CUSTOMER_CONTRACTS, &contract, &change) !=
        GF_OK) {
        abort();
    }
    struct gf_time start = maker_time("2016-01-01");
    double spent = 0;
    uint32_t count = 0;
    while (count < READING_COUNT) {
        /* Slots are timed together, those that close a day apart, with the cost of the clock. */
        if (reference != NULL) {
            prices_add(reference, start);
        }
        const uint32_t slots = 86400 / (uint32_t)interval_s;
        for (uint32_t slot = 0; slot < slots; slot++) {
            const double begin = with_days || slot == 1 ? now_ns() : 0;
            const struct gf_meter_reading reading =
                maker_reading(start, interval_s, 100000 + (int64_t)(count * 7919 % 300000));
            if (maker_apply(&features, &context, GF_TOPIC_METER_READINGS, &reading, &change) !=
                GF_OK) {
                abort();
            }
            start.us += interval_s * GF_US_PER_S;
            if (with_days && change.day_closed) {
                spent += now_ns() - begin;
                count++;
            } else if (slot == 1 && !with_days) {
                spent -= begin;
            }
        }
        spent += with_days ? 0 : now_ns();
        count += with_days ? 0 : slots - 1;
        if (with_days && count > 2000) {
            break;
        }
    }
    return spent / count;
}

int
main(void)
{
    static const int32_t lengths[] = {300, 900, 1800, 3600};
    static struct gf_zone zone;
    maker_zone("Europe/Berlin", &zone);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        (void)printf("%5d s: %6.1f ns a reading, %6.1f without contract terms and prices, %7.1f "
                     "the first of a day\n",
                     lengths[i], run(reference_make(), &zone, lengths[i], false),
                     run(NULL, &zone, lengths[i], false),
                     run(reference_make(), &zone, lengths[i], true));
    }
    return 0;
}
