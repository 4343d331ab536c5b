/* Puts a model on a GPU, and takes it away. */
#include "cuda_handle.h"
#include <stdlib.h>

enum { DEVICE_ALIGNMENT = 256 }; /* what cuMemAlloc promises */

/* ---- what all calls share -------------------------------------------------------------------- */

int san_cuda_enter(const struct san_cuda *cuda, CUcontext *before, struct san_cuda_error *error)
{
    int status = CALL(cuda->driver, error, cuCtxGetCurrent, before);
    if (!status)
        status = CALL(cuda->driver, error, cuCtxPushCurrent, cuda->context);
    if (status && error->driver == CU_INVALID_CONTEXT)
        status = error->status = SAN_CUDA_ELOST; /* someone has reset the device */
    return status;
}

int san_cuda_leave(const struct san_cuda *cuda, CUcontext before, int status,
                   struct san_cuda_error *error)
{
    CUcontext popped;
    CUresult result = cuda->driver->cuCtxPopCurrent(&popped);
    if (!result)
        return status;
    /* It may have popped or not; either way the caller's context becomes current. */
    cuda->driver->cuCtxSetCurrent(before);
    return status ? status : san_cuda_check(cuda->driver, error, "cuCtxPopCurrent", result);
}

struct san_cuda_error *san_cuda_begin(struct san_cuda_error *error, struct san_cuda_error *unused)
{
    error = error ? error : unused;
    error->status = error->driver = 0;
    error->text[0] = 0;
    return error;
}

/* ---- open ------------------------------------------------------------------------------------ */

static int get_device(const struct driver *driver, int ordinal, CUdevice *device,
                      struct san_cuda_error *error)
{
    int count = 0;
    int status = CALL(driver, error, cuInit, 0);
    if (!status)
        status = CALL(driver, error, cuDeviceGetCount, &count);
    if (!status && (ordinal < 0 || ordinal >= count))
        status = san_cuda_fail(error, SAN_CUDA_EDEVICE, "no device %d: the driver has %d", ordinal,
                               count);
    return status ? status : CALL(driver, error, cuDeviceGet, device, ordinal);
}

int san_cuda_capability(int device, unsigned *capability, struct san_cuda_error *error)
{
    struct san_cuda_error unused;
    CUdevice handle;
    error = san_cuda_begin(error, &unused);
    if (!capability)
        return san_cuda_fail(error, SAN_CUDA_EARGUMENT, "capability is null");
    const struct driver *driver = san_cuda_driver(error);
    if (!driver)
        return error->status;
    int status = get_device(driver, device, &handle, error);
    return status ? status : san_cuda_read_capability(driver, handle, capability, error);
}

static int find_device(struct san_cuda *cuda, int ordinal, struct san_cuda_error *error)
{
    const struct driver *driver = cuda->driver;
    int status = get_device(driver, ordinal, &cuda->device, error);
    if (!status)
        status =
            CALL(driver, error, cuDeviceGetName, cuda->name, (int)sizeof cuda->name, cuda->device);
    if (!status)
        status = san_cuda_find_target(cuda, error);
    return status;
}

static int allocate(const struct san_cuda *cuda, CUdeviceptr *memory, uint64_t bytes,
                    const char *what, struct san_cuda_error *error)
{
    /* The driver refuses 0 bytes. */
    int status = CALL(cuda->driver, error, cuMemAlloc, memory, bytes ? (size_t)bytes : 1);
    if (status)
        san_cuda_append(error, "; %llu bytes for %s", (unsigned long long)bytes, what);
    return status;
}

static int allocate_all(struct san_cuda *cuda, struct san_cuda_error *error)
{
    const struct san_model *m = cuda->model;
    size_t each = m->input_type == SAN_U8 ? 1 : sizeof(float);
    cuda->input_bytes = each * m->batch * m->channels * m->height * m->width;
    cuda->output_bytes = sizeof(float) * m->batch * m->classes;
    int status = allocate(cuda, &cuda->input, cuda->input_bytes, "the input", error);
    if (!status)
        status = allocate(cuda, &cuda->output, cuda->output_bytes, "the output", error);
    if (!status)
        status =
            allocate(cuda, &cuda->workspace, cuda->gpu->workspace_bytes, "the workspace", error);
    if (!status)
        status = allocate(cuda, &cuda->weights, cuda->gpu->weights_bytes, "the weights", error);
    return status;
}

/* On the handle's stream, since the default one would wait for the caller's work and break
 * captures of other threads. */
static int upload_weights(struct san_cuda *cuda, struct san_cuda_error *error)
{
    const struct san_gpu *gpu = cuda->gpu;
    int status = 0;
    if (gpu->weights_bytes)
        status = CALL(cuda->driver, error, cuMemcpyHtoDAsync, cuda->weights, gpu->weights,
                      (size_t)gpu->weights_bytes, cuda->stream);
    if (!status)
        status = CALL(cuda->driver, error, cuStreamSynchronize, cuda->stream);
    return status;
}

static int capture(struct san_cuda *cuda, struct san_cuda_error *error)
{
    /* Relaxed: other threads may call the driver meanwhile. */
    int status = CALL(cuda->driver, error, cuStreamBeginCapture, cuda->stream, CU_CAPTURE_RELAXED);
    if (status)
        return status;
    for (uint32_t i = 0; i < cuda->gpu->kernel_count && !status; i++)
        status = san_cuda_launch(cuda, i, cuda->stream, error);
    /* After a failed launch too: the capture has to end. */
    CUresult ended = cuda->driver->cuStreamEndCapture(cuda->stream, &cuda->graph);
    if (ended)
        cuda->graph = NULL;
    return status ? status : san_cuda_check(cuda->driver, error, "cuStreamEndCapture", ended);
}

