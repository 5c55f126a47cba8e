/* Status: what a person wants to see while the program works. On a terminal one line, drawn again
 * at most ten times a second; elsewhere a log line every ten seconds. Callers show as often as they
 * like; it is the clock that decides.
 *
 * One terminal line is shared by the status of a run, the progress of long work and the log:
 * whoever writes a log line through gf_screen_sink erases the line first and draws it again after.
 */
#ifndef GF_IO_STATUS_H
#define GF_IO_STATUS_H

#include "io/log.h"

#define GF_SCREEN_TEXT_SIZE 256
#define GF_STATUS_UNKNOWN   INT64_MIN

/* The line at the bottom of the terminal. Several threads may log, show and end it; a status or a
 * bar is of one thread at a time. */
struct gf_screen {
    struct gf_clock *clock;
    struct gf_text_sink sink;
    struct gf_logger
        *logger; /* for lines where there is no terminal; may be NULL, then there are none */
    bool is_terminal;
    uint32_t width; /* columns; 0: 80 */

    int64_t shown_us; /* monotonic, of the last line; GF_STATUS_UNKNOWN before the first */
    bool is_drawn;
    char text[GF_SCREEN_TEXT_SIZE];
};

void gf_screen_init(struct gf_screen *screen, struct gf_clock *clock, struct gf_text_sink sink,
                    bool is_terminal);
/* Whether standard error is a terminal that understands us, and its width. */
bool gf_screen_detect(uint32_t *width_out);
/* A sink for the logger that keeps the line below what is logged. Lives as long as the screen. */
struct gf_text_sink gf_screen_sink(struct gf_screen *screen);
/* Leaves the line that was drawn last where it is, and starts a new one. */
void gf_screen_end(struct gf_screen *screen);

/* Speed of something that is counted, smoothed over about three seconds. */
struct gf_rate {
    int64_t at_us; /* of the last sample; GF_STATUS_UNKNOWN before the first */
    double count, per_s;
    bool is_known;
};

/* ---- the status of a run ---- */

struct gf_status_facts {
    uint64_t record_count; /* folded since the start */
    uint64_t output_count; /* effects committed since the start */
    int64_t lag_records;   /* not yet folded; GF_STATUS_UNKNOWN */
    int64_t delay_us;      /* wall time less shard time; GF_STATUS_UNKNOWN */
    int64_t commit_us;     /* the last commit took; GF_STATUS_UNKNOWN */
    uint32_t shards;       /* that are live here; 0: not told */
    uint32_t standby;      /* followed for others */
    int64_t standby_lag_us;
};

struct gf_status {
    struct gf_screen *screen;
    struct gf_rate records, lag;
};

void gf_status_init(struct gf_status *status, struct gf_screen *screen);
void gf_status_show(struct gf_status *status, const struct gf_status_facts *facts);

/* ---- the progress of long work ---- */

#define GF_BAR_TEXT_SIZE 48

struct gf_bar {
    struct gf_screen *screen;
    char what[GF_BAR_TEXT_SIZE]; /* the phase shown last */
    struct gf_rate rate;
    int64_t start_us, done;
    bool is_over; /* the last was shown */
};

void gf_bar_init(struct gf_bar *bar, struct gf_screen *screen);
/* `done` of `total` (0 or less: not known). Another `what`, or less done than before, starts
 * another line. The first and the last (done = total) are shown whatever the clock says. */
void gf_bar_show(struct gf_bar *bar, const char *what, int64_t done, int64_t total);
/* The same as a callback of loop/ (struct gf_progress): `context` is the bar. */
void gf_bar_progress(void *context, const char *what, int64_t done, int64_t total);

/* "1,234,567" and "3m12s"; for reports too. Return `out`. */
#define GF_AMOUNT_TEXT_SIZE 32
const char *gf_count_text(int64_t count, char out[GF_AMOUNT_TEXT_SIZE]);
const char *gf_duration_text(int64_t us, char out[GF_AMOUNT_TEXT_SIZE]);

#endif
