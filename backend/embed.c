/* A GPU's kernels in an object, for san/cuda.h: what struct san_gpu of san/abi.h says.
 *
 *   gpus         [sm_80, sm_90]     .data.rel.ro
 *   kernels      names, blocks, threads, shared memory
 *   ptx          text               .rodata
 *   gpu.weights  one for all GPUs   .rodata */
#define _GNU_SOURCE
#include "backend.h"
#include "emit.h"
#include "globals.h"
#include "memory.h"
#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(offsetof(struct san_gpu_kernel, blocks) == 8 &&
                   offsetof(struct san_gpu_kernel, shared_bytes) == 16 &&
                   sizeof(struct san_gpu_kernel) == 24,
               "kernel_type");
_Static_assert(offsetof(struct san_gpu, capability) == 8 && offsetof(struct san_gpu, exact) == 12 &&
                   offsetof(struct san_gpu, kernel_count) == 16 &&
                   offsetof(struct san_gpu, alignment) == 20 &&
                   offsetof(struct san_gpu, kernels) == 24 && offsetof(struct san_gpu, ptx) == 32 &&
                   offsetof(struct san_gpu, weights) == 40 &&
                   offsetof(struct san_gpu, workspace_bytes) == 56 && sizeof(struct san_gpu) == 64,
               "gpu_type");

struct embedding {
    const struct module *module;
    const struct parameters *parameters;
    LLVMModuleRef out;
    LLVMContextRef context;
    LLVMTypeRef ptr, i32, i64, kernel_type, gpu_type;
    LLVMValueRef weights;
    uint64_t weights_bytes;
    struct error *error;
};

/* What the runtime finds a kernel's function by, see runtime/cuda_handle.h: its name where it is its
 * own; else it, the function, and bytes between the buffers of both. free() it. */
static char *instance_name(const struct embedding *e, const struct instance *instance,
                           const struct target *target)
{
    char *name = kernel_symbol(e->module, instance->kernel, target), *text = NULL;
    if (instance->kernel == instance->code)
        return name;
    char *function = kernel_symbol(e->module, instance->code, target);
    size_t size;
    FILE *file = memory_stream(&text, &size);
    fprintf(file, "%s %s %" PRId64 " %" PRId64, name, function, instance->workspace,
            instance->weights);
    memory_stream_end(file);
    free(name);
    free(function);
    return text;
}

/* The target's kernels in their order; *count of them. */
static LLVMValueRef put_kernels(struct embedding *e, const struct target *target, uint32_t *count)
{
    LLVMValueRef *item = NULL;
    struct instances all = gpu_instances(e->module, target);
    *count = (uint32_t)all.count;
    for (int i = 0; i < all.count; i++) {
        struct launch launch = kernel_launch(all.at[i].kernel);
        char *name = instance_name(e, &all.at[i], target);
        LLVMValueRef field[4] = {global_put_text(e->out, name),
                                 global_integer(e->i32, (uint64_t)launch.blocks),
                                 global_integer(e->i32, (uint64_t)launch.threads),
                                 global_integer(e->i32, (uint64_t)launch.shared_bytes)};
        free(name);
        item = allocate_again(item, i + 1, sizeof *item);
        item[i] = LLVMConstNamedStruct(e->kernel_type, field, 4);
    }
    free(all.at);
    LLVMValueRef array = LLVMConstArray2(e->kernel_type, item, *count);
    free(item);
    return global_put(e->out, "gpu.kernels", array, 8);
}

static int by_capability(const void *a, const void *b)
{
    const struct gpu *p = (*(const struct target *const *)a)->gpu;
    const struct gpu *q = (*(const struct target *const *)b)->gpu;
    return p->capability != q->capability ? (p->capability > q->capability ? 1 : -1)
                                          : p->exact - q->exact;
}

static LLVMValueRef put_gpu(struct embedding *e, const struct target *target)
{
    struct backend_file ptx;
    uint32_t kernels;
    const struct backend_request request = {.kind = BACKEND_ASSEMBLY, .target = target->name};
    if (!backend_emit(e->module, NULL, NULL, &request, &ptx, e->error))
        return NULL;
    LLVMValueRef table = put_kernels(e, target, &kernels);
    LLVMValueRef field[10] = {global_put_text(e->out, target->name),
                              global_integer(e->i32, target->gpu->capability),
                              global_integer(e->i32, target->gpu->exact),
                              global_integer(e->i32, kernels),
                              global_integer(e->i32, DEVICE_ALIGNMENT),
                              table,
                              global_put_bytes(e->out, "ptx", ptx.data, ptx.size + 1, 1),
                              e->weights,
                              global_integer(e->i64, e->weights_bytes),
                              global_integer(e->i64, (uint64_t)e->module->workspace_bytes)};
    free(ptx.data);
    return LLVMConstNamedStruct(e->gpu_type, field, 10);
}

static bool put_weights(struct embedding *e)
{
    struct backend_file weights;
    if (!backend_weights(e->module, e->parameters, &weights, e->error))
        return false;
    e->weights =
        global_put_bytes(e->out, "gpu.weights", weights.data, weights.size, DEVICE_ALIGNMENT);
    e->weights_bytes = weights.size;
    free(weights.data);
    return true;
}

static void name_types(struct embedding *e)
{
    LLVMTypeRef ptr = e->ptr, i32 = e->i32, i64 = e->i64;
    LLVMTypeRef kernel[] = {ptr, i32, i32, i32};
    LLVMTypeRef gpu[] = {ptr, i32, i32, i32, i32, ptr, ptr, ptr, i64, i64};
    e->kernel_type = LLVMStructCreateNamed(e->context, "gpu.kernel");
    LLVMStructSetBody(e->kernel_type, kernel, sizeof kernel / sizeof *kernel, 0);
    e->gpu_type = LLVMStructCreateNamed(e->context, "gpu");
    LLVMStructSetBody(e->gpu_type, gpu, sizeof gpu / sizeof *gpu, 0);
}

LLVMValueRef embed_gpus(const struct module *module, const struct parameters *parameters,
                        LLVMModuleRef out, uint32_t *count, struct error *error)
{
    const struct target *target[MAX_TARGETS];
    LLVMValueRef item[MAX_TARGETS];
    LLVMContextRef context = LLVMGetModuleContext(out);
    struct embedding e = {.module = module,
                          .parameters = parameters,
                          .out = out,
                          .context = context,
                          .ptr = LLVMPointerTypeInContext(context, 0),
                          .i32 = LLVMInt32TypeInContext(context),
                          .i64 = LLVMInt64TypeInContext(context),
                          .error = error};
    *count = 0;
    for (int i = 0; i < module->targets; i++) {
        const struct target *found = target_find(module->target[i], error);
        assert(found); /* the driver has looked */
        if (found->gpu)
            target[(*count)++] = found;
    }
    if (!*count)
        return NULL;
    qsort(target, *count, sizeof *target, by_capability);
    name_types(&e);
    if (!put_weights(&e))
        return NULL;
    for (uint32_t i = 0; i < *count; i++)
        if (!(item[i] = put_gpu(&e, target[i])))
            return NULL;
    return global_put(e.out, "gpus", LLVMConstArray2(e.gpu_type, item, *count), 8);
}
