/* A library for LD_PRELOAD that injects faults into a program; inject.py chooses them.
 *
 * The program runs once and forks at each fault: in the child that one call fails, and the child
 * runs to its end in a folder of its own. The parent waits for it and continues undisturbed. So a
 * fault costs only the rest of the run, without starting the program again.
 *
 *   allocations   a fork at every INJECT_EVERY_OWN-th of the program's own and every
 *                 INJECT_EVERY_OTHER-th of its libraries'; 0: none
 *   calls         a fork before the first file or folder is made, for each of the first
 *                 INJECT_CALLS calls that write and every way in which it may fail
 *
 * INJECT_FOLDER/log has a line for each child: its number, what failed, its wait status. The
 * child's files are in INJECT_FOLDER/NUMBER, its messages in INJECT_FOLDER/NUMBER.said. The last
 * line counts the program's own allocations, and its libraries'. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_SECONDS = 60 };

/* ---- what to do ------------------------------------------------------------------------------ */

static const char *folder;           /* NULL: nothing */
static long every_own, every_other;  /* allocations */
static long calls;                   /* that fail, from the first file or folder that is made */
static bool armed;                   /* main runs, in the parent */
static uintptr_t own_begin, own_end; /* code of the program itself */
static long own_count, other_count, children;
static int log_file = -1;

