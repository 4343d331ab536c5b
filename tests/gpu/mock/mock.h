/* A CUDA driver without a GPU: its counts, and how to make it fail.
 *
 * From the environment, for programs that do not know of it:
 *   MOCK_DEVICES=2         devices there are (1)
 *   MOCK_CAPABILITY=80     their compute capability (80)
 *   MOCK_PTX=63            the newest version of PTX that it takes (99)
 *   MOCK_KERNELS=A.so:B.so kernels for the host, as device.py makes them. Without any there are two
 *                          for every model: mock_load copies input to workspace, mock_add makes
 *                          output of workspace plus the weights' first float; others do nothing
 *   MOCK_MISSING=1         with MOCK_KERNELS: kernels that none of them has make zeros
 *   MOCK_FAIL=cuMemAlloc:3:2 the third call of a function returns 2, see mock_fail
 *   MOCK_SEED=7            which of several streams runs on when somebody waits
 *   MOCK_REPORT=1          at the end of the program, say what was left or done wrong, status 99
 */
#ifndef MOCK_H
#define MOCK_H
#include "cuda_driver.h"

#define DRIVER(function, suffix, parameters) CUresult function##suffix parameters;
#include "cuda_driver.def"
#undef DRIVER

/* What scripts call besides. */
CUresult cuDriverGetVersion(int *version);
CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function);

struct mock_counts {
    /* Objects that nobody tried to free. */
    int contexts, memory, modules, streams, events, graphs, executables;
    int dropped;    /* objects destroyed with their context, not freed before */
    int violations; /* of rules that a driver need not enforce, such as a copy from freed memory */
    const char *violation; /* the first of them */
};

struct mock_counts mock_count(void);

/* Resets everything, to the environment's settings. No stream may have work. */
void mock_reset(void);
void mock_devices(int count, int capability);
/* The driver refuses PTX of a later version: 63 for 6.3. */
void mock_ptx(int newest);

/* The nth call from now on, of `function` (without its version) or of any where it is NULL, does
 * nothing but return `result`. After an error that breaks the context all work in it fails in the
 * same way. */
void mock_fail(const char *function, int nth, int result);
/* The function that mock_fail made fail; NULL: none yet. */
const char *mock_failed(void);
/* Calls since the last mock_fail or mock_reset, and those of `function` alone. */
int mock_calls(const char *function);

/* While held (1), for a test's own calls, calls are neither counted nor made to fail. */
void mock_hold(int held);

/* The calling thread's contexts: the current one, and how many are on the stack. */
void *mock_current(void);
int mock_depth(void);
#endif
