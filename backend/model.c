/* NAME_model: what a compiled model says of itself, the struct san_model of san/abi.h. */
#define _GNU_SOURCE
#include "backend.h"
#include "emit.h"
#include "globals.h"
#include "memory.h"
#include "weights_file.h"
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The fields in their order. */
_Static_assert(offsetof(struct san_model, name) == 8 && offsetof(struct san_model, batch) == 40 &&
                   offsetof(struct san_model, threads) == 60 &&
                   offsetof(struct san_model, workspace_bytes) == 64 &&
                   offsetof(struct san_model, weights_sha256) == 88 &&
                   offsetof(struct san_model, run) == 120 &&
                   offsetof(struct san_model, gpus) == 128 &&
                   offsetof(struct san_model, gpu_count) == 136 &&
                   offsetof(struct san_model, batch_count) == 140 &&
                   offsetof(struct san_model, batches) == 144 &&
                   offsetof(struct san_model, run_images) == 152 &&
                   offsetof(struct san_model, output_rank) == 160 &&
                   offsetof(struct san_model, output_width) == 172 &&
                   offsetof(struct san_model, input_layout) == 180 &&
                   offsetof(struct san_model, outside) == 184 &&
                   offsetof(struct san_model, outside_sha256) == 188 &&
                   sizeof(struct san_model) == 224,
               "model_define");

static char *join_targets(const struct module *module)
{
    size_t size = 1;
    for (int i = 0; i < module->targets; i++)
        size += strlen(module->target[i]) + 1;
    char *text = allocate((int64_t)size, 1);
    for (int i = 0; i < module->targets; i++) {
        strcat(text, i ? "," : "");
        strcat(text, module->target[i]);
    }
    return text;
}

static LLVMValueRef put_kernel_names(LLVMModuleRef out, const struct kernel_names *names)
{
    LLVMTypeRef ptr = LLVMPointerTypeInContext(LLVMGetModuleContext(out), 0);
    LLVMValueRef *item = allocate(names->count + 1, sizeof *item);
    for (int i = 0; i < names->count; i++)
        item[i] = global_put_text(out, names->name[i]);
    LLVMValueRef array = LLVMConstArray2(ptr, item, (uint64_t)names->count);
    free(item);
    return global_put(out, "kernels", array, 8);
}

/* The sizes asked for, the largest first. */
static LLVMValueRef put_batches(LLVMModuleRef out, const struct module *module, uint32_t *count)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(LLVMGetModuleContext(out));
    LLVMValueRef size[MAX_BATCHES];
    *count = 0;
    for (const struct module *m = module; m; m = m->smaller)
        size[(*count)++] = global_integer(i32, (uint64_t)module_images(m));
    return global_put(out, "batches", LLVMConstArray2(i32, size, *count), 4);
}

static LLVMValueRef put_targets(LLVMModuleRef out, const struct module *module)
{
    char *targets = join_targets(module);
    LLVMValueRef text = global_put_text(out, targets);
    free(targets);
    return text;
}

static LLVMValueRef put_compiler(LLVMModuleRef out)
{
    char compiler[64];
    snprintf(compiler, sizeof compiler, "sanc " SANC_VERSION ", LLVM %s", backend_llvm_version());
    return global_put_text(out, compiler);
}

/* A number of the module as a field of 32 bits. */
static LLVMValueRef word(LLVMContextRef context, int64_t value)
{
    return global_integer(LLVMInt32TypeInContext(context), (uint64_t)value);
}

/* SHA-256; NULL: zeros. */
static LLVMValueRef put_hash(LLVMContextRef context, const uint8_t *hash)
{
    static const uint8_t none[32];
    return LLVMConstStringInContext2(context, (const char *)(hash ? hash : none), 32, 1);
}

static void define_fingerprint(const struct plan *plan, LLVMModuleRef out)
{
    char symbol[128];
    header_fingerprint(plan->module, plan->outside, symbol);
    LLVMTypeRef byte = LLVMInt8TypeInContext(LLVMGetModuleContext(out));
    LLVMValueRef global = LLVMAddGlobal(out, byte, symbol);
    LLVMSetInitializer(global, LLVMConstNull(byte));
    LLVMSetGlobalConstant(global, 1);
}

/* NAME_run or NAME_run_images. */
static LLVMValueRef entry(const struct plan *plan, LLVMModuleRef out, const char *function)
{
    char symbol[128];
    snprintf(symbol, sizeof symbol, "%s_%s", plan->module->name, function);
    return plan->targets ? LLVMGetNamedFunction(out, symbol)
                         : LLVMConstNull(LLVMPointerTypeInContext(LLVMGetModuleContext(out), 0));
}

static void define(const struct plan *plan, LLVMModuleRef out, LLVMValueRef contents)
{
    char symbol[128];
    snprintf(symbol, sizeof symbol, "%s_model", plan->module->name);
    LLVMValueRef model = LLVMAddGlobal(out, LLVMTypeOf(contents), symbol);
    LLVMSetInitializer(model, contents);
    LLVMSetGlobalConstant(model, 1);
}

bool model_define(const struct plan *plan, const struct constants *constants, LLVMModuleRef out,
                  struct error *error)
{
    const struct module *m = plan->module;
    LLVMContextRef c = LLVMGetModuleContext(out);
    LLVMTypeRef ptr = LLVMPointerTypeInContext(c, 0), i64 = LLVMInt64TypeInContext(c);
    struct kernel_names names = kernel_names(plan);
    uint32_t gpu_count, batch_count;
    LLVMValueRef batches = put_batches(out, m, &batch_count);
    const struct weights_head *outside = outside_head(constants);
    LLVMValueRef gpus = embed_gpus(m, constants->parameters, plan->cubins, out, &gpu_count, error);
    LLVMValueRef field[] = {
        word(c, SAN_ABI_VERSION),
        word(c, names.count),
        global_put_text(out, m->name),
        put_compiler(out),
        put_targets(out, m),
        put_kernel_names(out, &names),
        word(c, module_images(m)),
        word(c, m->channels),
        word(c, m->height),
        word(c, m->width),
        word(c, m->classes),
        word(c, m->threads),
        global_integer(i64, (uint64_t)workspace_total(m)),
        global_integer(i64, ALIGNMENT),
        global_integer(i64, (uint64_t)constants->bytes),
        put_hash(c, plan->weights_sha256),
        entry(plan, out, "run"),
        gpus ? gpus : LLVMConstNull(ptr),
        word(c, gpu_count),
        word(c, batch_count),
        batches,
        entry(plan, out, "run_images"),
        word(c, m->map[0] ? 3 : 1),
        word(c, m->map[0] ? m->map[0] : m->classes),
        word(c, m->map[0] ? m->map[1] : 1),
        word(c, m->map[0] ? m->map[2] : 1),
        word(c, m->input_type == DTYPE_U8 ? SAN_U8 : SAN_F32),
        word(c, m->layout == LAYOUT_NHWC ? SAN_NHWC : SAN_NCHW),
        word(c, outside != NULL),
        put_hash(c, outside ? outside->sha256 : NULL),
    };
    free(names.name);
    define(plan, out, LLVMConstStructInContext(c, field, sizeof field / sizeof *field, 0));
    define_fingerprint(plan, out);
    return !gpu_count || gpus;
}
