/* What every compiled model and its caller agree on. The compiler copies this text, from the guard
 * to its end, into each header that it writes, so that a model's header stands alone. C11, C++11.
 */
#ifndef SAN_ABI_H
#define SAN_ABI_H
#include <stddef.h>
#include <stdint.h>

#define SAN_ABI_VERSION 3

#ifdef __cplusplus
extern "C" {
#endif

/* What NAME_run and NAME_run_images return: 0, or one of these before anything was touched. */
enum san_status {
    SAN_OK = 0,
    SAN_EPOINTER = -1, /* input, output or workspace is null */
    SAN_EALIGN =
        -2, /* output, or input of floats, not aligned to 4 bytes; or workspace not as the header
               says */
    SAN_ECPU = -3,    /* the processor or the system lacks instructions that every target needs */
    SAN_EABI = -4,    /* exec is of another ABI version */
    SAN_EEXEC = -5,   /* exec has no parallel hook but more than one thread, or a bad profile */
    SAN_EWEIGHTS = -6 /* the model's weights are in a file: exec has none, or those of another */
};

/* Times per kernel, added up over runs. ticks and calls have kernel_count entries. */
struct san_profile {
    uint64_t (*clock)(void *context); /* any monotonic unit */
    void *context;
    uint64_t *ticks;
    uint64_t *calls;
};

/* Weights of a model that was compiled with --weights-in; san/weights.h opens the file. */
struct san_weights {
    const void *data; /* aligned to 64 bytes; only read */
    uint64_t bytes;
    uint8_t sha256[32]; /* of data, which is the model's if it is san_model.outside_sha256 */
};

/* How to run: NULL stands for one thread and no profile. */
struct san_exec {
    uint32_t abi_version; /* SAN_ABI_VERSION */
    uint32_t threads; /* tasks wanted at once; more than the model was compiled for is no error */
    /* Calls task(argument, i) for i from 0 to count - 1, in any order, on any threads, and returns
     * when all are done. May be NULL where threads is 1. */
    void (*parallel)(void *context, uint32_t count, void (*task)(void *argument, uint32_t index),
                     void *argument);
    void *context;
    const struct san_profile *profile; /* or NULL */
    const struct san_weights *weights; /* or NULL, where the object has them */
};

/* A kernel of a GPU and how it is started; its arguments are the device addresses of input, output,
 * workspace and weights. */
struct san_gpu_kernel {
    const char *name;      /* in the PTX */
    uint32_t blocks;       /* of the grid, */
    uint32_t threads;      /* of a block, both in x alone */
    uint32_t shared_bytes; /* dynamic shared memory of a block */
};

/* A model's kernels for one kind of GPU; san/cuda.h runs them. */
struct san_gpu {
    const char *target;  /* "nvptx:sm_80" */
    uint32_t capability; /* 80 for 8.0: the code is for GPUs of this capability and later ones */
    uint32_t exact;      /* 1: for GPUs of this capability alone ("nvptx:sm_90a") */
    uint32_t kernel_count;
    uint32_t alignment;                   /* of workspace and weights in device memory */
    const struct san_gpu_kernel *kernels; /* in the order they run, each after the one before */
    const char *ptx;                      /* text that ends with a 0 */
    const void *weights;                  /* to be copied to the device as they are */
    uint64_t weights_bytes, workspace_bytes;
};

/* What an image is made of, and how it lies in memory. */
enum san_type { SAN_F32 = 0, SAN_U8 = 1 };
enum san_layout {
    SAN_NCHW = 0, /* a plane for each channel */
    SAN_NHWC = 1  /* pixel by pixel */
};

/* What a compiled model says of itself. */
struct san_model {
    uint32_t abi_version;
    uint32_t kernel_count;
    const char *name;
    const char *compiler;                             /* "sanc 0.1.0, LLVM 19.1.7" */
    const char *targets;                              /* "x86-64-v3,x86-64-v4" */
    const char *const *kernel_names;                  /* kernel_count of them */
    uint32_t batch, channels, height, width, classes; /* or numbers of a result */
    uint32_t threads;                                 /* the most tasks that share its work */
    uint64_t workspace_bytes, workspace_alignment, weights_bytes; /* for run */
    uint8_t weights_sha256[32];                                   /* of the safetensors file */
    /* NULL where all targets are GPUs */
    int (*run)(const void *input, float *output, void *workspace, const struct san_exec *exec);
    const struct san_gpu *gpus; /* the weakest first */
    uint32_t gpu_count;
    uint32_t batch_count;
    const uint32_t *batches; /* batch_count sizes; the largest, `batch`, first */
    /* Any number of images; NULL where all targets are GPUs. */
    int (*run_images)(const void *input, float *output, size_t images, void *workspace,
                      const struct san_exec *exec);
    /* An image's result. Rank 1: a number for each channel; 3: a map, row-major. */
    uint32_t output_rank, output_channels, output_height, output_width;
    uint32_t input_type;        /* enum san_type */
    uint32_t input_layout;      /* enum san_layout */
    uint32_t outside;           /* 1: the weights are in a file, not in the object */
    uint8_t outside_sha256[32]; /* of the weights there, san_weights.sha256 */
};

#ifdef __cplusplus
}
#endif
#endif
