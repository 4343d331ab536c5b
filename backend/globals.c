#include "globals.h"
#include <string.h>

LLVMValueRef global_integer(LLVMTypeRef type, uint64_t value)
{
    return LLVMConstInt(type, value, 0);
}

LLVMValueRef global_put(LLVMModuleRef out, const char *name, LLVMValueRef contents,
                        unsigned alignment)
{
    LLVMValueRef global = LLVMAddGlobal(out, LLVMTypeOf(contents), name);
    LLVMSetInitializer(global, contents);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetAlignment(global, alignment);
    return global;
}

LLVMValueRef global_put_bytes(LLVMModuleRef out, const char *name, const char *data, size_t size,
                              unsigned alignment)
{
    LLVMValueRef bytes = LLVMConstStringInContext2(LLVMGetModuleContext(out), data, size, 1);
    return global_put(out, name, bytes, alignment);
}

LLVMValueRef global_put_text(LLVMModuleRef out, const char *text)
{
    return global_put_bytes(out, "text", text, strlen(text) + 1, 1);
}
