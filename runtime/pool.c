/* A pool of threads that runs one job at a time: task(argument, i) for i below a count.
 *
 *   caller   publishes task and argument, then a ticket (generation, tasks left to take)
 *   anyone   takes a task by lowering the ticket, runs it, lowers `unfinished`
 *   caller   takes tasks as the workers do, then waits for `unfinished` to reach 0
 *
 * The ticket alone says whether there is a task to take. A thread reads task and argument before it
 * lowers the ticket; if that succeeds, a task was left until then, so the caller had not returned
 * and nobody had published another job: what was read belongs to this ticket. The generation keeps
 * a thread that slept in between from taking a later job's task; 2^32 jobs would have to pass.
 *
 * A waiting thread spins first, since the next kernel mostly comes within microseconds, then
 * sleeps. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "san/runtime.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPIN_NS = 100 * 1000, SPINS_PER_CLOCK = 64, STACK_BYTES = 2048 * 1024, CACHE_LINE = 64 };

typedef void task_function(void *argument, uint32_t index);

struct san_pool {
    /* Read by spinning workers, written once per task taken: a cache line of its own. */
    _Alignas(CACHE_LINE) atomic_uint_least64_t ticket; /* generation << 32 | tasks left to take */
    _Alignas(CACHE_LINE)
        atomic_uint_least32_t unfinished; /* tasks of the job that have not ended */
    _Alignas(CACHE_LINE) _Atomic(task_function *) task;
    _Atomic(void *) argument;
    atomic_flag used; /* some caller has the pool */
    atomic_bool ends;
    atomic_uint sleepers; /* workers that need a signal */
    atomic_bool caller_sleeps;
    uint64_t spin_ns; /* 0 where there are fewer processors than threads */
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    unsigned threads, workers; /* workers: started so far */
    pthread_t worker[];
};

static unsigned processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    long count = sysconf(_SC_NPROCESSORS_ONLN); /* a machine too large for cpu_set_t */
    return count < 1 ? 1 : (unsigned)count;
}

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Spins until arrived(pool) or the pool's time for that is up. */
static bool spin(struct san_pool *pool, bool (*arrived)(struct san_pool *))
{
    uint64_t start = 0;
    for (unsigned i = 0;; i++) {
        if (arrived(pool))
            return true;
        if (i % SPINS_PER_CLOCK == 0) {
            uint64_t now = san_clock_ns(NULL);
            start = i == 0 ? now : start;
            if (now - start >= pool->spin_ns)
                return false;
        }
        pause_briefly();
    }
}

/* Runs tasks as long as there are some to take. */
static void run_tasks(struct san_pool *pool)
{
    uint64_t ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    while ((uint32_t)ticket != 0) {
        task_function *task = atomic_load_explicit(&pool->task, memory_order_relaxed);
        void *argument = atomic_load_explicit(&pool->argument, memory_order_relaxed);
        if (!atomic_compare_exchange_weak_explicit(&pool->ticket, &ticket, ticket - 1,
                                                   memory_order_acq_rel, memory_order_acquire))
            continue;
        task(argument, (uint32_t)ticket - 1);
        /* Sequentially consistent, as is the caller's look at it after caller_sleeps. */
        if (atomic_fetch_sub(&pool->unfinished, 1) == 1 && atomic_load(&pool->caller_sleeps)) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->mutex);
        }
        ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
    }
}

static bool work_arrived(struct san_pool *pool)
{
    return (uint32_t)atomic_load(&pool->ticket) != 0 || atomic_load(&pool->ends);
}

static bool work_finished(struct san_pool *pool)
{
    return atomic_load(&pool->unfinished) == 0;
}

static void *work(void *context)
{
    struct san_pool *pool = context;
    while (!atomic_load(&pool->ends)) {
        if (!spin(pool, work_arrived)) {
            pthread_mutex_lock(&pool->mutex);
            atomic_fetch_add(&pool->sleepers, 1);
            while (!work_arrived(pool))
                pthread_cond_wait(&pool->work, &pool->mutex);
            atomic_fetch_sub(&pool->sleepers, 1);
            pthread_mutex_unlock(&pool->mutex);
        }
        run_tasks(pool);
    }
    return NULL;
}

