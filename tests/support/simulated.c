#include "simulated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "folder_log.h"
#include "model/event.h"

struct gf_zones simulated_zones;

static void
reading_take(struct world *world, uint32_t customer, const struct gf_meter_reading *from)
{
    if (world->reading_count == world->reading_room) {
        world->reading_room = world->reading_room == 0 ? 65536 : world->reading_room * 2;
        world->readings = realloc(world->readings, world->reading_room * sizeof *world->readings);
        assert_non_null(world->readings);
    }
    assert_true(from->energy_micro_kwh.micro_kwh >= 0);
    assert_int_equal(from->meter_id.size, 11);
    world->readings[world->reading_count++] = (struct reading){
        .customer = customer,
        .start_us = from->interval_start.us,
        .energy = from->energy_micro_kwh.micro_kwh,
        .interval_s = from->interval_s,
        .kind = from->kind,
        .quality = from->quality,
        .status_bits = from->status_bits,
        .generation = (uint8_t)(from->meter_id.data[10] - '0'),
        .is_export = from->obis.data[4] == '2',
    };
}

/* A head-end's reading is that of a customer who has the meter. */
static void
headend_take(struct world *world, uint32_t customer, const struct gf_headend_reading *from)
{
    const struct gf_meter_reading reading = {
        .meter_id = from->meter_id,
        .obis = from->obis,
        .kind = from->kind,
        .interval_start = from->interval_start,
        .interval_s = from->interval_s,
        .energy_micro_kwh = from->energy_micro_kwh,
        .quality = from->quality,
        .status_bits = from->status_bits,
        .source = from->source,
    };
    assert_true(reading.source != GF_READING_SOURCE_UNKNOWN);
    reading_take(world, customer, &reading);
}

static void
total_take(struct world *world, uint32_t area, const struct gf_area_total *from)
{
    world->hours = realloc(world->hours, (world->hour_count + 1) * sizeof *world->hours);
    assert_non_null(world->hours);
    assert_int_equal(from->interval_s, 3600);
    world->hours[world->hour_count++] = (struct area_hour){
        .area = area,
        .start_us = from->interval_start.us,
        .sent = from->energy_micro_kwh.micro_kwh,
    };
}

static void
contract_take(struct world *world, uint32_t customer, const struct gf_customer_contract *from)
{
    struct person *person = &world->people[customer];
    assert_int_equal(from->meters.count, ++person->contracts);
    assert_int_equal(from->version, person->contracts);
    person->area = (uint32_t)strtoul((const char *)from->area_id.data + 5, NULL, 10);
    person->digits = (uint32_t)from->meters.items[0].digits;
    person->multiplier = (uint32_t)from->meters.items[0].multiplier;
    person->lsb = from->meters.items[0].lsb_micro_kwh.micro_kwh;
    for (person->plan = 0; person->plan < world->plan_count; person->plan++) {
        if (gf_span_equal(gf_span_text(world->plan_ids[person->plan]), from->tariff_id)) {
            return;
        }
    }
    fail_msg("a contract without a plan");
}

static void
plan_take(struct world *world, const struct gf_tariff_plan *from)
{
    const uint32_t i = world->plan_count++;
    assert_true(i < PLAN_MAX && from->bands.count <= 8 && from->areas.count > 0);
    world->plans[i] = *from;
    if (from->bands.count > 0) {
        memcpy(world->bands[i], from->bands.items, from->bands.count * sizeof(struct gf_band));
    }
    snprintf(world->plan_ids[i], sizeof world->plan_ids[i], "%.*s", GF_SPAN_PRINT(from->tariff_id));
}

static void
body_take(struct world *world, enum gf_topic topic, uint32_t customer, const void *body)
{
    if (topic == GF_TOPIC_METER_READINGS) {
        reading_take(world, customer, body);
    } else if (topic == GF_TOPIC_HEADEND_READINGS) {
        headend_take(world, customer, body);
    } else if (topic == GF_TOPIC_AREA_TOTALS) {
        total_take(world, customer, body);
    } else if (topic == GF_TOPIC_CUSTOMER_CONTRACTS) {
        contract_take(world, customer, body);
    } else if (topic == GF_TOPIC_TARIFF_PLANS) {
        plan_take(world, body);
    } else if (topic == GF_TOPIC_MARKET_PRICES) {
        world->prices = realloc(world->prices, (world->price_count + 1) * sizeof *world->prices);
        world->prices[world->price_count++] = *(const struct gf_market_price *)body;
    } else if (topic == GF_TOPIC_BILLING_INVOICES) {
        world->invoices =
            realloc(world->invoices, (world->invoice_count + 1) * sizeof *world->invoices);
        world->invoice_customers =
            realloc(world->invoice_customers,
                    (world->invoice_count + 1) * sizeof *world->invoice_customers);
        world->invoice_customers[world->invoice_count] = customer;
        world->invoices[world->invoice_count++] = *(const struct gf_invoice *)body;
    }
}

