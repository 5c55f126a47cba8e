/* Records and truth: every topic's body is made here and handed to the target. */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/hash.h"
#include "base/unit.h"
#include "codec/records.h"
#include "io/simulate_private.h"

#define BODY_SIZE_MAX 4096
#define CONTRACT_AGE  (INT64_C(700) * GF_US_PER_DAY) /* how long before the start supply began */

const char *
gf_simulate_fact_name(enum gf_simulate_fact fact)
{
    static const char *const names[GF_FACT_COUNT] = {
#define GF_SIMULATE_FACT_NAME(code, name) [GF_FACT_##code] = name,
        GF_SIMULATE_FACTS(GF_SIMULATE_FACT_NAME)
#undef GF_SIMULATE_FACT_NAME
    };
    assert(fact >= 0 && fact < GF_FACT_COUNT);
    return names[fact];
}

enum gf_rc
sim_emit(struct sim *sim, enum gf_topic topic, uint32_t partition, struct gf_span key,
         struct gf_time timestamp, const void *body)
{
    uint8_t data[BODY_SIZE_MAX];
    struct gf_writer writer = gf_writer_of(data, sizeof data);
    if (topic == GF_TOPIC_METER_READINGS) {
        gf_meter_reading_encode(&writer, body);
    } else {
        gf_topics[topic].encode(&writer, body);
    }
    assert(!writer.overflowed);
    const struct gf_record record = {
        .topic = topic,
        .partition = partition,
        .offset = -1,
        .timestamp = timestamp,
        .has_key = true,
        .has_value = true,
        .key = key,
        .schema_id = gf_topics[topic].schema_id,
        .value = gf_span_of(data, gf_writer_size(&writer)),
    };
    const struct gf_simulate_target *target = &sim->options->target;
    const enum gf_rc rc = target->append(target->context, &record, sim->error);
    sim->summary.records[topic]++;
    sim->summary.record_count++;
    return rc;
}

uint32_t
sim_id(char kind, uint32_t number, uint32_t generation, char out[SIM_ID_SIZE])
{
    out[0] = kind;
    for (int i = 8; i > 0; i--) {
        out[i] = (char)('0' + number % 10);
        number /= 10;
    }
    if (generation == 0) {
        return 9;
    }
    assert(generation < 10);
    out[9] = '-';
    out[10] = (char)('0' + generation);
    return 11;
}

enum gf_rc
sim_emit_reading(struct sim *sim, uint32_t partition, const struct sim_customer *customer,
                 struct gf_time arrival, const struct gf_meter_reading *reading)
{
    char id[SIM_ID_SIZE];
    const uint32_t size = sim_id('C', customer->number, 0, id);
    if (!customer->is_headend) {
        return sim_emit(sim, GF_TOPIC_METER_READINGS, partition, gf_span_of(id, size), arrival,
                        reading);
    }
    const struct gf_headend_reading headend = {
        .meter_id = reading->meter_id,
        .obis = reading->obis,
        .kind = reading->kind,
        .interval_start = reading->interval_start,
        .interval_s = reading->interval_s,
        .energy_micro_kwh = reading->energy_micro_kwh,
        .quality = reading->quality,
        .status_bits = reading->status_bits,
        .source = reading->source,
    };
    return sim_emit(sim, GF_TOPIC_HEADEND_READINGS,
                    gf_partition_of(reading->meter_id, sim->options->partitions), reading->meter_id,
                    arrival, &headend);
}

