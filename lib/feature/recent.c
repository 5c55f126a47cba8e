#include <string.h>

#include "base/real.h"
#include "feature/recent.h"

/* How values are kept, by interval length. */
struct form {
    int32_t interval_s_min;
    uint32_t bits, count;
};

static const struct form forms[] = {
    {.interval_s_min = 3600, .bits = 64, .count = 48},
    {.interval_s_min = 1800, .bits = 32, .count = 96},
    {.interval_s_min = 900, .bits = 16, .count = 192},
    {.interval_s_min = 0, .bits = 4, .count = 768},
};

#define WIDE_MASK_BIT     (UINT64_C(1) << 63)
#define WORD_MASK_BIT     (UINT32_C(1) << 31)
#define WORD_VALUE_MAX    INT64_C(0x7ffffffe)
#define SHORT_MASK_BIT    0x8000u
#define SHORT_CODE_MAX    1023
#define SHORT_HASH_COUNT  32
#define SHORT_MICRO_MIN   1000.0
#define SHORT_LOG_STEP    0.019802627296179713 /* log 1.02 */
#define NIBBLE_HASH_COUNT 15

static const struct form *
form_of(int32_t interval_s)
{
    const struct form *form = forms;
    while (interval_s < form->interval_s_min) {
        form++;
    }
    return form;
}

/* Number of a slot since 1970; in 32 bits where they suffice (until 2106), for a division of 64
 * bits is slow.
 */
static int64_t
slot_of(struct gf_time start, int32_t interval_s)
{
    const int64_t second = start.us / GF_US_PER_S; /* slots begin at whole seconds */
    if (second >= 0 && second <= UINT32_MAX) {
        return (uint32_t)second / (uint32_t)interval_s;
    }
    return second >= 0 ? second / interval_s : (second - interval_s + 1) / interval_s;
}

static uint32_t
place_of(int64_t slot, uint32_t count)
{
    if (slot >= 0 && slot <= UINT32_MAX) {
        return (uint32_t)slot % count;
    }
    const int64_t place = slot % count;
    return (uint32_t)(place < 0 ? place + count : place);
}

static uint32_t
value_hash(int64_t value, uint32_t count)
{
    const uint64_t mixed = (uint64_t)value * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)((((mixed ^ (mixed >> 29)) >> 32 & 0xffff) * count) >> 16);
}

/* 1 for up to 1 Wh, then one step for each 2 %. */
static uint32_t
short_code(int64_t value)
{
    if ((double)value <= SHORT_MICRO_MIN) {
        return 1;
    }
    const double steps = gf_log((double)value / SHORT_MICRO_MIN) / SHORT_LOG_STEP + 1.5;
    return steps >= SHORT_CODE_MAX ? SHORT_CODE_MAX : (uint32_t)steps;
}

static int64_t
short_value(uint32_t code)
{
    return (int64_t)(SHORT_MICRO_MIN * gf_exp((code - 1.0) * SHORT_LOG_STEP) + 0.5);
}

/* A value as it is kept: never 0, which is an empty slot. */
static uint64_t
value_pack(uint32_t bits, int64_t value, bool is_masked)
{
    switch (bits) {
    case 64:
        return ((uint64_t)value + 1) | (is_masked ? WIDE_MASK_BIT : 0);
    case 32:
        return ((uint64_t)(value < WORD_VALUE_MAX ? value : WORD_VALUE_MAX) + 1) |
               (is_masked ? WORD_MASK_BIT : 0);
    case 16:
        return short_code(value) << 5 | value_hash(value, SHORT_HASH_COUNT) |
               (is_masked ? SHORT_MASK_BIT : 0);
    default:
        return 1 + value_hash(value, NIBBLE_HASH_COUNT);
    }
}

static uint64_t
mask_bit(uint32_t bits)
{
    return bits == 64   ? WIDE_MASK_BIT
           : bits == 32 ? WORD_MASK_BIT
           : bits == 16 ? SHORT_MASK_BIT
                        : 0;
}

static struct gf_recent_slot
value_unpack(uint32_t bits, uint64_t packed)
{
    const uint64_t plain = packed & ~mask_bit(bits);
    struct gf_recent_slot slot = {.is_masked = plain != packed};
    if (bits == 64 || bits == 32) {
        slot.value.micro_kwh = (int64_t)plain - 1;
        slot.is_exact = bits == 64 || slot.value.micro_kwh < WORD_VALUE_MAX;
        slot.is_known = true;
    } else if (bits == 16) {
        slot.value.micro_kwh = short_value((uint32_t)plain >> 5);
        slot.is_known = true;
    }
    return slot;
}

