#define _GNU_SOURCE
#include "progress.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { MOST_COLUMNS = 200, USUAL_COLUMNS = 80 };
static const double SECONDS_BETWEEN = 0.1;

static struct {
    bool wanted, stands;
    double shown; /* when, in seconds */
} line;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool progress_terminal(void)
{
    const char *terminal = getenv("TERM");
    return terminal && strcmp(terminal, "dumb") != 0 && isatty(STDERR_FILENO);
}

void progress_begin(bool wanted)
{
    line.wanted = wanted && progress_terminal();
}

bool progress_due(void)
{
    return line.wanted && seconds_now() - line.shown >= SECONDS_BETWEEN;
}

static int columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return USUAL_COLUMNS;
    return size.ws_col < MOST_COLUMNS ? size.ws_col : MOST_COLUMNS;
}

void progress_show(const char *format, ...)
{
    char text[MOST_COLUMNS];
    va_list arguments;
    if (!line.wanted)
        return;
    va_start(arguments, format);
    vsnprintf(text, (size_t)columns(), format, arguments); /* the last column stays free */
    va_end(arguments);
    fprintf(stderr, "\r\033[K%s", text);
    line.stands = true;
    line.shown = seconds_now();
}

void progress_clear(void)
{
    if (line.stands)
        fputs("\r\033[K", stderr);
    line.stands = false;
}