/* In the handle's context. */
static int prepare(struct san_cuda *cuda, struct san_cuda_error *error)
{
    const struct driver *driver = cuda->driver;
    int status = san_cuda_load(cuda, error);
    if (!status)
        status = san_cuda_find_kernels(cuda, error);
    if (!status)
        status = allocate_all(cuda, error);
    if (!status)
        status = CALL(driver, error, cuStreamCreate, &cuda->stream, CU_STREAM_NON_BLOCKING);
    if (!status)
        status = CALL(driver, error, cuEventCreate, &cuda->done, CU_EVENT_DISABLE_TIMING);
    if (!status)
        status = capture(cuda, error);
    if (!status)
        status =
            CALL(driver, error, cuGraphInstantiateWithFlags, &cuda->executable, cuda->graph, 0);
    if (!status) /* so that the first run does not wait for it */
        status = CALL(driver, error, cuGraphUpload, cuda->executable, cuda->stream);
    if (!status)
        status = upload_weights(cuda, error);
    return status;
}

static int check_model(const struct san_model *model, struct san_cuda_error *error)
{
    if (!model)
        return san_cuda_fail(error, SAN_CUDA_EARGUMENT, "model is null");
    if (model->abi_version != SAN_ABI_VERSION)
        return san_cuda_fail(error, SAN_CUDA_EABI,
                             "the model has ABI version %u, this runtime has %u",
                             (unsigned)model->abi_version, (unsigned)SAN_ABI_VERSION);
    if (!model->gpu_count)
        return san_cuda_fail(error, SAN_CUDA_EDEVICE, "model %s has no code for GPUs: it has %s",
                             model->name, model->targets);
    for (uint32_t i = 0; i < model->gpu_count; i++)
        if (model->gpus[i].alignment > DEVICE_ALIGNMENT)
            return san_cuda_fail(error, SAN_CUDA_EABI,
                                 "model %s wants memory aligned to %u bytes, the driver gives %d",
                                 model->name, (unsigned)model->gpus[i].alignment, DEVICE_ALIGNMENT);
    return 0;
}

static int open_handle(struct san_cuda *cuda, int device, struct san_cuda_error *error)
{
    int status = find_device(cuda, device, error);
    if (!status)
        status = CALL(cuda->driver, error, cuDevicePrimaryCtxRetain, &cuda->context, cuda->device);
    if (status) {
        cuda->context = NULL;
        return status;
    }
    CUcontext before;
    status = san_cuda_enter(cuda, &before, error);
    return status ? status : san_cuda_leave(cuda, before, prepare(cuda, error), error);
}

int san_cuda_open(const struct san_model *model, int device, struct san_cuda **cuda,
                  struct san_cuda_error *error)
{
    struct san_cuda_error unused;
    error = san_cuda_begin(error, &unused);
    if (!cuda)
        return san_cuda_fail(error, SAN_CUDA_EARGUMENT, "cuda is null");
    *cuda = NULL;
    if (check_model(model, error))
        return error->status;
    const struct driver *driver = san_cuda_driver(error);
    if (!driver)
        return error->status;
    struct san_cuda *opened = calloc(1, sizeof *opened);
    if (!opened)
        return san_cuda_fail(error, SAN_CUDA_EMEMORY, "no memory for a handle");
    opened->driver = driver;
    opened->model = model;
    pthread_mutex_init(&opened->mutex, NULL); /* cannot fail on Linux */
    int status = open_handle(opened, device, error);
    if (status)
        san_cuda_close(opened);
    else
        *cuda = opened;
    return status;
}

/* ---- close ----------------------------------------------------------------------------------- */

/* In the handle's context. Failures are ignored: nothing can be done about them, and what is left
 * is freed with a lost context. */
static void give_back(struct san_cuda *cuda)
{
    const struct driver *driver = cuda->driver;
    if (cuda->stream)
        driver->cuStreamSynchronize(cuda->stream);
    if (cuda->ran)
        driver->cuEventSynchronize(cuda->done);
    if (cuda->executable)
        driver->cuGraphExecDestroy(cuda->executable);
    if (cuda->graph)
        driver->cuGraphDestroy(cuda->graph);
    if (cuda->done)
        driver->cuEventDestroy(cuda->done);
    if (cuda->stream)
        driver->cuStreamDestroy(cuda->stream);
    const CUdeviceptr memory[] = {cuda->input, cuda->output, cuda->workspace, cuda->weights};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        if (memory[i])
            driver->cuMemFree(memory[i]);
    if (cuda->module)
        driver->cuModuleUnload(cuda->module);
}

/* A reset of the device destroys its context and all that the handle has there. The driver may
 * crash when it is asked about any of that. */
static bool was_reset(const struct san_cuda *cuda)
{
    return cuda->lost.driver == CU_INVALID_CONTEXT || cuda->lost.driver == CU_CONTEXT_IS_DESTROYED;
}

void san_cuda_close(struct san_cuda *cuda)
{
    if (!cuda)
        return;
    struct san_cuda_error error;
    CUcontext before = NULL;
    if (cuda->context && !was_reset(cuda)) {
        cuda->driver->cuCtxGetCurrent(&before);
        if (!cuda->driver->cuCtxPushCurrent(cuda->context)) {
            give_back(cuda);
            san_cuda_leave(cuda, before, 0, &error);
        }
    }
    if (cuda->context)
        cuda->driver->cuDevicePrimaryCtxRelease(cuda->device);
    pthread_mutex_destroy(&cuda->mutex);
    san_cuda_forget_kernels(cuda);
    free(cuda);
}
