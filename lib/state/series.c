#include "state/series.h"

#include <assert.h>
#include <string.h>

struct series_item *
series_at(const struct series *series, uint32_t index)
{
    assert(index < series->count);
    const uint32_t place = series->first + index;
    const uint32_t wrapped = place < series->capacity ? place : place - series->capacity;
    return (struct series_item *)(void *)(series->items + (size_t)wrapped * series->item_size);
}

uint32_t
series_count_before(const struct series *series, struct gf_time time)
{
    /* Gallops from the newest, which is asked about most: everything from `end` on starts at `time`
     * or later.
     */
    uint32_t low = series->count, end = series->count, step = 1;
    while (low > 0 && series_at(series, low - 1)->start.us >= time.us) {
        end = low - 1;
        low = low > step ? low - step : 0;
        step *= 2;
    }
    while (low < end) {
        const uint32_t middle = low + (end - low) / 2;
        if (series_at(series, middle)->start.us < time.us) {
            low = middle + 1;
        } else {
            end = middle;
        }
    }
    return low;
}

struct series_item *
series_holding(const struct series *series, struct gf_time time)
{
    uint32_t index = series_count_before(series, (struct gf_time){time.us + 1});
    const int64_t first_us = time.us - series->interval_s_max * GF_US_PER_S;
    while (index-- > 0) { /* one step, but where a market went from long intervals to short ones */
        struct series_item *const item = series_at(series, index);
        if (time.us < item->start.us + item->interval_s * GF_US_PER_S) {
            return item;
        }
        if (item->start.us <= first_us) {
            return NULL;
        }
    }
    return NULL;
}

void
series_note_interval(struct series *series, int32_t interval_s)
{
    if (series->interval_s_max < interval_s) {
        series->interval_s_max = interval_s;
    }
}

/* Makes room at `index` by moving the shorter side. */
static void
series_open(struct series *series, uint32_t index)
{
    assert(series->count < series->capacity);
    assert(index <= series->count);
    const bool moves_older = index < series->count / 2;
    if (moves_older) {
        series->first = series->first > 0 ? series->first - 1 : series->capacity - 1;
    }
    series->count++;
    if (moves_older) {
        for (uint32_t i = 0; i < index; i++) {
            memcpy(series_at(series, i), series_at(series, i + 1), series->item_size);
        }
    } else {
        for (uint32_t i = series->count - 1; i > index; i--) {
            memcpy(series_at(series, i), series_at(series, i - 1), series->item_size);
        }
    }
}

struct series_item *
series_need(struct series *series, struct gf_time start, int32_t interval_s, bool *is_new_out)
{
    uint32_t index = series_count_before(series, start);
    *is_new_out = false;
    if (index < series->count && series_at(series, index)->start.us == start.us) {
        return series_at(series, index);
    }
    if (series->count == series->capacity) {
        if (index == 0) {
            return NULL;
        }
        series->first = series->first + 1 < series->capacity ? series->first + 1 : 0;
        series->count--;
        index--;
    }
    series_open(series, index);
    struct series_item *const item = series_at(series, index);
    memset(item, 0, series->item_size);
    item->start = start;
    item->interval_s = interval_s;
    series_note_interval(series, interval_s);
    *is_new_out = true;
    return item;
}
