#define _GNU_SOURCE /* CLOCK_THREAD_CPUTIME_ID */
#include "quiet.h"
#include <math.h>
#include <time.h>

static const double LONGER = 1.15; /* than the shortest probe: the clock varies, too */

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Four chains of additions. */
static double probe(void)
{
    double begin = seconds_now();
#if defined __x86_64__
    enum { STEPS = 300 };
    unsigned long a = 0, b = 0, c = 0, d = 0;
    for (int i = 0; i < STEPS; i++)
        __asm__ volatile(".rept 64\n\tadd $1, %0\n\tadd $1, %1\n\tadd $1, %2\n\tadd $1, %3\n\t.endr"
                         : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
    return seconds_now() - begin;
#else
    return begin * 0;
#endif
}

static void pause_shortly(void)
{
    const struct timespec pause = {0, 200000};
    nanosleep(&pause, NULL);
}

bool quiet_now(struct quiet *quiet)
{
    double seconds = probe();
    quiet->least = fmin(quiet->least, seconds);
    return seconds <= LONGER * quiet->least;
}

void quiet_begin(struct quiet *quiet)
{
    enum { PROBES = 1000, TOGETHER = 10 };
    quiet->least = HUGE_VAL;
    for (int i = 0; i < PROBES; i++) {
        quiet_now(quiet);
        if (i % TOGETHER == 0)
            pause_shortly();
    }
}

bool quiet_wait(struct quiet *quiet)
{
    enum { TRIES = 25 };
    for (int i = 0; i < TRIES; i++) {
        if (quiet_now(quiet))
            return true;
        pause_shortly();
    }
    return false;
}
