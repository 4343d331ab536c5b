/* Threads and clocks for compiled models: what libsanrt.a adds to the objects that sanc writes.
 *
 *     struct san_pool *pool = san_pool_new(4);          NULL: errno says why
 *     struct san_exec exec = san_pool_exec(pool);
 *     int status = digits_run(input, output, workspace, &exec);
 *     san_pool_free(pool);
 *
 * C11 and C++11. */
#ifndef SAN_RUNTIME_H
#define SAN_RUNTIME_H
#include "san/abi.h"

#pragma GCC visibility push(default) /* all else of the runtime is hidden */

#ifdef __cplusplus
extern "C" {
#endif

enum { SAN_POOL_MOST_THREADS = 1024 };

struct san_pool;

/* A pool that runs tasks on `threads` threads at once: the caller of san_exec.parallel and threads
 * - 1 workers. 0 stands for the processors that this process may use. A worker has a stack of 256
 * KiB, all signals blocked, and the floating-point environment of the caller of san_pool_new. On
 * failure nothing is left behind and the result is NULL, with errno EINVAL (more than
 * SAN_POOL_MOST_THREADS), ENOMEM, or EAGAIN (the system refuses a thread). */
struct san_pool *san_pool_new(unsigned threads);

/* Ends and joins the workers; NULL is no error. No thread may be inside the pool's parallel. */
void san_pool_free(struct san_pool *pool);

/* How to run a model on the pool. The structure may be copied, and used until the pool is freed;
 * set its `profile` as you like.
 *
 * Any number of threads may use one pool, and a task may use the pool that runs it: a caller that
 * finds the pool busy runs all of its tasks in its own thread, without waiting. So sharing never
 * blocks; a caller that needs all the threads needs a pool of its own. */
struct san_exec san_pool_exec(struct san_pool *pool);

/* Nanoseconds of a monotonic clock; `context` is not used. */
uint64_t san_clock_ns(void *context);

/* A profile with room for the kernels of `model`, zeroed, in nanoseconds. One run at a time may use
 * it. NULL: no memory. */
struct san_profile *san_profile_new(const struct san_model *model);
void san_profile_free(struct san_profile *profile); /* NULL is no error */

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
