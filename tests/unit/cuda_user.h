/* A program that uses a model on a GPU, with the stand-in driver. */
#ifndef CUDA_USER_H
#define CUDA_USER_H
#include "cuda_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MOST_STREAMS = 6, BYTES = MODEL_FLOATS * sizeof(float) };

static int reset(void **state)
{
    (void)state;
    mock_reset();
    return 0;
}

/* Nothing is left and no rule was broken. */
static void assert_clean(void)
{
    struct mock_counts c = mock_count();
    assert_string_equal(c.violation, "");
    assert_int_equal(c.contexts + c.memory + c.modules + c.streams + c.events + c.graphs +
                         c.executables + c.dropped,
                     0);
    assert_int_equal(mock_depth(), 0);
}

static struct san_cuda *open_model(int device)
{
    struct san_cuda *cuda;
    struct san_cuda_error error;
    san_cuda_open(&cuda_model, device, &cuda, &error);
    assert_string_equal(error.text, "");
    assert_int_equal(error.status, 0);
    assert_non_null(cuda);
    return cuda;
}

static void fill(float *input, float value)
{
    for (int i = 0; i < MODEL_FLOATS; i++)
        input[i] = value + (float)i;
}

/* How many floats are not what the model makes of fill(value). */
static int wrong(const float *output, float value)
{
    int bad = 0;
    for (int i = 0; i < MODEL_FLOATS; i++)
        bad += !(output[i] == value + (float)i + MODEL_WEIGHT);
    return bad;
}

/* A program's own memory and streams on a device. */
struct user {
    CUcontext context;
    CUstream stream[MOST_STREAMS];
    CUdeviceptr input[MOST_STREAMS], output[MOST_STREAMS];
};

static int start_user(struct user *user, CUdevice device)
{
    CUdevice there;
    int bad = cuInit(0) | cuDeviceGet(&there, device);
    bad |= cuDevicePrimaryCtxRetain(&user->context, there) | cuCtxPushCurrent_v2(user->context);
    for (int i = 0; i < MOST_STREAMS; i++)
        bad |= cuStreamCreate(&user->stream[i], 0) | cuMemAlloc_v2(&user->input[i], BYTES) |
               cuMemAlloc_v2(&user->output[i], BYTES);
    return bad;
}

static int end_user(struct user *user, CUdevice device)
{
    int bad = 0;
    for (int i = 0; i < MOST_STREAMS; i++)
        bad |= cuStreamDestroy_v2(user->stream[i]) | cuMemFree_v2(user->input[i]) |
               cuMemFree_v2(user->output[i]);
    CUcontext context;
    return bad | cuCtxPopCurrent_v2(&context) | cuDevicePrimaryCtxRelease_v2(device);
}

static int run_on(struct san_cuda *cuda, const struct user *user, int i, CUstream stream)
{
    return san_cuda_run(cuda, (const float *)(uintptr_t)user->input[i],
                        (float *)(uintptr_t)user->output[i], stream, NULL);
}
#endif
