/* From a module to a file:
 *
 *   dispatch_text -> LLVM parses it -> kernels of every target are added -> constants, NAME_model
 *   -> LLVM's passes (few: the loops already say what is to happen) -> object, assembly, PTX, text
 *
 * Text of one target holds its kernels alone; the constants are declared. */
#define _GNU_SOURCE
#include "backend.h"
#include "cpu.h"
#include "emit.h"
#include "llvm.h"
#include "memory.h"
#include <assert.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Registers become values, common and loop-invariant work is done once. No vectorizer, no unroller,
 * and nothing that makes calls out of loops. */
static const char passes[] = "function(sroa<modify-cfg>,early-cse<memssa>,simplifycfg,"
                             "instcombine<no-verify-fixpoint>,loop-mssa(licm),"
                             "early-cse<memssa>,instcombine<no-verify-fixpoint>)";

static const char x86_triple[] = "x86_64-unknown-linux-gnu", gpu_triple[] = "nvptx64-nvidia-cuda";

/* LLVM's error message: a mistake of ours. */
struct failure {
    struct error *error;
    bool failed;
};

static void on_diagnostic(LLVMDiagnosticInfoRef info, void *context)
{
    struct failure *failure = context;
    if (LLVMGetDiagInfoSeverity(info) != LLVMDSError || failure->failed)
        return;
    char *text = LLVMGetDiagInfoDescription(info);
    failure->failed = true;
    error_set(failure->error, "LLVM: %s", text);
    LLVMDisposeMessage(text);
}

/* gpu: NULL for any x86-64; each function says its features. */
static LLVMTargetMachineRef machine_new(const struct target *gpu)
{
    LLVMTargetRef target;
    char *message = NULL;
    llvm_begin();
    bool missing = LLVMGetTargetFromTriple(gpu ? gpu_triple : x86_triple, &target, &message);
    assert(!missing); /* the LLVM that this is linked with has both */
    (void)missing;
    if (gpu)
        return LLVMCreateTargetMachine(target, gpu_triple, gpu->cpu, gpu->features,
                                       LLVMCodeGenLevelDefault, LLVMRelocDefault,
                                       LLVMCodeModelDefault);
    return LLVMCreateTargetMachine(target, x86_triple, "x86-64", "", LLVMCodeGenLevelDefault,
                                   LLVMRelocPIC, LLVMCodeModelSmall);
}

static bool take_error(char **message, struct error *error)
{
    if (*message)
        error_set(error, "LLVM: %s", *message);
    LLVMDisposeMessage(*message);
    *message = NULL;
    return false;
}

static void add_flag(LLVMModuleRef out, LLVMModuleFlagBehavior behavior, const char *name,
                     unsigned value)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(LLVMGetModuleContext(out));
    LLVMAddModuleFlag(out, behavior, name, strlen(name),
                      LLVMValueAsMetadata(LLVMConstInt(i32, value, 0)));
}

/* On x86: position independent, with IBT and SHSTK notes. */
static void set_flags(LLVMModuleRef out, LLVMTargetMachineRef machine)
{
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(out, layout);
    LLVMDisposeTargetData(layout);
    char *triple = llvm_copied(LLVMGetTargetMachineTriple(machine));
    bool x86 = !strcmp(triple, x86_triple);
    LLVMSetTarget(out, triple);
    LLVMDisposeMessage(triple);
    if (!x86)
        return;
    add_flag(out, LLVMModuleFlagBehaviorWarning, "PIC Level", 2);
    add_flag(out, LLVMModuleFlagBehaviorWarning, "cf-protection-branch", 1);
    add_flag(out, LLVMModuleFlagBehaviorWarning, "cf-protection-return", 1);
}

static LLVMModuleRef parse(LLVMContextRef context, const char *text, const char *name,
                           struct error *error)
{
    LLVMModuleRef out;
    char *message = NULL;
    LLVMMemoryBufferRef buffer =
        llvm_copied(LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), name));
    if (LLVMParseIRInContext(context, buffer, &out, &message)) {
        take_error(&message, error);
        return NULL;
    }
    LLVMSetModuleIdentifier(out, name, strlen(name));
    LLVMSetSourceFileName(out, name, strlen(name));
    return out;
}

