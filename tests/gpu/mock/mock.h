/* A CUDA driver without a GPU: what it counts and how it is told to fail.
 *
 * From the environment, for programs that do not know of it:
 *   MOCK_DEVICES=2         devices there are (1)
 *   MOCK_CAPABILITY=80     their compute capability (80)
 *   MOCK_PTX=63            the newest version of PTX that it takes (99)
 *   MOCK_KERNELS=A.so:B.so kernels for the host, as device.py makes them. Without any there are two
 *                          for every model: mock_load copies input to workspace, mock_add makes
 * output of workspace plus the weights' first float; others do nothing MOCK_FAIL=cuMemAlloc:3:2 the
 * third call of a function returns 2, see mock_fail MOCK_SEED=7            which of several streams
 * runs on when somebody waits MOCK_REPORT=1          at the end of the program, say what was left
 * or done wrong, status 99 */
#ifndef MOCK_H
#define MOCK_H
#include "cuda_driver.h"

#define DRIVER(function, suffix, parameters) CUresult function##suffix parameters;
#include "cuda_driver.def"
#undef DRIVER

struct mock_counts {
    /* Not given back: nobody even tried. */
    int contexts, memory, modules, streams, events, graphs, executables;
    int dropped;    /* objects that went with their context, since nobody gave them back */
    int violations; /* of rules that a driver need not enforce, such as no copy from freed memory */
    const char *violation; /* the first of them */
};

struct mock_counts mock_count(void);

/* Everything as at the start, the environment's settings too. No stream may have work. */
void mock_reset(void);
void mock_devices(int count, int capability);
/* The driver refuses PTX of a later version: 63 for 6.3. */
void mock_ptx(int newest);

/* The nth call from now on, of `function` (without its version) or of any where it is NULL, does
 * nothing but return `result`. After one that poisons a context all work in it fails alike. */
void mock_fail(const char *function, int nth, int result);
/* What function failed so; NULL: none yet. */
const char *mock_failed(void);
/* Calls since the last mock_fail or mock_reset, and those of `function` alone. */
int mock_calls(const char *function);

/* While held (1) calls are neither counted nor made to fail: those of a test's own. */
void mock_hold(int held);

/* The calling thread's contexts: the current one, and how many are on the stack. */
void *mock_current(void);
int mock_depth(void);
#endif
