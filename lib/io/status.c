#include "io/status.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_INTERVAL_US (GF_US_PER_S / 10)
#define LOG_INTERVAL_US  (10 * GF_US_PER_S)
#define RATE_SMOOTH_S    3.0
#define BAR_WIDTH        24
#define ETA_US_MAX       (INT64_C(100) * GF_US_PER_DAY)
#define COUNT_REAL_MAX   9e18 /* a double below it fits an int64 */

/* ---- texts ---- */

const char *
gf_count_text(int64_t count, char out[GF_AMOUNT_TEXT_SIZE])
{
    char digits[GF_AMOUNT_TEXT_SIZE];
    const int length = snprintf(digits, sizeof(digits), "%" PRIu64,
                                count < 0 ? -(uint64_t)count : (uint64_t)count);
    char *at = out;
    if (count < 0) {
        *at++ = '-';
    }
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            *at++ = ',';
        }
        *at++ = digits[i];
    }
    *at = '\0';
    return out;
}

const char *
gf_duration_text(int64_t us, char out[GF_AMOUNT_TEXT_SIZE])
{
    const char *sign = us < 0 ? "-" : "";
    const uint64_t s = (us < 0 ? -(uint64_t)us : (uint64_t)us) / (uint64_t)GF_US_PER_S;
    if (s < 60) {
        snprintf(out, GF_AMOUNT_TEXT_SIZE, "%s%" PRIu64 "s", sign, s);
    } else if (s < 3600) {
        snprintf(out, GF_AMOUNT_TEXT_SIZE, "%s%" PRIu64 "m%02" PRIu64 "s", sign, s / 60, s % 60);
    } else if (s < 86400) {
        snprintf(out, GF_AMOUNT_TEXT_SIZE, "%s%" PRIu64 "h%02" PRIu64 "m", sign, s / 3600,
                 s / 60 % 60);
    } else {
        snprintf(out, GF_AMOUNT_TEXT_SIZE, "%s%" PRIu64 "d%02" PRIu64 "h", sign, s / 86400,
                 s / 3600 % 24);
    }
    return out;
}

static void text_append(char *text, const char *format, ...) GF_PRINTF(2, 3);

static void
text_append(char *text, const char *format, ...)
{
    const size_t size = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + size, GF_SCREEN_TEXT_SIZE - size, format, arguments);
    va_end(arguments);
}

/* ---- the line ---- */

/* Of every screen: a process has one terminal. Recursive, because what is shown may be a log line,
 * which comes back through the sink of the screen. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void
gf_screen_init(struct gf_screen *screen, struct gf_clock *clock, struct gf_text_sink sink,
               bool is_terminal)
{
    *screen = (struct gf_screen){
        .clock = clock, .sink = sink, .is_terminal = is_terminal, .shown_us = GF_STATUS_UNKNOWN};
}

bool
gf_screen_detect(uint32_t *width_out)
{
    struct winsize size = {0};
    const char *terminal = getenv("TERM");
    if (!isatty(STDERR_FILENO) || terminal == NULL || strcmp(terminal, "dumb") == 0) {
        return false;
    }
    *width_out = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
    return true;
}

static void
screen_write(struct gf_screen *screen, const char *text, size_t size)
{
    screen->sink.write(screen->sink.context, text, size);
}

static void
screen_draw(struct gf_screen *screen)
{
    char out[GF_SCREEN_TEXT_SIZE + 8];
    const uint32_t width = screen->width == 0 ? 80 : screen->width;
    const int size = snprintf(out, sizeof(out), "\r\033[K%.*s", (int)width - 1, screen->text);
    screen_write(screen, out, (size_t)size);
    screen->is_drawn = true;
}

static void
screen_log(void *context, const char *text, size_t size)
{
    struct gf_screen *screen = context;
    pthread_mutex_lock(&lock);
    if (screen->is_drawn) {
        screen_write(screen, "\r\033[K", 4);
    }
    screen_write(screen, text, size);
    if (screen->is_drawn) {
        screen_draw(screen);
    }
    pthread_mutex_unlock(&lock);
}

struct gf_text_sink
gf_screen_sink(struct gf_screen *screen)
{
    return (struct gf_text_sink){.write = screen_log, .context = screen};
}

void
gf_screen_end(struct gf_screen *screen)
{
    pthread_mutex_lock(&lock);
    if (screen->is_drawn) {
        screen_write(screen, "\n", 1);
    }
    screen->is_drawn = false;
    screen->shown_us = GF_STATUS_UNKNOWN;
    pthread_mutex_unlock(&lock);
}

static bool
screen_is_due(const struct gf_screen *screen, int64_t now_us)
{
    const int64_t interval_us = screen->is_terminal ? DRAW_INTERVAL_US : LOG_INTERVAL_US;
    return screen->shown_us == GF_STATUS_UNKNOWN || now_us - screen->shown_us >= interval_us;
}

/* ---- rates ---- */

