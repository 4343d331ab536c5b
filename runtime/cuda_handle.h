/* A model on a GPU: a handle owns everything that its runs need, so that a run only enqueues.
 *
 *   cuda_target.c the model's target for the device, and its code there
 *   cuda_kernels.c its kernels, and how each is started
 *   cuda_open.c   device, context, memory, weights; the launches captured as a graph
 *   cuda_run.c    on a stream: wait for the run before, input in, graph, output out, event
 *   cuda_times.c  the same with an event between kernels
 *
 * Runs share input, output and workspace of the handle, which lets one graph serve all callers'
 * pointers. The event keeps runs apart on the device, the mutex keeps their enqueueing in the
 * order of the events. */
#ifndef CUDA_HANDLE_H
#define CUDA_HANDLE_H
#include "cuda_driver.h"
#include <pthread.h>
#include <stdbool.h>

/* One of gpu->kernels. Kernels that differ only in where their buffers lie have one function, which
 * then takes workspace and weights as many bytes further on. Such a kernel's name in the object is
 * "NAME FUNCTION WORKSPACE WEIGHTS"; that of others is their function's, too. */
struct kernel {
    char *name; /* free() it; what stands before the first space */
    CUfunction function;
    int64_t workspace, weights;
};

struct san_cuda {
    const struct driver *driver;
    const struct san_model *model;
    const struct san_gpu *gpu; /* the chosen one of model->gpus */
    char name[256];            /* the device's */
    CUdevice device;
    unsigned capability; /* 80 for 8.0 */
    CUcontext context;   /* the primary one; NULL: not retained */
    CUmodule module;
    struct kernel *kernels; /* gpu->kernel_count of them */
    CUdeviceptr input, output, workspace, weights;
    size_t input_bytes, output_bytes;
    CUstream stream; /* for run_host and the handle's own work */
    CUevent done;    /* recorded at the end of each run */
    CUgraph graph;
    CUgraphExec executable;
    /* Below: under the mutex */
    pthread_mutex_t mutex;
    bool ran;                   /* `done` was recorded */
    struct san_cuda_error lost; /* what made the handle useless, first; status 0: nothing did */
};

/* Makes the handle's context the thread's; *before is what was current. */
int san_cuda_enter(const struct san_cuda *cuda, CUcontext *before, struct san_cuda_error *error);

/* Undoes san_cuda_enter, on every path. Returns `status`, or where that is 0 what fails here. */
int san_cuda_leave(const struct san_cuda *cuda, CUcontext before, int status,
                   struct san_cuda_error *error);

/* cuda_target.c: chooses the strongest target for the device; makes cuda->module of it, or of the
 * next weaker one where the driver is too old for it. */
int san_cuda_read_capability(const struct driver *driver, CUdevice device, unsigned *capability,
                             struct san_cuda_error *error);
int san_cuda_find_target(struct san_cuda *cuda, struct san_cuda_error *error);
int san_cuda_load(struct san_cuda *cuda, struct san_cuda_error *error);

/* cuda_kernels.c: finds all kernels; enqueues one. */
int san_cuda_find_kernels(struct san_cuda *cuda, struct san_cuda_error *error);
void san_cuda_forget_kernels(struct san_cuda *cuda);
int san_cuda_launch(const struct san_cuda *cuda, uint32_t kernel, CUstream stream,
                    struct san_cuda_error *error);

/* cuda_times.c: milliseconds of each kernel, of the input that is there; waits. */
int san_cuda_time(const struct san_cuda *cuda, float *milliseconds, struct san_cuda_error *error);

/* The caller's error or the other, with nothing in it. */
struct san_cuda_error *san_cuda_begin(struct san_cuda_error *error, struct san_cuda_error *unused);
#endif