/* Kernels of a GPU that are alike have one function. */
static bool emit_gpu(struct emitter *e)
{
    bool good = true;
    struct instances all = gpu_instances(e->module, e->target);
    for (int i = 0; i < all.count && good; i++) {
        if (all.at[i].code != all.at[i].kernel)
            continue;
        char *symbol = kernel_symbol(e->module, all.at[i].code, e->target);
        good = emit_kernel(e, all.at[i].code, symbol);
        free(symbol);
    }
    free(all.at);
    return good;
}

/* Every kernel of a unit for a target. */
static bool emit_target(struct emitter *e, const struct module *unit, const struct target *target)
{
    bool good = true;
    e->module = e->constants->module = unit;
    e->target = target;
    if (target->gpu)
        return emit_gpu(e);
    for (const struct kernel *k = unit->kernels; k && good; k = k->next) {
        if (!kernel_is_for(k, target))
            continue;
        char *symbol = kernel_symbol(e->module, k, target);
        good = emit_kernel(e, k, symbol);
        free(symbol);
    }
    return good;
}

static bool emit_kernels(const struct plan *plan, LLVMModuleRef out, struct constants *constants,
                         struct error *error)
{
    LLVMContextRef context = LLVMGetModuleContext(out);
    struct emitter e = {.constants = constants,
                        .context = context,
                        .out = out,
                        .builder = LLVMCreateBuilderInContext(context),
                        .f32 = LLVMFloatTypeInContext(context),
                        .i8 = LLVMInt8TypeInContext(context),
                        .i16 = LLVMInt16TypeInContext(context),
                        .i32 = LLVMInt32TypeInContext(context),
                        .i64 = LLVMInt64TypeInContext(context),
                        .ptr = LLVMPointerTypeInContext(context, 0),
                        .error = error};
    bool good = true;
    for (int i = 0; i < plan->targets && good; i++)
        for (int j = 0; j < plan->units && good; j++)
            good = emit_target(&e, plan->unit[j], plan->target[i]);
    LLVMDisposeBuilder(e.builder);
    return good;
}

static bool optimise(LLVMModuleRef out, LLVMTargetMachineRef machine, struct error *error)
{
    char *message = NULL;
    if (LLVMVerifyModule(out, LLVMReturnStatusAction, &message))
        return take_error(&message, error);
    LLVMDisposeMessage(message);
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef failure = LLVMRunPasses(out, passes, machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!failure)
        return true;
    char *text = llvm_copied(LLVMGetErrorMessage(failure));
    error_set(error, "LLVM: %s", text);
    LLVMDisposeErrorMessage(text);
    return false;
}

static bool copy_out(struct backend_file *file, const char *data, size_t size)
{
    file->size = size;
    file->data = allocate((int64_t)size + 1, 1);
    memcpy(file->data, data, size);
    file->data[size] = 0;
    return true;
}

static bool write_out(LLVMModuleRef out, LLVMTargetMachineRef machine, enum backend_kind kind,
                      struct backend_file *file, struct error *error)
{
    if (kind == BACKEND_LLVM) {
        char *text = llvm_copied(LLVMPrintModuleToString(out));
        copy_out(file, text, strlen(text));
        LLVMDisposeMessage(text);
        return true;
    }
    LLVMMemoryBufferRef buffer = NULL;
    char *message = NULL;
    LLVMSetTargetMachineAsmVerbosity(machine, 1); /* names of loops, spills */
    LLVMCodeGenFileType type = kind == BACKEND_OBJECT ? LLVMObjectFile : LLVMAssemblyFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, out, type, &message, &buffer))
        return take_error(&message, error);
    llvm_copied(buffer);
    copy_out(file, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
    return true;
}

static int by_strength(const void *a, const void *b)
{
    const struct target *const *p = a, *const *q = b;
    return (*p)->lanes != (*q)->lanes ? (*p)->lanes - (*q)->lanes : (*p)->pairs - (*q)->pairs;
}

/* The targets in order of strength; `only` that one, or NULL for all x86 ones. */
static bool plan_targets(struct plan *plan, const char *only, struct error *error)
{
    for (int i = 0; i < plan->module->targets; i++) {
        if (only && strcmp(plan->module->target[i], only))
            continue;
        const struct target *target = target_find(plan->module->target[i], error);
        if (!target)
            return false;
        if (only || !target->gpu)
            plan->target[plan->targets++] = target;
    }
    if (only && !plan->targets) {
        error_set(error, "the module has no target %s", only);
        return false;
    }
    /* insertion keeps the order of equals, which qsort does not promise */
    for (int i = 1; i < plan->targets; i++)
        for (int j = i; j && by_strength(&plan->target[j - 1], &plan->target[j]) > 0; j--) {
            const struct target *weaker = plan->target[j];
            plan->target[j] = plan->target[j - 1];
            plan->target[j - 1] = weaker;
        }
    return true;
}