static void
rate_sample(struct gf_rate *rate, int64_t now_us, double count)
{
    if (rate->at_us == GF_STATUS_UNKNOWN) {
        rate->at_us = now_us;
        rate->count = count;
        return;
    }
    const double seconds = (double)(now_us - rate->at_us) / (double)GF_US_PER_S;
    if (seconds <= 0) {
        return;
    }
    const double per_s = (count - rate->count) / seconds;
    const double weight = rate->is_known ? seconds / (seconds + RATE_SMOOTH_S) : 1;
    rate->per_s += weight * (per_s - rate->per_s);
    rate->at_us = now_us;
    rate->count = count;
    rate->is_known = true;
}

static const struct gf_rate rate_start = {.at_us = GF_STATUS_UNKNOWN};

/* Time for `left` at `per_s`; GF_STATUS_UNKNOWN when that says nothing. */
static int64_t
eta_us(double left, double per_s)
{
    if (per_s <= 0 || left < 0) {
        return GF_STATUS_UNKNOWN;
    }
    const double us = left / per_s * (double)GF_US_PER_S;
    return us < (double)ETA_US_MAX ? (int64_t)us : GF_STATUS_UNKNOWN;
}

static int64_t
whole(double value)
{
    return value > -COUNT_REAL_MAX && value < COUNT_REAL_MAX ? (int64_t)value : 0;
}

/* ---- a run ---- */

void
gf_status_init(struct gf_status *status, struct gf_screen *screen)
{
    *status = (struct gf_status){.screen = screen, .records = rate_start, .lag = rate_start};
}

static void
status_draw(struct gf_screen *screen, const struct gf_status *status,
            const struct gf_status_facts *facts, int64_t left_us)
{
    char *text = screen->text, amount[GF_AMOUNT_TEXT_SIZE];
    text[0] = '\0';
    if (status->records.is_known) {
        text_append(text, "%s/s  ", gf_count_text(whole(status->records.per_s), amount));
    }
    if (facts->lag_records != GF_STATUS_UNKNOWN) {
        text_append(text, "lag %s  ", gf_count_text(facts->lag_records, amount));
    }
    if (left_us != GF_STATUS_UNKNOWN) {
        text_append(text, "caught up in %s  ", gf_duration_text(left_us, amount));
    }
    if (facts->delay_us != GF_STATUS_UNKNOWN) {
        text_append(text, "behind %s  ", gf_duration_text(facts->delay_us, amount));
    }
    if (facts->commit_us != GF_STATUS_UNKNOWN) {
        text_append(text, "commit %" PRId64 " ms  ", facts->commit_us / 1000);
    }
    text_append(text, "%s records  ", gf_count_text((int64_t)facts->record_count, amount));
    text_append(text, "%s outputs", gf_count_text((int64_t)facts->output_count, amount));
    if (facts->standby > 0) {
        text_append(text, "  standby for %u, %s behind", facts->standby,
                    gf_duration_text(facts->standby_lag_us, amount));
    }
    screen_draw(screen);
}

static void
status_log(const struct gf_screen *screen, const struct gf_status *status,
           const struct gf_status_facts *facts, int64_t left_us)
{
    struct gf_log_field fields[10];
    uint32_t count = 0;
    fields[count++] = gf_field_u64("records", facts->record_count);
    if (status->records.is_known) {
        fields[count++] = gf_field_i64("records_per_s", whole(status->records.per_s));
    }
    if (facts->lag_records != GF_STATUS_UNKNOWN) {
        fields[count++] = gf_field_i64("lag_records", facts->lag_records);
    }
    if (left_us != GF_STATUS_UNKNOWN) {
        fields[count++] = gf_field_i64("caught_up_in_s", left_us / GF_US_PER_S);
    }
    if (facts->delay_us != GF_STATUS_UNKNOWN) {
        fields[count++] = gf_field_i64("behind_s", facts->delay_us / GF_US_PER_S);
    }
    if (facts->commit_us != GF_STATUS_UNKNOWN) {
        fields[count++] = gf_field_real("commit_ms", (double)facts->commit_us / 1000);
    }
    fields[count++] = gf_field_u64("outputs", facts->output_count);
    if (facts->shards > 0) {
        fields[count++] = gf_field_u64("shards", facts->shards);
    }
    if (facts->standby > 0) {
        fields[count++] = gf_field_u64("standby", facts->standby);
        fields[count++] = gf_field_real("standby_lag_s", (double)facts->standby_lag_us / 1e6);
    }
    gf_logger_write(screen->logger, GF_LEVEL_INFO, "status", fields, count);
}

