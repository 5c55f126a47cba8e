#include "io/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

/* Set in a handler, on whichever thread the signal came to; asked by every loop's thread. */
static atomic_int signal_asked;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a handler may take no lock");

static void
stop_ask(int number)
{
    if (number == SIGINT && signal_asked == SIGINT) {
        static const char text[] = "\ninterrupted twice: ending now; the next start recovers\n";
        const ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)written;
        _exit(128 + SIGINT);
    }
    signal_asked = number;
}

void
gf_signals_install(void)
{
    /* No SA_RESTART: a sleep or a wait for input ends, so that the loop sees the flag. */
    struct sigaction stop = {.sa_handler = stop_ask};
    sigemptyset(&stop.sa_mask);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
}

bool
gf_signals_stop_is_wanted(void)
{
    return signal_asked != 0;
}

int
gf_signals_which(void)
{
    return signal_asked;
}

void
gf_signals_reset(void)
{
    signal_asked = 0;
}