/* Tables for every function, exact at each instruction. A hook may throw through them. */
static void add_unwind_tables(LLVMModuleRef out)
{
    const LLVMAttributeIndex function = (LLVMAttributeIndex)LLVMAttributeFunctionIndex;
    enum { ASYNCHRONOUS = 2 };
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    unsigned uwtable = LLVMGetEnumAttributeKindForName("uwtable", 7);
    LLVMAttributeRef tables =
        LLVMCreateEnumAttribute(LLVMGetModuleContext(out), uwtable, ASYNCHRONOUS);
    for (LLVMValueRef f = LLVMGetFirstFunction(out); f; f = LLVMGetNextFunction(f)) {
        if (LLVMIsDeclaration(f))
            continue;
        LLVMRemoveEnumAttributeAtIndex(f, function, nounwind);
        LLVMAddAttributeAtIndex(f, function, tables);
    }
}

static LLVMModuleRef build(const struct plan *plan, enum backend_kind kind, LLVMContextRef context,
                           LLVMTargetMachineRef machine, struct constants *constants,
                           struct error *error)
{
    char *text = kind == BACKEND_OBJECT ? dispatch_text(plan) : strdup("");
    LLVMModuleRef out = parse(context, text, plan->module->name, error);
    free(text);
    if (!out)
        return NULL;
    constants->out = out;
    set_flags(out, machine);
    bool good = emit_kernels(plan, out, constants, error);
    if (good && plan->outside)
        outside_end(constants);
    if (good && kind == BACKEND_OBJECT)
        good = model_define(plan, constants, out, error);
    if (plan->unwind_tables)
        add_unwind_tables(out);
    if (good && optimise(out, machine, error))
        return out;
    LLVMDisposeModule(out);
    return NULL;
}

bool backend_emit(const struct module *module, const struct parameters *parameters,
                  const uint8_t weights_sha256[32], const struct backend_request *request,
                  struct backend_file *file, struct error *error)
{
    const enum backend_kind kind = request->kind;
    struct plan plan = {.module = module,
                        .units = 1,
                        .unit = {module},
                        .outside = request->outside,
                        .cubins = request->cubins};
    if (!plan_targets(&plan, kind == BACKEND_OBJECT ? NULL : request->target, error))
        return false;
    if (kind == BACKEND_OBJECT)
        plan_units(&plan);
    struct failure failure = {.error = error};
    struct constants constants = {.module = module,
                                  .parameters = kind == BACKEND_OBJECT ? parameters : NULL,
                                  .outside = request->outside};
    if (plan.outside)
        outside_begin(&constants);
    bool gpu = plan.targets && plan.target[0]->gpu;
    plan.weights_sha256 = weights_sha256;
    plan.unwind_tables = request->unwind_tables && !gpu;
    LLVMTargetMachineRef machine = machine_new(gpu ? plan.target[0] : NULL);
    LLVMContextRef context = LLVMContextCreate();
    LLVMContextSetDiagnosticHandler(context, on_diagnostic, &failure);
    LLVMModuleRef out = build(&plan, kind, context, machine, &constants, error);
    bool good = out && write_out(out, machine, kind, file, error);
    if (good && (failure.failed ||
                 (kind == BACKEND_OBJECT && !constants_fill(&constants, file->data, error)))) {
        free(file->data);
        *file = (struct backend_file){0};
        good = false;
    }
    if (out)
        LLVMDisposeModule(out);
    constants_free(&constants);
    LLVMContextDispose(context);
    LLVMDisposeTargetMachine(machine);
    return good;
}

const char *backend_llvm_version(void)
{
    static char text[32];
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, patch);
    return text;
}

int llvm_major(void)
{
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    return (int)major;
}

const char *cpu_host_name(void)
{
    static char name[64];
    char *text = llvm_copied(LLVMGetHostCPUName());
    snprintf(name, sizeof name, "%s", text);
    LLVMDisposeMessage(text);
    return name;
}