static void
status_show(struct gf_status *status, const struct gf_status_facts *facts)
{
    struct gf_screen *screen = status->screen;
    const int64_t now_us = screen->clock->monotonic_us(screen->clock);
    if (!screen_is_due(screen, now_us)) {
        return;
    }
    screen->shown_us = now_us;
    rate_sample(&status->records, now_us, (double)facts->record_count);
    int64_t left_us = GF_STATUS_UNKNOWN;
    if (facts->lag_records != GF_STATUS_UNKNOWN) {
        rate_sample(&status->lag, now_us, (double)facts->lag_records);
        /* A live run swings by a second or two of records; that is no backlog to count down. */
        if (status->records.is_known && (double)facts->lag_records > 5 * status->records.per_s) {
            left_us = eta_us((double)facts->lag_records, -status->lag.per_s);
        }
    }
    if (screen->is_terminal) {
        status_draw(screen, status, facts, left_us);
    } else if (screen->logger != NULL) {
        status_log(screen, status, facts, left_us);
    }
}

void
gf_status_show(struct gf_status *status, const struct gf_status_facts *facts)
{
    pthread_mutex_lock(&lock);
    status_show(status, facts);
    pthread_mutex_unlock(&lock);
}

/* ---- long work ---- */

void
gf_bar_init(struct gf_bar *bar, struct gf_screen *screen)
{
    *bar = (struct gf_bar){.screen = screen, .rate = rate_start};
}

static void
bar_draw(struct gf_screen *screen, const struct gf_bar *bar, int64_t done, int64_t total,
         int64_t left_us)
{
    char *text = screen->text, amount[GF_AMOUNT_TEXT_SIZE];
    text[0] = '\0';
    text_append(text, "%s  ", bar->what);
    if (total > 0) {
        const double part = (double)done / (double)total;
        const int full = part >= 1 ? BAR_WIDTH : part <= 0 ? 0 : (int)(part * BAR_WIDTH);
        text_append(text, "[%.*s%.*s] %3d%%  ", full, "########################", BAR_WIDTH - full,
                    "........................",
                    part >= 1   ? 100
                    : part <= 0 ? 0
                                : (int)(part * 100));
    }
    text_append(text, "%s", gf_count_text(done, amount));
    if (total > 0) {
        text_append(text, " of %s", gf_count_text(total, amount));
    }
    if (bar->rate.is_known) {
        text_append(text, "  %s/s", gf_count_text(whole(bar->rate.per_s), amount));
    }
    if (left_us != GF_STATUS_UNKNOWN) {
        text_append(text, "  %s left", gf_duration_text(left_us, amount));
    }
    screen_draw(screen);
}

static void
bar_log(const struct gf_screen *screen, const struct gf_bar *bar, int64_t done, int64_t total,
        int64_t left_us)
{
    struct gf_log_field fields[5];
    uint32_t count = 0;
    fields[count++] = gf_field_text("what", bar->what);
    fields[count++] = gf_field_i64("done", done);
    if (total > 0) {
        fields[count++] = gf_field_i64("total", total);
    }
    if (bar->rate.is_known) {
        fields[count++] = gf_field_i64("per_s", whole(bar->rate.per_s));
    }
    if (left_us != GF_STATUS_UNKNOWN) {
        fields[count++] = gf_field_i64("left_s", left_us / GF_US_PER_S);
    }
    gf_logger_write(screen->logger, GF_LEVEL_INFO, "progress", fields, count);
}

static void
bar_show(struct gf_bar *bar, const char *what, int64_t done, int64_t total)
{
    struct gf_screen *screen = bar->screen;
    const int64_t now_us = screen->clock->monotonic_us(screen->clock);
    const bool is_first = bar->what[0] == '\0' || done < bar->done || strcmp(bar->what, what) != 0;
    const bool is_last = total > 0 && done >= total;
    if (is_first) {
        gf_screen_end(screen);
        *bar = (struct gf_bar){.screen = screen, .rate = rate_start, .start_us = now_us};
        snprintf(bar->what, sizeof(bar->what), "%s", what);
    } else if (is_last ? bar->is_over : !screen_is_due(screen, now_us)) {
        return;
    }
    bar->is_over = is_last;
    bar->done = done;
    screen->shown_us = now_us;
    rate_sample(&bar->rate, now_us, (double)done);
    int64_t left_us =
        total > 0 && !is_last ? eta_us((double)(total - done), bar->rate.per_s) : GF_STATUS_UNKNOWN;
    if (now_us - bar->start_us < GF_US_PER_S) {
        left_us = GF_STATUS_UNKNOWN; /* a guess from less than a second only jumps */
    }
    if (screen->is_terminal) {
        bar_draw(screen, bar, done, total, left_us);
    } else if (screen->logger != NULL) {
        bar_log(screen, bar, done, total, left_us);
    }
}

void
gf_bar_show(struct gf_bar *bar, const char *what, int64_t done, int64_t total)
{
    pthread_mutex_lock(&lock);
    bar_show(bar, what, done, total);
    pthread_mutex_unlock(&lock);
}

void
gf_bar_progress(void *context, const char *what, int64_t done, int64_t total)
{
    gf_bar_show(context, what, done, total);
}
