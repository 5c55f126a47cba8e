#include "io/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t signal_asked;

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
    return (int)signal_asked;
}

void
gf_signals_reset(void)
{
    signal_asked = 0;
}
