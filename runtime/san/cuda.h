/* Compiled models on NVIDIA's GPUs: runs the kernels that a model has in san_model.gpus.
 *
 *     struct san_cuda_error error;
 *     struct san_cuda *cuda;
 *     if (san_cuda_open(&digits_model, 0, &cuda, &error))
 *         puts(error.text);
 *     int status = san_cuda_run(cuda, input, output, stream, &error);       in device memory, or
 *     int status = san_cuda_run_host(cuda, input, output, &error);          in host memory
 *     san_cuda_close(cuda);
 *
 * The driver, libcuda.so.1 of CUDA 11.4 or later, is loaded by the first san_cuda_open of the
 * process and stays. Nothing else of CUDA is needed, not even to build. A program that also uses
 * CUDA's runtime or driver API shares the device's primary context with this library; each call
 * here leaves the calling thread's current context as it was. A device must not be reset
 * (cudaDeviceReset) while handles are open on it.
 *
 * Every function takes an `error`, which may be NULL, and returns its status. C11 and C++11. */
#ifndef SAN_CUDA_H
#define SAN_CUDA_H
#include "san/abi.h"

#pragma GCC visibility push(default) /* all else of the runtime is hidden */

#ifdef __cplusplus
extern "C" {
#endif

enum san_cuda_status {
    SAN_CUDA_OK = 0,
    SAN_CUDA_EARGUMENT = -101, /* a null or misaligned pointer, a stream whose capture failed */
    SAN_CUDA_EABI = -102,      /* the model is of another ABI version */
    SAN_CUDA_ELIBRARY = -103,  /* no libcuda.so.1, or it lacks a function */
    SAN_CUDA_EDEVICE = -104,   /* no such device, or none of the model's code runs on it */
    SAN_CUDA_EMEMORY = -105,   /* the device or the host has no memory left */
    SAN_CUDA_EDRIVER = -106,   /* a call of the driver failed, for another reason */
    SAN_CUDA_ELOST = -107      /* the device's context is lost: the handle can only be closed */
};

enum { SAN_CUDA_TEXT_BYTES = 2048 };

struct san_cuda_error {
    int status; /* enum san_cuda_status */
    int driver; /* what the driver's call returned, a CUresult; 0 where none failed */
    /* "cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (2): out of memory", and the compiler's log where the
     * driver refuses PTX; "" where status is 0 */
    char text[SAN_CUDA_TEXT_BYTES];
};

/* *capability is what device number `device` is: 80 for compute capability 8.0. */
int san_cuda_capability(int device, unsigned *capability, struct san_cuda_error *error);

/* A model on a device: its weights, its workspace, its kernels. */
struct san_cuda;

/* Puts a model on device number `device`: chooses the strongest of its targets that runs there, has
 * the driver compile it (where the driver is too old for it, the next weaker one), and copies the
 * weights. The model has to last as long as the handle. Any number of handles may exist, of one
 * model or many, on one device or many. On failure *cuda is NULL and nothing is left behind. */
int san_cuda_open(const struct san_model *model, int device, struct san_cuda **cuda,
                  struct san_cuda_error *error);

/* Enqueues a run on `stream` and returns. The stream is a CUstream or cudaStream_t of the device's
 * primary context, or NULL for its default stream. input (the images, in the type and layout that
 * the model says) and output (n·classes floats) are device addresses; the caller must not touch
 * them until the stream has finished the run.
 *
 * Any threads may use one handle, on any streams; runs of one handle follow each other in the order
 * of the calls. An error in a kernel is reported later: when the caller waits for the stream, and
 * by the next call here.
 *
 * A stream may be being captured: then the run becomes part of the caller's graph, and happens each
 * time that is launched, in the order of those launches and of other calls. Destroy the graph
 * before the handle is closed. */
int san_cuda_run(struct san_cuda *cuda, const void *input, float *output, void *stream,
                 struct san_cuda_error *error);

/* Runs and waits. input and output are in host memory, pinned or not. */
int san_cuda_run_host(struct san_cuda *cuda, const void *input, float *output,
                      struct san_cuda_error *error);

/* The same for any number of images, in batches of san_model.batch; the last is the rest. Nothing
 * beyond the images and their results is touched. */
int san_cuda_run_images(struct san_cuda *cuda, const void *input, float *output, size_t images,
                        void *stream, struct san_cuda_error *error);
int san_cuda_run_images_host(struct san_cuda *cuda, const void *input, float *output, size_t images,
                             struct san_cuda_error *error);

/* The device's time of each kernel, in milliseconds, in one run of images in host memory: events
 * between the kernels, after a run that is not timed. milliseconds has room for
 * san_cuda_kernels(cuda) numbers; san_cuda_kernel_name says whose number i is. */
int san_cuda_time_kernels(struct san_cuda *cuda, const void *input, float *milliseconds,
                          struct san_cuda_error *error);
uint32_t san_cuda_kernels(const struct san_cuda *cuda);
const char *san_cuda_kernel_name(const struct san_cuda *cuda, uint32_t kernel);

/* For printing; they last as long as the handle: "nvptx:sm_80", "NVIDIA A100-SXM4-40GB". */
const char *san_cuda_target(const struct san_cuda *cuda);
const char *san_cuda_device(const struct san_cuda *cuda);

/* Waits for the runs and frees everything; of a lost handle, what can still be freed. NULL is no
 * error. No other thread may be in a call with the handle. */
void san_cuda_close(struct san_cuda *cuda);

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
#endif
