/* LLVM is C++: where memory ends it would abort, or throw what nobody catches. Before that it calls
 * a handler, which the C interface cannot set, so the setters are looked up by their symbols. Where
 * those are not found, as where LLVM is linked in statically, it still aborts. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include "llvm.h"
#include "memory.h"
#include <dlfcn.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <pthread.h>
#include <stdbool.h>

static void new_fails(void)
{
    memory_fail();
}

static void llvm_fails(void *context, const char *reason, bool diagnose)
{
    (void)context;
    (void)reason;
    (void)diagnose;
    memory_fail();
}

static void set_handlers(void)
{
    /* std::set_new_handler, llvm::install_bad_alloc_error_handler */
    void *(*set_new)(void (*)(void)) = NULL;
    void (*set_llvm)(void (*)(void *, const char *, bool), void *) = NULL;
    *(void **)&set_new = dlsym(RTLD_DEFAULT, "_ZSt15set_new_handlerPFvvE");
    *(void **)&set_llvm =
        dlsym(RTLD_DEFAULT, "_ZN4llvm31install_bad_alloc_error_handlerEPFvPvPKcbES0_");
    if (set_new)
        set_new(new_fails);
    if (set_llvm)
        set_llvm(llvm_fails, NULL);
}

/* Loop strength reduction takes two thirds of LLVM's time for the unrolled loops of attention, and
 * gains nothing: addresses are sums of constants and few variables already. LLVM's C interface has
 * no other way to leave a pass of the code generator out. */
static void set_options(void)
{
    const char *options[] = {"sanc", "-disable-lsr"};
    LLVMParseCommandLineOptions(2, options, NULL);
}

static void begin(void)
{
    set_handlers();
    set_options();
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmParser();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
}

void llvm_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin);
}

void *llvm_copied(void *copy)
{
    if (!copy)
        memory_fail();
    return copy;
}
