/* The kernels of a model on a device: found by their names, started one by one. */
#include "cuda_handle.h"
#include <stdlib.h>
#include <string.h>

enum { USUAL_SHARED_BYTES = 48 * 1024 }; /* more needs to be asked for */

/* Cuts off the next word of a name, which ends with a space or with the text. */
static char *next_word(char **rest)
{
    char *word = *rest;
    size_t length = strcspn(word, " ");
    *rest = word + length + (word[length] != 0);
    word[length] = 0;
    return word;
}

/* Finds a kernel's function. kernel->name is cut into its words. */
static int find_kernel(const struct san_cuda *cuda, struct kernel *kernel,
                       struct san_cuda_error *error)
{
    char *name = kernel->name;
    const char *function = next_word(&name);
    if (*name) {
        function = next_word(&name);
        kernel->workspace = strtoll(next_word(&name), NULL, 10);
        kernel->weights = strtoll(next_word(&name), NULL, 10);
    }
    return CALL(cuda->driver, error, cuModuleGetFunction, &kernel->function, cuda->module,
                function);
}

/* How much shared memory a block may ask for. Beyond the usual, as much of a multiprocessor's memory
 * as there is becomes shared, so that as many blocks as possible are there at once: the driver may
 * choose for one. */
static int allow_shared(const struct san_cuda *cuda, CUfunction function, uint32_t bytes,
                        struct san_cuda_error *error)
{
    if (bytes <= USUAL_SHARED_BYTES)
        return 0;
    int status = CALL(cuda->driver, error, cuFuncSetAttribute, function, CU_FUNCTION_CARVEOUT, 100);
    if (status)
        return status;
    return CALL(cuda->driver, error, cuFuncSetAttribute, function, CU_FUNCTION_MAX_DYNAMIC_SHARED,
                (int)bytes);
}

int san_cuda_find_kernels(struct san_cuda *cuda, struct san_cuda_error *error)
{
    const struct san_gpu *gpu = cuda->gpu;
    cuda->kernels = calloc((size_t)gpu->kernel_count + 1, sizeof *cuda->kernels);
    if (!cuda->kernels)
        return san_cuda_fail(error, SAN_CUDA_EMEMORY, "no memory for %u kernels",
                             (unsigned)gpu->kernel_count);
    int status = 0;
    for (uint32_t i = 0; i < gpu->kernel_count && !status; i++) {
        const struct san_gpu_kernel *kernel = &gpu->kernels[i];
        cuda->kernels[i].name = strdup(kernel->name);
        if (!cuda->kernels[i].name)
            return san_cuda_fail(error, SAN_CUDA_EMEMORY, "no memory for a kernel's name");
        status = find_kernel(cuda, &cuda->kernels[i], error);
        if (!status)
            status = allow_shared(cuda, cuda->kernels[i].function, kernel->shared_bytes, error);
        if (status)
            san_cuda_append(error, "; kernel %s", cuda->kernels[i].name);
    }
    return status;
}

void san_cuda_forget_kernels(struct san_cuda *cuda)
{
    for (uint32_t i = 0; cuda->kernels && i < cuda->gpu->kernel_count; i++)
        free(cuda->kernels[i].name);
    free(cuda->kernels);
}

int san_cuda_launch(const struct san_cuda *cuda, uint32_t number, CUstream stream,
                    struct san_cuda_error *error)
{
    const struct san_gpu_kernel *kernel = &cuda->gpu->kernels[number];
    const struct kernel *found = &cuda->kernels[number];
    CUdeviceptr workspace = cuda->workspace + (CUdeviceptr)found->workspace;
    CUdeviceptr weights = cuda->weights + (CUdeviceptr)found->weights;
    void *arguments[] = {(void *)&cuda->input, (void *)&cuda->output, &workspace, &weights};
    int status = CALL(cuda->driver, error, cuLaunchKernel, found->function, kernel->blocks, 1, 1,
                      kernel->threads, 1, 1, kernel->shared_bytes, stream, arguments, NULL);
    if (status)
        san_cuda_append(error, "; kernel %s", found->name);
    return status;
}