/* `exchange_at`: GF_TIME_NONE in the first version, which knows the first meter alone. */
static enum gf_rc
contract_emit(struct sim *sim, uint32_t partition, const struct sim_customer *customer,
              struct gf_time issued_at, struct gf_time exchange_at)
{
    char key[SIM_ID_SIZE], contract_id[SIM_ID_SIZE], meter_id[2][SIM_ID_SIZE];
    char area[SIM_AREA_ID_SIZE];
    const bool is_exchange = exchange_at.us != GF_TIME_NONE.us;
    const struct gf_span key_span = gf_span_of(key, sim_id('C', customer->number, 0, key));
    const struct gf_time valid_from = {
        gf_day_start(sim->options->zone, sim->options->start_day).us - CONTRACT_AGE};
    const struct gf_protection protection = {.kind = customer->protection,
                                             .valid_from = valid_from};
    struct gf_contract_meter meters[2];
    meters[0] = (struct gf_contract_meter){
        .meter_id = gf_span_of(meter_id[0], sim_id('M', customer->number, 1, meter_id[0])),
        .digits = customer->digits > 0 ? customer->digits : 6, /* --plain chooses no register */
        .lsb_micro_kwh = {customer->multiplier > 1 ? MICRO_PER_WH : 10 * MICRO_PER_WH},
        .multiplier = (int32_t)customer->multiplier,
        .valid_from = valid_from,
        .has_valid_to = is_exchange,
        .valid_to = exchange_at,
    };
    meters[1] = meters[0];
    meters[1].meter_id = gf_span_of(meter_id[1], sim_id('M', customer->number, 2, meter_id[1]));
    meters[1].valid_from = exchange_at;
    meters[1].has_valid_to = false;
    const struct gf_customer_contract contract = {
        .contract_id = gf_span_of(contract_id, sim_id('K', customer->number, 0, contract_id)),
        .version = is_exchange ? 2 : 1,
        .customer_class = customer->customer_class,
        .has_capacity_w = true,
        .capacity_w = customer->capacity_w,
        .tariff_id = sim_plan_get((enum sim_plan)customer->plan)->tariff_id,
        .area_id = sim_area_id(customer->area, area),
        .zone = gf_span_text(SIM_MARKET_ZONE),
        .time_zone = gf_span_text(sim->options->zone->name),
        .currency = gf_span_text(SIM_CURRENCY),
        .protections = {&protection, customer->protection != GF_PROTECTION_KIND_UNKNOWN ? 1 : 0},
        .meters = {meters, is_exchange ? 2 : 1},
        .export_permit = customer->solar_w > 0,
        .valid_from = valid_from,
        .issued_at = issued_at,
    };
    return sim_emit(sim, GF_TOPIC_CUSTOMER_CONTRACTS, partition, key_span, issued_at, &contract);
}

enum gf_rc
sim_emit_contract(struct sim *sim, uint32_t partition, const struct sim_customer *customer,
                  struct gf_time issued_at)
{
    return contract_emit(sim, partition, customer, issued_at, GF_TIME_NONE);
}

enum gf_rc
sim_put_off(struct sim *sim, uint32_t partition, const struct sim_item *item)
{
    const enum gf_rc rc = sim_queue_push(&sim->queues[partition], item);
    return rc == GF_OK ? rc : gf_fail(sim->error, rc, "no memory for what comes later");
}

static enum gf_rc
event_emit(struct sim *sim, uint32_t partition, struct gf_span key,
           const struct sim_customer *customer, const struct sim_item *item, struct gf_time stamp)
{
    char id[SIM_ID_SIZE], new_id[SIM_ID_SIZE];
    const bool is_exchange = item->code == GF_METER_EVENT_CODE_EXCHANGE;
    struct gf_meter_event event = {
        .meter_id = gf_span_of(id, sim_id('M', customer->number, item->generation, id)),
        .code = item->code,
        .occurred_at = item->time,
        .detail = gf_span_text(is_exchange ? "planned exchange" : ""),
    };
    if (is_exchange) {
        event.has_new_meter_id = event.has_old_end_micro_kwh = event.has_new_start_micro_kwh = true;
        event.new_meter_id =
            gf_span_of(new_id, sim_id('M', customer->number, item->generation + 1u, new_id));
        event.old_end_micro_kwh.micro_kwh = item->a;
        event.new_start_micro_kwh.micro_kwh = item->b;
    }
    return sim_emit(sim, GF_TOPIC_METER_EVENTS, partition, key, stamp, &event);
}

/* "I00000001-2024-01" of the month that begins at `from`; payments count on: "P00000001-2024-01-1".
 */
static struct gf_span
paper_id(const struct sim *sim, char kind, uint32_t number, struct gf_time from, uint32_t part,
         char out[SIM_ID_SIZE])
{
    struct gf_civil civil;
    gf_civil_of(sim->options->zone, from, &civil);
    const uint32_t start = sim_id(kind, number, 0, out);
    int size =
        snprintf(out + start, SIM_ID_SIZE - start, "-%04d-%02d", (int)civil.year, civil.month);
    if (part > 0) {
        size += snprintf(out + start + size, SIM_ID_SIZE - start - (uint32_t)size, "-%u", part);
    }
    return gf_span_of(out, start + (uint32_t)size);
}

static enum gf_rc
invoice_emit(struct sim *sim, uint32_t partition, struct gf_span key,
             const struct sim_customer *customer, const struct sim_item *item, struct gf_time stamp)
{
    char id[SIM_ID_SIZE];
    const struct gf_invoice invoice = {
        .invoice_id = paper_id(sim, 'I', customer->number, item->since, 0, id),
        .status = GF_INVOICE_STATUS_ISSUED,
        .issued_at = item->time,
        .due_at = {item->c},
        .period_from = item->since,
        .period_to = item->about,
        .amount_micro = {item->a},
        .currency = gf_span_text(SIM_CURRENCY),
        .energy_micro_kwh = {item->b},
        .estimated_micro_kwh = {item->d},
    };
    return sim_emit(sim, GF_TOPIC_BILLING_INVOICES, partition, key, stamp, &invoice);
}

