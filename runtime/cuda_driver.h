/* The CUDA driver as far as cuda.c calls it: its types, its functions, and what its failures are to
 * a caller of san/cuda.h. */
#ifndef CUDA_DRIVER_H
#define CUDA_DRIVER_H
#include "san/cuda.h"

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;

/* The driver's numbers: results, and values of parameters. */
enum {
    CU_OUT_OF_MEMORY = 2,
    CU_NO_DEVICE = 100,
    CU_INVALID_DEVICE = 101,
    CU_INVALID_IMAGE = 200,
    CU_INVALID_CONTEXT = 201,
    CU_NO_BINARY_FOR_GPU = 209,
    CU_INVALID_PTX = 218,
    CU_UNSUPPORTED_PTX_VERSION = 222,
    CU_CONTEXT_IS_DESTROYED = 709,

    CU_ATTRIBUTE_MULTIPROCESSORS = 16,
    CU_ATTRIBUTE_CAPABILITY_MAJOR = 75,
    CU_ATTRIBUTE_CAPABILITY_MINOR = 76,
    CU_FUNCTION_REGISTERS = 4,
    CU_FUNCTION_MAX_DYNAMIC_SHARED = 8,
    CU_FUNCTION_CARVEOUT = 9, /* percent of a multiprocessor's memory that are shared */
    CU_JIT_INFO_LOG = 3,
    CU_JIT_INFO_LOG_BYTES = 4,
    CU_JIT_ERROR_LOG = 5,
    CU_JIT_ERROR_LOG_BYTES = 6,
    CU_STREAM_NON_BLOCKING = 1,
    CU_EVENT_DISABLE_TIMING = 2,
    CU_EVENT_RECORD_EXTERNAL = 1,
    CU_EVENT_WAIT_EXTERNAL = 1,
    CU_CAPTURE_NONE = 0,
    CU_CAPTURE_ACTIVE = 1,
    CU_CAPTURE_RELAXED = 2,
};

struct driver {
#define DRIVER(function, suffix, parameters) CUresult(*function) parameters;
#include "cuda_driver.def"
#undef DRIVER
};

/* The process's driver, loaded by the first call; NULL and an error where there is none. */
const struct driver *san_cuda_driver(struct san_cuda_error *error);

/* The driver's call, checked: CALL(driver, error, cuMemFree, memory) is 0 or error->status. */
#define CALL(driver, error, function, ...)                                                         \
    san_cuda_check(driver, error, #function, (driver)->function(__VA_ARGS__))
int san_cuda_check(const struct driver *driver, struct san_cuda_error *error, const char *call,
                   CUresult result);

/* Both return the error's status. */
__attribute__((format(printf, 3, 4))) int san_cuda_fail(struct san_cuda_error *error, int status,
                                                        const char *format, ...);
__attribute__((format(printf, 2, 3))) int san_cuda_append(struct san_cuda_error *error,
                                                          const char *format, ...);
#endif
