/* Times of the kernels of a model on a device. */
#include "cuda_handle.h"
#include <stdlib.h>

/* event: one before each kernel, and one after the last. */
static int make_events(const struct san_cuda *cuda, CUevent *event, struct san_cuda_error *error)
{
    int status = 0;
    for (uint32_t i = 0; i <= cuda->gpu->kernel_count && !status; i++)
        status = CALL(cuda->driver, error, cuEventCreate, &event[i], 0);
    return status;
}

/* While the device is busy with a run, so that no kernel waits for the host. */
static int enqueue(const struct san_cuda *cuda, CUevent *event, struct san_cuda_error *error)
{
    int status = CALL(cuda->driver, error, cuGraphLaunch, cuda->executable, cuda->stream);
    for (uint32_t i = 0; i < cuda->gpu->kernel_count && !status; i++) {
        status = CALL(cuda->driver, error, cuEventRecord, event[i], cuda->stream);
        if (!status)
            status = san_cuda_launch(cuda, i, cuda->stream, error);
    }
    if (!status)
        status =
            CALL(cuda->driver, error, cuEventRecord, event[cuda->gpu->kernel_count], cuda->stream);
    return status;
}

static int read_events(const struct san_cuda *cuda, CUevent *event, float *milliseconds,
                       struct san_cuda_error *error)
{
    int status = 0;
    for (uint32_t i = 0; i < cuda->gpu->kernel_count && !status; i++)
        status =
            CALL(cuda->driver, error, cuEventElapsedTime, &milliseconds[i], event[i], event[i + 1]);
    return status;
}

int san_cuda_time(const struct san_cuda *cuda, float *milliseconds, struct san_cuda_error *error)
{
    CUevent *event = calloc((size_t)cuda->gpu->kernel_count + 1, sizeof *event);
    if (!event)
        return san_cuda_fail(error, SAN_CUDA_EMEMORY, "no memory for events");
    int status = make_events(cuda, event, error);
    if (!status)
        status = enqueue(cuda, event, error);
    /* After failures too: what is enqueued uses the events. */
    CUresult waited = cuda->driver->cuStreamSynchronize(cuda->stream);
    if (!status)
        status = san_cuda_check(cuda->driver, error, "cuStreamSynchronize", waited);
    if (!status)
        status = read_events(cuda, event, milliseconds, error);
    for (uint32_t i = 0; i <= cuda->gpu->kernel_count; i++) {
        CUresult destroyed = event[i] ? cuda->driver->cuEventDestroy(event[i]) : 0;
        if (!status)
            status = san_cuda_check(cuda->driver, error, "cuEventDestroy", destroyed);
    }
    free(event);
    return status;
}

uint32_t san_cuda_kernels(const struct san_cuda *cuda)
{
    return cuda->gpu->kernel_count;
}

const char *san_cuda_kernel_name(const struct san_cuda *cuda, uint32_t kernel)
{
    return cuda->kernels[kernel].name;
}
