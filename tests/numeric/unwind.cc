// What unwinds the stack gets past a compiled model: exceptions that a hook or a clock throws, a
// backtrace from a hook, and backtraces from wherever a profiler's signal comes. Ends with 1 and
// says what is wrong.
#include "digits_pairwise.h"
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <sys/time.h>
#include <unwind.h>
#include <xmmintrin.h>

namespace
{
enum { PIXELS = 28 * 28, DIGITS = 10, SAMPLES = 200 };

DIGITS_PAIRWISE_ALIGNED unsigned char workspace[DIGITS_PAIRWISE_WORKSPACE_BYTES];
float image[PIXELS];
volatile sig_atomic_t samples, lost;

int run(float *logits, const san_exec *exec);

_Unwind_Reason_Code visit(_Unwind_Context *context, void *found)
{
    void *ip = reinterpret_cast<void *>(_Unwind_GetIP(context) - 1);
    if (_Unwind_FindEnclosingFunction(ip) == reinterpret_cast<void *>(&run))
        *static_cast<bool *>(found) = true;
    return _URC_NO_REASON;
}

bool backtrace_reaches_run()
{
    bool found = false;
    _Unwind_Backtrace(visit, &found);
    return found;
}

void on_sample(int)
{
    samples = samples + 1;
    lost = lost + !backtrace_reaches_run();
}

// The frame that is looked for.
__attribute__((noinline)) int run(float *logits, const san_exec *exec)
{
    int status = digits_pairwise_run(image, logits, workspace, exec);
    asm volatile("" ::: "memory"); // no tail call
    return status;
}

__attribute__((noinline)) int run_until_sampled(float *logits)
{
    int status = SAN_OK;
    while (samples < SAMPLES && status == SAN_OK)
        status = run(logits, nullptr);
    return status;
}

struct hook_state {
    bool throws, found;
};

void hook(void *context, uint32_t count, void (*task)(void *argument, uint32_t index),
          void *argument)
{
    hook_state *state = static_cast<hook_state *>(context);
    state->found = backtrace_reaches_run();
    if (state->throws)
        throw std::runtime_error("hook");
    for (uint32_t i = 0; i < count; i++)
        task(argument, i);
}

uint64_t clock_that_throws(void *)
{
    throw std::runtime_error("clock");
}

int check(bool good, const char *what)
{
    if (!good)
        std::printf("wrong: %s\n", what);
    return !good;
}

// Caught by the caller, whose environment is as it was; the next run is as any other.
int check_throw(const san_exec &exec, const char *who, const float *expected)
{
    float logits[DIGITS];
    const char *caught = "nothing";
    unsigned before = _mm_getcsr();
    try {
        run(logits, &exec);
    } catch (const std::runtime_error &error) {
        caught = std::strcmp(error.what(), who) == 0 ? who : "another";
    }
    return check(caught == who, "the exception was not caught") +
           check(_mm_getcsr() == before, "MXCSR changed by an exception") +
           check(run(logits, nullptr) == SAN_OK &&
                     std::memcmp(logits, expected, sizeof logits) == 0,
                 "another result after an exception");
}

int check_throws(const float *expected)
{
    hook_state state = {true, false};
    san_exec exec = {};
    exec.abi_version = SAN_ABI_VERSION;
    exec.threads = 2;
    exec.parallel = hook;
    exec.context = &state;
    int wrong = check_throw(exec, "hook", expected);
    static uint64_t ticks[1000], calls[1000];
    san_profile profile = {clock_that_throws, nullptr, ticks, calls};
    exec = san_exec();
    exec.abi_version = SAN_ABI_VERSION;
    exec.threads = 1;
    exec.profile = &profile;
    return wrong + check_throw(exec, "clock", expected);
}

int check_hook_backtrace(const float *expected)
{
    float logits[DIGITS];
    hook_state state = {false, false};
    san_exec exec = {};
    exec.abi_version = SAN_ABI_VERSION;
    exec.threads = 2;
    exec.parallel = hook;
    exec.context = &state;
    int status = run(logits, &exec);
    return check(status == SAN_OK && std::memcmp(logits, expected, sizeof logits) == 0,
                 "a run with a hook") +
           check(state.found, "a backtrace from a hook does not reach the caller");
}

// As a profiler does, every millisecond of processor time.
int check_samples()
{
    float logits[DIGITS];
    struct sigaction action = {};
    action.sa_handler = on_sample;
    itimerval timer = {{0, 1000}, {0, 1000}}, off = {};
    sigaction(SIGPROF, &action, nullptr);
    setitimer(ITIMER_PROF, &timer, nullptr);
    int status = run_until_sampled(logits);
    setitimer(ITIMER_PROF, &off, nullptr);
    // a sample between two runs is not within one
    if (lost > samples / 20)
        std::printf("%d of %d samples\n", int(lost), int(samples));
    return check(status == SAN_OK, "run fails") +
           check(lost <= samples / 20, "backtraces from kernels do not reach the caller");
}
} // namespace

int main()
{
    float expected[DIGITS];
    for (int i = 0; i < PIXELS; i++)
        image[i] = float(i % 7) / 7;
    if (check(run(expected, nullptr) == SAN_OK, "run fails"))
        return 1;
    return check_hook_backtrace(expected) + check_samples() + check_throws(expected) != 0;
}
