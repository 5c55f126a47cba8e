/* The run: day by day, interval by interval, partition by partition, customer by customer. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/simulate_private.h"

static enum gf_rc
stages_check(const struct gf_simulate_options *options, struct gf_error *error)
{
    if ((options->with_areas || options->headend_ppm > 0) && options->is_plain &&
        !options->with_contracts) {
        return gf_fail(error, GF_E_USAGE, "areas and a head-end need contracts");
    }
    if (options->with_areas && options->interval_s > HOUR_S) {
        return gf_fail(error, GF_E_USAGE, "areas: an interval of an hour or less, not %u s",
                       options->interval_s);
    }
    for (uint32_t i = 0; options->with_areas && i < options->days; i++) {
        const struct gf_time start = gf_day_start(options->zone, options->start_day + (int32_t)i);
        if (start.us % GF_US_PER_HOUR != 0) { /* totals are of hours of UTC */
            return gf_fail(error, GF_E_USAGE,
                           "areas: a day of %s does not begin with an hour of UTC",
                           options->zone->name);
        }
    }
    return GF_OK;
}

static enum gf_rc
options_check(const struct gf_simulate_options *options, struct gf_error *error)
{
    if (options->customers == 0 || options->customers > GF_SIMULATE_CUSTOMER_COUNT_MAX) {
        return gf_fail(error, GF_E_USAGE, "customers: 1 to %d, not %u",
                       GF_SIMULATE_CUSTOMER_COUNT_MAX, options->customers);
    }
    if (options->days == 0 || options->days > GF_SIMULATE_DAY_COUNT_MAX) {
        return gf_fail(error, GF_E_USAGE, "days: 1 to %d, not %u", GF_SIMULATE_DAY_COUNT_MAX,
                       options->days);
    }
    if (options->interval_s != 900 && options->interval_s != 1800 &&
        options->interval_s != HOUR_S && options->interval_s != DAY_S) {
        return gf_fail(error, GF_E_USAGE, "interval: 15m, 30m, 1h or 1d, not %u s",
                       options->interval_s);
    }
    if (options->theft_ppm > PPM || options->arrears_ppm > PPM || options->headend_ppm > PPM) {
        return gf_fail(error, GF_E_USAGE, "a rate is between 0 and 1");
    }
    /* Contracts begin two years before; no time may be before 1970. */
    if (options->start_day < 1000 || options->start_day > gf_days_from_date(2170, 1, 1)) {
        return gf_fail(error, GF_E_USAGE, "start: a day from 1973 to 2169");
    }
    assert(options->partitions > 0);
    return stages_check(options, error);
}

/* A step of one customer. */
typedef enum gf_rc customer_step(struct sim *sim, uint32_t partition,
                                 struct sim_customer *customer);

static enum gf_rc
customers_step(struct sim *sim, customer_step *step)
{
    enum gf_rc rc = GF_OK;
    for (uint32_t partition = 0; partition < sim->options->partitions; partition++) {
        const uint32_t end = sim->partition_first[partition + 1];
        for (uint32_t i = sim->partition_first[partition]; rc == GF_OK && i < end; i++) {
            rc = step(sim, partition, &sim->customers[i]);
        }
    }
    return rc;
}

static enum gf_rc
contract_step(struct sim *sim, uint32_t partition, struct sim_customer *customer)
{
    const struct gf_time issued_at = gf_day_start(sim->options->zone, sim->options->start_day - 1);
    return sim_emit_contract(sim, partition, customer, issued_at);
}

static enum gf_rc
day_step(struct sim *sim, uint32_t partition, struct sim_customer *customer)
{
    sim_customer_day(sim, customer);
    return sim->options->is_plain ? GF_OK : sim_meter_day(sim, partition, customer);
}

static bool
is_reference_wanted(const struct sim *sim)
{
    return !sim->options->is_plain || sim->options->with_contracts;
}

