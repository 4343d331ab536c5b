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

/* A GPU's code: PTX, or a cubin, which is for its capability alone. */
struct code {
    const struct target *target;
    const struct backend_file *cubin; /* NULL: PTX */
};

static int by_strength(const void *a, const void *b)
{
    const struct code *p = a, *q = b;
    const struct gpu *m = p->target->gpu, *n = q->target->gpu;
    if (m->capability != n->capability)
        return m->capability > n->capability ? 1 : -1;
    return m->exact != n->exact ? m->exact - n->exact : !!p->cubin - !!q->cubin;
}

static LLVMValueRef put_code(struct embedding *e, const struct code *code)
{
    struct backend_file ptx;
    const struct backend_request request = {.kind = BACKEND_ASSEMBLY, .target = code->target->name};
    if (code->cubin)
        return global_put_bytes(e->out, "cubin", code->cubin->data, code->cubin->size, 16);
    if (!backend_emit(e->module, NULL, NULL, &request, &ptx, e->error))
        return NULL;
    LLVMValueRef put = global_put_bytes(e->out, "ptx", ptx.data, ptx.size + 1, 1);
    free(ptx.data);
    return put;
}

static LLVMValueRef put_gpu(struct embedding *e, const struct code *code)
{
    uint32_t kernels;
    const struct target *target = code->target;
    LLVMValueRef image = put_code(e, code);
    if (!image)
        return NULL;
    LLVMValueRef table = put_kernels(e, target, &kernels);
    LLVMValueRef field[10] = {global_put_text(e->out, target->name),
                              global_integer(e->i32, target->gpu->capability),
                              global_integer(e->i32, target->gpu->exact || code->cubin),
                              global_integer(e->i32, kernels),
                              global_integer(e->i32, DEVICE_ALIGNMENT),
                              table,
                              image,
                              e->weights,
                              global_integer(e->i64, e->weights_bytes),
                              global_integer(e->i64, (uint64_t)e->module->workspace_bytes)};
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
                        const struct backend_file *cubins, LLVMModuleRef out, uint32_t *count,
                        struct error *error)
{
    struct code code[2 * MAX_TARGETS];
    LLVMValueRef item[2 * MAX_TARGETS];
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
            code[(*count)++] = (struct code){found, NULL};
        if (found->gpu && cubins)
            code[(*count)++] = (struct code){found, &cubins[i]};
    }
    if (!*count)
        return NULL;
    qsort(code, *count, sizeof *code, by_strength);
    name_types(&e);
    if (!put_weights(&e))
        return NULL;
    for (uint32_t i = 0; i < *count; i++)
        if (!(item[i] = put_gpu(&e, &code[i])))
            return NULL;
    return global_put(e.out, "gpus", LLVMConstArray2(e.gpu_type, item, *count), 8);
}
