/* Runs checks in separate processes, so that a crash is a result like any other. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "random_model.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_SECONDS = 300 };

const char *const verdict_name[VERDICTS] = {"passed",
                                            "wrong JSON",
                                            "does not compile",
                                            "does not run",
                                            "wrong numbers",
                                            "wrong on threads",
                                            "wrong image by image",
                                            "wrong after a pass",
                                            "the test is wrong",
                                            "crashed",
                                            "took too long"};

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void run_child(const struct random_model *m, const struct checks *checks, bool quiet,
                      int pipe)
{
    int nowhere = quiet ? open("/dev/null", O_WRONLY) : -1;
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
    alarm(MOST_SECONDS);
    double start = seconds_now();
    struct outcome outcome = model_check(m, checks);
    outcome.seconds = seconds_now() - start;
    if (write(pipe, &outcome, sizeof outcome) != (ssize_t)sizeof outcome)
        abort();
    exit(0); /* not _exit: leaks are looked for */
}

struct running check_start(const struct random_model *m, const struct checks *checks, bool quiet)
{
    int ends[2];
    fflush(NULL);
    if (pipe(ends) != 0)
        abort();
    struct running running = {fork(), ends[0]};
    if (running.process < 0)
        abort();
    if (running.process == 0) {
        close(ends[0]);
        run_child(m, checks, quiet, ends[1]);
    }
    close(ends[1]);
    return running;
}

struct outcome check_finish(const struct running *running, int status)
{
    struct outcome outcome = {.verdict = CRASHED};
    bool whole = read(running->pipe, &outcome, sizeof outcome) == (ssize_t)sizeof outcome;
    close(running->pipe);
    if (whole && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return outcome;
    memset(&outcome, 0, sizeof outcome);
    outcome.verdict = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? TIMED_OUT : CRASHED;
    if (WIFSIGNALED(status))
        snprintf(outcome.message, sizeof outcome.message, "signal %d", WTERMSIG(status));
    else
        snprintf(outcome.message, sizeof outcome.message, "exit status %d", WEXITSTATUS(status));
    return outcome;
}

struct outcome model_check_apart(const struct random_model *m, const struct checks *checks,
                                 bool quiet)
{
    int status = 0;
    struct running running = check_start(m, checks, quiet);
    waitpid(running.process, &status, 0);
    return check_finish(&running, status);
}
