/* The runtime's thread pool: every task once, from any number of callers. */
#include "san/runtime.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MOST_TASKS = 300 };

struct counts {
    atomic_uint runs[MOST_TASKS];
};

static void count_run(void *argument, uint32_t index)
{
    struct counts *counts = argument;
    atomic_fetch_add(&counts->runs[index], 1);
}

/* Number of tasks below `count` that did not run exactly once, and of those above that ran. */
static unsigned wrong(const struct san_exec *exec, uint32_t count)
{
    struct counts counts;
    for (uint32_t i = 0; i < MOST_TASKS; i++)
        atomic_init(&counts.runs[i], 0);
    exec->parallel(exec->context, count, count_run, &counts);
    unsigned bad = 0;
    for (uint32_t i = 0; i < MOST_TASKS; i++)
        bad += atomic_load(&counts.runs[i]) != (i < count);
    return bad;
}

static void sleep_ns(long nanoseconds)
{
    struct timespec time = {.tv_nsec = nanoseconds};
    nanosleep(&time, NULL);
}

static void test_every_task_once(void **state)
{
    (void)state;
    static const unsigned threads[] = {1, 2, 3, 8};
    static const uint32_t tasks[] = {0, 1, 2, 3, 7, 64, MOST_TASKS};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        struct san_pool *pool = san_pool_new(threads[t]);
        assert_non_null(pool);
        struct san_exec exec = san_pool_exec(pool);
        assert_int_equal(exec.abi_version, SAN_ABI_VERSION);
        assert_int_equal(exec.threads, threads[t]);
        assert_null(exec.profile);
        for (size_t c = 0; c < sizeof tasks / sizeof *tasks; c++)
            for (int again = 0; again < 100; again++)
                assert_int_equal(wrong(&exec, tasks[c]), 0);
        san_pool_free(pool);
    }
}

static void test_jobs_after_sleep(void **state)
{
    (void)state;
    struct san_pool *pool = san_pool_new(4);
    assert_non_null(pool);
    struct san_exec exec = san_pool_exec(pool);
    for (int i = 0; i < 200; i++) {
        sleep_ns(i % 4 * 100000);
        assert_int_equal(wrong(&exec, 5), 0);
    }
    san_pool_free(pool);
}

static void doze(void *argument, uint32_t index)
{
    sleep_ns(index % 2 ? 2000000 : 0);
    count_run(argument, index);
}

static void test_caller_waits_for_slow_tasks(void **state)
{
    (void)state;
    struct san_pool *pool = san_pool_new(3);
    assert_non_null(pool);
    struct san_exec exec = san_pool_exec(pool);
    for (int again = 0; again < 20; again++) {
        struct counts counts;
        memset(&counts, 0, sizeof counts);
        exec.parallel(exec.context, 4, doze, &counts);
        for (int i = 0; i < 4; i++)
            assert_int_equal(atomic_load(&counts.runs[i]), 1);
    }
    san_pool_free(pool);
}

/* What one of several calling threads does. */
struct caller {
    pthread_t thread;
    struct san_exec exec;
    unsigned bad;
};

static void *call_often(void *context)
{
    struct caller *caller = context;
    for (uint32_t i = 0; i < 3000; i++)
        caller->bad += wrong(&caller->exec, i % 9);
    return NULL;
}

static void run_callers(struct caller *caller, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(pthread_create(&caller[i].thread, NULL, call_often, &caller[i]), 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(pthread_join(caller[i].thread, NULL), 0);
        assert_int_equal(caller[i].bad, 0);
    }
}

static void test_two_pools_at_once(void **state)
{
    (void)state;
    struct san_pool *one = san_pool_new(2), *other = san_pool_new(3);
    assert_non_null(one);
    assert_non_null(other);
    struct caller caller[] = {{.exec = san_pool_exec(one)}, {.exec = san_pool_exec(other)}};
    run_callers(caller, 2);
    san_pool_free(one);
    san_pool_free(other);
}

static void test_callers_share_a_pool(void **state)
{
    (void)state;
    struct san_pool *pool = san_pool_new(3);
    assert_non_null(pool);
    struct caller caller[4];
    for (int i = 0; i < 4; i++)
        caller[i] = (struct caller){.exec = san_pool_exec(pool)};
    run_callers(caller, 4);
    san_pool_free(pool);
}

struct nest {
    struct san_exec exec;
    atomic_uint bad;
};

static void run_inner(void *argument, uint32_t index)
{
    struct nest *nest = argument;
    atomic_fetch_add(&nest->bad, wrong(&nest->exec, index));
}

static void test_task_uses_its_pool(void **state)
{
    (void)state;
    struct san_pool *pool = san_pool_new(3);
    assert_non_null(pool);
    struct nest nest = {.exec = san_pool_exec(pool)};
    nest.exec.parallel(nest.exec.context, 20, run_inner, &nest);
    assert_int_equal(atomic_load(&nest.bad), 0);
    san_pool_free(pool);
}

static void fill_stack(void *argument, uint32_t index)
{
    volatile char tile[200 * 1024];
    for (size_t i = 0; i < sizeof tile; i += 512)
        tile[i] = (char)index;
    atomic_fetch_add((atomic_uint *)argument, (unsigned char)tile[512]);
}

static void test_worker_has_its_stack(void **state)
{
    (void)state;
    struct san_pool *pool = san_pool_new(2);
    assert_non_null(pool);
    struct san_exec exec = san_pool_exec(pool);
    atomic_uint sum = 0;
    exec.parallel(exec.context, 64, fill_stack, &sum);
    assert_int_equal(atomic_load(&sum), 63 * 64 / 2);
    san_pool_free(pool);
}

static void test_bad_numbers(void **state)
{
    (void)state;
    errno = 0;
    assert_null(san_pool_new(SAN_POOL_MOST_THREADS + 1));
    assert_int_equal(errno, EINVAL);
    san_pool_free(NULL);
    struct san_pool *pool = san_pool_new(0);
    assert_non_null(pool);
    assert_true(san_pool_exec(pool).threads >= 1);
    san_pool_free(pool);
}

static void test_profile(void **state)
{
    (void)state;
    struct san_model model = {.kernel_count = 5};
    struct san_profile *profile = san_profile_new(&model);
    assert_non_null(profile);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(profile->ticks[i]++, 0);
        assert_int_equal(profile->calls[i]++, 0);
    }
    uint64_t before = profile->clock(profile->context);
    sleep_ns(1000000);
    assert_true(profile->clock(profile->context) - before >= 1000000);
    san_profile_free(profile);
    san_profile_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_once),
        cmocka_unit_test(test_jobs_after_sleep),
        cmocka_unit_test(test_caller_waits_for_slow_tasks),
        cmocka_unit_test(test_two_pools_at_once),
        cmocka_unit_test(test_callers_share_a_pool),
        cmocka_unit_test(test_task_uses_its_pool),
        cmocka_unit_test(test_worker_has_its_stack),
        cmocka_unit_test(test_bad_numbers),
        cmocka_unit_test(test_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
