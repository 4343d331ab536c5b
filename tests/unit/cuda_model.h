/* A model for the stand-in driver's own two kernels: output = input + the first weight. */
#ifndef CUDA_MODEL_H
#define CUDA_MODEL_H
#include "mock.h"
#include "san/cuda.h"

enum { MODEL_FLOATS = 8, MODEL_WEIGHT = 3 };

static const struct san_gpu_kernel model_kernels[] = {
    {"mock_load", 2, 32, 1024}, {"mock_rest", 1, 1024, 100 << 10}, {"mock_add", 2, 32, 0}};
static const float model_weights[] = {MODEL_WEIGHT, 0};

#define MODEL_PTX(sm, version)                                                                     \
    ".version " version "\n.target sm_" sm "\n.visible .entry mock_load()\n{\n}\n"                 \
    ".visible .entry mock_rest()\n{\n}\n.visible .entry mock_add(\n)\n{\n}\n"
#define MODEL_GPU(sm, number, only, version)                                                       \
    {                                                                                              \
        .target = "nvptx:sm_" sm, .capability = number, .exact = only, .kernel_count = 3,          \
        .alignment = 256, .kernels = model_kernels, .ptx = MODEL_PTX(sm, version),                 \
        .weights = model_weights, .weights_bytes = sizeof model_weights,                           \
        .workspace_bytes = MODEL_FLOATS * sizeof(float)                                            \
    }

static const struct san_gpu model_gpus[] = {
    MODEL_GPU("75", 75, 0, "6.3"), MODEL_GPU("80", 80, 0, "7.0"), MODEL_GPU("90", 90, 0, "7.8"),
    MODEL_GPU("90a", 90, 1, "8.0")};

static const struct san_model cuda_model = {.abi_version = SAN_ABI_VERSION,
                                            .name = "twice",
                                            .targets = "nvptx:sm_75,nvptx:sm_80",
                                            .batch = 2,
                                            .channels = 1,
                                            .height = 2,
                                            .width = 2,
                                            .classes = 4,
                                            .gpus = model_gpus,
                                            .gpu_count = 4};
#endif