/* Number in C00000001, in M00000001-1 or in AREA-01. */
static uint32_t
key_number(enum gf_topic topic, struct gf_span key)
{
    const bool is_area = topic == GF_TOPIC_AREA_TOTALS,
               is_meter = topic == GF_TOPIC_HEADEND_READINGS;
    const uint32_t first = is_area ? 5 : 1, end = is_area ? 7 : 9;
    uint32_t number = 0;
    assert_int_equal(key.size, is_meter ? 11 : end);
    for (uint32_t i = first; i < end; i++) {
        number = number * 10 + (uint32_t)(key.data[i] - '0');
    }
    assert_true(number > 0 && number < CUSTOMER_MAX);
    return number;
}

/* A target: every record must decode, lie where its key belongs, and come in time. */
static enum gf_rc
take(void *context, const struct gf_record *record, struct gf_error *error)
{
    static uint8_t memory[65536];
    static max_align_t body[64];
    struct world *world = context;
    const enum gf_topic topic = (enum gf_topic)record->topic;
    const struct gf_topic_info *info = &gf_topics[topic];
    struct gf_arena arena = gf_arena_of(memory, sizeof memory);
    struct gf_reader reader = gf_reader_of(record->value);
    assert_true(info->type->size <= sizeof body && info->is_input && record->has_key &&
                record->offset == -1);
    assert_int_equal(info->decode(&reader, &arena, body), GF_OK);
    assert_ptr_equal(reader.at, reader.end);

    struct gf_time event_time;
    assert_int_equal(gf_event_time(topic, body, &event_time, error), GF_OK);
    struct place *place = &world->places[topic][record->partition];
    assert_true(record->timestamp.us >= event_time.us && record->timestamp.us >= place->last_us);
    place->last_us = record->timestamp.us;
    uint32_t customer = 0;
    if (info->is_reference) {
        assert_int_equal(record->partition, 0);
    } else {
        assert_int_equal(record->partition, gf_partition_of(record->key, PARTITION_COUNT));
        customer = key_number(topic, record->key);
    }
    if (customer > 0 && topic != GF_TOPIC_AREA_TOTALS) {
        gf_digest_extend(&world->people[customer].digest, record->value.data, record->value.size);
        world->people[customer].records++;
    }
    gf_digest_extend(&place->digest, record->key.data, record->key.size);
    gf_digest_extend(&place->digest, &record->timestamp, sizeof record->timestamp);
    gf_digest_extend(&place->digest, record->value.data, record->value.size);
    if (++place->count == place->mark) {
        place->digest_marked = place->digest;
    }
    body_take(world, topic, customer, body);
    return GF_OK;
}

static int64_t
number_after(const char *line, const char *name)
{
    const char *at = strstr(line, name);
    assert_non_null(at);
    return strtoll(at + strlen(name), NULL, 10);
}

/* Lines about areas come in the order of the totals. */
static void
hour_read(struct world *world, const char *line)
{
    char time[64];
    uint32_t area = 0;
    struct gf_time from;
    assert_true(world->told_count < world->hour_count);
    struct area_hour *hour = &world->hours[world->told_count++];
    assert_int_equal(sscanf(line,
                            "{\"area\":\"AREA-%u\",\"kind\":\"area_loss\",\"from\":\"%63[^\"]\"",
                            &area, time),
                     2);
    assert_int_equal(gf_time_parse(time, strlen(time), &from), GF_OK);
    assert_int_equal(area, hour->area);
    assert_int_equal(from.us, hour->start_us);
    hour->total = number_after(line, "\"total_micro_kwh\":");
    hour->loss = number_after(line, "\"loss_micro_kwh\":");
    hour->theft = number_after(line, "\"theft_micro_kwh\":");
    hour->unreported = number_after(line, "\"unreported_micro_kwh\":");
    hour->unreported_count = (uint32_t)number_after(line, "\"unreported\":");
}

static void
facts_read(struct world *world, FILE *truth)
{
    char line[512], time[64];
    rewind(truth);
    while (fgets(line, sizeof line, truth) != NULL) {
        struct fact fact = {.readings = 0};
        struct gf_time from;
        if (strncmp(line, "{\"area\"", 7) == 0) {
            hour_read(world, line);
            continue;
        }
        assert_int_equal(sscanf(line,
                                "{\"customer\":\"C%u\",\"kind\":\"%31[^\"]\",\"from\":\"%63[^\"]\"",
                                &fact.customer, fact.kind, time),
                         3);
        assert_int_equal(gf_time_parse(time, strlen(time), &from), GF_OK);
        const char *readings = strstr(line, "\"readings\":");
        fact.readings = readings == NULL ? 0 : (uint32_t)strtoul(readings + 11, NULL, 10);
        fact.from_us = from.us;
        world->facts = realloc(world->facts, (world->fact_count + 1) * sizeof *world->facts);
        world->facts[world->fact_count++] = fact;
    }
}