static long number_of(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

/* The program is the first object. */
static int find_own(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            own_begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            own_end = own_begin + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

static bool is_own(void *caller)
{
    return (uintptr_t)caller >= own_begin && (uintptr_t)caller < own_end;
}

__attribute__((format(printf, 1, 2))) static void write_log(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    dprintf(log_file, "%s\n", line);
}

/* ---- children -------------------------------------------------------------------------------- */

/* Forks. True in the child, which then makes a call fail; false in the parent, with the child's
 * *status. */
static bool try_in_child(int *status)
{
    char path[4096];
    children++;
    pid_t child = fork();
    if (child == 0) {
        armed = false;
        snprintf(path, sizeof path, "%s/%ld.said", folder, children);
        int said = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        snprintf(path, sizeof path, "%s/%ld", folder, children);
        if (said < 0 || dup2(said, STDERR_FILENO) < 0 || mkdir(path, 0777) || chdir(path))
            _exit(99);
        close(said);
        alarm(MOST_SECONDS);
        return true;
    }
    if (child < 0 || waitpid(child, status, 0) != child)
        abort();
    return false;
}

/* ---- allocations ----------------------------------------------------------------------------- */

#ifndef INJECT_CALLS_ALONE
/* Whether this allocation has to fail. */
static bool fails(void *caller)
{
    if (!armed || !folder)
        return false;
    bool own = is_own(caller);
    long count = own ? ++own_count : ++other_count, every = own ? every_own : every_other;
    int status, kept = errno;
    if (every == 0 || count % every != 0)
        return false;
    armed = false; /* in the parent, too: no faults in the allocations made here */
    bool child = try_in_child(&status);
    if (!child) {
        Dl_info info = {0};
        dladdr(caller, &info);
        write_log("%ld allocation %ld of %s+%lx in %s %d", children, count,
                  info.dli_fname ? info.dli_fname : "?",
                  (unsigned long)((uintptr_t)caller - (uintptr_t)info.dli_fbase),
                  info.dli_sname ? info.dli_sname : "?", status);
        armed = true;
    }
    errno = child ? ENOMEM : kept;
    return child;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *found = fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
    if (!found)
        return ENOMEM;
    *memory = found;
    return 0;
}
#endif

/* ---- calls ----------------------------------------------------------------------------------- */

enum call { CALL_OPEN, CALL_WRITE, CALL_FSYNC, CALL_CLOSE, CALL_RENAME, CALL_CHMOD, CALL_MKDIR };
static const char *const call_name[] = {"open",   "write",  "fsync", "close",
                                        "rename", "fchmod", "mkdir"};

/* What happens to a call: an errno, or one of these. */
enum {
    SHORT = -1 /* half of it is written */,
    CUT_OFF = -2 /* likewise, then no space */,
    BEFORE = -100 /* minus a signal's number: the signal comes before the call */,
    AFTER = -200 /* after it */
};
static const int ways[] = {ENOSPC,
                           EIO,
                           EINTR,
                           EDQUOT,
                           SHORT,
                           CUT_OFF,
                           BEFORE - SIGTERM,
                           AFTER - SIGTERM,
                           BEFORE - SIGINT,
                           AFTER - SIGINT};

/* Of a child; shared with its parent: which call it was. */
static long call_to_fail, calls_made;
static int way;
static volatile int *reached;
static bool full;

static const char *way_name(char text[64], int of)
{
    if (of > 0)
        return strerror(of);
    if (of == SHORT || of == CUT_OFF)
        return of == SHORT ? "short" : "cut off";
    snprintf(text, 64, "signal %d %s", of > AFTER ? BEFORE - of : AFTER - of,
             of > AFTER ? "before" : "after");
    return text;
}

/* In a child: the way in which this call goes wrong; 0: it does not. */
static int way_of(enum call call, void *caller)
{
    if (!call_to_fail || !is_own(caller) || ++calls_made != call_to_fail)
        return 0;
    *reached = (int)call + 1;
    if (way < 0 && way > BEFORE && call != CALL_WRITE)
        return 0; /* short */
    if (way < 0 && way > AFTER && way <= BEFORE)
        raise(BEFORE - way);
    return way;
}

/* What the call returns: `result`, or -1. */
static int went(int how, int result)
{
    if (how <= AFTER)
        raise(AFTER - how);
    if (how > 0) {
        errno = how;
        return -1;
    }
    return result;
}

/* In the parent, before anything is written: every call, every way. */
static void try_all_calls(void)
{
    char text[64];
    int status;
    armed = false;
    reached =
        mmap(NULL, sizeof *reached, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (reached == MAP_FAILED)
        abort();
    for (long call = 1; call <= calls; call++)
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            *reached = 0;
            if (try_in_child(&status)) {
                call_to_fail = call;
                way = ways[i];
                return;
            }
            if (!*reached)
                break;
            write_log("%ld %s %ld, %s %d", children, call_name[*reached - 1], call,
                      way_name(text, ways[i]), status);
        }
    calls = 0;
    armed = true;
}

#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    bool writes = (flags & O_ACCMODE) != O_RDONLY && is_own(__builtin_return_address(0));
    if (writes && armed && calls)
        try_all_calls();
    int how = writes ? way_of(CALL_OPEN, __builtin_return_address(0)) : 0;
    return how > 0 ? went(how, -1) : went(how, REAL(open)(path, flags, mode));
}

ssize_t write(int file, const void *data, size_t size)
{
    if (file == STDERR_FILENO)
        return REAL(write)(file, data, size);
    if (full && is_own(__builtin_return_address(0)))
        return went(ENOSPC, -1);
    int how = way_of(CALL_WRITE, __builtin_return_address(0));
    if (how > 0)
        return went(how, -1);
    if (how == SHORT || how == CUT_OFF) {
        full = how == CUT_OFF;
        return REAL(write)(file, data, (size + 1) / 2);
    }
    ssize_t written = REAL(write)(file, data, size);
    went(how, 0);
    return written;
}

int fsync(int file)
{
    int how = way_of(CALL_FSYNC, __builtin_return_address(0));
    return how > 0 ? went(how, -1) : went(how, REAL(fsync)(file));
}

/* What cannot be closed is closed nevertheless, as on Linux. */
int close(int file)
{
    int how = way_of(CALL_CLOSE, __builtin_return_address(0));
    return went(how, REAL(close)(file));
}

int rename(const char *from, const char *to)
{
    int how = way_of(CALL_RENAME, __builtin_return_address(0));
    return how > 0 ? went(how, -1) : went(how, REAL(rename)(from, to));
}

int fchmod(int file, mode_t mode)
{
    int how = way_of(CALL_CHMOD, __builtin_return_address(0));
    return how > 0 ? went(how, -1) : went(how, REAL(fchmod)(file, mode));
}

int mkdir(const char *path, mode_t mode)
{
    if (armed && calls && is_own(__builtin_return_address(0)))
        try_all_calls();
    int how = way_of(CALL_MKDIR, __builtin_return_address(0));
    return how > 0 ? went(how, -1) : went(how, REAL(mkdir)(path, mode));
}

/* ---- the program ----------------------------------------------------------------------------- */

static int (*program)(int, char **, char **);

static void finish(void)
{
    bool counts = armed;
    armed = false; /* no faults while the log is written */
    if (counts)
        write_log("%ld %ld", own_count, other_count);
}

static int run_program(int count, char **argument, char **environment)
{
    char path[4096];
    folder = getenv("INJECT_FOLDER");
    if (!folder)
        return program(count, argument, environment);
    every_own = number_of("INJECT_EVERY_OWN");
    every_other = number_of("INJECT_EVERY_OTHER");
    calls = number_of("INJECT_CALLS");
    dl_iterate_phdr(find_own, NULL);
    snprintf(path, sizeof path, "%s/log", folder);
    log_file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    atexit(finish);
    armed = true;
    return program(count, argument, environment);
}

int __libc_start_main(int (*main)(int, char **, char **), int count, char **argument,
                      void (*init)(void), void (*fini)(void), void (*linker_fini)(void),
                      void *stack_end);
int __libc_start_main(int (*main)(int, char **, char **), int count, char **argument,
                      void (*init)(void), void (*fini)(void), void (*linker_fini)(void),
                      void *stack_end)
{
    program = main;
    return ((__typeof__(&__libc_start_main))(uintptr_t)dlsym(RTLD_NEXT, "__libc_start_main"))(
        run_program, count, argument, init, fini, linker_fini, stack_end);
}