static uint64_t
packed_get(const struct gf_recent *recent, uint32_t bits, uint32_t place)
{
    uint64_t wide = 0;
    uint32_t word = 0;
    uint16_t brief = 0;
    switch (bits) { /* sizes the compiler knows: a load, not a call */
    case 64:
        memcpy(&wide, recent->values + (size_t)place * 8, 8);
        return wide;
    case 32:
        memcpy(&word, recent->values + (size_t)place * 4, 4);
        return word;
    case 16:
        memcpy(&brief, recent->values + (size_t)place * 2, 2);
        return brief;
    default:
        return recent->values[place / 2] >> (place % 2 * 4) & 15;
    }
}

static void
packed_set(struct gf_recent *recent, uint32_t bits, uint32_t place, uint64_t packed)
{
    const uint32_t word = (uint32_t)packed;
    const uint16_t brief = (uint16_t)packed;
    uint8_t *const byte = &recent->values[place / 2];
    switch (bits) {
    case 64:
        memcpy(recent->values + (size_t)place * 8, &packed, 8);
        break;
    case 32:
        memcpy(recent->values + (size_t)place * 4, &word, 4);
        break;
    case 16:
        memcpy(recent->values + (size_t)place * 2, &brief, 2);
        break;
    default:
        *byte = (uint8_t)((*byte & (place % 2 == 0 ? 0xf0 : 0x0f)) | packed << (place % 2 * 4));
        break;
    }
}

enum gf_recent_found
gf_recent_find(const struct gf_recent *recent, struct gf_time start, int32_t interval_s,
               struct gf_energy value, struct gf_recent_slot *slot_out)
{
    assert(interval_s > 0);
    if (recent->newest_us == INT64_MIN || recent->interval_s != interval_s) {
        return GF_RECENT_NEW;
    }
    const int64_t interval_us = interval_s * GF_US_PER_S;
    if (start.us >= recent->newest_us + interval_us) {
        return GF_RECENT_NEW;
    }
    const struct form *const form = form_of(interval_s);
    const int64_t newest = slot_of((struct gf_time){recent->newest_us}, interval_s);
    const int64_t slot = slot_of(start, interval_s);
    if (slot > newest) {
        return GF_RECENT_NEW;
    }
    if (newest - slot >= form->count) {
        return GF_RECENT_TOO_OLD;
    }
    const uint64_t packed = packed_get(recent, form->bits, place_of(slot, form->count));
    if (packed == 0) {
        return GF_RECENT_NEW;
    }
    *slot_out = value_unpack(form->bits, packed);
    const uint64_t wanted = value_pack(form->bits, value.micro_kwh, slot_out->is_masked);
    if (packed != wanted) {
        return GF_RECENT_OTHER;
    }
    slot_out->value = value;
    return GF_RECENT_SAME;
}

void
gf_recent_put(struct gf_recent *recent, struct gf_time start, int32_t interval_s,
              struct gf_energy value, bool is_masked)
{
    assert(interval_s > 0);
    assert(value.micro_kwh >= 0);
    const struct form *const form = form_of(interval_s);
    const uint64_t packed = value_pack(form->bits, value.micro_kwh, is_masked);
    const int64_t slot = slot_of(start, interval_s);
    const bool is_next = recent->interval_s == interval_s &&
                         start.us - interval_s * GF_US_PER_S == recent->newest_us;
    int64_t newest = slot - 1;
    if (!is_next) {
        newest = recent->newest_us == INT64_MIN
                     ? slot
                     : slot_of((struct gf_time){recent->newest_us}, interval_s);
        if (recent->newest_us == INT64_MIN || recent->interval_s != interval_s ||
            slot - newest >= form->count) {
            memset(recent->values, 0, sizeof recent->values);
            recent->interval_s = interval_s;
            newest = slot;
            recent->newest_us = start.us;
        }
    }
    assert(newest - slot < form->count);
    for (int64_t passed = newest + 1; passed < slot; passed++) {
        packed_set(recent, form->bits, place_of(passed, form->count), 0);
    }
    packed_set(recent, form->bits, place_of(slot, form->count), packed);
    recent->newest_us = slot > newest ? start.us : recent->newest_us;
}