struct gf_simulate_options
options_of(uint32_t customers, uint32_t days)
{
    return (struct gf_simulate_options){
        .seed = 20160103,
        .customers = customers,
        .days = days,
        .partitions = PARTITION_COUNT,
        .start_day = gf_days_from_date(2024, 3, 15), /* the clocks change on day 16 */
        .interval_s = 1800,
        .zone = gf_zones_find(&simulated_zones, "Europe/Berlin"),
        .theft_ppm = 0,
        .arrears_ppm = 100000,
        .with_registers = true,
    };
}

struct world *
world_make(struct gf_simulate_options options, const struct world *earlier)
{
    struct gf_error error = {{0}};
    struct world *world = calloc(1, sizeof *world);
    FILE *truth = tmpfile();
    assert_non_null(world);
    assert_non_null(truth);
    for (int i = 0; earlier != NULL && i < GF_TOPIC_COUNT * PARTITION_COUNT; i++) {
        world->places[i / PARTITION_COUNT][i % PARTITION_COUNT].mark =
            earlier->places[i / PARTITION_COUNT][i % PARTITION_COUNT].count;
    }
    options.target = (struct gf_simulate_target){.context = world, .append = take};
    options.truth = truth;
    assert_ok(gf_simulate(&options, &world->summary, &error));
    facts_read(world, truth);
    fclose(truth);
    return world;
}

void
world_free(struct world *world)
{
    free(world->readings);
    free(world->prices);
    free(world->invoices);
    free(world->invoice_customers);
    free(world->facts);
    free(world->hours);
    free(world);
}

bool
has_fact(const struct world *world, uint32_t customer, const char *kind)
{
    for (uint32_t i = 0; i < world->fact_count; i++) {
        if (world->facts[i].customer == customer && strcmp(world->facts[i].kind, kind) == 0) {
            return true;
        }
    }
    return false;
}

int
reading_compare(const void *left_item, const void *right_item)
{
    const struct reading *left = left_item, *right = right_item;
    const int64_t keys[][2] = {{left->customer, right->customer},
                               {left->is_export, right->is_export},
                               {left->kind, right->kind},
                               {left->start_us, right->start_us},
                               {left->quality, right->quality}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i][0] != keys[i][1]) {
            return keys[i][0] < keys[i][1] ? -1 : 1;
        }
    }
    return 0;
}

void
readings_sort(struct world *world)
{
    qsort(world->readings, world->reading_count, sizeof *world->readings, reading_compare);
}

uint32_t
readings_find(const struct world *world, uint32_t customer, int32_t kind)
{
    const struct reading wanted = {.customer = customer, .kind = kind, .start_us = INT64_MIN};
    uint32_t low = 0, high = world->reading_count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (reading_compare(&world->readings[middle], &wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int64_t
actual_sum(const struct world *world, uint32_t customer, int64_t from_us, int64_t to_us,
           uint32_t *count_out)
{
    int64_t sum = 0, last_us = INT64_MIN;
    *count_out = 0;
    for (uint32_t i = readings_find(world, customer, GF_READING_KIND_INTERVAL);
         i < world->reading_count; i++) {
        const struct reading *reading = &world->readings[i];
        if (reading->customer != customer || reading->is_export ||
            reading->kind != GF_READING_KIND_INTERVAL) {
            break;
        }
        if (reading->quality == GF_READING_QUALITY_ACTUAL && reading->start_us >= from_us &&
            reading->start_us < to_us && reading->start_us != last_us) {
            sum += reading->energy;
            last_us = reading->start_us;
            (*count_out)++;
        }
    }
    return sum;
}

bool
is_told(const struct world *world, const struct reading *reading, const char *kind)
{
    for (uint32_t i = 0; i < world->fact_count; i++) {
        const struct fact *fact = &world->facts[i];
        const int64_t end_us =
            fact->from_us + fact->readings * (int64_t)reading->interval_s * GF_US_PER_S;
        if (fact->customer == reading->customer && strcmp(fact->kind, kind) == 0 &&
            reading->start_us >= fact->from_us && reading->start_us < end_us) {
            return true;
        }
    }
    return false;
}

uint32_t
tellings(const struct world *world, const char *kind, uint32_t *lines_out)
{
    bool *is_seen = calloc(CUSTOMER_MAX, sizeof *is_seen);
    uint32_t customers = 0;
    *lines_out = 0;
    for (uint32_t i = 0; i < world->fact_count; i++) {
        if (strcmp(world->facts[i].kind, kind) == 0) {
            customers += is_seen[world->facts[i].customer] ? 0 : 1;
            is_seen[world->facts[i].customer] = true;
            (*lines_out)++;
        }
    }
    free(is_seen);
    return customers;
}