static enum gf_rc
payment_emit(struct sim *sim, uint32_t partition, struct gf_span key,
             const struct sim_customer *customer, const struct sim_item *item, struct gf_time stamp)
{
    char id[SIM_ID_SIZE], invoice_id[SIM_ID_SIZE], reversed_id[SIM_ID_SIZE];
    const bool is_reversal = item->kind == SIM_ITEM_REVERSAL;
    struct gf_payment payment = {
        .payment_id =
            paper_id(sim, is_reversal ? 'R' : 'P', customer->number, item->since, item->part, id),
        .received_at = item->time,
        .amount_micro = {item->a},
        .currency = gf_span_text(SIM_CURRENCY),
        .method = item->code,
        .has_invoice_id = true,
        .invoice_id = paper_id(sim, 'I', customer->number, item->since, 0, invoice_id),
    };
    if (is_reversal) {
        payment.has_reversal_of = true;
        payment.reversal_of =
            paper_id(sim, 'P', customer->number, item->since, item->part, reversed_id);
    }
    return sim_emit(sim, GF_TOPIC_BILLING_PAYMENTS, partition, key, stamp, &payment);
}

static enum gf_rc
late_reading_emit(struct sim *sim, uint32_t partition, const struct sim_customer *customer,
                  const struct sim_item *item, struct gf_time stamp)
{
    char id[SIM_ID_SIZE];
    const struct gf_meter_reading reading = {
        .meter_id = gf_span_of(id, sim_id('M', customer->number, item->generation, id)),
        .obis = gf_span_text("1-0:1.8.0"),
        .kind = GF_READING_KIND_INTERVAL,
        .interval_start = item->about,
        .interval_s = (int32_t)sim->options->interval_s,
        .energy_micro_kwh = {item->a},
        .quality = GF_READING_QUALITY_ACTUAL,
        .status_bits = (int32_t)item->b,
        .source = GF_READING_SOURCE_HEADEND,
    };
    return sim_emit_reading(sim, partition, customer, stamp, &reading);
}

enum gf_rc
sim_emit_due(struct sim *sim, uint32_t partition, struct gf_time time)
{
    struct sim_queue *queue = &sim->queues[partition];
    for (const struct sim_item *first;
         (first = sim_queue_first(queue)) != NULL && first->time.us <= time.us;) {
        const struct sim_item item = *first;
        const struct sim_customer *customer = &sim->customers[item.place];
        char id[SIM_ID_SIZE];
        const struct gf_span key = gf_span_of(id, sim_id('C', customer->number, 0, id));
        sim_queue_pop(queue);
        struct gf_time stamp = gf_time_max(item.time, sim->emitted_until);
        enum gf_rc rc = GF_OK;
        switch ((enum sim_item_kind)item.kind) {
        case SIM_ITEM_EVENT:
            rc = event_emit(sim, partition, key, customer, &item, stamp);
            break;
        case SIM_ITEM_INVOICE:
            rc = invoice_emit(sim, partition, key, customer, &item, stamp);
            break;
        case SIM_ITEM_PAYMENT:
        case SIM_ITEM_REVERSAL:
            rc = payment_emit(sim, partition, key, customer, &item, stamp);
            break;
        case SIM_ITEM_CONTRACT:
            rc = contract_emit(sim, partition, customer, stamp, item.about);
            break;
        case SIM_ITEM_READING:
            /* A head-end sends what it has at the end of each interval: its partitions hold meters
             * of customers of all others. */
            stamp = customer->is_headend ? time : stamp;
            rc = late_reading_emit(sim, partition, customer, &item, stamp);
            break;
        }
        if (rc != GF_OK) {
            return rc;
        }
    }
    return GF_OK;
}

void
sim_truth(struct sim *sim, enum gf_simulate_fact fact, const struct sim_customer *customer,
          struct gf_time from, const char *format, ...)
{
    sim->summary.facts[fact]++;
    if (sim->options->truth == NULL) {
        return;
    }
    char time[GF_TIME_TEXT_SIZE];
    gf_time_print(from, time);
    fprintf(sim->options->truth, "{\"customer\":\"C%08u\",\"kind\":\"%s\",\"from\":\"%s\"",
            customer->number, gf_simulate_fact_name(fact), time);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(sim->options->truth, format, arguments);
    va_end(arguments);
    fputs("}\n", sim->options->truth);
}
