/* Which of a model's targets a device runs, and its code on the device. */
#include "cuda_handle.h"
#include <stdlib.h>
#include <string.h>

enum { LOG_BYTES = 8192 };

static bool runs_on(const struct san_gpu *gpu, uint32_t capability)
{
    return gpu->exact ? gpu->capability == capability : gpu->capability <= capability;
}

/* The strongest target for the device that is weaker than `than` (NULL: the strongest of all): they
 * lie in the order of their strength. */
static const struct san_gpu *choose(const struct san_cuda *cuda, const struct san_gpu *than)
{
    const struct san_gpu *gpus = cuda->model->gpus;
    for (const struct san_gpu *gpu = than ? than : gpus + cuda->model->gpu_count; gpu-- > gpus;)
        if (runs_on(gpu, cuda->capability))
            return gpu;
    return NULL;
}

int san_cuda_read_capability(const struct driver *driver, CUdevice device, unsigned *capability,
                             struct san_cuda_error *error)
{
    int major = 0, minor = 0;
    int status =
        CALL(driver, error, cuDeviceGetAttribute, &major, CU_ATTRIBUTE_CAPABILITY_MAJOR, device);
    if (!status)
        status = CALL(driver, error, cuDeviceGetAttribute, &minor, CU_ATTRIBUTE_CAPABILITY_MINOR,
                      device);
    *capability = (unsigned)(major * 10 + minor);
    return status;
}

int san_cuda_find_target(struct san_cuda *cuda, struct san_cuda_error *error)
{
    int status = san_cuda_read_capability(cuda->driver, cuda->device, &cuda->capability, error);
    if (status)
        return status;
    cuda->gpu = choose(cuda, NULL);
    if (cuda->gpu)
        return 0;
    san_cuda_fail(error, SAN_CUDA_EDEVICE,
                  "%s has compute capability %u.%u, and model %s has code for", cuda->name,
                  cuda->capability / 10, cuda->capability % 10, cuda->model->name);
    const struct san_gpu *gpus = cuda->model->gpus;
    for (uint32_t i = 0; i < cuda->model->gpu_count; i++)
        if (!i || strcmp(gpus[i].target, gpus[i - 1].target) != 0) /* PTX and a cubin of it */
            san_cuda_append(error, "%s %s", i ? "," : "", gpus[i].target);
    return san_cuda_append(error, " alone");
}

/* What the driver's compiler printed for a target. */
struct logs {
    char problems[LOG_BYTES], notes[LOG_BYTES];
};

/* The driver compiles the PTX of the chosen target, or takes its cubin. */
static int load(struct san_cuda *cuda, struct logs *logs, struct san_cuda_error *error)
{
    void *bytes = (void *)(uintptr_t)LOG_BYTES; /* numbers are handed over in the pointer's place */
    int options[] = {CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_BYTES, CU_JIT_INFO_LOG,
                     CU_JIT_INFO_LOG_BYTES};
    void *values[] = {logs->problems, bytes, logs->notes, bytes};
    logs->problems[0] = logs->notes[0] = 0;
    int status = CALL(cuda->driver, error, cuModuleLoadDataEx, &cuda->module, cuda->gpu->ptx, 4,
                      options, values);
    return status ? san_cuda_append(error, "; target %s", cuda->gpu->target) : 0;
}

/* Whether a driver fails like this when it is too old for a target's PTX, cubin or architecture. */
static bool is_refusal(int result)
{
    return result == CU_INVALID_IMAGE || result == CU_NO_BINARY_FOR_GPU ||
           result == CU_INVALID_PTX || result == CU_UNSUPPORTED_PTX_VERSION;
}

/* Loads the chosen target, or where the driver refuses it the next weaker one. The error has a line
 * for each, and the last one's log. */
static int load_some(struct san_cuda *cuda, struct logs *logs, struct san_cuda_error *error)
{
    struct san_cuda_error refused = {0};
    int status = load(cuda, logs, error);
    const struct san_gpu *weaker = choose(cuda, cuda->gpu);
    while (status && is_refusal(error->driver) && weaker) {
        san_cuda_append(&refused, "%s\n", error->text);
        cuda->gpu = weaker;
        weaker = choose(cuda, weaker);
        san_cuda_begin(error, NULL);
        status = load(cuda, logs, error);
    }
    if (!status)
        return 0;
    san_cuda_append(&refused, "%s", error->text);
    memcpy(error->text, refused.text, sizeof error->text);
    if (logs->problems[0])
        san_cuda_append(error, "\n%.*s", LOG_BYTES - 1, logs->problems);
    if (logs->notes[0])
        san_cuda_append(error, "\n%.*s", LOG_BYTES - 1, logs->notes);
    return status;
}

int san_cuda_load(struct san_cuda *cuda, struct san_cuda_error *error)
{
    struct logs *logs = calloc(1, sizeof *logs);
    if (!logs)
        return san_cuda_fail(error, SAN_CUDA_EMEMORY, "no memory for the PTX compiler's log");
    int status = load_some(cuda, logs, error);
    free(logs);
    return status;
}
