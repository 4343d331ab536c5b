/* Private constants of an object, by LLVM-C. */
#ifndef BACKEND_GLOBALS_H
#define BACKEND_GLOBALS_H
#include <llvm-c/Core.h>
#include <stdint.h>

LLVMValueRef global_integer(LLVMTypeRef type, uint64_t value);
/* A constant of these contents, private to the object. */
LLVMValueRef global_put(LLVMModuleRef out, const char *name, LLVMValueRef contents,
                        unsigned alignment);
LLVMValueRef global_put_bytes(LLVMModuleRef out, const char *name, const char *data, size_t size,
                              unsigned alignment);
/* Text that ends with a 0. */
LLVMValueRef global_put_text(LLVMModuleRef out, const char *text);

#endif
