/* An object into this process, by LLVM's own linker. */
#include "backend.h"
#include "llvm.h"
#include "memory.h"
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <stdio.h>
#include <stdlib.h>

struct backend_loaded {
    LLVMOrcLLJITRef jit;
};

static bool good(LLVMErrorRef failure, struct error *error)
{
    if (!failure)
        return true;
    char *text = llvm_copied(LLVMGetErrorMessage(failure));
    error_set(error, "LLVM: %s", text);
    LLVMDisposeErrorMessage(text);
    return false;
}

/* The object takes memcpy and its like from this process. */
static bool add_process_symbols(LLVMOrcLLJITRef jit, struct error *error)
{
    LLVMOrcDefinitionGeneratorRef process;
    if (!good(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
                  &process, LLVMOrcLLJITGetGlobalPrefix(jit), NULL, NULL),
              error))
        return false;
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), process);
    return true;
}

const struct san_model *backend_load(const struct backend_file *object, const char *name,
                                     struct backend_loaded **loaded, struct error *error)
{
    LLVMOrcLLJITRef jit;
    char symbol[128];
    LLVMOrcExecutorAddress address = 0;
    llvm_begin();
    if (!good(LLVMOrcCreateLLJIT(&jit, NULL), error))
        return NULL;
    LLVMMemoryBufferRef buffer =
        llvm_copied(LLVMCreateMemoryBufferWithMemoryRangeCopy(object->data, object->size, name));
    snprintf(symbol, sizeof symbol, "%s_model", name);
    if (!add_process_symbols(jit, error) ||
        !good(LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), buffer), error) ||
        !good(LLVMOrcLLJITLookup(jit, &address, symbol), error)) {
        LLVMConsumeError(LLVMOrcDisposeLLJIT(jit));
        return NULL;
    }
    *loaded = allocate(1, sizeof **loaded);
    (*loaded)->jit = jit;
    return (const struct san_model *)(uintptr_t)address;
}

void backend_unload(struct backend_loaded *loaded)
{
    if (!loaded)
        return;
    LLVMConsumeError(LLVMOrcDisposeLLJIT(loaded->jit));
    free(loaded);
}