static enum gf_rc
bills_make(struct sim *sim)
{
    struct gf_civil civil;
    gf_civil_of(sim->options->zone, sim->today.start, &civil);
    if (civil.day != 1 || sim->today.day == sim->options->start_day) {
        return GF_OK;
    }
    const enum gf_rc rc = customers_step(sim, sim_bill_month);
    sim->bill_from = sim->today.start;
    return rc;
}

static enum gf_rc
day_begin(struct sim *sim, int32_t day)
{
    sim_day_make(sim, day, &sim->today);
    enum gf_rc rc = is_reference_wanted(sim) ? sim_market_day(sim, day, false) : GF_OK;
    if (rc == GF_OK && !sim->options->is_plain) {
        rc = bills_make(sim);
    }
    return rc == GF_OK ? customers_step(sim, day_step) : rc;
}

static enum gf_rc
slot_run(struct sim *sim, const struct sim_slot *slot)
{
    enum gf_rc rc = GF_OK;
    for (uint32_t partition = 0; rc == GF_OK && partition < sim->options->partitions; partition++) {
        const uint32_t end = sim->partition_first[partition + 1];
        rc = sim_emit_due(sim, partition, slot->end);
        for (uint32_t i = sim->partition_first[partition]; rc == GF_OK && i < end; i++) {
            rc = sim_meter_slot(sim, partition, &sim->customers[i], slot);
        }
    }
    if (rc == GF_OK) {
        rc = sim_areas_hour(sim, slot->end);
    }
    sim->emitted_until = slot->end;
    if (rc == GF_OK && sim->options->progress != NULL) {
        sim->options->progress(sim->options->progress_context, &sim->summary);
    }
    return rc;
}

static enum gf_rc
days_run(struct sim *sim)
{
    enum gf_rc rc = GF_OK;
    for (uint32_t i = 0; rc == GF_OK && i < sim->options->days; i++) {
        rc = day_begin(sim, sim->options->start_day + (int32_t)i);
        for (uint32_t slot = 0; rc == GF_OK && slot < sim->today.slot_count; slot++) {
            rc = slot_run(sim, &sim->today.slots[slot]);
        }
        if (rc == GF_OK && sim->options->with_registers && !sim->options->is_plain) {
            rc = customers_step(sim, sim_meter_stand);
        }
        sim->summary.day_count += rc == GF_OK ? 1 : 0;
    }
    return rc;
}

static enum gf_rc
world_publish(struct sim *sim)
{
    if (!is_reference_wanted(sim)) {
        return GF_OK;
    }
    enum gf_rc rc = sim_plans_publish(sim);
    if (rc == GF_OK) {
        rc = customers_step(sim, contract_step);
    }
    return rc == GF_OK ? sim_market_day(sim, sim->options->start_day - 1, true) : rc;
}

static void
sim_fini(struct sim *sim)
{
    for (uint32_t i = 0; sim->queues != NULL && i < sim->options->partitions; i++) {
        sim_queue_fini(&sim->queues[i]);
    }
    free(sim->queues);
    free(sim->partition_first);
    free(sim->customers);
    free(sim->weights);
}

enum gf_rc
gf_simulate(const struct gf_simulate_options *options, struct gf_simulate_summary *out,
            struct gf_error *error)
{
    enum gf_rc rc = options_check(options, error);
    if (rc != GF_OK) {
        return rc;
    }
    struct sim sim = {.options = options, .error = error};
    sim.emitted_until = GF_TIME_NONE;
    sim.bill_from = gf_day_start(options->zone, options->start_day);
    rc = sim_weights_make(&sim);
    if (rc == GF_OK) {
        rc = sim_customers_make(&sim);
    }
    if (rc == GF_OK) {
        rc = world_publish(&sim);
    }
    if (rc == GF_OK) {
        rc = days_run(&sim);
    }
    sim_fini(&sim);
    if (rc == GF_OK && options->truth != NULL &&
        (fflush(options->truth) != 0 || ferror(options->truth) != 0)) {
        rc =
            gf_fail(error, errno == ENOSPC ? GF_E_NO_SPACE : GF_E_IO, "truth: %s", strerror(errno));
    }
    if (rc == GF_OK) {
        *out = sim.summary;
    }
    return rc;
}
