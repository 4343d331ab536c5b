/* Loads the CUDA driver, and says what its failures are. */
#include "cuda_driver.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libcuda.so.1"

/* After these errors the context accepts no more work. Most are caused by a kernel. */
static const CUresult losses[] = {
    4,   /* DEINITIALIZED: the process ends */
    214, /* ECC_UNCORRECTABLE */
    220, /* NVLINK_UNCORRECTABLE */
    226, /* CONTAINED: an error of the memory, in this process alone */
    700, /* ILLEGAL_ADDRESS */
    702, /* LAUNCH_TIMEOUT */
    CU_CONTEXT_IS_DESTROYED,
    710, /* ASSERT */
    714, /* HARDWARE_STACK_ERROR */
    715, /* ILLEGAL_INSTRUCTION */
    716, /* MISALIGNED_ADDRESS */
    717, /* INVALID_ADDRESS_SPACE */
    718, /* INVALID_PC */
    719, /* LAUNCH_FAILED */
    721, /* TENSOR_MEMORY_LEAK */
    810, /* MPS_CLIENT_TERMINATED */
    911, /* EXTERNAL_DEVICE: another device's failure reached this one */
};

static struct {
    pthread_once_t once;
    struct driver driver;
    char missing[256]; /* why there is no driver, or "" */
} library = {.once = PTHREAD_ONCE_INIT};

/* Stores a function of the library in the table. The bytes are copied, since C has no conversion
 * from void * to a function pointer. */
static bool resolve(void *handle, const char *symbol, void *function)
{
    void *found = dlsym(handle, symbol);
    memcpy(function, &found, sizeof found);
    if (!found)
        snprintf(library.missing, sizeof library.missing,
                 LIBRARY " lacks %s: the driver is older than CUDA 11.4", symbol);
    return found;
}

static void load(void)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();
        snprintf(library.missing, sizeof library.missing,
                 "no CUDA driver: cannot load " LIBRARY ": %s", why ? why : "no reason given");
        return;
    }
#define DRIVER(function, suffix, parameters)                                                       \
    if (!resolve(handle, #function #suffix, &library.driver.function))                             \
        return;
#include "cuda_driver.def"
#undef DRIVER
}

const struct driver *san_cuda_driver(struct san_cuda_error *error)
{
    pthread_once(&library.once, load);
    if (!library.missing[0])
        return &library.driver;
    san_cuda_fail(error, SAN_CUDA_ELIBRARY, "%s", library.missing);
    return NULL;
}

static int status_of(CUresult result)
{
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        if (result == losses[i])
            return SAN_CUDA_ELOST;
    if (result == CU_NO_DEVICE || result == CU_INVALID_DEVICE)
        return SAN_CUDA_EDEVICE;
    return result == CU_OUT_OF_MEMORY ? SAN_CUDA_EMEMORY : SAN_CUDA_EDRIVER;
}

int san_cuda_check(const struct driver *driver, struct san_cuda_error *error, const char *call,
                   CUresult result)
{
    if (result == 0)
        return 0;
    /* Both fail for numbers that the driver does not know, and leave NULL. */
    const char *name = NULL, *meaning = NULL;
    driver->cuGetErrorName(result, &name);
    driver->cuGetErrorString(result, &meaning);
    san_cuda_fail(error, status_of(result), "%s: %s (%d): %s", call, name ? name : "error", result,
                  meaning ? meaning : "the driver gives no description");
    error->driver = result;
    return error->status;
}

int san_cuda_fail(struct san_cuda_error *error, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    error->driver = 0;
    error->status = status;
    return status;
}

int san_cuda_append(struct san_cuda_error *error, const char *format, ...)
{
    size_t used = strlen(error->text);
    va_list args;
    va_start(args, format);
    vsnprintf(error->text + used, sizeof error->text - used, format, args);
    va_end(args);
    return error->status;
}
