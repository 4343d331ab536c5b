/* What code for AMX leaves alone, linked with amx.c: a model on two threads of a hook, while a signal
 * comes every millisecond, and in a child of fork. All have the same bits, and no thread keeps tiles
 * set up. */
#include "model_table.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 2, RUNS = 3 };
int amx_is_set_up(void); /* of this thread; amx.c */

struct work {
    void (*task)(void *, uint32_t);
    void *argument;
    uint32_t count, next;
    int set_up; /* threads that have tiles at their end */
};

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void *take(void *context)
{
    struct work *work = context;
    for (;;) {
        uint32_t i = __atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED);
        if (i >= work->count)
            break;
        work->task(work->argument, i);
    }
    __atomic_fetch_add(&work->set_up, amx_is_set_up(), __ATOMIC_RELAXED);
    return NULL;
}

static void parallel(void *context, uint32_t count, void (*task)(void *, uint32_t), void *argument)
{
    struct work work = {task, argument, count, 0, 0};
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, take, &work))
            exit(2);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    *(int *)context += work.set_up;
}

static float *output_of(const struct san_model *model, const float *input,
                        const struct san_exec *exec)
{
    size_t unit = model->workspace_alignment, bytes = model->classes * sizeof(float);
    float *out = malloc(bytes);
    void *workspace = aligned_alloc(unit, (model->workspace_bytes / unit + 1) * unit);
    if (!out || !workspace)
        exit(2);
    memset(workspace, 0xff, model->workspace_bytes);
    memset(out, 0xff, bytes);
    int status = model->run(input, out, workspace, exec);
    if (status != SAN_OK || amx_is_set_up()) {
        printf("status %d, tiles %d\n", status, amx_is_set_up());
        exit(1);
    }
    free(workspace);
    return out;
}

static int differs(const struct san_model *model, const float *input, const float *right,
                   const struct san_exec *exec)
{
    float *out = output_of(model, input, exec);
    int other = memcmp(out, right, model->classes * sizeof *out) != 0;
    free(out);
    return other;
}

int main(void)
{
    const struct san_model *model = model_table[0];
    size_t pixels = (size_t)model->channels * model->height * model->width;
    float *input = malloc(pixels * sizeof *input);
    for (size_t i = 0; input && i < pixels; i++)
        input[i] = (float)((i * 37) % 101) / 50 - 1;
    int kept = 0, other = 0, status = 1;
    struct san_exec exec = {SAN_ABI_VERSION, THREADS, parallel, &kept, NULL, NULL};
    float *right = output_of(model, input, NULL);
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    signal(SIGALRM, count_signal);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < RUNS; i++)
        other += differs(model, input, right, i ? &exec : NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(differs(model, input, right, NULL));
    waitpid(child, &status, 0);
    printf("signals %d\nother %d\nkept %d\nchild %d\n", (int)signals, other, kept, status);
    free(right);
    free(input);
    return 0;
}