static void wake_workers(struct san_pool *pool, uint32_t wanted)
{
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    if (wanted >= pool->workers)
        pthread_cond_broadcast(&pool->work);
    else
        for (uint32_t i = 0; i < wanted; i++)
            pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

static void wait_for_others(struct san_pool *pool)
{
    if (spin(pool, work_finished))
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_sleeps, true);
    while (!work_finished(pool))
        pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->caller_sleeps, false);
    pthread_mutex_unlock(&pool->mutex);
}

/* san_exec.parallel */
static void run_parallel(void *context, uint32_t count, task_function *task, void *argument)
{
    struct san_pool *pool = context;
    if (count < 2 || pool->workers == 0 ||
        atomic_flag_test_and_set_explicit(&pool->used, memory_order_acquire)) {
        for (uint32_t i = 0; i < count; i++)
            task(argument, i);
        return;
    }
    atomic_store_explicit(&pool->task, task, memory_order_relaxed);
    atomic_store_explicit(&pool->argument, argument, memory_order_relaxed);
    atomic_store_explicit(&pool->unfinished, count, memory_order_relaxed);
    uint64_t generation = (atomic_load_explicit(&pool->ticket, memory_order_relaxed) >> 32) + 1;
    /* Sequentially consistent, as is a worker's look at it after it has counted itself a sleeper.
     */
    atomic_store(&pool->ticket, generation << 32 | count);
    wake_workers(pool, count - 1);
    run_tasks(pool);
    wait_for_others(pool);
    atomic_flag_clear_explicit(&pool->used, memory_order_release);
}

static int start_workers(struct san_pool *pool)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    /* Tasks may use half of it. The C library puts the program's thread-local data on the stack
     * too, and the minimum does not count them. */
    long least = sysconf(_SC_THREAD_STACK_MIN);
    size_t minimum = least > 0 ? (size_t)least : (size_t)PTHREAD_STACK_MIN;
    error = pthread_attr_setstacksize(&attributes, STACK_BYTES + minimum);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* workers inherit it */
    while (!error && pool->workers < pool->threads - 1) {
        error = pthread_create(&pool->worker[pool->workers], &attributes, work, pool);
        pool->workers += !error;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

struct san_pool *san_pool_new(unsigned threads)
{
    unsigned here = processors();
    if (threads == 0)
        threads = here < SAN_POOL_MOST_THREADS ? here : SAN_POOL_MOST_THREADS;
    if (threads > SAN_POOL_MOST_THREADS) {
        errno = EINVAL;
        return NULL;
    }
    size_t size = sizeof(struct san_pool) + (threads - 1) * sizeof(pthread_t);
    size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE; /* as aligned_alloc wants it */
    struct san_pool *pool = aligned_alloc(CACHE_LINE, size);
    if (!pool)
        return NULL; /* errno is ENOMEM */
    atomic_init(&pool->ticket, 0);
    atomic_init(&pool->unfinished, 0);
    atomic_init(&pool->task, NULL);
    atomic_init(&pool->argument, NULL);
    atomic_init(&pool->ends, false);
    atomic_init(&pool->sleepers, 0);
    atomic_init(&pool->caller_sleeps, false);
    atomic_flag_clear(&pool->used);
    pool->spin_ns = threads <= here ? SPIN_NS : 0;
    pool->threads = threads;
    pool->workers = 0;
    /* With default attributes none of these can fail on Linux. */
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    int error = start_workers(pool);
    if (error) {
        san_pool_free(pool);
        errno = error;
        return NULL;
    }
    return pool;
}

void san_pool_free(struct san_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->ends, true);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->workers; i++)
        pthread_join(pool->worker[i], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

struct san_exec san_pool_exec(struct san_pool *pool)
{
    return (struct san_exec){.abi_version = SAN_ABI_VERSION,
                             .threads = pool->threads,
                             .parallel = run_parallel,
                             .context = pool};
}
